"""The GraphQL door alone, in front of a real database."""

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, MutableMapping
from contextlib import AsyncExitStack
from typing import Any
from uuid import UUID

import httpx
import pytest
from litestar import Litestar
from litestar.datastructures import State

from tests.conftest import PostgresFactory
from tests.integration.graphql.rows import Caller, Rows
from tests.integration.graphql.streaming import Served, Servers, serving
from tests.logged import logged_by
from yotei.api.graphql import door, operations
from yotei.api.graphql.operations import Operations
from yotei.api.problems import answer_problem
from yotei.settings import GraphqlSettings, LimitSettings, SubscriptionSettings
from yotei.storage.pool import Database

Admit = Callable[[UUID], Awaitable[Caller]]


@pytest.fixture
def repeats() -> Iterator[list[MutableMapping[str, Any]]]:
    """What was logged of loads that a document runs more than once for one level."""
    with logged_by(operations, "log") as logged:
        yield logged


@pytest.fixture(autouse=True)
def nothing_repeats(repeats: list[MutableMapping[str, Any]], request: pytest.FixtureRequest) -> Iterator[None]:
    """A test whose documents repeat a load fails, unless it asks for `repeats` itself."""
    yield
    if "repeats" not in inspect.signature(request.function).parameters:
        assert [(one["load"], one["fields"]) for one in repeats] == []


@pytest.fixture
def rows(database: Database) -> Rows:
    return Rows(database)


@pytest.fixture
def limits() -> LimitSettings:
    return LimitSettings()


@pytest.fixture
def graphql() -> GraphqlSettings:
    return GraphqlSettings()


@pytest.fixture
async def client(
    database: Database, limits: LimitSettings, graphql: GraphqlSettings
) -> AsyncIterator[httpx.AsyncClient]:
    """Over ASGI in this very task: the statements of a request are counted in the test's ledger."""
    app = Litestar(
        route_handlers=door.routes(),
        state=State(
            {
                "database": database,
                "limits": limits,
                "horizon_days": 366,
                "operations": Operations(limits, graphql),
            }
        ),
        exception_handlers={Exception: answer_problem},
        openapi_config=None,
    )
    transport = httpx.ASGITransport(app)  # type: ignore[arg-type]  # Litestar's types of ASGI are narrower
    async with httpx.AsyncClient(transport=transport, base_url="http://yotei.test") as opened:
        yield opened


@pytest.fixture
def admit(client: httpx.AsyncClient, rows: Rows) -> Admit:
    """A caller with a token of their own."""

    async def admitted(user_id: UUID) -> Caller:
        return Caller(client, await rows.token(user_id))

    return admitted


@pytest.fixture(scope="module")
async def shared_url(postgres: PostgresFactory) -> AsyncIterator[str]:
    """The address of a migrated database of the tests of a module."""
    url = await postgres.migrated()
    yield url
    await postgres.drop(url)


@pytest.fixture(scope="module")
async def servers(shared_url: str) -> AsyncIterator[Servers]:
    """Servers on real sockets in this process, in front of the shared database."""
    started: dict[SubscriptionSettings, Served] = {}

    async with AsyncExitStack() as stack:

        async def server(subscriptions: SubscriptionSettings) -> Served:
            if subscriptions not in started:
                started[subscriptions] = await stack.enter_async_context(serving(shared_url, subscriptions))
            return started[subscriptions]

        yield server
