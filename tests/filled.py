"""Tables with enough rows in them for plans and timings to mean something, made by the server itself.

Three years of history and two months ahead. Calendar c has an event every 14.4 hours, with five attendees, at the same
moments as every other calendar; two of five hold a room, another one each time, so no two bookings meet. One event in
fifty is a weekly series, every third of those without an end. A person is in ten calendars.
Keys, indexes and triggers are taken down for the fill and put back as the catalogue describes them, as `yotei.seed`
does. Rows lie in the order of time, as they do in life: the events of one calendar are far apart. Nothing is drawn at
random and no row travels, so that a million events take about a minute.
"""
# ruff: noqa: S608, every value put into SQL here is a number or a time of this module

from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import Final, TypeAlias
from uuid import UUID

import asyncpg
import msgspec
from asyncpg import Record

from yotei.storage import statements

Connection: TypeAlias = "asyncpg.Connection[Record]"

HISTORY_DAYS: Final = 1080
AHEAD_DAYS: Final = 60
SLOTS: Final = 1900
"""Events of one calendar, 50 in 30 days."""
MEMBERS: Final = 10
STRIDE: Final = 7
"""How many busy calendars lie between two of the same person."""
BUSY_CALENDAR_EVENTS: Final = 50
"""Events of the calendar apart (`listed_calendar`), all in the current month, without a series."""

_TABLES: Final = (
    "users",
    "tokens",
    "calendars",
    "calendar_members",
    "resources",
    "events",
    "attendees",
    "reservations",
)
_SEED: Final = statements.load("yotei.seed")


class Kind(IntEnum):
    """The part of an id that says what it names."""

    USER = 1
    CALENDAR = 2
    EVENT = 3
    RESOURCE = 4
    TOKEN = 5
    RESERVATION = 6


class Size(msgspec.Struct, frozen=True):
    """`busy` calendars have events; the others make the table of members as large as it is in life."""

    busy: int
    calendars: int
    users: int
    changes: int = 0

    @property
    def rooms(self) -> int:
        """Rooms of the busy calendars; one more belongs to the calendar apart."""
        return self.busy * 2 // 5

    @property
    def spread(self) -> int:
        """Every so many-th calendar is a busy one, so that their ids and organizers are all over the tables."""
        return self.calendars // (self.busy + 1)

    @property
    def events(self) -> int:
        return self.busy * SLOTS


SMALL: Final = Size(busy=110, calendars=5_000, users=5_000, changes=100_000)
"""209,000 events, 1,045,000 attendees, 84,000 reservations."""
LARGE: Final = Size(busy=530, calendars=20_000, users=20_000)
"""1,007,000 events, 5,035,000 attendees, 403,000 reservations."""


def id_of(kind: Kind, number: int) -> UUID:
    """Ascending with `number`, as UUIDv7 ascends with time."""
    return UUID(f"01900000-0000-7000-8{kind:03x}-{number:012x}")


def _id(kind: Kind, number: str) -> str:
    return f"('01900000-0000-7000-8{kind:03x}-' || lpad(to_hex({number}), 12, '0'))::uuid"


def base(now: datetime) -> datetime:
    """When the first events are: midnight, `HISTORY_DAYS` before today."""
    return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=HISTORY_DAYS)


def listed_calendar(size: Size) -> int:
    """The number of the calendar with exactly `BUSY_CALENDAR_EVENTS` events; its owner is the user of this number."""
    return size.busy * size.spread


async def fill(connection: Connection, size: Size, now: datetime) -> None:
    """Fill an empty migrated database, then ANALYZE. `connection` must not be in a transaction."""
    assert size.calendars <= size.users
    async with connection.transaction():
        await connection.execute("set local statement_timeout = 0; set local maintenance_work_mem = '512MB'")
        takedown = await connection.fetch(_SEED["select_takedown"].sql, list(_TABLES))
        for step in takedown:
            await connection.execute(step["take_away"])
        for sql in _inserts(size, base(now)):
            await connection.execute(sql)
        for step in sorted(takedown, key=lambda step: (step["place"] < 3, -step["place"], step["name"])):
            await connection.execute(step["put_back"])
    await _write_changes(connection, size)
    await connection.execute("set statement_timeout = 0")
    await connection.execute("vacuum analyze")
    await connection.execute("reset statement_timeout")


