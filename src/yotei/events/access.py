"""What a viewer may see of an event: the one place that decides it, on the way out to every door.

    role in its calendar     PUBLIC   PRIVATE   CONFIDENTIAL
    OWNER                    full     full      full
    WRITER                   full     full      busy
    READER                   full     busy      busy
    FREE_BUSY                busy     busy      busy
    none                     nothing  nothing   nothing

The organizer and every attendee see it in full, whatever their role. PRIVATE and CONFIDENTIAL are the CLASS of
RFC 5545 3.8.1.3. To those who see busy times only, an event that takes no time (TRANSPARENT or CANCELLED) is nothing.
"""

from collections.abc import Iterable
from typing import Final, Protocol
from uuid import UUID

from yotei.events.event import Access, Invitation, Stored
from yotei.events.state import Guest

_WRITERS: Final = frozenset({"OWNER", "WRITER"})

FULL: Final = frozenset(
    {
        ("OWNER", "PUBLIC"),
        ("OWNER", "PRIVATE"),
        ("OWNER", "CONFIDENTIAL"),
        ("WRITER", "PUBLIC"),
        ("WRITER", "PRIVATE"),
        ("READER", "PUBLIC"),
    }
)
"""Role and visibility -> all of the event is seen."""


class Judged(Protocol):
    """What decides about an event, whatever else is known of it."""

    @property
    def visibility(self) -> str: ...
    @property
    def organizer_id(self) -> UUID: ...


def access_to(event: Stored, viewer_id: UUID) -> Access | None:
    """Full, busy, or None where the viewer may not know that there is anything."""
    if sees_all(event.role, event, event.attendees, viewer_id):
        return Access.FULL
    if event.role is None or event.transparency == "TRANSPARENT" or event.status == "CANCELLED":
        return None
    return Access.BUSY


def sees_all(role: str | None, event: Judged, invited: Iterable[Invitation | Guest], viewer_id: UUID) -> bool:
    """Whether a viewer with this role in the calendar sees the event in full."""
    if (role, event.visibility) in FULL or event.organizer_id == viewer_id:
        return True
    return any(one.user_id == viewer_id for one in invited)


def may_write(role: str | None) -> bool:
    """Whether this role changes events of the calendar, of those that it sees in full."""
    return role in _WRITERS
