"""Rooms of series and their exceptions: what is refused and what is missed, the past, splits, clocks, the horizon."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from tests.integration.events.booker import BOOKED, DAY, HOUR, NINE, NOW, WEEK, Booker, a_booker, clock, refusal
from tests.integration.rows import a_calendar, a_room, insert, viewing
from yotei.errors import Code, Problem
from yotei.events import booking, write
from yotei.events.draft import Delete, Duplicate, Invitee, Move, Policy, Respond, Restore
from yotei.storage.pool import Database
from yotei.storage.statements import Statement

MONTH = 31
"""Days to the horizon of these tests."""
WEEKS = [NINE + n * WEEK for n in range(6)]


async def missed(booker: Booker, event_id: UUID) -> list[datetime]:
    return [one.start for one in (await booker.event(event_id)).missed or ()]


async def weekly_with_a_conflict(aiko: Booker, bob: Booker, room: UUID) -> UUID:
    """Aiko's endless weekly series, ALL; the job has met Bob in its sixth week, and missed that."""
    series = await aiko.do(
        aiko.booking(room, rrule="FREQ=WEEKLY", attendees=(Invitee(user_id=aiko.viewer.user_id),)), horizon_days=MONTH
    )
    await bob.book(room, start=WEEKS[5])
    assert await write.extend(aiko.database, now=NOW + 14 * DAY, horizon_days=MONTH) == 1
    assert await missed(aiko, series) == [WEEKS[5]]
    return series


async def test_what_the_job_missed_refuses_no_other_write(aiko: Booker, bob: Booker) -> None:
    room = await a_room(aiko.database)
    series = await weekly_with_a_conflict(aiko, bob, room)

    async def do(operation: object) -> UUID:
        return await aiko.do(operation, now=NOW + 14 * DAY, horizon_days=MONTH)  # type: ignore[arg-type]

    answered = await do(Respond(event_id=series, recurrence_id=WEEKS[3], response_status="DECLINED"))
    answered_missed = await do(Respond(event_id=series, recurrence_id=WEEKS[5], response_status="ACCEPTED"))
    await do(Delete(event_id=series, recurrence_id=WEEKS[4]))
    await do(aiko.patching(series, recurrence_id=WEEKS[2], title="Own"))
    later = await do(aiko.patching(series, recurrence_id=WEEKS[3], scope="following", title="New"))

    assert [len(await aiko.booked(one)) for one in (answered, answered_missed)] == [1, 0]
    assert await missed(aiko, answered_missed) == [WEEKS[5]]
    assert await missed(aiko, later) == []


async def test_what_was_missed_is_had_as_soon_as_the_series_changes_and_it_is_free(aiko: Booker, bob: Booker) -> None:
    room = await a_room(aiko.database)
    taken = await bob.book(room, start=WEEKS[2])
    series = await aiko.book(room, rrule="FREQ=WEEKLY;COUNT=4", policy="PARTIAL")
    before = await missed(aiko, series)

    await bob.do(Delete(event_id=taken))
    await aiko.do(Delete(event_id=series, recurrence_id=WEEKS[1]))

    assert before == [WEEKS[2]]
    assert [start for start, _ in await aiko.booked(series)] == [WEEKS[0], WEEKS[2], WEEKS[3]]
    assert await missed(aiko, series) == []


async def test_what_is_still_missed_is_not_written_again(aiko: Booker, bob: Booker) -> None:
    room = await a_room(aiko.database)
    await bob.book(room, start=WEEKS[2])
    series = await aiko.book(room, rrule="FREQ=WEEKLY;COUNT=4", policy="PARTIAL")
    before = {row["id"] for row in await aiko.database.fetch(BOOKED, series) if row["status"] == "MISSED"}

    await aiko.do(Delete(event_id=series, recurrence_id=WEEKS[1]))

    after = {row["id"] for row in await aiko.database.fetch(BOOKED, series) if row["status"] == "MISSED"}
    assert before == after
    assert len(after) == 1


async def test_all_is_asked_for_again_when_the_policy_says_so(aiko: Booker, bob: Booker) -> None:
    room = await a_room(aiko.database)
    await bob.book(room, start=WEEKS[2])
    series = await aiko.book(room, rrule="FREQ=WEEKLY;COUNT=4", policy="PARTIAL")

    problem = await refusal(aiko.patch(series, booking_policy="ALL"))

    assert problem.code is Code.ROOM_TAKEN
    assert [one.recurrence_id for one in problem.more["conflicts"]] == [WEEKS[2]]


