"""Which starts suit everybody, as arithmetic: no people, no database, no zones.

Starts are numbered, one step apart. A period in which somebody is taken rules out a range of numbers, one in which a
place is open allows one; ranges are counted by their ends. So the cost is that of reading the periods once and walking
the starts once, and not their product.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from heapq import nsmallest
from itertools import accumulate
from typing import NamedTuple, TypeAlias
from uuid import UUID

from yotei.scheduling.periods import Span

_Ranges: TypeAlias = list[tuple[int, int]]
"""Numbers of starts: from the first up to, not including, the second; in order and apart."""

_NO_TIME = timedelta(0)


class Grid(NamedTuple):
    """Meetings of one length, the first at `first`, `step` apart, all over by `end`."""

    first: datetime
    step: timedelta
    duration: timedelta
    end: datetime

    @property
    def size(self) -> int:
        return max((self.end - self.first - self.duration) // self.step + 1, 0)


class Guest(NamedTuple):
    """Somebody who is to come; both lists in order and apart."""

    id: UUID
    is_optional: bool
    busy: Sequence[Span]
    working: Sequence[Span]


class Place(NamedTuple):
    """Something to be booked, with the blocked periods of each unit that has any. A named one has to be had."""

    id: UUID
    is_named: bool
    units: int
    blocked: Sequence[Sequence[Span]]
    open: Sequence[Span]
    setup: timedelta = _NO_TIME
    teardown: timedelta = _NO_TIME


class Found(NamedTuple):
    """A start that suits. `places` are those not named, in the order in which they came."""

    start: datetime
    coming: tuple[UUID, ...]
    missing: tuple[UUID, ...]
    outside: tuple[UUID, ...]
    places: tuple[UUID, ...]


class Outcome(NamedTuple):
    """The best first. `ruled_out`: starts, by each one required; `without_places`: how many lack these alone."""

    found: list[Found]
    ruled_out: list[tuple[UUID, int]]
    without_places: int


def search(
    grid: Grid,
    guests: Sequence[Guest],
    places: Sequence[Place],
    *,
    places_wanted: int = 0,
    within_hours: bool = False,
    limit: int,
) -> Outcome:
    """The best starts by: optional guests who come, guests who come in their working hours, early."""
    size = grid.size
    can: dict[UUID, _Ranges] = {}
    working: dict[UUID, _Ranges] = {}
    for guest in guests:
        working[guest.id] = _inside(grid, guest.working)
        free = _complement(_ruled_out(grid, guest.busy), size)
        can[guest.id] = _common(free, working[guest.id]) if within_hours else free
    for place in places:
        can[place.id] = _bookable(grid, place)
    required = [one.id for one in guests if not one.is_optional] + [one.id for one in places if one.is_named]
    spare_guests = [one.id for one in guests if one.is_optional]
    spare_places = [one.id for one in places if not one.is_named]
    required_there = _count((can[one] for one in required), size)
    places_there = _count((can[one] for one in spare_places), size)
    coming = _count((can[one] for one in spare_guests), size)
    in_hours = _count((_common(can[one.id], working[one.id]) for one in guests), size)
    suit = [n for n in range(size) if required_there[n] == len(required)]
    best = nsmallest(
        limit,
        (n for n in suit if places_there[n] >= places_wanted),
        key=lambda n: (-coming[n], -in_hours[n], n),
    )
    return Outcome(
        [
            Found(
                grid.first + n * grid.step,
                tuple(one for one in spare_guests if _holds(can[one], n)),
                tuple(one for one in spare_guests if not _holds(can[one], n)),
                tuple(one.id for one in guests if _holds(can[one.id], n) and not _holds(working[one.id], n)),
                tuple(one for one in spare_places if _holds(can[one], n)),
            )
            for n in best
        ],
        [(one, size - sum(end - start for start, end in can[one])) for one in required],
        sum(places_there[n] < places_wanted for n in suit),
    )


def _bookable(grid: Grid, place: Place) -> _Ranges:
    """Starts at which the place is open and one unit is free from set-up to tear-down."""
    opened = _inside(grid, place.open)
    if len(place.blocked) < place.units:
        return opened
    steps: Counter[int] = Counter()
    for unit in place.blocked:
        for start, end in _ruled_out(grid, unit, place.setup, place.teardown):
            steps[start] += 1
            steps[end] -= 1
    taken: _Ranges = []
    blocked = 0
    since: int | None = None
    for at in sorted(steps):
        blocked += steps[at]
        if blocked >= place.units and since is None:
            since = at
        elif blocked < place.units and since is not None:
            taken.append((since, at))
            since = None
    return _common(opened, _complement(taken, grid.size))


def _ruled_out(grid: Grid, spans: Iterable[Span], before: timedelta = _NO_TIME, after: timedelta = _NO_TIME) -> _Ranges:
    """Starts of meetings that meet one of the spans, which are in order; `before` and `after` belong to the meeting."""
    found: _Ranges = []
    size = grid.size
    for span_start, span_end in spans:
        start = max((span_start - after - grid.duration - grid.first) // grid.step + 1, 0)
        end = min(-((grid.first - before - span_end) // grid.step), size)
        if start >= end:
            continue
        if found and found[-1][1] >= start:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found


def _inside(grid: Grid, spans: Iterable[Span]) -> _Ranges:
    """Starts of meetings that lie within one of the spans."""
    found: _Ranges = []
    for span_start, span_end in spans:
        start = max(-((grid.first - span_start) // grid.step), 0)
        end = min((span_end - grid.duration - grid.first) // grid.step + 1, grid.size)
        if start < end:
            found.append((start, end))
    return found


def _complement(ranges: _Ranges, size: int) -> _Ranges:
    found: _Ranges = []
    reached = 0
    for start, end in ranges:
        if start > reached:
            found.append((reached, start))
        reached = end
    if reached < size:
        found.append((reached, size))
    return found


def _common(some: _Ranges, others: _Ranges) -> _Ranges:
    found: _Ranges = []
    n = m = 0
    while n < len(some) and m < len(others):
        start, end = max(some[n][0], others[m][0]), min(some[n][1], others[m][1])
        if start < end:
            found.append((start, end))
        if some[n][1] < others[m][1]:
            n += 1
        else:
            m += 1
    return found


def _count(all_ranges: Iterable[_Ranges], size: int) -> list[int]:
    """For each start, how many hold it."""
    steps = [0] * (size + 1)
    for ranges in all_ranges:
        for start, end in ranges:
            steps[start] += 1
            steps[end] -= 1
    return list(accumulate(steps))


def _holds(ranges: _Ranges, n: int) -> bool:
    at = bisect_right(ranges, n, key=lambda one: one[0])
    return at > 0 and ranges[at - 1][1] > n
