"""How often a value is loaded because it is refreshed before time, on a simulated clock.

    python -m tests.model.refreshes

The cache is the product's own, in process and without Redis, with readers who come as a Poisson process and a load that
takes simulated time. Beside it what a cache does that loads a value when it has expired, and the formula of RFC-003,
whose delta is the age of the value. Everything is counted for values that live for `TTL_S`.
"""

import asyncio
import math
import random
import sys
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from yotei.cache import early
from yotei.cache.key import Family, Key, Loaded
from yotei.cache.l1 import L1
from yotei.cache.levels import Cache
from yotei.cache.tail import Tail
from yotei.storage.change_log import Snapshot

TTL_S: Final = 60.0
RECOMPUTE_S: Final = 0.05
RATES_PER_S: Final = (1.0, 10.0, 100.0, 1_000.0)
LOADS: Final = 600
DOCUMENT_LOADS: Final = 100
"""Of the document's formula, whose every reader is drawn."""
RATIO_MAX: Final = 1.10
"""C3: recomputes per TTL beside those of a cache that never refreshes before time."""
KEY: Final = Key("calendar:1:events:2026-11", "events")
_TURNS: Final = 20
"""Of the event loop, within which a flight gets from one wait to the next one."""


class Course(msgspec.Struct, frozen=True):
    """Loads within a time, and reads that waited for one among all of them."""

    loads: int
    reads: int
    waits: int
    elapsed_s: float

    @property
    def recomputes_per_ttl(self) -> float:
        return self.loads * TTL_S / self.elapsed_s

    @property
    def waiting(self) -> float:
        return self.waits / self.reads


def of_ttl_only(reads_per_s: float, loads: int, seed: int) -> Course:
    """A value is loaded by the first who comes when it has expired; who comes meanwhile waits too."""
    chance = random.Random(f"{seed} ttl {reads_per_s}")
    now_s = reads = waits = 0.0
    for _ in range(loads):
        asked_s = now_s + TTL_S + chance.expovariate(reads_per_s)
        waits += 1 + reads_per_s * RECOMPUTE_S
        reads += reads_per_s * (asked_s + RECOMPUTE_S - now_s)
        now_s = asked_s + RECOMPUTE_S
    return Course(loads, round(reads), round(waits), now_s)


def of_the_document(reads_per_s: float, loads: int, seed: int) -> Course:
    """RFC-003: refreshed by one reader when `remaining <= -ln(rand) * age`, one load at a time; nobody waits for it."""
    chance = random.Random(f"{seed} document {reads_per_s}")
    now_s, loaded_s, arrives_s = 0.0, 0.0, math.inf
    done = reads = waits = 0
    while done < loads:
        now_s += chance.expovariate(reads_per_s)
        reads += 1
        if now_s >= arrives_s:
            done, loaded_s, arrives_s = done + 1, arrives_s, math.inf
        expires_s = loaded_s + TTL_S
        waits += now_s >= expires_s
        if arrives_s == math.inf and now_s - (now_s - loaded_s) * math.log(1 - chance.random()) >= expires_s:
            arrives_s = now_s + RECOMPUTE_S
    return Course(done, reads, waits, loaded_s)


async def of_ours(reads_per_s: float, loads: int, seed: int) -> Course:
    return await _Readers(reads_per_s, seed).run(loads)


