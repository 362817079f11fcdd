"""Zones by their many names, and the way between wall clock and UTC (RFC 5545, sections 3.2.19 and 3.3.5).

Owns the order in which a TZID is understood: an IANA name, a Windows name, the IANA tail of a
"globally unique" name. The zone data is the interpreter's own (`zoneinfo`, with the tzdata package
where the system has none). It does not know events; a VTIMEZONE is handled in `vtimezone`.
"""

from datetime import UTC as _UTC
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

UTC: Final = _UTC
UTC_ZONE: Final = ZoneInfo("UTC")

TZID_CHARS_MAX: Final = 255

_UTC_NAMES: Final = frozenset(
    {"utc", "z", "gmt", "etc/utc", "etc/gmt", "etc/zulu", "zulu", "uct", "etc/uct", "universal", "etc/universal"}
)
_NEARBY: Final = timedelta(hours=25)
"""No zone has jumped by more than 24 hours (Pacific/Apia left out 30 December 2011)."""

_WALL_MIN: Final = datetime(1, 1, 1)  # noqa: DTZ001  a wall clock
_WALL_MAX: Final = datetime(9999, 12, 31, 23, 59, 59)  # noqa: DTZ001  a wall clock
_FIRST_DAYS: Final = _WALL_MIN + _NEARBY * 2
_LAST_DAYS: Final = _WALL_MAX - _NEARBY * 2


class UnknownZone(ValueError):
    """A TZID that no rule of ours understands."""

    def __init__(self, tzid: str) -> None:
        super().__init__(f"unknown time zone {tzid[:64]!r}")
        self.tzid = tzid


@lru_cache(maxsize=2_048)
def resolve(tzid: str) -> ZoneInfo:
    """The zone a TZID means; `.key` is the IANA name to store. Raises `UnknownZone`.

    `Europe/Berlin`, `europe/berlin`, `W. Europe Standard Time`, `/example.org/2007_1/Europe/Berlin` and
    `"Europe/Berlin"` with its quotes all give Europe/Berlin.
    """
    name = tzid.strip().strip('"').strip()
    if not name or len(name) > TZID_CHARS_MAX or not name.isprintable():
        raise UnknownZone(tzid)
    if name.lower() in _UTC_NAMES:
        return UTC_ZONE
    windows = _windows_names().get(name.lower())
    if windows is not None:
        return ZoneInfo(windows)
    pieces = [piece for piece in name.split("/") if piece]
    for first in range(len(pieces)):  # the longest tail first: America/Argentina/Salta has three pieces
        key = _iana_names().get("/".join(pieces[first:]).lower())
        if key is not None and (first == 0 or name.startswith("/")):
            return _load(key, tzid)
    raise UnknownZone(tzid)


def zone_of(tzid: str | None, *, all_day: bool = False, floating: bool = False) -> ZoneInfo:
    """The zone a stored event is expanded in.

    All-day and floating times are stored as wall clock in UTC (sections 3.3.4 and 3.3.5, form 1),
    so their wall clock *is* UTC, whatever the zone of the calendar.
    """
    if tzid is None or all_day or floating:
        return UTC_ZONE
    return resolve(tzid)


def to_utc(wall: datetime, zone: ZoneInfo) -> datetime:
    """The instant of a naive wall clock (section 3.3.5).

    A time in a gap takes the offset before the gap; an ambiguous time is its first occurrence.
    """
    if zone is UTC_ZONE:
        return wall.replace(tzinfo=UTC)
    return wall.replace(tzinfo=zone, fold=0).astimezone(UTC)


def to_wall(instant: datetime, zone: ZoneInfo) -> datetime:
    """The naive wall clock an aware instant shows in `zone`, without its fold."""
    return instant.astimezone(zone).replace(tzinfo=None, fold=0)


def wall_bounds(start: datetime, end: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Wall clocks low and high such that every wall clock whose instant is in [start, end) is in [low, high)."""
    if zone is UTC_ZONE:
        return start.astimezone(UTC).replace(tzinfo=None), end.astimezone(UTC).replace(tzinfo=None)
    low = min(_offset(start, -_NEARBY, zone), _offset(start, timedelta(0), zone), _offset(start, _NEARBY, zone))
    high = max(_offset(end, -_NEARBY, zone), _offset(end, timedelta(0), zone), _offset(end, _NEARBY, zone))
    return (
        _shift(start.astimezone(UTC).replace(tzinfo=None), low),
        _shift(end.astimezone(UTC).replace(tzinfo=None), high),
    )


def _offset(instant: datetime, shift: timedelta, zone: ZoneInfo) -> timedelta:
    moved = _shift(instant.astimezone(UTC).replace(tzinfo=None), shift)
    if not _FIRST_DAYS < moved < _LAST_DAYS:
        moved = instant.astimezone(UTC).replace(tzinfo=None)
    return moved.replace(tzinfo=UTC).astimezone(zone).utcoffset() or timedelta(0)


def _shift(wall: datetime, by: timedelta) -> datetime:
    try:
        return wall + by
    except OverflowError:
        return _WALL_MAX if by > timedelta(0) else _WALL_MIN


def _load(key: str, tzid: str) -> ZoneInfo:
    try:
        return UTC_ZONE if key.lower() in _UTC_NAMES else ZoneInfo(key)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UnknownZone(tzid) from None


@lru_cache(maxsize=1)
def _iana_names() -> dict[str, str]:
    return {key.lower(): key for key in available_timezones() if key not in ("localtime", "Factory")}


@lru_cache(maxsize=1)
def _windows_names() -> dict[str, str]:
    names = _iana_names()
    return {windows.lower(): key for windows, key in WINDOWS_TO_OLSON.items() if key.lower() in names}
