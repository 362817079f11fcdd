"""The units of events in the cache: their keys, their payloads, and which change purges which. Months are of UTC."""

from collections.abc import Iterator
from datetime import date
from typing import Any, Final
from uuid import UUID

from yotei.cache.key import Key
from yotei.storage.change_log import Change

TYPES: Final[dict[str, Any]] = {}
"""What the values of each family are."""


def month(calendar_id: UUID, first: date) -> Key:
    """The events of a calendar that touch a month, by its first day."""
    group = f"calendar:{calendar_id}:events:"
    return Key(f"{group}{first:%Y-%m}", "calendar_events", f"{group}*")


def full(event_id: UUID) -> Key:
    return Key(f"event:{event_id}:full", "event_full")


def attendees(event_id: UUID) -> Key:
    return Key(f"event:{event_id}:attendees", "event_attendees")


def invitations(user_id: UUID, first: date) -> Key:
    """The calendars with events of a month that somebody organises or is invited to."""
    group = f"user:{user_id}:invitations:"
    return Key(f"{group}{first:%Y-%m}", "user_invitations", f"{group}*")


def purged(change: Change) -> Iterator[str]:
    """The keys and groups whose values a change may have made other ones."""
    yield from ()
