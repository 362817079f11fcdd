"""One typed function for each statement of `queries.sql`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from yotei.events.event import ResponseStatus, Status, Stored, Transparency, Visibility
from yotei.storage import statements
from yotei.storage.pool import Source

_SQL: Final = statements.load("yotei.events")


class MemberCalendar(msgspec.Struct, frozen=True, gc=False):
    """A calendar that the viewer reads by right of membership."""

    id: UUID
    role: str


class Selected(msgspec.Struct, frozen=True):
    """What `select_events` found, and the snapshot that it was read under; no events where `rows` are too many."""

    snapshot: str
    rows: int
    calendars: tuple[MemberCalendar, ...]
    events: tuple[Stored, ...]


class CalendarName(msgspec.Struct, frozen=True):
    """A calendar as the command line knows it."""

    id: UUID
    name: str
    tzid: str


class KnownPerson(msgspec.Struct, frozen=True, gc=False):
    """The user behind an address."""

    id: UUID
    name: str


class ContentAttendee(msgspec.Struct, frozen=True, gc=False):
    """`own_name` is the one that the invitation gives, `name` falls back to the person's."""

    email: str
    name: str | None
    own_name: str | None
    response_status: ResponseStatus
    is_optional: bool


class Content(msgspec.Struct, frozen=True):
    """One row of `events` as far as iCalendar has words for it."""

    id: UUID
    uid: str
    sequence: int
    title: str
    description: str | None
    location: str | None
    url: str | None
    start_time: datetime
    end_time: datetime
    tzid: str | None
    all_day: bool
    floating: bool
    rrule: str | None
    rdates: tuple[datetime, ...]
    exdates: tuple[datetime, ...]
    series_id: UUID | None
    recurrence_id: datetime | None
    this_and_future: bool
    status: Status
    transparency: Transparency
    visibility: Visibility
    properties: tuple[str, ...]
    created_at: datetime
    updated_at: datetime
    organizer_id: UUID
    organizer_email: str
    organizer_name: str
    attendees: tuple[ContentAttendee, ...]


class ImportedRow(msgspec.Struct, frozen=True):
    """A row of `events` as a file gives it; no `span_end` is without an end."""

    id: UUID
    organizer_id: UUID
    uid: str
    sequence: int
    title: str
    description: str | None
    location: str | None
    url: str | None
    start_time: datetime
    end_time: datetime
    span_end: datetime | None
    tzid: str | None
    all_day: bool
    floating: bool
    rrule: str | None
    rdates: tuple[datetime, ...]
    exdates: tuple[datetime, ...]
    series_id: UUID | None
    recurrence_id: datetime | None
    this_and_future: bool
    status: str
    transparency: str
    visibility: str
    properties: tuple[str, ...]
    created_at: datetime | None
    updated_at: datetime | None


class InvitedRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `attendees` as a file gives it."""

    event_id: UUID
    email: str
    user_id: UUID | None
    name: str | None
    response_status: str
    is_optional: bool


_contents: Final = msgspec.json.Decoder(tuple[Content, ...])
_calendars: Final = msgspec.json.Decoder(tuple[MemberCalendar, ...])
_events: Final = msgspec.json.Decoder(tuple[Stored, ...])


async def select_events(
    source: Source,
    *,
    viewer_id: UUID,
    calendar_ids: Sequence[UUID] = (),
    with_agenda: bool = False,
    event_ids: Sequence[UUID] = (),
    start: datetime,
    end: datetime,
    wall_start: datetime,
    wall_end: datetime,
    rows_max: int,
) -> Selected:
    row = await source.fetchrow(
        _SQL["select_events"],
        viewer_id,
        list(calendar_ids),
        with_agenda,
        list(event_ids),
        start,
        end,
        wall_start,
        wall_end,
        rows_max,
    )
    assert row is not None
    return Selected(row["snapshot"], row["rows"], _calendars.decode(row["calendars"]), _events.decode(row["events"]))


async def answer_invitation(
    source: Source, event_id: UUID, user_id: UUID, response_status: str, comment: str | None
) -> bool:
    """Whether there was an invitation to answer."""
    return bool(await source.fetch(_SQL["answer_invitation"], event_id, user_id, response_status, comment))


async def lock_import(source: Source, calendar_id: UUID) -> bool:
    """Whether there is such a calendar."""
    return await source.fetchrow(_SQL["lock_import"], calendar_id) is not None


async def find_calendar(
    source: Source, calendar_id: UUID | None, name: str | None, owner_id: UUID | None
) -> CalendarName | None:
    row = await source.fetchrow(_SQL["find_calendar"], calendar_id, name, owner_id)
    return None if row is None else CalendarName(*row)


async def select_people_by_email(source: Source, emails: Sequence[str]) -> dict[str, KnownPerson]:
    found = await source.fetch(_SQL["select_people_by_email"], list(emails))
    return {row["email"]: KnownPerson(row["id"], row["name"]) for row in found}


async def select_content(
    source: Source, calendar_id: UUID, uids: Sequence[str] | None, after: UUID | None, limit: int
) -> tuple[Content, ...]:
    """By id, after one."""
    wanted = None if uids is None else list(uids)
    row = await source.fetchrow(_SQL["select_content"], calendar_id, wanted, after, limit)
    assert row is not None
    return _contents.decode(row["events"])


async def insert_imported(source: Source, calendar_id: UUID, events: Sequence[ImportedRow]) -> None:
    await source.execute(_SQL["insert_imported"], calendar_id, msgspec.json.encode(events).decode())


async def update_imported(source: Source, calendar_id: UUID, events: Sequence[ImportedRow]) -> None:
    await source.execute(_SQL["update_imported"], calendar_id, msgspec.json.encode(events).decode())


async def delete_uninvited(source: Source, event_ids: Sequence[UUID], keep: Sequence[tuple[UUID, str]]) -> None:
    await source.execute(
        _SQL["delete_uninvited"], list(event_ids), [event_id for event_id, _ in keep], [email for _, email in keep]
    )


async def put_invited(source: Source, invited: Sequence[InvitedRow]) -> None:
    await source.execute(_SQL["put_invited"], msgspec.json.encode(invited).decode())


async def join_overrides(source: Source, calendar_id: UUID, uids: Sequence[str]) -> None:
    await source.execute(_SQL["join_overrides"], calendar_id, list(uids))
