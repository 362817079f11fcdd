"""Series: one instance, what follows, or all of it; what becomes of exceptions, ends, clocks, answers and SEQUENCE."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from tests.integration.events.booker import DAY, HOUR, NINE, NOW, WEEK, Booker, clock, refusal
from tests.integration.rows import an_event, insert
from yotei.errors import Code
from yotei.events.draft import (
    Create,
    Delete,
    Duplicate,
    EventFields,
    Invite,
    Invitee,
    Move,
    NewEvent,
    Replace,
    Respond,
    Restore,
    Uninvite,
    WholeEvent,
)
from yotei.ical import parse_rule

WEEKLY = "FREQ=WEEKLY;COUNT=4"
WEEKS = [NINE + n * WEEK for n in range(4)]


# One instance


async def test_one_instance_changes_and_the_others_stay(aiko: Booker) -> None:
    series = await aiko.make(rrule=WEEKLY)

    override = await aiko.patch(series, recurrence_id=WEEKS[1], title="Away day", start_time=WEEKS[1] + 2 * HOUR)

    listed = await aiko.listed()
    assert [one.start_time for one in listed] == [WEEKS[0], WEEKS[1] + 2 * HOUR, WEEKS[2], WEEKS[3]]
    assert [one.title for one in listed] == ["Planning", "Away day", "Planning", "Planning"]
    assert (listed[1].id, listed[1].series_id, listed[1].recurrence_id) == (override, series, WEEKS[1])


async def test_an_instance_that_was_changed_is_named_by_its_own_id_too(aiko: Booker) -> None:
    series = await aiko.make(rrule=WEEKLY)
    override = await aiko.patch(series, recurrence_id=WEEKS[1], title="Away day")

    by_id = await aiko.patch(override, location="Garden")
    by_series = await aiko.patch(series, recurrence_id=WEEKS[1], location="Lawn")

    event = await aiko.event(override)
    assert by_id == by_series == override
    assert (event.title, event.location) == ("Away day", "Lawn")


async def test_an_instance_without_an_offset_is_named_by_the_clock_of_the_series(aiko: Booker) -> None:
    series = await aiko.make(clock("2027-03-03T09:00"), rrule=WEEKLY, tzid="Asia/Tokyo")

    await aiko.do(Delete(event_id=series, recurrence_id=clock("2027-03-10T09:00")))

    assert await aiko.starts() == [datetime(2027, 3, day, 0, tzinfo=UTC) for day in (3, 17, 24)]


@pytest.mark.parametrize("scope", ["this", "following", "all", None])
async def test_a_start_that_is_no_instance_is_refused(aiko: Booker, scope: str | None) -> None:
    series = await aiko.make(rrule=WEEKLY)

    problem = await refusal(aiko.patch(series, recurrence_id=WEEKS[1] + HOUR, scope=scope, title="Never"))

    assert (problem.code, problem.faults[0].field) == (Code.INVALID_RECURRENCE, "query.recurrence_id")


@pytest.mark.parametrize("scope", ["this", "following"])
async def test_a_scope_needs_an_instance_to_begin_with(aiko: Booker, scope: str) -> None:
    problem = await refusal(aiko.patch(await aiko.make(rrule=WEEKLY), scope=scope, title="Never"))

    assert (problem.code, problem.faults[0].field) == (Code.INVALID_REQUEST, "query.recurrence_id")


async def test_a_single_event_has_no_instances(aiko: Booker) -> None:
    event = await aiko.make()

    refused = [
        await refusal(aiko.patch(event, recurrence_id=NINE, title="Never")),
        await refusal(aiko.do(Respond(event_id=event, recurrence_id=NINE, response_status="ACCEPTED"))),
        await refusal(aiko.do(Duplicate(event_id=event, recurrence_id=NINE))),
    ]

    assert refused[0].faults[0].field == refused[2].faults[0].field == "query.recurrence_id"
    assert refused[1].code is Code.NOT_FOUND


async def test_one_instance_is_not_told_to_recur(aiko: Booker) -> None:
    series = await aiko.make(rrule=WEEKLY)

    problem = await refusal(aiko.patch(series, recurrence_id=WEEKS[1], rrule="FREQ=DAILY"))

    assert problem.faults[0].field == "body.rrule"


async def test_a_deleted_instance_is_left_out_and_comes_back_as_it_was(aiko: Booker) -> None:
    series = await aiko.make(rrule=WEEKLY)
    override = await aiko.patch(series, recurrence_id=WEEKS[1], title="Away day", start_time=WEEKS[1] + HOUR)

    await aiko.do(Delete(event_id=override))
    await aiko.do(Delete(event_id=series, recurrence_id=WEEKS[2]))
    without = await aiko.starts()
    for instance in (WEEKS[1], WEEKS[2]):
        await aiko.do(Restore(event_id=series, recurrence_id=instance))

    assert without == [WEEKS[0], WEEKS[3]]
    assert await aiko.starts() == [WEEKS[0], WEEKS[1] + HOUR, WEEKS[2], WEEKS[3]]
    assert (await aiko.event(override)).title == "Away day"


async def test_a_deleted_exception_is_restored_by_its_own_id(aiko: Booker) -> None:
    series = await aiko.make(rrule=WEEKLY)
    override = await aiko.patch(series, recurrence_id=WEEKS[1], title="Away day")
    await aiko.do(Delete(event_id=series, recurrence_id=WEEKS[1]))

    await aiko.do(Restore(event_id=override))

    assert [one.title for one in await aiko.listed()] == ["Planning", "Away day", "Planning", "Planning"]


async def test_only_what_was_deleted_is_restored(aiko: Booker) -> None:
    series = await aiko.make(rrule=WEEKLY)

    problem = await refusal(aiko.do(Restore(event_id=series, recurrence_id=WEEKS[1])))

    assert (problem.code, problem.faults[0].field) == (Code.INVALID_RECURRENCE, "query.recurrence_id")


async def test_an_exception_is_not_restored_where_its_series_has_no_such_instance_any_more(aiko: Booker) -> None:
    series = await aiko.make(rrule=WEEKLY)
    override = await aiko.patch(series, recurrence_id=WEEKS[3], title="Away day")
    await aiko.patch(series, rrule="FREQ=WEEKLY;COUNT=3")

    problem = await refusal(aiko.do(Restore(event_id=override)))

    assert problem.code is Code.CONFLICT
    assert await aiko.starts() == WEEKS[:3]


async def test_the_last_instance_goes_and_the_series_is_empty_until_it_is_restored(aiko: Booker) -> None:
    series = await aiko.make(rrule="FREQ=WEEKLY;COUNT=2")

    for instance in WEEKS[:2]:
        await aiko.do(Delete(event_id=series, recurrence_id=instance))
    empty = await aiko.starts()
    await aiko.do(Restore(event_id=series, recurrence_id=WEEKS[1]))

    assert empty == []
    assert await aiko.starts() == [WEEKS[1]]


# What follows


@pytest.mark.parametrize(
    "rule", ["FREQ=WEEKLY;COUNT=4", "FREQ=WEEKLY;UNTIL=20270324T090000Z", "FREQ=WEEKLY;COUNT=4;WKST=SU"]
)
@pytest.mark.parametrize("cut", [1, 2, 3])
async def test_the_two_parts_hold_what_the_whole_held(aiko: Booker, rule: str, cut: int) -> None:
    series = await aiko.make(rrule=rule)

    later = await aiko.patch(series, recurrence_id=WEEKS[cut], scope="following", title="New")

    listed = await aiko.listed()
    assert [one.start_time for one in listed] == WEEKS
    assert [one.series_id for one in listed] == [series] * cut + [later] * (4 - cut)
    assert [one.title for one in listed] == ["Planning"] * cut + ["New"] * (4 - cut)


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE,FR;COUNT=11",
        "FREQ=WEEKLY;INTERVAL=2;BYDAY=WE,SU;WKST=SU;COUNT=9",
        "FREQ=DAILY;INTERVAL=3;COUNT=10",
        "FREQ=MONTHLY;BYDAY=1WE;COUNT=6",
        "FREQ=MONTHLY;BYMONTHDAY=3,-1;COUNT=7",
        "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1,3;COUNT=6",
        "FREQ=HOURLY;INTERVAL=5;COUNT=12",
        "FREQ=DAILY;BYHOUR=9,15;COUNT=9",
    ],
)
async def test_a_split_loses_and_adds_nothing_whatever_the_rule(aiko: Booker, rule: str) -> None:
    series = await aiko.make(rrule=rule)
    whole = await aiko.starts()

    await aiko.patch(series, recurrence_id=whole[len(whole) // 2], scope="following", title="New")

    assert await aiko.starts() == whole
    assert len(whole) >= 6


async def test_a_split_is_split_again_and_each_part_edited_alone(aiko: Booker) -> None:
    series = await aiko.make(rrule="FREQ=WEEKLY;COUNT=6")
    weeks = [NINE + n * WEEK for n in range(6)]

    second = await aiko.patch(series, recurrence_id=weeks[2], scope="following", title="Second")
    await aiko.patch(second, recurrence_id=weeks[4], scope="following", title="Third")
    await aiko.patch(second, title="Middle", start_time=weeks[2] + HOUR)

    assert [(one.start_time, one.title) for one in await aiko.listed()] == [
        (weeks[0], "Planning"),
        (weeks[1], "Planning"),
        (weeks[2] + HOUR, "Middle"),
        (weeks[3] + HOUR, "Middle"),
        (weeks[4], "Third"),
        (weeks[5], "Third"),
    ]


async def test_following_from_the_first_instance_is_all(aiko: Booker) -> None:
    series = await aiko.make(rrule=WEEKLY)

    same = await aiko.patch(series, recurrence_id=WEEKS[0], scope="following", title="New")
    await aiko.do(Delete(event_id=series, recurrence_id=WEEKS[0]))
    still_the_same = await aiko.patch(series, recurrence_id=WEEKS[1], scope="following", title="Newer")

    assert same == still_the_same == series
    assert [one.title for one in await aiko.listed()] == ["Newer"] * 3
    assert (await aiko.event(series)).rrule == WEEKLY


async def test_what_follows_is_deleted_from_the_first_on_all_of_it(aiko: Booker) -> None:
    series, other = await aiko.make(rrule=WEEKLY), await aiko.make(rrule=WEEKLY)
    await aiko.patch(series, recurrence_id=WEEKS[3], title="Away day")

    await aiko.do(Delete(event_id=series, recurrence_id=WEEKS[2], scope="following"))
    await aiko.do(Delete(event_id=other, recurrence_id=WEEKS[0], scope="following"))

    assert await aiko.starts() == WEEKS[:2]
    assert (await refusal(aiko.event(other))).code is Code.NOT_FOUND


async def test_dates_added_and_left_out_go_with_their_part(aiko: Booker) -> None:
    added = (NINE + 2 * DAY, NINE + 16 * DAY)
    series = await aiko.make(rrule=WEEKLY, rdates=added, exdates=(WEEKS[1], WEEKS[3]))

    later = await aiko.patch(series, recurrence_id=WEEKS[2], scope="following", title="New")

    first, second = await aiko.event(series), await aiko.event(later)
    assert (first.rdates, first.exdates) == (added[:1], (WEEKS[1],))
    assert (second.rdates, second.exdates) == (added[1:], (WEEKS[3],))
    assert await aiko.starts() == [NINE, added[0], WEEKS[2], added[1]]


async def test_exceptions_go_with_their_part_and_keep_what_is_theirs(aiko: Booker) -> None:
    series = await aiko.make(rrule="FREQ=WEEKLY;COUNT=6")
    weeks = [NINE + n * WEEK for n in range(6)]
    early = await aiko.patch(series, recurrence_id=weeks[1], title="Early")
    titled = await aiko.patch(series, recurrence_id=weeks[3], title="Late")
    moved = await aiko.patch(series, recurrence_id=weeks[4], start_time=weeks[4] + 3 * HOUR)

    later = await aiko.patch(series, recurrence_id=weeks[2], scope="following", title="New", start_time=weeks[2] + HOUR)

    listed = {one.id: one for one in await aiko.listed() if one.is_override}
    assert (listed[early].series_id, listed[early].recurrence_id) == (series, weeks[1])
    assert (listed[titled].series_id, listed[titled].recurrence_id) == (later, weeks[3] + HOUR)
    assert (listed[titled].start_time, listed[titled].title) == (weeks[3] + HOUR, "Late")
    assert (listed[moved].start_time, listed[moved].title) == (weeks[4] + 3 * HOUR, "New")
    assert len(await aiko.starts()) == 6


async def test_the_exception_at_which_the_change_begins_is_told_it_too(aiko: Booker) -> None:
    series = await aiko.make(rrule=WEEKLY)
    override = await aiko.patch(series, recurrence_id=WEEKS[2], title="Own", start_time=WEEKS[2] + 3 * HOUR)

    await aiko.patch(override, scope="following", title="New", start_time=WEEKS[2] + HOUR)

    assert [(one.start_time, one.title) for one in await aiko.listed()] == [
        (WEEKS[0], "Planning"),
        (WEEKS[1], "Planning"),
        (WEEKS[2] + HOUR, "New"),
        (WEEKS[3] + HOUR, "New"),
    ]


async def test_a_deleted_exception_is_found_again_in_the_part_where_its_instance_is(aiko: Booker) -> None:
    series = await aiko.make(rrule=WEEKLY)
    override = await aiko.patch(series, recurrence_id=WEEKS[3], title="Own")
    await aiko.do(Delete(event_id=override))
    later = await aiko.patch(series, recurrence_id=WEEKS[2], scope="following", start_time=WEEKS[2] + HOUR)

    await aiko.do(Restore(event_id=later, recurrence_id=WEEKS[3] + HOUR))

    assert [one.title for one in await aiko.listed()] == ["Planning"] * 3 + ["Own"]
    assert (await aiko.event(override)).series_id == later


async def test_an_added_date_begins_no_rest(aiko: Booker) -> None:
    series = await aiko.make(rrule=WEEKLY, rdates=(NINE + 2 * DAY,))

    problem = await refusal(aiko.patch(series, recurrence_id=NINE + 2 * DAY, scope="following", title="New"))

    assert problem.faults[0].field == "query.recurrence_id"


async def test_a_series_of_dates_alone_is_split_too(aiko: Booker) -> None:
    series = await aiko.make(rdates=(NINE + DAY, NINE + 5 * DAY))

    gone = await refusal(aiko.patch(series, recurrence_id=NINE + 9 * DAY, scope="following", title="New"))
    await aiko.do(Delete(event_id=series, recurrence_id=NINE + DAY))

    assert gone.code is Code.INVALID_RECURRENCE
    assert await aiko.starts() == [NINE, NINE + 5 * DAY]


# All


async def test_all_moves_and_exceptions_that_still_fit_move_along(aiko: Booker) -> None:
    series = await aiko.make(rrule="FREQ=WEEKLY;COUNT=5")
    weeks = [NINE + n * WEEK for n in range(5)]
    titled = await aiko.patch(series, recurrence_id=weeks[1], title="Own")
    moved = await aiko.patch(series, recurrence_id=weeks[2], start_time=weeks[2] + 3 * HOUR)
    await aiko.do(Delete(event_id=series, recurrence_id=weeks[3]))

    await aiko.patch(series, start_time=NINE + DAY + HOUR, title="New")

    by = DAY + HOUR
    listed = await aiko.listed()
    assert {(one.start_time, one.title) for one in listed} == {
        (weeks[0] + by, "New"),
        (weeks[1] + by, "Own"),
        (weeks[2] + 3 * HOUR, "New"),
        (weeks[4] + by, "New"),
    }
    assert {one.id: one.recurrence_id for one in listed if one.is_override} == {
        titled: weeks[1] + by,
        moved: weeks[2] + by,
    }


async def test_times_told_of_one_instance_move_all_by_as_much(aiko: Booker) -> None:
    series = await aiko.make(rrule=WEEKLY)

    await aiko.patch(
        series,
        recurrence_id=WEEKS[2],
        scope="all",
        start_time=WEEKS[2] + DAY + HOUR,
        end_time=WEEKS[2] + DAY + 3 * HOUR,
    )

    listed = await aiko.listed()
    assert [one.start_time for one in listed] == [one + DAY + HOUR for one in WEEKS]
    assert {one.end_time - one.start_time for one in listed} == {2 * HOUR}


async def test_an_exception_that_names_no_instance_any_more_is_deleted(aiko: Booker) -> None:
    series = await aiko.make(rrule="FREQ=DAILY;COUNT=5")
    stays = await aiko.patch(series, recurrence_id=NINE + 2 * DAY, title="Stays", start_time=NINE + 2 * DAY + HOUR)
    goes = await aiko.patch(series, recurrence_id=NINE + 3 * DAY, title="Goes")

    await aiko.patch(series, rrule="FREQ=DAILY;INTERVAL=2;COUNT=3")

    assert await aiko.starts() == [NINE, NINE + 2 * DAY + HOUR, NINE + 4 * DAY]
    assert (await aiko.event(stays)).title == "Stays"
    assert (await refusal(aiko.event(goes))).code is Code.NOT_FOUND


async def test_a_series_ends_to_recur_and_its_exceptions_go(aiko: Booker) -> None:
    series = await aiko.make(rrule=WEEKLY)
    await aiko.patch(series, recurrence_id=WEEKS[1], title="Own")

    await aiko.patch(series, rrule=None)

    assert [(one.start_time, one.title, one.series_id) for one in await aiko.listed()] == [(NINE, "Planning", None)]


async def test_a_single_event_begins_to_recur(aiko: Booker) -> None:
    event = await aiko.make()

    await aiko.patch(event, rrule=WEEKLY)

    assert await aiko.starts() == WEEKS


async def test_a_deleted_series_is_restored_with_the_exceptions_that_went_with_it(aiko: Booker) -> None:
    series = await aiko.make(rrule=WEEKLY)
    await aiko.patch(series, recurrence_id=WEEKS[1], title="Own")
    gone = await aiko.patch(series, recurrence_id=WEEKS[2], title="Gone")
    await aiko.do(Delete(event_id=gone), now=NOW + HOUR)

    await aiko.do(Delete(event_id=series), now=NOW + 2 * HOUR)
    empty = await aiko.starts()
    await aiko.do(Restore(event_id=series))

    assert empty == []
    assert [(one.start_time, one.title) for one in await aiko.listed()] == [
        (WEEKS[0], "Planning"),
        (WEEKS[1], "Own"),
        (WEEKS[3], "Planning"),
    ]


async def test_an_exception_of_a_deleted_series_is_not_restored_alone(aiko: Booker) -> None:
    series = await aiko.make(rrule=WEEKLY)
    override = await aiko.patch(series, recurrence_id=WEEKS[1], title="Own")
    await aiko.do(Delete(event_id=series))

    assert (await refusal(aiko.do(Restore(event_id=override)))).code is Code.CONFLICT


async def test_a_series_is_put_into_another_calendar_with_its_exceptions_and_an_instance_is_not(
    aiko: Booker, bob: Booker
) -> None:
    await insert(
        aiko.database,
        "calendar_members",
        {"calendar_id": bob.calendar_id, "user_id": aiko.viewer.user_id, "role": "WRITER"},
    )
    series = await aiko.make(rrule=WEEKLY)
    override = await aiko.patch(series, recurrence_id=WEEKS[1], title="Own")

    alone = await refusal(aiko.do(Move(event_id=override, calendar_id=bob.calendar_id)))
    await aiko.do(Move(event_id=series, calendar_id=bob.calendar_id))

    assert alone.faults[0].field == "path.event_id"
    assert await aiko.starts() == []
    assert [one.title for one in await bob.listed()] == ["Planning", "Own", "Planning", "Planning"]


async def test_an_instance_becomes_an_event_of_its_own_when_it_is_copied(aiko: Booker) -> None:
    series = await aiko.make(rrule=WEEKLY)
    await aiko.patch(series, recurrence_id=WEEKS[1], title="Own", start_time=WEEKS[1] + HOUR)

    plain = await aiko.event(await aiko.do(Duplicate(event_id=series, recurrence_id=WEEKS[2])))
    own = await aiko.event(await aiko.do(Duplicate(event_id=series, recurrence_id=WEEKS[1])))
    whole = await aiko.event(await aiko.do(Duplicate(event_id=series, start_time=NINE + DAY)))

    assert (plain.start_time, plain.title, plain.rrule, plain.series_id) == (WEEKS[2], "Planning", None, None)
    assert (own.start_time, own.title, own.rrule) == (WEEKS[1] + HOUR, "Own", None)
    assert (whole.start_time, whole.rrule) == (NINE + DAY, WEEKLY)


# The clock


CLOCKS = [
    # A zone, the day of the first instance, a week in which its clocks change.
    ("Europe/Lisbon", date(2027, 3, 15), date(2027, 3, 29)),
    ("Europe/Lisbon", date(2027, 10, 18), date(2027, 11, 1)),
    ("America/New_York", date(2027, 3, 1), date(2027, 3, 15)),
    ("America/New_York", date(2027, 10, 25), date(2027, 11, 8)),
]


async def on_the_clock(aiko: Booker, tzid: str) -> set[tuple[int, int, int]]:
    return {
        (one.start_time.isoweekday(), one.start_time.hour, one.start_time.minute)
        for one in await aiko.listed(tzid=tzid)
    }


@pytest.mark.parametrize(("tzid", "first", "changed"), CLOCKS)
async def test_nine_stays_nine_when_the_clocks_change(aiko: Booker, tzid: str, first: date, changed: date) -> None:
    nine = clock(f"{first}T09:00")

    await aiko.make(nine, rrule="FREQ=WEEKLY;COUNT=8", tzid=tzid)

    offsets = {one.start_time.utcoffset() for one in await aiko.listed(tzid=tzid)}
    assert await on_the_clock(aiko, tzid) == {(1, 9, 0)}
    assert len(offsets) == 2


@pytest.mark.parametrize(("tzid", "first", "changed"), CLOCKS)
async def test_what_follows_the_change_of_clocks_moves_by_the_clock(
    aiko: Booker, tzid: str, first: date, changed: date
) -> None:
    zone = ZoneInfo(tzid)
    series = await aiko.make(clock(f"{first}T09:00"), rrule="FREQ=WEEKLY;COUNT=8", tzid=tzid)
    instance = datetime(changed.year, changed.month, changed.day, 9, tzinfo=zone)

    await aiko.patch(series, recurrence_id=instance, scope="following", start_time=instance.replace(hour=10))

    listed = await aiko.listed(tzid=tzid)
    assert [one.start_time.hour for one in listed] == [9] * 2 + [10] * 6
    assert {one.start_time.isoweekday() for one in listed} == {1}


@pytest.mark.parametrize(("tzid", "first", "changed"), CLOCKS)
async def test_a_split_before_the_change_of_clocks_keeps_nine_after_it(
    aiko: Booker, tzid: str, first: date, changed: date
) -> None:
    zone = ZoneInfo(tzid)
    nine = datetime(first.year, first.month, first.day, 9, tzinfo=zone)
    series = await aiko.make(nine.replace(tzinfo=None), rrule="FREQ=WEEKLY", tzid=tzid)

    await aiko.patch(series, recurrence_id=nine + WEEK, scope="following", title="New")

    assert await on_the_clock(aiko, tzid) == {(1, 9, 0)}


@pytest.mark.parametrize(("tzid", "first", "changed"), CLOCKS)
async def test_all_moves_across_the_change_of_clocks_by_the_clock_and_exceptions_with_it(
    aiko: Booker, tzid: str, first: date, changed: date
) -> None:
    zone = ZoneInfo(tzid)
    nine = datetime(first.year, first.month, first.day, 9, tzinfo=zone)
    series = await aiko.make(nine.replace(tzinfo=None), rrule="FREQ=WEEKLY;COUNT=8", tzid=tzid)
    instance = datetime(changed.year, changed.month, changed.day, 9, tzinfo=zone)
    await aiko.patch(series, recurrence_id=instance, title="Own")
    await aiko.do(Delete(event_id=series, recurrence_id=instance + WEEK))

    await aiko.patch(series, start_time=nine.replace(tzinfo=None) + timedelta(days=21, hours=1))

    listed = await aiko.listed(tzid=tzid)
    assert await on_the_clock(aiko, tzid) == {(1, 10, 0)}
    assert len(listed) == 7
    assert [one.start_time for one in listed if one.title == "Own"] == [instance.replace(hour=10) + 3 * WEEK]


async def test_an_instance_in_the_gap_of_the_clocks_is_an_hour_later_and_is_named_so(aiko: Booker) -> None:
    series = await aiko.make(clock("2027-03-27T01:30"), rrule="FREQ=DAILY;COUNT=3", tzid="Europe/Lisbon")
    in_the_gap = datetime(2027, 3, 28, 1, 30, tzinfo=UTC)

    starts = await aiko.starts()
    override = await aiko.patch(series, recurrence_id=in_the_gap, title="Own")
    await aiko.patch(series, start_time=clock("2027-03-27T03:00"))

    assert starts[1] == in_the_gap
    assert (await aiko.event(override)).start_time == datetime(2027, 3, 28, 2, tzinfo=UTC)


async def test_another_zone_keeps_what_the_clock_shows(aiko: Booker) -> None:
    series = await aiko.make(clock("2027-03-22T09:00"), rrule=WEEKLY, tzid="Europe/Lisbon")

    await aiko.patch(series, tzid="America/New_York")

    assert [one.start_time.hour for one in await aiko.listed(tzid="America/New_York")] == [9] * 4


async def test_an_all_day_series_is_split_by_its_days(aiko: Booker) -> None:
    series = await aiko.make(None, start_date=date(2027, 3, 3), rrule="FREQ=DAILY;COUNT=5")

    later = await aiko.patch(
        series, recurrence_id=clock("2027-03-06T00:00"), scope="following", start_date=date(2027, 3, 7), title="New"
    )

    assert (await aiko.event(series)).rrule == "FREQ=DAILY;UNTIL=20270305"
    assert [(one.start_date, one.title) for one in await aiko.listed()] == [
        *((date(2027, 3, day), "Planning") for day in (3, 4, 5)),
        *((date(2027, 3, day), "New") for day in (7, 8)),
    ]
    assert (await aiko.event(later)).all_day


async def test_a_floating_series_is_split_by_its_clock(aiko: Booker) -> None:
    series = await aiko.make(clock("2027-03-26T09:00"), rrule="FREQ=DAILY;COUNT=4", floating=True)

    await aiko.patch(
        series, recurrence_id=clock("2027-03-28T09:00"), scope="following", start_time=clock("2027-03-28T10:00")
    )

    assert (await aiko.event(series)).rrule == "FREQ=DAILY;UNTIL=20270328T085959"
    assert [one.start_time.hour for one in await aiko.listed(tzid="Europe/Lisbon")] == [9, 9, 10, 10]


async def test_the_end_of_a_rule_moves_along(aiko: Booker) -> None:
    series = await aiko.make(rrule="FREQ=WEEKLY;UNTIL=20270324T090000Z")

    await aiko.patch(series, start_time=NINE + DAY + HOUR)

    rule = parse_rule((await aiko.event(series)).rrule or "")
    assert rule.until == datetime(2027, 3, 25, 10, tzinfo=UTC)
    assert len(await aiko.starts()) == 4


# Answers and SEQUENCE


@pytest.fixture
async def invited(aiko: Booker, bob: Booker) -> UUID:
    """A series of Aiko's to which Aiko and Bob are invited; Bob has said yes."""
    people = (Invitee(user_id=aiko.viewer.user_id), Invitee(user_id=bob.viewer.user_id))
    series = await aiko.make(rrule=WEEKLY, attendees=people)
    await bob.do(Respond(event_id=series, response_status="ACCEPTED"))
    return series


