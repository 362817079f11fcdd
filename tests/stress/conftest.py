"""A short race that the tests of this folder share."""

from collections.abc import AsyncIterator
from typing import Final

import pytest

from tests.conftest import PostgresFactory
from tests.stress.checks import Evidence
from tests.stress.race import race
from tests.stress.servers import servers

OPERATIONS: Final = 400


class Raced:
    """What a short race left, and the address of the database that it was run on."""

    def __init__(self, evidence: Evidence, url: str) -> None:
        self.evidence = evidence
        self.url = url


@pytest.fixture(scope="package")
async def raced(postgres: PostgresFactory) -> AsyncIterator[Raced]:
    url = await postgres.migrated()
    with servers(url) as served:
        evidence = await race(served, 1, operations=OPERATIONS, people=16, rooms=40, calendars=4)
        yield Raced(evidence, url)
    await postgres.drop(url)
