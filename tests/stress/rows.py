"""What is in the database when all is done, read past the product: by statements of its own, in one snapshot."""

from datetime import datetime
from functools import cached_property
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

import asyncpg
import msgspec
from asyncpg import Record

# A sweep over each resource: who comes counts one up, who goes one down, and who goes comes first. It knows nothing of
# units, exclusion constraints or ranges that overlap.
OVERLAPS: Final = """
select s.resource_id, s.at, s.taken, r.concurrent_bookings
from (select resource_id, at, sum(step) over (partition by resource_id order by at, step) as taken
      from (select resource_id, lower(blocked) as at, 1 as step from reservations where status = 'CONFIRMED'
            union all
            select resource_id, upper(blocked), -1 from reservations where status = 'CONFIRMED') b) s
join resources r on r.id = s.resource_id
where s.taken > r.concurrent_bookings
order by s.resource_id, s.at"""

_EVENTS: Final = """
select id, calendar_id, version, title, start_time, end_time, tzid, all_day, status, rrule, exdates, series_id,
       recurrence_id, deleted_at is not null as is_deleted
from events"""

_GUESTS: Final = "select event_id, email, user_id, response_status from attendees"
_WISHES: Final = "select event_id, resource_id, booked_until from event_resources"
_RESERVATIONS: Final = """
select event_id, resource_id, recurrence_id, start_time, end_time, lower(blocked), upper(blocked), status
from reservations"""
_KEPT: Final = "select user_id, key, status, body, xmin::text::bigint as xid from idempotency_keys"
_LOG: Final = """
select seq, xid::xid::text::bigint as xid, actor_id, scope_id, entity, entity_id, user_id, op, fields
from change_log where scope_kind = 'calendar' and entity in ('event', 'attendee', 'booking', 'reservation')
order by seq"""
_ROOMS: Final = "select id, setup_minutes, teardown_minutes, tzid from resources"


class Guest(msgspec.Struct, frozen=True):
    """A row of `attendees`."""

    email: str
    user_id: UUID | None
    response_status: str


class Wish(msgspec.Struct, frozen=True):
    """A row of `event_resources`."""

    resource_id: UUID
    booked_until: datetime | None


class Reservation(msgspec.Struct, frozen=True):
    """A row of `reservations`."""

    resource_id: UUID
    recurrence_id: datetime | None
    start_time: datetime
    end_time: datetime
    blocked_from: datetime
    blocked_until: datetime
    status: str


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `events` with all that hangs on it."""

    id: UUID
    calendar_id: UUID
    version: int
    title: str
    start_time: datetime
    end_time: datetime
    tzid: str | None
    all_day: bool
    status: str
    rrule: str | None
    exdates: tuple[datetime, ...]
    series_id: UUID | None
    recurrence_id: datetime | None
    is_deleted: bool
    attendees: tuple[Guest, ...] = ()
    wishes: tuple[Wish, ...] = ()
    reservations: tuple[Reservation, ...] = ()

    @property
    def recurs(self) -> bool:
        return self.rrule is not None

    @property
    def takes_place(self) -> bool:
        return not self.is_deleted and self.status != "CANCELLED"

    @property
    def held(self) -> frozenset[UUID]:
        """The rooms that it has, for some instance at least."""
        return frozenset(one.resource_id for one in self.reservations if one.status == "CONFIRMED")


class Kept(msgspec.Struct, frozen=True):
    """A row of `idempotency_keys`: a request that was done, and the transaction that did it."""

    user_id: UUID
    key: str
    status: int
    body_hash: bytes
    xid: int


class Logged(msgspec.Struct, frozen=True):
    """A row of `change_log` about events of a calendar. `fields` are the columns that an update changed."""

    seq: int
    xid: int
    actor_id: UUID | None
    scope_id: UUID
    entity: str
    entity_id: UUID
    user_id: UUID | None
    op: str
    fields: frozenset[str] | None


class Room(msgspec.Struct, frozen=True):
    """A resource: what it blocks around a booking, and its clock."""

    id: UUID
    setup_minutes: int
    teardown_minutes: int
    tzid: str


class Rows(msgspec.Struct, frozen=True, dict=True):
    """All of it; `overlaps` are moments at which a resource is taken more often than it can be."""

    events: dict[UUID, Event]
    kept: tuple[Kept, ...]
    log: tuple[Logged, ...]
    rooms: dict[UUID, Room]
    emails: dict[UUID | None, str]
    overlaps: tuple[str, ...]
    deadlocks: int

    @cached_property
    def replaced(self) -> dict[UUID, frozenset[datetime]]:
        """Instances of series that have an exception of their own."""
        found: dict[UUID, set[datetime]] = {}
        for one in self.events.values():
            if one.series_id is not None and one.recurrence_id is not None and not one.is_deleted:
                found.setdefault(one.series_id, set()).add(one.recurrence_id)
        return {id_: frozenset(instances) for id_, instances in found.items()}


async def read(url: str) -> Rows:
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            return await _read(connection)
    finally:
        await connection.close()


async def _read(connection: "asyncpg.Connection[Record]") -> Rows:
    hung: dict[UUID, dict[str, list[Any]]] = {}
    for name, sql, kind in (
        ("attendees", _GUESTS, Guest),
        ("wishes", _WISHES, Wish),
        ("reservations", _RESERVATIONS, Reservation),
    ):
        for row in await connection.fetch(sql):
            event_id, *values = row.values()
            hung.setdefault(event_id, {}).setdefault(name, []).append(kind(*values))
    events = {}
    for row in await connection.fetch(_EVENTS):
        more: Any = {name: tuple(values) for name, values in hung.get(row["id"], {}).items()}
        events[row["id"]] = Event(**{**row, "exdates": tuple(row["exdates"])}, **more)
    kept = tuple(
        Kept(row["user_id"], row["key"], row["status"], sha256(row["body"]).digest(), row["xid"])
        for row in await connection.fetch(_KEPT)
    )
    log = tuple(
        Logged(**{**row, "fields": None if row["fields"] is None else frozenset(row["fields"])})
        for row in await connection.fetch(_LOG)
    )
    rooms = {row["id"]: Room(*row.values()) for row in await connection.fetch(_ROOMS)}
    emails = {row["id"]: row["email"] for row in await connection.fetch("select id, email from users")}
    overlaps = tuple(
        f"{row['resource_id']} at {row['at']}: {row['taken']} of {row['concurrent_bookings']}"
        for row in await connection.fetch(OVERLAPS)
    )
    return Rows(events, kept, log, rooms, emails, overlaps, await deadlocks(connection))


async def deadlocks(connection: "asyncpg.Connection[Record]") -> int:
    """Those that PostgreSQL has seen in this database since it was made."""
    found: int = await connection.fetchval(
        "select coalesce(deadlocks, 0) from pg_stat_database where datname = current_database()"
    )
    return found