class _Readers:
    """Readers of one key, and time that goes by between them."""

    def __init__(self, reads_per_s: float, seed: int) -> None:
        self._chance = random.Random(f"{seed} ours {reads_per_s}")
        self._reads_per_s = reads_per_s
        self._now_s = 0.0
        self._thrown = False
        self._arrives_s = math.inf
        self._arrival: asyncio.Future[None] | None = None
        self._loads = 0
        self._waiting: set[asyncio.Task[list[Any]]] = set()
        self._l1 = L1(entries_max=10, bytes_max=1_000_000)
        nowhere: Any = None
        tail = Tail(nowhere, lambda change: (), lease_s=math.inf, now_s=self._clock)
        tail.epoch = "simulated"
        tail.floors.advance(Snapshot(100, 100), 0.0)
        tail.lease = tail.lease.renewed(0.0)
        self._cache = Cache(
            tail,
            [Family("events", int, ttl_s=TTL_S, l1_ttl_s=TTL_S)],
            l1=self._l1,
            l2=None,
            now_s=self._clock,
            wall_s=self._clock,
            chance=self._dice,
        )

    def _clock(self) -> float:
        return self._now_s

    def _dice(self) -> float:
        self._thrown = True
        return self._chance.random()

    async def _load(self, keys: Sequence[Key], from_primary: bool) -> Loaded:
        """Takes `RECOMPUTE_S` of the simulated clock."""
        self._arrives_s = self._now_s + RECOMPUTE_S
        self._arrival = asyncio.get_running_loop().create_future()
        await self._arrival
        self._loads += 1
        return Loaded({KEY: self._loads}, Snapshot(100, 100))

    async def run(self, loads: int) -> Course:
        await self._read()
        await self._arrive()
        begun_s, begun = self._now_s, self._loads
        reads = waits = 0
        while self._loads < begun + loads:
            # Who comes before a throw may win is served and changes nothing: he is counted only.
            entry = self._l1.entries[KEY.name]
            idle_s = min(entry.throw_from_s, self._arrives_s) - self._now_s
            if idle_s > 0:
                reads += round(idle_s * self._reads_per_s)
                self._now_s += idle_s
            at_s = self._now_s + self._chance.expovariate(self._reads_per_s)
            if self._arrives_s <= at_s:
                await self._arrive()
            self._now_s = max(self._now_s, at_s)
            reads += 1
            waits += await self._read()
        await self._arrive()
        await asyncio.gather(*self._waiting)
        await self._cache.close()
        return Course(self._loads - begun, reads, waits, self._now_s - begun_s)

    async def _read(self) -> bool:
        """Whether it has to wait for a load. One who is served may have begun one behind his back."""
        entry = self._l1.entries.get(KEY.name)
        asked = self._cache.get_many(self._cache.reading(), [KEY], self._load)
        if entry is None or self._now_s >= entry.fresh_until_s:
            task = asyncio.create_task(asked)
            self._waiting.add(task)
            task.add_done_callback(self._waiting.discard)
            await self._turn()
            return True
        self._thrown = False
        await asked
        if self._thrown:
            await asyncio.sleep(0)  # a flight that was begun gets to its load at once
        return False

    async def _arrive(self) -> None:
        """What is being loaded is there, if anything is."""
        if self._arrival is not None:
            self._now_s, self._arrives_s = self._arrives_s, math.inf
            self._arrival.set_result(None)
            self._arrival = None
            await self._turn()

    async def _turn(self) -> None:
        for _ in range(_TURNS):
            await asyncio.sleep(0)


def table(seed: int) -> tuple[list[str], bool]:
    """The figures of every rate as lines, and whether the bound holds."""
    lines = [
        f"recomputes per TTL of {TTL_S:.0f} s, a load takes {RECOMPUTE_S * 1_000:.0f} ms, "
        f"TTLs are shortened by {early.TTL_JITTER:.0%} at most (seed {seed})",
        f"{'reads/s':>8}{'TTL only':>10}{'waits':>9}{'Yotei':>8}{'ratio':>7}{'waits':>9}{'RFC-003':>9}{'ratio':>7}",
    ]
    holds = True
    for rate in RATES_PER_S:
        plain = of_ttl_only(rate, LOADS, seed)
        ours = asyncio.run(of_ours(rate, LOADS, seed))
        document = of_the_document(rate, DOCUMENT_LOADS, seed)
        base = plain.recomputes_per_ttl
        ratio = ours.recomputes_per_ttl / base
        holds &= ratio <= RATIO_MAX
        lines.append(
            f"{rate:>8,.0f}{base:>10.3f}{plain.waiting:>9.4%}"
            f"{ours.recomputes_per_ttl:>8.3f}{ratio:>7.3f}{ours.waiting:>9.4%}"
            f"{document.recomputes_per_ttl:>9.3f}{document.recomputes_per_ttl / base:>7.2f}"
        )
    lines.append(f"recomputes at most {RATIO_MAX:.2f} x TTL only: {'yes' if holds else 'no'}")
    return lines, holds


if __name__ == "__main__":
    figures, is_within = table(seed=1)
    sys.stdout.write("\n".join([*figures, ""]))
    sys.exit(not is_within)
