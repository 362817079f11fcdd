"""When an event takes place: what callers say about it -> what is stored, and series moved, cut and checked (RFC 5545).

Instants are stored in UTC with the zone beside them, wall clocks of all-day and floating events as if they were UTC. A
series moves by the clock of its zone, so that a meeting at 9:00 stays one at 9:00 when the clocks change.
"""

import calendar
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from yotei.errors import Code, Fault, Problem, invalid
from yotei.events.draft import EventFields
from yotei.events.state import Row
from yotei.events.window import YEAR_FIRST, YEAR_LAST
from yotei.ical import RecurrenceError, Rule, TooManyInstances, UnknownZone, parse_rule, resolve
from yotei.ical import recurrence as ical
from yotei.ical.rule import with_typed_until
from yotei.ical.timezones import to_utc, to_wall, zone_of

COUNT_MAX: Final = 9_999
"""Instances that a rule may ask for by its COUNT."""
INSTANCES_A_YEAR_MAX: Final = 9_999
"""Every hour is 8,784; finer rules than that fill windows that nobody can read."""

CLOCK_SLACK: Final = timedelta(hours=25)
"""A shift by the clock may differ from the time that passes by a change of the zone's offset."""

_DAY: Final = timedelta(days=1)
_SECOND: Final = timedelta(seconds=1)
_YEAR: Final = timedelta(days=366)


class When(NamedTuple):
    """The times of an event as they are stored."""

    start_time: datetime
    end_time: datetime
    tzid: str | None
    all_day: bool
    floating: bool

    @classmethod
    def of(cls, row: Row) -> "When":
        return cls(row.start_time, row.end_time, row.tzid, row.all_day, row.floating)

    def wall(self, moment: datetime) -> datetime:
        """What the clock of the event shows then, naive."""
        return to_wall(moment, zone_of(self.tzid, all_day=self.all_day, floating=self.floating))

    def instant(self, wall: datetime) -> datetime:
        return to_utc(wall, zone_of(self.tzid, all_day=self.all_day, floating=self.floating))


def when(fields: EventFields, before: When | None, default_tzid: str) -> When:
    """The times that an event has when `fields` are set, on top of those it has. Problem `invalid_request` by field.

    A new start without an end keeps the length; another zone keeps what the clock shows.
    """
    all_day = _all_day(fields, before)
    wrong = (
        ("start_time", "end_time", "floating", "tzid")
        if all_day
        else ("start_date", "end_date", *(("tzid",) if _floating(fields, before) else ()))
    )
    for name in wrong:
        given = getattr(fields, name)
        if given is not UNSET and given is not False:
            kind = "an all-day event" if all_day else "a floating event" if name == "tzid" else "a timed event"
            raise invalid(f"body.{name}", f"expected none for {kind}")
    found = _days(fields, before) if all_day else _times(fields, before, default_tzid)
    if found.end_time < found.start_time:
        name = "end_date" if all_day else "end_time"
        raise invalid(f"body.{name}", f"expected a time that is not before {name.replace('end', 'start')}")
    return found


def _all_day(fields: EventFields, before: When | None) -> bool:
    if fields.all_day is not UNSET:
        return fields.all_day
    if fields.start_date is not UNSET:
        return True
    if fields.start_time is not UNSET or before is None:
        return False
    return before.all_day


def _floating(fields: EventFields, before: When | None) -> bool:
    if fields.floating is not UNSET:
        return fields.floating
    return before is not None and before.floating and fields.tzid is UNSET


def _days(fields: EventFields, before: When | None) -> When:
    first = fields.start_date
    if first is UNSET:
        if before is None:
            raise invalid("body.start_date", "this has to be given for an all-day event")
        first = before.wall(before.start_time).date()
    last = fields.end_date
    if last is UNSET:
        days = (before.end_time - before.start_time).days if before is not None and before.all_day else 1
        last = _day_after(first, max(days, 1))
    elif last <= first:
        raise invalid("body.end_date", "expected a day after start_date: it is the day after the last one")
    for name, day in (("start_date", first), ("end_date", last)):
        _check_year(day.year, f"body.{name}")
    midnight = time(0, 0, tzinfo=UTC)
    return When(datetime.combine(first, midnight), datetime.combine(last, midnight), None, True, False)


