"""iCalendar text to event values, forgiving of what real files get wrong (RFC 5545, section 3.6.1).

Owns what each property becomes, what is mended, and what is given up with a line number and a
reason. Unknown properties and sub-components such as VALARM are kept as content lines. It does not
know tables or people: an ATTENDEE is an address. The way back is `export`.
"""

import hashlib
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from typing import Final, Literal, NamedTuple, TypeVar, get_args
from zoneinfo import ZoneInfo

import msgspec
from icalendar.parser import unescape_backslash
from icalendar.prop import vDDDTypes, vDuration

from yotei.ical.lines import Component, Finding, Property, read_calendars
from yotei.ical.recurrence import Override, Series, canonical_rrule, rule_never_fires, span
from yotei.ical.rule import RecurrenceError, parse_rule
from yotei.ical.timezones import UTC, UTC_ZONE, UnknownZone, resolve, to_utc, to_wall, zone_of
from yotei.ical.vtimezone import Definition, read_definition

Status = Literal["CONFIRMED", "TENTATIVE", "CANCELLED"]
Transp = Literal["OPAQUE", "TRANSPARENT"]
Classification = Literal["PUBLIC", "PRIVATE", "CONFIDENTIAL"]

STATUSES: Final[tuple[Status, ...]] = get_args(Status)
TRANSPS: Final[tuple[Transp, ...]] = get_args(Transp)
CLASSIFICATIONS: Final[tuple[Classification, ...]] = get_args(Classification)
PARTSTATS: Final = ("NEEDS-ACTION", "ACCEPTED", "DECLINED", "TENTATIVE", "DELEGATED")
ROLES: Final = ("CHAIR", "REQ-PARTICIPANT", "OPT-PARTICIPANT", "NON-PARTICIPANT")
CUTYPES: Final = ("INDIVIDUAL", "GROUP", "RESOURCE", "ROOM", "UNKNOWN")

YEAR_MIN: Final = 2
YEAR_MAX: Final = 9998

_UNDERSTOOD: Final = frozenset(
    {
        "UID",
        "SEQUENCE",
        "SUMMARY",
        "DESCRIPTION",
        "LOCATION",
        "DTSTART",
        "DTEND",
        "DURATION",
        "RRULE",
        "RDATE",
        "EXDATE",
        "RECURRENCE-ID",
        "STATUS",
        "TRANSP",
        "CLASS",
        "URL",
        "ORGANIZER",
        "ATTENDEE",
        "DTSTAMP",
        "CREATED",
        "LAST-MODIFIED",
    }
)
_Word = TypeVar("_Word", bound=str)
_KEPT_OUT: Final = frozenset({"VTIMEZONE", "VEVENT"})


class Attendee(msgspec.Struct, frozen=True):
    """Someone invited (section 3.8.4.1)."""

    email: str
    name: str | None = None
    partstat: str = "NEEDS-ACTION"
    role: str = "REQ-PARTICIPANT"
    cutype: str = "INDIVIDUAL"

    @property
    def is_optional(self) -> bool:
        return self.role == "OPT-PARTICIPANT"


class ParsedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One VEVENT, a master or an override, in the form it is stored.

    Instants are aware UTC. All-day times are midnights in UTC with the end exclusive, floating times
    their wall clock in UTC. `properties` are the content lines nobody here understands, sub-components
    included, unfolded and otherwise as they came.
    """

    uid: str
    start_time: datetime
    end_time: datetime
    all_day: bool = False
    floating: bool = False
    tzid: str | None = None
    sequence: int = 0
    title: str = ""
    description: str = ""
    location: str = ""
    rrule: str | None = None
    rdates: tuple[datetime, ...] = ()
    exdates: tuple[datetime, ...] = ()
    recurrence_id: datetime | None = None
    range_this_and_future: bool = False
    status: Status = "CONFIRMED"
    transp: Transp = "OPAQUE"
    classification: Classification = "PUBLIC"
    url: str | None = None
    organizer_email: str | None = None
    organizer_name: str | None = None
    attendees: tuple[Attendee, ...] = ()
    created_at: datetime | None = None
    last_modified: datetime | None = None
    properties: tuple[str, ...] = ()

    def series(self) -> Series:
        """What expansion needs of a master."""
        return Series(
            start_time=self.start_time,
            end_time=self.end_time,
            all_day=self.all_day,
            floating=self.floating,
            tzid=self.tzid,
            rrule=self.rrule,
            rdates=self.rdates,
            exdates=self.exdates,
        )

    def override(self) -> Override:
        """What expansion needs of an override; only for events with a `recurrence_id`."""
        if self.recurrence_id is None:
            raise ValueError("a master has no RECURRENCE-ID")
        return Override(
            recurrence_id=self.recurrence_id,
            start_time=self.start_time,
            end_time=self.end_time,
            range_this_and_future=self.range_this_and_future,
            cancelled=self.status == "CANCELLED",
        )


class ParsedCalendar(msgspec.Struct, frozen=True):
    """A file's events in file order. `skipped` are components given up, `repaired` what was mended."""

    components: tuple[ParsedEvent, ...]
    skipped: tuple[Finding, ...]
    repaired: tuple[Finding, ...]
    name: str | None = None
    tzid: str | None = None


def parse_calendar(data: bytes | str, *, default_tzid: str | None = None) -> ParsedCalendar:
    """Read an iCalendar stream. `default_tzid` is the zone for times whose own zone nobody knows.

    Raises `NotICalendar` when it is none, or is beyond the bounds of `lines`.
    """
    calendars, misplaced = read_calendars(data)
    reader = _Reader(default_tzid)
    reader.skipped.extend(misplaced)
    for calendar in calendars:
        reader.read_calendar(calendar)
    return ParsedCalendar(
        components=reader.events(),
        skipped=tuple(sorted(reader.skipped, key=_by_line)),
        repaired=tuple(sorted(reader.repaired, key=_by_line)),
        name=reader.name,
        tzid=reader.tzid,
    )


def _by_line(finding: Finding) -> int:
    return finding.line


class _Moment(NamedTuple):
    """A DATE or DATE-TIME with the form it was written in (sections 3.3.4 and 3.3.5)."""

    form: Literal["date", "floating", "utc", "zoned"]
    wall: datetime
    instant: datetime
    tzid: str | None


class _Draft(NamedTuple):
    """A VEVENT on its own; its RECURRENCE-ID cannot be placed before its master is known."""

    line: int
    event: ParsedEvent
    replaces: _Moment | None


class _Unusable(ValueError):
    """A component that must be given up."""


