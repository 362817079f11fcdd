"""Whole iCalendar files into a calendar and out of it, for the command line (RFC 5545; the text itself is `ical`'s).

An import is one transaction: components that cannot be kept are skipped with line and reason, the rest goes in by a
number of statements that grows with tens of thousands of events; where all are skipped nothing is done. A component is
known by UID and RECURRENCE-ID. A lower SEQUENCE than the stored one changes nothing, a higher one or another content
replaces what is there, the same content changes nothing. An answer that somebody gave here is kept until the file
brings one, or a higher SEQUENCE.

Not kept of an ATTENDEE: CUTYPE, DELEGATED, and the difference between CHAIR and other required participants.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec

from yotei.calendars import rows as calendars
from yotei.calendars.calendar import COLOR_DEFAULT
from yotei.errors import not_found
from yotei.events import rows, write
from yotei.events.rows import Exported, ImportedRow, InvitedRow, KnownPerson
from yotei.ical import Attendee, Finding, ParsedCalendar, ParsedEvent, parse_calendar, span, write_calendar
from yotei.ical.lines import read_calendars
from yotei.storage.ids import uuid7
from yotei.storage.pool import Database, Source
from yotei.users.user import Profile

CHUNK_EVENTS: Final = 10_000
"""Events in one statement at most."""
_EXPORT_EVENTS: Final = 5_000

_LENGTHS_MAX: Final = {
    "uid": 1_000,
    "title": 500,
    "description": 100_000,
    "location": 2_000,
    "url": 4_000,
    "rrule": 2_000,
}
# A row of the index on it has 2,704 bytes at most.
_UID_BYTES_MAX: Final = 2_000
_COUNTS_MAX: Final = {"rdates": 10_000, "exdates": 10_000, "properties": 2_000}
_FROM_PARTSTAT: Final[Mapping[str, str]] = {
    "NEEDS-ACTION": "NEEDS_ACTION",
    "ACCEPTED": "ACCEPTED",
    "DECLINED": "DECLINED",
    "TENTATIVE": "TENTATIVE",
    "DELEGATED": "NEEDS_ACTION",
}


class Target(msgspec.Struct, frozen=True):
    """Where a file goes: a calendar that is there, or the name of one of the owner's, made when it is not there."""

    owner: Profile
    calendar_id: UUID | None = None
    name: str | None = None


class ImportReport(msgspec.Struct, frozen=True):
    """What became of a file. `events` counts its single events; `skipped` are components that were given up."""

    calendar_id: UUID
    events: int
    series: int
    overrides: int
    added: int
    updated: int
    unchanged: int
    skipped: tuple[Finding, ...]
    repaired: tuple[Finding, ...]


class NothingKept(Exception):
    """Everything in a file was skipped, for the reasons in `skipped`."""

    def __init__(self, skipped: tuple[Finding, ...]) -> None:
        super().__init__("everything in it was skipped")
        self.skipped: Final = skipped


async def import_calendar(
    database: Database, target: Target, data: bytes, *, file_name: str, now: datetime
) -> ImportReport:
    """Bring a file into a calendar, whole or not at all. A new calendar without a name takes the file's.

    Raises `NotICalendar` when it is none, `NothingKept` when all of it was skipped, and Problem `not_found` when there
    is no such calendar.
    """
    parsed = parse_calendar(data, default_tzid=target.owner.tzid)
    kept, refused = _kept(parsed)
    skipped = tuple(sorted([*parsed.skipped, *_located(refused, data)], key=_by_line))
    if skipped and not kept:
        raise NothingKept(skipped)

    async def work(tx: Source) -> tuple[UUID, "_Tally"]:
        calendar_id = await _calendar(tx, target, parsed, file_name)
        tally = _Tally(0, 0, 0)
        for chunk in _chunks(kept):
            tally = tally.plus(await _import_chunk(tx, calendar_id, target.owner.id, chunk, now))
        return calendar_id, tally

    calendar_id, tally = await database.run(work, actor_id=target.owner.id)
    overrides = sum(one.recurrence_id is not None for one in kept)
    series = sum(one.rrule is not None or bool(one.rdates) for one in kept)
    return ImportReport(
        calendar_id=calendar_id,
        events=len(kept) - overrides - series,
        series=series,
        overrides=overrides,
        added=tally.added,
        updated=tally.updated,
        unchanged=tally.unchanged,
        skipped=skipped,
        repaired=parsed.repaired,
    )


