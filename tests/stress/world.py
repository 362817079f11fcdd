"""What stress programs begin with: people with tokens, calendars that all of them may write, rooms of many kinds."""

import json
import random
from datetime import UTC, datetime, time, timedelta
from typing import Final
from uuid import UUID

import msgspec

from tests.integration.rows import a_calendar, a_room, a_user
from yotei.storage.pool import Database
from yotei.users import tokens

ZONES: Final = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Tokyo")
HOT_ROOMS: Final = 8
OPEN: Final = json.dumps({day: [["06:00", "20:00"]] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")})


class Person(msgspec.Struct, frozen=True):
    """A client of the server."""

    id: UUID
    email: str
    token: str


class Room(msgspec.Struct, frozen=True):
    """A resource: how many bookings it takes at once, and what it blocks around one."""

    id: UUID
    units: int = 1
    setup_minutes: int = 0
    teardown_minutes: int = 0
    tzid: str = "UTC"
    is_always_open: bool = True


class World(msgspec.Struct, frozen=True):
    """`first_day` is the day on which the hours begin that clients compete for."""

    people: tuple[Person, ...]
    calendars: tuple[UUID, ...]
    rooms: tuple[Room, ...]
    first_day: datetime

    @property
    def hot_rooms(self) -> tuple[Room, ...]:
        return self.rooms[:HOT_ROOMS]


async def make(
    url: str, *, people: int, calendars: int, rooms: int, seed: int, now: datetime, owners: int | None = None
) -> World:
    """The rows of a world, the same for the same seed but for ids and tokens. `owners`: so many people own each
    calendar, by default all of them."""
    chance = random.Random(seed)
    async with await Database.connect(url, size_min=1, size_max=1) as database:
        persons = []
        for n in range(people):
            user_id = await a_user(database, f"Person {n}")
            issued = await tokens.issue(database, user_id, name="stress", scopes=frozenset({"read", "write"}), now=now)
            persons.append(Person(user_id, f"{user_id}@example.org", issued[1]))
        made = []
        for n in range(calendars):
            members = persons if owners is None else [persons[(n + at) % people] for at in range(owners)]
            roles = {one.id: "OWNER" for one in members}
            made.append(await a_calendar(database, roles, name=f"Calendar {n}", tzid=ZONES[n % len(ZONES)]))
        found = []
        for n in range(rooms):
            # The first ones, for which all compete: each kind of room is among them.
            units = 2 if n % 4 == 1 else 3 if n % 8 == 3 else 1
            around = (chance.choice((0, 5, 15)), chance.choice((0, 10, 15))) if n % 3 == 2 else (0, 0)
            is_always_open = n % 8 != 6
            tzid = ZONES[n % len(ZONES)]
            id_ = await a_room(
                database,
                f"Room {n}",
                tzid=tzid,
                concurrent_bookings=units,
                setup_minutes=around[0],
                teardown_minutes=around[1],
                opening_hours=None if is_always_open else OPEN,
            )
            found.append(Room(id_, units, *around, tzid, is_always_open))
    first_day = datetime.combine(now.date() + timedelta(days=2), time(), tzinfo=UTC)
    return World(tuple(persons), tuple(made), tuple(found), first_day)