async def test_a_series_that_moves_into_a_taken_week_is_refused(aiko: Booker, bob: Booker) -> None:
    room = await a_room(aiko.database)
    await bob.book(room, start=WEEKS[2] + 2 * HOUR)
    series = await aiko.book(room, rrule="FREQ=WEEKLY;COUNT=4")

    all_of_it = await refusal(aiko.patch(series, start_time=NINE + 2 * HOUR))
    rest = await refusal(aiko.patch(series, recurrence_id=WEEKS[1], scope="following", start_time=WEEKS[1] + 2 * HOUR))
    one = await refusal(aiko.patch(series, recurrence_id=WEEKS[2], start_time=WEEKS[2] + 2 * HOUR))

    assert [problem.code for problem in (all_of_it, rest, one)] == [Code.ROOM_TAKEN] * 3
    assert [start for start, _ in await aiko.booked(series)] == WEEKS[:4]


async def test_an_instance_that_is_restored_is_refused_where_its_room_is_taken(aiko: Booker, bob: Booker) -> None:
    room = await a_room(aiko.database)
    series = await aiko.book(room, rrule="FREQ=WEEKLY;COUNT=4")
    await aiko.do(Delete(event_id=series, recurrence_id=WEEKS[1]))
    await bob.book(room, start=WEEKS[1])

    problem = await refusal(aiko.do(Restore(event_id=series, recurrence_id=WEEKS[1])))
    await aiko.do(Restore(event_id=series, recurrence_id=WEEKS[1], booking_policy="PARTIAL"))

    assert problem.code is Code.ROOM_TAKEN
    assert await missed(aiko, series) == [WEEKS[1]]


async def test_a_past_instance_is_changed_and_answered_although_it_held_its_room(aiko: Booker) -> None:
    room = await a_room(aiko.database)
    series = await aiko.book(room, rrule="FREQ=WEEKLY;COUNT=4", attendees=(Invitee(user_id=aiko.viewer.user_id),))
    later = NINE + 10 * DAY

    titled = await aiko.patch(series, recurrence_id=WEEKS[0], title="Own", now=later)
    answered = await aiko.do(Respond(event_id=series, recurrence_id=WEEKS[1], response_status="DECLINED"), now=later)

    assert await aiko.booked(titled) == [(WEEKS[0], WEEKS[0] + HOUR)]
    assert await aiko.booked(answered) == [(WEEKS[1], WEEKS[1] + HOUR)]
    assert [start for start, _ in await aiko.booked(series)] == WEEKS[2:4]


async def test_an_exception_keeps_its_own_rooms_when_those_of_the_series_change(aiko: Booker) -> None:
    fuji, haru, ren = [await a_room(aiko.database, name) for name in ("Fuji", "Haru", "Ren")]
    series = await aiko.book(fuji, rrule="FREQ=WEEKLY;COUNT=4")
    same = await aiko.patch(series, recurrence_id=WEEKS[1], title="Own")
    other = await aiko.patch(series, recurrence_id=WEEKS[2], resource_ids=(ren,))
    none = await aiko.patch(series, recurrence_id=WEEKS[3], resource_ids=())

    await aiko.patch(series, resource_ids=(haru,))

    rooms = [(await aiko.event(one)).room_names for one in (series, same, other, none)]
    assert rooms == [("Haru",), ("Haru",), ("Ren",), ()]


async def test_a_split_leaves_no_gap_in_which_somebody_else_could_take_the_room(aiko: Booker, bob: Booker) -> None:
    room = await a_room(aiko.database)
    weeks = [NINE + n * WEEK for n in range(12)]
    series = await aiko.book(room, rrule="FREQ=WEEKLY;COUNT=12")
    done = asyncio.Event()
    had: list[object] = []

    async def try_to_take() -> None:
        while not done.is_set():
            had.extend(await asyncio.gather(*(bob.book(room, start=one) for one in weeks[8:]), return_exceptions=True))

    trying = asyncio.create_task(try_to_take())
    part = series
    for cut in range(1, 7):
        part = await aiko.patch(part, recurrence_id=weeks[cut], scope="following", title=f"Part {cut}")
    done.set()
    await trying

    assert had
    assert {one.code for one in had if isinstance(one, Problem)} == {Code.ROOM_TAKEN}
    assert not [one for one in had if not isinstance(one, Problem)]
    assert [start for start, _ in await aiko.booked(part)] == weeks[6:]


@pytest.mark.parametrize("policy", ["ALL", "PARTIAL"])
async def test_a_series_that_ends_to_recur_holds_nothing_for_an_instance_any_more(
    aiko: Booker, bob: Booker, policy: Policy
) -> None:
    room = await a_room(aiko.database)
    series = await aiko.book(room, rrule="FREQ=WEEKLY;COUNT=4", policy="PARTIAL")
    await bob.book(room, start=WEEKS[4])
    await aiko.patch(series, rrule="FREQ=WEEKLY;COUNT=6", booking_policy="PARTIAL")

    await aiko.patch(series, rrule=None, booking_policy=policy, now=WEEKS[2])

    rows = await aiko.database.fetch(BOOKED, series)
    assert [(row["start_time"], row["recurrence_id"]) for row in rows if row["status"] != "CANCELLED"] == [(NINE, None)]


