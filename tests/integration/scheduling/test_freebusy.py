"""Who is busy when: of people by what they organise, are invited to and keep for themselves; of rooms by bookings."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from tests.conftest import Budget
from tests.integration.rows import a_booking, a_calendar, a_room, a_user, an_event, viewing
from tests.integration.scheduling.premises import DAY, WEEK, an_invitation, at, hours, window
from yotei.errors import Code, Problem
from yotei.events.window import Window
from yotei.scheduling import read
from yotei.scheduling.freebusy import BusyPeriod, Subjects
from yotei.scheduling.read import free_busy
from yotei.storage.ids import uuid7
from yotei.storage.pool import Database
from yotei.storage.statements import Statement

ANYBODY = viewing(uuid7(), scopes=frozenset({"read"}))

DELETE_CALENDAR = Statement("tests.bin", "update calendars set deleted_at = now() where id = $1", "a premise")


def a_number(n: int) -> UUID:
    return UUID(int=n)


async def busy(database: Database, user_id: UUID, during: Window = DAY) -> tuple[BusyPeriod, ...]:
    found = await free_busy(database, ANYBODY, Subjects(user_ids=(user_id,)), during)
    return found.people[0].busy


async def a_team(database: Database, **fields: Any) -> tuple[UUID, UUID, UUID]:
    """Somebody who organises, somebody else, and a calendar that they share."""
    organizer, other = await a_user(database), await a_user(database)
    return organizer, other, await a_calendar(database, {organizer: "OWNER", other: "OWNER"}, **fields)


async def test_who_organises_an_event_is_busy_and_who_only_shares_its_calendar_is_not(database: Database) -> None:
    organizer, other, calendar_id = await a_team(database)
    await an_event(database, calendar_id, organizer, at(9))

    assert hours(await busy(database, organizer)) == ["09:00-10:00"]
    assert hours(await busy(database, other)) == []


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("ACCEPTED", ["09:00-10:00"]),
        ("NEEDS_ACTION", ["09:00-10:00"]),
        ("TENTATIVE", ["09:00-10:00 T"]),
        ("DECLINED", []),
    ],
)
async def test_an_invitation_counts_by_its_answer_that_of_the_organizer_too(
    database: Database, answer: str, expected: list[str]
) -> None:
    organizer, guest, calendar_id = await a_team(database)
    event_id = await an_event(database, calendar_id, organizer, at(9))
    await an_invitation(database, event_id, guest, answer)
    await an_invitation(database, event_id, organizer, answer)

    assert hours(await busy(database, guest)) == expected
    assert hours(await busy(database, organizer)) == expected


async def test_who_is_invited_by_two_addresses_has_declined_when_both_have(database: Database) -> None:
    organizer, guest, calendar_id = await a_team(database)
    once = await an_event(database, calendar_id, organizer, at(9))
    twice = await an_event(database, calendar_id, organizer, at(12))
    for event_id, second in ((once, "ACCEPTED"), (twice, "DECLINED")):
        await an_invitation(database, event_id, guest, "DECLINED")
        await an_invitation(database, event_id, guest, second, "other@example.org")

    assert hours(await busy(database, guest)) == ["09:00-10:00"]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, ["09:00-10:00"]),
        ({"status": "TENTATIVE"}, ["09:00-10:00 T"]),
        ({"status": "CANCELLED"}, []),
        ({"transparency": "TRANSPARENT"}, []),
        ({"deleted_at": at(1)}, []),
        ({"visibility": "CONFIDENTIAL"}, ["09:00-10:00"]),
    ],
)
async def test_an_event_counts_when_it_takes_time_and_takes_place_whatever_its_visibility(
    database: Database, fields: dict[str, Any], expected: list[str]
) -> None:
    organizer, guest, calendar_id = await a_team(database)
    await an_event(database, calendar_id, organizer, at(9), attendees=(guest,), **fields)

    assert hours(await busy(database, organizer)) == expected
    assert hours(await busy(database, guest)) == expected


async def test_nothing_in_a_deleted_calendar_counts(database: Database) -> None:
    organizer, guest, calendar_id = await a_team(database)
    await an_event(database, calendar_id, organizer, at(9), attendees=(guest,))
    await an_event(
        database, calendar_id, organizer, at(12), attendees=(guest,), rrule="FREQ=DAILY", span_end=at(0, day=9)
    )

    await database.execute(DELETE_CALENDAR, calendar_id)

    assert hours(await busy(database, organizer)) == []
    assert hours(await busy(database, guest)) == []


async def test_what_is_in_somebodys_personal_calendar_takes_their_time_whoever_put_it_there(database: Database) -> None:
    assistant, chief = await a_user(database), await a_user(database)
    calendar_id = await a_calendar(database, {chief: "OWNER", assistant: "WRITER"}, personal_for=chief)
    await an_event(database, calendar_id, assistant, at(9))
    declined = await an_event(database, calendar_id, assistant, at(12))
    await an_invitation(database, declined, chief, "DECLINED")

    assert hours(await busy(database, chief)) == ["09:00-10:00"]


async def test_periods_are_joined_and_busy_hides_tentative(database: Database) -> None:
    organizer, _, calendar_id = await a_team(database)
    for start, length, status in (
        (9, 1, "CONFIRMED"),
        (10, 2, "CONFIRMED"),
        (11, 3, "TENTATIVE"),
        (13, 3, "TENTATIVE"),
        (15, 1, "CONFIRMED"),
        (20, 0, "CONFIRMED"),
    ):
        await an_event(database, calendar_id, organizer, at(start), hours=length, status=status)

    assert hours(await busy(database, organizer)) == ["09:00-12:00", "12:00-15:00 T", "15:00-16:00"]


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (at(8), at(9), []),
        (at(10), at(11), []),
        (at(9, 15), at(9, 45), ["09:15-09:45"]),
        (at(8), at(9, 1), ["09:00-09:01"]),
        (at(9, 59), at(12), ["09:59-10:00"]),
    ],
)
@pytest.mark.parametrize("rrule", [None, "FREQ=YEARLY"])
async def test_periods_are_cut_at_the_window_and_those_that_touch_it_are_outside(
    database: Database, start: datetime, end: datetime, expected: list[str], rrule: str | None
) -> None:
    organizer, _, calendar_id = await a_team(database)
    await an_event(database, calendar_id, organizer, at(9), rrule=rrule)

    assert hours(await busy(database, organizer, window(start, end))) == expected


async def test_a_weekly_meeting_at_nine_stays_at_nine_when_the_clocks_change(database: Database) -> None:
    organizer, guest, calendar_id = await a_team(database)
    first = datetime(2026, 3, 20, 9, tzinfo=ZoneInfo("Europe/Berlin"))
    last = first + timedelta(days=100)
    await an_event(
        database,
        calendar_id,
        organizer,
        first,
        attendees=(guest,),
        tzid="Europe/Berlin",
        rrule="FREQ=WEEKLY",
        span_end=last,
    )

    found = await busy(database, guest, window(first, first + timedelta(days=21)))

    assert [f"{one.start:%d %H:%M}" for one in found] == ["20 08:00", "27 08:00", "03 07:00"]


class TestOverrides:
    """A series every day at nine for a week, with an organizer and a guest."""

    @pytest.fixture
    async def series(self, database: Database) -> tuple[UUID, UUID, UUID, UUID]:
        organizer, guest, calendar_id = await a_team(database)
        series_id = await an_event(
            database,
            calendar_id,
            organizer,
            at(9),
            attendees=(guest,),
            rrule="FREQ=DAILY;COUNT=5",
            exdates=[at(9, day=5)],
            span_end=at(10, day=5),
        )
        return organizer, guest, calendar_id, series_id

    async def an_override(
        self,
        database: Database,
        series: tuple[UUID, UUID, UUID, UUID],
        day: int,
        start: datetime,
        answer: str | None,
        **fields: Any,
    ) -> None:
        organizer, guest, calendar_id, series_id = series
        override_id = await an_event(
            database, calendar_id, organizer, start, series_id=series_id, recurrence_id=at(9, day=day), **fields
        )
        if answer is not None:
            await an_invitation(database, override_id, guest, answer)

    async def test_a_moved_instance_is_where_it_was_moved(
        self, database: Database, series: tuple[UUID, UUID, UUID, UUID]
    ) -> None:
        await self.an_override(database, series, 2, at(14, day=3), "ACCEPTED")

        found = await busy(database, series[1], WEEK)
        only_where_it_was = await busy(database, series[1], window(at(0, day=2), at(0, day=3)))

        assert hours(found) == ["09:00-10:00", "03 09:00-10:00", "03 14:00-15:00", "04 09:00-10:00"]
        assert hours(only_where_it_was) == []

    @pytest.mark.parametrize(
        ("answer", "fields", "second_day"),
        [
            ("DECLINED", {}, []),
            ("TENTATIVE", {}, ["02 09:00-10:00 T"]),
            ("ACCEPTED", {"status": "CANCELLED"}, []),
            ("ACCEPTED", {"transparency": "TRANSPARENT"}, []),
            (None, {}, []),
        ],
    )
    async def test_an_instance_goes_by_its_own_answer_and_state(
        self,
        database: Database,
        series: tuple[UUID, UUID, UUID, UUID],
        answer: str | None,
        fields: dict[str, Any],
        second_day: list[str],
    ) -> None:
        await self.an_override(database, series, 2, at(9, day=2), answer, **fields)

        found = await busy(database, series[1], WEEK)

        assert hours(found) == ["09:00-10:00", *second_day, "03 09:00-10:00", "04 09:00-10:00"]

    async def test_who_is_invited_to_one_instance_is_busy_then_alone(
        self, database: Database, series: tuple[UUID, UUID, UUID, UUID]
    ) -> None:
        visitor = await a_user(database)
        await self.an_override(database, series, 2, at(11, day=2), None)
        organizer, _, calendar_id, series_id = series
        await an_event(
            database,
            calendar_id,
            organizer,
            at(9, day=3),
            attendees=(visitor,),
            series_id=series_id,
            recurrence_id=at(9, day=3),
        )

        assert hours(await busy(database, visitor, WEEK)) == ["03 09:00-10:00"]
        assert hours(await busy(database, visitor, DAY)) == []

    async def test_what_moves_this_and_following_moves_them_from_outside_of_the_window(
        self, database: Database, series: tuple[UUID, UUID, UUID, UUID]
    ) -> None:
        await self.an_override(
            database, series, 2, at(15, day=2), "TENTATIVE", this_and_future=True, span_end=at(17, day=6)
        )

        found = await busy(database, series[1], window(at(0, day=3), at(0, day=8)))

        assert hours(found) == ["03 15:00-16:00 T", "04 15:00-16:00 T"]

    async def test_an_override_without_its_series_stands_for_itself(self, database: Database) -> None:
        organizer, guest, calendar_id = await a_team(database)
        await an_event(database, calendar_id, organizer, at(9), attendees=(guest,), recurrence_id=at(8))

        assert hours(await busy(database, guest)) == ["09:00-10:00"]


@pytest.mark.parametrize(
    ("kind", "end", "zone", "expected"),
    [
        ("all_day", 24, "UTC", ["00:00-00:00"]),
        ("all_day", 24, "Asia/Tokyo", ["00:00-00:00"]),
        ("all_day", 24, "America/New_York", ["00:00-00:00"]),
        ("floating", 1, "Asia/Tokyo", ["00:00-01:00"]),
        ("floating", 1, "Pacific/Kiritimati", ["00:00-01:00"]),
        ("floating", 1, "Pacific/Pago_Pago", ["00:00-01:00"]),
    ],
)
@pytest.mark.parametrize("rrule", [None, "FREQ=YEARLY"])
async def test_days_and_floating_times_are_those_of_each_persons_own_clock(
    database: Database, kind: str, end: int, zone: str, expected: list[str], rrule: str | None
) -> None:
    guest, organizer = await a_user(database, tzid=zone), await a_user(database)
    calendar_id = await a_calendar(database, {organizer: "OWNER"})
    await an_event(
        database, calendar_id, organizer, at(0), hours=end, attendees=(guest,), rrule=rrule, tzid=None, **{kind: True}
    )
    their_day = datetime(2026, 12, 1, tzinfo=ZoneInfo(zone))

    found = await busy(database, guest, window(their_day, their_day + timedelta(hours=24)))
    day_before = await busy(database, guest, window(their_day - timedelta(hours=24), their_day))

    assert hours(found, zone) == expected
    assert day_before == ()


async def test_an_all_day_event_is_as_long_as_the_day_is(database: Database) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    person = await a_user(database, tzid="Europe/Berlin")
    calendar_id = await a_calendar(database, {person: "OWNER"})
    day = datetime(2026, 10, 25, tzinfo=ZoneInfo("UTC"))
    await an_event(database, calendar_id, person, day, hours=24, all_day=True)

    [found] = await busy(database, person, window(day - timedelta(days=2), day + timedelta(days=2)))

    assert found.end - found.start == timedelta(hours=25)
    assert found.start == datetime(2026, 10, 25, tzinfo=berlin)


async def test_who_is_not_there_is_told_in_their_place_and_the_order_is_that_of_the_question(
    database: Database,
) -> None:
    aiko, ben = await a_user(database), await a_user(database, email="ben@example.org")
    left = await a_user(database, deactivated_at=at(1))
    room = await a_room(database)
    binned = await a_room(database, deleted_at=at(1))
    nobody = uuid7()
    subjects = Subjects((nobody, aiko, left), ("Who@example.org", " BEN@example.org"), (binned, room))

    found = await free_busy(database, ANYBODY, subjects, DAY)

    assert [(one.user_id, one.email, one.error) for one in found.people] == [
        (nobody, None, "not_found"),
        (aiko, None, None),
        (left, None, "not_found"),
        (None, "who@example.org", "not_found"),
        (ben, "ben@example.org", None),
    ]
    assert [(one.resource_id, one.error) for one in found.resources] == [(binned, "not_found"), (room, None)]


@pytest.mark.parametrize("count", [1, 20, 198])
async def test_any_number_of_people_and_rooms_is_two_statements(
    shared_database: Database, budget: Budget, count: int
) -> None:
    organizer = await a_user(shared_database)
    calendar_id = await a_calendar(shared_database, {organizer: "OWNER"})
    people = [await a_user(shared_database) for _ in range(count)]
    rooms = [await a_room(shared_database) for _ in range(200 - count)]
    event_id = await an_event(shared_database, calendar_id, organizer, at(9), attendees=tuple(people))
    for room_id in rooms:
        await a_booking(shared_database, room_id, event_id, at(9))

    with budget(statements=2):
        found = await free_busy(shared_database, ANYBODY, Subjects(tuple(people), (), tuple(rooms)), DAY)

    periods = [*(one.busy for one in found.people), *(one.busy for one in found.resources)]
    assert [hours(one) for one in periods] == [["09:00-10:00"]] * 200
    assert [one.user_id for one in found.people] == people
    assert [one.resource_id for one in found.resources] == rooms


async def test_it_never_says_what_anybody_is_busy_with(database: Database) -> None:
    organizer, guest, calendar_id = await a_team(database, name="Secret calendar")
    event_id = await an_event(database, calendar_id, organizer, at(9), title="Secret title", attendees=(guest,))

    found = await free_busy(database, ANYBODY, Subjects(user_ids=(guest,)), DAY)

    assert "secret" not in repr(found).lower()
    assert str(event_id) not in repr(found)


async def test_a_room_is_busy_while_all_of_it_is_taken_and_unavailable_while_it_is_closed(database: Database) -> None:
    organizer, _, calendar_id = await a_team(database)
    event_id = await an_event(database, calendar_id, organizer, at(9))
    room = await a_room(database, opening_hours='{"tue": [["08:00", "18:00"]]}')
    bikes = await a_room(database, kind="EQUIPMENT", concurrent_bookings=2)
    await a_booking(database, room, event_id, at(9))
    await a_booking(database, room, event_id, at(17), 2)
    for unit, start, length in ((1, 9, 3), (2, 10, 4), (1, 12, 1)):
        await a_booking(database, bikes, event_id, at(start), length, unit=unit)
    await a_booking(database, bikes, event_id, at(20), status="CANCELLED")

    found = await free_busy(database, ANYBODY, Subjects(resource_ids=(room, bikes)), DAY)

    assert [hours(one.busy) for one in found.resources] == [
        ["00:00-08:00 U", "09:00-10:00", "17:00-19:00", "19:00-00:00 U"],
        ["10:00-13:00"],
    ]


async def test_merged_is_when_any_of_them_is_taken(database: Database) -> None:
    organizer, guest, calendar_id = await a_team(database)
    event_id = await an_event(database, calendar_id, organizer, at(9), hours=2)
    guests_own = await an_event(database, calendar_id, organizer, at(10), hours=2, status="TENTATIVE")
    await an_invitation(database, guests_own, guest, "ACCEPTED")
    room = await a_room(database)
    await a_booking(database, room, event_id, at(11, 30))

    found = await free_busy(database, ANYBODY, Subjects((organizer, guest), (), (room,)), DAY, merge=True)

    assert found.merged is not None
    assert hours(found.merged) == ["09:00-11:00", "11:00-11:30 T", "11:30-12:30"]


@pytest.mark.parametrize(
    ("subjects", "field"),
    [
        (Subjects(), "body"),
        (Subjects(user_ids=(UUID(int=1), UUID(int=2), UUID(int=1))), "body.user_ids[2]"),
        (Subjects(emails=("a@example.org", "A@example.org")), "body.emails[1]"),
        (Subjects(emails=("nobody",)), "body.emails[0]"),
        (Subjects(resource_ids=(UUID(int=1), UUID(int=1))), "body.resource_ids[1]"),
        (Subjects(tuple(map(a_number, range(150))), (), tuple(map(a_number, range(51)))), "body"),
    ],
)
async def test_a_question_that_is_not_one_is_refused_by_field_before_anything_is_read(
    database: Database, budget: Budget, subjects: Subjects, field: str
) -> None:
    with budget(statements=0), pytest.raises(Problem) as refused:
        await free_busy(database, ANYBODY, subjects, DAY)

    assert refused.value.code is Code.INVALID_REQUEST
    assert [fault.field for fault in refused.value.faults] == [field]


async def test_somebody_by_id_and_by_address_is_there_twice(database: Database) -> None:
    ben = await a_user(database, email="ben@example.org")

    with pytest.raises(Problem) as refused:
        await free_busy(database, ANYBODY, Subjects((ben,), ("ben@example.org",)), DAY)

    assert [fault.field for fault in refused.value.faults] == ["body.emails[0]"]


async def test_without_the_scope_to_read_nothing_is_read(database: Database, budget: Budget) -> None:
    writer = viewing(uuid7(), scopes=frozenset({"write"}))

    with budget(statements=0), pytest.raises(Problem) as refused:
        await free_busy(database, writer, Subjects(user_ids=(uuid7(),)), DAY)

    assert refused.value.code is Code.FORBIDDEN


async def test_more_instances_than_one_answer_may_expand_are_refused(database: Database) -> None:
    organizer, _, calendar_id = await a_team(database)
    await an_event(database, calendar_id, organizer, at(0), hours=0.001, rrule="FREQ=SECONDLY", span_end=at(0, day=30))

    with pytest.raises(Problem) as refused:
        await busy(database, organizer, window(at(0), at(0, day=4)))

    assert refused.value.code is Code.WINDOW_TOO_LARGE


async def test_more_events_or_bookings_than_one_answer_may_take_are_refused(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    organizer, _, calendar_id = await a_team(database)
    room = await a_room(database)
    for hour in range(3):
        await a_booking(database, room, await an_event(database, calendar_id, organizer, at(hour)), at(hour))
    subjects = (Subjects(user_ids=(organizer,)), Subjects(resource_ids=(room,)))

    monkeypatch.setattr(read, "ROWS_MAX", 3)
    just_enough = [await free_busy(database, ANYBODY, one, DAY) for one in subjects]
    monkeypatch.setattr(read, "ROWS_MAX", 2)
    refused = []
    for one in subjects:
        with pytest.raises(Problem) as problem:
            await free_busy(database, ANYBODY, one, DAY)
        refused.append(problem.value.code)

    assert hours(just_enough[0].people[0].busy) == ["00:00-03:00"]
    assert hours(just_enough[1].resources[0].busy) == ["00:00-03:00"]
    assert refused == [Code.WINDOW_TOO_LARGE, Code.WINDOW_TOO_LARGE]