class _Reader:
    """One pass over a file: zones first, then events, then what joins them."""

    def __init__(self, default_tzid: str | None) -> None:
        self.skipped: list[Finding] = []
        self.repaired: list[Finding] = []
        self.name: str | None = None
        self.tzid: str | None = None
        self._default_tzid = default_tzid
        self._definitions: dict[str, Definition] = {}
        self._drafts: list[_Draft] = []
        self._line = 0
        self._uid: str | None = None

    def read_calendar(self, calendar: Component) -> None:
        self._uid = None
        self._definitions = {}
        self.repaired.extend(calendar.faults)
        for named in ("X-WR-CALNAME", "NAME"):
            prop = calendar.first(named)
            if prop is not None and self.name is None:
                self.name = _text(prop) or None
        zone = calendar.first("X-WR-TIMEZONE")
        if zone is not None and self.tzid is None:
            try:
                self.tzid = resolve(zone.value).key
            except UnknownZone as error:
                self._mend(zone.line, str(error))
        for child in calendar.children:
            if child.name == "VTIMEZONE":
                definition, fault = read_definition(child)
                if definition is not None:
                    self._definitions.setdefault(definition.tzid, definition)
                if fault is not None:
                    self.repaired.append(fault)
        for child in calendar.children:
            if child.name == "VEVENT":
                self._read_or_skip(child)
            elif child.name != "VTIMEZONE":
                uid = child.first("UID")
                reason = f"{child.name[:32]} is not kept"
                self.skipped.append(Finding(child.line, uid.value if uid is not None else None, reason))

    def events(self) -> tuple[ParsedEvent, ...]:
        """Drafts with their RECURRENCE-ID in the form of their master; of duplicates, the latest revision."""
        masters: dict[str, ParsedEvent] = {}
        for draft in self._drafts:
            if draft.replaces is None and _is_newer(draft.event, masters.get(draft.event.uid)):
                masters[draft.event.uid] = draft.event
        placed: dict[tuple[str, datetime | None], tuple[int, ParsedEvent]] = {}
        for line, draft_event, replaces in self._drafts:
            event = draft_event
            if replaces is not None:
                master = masters.get(event.uid, event)
                event = msgspec.structs.replace(event, recurrence_id=_placed(replaces, master))
            key = (event.uid, event.recurrence_id)
            rival = placed.get(key)
            if rival is None or _is_newer(event, rival[1]):
                placed[key] = (line, event)
                lost = rival[0] if rival is not None else None
            else:
                lost = line
            if lost is not None:
                reason = "the same UID and RECURRENCE-ID again, in an earlier or equal revision"
                self.skipped.append(Finding(lost, event.uid, reason))
        return tuple(event for _, event in sorted(placed.values(), key=lambda entry: entry[0]))

    def _read_or_skip(self, component: Component) -> None:
        uid = component.first("UID")
        self._line = component.line
        self._uid = uid.value.strip() if uid is not None else None
        self.repaired.extend(Finding(fault.line, self._uid, fault.reason) for fault in component.faults)
        try:
            self._drafts.append(self._read_event(component))
        except (_Unusable, OverflowError) as error:
            self.skipped.append(Finding(component.line, self._uid, str(error)))

    def _mend(self, line: int, reason: str) -> None:
        self.repaired.append(Finding(line, self._uid, reason))

    def _read_event(self, component: Component) -> _Draft:
        start = self._start(component)
        form = _Form(start.form == "date", start.form == "floating", start.tzid)
        end = self._end(component, start, form)
        rrule = self._rrule(component, start, form)
        rdates = self._moments(component, "RDATE", start, form)
        exdates = self._moments(component, "EXDATE", start, form)
        if rrule is not None:
            rrule = self._usable_rrule(component, form, rrule, start.instant, end)
        organizer = component.first("ORGANIZER")
        organizer_email = _email(organizer) if organizer is not None else None
        attendees, unaddressed = self._attendees(component)
        modified = self._stamp(component, "LAST-MODIFIED")
        replaced = component.first("RECURRENCE-ID")
        replaces = self._moment(replaced, replaced.value) if replaced is not None else None
        kept = [prop.text for prop in component.properties if prop.name not in _UNDERSTOOD]
        kept += unaddressed
        if organizer is not None and organizer_email is None:
            kept.append(organizer.text)
        for child in component.children:
            if child.name not in _KEPT_OUT:
                kept.extend(child.content_lines())
        event = ParsedEvent(
            uid=self._uid or self._made_uid(component),
            start_time=start.instant,
            end_time=end,
            all_day=form.all_day,
            floating=form.floating,
            tzid=form.tzid,
            sequence=self._sequence(component),
            title=_first_text(component, "SUMMARY"),
            description=_first_text(component, "DESCRIPTION"),
            location=_first_text(component, "LOCATION"),
            rrule=rrule if replaces is None else None,
            rdates=rdates if replaces is None else (),
            exdates=exdates if replaces is None else (),
            range_this_and_future=replaced is not None and (replaced.param("RANGE") or "").upper() == "THISANDFUTURE",
            status=self._keyword(component, "STATUS", STATUSES, "CONFIRMED", absent="CONFIRMED"),
            transp=self._keyword(component, "TRANSP", TRANSPS, "OPAQUE", absent="OPAQUE"),
            # An unknown CLASS is treated as PRIVATE (section 3.8.1.3).
            classification=self._keyword(component, "CLASS", CLASSIFICATIONS, "PRIVATE", absent="PUBLIC"),
            url=_uri(component, "URL"),
            organizer_email=organizer_email,
            organizer_name=organizer.param("CN") if organizer is not None and organizer_email is not None else None,
            attendees=attendees,
            created_at=self._stamp(component, "CREATED"),
            last_modified=modified if modified is not None else self._stamp(component, "DTSTAMP"),
            properties=tuple(kept),
        )
        return _Draft(component.line, event, replaces)

    def _start(self, component: Component) -> _Moment:
        prop = component.first("DTSTART")
        if prop is None:
            raise _Unusable("VEVENT without DTSTART")
        moment = self._moment(prop, prop.value)
        if moment is None:
            raise _Unusable("DTSTART is neither a date nor a date with time")
        if not YEAR_MIN <= moment.wall.year <= YEAR_MAX:
            raise _Unusable(f"DTSTART is outside the years {YEAR_MIN} to {YEAR_MAX}")
        return moment

    def _end(self, component: Component, start: _Moment, form: "_Form") -> datetime:
        """DTEND, or DTSTART and DURATION, or the default of section 3.6.1: one day for a date, no time else."""
        default = start.instant + timedelta(days=1) if form.all_day else start.instant
        prop, duration = component.first("DTEND"), component.first("DURATION")
        end = default
        if prop is not None:
            moment = self._moment(prop, prop.value)
            if moment is None:
                self._mend(prop.line, "DTEND cannot be read and is left out")
            else:
                end = _placed_in(moment, form, start.wall)
        elif duration is not None:
            try:
                end = _after(start, duration.value.strip(), form)
            except (ValueError, OverflowError):
                self._mend(duration.line, "DURATION cannot be read and is left out")
        if end < start.instant or (form.all_day and end == start.instant):
            self._mend(component.line, "the end is not after the start and is left out")
            end = default
        return end

    def _rrule(self, component: Component, start: _Moment, form: "_Form") -> str | None:
        props = component.all("RRULE")
        if not props:
            return None
        if len(props) > 1:
            self._mend(props[1].line, "more than one RRULE: the first is used")
        try:
            return canonical_rrule(
                props[0].value, all_day=form.all_day, floating=form.floating, tzid=form.tzid, lenient=True
            )
        except RecurrenceError as error:
            self._mend(props[0].line, f"RRULE left out: {error}")
            return None

    def _usable_rrule(
        self, component: Component, form: "_Form", rrule: str, start: datetime, end: datetime
    ) -> str | None:
        """The rule, unless no instance ever comes of it or its COUNT is beyond counting."""
        series = Series(start, end, form.all_day, form.floating, form.tzid, rrule)
        try:
            span(series)
        except RecurrenceError as error:
            self._mend(component.line, f"RRULE left out: {error}")
            return None
        if not rule_never_fires(series):
            return rrule
        if parse_rule(rrule).until is not None and not rule_never_fires(
            msgspec.structs.replace(series, rrule=_without_until(rrule))
        ):
            raise _Unusable("UNTIL is before DTSTART: there is no instance")
        self._mend(component.line, "RRULE left out: it never fires")
        return None

    def _moments(self, component: Component, name: str, start: _Moment, form: "_Form") -> tuple[datetime, ...]:
        """RDATE or EXDATE values as instants of this series, sorted, without repeats."""
        found: set[datetime] = set()
        for prop in component.all(name):
            for item in prop.value.split(","):
                begin, slash, _ = item.strip().partition("/")
                moment = self._moment(prop, begin) if begin else None
                if moment is None:
                    self._mend(prop.line, f"a value of {name} cannot be read and is left out")
                    continue
                if slash:
                    self._mend(prop.line, f"a period in {name} takes the duration of the event")
                found.add(_placed_in(moment, form, start.wall))
        return tuple(sorted(found))

    def _moment(self, prop: Property, text: str) -> _Moment | None:
        """Read one DATE or DATE-TIME by the look of its value: the VALUE parameter is often wrong."""
        value = text.strip()
        try:
            read = vDDDTypes.from_ical(value)  # type: ignore[no-untyped-call]
        except ValueError:
            return None
        if not isinstance(read, date):
            return None
        if not isinstance(read, datetime):
            wall = datetime.combine(read, time())
            return _Moment("date", wall, wall.replace(tzinfo=UTC), None)
        wall = read.replace(tzinfo=None)
        tzid = prop.param("TZID")
        if value.endswith(("Z", "z")):
            return _Moment("utc", wall, wall.replace(tzinfo=UTC), None)
        if tzid is None:
            return _Moment("floating", wall, wall.replace(tzinfo=UTC), None)
        return self._zoned(prop, wall, tzid.strip())

    def _zoned(self, prop: Property, wall: datetime, tzid: str) -> _Moment:
        definition = self._definitions.get(tzid)
        zone: ZoneInfo | None = None
        if definition is not None and definition.zone is not None:
            zone = definition.zone
        elif definition is not None:
            if prop.name == "DTSTART":
                self._mend(prop.line, f"time zone {tzid[:64]!r} has no IANA equivalent: its times are kept in UTC")
            instant = definition.instant(wall)
            return _Moment("utc", instant.replace(tzinfo=None), instant, None)
        else:
            for name in (tzid, self._default_tzid, self.tzid):
                try:
                    zone = resolve(name) if name is not None else None
                except UnknownZone:
                    continue
                if zone is not None:
                    if name != tzid and prop.name == "DTSTART":
                        self._mend(prop.line, f"unknown time zone {tzid[:64]!r} is read as {zone.key}")
                    break
        if zone is None:
            if prop.name == "DTSTART":
                self._mend(prop.line, f"unknown time zone {tzid[:64]!r}: its times are kept as floating")
            return _Moment("floating", wall, wall.replace(tzinfo=UTC), None)
        if zone is UTC_ZONE:
            return _Moment("utc", wall, wall.replace(tzinfo=UTC), None)
        return _Moment("zoned", wall, to_utc(wall, zone), zone.key)

    def _attendees(self, component: Component) -> tuple[tuple[Attendee, ...], list[str]]:
        """Attendees by address, the first of each; lines without an address are kept as they are."""
        found: dict[str, Attendee] = {}
        unaddressed = []
        for prop in component.all("ATTENDEE"):
            email = _email(prop)
            if email is None:
                unaddressed.append(prop.text)
            elif email.lower() in found:
                self._mend(prop.line, "the same ATTENDEE again is left out")
            else:
                found[email.lower()] = Attendee(
                    email=email,
                    name=prop.param("CN") or None,
                    partstat=_one_of(prop.param("PARTSTAT"), PARTSTATS, "NEEDS-ACTION"),
                    role=_one_of(prop.param("ROLE"), ROLES, "REQ-PARTICIPANT"),
                    cutype=_one_of(prop.param("CUTYPE"), CUTYPES, "INDIVIDUAL"),
                )
        return tuple(found.values()), unaddressed

    def _sequence(self, component: Component) -> int:
        prop = component.first("SEQUENCE")
        if prop is None:
            return 0
        digits = prop.value.strip()
        if digits.isascii() and digits.isdigit() and len(digits) <= 9:
            return int(digits)
        self._mend(prop.line, "SEQUENCE is not a number and is taken as 0")
        return 0

    def _keyword(
        self, component: Component, name: str, known: tuple[_Word, ...], unknown: _Word, *, absent: _Word
    ) -> _Word:
        prop = component.first(name)
        if prop is None:
            return absent
        value = prop.value.strip().upper()
        for word in known:
            if word == value:
                return word
        self._mend(prop.line, f"{name} {value[:32]!r} is taken as {unknown}")
        return unknown

    def _stamp(self, component: Component, name: str) -> datetime | None:
        """CREATED, LAST-MODIFIED, DTSTAMP: UTC by definition, whatever is written."""
        prop = component.first(name)
        if prop is None:
            return None
        moment = self._moment(prop, prop.value)
        return moment.instant if moment is not None else None

    def _made_uid(self, component: Component) -> str:
        """A UID from the content, so that reading the file again gives the same one."""
        self._mend(component.line, "VEVENT without UID: one is made from its content")
        digest = hashlib.sha256("\n".join(component.content_lines()).encode()).hexdigest()
        return f"{digest[:32]}@uid.invalid"


