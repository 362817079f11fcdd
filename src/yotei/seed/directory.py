"""The people, calendars, members and rooms of a plan: few enough for the memory of every process that needs them.

Ids are written as 32 hexadecimal digits, as COPY reads them.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from random import Random
from typing import Final, NamedTuple

from yotei.seed.plan import SeedPlan
from yotei.seed.words import CULTURES, EQUIPMENT_NAMES, ROOM_NAMES, TEAM_NAMES, ZONES

ADMIN_EMAIL: Final = "admin@example.org"
DEMO_EMAIL: Final = "noor.haddad@example.org"
DOMAIN: Final = "example.org"

ADMIN: Final = 0
DEMO: Final = 1
"""Places of the administrator and of the person with the busy agenda; theirs are the largest calendars."""

TEAM_EVERY: Final = 3
"""Each third calendar belongs to a team: several people write, a few only see when it is busy."""

_HOURS: Final = "{" + ",".join(f'"{day}":[["08:00","18:00"]]' for day in ("mon", "tue", "wed", "thu", "fri")) + "}"
_COLORS: Final = ("#3b6fb6", "#b6483b", "#3b9a5f", "#8a4fb0", "#b68a3b", "#3b9ab6", "#6b7280", "#b03b7a")
_FEATURES: Final = ("screen", "whiteboard", "video", "step-free", "phone", "daylight")


class Person(NamedTuple):
    id: str
    email: str
    name: str
    zone: int


class Calendar(NamedTuple):
    """`writers` are places in `Directory.people`, the owner first: they organise its events."""

    id: str
    name: str
    zone: int
    writers: tuple[int, ...]
    readers: tuple[int, ...]
    free_busy: tuple[int, ...]


class Room(NamedTuple):
    id: str
    name: str
    kind: str
    location: str
    zone: int
    seats: int | None
    features: tuple[str, ...]
    units: int
    setup_minutes: int
    teardown_minutes: int
    is_open_always: bool


class Directory(NamedTuple):
    people: list[Person]
    calendars: list[Calendar]
    rooms: list[Room]
    made_at: datetime

    def tables(self) -> list[tuple[str, tuple[str, ...], bytes]]:
        """(table, columns, rows in COPY's text format), in the order of their foreign keys."""
        made = f"{self.made_at:%Y-%m-%d %H:%M:%S}+00"
        people = "".join(
            f"{one.id}\t{one.email}\t{one.name}\t{ZONES[one.zone]}\t{'t' if place == ADMIN else 'f'}\t{made}\t{made}\n"
            for place, one in enumerate(self.people)
        )
        calendars = "".join(
            f"{one.id}\t{one.name}\t{_COLORS[place % len(_COLORS)]}\t{ZONES[one.zone]}\t{made}\t{made}\n"
            for place, one in enumerate(self.calendars)
        )
        members = "".join(
            f"{self.people[person].id}\t{one.id}\t{role}\t{made}\n"
            for one in self.calendars
            for role, persons in (
                ("OWNER", one.writers[:1]),
                ("WRITER", one.writers[1:]),
                ("READER", one.readers),
                ("FREE_BUSY", one.free_busy),
            )
            for person in persons
        )
        rooms = "".join(
            f"{one.id}\t{one.name}\t{one.kind}\t{one.location}\t{ZONES[one.zone]}\t{one.seats or _NULL}\t"
            f"{{{','.join(one.features)}}}\t{one.units}\t{one.setup_minutes}\t{one.teardown_minutes}\t"
            f"{_NULL if one.is_open_always else _HOURS}\t{made}\t{made}\n"
            for one in self.rooms
        )
        stamps = ("created_at", "updated_at")
        return [
            ("users", ("id", "email", "name", "tzid", "is_admin", *stamps), people.encode()),
            ("calendars", ("id", "name", "color", "tzid", *stamps), calendars.encode()),
            ("calendar_members", ("user_id", "calendar_id", "role", "created_at"), members.encode()),
            (
                "resources",
                (
                    *("id", "name", "kind", "location", "tzid", "seats", "features", "concurrent_bookings"),
                    *("setup_minutes", "teardown_minutes", "opening_hours", *stamps),
                ),
                rooms.encode(),
            ),
        ]


_NULL: Final = "\\N"


def uuid7_hex(at_ms: int, random_bits: int) -> str:
    """A UUIDv7 (RFC 9562, section 5.7) of a moment and at least 74 bits given."""
    head = at_ms << 80 | 0x7 << 76 | (random_bits & 0xFFF) << 64
    return f"{head | 0x2 << 62 | random_bits >> 12 & 0x3FFF_FFFF_FFFF_FFFF:032x}"


@lru_cache(maxsize=1)
def directory(plan: SeedPlan) -> Directory:
    rng = Random(f"{plan.seed}/directory")  # noqa: S311
    made_at = datetime.combine(_year_before(plan.around), datetime.min.time(), tzinfo=UTC)
    at_ms = int(made_at.timestamp() * 1000)

    def new_id() -> str:
        nonlocal at_ms
        at_ms += 1
        return uuid7_hex(at_ms, rng.getrandbits(74))

    people = _people(plan.people_count, rng, new_id)
    calendars = [_calendar(place, people, rng, new_id()) for place in range(plan.calendar_count)]
    rooms = [_room(place, rng, new_id()) for place in range(plan.room_count)]
    return Directory(people, calendars, rooms, made_at)


def _year_before(day: date) -> date:
    return day - timedelta(days=400)


def _people(count: int, rng: Random, new_id: Callable[[], str]) -> list[Person]:
    people = [
        Person(new_id(), ADMIN_EMAIL, "Aoi Minami", ZONES.index("Asia/Tokyo")),
        Person(new_id(), DEMO_EMAIL, "Noor Haddad", ZONES.index("Europe/Berlin")),
    ]
    namesakes: dict[str, int] = {"noor.haddad": 1, "admin": 1}
    while len(people) < count:
        # Neighbours in the list work together, so most of a stretch share an office.
        zone = len(people) // 25 % len(ZONES) if rng.random() < 0.8 else rng.randrange(len(ZONES))
        culture = rng.choice(CULTURES[ZONES[zone]])
        (given, given_ascii), (family, family_ascii) = rng.choice(culture.given), rng.choice(culture.family)
        parts = (family, given) if culture.family_first else (given, family)
        local = f"{given_ascii}.{family_ascii}"
        earlier = namesakes.get(local, 0)
        namesakes[local] = earlier + 1
        email = f"{local}{earlier + 1 if earlier else ''}@{DOMAIN}"
        people.append(Person(new_id(), email, culture.separator.join(parts), zone))
    return people


def _calendar(place: int, people: list[Person], rng: Random, id_: str) -> Calendar:
    count = len(people)
    is_team = place % TEAM_EVERY == 0
    # The largest calendar is the demo person's team, the next two are that person's and the administrator's own.
    owner = (DEMO, DEMO, ADMIN)[place] if place < 3 else (place * 7 + 3) % count
    near = [(owner + step) % count for step in range(1, min(count, 24))]
    if is_team:
        writers = tuple(near[: rng.randint(2, 6)])
        readers = tuple(near[6 : 6 + rng.randint(2, 8)])
        free_busy = tuple(near[14 : 14 + rng.randint(1, 3)])
        team = TEAM_NAMES[place // TEAM_EVERY % len(TEAM_NAMES)]
        turn = place // TEAM_EVERY // len(TEAM_NAMES)
        name = f"{team} team" if turn == 0 else f"{team} team {turn + 1}"
    else:
        writers, readers = (), tuple(near[: rng.randint(0, 2)])
        free_busy = tuple(near[2:3]) if rng.random() < 0.5 else ()
        name = ("Calendar of {}", "{}: appointments", "{}: projects")[place // count % 3].format(people[owner].name)
    if place == 2:
        free_busy = (DEMO,)
    return Calendar(
        id_,
        name,
        people[owner].zone,
        (owner, *(one for one in writers if one != owner)),
        tuple(one for one in readers if one not in free_busy),
        free_busy,
    )


def _room(place: int, rng: Random, id_: str) -> Room:
    zone = place % len(ZONES)
    city = ZONES[zone].partition("/")[2].replace("_", " ")
    turn = place // len(ROOM_NAMES) + 1
    if place % 10 == 9:
        name = f"{EQUIPMENT_NAMES[place // 10 % len(EQUIPMENT_NAMES)]} {place // 10 + 1}"
        return Room(id_, name, "EQUIPMENT", f"{city}, store", zone, None, (), rng.choice((1, 2, 3)), 0, 0, True)
    seats = rng.choice((4, 4, 6, 6, 8, 8, 10, 12, 16, 24, 60))
    features = tuple(one for one in _FEATURES if rng.random() < 0.45)
    setup, teardown = (15, 15) if seats >= 16 else (0, rng.choice((0, 0, 0, 15)))
    floor = f"{city}, floor {rng.randint(1, 6)}"
    is_open_always = rng.random() < 0.7
    name = f"{ROOM_NAMES[place % len(ROOM_NAMES)]} {turn}"
    return Room(id_, name, "ROOM", floor, zone, seats, features, 1, setup, teardown, is_open_always)
