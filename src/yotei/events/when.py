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

_IN_A_SECOND_MAX: Final = 2
"""Starts of one series in one second: a rule names whole ones, an import may bring a date with a fraction."""

_DAY: Final = timedelta(days=1)
_WEEK: Final = timedelta(days=7)
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

    @property
    def on_wall_clock(self) -> bool:
        return self.all_day or self.floating

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
        last = _day_after(first, 1 if before is None else _days_of(before))
    elif last <= first:
        raise invalid("body.end_date", "expected a day after start_date: it is the day after the last one")
    for name, day in (("start_date", first), ("end_date", last)):
        _check_year(day.year, f"body.{name}")
    midnight = time(0, 0, tzinfo=UTC)
    return When(datetime.combine(first, midnight), datetime.combine(last, midnight), None, True, False)


def _days_of(at: When) -> int:
    """How many days of its clock something touches."""
    start, end = at.wall(at.start_time), at.wall(at.end_time)
    return max((end.date() - start.date()).days + (end.time() > time()), 1)


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
        if rdates and rdates[0] < row.start_time:
            raise _invalid_date("rdates", "expected none before the start, which is the first of all")
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


def _invalid_date(name: str, reason: str) -> Problem:
    return invalid(f"body.{name}", reason, code=Code.INVALID_RECURRENCE)


def _dates(given: Iterable[datetime], name: str, kind: When) -> tuple[datetime, ...]:
    found = {moment(one, f"body.{name}[{n}]", kind) for n, one in enumerate(given)}
    if kind.all_day and any(one.time() != time() for one in found):
        raise _invalid_date(name, "expected midnights without an offset for an all-day event")
    return tuple(sorted(found))


def _starts(row: Row, start: datetime, end: datetime, limit: int) -> list[datetime]:
    """Starts of the series in [start, end). Raises `TooManyInstances` beyond the limit."""
    series = msgspec.structs.replace(row.series(), end_time=row.start_time)
    return [one.start_time for one in ical.instances(series, start, end, limit=limit)]


def has_instance(row: Row, recurrence_id: datetime) -> bool:
    """Whether the recurrence set of a master holds this start."""
    return recurrence_id in _starts(row, recurrence_id, recurrence_id + _SECOND, _IN_A_SECOND_MAX)


def is_first_instance(row: Row, recurrence_id: datetime) -> bool:
    """Whether nothing of the series comes before this start."""
    try:
        return not _starts(row, min((row.start_time, *row.rdates)), recurrence_id, 1)
    except TooManyInstances:
        return False


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
        old, new = self.old, self.new
        if moment == old.start_time:
            return new.start_time
        if not self.by and (old.tzid, old.on_wall_clock) == (new.tzid, new.on_wall_clock):
            return moment
        return new.instant(self._said(moment) + self.by)

    def _said(self, moment: datetime) -> datetime:
        """The wall clock that a rule says of an instance: what is in a gap of the zone takes place an hour later."""
        wall = self.old.wall(moment)
        said = datetime.combine(wall.date(), self.old.wall(self.old.start_time).time())
        return said if self.old.instant(said) == moment else wall


def moved(old: Row, new: Row, fields: EventFields) -> Row:
    """The new row of a series whose start moved, its recurrence moved along as far as the fields do not give another.

    Problem `invalid_recurrence` when the rule cannot follow.
    """
    shift = Shift(When.of(old), When.of(new))
    bare = msgspec.structs.replace(new, rdates=(), exdates=())
    if new.rrule is not None and fields.rrule is UNSET:
        bare = msgspec.structs.replace(bare, rrule=_moved_rule(old, bare, shift))
    return msgspec.structs.replace(
        bare,
        rdates=tuple(sorted(map(shift.to, new.rdates))) if fields.rdates is UNSET else new.rdates,
        exdates=tuple(sorted({moved_instance(old, bare, one) for one in new.exdates}))
        if fields.exdates is UNSET
        else new.exdates,
    )


def moved_instance(old: Row, new: Row, moment: datetime) -> datetime:
    """Where an instance of a series that moved starts now: by the clock. The second Monday of one month is not as far
    from the second Tuesday as that of another: then it is the nearest one."""
    shift = Shift(When.of(old), When.of(new))
    there = shift.to(moment)
    if not shift.days or moment in old.rdates or not (_comes_once(old.rrule) and _comes_once(new.rrule)):
        return there
    bare = msgspec.structs.replace(new, rdates=(), exdates=())
    near = _starts(bare, there - _WEEK, there + _WEEK + _SECOND, ical.INSTANCES_MAX)
    return min(near, key=lambda one: abs(one - there), default=there)


def _comes_once(text: str | None) -> bool:
    """Whether a rule names one day of a month, or of a year."""
    if text is None:
        return False
    rule = parse_rule(text, lenient=True)
    days = len(rule.bymonthday) + sum(1 if nth else 7 for _, nth in rule.byday)
    return rule.freq in ("MONTHLY", "YEARLY") and days == 1 and len(rule.bymonth) <= 1


