"""Rooms: booked with the event in one transaction, never twice, and given up, moved and had again with it."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from tests.integration.events.booker import BOOKED, DAY, HOUR, NINE, NOW, Booker, refusal
from tests.integration.rows import a_calendar, a_room, a_user, insert, viewing
from yotei.errors import Code, Problem
from yotei.events import write
from yotei.events.draft import Create, Delete, EventFields, Move, NewEvent, Patch, Restore
from yotei.storage.pool import Database, Source
from yotei.storage.statements import Statement


async def test_a_room_is_booked_with_the_event(aiko: Booker) -> None:
    room = await a_room(aiko.database)

    event_id = await aiko.book(room)

    assert await aiko.booked(event_id) == [(NINE, NINE + HOUR)]
    assert (await aiko.event(event_id)).room_names == ("Fuji",)


async def test_the_second_caller_is_told_the_period_and_what_could_be_had_instead(aiko: Booker, bob: Booker) -> None:
    room = await a_room(aiko.database, seats=6)
    larger = await a_room(aiko.database, "Haru", seats=8)
    await a_room(aiko.database, "Small", seats=2)
    await aiko.book(room)

    problem = await refusal(bob.book(room, start=NINE + HOUR / 2))

    assert problem.code is Code.ROOM_TAKEN
    (conflict,) = problem.more["conflicts"]
    assert (conflict.resource_id, conflict.taken.start, conflict.taken.end) == (room, NINE, NINE + HOUR)
    alternatives = problem.more["alternatives"]
    assert [one.id for one in alternatives.resources] == [larger]
    assert alternatives.times[0].start == NINE + HOUR
    assert "Planning" not in str(msgspec.to_builtins(problem.more, builtin_types=(datetime, UUID)))


async def test_what_is_refused_leaves_nothing_behind(aiko: Booker, bob: Booker) -> None:
    room, other = await a_room(aiko.database), await a_room(aiko.database, "Haru")
    await aiko.book(room)

    await refusal(bob.book(other, room))

    left = await aiko.database.fetch(
        Statement(
            name="tests.left",
            purpose="rows of a calendar",
            sql="""select (select count(*) from events where calendar_id = $1) as events,
                          (select count(*) from reservations where resource_id = $2) as reservations""",
        ),
        bob.calendar_id,
        other,
    )
    assert tuple(left[0]) == (0, 0)


async def test_the_next_hour_is_free(aiko: Booker, bob: Booker) -> None:
    room = await a_room(aiko.database)
    await aiko.book(room)

    event_id = await bob.book(room, start=NINE + HOUR)

    assert await bob.booked(event_id) == [(NINE + HOUR, NINE + 2 * HOUR)]


async def test_set_up_and_tear_down_are_kept_free(aiko: Booker, bob: Booker) -> None:
    room = await a_room(aiko.database, setup_minutes=15, teardown_minutes=30)
    event_id = await aiko.book(room)

    too_soon = await refusal(bob.book(room, start=NINE + HOUR + timedelta(minutes=44)))
    in_time = await bob.book(room, start=NINE + HOUR + timedelta(minutes=45))

    assert too_soon.code is Code.ROOM_TAKEN
    assert await bob.booked(in_time)
    (row,) = await aiko.database.fetch(BOOKED, event_id)
    assert (row["blocked_from"], row["blocked_until"]) == (NINE - HOUR / 4, NINE + 1.5 * HOUR)


async def test_a_resource_takes_as_many_bookings_as_it_has_units(aiko: Booker) -> None:
    projector = await a_room(aiko.database, concurrent_bookings=2)

    first, second = await aiko.book(projector), await aiko.book(projector, start=NINE + HOUR / 2)
    third = await refusal(aiko.book(projector))

    units = [(await aiko.database.fetch(BOOKED, one))[0]["unit"] for one in (first, second)]
    assert units == [1, 2]
    assert third.code is Code.ROOM_TAKEN


async def test_a_closed_room_is_not_booked(aiko: Booker) -> None:
    hours = '{"wed": [["09:00", "17:00"]]}'
    room = await a_room(aiko.database, opening_hours=hours, tzid="Asia/Tokyo")

    problem = await refusal(aiko.book(room))
    event_id = await aiko.book(room, start=datetime(2027, 3, 3, 1, tzinfo=UTC))

    assert problem.code is Code.ROOM_CLOSED
    assert len(await aiko.booked(event_id)) == 1


@pytest.mark.parametrize("booking", ["MEMBERS", "NOBODY"])
async def test_who_may_not_book_is_refused(aiko: Booker, booking: str) -> None:
    room = await a_room(aiko.database, booking=booking)

    problem = await refusal(aiko.book(room))

    assert problem.code is Code.FORBIDDEN
    assert problem.faults[0].field == "body.resource_ids[0]"


async def test_a_member_books_what_is_kept_for_members(aiko: Booker) -> None:
    room = await a_room(aiko.database, booking="MEMBERS")
    await insert(
        aiko.database, "resource_members", {"resource_id": room, "user_id": aiko.viewer.user_id, "role": "BOOKER"}
    )

    assert await aiko.booked(await aiko.book(room))


async def test_a_room_that_does_not_exist_is_not_found(aiko: Booker) -> None:
    problem = await refusal(aiko.book(aiko.calendar_id))

    assert (problem.code, problem.faults[0].field) == (Code.NOT_FOUND, "body.resource_ids[0]")


async def test_an_event_without_length_holds_no_room(aiko: Booker) -> None:
    problem = await refusal(aiko.book(await a_room(aiko.database), hours=0))

    assert (problem.code, problem.faults[0].field) == (Code.INVALID_REQUEST, "body.end_time")


async def test_an_all_day_event_holds_the_day_of_the_room(aiko: Booker) -> None:
    room = await a_room(aiko.database, tzid="Asia/Tokyo", opening_hours='{"mon": [["09:00", "17:00"]]}')

    event_id = await aiko.do(
        Create(event=NewEvent(calendar_id=aiko.calendar_id, title="Fair", start_date=NINE.date(), resource_ids=(room,)))
    )

    assert await aiko.booked(event_id) == [(datetime(2027, 3, 2, 15, tzinfo=UTC), datetime(2027, 3, 3, 15, tzinfo=UTC))]


async def test_a_booking_follows_its_event(aiko: Booker, bob: Booker) -> None:
    room = await a_room(aiko.database)
    event_id = await aiko.book(room)

    await aiko.patch(event_id, start_time=NINE + HOUR / 2)
    assert await aiko.booked(event_id) == [(NINE + HOUR / 2, NINE + 1.5 * HOUR)]

    await aiko.patch(event_id, status="CANCELLED")
    assert await aiko.booked(event_id) == []

    await aiko.patch(event_id, status="CONFIRMED")
    assert await aiko.booked(event_id) == [(NINE + HOUR / 2, NINE + 1.5 * HOUR)]

    await aiko.do(Delete(event_id=event_id))
    assert await aiko.booked(event_id) == []
    assert await bob.booked(await bob.book(room))


async def test_a_move_into_a_taken_hour_is_refused_and_the_old_one_kept(aiko: Booker, bob: Booker) -> None:
    room = await a_room(aiko.database)
    event_id = await aiko.book(room)
    await bob.book(room, start=NINE + 2 * HOUR)

    problem = await refusal(aiko.patch(event_id, start_time=NINE + 1.5 * HOUR, title="Later"))

    assert problem.code is Code.ROOM_TAKEN
    assert await aiko.booked(event_id) == [(NINE, NINE + HOUR)]
    assert (await aiko.event(event_id)).title == "Planning"


async def test_a_title_changes_while_the_room_is_held(aiko: Booker) -> None:
    room = await a_room(aiko.database)
    event_id = await aiko.book(room)
    before = await aiko.database.fetch(BOOKED, event_id)

    await aiko.patch(event_id, title="Review")

    assert await aiko.database.fetch(BOOKED, event_id) == before


async def test_a_restored_event_has_its_room_again_or_is_not_restored(aiko: Booker, bob: Booker) -> None:
    room = await a_room(aiko.database)
    mine, other = await aiko.book(room), await aiko.book(room, start=NINE + DAY)
    await aiko.do(Delete(event_id=mine))
    await aiko.do(Delete(event_id=other))
    await bob.book(room, start=NINE + DAY)

    await aiko.do(Restore(event_id=mine))
    problem = await refusal(aiko.do(Restore(event_id=other)))
    await aiko.do(Restore(event_id=other, booking_policy="PARTIAL"))

    assert len(await aiko.booked(mine)) == 1
    assert problem.code is Code.ROOM_TAKEN
    assert await aiko.booked(other) == []
    assert [(one.resource_id, one.start) for one in (await aiko.event(other)).missed or ()] == [(room, NINE + DAY)]


async def test_a_series_is_booked_up_to_the_horizon(aiko: Booker) -> None:
    room = await a_room(aiko.database)

    async def work(tx: Source) -> UUID:
        event = NewEvent(
            calendar_id=aiko.calendar_id,
            title="Stand-up",
            start_time=NINE,
            end_time=NINE + HOUR,
            rrule="FREQ=DAILY",
            resource_ids=(room,),
        )
        return (await write.apply_one(tx, aiko.viewer, Create(event=event), now=NOW, horizon_days=31)).event_id

    event_id = await aiko.database.run(work)

    booked = await aiko.booked(event_id)
    assert booked[0] == (NINE, NINE + HOUR)
    assert len(booked) == 29
    assert (await aiko.event(event_id)).booked_until == NOW + 31 * DAY


async def test_time_goes_on_and_so_do_the_bookings_of_a_series(aiko: Booker, bob: Booker) -> None:
    room = await a_room(aiko.database)
    event_id = await aiko.do(
        Create(
            event=NewEvent(
                calendar_id=aiko.calendar_id,
                title="Stand-up",
                start_time=NINE,
                end_time=NINE + HOUR,
                rrule="FREQ=DAILY",
                resource_ids=(room,),
            )
        ),
        horizon_days=31,
    )
    taken = NINE + 40 * DAY
    await bob.book(room, start=taken)

    seen_to = [await write.extend(aiko.database, now=NOW + 14 * DAY, horizon_days=31) for _ in range(2)]

    event = await aiko.event(event_id)
    assert seen_to == [1, 0]
    assert len(await aiko.booked(event_id)) == 29 + 14 - 1
    assert event.booked_until == NOW + 45 * DAY
    assert [one.start for one in event.missed or ()] == [taken]


async def test_a_series_with_a_taken_instance_is_refused_as_a_whole_or_made_without_it(
    aiko: Booker, bob: Booker
) -> None:
    room = await a_room(aiko.database)
    await bob.book(room, start=NINE + 7 * DAY)

    problem = await refusal(aiko.book(room, rrule="FREQ=WEEKLY;COUNT=3"))
    event_id = await aiko.book(room, rrule="FREQ=WEEKLY;COUNT=3", policy="PARTIAL")

    assert [one.recurrence_id for one in problem.more["conflicts"]] == [NINE + 7 * DAY]
    assert [start for start, _ in await aiko.booked(event_id)] == [NINE, NINE + 14 * DAY]
    event = await aiko.event(event_id)
    assert [one.recurrence_id for one in event.missed or ()] == [NINE + 7 * DAY]
    assert event.booked_until is None


async def test_an_instance_that_moves_takes_its_booking_along(aiko: Booker) -> None:
    room = await a_room(aiko.database)
    event_id = await aiko.book(room, rrule="FREQ=WEEKLY;COUNT=3")

    override = await aiko.patch(
        event_id, scope="this", recurrence_id=NINE + 7 * DAY, start_time=NINE + 7 * DAY + 3 * HOUR
    )

    assert [start for start, _ in await aiko.booked(event_id)] == [NINE, NINE + 14 * DAY]
    assert [start for start, _ in await aiko.booked(override)] == [NINE + 7 * DAY + 3 * HOUR]


async def test_an_instance_that_gives_up_its_room_leaves_it_to_others(aiko: Booker, bob: Booker) -> None:
    room = await a_room(aiko.database)
    event_id = await aiko.book(room, rrule="FREQ=WEEKLY;COUNT=3")

    await aiko.patch(event_id, scope="this", recurrence_id=NINE + 7 * DAY, resource_ids=())

    assert [start for start, _ in await aiko.booked(event_id)] == [NINE, NINE + 14 * DAY]
    assert await bob.booked(await bob.book(room, start=NINE + 7 * DAY))


async def test_what_follows_has_its_bookings_in_the_new_series(aiko: Booker) -> None:
    room = await a_room(aiko.database)
    event_id = await aiko.book(room, rrule="FREQ=WEEKLY;COUNT=4")

    later = await aiko.patch(
        event_id, scope="following", recurrence_id=NINE + 14 * DAY, start_time=NINE + 14 * DAY + HOUR
    )

    assert [start for start, _ in await aiko.booked(event_id)] == [NINE, NINE + 7 * DAY]
    assert [start for start, _ in await aiko.booked(later)] == [NINE + 14 * DAY + HOUR, NINE + 21 * DAY + HOUR]


async def test_a_deleted_instance_and_a_deleted_rest_give_up_their_rooms(aiko: Booker) -> None:
    room = await a_room(aiko.database)
    event_id = await aiko.book(room, rrule="FREQ=WEEKLY;COUNT=4")

    await aiko.do(Delete(event_id=event_id, scope="this", recurrence_id=NINE + 7 * DAY))
    await aiko.do(Delete(event_id=event_id, scope="following", recurrence_id=NINE + 21 * DAY))

    assert [start for start, _ in await aiko.booked(event_id)] == [NINE, NINE + 14 * DAY]


async def test_the_past_of_a_series_stays_as_it_was(aiko: Booker) -> None:
    room = await a_room(aiko.database)
    event_id = await aiko.book(room, rrule="FREQ=WEEKLY;COUNT=4")
    later = NINE + 10 * DAY

    await aiko.do(Patch(event_id=event_id, event=EventFields(start_time=NINE + HOUR)), now=later)

    assert [start for start, _ in await aiko.booked(event_id)] == [
        NINE,
        NINE + 7 * DAY,
        NINE + 14 * DAY + HOUR,
        NINE + 21 * DAY + HOUR,
    ]


async def test_two_rooms_change_hands_in_one_batch(aiko: Booker) -> None:
    room, other = await a_room(aiko.database), await a_room(aiko.database, "Haru")
    mine, yours = await aiko.book(room), await aiko.book(other)
    swap = [
        Patch(event_id=mine, event=EventFields(resource_ids=(other,))),
        Patch(event_id=yours, event=EventFields(resource_ids=(room,))),
    ]

    async def work(tx: Source) -> list[Any]:
        return list(await write.apply(tx, aiko.viewer, swap, now=NOW))

    outcomes = await aiko.database.run(work)

    assert not any(isinstance(one, Problem) for one in outcomes)
    assert (await aiko.event(mine)).room_names == ("Haru",)
    assert (await aiko.event(yours)).room_names == ("Fuji",)


async def test_in_a_batch_the_earlier_has_the_room_and_the_others_are_done(aiko: Booker) -> None:
    room = await a_room(aiko.database)

    def wanting(title: str, *rooms: UUID) -> Create:
        return Create(
            event=NewEvent(
                calendar_id=aiko.calendar_id, title=title, start_time=NINE, end_time=NINE + HOUR, resource_ids=rooms
            )
        )

    async def work(tx: Source) -> list[Any]:
        wanted = [wanting("a", room), wanting("b", room), wanting("c")]
        return list(await write.apply(tx, aiko.viewer, wanted, now=NOW))

    first, second, third = await aiko.database.run(work)

    assert isinstance(second, Problem)
    assert second.code is Code.ROOM_TAKEN
    assert len(await aiko.booked(first.event_id)) == 1
    assert (await aiko.event(third.event_id)).title == "c"


async def test_a_move_to_another_calendar_keeps_the_room(aiko: Booker) -> None:
    room = await a_room(aiko.database)
    other = await a_calendar(aiko.database, {aiko.viewer.user_id: "WRITER"})
    event_id = await aiko.book(room)

    await aiko.do(Move(event_id=event_id, calendar_id=other))

    assert len(await aiko.booked(event_id)) == 1
    assert (await aiko.event(event_id)).calendar_id == other


@pytest.mark.parametrize("units", [1, 3])
async def test_many_at_once_and_no_unit_is_had_twice(every_database: Database, units: int) -> None:
    user_id = await a_user(every_database)
    calendar_id = await a_calendar(every_database, {user_id: "OWNER"})
    room = await a_room(every_database, concurrent_bookings=units)
    booker = Booker(every_database, viewing(user_id), calendar_id)

    outcomes = await asyncio.gather(
        *(booker.book(room, start=NINE + n % 2 * HOUR / 2) for n in range(8)), return_exceptions=True
    )

    won = [one for one in outcomes if isinstance(one, UUID)]
    assert len(won) == units
    assert {one.code for one in outcomes if isinstance(one, Problem)} == {Code.ROOM_TAKEN}
    assert len(outcomes) - len(won) == sum(isinstance(one, Problem) for one in outcomes)
