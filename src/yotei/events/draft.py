"""What callers say when they write events: the fields of an event, and the operations. Shapes and lengths are checked
by the types; what the values mean is decided in `plan`.

A field that is not given is `UNSET` and left alone; `null` clears it (RFC 7396).
"""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Annotated, Final, Literal
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from yotei.errors import Problem, invalid
from yotei.events.event import ResponseStatus, Status, Transparency, Visibility

ATTENDEES_MAX: Final = 1_000
"""Attendees of one event."""
RESOURCES_MAX: Final = 20
"""Resources of one event."""
DATES_MAX: Final = 1_000
"""RDATEs, and EXDATEs, that a caller may give."""

Scope = Literal["this", "following", "all"]
Policy = Literal["ALL", "PARTIAL"]

_NO_NUL: Final = r"^[^\x00]*$"
"""PostgreSQL keeps every character but this one."""

_Title = Annotated[str, Meta(max_length=500, pattern=_NO_NUL, description="What it is called.")]
_Dates = Annotated[tuple[datetime, ...], Meta(max_length=DATES_MAX)]


class Invitee(Struct, frozen=True, forbid_unknown_fields=True):
    """Somebody to be invited: a person of this installation by `user_id` or `email`, anybody else by `email`."""

    email: Annotated[str, Meta(max_length=320)] | None = None
    user_id: UUID | None = None
    name: Annotated[str, Meta(max_length=200, pattern=_NO_NUL)] | None = None
    is_optional: bool = False


_Invitees = Annotated[tuple[Invitee, ...], Meta(max_length=ATTENDEES_MAX)]


class EventFields(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The fields of an event that a caller may set.

    A timed event has `start_time` and `end_time`: with an offset they are instants, without one the clock of `tzid`. An
    all-day event has `start_date` and `end_date`, which is the day after its last. A floating one takes place when the
    clock shows its times, wherever one is.
    """

    title: _Title | UnsetType = UNSET
    description: Annotated[str, Meta(max_length=100_000, pattern=_NO_NUL)] | UnsetType | None = UNSET
    location: Annotated[str, Meta(max_length=2_000, pattern=_NO_NUL)] | UnsetType | None = UNSET
    url: Annotated[str, Meta(max_length=4_000, pattern=_NO_NUL)] | UnsetType | None = UNSET
    start_time: datetime | UnsetType = UNSET
    end_time: datetime | UnsetType = UNSET
    start_date: date | UnsetType = UNSET
    end_date: date | UnsetType = UNSET
    all_day: bool | UnsetType = UNSET
    floating: bool | UnsetType = UNSET
    tzid: Annotated[str, Meta(min_length=1, max_length=64)] | UnsetType = UNSET
    rrule: Annotated[str, Meta(min_length=1, max_length=2_000)] | UnsetType | None = UNSET
    rdates: _Dates | UnsetType = UNSET
    exdates: _Dates | UnsetType = UNSET
    status: Status | UnsetType = UNSET
    transparency: Transparency | UnsetType = UNSET
    visibility: Visibility | UnsetType = UNSET
    attendees: _Invitees | UnsetType = UNSET
    resource_ids: Annotated[tuple[UUID, ...], Meta(max_length=RESOURCES_MAX)] | UnsetType = UNSET
    booking_policy: Policy | UnsetType = UNSET


class WholeEvent(EventFields, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An event that takes the place of what is there: a field that is not given gets its default."""

    title: _Title


class NewEvent(WholeEvent, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An event to be made in a calendar."""

    calendar_id: UUID
    uid: Annotated[str, Meta(min_length=1, max_length=1_000, pattern=_NO_NUL)] | UnsetType = UNSET


class Operation(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="op"):
    """Something to be done, whole or not at all."""


class _OnEvent(Operation, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`version`: done only while the event is at that version.

    `recurrence_id` names an instance of a series; `scope` says how far the operation goes from there. An instance that
    has been changed before has an id of its own, which names it as well.
    """

    event_id: UUID
    version: Annotated[int, Meta(ge=1, le=2_147_483_647)] | None = None


class _OnInstance(_OnEvent, frozen=True, forbid_unknown_fields=True, kw_only=True):
    recurrence_id: datetime | None = None


class _Scoped(_OnInstance, frozen=True, forbid_unknown_fields=True, kw_only=True):
    scope: Scope | None = None


class Create(Operation, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="create"):
    """Make an event."""

    event: NewEvent


class Patch(_Scoped, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="patch"):
    """Change the fields that are given."""

    event: EventFields


class Replace(_Scoped, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="replace"):
    """Set all fields."""

    event: WholeEvent


class Delete(_Scoped, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="delete"):
    """Delete, so that it can be restored."""


class Restore(_OnInstance, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="restore"):
    """Undo a deletion. Rooms are booked again; where they are taken by now, `booking_policy` says what to do."""

    booking_policy: Policy | None = None


class Move(_OnEvent, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="move"):
    """Put an event, or a whole series, into another calendar."""

    calendar_id: UUID


class Duplicate(_OnInstance, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="duplicate"):
    """Make another event like this one: answers start anew, changed instances of a series are not copied."""

    calendar_id: UUID | None = None
    start_time: datetime | None = None
    title: _Title | None = None


class Invite(_Scoped, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="invite"):
    """Add attendees; who is invited already stays as they are."""

    attendees: Annotated[tuple[Invitee, ...], Meta(min_length=1, max_length=ATTENDEES_MAX)]


class Uninvite(_Scoped, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="uninvite"):
    """Remove an attendee."""

    email: Annotated[str, Meta(max_length=320)]


class Respond(_OnInstance, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="rsvp"):
    """The caller's own answer, to an event, a whole series, or one instance."""

    response_status: ResponseStatus
    comment: Annotated[str, Meta(max_length=2_000, pattern=_NO_NUL)] | None = None


AnyOperation = Create | Patch | Replace | Delete | Restore | Move | Duplicate | Invite | Uninvite | Respond


def unwritable(operation: AnyOperation) -> Problem | None:
    """What no text of PostgreSQL can hold, by its field: it is asked before anything is looked up by what callers
    say."""
    field = next(_with_nul(operation, "body"), None)
    return None if field is None else invalid(field, "expected text without the character NUL")


def _with_nul(value: object, path: str) -> Iterator[str]:
    if isinstance(value, str):
        if "\0" in value:
            yield path
    elif isinstance(value, tuple):
        for n, one in enumerate(value):
            yield from _with_nul(one, f"{path}[{n}]")
    elif isinstance(value, Struct):
        for name in value.__struct_fields__:
            yield from _with_nul(getattr(value, name), path if name == "event" else f"{path}.{name}")
