"""The values of this room: an event as it is stored, and an instance of it as one viewer sees it.

Field names on the wire are those of RFC-003 (`start_time`, `title`, `response_status`); iCalendar's are in `ical`.
"""

from datetime import date, datetime
from enum import Enum
from typing import Literal
from uuid import UUID

import msgspec

from yotei.users.user import Person

Status = Literal["CONFIRMED", "TENTATIVE", "CANCELLED"]
Transparency = Literal["OPAQUE", "TRANSPARENT"]
Visibility = Literal["PUBLIC", "PRIVATE", "CONFIDENTIAL"]
ResponseStatus = Literal["NEEDS_ACTION", "ACCEPTED", "DECLINED", "TENTATIVE"]


class Invitation(msgspec.Struct, frozen=True, gc=False):
    """A row of `attendees` with the person behind it, when Yotei knows them."""

    email: str
    name: str | None
    user_id: UUID | None
    user_name: str | None
    user_email: str | None
    avatar_url: str | None
    response_status: ResponseStatus
    is_optional: bool
    comment: str | None


class Booking(msgspec.Struct, frozen=True, gc=False):
    """A resource that the event holds, or missed; `recurrence_id` names the instance of a series that does."""

    id: UUID
    name: str
    kind: str
    recurrence_id: datetime | None
    start_time: datetime
    end_time: datetime
    is_missed: bool


class Timed(msgspec.Struct, frozen=True, gc=False):
    """A row of `events` as far as it says when: what expansion needs of it. Times of all-day and floating events are
    wall clock in UTC; no `span_end` is without an end."""

    id: UUID
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
    status: Status

    @property
    def recurs(self) -> bool:
        return self.rrule is not None or bool(self.rdates)

    @property
    def on_wall_clock(self) -> bool:
        return self.all_day or self.floating


class Content(Timed, frozen=True, gc=False):
    """What a row of `events` says besides, wherever it is kept."""

    uid: str
    sequence: int
    title: str
    description: str | None
    location: str | None
    url: str | None
    transparency: Transparency
    visibility: Visibility


class Stored(Content, frozen=True, gc=False):
    """One row of `events` with all that is shown of it."""

    calendar_id: UUID
    version: int
    created_at: datetime
    updated_at: datetime
    role: str | None
    organizer_id: UUID
    organizer_name: str
    organizer_email: str | None
    organizer_avatar_url: str | None
    attendees: tuple[Invitation, ...]
    bookings: tuple[Booking, ...]
    booked_until: datetime | None


class Attendee(msgspec.Struct, frozen=True, gc=False):
    """Somebody invited; `user` is null for people outside the system."""

    email: str
    name: str | None
    response_status: ResponseStatus
    is_optional: bool
    comment: str | None
    user: Person | None


class EventResource(msgspec.Struct, frozen=True, gc=False):
    """A room or a piece of equipment that an event holds."""

    id: UUID
    name: str
    kind: str


class MissedBooking(msgspec.Struct, frozen=True, gc=False):
    """A resource that an event wanted and could not have, at this time; `recurrence_id` names the instance of a
    series."""

    resource_id: UUID
    resource_name: str
    recurrence_id: datetime | None
    start: datetime
    end: datetime


class Access(Enum):
    """How much of an event a viewer sees."""

    FULL = "full"
    BUSY = "busy"


class Event(msgspec.Struct, frozen=True, gc=False):
    """An event, or one instance of a series, as one viewer sees it.

    Where `access` is `busy` only the time is known: every field that could tell more is null, or empty. `start_time`
    and `end_time` are instants; for all-day events they are midnights in the zone of the answer and `start_date`,
    `end_date` (exclusive) are the dates. An instance of a series has `series_id` and `recurrence_id`. The resources of
    a series are booked up to `booked_until`, null where that is its end; `missed` lists what was taken.
    """

    id: UUID
    calendar_id: UUID
    access: Access
    start_time: datetime
    end_time: datetime
    all_day: bool
    start_date: date | None
    end_date: date | None
    floating: bool
    tzid: str | None
    status: Status
    transparency: Transparency
    series_id: UUID | None
    recurrence_id: datetime | None
    is_override: bool
    rrule: str | None
    rdates: tuple[datetime, ...]
    exdates: tuple[datetime, ...]
    uid: str | None
    sequence: int | None
    title: str | None
    description: str | None
    location: str | None
    url: str | None
    visibility: Visibility | None
    organizer_id: UUID | None
    organizer_name: str | None
    organizer: Person | None
    attendees: tuple[Attendee, ...] | None
    attendee_count: int | None
    resources: tuple[EventResource, ...] | None
    room_name: str | None
    room_names: tuple[str, ...] | None
    booked_until: datetime | None
    missed: tuple[MissedBooking, ...] | None
    version: int | None
    created_at: datetime | None
    updated_at: datetime | None
