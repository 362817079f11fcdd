"""The values of this room: a resource, the periods in which it is taken, and those in which it is free."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from yotei.users.user import Hours, Name, Person, TimeZone

Kind = Literal["ROOM", "EQUIPMENT"]
WhoMayBook = Literal["EVERYONE", "MEMBERS", "NOBODY"]
ResourceRole = Literal["MANAGER", "BOOKER"]

Description = Annotated[str, Meta(max_length=10_000)]
Place = Annotated[str, Meta(max_length=2_000)]
Seats = Annotated[int, Meta(ge=1, le=100_000)]
Features = Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=100)], ...], Meta(max_length=50)]
Units = Annotated[int, Meta(ge=1, le=1_000)]
Minutes = Annotated[int, Meta(ge=0, le=1_440)]


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
    opening_hours: Hours | None
    booking: WhoMayBook
    version: int


class NewResource(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A resource to be added. Without `tzid` it gets the time zone of who adds it; without hours it is always open."""

    name: Name
    kind: Kind = "ROOM"
    description: Description | None = None
    location: Place | None = None
    tzid: TimeZone | None = None
    seats: Seats | None = None
    features: Features = ()
    concurrent_bookings: Units = 1
    setup_minutes: Minutes = 0
    teardown_minutes: Minutes = 0
    opening_hours: Hours | None = None
    booking: WhoMayBook = "EVERYONE"


class ResourceFields(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be changed of a resource; what is not given stays."""

    name: Name | UnsetType = UNSET
    kind: Kind | UnsetType = UNSET
    description: Description | UnsetType | None = UNSET
    location: Place | UnsetType | None = UNSET
    tzid: TimeZone | UnsetType = UNSET
    seats: Seats | UnsetType | None = UNSET
    features: Features | UnsetType = UNSET
    concurrent_bookings: Units | UnsetType = UNSET
    setup_minutes: Minutes | UnsetType = UNSET
    teardown_minutes: Minutes | UnsetType = UNSET
    opening_hours: Hours | UnsetType | None = UNSET
    booking: WhoMayBook | UnsetType = UNSET


class ResourceMember(msgspec.Struct, frozen=True):
    """Somebody who may book a resource of members, or who looks after it."""

    user: Person
    role: ResourceRole
    created_at: datetime


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
