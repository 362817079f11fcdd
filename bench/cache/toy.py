"""One small job, done three times: read a number through a cache on any of three nodes, and change it.

A number is read from PostgreSQL and kept in Redis and, where the library can, in process. A write commits, then purges
by the means of the library, then is acknowledged. Each is used as its documentation recommends: cashews' `client_side`
cache with `cache.delete` after the commit, aiocache's `cached` on Redis with `cache.delete`; ours by hints over
PostgreSQL. All three send the same two statements.
"""

import asyncio
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final, Protocol
from urllib.parse import urlsplit
from uuid import UUID

import aiocache
import cashews
from aiocache.serializers import PickleSerializer

from tests.integration.cache.nodes import LOG, PUT, Node, key_of, name_of, node, sql
from yotei.bus.bus import Bus
from yotei.bus.hint import Hint
from yotei.bus.transport import transport
from yotei.cache.key import Key, Loaded
from yotei.cache.token import Token
from yotei.storage.pool import Database

NODES: Final = 3
TTL_S: Final = 600
LEASE_S: Final = 2.0
BUS_BEAT_S: Final = 2.0
BUS_TIMEOUT_S: Final = 2.0
BUS_QUEUE_MAX: Final = 1_000
_get: Final = sql("select n from numbers where id = $1")


class Client(Protocol):
    """What one node offers. `seen` is what a session has been told; only ours has something to tell."""

    async def read(self, thing: UUID, seen: Any) -> tuple[int, Any]: ...

    async def write(self, thing: UUID, n: int) -> Any:
        """Returns when it may be acknowledged, with what the session has now seen."""


Pause = Callable[[], Awaitable[None]]
"""What a load is held up by between its statement and its answer."""


async def stored(database: Database, thing: UUID, pause: Pause) -> int:
    row = await database.fetchrow(_get, thing)
    assert row is not None
    await pause()
    n: int = row["n"]
    return n


async def commit(database: Database, thing: UUID, n: int) -> int:
    """Writes it and logs the change, as triggers do; its transaction."""
    async with database.transaction() as transaction:
        await transaction.execute(PUT, thing, n)
        row = await transaction.fetchrow(LOG, thing, "user")
    assert row is not None
    return int(row["xid"])


class Ours:
    def __init__(self, database: Database, one: Node, bus: Bus, pause: Pause) -> None:
        self._database = database
        self._node = one
        self._bus = bus
        self._pause = pause
        bus.receive(self._hear)

    async def read(self, thing: UUID, seen: Token | None) -> tuple[int, Token | None]:
        cache = self._node.cache
        reading = cache.reading(seen)
        await cache.begin(reading)
        (n,) = await cache.get_many(reading, [key_of(thing)], self._load)
        assert n is not None
        return n, cache.token(reading)

    async def write(self, thing: UUID, n: int) -> Token | None:
        xid = await commit(self._database, thing, n)
        cache, names = self._node.cache, (name_of(thing),)
        cache.apply(xid, names)
        self._bus.send(Hint(self._node.tail.epoch, xid, names, datetime.now(UTC)))
        reading = cache.reading()
        reading.xid = xid
        return cache.token(reading)

    async def _load(self, keys: Sequence[Key], from_primary: bool) -> Loaded:
        loaded = await self._node.loads(keys, from_primary)
        await self._pause()
        return loaded

    def _hear(self, hint: Hint) -> None:
        if hint.xid is None:
            self._node.tail.wake()
        else:
            self._node.tail.hint(hint.epoch, hint.xid, hint.keys)


class Cashews:
    def __init__(self, database: Database, cache: cashews.Cache, pause: Pause) -> None:
        self._database = database
        self._cache = cache

        @cache(ttl=TTL_S, key="number:{thing}")
        async def read(thing: UUID) -> int:
            return await stored(database, thing, pause)

        self._read = read

    async def read(self, thing: UUID, seen: None) -> tuple[int, None]:
        return await self._read(thing), None

    async def write(self, thing: UUID, n: int) -> None:
        await commit(self._database, thing, n)
        await self._cache.delete(f"number:{thing}")


class Aiocache:
    def __init__(self, database: Database, cache: Any, pause: Pause) -> None:
        self._database = database
        self._cache = cache

        async def read(thing: UUID) -> int:
            return await stored(database, thing, pause)

        # As `aiocache.cached` does, but on the cache of this node: the decorator makes one of its own.
        decorated = aiocache.cached(ttl=TTL_S, key_builder=lambda _, thing: f"number:{thing}")
        self._read = decorated(read)
        decorated.cache = cache

    async def read(self, thing: UUID, seen: None) -> tuple[int, None]:
        return await self._read(thing), None

    async def write(self, thing: UUID, n: int) -> None:
        await commit(self._database, thing, n)
        await self._cache.delete(f"number:{thing}")


@asynccontextmanager
async def ours(database: Database, url: str, redis_url: str, pause: Pause) -> AsyncIterator[Sequence[Client]]:
    async with AsyncExitStack() as stack:
        clients = []
        for _ in range(NODES):
            one = await stack.enter_async_context(node(database, redis_url, running=True, lease_s=LEASE_S))
            way = transport("postgres", url, topic="bench", timeout_s=BUS_TIMEOUT_S)
            bus = Bus(way, queue_max=BUS_QUEUE_MAX, beat_s=BUS_BEAT_S, timeout_s=BUS_TIMEOUT_S)
            clients.append(Ours(database, one, bus, pause))
            bus.start()
            stack.push_async_callback(bus.close)
        yield clients


def with_cashews(**options: Any) -> "Opener":
    @asynccontextmanager
    async def opened(database: Database, _: str, redis_url: str, pause: Pause) -> AsyncIterator[Sequence[Client]]:
        async with cashews_nodes(redis_url, **options) as caches:
            yield [Cashews(database, cache, pause) for cache in caches]

    return opened


@asynccontextmanager
async def cashews_nodes(redis_url: str, count: int = NODES, **options: Any) -> AsyncIterator[list[cashews.Cache]]:
    caches = [cashews.Cache() for _ in range(count)]
    try:
        for cache in caches:
            cache.setup(redis_url, **options)
            await cache.init()
        yield caches
    finally:
        for cache in caches:
            with warnings.catch_warnings():
                # It calls what redis-py has deprecated.
                warnings.simplefilter("ignore", DeprecationWarning)
                await cache.close()


@asynccontextmanager
async def with_aiocache(database: Database, _: str, redis_url: str, pause: Pause) -> AsyncIterator[Sequence[Client]]:
    async with aiocache_nodes(redis_url) as caches:
        yield [Aiocache(database, cache, pause) for cache in caches]


@asynccontextmanager
async def aiocache_nodes(redis_url: str, count: int = NODES) -> AsyncIterator[list[Any]]:
    port = urlsplit(redis_url).port
    caches = [aiocache.RedisCache(endpoint="127.0.0.1", port=port, serializer=PickleSerializer()) for _ in range(count)]
    try:
        yield caches
    finally:
        # Its own `close` calls what redis-py has deprecated, and leaves the pool open.
        await asyncio.gather(*(cache.client.aclose(close_connection_pool=True) for cache in caches))


Opener = Callable[[Database, str, str, Pause], Any]
"""Makes the nodes of one library: from a database, its address, that of Redis, and what holds loads up."""
