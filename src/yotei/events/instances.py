"""From stored rows to occurrences: series expanded for a window, overrides put in the place of what they replace.

The arithmetic of recurrence is `ical`'s; here rows become its values and come back.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from yotei.errors import Code, Problem
from yotei.events.event import Stored
from yotei.events.window import Window
from yotei.ical import recurrence


class Occurrence(NamedTuple):
    """One row at one time. `start` and `end` are instants, or wall clock in UTC where the row is `on_wall_clock`."""

    event: Stored
    start: datetime
    end: datetime
    series_id: UUID | None
    recurrence_id: datetime | None


def expand(rows: Iterable[Stored], window: Window, instances_max: int) -> Iterator[Occurrence]:
    """Every occurrence that overlaps the window; rows of one series may come in any order.

    Raises Problem `window_too_large` beyond `instances_max`; nothing is cut silently.
    """
    masters_by_id: dict[UUID, Stored] = {}
    overrides: defaultdict[UUID, list[Stored]] = defaultdict(list)
    alone: list[Stored] = []
    for row in rows:
        if row.series_id is not None:
            overrides[row.series_id].append(row)
        elif row.recurs:
            masters_by_id[row.id] = row
        else:
            alone.append(row)
    yield from (Occurrence(row, row.start_time, row.end_time, None, row.recurrence_id) for row in alone)
    left = instances_max
    for series_id, row in masters_by_id.items():
        for one in _of_series(row, overrides.pop(series_id, []), window, left):
            left -= 1
            yield one
    # Overrides whose master is not among the rows (deleted, or in a calendar that was not asked) stand for themselves.
    for orphans in overrides.values():
        yield from (Occurrence(row, row.start_time, row.end_time, row.series_id, row.recurrence_id) for row in orphans)


def master(row: Stored) -> Occurrence:
    """The row itself, whatever it repeats."""
    return Occurrence(row, row.start_time, row.end_time, row.series_id, row.recurrence_id)


def masters(rows: Iterable[Stored]) -> Iterator[Occurrence]:
    return map(master, rows)


def _of_series(row: Stored, overrides: list[Stored], window: Window, instances_max: int) -> Iterator[Occurrence]:
    start, end = (window.wall_start, window.wall_end) if row.on_wall_clock else (window.start, window.end)
    try:
        found = recurrence.expand(_series(row), [_override(one) for one in overrides], start, end, limit=instances_max)
    except recurrence.TooManyInstances:
        raise Problem(
            Code.WINDOW_TOO_LARGE, f"This window holds more than {instances_max} instances; ask for a shorter one."
        ) from None
    for instance in found:
        shown = row if instance.override is None else overrides[instance.override]
        yield Occurrence(shown, instance.start_time, instance.end_time, row.id, instance.recurrence_id)


def _series(row: Stored) -> recurrence.Series:
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


def _override(row: Stored) -> recurrence.Override:
    assert row.recurrence_id is not None
    return recurrence.Override(
        recurrence_id=row.recurrence_id,
        start_time=row.start_time,
        end_time=row.end_time,
        range_this_and_future=row.this_and_future,
        cancelled=row.status == "CANCELLED",
    )
