"""From stored rows to occurrences: series expanded for a window, overrides put in the place of what they replace.

The arithmetic of recurrence is `ical`'s; here rows become its values and come back.
"""

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator
from datetime import UTC, datetime
from typing import Final, Generic, NamedTuple, TypeVar
from uuid import UUID

from yotei.errors import Code, Problem
from yotei.events.event import Timed
from yotei.events.window import Window
from yotei.ical import recurrence

_NEVER: Final = datetime.max.replace(tzinfo=UTC)
"""The end of what has none: behind every window."""


_Row = TypeVar("_Row", bound=Timed)


class Occurrence(NamedTuple, Generic[_Row]):
    """One row at one time. `start` and `end` are instants, or wall clock in UTC where the row is `on_wall_clock`."""

    event: _Row
    start: datetime
    end: datetime
    series_id: UUID | None
    recurrence_id: datetime | None


def expand(
    rows: Iterable[_Row], window: Window, instances_max: int, *, hidden: Container[UUID] = ()
) -> list[Occurrence[_Row]]:
    """Every occurrence that overlaps the window; rows of one series may come in any order.

    A series whose master is `hidden` is not expanded; its overrides stand for themselves. Raises Problem
    `window_too_large` beyond `instances_max`; nothing is cut silently.
    """
    masters_by_id: dict[UUID, _Row] = {}
    overrides: defaultdict[UUID, list[_Row]] = defaultdict(list)
    found: list[Occurrence[_Row]] = []
    for row in rows:
        if row.series_id is not None:
            overrides[row.series_id].append(row)
        elif row.recurs:
            masters_by_id[row.id] = row
        else:
            found.append(master(row))
    for series_id, row in masters_by_id.items():
        moved = any(one.this_and_future and one.id not in hidden for one in overrides[series_id])
        if series_id not in hidden or moved:
            left = instances_max - len(found)
            found += _of_series(row, overrides.pop(series_id), window, left)
    # Their master is hidden, deleted, or in a calendar that was not asked.
    for orphans in overrides.values():
        found += (master(row) for row in orphans)
    shown = [one for one in found if _overlaps(one, window)]
    if len(shown) > instances_max:
        raise _too_many(instances_max)
    return shown


def master(row: _Row) -> Occurrence[_Row]:
    """The row itself, whatever it repeats."""
    return Occurrence(row, row.start_time, row.end_time, row.series_id, row.recurrence_id)


def masters(rows: Iterable[_Row], window: Window) -> list[Occurrence[_Row]]:
    """The rows themselves, those whose span overlaps the window."""
    return [one for one in map(master, rows) if _overlaps(one, window, end=one.event.span_end or _NEVER)]


def _overlaps(one: Occurrence[_Row], window: Window, *, end: datetime | None = None) -> bool:
    """By RFC 4791 9.9: what has no length is in the window when it starts in it."""
    start, stop = (window.wall_start, window.wall_end) if one.event.on_wall_clock else (window.start, window.end)
    return one.start < stop and ((end or one.end) > start or one.start >= start)


def _too_many(instances_max: int) -> Problem:
    detail = f"This window holds more than {instances_max} instances; ask for a shorter one."
    return Problem(Code.WINDOW_TOO_LARGE, detail)


def _of_series(row: _Row, overrides: list[_Row], window: Window, instances_max: int) -> Iterator[Occurrence[_Row]]:
    start, end = (window.wall_start, window.wall_end) if row.on_wall_clock else (window.start, window.end)
    try:
        found = recurrence.expand(_series(row), [_override(one) for one in overrides], start, end, limit=instances_max)
    except recurrence.TooManyInstances:
        raise _too_many(instances_max) from None
    for instance in found:
        shown = row if instance.override is None else overrides[instance.override]
        yield Occurrence(shown, instance.start_time, instance.end_time, row.id, instance.recurrence_id)


def _series(row: Timed) -> recurrence.Series:
    # The span's end gives away where COUNT ends, unless an RDATE lies behind it.
    counted = row.span_end - (row.end_time - row.start_time) if row.span_end is not None and not row.rdates else None
    return recurrence.Series(
        start_time=row.start_time,
        end_time=row.end_time,
        all_day=row.all_day,
        floating=row.floating,
        tzid=row.tzid,
        rrule=row.rrule,
        rdates=row.rdates,
        exdates=row.exdates,
        count_until=counted,
    )


def _override(row: Timed) -> recurrence.Override:
    assert row.recurrence_id is not None
    return recurrence.Override(
        recurrence_id=row.recurrence_id,
        start_time=row.start_time,
        end_time=row.end_time,
        range_this_and_future=row.this_and_future,
        cancelled=row.status == "CANCELLED",
    )
