"""What the tails of many nodes cost PostgreSQL: its CPU seconds a second, and statements a second.

Nodes are tails with a connection each, in this process; they poll every 100 ms as `cache.poll_ms` says. With hints
they are told of each write as the bus would tell them, and poll at once. CPU is that of all processes of the server,
this one's is left out. A writer moves an event, through the triggers of the change log; what it costs without any
node is the line with 0 nodes. Every case is measured in several slices, in turn.
"""

import asyncio
import itertools
import statistics
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Final, NamedTuple
from uuid import UUID

import msgspec

from bench.cache.processes import cpu_s
from bench.cache.row import Row
from bench.served import OPTIONS
from tests.integration.rows import a_calendar, a_user, an_event
from yotei.cache.tail import Tail
from yotei.caching import purged
from yotei.storage import migrate
from yotei.storage.embedded import EmbeddedServer
from yotei.storage.pool import Database
from yotei.storage.statements import Statement

POLL_S: Final = 0.1
SETTLE_S_MAX: Final = 60.0
EVENTS: Final = 200
_move: Final = Statement(
    "bench.move",
    "update events set start_time = start_time + interval '1 minute', end_time = end_time + interval '1 minute', "
    "span_end = span_end + interval '1 minute', version = version + 1 where id = $1 "
    "returning pg_current_xact_id()::text as xid",
    "a change of an event, as any writer makes it",
)


class Size(msgspec.Struct, frozen=True):
    nodes: tuple[int, ...] = (0, 3, 20, 50)
    writes_per_s: int = 50
    slice_s: float = 4.0
    settle_polls: int = 10
    """Of each node before a slice: PostgreSQL plans the first five on a connection anew, at many times the cost."""
    rounds: int = 4


TINY: Final = Size(nodes=(0, 2), slice_s=0.3, settle_polls=1, rounds=1)


class Case(NamedTuple):
    nodes: int
    has_writes: bool = False
    has_hints: bool = False


class Slice(NamedTuple):
    cpu_s_per_s: float
    polls_per_s: float
    writes_per_s: float
    failed: float
    """Polls that PostgreSQL, or this process, had no time for."""


async def run(size: Size) -> list[Row]:
    cases = [Case(nodes) for nodes in size.nodes]
    cases += [Case(nodes, has_writes=True) for nodes in size.nodes]
    cases += [Case(nodes, has_writes=True, has_hints=True) for nodes in size.nodes if nodes]
    found: dict[Case, list[Slice]] = {case: [] for case in cases}
    with TemporaryDirectory(prefix="yotei-bench-") as folder:
        options = {**OPTIONS, "max_connections": str(max(size.nodes) + 20)}
        server = EmbeddedServer(Path(folder) / "d", options=options)
        await asyncio.to_thread(server.start)
        try:
            await migrate.apply(server.url)
            async with await Database.connect(server.url, size_min=1, size_max=2) as database:
                events = await _made(database)
                for _, case in itertools.product(range(size.rounds), cases):
                    found[case].append(await _measured(server, database, events, case, size))
        finally:
            await asyncio.to_thread(server.stop)
    base = {is_written: _mean(found[Case(0, is_written)]).cpu_s_per_s for is_written in (False, True)}
    return [_row(case, slices, base[case.has_writes]) for case, slices in found.items()]


async def _made(database: Database) -> list[UUID]:
    owner = await a_user(database, "Owner")
    calendar = await a_calendar(database, {owner: "OWNER"}, name="Moved")
    start = datetime(2026, 11, 2, 9, tzinfo=UTC)
    return [await an_event(database, calendar, owner, start=start) for _ in range(EVENTS)]


async def _measured(server: EmbeddedServer, database: Database, events: list[UUID], case: Case, size: Size) -> Slice:
    assert server.pid is not None
    async with _tails(server.url, case.nodes) as tails:
        await _settled(tails, size.settle_polls)
        failed = sum(tail.polls_failed for tail in tails)
        began_cpu_s, polls, started_s = cpu_s(server.pid), sum(tail.polls for tail in tails), perf_counter()
        writes = 0
        if case.has_writes:
            writes = await _write(database, events, tails if case.has_hints else [], size)
        else:
            await asyncio.sleep(size.slice_s)
        elapsed_s = perf_counter() - started_s
        return Slice(
            (cpu_s(server.pid) - began_cpu_s) / elapsed_s,
            (sum(tail.polls for tail in tails) - polls) / elapsed_s,
            writes / elapsed_s,
            sum(tail.polls_failed for tail in tails) - failed,
        )


@asynccontextmanager
async def _tails(url: str, nodes: int) -> AsyncIterator[list[Tail]]:
    async with AsyncExitStack() as stack:
        tails = []
        for _ in range(nodes):
            database = await stack.enter_async_context(await Database.connect(url, size_min=1, size_max=1))
            tails.append(Tail(database, purged, poll_s=POLL_S))
        tasks = [asyncio.create_task(tail.run()) for tail in tails]
        try:
            yield tails
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _settled(tails: list[Tail], polls: int) -> None:
    async with asyncio.timeout(SETTLE_S_MAX):
        while any(tail.polls < polls for tail in tails):  # noqa: ASYNC110
            await asyncio.sleep(POLL_S)


async def _write(database: Database, events: list[UUID], told: list[Tail], size: Size) -> int:
    """So many a second, each of another event; how many there were."""
    began_s = perf_counter()
    count = 0
    while (due_s := count / size.writes_per_s) < size.slice_s:
        await asyncio.sleep(max(0.0, began_s + due_s - perf_counter()))
        event_id = events[count % len(events)]
        row = await database.fetchrow(_move, event_id)
        assert row is not None
        for tail in told:
            tail.hint(tail.epoch, int(row["xid"]), (f"event:{event_id}:full",))
        count += 1
    await asyncio.sleep(max(0.0, began_s + size.slice_s - perf_counter()))
    return count


def _mean(slices: list[Slice]) -> Slice:
    """The kernel counts CPU by hundredths of a second: of one slice they are too coarse for a median."""
    return Slice(*(statistics.fmean(each) for each in zip(*slices, strict=True)))


def _row(case: Case, slices: list[Slice], base_cpu: float) -> Row:
    cpu, polls, writes, failed = _mean(slices)
    how = "idle" if not case.has_writes else f"{writes:.0f} writes/s"
    if case.has_hints:
        how += ", hinted"
    late = f"; {failed:.0f} not in time" if failed else ""
    us_per_poll = (cpu - base_cpu) / polls * 1e6 if polls else 0.0
    return Row(
        f"{case.nodes} nodes poll PostgreSQL, {how}",
        f"{cpu:.3f} CPU s a second, {polls:.0f} polls/s",
        f"{us_per_poll:.0f} us of CPU a poll{late}" if polls else "what the server takes without them",
        values={
            "nodes": case.nodes,
            "has_hints": case.has_hints,
            "writes_per_s": round(writes, 1),
            "cpu_s_per_s": round(cpu, 4),
            "polls_per_s": round(polls, 1),
            "cpu_us_per_poll": round(us_per_poll, 1),
            "polls_failed": failed,
        },
    )
