"""When a rule fires: wall-clock starts in a window, at a cost set by the window (RFC 5545, section 3.3.10).

A rule divides time into periods (years, months, weeks, days, hours, ...) of which it visits every
INTERVAL-th, counted from DTSTART. Which periods touch a window is arithmetic, so nothing before the
window is ever looked at. What one visited year or month holds is asked of python-dateutil, one
period at a time, and remembered: there are few kinds of year. The shorter periods need only
remainders. Every loop therefore ends with the window.

Knows neither zones nor COUNT, UNTIL, RDATE or EXDATE: see `recurrence`.
"""

from collections.abc import Iterable, Iterator
from datetime import MAXYEAR, date, datetime, time, timedelta
from functools import lru_cache
from itertools import islice
from math import gcd
from typing import Final, Literal

import msgspec
from dateutil.rrule import MONTHLY, YEARLY, rrule
from dateutil.rrule import weekday as nth_weekday

from yotei.ical.rule import RecurrenceError, Rule

CYCLE_YEARS: Final = 400
"""The Gregorian calendar repeats, weekdays included, every 400 years: what has not fired by then is taken never to."""

END_OF_TIME: Final = datetime(MAXYEAR, 12, 30)  # noqa: DTZ001  a wall clock
"""A day before the last that can be written, so that every zone's offset can still be applied."""

COUNTED_INSTANCES_MAX: Final = 100_000
"""The longest COUNT that is counted one by one; without BY parts the last instance is a product, with no limit."""

_DAYS_AT_ONCE: Final = 32
_SECONDS_PER_DAY: Final = 86_400
_UNIT_SECONDS: Final = {"HOURLY": 3_600, "MINUTELY": 60, "SECONDLY": 1}
_ONE_PERIOD_ONLY: Final = 12 * MAXYEAR
"""An INTERVAL that carries dateutil past its last year after the first period, so that it stops there."""


class _Days(msgspec.Struct, frozen=True, cache_hash=True):
    """The parts of a rule that choose days, with what DTSTART implies made explicit."""

    monthly: bool
    wkst: int
    bymonth: tuple[int, ...]
    byweekno: tuple[int, ...]
    byyearday: tuple[int, ...]
    bymonthday: tuple[int, ...]
    byday: tuple[tuple[int, int], ...]


class _Plan(msgspec.Struct, frozen=True):
    """A rule bound to its DTSTART: all that does not depend on the window."""

    rule: Rule
    dtstart: datetime
    days: _Days
    times: tuple[time, ...]
    weekdays: frozenset[int]
    has_day_limits: bool
    # HOURLY and shorter: units of a day that BYHOUR, BYMINUTE and BYSECOND allow, and instances inside a unit.
    unit_seconds: int
    segments: tuple[tuple[int, int], ...]
    inside: tuple[int, ...]


def starts_between(rule: Rule, dtstart: datetime, low: datetime, high: datetime) -> Iterator[datetime]:
    """Wall-clock starts of the rule in [low, high), ascending, none before DTSTART. COUNT and UNTIL are not applied."""
    low = max(low, dtstart)
    if high <= low:
        return iter(())
    plan = _plan(rule, dtstart)
    return _sub_daily(plan, low, high) if plan.unit_seconds else _daily_and_longer(plan, low, high)


@lru_cache(maxsize=4_096)
def never_fires(rule: Rule, dtstart: datetime) -> bool:
    """Whether the rule has no instance at all (30 February; a weekday its INTERVAL steps over)."""
    plan = _plan(rule, dtstart)
    if plan.unit_seconds and not _reachable(plan):
        return True
    if not _has_days(plan) or not _has_positions(plan):
        return True
    horizon = END_OF_TIME
    if dtstart.year + CYCLE_YEARS <= MAXYEAR:
        horizon = dtstart + timedelta(days=146_097)
    return next(starts_between(rule, dtstart, dtstart, horizon), None) is None


