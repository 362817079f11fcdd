"""What is cached in these tests: a table of numbers."""

import pytest

from tests.integration.cache.nodes import TABLE
from yotei.storage.pool import Database


@pytest.fixture
async def database(database: Database) -> Database:
    await database.execute(TABLE)
    return database
