"""The units of calendars in the cache: their keys, their payloads, and which change purges which."""

from uuid import UUID

from yotei.cache.key import Key


def summary(calendar_id: UUID) -> Key:
    return Key(f"calendar:{calendar_id}:summary", "calendar_summary")


def members(calendar_id: UUID) -> Key:
    return Key(f"calendar:{calendar_id}:members", "calendar_members")


def of_user(user_id: UUID) -> Key:
    """The calendars that somebody is a member of."""
    return Key(f"user:{user_id}:calendars", "user_calendars")
