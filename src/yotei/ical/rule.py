"""The text of a recurrence rule as a value, and back (RFC 5545, section 3.3.10).

Owns what a rule may say, which defects of real-world rules are mended, and the one
canonical spelling that is stored. It does not know when a rule fires: see `periods`.
"""

import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Final, Literal, get_args
from zoneinfo import ZoneInfo

import msgspec

from yotei.ical.timezones import UTC, to_utc

Freq = Literal["YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY", "SECONDLY"]
FREQS: Final[tuple[Freq, ...]] = get_args(Freq)
WEEKDAYS: Final = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")

RULE_CHARS_MAX: Final = 4_096
"""Longer than any rule with every BY part filled sensibly; a bound, not a standard."""

INTERVAL_MAX: Final = 1_000_000
COUNT_MAX: Final = 10_000_000

TIMES_MAX: Final = 1_440
"""BYHOUR x BYMINUTE x BYSECOND: every minute of a day. Finer is said by a finer FREQ, which needs no list."""

_LAST_SECOND_OF_DAY: Final = timedelta(days=1) - timedelta(seconds=1)
_BYDAY: Final = re.compile(r"([+-]?\d{1,2})?(MO|TU|WE|TH|FR|SA|SU)")
_UNTIL: Final = re.compile(r"(\d{8})(?:T(\d{6})(Z?))?")
_INTEGER: Final = re.compile(r"[+-]?\d{1,9}")


