"""Writes by plain SQL: every operation on every table that is logged, in the ways that matter to what is cached.

Each is one statement without parameters, made of what is there and of numbers that are drawn, so that two can be one.
"""
# ruff: noqa: S608, every value put into SQL here is one of this module

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar
from uuid import UUID

from tests.property.cache.units import Row, Rows

T = TypeVar("T")

_FIRST: Final = datetime(2027, 1, 31, 22, tzinfo=UTC)
STARTS: Final = (
    _FIRST,
    datetime(2027, 2, 1, tzinfo=UTC),
    datetime(2027, 2, 15, 10, tzinfo=UTC),
    datetime(2027, 2, 28, 23, 59, 59, 999_999, tzinfo=UTC),
    datetime(2027, 4, 10, 10, tzinfo=UTC),
    datetime(2027, 5, 31, 23, tzinfo=UTC),
    datetime(2027, 7, 1, tzinfo=UTC),
    datetime(2027, 8, 20, 10, tzinfo=UTC),
)
LENGTHS: Final = tuple(timedelta(hours=n) for n in (0, 1, 2, 30, 700))
REACHES: Final = (timedelta(), timedelta(days=20), timedelta(days=100), None)
"""How long a series goes on after its first instance; None is for ever."""


class Draw:
    """What is there, and numbers to choose by; where they end, zeros."""

    def __init__(self, rows: Rows, numbers: Iterable[int], *, id_from: int) -> None:
        self.rows = rows
        self._numbers = iter(numbers)
        self._id = id_from

    def number(self, below: int) -> int:
        return next(self._numbers, 0) % below

    def one_of(self, things: Sequence[T]) -> T:
        """Raises NothingThere where there is nothing."""
        if not things:
            raise NothingThere
        return things[self.number(len(things))]

    def row(self, table: str) -> Row:
        return self.one_of(self.rows[table])

    def id_in(self, table: str) -> str:
        return quoted(self.row(table)["id"])

    def new_id(self) -> UUID:
        self._id += 1
        return UUID(int=self._id)

    def start(self) -> datetime:
        return self.one_of(STARTS)

    def length(self) -> timedelta:
        return self.one_of(LENGTHS)


class NothingThere(Exception):
    """This write needs a row that is not there."""


Write = Callable[[Draw], str]
WRITES: Final[dict[str, tuple[str, str, Write]]] = {}
"""What is done -> the table, the operation, and the statement."""


def quoted(value: object) -> str:
    return "null" if value is None else f"'{value}'"


def _writes(table: str, operation: str) -> Callable[[Write], Write]:
    def keep(write: Write) -> Write:
        WRITES[write.__name__] = (table, operation, write)
        return write

    return keep


def _master(draw: Draw) -> Row:
    return draw.one_of(
        [row for row in draw.rows["events"] if row["series_id"] is None and row["recurrence_id"] is None]
    )


def _exception(draw: Draw) -> Row:
    return draw.one_of([row for row in draw.rows["events"] if row["series_id"] is not None])


def _insert(table: str, **fields: object) -> str:
    return f"insert into {table} ({', '.join(fields)}) values ({', '.join(map(quoted, fields.values()))})"


def _event(draw: Draw, *, lasts: timedelta, ends_after: timedelta | None, **fields: object) -> str:
    id_, start = draw.new_id(), draw.start()
    end = start + lasts
    return _insert(
        "events",
        **{
            "id": id_,
            "uid": id_,
            "title": "Planning",
            "calendar_id": draw.row("calendars")["id"],
            "organizer_id": draw.row("users")["id"],
            "start_time": start,
            "end_time": end,
            "span_end": "infinity" if ends_after is None else end + ends_after,
            **fields,
        },
    )


@_writes("events", "insert")
def insert_single(draw: Draw) -> str:
    return _event(draw, lasts=draw.length(), ends_after=timedelta())


