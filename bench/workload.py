"""The reference workload: what is asked of a calendar server, request by request, the same for the same seed.

| share | request |
|---|---|
| 60 % | the events of a calendar in a month |
| 15 % | one event |
| 10 % | RFC-003's GraphQL query: a calendar's events of a month with attendees and their users |
| 7 % | availability of rooms on a day, and free/busy, as many of the one as of the other |
| 8 % | writes: half of them answers to an invitation, the others changes of an event |

Calendars, people and rooms are asked for by Zipf's law with exponent 1 over 100,000, 100,000 and 2,000. That is an
assumption: no public trace tells how unequal calendars are; 0.9 to 1.1 are plausible. Nine windows of ten are of this
month or the next. Of the writes, 30 % come in the two minutes after each full and half hour. Requests come one after
the other by a Poisson process, 1,000 a second.

Everything is a number here: a calendar is its rank, an event its calendar, month and place in it. What requests read is
for whoever plays them.
"""

import random
from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate, islice, pairwise
from typing import Final

import msgspec

LIST_SHARE: Final = 0.60
EVENT_SHARE: Final = 0.15
GRAPHQL_SHARE: Final = 0.10
AVAILABILITY_SHARE: Final = 0.035
FREE_BUSY_SHARE: Final = 0.035
WRITE_SHARE: Final = 0.08
ANSWER_SHARE: Final = 0.5
"""Of the writes."""
NEAR_SHARE: Final = 0.9
"""Of the windows: this month, or the next."""
FAR_MONTHS: Final = 12
"""Other windows lie within so many months to either side."""
HERD_PERIOD_S: Final = 1_800.0
HERD_S: Final = 120.0
HERD_SHARE: Final = 0.3
"""Of the writes come in the first `HERD_S` of each `HERD_PERIOD_S`."""
EVENTS_PER_MONTH: Final = 50
MEMBERS: Final = 10
"""Of a calendar; its events are organised by them, and they are whom events invite."""
ATTENDEES: Final = 5
ROOM_EVERY: Final = 5
"""Two of so many events hold a room."""
ROOMS_ASKED: Final = 10
PEOPLE_ASKED: Final = 5
DAYS_AHEAD: Final = 14
"""Days of which availability is asked, the nearer the more often."""


class Place(msgspec.Struct, frozen=True):
    """An event: the rank of its calendar, months from now, its place in the month."""

    calendar: int
    month: int
    number: int


class Month(msgspec.Struct, frozen=True, tag=True):
    viewer: int
    calendar: int
    month: int
    is_graphql: bool = False


class One(msgspec.Struct, frozen=True, tag=True):
    viewer: int
    event: Place


class Availability(msgspec.Struct, frozen=True, tag=True):
    viewer: int
    rooms: tuple[int, ...]
    day: int


class FreeBusy(msgspec.Struct, frozen=True, tag=True):
    viewer: int
    people: tuple[int, ...]
    month: int


class Answer(msgspec.Struct, frozen=True, tag=True):
    """Somebody who is invited says whether they come."""

    viewer: int
    event: Place


class Edit(msgspec.Struct, frozen=True, tag=True):
    """An event gets another title, or another time within its month and so its room too."""

    viewer: int
    event: Place
    moves: bool


Request = Month | One | Availability | FreeBusy | Answer | Edit


class Zipf:
    """Ranks from 0, the first asked for the most often: with a chance in proportion to 1 / (rank + 1).

    Each may stand for so many neighbours, and is asked for in their place.
    """

    def __init__(self, count: int, stands_for: int = 1) -> None:
        sums = accumulate(1 / (rank + 1) for rank in range(count * stands_for))
        self._sums = list(islice(sums, stands_for - 1, None, stands_for))

    @property
    def chances(self) -> list[float]:
        """Of each rank."""
        return [(upto - below) / self._sums[-1] for below, upto in pairwise((0.0, *self._sums))]

    def draw(self, chance: random.Random) -> int:
        return bisect_left(self._sums, chance.random() * self._sums[-1])


