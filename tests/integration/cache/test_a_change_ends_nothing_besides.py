"""How much a change ends: what it made other ones, and no more; and how many rows of the log that takes."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
import pytest

from tests.integration.rows import a_calendar, a_room, a_user, an_event, viewing
from yotei.caching import purged
from yotei.events import draft, write
from yotei.events.keys import PURGE_MONTHS_MAX
from yotei.storage.change_log import position_now, read_since
from yotei.storage.pool import Database, Source
from yotei.storage.statements import Statement

NOW: Final = datetime(2027, 3, 1, tzinfo=UTC)
NINE: Final = datetime(2027, 3, 10, 9, tzinfo=UTC)
HOUR: Final = timedelta(hours=1)
GUESTS: Final = 100


class Ended(msgspec.Struct, frozen=True):
    """The names that a transaction ended, each as often as it was named, and by how many rows."""

    names: tuple[str, ...]
    rows: int


class World(msgspec.Struct, frozen=True):
    """An event of Aiko's in March, to which Ben is invited, and somebody without an account."""

    database: Database
    aiko: UUID
    ben: UUID
    team: UUID
    event: UUID

    async def run(self, sql: str, *args: Any) -> Ended:
        async def work(source: Source) -> None:
            await source.execute(Statement("tests.write", sql, "a write"), *args)

        return await self.by(work)

    async def do(self, operation: draft.Operation) -> Ended:
        async def work(source: Source) -> None:
            await write.apply_one(source, viewing(self.aiko), operation, now=NOW)  # type: ignore[arg-type]

        return await self.by(work)

    async def patch(self, event_id: UUID | None = None, **fields: Any) -> Ended:
        event = draft.EventFields(**fields)
        return await self.do(draft.Patch(event_id=event_id or self.event, event=event))

    async def by(self, work: Callable[[Source], Awaitable[None]]) -> Ended:
        position = await position_now(self.database)
        await self.database.run(work, actor_id=self.aiko)
        page = await read_since(self.database, position, transaction_max_s=3_600)
        return Ended(tuple(name for change in page.changes for name in purged(change)), len(page.changes))

    @property
    def full(self) -> str:
        return f"event:{self.event}:full"

    def months(self, *names: str) -> set[str]:
        return {f"calendar:{self.team}:events:{name}" for name in names}

    def agendas(self, *names: str) -> set[str]:
        return {f"user:{one}:invitations:{name}" for one in (self.aiko, self.ben) for name in names}


@pytest.fixture
async def world(database: Database) -> World:
    aiko, ben = await a_user(database, "Aiko"), await a_user(database, "Ben")
    team = await a_calendar(database, {aiko: "OWNER"})
    event = await an_event(database, team, aiko, NINE, attendees=(ben,))
    world = World(database, aiko, ben, team, event)
    await world.run("insert into attendees (event_id, email) values ($1, 'guest@example.com')", event)
    return world


async def test_an_answer_ends_one_key(world: World) -> None:
    async def work(source: Source) -> None:
        await write.answer_invitation(source, viewing(world.ben), world.event, "ACCEPTED", "Yes")

    assert await world.by(work) == Ended((f"event:{world.event}:attendees",), rows=1)


async def test_a_title_ends_the_event_and_its_month_however_many_are_invited(world: World) -> None:
    people = [await a_user(world.database) for _ in range(GUESTS)]
    await world.run(
        "insert into attendees (event_id, email, user_id) select $1, id || '@x', id from unnest($2::uuid[]) id",
        world.event,
        people,
    )

    ended = await world.patch(title="Budget")

    assert sorted(ended.names) == sorted([world.full, *world.months("2027-03")])
    assert ended.rows == 1


async def test_a_move_within_a_month_ends_that_month_once_and_names_everybody_once(world: World) -> None:
    people = [await a_user(world.database) for _ in range(GUESTS)]
    await world.run(
        "insert into attendees (event_id, email, user_id) select $1, id || '@x', id from unnest($2::uuid[]) id",
        world.event,
        people,
    )

    ended = await world.patch(start_time=NINE + HOUR, end_time=NINE + 2 * HOUR)

    agendas = {f"user:{one}:invitations:2027-03" for one in people}
    expected = [world.full, *world.months("2027-03"), *world.agendas("2027-03"), *agendas]
    assert sorted(ended.names) == sorted(expected)
    assert ended.rows == 1 + 1 + GUESTS


async def test_a_move_to_another_month_ends_both(world: World) -> None:
    later = NINE + timedelta(days=30)

    ended = await world.patch(start_time=later, end_time=later + HOUR)

    months = ("2027-03", "2027-04")
    assert sorted(ended.names) == sorted([world.full, *world.months(*months), *world.agendas(*months)])


async def test_an_event_that_ends_when_a_month_begins_is_of_that_month_too(world: World) -> None:
    midnight = datetime(2027, 4, 1, tzinfo=UTC)
    event = await an_event(world.database, world.team, world.aiko, midnight - HOUR)

    ended = await world.patch(event, title="Late")

    assert set(ended.names) == {f"event:{event}:full", *world.months("2027-03", "2027-04")}