async def answer_of(booker: Booker, reader: Booker, event_id: UUID) -> str:
    attendees = (await reader.event(event_id)).attendees or ()
    return next(one.response_status for one in attendees if one.user and one.user.id == booker.viewer.user_id)


async def test_answers_start_anew_where_the_time_changed_and_only_there(
    aiko: Booker, bob: Booker, invited: UUID
) -> None:
    override = await aiko.patch(invited, recurrence_id=WEEKS[1], start_time=WEEKS[1] + HOUR)
    titled = await aiko.patch(invited, recurrence_id=WEEKS[2], title="Own")

    answers = [await answer_of(bob, aiko, one) for one in (override, titled, invited)]

    assert answers == ["NEEDS_ACTION", "ACCEPTED", "ACCEPTED"]
    assert await answer_of(aiko, aiko, override) == "ACCEPTED"


async def test_what_follows_is_answered_anew_when_it_moves_and_the_first_part_is_not(
    aiko: Booker, bob: Booker, invited: UUID
) -> None:
    renamed = await aiko.patch(invited, recurrence_id=WEEKS[3], scope="following", title="New")
    moved = await aiko.patch(invited, recurrence_id=WEEKS[2], scope="following", start_time=WEEKS[2] + HOUR)

    answers = [await answer_of(bob, aiko, one) for one in (renamed, moved, invited)]

    assert answers == ["ACCEPTED", "NEEDS_ACTION", "ACCEPTED"]