def _moved_rule(old: Row, new: Row, shift: Shift) -> str:
    """The rule of `old` with its days and its end moved along."""
    assert old.rrule is not None
    rule = parse_rule(old.rrule, lenient=True)
    rule_moved = _moved(rule, shift.old.wall(shift.old.start_time), shift.new.wall(shift.new.start_time))
    if rule_moved is None:
        raise _invalid_rule("RRULE", "it does not fit the new start; give a new rule with it")
    until = rule.until
    if until is not None:
        if shift.days and _comes_once(old.rrule):
            endless = msgspec.structs.replace(new, rrule=str(msgspec.structs.replace(rule_moved, until=None)))
            until = moved_instance(old, endless, _last_of_rule(old))
        elif isinstance(until, datetime):
            until = shift.to(until) if until.tzinfo is not None else until + shift.by
        else:
            until += timedelta(days=shift.days)
    typed = with_typed_until(
        msgspec.structs.replace(rule_moved, until=until),
        all_day=new.all_day,
        floating=new.floating,
        zone=zone_of(new.tzid, all_day=new.all_day, floating=new.floating),
    )
    return str(typed)


def _last_of_rule(row: Row) -> datetime:
    """The start of the last instance of a rule that ends."""
    ends = ical.span(msgspec.structs.replace(row.series(), end_time=row.start_time, rdates=()))[1]
    assert ends is not None
    return ends


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
    if rule.freq in ("DAILY", "WEEKLY") and not others and not rule.bymonth and not rule.bymonthday:
        byday = tuple(sorted(((day + days) % 7, nth) for day, nth in rule.byday))
        # Of every other week, Saturday and Monday may be parts of one: the week begins later as well.
        wkst = (rule.wkst + days) % 7 if rule.freq == "WEEKLY" and rule.interval > 1 and len(byday) > 1 else rule.wkst
        return msgspec.structs.replace(rule, byday=byday, wkst=wkst)
    if rule.freq not in ("MONTHLY", "YEARLY") or others or (rule.bymonth and rule.bymonth != (old.month,)):
        return None
    months = {"bymonth": (new.month,)} if rule.bymonth else {}
    if rule.bymonthday == (old.day,) and not rule.byday:
        return msgspec.structs.replace(rule, bymonthday=(new.day,), **months)
    if len(rule.byday) == 1 and not rule.bymonthday:
        of_year = rule.freq == "YEARLY" and not rule.bymonth
        nth = rule.byday[0][1]
        if rule.byday[0] == _nth(old, nth, of_year=of_year):
            return msgspec.structs.replace(rule, byday=(_nth(new, nth, of_year=of_year),), **months)
    return msgspec.structs.replace(rule, **months) if rule.bymonth and not rule.byday and not rule.bymonthday else None


def _nth(day: datetime, like: int, *, of_year: bool) -> tuple[int, int]:
    """Which weekday of its month, or year, a day is, counted from the end where `like` is negative."""
    days = 366 if calendar.isleap(day.year) else 365
    place = day.timetuple().tm_yday if of_year else day.day
    length = days if of_year else calendar.monthrange(day.year, day.month)[1]
    if like == 0:
        return day.weekday(), 0
    return day.weekday(), (place - 1) // 7 + 1 if like > 0 else -((length - place) // 7 + 1)


def cut_before(row: Row, recurrence_id: datetime) -> Row:
    """The master with only what comes before an instance. It still recurs, for the sake of its exceptions."""
    rdates = tuple(one for one in row.rdates if one < recurrence_id)
    exdates = tuple(one for one in row.exdates if one < recurrence_id)
    if recurrence_id <= row.start_time:
        # Only dates of an import come before the start.
        start, end = rdates[0], rdates[0] + (row.end_time - row.start_time)
        row = msgspec.structs.replace(row, start_time=start, end_time=end, rrule=None)
    rrule = None
    if row.rrule is None:
        rdates = rdates or (row.start_time,)
    else:
        rule = parse_rule(row.rrule, lenient=True)
        kind = When.of(row)
        until = kind.wall(recurrence_id).date() - _DAY if row.all_day else recurrence_id - _SECOND
        zone = zone_of(row.tzid, all_day=row.all_day, floating=row.floating)
        ended = msgspec.structs.replace(rule, count=None, until=until)
        rrule = str(with_typed_until(ended, all_day=row.all_day, floating=row.floating, zone=zone))
    return checked(msgspec.structs.replace(row, rrule=rrule, rdates=rdates, exdates=exdates))


def rest_from(row: Row, recurrence_id: datetime) -> Row:
    """The master of what begins with an instance: the same event from there on, a COUNT told as the UNTIL that it
    means. Problem `invalid_request` when no rule goes on from there."""
    rrule = row.rrule
    if rrule is not None:
        if recurrence_id in row.rdates:
            raise invalid("query.recurrence_id", "expected an instance of the rule: this one was added beside it")
        rule = parse_rule(rrule, lenient=True)
        kind = When.of(row)
        says_hours = rule.byhour or rule.byminute or rule.bysecond or rule.freq in ("HOURLY", "MINUTELY", "SECONDLY")
        if not says_hours and kind.wall(recurrence_id).time() != kind.wall(row.start_time).time():
            raise invalid("query.recurrence_id", "expected another instance: on this day the clock leaves out its time")
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
