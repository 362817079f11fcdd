"""Whatever lies in the database and whatever is asked of it: put together from units, the answer is that of the one
statement. Rows come by plain SQL, in shapes that the product would not write, and change between the questions."""

import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from tests.integration.rest.served import settings
from tests.integration.rows import a_booking, a_calendar, a_room, a_user, an_event, viewing
from yotei.caching import Caching
from yotei.errors import Problem
from yotei.events import read
from yotei.events.event import Access, Event
from yotei.events.window import Window
from yotei.settings import CacheSettings
from yotei.storage.pool import Database, Source
from yotei.storage.statements import Statement
from yotei.users.user import Viewer

# What an event holds is kept from yesterday on, so the world lies around now.
NOW: Final = datetime.now(UTC)
FIRST: Final = NOW.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=35)
DAYS: Final = 75
FOREVER: Final = datetime.max.replace(tzinfo=UTC)
ZONES: Final = ("UTC", "Asia/Tokyo", "America/Los_Angeles", "Pacific/Kiritimati")
ROUNDS: Final = 8
QUESTIONS: Final = 6
ROLES: Final = ("OWNER", "WRITER", "READER", "FREE_BUSY")
RULES: Final = ("FREQ=DAILY;INTERVAL=3", "FREQ=WEEKLY;BYDAY=MO,TH", "FREQ=MONTHLY", "FREQ=DAILY;COUNT=40")


