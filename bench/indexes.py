"""The seven indexes of RFC-003 on a million events: without any, with the document's, with ours. Writes nothing.

Run it with the development environment: `.venv/bin/python bench/indexes.py` (about three minutes, 3 GB of disk).

Indexes are hidden from the planner (`pg_index.indisvalid`), so that the variants of a query take turns in every round.
A statement runs as its pattern alone, not inside the product's larger one. Buffers are warm. Figures are medians in
milliseconds, as the server's `EXPLAIN ANALYZE` executes them.
The last part sets the two orders of the overlap index beside each other (ADR 0008).
"""

import argparse
import asyncio
import sys
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

import asyncpg
import msgspec

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.served import Served, median, served
from tests.filled import LARGE, SMALL, Connection, Kind, id_of

ROUNDS: Final = 15
ROUNDS_WITHOUT: Final = 3
"""A sequential scan of a million rows needs no more."""


class Pattern(msgspec.Struct, frozen=True):
    """One row of the table: `{...}` in the SQL are the values of `values`."""

    name: str
    tables: Sequence[str]
    theirs: str
    ours: Sequence[str]
    sql: str
    sql_ours: str | None = None


class Measured(msgspec.Struct, frozen=True):
    name: str
    without_ms: float
    theirs_ms: float
    ours_ms: float
    theirs_mb: float
    ours_mb: float


PATTERNS: Final = (
    Pattern(
        "1 events of a calendar in a month",
        ["events"],
        "create index theirs on events (calendar_id, start_time) where deleted_at is null",
        ["events_calendar_span"],
        "select * from events where calendar_id = {calendar} and start_time >= {start} and start_time < {end} "
        "and deleted_at is null",
        "select * from events where calendar_id = {calendar} and span_end >= {start} and start_time < {end} "
        "and deleted_at is null",
    ),
    Pattern(
        "2 attendees of an event",
        ["attendees"],
        "create index theirs on attendees (event_id) include (user_id, email, name, response_status, is_optional)",
        ["attendees_pkey"],
        "select user_id, email, name, response_status, is_optional from attendees where event_id = {event}",
    ),
    Pattern(
        "2 attendees of 50 events",
        ["attendees"],
        "create index theirs on attendees (event_id) include (user_id, email, name, response_status, is_optional)",
        ["attendees_pkey"],
        "select event_id, user_id, email, name, response_status, is_optional from attendees "
        "where event_id = any({events})",
    ),
    Pattern(
        "3 reservations of 50 events",
        ["reservations"],
        "create index theirs on reservations (event_id, resource_id) include (start_time, end_time, status)",
        ["reservations_event"],
        "select event_id, resource_id, start_time, end_time, status from reservations where event_id = any({events})",
    ),
    Pattern(
        "4 availability of 100 rooms in a day",
        ["reservations"],
        "create index theirs on reservations (resource_id, start_time, end_time) where status = 'CONFIRMED'",
        ["reservations_no_double_booking"],
        "select v.start_time, v.end_time from resources r cross join lateral (select start_time, end_time "
        "from reservations where resource_id = r.id and status = 'CONFIRMED' and start_time < {day_end} "
        "and end_time > {day} offset 0) v where r.id = any({rooms})",
        "select v.blocked from resources r cross join lateral (select blocked from reservations "
        "where resource_id = r.id and status = 'CONFIRMED' and blocked && tstzrange({day}, {day_end}) offset 0) v "
        "where r.id = any({rooms})",
    ),
    Pattern(
        "5 events of an organizer in a month",
        ["events"],
        "create index theirs on events (organizer_id, start_time) where deleted_at is null and status = 'CONFIRMED'",
        ["events_organizer_span"],
        "select * from events where organizer_id = {owner} and start_time >= {start} and start_time < {end} "
        "and deleted_at is null and status = 'CONFIRMED'",
        "select * from events where organizer_id = {owner} and span_end >= {start} and start_time < {end} "
        "and deleted_at is null and status = 'CONFIRMED'",
    ),
    Pattern(
        "6 calendars of a person",
        ["calendar_members"],
        "create index theirs on calendar_members (user_id) include (calendar_id, role)",
        ["calendar_members_pkey"],
        "select calendar_id, role from calendar_members where user_id = {owner}",
    ),
    Pattern(
        "7 covering list, newest first",
        ["events"],
        "create index theirs on events (calendar_id, start_time desc) "
        "include (id, title, organizer_id, end_time, status) where deleted_at is null",
        ["events_calendar_span"],
        "select id, title, organizer_id, start_time, end_time, status from events where calendar_id = {calendar} "
        "and start_time >= {start} and start_time < {end} and deleted_at is null order by start_time desc",
        "select id, title, organizer_id, start_time, end_time, status from events where calendar_id = {calendar} "
        "and span_end >= {start} and start_time < {end} and deleted_at is null order by start_time desc",
    ),
)


def values(database: Served) -> dict[str, str]:
    """SQL literals for the patterns: a calendar in the middle, 50 of its events, a day, a hundred rooms."""
    size = database.size
    number = size.busy // 2
    calendar = number * size.spread
    slot = 1_800
    events = [id_of(Kind.EVENT, (slot - n) * size.busy + number) for n in range(50)]
    rooms = [id_of(Kind.RESOURCE, n) for n in range(min(100, size.rooms))]
    day = database.month_start + timedelta(days=2)
    return {
        "calendar": f"'{id_of(Kind.CALENDAR, calendar)}'",
        "owner": f"'{id_of(Kind.USER, calendar)}'",
        "event": f"'{events[0]}'",
        "events": f"'{{{','.join(str(one) for one in events)}}}'::uuid[]",
        "rooms": f"'{{{','.join(str(one) for one in rooms)}}}'::uuid[]",
        "start": f"timestamptz '{database.month_start}'",
        "end": f"timestamptz '{database.month_end}'",
        "day": f"timestamptz '{day}'",
        "day_end": f"timestamptz '{day + timedelta(days=1)}'",
    }


