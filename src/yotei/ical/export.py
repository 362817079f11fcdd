"""Event values to iCalendar text (RFC 5545, section 3.4).

No value can end its content line and begin another: line breaks of a TEXT are escaped, and what else may not stand in
a line is left out of every one just before it is folded.

Owns the order of properties, the form of times, and the VTIMEZONE every TZID needs. What was
kept on import goes out again as it came. Folding and escaping are the icalendar library's.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from icalendar.parser import Contentline, Contentlines, Parameters
from icalendar.prop import vText

from yotei.ical.lines import CONTROL
from yotei.ical.text import ParsedEvent
from yotei.ical.timezones import UTC_ZONE, resolve, to_utc, to_wall, zone_of
from yotei.ical.vtimezone import vtimezone_lines

PRODID: Final = "-//Yotei//Yotei//EN"

ZONE_YEARS_AHEAD: Final = 5
"""How far past the last time written a VTIMEZONE spells out onsets for series that go on."""

_YEAR: Final = timedelta(days=366)


def write_calendar(
    events: Iterable[ParsedEvent], *, now: datetime, name: str | None = None, tzid: str | None = None
) -> bytes:
    """A complete VCALENDAR, folded, with CRLF. `now` stamps events that have no LAST-MODIFIED."""
    listed = list(events)
    masters = {event.uid: event for event in listed if event.recurrence_id is None}
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", f"PRODID:{PRODID}", "CALSCALE:GREGORIAN"]
    if name is not None:
        lines.append(_text("X-WR-CALNAME", name))
    if tzid is not None:
        lines.append(f"X-WR-TIMEZONE:{tzid}")
    for zone, first, last in _zones(listed):
        lines += vtimezone_lines(zone, first - _YEAR, last + _YEAR * ZONE_YEARS_AHEAD)
    for event in listed:
        lines += _event_lines(event, masters.get(event.uid, event), now)
    lines.append("END:VCALENDAR")
    return _fold(lines)


def _fold(lines: Sequence[str]) -> bytes:
    safe = [line.translate(CONTROL) for line in lines]
    folded: bytes = Contentlines(map(Contentline, safe)).to_ical()  # type: ignore[no-untyped-call]
    return folded


def _zones(events: Sequence[ParsedEvent]) -> list[tuple[ZoneInfo, datetime, datetime]]:
    """Each zone in use with the first and last time written in it."""
    spans: dict[str, tuple[datetime, datetime]] = {}
    for event in events:
        if event.tzid is not None and not (event.all_day or event.floating):
            key = resolve(event.tzid).key
            first, last = spans.get(key, (event.start_time, event.end_time))
            spans[key] = min(first, event.start_time), max(last, event.end_time)
    return [(resolve(key), first, last) for key, (first, last) in sorted(spans.items()) if key != "UTC"]


def _event_lines(event: ParsedEvent, master: ParsedEvent, now: datetime) -> list[str]:
    lines = [
        "BEGIN:VEVENT",
        f"UID:{event.uid}",
        _utc("DTSTAMP", event.last_modified or now),
        _time("DTSTART", (event.start_time,), event),
        _time("DTEND", (event.end_time,), event),
    ]
    if event.recurrence_id is not None:
        ranged = ";RANGE=THISANDFUTURE" if event.range_this_and_future else ""
        lines.append(_time(f"RECURRENCE-ID{ranged}", (event.recurrence_id,), master))
    if event.rrule is not None:
        lines.append(f"RRULE:{event.rrule}")
    if event.rdates:
        lines.append(_time("RDATE", event.rdates, event))
    if event.exdates:
        lines.append(_time("EXDATE", event.exdates, event))
    if event.sequence:
        lines.append(f"SEQUENCE:{event.sequence}")
    for key, value in (("SUMMARY", event.title), ("DESCRIPTION", event.description), ("LOCATION", event.location)):
        if value:
            lines.append(_text(key, value))
    lines.append(f"STATUS:{event.status}")
    if event.transp != "OPAQUE":
        lines.append(f"TRANSP:{event.transp}")
    if event.classification != "PUBLIC":
        lines.append(f"CLASS:{event.classification}")
    if event.url is not None:
        lines.append(f"URL:{event.url}")
    if event.organizer_email is not None:
        lines.append(_address("ORGANIZER", event.organizer_email, {"CN": event.organizer_name}))
    for attendee in event.attendees:
        params = {
            "CN": attendee.name,
            "CUTYPE": attendee.cutype if attendee.cutype != "INDIVIDUAL" else None,
            "ROLE": attendee.role if attendee.role != "REQ-PARTICIPANT" else None,
            "PARTSTAT": attendee.partstat,
        }
        lines.append(_address("ATTENDEE", attendee.email, params))
    if event.created_at is not None:
        lines.append(_utc("CREATED", event.created_at))
    if event.last_modified is not None:
        lines.append(_utc("LAST-MODIFIED", event.last_modified))
    return [*lines, *event.properties, "END:VEVENT"]


def _time(name: str, instants: Sequence[datetime], event: ParsedEvent) -> str:
    """Times in the form of their series; in UTC where a wall clock would not come back as the same instant."""
    zone = zone_of(event.tzid, all_day=event.all_day, floating=event.floating)
    walls = [to_wall(instant, zone) for instant in instants]
    if event.all_day:
        return f"{name};VALUE=DATE:" + ",".join(f"{wall:%Y%m%d}".rjust(8, "0") for wall in walls)
    joined = ",".join(map(_wall_text, walls))
    if event.floating:
        return f"{name}:{joined}"
    exact = all(to_utc(wall, zone) == instant for wall, instant in zip(walls, instants, strict=True))
    if zone is UTC_ZONE or not exact:
        return f"{name}:" + ",".join(_wall_text(instant.astimezone(UTC)) + "Z" for instant in instants)
    return f"{name};TZID={zone.key}:{joined}"


def _wall_text(wall: datetime) -> str:
    return f"{wall:%Y%m%dT%H%M%S}".rjust(15, "0")


def _utc(name: str, instant: datetime) -> str:
    return f"{name}:{_wall_text(instant.astimezone(UTC))}Z"


def _text(name: str, value: str) -> str:
    broken = value.replace("\r\n", "\n").replace("\r", "\n")
    return f"{name}:{vText(broken).to_ical().decode()}"


def _address(name: str, email: str, params: dict[str, str | None]) -> str:
    given = Parameters({key: safe for key, value in params.items() if (safe := (value or "").translate(CONTROL))})
    written: bytes = given.to_ical(sorted=False)
    return f"{name}{';' if written else ''}{written.decode()}:mailto:{email}"
