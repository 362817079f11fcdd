"""Beside cashews and aiocache: the speed of a hit and of many keys at once, and the stale reads of the same small job.

A read is stale when a newer write had been acknowledged before the read began; the truth is the writers' own record.
Nothing fails here. Ours promises 250 ms in that case, and a session that sends its token back its own writes at once; a
library without either is held to the same count. The job is done twice: on an idle machine, and on a busy one, where a
fifth of the loads is held up for up to 100 ms between its statement and its fill. Numbers are asked by Zipf's law.
Libraries take turns, slice by slice, and every slice begins with the same arrivals.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from importlib.metadata import version
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any, Final
from uuid import UUID, uuid4

import msgspec

from bench.cache import toy
from bench.cache.row import Row, Spread
from bench.cache.units import NOW, key, load, month, opened
from bench.served import OPTIONS, median
from bench.workload import Zipf
from tests.integration.cache.nodes import PUT, TABLE
from tests.redis_server import RedisServer
from yotei.cache import lease
from yotei.cache.l2 import L2
from yotei.cache.marker import Marker
from yotei.cache.redis_client import connect
from yotei.storage import migrate
from yotei.storage.embedded import EmbeddedServer
from yotei.storage.pool import Database

STALE_BOUND_S: Final = 0.25
CONNECTIONS: Final = 10
PATIENCE_S: Final = 10.0
OURS: Final = "yotei"
OPENERS: Final[dict[str, toy.Opener]] = {
    OURS: toy.ours,
    "cashews, client_side": toy.with_cashews(client_side=True),
    "cashews, client_side, protocol=2": toy.with_cashews(client_side=True, protocol=2),
    "cashews, Redis only": toy.with_cashews(),
    "aiocache, Redis only": toy.with_aiocache,
}
"""redis-py 8 speaks RESP3 unless told otherwise, in which the messages that cashews waits for come another way."""


class Size(msgspec.Struct, frozen=True):
    things: int = 300
    operations_per_s: int = 400
    write_share: float = 0.05
    own_reads_per_write: int = 4
    """Of a session, right after its write, on whichever node: a fifth of the reads."""
    slice_s: float = 6.0
    rounds: int = 2
    paused_share: float = 0.2
    paused_s_max: float = 0.1
    seed: int = 1
    gets: int = 300
    many: int = 50


TINY: Final = Size(things=10, operations_per_s=100, slice_s=0.5, rounds=1, gets=3, many=5)


class Read(msgspec.Struct, frozen=True):
    thing: UUID
    n: int
    began_s: float
    is_own: bool


class Record:
    """What was acknowledged when, and what was read."""

    def __init__(self) -> None:
        self.acknowledged: dict[UUID, list[tuple[int, float]]] = {}
        """By number: each write in the order of its values, which rise."""
        self.reads: list[Read] = []
        self.late_s: list[float] = []

    def staleness_s(self, read: Read) -> float:
        """From the first acknowledgement of a newer write to the beginning of the read; 0 for a read that is right."""
        newer = [at_s for n, at_s in self.acknowledged.get(read.thing, ()) if n > read.n]
        return max(0.0, read.began_s - min(newer)) if newer else 0.0


async def run(size: Size) -> list[Row]:
    with TemporaryDirectory(prefix="yotei-bench-") as folder, RedisServer(Path(folder)) as redis:
        rows = await _speeds(redis, size)
        server = EmbeddedServer(Path(folder) / "d", options=OPTIONS)
        await asyncio.to_thread(server.start)
        try:
            await migrate.apply(server.url)
            async with await Database.connect(server.url, size_min=1, size_max=CONNECTIONS) as database:
                await database.execute(TABLE)
                rows += await _stale(database, server.url, redis, size)
        finally:
            await asyncio.to_thread(server.stop)
    return rows


# Stale reads.


async def _stale(database: Database, url: str, redis: RedisServer, size: Size) -> list[Row]:
    records: dict[tuple[bool, str], list[Record]] = {}
    for number, is_busy, (name, opener) in product(range(size.rounds), (False, True), OPENERS.items()):
        redis.empty()
        things = [uuid4() for _ in range(size.things)]
        for thing in things:
            await database.execute(PUT, thing, 0)
        chance = random.Random(size.seed + number)
        async with opener(database, url, redis.url, _pause(size, chance) if is_busy else _no_pause) as clients:
            record = await _job(clients, things, size, random.Random(size.seed + number))
        records.setdefault((is_busy, name), []).append(record)
    return [_stale_row(name, some, is_busy=is_busy) for (is_busy, name), some in records.items()]


async def _no_pause() -> None:
    pass


def _pause(size: Size, chance: random.Random) -> toy.Pause:
    async def pause() -> None:
        if chance.random() < size.paused_share:
            await asyncio.sleep(chance.uniform(0, size.paused_s_max))

    return pause


async def _job(clients: Sequence[toy.Client], things: list[UUID], size: Size, chance: random.Random) -> Record:
    """Arrivals at fixed times: who is slow is not asked less."""
    record = Record()
    ranks, values = Zipf(len(things)), dict.fromkeys(things, 0)
    writing = {thing: asyncio.Lock() for thing in things}

    async def read(thing: UUID, seen: Any, *, is_own: bool) -> Any:
        client, began_s = chance.choice(clients), perf_counter()
        n, seen = await client.read(thing, seen)
        record.reads.append(Read(thing, n, began_s, is_own))
        return seen

    async def write(thing: UUID) -> None:
        async with writing[thing]:
            values[thing] += 1
            n = values[thing]
            seen = await chance.choice(clients).write(thing, n)
            record.acknowledged.setdefault(thing, []).append((n, perf_counter()))
        for _ in range(size.own_reads_per_write):
            seen = await read(thing, seen, is_own=True)

    for thing in things:
        for client in clients:
            await client.read(thing, None)
    # A write brings its own reads with it: of so many arrivals one is a write.
    writing_share = size.write_share / (1 - size.write_share * size.own_reads_per_write)
    arrivals_per_s = size.operations_per_s / (1 + writing_share * size.own_reads_per_write)
    began_s = perf_counter()
    async with asyncio.TaskGroup() as running:
        for number in range(int(size.slice_s * arrivals_per_s)):
            due_s = began_s + number / arrivals_per_s
            record.late_s.append(max(0.0, perf_counter() - due_s))
            await asyncio.sleep(max(0.0, due_s - perf_counter()))
            thing = things[ranks.draw(chance)]
            is_write = chance.random() < writing_share
            running.create_task(write(thing) if is_write else read(thing, None, is_own=False))
    return record


def _stale_row(name: str, records: list[Record], *, is_busy: bool) -> Row:
    found = [(read, record.staleness_s(read)) for record in records for read in record.reads]
    stale = [(read, stale_s) for read, stale_s in found if stale_s > 0]
    own = sum(read.is_own for read, _ in stale)
    beyond = sum(stale_s > STALE_BOUND_S for _, stale_s in stale)
    worst_s = max((stale_s for _, stale_s in stale), default=0.0)
    writes = sum(len(some) for record in records for some in record.acknowledged.values())
    is_ours = name == OURS
    return Row(
        f"stale reads, {toy.NODES} nodes, {'a fifth of the loads held up' if is_busy else 'idle'}: {name}",
        f"{len(stale):,} of {len(found):,} reads, worst {worst_s * 1e3:,.0f} ms",
        f"{beyond:,} older than 250 ms, {own:,} of a session's own write; {writes:,} writes",
        bar="0 > 250 ms, 0 own" if is_ours else "",
        is_met=beyond == 0 and own == 0 if is_ours else None,
        values={
            "library": name,
            "is_busy": is_busy,
            "reads": len(found),
            "writes": writes,
            "stale": len(stale),
            "stale_own": own,
            "stale_beyond_bound": beyond,
            "worst_ms": round(worst_s * 1e3, 1),
        },
    )


# Speed.


async def _speeds(redis: RedisServer, size: Size) -> list[Row]:
    keys, values = [key(n) for n in range(size.many)], {key(n).name: month(n) for n in range(size.many)}
    names = list(values)
    l2 = L2(connect(redis.url, hard_s=PATIENCE_S), now_s=lease.now_s, soft_s=PATIENCE_S)
    two_levels, _ = opened(size.many, l2)
    redis_only, _ = opened(0, l2)
    await l2.lay("bench", 0, Marker.laid(NOW, "bench"))
    for cache in (redis_only, two_levels):
        await cache.get_many(cache.reading(), keys, load)
    await redis_only._fill(redis_only._fillings.get_nowait())
    async with (
        toy.cashews_nodes(redis.url, 1, client_side=True, protocol=2) as (client_side,),
        toy.cashews_nodes(redis.url, 1) as (cashews,),
        toy.aiocache_nodes(redis.url, 1) as (aiocache,),
    ):
        for one in (client_side, cashews):
            await one.set_many(values, expire=toy.TTL_S)
        await aiocache.multi_set(list(values.items()), ttl=toy.TTL_S)

        def get(cache: Any) -> Callable[[int], Awaitable[Any]]:
            async def read(count: int) -> Any:
                return await cache.get_many(cache.reading(), keys[:count], load)

            return read

        def get_cashews(cache: Any) -> Callable[[int], Awaitable[Any]]:
            async def read(count: int) -> Any:
                return [await cache.get(names[0])] if count == 1 else await cache.get_many(*names[:count])

            return read

        async def get_aiocache(count: int) -> Any:
            return [await aiocache.get(names[0])] if count == 1 else await aiocache.multi_get(names[:count])

        in_process = {OURS: get(two_levels), "cashews, client_side": get_cashews(client_side)}
        in_redis = {OURS: get(redis_only), "cashews": get_cashews(cashews), "aiocache": get_aiocache}
        try:
            rows = []
            for where, reads in (("in process", in_process), ("out of Redis", in_redis)):
                for count in (1, size.many):
                    rows += await _compare(where, reads, count, size)
            return rows
        finally:
            await l2.close()


async def _compare(where: str, reads: dict[str, Callable[[int], Awaitable[Any]]], count: int, size: Size) -> list[Row]:
    spent: dict[str, list[float]] = {name: [] for name in reads}
    for name, read in reads.items():
        found = await read(count)
        assert [one[0].title for one in found] == [month(n)[0].title for n in range(count)], name
    for number in range(size.gets):
        for name, read in list(reads.items())[:: 1 if number % 2 else -1]:
            started = perf_counter()
            await read(count)
            spent[name].append((perf_counter() - started) * 1e6)
    rows = []
    for name, us in spent.items():
        if name == OURS:
            continue
        times = Spread.of([a / b for a, b in zip(us, spent[OURS], strict=True)])
        rows.append(
            Row(
                f"{count} month{'s' * (count > 1)} {where}, ours / {name} {version(name.partition(',')[0])}",
                f"{median(spent[OURS]):,.1f} / {median(us):,.1f} us",
                f"{name.partition(',')[0]} takes {times} x",
                values={
                    "where": where,
                    "keys": count,
                    "library": name,
                    "us": round(median(spent[OURS]), 2),
                    "other_us": round(median(us), 2),
                    "times_ours": times.rounded(),
                },
            )
        )
    return rows
