"""What each write costs in statements: the same with one attendee or exception as with five hundred."""

from datetime import timedelta
from uuid import UUID

import pytest

from tests.conftest import Budget
from tests.integration.events.booker import DAY, HOUR, NINE, NOW, Booker
from tests.integration.rows import a_calendar, a_room
from yotei.events import write
from yotei.events.draft import (
    AnyOperation,
    Create,
    Delete,
    Duplicate,
    EventFields,
    Invite,
    Invitee,
    Move,
    NewEvent,
    Patch,
    Replace,
    Respond,
    Restore,
    Uninvite,
    WholeEvent,
)
from yotei.storage.pool import Database, Source
from yotei.storage.statements import Statement

# lock, load, write; with rooms: what is taken, what is given up, what is made; one more where exceptions change places.
# A restoration here is one of what the operation before it deleted.
STATEMENTS = {
    "create": 3,
    "patch": 3,
    "patch nothing": 2,
    "move in time": 3,
    "replace": 3,
    "delete": 3,
    "restore": 3,
    "move": 3,
    "duplicate": 3,
    "invite": 3,
    "uninvite": 3,
    "rsvp": 1,
}
OF_SERIES = {
    "patch this": 3,
    "patch following": 3,
    "patch all": 3,
    "move all": 4,
    "move following": 4,
    "delete this": 3,
    "restore this": 3,
    "delete following": 3,
    "delete all": 3,
    "restore all": 3,
    "rsvp this": 3,
    "rsvp all": 2,
    "move to another calendar": 3,
}
WITH_ROOM = {
    "create": 5,
    "patch": 3,
    "move in time": 6,
    "cancel": 5,
    "confirm": 5,
    "delete": 5,
    "restore": 5,
    "duplicate": 5,
    "rsvp": 1,
}


def operations(booker: Booker, event_id: UUID, other: UUID, *rooms: UUID) -> dict[str, AnyOperation]:
    new = NewEvent(
        calendar_id=booker.calendar_id, title="x", start_time=NINE + DAY, end_time=NINE + DAY + HOUR, resource_ids=rooms
    )
    return {
        "create": Create(event=new),
        "patch": Patch(event_id=event_id, event=EventFields(title="New")),
        "patch nothing": Patch(event_id=event_id, event=EventFields(title="New")),
        "move in time": Patch(event_id=event_id, event=EventFields(start_time=NINE + HOUR)),
        "cancel": Patch(event_id=event_id, event=EventFields(status="CANCELLED")),
        "confirm": Patch(event_id=event_id, event=EventFields(status="CONFIRMED")),
        "rsvp": Respond(event_id=event_id, response_status="TENTATIVE"),
        "invite": Invite(event_id=event_id, attendees=(Invitee(email="cem@example.org"),)),
        "uninvite": Uninvite(event_id=event_id, email="cem@example.org"),
        "duplicate": Duplicate(event_id=event_id, start_time=NINE + 3 * DAY),
        "delete": Delete(event_id=event_id),
        "restore": Restore(event_id=event_id),
        "move": Move(event_id=event_id, calendar_id=other),
        "replace": Replace(event_id=event_id, event=WholeEvent(title="Whole", start_time=NINE, end_time=NINE + HOUR)),
    }


async def spent(booker: Booker, operation: AnyOperation, budget: Budget) -> int:
    async def work(tx: Source) -> None:
        await write.apply_one(tx, booker.viewer, operation, now=NOW, horizon_days=1_500)

    with budget() as ledger:
        await booker.database.run(work)
    return ledger.statements


def people(booker: Booker, count: int) -> tuple[Invitee, ...]:
    guests = (Invitee(email=f"guest{n}@example.org") for n in range(count - 1))
    return (Invitee(user_id=booker.viewer.user_id), *guests)


@pytest.mark.parametrize("attendees", [1, 10, 500])
async def test_an_event_of_any_number_of_attendees(aiko: Booker, budget: Budget, attendees: int) -> None:
    other = await a_calendar(aiko.database, {aiko.viewer.user_id: "OWNER"})
    event_id = await aiko.make(attendees=people(aiko, attendees))

    found = {
        name: await spent(aiko, operation, budget)
        for name, operation in operations(aiko, event_id, other).items()
        if name in STATEMENTS
    }

    assert found == STATEMENTS