async def test_an_exception_that_moves_with_its_series_is_answered_anew(
    aiko: Booker, bob: Booker, invited: UUID
) -> None:
    titled = await aiko.patch(invited, recurrence_id=WEEKS[1], title="Own")
    moved = await aiko.patch(invited, recurrence_id=WEEKS[2], start_time=WEEKS[2] + 3 * HOUR)
    await bob.do(Respond(event_id=moved, response_status="TENTATIVE"))

    await aiko.patch(invited, start_time=NINE + HOUR)

    answers = [await answer_of(bob, aiko, one) for one in (invited, titled, moved)]
    assert answers == ["NEEDS_ACTION", "NEEDS_ACTION", "TENTATIVE"]


async def test_sequence_grows_with_times_recurrence_and_status(aiko: Booker) -> None:
    series = await aiko.make(rrule=WEEKLY)
    steps = [
        (EventFields(title="New"), 0),
        (EventFields(location="Garden", visibility="PRIVATE", transparency="TRANSPARENT"), 0),
        (EventFields(start_time=NINE + HOUR), 1),
        (EventFields(rrule="FREQ=WEEKLY;COUNT=5"), 2),
        (EventFields(status="TENTATIVE"), 3),
        (EventFields(status="TENTATIVE", start_time=NINE + HOUR), 3),
        (EventFields(end_time=NINE + 3 * HOUR), 4),
    ]
    found = []

    for fields, _ in steps:
        await aiko.patch(series, **{name: getattr(fields, name) for name in fields.__struct_fields__})
        found.append((await aiko.event(series)).sequence)

    assert found == [expected for _, expected in steps]


