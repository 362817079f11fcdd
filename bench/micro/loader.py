"""The batching loader beside aiodataloader: one request that asks for n keys, a quarter of them twice.

Run it with the development environment: `.venv/bin/python bench/micro/loader.py`.

Both build a loader, gather the loads, and answer from a load function that does nothing; so it is the cost of
batching itself that is measured, without a database. They take turns within each round, so that a slow second of
the machine hits both. Rounds are bounded; the figure is the median of the rounds.
"""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence

from aiodataloader import DataLoader

from yotei.loader import Loader

KEYS = (50, 500)
ROUNDS = 200
WARM_UP = 20
BATCH_MAX = 1_000


async def _answer(keys: Sequence[int]) -> list[int]:
    return list(keys)


async def _ours(keys: Sequence[int]) -> None:
    loader: Loader[int, int] = Loader(_answer, batch_max=BATCH_MAX)
    await asyncio.gather(*[loader.load(key) for key in keys])


async def _other(keys: Sequence[int]) -> None:
    loader = DataLoader(_answer, max_batch_size=BATCH_MAX)
    await asyncio.gather(*[loader.load(key) for key in keys])


async def _elapsed_us(request: Callable[[Sequence[int]], Awaitable[None]], keys: Sequence[int]) -> float:
    started = time.perf_counter_ns()
    await request(keys)
    return (time.perf_counter_ns() - started) / 1_000


async def _compare(count: int) -> dict[str, object]:
    keys = [*range(count), *range(0, count, 4)]
    ours_us: list[float] = []
    other_us: list[float] = []
    for number in range(WARM_UP + ROUNDS):
        ours, other = await _elapsed_us(_ours, keys), await _elapsed_us(_other, keys)
        if number >= WARM_UP:
            ours_us.append(ours)
            other_us.append(other)
    ours_median, other_median = statistics.median(ours_us), statistics.median(other_us)
    return {
        "case": f"loader, {count} keys, against aiodataloader",
        "ours_us": round(ours_median, 1),
        "other_us": round(other_median, 1),
        "ratio": round(ours_median / other_median, 2),
    }


def run() -> list[dict[str, object]]:
    """One line for each number of keys; `ratio` below 1 means that ours is the faster."""
    return [asyncio.run(_compare(count)) for count in KEYS]


def main() -> None:
    for line in run():
        print(f"{line['case']}: {line['ours_us']} us to {line['other_us']} us, ratio {line['ratio']}")


if __name__ == "__main__":
    main()
