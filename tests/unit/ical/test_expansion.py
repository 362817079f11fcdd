"""Windows of series: the recurrence set, zones, bounds and overrides (RFC 5545, 3.3.5, 3.3.10, 3.8.4.4, 3.8.5)."""

from datetime import UTC, datetime, timedelta

import pytest

from yotei.ical import (
    Instance,
    Override,
    RecurrenceError,
    Series,
    TooManyInstances,
    UnknownZone,
    count_until,
    expand,
    instances,
    resolve,
    rule_never_fires,
    span,
)

HOUR = timedelta(hours=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def series(start: str, rrule: str | None = None, *, length: timedelta = HOUR, tzid: str | None = None) -> Series:
    return Series(at(start), at(start) + length, tzid=tzid, rrule=rrule)


def starts(found: list[Instance]) -> list[str]:
    return [f"{instance.start_time:%Y-%m-%dT%H:%M}" for instance in found]


def test_a_weekly_meeting_keeps_its_local_time_across_daylight_saving() -> None:
    nine_in_berlin = series("2026-03-23T08:00", "FREQ=WEEKLY", tzid="Europe/Berlin")

    found = instances(nine_in_berlin, at("2026-03-20"), at("2026-04-10"))

    assert starts(found) == ["2026-03-23T08:00", "2026-03-30T07:00", "2026-04-06T07:00"]


def test_a_time_in_a_gap_takes_the_offset_before_it_as_section_3_3_5_says() -> None:
    half_past_two = series("2026-03-27T01:30", "FREQ=DAILY", tzid="Europe/Berlin")

    found = instances(half_past_two, at("2026-03-28"), at("2026-03-31"))

    assert starts(found) == ["2026-03-28T01:30", "2026-03-29T01:30", "2026-03-30T00:30"]


def test_an_ambiguous_time_is_its_first_occurrence_as_section_3_3_5_says() -> None:
    half_past_two = series("2026-10-23T00:30", "FREQ=DAILY", tzid="Europe/Berlin")

    found = instances(half_past_two, at("2026-10-25"), at("2026-10-27"))

    assert starts(found) == ["2026-10-25T00:30", "2026-10-26T01:30"]


def test_the_29th_of_february_and_the_31st_are_skipped_not_moved() -> None:
    leap_day = series("1992-02-29T09:00", "FREQ=YEARLY")
    month_end = series("2026-01-31T09:00", "FREQ=MONTHLY")

    assert starts(instances(leap_day, at("2024-01-01"), at("2033-01-01"))) == [
        "2024-02-29T09:00",
        "2028-02-29T09:00",
        "2032-02-29T09:00",
    ]
    assert starts(instances(month_end, at("2026-01-01"), at("2026-06-01"))) == [
        "2026-01-31T09:00",
        "2026-03-31T09:00",
        "2026-05-31T09:00",
    ]


def test_the_week_start_decides_which_weeks_an_interval_visits_as_the_rfc_shows() -> None:
    """The example of section 3.3.10: 5 August 1997, every other week on Tuesday and Sunday."""
    monday = series("1997-08-05T09:00", "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO")
    sunday = series("1997-08-05T09:00", "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU")

    def days(of: Series) -> list[int]:
        return [instance.start_time.day for instance in instances(of, at("1997-08-01"), at("1997-10-01"))]

    assert days(monday) == [5, 10, 19, 24]
    assert days(sunday) == [5, 17, 19, 31]


def test_plain_and_numbered_weekdays_in_one_rule_are_united() -> None:
    mixed = series("2026-03-02T09:00", "FREQ=MONTHLY;BYDAY=MO,1TU")

    found = instances(mixed, at("2026-03-01"), at("2026-04-01"))

    assert [instance.start_time.day for instance in found] == [2, 3, 9, 16, 23, 30]


def test_bysetpos_in_the_first_week_counts_from_the_start_of_the_week() -> None:
    first_workday = series("2026-03-04T09:00", "FREQ=WEEKLY;BYDAY=MO,WE,FR;BYSETPOS=2,3")

    found = instances(first_workday, at("2026-03-01"), at("2026-03-10"))

    assert [instance.start_time.day for instance in found] == [4, 6]


def test_dtstart_is_the_first_instance_and_counts_even_when_the_rule_does_not_name_it() -> None:
    tuesday = series("2026-03-03T09:00", "FREQ=WEEKLY;BYDAY=MO;COUNT=3")

    found = instances(tuesday, at("2026-01-01"), at("2027-01-01"))

    assert starts(found) == ["2026-03-03T09:00", "2026-03-09T09:00", "2026-03-16T09:00"]


def test_until_includes_an_instance_that_starts_at_it() -> None:
    daily = series("2026-03-01T09:00", "FREQ=DAILY;UNTIL=20260303T090000Z")

    assert len(instances(daily, at("2026-01-01"), at("2027-01-01"))) == 3
    assert span(daily) == (at("2026-03-01T09:00"), at("2026-03-03T10:00"))


def test_the_window_takes_what_overlaps_it_and_nothing_that_touches_it() -> None:
    long = series("2026-03-01T23:00", length=2 * HOUR)
    empty = series("2026-03-02T00:00", length=timedelta(0))

    assert len(instances(long, at("2026-03-02T00:00"), at("2026-03-03"))) == 1
    assert instances(long, at("2026-03-02T01:00"), at("2026-03-03")) == []
    assert instances(long, at("2026-03-01"), at("2026-03-01T23:00")) == []
    assert len(instances(empty, at("2026-03-02T00:00"), at("2026-03-03"))) == 1
    assert instances(empty, at("2026-03-01"), at("2026-03-02T00:00")) == []


def test_rdate_adds_and_exdate_takes_away() -> None:
    daily = Series(
        at("2026-03-01T09:00"),
        at("2026-03-01T10:00"),
        rrule="FREQ=DAILY;COUNT=3",
        rdates=(at("2026-03-10T12:00"), at("2026-03-02T09:00")),
        exdates=(at("2026-03-01T09:00"), at("2026-03-03T09:00")),
    )

    found = instances(daily, at("2026-01-01"), at("2027-01-01"))

    assert starts(found) == ["2026-03-02T09:00", "2026-03-10T12:00"]
    assert span(daily) == (at("2026-03-01T09:00"), at("2026-03-10T13:00"))


def test_there_is_no_end_at_2038_nor_at_three_thousand_instances() -> None:
    daily = series("1990-01-01T09:00", "FREQ=DAILY")

    assert span(daily)[1] is None
    assert len(instances(daily, at("2100-01-01"), at("2101-01-01"))) == 365
    assert len(instances(daily, at("1990-01-01"), at("2040-01-01"))) == 18_262


def test_a_window_with_more_instances_than_the_limit_is_refused_not_cut() -> None:
    busy = series("2026-01-01T00:00", "FREQ=SECONDLY", length=timedelta(0))

    with pytest.raises(TooManyInstances):
        instances(busy, at("2026-02-01"), at("2026-03-01"), limit=1_000)


@pytest.mark.parametrize(
    "rrule",
    [
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=MONTHLY;INTERVAL=12;BYMONTH=4",
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;INTERVAL=7;BYDAY=MO",
        "FREQ=HOURLY;INTERVAL=24;BYHOUR=5",
        "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=31",
        "FREQ=SECONDLY;BYMONTH=2;BYSETPOS=2",
        "FREQ=DAILY;UNTIL=20200101T000000Z",
    ],
)
def test_a_rule_that_never_fires_is_recognised_and_expands_to_nothing(rrule: str) -> None:
    never = series("2026-01-01T09:00", rrule)

    assert rule_never_fires(never)
    assert instances(never, at("2026-01-01"), at("2027-01-01")) == []
    assert span(never) == (never.start_time, never.end_time)


def test_a_count_too_large_to_count_is_refused_and_a_plain_one_is_a_product() -> None:
    plain = series("2026-01-01T00:00", "FREQ=MINUTELY;COUNT=10000000")
    limited = series("2026-01-01T00:00", "FREQ=DAILY;BYHOUR=1,2;COUNT=10000000")

    assert count_until(plain) == at("2026-01-01T00:00") + timedelta(minutes=9_999_999)
    with pytest.raises(RecurrenceError):
        span(limited)


def test_a_series_that_reaches_the_end_of_the_calendar_is_unbounded_in_every_zone() -> None:
    for tzid in ("America/New_York", "Pacific/Auckland", None):
        counted = series("2026-01-01T00:00", "FREQ=DAILY;COUNT=10000000", tzid=tzid)

        assert span(counted)[1] is None
        assert len(instances(counted, at("2026-01-01"), at("2026-02-01"))) == 31


def test_an_all_day_series_runs_on_dates_without_any_zone() -> None:
    holiday = Series(at("2026-03-28"), at("2026-03-30"), all_day=True, tzid="Europe/Berlin", rrule="FREQ=DAILY;COUNT=2")

    found = instances(holiday, at("2026-03-01"), at("2026-04-01"))

    assert [(i.start_time, i.end_time) for i in found] == [
        (at("2026-03-28"), at("2026-03-30")),
        (at("2026-03-29"), at("2026-03-31")),
    ]


def moved(recurrence_id: str, start: str, length: timedelta = HOUR, **flags: bool) -> Override:
    return Override(at(recurrence_id), at(start), at(start) + length, **flags)


def test_an_override_replaces_its_instance_wherever_it_moved() -> None:
    daily = series("2026-03-01T09:00", "FREQ=DAILY;COUNT=5")
    out = moved("2026-03-02T09:00", "2026-04-20T09:00")
    into = moved("2026-03-05T09:00", "2026-03-03T15:00")

    found = expand(daily, [out, into], at("2026-03-02"), at("2026-03-04"))

    assert starts(found) == ["2026-03-03T09:00", "2026-03-03T15:00"]
    assert found[1] == Instance(into.start_time, into.end_time, into.recurrence_id, 1)
    assert starts(expand(daily, [out, into], at("2026-04-20"), at("2026-04-21"))) == ["2026-04-20T09:00"]


def test_a_cancelled_override_is_given_with_its_flag() -> None:
    daily = series("2026-03-01T09:00", "FREQ=DAILY;COUNT=2")

    found = expand(
        daily, [moved("2026-03-02T09:00", "2026-03-02T09:00", cancelled=True)], at("2026-03-01"), at("2026-03-05")
    )

    assert [instance.cancelled for instance in found] == [False, True]


def test_this_and_future_shifts_and_resizes_what_follows_in_local_time() -> None:
    """Section 3.8.4.4; the clocks of Berlin change on 29 March 2026."""
    weekly = series("2026-03-09T08:00", "FREQ=WEEKLY;COUNT=5", tzid="Europe/Berlin")
    change = moved("2026-03-23T08:00", "2026-03-24T10:00", 2 * HOUR, range_this_and_future=True)
    single = moved("2026-04-06T07:00", "2026-04-06T12:00")

    found = expand(weekly, [single, change], at("2026-03-01"), at("2026-05-01"))

    assert starts(found) == [
        "2026-03-09T08:00",
        "2026-03-16T08:00",
        "2026-03-24T10:00",
        "2026-03-31T09:00",
        "2026-04-06T12:00",
    ]
    assert [(i.end_time - i.start_time) // HOUR for i in found] == [1, 1, 2, 2, 1]
    assert [i.override for i in found] == [None, None, 1, 1, 0]


def test_this_and_future_moves_instances_into_a_window_they_were_not_in() -> None:
    weekly = series("2026-03-02T09:00", "FREQ=WEEKLY")
    change = moved("2026-03-09T09:00", "2026-03-19T09:00", range_this_and_future=True)

    found = expand(weekly, [change], at("2026-03-25"), at("2026-03-27"))

    assert starts(found) == ["2026-03-26T09:00"]
    assert found[0].recurrence_id == at("2026-03-16T09:00")


def test_an_override_of_an_excluded_instance_is_gone_and_one_of_no_instance_stands() -> None:
    daily = Series(
        at("2026-03-01T09:00"), at("2026-03-01T10:00"), rrule="FREQ=DAILY;COUNT=2", exdates=(at("2026-03-02T09:00"),)
    )
    gone = moved("2026-03-02T09:00", "2026-03-02T12:00")
    orphan = moved("2026-03-20T09:00", "2026-03-03T12:00")

    found = expand(daily, [gone, orphan], at("2026-03-01"), at("2026-04-01"))

    assert starts(found) == ["2026-03-01T09:00", "2026-03-03T12:00"]


@pytest.mark.parametrize(
    ("tzid", "key"),
    [
        ("Europe/Berlin", "Europe/Berlin"),
        ("europe/berlin", "Europe/Berlin"),
        ("W. Europe Standard Time", "Europe/Berlin"),
        ("/mozilla.org/20070129_1/America/Argentina/Salta", "America/Argentina/Salta"),
        ('"Asia/Tokyo"', "Asia/Tokyo"),
        ("GMT", "UTC"),
    ],
)
def test_a_zone_is_found_by_any_of_its_names(tzid: str, key: str) -> None:
    assert resolve(tzid).key == key


@pytest.mark.parametrize("tzid", ["", "Middle Earth", "../../etc/passwd", "x" * 300, "\0"])
def test_an_unknown_zone_says_so(tzid: str) -> None:
    with pytest.raises(UnknownZone):
        resolve(tzid)


def test_the_end_of_a_series_is_found_behind_a_long_silence() -> None:
    january_seconds = series("2026-01-01T09:00", "FREQ=SECONDLY;BYMONTH=1;UNTIL=20261215T000000Z")
    leap_days = series("2024-02-29T09:00", "FREQ=YEARLY;UNTIL=20270101T000000Z")

    assert span(january_seconds)[1] == at("2026-01-31T23:59:59") + HOUR
    assert span(leap_days)[1] == at("2024-02-29T10:00")