async def test_sequence_of_each_part(aiko: Booker) -> None:
    series = await aiko.make(rrule="FREQ=WEEKLY;COUNT=6")
    weeks = [NINE + n * WEEK for n in range(6)]

    titled = await aiko.patch(series, recurrence_id=weeks[1], title="Own")
    moved = await aiko.patch(series, recurrence_id=weeks[2], start_time=weeks[2] + HOUR)
    unmoved = (await aiko.event(series)).sequence
    later = await aiko.patch(series, recurrence_id=weeks[4], scope="following", title="New")
    await aiko.do(Delete(event_id=series, recurrence_id=weeks[3]))

    sequences = [(await aiko.event(one)).sequence for one in (titled, moved, later, series)]
    assert unmoved == 0
    assert sequences == [0, 1, 0, 2]


async def test_people_come_and_go_for_one_instance_for_what_follows_and_for_all(aiko: Booker) -> None:
    series = await aiko.make(rrule=WEEKLY, attendees=(Invitee(email="ann@example.org"),))
    override = await aiko.patch(series, recurrence_id=WEEKS[0], title="Own")

    await aiko.do(
        Invite(event_id=series, recurrence_id=WEEKS[0], attendees=(Invitee(email="one@example.org"),)),
    )
    await aiko.do(Invite(event_id=series, attendees=(Invitee(email="all@example.org"),)))
    later = await aiko.do(
        Invite(
            event_id=series, recurrence_id=WEEKS[2], scope="following", attendees=(Invitee(email="later@example.org"),)
        )
    )
    await aiko.do(Uninvite(event_id=series, email="ann@example.org"))

    assert set(await aiko.answers(override)) == {"one", "all"}
    assert set(await aiko.answers(series)) == {"all"}
    assert set(await aiko.answers(later)) == {"ann", "all", "later"}


