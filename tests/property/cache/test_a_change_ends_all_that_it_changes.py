"""Whatever is written, by whichever statement: each unit that is another one by it is named by what the log says of it.

The units of a small world are worked out before and after each transaction, from all rows of it, and are loaded as the
cache loads them.
"""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, Final
from uuid import UUID

import asyncpg
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.property.cache.units import MONTHS, TABLES, Row, Rows, values
from tests.property.cache.world import ID_FROM, WORLD
from tests.property.cache.writes import WRITES, Draw, NothingThere
from yotei.cache.key import Key
from yotei.cache.tail import ALL
from yotei.caching import purged
from yotei.calendars import keys as calendars
from yotei.calendars import rows as calendar_rows
from yotei.errors import Problem
from yotei.events import keys as events
from yotei.events import rows as event_rows
from yotei.resources import keys as resources
from yotei.resources import rows as resource_rows
from yotei.storage.change_log import Change, Position, position_now, read_since
from yotei.storage.pool import Database
from yotei.storage.statements import Statement
from yotei.users import keys as users
from yotei.users import rows as user_rows

DAY_S: Final = 86_400.0
TRIES: Final = 6
"""How often each write is tried, of other rows and times."""
UNLOGGED: Final = {"schema_migrations", "idempotency_keys", "change_log", "change_log_default", "change_log_forgotten"}
"""Tables of which nothing is cached."""
MONTH_NAMES: Final = tuple(f"{start:%Y-%m}" for start in MONTHS[:-1])

Step = Sequence[tuple[str, Sequence[int]]]
"""Writes that are one statement, each with the numbers that it draws."""


class Known(msgspec.Struct, frozen=True):
    """What all units hold at one moment, by the names of their keys: worked out, and loaded."""

    rows: Rows
    worked_out: Mapping[str, object]
    loaded: Mapping[str, object]

    @classmethod
    async def read(cls, database: Database) -> "Known":
        rows = await Rows.read(database)
        return cls(rows, values(rows), await loads(database, rows))


def changed(before: Mapping[str, object], after: Mapping[str, object]) -> set[str]:
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


async def loads(database: Database, rows: Rows) -> dict[str, object]:
    """Every unit as the cache loads it, without the hints of what will be asked next. What comes along with months is
    what it is when it is asked for."""
    ids: dict[str, list[UUID]] = {
        table: [row["id"] for row in rows[table]] for table in ("users", "calendars", "events", "resources")
    }
    months = [events.month(id_, month) for id_ in ids["calendars"] for month in MONTH_NAMES]
    of_events = [
        *months,
        *(events.invitations(id_, month) for id_ in ids["users"] for month in MONTH_NAMES),
        *map(events.full, ids["events"]),
        *map(events.attendees, ids["events"]),
        *map(calendars.of_user, ids["users"]),
        *map(calendars.summary, ids["calendars"]),
        *map(users.profile, ids["users"]),
        *map(resources.profile, ids["resources"]),
    ]
    days = {day for row in rows["reservations"] for day in resources.days(row["blocked"].lower, row["blocked"].upper)}
    of_resources = [resources.availability(id_, day) for id_ in ids["resources"] for day in days]
    payloads: dict[Key, Any] = {}
    payloads |= (await event_rows.load_units(database, of_events)).payloads
    payloads |= (await resource_rows.load_resources(database, of_resources)).payloads
    payloads |= (await calendar_rows.load_members(database, list(map(calendars.members, ids["calendars"])))).payloads
    for token in rows["tokens"]:
        payloads |= (await user_rows.load_token(database, token["token_hash"])).payloads
    found = _told(payloads)
    along = _told((await event_rows.load_units(database, months)).payloads)
    recurring = {row["id"] for row in rows["events"] if row["rrule"] is not None or row["rdates"]}
    for row in rows["reservations"]:
        # By hand a single event can hold a room for an instance, too: nobody writes that.
        if row["recurrence_id"] is not None and row["event_id"] not in recurring:
            along.pop(events.full(row["event_id"]).name, None)
    assert [name for name, value in along.items() if found.get(name) != value] == []
    return found


def _told(payloads: Mapping[Key, Any]) -> dict[str, object]:
    """By name. That there is nothing, and that there is no such thing, are told alike."""
    return {key.name: value for key, payload in payloads.items() if (value := _without_hints(payload))}


def astray(rows: Rows) -> list[Row]:
    """Invitations that say another time than their event does."""
    spans = {row["id"]: (row["start_time"], row["span_end"]) for row in rows["events"]}
    return [row for row in rows["attendees"] if (row["start_time"], row["span_end"]) != spans[row["event_id"]]]


def _without_hints(payload: Any) -> object:
    match payload:
        case events.Month(rows=rows) if rows is not None:
            return sorted((_in_order(row) for row in rows), key=lambda row: row.id)
        case events.Full(row=row):
            return _in_order(row)
        case events.Concerns(all=found) if found is not None:
            return sorted(found, key=lambda one: one.event_id)
        case calendars.Memberships(all=found) if found is not None:
            return sorted(found, key=lambda one: one.calendar_id)
    return payload


