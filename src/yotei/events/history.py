"""The history of one event: who changed what and when, as far as the change log reaches back.

The log knows which fields changed and not what they were: nothing is kept twice, and nothing that was hidden shows up
here. An entry is one transaction: an edit with its invitations and rooms is one.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Annotated, Final, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta

from yotei.errors import Code, Problem, not_found
from yotei.events import rows
from yotei.events.access import may_write, sees_all
from yotei.events.event import EventResource
from yotei.events.rows import HistoryLine
from yotei.storage.pool import Source
from yotei.users.user import Person, Viewer

ENTRIES_MAX: Final = 1_000
"""Entries of one page."""

Kind = Literal["event", "attendee", "resource"]
Did = Literal["created", "changed", "moved", "deleted", "restored", "added", "removed"]

_EVENT: Final[dict[str, Did]] = {"insert": "created", "update": "changed", "delete": "deleted", "restore": "restored"}
_PART: Final[dict[str, Did]] = {"insert": "added", "update": "changed", "delete": "removed", "remove": "removed"}


class After(msgspec.Struct, frozen=True):
    """Where the page before ended: the time and the transaction of an entry."""

    changed_at: Annotated[datetime, Meta(tz=True)]
    transaction: Annotated[int, Meta(ge=0)]


class Change(msgspec.Struct, frozen=True):
    """What became of the event, of an attendee, or of a resource that it holds.

    `fields` are those that changed. `person` is the attendee, null for people outside of the system; `resource` is the
    room or piece of equipment that was booked (`added`), given up (`removed`), or booked anew for other times.
    """

    kind: Kind
    did: Did
    fields: tuple[str, ...]
    person: Person | None
    resource: EventResource | None


class Entry(msgspec.Struct, frozen=True):
    """What was changed at once. `actor` is null where it was no person: a job, or an administrator in the database."""

    changed_at: datetime
    actor: Person | None
    changes: tuple[Change, ...]


class History(msgspec.Struct, frozen=True):
    """Entries, the newest first, with the place of each. Nothing is known of what was before `reaches_back_to`; `after`
    is where the next page goes on, None when there is none."""

    entries: tuple[Entry, ...]
    places: tuple[After, ...]
    reaches_back_to: datetime | None
    after: After | None


async def of_event(
    source: Source, viewer: Viewer, event_id: UUID, zone: ZoneInfo, *, after: After | None, limit: int
) -> History:
    """A page of the history of one row: a single event, a series, or an exception of one. One statement.

    For those who see all of the event; of a deleted one for those of them who write its calendar. Problem `not_found`,
    or `forbidden` where only its time may be seen.
    """
    viewer.need("read")
    assert 1 <= limit <= ENTRIES_MAX
    place = None if after is None else (after.changed_at, after.transaction)
    standing, reaches_back_to, found = await rows.select_history(source, viewer.user_id, event_id, place, limit + 1)
    _check(standing, viewer)
    shown = found[:limit]
    places = tuple(After(one.changed_at, int(one.transaction)) for one in shown)
    return History(
        tuple(Entry(one.changed_at.astimezone(zone), one.actor, tuple(_changes(one.lines))) for one in shown),
        places,
        None if reaches_back_to is None else reaches_back_to.astimezone(zone),
        places[-1] if len(found) > limit else None,
    )


def _check(standing: rows.Standing | None, viewer: Viewer) -> None:
    if standing is None:
        raise not_found("event")
    is_full = standing.is_invited or sees_all(standing.role, standing, (), viewer.user_id)
    if standing.is_deleted and not (is_full and may_write(standing.role)):
        raise not_found("event")
    if not is_full:
        if standing.role is None:
            raise not_found("event")
        raise Problem(Code.FORBIDDEN, "Only those who see all of an event see its history.")


def _changes(lines: Sequence[HistoryLine]) -> Iterable[Change]:
    """One for each thing: what was removed and added again by one transaction was changed."""
    events = [one for one in lines if one.entity == "event"]
    if events:
        fields = tuple(dict.fromkeys(name for one in events for name in one.fields or ()))
        op = next((one.op for one in events if one.op != "update"), "update")
        did = "moved" if op == "insert" and "calendar_id" in fields else _EVENT[op]
        yield Change("event", did, fields, None, None)
    for kind in ("attendee", "reservation"):
        parts: dict[UUID | int, list[HistoryLine]] = {}
        for n, one in enumerate(lines):
            if one.entity == kind:
                named = one.person if kind == "attendee" else one.resource
                parts.setdefault(n if named is None else named.id, []).append(one)
        for same in parts.values():
            dids = {_PART[one.op] for one in same}
            fields = tuple(dict.fromkeys(name for one in same for name in one.fields or ()))
            did = next(iter(dids)) if len(dids) == 1 else "changed"
            yield Change(
                "attendee" if kind == "attendee" else "resource", did, fields, same[0].person, same[0].resource
            )