@lru_cache(maxsize=4_096)
def nth_start(rule: Rule, dtstart: datetime, n: int) -> datetime | None:
    """The n-th start of the rule from DTSTART (1 is the first); None when the calendar ends before it.

    Raises `RecurrenceError` when counting it would take more than COUNTED_INSTANCES_MAX steps.
    """
    if never_fires(rule, dtstart):
        return None
    step = _plain_step(rule)
    if step is not None:
        try:
            nth = dtstart + step * (n - 1)
        except OverflowError:
            return None
        return nth if nth < END_OF_TIME else None
    if n > COUNTED_INSTANCES_MAX:
        raise RecurrenceError(f"at most {COUNTED_INSTANCES_MAX} beside BY parts", "COUNT")
    return next(islice(starts_between(rule, dtstart, dtstart, END_OF_TIME), n - 1, None), None)


def last_start(rule: Rule, dtstart: datetime, until: datetime) -> datetime | None:
    """The last wall-clock start not after `until`.

    Looks back in doubling steps until something fires, then halves what it saw, so that neither the
    age of the series nor a burst of instances long before `until` is walked through.
    """
    high = min(until, END_OF_TIME - timedelta(seconds=1)) + timedelta(seconds=1)
    reach = few = _period_length(rule) * 2
    low = high
    while low > dtstart:
        low = dtstart if high - dtstart <= reach else high - reach
        if next(starts_between(rule, dtstart, low, high), None) is not None:
            break
        reach *= 2
    while high - low > few:
        middle = low + (high - low) / 2
        if next(starts_between(rule, dtstart, middle, high), None) is not None:
            low = middle
        else:
            high = middle
    return max(starts_between(rule, dtstart, low, high), default=None)


# --- YEARLY, MONTHLY, WEEKLY, DAILY -----------------------------------------------------------------


def _daily_and_longer(plan: _Plan, low: datetime, high: datetime) -> Iterator[datetime]:
    times = plan.times
    combine, from_ordinal = datetime.combine, date.fromordinal
    positions = plan.rule.bysetpos
    for days in _visited_days(plan, low, high):
        starts: Iterable[datetime]
        if len(times) == 1:
            only = times[0]
            starts = [combine(from_ordinal(day), only) for day in days]
        else:
            starts = [combine(from_ordinal(day), at) for day in days for at in times]
        for start in _at_positions(starts, positions) if positions else starts:
            if start >= high:
                return
            if start >= low:
                yield start


def _visited_days(plan: _Plan, low: datetime, high: datetime) -> Iterator[Iterable[int]]:
    """Day ordinals, one group for each visited period that may touch [low, high)."""
    rule, dtstart = plan.rule, plan.dtstart
    if rule.freq == "YEARLY":
        for year in _stepped(dtstart.year, rule.interval, low.year, high.year):
            yield _days_of_year(plan.days, year)
    elif rule.freq == "MONTHLY":
        for month in _stepped(_month(dtstart), rule.interval, _month(low), _month(high)):
            yield _days_of_month(plan.days, *divmod(month, 12))
    elif rule.freq == "WEEKLY":
        first_day = dtstart.toordinal()
        first_week = first_day - (first_day - 1 - rule.wkst) % 7  # ordinal 1 was a Monday
        offsets = sorted((weekday - rule.wkst) % 7 for weekday in plan.weekdays)
        last = min(high.toordinal(), date.max.toordinal() - 6)
        for week in _stepped(first_week, 7 * rule.interval, low.toordinal() - 6, last):
            days = [week + offset for offset in offsets]
            yield [day for day in days if _day_allowed(plan, day)] if plan.has_day_limits else days
    else:
        days_visited = _stepped(dtstart.toordinal(), rule.interval, low.toordinal(), high.toordinal())
        if not plan.has_day_limits and not rule.bysetpos:
            for first in range(0, len(days_visited), _DAYS_AT_ONCE):
                yield days_visited[first : first + _DAYS_AT_ONCE]
            return
        for day in days_visited:
            if _day_allowed(plan, day):
                yield (day,)


