"""The values of finding a time: who is to meet, how long and where, and when that could be.

Only times are proposed at which everybody required is free, every named resource is, and as many rooms as are wanted.
They are ranked by, in this order: more of the optional people can come; more of all who come are within their working
hours; earlier.

Working hours are those of each person by their own clock, Monday to Friday 9:00 to 17:00 where they have given none.
They only rank, unless they are REQUIREd: then nobody comes outside of theirs. TENTATIVE is not free.
"""

from datetime import datetime
from typing import Final, Literal
from uuid import UUID

import msgspec

from yotei.events.window import Window
from yotei.resources.resource import Kind
from yotei.users.user import Hours

Step = Literal[5, 10, 15, 30, 60]
OfHours = Literal["PREFER", "REQUIRE"]

HOURS_DEFAULT: Final[Hours] = dict.fromkeys(("mon", "tue", "wed", "thu", "fri"), (("09:00", "17:00"),))


class Participant(msgspec.Struct, frozen=True):
    """Somebody who is to come, by `user_id` or by `email`."""

    user_id: UUID | None = None
    email: str | None = None
    is_optional: bool = False


class RoomsWanted(msgspec.Struct, frozen=True):
    """So many resources at once of those that fit and that the viewer may book; `features` must all be there."""

    count: int = 1
    kind: Kind | None = "ROOM"
    seats_min: int | None = None
    features: tuple[str, ...] = ()


class Meeting(msgspec.Struct, frozen=True):
    """What is looked for. Starts lie on multiples of `step_minutes` past the hour by the clock of the window's zone.

    `resource_ids` must all be free, and `rooms` beside them.
    """

    window: Window
    duration_minutes: int
    attendees: tuple[Participant, ...] = ()
    resource_ids: tuple[UUID, ...] = ()
    rooms: RoomsWanted | None = None
    step_minutes: Step = 15
    limit: int = 10
    working_hours: OfHours = "PREFER"


class Room(msgspec.Struct, frozen=True, gc=False):
    """A resource that could be had."""

    id: UUID
    name: str
    kind: Kind
    seats: int | None


class Proposal(msgspec.Struct, frozen=True):
    """A time at which all that is required can be had.

    `coming` and `missing` are the optional people who can come and who cannot; `outside_working_hours` those who come
    although it is outside of theirs. `rooms`: those wanted that are free, the smallest first.
    """

    start: datetime
    end: datetime
    coming: tuple[UUID, ...]
    missing: tuple[UUID, ...]
    outside_working_hours: tuple[UUID, ...]
    rooms: tuple[Room, ...]


class Obstacle(msgspec.Struct, frozen=True):
    """Somebody required, or a named resource, and at how many starts they cannot be had."""

    user_id: UUID | None
    resource_id: UUID | None
    starts: int


class Unknown(msgspec.Struct, frozen=True):
    """Who, or what, is not there, and so plays no part in the answer."""

    user_id: UUID | None = None
    email: str | None = None
    resource_id: UUID | None = None


class MeetingTimes(msgspec.Struct, frozen=True):
    """Times, the best first. Without any, what was in the way.

    `starts` is how many were looked at. `obstacles`: what is required, that which rules out most starts first; what
    rules out none is left out. `starts_without_rooms`: at so many of them only rooms were missing.
    """

    proposals: tuple[Proposal, ...]
    starts: int
    obstacles: tuple[Obstacle, ...]
    starts_without_rooms: int
    unknown: tuple[Unknown, ...]