def _in_order(row: events.Kept) -> events.Kept:
    return msgspec.structs.replace(row, holds=tuple(sorted(row.holds, key=lambda one: one.id)))


async def begin(database: Database) -> Known:
    await database.execute(Statement("tests.world", WORLD, "the premise"))
    return await Known.read(database)


async def write(database: Database, steps: Sequence[Step], *, id_from: int) -> list[str] | None:
    """One transaction: what was written, or None where the database refused it."""
    written: list[str] = []
    try:
        async with database.transaction() as transaction:
            for step in steps:
                parts = []
                for what, numbers in step:
                    id_from += 10
                    try:
                        parts.append(WRITES[what][2](Draw(await Rows.read(transaction), numbers, id_from=id_from)))
                    except NothingThere:
                        continue
                if parts:
                    written.append(as_one(parts))
                    await transaction.execute(Statement("tests.write", written[-1], "a write"))
    except (Problem, asyncpg.PostgresError):
        return None
    return written


def as_one(parts: Sequence[str]) -> str:
    """One statement that does all of it at once."""
    if len(parts) == 1:
        return parts[0]
    return f"with {', '.join(f'part_{n} as ({part})' for n, part in enumerate(parts))} select"


async def logged(database: Database, position: Position) -> tuple[Change, ...]:
    page = await read_since(database, position, transaction_max_s=DAY_S)
    assert not page.has_more
    return page.changes


async def play(database: Database, before: Known, steps: Sequence[Step], *, id_from: int) -> tuple[Known, set[str]]:
    """One transaction, and that the log names all that it changed; what is there now, and what was changed."""
    position = await position_now(database)
    written = await write(database, steps, id_from=id_from)
    if not written:
        return before, set()
    changes = await logged(database, position)
    after = await Known.read(database)
    assert astray(after.rows) == [], "\n".join(written)
    named = {name for change in changes for name in purged(change)}
    found = changed(before.worked_out, after.worked_out) | changed(before.loaded, after.loaded)
    missed = {name for name in found if not named & {name, f"{name.rpartition(':')[0]}:*", ALL}}
    assert not missed, "\n".join(["", *written, *map(repr, changes), *sorted(missed)])
    return after, found


@pytest.mark.parametrize("what", WRITES)
async def test_each_write_alone(shared_database: Database, what: str) -> None:
    chance = Random(what)
    known = await begin(shared_database)
    found: set[str] = set()
    for n in range(1, TRIES + 1):
        numbers = [chance.randrange(1_000) for _ in range(8)]

        known, touched = await play(shared_database, known, [[(what, numbers)]], id_from=ID_FROM * n)

        found |= touched
    assert bool(found) == (WRITES[what][0] not in ("resource_members", "event_user_state")), "the write does something"


@pytest.mark.parametrize("what", ["move", "delete_softly", "move_elsewhere"])
@pytest.mark.parametrize("whom", ["uninvite", "come_to_be_known", "go_to_another_event"])
async def test_an_event_and_who_is_invited_to_it_at_once(shared_database: Database, what: str, whom: str) -> None:
    for n in range(3):
        known = await begin(shared_database)

        # The first event, and the first who is invited to it.
        await play(shared_database, known, [[(what, [n]), (whom, [])]], id_from=ID_FROM)


one_write = st.tuples(st.sampled_from(sorted(WRITES)), st.lists(st.integers(0, 999), max_size=6))
one_step = st.lists(one_write, min_size=1, max_size=2)
one_transaction = st.lists(one_step, min_size=1, max_size=3)


@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.lists(one_transaction, min_size=1, max_size=8))
async def test_writes_in_a_row_and_at_once(shared_database: Database, transactions: list[list[Step]]) -> None:
    known = await begin(shared_database)
    for n, steps in enumerate(transactions, start=1):
        known, _ = await play(shared_database, known, steps, id_from=ID_FROM * n)


@pytest.mark.parametrize("table", TABLES)
async def test_a_table_that_is_emptied_ends_everything(shared_database: Database, table: str) -> None:
    await begin(shared_database)
    position = await position_now(shared_database)

    await shared_database.execute(Statement("tests.empty", f"truncate {table} cascade", "a write"))

    assert ALL in {name for change in await logged(shared_database, position) for name in purged(change)}


async def test_every_table_is_either_written_here_in_every_way_that_is_logged_or_known_not_to_be(
    shared_database: Database,
) -> None:
    triggers = Statement(
        "tests.triggers",
        "select event_object_table as table, lower(event_manipulation) as operation from information_schema.triggers "
        "where trigger_name = event_object_table || '_log_' || lower(event_manipulation)",
        "what is logged",
    )
    tables = Statement(
        "tests.tables",
        "select relname as name from pg_class where relkind in ('r', 'p') and relnamespace = 'public'::regnamespace "
        "and not relispartition",
        "what there is",
    )

    is_logged = {(row["table"], row["operation"]) for row in await shared_database.fetch(triggers)}
    there = {row["name"] for row in await shared_database.fetch(tables)}

    assert is_logged == {(table, operation) for table, operation, _ in WRITES.values()}
    assert {table for table, _ in is_logged} == set(TABLES)
    assert there - set(TABLES) == UNLOGGED - {"change_log_default"}
