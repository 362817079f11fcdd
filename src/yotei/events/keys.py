"""The units of events in the cache: their keys, their payloads, and which change purges which."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Final
from uuid import UUID

import msgspec

from yotei.cache.key import Key
from yotei.events.event import Content, ResponseStatus
from yotei.storage.change_log import Change, Span

PURGE_MONTHS_MAX: Final = 24
"""A longer span purges all months of a calendar or a person."""
_EVERYWHERE: Final = Span(None, None)
_MICROSECOND: Final = timedelta(microseconds=1)


class Hold(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A reservation that an event has, or missed; `recurrence_id` names the instance of a series that does."""

    id: UUID
    resource_id: UUID
    recurrence_id: datetime | None
    start_time: datetime
    end_time: datetime
    is_missed: bool


class Kept(Content, frozen=True, gc=False, array_like=True):
    """A row of `events` with what it holds, of people and rooms the ids only; the order is that of `load_units`."""

    calendar_id: UUID
    organizer_id: UUID
    version: int
    created_at: datetime
    updated_at: datetime
    booked_until: datetime | None
    holds: tuple[Hold, ...]


class Month(msgspec.Struct, frozen=True, array_like=True):
    """The events of one calendar that touch a month of UTC: single events, series, and their overrides, those that
    replace an instance in it too; `rows` is None where they are too many to be kept, or part of a series is elsewhere.

    `people` are those whom each of the rows named when it was read: a hint of what will be asked next.
    """

    rows: tuple[Kept, ...] | None
    people: tuple[tuple[UUID, ...], ...] = ()


class Full(msgspec.Struct, frozen=True, array_like=True):
    """One event that is not deleted, with what it holds from yesterday on."""

    row: Kept
    people: tuple[UUID, ...] = ()


class Invited(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A row of `attendees`, without its event."""

    email: str
    name: str | None
    user_id: UUID | None
    response_status: ResponseStatus
    is_optional: bool
    comment: str | None


class Concern(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """An event that somebody organises or is invited to."""

    event_id: UUID
    calendar_id: UUID


class Concerns(msgspec.Struct, frozen=True, array_like=True):
    """Those of one person that touch a month of UTC; `all` is None where they are too many to be kept."""

    all: tuple[Concern, ...] | None


TYPES: Final[dict[str, Any]] = {
    "calendar_events": Month,
    "event_full": Full,
    "event_attendees": tuple[Invited, ...],
    "user_invitations": Concerns,
}
"""What the values of each family are."""


def month(calendar_id: UUID, month_: str) -> Key:
    """The events of a calendar in a month of UTC, `2026-11`."""
    group = _months(calendar_id)
    return Key(f"{group}{month_}", "calendar_events", f"{group}*")


def full(event_id: UUID) -> Key:
    return Key(f"event:{event_id}:full", "event_full")


def attendees(event_id: UUID) -> Key:
    return Key(f"event:{event_id}:attendees", "event_attendees")


def invitations(user_id: UUID, month_: str) -> Key:
    """What somebody organises or is invited to in a month of UTC."""
    group = _invitations(user_id)
    return Key(f"{group}{month_}", "user_invitations", f"{group}*")


def month_of(key: Key) -> str:
    return key.name.rsplit(":", 1)[1]


def months(start: datetime, end: datetime) -> Iterator[str]:
    """The months of UTC that a period touches; `end` is not part of it, unless it is its start."""
    at, last = start.astimezone(UTC), max(start, end - _MICROSECOND).astimezone(UTC)
    year, month_ = at.year, at.month
    while (year, month_) <= (last.year, last.month):
        yield f"{year:04}-{month_:02}"
        year, month_ = (year, month_ + 1) if month_ < 12 else (year + 1, 1)


def purged(change: Change) -> Iterator[str]:
    """The keys and groups whose values a change may have made other ones.

    An attendee's row without a span is of an event that may have been anywhere; any other one touches no month.
    """
    id_, spans = change.entity_id, [one for one in (change.old_span, change.new_span) if one is not None]
    if change.entity == "attendee":
        yield attendees(id_).name
        # An answer changes nobody's agenda.
        if change.user_id is not None and change.op != "update":
            yield from _touched(_invitations(change.user_id), spans or [_EVERYWHERE])
    elif change.entity == "event" and change.scope_kind == "user":
        yield from _touched(_invitations(change.scope_id), spans)
    elif change.entity == "event":
        yield full(id_).name
        yield from _touched(_months(change.scope_id), spans)
        if change.op == "delete" and change.new_span is None:
            yield attendees(id_).name  # gone for good, and those without an account unnamed
        # An event that is where it was concerns whom it did.
        if change.user_id is not None and (change.op != "update" or change.old_span != change.new_span):
            yield from _touched(_invitations(change.user_id), spans)
    elif change.entity in ("booking", "reservation") and change.scope_kind == "calendar":
        yield full(id_).name
        yield from _touched(_months(change.scope_id), spans)


def _touched(group: str, spans: Sequence[Span]) -> Iterator[str]:
    """The months of a group that the spans touch, their ends included; all where there are too many."""
    names: dict[str, None] = {}
    for span in spans:
        if span.start is None or span.end is None:
            yield f"{group}*"
            return
        touched = list(islice(months(span.start, span.end + _MICROSECOND), PURGE_MONTHS_MAX + 1))
        if len(touched) > PURGE_MONTHS_MAX:
            yield f"{group}*"
            return
        names.update((f"{group}{one}", None) for one in touched)
    yield from names


def _months(calendar_id: UUID) -> str:
    return f"calendar:{calendar_id}:events:"


def _invitations(user_id: UUID) -> str:
    return f"user:{user_id}:invitations:"