async def test_a_booking_ends_the_event_its_month_and_the_day_of_the_room(world: World) -> None:
    room = await a_room(world.database)

    ended = await world.patch(resource_ids=(room,))

    assert set(ended.names) == {
        world.full,
        *world.months("2027-03"),
        f"resource:{room}:availability:2027-03-10",
    }


async def test_an_invitation_ends_the_agenda_of_whom_it_is_for(world: World) -> None:
    cleo = await a_user(world.database, "Cleo")

    ended = await world.do(draft.Invite(event_id=world.event, attendees=(draft.Invitee(user_id=cleo),)))

    assert set(ended.names) - {world.full, *world.months("2027-03")} == {
        f"event:{world.event}:attendees",
        f"user:{cleo}:invitations:2027-03",
    }


async def test_a_deletion_ends_the_month_for_everybody(world: World) -> None:
    ended = await world.do(draft.Delete(event_id=world.event))

    assert set(ended.names) == {world.full, *world.months("2027-03"), *world.agendas("2027-03")}


@pytest.mark.parametrize(
    ("sql", "of", "names"),
    [
        ("update users set name = 'Zoe' where id = $1", "ben", ["user:{}:profile"]),
        ("update calendars set name = 'Crew' where id = $1", "team", ["calendar:{}:summary"]),
        ("update events set url = 'https://example.org' where id = $1 and false", "event", []),
    ],
)
async def test_a_name_ends_one_key(world: World, sql: str, of: str, names: list[str]) -> None:
    id_ = getattr(world, of)

    assert await world.run(sql, id_) == Ended(tuple(name.format(id_) for name in names), rows=len(names))


async def a_year(world: World) -> UUID:
    """A series of Aiko's, each day of 2027."""
    start = datetime(2027, 1, 1, 9, tzinfo=UTC)
    rule: dict[str, Any] = {"rrule": "FREQ=DAILY;COUNT=365", "span_end": start + timedelta(days=364, hours=1)}
    return await an_event(world.database, world.team, world.aiko, start, **rule)


async def test_an_exception_ends_its_months_and_that_of_the_instance_it_replaces(world: World) -> None:
    series = await a_year(world)
    place: dict[str, Any] = {"series_id": series, "recurrence_id": NINE}
    exception = await an_event(world.database, world.team, world.aiko, NINE + timedelta(days=30), **place)

    ended = await world.run("update events set title = 'Other' where id = $1", exception)

    assert set(ended.names) == {f"event:{exception}:full", *world.months("2027-03", "2027-04")}
    assert ended.rows == 1


async def test_an_exception_ends_all_months_of_a_series_of_which_another_one_moves_what_follows(world: World) -> None:
    series = await a_year(world)
    at = [NINE, NINE + timedelta(days=60)]
    place: dict[str, Any] = {"series_id": series, "recurrence_id": at[0]}
    exception = await an_event(world.database, world.team, world.aiko, at[0], **place)
    place |= {"recurrence_id": at[1], "this_and_future": True}
    await an_event(world.database, world.team, world.aiko, at[1], **place)

    ended = await world.run("update events set title = 'Other' where id = $1", exception)

    year = [f"2027-{month:02}" for month in range(1, 13)]
    assert set(ended.names) == {f"event:{exception}:full", *world.months(*year)}


async def test_an_instance_that_is_booked_ends_its_month_and_how_far_the_series_is_booked_ends_all(
    world: World,
) -> None:
    series, room = await a_year(world), await a_room(world.database)

    booked = await world.run(
        "insert into reservations (id, resource_id, event_id, recurrence_id, start_time, end_time, blocked) "
        "values ($1, $1, $2, $3, $3, $4, tstzrange($3, $4))",
        room,
        series,
        NINE,
        NINE + HOUR,
    )
    wanted = await world.run("insert into event_resources (event_id, resource_id) values ($1, $2)", series, room)

    full = f"event:{series}:full"
    assert set(booked.names) == {full, *world.months("2027-03"), f"resource:{room}:availability:2027-03-10"}
    assert set(wanted.names) == {full, *world.months(*(f"2027-{month:02}" for month in range(1, 13)))}


async def test_more_than_a_few_months_and_no_end_end_all_months_at_once(world: World) -> None:
    first = datetime(2027, 1, 1, tzinfo=UTC)
    last = first.replace(year=first.year + PURGE_MONTHS_MAX // 12)
    inside = await an_event(world.database, world.team, world.aiko, first, span_end=last - HOUR)
    beyond = await an_event(world.database, world.team, world.aiko, first, span_end=last)
    rule: dict[str, Any] = {"rrule": "FREQ=DAILY", "span_end": datetime.max}  # noqa: DTZ901, infinity
    endless = await an_event(world.database, world.team, world.aiko, first, **rule)

    ended = [await world.run("update events set title = '' where id = $1", one) for one in (inside, beyond, endless)]

    assert len(ended[0].names) == PURGE_MONTHS_MAX + 1
    assert set(ended[1].names) == {f"event:{beyond}:full", *world.months("*")}
    assert set(ended[2].names) == {f"event:{endless}:full", *world.months("*")}