async def test_a_list_of_attendees_for_all_leaves_those_of_one_instance(aiko: Booker) -> None:
    series = await aiko.make(
        rrule=WEEKLY, attendees=(Invitee(email="ann@example.org"), Invitee(email="ben@example.org"))
    )
    override = await aiko.do(
        Invite(event_id=series, recurrence_id=WEEKS[1], attendees=(Invitee(email="guest@example.org"),))
    )
    await aiko.do(Uninvite(event_id=override, email="ann@example.org"))

    await aiko.patch(series, attendees=(Invitee(email="ann@example.org"), Invitee(email="cem@example.org")))

    assert set(await aiko.answers(series)) == {"ann", "cem"}
    assert set(await aiko.answers(override)) == {"guest", "cem"}


# All fields at once


async def test_a_series_is_replaced_as_a_whole(aiko: Booker) -> None:
    series = await aiko.make(rrule=WEEKLY, description="Old", attendees=(Invitee(email="ann@example.org"),))

    whole = WholeEvent(title="New", start_time=NINE + HOUR, end_time=NINE + 2 * HOUR, rrule="FREQ=WEEKLY;COUNT=2")
    await aiko.do(Replace(event_id=series, event=whole))

    event = await aiko.event(series)
    assert (event.title, event.description, event.attendees) == ("New", None, ())
    assert await aiko.starts() == [NINE + HOUR, WEEKS[1] + HOUR]


