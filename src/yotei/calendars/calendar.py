"""The values of this room."""

from datetime import datetime
from enum import Enum
from typing import Annotated, Final
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from yotei.users.user import Name, Person, TimeZone

Description = Annotated[str, Meta(max_length=10_000)]
Color = Annotated[str, Meta(pattern="^#[0-9a-fA-F]{6}$")]

COLOR_DEFAULT: Final = "#3b6fb6"


class Role(Enum):
    """What a member may do; see `access`."""

    OWNER = "OWNER"
    WRITER = "WRITER"
    READER = "READER"
    FREE_BUSY = "FREE_BUSY"


class Calendar(msgspec.Struct, frozen=True):
    """A calendar as one of its members sees it; `role` is theirs."""

    id: UUID
    name: str
    description: str | None
    color: str
    tzid: str
    is_personal: bool
    role: Role
    version: int
    created_at: datetime
    updated_at: datetime


class NewCalendar(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A calendar to be made. Without `tzid` it gets the time zone of who makes it."""

    name: Name
    description: Description | None = None
    color: Color = COLOR_DEFAULT
    tzid: TimeZone | None = None


class CalendarFields(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be changed of a calendar; what is not given stays."""

    name: Name | UnsetType = UNSET
    description: Description | UnsetType | None = UNSET
    color: Color | UnsetType = UNSET
    tzid: TimeZone | UnsetType = UNSET


class Member(msgspec.Struct, frozen=True):
    """Somebody who shares a calendar."""

    user: Person
    role: Role
    created_at: datetime
