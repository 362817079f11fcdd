"""A hit in process: microseconds of own code for each key, by the CPU time of this process, beside a look-up.

`Cache.get_many` is awaited as a request awaits it. A request begins with a `Reading`, whose cost is divided among the
50 keys of a request; in the last line one key bears it alone.
"""

import time
from typing import Final

import msgspec

from bench.cache.row import Row, Spread
from bench.cache.units import key, load, opened
from bench.served import median
from yotei.cache.key import Key
from yotei.cache.levels import Cache

HIT_US_MAX: Final = 1.0
GETS_PER_READING: Final = 50
"""Keys that one request asks for, in one call or more."""


class Size(msgspec.Struct, frozen=True):
    rounds: int = 60
    gets_per_round: int = 40_000
    """Of keys."""
    keys: tuple[int, ...] = (1, 10, 50, 500)


TINY: Final = Size(rounds=2, gets_per_round=100, keys=(1, 10))


async def run(size: Size) -> list[Row]:
    cache, _ = opened(max(size.keys), None)
    keys = [key(n) for n in range(max(size.keys))]
    await cache.get_many(cache.reading(), keys, load)
    plain, name = {one.name: object() for one in keys}, keys[0].name
    ours: dict[int, list[float]] = {count: [] for count in size.keys}
    whole: list[float] = []
    look_ups: list[float] = []
    for _ in range(size.rounds):
        for count, spent in ours.items():
            spent.append(await _us(cache, keys[:count], size.gets_per_round, gets_per_reading=GETS_PER_READING))
        whole.append(await _us(cache, keys[:1], size.gets_per_round, gets_per_reading=1))
        started = time.process_time_ns()
        for _ in range(size.gets_per_round):
            plain.get(name)
        look_ups.append((time.process_time_ns() - started) / size.gets_per_round / 1_000)
    rows = [_row(f"{count} {'key' if count == 1 else 'keys'}, each", spent, look_ups) for count, spent in ours.items()]
    rows.append(_row("1 key and the request's own `Reading`", whole, look_ups, is_bound=False))
    return rows


def _row(case: str, spent: list[float], look_ups: list[float], *, is_bound: bool = True) -> Row:
    times = Spread.of([one / other for one, other in zip(spent, look_ups, strict=True)])
    us, bare_us = median(spent), median(look_ups)
    return Row(
        f"hit in process, {case}",
        f"{us:.2f} us",
        f"{times.median:.0f} x `dict.get`, {bare_us * 1_000:.0f} ns",
        bar=f"<= {HIT_US_MAX:.0f} us" if is_bound else "",
        is_met=us <= HIT_US_MAX if is_bound else None,
        values={"us": round(us, 3), "dict_us": round(bare_us, 4), "times_dict": times.rounded()},
    )


async def _us(cache: Cache, keys: list[Key], gets: int, *, gets_per_reading: int) -> float:
    """For one key."""
    calls = max(1, gets_per_reading // len(keys))
    readings = max(1, gets // (calls * len(keys)))
    started = time.process_time_ns()
    for _ in range(readings):
        reading = cache.reading()
        for _ in range(calls):
            await cache.get_many(reading, keys, load)
    return (time.process_time_ns() - started) / (readings * calls * len(keys)) / 1_000