async def export_calendar(database: Database, calendar_id: UUID, *, now: datetime) -> bytes:
    """All events of a calendar as one file, private ones too. Problem `not_found`."""
    found = await rows.find_calendar(database, calendar_id, None, None)
    if found is None:
        raise not_found("calendar")
    events: list[ParsedEvent] = []
    after: UUID | None = None
    while True:
        page = await rows.select_content(database, calendar_id, None, after, _EXPORT_EVENTS)
        events += (_exported(one) for one in page)
        if len(page) < _EXPORT_EVENTS:
            break
        after = page[-1].id
    # A master stands before its overrides, so that a reader that goes line by line knows it.
    events.sort(key=lambda one: (one.uid, one.recurrence_id is not None, one.recurrence_id or one.start_time))
    return write_calendar(events, now=now, name=found.name, tzid=found.tzid)


class _Tally(NamedTuple):
    added: int
    updated: int
    unchanged: int

    def plus(self, more: "_Tally") -> "_Tally":
        return _Tally(self.added + more.added, self.updated + more.updated, self.unchanged + more.unchanged)


class _Key(NamedTuple):
    uid: str
    recurrence_id: datetime | None


async def _calendar(tx: Source, target: Target, parsed: ParsedCalendar, file_name: str) -> UUID:
    """The calendar of the target, locked; made first when it is a name that the owner has no calendar of."""
    name = (target.name or parsed.name or file_name).strip()[:200] or "Calendar"
    found = await rows.find_calendar(tx, target.calendar_id, None if target.calendar_id else name, target.owner.id)
    if found is not None:
        calendar_id = found.id
    elif target.calendar_id is not None:
        raise not_found("calendar")
    else:
        calendar_id = uuid7()
        tzid = parsed.tzid or target.owner.tzid
        await calendars.insert_calendar(tx, calendar_id, name, None, COLOR_DEFAULT, tzid, None, target.owner.id)
    if not await rows.lock_import(tx, calendar_id):
        raise not_found("calendar")
    return calendar_id


def _chunks(events: Sequence[ParsedEvent]) -> Iterator[Sequence[ParsedEvent]]:
    """Masters first, so that no override comes before its own."""
    ordered = sorted(events, key=lambda one: one.recurrence_id is not None)
    for at in range(0, len(ordered), CHUNK_EVENTS):
        yield ordered[at : at + CHUNK_EVENTS]


async def _import_chunk(
    tx: Source, calendar_id: UUID, owner_id: UUID, chunk: Sequence[ParsedEvent], now: datetime
) -> _Tally:
    uids = sorted({one.uid for one in chunk})
    stored = await _stored(tx, calendar_id, uids)
    people = await rows.select_people_by_email(tx, sorted(set(_emails(chunk))))
    ids = {key: one.id for key, one in stored.items()}
    for event in chunk:
        ids.setdefault(_Key(event.uid, event.recurrence_id), uuid7())
    added: list[ImportedRow] = []
    updated: list[ImportedRow] = []
    invited: list[InvitedRow] = []
    for event in chunk:
        key = _Key(event.uid, event.recurrence_id)
        there = stored.get(key)
        row = _row(event, ids, owner_id, people)
        guests = [_invited(one, row.id, people) for one in event.attendees]
        if there is None:
            added.append(row)
        elif row.sequence < there.sequence:
            continue
        else:
            guests = _with_answers_kept(guests, there, is_later=row.sequence > there.sequence)
            if _says(row, guests) == _says_stored(there):
                continue
            updated.append(row)
        invited += guests
    if added:
        await rows.insert_imported(tx, calendar_id, added)
    if updated:
        await rows.update_imported(tx, calendar_id, updated)
        changed = [one.id for one in updated]
        await rows.delete_uninvited(tx, changed, [(one.event_id, one.email) for one in invited])
    if invited:
        await rows.put_invited(tx, invited)
    if added or updated:
        await rows.join_overrides(tx, calendar_id, uids)
        # A file says nothing of rooms: they follow the times, and a new exception wants those of its series.
        changed = [one.id for one in (*added, *updated)]
        await write.rebook(tx, await rows.inherit_wishes(tx, changed), now=now)
    return _Tally(len(added), len(updated), len(chunk) - len(added) - len(updated))


