"""Four ways to read 50 events with five attendees each, rooms and organizers, out of a filled calendar.

Run it with the development environment: `.venv/bin/python bench/micro/list_statement.py`.

| way | what it does |
|---|---|
| ours | `events.read.list_calendar`: rights, series, masking, to JSON bytes |
| statement | its one SQL statement alone, the answer left undecoded |
| batch | four statements, as a loader sends them, made into structs and to JSON bytes |
| n_plus_1 | 151 statements: the list, then attendees, organizer and room of every event |

The last three give the same columns and take no heed of rights; ours is what a caller gets, masked and counted. They
take turns in every round, on one warm connection. CPU is that of this process, the server's is not in it.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from asyncpg import Record

sys.path.insert(0, str(Path(__file__).parents[2]))

from bench.served import LISTED, Served, median, served
from tests.filled import SMALL
from yotei.events import read
from yotei.events.event import Booking, Invitation, Stored
from yotei.events.window import Window
from yotei.storage import statements
from yotei.storage.pool import Database
from yotei.storage.statements import Statement
from yotei.users.user import Viewer

ROUNDS: Final = 60
WARM_UP: Final = 10
"""More than the five calls for which PostgreSQL plans a prepared statement anew."""
EVENTS: Final = statements.load("yotei.events")

_list: Final = Statement(
    "bench.list",
    "select id, start_time, end_time, nullif(span_end, 'infinity') as span_end, tzid, all_day, floating, rrule, "
    "rdates, exdates, series_id, recurrence_id, this_and_future, status, uid, sequence, title, description, "
    "location, url, transparency, visibility, calendar_id, version, created_at, updated_at, organizer_id "
    "from events where calendar_id = $1 and deleted_at is null and span_end >= $2 and start_time < $3 "
    "order by start_time, id",
    "events of a month",
)
_attendees: Final = Statement(
    "bench.attendees",
    "select a.event_id, a.email, a.name, a.user_id, u.name as user_name, u.email as user_email, u.avatar_url, "
    "a.response_status, a.is_optional, a.comment "
    "from attendees a left join users u on u.id = a.user_id where a.event_id = any($1) order by a.created_at, a.email",
    "attendees of events",
)
_people: Final = Statement(
    "bench.people", "select id, name, email, avatar_url from users where id = any($1)", "people by id"
)
_rooms: Final = Statement(
    "bench.rooms",
    "select v.event_id, r.id, r.name, r.kind, v.recurrence_id from reservations v "
    "join resources r on r.id = v.resource_id where v.event_id = any($1) and v.status = 'CONFIRMED' "
    "order by v.start_time, r.id",
    "rooms of events",
)

Way = Callable[[], Awaitable[bytes]]


def _stored(row: Record, organizer: Record, attendees: list[Invitation], rooms: list[Booking]) -> Stored:
    *fields, _ = row
    values: tuple[Any, ...] = (*fields, None, *organizer, tuple(attendees), tuple(rooms))
    return Stored(*values)


def ways(database: Database, filled: Served) -> dict[str, Way]:
    viewer = Viewer(filled.owner_id, "UTC", False, frozenset({"read"}), None)
    query = read.Query(
        window=Window(filled.month_start, filled.month_end, ZoneInfo("UTC")), limit=100, instances_max=10_000
    )
    encoder = msgspec.json.Encoder()
    window = (filled.calendar_id, filled.month_start, filled.month_end)

    async def ours() -> bytes:
        page = await read.list_calendar(database, viewer, filled.calendar_id, query)
        assert len(page.events) == LISTED
        return encoder.encode(page.events)

    async def statement() -> bytes:
        start, end = filled.month_start, filled.month_end
        asked: list[object] = [filled.owner_id, [filled.calendar_id], False, [], start, end, start, end]
        row = await database.fetchrow(EVENTS["select_events"], *asked, read.ROWS_MAX, None, None, None, False)
        assert row is not None
        events: str = row["events"]
        return events.encode()

    async def batch() -> bytes:
        listed = await database.fetch(_list, *window)
        ids = [row["id"] for row in listed]
        attendees: dict[UUID, list[Invitation]] = {one: [] for one in ids}
        rooms: dict[UUID, list[Booking]] = {one: [] for one in ids}
        for event_id, *fields in await database.fetch(_attendees, ids):
            attendees[event_id].append(Invitation(*fields))
        people = await database.fetch(_people, list({row["organizer_id"] for row in listed}))
        organizers = {row["id"]: row for row in people}
        for event_id, *fields in await database.fetch(_rooms, ids):
            rooms[event_id].append(Booking(*fields))
        return encoder.encode(
            [_stored(row, organizers[row["organizer_id"]], attendees[row["id"]], rooms[row["id"]]) for row in listed]
        )

    async def n_plus_1() -> bytes:
        events = []
        for row in await database.fetch(_list, *window):
            one = [row["id"]]
            attendees = [Invitation(*fields) for _, *fields in await database.fetch(_attendees, one)]
            (organizer,) = await database.fetch(_people, [row["organizer_id"]])
            rooms = [Booking(*fields) for _, *fields in await database.fetch(_rooms, one)]
            events.append(_stored(row, organizer, attendees, rooms))
        return encoder.encode(events)

    return {"ours": ours, "statement": statement, "batch": batch, "n_plus_1": n_plus_1}


async def compare(filled: Served) -> list[dict[str, object]]:
    async with await Database.connect(filled.url, size_min=1, size_max=1) as database:
        to_run = ways(database, filled)
        elapsed_ms: dict[str, list[float]] = {name: [] for name in to_run}
        cpu_ms: dict[str, list[float]] = {name: [] for name in to_run}
        found = [sorted(one["id"] for one in msgspec.json.decode(await way())) for way in to_run.values()]
        assert all(one == found[0] for one in found) and len(found[0]) == LISTED
        sizes = {}
        for number in range(WARM_UP + ROUNDS):
            for name, way in to_run.items():
                cpu, started = process_time(), perf_counter()
                answer = await way()
                elapsed, cpu = perf_counter() - started, process_time() - cpu
                sizes[name] = len(answer)
                if number >= WARM_UP:
                    elapsed_ms[name].append(elapsed * 1000)
                    cpu_ms[name].append(cpu * 1000)
        base = median(elapsed_ms["batch"])
        statements = {"ours": 1, "statement": 1, "batch": 4, "n_plus_1": 1 + 3 * LISTED}
        return [
            {
                "name": "list_statement",
                "case": name,
                "statements": statements[name],
                "ms": round(median(elapsed_ms[name]), 3),
                "cpu_ms": round(median(cpu_ms[name]), 3),
                "ratio": round(median(elapsed_ms[name]) / base, 2),
                "bytes": sizes[name],
                "events": filled.size.events,
            }
            for name in to_run
        ]


async def _run() -> list[dict[str, object]]:
    async with served(SMALL) as filled:
        return await compare(filled)


def run() -> list[dict[str, object]]:
    """One line a way; `ratio` is to the four batched statements."""
    return asyncio.run(_run())


def main() -> None:
    for line in run():
        print(
            f"{line['case']}: {line['ms']} ms, {line['cpu_ms']} ms of CPU, {line['statements']} statements, "
            f"{line['bytes']} bytes, ratio {line['ratio']}"
        )


if __name__ == "__main__":
    main()
