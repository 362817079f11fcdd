"""Two people, each with a calendar of their own in a database of this test alone."""

import pytest

from tests.integration.events.booker import Booker, a_booker
from yotei.storage.pool import Database


@pytest.fixture
async def aiko(database: Database) -> Booker:
    return await a_booker(database, "Aiko")


@pytest.fixture
async def bob(database: Database) -> Booker:
    return await a_booker(database, "Bob")