class RecurrenceError(ValueError):
    """A recurrence that cannot be used: `field` is the part at fault, `reason` a sentence."""

    def __init__(self, reason: str, field: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.reason = reason
        self.field = field


class Rule(msgspec.Struct, frozen=True, cache_hash=True):
    """One RRULE. BY parts are sorted and without repeats; a `byday` entry is (weekday, nth), nth 0 for every."""

    freq: Freq
    interval: int = 1
    count: int | None = None
    until: date | datetime | None = None
    wkst: int = 0
    bymonth: tuple[int, ...] = ()
    byweekno: tuple[int, ...] = ()
    byyearday: tuple[int, ...] = ()
    bymonthday: tuple[int, ...] = ()
    byday: tuple[tuple[int, int], ...] = ()
    byhour: tuple[int, ...] = ()
    byminute: tuple[int, ...] = ()
    bysecond: tuple[int, ...] = ()
    bysetpos: tuple[int, ...] = ()

    def __str__(self) -> str:
        """The canonical text, without `RRULE:`; defaults (INTERVAL=1, WKST=MO) are left out."""
        parts = [f"FREQ={self.freq}"]
        if self.until is not None:
            parts.append(f"UNTIL={_until_text(self.until)}")
        if self.count is not None:
            parts.append(f"COUNT={self.count}")
        if self.interval != 1:
            parts.append(f"INTERVAL={self.interval}")
        if self.byday:
            parts.append("BYDAY=" + ",".join(f"{nth or ''}{WEEKDAYS[weekday]}" for weekday, nth in self.byday))
        for name in _RANGES:
            values: tuple[int, ...] = getattr(self, name.lower())
            if values:
                parts.append(f"{name}=" + ",".join(map(str, values)))
        if self.wkst != 0:
            parts.append(f"WKST={WEEKDAYS[self.wkst]}")
        return ";".join(parts)


# name -> (lowest, highest, negatives too)
_RANGES: Final = {
    "BYSECOND": (0, 60, False),
    "BYMINUTE": (0, 59, False),
    "BYHOUR": (0, 23, False),
    "BYMONTHDAY": (1, 31, True),
    "BYYEARDAY": (1, 366, True),
    "BYWEEKNO": (1, 53, True),
    "BYMONTH": (1, 12, False),
    "BYSETPOS": (1, 366, True),
}


@lru_cache(maxsize=4_096)
def parse_rule(text: str, *, lenient: bool = False) -> Rule:
    """Read an RRULE value, with or without the leading `RRULE:`.

    Strict refuses what section 3.3.10 forbids. Lenient, for files of others, mends what has
    one plausible reading: unknown and empty parts are dropped, COUNT below 1 and UNTIL in the year 9999 are,
    INTERVAL below 1 becomes 1, COUNT beside UNTIL is dropped, and so is a part the FREQ
    forbids. Raises `RecurrenceError`.
    """
    if len(text) > RULE_CHARS_MAX:
        raise RecurrenceError(f"longer than {RULE_CHARS_MAX} characters", "RRULE")
    parts = _split(text, lenient)
    freq = parts.pop("FREQ", "")
    if freq not in FREQS:
        raise RecurrenceError(f"{freq or 'nothing'} is not one of {', '.join(FREQS)}", "FREQ")
    values: dict[str, object] = {"freq": freq}
    for name, value in parts.items():
        reader = _READERS.get(name)
        if reader is not None:
            values[name.lower()] = reader(name, value, lenient)
        elif not (lenient or (name == "RSCALE" and value == "GREGORIAN") or (name == "SKIP" and value == "OMIT")):
            raise RecurrenceError("not a part of a rule", name[:32])
    rule = Rule(**values)  # type: ignore[arg-type]  # each reader returns the type of its field
    return _allowed(rule, lenient)


def with_typed_until(rule: Rule, *, all_day: bool, floating: bool, zone: ZoneInfo) -> Rule:
    """The same rule with UNTIL in the type its DTSTART demands (section 3.3.10).

    A date for all-day series, local time for floating ones, UTC otherwise. A date that bounds a timed
    series includes that whole local day; a local time is read in the zone of the series.
    """
    until = rule.until
    if until is None:
        return rule
    if all_day:
        typed: date | datetime = until.date() if isinstance(until, datetime) else until
    elif floating:
        typed = until.replace(tzinfo=None) if isinstance(until, datetime) else _end_of(until)
    elif isinstance(until, datetime):
        typed = until if until.tzinfo is not None else to_utc(until, zone)
    else:
        typed = to_utc(_end_of(until), zone)
    return rule if typed is until else msgspec.structs.replace(rule, until=typed)


def _end_of(day: date) -> datetime:
    return datetime(day.year, day.month, day.day) + _LAST_SECOND_OF_DAY  # noqa: DTZ001  a wall clock


def _until_text(until: date | datetime) -> str:
    if not isinstance(until, datetime):
        return f"{until:%Y%m%d}".rjust(8, "0")
    return f"{until:%Y%m%dT%H%M%S}".rjust(15, "0") + ("Z" if until.tzinfo is not None else "")


def _split(text: str, lenient: bool) -> dict[str, str]:
    parts: dict[str, str] = {}
    for part in text.strip().upper().removeprefix("RRULE:").split(";"):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not (name and equals and value):
            if lenient:
                continue
            raise RecurrenceError("a part reads NAME=value", name[:32] or "RRULE")
        if name in parts and not lenient:
            raise RecurrenceError("given twice", name[:32])
        parts.setdefault(name, value)
    return parts


def _read_integer(name: str, value: str) -> int:
    if not _INTEGER.fullmatch(value):
        raise RecurrenceError(f"{value[:32]} is not a whole number", name)
    return int(value)


def _read_interval(name: str, value: str, lenient: bool) -> int:
    interval = _read_integer(name, value)
    if interval < 1 and lenient:
        return 1
    if not 1 <= interval <= INTERVAL_MAX:
        raise RecurrenceError(f"must be 1 to {INTERVAL_MAX}", name)
    return interval


def _read_count(name: str, value: str, lenient: bool) -> int | None:
    count = _read_integer(name, value)
    if count < 1 and lenient:
        return None
    if not 1 <= count <= COUNT_MAX:
        raise RecurrenceError(f"must be 1 to {COUNT_MAX}", name)
    return count


def _read_until(name: str, value: str, lenient: bool) -> date | datetime | None:
    match = _UNTIL.fullmatch(value)
    if match is None:
        raise RecurrenceError("neither a date nor a date with time", name)
    day, time, zulu = match.groups()
    if day.startswith("9999"):  # some writers' way of saying that there is no end
        if lenient:
            return None
        raise RecurrenceError("must be before the year 9999", name)
    try:
        if time is None:
            return date(int(day[:4]), int(day[4:6]), int(day[6:]))
        return datetime.strptime(day + time, "%Y%m%d%H%M%S").replace(tzinfo=UTC if zulu else None)
    except ValueError:
        raise RecurrenceError("no such date", name) from None


def _read_weekday(name: str, value: str, lenient: bool) -> int:
    if value in WEEKDAYS:
        return WEEKDAYS.index(value)
    if lenient:
        return 0
    raise RecurrenceError(f"{value[:32]} is not a weekday", name)


def _read_byday(name: str, value: str, _lenient: bool) -> tuple[tuple[int, int], ...]:
    days = set()
    for item in value.split(","):
        match = _BYDAY.fullmatch(item.strip())
        if match is None:
            raise RecurrenceError(f"{item[:32]} is not a weekday", name)
        nth = match[1]
        if nth is not None and not 1 <= abs(int(nth)) <= 53:
            raise RecurrenceError("the number before a weekday is 1 to 53 or -53 to -1", name)
        days.add((WEEKDAYS.index(match[2]), int(nth or 0)))
    return tuple(sorted(days))


def _read_numbers(name: str, value: str, _lenient: bool) -> tuple[int, ...]:
    low, high, negatives = _RANGES[name]
    numbers = {_read_integer(name, item.strip()) for item in value.split(",")}
    for number in numbers:
        if not low <= (abs(number) if negatives else number) <= high:
            raise RecurrenceError(f"{number} is out of range", name)
    return tuple(sorted(numbers))


_READERS: Final[dict[str, Callable[[str, str, bool], object]]] = {
    "INTERVAL": _read_interval,
    "COUNT": _read_count,
    "UNTIL": _read_until,
    "WKST": _read_weekday,
    "BYDAY": _read_byday,
    **dict.fromkeys(_RANGES, _read_numbers),
}


def _allowed(rule: Rule, lenient: bool) -> Rule:
    """Apply the table of section 3.3.10 on which parts may stand beside which FREQ."""
    times = max(len(rule.byhour), 1) * max(len(rule.byminute), 1) * max(len(rule.bysecond), 1)
    if times > TIMES_MAX and rule.freq not in ("MINUTELY", "SECONDLY"):
        raise RecurrenceError(f"with BYHOUR and BYMINUTE, more than {TIMES_MAX} times", "BYSECOND")
    faults: list[tuple[str, str, dict[str, object]]] = []
    if rule.count is not None and rule.until is not None:
        faults.append(("COUNT", "must not stand beside UNTIL", {"count": None}))
    numbered = any(nth for _, nth in rule.byday)
    if numbered and (rule.freq not in ("YEARLY", "MONTHLY") or rule.byweekno):
        plain = tuple(sorted({(weekday, 0) for weekday, _ in rule.byday}))
        faults.append(("BYDAY", "may be numbered only in MONTHLY, or YEARLY without BYWEEKNO", {"byday": plain}))
    if rule.byweekno and rule.freq != "YEARLY":
        faults.append(("BYWEEKNO", "stands only in YEARLY", {"byweekno": ()}))
    if rule.byyearday and rule.freq in ("MONTHLY", "WEEKLY", "DAILY"):
        faults.append(("BYYEARDAY", f"must not stand in {rule.freq}", {"byyearday": ()}))
    if rule.bymonthday and rule.freq == "WEEKLY":
        faults.append(("BYMONTHDAY", "must not stand in WEEKLY", {"bymonthday": ()}))
    if rule.bysetpos and not (
        rule.byday or rule.byweekno or any(getattr(rule, name.lower()) for name in _RANGES if name != "BYSETPOS")
    ):
        faults.append(("BYSETPOS", "needs another BY part", {"bysetpos": ()}))
    for field, reason, mended in faults:
        if not lenient:
            raise RecurrenceError(reason, field)
        rule = msgspec.structs.replace(rule, **mended)
    return rule
