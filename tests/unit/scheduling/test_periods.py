"""Periods joined, taken away and told by kind: examples, and properties against counting minute by minute."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from yotei.scheduling.freebusy import KINDS, BusyPeriod, Kind
from yotei.scheduling.periods import Span, joined, told, without

MIDNIGHT = datetime(2026, 12, 1, tzinfo=UTC)
MINUTES = 120


def at(minute: int) -> datetime:
    return MIDNIGHT + timedelta(minutes=minute)


def span(start: int, end: int) -> Span:
    return at(start), at(end)


# Some reach out of the window on one side or both, some lie outside of it, some have no length.
any_spans = st.lists(
    st.tuples(st.integers(-30, MINUTES + 30), st.integers(0, 60)).map(lambda p: span(p[0], p[0] + p[1])), max_size=12
)
by_kind = st.dictionaries(st.sampled_from(KINDS), any_spans)


def minutes_of(spans: list[Span]) -> set[int]:
    return {minute for minute in range(MINUTES) if any(start <= at(minute) < end for start, end in spans)}


def apart_and_in_order(spans: list[Span]) -> bool:
    return all(start < end for start, end in spans) and all(one[1] < after[0] for one, after in pairwise(spans))


@given(any_spans)
def test_joined_spans_cover_each_minute_of_the_window_that_any_of_them_does(spans: list[Span]) -> None:
    found = joined(spans, at(0), at(MINUTES))

    assert minutes_of(found) == minutes_of(spans)
    assert apart_and_in_order(found)
    assert all(at(0) <= start and end <= at(MINUTES) for start, end in found)


@given(any_spans, any_spans)
def test_what_is_left_is_each_minute_of_the_one_that_is_not_of_the_other(some: list[Span], others: list[Span]) -> None:
    spans, taken = joined(some, at(0), at(MINUTES)), joined(others, at(0), at(MINUTES))

    left = without(spans, taken)

    assert minutes_of(left) == minutes_of(spans) - minutes_of(taken)
    assert apart_and_in_order(left)


@given(by_kind)
def test_each_minute_is_of_the_strongest_kind_that_covers_it(spans: dict[Kind, list[Span]]) -> None:
    found = told(spans, at(0), at(MINUTES))

    covered = [minutes_of(spans.get(kind, [])) for kind in KINDS]
    of_kind = [minutes_of([(one.start, one.end) for one in found if one.kind == kind]) for kind in KINDS]
    assert of_kind == [covered[0], covered[1] - covered[0], covered[2] - covered[1] - covered[0]]
    assert all(one.end <= after.start for one, after in pairwise(found))


def test_touching_spans_are_one() -> None:
    assert joined([span(30, 60), span(0, 30)], at(0), at(MINUTES)) == [span(0, 60)]


def test_touching_periods_of_two_kinds_are_two() -> None:
    found = told({"BUSY": [span(0, 30)], "TENTATIVE": [span(10, 60)]}, at(0), at(MINUTES))

    assert found == (BusyPeriod(at(0), at(30), "BUSY"), BusyPeriod(at(30), at(60), "TENTATIVE"))