def _day_after(first: date, days: int) -> date:
    _check_year(first.year, "body.start_date")
    return first + days * _DAY


def _times(fields: EventFields, before: When | None, default_tzid: str) -> When:
    floating = _floating(fields, before)
    tzid = None if floating else _zone(fields, before, default_tzid)
    kind = When(datetime.min, datetime.min, tzid, False, floating)  # noqa: DTZ901  only its clock is used
    start = _moment(fields.start_time, "start_time", kind)
    end = _moment(fields.end_time, "end_time", kind)
    if before is None or before.all_day:
        for name, value in (("start_time", start), ("end_time", end)):
            if value is None:
                raise invalid(f"body.{name}", "this has to be given")
        assert start is not None and end is not None
        return kind._replace(start_time=start, end_time=end)
    length = before.end_time - before.start_time
    if start is None:
        start = kind.instant(before.wall(before.start_time))
        end = end or start + length
    return kind._replace(start_time=start, end_time=end or start + length)


def _zone(fields: EventFields, before: When | None, default_tzid: str) -> str:
    given = fields.tzid
    if given is UNSET:
        return before.tzid if before is not None and before.tzid is not None else default_tzid
    try:
        return resolve(given).key
    except UnknownZone:
        detail = "expected an IANA time zone such as Asia/Tokyo"
        raise invalid("body.tzid", detail, code=Code.UNKNOWN_TIME_ZONE) from None


def _moment(given: datetime | UnsetType, name: str, kind: When) -> datetime | None:
    return None if given is UNSET else moment(given, f"body.{name}", kind)


def moment(given: datetime, field: str, kind: When) -> datetime:
    """A time that a caller gave, as it is stored beside an event of this kind."""
    _check_year(given.year, field)
    if given.microsecond:
        raise invalid(field, "expected whole seconds")
    if given.tzinfo is None:
        return kind.instant(given)
    if kind.floating and given.utcoffset():
        raise invalid(field, "expected a time without an offset for a floating event")
    return given.astimezone(UTC)


def _check_year(year: int, field: str) -> None:
    if not YEAR_FIRST <= year <= YEAR_LAST:
        raise invalid(field, f"expected a year from {YEAR_FIRST} to {YEAR_LAST}")


def recurrence(row: Row, fields: EventFields) -> Row:
    """The row with the recurrence that `fields` give; its times are those of `row`. Problem `invalid_recurrence`."""
    kind = When.of(row)
    rrule, rdates, exdates = row.rrule, row.rdates, row.exdates
    if fields.rrule is not UNSET:
        rrule = None if fields.rrule is None else _canonical(fields.rrule, kind)
    if fields.rdates is not UNSET:
        rdates = _dates(fields.rdates, "rdates", kind)
    if fields.exdates is not UNSET:
        exdates = _dates(fields.exdates, "exdates", kind)
    return checked(msgspec.structs.replace(row, rrule=rrule, rdates=rdates, exdates=exdates))


def checked(row: Row) -> Row:
    """The row with the end of its span. Problem `invalid_recurrence` when its series cannot be used."""
    series = row.series()
    try:
        if row.rrule is not None:
            count = parse_rule(row.rrule, lenient=True).count
            if count is not None and count > COUNT_MAX:
                raise _invalid_rule("COUNT", f"expected at most {COUNT_MAX}")
            if ical.rule_never_fires(series):
                raise _invalid_rule("RRULE", "it never fires")
            _check_density(series, parse_rule(row.rrule, lenient=True))
        ends = ical.span(series)[1]
    except RecurrenceError as error:
        raise _invalid_rule(error.field, error.reason) from None
    except OverflowError:
        raise _invalid_rule("RRULE", "it goes on beyond the last year that there is") from None
    return msgspec.structs.replace(row, span_end=ends)