@_writes("events", "insert")
def insert_series(draw: Draw) -> str:
    return _event(draw, lasts=draw.length(), ends_after=draw.one_of(REACHES), rrule="FREQ=DAILY")


@_writes("events", "insert")
def insert_exception(draw: Draw) -> str:
    master = _master(draw)
    of = {"series_id": master["id"], "recurrence_id": draw.start(), "calendar_id": master["calendar_id"]}
    return _event(draw, lasts=draw.length(), ends_after=timedelta(), **of)


@_writes("events", "insert")
def insert_exception_elsewhere(draw: Draw) -> str:
    of = {"series_id": _master(draw)["id"], "recurrence_id": draw.start()}
    return _event(draw, lasts=draw.length(), ends_after=timedelta(), **of)


@_writes("events", "insert")
def insert_exception_that_moves_what_follows(draw: Draw) -> str:
    master = _master(draw)
    of = {"series_id": master["id"], "recurrence_id": draw.start(), "calendar_id": master["calendar_id"]}
    return _event(draw, lasts=draw.length(), ends_after=draw.one_of(REACHES), this_and_future=True, **of)


@_writes("events", "insert")
def insert_exception_without_series(draw: Draw) -> str:
    return _event(draw, lasts=draw.length(), ends_after=timedelta(), recurrence_id=draw.start())


@_writes("events", "update")
def retitle(draw: Draw) -> str:
    return f"update events set title = title || '.' where id = {draw.id_in('events')}"


@_writes("events", "update")
def retitle_exception(draw: Draw) -> str:
    return f"update events set title = title || '.' where id = {quoted(_exception(draw)['id'])}"


@_writes("events", "update")
def retitle_all(draw: Draw) -> str:
    return "update events set title = title || '.'"


@_writes("events", "update")
def move(draw: Draw) -> str:
    by = f"{quoted(draw.start())}::timestamptz - start_time"
    return (
        f"update events set start_time = start_time + ({by}), end_time = end_time + ({by}), "
        f"span_end = span_end + ({by}) where id = {draw.id_in('events')}"
    )


@_writes("events", "update")
def lengthen(draw: Draw) -> str:
    end = f"start_time + interval '{draw.length().total_seconds()} s'"
    return (
        f"update events set end_time = {end}, span_end = greatest(span_end, {end}) "
        f"where id = {quoted(_master(draw)['id'])}"
    )


@_writes("events", "update")
def reach_further(draw: Draw) -> str:
    after = draw.one_of(REACHES)
    end = "'infinity'" if after is None else f"end_time + interval '{after.days} days'"
    return f"update events set span_end = {end} where id = {draw.id_in('events')}"


@_writes("events", "update")
def recur(draw: Draw) -> str:
    rrule = draw.one_of(["rrule = 'FREQ=DAILY'", "rrule = null", "rdates = array[start_time]", "rdates = '{}'"])
    return f"update events set {rrule} where id = {quoted(_master(draw)['id'])}"


@_writes("events", "update")
def delete_softly(draw: Draw) -> str:
    return f"update events set deleted_at = now() where id = {draw.id_in('events')}"


@_writes("events", "update")
def delete_series_softly(draw: Draw) -> str:
    master = quoted(_master(draw)["id"])
    return f"update events set deleted_at = now() where {master} in (id, series_id)"


@_writes("events", "update")
def restore(draw: Draw) -> str:
    event = draw.one_of([row for row in draw.rows["events"] if row["deleted_at"] is not None])
    return f"update events set deleted_at = null where id = {quoted(event['id'])}"


@_writes("events", "update")
def move_elsewhere(draw: Draw) -> str:
    return f"update events set calendar_id = {draw.id_in('calendars')} where id = {draw.id_in('events')}"


@_writes("events", "update")
def move_series_elsewhere(draw: Draw) -> str:
    master = quoted(_master(draw)["id"])
    return f"update events set calendar_id = {draw.id_in('calendars')} where {master} in (id, series_id)"