class World(msgspec.Struct, frozen=True):
    """How much there is of everything, and how much is asked."""

    calendars: int = 100_000
    people: int = 100_000
    rooms: int = 2_000
    requests_per_s: float = 1_000.0
    stands_for: int = 1
    """Each of them is asked for as often as one of so many neighbours in rank is on average."""

    def part(self, divided_by: int) -> "World":
        """Less of everything, and less asked, in a way that leaves all but the very first ranks as they are: how often
        a calendar is asked for, how much there is of those that are asked for so often, and what finds room."""
        return World(
            self.calendars // divided_by,
            self.people // divided_by,
            self.rooms // divided_by,
            self.requests_per_s / divided_by,
            self.stands_for * divided_by,
        )


REFERENCE: Final = World()


def members(calendar: int, world: World) -> tuple[int, ...]:
    """People of a calendar, the first of whom owns it: whoever shares a calendar is as busy as it is."""
    near = range(calendar, calendar + MEMBERS)
    return tuple(rank % world.people for rank in near)


def organizer(event: Place, world: World) -> int:
    return members(event.calendar, world)[event.number % MEMBERS]


def attendees(event: Place, world: World) -> tuple[int, ...]:
    people = members(event.calendar, world)
    return tuple(people[(event.number + n) % MEMBERS] for n in range(ATTENDEES))


def room(event: Place, world: World) -> int | None:
    """Two in five events hold one, of the two that their calendar uses."""
    if event.number % ROOM_EVERY > 1:
        return None
    return (2 * event.calendar + event.number % ROOM_EVERY) % world.rooms


def day(event: Place) -> int:
    """Days from now, if a month has 30."""
    return 30 * event.month + 30 * event.number // EVENTS_PER_MONTH


def chances_of_months() -> dict[int, float]:
    """How often each is asked for."""
    nearest = dict.fromkeys(range(2), NEAR_SHARE / 2)
    far = [month for n in range(1, FAR_MONTHS) for month in (n + 1, -n)]
    return nearest | dict.fromkeys(far, (1 - NEAR_SHARE) / len(far))


def requests(world: World, seed: int, *, from_s: float, until_s: float) -> Iterator[tuple[float, Request]]:
    """When, in seconds after a full hour, and what."""
    chance = random.Random(seed)
    calendars, people, rooms = (Zipf(n, world.stands_for) for n in (world.calendars, world.people, world.rooms))
    # The share of writes that a moment within a herd has, and one outside of it: together they are `WRITE_SHARE`.
    in_herd = WRITE_SHARE * HERD_SHARE * HERD_PERIOD_S / HERD_S
    outside = WRITE_SHARE * (1 - HERD_SHARE) * HERD_PERIOD_S / (HERD_PERIOD_S - HERD_S)
    at_s = from_s

    def month() -> int:
        if chance.random() < NEAR_SHARE:
            return chance.randrange(2)
        far = chance.randrange(1, FAR_MONTHS)
        return far + 1 if chance.random() < 0.5 else -far

    def place() -> Place:
        return Place(calendars.draw(chance), month(), chance.randrange(EVENTS_PER_MONTH))

    def member(calendar: int) -> int:
        """Who looks at a calendar is one of those who share it."""
        return chance.choice(members(calendar, world))

    def read() -> Request:
        drawn = chance.random() * (1 - WRITE_SHARE)
        if drawn < LIST_SHARE + GRAPHQL_SHARE:
            calendar = calendars.draw(chance)
            return Month(member(calendar), calendar, month(), is_graphql=drawn >= LIST_SHARE)
        drawn -= LIST_SHARE + GRAPHQL_SHARE
        if drawn < EVENT_SHARE:
            event = place()
            return One(member(event.calendar), event)
        if drawn < EVENT_SHARE + AVAILABILITY_SHARE:
            asked = tuple({rooms.draw(chance): None for _ in range(ROOMS_ASKED)})
            return Availability(people.draw(chance), asked, int(DAYS_AHEAD * chance.random() ** 2))
        return FreeBusy(people.draw(chance), tuple({people.draw(chance): None for _ in range(PEOPLE_ASKED)}), month())

    def write() -> Request:
        event = place()
        if chance.random() < ANSWER_SHARE:
            return Answer(chance.choice(attendees(event, world)), event)
        return Edit(organizer(event, world), event, moves=chance.random() < 0.5)

    while True:
        at_s += chance.expovariate(world.requests_per_s)
        if at_s >= until_s:
            return
        writing = in_herd if at_s % HERD_PERIOD_S < HERD_S else outside
        yield at_s, write() if chance.random() < writing else read()
