"""What has changed in a calendar, for a client that keeps a copy of it.

It reads the change log, which commits with the data: nothing is missing there, whoever wrote it. The feed tells what
is there *now* of each thing that changed, not what it was; a thing that the viewer does not see any more, here, is
told as removed. Rights are those of the moment of reading, and the same as in every other answer.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from yotei.cache.reads import past_cache
from yotei.calendars import read as calendars
from yotei.calendars.calendar import Calendar, Member, Role
from yotei.errors import Code, Problem, invalid
from yotei.events import read
from yotei.events.event import Event
from yotei.storage import change_log
from yotei.storage.change_log import Position, PositionForgotten
from yotei.storage.pool import Source
from yotei.users.user import Viewer

Kind = Literal["event", "calendar", "member"]

FIRST: Final = "first"
"""Stands for the position before everything."""
POSITION_CHARACTERS_MAX: Final = 16_384
"""A position names the transactions that were open; a thousand of them have room in it."""
CHANGES_MAX: Final = read.EVENTS_MAX
"""Rows of the log that one page may be made of: so many events are read at once."""

_KINDS: Final[Mapping[str, Kind]] = {
    "event": "event",
    "attendee": "event",
    "booking": "event",
    "reservation": "event",
    "calendar": "calendar",
    "member": "member",
}
"""Entities of the log -> what has changed for those who look at the calendar."""


class Change(msgspec.Struct, frozen=True):
    """Something that changed, as it is now. `id` is that of the event, the calendar, or the person who is a member.

    With `op` upsert one of `event`, `calendar`, `member` says what there is now; with `remove` there is nothing any
    more: it was deleted, or moved to another calendar, or the viewer may not know of it.
    """

    kind: Kind
    id: UUID
    op: Literal["upsert", "remove"]
    changed_at: datetime
    event: Event | None = None
    calendar: Calendar | None = None
    member: Member | None = None


class Feed(msgspec.Struct, frozen=True):
    """Changes in the order of their transactions; `position` is where to go on, at once when `has_more`."""

    changes: tuple[Change, ...]
    position: Position
    has_more: bool


class _Key(NamedTuple):
    kind: Kind
    id: UUID


async def since(
    source: Source,
    viewer: Viewer,
    calendar_id: UUID,
    position: Position | None,
    zone: ZoneInfo,
    *,
    limit: int,
    now: datetime,
    along: read.Along | None = None,
) -> Feed:
    """What changed in a calendar since `position`, read from `limit` rows of the log at most; without a position no
    changes, and the position of now. Each thing is told once, at the place of the last row about it.

    Problem `not_found` when the viewer is no member, `position_forgotten`. Two statements, one more where events have
    changed. `along` is filled with people, calendars and resources of what has changed.
    """
    assert 1 <= limit <= CHANGES_MAX
    along = along or read.Along()
    # What is told of a thing must not be older than the position that the caller goes on from.
    source = past_cache(source)
    if position is None:
        await calendars.get(source, viewer, calendar_id)
        return Feed((), await change_log.position_now(source), has_more=False)
    try:
        page = await change_log.read_scope_since(source, position, calendar_id, limit=limit)
    except PositionForgotten:
        await calendars.get(source, viewer, calendar_id)
        detail = "The log no longer reaches back to this position: read the calendar anew, with a new position."
        raise Problem(Code.POSITION_FORGOTTEN, detail) from None
    # Whether the viewer may read the calendar is known only here: nothing of the page is told before.
    people = list(dict.fromkeys(row.entity_id for row in page.changes if _KINDS[row.entity] == "member"))
    calendar, found = await calendars.get_with_members(source, viewer, calendar_id, people, people=along.people)
    members = {one.user.id: one for one in found if one is not None}
    last: dict[_Key, datetime] = {}
    for row in page.changes:
        key = _Key(_KINDS[row.entity], row.entity_id)
        # Who sees busy times only is shown the owners; what becomes of other members is not theirs to know.
        if key.kind == "member" and calendar.role is Role.FREE_BUSY and key.id != viewer.user_id:
            continue
        last.pop(key, None)
        last[key] = row.ts
    ids = [one.id for one in last if one.kind == "event"]
    shown = await read.get_many(source, viewer, ids, zone, now=now, along=along) if ids else []
    events = {one.id: one for one in shown if one is not None and one.calendar_id == calendar_id}
    if along.calendars is not None:
        along.calendars[calendar_id] = calendar
    changes = tuple(_change(key, changed_at, calendar, events, members) for key, changed_at in last.items())
    return Feed(changes, page.position, page.has_more)


def parse_position(text: str | None, field: str) -> Position | None:
    """The position that a caller gives back, `first`, or none; Problem `invalid_cursor`."""
    if text is None:
        return None
    if text == FIRST:
        return change_log.FIRST
    expected = "expected a `position` of an earlier answer, or `first`"
    if len(text) > POSITION_CHARACTERS_MAX:
        raise invalid(field, expected, code=Code.INVALID_CURSOR)
    try:
        return Position.parse(text)
    except Problem:
        raise invalid(field, expected, code=Code.INVALID_CURSOR) from None


def _change(
    key: _Key,
    changed_at: datetime,
    calendar: Calendar,
    events: Mapping[UUID, Event],
    members: Mapping[UUID, Member],
) -> Change:
    kind, id_ = key
    if kind == "calendar":
        return Change(kind, id_, "upsert", changed_at, calendar=calendar)
    event, member = (events.get(id_), None) if kind == "event" else (None, members.get(id_))
    there = event is not None or member is not None
    return Change(kind, id_, "upsert" if there else "remove", changed_at, event=event, member=member)
