"""What a hint costs: `send` itself, and the way to another node, over each transport. `python bench/bus.py`

One hint at a time, the transports in turn within one run, so that the machine is as busy for one as for the other.
Sender and receiver are in this process, every server is a real one behind the same kind of proxy (`tests/proxy.py`),
which adds the same to each. Kafka is left out where there is none.
"""

import asyncio
import statistics
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import pytest
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.conformance.bus.rigs import kafka_rig, postgres_rig, ready, redis_rig
from yotei.bus.bus import Bus
from yotei.bus.hint import Hint

HINTS: Final = 500
SENDS: Final = 50_000
HINT: Final = Hint("7431.1.16384", 731, ("event:1:full", "event:1:attendees", "calendar:1:events:2026-11"))


class Pair:
    """Two nodes; `trip` is one hint from the one to the other, in milliseconds."""

    def __init__(self, sender: Bus, receiver: Bus) -> None:
        self.sender = sender
        self.trips_ms: list[float] = []
        self._heard = asyncio.Event()
        receiver.receive(lambda _: self._heard.set())

    async def trip(self) -> None:
        self._heard.clear()
        started_s = time.perf_counter()
        self.sender.send(HINT)
        await self._heard.wait()
        self.trips_ms.append((time.perf_counter() - started_s) * 1000)


async def measured(stack: AsyncExitStack) -> tuple[dict[str, Pair], float]:
    pairs: dict[str, Pair] = {}
    for name, rig in (("postgres", postgres_rig), ("redis", redis_rig), ("kafka", kafka_rig)):
        try:
            made = await stack.enter_async_context(rig())
        except pytest.skip.Exception as missing:
            print(f"{name}: {missing}")
            continue
        sender, receiver = made.bus(queue_max=SENDS), made.bus()
        await stack.enter_async_context(ready(sender, receiver))
        pairs[name] = Pair(sender, receiver)
    for _ in range(HINTS):
        for pair in pairs.values():
            await pair.trip()
    sender = pairs["postgres"].sender
    started_s = time.perf_counter()
    for _ in range(SENDS):
        sender.send(HINT)
    return pairs, (time.perf_counter() - started_s) / SENDS * 1e6


async def main() -> None:
    async with AsyncExitStack() as stack:
        pairs, send_us = await measured(stack)
    base_ms = statistics.median(pairs["postgres"].trips_ms)
    table = Table("transport", "median / postgres", "median ms", "p99 ms")
    for name, pair in pairs.items():
        median_ms, p99_ms = statistics.median(pair.trips_ms), statistics.quantiles(pair.trips_ms, n=100)[-1]
        table.add_row(name, f"{median_ms / base_ms:.2f}", f"{median_ms:.2f}", f"{p99_ms:.2f}")
    Console().print(table, f"send: {send_us:.2f} us")


if __name__ == "__main__":
    asyncio.run(main())