async def test_one_instance_is_replaced_and_what_follows_too(aiko: Booker) -> None:
    series = await aiko.make(rrule=WEEKLY, description="Old")

    one = WholeEvent(title="One", start_time=WEEKS[1] + HOUR, end_time=WEEKS[1] + 2 * HOUR)
    rest = WholeEvent(title="Rest", start_time=WEEKS[2], end_time=WEEKS[2] + HOUR)
    await aiko.do(Replace(event_id=series, event=one, recurrence_id=WEEKS[1], scope="this"))
    await aiko.do(Replace(event_id=series, event=rest, recurrence_id=WEEKS[2], scope="following"))

    assert [(one.start_time, one.title, one.description) for one in await aiko.listed()] == [
        (WEEKS[0], "Planning", "Old"),
        (WEEKS[1] + HOUR, "One", None),
        (WEEKS[2], "Rest", None),
    ]


# RANGE=THISANDFUTURE, which files bring


@pytest.fixture
async def shifted(aiko: Booker) -> tuple[UUID, UUID]:
    """A weekly series of four and its exception that moves the third and the fourth by an hour."""
    owner, calendar = aiko.viewer.user_id, aiko.calendar_id
    end = WEEKS[3] + HOUR
    series = await an_event(
        aiko.database, calendar, owner, NINE, tzid="UTC", rrule=WEEKLY, span_end=end, uid="imported"
    )
    override = await an_event(
        aiko.database,
        calendar,
        owner,
        WEEKS[2] + HOUR,
        tzid="UTC",
        uid="imported",
        series_id=series,
        recurrence_id=WEEKS[2],
        this_and_future=True,
        title="Shifted",
        span_end=end + DAY,
    )
    return series, override


