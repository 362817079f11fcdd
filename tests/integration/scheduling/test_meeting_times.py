"""Times at which people can meet, from what is stored: who is free, who works, which rooms are to be had."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from tests.conftest import Budget
from tests.integration.rows import a_booking, a_calendar, a_room, a_user, an_event, insert, viewing
from tests.integration.scheduling.premises import an_invitation, at, window
from yotei.errors import Code, Problem
from yotei.scheduling.meeting import Meeting, MeetingTimes, Obstacle, Participant, RoomsWanted, Unknown
from yotei.scheduling.read import meeting_times
from yotei.storage.ids import uuid7
from yotei.storage.pool import Database

ANYBODY = viewing(uuid7(), scopes=frozenset({"read"}))
MORNING = window(at(8), at(12))


def required(*user_ids: UUID) -> tuple[Participant, ...]:
    return tuple(Participant(user_id=one) for one in user_ids)


def starts(found: MeetingTimes) -> list[str]:
    return [f"{one.start.astimezone(UTC):%H:%M}" for one in found.proposals]


async def somebody_busy(database: Database, *hours: float, **fields: Any) -> UUID:
    """Busy for an hour from each of these."""
    person = await a_user(database, **fields)
    calendar_id = await a_calendar(database, {person: "OWNER"})
    for hour in hours:
        await an_event(database, calendar_id, person, at(0) + timedelta(hours=hour))
    return person


async def a_room_taken(database: Database, *hours: float, name: str = "Fuji", **fields: Any) -> UUID:
    owner = await a_user(database)
    event_id = await an_event(database, await a_calendar(database, {owner: "OWNER"}), owner, at(0))
    room_id = await a_room(database, name, **fields)
    for hour in hours:
        await a_booking(database, room_id, event_id, at(0) + timedelta(hours=hour))
    return room_id


async def test_only_times_at_which_all_required_are_free_are_proposed_earliest_first(database: Database) -> None:
    aiko, ben = await somebody_busy(database, 8, 9.5), await somebody_busy(database, 11)

    found = await meeting_times(database, ANYBODY, Meeting(MORNING, 30, required(aiko, ben)))

    assert starts(found) == ["09:00", "10:30"]
    assert found.proposals[0].end - found.proposals[0].start == timedelta(minutes=30)
    assert (found.starts, found.obstacles, found.unknown) == (15, (), ())


async def test_tentative_is_not_free_and_declined_is(database: Database) -> None:
    organizer, maybe, no = await a_user(database), await a_user(database), await a_user(database)
    event_id = await an_event(database, await a_calendar(database, {organizer: "OWNER"}), organizer, at(8), hours=3.5)
    await an_invitation(database, event_id, maybe, "TENTATIVE")
    await an_invitation(database, event_id, no, "DECLINED")

    with_maybe = await meeting_times(database, ANYBODY, Meeting(MORNING, 30, required(maybe)))
    with_no = await meeting_times(database, ANYBODY, Meeting(MORNING, 30, required(no), limit=1))

    assert starts(with_maybe) == ["11:30"]
    assert starts(with_no) == ["09:00"]


async def test_times_within_the_working_hours_of_most_come_first_by_each_ones_own_clock(database: Database) -> None:
    # On 1 December nine to five is 14:00 to 22:00 UTC in New York, and 8:00 to 16:00 in Berlin.
    new_york, berlin = await a_user(database, tzid="America/New_York"), await a_user(database, tzid="Europe/Berlin")

    found = await meeting_times(
        database, ANYBODY, Meeting(window(at(7), at(17)), 60, required(new_york, berlin), step_minutes=60)
    )

    assert starts(found) == ["14:00", "15:00", "08:00", "09:00", "10:00", "11:00", "12:00", "13:00", "16:00", "07:00"]
    assert found.proposals[2].outside_working_hours == (new_york,)


@pytest.mark.parametrize(
    ("working_hours", "expected"),
    [("{}", ["09:00", "10:00"]), ('{"tue": [["10:00", "11:00"]]}', ["10:00"]), ('{"wed": [["09:00", "17:00"]]}', [])],
)
async def test_with_required_hours_only_these_are_proposed_nine_to_five_where_none_are_given(
    database: Database, working_hours: str, expected: list[str]
) -> None:
    aiko = await a_user(database, working_hours=working_hours)
    ask = Meeting(window(at(8), at(11)), 60, required(aiko), step_minutes=60, working_hours="REQUIRE")

    found = await meeting_times(database, ANYBODY, ask)

    assert starts(found) == expected


async def test_nobody_works_on_a_weekend_who_has_not_said_so(database: Database) -> None:
    aiko = await a_user(database, working_hours="{}")
    friday_evening = window(at(16, day=4), at(10, day=7))

    found = await meeting_times(
        database, ANYBODY, Meeting(friday_evening, 60, required(aiko), step_minutes=60, working_hours="REQUIRE")
    )

    assert [f"{one.start:%a %H}" for one in found.proposals] == ["Fri 16", "Mon 09"]


async def test_optional_people_are_told_and_rank_first(database: Database) -> None:
    aiko, ben, chi = await somebody_busy(database, 8), await somebody_busy(database, 9), await a_user(database)
    optional = tuple(Participant(user_id=one, is_optional=True) for one in (ben, chi))

    found = await meeting_times(
        database, ANYBODY, Meeting(MORNING, 60, (*required(aiko), *optional), step_minutes=60, limit=3)
    )

    assert starts(found) == ["10:00", "11:00", "09:00"]
    assert [(one.coming, one.missing) for one in found.proposals] == [
        ((ben, chi), ()),
        ((ben, chi), ()),
        ((chi,), (ben,)),
    ]


async def test_rooms_that_fit_are_listed_the_smallest_first(database: Database) -> None:
    await a_room_taken(database, name="Tiny", seats=2)
    large = await a_room_taken(database, name="Aso", seats=20)
    small = await a_room_taken(database, 8, name="Fuji", seats=6)
    await a_room_taken(database, name="Bike", kind="EQUIPMENT", seats=6)
    unsaid = await a_room_taken(database, name="Somewhere")
    ask = Meeting(window(at(8), at(10)), 60, rooms=RoomsWanted(seats_min=4), step_minutes=60)

    found = await meeting_times(database, ANYBODY, ask)
    of_any_size = await meeting_times(
        database, ANYBODY, msgspec.structs.replace(ask, rooms=RoomsWanted(count=4), working_hours="REQUIRE")
    )

    assert [[room.id for room in one.rooms] for one in found.proposals] == [[large], [small, large]]
    assert [[room.name for room in one.rooms] for one in of_any_size.proposals] == [
        ["Tiny", "Fuji", "Aso", "Somewhere"]
    ]
    assert of_any_size.proposals[0].rooms[-1].id == unsaid


async def test_rooms_that_one_may_not_book_are_not_offered(database: Database) -> None:
    member = await a_user(database)
    closed = await a_room(database, "A", booking="NOBODY")
    of_members = await a_room(database, "B", booking="MEMBERS")
    await insert(database, "resource_members", {"resource_id": of_members, "user_id": member, "role": "BOOKER"})
    ask = Meeting(MORNING, 60, rooms=RoomsWanted(), limit=1)

    for_anybody = await meeting_times(database, ANYBODY, ask)
    for_member = await meeting_times(database, viewing(member), ask)
    with pytest.raises(Problem) as refused:
        await meeting_times(database, viewing(member), Meeting(MORNING, 60, resource_ids=(of_members, closed)))

    assert for_anybody.proposals == ()
    assert [room.id for room in for_member.proposals[0].rooms] == [of_members]
    assert refused.value.code is Code.FORBIDDEN
    assert [fault.field for fault in refused.value.faults] == ["body.resource_ids[1]"]


async def test_named_resources_are_all_free_from_set_up_to_tear_down_also_beyond_the_window(
    database: Database,
) -> None:
    fuji = await a_room_taken(database, 7, 11, setup_minutes=30, teardown_minutes=30)
    bike = await a_room_taken(database, 9, kind="EQUIPMENT")

    found = await meeting_times(
        database, ANYBODY, Meeting(window(at(8), at(11)), 30, resource_ids=(fuji, bike), step_minutes=30)
    )

    assert starts(found) == ["08:30", "10:00"]
    assert found.proposals[0].rooms == ()


async def test_a_room_is_not_proposed_outside_of_its_opening_hours(database: Database) -> None:
    fuji = await a_room(database, opening_hours='{"tue": [["09:30", "11:00"]]}')

    found = await meeting_times(database, ANYBODY, Meeting(MORNING, 60, resource_ids=(fuji,), step_minutes=30))

    assert starts(found) == ["09:30", "10:00"]


async def test_without_a_time_the_answer_says_whose_it_is_and_how_often_rooms_alone_were_missing(
    database: Database,
) -> None:
    aiko, ben = await somebody_busy(database, 8, 9, 10), await somebody_busy(database, 8)
    free = await a_user(database)
    fuji = await a_room_taken(database, 10)
    await a_room_taken(database, 11, name="Small", seats=2)
    ask = Meeting(MORNING, 60, required(ben, aiko, free), (fuji,), RoomsWanted(count=1, seats_min=2), step_minutes=60)

    found = await meeting_times(database, ANYBODY, ask)

    assert found.proposals == ()
    assert found.starts == 4
    assert found.obstacles == (Obstacle(aiko, None, 3), Obstacle(ben, None, 1), Obstacle(None, fuji, 1))
    assert found.starts_without_rooms == 1


async def test_who_is_not_there_is_told_and_plays_no_part(database: Database) -> None:
    aiko, nobody, no_room = await a_user(database), uuid7(), uuid7()
    attendees = (*required(nobody, aiko), Participant(email="Guest@example.org"))

    found = await meeting_times(database, ANYBODY, Meeting(MORNING, 60, attendees, (no_room,), limit=1))

    assert starts(found) == ["09:00"]
    assert found.unknown == (Unknown(nobody), Unknown(email="guest@example.org"), Unknown(resource_id=no_room))


@pytest.mark.parametrize(
    ("zone", "start", "step", "first"),
    [
        ("UTC", at(8, 7), 15, "08:15"),
        ("UTC", at(8), 60, "08:00"),
        ("Asia/Kolkata", at(8, 7), 60, "08:30"),
        ("UTC", datetime(2026, 12, 1, 8, 0, 0, 1, tzinfo=UTC), 5, "08:05"),
    ],
)
async def test_starts_are_multiples_of_the_step_by_the_clock_of_the_answer(
    database: Database, zone: str, start: datetime, step: Any, first: str
) -> None:
    aiko = await a_user(database, working_hours='{"wed": [["09:00", "17:00"]]}')

    found = await meeting_times(
        database, ANYBODY, Meeting(window(start, at(12), zone), 60, required(aiko), step_minutes=step)
    )

    assert starts(found)[0] == first


@pytest.mark.parametrize("count", [1, 20, 199])
async def test_any_number_of_people_and_rooms_is_two_statements(
    shared_database: Database, budget: Budget, count: int
) -> None:
    people = [await a_user(shared_database) for _ in range(count)]
    room = await a_room(shared_database)

    with budget(statements=2):
        found = await meeting_times(
            shared_database, ANYBODY, Meeting(MORNING, 60, required(*people), (room,), RoomsWanted())
        )

    assert found.starts == 13


A_PERSON = UUID(int=1)


@pytest.mark.parametrize(
    ("meeting", "field", "code"),
    [
        (Meeting(MORNING, 60), "body", Code.INVALID_REQUEST),
        (Meeting(MORNING, 0, required(A_PERSON)), "body.duration_minutes", Code.INVALID_REQUEST),
        (Meeting(MORNING, 241, required(A_PERSON)), "body.end", Code.INVALID_WINDOW),
        (Meeting(MORNING, 60, required(A_PERSON, A_PERSON)), "body.attendees[1]", Code.INVALID_REQUEST),
        (Meeting(MORNING, 60, (Participant(),)), "body.attendees[0]", Code.INVALID_REQUEST),
        (Meeting(MORNING, 60, (Participant(email="no"),)), "body.attendees[0].email", Code.INVALID_REQUEST),
        (Meeting(MORNING, 60, resource_ids=(A_PERSON, A_PERSON)), "body.resource_ids[1]", Code.INVALID_REQUEST),
        (Meeting(MORNING, 60, required(*(UUID(int=n) for n in range(201)))), "body", Code.INVALID_REQUEST),
    ],
)
async def test_a_question_that_is_not_one_is_refused_by_field_before_anything_is_read(
    database: Database, budget: Budget, meeting: Meeting, field: str, code: Code
) -> None:
    with budget(statements=0), pytest.raises(Problem) as refused:
        await meeting_times(database, ANYBODY, meeting)

    assert refused.value.code is code
    assert [fault.field for fault in refused.value.faults] == [field]


async def test_somebody_by_id_and_by_address_is_there_twice(database: Database) -> None:
    ben = await a_user(database, email="ben@example.org")

    with pytest.raises(Problem) as refused:
        await meeting_times(
            database, ANYBODY, Meeting(MORNING, 60, (Participant(user_id=ben), Participant(email="ben@example.org")))
        )

    assert [fault.field for fault in refused.value.faults] == ["body.attendees[1]"]


async def test_a_window_with_more_starts_than_one_search_may_look_at_is_refused(
    database: Database, budget: Budget
) -> None:
    years = window(at(0), at(0) + timedelta(days=600))

    with budget(statements=0), pytest.raises(Problem) as refused:
        await meeting_times(database, ANYBODY, Meeting(years, 60, required(A_PERSON), step_minutes=5))

    assert refused.value.code is Code.WINDOW_TOO_LARGE
