"""What the cache costs by itself: a hit in process, 50 keys out of Redis, and memory.

Run it with the development environment: `.venv/bin/python bench/micro/cache.py`. Redis is the one that the tests use;
without one its line is left out.

A hit is compared with a dictionary look-up of the same keys, 50 keys of Redis with a bare MGET and msgspec decode of
the same bytes. Both sides take turns within each round; the figure is the median of the rounds.
"""

import asyncio
import gc
import statistics
import sys
import time
import tracemalloc
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from uuid import uuid4

import msgspec
import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.redis_server import RedisServer
from yotei.cache import lease
from yotei.cache.key import Family, Key, Loaded
from yotei.cache.l1 import L1
from yotei.cache.l2 import L2
from yotei.cache.levels import Cache
from yotei.cache.marker import Marker
from yotei.cache.redis_client import connect
from yotei.cache.tail import Tail
from yotei.storage.change_log import Snapshot

ROUNDS: Final = 200
WARM_UP: Final = 20
HITS_PER_ROUND: Final = 2_000
KEYS: Final = 50
ENTRIES: Final = 10_000
EVENTS_PER_MONTH: Final = 50
NOW: Final = Snapshot(100, 100)


class Event(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """About what a month holds of an event."""

    id: str
    title: str
    start: datetime
    end: datetime
    location: str
    organizer: str
    rooms: tuple[str, ...]
    attendees: int
    status: str


def month(number: int) -> tuple[Event, ...]:
    start = datetime(2026, 11, 1, 9, tzinfo=UTC) + timedelta(days=number % 28)
    return tuple(
        Event(
            str(uuid4()), f"Planning {n}", start, start + timedelta(hours=1), "Tokyo", str(uuid4()), (), 5, "confirmed"
        )
        for n in range(EVENTS_PER_MONTH)
    )


def key(number: int) -> Key:
    return Key(f"calendar:{number}:events:2026-11", "events", f"calendar:{number}:events:*")


def opened(l1: L1 | None, l2: L2 | None) -> Cache:
    """A cache that holds a lease, without a database behind it."""
    tail = Tail(_nowhere(), lambda change: (), lease_s=1e9)
    tail.epoch = "bench"
    tail.floors.advance(NOW, lease.now_s())
    tail.lease = tail.lease.renewed(lease.now_s())
    family = Family("events", tuple[Event, ...], ttl_s=3_600.0, l1_ttl_s=3_600.0)
    return Cache(tail, [family], l1=l1, l2=l2)


def _nowhere() -> Any:
    return None


async def load(keys: Sequence[Key], from_primary: bool) -> Loaded:
    return Loaded({one: month(n) for n, one in enumerate(keys)}, NOW)


async def hits() -> dict[str, object]:
    """One key, and the 50 of a wide read, out of the process."""
    cache = opened(L1(entries_max=ENTRIES, bytes_max=2**30), None)
    keys = [key(n) for n in range(KEYS)]
    await cache.get_many(cache.reading(), keys, load)
    plain = {one.name: object() for one in keys}
    reading = cache.reading()
    one_key, name = [keys[0]], keys[0].name
    one_ns, many_ns, dict_ns = [], [], []
    for _ in range(ROUNDS // 4):
        one_ns.append(await _cpu_ns(lambda: cache.get_many(reading, one_key, load)))
        many_ns.append(await _cpu_ns(lambda: cache.get_many(reading, keys, load)) / KEYS)
        started = time.process_time_ns()
        for _ in range(HITS_PER_ROUND):
            plain.get(name)
        dict_ns.append((time.process_time_ns() - started) / HITS_PER_ROUND)
    one, many, bare = (statistics.median(each) for each in (one_ns, many_ns, dict_ns))
    return {
        "case": "hit in process / dict.get",
        "ns": round(one),
        "ns_of_50": round(many),
        "bare_ns": round(bare),
        "ratio": round(one / bare, 1),
        "measured": f"{one:.0f} / {bare:.0f} ns; each of 50 together {many:.0f} ns",
    }


async def _cpu_ns(call: Callable[[], Awaitable[object]]) -> float:
    """Of one call, by the time of this process: what else runs on the machine does not count."""
    started = time.process_time_ns()
    for _ in range(HITS_PER_ROUND):
        await call()
    return (time.process_time_ns() - started) / HITS_PER_ROUND


async def redis() -> dict[str, object] | None:
    """50 keys that only Redis has, beside what the wire and the decoder cost alone."""
    with TemporaryDirectory(prefix="yotei-") as folder:
        try:
            server = RedisServer(Path(folder))
            server.start()
        except pytest.skip.Exception:
            return None
        l2 = L2(connect(server.unix_url, hard_s=10.0), now_s=lease.now_s, soft_s=10.0)
        try:
            cache = opened(None, l2)
            keys = [key(n) for n in range(KEYS)]
            await l2.lay("bench", 0, Marker.laid(NOW, "bench"))
            await cache.get_many(cache.reading(), keys, load)
            await cache._fill(cache._fillings.get_nowait())
            names = [l2._name("bench", 0, one.name) for one in keys]
            decoder = msgspec.msgpack.Decoder(tuple[Event, ...])
            body = msgspec.msgpack.encode(month(0))

            async def ours() -> None:
                await cache.get_many(cache.reading(), keys, load)

            async def bare() -> None:
                for _ in await l2._redis.mget(names):
                    decoder.decode(body)

            ours_us, bare_us = await _turns(ours, bare)
            assert cache.counts()["events"].loads == KEYS, "not all of it came out of Redis"
        finally:
            await l2.close()
            server.kill()
    return {
        "case": f"{KEYS} months of {EVENTS_PER_MONTH} events out of Redis / bare MGET and decode",
        "us": round(ours_us),
        "bare_us": round(bare_us),
        "ratio": round(ours_us / bare_us, 2),
        "measured": f"{ours_us:.0f} / {bare_us:.0f} us",
    }


async def _turns(ours: Callable[[], Awaitable[None]], other: Callable[[], Awaitable[None]]) -> tuple[float, float]:
    ours_us, other_us = [], []
    for number in range(WARM_UP + ROUNDS):
        started = time.perf_counter_ns()
        await ours()
        between = time.perf_counter_ns()
        await other()
        if number >= WARM_UP:
            ours_us.append((between - started) / 1_000)
            other_us.append((time.perf_counter_ns() - between) / 1_000)
    return statistics.median(ours_us), statistics.median(other_us)


async def memory() -> dict[str, object]:
    """Of 10,000 months in process, and what the table believes that they take."""
    l1 = L1(entries_max=ENTRIES, bytes_max=2**40)
    cache = opened(l1, None)
    gc.collect()
    tracemalloc.start()
    for start in range(0, ENTRIES, 100):
        await cache.get_many(cache.reading(), [key(n) for n in range(start, start + 100)], load)
    gc.collect()
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(l1.entries) == ENTRIES
    return {
        "case": f"memory of {ENTRIES} months of {EVENTS_PER_MONTH} events, believed / taken",
        "mb": round(taken / 2**20),
        "believed_mb": round(l1.bytes / 2**20),
        "ratio": round(l1.bytes / taken, 2),
        "measured": f"{taken / 2**20:.0f} MB, {taken / ENTRIES / 1024:.1f} kB each",
    }


def run() -> list[dict[str, object]]:
    """One line for each question; `ratio` is ours to the bare way, or what is believed to what is so."""
    lines = [asyncio.run(hits()), asyncio.run(redis()), asyncio.run(memory())]
    return [line for line in lines if line is not None]


def main() -> None:
    for line in run():
        print(f"{line['case']}: {line['measured']}, ratio {line['ratio']}")


if __name__ == "__main__":
    main()
