"""Which starts are proposed, and in which order: examples of the arithmetic."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from yotei.scheduling.periods import Span
from yotei.scheduling.proposals import Grid, Guest, Outcome, Place, search

MIDNIGHT = datetime(2026, 12, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
MORNING = Grid(MIDNIGHT + 8 * HOUR, timedelta(minutes=30), HOUR, MIDNIGHT + 12 * HOUR)
AIKO, BEN, CHI, FUJI, ASO = (UUID(int=n) for n in range(1, 6))


def span(start: float, end: float) -> Span:
    return MIDNIGHT + start * HOUR, MIDNIGHT + end * HOUR


ALL_DAY = (span(0, 24),)


def guest(id_: UUID, *busy: Span, optional: bool = False, working: Sequence[Span] = ALL_DAY) -> Guest:
    return Guest(id_, optional, busy, working)


def place(id_: UUID, *blocked: Sequence[Span], named: bool = False, units: int = 1, **more: timedelta) -> Place:
    return Place(id_, named, units, blocked, ALL_DAY, **more)


def starts(outcome: Outcome) -> list[str]:
    return [f"{one.start:%H:%M}" for one in outcome.found]


def test_a_meeting_may_touch_what_comes_before_and_after_it() -> None:
    found = search(MORNING, [guest(AIKO, span(8, 9), span(10, 12))], [], limit=9)

    assert starts(found) == ["09:00"]


def test_the_last_meeting_is_over_when_the_window_is() -> None:
    assert starts(search(MORNING, [guest(AIKO)], [], limit=99))[-1] == "11:00"


@pytest.mark.parametrize("end", [8, 8.5])
def test_a_window_shorter_than_the_meeting_has_no_start(end: float) -> None:
    grid = MORNING._replace(end=MIDNIGHT + end * HOUR)

    assert search(grid, [guest(AIKO)], [], limit=9) == Outcome([], [(AIKO, 0)], 0)


def test_more_optional_guests_come_before_working_hours_and_these_before_early() -> None:
    afternoon = (span(10, 24),)
    guests = [
        guest(AIKO, working=afternoon),
        guest(BEN, span(9, 10.5), optional=True, working=afternoon),
        guest(CHI, span(11.5, 12), optional=True),
    ]

    found = search(MORNING, guests, [], limit=99)

    assert starts(found) == ["10:30", "08:00", "10:00", "11:00", "08:30", "09:00", "09:30"]
    assert found.found[0].coming == (BEN, CHI)
    assert (found.found[2].coming, found.found[2].missing) == ((CHI,), (BEN,))
    assert found.found[1].outside == (AIKO, BEN)


def test_with_required_hours_nobody_comes_outside_of_theirs() -> None:
    guests = [guest(AIKO, working=(span(9, 11),)), guest(BEN, optional=True, working=(span(8, 10),))]

    found = search(MORNING, guests, [], within_hours=True, limit=9)

    assert [(f"{one.start:%H:%M}", one.coming) for one in found.found] == [
        ("09:00", (BEN,)),
        ("09:30", ()),
        ("10:00", ()),
    ]
    assert {one.outside for one in found.found} == {()}


def test_hours_that_end_between_two_starts_hold_no_meeting_that_goes_on() -> None:
    found = search(MORNING, [guest(AIKO, working=(span(8.25, 9.75),))], [], within_hours=True, limit=9)

    assert starts(found) == ["08:30"]


def test_as_many_places_as_are_wanted_are_free_beside_those_named() -> None:
    places = [
        place(FUJI, (span(8, 9),), named=True),
        place(ASO, (span(9, 10),)),
        place(CHI, (span(11, 12),)),
    ]

    one = search(MORNING, [], places, places_wanted=1, limit=9)
    two = search(MORNING, [], places, places_wanted=2, limit=9)

    assert starts(one) == ["09:00", "09:30", "10:00", "10:30", "11:00"]
    assert one.found[0].places == (CHI,)
    assert [(f"{each.start:%H:%M}", each.places) for each in two.found] == [("10:00", (ASO, CHI))]


def test_set_up_and_tear_down_need_the_place_too_and_not_its_hours() -> None:
    quarter = timedelta(minutes=15)
    fuji = Place(FUJI, True, 1, [(span(8, 8.75), span(11, 12))], (span(9, 11),), quarter, quarter)

    assert starts(search(MORNING, [], [fuji], limit=9)) == ["09:00", "09:30"]


def test_a_meeting_needs_one_unit_all_the_time_and_not_any_at_each_time() -> None:
    bikes = place(FUJI, (span(8, 10),), (span(10, 12),), named=True, units=2)

    found = search(MORNING, [], [bikes], limit=9)

    assert starts(found) == ["08:00", "08:30", "09:00", "10:00", "10:30", "11:00"]


def test_what_is_in_the_way_is_counted() -> None:
    guests = [guest(AIKO, span(8, 10)), guest(BEN, span(10, 12)), guest(CHI)]

    found = search(MORNING, guests, [place(FUJI, (span(8, 12),))], places_wanted=1, limit=9)
    without_rooms = search(MORNING, guests[:1], [place(FUJI, (span(8, 12),))], places_wanted=1, limit=9)

    assert found == Outcome([], [(AIKO, 4), (BEN, 4), (CHI, 0)], 0)
    assert (without_rooms.found, without_rooms.without_places) == ([], 3)
