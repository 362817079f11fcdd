"""The values of this room."""

from datetime import datetime
from enum import Enum
from uuid import UUID

import msgspec

from yotei.users.user import Person


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


class Member(msgspec.Struct, frozen=True):
    """Somebody who shares a calendar."""

    user: Person
    role: Role
    created_at: datetime
