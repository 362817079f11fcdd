"""`make bench-write`: what a write costs beside the same rows written by bare SQL over the same pool.

| case | one operation |
|---|---|
| writes | an event with five attendees, planned, checked and read back as its answer |
| bookings | the same with a room for half an hour that nobody has |
| free/busy | the busy times of 20 and 200 people in one month |

Bare SQL knows no rule: it inserts the rows that ours inserts, in one transaction; for free/busy it fetches start and
end of every event that these people are invited to, series neither expanded nor joined. Both writers pay for the
triggers of the change log. They take turns, slice by slice, with 1, 8 and 32 clients in one process on one pool; on one
calendar or room, and spread over many. Nothing is synchronised to the disk: what is compared is work. About five
minutes.
"""

import asyncio
import itertools
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter, process_time
from typing import Final, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.micro.run import commit, machine
from bench.served import Served, median, served
from tests.filled import SMALL, Kind, id_of
from tests.integration.rows import a_calendar, a_room, a_user, viewing
from yotei.events import draft, read, write
from yotei.events.window import Window
from yotei.scheduling.freebusy import Subjects
from yotei.scheduling.read import free_busy
from yotei.storage.ids import uuid7
from yotei.storage.pool import Database, Transaction, pool_size_default
from yotei.storage.statements import Statement

RESULTS: Final = Path(__file__).parents[1] / "bench" / "results" / "write.jsonl"
CLIENTS: Final = (1, 8, 32)
SLICE_S: Final = 0.8
ROUNDS: Final = 7
WARM_UP: Final = 1
SPREAD: Final = 64
"""Calendars, rooms and people that spread writes go to."""
ATTENDEES: Final = 5
PEOPLE: Final = (20, 200)
"""Whose free/busy is asked for at once."""
HALF_HOUR: Final = timedelta(minutes=30)

_insert_event: Final = Statement(
    "bench.insert_event",
    "insert into events (id, calendar_id, organizer_id, uid, title, start_time, end_time, span_end, tzid) "
    "values ($1, $2, $3, $4, $5, $6, $7, $7, 'UTC')",
    "the row of an event",
)
_insert_attendees: Final = Statement(
    "bench.insert_attendees",
    "insert into attendees (event_id, email, user_id) select $1, u.email, u.user_id "
    "from unnest($2::text[], $3::uuid[]) u(email, user_id)",
    "the rows of its attendees",
)
_insert_wish: Final = Statement(
    "bench.insert_wish",
    "insert into event_resources (event_id, resource_id, policy) values ($1, $2, 'ALL')",
    "the row of its wish",
)
_insert_reservation: Final = Statement(
    "bench.insert_reservation",
    "insert into reservations (id, resource_id, event_id, start_time, end_time, blocked) "
    "values ($1, $2, $3, $4, $5, tstzrange($4, $5)) "
    "on conflict on constraint reservations_no_double_booking do nothing",
    "the row of its room",
)

_select_times: Final = Statement(
    "bench.select_times",
    "select a.user_id, e.start_time, e.end_time from attendees a join events e on e.id = a.event_id "
    "where a.user_id = any($1::uuid[]) and a.response_status <> 'DECLINED' "
    "and e.deleted_at is null and a.start_time < $3 and a.span_end > $2",
    "when people are invited to something",
)

Once = Callable[[int], Awaitable[None]]
"""One operation of the client with this number."""


class World(NamedTuple):
    """Who writes, where to, and times that nobody has used yet."""

    people: tuple[UUID, ...]
    calendars: tuple[UUID, ...]
    rooms: tuple[UUID, ...]
    starts: Iterator[datetime]


class Measured(NamedTuple):
    """Operations a second, and milliseconds of CPU of this process for each: medians over the rounds."""

    per_s: float
    cpu_ms: float


async def world(database: Database, now: datetime) -> World:
    people = [await a_user(database, f"Person {n}") for n in range(SPREAD)]
    roles = dict.fromkeys(people, "OWNER")
    calendars = [await a_calendar(database, roles, name=f"Calendar {n}") for n in range(SPREAD)]
    rooms = [await a_room(database, f"Room {n}") for n in range(SPREAD)]
    first = now.replace(minute=0, second=0, microsecond=0) + timedelta(days=30)
    starts = (first + HALF_HOUR * n for n in itertools.count())
    return World(tuple(people), tuple(calendars), tuple(rooms), starts)


def ours(database: Database, world: World, *, is_spread: bool, is_booking: bool) -> Once:
    utc = ZoneInfo("UTC")

    async def once(client: int) -> None:
        at, start = client % SPREAD if is_spread else 0, next(world.starts)
        viewer = viewing(world.people[client % SPREAD])
        invited = tuple(draft.Invitee(user_id=world.people[(client + n) % SPREAD]) for n in range(ATTENDEES))
        event = draft.NewEvent(
            calendar_id=world.calendars[at],
            title="Planning",
            start_time=start,
            end_time=start + HALF_HOUR,
            attendees=invited,
            resource_ids=(world.rooms[at],) if is_booking else (),
        )
        now = datetime.now(UTC)

        async def work(tx: Transaction) -> None:
            done = await write.apply_one(tx, viewer, draft.Create(event=event), now=now)
            await read.get(tx, viewer, done.event_id, utc, now=now)

        await database.run(work, actor_id=viewer.user_id)

    return once


