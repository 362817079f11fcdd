"""One run: sessions at three servers while one fault after the other comes and goes, then the judgement.

python -m tests.coherence --seconds 60 --seed 1 --transport postgres
"""

import asyncio
import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from math import ceil
from typing import Final

import msgspec

from tests.coherence.checks import Bounds, Judged, Violation, judged, quantile_s, violations
from tests.coherence.faults import EXCLUSIVE, FAULTS, Reach
from tests.coherence.history import History, label, now_s
from tests.coherence.kinds import KINDS
from tests.coherence.sessions import Board, Client, Session, begin
from tests.coherence.world import bus, ground, nodes, redises, standby_of

NODES: Final = 3
KEYS: Final = 300
SESSIONS: Final = 32
RATE_PER_S: Final = 400
PEACE_S: Final = (1.0, 2.5)
SETTLE_S: Final = 2.0
"""A cluster has so long to get over a fault; what is read meanwhile is read under it."""
PAIRS: Final = 0.25
"""The part of rounds with two faults at once."""
WARM_S: Final = 1.0
SMALL: Final = {"YOTEI_CACHE_L1_ENTRIES_MAX": "300"}
"""Of one server, which so has beside each other what came from its process, Redis and PostgreSQL at different times."""
LAG_EVERY_S: Final = 0.01


class Outcome(msgspec.Struct, frozen=True):
    """`is_judged_in_peace`: this machine ran well enough for the bound without faults to mean something."""

    history: History
    reads: list[Judged]
    wrong: list[Violation]
    is_judged_in_peace: bool


async def run(
    *,
    seconds: float,
    seed: int,
    transport: str = "postgres",
    reads: int = 0,
    faults: Sequence[str] | None = None,
    rate_per_s: float = RATE_PER_S,
) -> Outcome:
    """For so many seconds, or until so many reads are done if that is earlier. `faults`: only these, each once."""
    async with ground() as on, standby_of(on) as standby, redises() as redis, bus(transport) as (settings, to_bus):
        things = await on.things(**dict.fromkeys(KINDS, ceil(KEYS / len(KINDS))))
        history, board = History(), Board(things)
        for thing in things:
            begin(history, thing)
        async with nodes(NODES, on, settings, redis=redis, standby=standby, last=SMALL) as cluster:
            reach = Reach(on, cluster, redis, standby, board, history, random.Random(f"{seed} faults"), to_bus)
            sessions = [
                Session(
                    Client(f"s{n}", history, on.people, on.database, carries_token=n % 2 == 0),
                    board,
                    cluster,
                    history,
                    rate_per_s / SESSIONS,
                    f"{seed} session {n}",
                )
                for n in range(SESSIONS)
            ]
            stop = asyncio.Event()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_watch_lag(history, stop))
                for session in sessions:
                    tasks.create_task(session.run(stop))
                await _rounds(reach, now_s() + seconds, reads, faults)
                stop.set()
            for node in cluster:
                if "Traceback" in node.log:
                    history.unexpected.append(f"node {node.number} told of a failure:\n{node.log[-3_000:]}")
    found = judged(history)
    bounds = Bounds()
    assert bounds.peace_s is not None
    is_judged_in_peace = history.stall_s <= bounds.peace_s
    if not is_judged_in_peace:
        bounds = Bounds(peace_s=None)
    return Outcome(history, found, violations(history, bounds, found), is_judged_in_peace)


async def _rounds(reach: Reach, ends_s: float, reads: int, only: Sequence[str] | None) -> None:
    """Peace, then one fault or two, until it is time."""
    with reach.history.under("start"):
        await asyncio.sleep(WARM_S)
    for faults in _plan(reach.chance) if only is None else ((fault,) for fault in only):
        await asyncio.sleep(reach.chance.uniform(*PEACE_S))
        if now_s() >= ends_s or 0 < reads <= len(reach.history.reads):
            return
        with reach.history.under(*faults):
            async with asyncio.TaskGroup() as tasks:
                for fault in faults:
                    tasks.create_task(FAULTS[fault](reach))
            await asyncio.sleep(SETTLE_S)
    await asyncio.sleep(ends_s - now_s())


def _plan(chance: random.Random) -> Iterator[tuple[str, ...]]:
    """Every fault before any comes again."""
    left: list[str] = []
    while True:
        left = left or chance.sample(list(FAULTS), len(FAULTS))
        one = left.pop()
        others = [fault for fault in left if not any({one, fault} <= kinds for kinds in EXCLUSIVE)]
        if others and chance.random() < PAIRS:
            other = chance.choice(others)
            left.remove(other)
            yield one, other
        else:
            yield (one,)


async def _watch_lag(history: History, stop: asyncio.Event) -> None:
    """How long this process itself did not get to run: what it measures meanwhile says nothing about servers."""
    while not stop.is_set():
        asleep_s = now_s()
        await asyncio.sleep(LAG_EVERY_S)
        history.stall_s = max(history.stall_s, now_s() - asleep_s - LAG_EVERY_S)


def ways(outcome: Outcome) -> str:
    """By what the answers say of themselves: how many had to load something, and from where the others were."""
    told = Counter(_way(one.read.cache_status) for one in outcome.reads)
    return ", ".join(f"{way} {count / len(outcome.reads):.0%}" for way, count in told.most_common())


def _way(cache_status: str) -> str:
    if "rendered" in cache_status:
        return "as sent before"
    if "fwd=" in cache_status:
        return "past the cache" if "fwd=bypass" in cache_status else "something loaded"
    return "all in process" if " l2=0 " in cache_status.replace('"', " ") else "something from Redis"


def table(outcome: Outcome) -> Iterator[str]:
    """What was read under what, a line for each."""
    by_faults: defaultdict[str, list[Judged]] = defaultdict(list)
    for one in outcome.reads:
        by_faults[label(one.faults)].append(one)
    yield f"{'under':60} {'reads':>7} {'stale':>6} {'503':>5} {'p99.9 ms':>9} {'worst ms':>9}"
    for name, reads in sorted(by_faults.items(), key=lambda item: (item[0].count("+"), item[0] != "no fault", item[0])):
        marked = sum(one.read.is_stale for one in reads)
        stale = [one.stale_s or 0.0 for one in reads if not one.read.is_stale]
        unavailable = outcome.history.unavailable[name]
        yield (
            f"{name:60} {len(reads):7} {marked:6} {unavailable:5} {quantile_s(stale, 0.999) * 1_000:9.0f} "
            f"{max(stale, default=0.0) * 1_000:9.0f}"
        )
