"""The units of calendars in the cache: their keys, their payloads, and which change purges which."""

from collections.abc import Iterator
from typing import Any, Final
from uuid import UUID

from yotei.cache.key import Key
from yotei.cache.tail import ALL
from yotei.storage.change_log import Change

TYPES: Final[dict[str, Any]] = {}
"""What the values of each family are."""


def summary(calendar_id: UUID) -> Key:
    return Key(f"calendar:{calendar_id}:summary", "calendar_summary")


def members(calendar_id: UUID) -> Key:
    return Key(f"calendar:{calendar_id}:members", "calendar_members")


def of_user(user_id: UUID) -> Key:
    """The calendars that somebody is a member of."""
    return Key(f"user:{user_id}:calendars", "user_calendars")


def purged(change: Change) -> Iterator[str]:
    """The keys and groups whose values a change may have made other ones."""
    yield ALL
