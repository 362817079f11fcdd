"""Taken, open and free periods, as arithmetic alone: examples, and properties against counting minute by minute."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yotei.resources.read import fully_taken, open_periods, subtract
from yotei.resources.resource import Period, Resource
from yotei.users.user import WEEKDAYS, Hours

MIDNIGHT = datetime(2026, 12, 1, tzinfo=UTC)
MINUTES = 120


def at(minute: int) -> datetime:
    return MIDNIGHT + timedelta(minutes=minute)


def period(start: int, end: int) -> Period:
    return Period(at(start), at(end))


WINDOW = period(0, MINUTES)
# Some reach out of the window on one side or both, some lie outside of it.
any_periods = st.lists(
    st.tuples(st.integers(-30, MINUTES + 30), st.integers(1, 60)).map(lambda p: period(p[0], p[0] + p[1])), max_size=12
)


def minutes_of(periods: list[Period]) -> set[int]:
    return {minute for minute in range(MINUTES) if any(one.start <= at(minute) < one.end for one in periods)}


def apart_and_in_order(periods: list[Period]) -> bool:
    return all(one.start < one.end for one in periods) and all(
        one.end < after.start for one, after in pairwise(periods)
    )


@given(any_periods, st.integers(1, 4))
def test_taken_is_each_minute_that_blocks_all_units(blocked: list[Period], units: int) -> None:
    taken = list(fully_taken(blocked, units, WINDOW))

    by_counting = {
        minute for minute in range(MINUTES) if sum(one.start <= at(minute) < one.end for one in blocked) >= units
    }
    assert minutes_of(taken) == by_counting
    assert apart_and_in_order(taken)
    assert all(WINDOW.start <= one.start and one.end <= WINDOW.end for one in taken)


@given(any_periods, any_periods)
def test_what_is_left_is_each_minute_of_the_one_that_is_not_of_the_other(
    some: list[Period], others: list[Period]
) -> None:
    periods, taken = list(fully_taken(some, 1, WINDOW)), list(fully_taken(others, 1, WINDOW))

    left = list(subtract(periods, taken))

    assert minutes_of(left) == minutes_of(periods) - minutes_of(taken)
    assert apart_and_in_order(left)


def test_touching_periods_are_one() -> None:
    taken = list(fully_taken([period(0, 30), period(30, 60)], 1, WINDOW))

    assert taken == [period(0, 60)]


def test_what_is_taken_to_the_last_minute_leaves_nothing() -> None:
    assert list(subtract([WINDOW], [period(0, 60), period(60, MINUTES)])) == []


def a_room(tzid: str, opening_hours: Hours | None) -> Resource:
    return Resource(UUID(int=1), "Fuji", "ROOM", None, None, tzid, None, (), 1, 0, 0, opening_hours, "EVERYONE", 1)


def days(first: str, last: str, tzid: str) -> Period:
    """From the first midnight to the last, by the clock of the zone."""
    zone = ZoneInfo(tzid)
    start, end = (
        datetime.combine(date.fromisoformat(one), datetime.min.time(), zone).astimezone(UTC) for one in (first, last)
    )
    return Period(start, end)


EVERY_DAY: Hours = dict.fromkeys(WEEKDAYS, (("09:00", "17:00"),))


def test_without_opening_hours_it_is_always_open() -> None:
    assert list(open_periods(a_room("UTC", None), WINDOW)) == [WINDOW]


def test_without_a_day_in_the_opening_hours_it_is_never_open() -> None:
    assert list(open_periods(a_room("UTC", {}), WINDOW)) == []


@pytest.mark.parametrize(
    ("tzid", "first", "last", "expected_utc"),
    [
        ("Europe/Berlin", "2026-03-28", "2026-03-30", ["28T08:00 28T16:00", "29T07:00 29T15:00"]),
        ("Europe/Berlin", "2026-10-24", "2026-10-26", ["24T07:00 24T15:00", "25T08:00 25T16:00"]),
        ("Asia/Kolkata", "2026-12-01", "2026-12-02", ["01T03:30 01T11:30"]),
        ("Pacific/Kiritimati", "2026-12-01", "2026-12-02", ["30T19:00 01T03:00"]),
    ],
)
def test_opening_hours_follow_the_clock_of_the_room(tzid: str, first: str, last: str, expected_utc: list[str]) -> None:
    found = open_periods(a_room(tzid, EVERY_DAY), days(first, last, tzid))

    assert [f"{one.start:%dT%H:%M} {one.end:%dT%H:%M}" for one in found] == expected_utc


def test_open_days_that_touch_at_midnight_are_one_period_and_the_window_clips_it() -> None:
    room = a_room("Asia/Tokyo", dict.fromkeys(WEEKDAYS, (("00:00", "24:00"),)))

    assert list(open_periods(room, WINDOW)) == [WINDOW]


@pytest.mark.parametrize(
    ("hours", "length_h"),
    [((("00:00", "24:00"),), 23), ((("02:00", "03:00"),), 0), ((("01:00", "04:00"),), 2)],
)
def test_on_the_day_that_loses_an_hour_it_is_open_for_less(hours: tuple[tuple[str, str], ...], length_h: int) -> None:
    room = a_room("Europe/Berlin", {"sun": hours})

    found = list(open_periods(room, days("2026-03-29", "2026-03-30", "Europe/Berlin")))

    assert sum((one.end - one.start for one in found), timedelta()) == timedelta(hours=length_h)


def test_hours_that_end_in_the_lost_hour_are_not_cut_by_those_that_follow() -> None:
    # 02:45 does not exist and is meant as 03:45; the next hours end before that.
    room = a_room("Europe/Berlin", {"sun": (("01:00", "02:45"), ("03:00", "03:30"))})

    [found] = open_periods(room, days("2026-03-29", "2026-03-30", "Europe/Berlin"))

    assert (found.start, found.end) == (datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 3, 29, 1, 45, tzinfo=UTC))


clocks = st.lists(st.integers(0, 24 * 4), min_size=2, max_size=6, unique=True).map(
    lambda quarters: tuple(
        (f"{a // 4:02}:{a % 4 * 15:02}", f"{b // 4:02}:{b % 4 * 15:02}")
        for a, b in zip(sorted(quarters)[::2], sorted(quarters)[1::2], strict=False)
    )
)


@given(
    st.dictionaries(st.sampled_from(WEEKDAYS), clocks),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Tokyo", "Australia/Lord_Howe"]),
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.integers(1, 14 * 24),
)
def test_open_periods_are_in_order_apart_and_within_the_window(
    hours: dict[str, tuple[tuple[str, str], ...]], tzid: str, start: datetime, length_h: int
) -> None:
    window = Period(start, start + timedelta(hours=length_h))

    found = list(open_periods(a_room(tzid, hours), window))

    assert apart_and_in_order(found)
    assert all(window.start <= one.start and one.end <= window.end for one in found)
