"""What clients sent and what they were answered: all that the checks know of the clients' side."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec


class SeenGuest(msgspec.Struct, frozen=True):
    """An attendee, as an answer shows them."""

    email: str
    response_status: str


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


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """An operation, as a request, and what of it the checks have to know.

    `target` is the event that it is addressed to; `may_write` names the columns that it may change there. `asks_again`:
    it may change a time, and so reset answers. `response` is the answer that somebody (`email`) gives to an invitation.
    """

    what: str
    method: str
    path: str
    body: Any = None
    if_match: str | None = None
    target: UUID | None = None
    may_write: frozenset[str] = frozenset()
    asks_again: bool = False
    response: str | None = None
    email: str | None = None


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """A request and how it ended: `status` 2xx is an acknowledgement. `key` is its Idempotency-Key; `body_hash` that of
    the bytes of the answer. `sent` counts how often it was sent before there was one."""

    order: Order
    user_id: UUID
    key: str
    sent: int
    started_s: float
    ended_s: float
    status: int
    code: str | None
    body_hash: bytes
    seen: Seen | None

    @property
    def is_acknowledged(self) -> bool:
        return 200 <= self.status < 300
