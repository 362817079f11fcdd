"""VTIMEZONE: understanding the ones that come, writing the ones that go (RFC 5545, section 3.6.5).

Owns the search for the IANA zone a definition describes. What has no equivalent is still
good for instants: its observances tell the offset of any wall clock.
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
from icalendar.prop import vUTCOffset
from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

from yotei.ical.lines import Component, Finding
from yotei.ical.periods import starts_between
from yotei.ical.rule import RecurrenceError, Rule, parse_rule
from yotei.ical.timezones import UnknownZone, resolve

OBSERVANCES_MAX: Final = 1_000
MATCHED_YEARS: Final = (2023, 2027)
"""Years in which all offsets must agree for a definition to be taken for an IANA zone."""

_YEAR: Final = timedelta(days=366)


class Observance(msgspec.Struct, frozen=True):
    """A STANDARD or DAYLIGHT block: from its onsets on, `offset_to` holds."""

    dtstart: datetime
    offset_from: timedelta
    offset_to: timedelta
    rule: Rule | None
    rdates: tuple[datetime, ...]


class Definition(msgspec.Struct, frozen=True):
    """A VTIMEZONE as read: the IANA zone it stands for, if any, and its own observances."""

    tzid: str
    zone: ZoneInfo | None
    observances: tuple[Observance, ...]

    def instant(self, wall: datetime) -> datetime:
        """UTC by the observances alone: the offset of the last onset at or before the wall clock."""
        onsets = _onsets(self.observances, wall - _YEAR, wall + timedelta(seconds=1))
        if onsets:
            return (wall - onsets[-1][2]).replace(tzinfo=UTC)
        earliest = min(self.observances, key=lambda observance: observance.dtstart)
        return (wall - earliest.offset_from).replace(tzinfo=UTC)


def read_definition(component: Component) -> tuple[Definition | None, Finding | None]:
    """What a VTIMEZONE component defines; a finding when it defines nothing that can be used."""
    prop = component.first("TZID")
    if prop is None:
        return None, Finding(component.line, None, "VTIMEZONE without TZID")
    tzid = prop.value.strip()
    location = component.first("X-LIC-LOCATION")
    for name in (tzid, location.value if location is not None else ""):
        try:
            return Definition(tzid, resolve(name), ()), None
        except UnknownZone:
            continue
    observances = []
    for child in component.children[:OBSERVANCES_MAX]:
        if child.name in ("STANDARD", "DAYLIGHT"):
            try:
                observances.append(_read_observance(child))
            except ValueError as error:
                return None, Finding(child.line, None, f"VTIMEZONE {tzid[:64]!r}: {error}")
    if not observances:
        return None, Finding(component.line, None, f"VTIMEZONE {tzid[:64]!r} holds no observance")
    found = tuple(observances)
    return Definition(tzid, _equivalent(_fingerprint(found)), found), None


def vtimezone_lines(zone: ZoneInfo, first: datetime, last: datetime) -> list[str]:
    """A VTIMEZONE as content lines, with every onset between the two instants spelled out.

    Readers that know the IANA name will use their own data; the others get what these events need.
    """
    lines = ["BEGIN:VTIMEZONE", f"TZID:{zone.key}"]
    before = first.astimezone(UTC)
    lines += _observance_lines(zone, before, _offset(zone, before))
    for onset in _transitions(zone, before, last.astimezone(UTC)):
        lines += _observance_lines(zone, onset, _offset(zone, onset - timedelta(seconds=1)))
    return [*lines, "END:VTIMEZONE"]


def _observance_lines(zone: ZoneInfo, onset: datetime, offset_from: timedelta) -> list[str]:
    local = onset.astimezone(zone)
    kind = "DAYLIGHT" if local.dst() else "STANDARD"
    return [
        f"BEGIN:{kind}",
        f"DTSTART:{(onset + offset_from):%Y%m%dT%H%M%S}",
        f"TZOFFSETFROM:{_offset_text(offset_from)}",
        f"TZOFFSETTO:{_offset_text(_offset(zone, onset))}",
        f"TZNAME:{local.tzname()}",
        f"END:{kind}",
    ]


def _transitions(zone: ZoneInfo, first: datetime, last: datetime) -> list[datetime]:
    """Instants in (first, last] at which the offset changes, found by halving steps of five days."""
    found = []
    step = timedelta(days=5)
    low = first
    while low < last:
        high = low + step
        if _offset(zone, low) != _offset(zone, high):
            before, after = low, high
            while after - before > timedelta(seconds=1):
                middle = before + (after - before) / 2
                middle = middle.replace(microsecond=0)
                if _offset(zone, middle) == _offset(zone, low):
                    before = middle
                else:
                    after = middle
            found.append(after)
        low = high
    return found


def _offset(zone: ZoneInfo, instant: datetime) -> timedelta:
    return instant.astimezone(zone).utcoffset() or timedelta(0)


def _offset_text(offset: timedelta) -> str:
    return str(vUTCOffset(offset).to_ical())


def _read_observance(component: Component) -> Observance:
    def value(name: str) -> str:
        prop = component.first(name)
        if prop is None:
            raise ValueError(f"{component.name} without {name}")
        return prop.value.strip()

    dtstart = _read_wall(value("DTSTART"))
    rrule = component.first("RRULE")
    rule = None
    if rrule is not None:
        try:
            rule = parse_rule(rrule.value, lenient=True)
        except RecurrenceError as error:
            raise ValueError(str(error)) from error
        if rule.freq not in ("YEARLY", "MONTHLY"):
            raise ValueError(f"an observance that recurs {rule.freq}")
    rdates = tuple(_read_wall(item) for prop in component.all("RDATE") for item in prop.value.split(","))
    offset_from, offset_to = map(_read_offset, (value("TZOFFSETFROM"), value("TZOFFSETTO")))
    return Observance(dtstart, offset_from, offset_to, rule, rdates)


def _read_offset(text: str) -> timedelta:
    offset: timedelta = vUTCOffset.from_ical(text)  # type: ignore[no-untyped-call]
    return offset


def _read_wall(text: str) -> datetime:
    return datetime.strptime(text.strip().rstrip("Z")[:15], "%Y%m%dT%H%M%S")  # noqa: DTZ007  a wall clock


def _onsets(
    observances: tuple[Observance, ...], low: datetime, high: datetime
) -> list[tuple[datetime, timedelta, timedelta]]:
    """(wall clock, offset before, offset after) of the onsets in [low, high), and the last one before."""
    inside = []
    before = []
    for observance in observances:
        walls = [observance.dtstart, *observance.rdates]
        if observance.rule is not None:
            walls += starts_between(observance.rule, observance.dtstart, low, _until(observance, high))
        for wall in walls:
            entry = (wall, observance.offset_from, observance.offset_to)
            if low <= wall < high:
                inside.append(entry)
            elif wall < low:
                before.append(entry)
    return [*([max(before)] if before else []), *sorted(set(inside))]


def _until(observance: Observance, high: datetime) -> datetime:
    until = observance.rule.until if observance.rule is not None else None
    if not isinstance(until, datetime):
        return high
    wall = until.replace(tzinfo=None) + (observance.offset_from if until.tzinfo is not None else timedelta(0))
    return min(high, wall + timedelta(seconds=1))


_Fingerprint = tuple[tuple[datetime, timedelta], ...]


def _fingerprint(observances: tuple[Observance, ...]) -> _Fingerprint:
    """Onsets in UTC with the offset after them, through the matched years; the first entry is what held before."""
    low, high = (datetime(year, 1, 1) for year in MATCHED_YEARS)  # noqa: DTZ001  wall clocks
    entries: list[tuple[datetime, timedelta]] = []
    onsets = _onsets(observances, low, high)
    for wall, offset_from, offset_to in onsets:
        instant = (max(wall, low) if wall < low else wall - offset_from).replace(tzinfo=UTC)
        if not entries or entries[-1][1] != offset_to:
            entries.append((instant, offset_to))
    if not entries:
        earliest = min(observances, key=lambda observance: observance.dtstart)
        entries.append((low.replace(tzinfo=UTC), earliest.offset_from))
    elif entries[0][0] > low.replace(tzinfo=UTC):
        entries.insert(0, (low.replace(tzinfo=UTC), onsets[0][1]))
    return tuple(entries)


@lru_cache(maxsize=512)
def _equivalent(fingerprint: _Fingerprint) -> ZoneInfo | None:
    """The first zone, of those Windows has a name for, with the same onsets and offsets in the matched years."""
    low, high = (datetime(year, 1, 1, tzinfo=UTC) for year in MATCHED_YEARS)
    for key in dict.fromkeys(("Europe/Berlin", "America/New_York", *sorted(WINDOWS_TO_OLSON.values()))):
        try:
            zone = resolve(key)
        except UnknownZone:
            continue
        if _offset(zone, low) != fingerprint[0][1]:
            continue
        onsets = _zone_onsets(key, low, high)
        if tuple(onsets) == fingerprint[1:]:
            return zone
    return None


@lru_cache(maxsize=256)
def _zone_onsets(key: str, low: datetime, high: datetime) -> tuple[tuple[datetime, timedelta], ...]:
    zone = resolve(key)
    return tuple((onset, _offset(zone, onset)) for onset in _transitions(zone, low, high))