async def _stored(tx: Source, calendar_id: UUID, uids: Sequence[str]) -> dict[_Key, Exported]:
    """What the calendar holds under these UIDs; overrides can make it more than a chunk."""
    found: dict[_Key, Exported] = {}
    after: UUID | None = None
    while True:
        page = await rows.select_content(tx, calendar_id, uids, after, CHUNK_EVENTS)
        found.update((_Key(one.uid, one.recurrence_id), one) for one in page)
        if len(page) < CHUNK_EVENTS:
            return found
        after = page[-1].id


def _emails(events: Iterable[ParsedEvent]) -> Iterator[str]:
    for event in events:
        if event.organizer_email is not None:
            yield event.organizer_email.lower()
        for attendee in event.attendees:
            yield attendee.email.lower()


def _row(
    event: ParsedEvent, ids: Mapping[_Key, UUID], owner_id: UUID, people: Mapping[str, KnownPerson]
) -> ImportedRow:
    """An organizer whom nobody knows here stays as a content line; the owner of the import stands in."""
    organizer = people.get((event.organizer_email or "").lower())
    properties = event.properties
    if event.organizer_email is not None and organizer is None:
        properties = (*properties, _organizer_line(event.organizer_email, event.organizer_name))
    is_override = event.recurrence_id is not None
    return ImportedRow(
        id=ids[_Key(event.uid, event.recurrence_id)],
        organizer_id=owner_id if organizer is None else organizer.id,
        uid=event.uid,
        sequence=event.sequence,
        title=event.title,
        description=event.description or None,
        location=event.location or None,
        url=event.url,
        start_time=event.start_time,
        end_time=event.end_time,
        # That of an override which moves what follows is set by `join_overrides`.
        span_end=event.end_time if is_override else span(event.series())[1],
        tzid=event.tzid,
        all_day=event.all_day,
        floating=event.floating,
        rrule=event.rrule,
        rdates=event.rdates,
        exdates=event.exdates,
        series_id=ids.get(_Key(event.uid, None)) if is_override else None,
        recurrence_id=event.recurrence_id,
        this_and_future=event.range_this_and_future,
        status=event.status,
        transparency=event.transp,
        visibility=event.classification,
        properties=properties,
        created_at=event.created_at,
        updated_at=event.last_modified,
    )


def _organizer_line(email: str, name: str | None) -> str:
    # A quoted parameter holds anything but a double quote (RFC 5545, section 3.1; RFC 6868).
    quoted = f';CN="{name.translate(_CARETS)}"' if name else ""
    return f"ORGANIZER{quoted}:mailto:{email}"


_CARETS: Final = str.maketrans({'"': "^'", "^": "^^", "\n": "^n"})


def _invited(attendee: Attendee, event_id: UUID, people: Mapping[str, KnownPerson]) -> InvitedRow:
    email = attendee.email.lower()
    person = people.get(email)
    return InvitedRow(
        event_id=event_id,
        email=email,
        user_id=None if person is None else person.id,
        # The name of somebody known is their own to change; only another one is kept.
        name=None if person is not None and person.name == attendee.name else attendee.name,
        response_status=_FROM_PARTSTAT[attendee.partstat],
        is_optional=attendee.is_optional,
    )


def _with_answers_kept(guests: list[InvitedRow], there: Exported, *, is_later: bool) -> list[InvitedRow]:
    if is_later:
        return guests
    answers = {one.email: one.response_status for one in there.attendees}
    return [
        msgspec.structs.replace(one, response_status=answers.get(one.email, one.response_status))
        if one.response_status == "NEEDS_ACTION"
        else one
        for one in guests
    ]


_SAID: Final = (
    *("organizer_id", "sequence", "title", "description", "location", "url", "start_time", "end_time", "tzid"),
    *("all_day", "floating", "rrule", "rdates", "exdates", "this_and_future", "status", "transparency", "visibility"),
    "properties",
)