@_writes("events", "update")
def organise(draw: Draw) -> str:
    return f"update events set organizer_id = {draw.id_in('users')} where id = {draw.id_in('events')}"


@_writes("events", "update")
def move_elsewhere_at_once_for_another_organizer(draw: Draw) -> str:
    start, end = (f"{field} + interval '{draw.number(3) * 30} days'" for field in ("start_time", "span_end"))
    return (
        f"update events set calendar_id = {draw.id_in('calendars')}, organizer_id = {draw.id_in('users')}, "
        f"start_time = least({start}, end_time), span_end = greatest({end}, end_time) where id = {draw.id_in('events')}"
    )


@_writes("events", "update")
def replace_another_instance(draw: Draw) -> str:
    return (
        f"update events set recurrence_id = {quoted(draw.start())}, this_and_future = {draw.number(2) > 0} "
        f"where id = {quoted(_exception(draw)['id'])}"
    )


@_writes("events", "update")
def belong_to_another_series(draw: Draw) -> str:
    series = draw.one_of([None, _master(draw)["id"]])
    exception = draw.one_of([row for row in draw.rows["events"] if row["recurrence_id"] is not None])
    return f"update events set series_id = {quoted(series)} where id = {quoted(exception['id'])}"


@_writes("events", "update")
def be_called_another_id(draw: Draw) -> str:
    return f"update events set id = {quoted(draw.new_id())} where id = {draw.id_in('events')}"


@_writes("events", "delete")
def delete_event(draw: Draw) -> str:
    return f"delete from events where id = {draw.id_in('events')}"


@_writes("events", "delete")
def delete_exception(draw: Draw) -> str:
    return f"delete from events where id = {quoted(_exception(draw)['id'])}"


@_writes("attendees", "insert")
def invite(draw: Draw) -> str:
    user = draw.one_of([None, *(row["id"] for row in draw.rows["users"])])
    return _insert("attendees", event_id=draw.row("events")["id"], email=f"{draw.new_id()}@x", user_id=user)


def _attendee(draw: Draw) -> tuple[Row, str]:
    row = draw.row("attendees")
    return row, f"event_id = {quoted(row['event_id'])} and email = {quoted(row['email'])}"


@_writes("attendees", "update")
def answer(draw: Draw) -> str:
    return f"update attendees set response_status = 'ACCEPTED', comment = 'Yes' where {_attendee(draw)[1]}"


@_writes("attendees", "update")
def come_to_be_known(draw: Draw) -> str:
    user = draw.one_of([None, *(row["id"] for row in draw.rows["users"])])
    return f"update attendees set user_id = {quoted(user)} where {_attendee(draw)[1]}"


@_writes("attendees", "update")
def change_address(draw: Draw) -> str:
    return f"update attendees set email = '{draw.new_id()}@x' where {_attendee(draw)[1]}"


@_writes("attendees", "update")
def go_to_another_event(draw: Draw) -> str:
    return f"update attendees set event_id = {draw.id_in('events')} where {_attendee(draw)[1]}"


@_writes("attendees", "delete")
def uninvite(draw: Draw) -> str:
    return f"delete from attendees where {_attendee(draw)[1]}"


@_writes("attendees", "delete")
def uninvite_all(draw: Draw) -> str:
    return f"delete from attendees where event_id = {draw.id_in('events')}"


@_writes("event_resources", "insert")
def want(draw: Draw) -> str:
    until = draw.one_of([None, *STARTS])
    series = [row for row in draw.rows["events"] if row["rrule"] is not None]
    return _insert(
        "event_resources",
        event_id=draw.one_of([draw.row("events"), *series])["id"],
        resource_id=draw.row("resources")["id"],
        booked_until=until,
    )


def _wish(draw: Draw) -> str:
    row = draw.row("event_resources")
    return f"event_id = {quoted(row['event_id'])} and resource_id = {quoted(row['resource_id'])}"