def _check_density(series: ical.Series, rule: Rule) -> None:
    hours, minutes, seconds = (max(len(part), 1) for part in (rule.byhour, rule.byminute, rule.bysecond))
    a_day = {
        "HOURLY": 24 * minutes * seconds / rule.interval,
        "MINUTELY": 1_440 * seconds / rule.interval,
        "SECONDLY": 86_400 / rule.interval,
    }.get(rule.freq, hours * minutes * seconds)
    if a_day * _YEAR.days <= INSTANCES_A_YEAR_MAX:
        return
    try:
        ical.instances(series, series.start_time, series.start_time + _YEAR, limit=INSTANCES_A_YEAR_MAX)
    except TooManyInstances:
        raise _invalid_rule("RRULE", f"it fires more than {INSTANCES_A_YEAR_MAX} times in its first year") from None


def _canonical(text: str, kind: When) -> str:
    try:
        return ical.canonical_rrule(text, all_day=kind.all_day, floating=kind.floating, tzid=kind.tzid)
    except RecurrenceError as error:
        raise _invalid_rule(error.field, error.reason) from None


def _invalid_rule(part: str, reason: str) -> Problem:
    return invalid("body.rrule", f"{part}: {reason}", code=Code.INVALID_RECURRENCE)


def _dates(given: Iterable[datetime], name: str, kind: When) -> tuple[datetime, ...]:
    return tuple(sorted({moment(one, f"body.{name}[{n}]", kind) for n, one in enumerate(given)}))


def has_instance(row: Row, recurrence_id: datetime) -> bool:
    """Whether the recurrence set of a master holds this start."""
    found = ical.instances(row.series(), recurrence_id, recurrence_id + _SECOND)
    return any(one.start_time == recurrence_id for one in found)


def is_first_instance(row: Row, recurrence_id: datetime) -> bool:
    """Whether nothing of the series comes before this start."""
    if recurrence_id <= row.start_time and not any(one < recurrence_id for one in row.rdates):
        return True
    return not ical.instances(row.series(), min((row.start_time, *row.rdates)), recurrence_id, limit=ical.INSTANCES_MAX)


class Shift(NamedTuple):
    """From one place on the calendar to another, by the clock."""

    old: When
    new: When

    @property
    def by(self) -> timedelta:
        return self.new.wall(self.new.start_time) - self.old.wall(self.old.start_time)

    @property
    def days(self) -> int:
        return (self.new.wall(self.new.start_time).date() - self.old.wall(self.old.start_time).date()).days

    def to(self, moment: datetime) -> datetime:
        """Where an instance that started then starts now."""
        return self.new.instant(self.old.wall(moment) + self.by)

    def rule(self, text: str) -> str:
        """The rule with its days and its end moved along. Problem `invalid_recurrence` when it cannot follow."""
        rule = parse_rule(text, lenient=True)
        moved = _moved(rule, self.old.wall(self.old.start_time), self.new.wall(self.new.start_time))
        if moved is None:
            raise _invalid_rule("RRULE", "it does not fit the new start; give a new rule with it")
        until = moved.until
        if isinstance(until, datetime):
            until = self.to(until) if until.tzinfo is not None else until + self.by
        elif until is not None:
            until += timedelta(days=self.days)
        new = self.new
        typed = with_typed_until(
            msgspec.structs.replace(moved, until=until),
            all_day=new.all_day,
            floating=new.floating,
            zone=zone_of(new.tzid, all_day=new.all_day, floating=new.floating),
        )
        return str(typed)