def _inserts(size: Size, first: datetime) -> tuple[str, ...]:
    step = timedelta(days=HISTORY_DAYS + AHEAD_DAYS) / SLOTS
    step_minutes = step / timedelta(minutes=1)
    listed = listed_calendar(size)
    month = first + timedelta(days=HISTORY_DAYS - (first + timedelta(days=HISTORY_DAYS)).day + 1)
    start = f"timestamptz '{first.isoformat()}' + interval '15 minutes' * floor(s * {step_minutes} / 15)"
    return (
        f"""insert into users (id, email, name)
            select {_id(Kind.USER, "u")}, 'person' || u || '@example.org', 'Person ' || u
            from generate_series(0, {size.users - 1}) u""",
        f"""insert into tokens (id, user_id, kind, token_hash, name, scopes)
            select {_id(Kind.TOKEN, "u")}, {_id(Kind.USER, "u")}, 'USER', sha256(u::text::bytea), 'laptop',
                   array['read', 'write']
            from generate_series(0, {size.users - 1}) u""",
        f"""insert into calendars (id, name)
            select {_id(Kind.CALENDAR, "c")}, 'Calendar ' || c from generate_series(0, {size.calendars - 1}) c""",
        f"""insert into calendar_members (user_id, calendar_id, role)
            select {_id(Kind.USER, f"(c + j * {STRIDE * size.spread}) % {size.users}")}, {_id(Kind.CALENDAR, "c")},
                   case j when 0 then 'OWNER' when 1 then 'WRITER' when 2 then 'FREE_BUSY' else 'READER' end
            from generate_series(0, {size.calendars - 1}) c, generate_series(0, {MEMBERS - 1}) j""",
        f"""insert into resources (id, name, seats)
            select {_id(Kind.RESOURCE, "r")}, 'Room ' || r, 4 + r % 16
            from generate_series(0, {size.rooms}) r""",
        f"""insert into events (id, calendar_id, organizer_id, uid, title, description, location, start_time, end_time,
                                span_end, tzid, rrule)
            select {_id(Kind.EVENT, "n")}, {_id(Kind.CALENDAR, f"c * {size.spread}")},
                   {_id(Kind.USER, f"(c + s % 3 * {STRIDE}) * {size.spread} % {size.users}")},
                   n || '@example.org', 'Planning of week ' || s / 12, 'What was left over, and what is to come.',
                   'Building ' || c % 9, starts, starts + lasts,
                   case when s % 50 <> c % 50 then starts + lasts
                        when s % 150 = c % 50 then 'infinity' else starts + lasts + interval '182 days' end,
                   'Asia/Tokyo',
                   case when s % 50 <> c % 50 then null
                        when s % 150 = c % 50 then 'FREQ=WEEKLY' else 'FREQ=WEEKLY;COUNT=27' end
            from generate_series(0, {SLOTS - 1}) s, generate_series(0, {size.busy - 1}) c,
                 lateral (select s * {size.busy} + c as n, {start} as starts,
                                 interval '15 minutes' * (1 + s % 8) as lasts) t
            order by n""",
        f"""insert into events (id, calendar_id, organizer_id, uid, title, description, location, start_time, end_time,
                                span_end, tzid)
            select {_id(Kind.EVENT, f"{size.events} + s")}, {_id(Kind.CALENDAR, str(listed))},
                   {_id(Kind.USER, str(listed))}, {size.events} + s || '@example.org', 'Planning of day ' || s / 2,
                   'What was left over, and what is to come.', 'Building 1', starts, starts + interval '1 hour',
                   starts + interval '1 hour', 'Asia/Tokyo'
            from generate_series(0, {BUSY_CALENDAR_EVENTS - 1}) s,
                 lateral (select timestamptz '{month.isoformat()}' + interval '13 hours' * s as starts) t
            """,
        f"""insert into attendees (event_id, email, user_id, name, created_at, start_time, span_end)
            select v.id,
                   coalesce('person' || u || '@example.org', 'guest' || n % 999 || '@example.com'),
                   {_id(Kind.USER, "u")}, case when u is null then 'Guest ' || n % 999 end, now(),
                   v.start_time, v.span_end
            from generate_series(0, {size.events + BUSY_CALENDAR_EVENTS - 1}) n
                 join events v on v.id = {_id(Kind.EVENT, "n")},
                 generate_series(0, 4) j,
                 lateral (select case when j < 4 or n % 3 > 0
                                      then (n % {size.busy} * 3 + n / {size.busy} * 11 + j * 101) % {size.users}
                                 end as u) t
            order by n""",
        f"""insert into reservations (id, resource_id, event_id, start_time, end_time, blocked, status)
            select {_id(Kind.RESERVATION, "e.n")}, {_id(Kind.RESOURCE, "e.room")}, v.id, v.start_time, v.end_time,
                   tstzrange(v.start_time, v.end_time), case when e.n % 20 = 0 then 'CANCELLED' else 'CONFIRMED' end
            from (select n, (n + n / {size.busy}) % {size.busy} as room
                  from generate_series(0, {size.events + BUSY_CALENDAR_EVENTS - 1}) n) e
            join events v on v.id = {_id(Kind.EVENT, "e.n")}
            where e.n < {size.events} and e.room < {size.rooms}
            union all
            select {_id(Kind.RESERVATION, f"{size.events} + s")}, {_id(Kind.RESOURCE, str(size.rooms))}, v.id,
                   v.start_time, v.end_time, tstzrange(v.start_time, v.end_time), 'CONFIRMED'
            from generate_series(0, {BUSY_CALENDAR_EVENTS - 1}) s
            join events v on v.id = {_id(Kind.EVENT, f"{size.events} + s")}
            """,
    )


async def _write_changes(connection: Connection, size: Size) -> None:
    """Rows of the change log in transactions of 25, so that their ids are spread as in life."""
    if size.changes:
        await connection.execute(
            f"""do $$ begin
                  for t in 1 .. {size.changes // 25} loop
                    insert into change_log (scope_kind, scope_id, entity, entity_id, op)
                    select 'calendar', {_id(Kind.CALENDAR, f"t % {size.busy} * {size.spread}")},
                           'event', {_id(Kind.EVENT, "t * 25 + k")}, 'update'
                    from generate_series(0, 24) k;
                    commit;
                  end loop;
                end $$"""
        )
