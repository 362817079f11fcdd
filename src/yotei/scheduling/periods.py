"""Arithmetic of periods in linear time after one sort. A span is its start and its end, which it does not include."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import TypeAlias

from yotei.scheduling.freebusy import KINDS, BusyPeriod, Kind

Span: TypeAlias = tuple[datetime, datetime]


def joined(spans: Iterable[Span], start: datetime, end: datetime) -> list[Span]:
    """What the spans cover of the time from `start` to `end`, in order and apart."""
    found: list[Span] = []
    held_from = held_to = start
    for first, last in sorted(spans):
        if last <= held_to:
            continue
        if first >= end:
            break
        if first > held_to:
            if held_to > held_from:
                found.append((held_from, held_to))
            held_from = first
        held_to = last
    held_to = min(held_to, end)
    if held_to > held_from:
        found.append((held_from, held_to))
    return found


def without(spans: Iterable[Span], taken: Sequence[Span]) -> list[Span]:
    """What is left of the spans; both in order and apart."""
    found: list[Span] = []
    first = 0
    for start, end in spans:
        while first < len(taken) and taken[first][1] <= start:
            first += 1
        at = first
        while at < len(taken) and taken[at][0] < end:
            if taken[at][0] > start:
                found.append((start, taken[at][0]))
            start = taken[at][1]
            at += 1
        if start < end:
            found.append((start, end))
    return found


def told(spans: Mapping[Kind, Sequence[Span]], start: datetime, end: datetime) -> tuple[BusyPeriod, ...]:
    """The periods of each kind within the window, in order; where several kinds hold, the strongest."""
    found: list[BusyPeriod] = []
    covered: list[Span] = []
    for kind in KINDS:
        if not spans.get(kind):
            continue
        own = joined(spans[kind], start, end)
        found += (BusyPeriod(first, last, kind) for first, last in (without(own, covered) if covered else own))
        covered = joined([*covered, *own], start, end) if covered else own
    return tuple(sorted(found, key=attrgetter("start")))