def _says(row: ImportedRow, guests: Iterable[InvitedRow]) -> tuple[Any, ...]:
    attendees = sorted((one.email, one.name or "", one.response_status, one.is_optional) for one in guests)
    return *(getattr(row, field) for field in _SAID), attendees


def _says_stored(there: Exported) -> tuple[Any, ...]:
    attendees = sorted((one.email, one.own_name or "", one.response_status, one.is_optional) for one in there.attendees)
    return *(getattr(there, field) for field in _SAID), attendees


def _exported(row: Exported) -> ParsedEvent:
    has_own_organizer = any(line.startswith(("ORGANIZER:", "ORGANIZER;")) for line in row.properties)
    return ParsedEvent(
        uid=row.uid,
        start_time=row.start_time,
        end_time=row.end_time,
        all_day=row.all_day,
        floating=row.floating,
        tzid=row.tzid,
        sequence=row.sequence,
        title=row.title,
        description=row.description or "",
        location=row.location or "",
        rrule=row.rrule,
        rdates=row.rdates,
        exdates=row.exdates,
        recurrence_id=row.recurrence_id,
        range_this_and_future=row.this_and_future,
        status=row.status,
        transp=row.transparency,
        classification=row.visibility,
        url=row.url,
        organizer_email=None if has_own_organizer else row.organizer_email,
        organizer_name=None if has_own_organizer else row.organizer_name,
        attendees=tuple(
            Attendee(
                email=one.email,
                name=one.name,
                partstat=one.response_status.replace("_", "-"),
                role="OPT-PARTICIPANT" if one.is_optional else "REQ-PARTICIPANT",
            )
            for one in row.attendees
        ),
        created_at=_whole_second(row.created_at),
        last_modified=_whole_second(row.updated_at),
        properties=row.properties,
    )


def _whole_second(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)


class _Refused(NamedTuple):
    uid: str
    is_override: bool
    reason: str


def _kept(parsed: ParsedCalendar) -> tuple[list[ParsedEvent], list[_Refused]]:
    """What fits the schema, and why the rest does not. Nothing is cut to fit."""
    kept, refused = [], []
    for event in parsed.components:
        reason = _misfit(event)
        if reason is None:
            kept.append(event)
        else:
            refused.append(_Refused(event.uid, event.recurrence_id is not None, reason))
    return kept, refused


def _misfit(event: ParsedEvent) -> str | None:
    for field, length_max in _LENGTHS_MAX.items():
        if len(getattr(event, field) or "") > length_max:
            return f"{field} is longer than {length_max:,} characters"
    if len(event.uid.encode()) > _UID_BYTES_MAX:
        return f"uid is longer than {_UID_BYTES_MAX:,} bytes"
    for field, count_max in _COUNTS_MAX.items():
        # One place is for an ORGANIZER that nobody knows here.
        if len(getattr(event, field)) >= count_max:
            return f"{field} are more than {count_max - 1:,}"
    for attendee in event.attendees:
        # As it is stored: some letters are two in lower case.
        if not 3 <= len(attendee.email.lower()) <= 320 or len(attendee.name or "") > 200:
            return "an ATTENDEE has an address beyond 320 characters or a name beyond 200"
    try:
        ends = span(event.series())[1]
    except (ValueError, OverflowError) as error:
        return str(error)
    return "it ends before it begins" if ends is not None and ends < event.end_time else None


def _located(refused: Sequence[_Refused], data: bytes) -> Iterator[Finding]:
    """Refusals with the line of their component, which is looked up only now that there are any."""
    if not refused:
        return
    lines: dict[tuple[str, bool], int] = {}
    for calendar in read_calendars(data)[0]:
        for child in calendar.children:
            uid = child.first("UID")
            if uid is not None:
                lines.setdefault((uid.value.strip(), child.first("RECURRENCE-ID") is not None), child.line)
    for one in refused:
        yield Finding(lines.get((one.uid, one.is_override), 1), one.uid[:100], one.reason)


def _by_line(finding: Finding) -> int:
    return finding.line