class _Form(NamedTuple):
    """The form of DTSTART, which decides that of every other time of its series."""

    all_day: bool
    floating: bool
    tzid: str | None


def _placed(moment: _Moment, master: ParsedEvent) -> datetime:
    form = _Form(master.all_day, master.floating, master.tzid)
    zone = zone_of(master.tzid, all_day=master.all_day, floating=master.floating)
    return _placed_in(moment, form, to_wall(master.start_time, zone))


def _placed_in(moment: _Moment, form: _Form, start_wall: datetime) -> datetime:
    """The instant a time means in a series of another form: its date, its wall clock, or DTSTART's time of day."""
    if form.all_day:
        return datetime.combine(moment.wall.date(), time(), tzinfo=UTC)
    if form.floating:
        wall = datetime.combine(moment.wall.date(), start_wall.time()) if moment.form == "date" else moment.wall
        return wall.replace(tzinfo=UTC)
    if moment.form == "date":
        return to_utc(datetime.combine(moment.wall.date(), start_wall.time()), zone_of(form.tzid))
    if moment.form == "floating":
        return to_utc(moment.wall, zone_of(form.tzid))
    return moment.instant


def _after(start: _Moment, duration: str, form: _Form) -> datetime:
    """DTSTART plus a DURATION: weeks and days on the wall clock, then exact time (section 3.3.6)."""
    nominal, _, exact = duration.upper().lstrip("+").partition("T")
    days = _duration(nominal) if nominal not in ("P", "-P") else timedelta(0)
    rest = _duration(f"{'-' if nominal.startswith('-') else ''}PT{exact}") if exact else timedelta(0)
    if form.all_day:
        whole_days = max((days + rest).days, 1) if days + rest > timedelta(0) else 0
        return start.instant + timedelta(days=whole_days)
    zone = zone_of(start.tzid)
    return (to_utc(start.wall + days, zone) if days else start.instant) + rest


