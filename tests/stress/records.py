"""What clients sent and what they were answered: all that the checks know of the clients' side."""

from datetime import datetime
from enum import Enum
from typing import Any, Final
from uuid import UUID

import msgspec

EDITED: Final = ("calendar_id", "title", "start_time", "end_time", "status", "rrule", "exdates", "emails", "rooms")
"""What of an event is compared. Of a series the rooms are left out: they are those of its instances."""


class Outcome(Enum):
    """Done and told so; not done and told so; nobody knows."""

    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class SeenGuest(msgspec.Struct, frozen=True):
    """An attendee, as an answer shows them."""

    email: str
    response_status: str
    is_optional: bool


class SeenRoom(msgspec.Struct, frozen=True):
    """A resource that is held, as an answer shows it."""

    id: UUID


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """An event, as an answer shows it."""

    id: UUID
    calendar_id: UUID
    version: int
    title: str
    description: str | None = None
    start_time: datetime
    end_time: datetime
    tzid: str | None = None
    all_day: bool = False
    status: str = "CONFIRMED"
    rrule: str | None = None
    exdates: tuple[datetime, ...] = ()
    series_id: UUID | None = None
    recurrence_id: datetime | None = None
    attendees: tuple[SeenGuest, ...] = ()
    resources: tuple[SeenRoom, ...] = ()

    @property
    def emails(self) -> frozenset[str]:
        return frozenset(one.email for one in self.attendees)

    @property
    def rooms(self) -> frozenset[UUID] | None:
        """None for a series."""
        return None if self.rrule is not None else frozenset(one.id for one in self.resources)

    def fields(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in EDITED}


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """An operation, as a request, and what of it the checks have to know.

    `target` is the event that it is addressed to; `changes` names those of `EDITED` that it may change there. `mark`
    is the description of what it makes, by which that is found again. `moves`: it may change a time, and so reset
    answers. `named`: only these stay invited. `elsewhere`: it writes events that its answer does not show.
    """

    what: str
    method: str
    path: str
    body: Any = None
    target: UUID | None = None
    changes: frozenset[str] = frozenset()
    mark: str | None = None
    moves: bool = False
    named: frozenset[str] | None = None
    uninvites: str | None = None
    response: str | None = None
    email: str | None = None
    recurrence_id: datetime | None = None
    elsewhere: bool = False

    @property
    def edits(self) -> bool:
        """Whether it writes a new version of what it answers."""
        return bool(self.changes)


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """A request that was sent. Times are of the one clock of all clients; `key` names those that are the same."""

    order: Order
    client: int
    key: str | None = None
    started_s: float = 0.0
    ended_s: float = 0.0
    outcome: Outcome = Outcome.ACKNOWLEDGED
    status: int = 0
    code: str | None = None
    detail: str | None = None
    may_try_again: bool = False
    hash: bytes = b""
    seen: Seen | None = None
    etag: str | None = None

    @property
    def is_done(self) -> bool:
        return self.outcome is Outcome.ACKNOWLEDGED