@pytest.mark.parametrize("attendees", [1, 500])
async def test_an_event_with_a_room(aiko: Booker, budget: Budget, attendees: int) -> None:
    room = await a_room(aiko.database)
    event_id = await aiko.book(room, attendees=people(aiko, attendees))

    found = {
        name: await spent(aiko, operation, budget)
        for name, operation in operations(aiko, event_id, aiko.calendar_id, room).items()
        if name in WITH_ROOM
    }

    assert found == WITH_ROOM


async def test_resources_of_several_units_are_locked_by_one_statement_more(aiko: Booker, budget: Budget) -> None:
    projectors = [await a_room(aiko.database, f"Projector {n}", concurrent_bookings=3) for n in range(5)]

    assert await spent(aiko, aiko.booking(*projectors), budget) == WITH_ROOM["create"] + 1


@pytest.mark.parametrize("exceptions", [2, 10, 500])
async def test_a_series_of_any_number_of_exceptions(aiko: Booker, budget: Budget, exceptions: int) -> None:
    other = await a_calendar(aiko.database, {aiko.viewer.user_id: "OWNER"})
    series = await aiko.make(rrule="FREQ=DAILY;COUNT=1200", attendees=people(aiko, 2))
    await made_exceptions(aiko.database, series, exceptions)
    moved = timedelta(minutes=30)
    at = NINE + 2 * exceptions * DAY
    steps: dict[str, AnyOperation] = {
        "patch this": aiko.patching(series, recurrence_id=NINE + DAY, title="Own"),
        "rsvp this": Respond(event_id=series, recurrence_id=NINE + 3 * DAY, response_status="DECLINED"),
        "rsvp all": Respond(event_id=series, response_status="TENTATIVE"),
        "patch all": aiko.patching(series, title="All"),
        "move all": aiko.patching(series, start_time=NINE + moved),
        "delete this": Delete(event_id=series, recurrence_id=NINE + DAY + moved),
        "restore this": Restore(event_id=series, recurrence_id=NINE + DAY + moved),
        "patch following": aiko.patching(series, recurrence_id=at + 9 * DAY + moved, scope="following", title="Rest"),
        "move following": aiko.patching(
            series, recurrence_id=NINE + 2 * DAY + moved, scope="following", start_time=NINE + 2 * DAY
        ),
        "delete following": Delete(event_id=series, recurrence_id=NINE + DAY + moved, scope="following"),
        "delete all": Delete(event_id=series),
        "restore all": Restore(event_id=series),
        "move to another calendar": Move(event_id=series, calendar_id=other),
    }

    found = {name: await spent(aiko, operation, budget) for name, operation in steps.items()}

    assert found == OF_SERIES


@pytest.mark.parametrize("exceptions", [2, 300])
async def test_a_series_with_a_room_of_any_number_of_exceptions(aiko: Booker, budget: Budget, exceptions: int) -> None:
    room = await a_room(aiko.database)
    series = await aiko.do(aiko.booking(room, rrule="FREQ=DAILY;COUNT=700"), horizon_days=1_500)
    await made_exceptions(aiko.database, series, exceptions)
    steps: dict[str, AnyOperation] = {
        "move": aiko.patching(series, start_time=NINE + HOUR),
        "delete": Delete(event_id=series),
        "restore": Restore(event_id=series),
        "delete this": Delete(event_id=series, recurrence_id=NINE + DAY + HOUR),
        "split": aiko.patching(series, recurrence_id=NINE + 3 * DAY + HOUR, scope="following", title="Rest"),
    }

    found = {name: await spent(aiko, operation, budget) for name, operation in steps.items()}

    assert found == {"move": 7, "delete": 5, "restore": 5, "delete this": 5, "split": 6}


async def made_exceptions(database: Database, series: UUID, count: int) -> None:
    """Every other day an exception, by plain SQL, with the attendees of the series."""
    made = Statement(
        name="tests.exceptions",
        purpose="a premise",
        sql="""
        with made as (
          insert into events (id, calendar_id, organizer_id, uid, title, start_time, end_time, span_end, tzid,
                              series_id, recurrence_id)
          select gen_random_uuid(), e.calendar_id, e.organizer_id, e.uid, 'Own ' || n,
                 at, at + interval '1 hour', at + interval '1 hour', e.tzid, e.id, at
          from events e
          cross join generate_series(1, $2::integer) n
          cross join lateral (select e.start_time + (2 * n) * interval '1 day' as at) a
          where e.id = $1
          returning id
        )
        insert into attendees (event_id, email, user_id)
        select m.id, a.email, a.user_id from made m cross join attendees a where a.event_id = $1""",
    )
    await database.execute(made, series, count)