async def test_rooms_of_a_series_go_and_come_with_it(aiko: Booker, bob: Booker) -> None:
    room = await a_room(aiko.database)
    other = await a_calendar(aiko.database, {aiko.viewer.user_id: "WRITER"})
    series = await aiko.book(room, rrule="FREQ=WEEKLY;COUNT=4")
    override = await aiko.patch(series, recurrence_id=WEEKS[1], start_time=WEEKS[1] + HOUR)
    held = [WEEKS[0], WEEKS[2], WEEKS[3]]

    await aiko.do(Move(event_id=series, calendar_id=other))
    moved = [start for start, _ in await aiko.booked(series)]
    await aiko.patch(series, status="CANCELLED")
    cancelled = [await aiko.booked(series), await aiko.booked(override)]
    await aiko.patch(series, status="CONFIRMED")
    await aiko.do(Delete(event_id=series))
    deleted = [await aiko.booked(series), await aiko.booked(override)]
    await aiko.do(Restore(event_id=series))

    assert moved == held
    assert cancelled == deleted == [[], []]
    assert [start for start, _ in await aiko.booked(series)] == held
    assert [start for start, _ in await aiko.booked(override)] == [WEEKS[1] + HOUR]


async def test_a_copy_needs_its_room_too(aiko: Booker, bob: Booker) -> None:
    room = await a_room(aiko.database)
    event = await aiko.book(room)

    same_time = await refusal(aiko.do(Duplicate(event_id=event)))
    next_hour = await aiko.do(Duplicate(event_id=event, start_time=NINE + HOUR))

    assert same_time.code is Code.ROOM_TAKEN
    assert await aiko.booked(next_hour) == [(NINE + HOUR, NINE + 2 * HOUR)]


async def test_who_may_not_book_a_room_does_not_get_it_by_a_copy(aiko: Booker, bob: Booker) -> None:
    room = await a_room(aiko.database, booking="MEMBERS")
    await insert(
        aiko.database, "resource_members", {"resource_id": room, "user_id": aiko.viewer.user_id, "role": "BOOKER"}
    )
    event = await aiko.book(room, attendees=(Invitee(user_id=bob.viewer.user_id),))

    problem = await refusal(bob.do(Duplicate(event_id=event, calendar_id=bob.calendar_id, start_time=NINE + 3 * HOUR)))

    assert problem.code is Code.FORBIDDEN


async def test_a_room_that_is_gone_is_not_copied(aiko: Booker) -> None:
    room = await a_room(aiko.database)
    event = await aiko.book(room)
    gone = Statement(
        name="tests.gone", purpose="a premise", sql="update resources set deleted_at = now() where id = $1"
    )
    await aiko.database.execute(gone, room)

    copy = await aiko.do(Duplicate(event_id=event, start_time=NINE + DAY))

    assert (await aiko.event(copy)).room_names == ()


async def test_a_room_is_open_by_its_clock_on_both_sides_of_the_change(aiko: Booker) -> None:
    hours = '{"mon": [["09:00", "17:00"]]}'
    room = await a_room(aiko.database, opening_hours=hours, tzid="Europe/Lisbon")
    across = {"rrule": "FREQ=WEEKLY;COUNT=4"}

    by_its_clock = await aiko.book(room, start=clock("2027-03-15T09:00"), tzid="Europe/Lisbon", **across)
    by_utc = await refusal(aiko.book(room, start=datetime(2027, 3, 15, 16, tzinfo=UTC), tzid="UTC", **across))

    assert len(await aiko.booked(by_its_clock)) == 4
    assert by_utc.code is Code.ROOM_CLOSED
    assert [one.start.day for one in by_utc.more["conflicts"]] == [29, 5]


async def test_two_neighbours_keep_tear_down_and_set_up_apart(aiko: Booker, bob: Booker) -> None:
    room = await a_room(aiko.database, setup_minutes=10, teardown_minutes=20)
    await aiko.book(room, rrule="FREQ=DAILY;COUNT=3")

    too_soon = await refusal(bob.book(room, start=NINE + HOUR + timedelta(minutes=29), rrule="FREQ=DAILY;COUNT=3"))
    in_time = await bob.book(room, start=NINE + HOUR + timedelta(minutes=30), rrule="FREQ=DAILY;COUNT=3")
    before = await bob.book(room, start=NINE - HOUR - timedelta(minutes=30), rrule="FREQ=DAILY;COUNT=3")

    assert too_soon.code is Code.ROOM_TAKEN
    assert [len(await bob.booked(one)) for one in (in_time, before)] == [3, 3]


