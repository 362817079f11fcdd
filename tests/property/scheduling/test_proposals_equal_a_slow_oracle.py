"""The search for a time against an oracle that goes minute by minute and knows no ranges."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from yotei.scheduling.periods import Span, joined
from yotei.scheduling.proposals import Found, Grid, Guest, Place, search

MIDNIGHT = datetime(2026, 12, 1, tzinfo=UTC)
FROM, TO = -40, 200
_MINUTE = timedelta(minutes=1)


def at(minute: int) -> datetime:
    return MIDNIGHT + timedelta(minutes=minute)


spans = st.lists(
    st.tuples(st.integers(FROM, TO), st.integers(1, 60)).map(lambda p: (at(p[0]), at(p[0] + p[1]))), max_size=5
).map(lambda found: joined(found, at(FROM), at(TO)))
long_spans = st.lists(
    st.tuples(st.integers(FROM, TO), st.integers(30, 240)).map(lambda p: (at(p[0]), at(p[0] + p[1]))), max_size=3
).map(lambda found: joined(found, at(FROM), at(TO)))
few_minutes = st.integers(0, 20).map(lambda n: timedelta(minutes=n))
grids = st.builds(
    lambda first, step, duration, end: Grid(at(first), step * _MINUTE, duration * _MINUTE, at(end)),
    st.integers(0, 30),
    st.sampled_from([5, 7, 10, 15, 30]),
    st.integers(1, 90),
    st.integers(0, 160),
)


@st.composite
def parties(draw: st.DrawFn) -> tuple[list[Guest], list[Place]]:
    guests = [
        Guest(UUID(int=n), draw(st.booleans()), draw(spans), draw(long_spans)) for n in range(draw(st.integers(0, 4)))
    ]
    places = []
    for n in range(draw(st.integers(0, 3))):
        units = draw(st.integers(1, 2))
        blocked = draw(st.lists(spans.filter(bool), max_size=units))
        places.append(
            Place(
                UUID(int=100 + n),
                draw(st.booleans()),
                units,
                blocked,
                draw(long_spans),
                draw(few_minutes),
                draw(few_minutes),
            )
        )
    return guests, places


def minutes(start: datetime, end: datetime) -> list[datetime]:
    return [start + n * _MINUTE for n in range((end - start) // _MINUTE)]


def holds(spans: Sequence[Span], minute: datetime) -> bool:
    return any(start <= minute < end for start, end in spans)


def oracle(
    grid: Grid, guests: Sequence[Guest], places: Sequence[Place], wanted: int, within_hours: bool, limit: int
) -> tuple[list[Found], list[tuple[UUID, int]], int]:
    ranked: list[tuple[tuple[int, int, datetime], Found]] = []
    ruled_out = {one.id: 0 for one in guests if not one.is_optional} | {one.id: 0 for one in places if one.is_named}
    without_places = 0
    start = grid.first
    while start + grid.duration <= grid.end:
        end = start + grid.duration
        works = {one.id: all(holds(one.working, m) for m in minutes(start, end)) for one in guests}
        can = {
            one.id: not any(holds(one.busy, m) for m in minutes(start, end)) and (works[one.id] or not within_hours)
            for one in guests
        }
        for place in places:
            needed = minutes(start - place.setup, end + place.teardown)
            blocked = [any(holds(unit, m) for m in needed) for unit in place.blocked]
            free_units = place.units - len(blocked) + blocked.count(False)
            can[place.id] = free_units > 0 and all(holds(place.open, m) for m in minutes(start, end))
        for id_ in ruled_out:
            ruled_out[id_] += not can[id_]
        spare = tuple(one.id for one in places if not one.is_named and can[one.id])
        if all(can[id_] for id_ in ruled_out):
            if len(spare) < wanted:
                without_places += 1
            else:
                coming = tuple(one.id for one in guests if one.is_optional and can[one.id])
                missing = tuple(one.id for one in guests if one.is_optional and not can[one.id])
                outside = tuple(one.id for one in guests if can[one.id] and not works[one.id])
                in_hours = sum(can[one.id] and works[one.id] for one in guests)
                ranked.append(((-len(coming), -in_hours, start), Found(start, coming, missing, outside, spare)))
        start += grid.step
    return [found for _, found in sorted(ranked)[:limit]], list(ruled_out.items()), without_places


@given(grids, parties(), st.integers(0, 2), st.booleans(), st.integers(1, 8))
def test_the_search_finds_what_going_minute_by_minute_finds(
    grid: Grid, party: tuple[list[Guest], list[Place]], wanted: int, within_hours: bool, limit: int
) -> None:
    guests, places = party

    found = search(grid, guests, places, places_wanted=wanted, within_hours=within_hours, limit=limit)

    assert found == oracle(grid, guests, places, wanted, within_hours, limit)
