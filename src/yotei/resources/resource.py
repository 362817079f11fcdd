"""The values of this room: a resource, the periods in which it is taken, and those in which it is free."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

Kind = Literal["ROOM", "EQUIPMENT"]
WhoMayBook = Literal["EVERYONE", "MEMBERS", "NOBODY"]


class Resource(msgspec.Struct, frozen=True):
    """Something that can be booked; `seats` is how many people fit, `concurrent_bookings` how many bookings at once."""

    id: UUID
    name: str
    kind: Kind
    description: str | None
    location: str | None
    tzid: str
    seats: int | None
    features: tuple[str, ...]
    concurrent_bookings: int
    setup_minutes: int
    teardown_minutes: int
    opening_hours: Mapping[str, tuple[tuple[str, str], ...]] | None
    booking: WhoMayBook
    version: int


class Period(msgspec.Struct, frozen=True, order=True, gc=False):
    """From `start` up to, not including, `end`."""

    start: datetime
    end: datetime


class Availability(msgspec.Struct, frozen=True):
    """When a resource is taken and when it is free within a window. Nothing says by whom or for what.

    `busy`: all of its units are taken, set-up and tear-down included; `free`: open, and at least one unit left.
    """

    resource: Resource
    is_free: bool
    busy: tuple[Period, ...]
    free: tuple[Period, ...]
