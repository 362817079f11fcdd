"""The whole stack of `app.build` in this process, and callers who ask it over HTTP."""

import asyncio
import re
import warnings
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from unittest.mock import patch
from uuid import UUID

import httpx
import msgspec

from yotei import app
from yotei.caching import Caching
from yotei.errors import Problem
from yotei.settings import (
    CacheSettings,
    DatabaseSettings,
    LimitSettings,
    LogSettings,
    PoolSettings,
    ServerSettings,
    Settings,
)
from yotei.storage.pool import Database
from yotei.storage.statements import Statement
from yotei.users import tokens

QUIET = LogSettings(level="error", format="json")
ALONE = ServerSettings()
# Most tests count the statements that an answer takes; with a cache that depends on what was asked before.
UNCACHED = CacheSettings(enabled=False)
# With a lease that no pause of a busy machine uses up: none is taken for a silence of PostgreSQL.
CACHED = CacheSettings(lease_ms=10_000)
# Many tests of one module speak in one minute.
UNHURRIED = LimitSettings(rate_per_s=1_000_000, rate_burst=1_000_000)


def settings(
    url: str,
    *,
    server: ServerSettings = ALONE,
    limits: LimitSettings = UNHURRIED,
    cache: CacheSettings = UNCACHED,
) -> Settings:
    return Settings(
        cache=cache,
        server=server,
        limits=limits,
        log=QUIET,
        database=DatabaseSettings(url=url),
        pool=PoolSettings(size_max=3, acquire_timeout_s=2.0),
    )


class _Known(Caching):
    """The cache of an application, for whoever changes the database past it."""

    started: ClassVar[list[Caching]] = []

    def start(self) -> None:
        self.started.append(self)
        super().start()


@asynccontextmanager
async def serve(config: Settings, client: tuple[str, int] = ("127.0.0.1", 40_000)) -> AsyncIterator[httpx.AsyncClient]:
    """The application between its start-up and its shut-down; requests come from the address `client`.

    Tests write their premises by SQL, and what they write they expect to be read: so before each request it
    catches up with the change log, which otherwise takes it up to a tenth of a second.
    """
    with warnings.catch_warnings():
        # The framework's next release wants the parameter of this path marked.
        warnings.filterwarnings("ignore", message=r".*'/docs/assets/.*deprecated inferred style")
        asgi: Any = app.build(config)
    told: asyncio.Queue[str] = asyncio.Queue()
    heard: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue()

    async def receive() -> dict[str, str]:
        return {"type": await told.get()}

    _Known.started.clear()
    with patch.object(app, "Caching", _Known):
        lifespan = asyncio.create_task(asgi({"type": "lifespan", "asgi": {"version": "3.0"}}, receive, heard.put))
        await told.put("lifespan.startup")
        assert (await heard.get())["type"] == "lifespan.startup.complete"
    known = list(_Known.started)

    async def catch_up(_: httpx.Request) -> None:
        for one in known:
            with suppress(Problem):
                await one.tail.caught_up()

    transport = httpx.ASGITransport(asgi, client=client)
    hooks = {"request": [catch_up]}
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://yotei.test", event_hooks=hooks) as opened:
            yield opened
    finally:
        await told.put("lifespan.shutdown")
        assert (await heard.get())["type"] == "lifespan.shutdown.complete"
        await lifespan


class Caller(msgspec.Struct, frozen=True):
    """Somebody with a token."""

    client: httpx.AsyncClient
    token: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    async def get(self, path: str, headers: Mapping[str, str] | None = None, /, **params: Any) -> httpx.Response:
        return await self.client.get(path, params=params or None, headers={**self.headers, **(headers or {})})

    async def post(self, path: str, json: Any = None, **options: Any) -> httpx.Response:
        return await self.client.post(path, json=json, headers=self.headers, **options)

    async def send(
        self, method: str, path: str, json: Any = None, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        return await self.client.request(method, path, json=json, headers={**self.headers, **(headers or {})})

    async def delete(self, path: str) -> httpx.Response:
        return await self.client.delete(path, headers=self.headers)


async def admitted(
    client: httpx.AsyncClient, database: Database, user_id: UUID, scopes: Iterable[str] = ("read", "write"), **how: Any
) -> Caller:
    """A caller with a new token."""
    issued = await tokens.issue(database, user_id, name="test", scopes=frozenset(scopes), now=datetime.now(UTC), **how)
    return Caller(client, issued[1])


def statements(response: httpx.Response) -> int:
    """How many statements the answer says it took (W3C Server-Timing)."""
    found = re.fullmatch(
        r'db;dur=\d+\.\d\d;desc="(\d+) statements?", total;dur=\d+\.\d\d', response.headers["server-timing"]
    )
    assert found is not None, response.headers["server-timing"]
    return int(found[1])


def problem(response: httpx.Response) -> dict[str, Any]:
    """The problem document of a failure (RFC 9457), all that is common to every one of them held to it."""
    assert response.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = response.json()
    assert set(document) - {"faults"} == {"type", "title", "status", "code", "detail", "request_id"}
    assert document["status"] == response.status_code
    assert document["type"] == f"/docs/errors#{document['code']}"
    assert document["title"]
    assert document["detail"]
    assert document["request_id"] == response.headers["x-request-id"]
    for fault in document.get("faults", ()):
        assert set(fault) == {"field", "detail"}
    statements(response)
    return document


async def many_events(
    database: Database, calendar_id: UUID, organizer_id: UUID, room_id: UUID, first: datetime, count: int
) -> None:
    """Events an hour apart, each with an attendee and a room, in one statement."""
    hour = timedelta(hours=1)
    made = Statement(
        name="tests.many",
        purpose="a premise",
        sql="""
        with made as (
          insert into events (id, calendar_id, organizer_id, uid, title, start_time, end_time, span_end)
          select gen_random_uuid(), $1, $2, n::text, 'n ' || n,
                 $4::timestamptz + n * $6::interval, $4 + (n + 1) * $6, $4 + (n + 1) * $6
          from generate_series(0, $5 - 1) n
          returning id, organizer_id, start_time, end_time
        ),
        invited as (insert into attendees (event_id, email, user_id) select id, 'g@example.org', organizer_id from made)
        insert into reservations (id, resource_id, event_id, start_time, end_time, blocked)
        select gen_random_uuid(), $3, id, start_time, end_time, tstzrange(start_time, end_time) from made""",
    )
    await database.execute(made, calendar_id, organizer_id, room_id, first, count, hour)