def _stepped(first: int, step: int, low: int, high: int) -> range:
    """first, first + step, ... without what is below `low` or above `high`."""
    skipped = max(0, -((first - low) // step))
    return range(first + skipped * step, high + 1, step)


def _month(at: datetime) -> int:
    return at.year * 12 + at.month - 1


def _at_positions(starts: Iterable[datetime], positions: tuple[int, ...]) -> list[datetime]:
    """BYSETPOS: the n-th of one period's starts, negative from its end."""
    ordered = list(starts)
    size = len(ordered)
    chosen = {position - 1 if position > 0 else size + position for position in positions if abs(position) <= size}
    return [ordered[index] for index in sorted(chosen)]


@lru_cache(maxsize=16_384)
def _days_of_year(days: _Days, year: int) -> tuple[int, ...]:
    return _ask_dateutil(days, YEARLY, datetime(year, 1, 1))  # noqa: DTZ001  a wall clock


@lru_cache(maxsize=16_384)
def _days_of_month(days: _Days, year: int, month_from_zero: int) -> tuple[int, ...]:
    if days.bymonth and month_from_zero + 1 not in days.bymonth:
        return ()
    return _ask_dateutil(days, MONTHLY, datetime(year, month_from_zero + 1, 1))  # noqa: DTZ001


def _ask_dateutil(days: _Days, freq: Literal[0, 1], period: datetime) -> tuple[int, ...]:
    """The days a rule chooses in the one year or month that begins at `period`.

    Numbered and plain weekdays are asked for separately: section 3.3.10 makes `BYDAY=MO,1TU` a
    union, dateutil an intersection. A fifth-or-later weekday beyond the period is never there.
    """
    nth_max = 5 if freq == MONTHLY or days.bymonth else 53
    numbered = [nth_weekday(weekday, nth) for weekday, nth in days.byday if nth and abs(nth) <= nth_max]
    plain = [nth_weekday(weekday) for weekday, nth in days.byday if not nth]
    asked = [wanted for wanted in (plain, numbered) if wanted] if days.byday else [None]
    found: set[int] = set()
    for weekdays in asked:
        found.update(
            start.toordinal()
            for start in rrule(
                freq,
                dtstart=period,
                interval=_ONE_PERIOD_ONLY,
                wkst=days.wkst,
                bymonth=days.bymonth or None,
                bymonthday=days.bymonthday or None,
                byyearday=days.byyearday or None,
                byweekno=days.byweekno or None,
                byweekday=weekdays,
            )
        )
    return tuple(sorted(found))


def _day_allowed(plan: _Plan, ordinal: int) -> bool:
    """The BY parts that limit days in WEEKLY and shorter rules."""
    rule = plan.rule
    day = date.fromordinal(ordinal)
    if rule.bymonth and day.month not in rule.bymonth:
        return False
    if rule.byday and day.weekday() not in plan.weekdays:
        return False
    if rule.bymonthday:
        next_month = date(day.year + day.month // 12, day.month % 12 + 1, 1) if day.year < MAXYEAR else date.max
        from_end = ordinal - next_month.toordinal()
        if day.day not in rule.bymonthday and from_end not in rule.bymonthday:
            return False
    if rule.byyearday:
        from_start = ordinal - date(day.year, 1, 1).toordinal() + 1
        from_end = ordinal - date(day.year, 12, 31).toordinal() - 1
        if from_start not in rule.byyearday and from_end not in rule.byyearday:
            return False
    return True


# --- HOURLY, MINUTELY, SECONDLY ---------------------------------------------------------------------


def _sub_daily(plan: _Plan, low: datetime, high: datetime) -> Iterator[datetime]:
    """Units (hours, minutes, seconds) are numbered through a day; DTSTART's unit gives the phase."""
    rule, unit_seconds = plan.rule, plan.unit_seconds
    units_per_day = _SECONDS_PER_DAY // unit_seconds
    first_unit = plan.dtstart.toordinal() * units_per_day + _second_of_day(plan.dtstart) // unit_seconds
    low_day, high_day = low.toordinal(), high.toordinal()
    low_unit, high_unit = _second_of_day(low) // unit_seconds, _second_of_day(high) // unit_seconds + 1
    second = timedelta(seconds=1)
    for day in range(low_day, high_day + 1):
        if plan.has_day_limits and not _day_allowed(plan, day):
            continue
        midnight = datetime.fromordinal(day)
        from_unit = low_unit if day == low_day else 0
        to_unit = high_unit if day == high_day else units_per_day
        phase = first_unit - day * units_per_day
        for unit in _units(plan, phase, from_unit, min(to_unit, units_per_day)):
            unit_start = midnight + second * (unit * unit_seconds)
            starts = [unit_start + second * inside for inside in plan.inside]
            for start in _at_positions(starts, rule.bysetpos) if rule.bysetpos else starts:
                if start >= high:
                    return
                if start >= low:
                    yield start


def _units(plan: _Plan, phase: int, from_unit: int, to_unit: int) -> Iterator[int]:
    """The visited units of a day that are allowed: by step or by segment, whichever are fewer."""
    interval = plan.rule.interval
    if len(plan.segments) * interval > _SECONDS_PER_DAY // plan.unit_seconds:
        for unit in range(from_unit + (phase - from_unit) % interval, to_unit, interval):
            if _unit_allowed(plan, unit):
                yield unit
        return
    for segment_start, segment_end in plan.segments:
        begin = max(segment_start, from_unit)
        begin += (phase - begin) % interval
        yield from range(begin, min(segment_end, to_unit), interval)


def _unit_allowed(plan: _Plan, unit: int) -> bool:
    rule = plan.rule
    hour, rest = divmod(unit * plan.unit_seconds, 3_600)
    if rule.byhour and hour not in rule.byhour:
        return False
    minute, second = divmod(rest, 60)
    if rule.byminute and plan.unit_seconds <= 60 and minute not in rule.byminute:
        return False
    if not rule.bysecond or plan.unit_seconds > 1:
        return True
    return second in rule.bysecond or (second == 59 and 60 in rule.bysecond)


def _second_of_day(at: datetime) -> int:
    return at.hour * 3_600 + at.minute * 60 + at.second


def _reachable(plan: _Plan) -> bool:
    """Whether the steps ever land on a unit of the day that BYHOUR, BYMINUTE and BYSECOND allow."""
    units_per_day = _SECONDS_PER_DAY // plan.unit_seconds
    stride = gcd(plan.rule.interval, units_per_day)
    phase = _second_of_day(plan.dtstart) // plan.unit_seconds
    return any(start + (phase - start) % stride < end for start, end in plan.segments)


def _has_days(plan: _Plan) -> bool:
    """Whether any day at all passes the limits of a WEEKLY or shorter rule: one leap cycle with every weekday start."""
    if plan.rule.freq in ("YEARLY", "MONTHLY") or not plan.has_day_limits:
        return True
    cycle = range(date(2000, 1, 1).toordinal(), date(2028, 1, 1).toordinal())
    return any(_day_allowed(plan, day) for day in cycle)


def _has_positions(plan: _Plan) -> bool:
    """Whether BYSETPOS names a place that a DAILY or shorter period has; all of these are of one size."""
    if not plan.rule.bysetpos or plan.rule.freq in ("YEARLY", "MONTHLY", "WEEKLY"):
        return True
    return min(map(abs, plan.rule.bysetpos)) <= len(plan.inside or plan.times)


# --- a rule bound to its DTSTART --------------------------------------------------------------------


@lru_cache(maxsize=8_192)
def _plan(rule: Rule, dtstart: datetime) -> _Plan:
    unit_seconds = _UNIT_SECONDS.get(rule.freq, 0)
    # Second 60 is a leap second; systems without them read it as 59 (section 3.3.12).
    seconds = tuple(sorted({min(second, 59) for second in rule.bysecond}))
    minutes = rule.byminute
    times: tuple[time, ...] = ()
    segments: tuple[tuple[int, int], ...] = ()
    inside: tuple[int, ...] = ()
    if unit_seconds == 0:
        times = tuple(
            time(hour, minute, second)
            for hour in rule.byhour or (dtstart.hour,)
            for minute in minutes or (dtstart.minute,)
            for second in seconds or (dtstart.second,)
        )
    elif unit_seconds == 3_600:
        segments = _segments(rule.byhour, (), (), 3_600)
        inside = tuple(
            minute * 60 + second for minute in minutes or (dtstart.minute,) for second in seconds or (dtstart.second,)
        )
    elif unit_seconds == 60:
        segments = _segments(rule.byhour, minutes, (), 60)
        inside = seconds or (dtstart.second,)
    else:
        segments = _segments(rule.byhour, minutes, seconds, 1)
        inside = (0,)
    weekdays = frozenset(weekday for weekday, _ in rule.byday) or frozenset((dtstart.weekday(),))
    limits = bool(rule.bymonth or rule.bymonthday or rule.byyearday or (rule.byday and rule.freq != "WEEKLY"))
    return _Plan(rule, dtstart, _explicit_days(rule, dtstart), times, weekdays, limits, unit_seconds, segments, inside)


def _explicit_days(rule: Rule, dtstart: datetime) -> _Days:
    """What the rule does not say is derived from DTSTART (section 3.3.10)."""
    bymonth, bymonthday, byday = rule.bymonth, rule.bymonthday, rule.byday
    if not (rule.byweekno or rule.byyearday or bymonthday or byday):
        bymonthday = (dtstart.day,)
        if rule.freq == "YEARLY":
            bymonth = bymonth or (dtstart.month,)
    elif rule.byweekno and not (byday or bymonthday or rule.byyearday):
        byday = ((dtstart.weekday(), 0),)
    return _Days(rule.freq == "MONTHLY", rule.wkst, bymonth, rule.byweekno, rule.byyearday, bymonthday, byday)


def _segments(
    hours: tuple[int, ...], minutes: tuple[int, ...], seconds: tuple[int, ...], unit_seconds: int
) -> tuple[tuple[int, int], ...]:
    """Runs [start, end) of units of the day that the BY parts allow, neighbours joined."""
    runs = [(hour * 3_600, (hour + 1) * 3_600) for hour in hours] or [(0, _SECONDS_PER_DAY)]
    if minutes:
        by_hour = hours or range(24)
        runs = [(hour * 3_600 + minute * 60, hour * 3_600 + minute * 60 + 60) for hour in by_hour for minute in minutes]
    if seconds:
        starts = [start for first, end in runs for start in range(first, end, 60)]
        runs = [(start + second, start + second + 1) for start in starts for second in seconds]
    joined: list[tuple[int, int]] = []
    for start, end in runs:
        if joined and joined[-1][1] == start:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return tuple((start // unit_seconds, end // unit_seconds) for start, end in joined)


def _plain_step(rule: Rule) -> timedelta | None:
    """The constant step of a WEEKLY or shorter rule without BY parts."""
    if any((rule.bymonth, rule.byyearday, rule.bymonthday, rule.byday, rule.byhour, rule.byminute, rule.bysecond)):
        return None
    if rule.freq in ("YEARLY", "MONTHLY"):
        return None
    return _period_length(rule)


def _period_length(rule: Rule) -> timedelta:
    days = {"YEARLY": 366, "MONTHLY": 31, "WEEKLY": 7, "DAILY": 1}.get(rule.freq)
    one = timedelta(days=days) if days is not None else timedelta(seconds=_UNIT_SECONDS[rule.freq])
    return min(one * rule.interval, timedelta(days=CYCLE_YEARS * 366))