async def test_an_exception_that_moves_what_follows_goes_on_to_do_so(aiko: Booker, shifted: tuple[UUID, UUID]) -> None:
    series, override = shifted

    await aiko.patch(series, start_time=NINE + DAY)
    after_all = await aiko.starts()
    await aiko.patch(override, start_time=WEEKS[2] + DAY + 2 * HOUR)

    assert after_all == [NINE + DAY, WEEKS[1] + DAY, WEEKS[2] + HOUR, WEEKS[3] + HOUR]
    assert await aiko.starts() == [NINE + DAY, WEEKS[1] + DAY, WEEKS[2] + DAY + 2 * HOUR, WEEKS[3] + DAY + 2 * HOUR]


async def test_what_follows_from_such_an_exception_is_not_edited_alone(
    aiko: Booker, shifted: tuple[UUID, UUID]
) -> None:
    series, override = shifted

    refused = [
        await refusal(aiko.patch(series, recurrence_id=WEEKS[3], title="New")),
        await refusal(aiko.patch(series, recurrence_id=WEEKS[3], scope="following", title="New")),
        await refusal(aiko.do(Delete(event_id=series, recurrence_id=WEEKS[3]))),
        await refusal(aiko.do(Delete(event_id=override))),
    ]
    await aiko.do(Delete(event_id=override, scope="following"))

    assert {one.code for one in refused} == {Code.CONFLICT}
    assert await aiko.starts() == WEEKS[:2]


async def test_a_series_with_such_an_exception_is_split_before_it(aiko: Booker, shifted: tuple[UUID, UUID]) -> None:
    series, _ = shifted

    await aiko.patch(series, recurrence_id=WEEKS[1], scope="following", title="New")

    assert [(one.start_time, one.title) for one in await aiko.listed()] == [
        (WEEKS[0], "Planning"),
        (WEEKS[1], "New"),
        (WEEKS[2] + HOUR, "Shifted"),
        (WEEKS[3] + HOUR, "Shifted"),
    ]


async def test_a_series_is_made_by_a_batch_of_one_with_its_own_uid_once(aiko: Booker) -> None:
    event = NewEvent(calendar_id=aiko.calendar_id, title="x", start_time=NINE, end_time=NINE, uid="mine", rrule=WEEKLY)
    await aiko.do(Create(event=event))

    assert (await refusal(aiko.do(Create(event=event)))).code is Code.ALREADY_EXISTS
