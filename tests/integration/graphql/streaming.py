"""The application behind a real socket in this very process, and clients that follow it by either protocol."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, Self

import httpx
import msgspec
import uvicorn
import websockets
from litestar import Litestar
from websockets.asyncio.client import ClientConnection
from websockets.typing import Subprotocol

from yotei import app
from yotei.settings import DatabaseSettings, LimitSettings, LogSettings, PoolSettings, Settings, SubscriptionSettings
from yotei.storage.pool import Database
from yotei.storage.tail import Tail

PATIENCE_S: Final = 20.0
BODY_BYTES_MAX: Final = 10_000
PROTOCOL: Final = Subprotocol("graphql-transport-ws")
CHANGES: Final = """subscription ($calendar: UUID!, $since: String, $first: Int) {
  changes(calendarId: $calendar, since: $since, first: $first) {
    position hasMore changes { kind op id event { title } }
  }
}"""


class Ended(Exception):
    """The stream is over: the codes that it told as its last, and the close code of a socket that is."""

    def __init__(self, codes: list[str], close_code: int | None = None) -> None:
        super().__init__(codes, close_code)
        self.codes = codes
        self.close_code = close_code


class Served(msgspec.Struct, frozen=True):
    """A server, and what is in it."""

    base: str
    litestar: Litestar

    @property
    def database(self) -> Database:
        database: Database = self.litestar.state.database
        return database

    @property
    def tail(self) -> Tail:
        tail: Tail = self.litestar.state.streams.tail
        return tail

    def sent(self) -> dict[str, int]:
        """How often each statement was sent, as far as it was sent at all."""
        return {name: stats.count for name, stats in self.database.statement_stats().items()}


@asynccontextmanager
async def serving(url: str, subscriptions: SubscriptionSettings) -> AsyncIterator[Served]:
    litestar = app.doors(
        Settings(
            database=DatabaseSettings(url=url),
            pool=PoolSettings(size_max=3),
            subscriptions=subscriptions,
            limits=LimitSettings(body_bytes_max=BODY_BYTES_MAX),
            log=LogSettings(level="error"),
        )
    )
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(litestar, log_level="error", ws="websockets-sansio"))
    task = asyncio.create_task(server.serve([listening]))
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not server.started:  # noqa: ASYNC110  # it tells nobody
                await asyncio.sleep(0.005)
        yield Served(f"http://127.0.0.1:{listening.getsockname()[1]}", litestar)
    finally:
        server.should_exit = True
        await task


Servers = Callable[[SubscriptionSettings], Awaitable[Served]]
"""One server for each of the settings that a module asks for."""


@asynccontextmanager
async def connected(base: str, *, subprotocol: Subprotocol | None = PROTOCOL) -> AsyncIterator[ClientConnection]:
    address = base.replace("http", "ws", 1) + "/graphql"
    async with websockets.connect(address, subprotocols=[subprotocol] if subprotocol else None) as connection:
        yield connection


async def say(connection: ClientConnection, **message: Any) -> None:
    await connection.send(json.dumps(message))


async def hear(connection: ClientConnection) -> dict[str, Any]:
    async with asyncio.timeout(PATIENCE_S):
        heard: dict[str, Any] = json.loads(await connection.recv())
    return heard


async def closed_with(connection: ClientConnection) -> int:
    """The close code, when nothing else is said before."""
    async with asyncio.timeout(PATIENCE_S):
        await connection.wait_closed()
    assert connection.close_code is not None
    return connection.close_code


async def admitted(connection: ClientConnection, token: str) -> None:
    await say(connection, type="connection_init", payload={"Authorization": f"Bearer {token}"})
    assert await hear(connection) == {"type": "connection_ack"}


async def subscribe(connection: ClientConnection, id_: str, query: str = CHANGES, **variables: Any) -> None:
    await say(connection, type="subscribe", id=id_, payload={"query": query, "variables": variables})


class BySocket:
    """One subscription on a socket of its own."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    @classmethod
    @asynccontextmanager
    async def follow(cls, base: str, token: str, query: str = CHANGES, **variables: Any) -> AsyncIterator[Self]:
        async with connected(base) as connection:
            await admitted(connection, token)
            await subscribe(connection, "1", query, **variables)
            yield cls(connection)

    async def next(self) -> dict[str, Any]:
        try:
            heard = await hear(self.connection)
        except websockets.ConnectionClosed as closed:
            raise Ended([], closed.rcvd.code if closed.rcvd else None) from None
        if heard["type"] == "error":
            raise Ended([error["extensions"]["code"] for error in heard["payload"]])
        assert (heard["type"], heard["id"]) == ("next", "1")
        payload: dict[str, Any] = heard["payload"]
        return payload


class ByEvents:
    """One subscription as server-sent events."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.lines = response.aiter_lines()

    @classmethod
    @asynccontextmanager
    async def follow(cls, base: str, token: str, query: str = CHANGES, **variables: Any) -> AsyncIterator[Self]:
        headers = {"Authorization": f"Bearer {token}", "Accept": "text/event-stream"}
        body: Mapping[str, Any] = {"query": query, "variables": variables}
        async with (
            httpx.AsyncClient(base_url=base, timeout=PATIENCE_S) as client,
            client.stream("POST", "/graphql", json=body, headers=headers) as response,
        ):
            assert response.status_code == 200
            yield cls(response)

    async def event(self) -> tuple[str, str]:
        """Name and data of the next event; comments are passed over."""
        name = data = ""
        async with asyncio.timeout(PATIENCE_S):
            async for line in self.lines:
                if line.startswith("event: "):
                    name = line.removeprefix("event: ")
                elif line.startswith("data:"):
                    data = line.removeprefix("data:").strip()
                elif not line and name:
                    return name, data
        raise Ended([])

    async def next(self) -> dict[str, Any]:
        name, data = await self.event()
        assert name == "next"
        answer: dict[str, Any] = json.loads(data)
        if "data" not in answer:
            assert await self.event() == ("complete", "")
            raise Ended([error["extensions"]["code"] for error in answer["errors"]])
        return answer


Client = type[BySocket] | type[ByEvents]
Stream = BySocket | ByEvents


async def feed(stream: Stream) -> dict[str, Any]:
    """The changes of the next answer, which has to be one without errors."""
    answer = await stream.next()
    assert "errors" not in answer, answer["errors"]
    told: dict[str, Any] = answer["data"]["changes"]
    return told


async def titles(stream: Stream) -> list[str | None]:
    """What the next answer says of events."""
    return [one["event"] and one["event"]["title"] for one in (await feed(stream))["changes"] if one["kind"] == "EVENT"]


async def end_of(stream: Stream) -> Ended:
    """How the stream ends, whatever it tells before."""
    try:
        while True:
            await stream.next()
    except Ended as ended:
        return ended