class World:
    """Rows of three calendars, four people and three rooms, and somebody who changes them at random."""

    def __init__(self, database: Database, dice: random.Random) -> None:
        self.database = database
        self.dice = dice
        self.people: list[UUID] = []
        self.calendars: list[UUID] = []
        self.rooms: list[UUID] = []
        self.events: list[UUID] = []
        self.series: list[tuple[UUID, datetime, timedelta]] = []
        self.replaced: set[tuple[UUID, datetime]] = set()
        """Instances of series that have an override: two of one would leave it open which of them counts."""

    async def fill(self) -> None:
        self.people = [await a_user(self.database, name) for name in ("Aiko", "Ben", "Chie", "Dan")]
        for _ in range(3):
            members = {one: self.dice.choice(ROLES) for one in self.people if self.dice.random() < 0.6}
            self.calendars.append(await a_calendar(self.database, members))
        self.rooms = [await a_room(self.database, name, concurrent_bookings=9) for name in ("Fuji", "Aso", "Zao")]
        for _ in range(25):
            await self.add()

    def time(self) -> datetime:
        return FIRST + timedelta(minutes=30 * self.dice.randrange(DAYS * 48))

    async def add(self) -> None:
        dice, start = self.dice, self.time()
        length = timedelta(hours=dice.choice((0, 0.5, 1, 30, 24 * 40)))
        fields: dict[str, Any] = {
            "visibility": dice.choice(("PUBLIC", "PUBLIC", "PRIVATE", "CONFIDENTIAL")),
            "status": dice.choice(("CONFIRMED", "CONFIRMED", "CANCELLED")),
            "title": f"n {dice.randrange(1000)}",
        }
        fields |= dice.choice(({}, {}, {"all_day": True}, {"floating": True}, {"tzid": "Asia/Tokyo"}))
        if fields.get("all_day"):
            start, length = start.replace(hour=0, minute=0), timedelta(days=dice.choice((1, 2, 40)))
        calendar_id = dice.choice(self.calendars)
        kind = dice.random()
        if kind < 0.3 and self.series:
            await self.add_override(calendar_id, fields)
            return
        if kind < 0.6:
            length = min(length, timedelta(hours=30))
            last = dice.choice((DAYS, 20, None))
            span_end = FOREVER if last is None else start + timedelta(days=last) + length
            fields |= {"rrule": dice.choice(RULES), "span_end": span_end}
            if last is not None:
                fields["rrule"] = f"FREQ=DAILY;INTERVAL=2;UNTIL={start + timedelta(days=last):%Y%m%dT%H%M%SZ}"
        guests = tuple(one for one in self.people if dice.random() < 0.3)
        event_id = await an_event(
            self.database,
            calendar_id,
            dice.choice(self.people),
            start,
            hours=length / timedelta(hours=1),
            attendees=guests,
            **fields,
        )
        self.events.append(event_id)
        if "rrule" in fields:
            self.series.append((event_id, start, length))
            for n in range(dice.randrange(4)):
                at = start + timedelta(days=n * 6)
                status = dice.choice(("CONFIRMED", "MISSED", "CANCELLED"))
                await a_booking(
                    self.database, dice.choice(self.rooms), event_id, at, recurrence_id=at, status=status, unit=n + 1
                )
        elif dice.random() < 0.5:
            await insert_quietly(
                a_booking(self.database, dice.choice(self.rooms), event_id, start, unit=dice.randrange(1, 9))
            )

    async def add_override(self, calendar_id: UUID, fields: dict[str, Any]) -> None:
        series_id, start, length = self.dice.choice(self.series)
        replaced = start + timedelta(days=2 * self.dice.randrange(20))
        row = await self.database.fetchrow(
            sql("select calendar_id, all_day, floating from events where id = $1"), series_id
        )
        if row is None or (series_id, replaced) in self.replaced:
            return
        self.replaced.add((series_id, replaced))
        elsewhere = self.dice.random() < 0.05
        fields |= {"all_day": row["all_day"], "floating": row["floating"], "tzid": None}
        at = replaced + timedelta(days=self.dice.choice((0, 0, 1, 33)))
        follows = self.dice.random() < 0.15
        self.events.append(
            await an_event(
                self.database,
                calendar_id if elsewhere else row["calendar_id"],
                self.dice.choice(self.people),
                at,
                hours=(length or timedelta(hours=1)) / timedelta(hours=1),
                attendees=(self.dice.choice(self.people),),
                series_id=series_id,
                recurrence_id=replaced,
                this_and_future=follows,
                **(fields | ({"span_end": at + timedelta(days=60)} if follows else {})),
            )
        )

    async def change(self) -> None:
        """One thing, in a transaction of its own."""
        dice = self.dice
        event = dice.choice(self.events)
        day = timedelta(days=dice.choice((-31, -3, 1, 31)))
        person, calendar, room = dice.choice(self.people), dice.choice(self.calendars), dice.choice(self.rooms)
        changes: list[tuple[str, tuple[Any, ...]]] = [
            ("update events set title = 'other' where id = $1", (event,)),
            (
                "update events set start_time = start_time + $2::interval, end_time = end_time + $2, "
                "span_end = span_end + $2 where id = $1 "
                # Bookings of instances that never were would be told where the master stands for them.
                "and not exists (select from reservations v where v.event_id = $1 and v.recurrence_id is not null)",
                (event, day),
            ),
            ("update events set calendar_id = $2 where id = $1 and series_id is null", (event, calendar)),
            ("update events set organizer_id = $2 where id = $1", (event, person)),
            ("update events set deleted_at = case when deleted_at is null then now() end where id = $1", (event,)),
            ("update events set exdates = array[start_time] where id = $1 and rrule is not null", (event,)),
            ("delete from events where id = $1", (event,)),
            ("update attendees set response_status = 'ACCEPTED' where event_id = $1", (event,)),
            ("delete from attendees where event_id = $1 and user_id = $2", (event, person)),
            ("update attendees set user_id = null where event_id = $1 and user_id = $2", (event, person)),
            (
                "insert into attendees (event_id, user_id, email) select id, $2, $2 || '@example.org' from events "
                "where id = $1 on conflict do nothing",
                (event, person),
            ),
            ("update reservations set status = 'CANCELLED' where event_id = $1", (event,)),
            ("delete from reservations where event_id = $1", (event,)),
            (
                "insert into event_resources (event_id, resource_id, booked_until) select id, $2, now() from events "
                "where id = $1 on conflict (event_id, resource_id) do update set booked_until = now() + interval '1 d'",
                (event, room),
            ),
            ("update users set name = name || 'x' where id = $1", (person,)),
            ("update users set erased_at = now() where id = $1", (person,)),
            ("update resources set name = name || 'x' where id = $1", (room,)),
            ("update resources set deleted_at = now() where id = $1", (room,)),
            ("update calendars set name = name || 'x' where id = $1", (calendar,)),
            (
                "update calendars set deleted_at = case when deleted_at is null then now() end where id = $1",
                (calendar,),
            ),
            ("delete from calendar_members where calendar_id = $1 and user_id = $2", (calendar, person)),
            (
                "insert into calendar_members (calendar_id, user_id, role) values ($1, $2, $3) "
                "on conflict (calendar_id, user_id) do update set role = $3",
                (calendar, person, dice.choice(ROLES)),
            ),
        ]
        if dice.random() < 0.3:
            await insert_quietly(self.add())
        else:
            text, arguments = dice.choice(changes)
            await insert_quietly(self.database.execute(sql(text), *arguments))

    def question(self) -> Callable[[Source], Awaitable[Any]]:
        dice = self.dice
        zone = ZoneInfo(dice.choice(ZONES))
        start = self.time()
        end = start + timedelta(days=dice.choice((1, 7, 31, 70)))
        viewer: Viewer = viewing(dice.choice(self.people), tzid=zone.key)
        query = read.Query(
            window=Window(start, end, zone),
            limit=dice.choice((3, 1_000)),
            instances_max=10_000,
            expand=dice.random() < 0.8,
            order=dice.choice(("asc", "desc")),
        )
        calendars = dice.sample(self.calendars, dice.choice((1, 3)))
        events = dice.sample(self.events, min(6, len(self.events)))
        people, with_more = dice.sample(self.people, 2), dice.random() < 0.5
        kind = dice.choice(("calendars", "agenda", "events"))

        async def ask(source: Source) -> Any:
            along = read.Along({}, {}, {}) if with_more else read.Along()
            try:
                if kind == "calendars":
                    answer: Any = await read.list_calendars(source, viewer, calendars, query, along=along)
                elif kind == "agenda":
                    answer = await read.agenda(source, viewer, query, along=along)
                else:
                    answer = await read.get_named(
                        source,
                        viewer,
                        events,
                        zone,
                        now=NOW,
                        along=along,
                        people=people,
                        calendars=calendars,
                        resources=self.rooms,
                    )
            except Problem as problem:
                answer = problem.code
            return kind, viewer.user_id, answer, along

        return ask


