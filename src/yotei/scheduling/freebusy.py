"""The values of free/busy: whom it is asked of, and when they are taken (RFC 5545, sections 3.6.4 and 3.2.9).

A person is busy with an event when they

- are invited to it and have not declined; somebody who has not answered may come, and is busy;
- or organise it, or it is in their personal calendar, and they are not invited to it, or not declined.

It makes them TENTATIVE where the event is tentative, or their answer is. An event that is TRANSPARENT or CANCELLED
makes nobody busy, nor does one that is deleted or in a deleted calendar. Membership of a shared calendar makes nobody
busy: what a team has in common its members need not attend. Each instance of a series goes by its own override.
All-day and floating events take place by each person's own clock. Hours outside of working hours are not busy.

A room is BUSY while all of its units are taken, set-up and tear-down included, and otherwise UNAVAILABLE while it is
closed.

Everybody signed in may see when everybody is busy, and never with what: one installation is one organisation. So
visibility (CLASS) plays no part.
"""

from datetime import datetime
from typing import Final, Literal
from uuid import UUID

import msgspec

Kind = Literal["BUSY", "TENTATIVE", "UNAVAILABLE"]
"""FBTYPE of RFC 5545 3.2.9: BUSY, BUSY-TENTATIVE, BUSY-UNAVAILABLE. The strongest first."""
KINDS: Final[tuple[Kind, ...]] = ("BUSY", "TENTATIVE", "UNAVAILABLE")

Failure = Literal["not_found"]


class Subjects(msgspec.Struct, frozen=True):
    """People, by id and by address, and rooms or equipment."""

    user_ids: tuple[UUID, ...] = ()
    emails: tuple[str, ...] = ()
    resource_ids: tuple[UUID, ...] = ()


class BusyPeriod(msgspec.Struct, frozen=True, gc=False):
    """From `start` up to, not including, `end`."""

    start: datetime
    end: datetime
    kind: Kind


class PersonBusy(msgspec.Struct, frozen=True):
    """When one person is taken: periods in order, apart or of different kinds.

    `email` is the address that was asked for; `user_id` is who that is. With `error` there is no such active person.
    """

    user_id: UUID | None
    email: str | None
    error: Failure | None
    busy: tuple[BusyPeriod, ...]


class ResourceBusy(msgspec.Struct, frozen=True):
    """When a room or a piece of equipment is taken or closed. With `error` there is none of this id."""

    resource_id: UUID
    error: Failure | None
    busy: tuple[BusyPeriod, ...]


class FreeBusy(msgspec.Struct, frozen=True):
    """People and resources in the order asked for: ids, then addresses. `merged`: when any of them is taken."""

    people: tuple[PersonBusy, ...]
    resources: tuple[ResourceBusy, ...]
    merged: tuple[BusyPeriod, ...] | None
