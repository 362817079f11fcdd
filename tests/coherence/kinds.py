"""The things whose values say by whom and when they were written, and the ways in which they are written and looked at.

A kind is a few lines: rows to begin with, the request that writes a value, the requests that show it. What is added to
the cache is added here.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec

from tests.integration.rows import a_calendar, a_room, a_user
from yotei.storage.pool import Database
from yotei.storage.statements import Statement
from yotei.users import tokens

ADMIN: Final = 0
PAIRS_OWNER: Final = 1
MEMBERS: Final = range(2, 8)
"""People who have tokens, by their numbers."""
ROLES: Final = ("READER", "WRITER", "FREE_BUSY")


class Shown(NamedTuple):
    """What an answer shows of a thing, and how often it is in it."""

    value: str
    times: int = 1


class Look(NamedTuple):
    """A request of that person that shows a thing."""

    path: str
    person: int
    shown: Callable[[bytes], Shown]


class Change(NamedTuple):
    """A request of the administrator that writes a value."""

    method: str
    path: str
    body: Mapping[str, Any]


class Thing(msgspec.Struct, frozen=True):
    """One key. Where `change` is None, it is written by `sql` past the application, of which no hint tells."""

    key: str
    ids: tuple[UUID, ...]
    looks: tuple[Look, ...]
    value: Callable[[str, int], str]
    change: Callable[[str], Change] | None = None
    sql: str = ""


class Person(msgspec.Struct, frozen=True):
    id: UUID
    token: str


class _Named(msgspec.Struct, frozen=True):
    name: str


class _Role(msgspec.Struct, frozen=True):
    role: str


class _User(msgspec.Struct, frozen=True):
    id: UUID


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


_named: Final = msgspec.json.Decoder(_Named)
_role: Final = msgspec.json.Decoder(_Role)
_members: Final = msgspec.json.Decoder(_Members)
_calendars: Final = msgspec.json.Decoder(_Calendars)


async def people(database: Database, now: Any) -> tuple[Person, ...]:
    found = []
    for n in range(MEMBERS.stop):
        user_id = await a_user(database, f"Reader {n}", is_admin=n == ADMIN)
        scopes = frozenset({"read", "write", "admin"} if n == ADMIN else {"read"})
        issued = await tokens.issue(database, user_id, name="coherence", scopes=scopes, now=now)
        found.append(Person(user_id, issued[1]))
    return tuple(found)


async def person(database: Database, known: tuple[Person, ...], n: int) -> Thing:
    key = f"person {n}"
    user_id = await a_user(database, f"{key}  0")
    path = f"/api/users/{user_id}"
    return Thing(
        key,
        (user_id,),
        (Look(path, ADMIN, _name),),
        _values(key),
        lambda value: Change("PATCH", path, {"name": value}),
        "update users set name = $2, version = version + 1 where id = any($1)",
    )


async def calendar(database: Database, known: tuple[Person, ...], n: int) -> Thing:
    key = f"calendar {n}"
    calendar_id = await a_calendar(database, {known[ADMIN].id: "OWNER"}, name=f"{key}  0")
    path = f"/api/calendars/{calendar_id}"
    return Thing(
        key,
        (calendar_id,),
        (Look(path, ADMIN, _name),),
        _values(key),
        lambda value: Change("PATCH", path, {"name": value}),
    )


async def room(database: Database, known: tuple[Person, ...], n: int) -> Thing:
    key = f"room {n}"
    room_id = await a_room(database, f"{key}  0")
    path = f"/api/resources/{room_id}"
    return Thing(
        key,
        (room_id,),
        (Look(path, ADMIN, _name),),
        _values(key),
        lambda value: Change("PATCH", path, {"name": value}),
    )


async def role(database: Database, known: tuple[Person, ...], n: int) -> Thing:
    """What somebody is in a calendar: as its owner is told, and as they are told themselves."""
    key = f"role {n}"
    number = MEMBERS[n % len(MEMBERS)]
    member = known[number].id
    calendar_id = await a_calendar(database, {known[ADMIN].id: "OWNER", member: ROLES[0]})
    path = f"/api/calendars/{calendar_id}"

    def among_members(body: bytes) -> Shown:
        roles = [one.role for one in _members.decode(body).members if one.user.id == member]
        return Shown(roles[0] if roles else "", len(roles))

    return Thing(
        key,
        (calendar_id, member),
        (Look(f"{path}/members", ADMIN, among_members), Look(path, number, _own_role)),
        lambda writer, number: ROLES[number % len(ROLES)],
        lambda value: Change("PUT", f"{path}/members/{member}", {"role": value}),
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


KINDS: Final = {"person": person, "calendar": calendar, "room": room, "role": role, "pair": pair}


async def write_by_sql(database: Database, thing: Thing, value: str) -> None:
    await database.execute(Statement(name="tests.write", purpose="a change", sql=thing.sql), list(thing.ids), value)


def _values(key: str) -> Callable[[str, int], str]:
    return lambda writer, number: f"{key} {writer} {number}"


def _name(body: bytes) -> Shown:
    return Shown(_named.decode(body).name)


def _own_role(body: bytes) -> Shown:
    return Shown(_role.decode(body).role)