@_writes("event_resources", "update")
def book_further(draw: Draw) -> str:
    return f"update event_resources set booked_until = {quoted(draw.one_of([None, *STARTS]))} where {_wish(draw)}"


@_writes("event_resources", "update")
def want_for_another_event(draw: Draw) -> str:
    return f"update event_resources set event_id = {draw.id_in('events')} where {_wish(draw)}"


@_writes("event_resources", "delete")
def want_no_longer(draw: Draw) -> str:
    return f"delete from event_resources where {_wish(draw)}"


@_writes("reservations", "insert")
def reserve(draw: Draw) -> str:
    event, start, id_ = draw.row("events"), draw.start(), draw.new_id()
    end = start + draw.one_of(LENGTHS[1:4])
    return _insert(
        "reservations",
        id=id_,
        resource_id=draw.row("resources")["id"],
        unit=id_.int % 1_000 + 1,
        event_id=event["id"],
        recurrence_id=draw.one_of([None, start, event["start_time"]]),
        start_time=start,
        end_time=end,
        blocked=f"[{start},{end})",
        status=draw.one_of(["CONFIRMED", "MISSED", "CANCELLED"]),
    )


@_writes("reservations", "update")
def cancel_or_miss(draw: Draw) -> str:
    status = draw.one_of(["CANCELLED", "MISSED", "CONFIRMED"])
    return f"update reservations set status = '{status}' where id = {draw.id_in('reservations')}"


@_writes("reservations", "update")
def reserve_another_time(draw: Draw) -> str:
    start = draw.start()
    end = start + draw.one_of(LENGTHS[1:])
    return (
        f"update reservations set start_time = '{start}', end_time = '{end}', blocked = tstzrange('{start}', '{end}'), "
        f"recurrence_id = {quoted(draw.one_of([None, start]))} where id = {draw.id_in('reservations')}"
    )


@_writes("reservations", "update")
def reserve_for_another(draw: Draw) -> str:
    return (
        f"update reservations set event_id = {draw.id_in('events')}, resource_id = {draw.id_in('resources')} "
        f"where id = {draw.id_in('reservations')}"
    )


@_writes("reservations", "delete")
def release(draw: Draw) -> str:
    return f"delete from reservations where event_id = {quoted(draw.row('reservations')['event_id'])}"


@_writes("calendars", "insert")
def insert_calendar(draw: Draw) -> str:
    return _insert("calendars", id=draw.new_id(), name="New")


@_writes("calendars", "update")
def rename_calendar(draw: Draw) -> str:
    return f"update calendars set name = name || '.' where id = {draw.id_in('calendars')}"


@_writes("calendars", "update")
def delete_or_restore_calendar(draw: Draw) -> str:
    deleted = draw.one_of(["now()", "null"])
    return f"update calendars set deleted_at = {deleted} where id = {draw.id_in('calendars')}"


@_writes("calendars", "update")
def call_calendar_another_id(draw: Draw) -> str:
    return f"update calendars set id = {quoted(draw.new_id())} where id = {draw.id_in('calendars')}"


@_writes("calendars", "delete")
def delete_calendar(draw: Draw) -> str:
    return f"delete from calendars where id = {draw.id_in('calendars')}"


@_writes("calendar_members", "insert")
def share(draw: Draw) -> str:
    return _insert(
        "calendar_members",
        calendar_id=draw.row("calendars")["id"],
        user_id=draw.row("users")["id"],
        role=draw.one_of(["READER", "WRITER"]),
    )


def _member(draw: Draw) -> str:
    row = draw.row("calendar_members")
    return f"calendar_id = {quoted(row['calendar_id'])} and user_id = {quoted(row['user_id'])}"


@_writes("calendar_members", "update")
def change_role(draw: Draw) -> str:
    return f"update calendar_members set role = 'FREE_BUSY' where {_member(draw)}"


