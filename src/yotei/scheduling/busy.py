"""From what is stored to when people and resources are taken: series expanded once for all whom they concern, wall
clocks read by each person's own. No I/O.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import chain
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from yotei.errors import Code, Problem
from yotei.events.event import Timed
from yotei.events.instances import Occurrence, expand
from yotei.events.window import Window
from yotei.ical import to_utc
from yotei.resources.read import fully_taken, open_periods
from yotei.resources.resource import Period
from yotei.scheduling.freebusy import Kind
from yotei.scheduling.periods import Span, joined, without
from yotei.scheduling.rows import PeopleBusy, ResourceBlocked

INSTANCES_MAX: Final = 200_000
"""Instances of series in one answer, each counted once, whomever it concerns."""
PERIODS_MAX: Final = 1_000_000
"""Periods in one answer before they are joined: an instance counts once for each person whom it concerns."""

_ANY_ZONE: Final = timedelta(hours=26)
"""No wall clock is further from UTC, nor has any been put by more."""
_UTC: Final = ZoneInfo("UTC")

Spans = Mapping[Kind, list[Span]]


def of_people(found: PeopleBusy, window: Window) -> dict[UUID, Spans]:
    """When each person is taken around the window, in no order. Problem `window_too_large`."""
    spans: dict[UUID, defaultdict[Kind, list[Span]]] = {one.id: defaultdict(list) for one in found.people}
    zones = {one.id: ZoneInfo(one.tzid) for one in found.people}
    count = 0
    for busy in found.busy:
        spans[busy.person_id][busy.kind] += busy.spans
        count += len(busy.spans)
    for busy in found.wall:
        zone = zones[busy.person_id]
        spans[busy.person_id][busy.kind] += (_by_the_clock(zone, *span) for span in busy.spans)
        count += len(busy.spans)
    marks: defaultdict[UUID, list[tuple[Kind, tuple[UUID, ...]]]] = defaultdict(list)
    for mark in found.marks:
        marks[mark.event_id].append((mark.kind, mark.person_ids))
    for one in _occurrences(found.rows, window):
        for kind, person_ids in marks.get(one.event.id, ()):
            count += len(person_ids)
            if count > PERIODS_MAX:
                raise Problem(Code.WINDOW_TOO_LARGE, f"This takes more than {PERIODS_MAX} periods; ask for less.")
            span = (one.start, one.end)
            for id_ in person_ids:
                own = _by_the_clock(zones[id_], *span) if one.event.on_wall_clock else span
                spans[id_][kind].append(own)
    return dict(spans)


def of_resource(one: ResourceBlocked, window: Window) -> Spans:
    """When all units of a resource are taken, and when it is closed, within the window."""
    whole = Period(window.start, window.end)
    blocked = (Period(*span) for span in chain.from_iterable(one.units))
    taken = [(p.start, p.end) for p in fully_taken(blocked, one.resource.concurrent_bookings, whole)]
    opened = [(p.start, p.end) for p in open_periods(one.resource, whole)]
    return {"BUSY": taken, "UNAVAILABLE": without([(window.start, window.end)], opened)}


def taken_by(spans: Spans, window: Window) -> list[Span]:
    """When somebody is taken within the window, of whatever kind that is."""
    return joined(chain.from_iterable(spans.values()), window.start, window.end)


def _occurrences(rows: Iterable[Timed], window: Window) -> Iterator[Occurrence[Timed]]:
    wide = Window(window.start - _ANY_ZONE, window.end + _ANY_ZONE, _UTC)
    return (one for one in expand(rows, wide, INSTANCES_MAX) if one.end > one.start)


def _by_the_clock(zone: ZoneInfo, start: datetime, end: datetime) -> Span:
    return to_utc(start.replace(tzinfo=None), zone), to_utc(end.replace(tzinfo=None), zone)