async def test_series_share_a_resource_of_several_units_instance_by_instance(aiko: Booker) -> None:
    projectors = await a_room(aiko.database, concurrent_bookings=2)
    daily, weekly = (
        await aiko.book(projectors, rrule="FREQ=DAILY;COUNT=8"),
        await aiko.book(projectors, start=NINE + WEEK),
    )

    third = await aiko.book(projectors, rrule="FREQ=DAILY;COUNT=8", policy="PARTIAL")

    assert [len(await aiko.booked(one)) for one in (daily, weekly, third)] == [8, 1, 7]
    assert await missed(aiko, third) == [NINE + WEEK]


# The horizon


async def test_booked_until_is_the_horizon_and_null_at_the_end(aiko: Booker) -> None:
    room = await a_room(aiko.database)

    endless = await aiko.do(aiko.booking(room, rrule="FREQ=WEEKLY"), horizon_days=MONTH)
    bounded = await aiko.do(aiko.booking(room, start=NINE + HOUR, rrule="FREQ=WEEKLY;COUNT=2"), horizon_days=MONTH)
    single = await aiko.book(room, start=NINE + 400 * DAY)

    assert [(await aiko.event(one)).booked_until for one in (endless, bounded, single)] == [
        NOW + MONTH * DAY,
        None,
        None,
    ]


async def test_a_series_is_booked_to_its_end_when_the_horizon_reaches_it(aiko: Booker) -> None:
    room = await a_room(aiko.database)
    series = await aiko.do(aiko.booking(room, rrule="FREQ=WEEKLY;COUNT=8"), horizon_days=MONTH)

    seen_to = [await write.extend(aiko.database, now=NOW + n * WEEK, horizon_days=MONTH) for n in (4, 4, 8)]

    assert seen_to == [1, 0, 0]
    assert (await aiko.event(series)).booked_until is None
    assert len(await aiko.booked(series)) == 8


async def test_two_nodes_at_once_book_further_once(every_database: Database) -> None:
    aiko = await a_booker(every_database, "Aiko")
    room = await a_room(every_database, concurrent_bookings=20)
    series = [
        await aiko.do(aiko.booking(room, rrule="FREQ=DAILY", start=NINE + n * HOUR), horizon_days=MONTH)
        for n in range(8)
    ]

    seen_to = await asyncio.gather(
        *(write.extend(every_database, now=NOW + 14 * DAY, horizon_days=MONTH) for _ in range(6))
    )

    assert sum(seen_to) == len(series)
    assert {len(await aiko.booked(one)) for one in series} == {29 + 14}


async def test_a_series_of_too_many_instances_for_a_wider_horizon_keeps_its_rooms(
    aiko: Booker, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = await a_room(aiko.database)
    series = await aiko.do(aiko.booking(room, rrule="FREQ=DAILY"), horizon_days=MONTH)
    monkeypatch.setattr(booking, "INSTANCES_MAX", 40)

    seen_to = await write.extend(aiko.database, now=NOW + DAY, horizon_days=366)
    await aiko.do(Delete(event_id=series, recurrence_id=NINE + DAY))
    refused = await refusal(aiko.do(aiko.booking(room, start=NINE + HOUR, rrule="FREQ=DAILY"), horizon_days=366))

    booked = await aiko.booked(series)
    assert seen_to == 0
    assert 38 <= len(booked) <= 42
    assert (await aiko.event(series)).booked_until is not None
    assert refused.faults[0].field == "body.rrule"


async def test_who_edits_behind_the_horizon_is_told_what_is_missed_there(aiko: Booker, bob: Booker) -> None:
    room = await a_room(aiko.database)
    series = await aiko.do(aiko.booking(room, rrule="FREQ=WEEKLY"), horizon_days=MONTH)
    await bob.book(room, start=WEEKS[5])
    later = NOW + 14 * DAY

    await aiko.do(Delete(event_id=series, recurrence_id=WEEKS[3]), now=later, horizon_days=MONTH)

    assert await missed(aiko, series) == [WEEKS[5]]
    assert (await aiko.event(series)).booked_until == later + MONTH * DAY


async def test_everybody_who_sees_the_event_sees_what_was_missed(aiko: Booker, bob: Booker) -> None:
    room = await a_room(aiko.database)
    await bob.book(room, start=WEEKS[1])
    series = await aiko.book(
        room, rrule="FREQ=WEEKLY;COUNT=3", policy="PARTIAL", attendees=(Invitee(user_id=bob.viewer.user_id),)
    )
    reader = Booker(aiko.database, viewing(bob.viewer.user_id), aiko.calendar_id)

    assert await missed(reader, series) == [WEEKS[1]]
