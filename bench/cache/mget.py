"""The way through Redis: many keys in one MGET, plain and deflated, beside a bare MGET that decodes the same values.

Nothing is kept in process. All ways take turns, get by get.
"""

import gc
import zlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any, Final

import msgspec

from bench.cache.row import Row, Spread
from bench.cache.units import EVENTS_PER_MONTH, FAMILY, NOW, Month, key, load, month, opened
from bench.served import median
from tests.redis_server import RedisServer
from yotei.cache import lease
from yotei.cache.l2 import DEFLATE_LEVEL, L2
from yotei.cache.marker import Marker
from yotei.cache.redis_client import connect

DEFLATE_BYTES_MIN: Final = 1_024
PATIENCE_S: Final = 10.0
PLAIN: Final = "plain"
DEFLATED: Final = "deflated"


class Size(msgspec.Struct, frozen=True):
    keys: tuple[int, ...] = (1, 10, 100, 500)
    keys_per_case: int = 12_000
    """So many keys are read for each line, in more gets of few or fewer of many."""
    gets_min: int = 24
    gets_max: int = 400
    warm_up: int = 5


TINY: Final = Size(keys=(1, 5), keys_per_case=10, gets_min=2, gets_max=3, warm_up=1)


class Way:
    """Months in Redis, stored in one of the two forms, and both readers of them."""

    def __init__(self, l2: L2, deflate_bytes_min: int | None) -> None:
        self.l2 = l2
        self.cache, _ = opened(0, l2, deflate_bytes_min=deflate_bytes_min)
        self._decoder = msgspec.msgpack.Decoder(Month)
        body = msgspec.msgpack.encode(month(0))
        is_deflated = deflate_bytes_min is not None
        self._body = zlib.compress(body, DEFLATE_LEVEL) if is_deflated else body
        self._opened: Callable[[bytes], bytes] = zlib.decompress if is_deflated else bytes

    async def fill(self, count: int) -> float:
        """Bytes of one in Redis."""
        await self.l2.lay("bench", 0, Marker.laid(NOW, "bench"))
        keys = [key(n) for n in range(count)]
        await self.cache.get_many(self.cache.reading(), keys, load)
        await self.cache._fill(self.cache._fillings.get_nowait())
        stored: list[int] = [await self.l2._redis.strlen(self.l2._name("bench", 0, one.name)) for one in keys[:100]]
        return sum(stored) / len(stored)

    def ours(self, count: int) -> Callable[[], Awaitable[None]]:
        keys = [key(n) for n in range(count)]

        async def read() -> None:
            await self.cache.get_many(self.cache.reading(), keys, load)

        return read

    def bare(self, count: int) -> Callable[[], Awaitable[None]]:
        names = [self.l2._name("bench", 0, key(n).name) for n in range(count)]
        redis: Any = self.l2._redis

        async def read() -> None:
            found = await redis.mget(names)
            assert len([self._decoder.decode(self._opened(self._body)) for _ in found]) == count

        return read


async def run(size: Size) -> list[Row]:
    ways: dict[str, Way] = {}
    with TemporaryDirectory(prefix="yotei-bench-") as folder, RedisServer(Path(folder)) as server:
        try:
            for name, deflate_bytes_min in ((PLAIN, None), (DEFLATED, DEFLATE_BYTES_MIN)):
                redis = connect(server.unix_url, hard_s=PATIENCE_S)
                ways[name] = Way(L2(redis, now_s=lease.now_s, prefix=name, soft_s=PATIENCE_S), deflate_bytes_min)
            stored_bytes = {name: await way.fill(max(size.keys)) for name, way in ways.items()}
            gc.collect()
            gc.freeze()  # as the server does when it has started
            rows = [await _compare(ways, count, size, stored_bytes) for count in size.keys]
            return [row for some in rows for row in some]
        finally:
            gc.unfreeze()
            for way in ways.values():
                await way.l2.close()


async def _compare(ways: dict[str, Way], count: int, size: Size, stored_bytes: dict[str, float]) -> list[Row]:
    reads = {(name, "ours"): way.ours(count) for name, way in ways.items()}
    reads |= {(name, "bare"): way.bare(count) for name, way in ways.items()}
    gets = min(size.gets_max, max(size.gets_min, size.keys_per_case // count))
    before = {name: (way.cache.counts()[FAMILY].loads, way.l2.round_trips) for name, way in ways.items()}
    spent: dict[tuple[str, str], list[float]] = {one: [] for one in reads}
    for number in range(size.warm_up + gets):
        # Each way in front of each other as often as behind it: garbage is collected at the cost of whose turn it is.
        for one, read in list(reads.items())[:: 1 if number % 2 else -1]:
            started = perf_counter()
            await read()
            if number >= size.warm_up:
                spent[one].append((perf_counter() - started) * 1e3)
    rows = []
    for name, way in ways.items():
        loads, trips = before[name]
        assert way.cache.counts()[FAMILY].loads == loads, "not all of it came out of Redis"
        trips_per_get = (way.l2.round_trips - trips) / (size.warm_up + gets)
        ours_ms, bare_ms, plain_ms = spent[name, "ours"], spent[name, "bare"], spent[PLAIN, "ours"]
        times_bare, times_plain = _ratio(ours_ms, bare_ms), _ratio(ours_ms, plain_ms)
        beside = "" if name == PLAIN else f", {times_plain.median:.2f} x plain"
        rows.append(
            Row(
                f"{count} months of {EVENTS_PER_MONTH} events out of Redis, {name}",
                f"{median(ours_ms):.2f} ms, {trips_per_get:.0f} round trip, {stored_bytes[name] / 1_000:.1f} kB each",
                f"{times_bare} x bare MGET and decode{beside}",
                values={
                    "keys": count,
                    "form": name,
                    "ms": round(median(ours_ms), 3),
                    "bare_ms": round(median(bare_ms), 3),
                    "times_bare": times_bare.rounded(),
                    "times_plain": times_plain.rounded(),
                    "round_trips": trips_per_get,
                    "stored_bytes": round(stored_bytes[name]),
                },
            )
        )
    return rows


def _ratio(ours: list[float], other: list[float]) -> Spread:
    return Spread.of([a / b for a, b in zip(ours, other, strict=True)])
