"""Single events: made, changed, replaced, deleted, brought back, copied, put elsewhere; their times of every kind."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from tests.integration.events.booker import DAY, HOUR, NINE, Booker, a_booker, clock, refusal
from tests.integration.rows import a_calendar
from yotei.errors import Code
from yotei.events.draft import Delete, Duplicate, Invitee, Move, Replace, Restore, WholeEvent
from yotei.storage.pool import Database


async def test_what_is_not_given_stays_and_null_clears(aiko: Booker) -> None:
    event_id = await aiko.make(description="Agenda", location="Garden", url="https://example.org")

    await aiko.patch(event_id, title="New", description=None)

    event = await aiko.event(event_id)
    assert (event.title, event.description, event.location, event.url) == ("New", None, "Garden", "https://example.org")
    assert (event.start_time, event.version) == (NINE, 2)


async def test_a_patch_that_changes_nothing_writes_nothing(aiko: Booker) -> None:
    event_id = await aiko.make(attendees=(Invitee(email="ann@example.org"),))
    before = await aiko.event(event_id)

    await aiko.patch(event_id, title="Planning", start_time=NINE, attendees=(Invitee(email="ann@example.org"),))

    assert await aiko.event(event_id) == before


async def test_put_sets_every_field_those_not_given_to_their_defaults(aiko: Booker) -> None:
    event_id = await aiko.make(
        description="Agenda",
        visibility="PRIVATE",
        transparency="TRANSPARENT",
        status="TENTATIVE",
        floating=True,
        start=clock("2027-03-03T09:00"),
        attendees=(Invitee(email="ann@example.org"),),
    )

    whole = WholeEvent(title="New", start_time=clock("2027-03-04T09:00"), end_time=clock("2027-03-04T10:00"))
    await aiko.do(Replace(event_id=event_id, event=whole))

    event = await aiko.event(event_id)
    assert (event.title, event.description, event.attendees) == ("New", None, ())
    assert (event.visibility, event.transparency, event.status) == ("PUBLIC", "OPAQUE", "CONFIRMED")
    assert (event.start_time, event.floating, event.tzid) == (NINE + DAY, False, "UTC")


@pytest.mark.parametrize(
    ("times", "field"),
    [
        ({}, "body.start_time"),
        ({"start_time": NINE}, "body.end_time"),
        ({"end_time": NINE}, "body.start_time"),
        ({"all_day": True}, "body.start_date"),
    ],
)
async def test_times_have_no_default(aiko: Booker, times: dict[str, Any], field: str) -> None:
    event_id = await aiko.make()

    made = await refusal(aiko.do(aiko.making(None, **times)))
    replaced = await refusal(aiko.do(Replace(event_id=event_id, event=WholeEvent(title="New", **times))))

    assert made.faults[0].field == replaced.faults[0].field == field
    assert (await aiko.event(event_id)).title == "Planning"


async def test_a_put_of_days_makes_an_all_day_event_of_one_day(aiko: Booker) -> None:
    event_id = await aiko.make(hours=50)

    await aiko.do(Replace(event_id=event_id, event=WholeEvent(title="Fair", start_date=date(2027, 3, 4))))

    event = await aiko.event(event_id)
    assert (event.all_day, event.start_date, event.end_date) == (True, date(2027, 3, 4), date(2027, 3, 5))


# Times


@pytest.fixture
async def lisbon(database: Database) -> Booker:
    """Somebody whose calendar is in Lisbon."""
    return await a_booker(database, "Inês", tzid="Europe/Lisbon")


async def test_a_time_without_an_offset_is_by_the_clock_of_the_zone_by_default_that_of_the_calendar(
    lisbon: Booker,
) -> None:
    nine = clock("2027-07-01T09:00")

    here = await lisbon.event(await lisbon.make(nine))
    there = await lisbon.event(await lisbon.make(nine, tzid="Asia/Tokyo"))
    instant = await lisbon.event(await lisbon.make(datetime(2027, 7, 1, 9, tzinfo=UTC)))

    assert (here.start_time, here.tzid) == (datetime(2027, 7, 1, 8, tzinfo=UTC), "Europe/Lisbon")
    assert (there.start_time, there.tzid) == (datetime(2027, 7, 1, 0, tzinfo=UTC), "Asia/Tokyo")
    assert (instant.start_time, instant.tzid) == (datetime(2027, 7, 1, 9, tzinfo=UTC), "Europe/Lisbon")


async def test_a_clock_that_is_left_out_is_an_hour_later_and_one_shown_twice_is_the_first(lisbon: Booker) -> None:
    left_out = await lisbon.event(await lisbon.make(clock("2027-03-28T01:30")))
    twice = await lisbon.event(await lisbon.make(clock("2027-10-31T01:30")))

    assert left_out.start_time == datetime(2027, 3, 28, 1, 30, tzinfo=UTC)
    assert twice.start_time == datetime(2027, 10, 31, 0, 30, tzinfo=UTC)


CHANGES: list[tuple[dict[str, Any], dict[str, Any], tuple[object, ...]]] = [
    # What there is, what is said of it, and the start, end, and kind that come of it.
    ({}, {"start_time": NINE + DAY}, (NINE + DAY, NINE + DAY + HOUR, "timed")),
    ({}, {"end_time": NINE + 3 * HOUR}, (NINE, NINE + 3 * HOUR, "timed")),
    ({}, {"tzid": "Asia/Tokyo"}, (NINE - 9 * HOUR, NINE - 8 * HOUR, "timed")),
    ({}, {"floating": True}, (NINE, NINE + HOUR, "floating")),
    ({}, {"all_day": True}, (NINE - 9 * HOUR, NINE + 15 * HOUR, "all-day")),
    ({"hours": 30}, {"all_day": True}, (NINE - 9 * HOUR, NINE + 39 * HOUR, "all-day")),
    ({"floating": True, "start": clock("2027-03-03T09:00")}, {"floating": False}, (NINE, NINE + HOUR, "timed")),
    (
        {"floating": True, "start": clock("2027-03-03T09:00")},
        {"tzid": "Asia/Tokyo"},
        (NINE - 9 * HOUR, NINE - 8 * HOUR, "timed"),
    ),
    (
        {"start": None, "start_date": date(2027, 3, 3), "end_date": date(2027, 3, 5)},
        {"start_date": date(2027, 3, 10)},
        (NINE - 9 * HOUR + 7 * DAY, NINE - 9 * HOUR + 9 * DAY, "all-day"),
    ),
    (
        {"start": None, "start_date": date(2027, 3, 3)},
        {"start_time": NINE, "end_time": NINE + HOUR},
        (NINE, NINE + HOUR, "timed"),
    ),
]


@pytest.mark.parametrize(("made", "said", "expected"), CHANGES)
async def test_times_change_their_kind_and_keep_what_is_not_said(
    aiko: Booker, made: dict[str, Any], said: dict[str, Any], expected: tuple[object, ...]
) -> None:
    event_id = await aiko.make(**made)

    await aiko.patch(event_id, **said)

    event = await aiko.event(event_id)
    kind = "all-day" if event.all_day else "floating" if event.floating else "timed"
    assert (event.start_time, event.end_time, kind) == expected


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"end_time": NINE - HOUR}, "body.end_time"),
    ({"start_time": NINE, "end_time": NINE - timedelta(seconds=1)}, "body.end_time"),
    ({"start_date": date(2027, 3, 3), "end_date": date(2027, 3, 3)}, "body.end_date"),
    ({"all_day": True, "start_time": NINE}, "body.start_time"),
    ({"all_day": False, "start_date": date(2027, 3, 3)}, "body.start_date"),
    ({"floating": True, "tzid": "Asia/Tokyo"}, "body.tzid"),
    ({"floating": True, "start_time": NINE.astimezone().replace(microsecond=1)}, "body.start_time"),
    ({"start_time": NINE.replace(microsecond=1)}, "body.start_time"),
    ({"start_time": NINE.replace(year=9999)}, "body.start_time"),
    ({"start_date": date(1, 1, 1)}, "body.start_date"),
    ({"tzid": "Mars/Olympus"}, "body.tzid"),
]


@pytest.mark.parametrize(("said", "field"), REFUSED)
async def test_times_that_cannot_be_are_refused_by_their_field(aiko: Booker, said: dict[str, Any], field: str) -> None:
    event_id = await aiko.make()
    before = await aiko.event(event_id)

    problem = await refusal(aiko.patch(event_id, **said))

    assert [fault.field for fault in problem.faults] == [field]
    assert await aiko.event(event_id) == before


@pytest.mark.parametrize(
    ("said", "field", "code"),
    [
        ({"rrule": "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"}, "body.rrule", Code.INVALID_RECURRENCE),
        ({"rrule": "FREQ=WEEKLY;UNTIL=20200101T000000Z"}, "body.rrule", Code.INVALID_RECURRENCE),
        ({"rrule": "FREQ=DAILY;COUNT=10000"}, "body.rrule", Code.INVALID_RECURRENCE),
        ({"rrule": "FREQ=SECONDLY"}, "body.rrule", Code.INVALID_RECURRENCE),
        ({"rrule": "FREQ=DAILY;BYHOUR=25"}, "body.rrule", Code.INVALID_RECURRENCE),
        ({"rrule": "every other day"}, "body.rrule", Code.INVALID_RECURRENCE),
        ({"rdates": (NINE - DAY,)}, "body.rdates", Code.INVALID_RECURRENCE),
        ({"exdates": (NINE.replace(microsecond=5),)}, "body.exdates[0]", Code.INVALID_REQUEST),
    ],
)
async def test_a_recurrence_that_cannot_be_is_refused_by_its_field(
    aiko: Booker, said: dict[str, Any], field: str, code: Code
) -> None:
    event_id = await aiko.make()
    before = await aiko.event(event_id)

    problem = await refusal(aiko.patch(event_id, **said))

    assert (problem.faults[0].field, problem.code) == (field, code)
    assert await aiko.event(event_id) == before


# Versions


async def test_what_was_seen_is_compared_with_what_is_there(aiko: Booker) -> None:
    event_id = await aiko.make()
    await aiko.patch(event_id, title="New")

    by_header = await refusal(aiko.do(aiko.patching(event_id, title="Late"), expected=frozenset({1})))
    by_operation = await refusal(aiko.do(aiko.patching(event_id, title="Late", version=1)))
    await aiko.do(aiko.patching(event_id, title="Newer"), expected=frozenset({1, 2}))

    assert by_header.code is by_operation.code is Code.PRECONDITION_FAILED
    assert (await aiko.event(event_id)).title == "Newer"


@pytest.mark.parametrize("operation", [Delete, Restore, Duplicate])
async def test_every_operation_compares_versions(aiko: Booker, operation: type) -> None:
    event_id = await aiko.make()
    if operation is Restore:
        await aiko.do(Delete(event_id=event_id))

    problem = await refusal(aiko.do(operation(event_id=event_id, version=7)))

    assert problem.code is Code.PRECONDITION_FAILED


# Deleted and brought back, copied, put elsewhere


async def test_a_deleted_event_is_gone_until_it_is_restored(aiko: Booker) -> None:
    event_id = await aiko.make(attendees=(Invitee(email="ann@example.org"),))

    await aiko.do(Delete(event_id=event_id))
    gone = [
        await refusal(aiko.event(event_id)),
        await refusal(aiko.patch(event_id, title="New")),
        await refusal(aiko.do(Delete(event_id=event_id))),
    ]
    listed = await aiko.starts()
    await aiko.do(Restore(event_id=event_id))

    assert {one.code for one in gone} == {Code.NOT_FOUND}
    assert listed == []
    event = await aiko.event(event_id)
    assert (event.title, event.version, len(event.attendees or ())) == ("Planning", 3, 1)


async def test_an_event_that_is_there_stays_as_it_is_when_it_is_restored(aiko: Booker) -> None:
    event_id = await aiko.make()
    before = await aiko.event(event_id)

    await aiko.do(Restore(event_id=event_id))

    assert await aiko.event(event_id) == before


async def test_an_event_is_not_restored_beside_another_one_of_its_uid(aiko: Booker) -> None:
    event_id = await aiko.make(uid="mine")
    await aiko.do(Delete(event_id=event_id))
    await aiko.make(uid="mine")

    problem = await refusal(aiko.do(Restore(event_id=event_id)))

    assert (problem.code, problem.faults[0].field) == (Code.ALREADY_EXISTS, "body.uid")


async def test_a_copy_is_an_event_of_its_own(aiko: Booker, bob: Booker) -> None:
    people = (Invitee(user_id=aiko.viewer.user_id), Invitee(user_id=bob.viewer.user_id, is_optional=True))
    event_id = await aiko.make(hours=2, attendees=people, description="Agenda")

    copy_id = await bob.do(
        Duplicate(event_id=event_id, calendar_id=bob.calendar_id, start_time=NINE + DAY, title="Again")
    )

    event, copy = await aiko.event(event_id), await bob.event(copy_id)
    assert (copy.title, copy.description, copy.start_time, copy.end_time) == (
        "Again",
        "Agenda",
        NINE + DAY,
        NINE + DAY + 2 * HOUR,
    )
    assert (copy.organizer_id, copy.calendar_id, copy.version, copy.sequence) == (
        bob.viewer.user_id,
        bob.calendar_id,
        1,
        0,
    )
    assert copy.uid != event.uid
    assert [(one.response_status, one.is_optional) for one in copy.attendees or ()] == [
        ("NEEDS_ACTION", False),
        ("ACCEPTED", True),
    ]


async def test_a_copy_of_days_is_put_on_other_days(aiko: Booker) -> None:
    event_id = await aiko.make(None, start_date=date(2027, 3, 3), end_date=date(2027, 3, 6))

    copy = await aiko.event(await aiko.do(Duplicate(event_id=event_id, start_time=clock("2027-03-10T00:00"))))

    assert (copy.start_date, copy.end_date) == (date(2027, 3, 10), date(2027, 3, 13))


async def test_an_event_is_put_into_another_calendar_and_stays_the_same_one(aiko: Booker) -> None:
    other = await a_calendar(aiko.database, {aiko.viewer.user_id: "WRITER"})
    event_id = await aiko.make()
    before = await aiko.event(event_id)

    await aiko.do(Move(event_id=event_id, calendar_id=other))
    await aiko.do(Move(event_id=event_id, calendar_id=other))

    event = await aiko.event(event_id)
    assert (event.calendar_id, event.uid, event.organizer_id) == (other, before.uid, before.organizer_id)
    assert event.version == 2
    assert await aiko.starts() == []


async def test_two_events_of_one_uid_do_not_get_into_one_calendar(aiko: Booker) -> None:
    other = await a_calendar(aiko.database, {aiko.viewer.user_id: "OWNER"})
    event_id = await aiko.make(uid="mine")
    await aiko.make(uid="mine", calendar_id=other)

    problem = await refusal(aiko.do(Move(event_id=event_id, calendar_id=other)))

    assert problem.code is Code.ALREADY_EXISTS


async def test_two_who_edit_at_once_take_turns(aiko: Booker) -> None:
    event_id = await aiko.make()

    await asyncio.gather(
        aiko.patch(event_id, title="New"),
        aiko.patch(event_id, location="Garden"),
        aiko.patch(event_id, start_time=NINE + HOUR),
    )

    event = await aiko.event(event_id)
    assert (event.title, event.location, event.start_time, event.version) == ("New", "Garden", NINE + HOUR, 4)
