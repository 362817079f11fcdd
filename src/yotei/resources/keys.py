"""The units of resources in the cache: their keys, their payloads, and which change purges which."""

from collections.abc import Iterator
from datetime import date
from typing import Any, Final
from uuid import UUID

from yotei.cache.key import Key
from yotei.cache.tail import ALL
from yotei.storage.change_log import Change

TYPES: Final[dict[str, Any]] = {}
"""What the values of each family are."""


def profile(resource_id: UUID) -> Key:
    return Key(f"resource:{resource_id}:profile", "resource_profile")


def availability(resource_id: UUID, day: date) -> Key:
    """When its units are blocked on a day of UTC."""
    group = f"resource:{resource_id}:availability:"
    return Key(f"{group}{day.isoformat()}", "resource_availability", f"{group}*")


def purged(change: Change) -> Iterator[str]:
    """The keys and groups whose values a change may have made other ones."""
    yield ALL
