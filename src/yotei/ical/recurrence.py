"""A series and the instances a window shows of it (RFC 5545, sections 3.3.10, 3.8.4.4 and 3.8.5).

Owns the recurrence set (DTSTART, RRULE, RDATE, minus EXDATE), overrides with their RANGE, the span a
series covers, and the bounds of all this. Instants are aware UTC datetimes; all-day and floating
times are their wall clock written as UTC. It does not know text (`rule`, `text`), and reads nothing.
"""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from yotei.ical.periods import END_OF_TIME, last_start, never_fires, nth_start, starts_between
from yotei.ical.rule import Rule, parse_rule, with_typed_until
from yotei.ical.timezones import UTC, UTC_ZONE, to_utc, to_wall, wall_bounds, zone_of

_SECOND: Final = timedelta(seconds=1)
_MICROSECOND: Final = timedelta(microseconds=1)

INSTANCES_MAX: Final = 100_000
"""The default bound on instances of one series in one window."""

_SHIFT_SLACK: Final = timedelta(hours=25)
"""A shift kept in wall clock may differ from the elapsed one by a change of the zone's offset."""


class TooManyInstances(Exception):
    """A window holds more instances of one series than the caller's limit; nothing is cut silently."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"more than {limit} instances in this window")
        self.limit = limit


class Series(msgspec.Struct, frozen=True):
    """What expansion needs of a stored master, recurring or not.

    `count_until` is the start of the last instance its COUNT allows, from the function `count_until` at
    write time. Without it the count is taken on first use and remembered by this process.
    """

    start_time: datetime
    end_time: datetime
    all_day: bool = False
    floating: bool = False
    tzid: str | None = None
    rrule: str | None = None
    rdates: tuple[datetime, ...] = ()
    exdates: tuple[datetime, ...] = ()
    count_until: datetime | None = None


class Override(msgspec.Struct, frozen=True):
    """A component with RECURRENCE-ID: the instance it replaces, and what with (section 3.8.4.4)."""

    recurrence_id: datetime
    start_time: datetime
    end_time: datetime
    range_this_and_future: bool = False
    cancelled: bool = False


class Instance(NamedTuple):
    """One occurrence. `override` is an index into the overrides given, for what the instance says.

    `recurrence_id` is the start the recurrence set gave it, None for an event that does not recur.
    A named tuple, as a busy window makes thousands.
    """

    start_time: datetime
    end_time: datetime
    recurrence_id: datetime | None = None
    override: int | None = None
    cancelled: bool = False


def canonical_rrule(
    text: str, *, all_day: bool = False, floating: bool = False, tzid: str | None = None, lenient: bool = False
) -> str:
    """The one spelling of a rule that is stored, UNTIL in the type its DTSTART demands. Raises `RecurrenceError`."""
    rule = parse_rule(text, lenient=lenient)
    zone = zone_of(tzid, all_day=all_day, floating=floating)
    return str(with_typed_until(rule, all_day=all_day, floating=floating, zone=zone))


def rule_never_fires(series: Series) -> bool:
    """Whether the series has an RRULE with no instance at all; a write should refuse it, an expansion is empty.

    Also true of an UNTIL before DTSTART.
    """
    if series.rrule is None:
        return False
    bound = _bind(series.rrule, series.start_time, series.all_day, series.floating, series.tzid)
    return bound.never


def count_until(series: Series) -> datetime | None:
    """The start of the last instance that COUNT allows, None without COUNT. May take as long as COUNT is large.

    Raises `RecurrenceError` when COUNT is too large to be counted.
    """
    if series.rrule is None:
        return None
    bound = _bind(series.rrule, series.start_time, series.all_day, series.floating, series.tzid)
    if bound.rule.count is None or bound.never:
        return None
    last = _last_counted(bound)
    return series.start_time if last == bound.dtstart else to_utc(last, bound.zone)


def span(series: Series) -> tuple[datetime, datetime | None]:
    """First start and last end of the series without its overrides; the end is None when it goes on for ever.

    To be taken once, when the series is written. EXDATE does not shorten it, so it may be
    wider than the instances left, never narrower.
    """
    duration = _duration(series)
    first = min((series.start_time, *series.rdates))
    last = max((series.start_time, *series.rdates))
    if series.rrule is not None:
        bound = _bind(series.rrule, series.start_time, series.all_day, series.floating, series.tzid)
        if not bound.never:
            if bound.rule.count is not None:
                last = max(last, series.count_until or count_until(series) or last)
                if last >= END_OF_TIME.replace(tzinfo=UTC) - _SHIFT_SLACK:
                    return first, None
            elif bound.until is None:
                return first, None
            else:
                until_wall = to_wall(bound.until, bound.zone)
                final = last_start(bound.endless, bound.dtstart, until_wall)
                if final is not None:
                    last = max(last, to_utc(final, bound.zone))
    return first, last + duration


def instances(
    series: Series, window_start: datetime, window_end: datetime, *, limit: int = INSTANCES_MAX
) -> list[Instance]:
    """Instances of the series that overlap [window_start, window_end), by start.

    An instance overlaps when it starts before the window's end and ends after its start; one
    without length when it starts in the window. Raises `TooManyInstances`.
    """
    duration = _duration(series)
    recurring = series.rrule is not None or bool(series.rdates)
    # Whole seconds everywhere: one microsecond turns "ends after" into "starts at or after".
    low = window_start - duration + _MICROSECOND if duration else window_start
    starts = _starts(series, low, window_end, limit)
    if not recurring:
        return [Instance(start, start + duration) for start in starts]
    return [Instance(start, start + duration, start) for start in starts]


def expand(
    master: Series,
    overrides: Sequence[Override],
    window_start: datetime,
    window_end: datetime,
    *,
    limit: int = INSTANCES_MAX,
) -> list[Instance]:
    """Instances of a series with its overrides, as they stand in [window_start, window_end), by start.

    An override replaces the instance it names wherever it was moved from or to; one that names no
    instance stands for itself, unless EXDATE takes that instance away. With RANGE=THISANDFUTURE the
    later instances move by the same wall-clock difference and take its duration. Cancelled instances
    are given with `cancelled` set: the caller decides. Raises `TooManyInstances`.
    """
    if not overrides:
        return instances(master, window_start, window_end, limit=limit)
    zone = zone_of(master.tzid, all_day=master.all_day, floating=master.floating)
    ranged = _ranged(overrides, zone)
    own = _duration(master)
    duration_max = max([own, *(change.duration for change in ranged)])
    earlier = max([timedelta(0), *(change.shift for change in ranged)])
    later = max([timedelta(0), *(-change.shift for change in ranged)])
    slack = _SHIFT_SLACK if ranged else timedelta(0)
    replaced = {override.recurrence_id for override in overrides}
    found: list[Instance] = []
    for start in _starts(master, window_start - duration_max - earlier - slack, window_end + later + slack, limit):
        if start in replaced:
            continue
        change = _change_at(ranged, start)
        if change is None:
            found.append(Instance(start, start + own, start))
        else:
            moved = to_utc(to_wall(start, zone) + change.shift, zone)
            found.append(Instance(moved, moved + change.duration, start, change.override, change.cancelled))
    excluded = frozenset(master.exdates)
    last_given = {override.recurrence_id: index for index, override in enumerate(overrides)}
    for recurrence_id, index in last_given.items():
        if recurrence_id not in excluded:
            override = overrides[index]
            found.append(Instance(override.start_time, override.end_time, recurrence_id, index, override.cancelled))
    shown = sorted(instance for instance in found if _overlaps(instance, window_start, window_end))
    if len(shown) > limit:
        raise TooManyInstances(limit)
    return shown


class _Change(NamedTuple):
    """What a THISANDFUTURE override does to the instances after its own."""

    recurrence_id: datetime
    shift: timedelta
    duration: timedelta
    override: int
    cancelled: bool


class _Bound(msgspec.Struct, frozen=True):
    """A parsed rule (`endless` is without COUNT and UNTIL), its zone, wall-clock DTSTART and instant of UNTIL."""

    rule: Rule
    endless: Rule
    zone: ZoneInfo
    dtstart: datetime
    start_time: datetime
    until: datetime | None
    never: bool


@lru_cache(maxsize=8_192)
def _bind(rrule: str, start_time: datetime, all_day: bool, floating: bool, tzid: str | None) -> _Bound:
    zone = zone_of(tzid, all_day=all_day, floating=floating)
    rule = with_typed_until(parse_rule(rrule, lenient=True), all_day=all_day, floating=floating, zone=zone)
    until = None if rule.until is None else _instant(rule.until)
    dtstart = to_wall(start_time, zone).replace(microsecond=0)
    endless = msgspec.structs.replace(rule, until=None, count=None)
    never = (until is not None and until < start_time) or never_fires(endless, dtstart)
    return _Bound(rule, endless, zone, dtstart, start_time, until, never)


def _instant(until: date | datetime) -> datetime:
    if not isinstance(until, datetime):
        return datetime(until.year, until.month, until.day, tzinfo=UTC)
    return until if until.tzinfo is not None else until.replace(tzinfo=UTC)


def _last_counted(bound: _Bound) -> datetime:
    """The wall clock of the last instance under COUNT: DTSTART counts as the first, whether or not the rule says so."""
    count = bound.rule.count or 1
    first = next(starts_between(bound.endless, bound.dtstart, bound.dtstart, bound.dtstart + _SECOND), None)
    synchronised = first is not None
    of_rule = count if synchronised else count - 1
    if of_rule == 0:
        return bound.dtstart
    return nth_start(bound.endless, bound.dtstart, of_rule) or END_OF_TIME


def _duration(series: Series) -> timedelta:
    """Exact elapsed time, as section 3.8.5.3 says of DTEND; whole days for all-day series."""
    return max(series.end_time - series.start_time, timedelta(0))


def _starts(series: Series, low: datetime, high: datetime, limit: int) -> list[datetime]:
    """The recurrence set in [low, high), ascending and without repeats."""
    excluded = frozenset(series.exdates)
    bound = None
    if series.rrule is not None:
        bound = _bind(series.rrule, series.start_time, series.all_day, series.floating, series.tzid)
    extra = [start for start in series.rdates if low <= start < high]
    if low <= series.start_time < high and not (bound is not None and bound.never):
        extra.append(series.start_time)
    if bound is None or bound.never:
        return sorted(set(extra) - excluded)
    bound_max = limit + len(excluded)
    starts: list[datetime] = []
    for start in _rule_starts(bound, series.count_until, low, high):
        starts.append(start)
        if len(starts) > bound_max:
            raise TooManyInstances(limit)
    if bound.zone is not UTC_ZONE or extra or excluded:
        starts = sorted(set(starts).union(extra) - excluded)
        if len(starts) > limit:
            raise TooManyInstances(limit)
    return starts


def _rule_starts(bound: _Bound, counted_until: datetime | None, low: datetime, high: datetime) -> Iterator[datetime]:
    """Instants of the rule alone in [low, high). In a gap of the zone they may come out of order or twice."""
    rule, zone, dtstart = bound.rule, bound.zone, bound.dtstart
    wall_low, wall_high = wall_bounds(low, high, zone)
    if rule.count is not None:
        last = to_wall(counted_until, zone) if counted_until is not None else _last_counted(bound)
        wall_high = min(wall_high, last + _SECOND if last < END_OF_TIME else last)
    walls = starts_between(bound.endless, dtstart, wall_low, wall_high)
    until = bound.until
    if until is not None and until < high:
        high = until + _MICROSECOND
    if zone is UTC_ZONE:
        for wall in walls:
            instant = wall.replace(tzinfo=UTC)
            if instant >= high:
                return
            if instant >= low:
                yield instant
        return
    for wall in walls:
        # DTSTART is its own instant even where its wall clock is ambiguous or missing.
        instant = bound.start_time if wall == dtstart else wall.replace(tzinfo=zone).astimezone(UTC)
        if low <= instant < high:
            yield instant


def _ranged(overrides: Sequence[Override], zone: ZoneInfo) -> list[_Change]:
    return sorted(
        _Change(
            override.recurrence_id,
            to_wall(override.start_time, zone) - to_wall(override.recurrence_id, zone),
            max(override.end_time - override.start_time, timedelta(0)),
            index,
            override.cancelled,
        )
        for index, override in enumerate(overrides)
        if override.range_this_and_future
    )


def _change_at(ranged: list[_Change], recurrence_id: datetime) -> _Change | None:
    """The latest THISANDFUTURE override before this instance."""
    latest = None
    for change in ranged:
        if change.recurrence_id >= recurrence_id:
            break
        latest = change
    return latest


def _overlaps(instance: Instance, window_start: datetime, window_end: datetime) -> bool:
    if instance.start_time >= window_end:
        return False
    return instance.end_time > window_start or (
        instance.end_time == instance.start_time and instance.start_time >= window_start
    )
