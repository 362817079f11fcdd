"""Nodes of a cluster in one process: each with its own tail, its own table in process, and perhaps a Redis.

What they cache is a number in a table; who writes it logs the change in the same transaction, as triggers do.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

from yotei.cache import lease
from yotei.cache.coherence import taken
from yotei.cache.key import Family, Key, Loaded
from yotei.cache.l1 import L1
from yotei.cache.l2 import L2
from yotei.cache.levels import Cache, Reading
from yotei.cache.redis_client import buckets, connect
from yotei.cache.sweeper import Sweeper
from yotei.cache.tail import ALL, Tail
from yotei.cache.token import Token
from yotei.storage.change_log import Change, Snapshot
from yotei.storage.pool import Database
from yotei.storage.statements import Statement


def sql(text: str) -> Statement:
    return Statement(name="test.statement", sql=text, purpose="test")


TABLE = sql("create table if not exists numbers (id uuid primary key, n integer not null)")
PUT = sql("insert into numbers values ($1, $2) on conflict (id) do update set n = excluded.n")
LOG = sql(
    "insert into change_log (scope_kind, scope_id, entity, entity_id, op) values ('user', $1, $2, $1, 'update') "
    "returning pg_current_xact_id()::text as xid"
)
LOAD = sql(
    "select pg_current_snapshot()::text as snapshot, pg_is_in_recovery() as on_standby, "
    "array(select n.id::text || '=' || n.n from numbers n where n.id = any($1::uuid[])) as found"
)
NUMBERS = Family("numbers", int, ttl_s=600.0, l1_ttl_s=300.0, negative_ttl_s=1.0)


def name_of(thing: UUID) -> str:
    return f"number:{thing}:it"


def key_of(thing: UUID) -> Key:
    return Key(name_of(thing), "numbers", f"number:{thing}:*")


def purges(change: Change) -> Iterable[str]:
    """A change of a user is one of a number; a bulk load is one of everything."""
    return [ALL] if change.entity == "bulk" else [name_of(change.entity_id)]


async def write(database: Database, thing: UUID, n: int) -> int:
    """The transaction that did it, when it has committed."""
    async with database.transaction() as transaction:
        await transaction.execute(PUT, thing, n)
        row = await transaction.fetchrow(LOG, thing, "user")
    assert row is not None
    return int(row["xid"])


class Loads:
    """Loads numbers, counts how often, and can be held between the statement and its answer."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.calls: list[list[str]] = []
        self.open = asyncio.Event()
        self.open.set()
        self.read = asyncio.Event()
        self.failure: Exception | None = None

    async def __call__(self, keys: Sequence[Key], from_primary: bool) -> Loaded:
        self.calls.append([key.name for key in keys])
        if self.failure is not None:
            raise self.failure
        row = await self.database.fetchrow(LOAD, [UUID(key.name.split(":")[1]) for key in keys])
        assert row is not None
        snapshot = taken(Snapshot.parse(row["snapshot"]), on_standby=row["on_standby"])
        numbers = {name: int(n) for name, _, n in (one.partition("=") for one in row["found"])}
        self.read.set()
        await self.open.wait()
        return Loaded({key: numbers.get(key.name.split(":")[1]) for key in keys}, snapshot)


class Clock:
    """Real time, and what a test adds to it."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def now_s(self) -> float:
        return lease.now_s() + self.ahead_s


class Node:
    """One process of a cluster. Polls when told to, unless `running`."""

    def __init__(self, database: Database, redis_url: str | None, **options: Any) -> None:
        self.clock = Clock()
        self.loads = Loads(database)
        lease_s, window_s = options.pop("lease_s", 30.0), options.pop("window_s", 600.0)
        families = options.pop("families", [NUMBERS])
        self.tail = Tail(database, purges, lease_s=lease_s, window_s=window_s, now_s=self.clock.now_s)
        self.l1 = L1(entries_max=1000, bytes_max=10_000_000) if options.pop("l1", True) else None
        self.l2 = None
        if redis_url is not None:
            self.l2 = L2(
                connect(redis_url, hard_s=options.pop("hard_s", 5.0)),
                now_s=self.clock.now_s,
                soft_s=options.pop("soft_s", 5.0),
                buckets=buckets(redis_url),
            )
            self.sweeper = Sweeper(self.l2, self.tail, after_s=window_s / 2, every_s=0.05, now_s=self.clock.now_s)
            self.tail.on_purges = self.sweeper.note
        self.cache = Cache(self.tail, families, l1=self.l1, l2=self.l2, now_s=self.clock.now_s, **options)

    async def get(self, thing: UUID, token: Token | None = None) -> int | None:
        (answer,) = await self.get_many([thing], self.cache.reading(token))
        return answer

    async def get_many(self, things: Sequence[UUID], reading: Reading | None = None) -> list[int | None]:
        reading = reading or self.cache.reading()
        await self.cache.begin(reading)
        return await self.cache.get_many(reading, [key_of(thing) for thing in things], self.loads)

    async def filled(self) -> None:
        """All that was loaded so far is in Redis, or refused."""
        while not self.cache._fillings.empty():
            await self.cache._fill(self.cache._fillings.get_nowait())


@asynccontextmanager
async def node(
    database: Database, redis_url: str | None = None, *, running: bool = False, **options: Any
) -> AsyncIterator[Node]:
    """A node that has polled once; with `running` its tasks run."""
    one = Node(database, redis_url, **options)
    await one.tail.poll()
    tasks = []
    if running:
        tasks = [asyncio.create_task(one.tail.run()), asyncio.create_task(one.cache.run())]
        tasks += [asyncio.create_task(one.sweeper.run())] if one.l2 is not None else []
    elif one.l2 is not None:
        await one.sweeper.turn()
    try:
        yield one
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await one.cache.close()
        if one.l2 is not None:
            await one.l2.close()


def thing() -> UUID:
    return uuid4()