async def executed_ms(connection: Connection, sql: str) -> float:
    text = await connection.fetchval(f"explain (analyze, timing off, format json) {sql}")
    execution_ms: float = msgspec.json.decode(text)[0]["Execution Time"]
    return execution_ms


async def show_only(connection: Connection, tables: Sequence[str], shown: Sequence[str]) -> None:
    """Of the indexes of these tables the planner sees these."""
    await connection.execute(
        "update pg_index set indisvalid = (indexrelid::regclass::text = any($2)) "
        "where indrelid = any(select one::regclass from unnest($1::text[]) one)",
        list(tables),
        list(shown),
    )


async def megabytes(connection: Connection, indexes: Sequence[str]) -> float:
    found: float = await connection.fetchval(
        "select sum(pg_relation_size(one::regclass))::float8 / 1048576 from unnest($1::text[]) one", list(indexes)
    )
    return found


async def measure(connection: Connection, pattern: Pattern, literals: Mapping[str, str]) -> Measured:
    await connection.execute(pattern.theirs)
    await connection.execute(f"vacuum analyze {', '.join(pattern.tables)}")
    sql = pattern.sql.format(**literals)
    ours = (pattern.sql_ours or pattern.sql).format(**literals)
    variants = {"without": ([], sql), "theirs": (["theirs"], sql), "ours": (pattern.ours, ours)}
    timings: dict[str, list[float]] = {name: [] for name in variants}
    for number in range(ROUNDS):
        for name, (shown, asked) in variants.items():
            if name == "without" and number >= ROUNDS_WITHOUT:
                continue
            await show_only(connection, pattern.tables, shown)
            await executed_ms(connection, asked)
            timings[name].append(await executed_ms(connection, asked))
    sizes = await megabytes(connection, ["theirs"]), await megabytes(connection, pattern.ours)
    await show_all(connection, pattern.tables)
    await connection.execute("drop index theirs")
    without, theirs, ours_ms = (median(timings[name]) for name in ("without", "theirs", "ours"))
    return Measured(pattern.name, without, theirs, ours_ms, *sizes)


async def show_all(connection: Connection, tables: Sequence[str]) -> None:
    await connection.execute(
        "update pg_index set indisvalid = true where indrelid = any(select one::regclass from unnest($1::text[]) one)",
        list(tables),
    )


async def measure_orders(connection: Connection, database: Served) -> list[tuple[str, float, float, int, int]]:
    """The overlap of one window by each order of the columns: milliseconds and buffers."""
    await connection.execute(
        "create index by_start on events (calendar_id, start_time, span_end) where deleted_at is null"
    )
    await connection.execute("vacuum analyze events")
    orders = {"end first": ["events_calendar_span"], "start first": ["by_start"]}
    found = []
    for name, days in {"2 years ago": -730, "1 year ago": -365, "this month": 0, "next month": 30}.items():
        start, end = database.month_start + timedelta(days=days), database.month_end + timedelta(days=days)
        literals = {**values(database), "start": f"timestamptz '{start}'", "end": f"timestamptz '{end}'"}
        sql = str(PATTERNS[0].sql_ours).format(**literals)
        timings: dict[str, list[float]] = {order: [] for order in orders}
        buffers: dict[str, int] = {}
        for _ in range(ROUNDS):
            for order, shown in orders.items():
                await show_only(connection, ["events"], shown)
                await executed_ms(connection, sql)
                timings[order].append(await executed_ms(connection, sql))
                text = await connection.fetchval(f"explain (analyze, buffers, timing off, format json) {sql}")
                plan = msgspec.json.decode(text)[0]["Plan"]
                buffers[order] = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
        found.append(
            (
                name,
                median(timings["end first"]),
                median(timings["start first"]),
                buffers["end first"],
                buffers["start first"],
            )
        )
    await show_all(connection, ["events"])
    await connection.execute("drop index by_start")
    return found


def heading(*columns: str) -> None:
    print(f"\n| {' | '.join(columns)} |\n|{'---|' * len(columns)}")


async def main(size_name: str) -> None:
    size = SMALL if size_name == "small" else LARGE
    async with served(size) as database:
        print(f"{size.events:,} events, {size.events * 5:,} attendees, filled in {database.fill_s:.0f} s")
        connection = await asyncpg.connect(database.url)
        await connection.execute("set allow_system_table_mods = on; set jit = off; set statement_timeout = 0")
        literals = values(database)
        print(
            "\n| pattern | without ms | document's ms | ours ms | document's MB | ours MB |\n|---|---|---|---|---|---|"
        )
        for pattern in PATTERNS:
            one = await measure(connection, pattern, literals)
            print(
                f"| {one.name} | {one.without_ms:.1f} | {one.theirs_ms:.3f} | {one.ours_ms:.3f} | {one.theirs_mb:.0f} "
                f"| {one.ours_mb:.0f} |"
            )
        heading("window", "end first ms", "start first ms", "end first buffers", "start first buffers")
        for window, end_ms, start_ms, end_buffers, start_buffers in await measure_orders(connection, database):
            print(f"| {window} | {end_ms:.3f} | {start_ms:.3f} | {end_buffers} | {start_buffers} |")
        await connection.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--size", choices=["small", "large"], default="large")
    asyncio.run(main(parser.parse_args().size))