def _moved(rule: Rule, old: datetime, new: datetime) -> Rule | None:
    """The rule after its start moved from one wall clock to another; None where that cannot be told."""
    if old.time() != new.time() and (rule.byhour or rule.byminute or rule.bysecond):
        return None
    days = (new.date() - old.date()).days
    if days == 0:
        return rule
    others = any((rule.byweekno, rule.byyearday, rule.bysetpos))
    if not others and not rule.bymonthday and not rule.byday and not rule.bymonth:
        return rule
    if rule.freq == "WEEKLY" and not others and not rule.bymonth:
        return msgspec.structs.replace(rule, byday=tuple(sorted(((day + days) % 7, nth) for day, nth in rule.byday)))
    if rule.freq not in ("MONTHLY", "YEARLY") or others or (rule.bymonth and rule.bymonth != (old.month,)):
        return None
    months = {"bymonth": (new.month,)} if rule.bymonth else {}
    if rule.bymonthday == (old.day,) and not rule.byday:
        return msgspec.structs.replace(rule, bymonthday=(new.day,), **months)
    if len(rule.byday) == 1 and not rule.bymonthday and rule.byday[0] == _nth(old, rule.byday[0][1]):
        return msgspec.structs.replace(rule, byday=(_nth(new, rule.byday[0][1]),), **months)
    return msgspec.structs.replace(rule, **months) if rule.bymonth and not rule.byday and not rule.bymonthday else None


def _nth(day: datetime, like: int) -> tuple[int, int]:
    """Which weekday of its month a day is, counted from the end where `like` is negative."""
    if like == 0:
        return day.weekday(), 0
    if like > 0:
        return day.weekday(), (day.day - 1) // 7 + 1
    return day.weekday(), -((calendar.monthrange(day.year, day.month)[1] - day.day) // 7 + 1)


def cut_before(row: Row, recurrence_id: datetime) -> Row:
    """The master with only what comes before an instance."""
    rrule = None
    if row.rrule is not None:
        rule = parse_rule(row.rrule, lenient=True)
        kind = When.of(row)
        until = kind.wall(recurrence_id).date() - _DAY if row.all_day else recurrence_id - _SECOND
        zone = zone_of(row.tzid, all_day=row.all_day, floating=row.floating)
        ended = msgspec.structs.replace(rule, count=None, until=until)
        rrule = str(with_typed_until(ended, all_day=row.all_day, floating=row.floating, zone=zone))
    return checked(
        msgspec.structs.replace(
            row,
            rrule=rrule,
            rdates=tuple(one for one in row.rdates if one < recurrence_id),
            exdates=tuple(one for one in row.exdates if one < recurrence_id),
        )
    )


def rest_from(row: Row, recurrence_id: datetime) -> Row:
    """The master of what begins with an instance: the same event from there on, a COUNT told as the UNTIL that it
    means."""
    rrule = row.rrule
    if rrule is not None:
        rule = parse_rule(rrule, lenient=True)
        if rule.count is not None:
            last = ical.count_until(row.series())
            zone = zone_of(row.tzid, all_day=row.all_day, floating=row.floating)
            ended = msgspec.structs.replace(rule, count=None, until=last)
            rrule = str(with_typed_until(ended, all_day=row.all_day, floating=row.floating, zone=zone))
    return msgspec.structs.replace(
        row,
        start_time=recurrence_id,
        end_time=recurrence_id + (row.end_time - row.start_time),
        rrule=rrule,
        rdates=tuple(one for one in row.rdates if one >= recurrence_id),
        exdates=tuple(one for one in row.exdates if one >= recurrence_id),
    )


def no_recurrence(fields: EventFields) -> None:
    """Problem `invalid_request` when one instance is told to recur."""
    faults = tuple(
        Fault(f"body.{name}", "expected none for one instance of a series")
        for name in ("rrule", "rdates", "exdates")
        if getattr(fields, name) not in (UNSET, None, ())
    )
    if faults:
        raise Problem(Code.INVALID_REQUEST, f"{faults[0].field}: {faults[0].detail}", faults=faults)
