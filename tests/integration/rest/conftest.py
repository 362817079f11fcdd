"""One application for the tests of a module; each test makes its own people in its database."""

from collections.abc import AsyncIterator, Awaitable, Callable
from uuid import UUID

import httpx
import pytest

from tests.conftest import PostgresFactory
from tests.integration.rest.served import Caller, admitted, serve, settings
from yotei.storage.pool import Database

Admit = Callable[..., Awaitable[Caller]]


@pytest.fixture(scope="module")
async def served_url(postgres: PostgresFactory) -> AsyncIterator[str]:
    url = await postgres.migrated()
    yield url
    await postgres.drop(url)


@pytest.fixture(scope="module")
async def rows(served_url: str) -> AsyncIterator[Database]:
    """Where the tests write their premises."""
    async with await Database.connect(served_url, size_min=1, size_max=3) as opened:
        yield opened


@pytest.fixture(scope="module")
async def client(served_url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with serve(settings(served_url)) as opened:
        yield opened


@pytest.fixture
def admit(client: httpx.AsyncClient, rows: Database) -> Admit:
    """`await admit(user_id, scopes=…)`: a caller with a token of their own."""

    async def admitting(user_id: UUID, **how: object) -> Caller:
        return await admitted(client, rows, user_id, **how)  # type: ignore[arg-type]

    return admitting
