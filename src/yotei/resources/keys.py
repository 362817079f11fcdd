"""The units of resources in the cache: their keys, their payloads, and which change purges which."""

from datetime import date
from uuid import UUID

from yotei.cache.key import Key


def profile(resource_id: UUID) -> Key:
    return Key(f"resource:{resource_id}:profile", "resource_profile")


def availability(resource_id: UUID, day: date) -> Key:
    """When its units are blocked on a day of UTC."""
    group = f"resource:{resource_id}:availability:"
    return Key(f"{group}{day.isoformat()}", "resource_availability", f"{group}*")