def bare(database: Database, world: World, *, is_spread: bool, is_booking: bool) -> Once:
    async def once(client: int) -> None:
        at, start = client % SPREAD if is_spread else 0, next(world.starts)
        end, id_, organizer = start + HALF_HOUR, uuid7(), world.people[client % SPREAD]
        invited = [world.people[(client + n) % SPREAD] for n in range(ATTENDEES)]
        emails = [f"{one}@example.org" for one in invited]

        async def work(tx: Transaction) -> None:
            await tx.execute(_insert_event, id_, world.calendars[at], organizer, str(id_), "Planning", start, end)
            await tx.execute(_insert_attendees, id_, emails, invited)
            if is_booking:
                await tx.execute(_insert_wish, id_, world.rooms[at])
                await tx.execute(_insert_reservation, uuid7(), world.rooms[at], id_, start, end)

        await database.run(work, actor_id=organizer)

    return once


def our_times(database: Database, filled: Served, people: Sequence[UUID]) -> Once:
    window = Window(filled.month_start, filled.month_end, ZoneInfo("UTC"))

    async def once(_: int) -> None:
        await free_busy(database, viewing(filled.owner_id), Subjects(user_ids=tuple(people)), window)

    return once


def bare_times(database: Database, filled: Served, people: Sequence[UUID]) -> Once:
    async def once(_: int) -> None:
        assert await database.fetch(_select_times, list(people), filled.month_start, filled.month_end)

    return once


async def slice_of(once: Once, clients: int) -> tuple[float, float]:
    """Operations a second, and CPU milliseconds for each, of so many clients at once for a while."""
    until, count = perf_counter() + SLICE_S, 0

    async def client(number: int) -> None:
        nonlocal count
        while perf_counter() < until:
            await once(number)
            count += 1

    started, cpu = perf_counter(), process_time()
    await asyncio.gather(*(client(number) for number in range(clients)))
    elapsed, cpu = perf_counter() - started, process_time() - cpu
    return count / elapsed, cpu * 1000 / count


async def compare(one: Once, other: Once, clients: int) -> tuple[Measured, Measured, float]:
    """Both ways, slice by slice in turn, and the median of the ratios of neighbours."""
    found: list[tuple[tuple[float, float], tuple[float, float]]] = []
    for number in range(WARM_UP + ROUNDS):
        pair = (await slice_of(one, clients), await slice_of(other, clients))
        if number >= WARM_UP:
            found.append(pair)
    sides = [Measured(median([one[n][0] for one in found]), median([one[n][1] for one in found])) for n in (0, 1)]
    return sides[0], sides[1], median([a[0] / b[0] for a, b in found])


async def measure(filled: Served) -> list[dict[str, object]]:
    lines: list[dict[str, object]] = []
    async with await Database.connect(filled.url, size_min=1, size_max=pool_size_default(2)) as database:
        made = await world(database, datetime.now(UTC))
        for is_booking, is_spread, clients in itertools.product((False, True), (False, True), CLIENTS):
            way = {"is_spread": is_spread, "is_booking": is_booking}
            compared = await compare(ours(database, made, **way), bare(database, made, **way), clients)
            case = "bookings" if is_booking else "writes"
            on = "spread" if is_spread else "one room" if is_booking else "one calendar"
            lines.append(_line(case, on, clients, *compared))
        for count in PEOPLE:
            people = [id_of(Kind.USER, n * filled.size.users // count) for n in range(count)]
            compared = await compare(our_times(database, filled, people), bare_times(database, filled, people), 1)
            lines.append(_line("free/busy", f"{count} people, a month", 1, *compared))
    return lines


def _line(case: str, on: str, clients: int, mine: Measured, theirs: Measured, ratio: float) -> dict[str, object]:
    return {
        "case": case,
        "on": on,
        "clients": clients,
        "per_s": round(mine.per_s, 1),
        "cpu_ms": round(mine.cpu_ms, 2),
        "bare_per_s": round(theirs.per_s, 1),
        "bare_cpu_ms": round(theirs.cpu_ms, 2),
        "ratio": round(ratio, 2),
    }


async def _run() -> list[dict[str, object]]:
    async with served(SMALL) as filled:
        return await measure(filled)


def main() -> None:
    started = perf_counter()
    measured = asyncio.run(_run())
    table = Table(*measured[0], title="Writes: the ratio is ours a second to bare SQL a second")
    for line in measured:
        table.add_row(*map(str, line.values()))
    Console(width=None if sys.stdout.isatty() else 120).print(table)
    line = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "machine": machine(),
        "elapsed_s": round(perf_counter() - started, 1),
        "measured": measured,
    }
    with RESULTS.open("ab") as results:
        results.write(msgspec.json.encode(line) + b"\n")


if __name__ == "__main__":
    main()
