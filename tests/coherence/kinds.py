"""The things whose values say by whom and when they were written, and the ways in which they are written and looked at.

A kind is a few lines: rows to begin with, the request that writes a value, the requests that show it. What is added to
the cache is added here.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode
from uuid import UUID

import msgspec

from tests.integration.rows import a_booking, a_calendar, a_room, a_user, an_event
from yotei.storage.pool import Database
from yotei.storage.statements import Statement
from yotei.users import tokens

ADMIN: Final = 0
PAIRS_OWNER: Final = 1
MEMBERS: Final = range(2, 8)
"""People who have tokens, by their numbers."""
FIRST: Final = "2031-03-01T00:00:00Z"
SECOND: Final = "2031-04-01T00:00:00Z"
END: Final = "2031-05-01T00:00:00Z"
"""Events are in one of the two months between these."""
IN_FIRST_CALENDAR: Final = " in the first calendar"
IN_FIRST_MONTH: Final = " in the first month"
IN_SECOND_MONTH: Final = " in the second month"
ELSEWHERE: Final = "elsewhere"
ANSWERS: Final = ("NEEDS_ACTION", "ACCEPTED", "DECLINED", "TENTATIVE")
ROLES: Final = ("READER", "WRITER", "FREE_BUSY")


class Shown(NamedTuple):
    """What an answer shows of a thing, and how often it is in it."""

    value: str
    times: int = 1


class Look(NamedTuple):
    """A request of that person that shows a thing, or that aspect of it. `shown` gives None where nothing could be
    shown for now, and raises ValueError for what it does not understand."""

    path: str
    person: int
    shown: Callable[[bytes], Shown | None]
    aspect: str = ""


class Change(NamedTuple):
    """A request that writes a value."""

    method: str
    path: str
    body: Mapping[str, Any]
    person: int = ADMIN


class Thing(msgspec.Struct, frozen=True):
    """One key. `value` is what its `number`-th write makes of it; `aspects` are the same of what can be seen of it from
    elsewhere, each judged as a key of its own. Where `change` is None, it is written by `sql` past the application, of
    which no hint tells."""

    key: str
    ids: tuple[UUID, ...]
    looks: tuple[Look, ...]
    value: Callable[[str, int], str]
    change: Callable[[str, int], Change] | None = None
    sql: str = ""
    aspects: Mapping[str, Callable[[str, int], str]] = {}

    def values(self, writer: str, number: int) -> dict[str, str]:
        """By key, that of the thing first."""
        seen = {f"{self.key}{aspect}": value(writer, number) for aspect, value in self.aspects.items()}
        return {self.key: self.value(writer, number), **seen}


class Person(msgspec.Struct, frozen=True):
    id: UUID
    token: str


class _Named(msgspec.Struct, frozen=True):
    name: str


class _Role(msgspec.Struct, frozen=True):
    role: str


class _User(msgspec.Struct, frozen=True):
    id: UUID
    name: str


class _Member(msgspec.Struct, frozen=True):
    user: _User
    role: str


class _Members(msgspec.Struct, frozen=True):
    members: list[_Member]


class _Calendar(msgspec.Struct, frozen=True):
    id: UUID
    name: str


class _Calendars(msgspec.Struct, frozen=True):
    calendars: list[_Calendar]


class _Attendee(msgspec.Struct, frozen=True):
    email: str
    response_status: str


class _Organizer(msgspec.Struct, frozen=True):
    name: str


class _Event(msgspec.Struct, frozen=True):
    id: UUID
    calendar_id: UUID
    title: str
    start_time: datetime
    organizer: _Organizer
    attendees: list[_Attendee]


class _Events(msgspec.Struct, frozen=True):
    events: list[_Event]


class _Found(msgspec.Struct, frozen=True):
    name: str | None = None
    title: str | None = None


class _Data(msgspec.Struct, frozen=True):
    it: _Found | None


class _Extensions(msgspec.Struct, frozen=True):
    code: str


class _Error(msgspec.Struct, frozen=True):
    extensions: _Extensions


class _Answered(msgspec.Struct, frozen=True):
    data: _Data | None = None
    errors: tuple[_Error, ...] = ()


class _Period(msgspec.Struct, frozen=True):
    start: datetime


class _Taken(msgspec.Struct, frozen=True):
    busy: list[_Period]


class _Availability(msgspec.Struct, frozen=True):
    resources: list[_Taken]


_answered: Final = msgspec.json.Decoder(_Answered)
_named: Final = msgspec.json.Decoder(_Named)
_role: Final = msgspec.json.Decoder(_Role)
_members: Final = msgspec.json.Decoder(_Members)
_calendars: Final = msgspec.json.Decoder(_Calendars)
_event: Final = msgspec.json.Decoder(_Event)
_availability: Final = msgspec.json.Decoder(_Availability)
_events: Final = msgspec.json.Decoder(_Events)


async def people(database: Database, now: Any) -> tuple[Person, ...]:
    found = []
    for n in range(MEMBERS.stop):
        user_id = await a_user(database, f"Reader {n}", is_admin=n == ADMIN)
        scopes = frozenset({"read", "write", *(["admin"] if n == ADMIN else [])})
        issued = await tokens.issue(database, user_id, name="coherence", scopes=scopes, now=now)
        found.append(Person(user_id, issued[1]))
    return tuple(found)


async def person(database: Database, known: tuple[Person, ...], n: int) -> Thing:
    """By themselves, among who shares a calendar, and as who organises an event."""
    key = f"person {n}"
    user_id = await a_user(database, f"{key}  0")
    calendar_id = await a_calendar(database, {known[ADMIN].id: "OWNER", user_id: "READER"})
    await an_event(database, calendar_id, user_id, _start(n, 0))
    path, in_calendar = f"/api/users/{user_id}", f"/api/calendars/{calendar_id}"

    def among_members(body: bytes) -> Shown:
        return _once(one.user.name for one in _members.decode(body).members if one.user.id == user_id)

    def as_organizer(body: bytes) -> Shown:
        return _once(one.organizer.name for one in _events.decode(body).events)

    return Thing(
        key,
        (user_id,),
        (
            Look(path, ADMIN, _name),
            _by_graphql("user", user_id, "name"),
            Look(f"{in_calendar}/members", ADMIN, among_members),
            Look(f"{in_calendar}/events?start={FIRST}&end={END}", ADMIN, as_organizer),
        ),
        _values(key),
        lambda value, number: Change("PATCH", path, {"name": value}),
        "update users set name = $2, version = version + 1 where id = any($1)",
    )


async def calendar(database: Database, known: tuple[Person, ...], n: int) -> Thing:
    key = f"calendar {n}"
    calendar_id = await a_calendar(database, {known[ADMIN].id: "OWNER"}, name=f"{key}  0")
    path = f"/api/calendars/{calendar_id}"
    return Thing(
        key,
        (calendar_id,),
        (Look(path, ADMIN, _name), _by_graphql("calendar", calendar_id, "name")),
        _values(key),
        lambda value, number: Change("PATCH", path, {"name": value}),
    )


async def room(database: Database, known: tuple[Person, ...], n: int) -> Thing:
    key = f"room {n}"
    room_id = await a_room(database, f"{key}  0")
    path = f"/api/resources/{room_id}"
    return Thing(
        key,
        (room_id,),
        (Look(path, ADMIN, _name), _by_graphql("resource", room_id, "name")),
        _values(key),
        lambda value, number: Change("PATCH", path, {"name": value}),
        "update resources set name = $2, version = version + 1 where id = any($1)",
    )


async def role(database: Database, known: tuple[Person, ...], n: int) -> Thing:
    """What somebody is in a calendar: as its owner is told, and as they are told themselves."""
    key = f"role {n}"
    number = MEMBERS[n % len(MEMBERS)]
    member = known[number].id
    calendar_id = await a_calendar(database, {known[ADMIN].id: "OWNER", member: ROLES[0]})
    path = f"/api/calendars/{calendar_id}"

    def among_members(body: bytes) -> Shown:
        return _once(one.role for one in _members.decode(body).members if one.user.id == member)

    return Thing(
        key,
        (calendar_id, member),
        (Look(f"{path}/members", ADMIN, among_members), Look(path, number, _own_role)),
        lambda writer, number: ROLES[number % len(ROLES)],
        lambda value, number: Change("PUT", f"{path}/members/{member}", {"role": value}),
    )


async def pair(database: Database, known: tuple[Person, ...], n: int) -> Thing:
    """Two calendars that one transaction renames: whoever lists both sees both new, or both old."""
    key = f"pair {n}"
    owner = {known[PAIRS_OWNER].id: "OWNER"}
    ids = tuple([await a_calendar(database, owner, name=f"{key}  0") for _ in range(2)])

    def both(body: bytes) -> Shown:
        names = [one.name for one in _calendars.decode(body).calendars if one.id in ids]
        return Shown(" / ".join(dict.fromkeys(names)), len(names) - 1)

    return Thing(
        key,
        ids,
        (Look("/api/calendars?limit=500", PAIRS_OWNER, both),),
        _values(key),
        sql="update calendars set name = $2, version = version + 1 where id = any($1)",
    )


async def event(database: Database, known: tuple[Person, ...], n: int) -> Thing:
    """An event that every write renames and moves from one month to the other: a list of both has it once."""
    key = f"event {n}"
    number = MEMBERS[n % len(MEMBERS)]
    calendar_id = await a_calendar(database, {known[ADMIN].id: "OWNER"})
    start = _start(n, 0)
    event_id = await an_event(
        database, calendar_id, known[ADMIN].id, start, title=f"{key}  0", attendees=(known[number].id,)
    )

    def in_list(body: bytes) -> Shown:
        return _once(one.title for one in _events.decode(body).events if one.id == event_id)

    def in_month(body: bytes) -> Shown:
        return in_list(body) if str(event_id).encode() in body else Shown(ELSEWHERE)

    def moved(value: str, number: int) -> Change:
        at = _start(n, number)
        times = {"start_time": at.isoformat(), "end_time": (at + timedelta(hours=1)).isoformat()}
        return Change("PATCH", f"/api/events/{event_id}", {"title": value, **times})

    value, list_path = _values(key), f"/api/calendars/{calendar_id}/events"
    return Thing(
        key,
        (event_id,),
        (
            Look(f"/api/events/{event_id}", ADMIN, lambda body: Shown(_event.decode(body).title)),
            _by_graphql("event", event_id, "title"),
            Look(f"{list_path}?start={FIRST}&end={END}", ADMIN, in_list),
            Look(f"{list_path}?start={FIRST}&end={SECOND}", ADMIN, in_month, IN_FIRST_MONTH),
            Look(f"{list_path}?start={SECOND}&end={END}", ADMIN, in_month, IN_SECOND_MONTH),
            Look(f"/api/users/me/agenda?start={FIRST}&end={END}&limit=500", number, in_list),
        ),
        value,
        moved,
        aspects={
            IN_FIRST_MONTH: lambda writer, number: ELSEWHERE if number % 2 else value(writer, number),
            IN_SECOND_MONTH: lambda writer, number: value(writer, number) if number % 2 else ELSEWHERE,
        },
    )


async def answer(database: Database, known: tuple[Person, ...], n: int) -> Thing:
    """What somebody says to an invitation."""
    key = f"answer {n}"
    number = MEMBERS[n % len(MEMBERS)]
    invited = known[number].id
    calendar_id = await a_calendar(database, {known[ADMIN].id: "OWNER"})
    event_id = await an_event(database, calendar_id, known[ADMIN].id, _start(n, 0), attendees=(invited,))
    path = f"/api/events/{event_id}"

    def of(event: _Event) -> Shown:
        return _once(one.response_status for one in event.attendees)

    def in_list(body: bytes) -> Shown:
        found = [one for one in _events.decode(body).events if one.id == event_id]
        return of(found[0]) if len(found) == 1 else Shown("", len(found))

    return Thing(
        key,
        (event_id,),
        (
            Look(path, ADMIN, lambda body: of(_event.decode(body))),
            Look(f"/api/calendars/{calendar_id}/events?start={FIRST}&end={END}", ADMIN, in_list),
        ),
        lambda writer, number: ANSWERS[number % len(ANSWERS)],
        lambda value, _: Change("POST", f"{path}/rsvp", {"response_status": value}, number),
    )


async def place(database: Database, known: tuple[Person, ...], n: int) -> Thing:
    """Which of two calendars an event is in: the agenda of who shares both has it once."""
    number = MEMBERS[n % len(MEMBERS)]
    members = {known[ADMIN].id: "OWNER", known[number].id: "READER"}
    calendars = [await a_calendar(database, members) for _ in range(2)]
    event_id = await an_event(database, calendars[0], known[ADMIN].id, _start(n, 0))
    path = f"/api/events/{event_id}"

    def in_agenda(body: bytes) -> Shown:
        return _once(str(one.calendar_id) for one in _events.decode(body).events if one.id == event_id)

    def in_first(body: bytes) -> Shown:
        return Shown(str(len(_events.decode(body).events)))

    return Thing(
        f"place {n}",
        (event_id,),
        (
            Look(path, ADMIN, lambda body: Shown(str(_event.decode(body).calendar_id))),
            Look(f"/api/users/me/agenda?start={FIRST}&end={END}&limit=500", number, in_agenda),
            Look(f"/api/calendars/{calendars[0]}/events?start={FIRST}&end={END}", ADMIN, in_first, IN_FIRST_CALENDAR),
        ),
        lambda writer, number: str(calendars[number % 2]),
        lambda value, _: Change("POST", f"{path}/move", {"calendar_id": value}),
        aspects={IN_FIRST_CALENDAR: lambda writer, number: str(1 - number % 2)},
    )


async def booking(database: Database, known: tuple[Person, ...], n: int) -> Thing:
    """When a room is taken by an event that goes from one day to the other: it is taken once."""
    calendar_id = await a_calendar(database, {known[ADMIN].id: "OWNER"})
    room_id = await a_room(database, f"booked {n}")
    event_id = await an_event(database, calendar_id, known[ADMIN].id, _taken_from(0))
    await a_booking(database, room_id, event_id, _taken_from(0))
    path, window = f"/api/events/{event_id}", "start=2031-03-03T00:00:00Z&end=2031-03-05T00:00:00Z&tz=UTC"

    def taken(body: bytes) -> Shown:
        (one,) = _availability.decode(body).resources
        return _once(period.start.isoformat() for period in one.busy)

    def moved(value: str, number: int) -> Change:
        end = _taken_from(number) + timedelta(hours=1)
        return Change("PATCH", path, {"start_time": value, "end_time": end.isoformat()})

    return Thing(
        f"booking {n}",
        (event_id,),
        (
            Look(f"{path}?tz=UTC", ADMIN, lambda body: Shown(_event.decode(body).start_time.isoformat())),
            Look(f"/api/resources/availability?resource_ids={room_id}&{window}", ADMIN, taken),
        ),
        lambda writer, number: _taken_from(number).isoformat(),
        moved,
    )


KINDS: Final = {
    "person": person,
    "calendar": calendar,
    "room": room,
    "role": role,
    "pair": pair,
    "event": event,
    "answer": answer,
}


async def write_by_sql(database: Database, thing: Thing, value: str) -> None:
    await database.execute(Statement(name="tests.write", purpose="a change", sql=thing.sql), list(thing.ids), value)


def _start(n: int, number: int) -> datetime:
    """Of an event that was written so often: it changes months each time."""
    return datetime(2031, 3 + number % 2, 2 + n % 26, 9, tzinfo=UTC)


def _taken_from(number: int) -> datetime:
    return datetime(2031, 3, 3 + number % 2, tzinfo=UTC) + timedelta(minutes=number)


def _once(values: Iterable[str]) -> Shown:
    """What should be there once."""
    found = list(values)
    return Shown(found[0] if found else "", len(found))


def _values(key: str) -> Callable[[str, int], str]:
    return lambda writer, number: f"{key} {writer} {number}"


def _by_graphql(field: str, id_: UUID, name: str) -> Look:
    def shown(body: bytes) -> Shown | None:
        answered = _answered.decode(body)
        if any(one.extensions.code != "unavailable" for one in answered.errors):
            raise ValueError("errors")
        found = None if answered.data is None else answered.data.it
        return None if found is None else Shown(getattr(found, name) or "")

    return Look("/graphql?" + urlencode({"query": f'{{it:{field}(id:"{id_}"){{{name}}}}}'}), ADMIN, shown)


def _name(body: bytes) -> Shown:
    return Shown(_named.decode(body).name)


def _own_role(body: bytes) -> Shown:
    return Shown(_role.decode(body).role)