def _duration(text: str) -> timedelta:
    duration: timedelta = vDuration.from_ical(text)  # type: ignore[no-untyped-call]
    return duration


def _without_until(rrule: str) -> str:
    return ";".join(part for part in rrule.split(";") if not part.startswith("UNTIL="))


def _is_newer(event: ParsedEvent, rival: ParsedEvent | None) -> bool:
    """By SEQUENCE, then by LAST-MODIFIED (section 3.8.7); of equals the first stays."""
    return rival is None or _revision(event) > _revision(rival)


def _revision(event: ParsedEvent) -> tuple[int, float]:
    return event.sequence, event.last_modified.timestamp() if event.last_modified is not None else 0.0


def _first_text(component: Component, name: str) -> str:
    prop = component.first(name)
    return _text(prop) if prop is not None else ""


def _text(prop: Property) -> str:
    text: str = unescape_backslash(prop.value)
    return text


def _uri(component: Component, name: str) -> str | None:
    """A URI has no escapes: a backslash in it is one (section 3.3.13)."""
    prop = component.first(name)
    return (prop.value.strip() or None) if prop is not None else None


def _one_of(value: str | None, known: Iterable[str], default: str) -> str:
    upper = (value or "").upper()
    return upper if upper in known else default


def _email(prop: Property) -> str | None:
    """The address of a calendar user: `mailto:`, the EMAIL parameter (RFC 7986, section 6.2), or a bare address."""
    value = prop.value.strip()
    if value[:7].lower() == "mailto:":
        value = value[7:]
    elif "@" not in value or ":" in value or "/" in value:
        value = prop.param("EMAIL") or ""
    value = value.strip()
    return value if "@" in value and not any(character.isspace() for character in value) else None