def sql(text: str) -> Statement:
    return Statement(name="tests.change", purpose="a change", sql=text)


async def insert_quietly(writing: Awaitable[Any]) -> None:
    """A change that the database refuses is none."""
    try:
        await writing
    except Problem:
        raise
    except Exception as error:
        if type(error).__module__ != "asyncpg.exceptions":
            raise


@asynccontextmanager
async def caching(database: Database, url: str, cache: CacheSettings) -> AsyncIterator[Caching]:
    made = Caching(settings(url, cache=cache), database)
    made.start()
    try:
        yield made
    finally:
        await made.close()


@pytest.mark.parametrize("seed", range(6))
async def test_every_answer_is_that_of_the_statement(database: Database, database_url: str, seed: int) -> None:
    await play(database, database_url, seed, CacheSettings(l1_entries_max=0))


@pytest.mark.parametrize("seed", range(6, 12))
async def test_what_is_kept_is_read_anew_where_it_changed(database: Database, database_url: str, seed: int) -> None:
    await play(database, database_url, seed, CacheSettings())


async def play(database: Database, database_url: str, seed: int, cache: CacheSettings) -> None:
    world = World(database, random.Random(seed))
    await world.fill()
    whole = 0
    async with caching(database, database_url, cache) as made:
        for _ in range(ROUNDS):
            await made.tail.caught_up()
            for _ in range(QUESTIONS):
                ask = world.question()
                reads = made.reads()
                expected, found = await ask(database), await ask(reads)
                _same(found, expected)
                whole += reads.is_whole
            await world.change()
    assert whole > ROUNDS * QUESTIONS / 2


def _same(found: Any, expected: Any) -> None:
    kind, viewer, answer, along = expected
    assert found[:3] == (kind, viewer, answer)
    brought: read.Along = found[3]
    assert brought.calendars == along.calendars
    if brought.people is None or brought.resources is None:
        return
    # The statement also brings whom it finds in what nobody is shown: deleted calendars, cancelled bookings.
    assert brought.people.items() <= along.people.items()
    assert brought.resources.items() <= along.resources.items()
    pages = answer if isinstance(answer, list) else [answer]
    events = [it for page in pages for it in (page.events if isinstance(page, read.Page) else [page]) if page]
    shown = [one for one in events if isinstance(one, Event) and one.access is Access.FULL]
    assert {one.organizer_id for one in shown} <= brought.people.keys()
    assert {it.user.id for one in shown for it in one.attendees or () if it.user} <= brought.people.keys()
    rooms = {it.id for one in shown for it in one.resources or ()}
    assert rooms & along.resources.keys() <= brought.resources.keys()