@_writes("calendar_members", "update")
def hand_over_membership(draw: Draw) -> str:
    to = draw.one_of([f"user_id = {draw.id_in('users')}", f"calendar_id = {draw.id_in('calendars')}"])
    return f"update calendar_members set {to} where {_member(draw)}"


@_writes("calendar_members", "delete")
def leave(draw: Draw) -> str:
    return f"delete from calendar_members where {_member(draw)}"


@_writes("users", "insert")
def insert_user(draw: Draw) -> str:
    id_ = draw.new_id()
    return _insert("users", id=id_, email=f"{id_}@example.org", name="Cleo")


@_writes("users", "update")
def rename_user(draw: Draw) -> str:
    return f"update users set name = name || '.' where id = {draw.id_in('users')}"


@_writes("users", "update")
def call_user_another_id(draw: Draw) -> str:
    return f"update users set id = {quoted(draw.new_id())} where id = {draw.id_in('users')}"


@_writes("users", "delete")
def delete_user(draw: Draw) -> str:
    return f"delete from users where id = {draw.id_in('users')}"


@_writes("tokens", "insert")
def insert_token(draw: Draw) -> str:
    id_ = draw.new_id()
    return (
        "insert into tokens (id, user_id, kind, token_hash, name, scopes) "
        f"values ('{id_}', {draw.id_in('users')}, 'USER', sha256('{id_}'), 'laptop', array['read'])"
    )


@_writes("tokens", "update")
def change_token(draw: Draw) -> str:
    changed = draw.one_of(
        [
            "revoked_at = now()",
            f"user_id = {draw.id_in('users')}",
            f"token_hash = sha256('{draw.new_id()}')",
            f"id = {quoted(draw.new_id())}",
        ]
    )
    return f"update tokens set {changed} where id = {draw.id_in('tokens')}"


@_writes("tokens", "delete")
def delete_token(draw: Draw) -> str:
    return f"delete from tokens where id = {draw.id_in('tokens')}"


@_writes("resources", "insert")
def insert_resource(draw: Draw) -> str:
    return _insert("resources", id=draw.new_id(), name="Haru")


@_writes("resources", "update")
def change_resource(draw: Draw) -> str:
    changed = draw.one_of(["name = name || '.'", "deleted_at = now()", "deleted_at = null"])
    return f"update resources set {changed} where id = {draw.id_in('resources')}"


@_writes("resources", "update")
def call_resource_another_id(draw: Draw) -> str:
    return f"update resources set id = {quoted(draw.new_id())} where id = {draw.id_in('resources')}"


@_writes("resources", "delete")
def delete_resource(draw: Draw) -> str:
    is_named = {row["resource_id"] for table in ("event_resources", "reservations") for row in draw.rows[table]}
    resource = draw.one_of([row for row in draw.rows["resources"] if row["id"] not in is_named])
    return f"delete from resources where id = {quoted(resource['id'])}"


@_writes("resource_members", "insert")
def insert_booker(draw: Draw) -> str:
    named = {"resource_id": draw.row("resources")["id"], "user_id": draw.row("users")["id"]}
    return _insert("resource_members", **named, role="BOOKER")


@_writes("resource_members", "update")
def promote_booker(draw: Draw) -> str:
    return f"update resource_members set role = 'MANAGER' where user_id = {draw.id_in('users')}"


@_writes("resource_members", "delete")
def delete_booker(draw: Draw) -> str:
    return f"delete from resource_members where user_id = {draw.id_in('users')}"


@_writes("event_user_state", "insert")
def colour(draw: Draw) -> str:
    return _insert("event_user_state", event_id=draw.row("events")["id"], user_id=draw.row("users")["id"])


@_writes("event_user_state", "update")
def hide(draw: Draw) -> str:
    return f"update event_user_state set is_hidden = true where user_id = {draw.id_in('users')}"


@_writes("event_user_state", "delete")
def forget_colour(draw: Draw) -> str:
    return f"delete from event_user_state where user_id = {draw.id_in('users')}"
