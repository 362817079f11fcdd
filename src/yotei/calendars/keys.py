"""The units of calendars in the cache: their keys, their payloads, and which change purges which."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from yotei.cache.key import Key
from yotei.calendars.calendar import Role
from yotei.storage.change_log import Change


class Summary(msgspec.Struct, frozen=True):
    """What is said of a calendar that is not deleted, whoever looks at it."""

    id: UUID
    name: str
    description: str | None
    color: str
    tzid: str
    personal_for: UUID | None
    version: int
    created_at: datetime
    updated_at: datetime


class Membership(msgspec.Struct, frozen=True, gc=False):
    calendar_id: UUID
    role: Role


class Memberships(msgspec.Struct, frozen=True):
    """The calendars that somebody is a member of, deleted ones too; `all` is None where too many to be kept."""

    all: tuple[Membership, ...] | None


class Share(msgspec.Struct, frozen=True, gc=False):
    user_id: UUID
    role: Role
    created_at: datetime


class Shares(msgspec.Struct, frozen=True):
    """Who shares a calendar; where they are too many to be kept, `all` is None."""

    all: tuple[Share, ...] | None


TYPES: Final[dict[str, Any]] = {
    "calendar_summary": Summary,
    "calendar_members": Shares,
    "user_calendars": Memberships,
}
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
    if change.entity == "calendar":
        yield summary(change.entity_id).name
        if change.op != "update":
            yield members(change.entity_id).name  # those of a deleted one are none
    elif change.entity == "member":
        yield members(change.scope_id).name
        yield of_user(change.entity_id).name
