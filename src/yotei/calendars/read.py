"""Reading calendars and their members. A calendar that is not shared with the viewer does not exist for them,
administrators included."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Final
from uuid import UUID

import msgspec

from yotei.calendars import rows
from yotei.calendars.calendar import Calendar, Member
from yotei.errors import not_found
from yotei.storage.pool import Source
from yotei.users.user import Profile, Viewer, as_person

CALENDARS_MAX: Final = 1_000
"""Calendars that one batched read may ask for."""
MEMBERS_MAX: Final = 1_000
"""Members of one calendar in one answer."""


class After(msgspec.Struct, frozen=True):
    """Where the page before ended in the order by name and id."""

    name: str
    id: UUID


async def list_for(
    source: Source, viewer: Viewer, *, after: After | None, limit: int
) -> tuple[list[Calendar], After | None]:
    """The viewer's calendars by name, and where to go on. One statement."""
    viewer.need("read")
    found = await rows.list_calendars(source, viewer.user_id, (after.name, after.id) if after else None, limit + 1)
    last = found[limit - 1] if len(found) > limit else None
    return found[:limit], After(last.name, last.id) if last else None


async def get(source: Source, viewer: Viewer, calendar_id: UUID) -> Calendar:
    """One calendar; Problem `not_found`. One statement."""
    found = (await get_many(source, viewer, [calendar_id]))[0]
    if found is None:
        raise not_found("calendar")
    return found


async def get_many(source: Source, viewer: Viewer, ids: Sequence[UUID]) -> list[Calendar | None]:
    """Calendars in the order asked for, None where there is none to be read. One statement."""
    viewer.need("read")
    assert len(ids) <= CALENDARS_MAX
    by_id = {calendar.id: calendar for calendar in await rows.get_calendars(source, viewer.user_id, ids)}
    return [by_id.get(one) for one in ids]


async def members(
    source: Source,
    viewer: Viewer,
    calendar_ids: Sequence[UUID],
    limit_each: int = MEMBERS_MAX,
    *,
    people: dict[UUID, Profile] | None = None,
) -> list[tuple[Member, ...] | None]:
    """Who shares each calendar, owners first; None where there is no calendar to be read. One statement.

    One who sees busy times only is shown the owners. `people` is filled with who they are in full.
    """
    viewer.need("read")
    assert len(calendar_ids) <= CALENDARS_MAX
    by_calendar: defaultdict[UUID, list[Member]] = defaultdict(list)
    for calendar_id, member in await rows.list_members(source, viewer.user_id, calendar_ids, limit_each, people):
        by_calendar[calendar_id].append(member)
    return [tuple(by_calendar[one]) if one in by_calendar else None for one in calendar_ids]


async def get_with_members(
    source: Source,
    viewer: Viewer,
    calendar_id: UUID,
    user_ids: Sequence[UUID],
    *,
    people: dict[UUID, Profile] | None = None,
) -> tuple[Calendar, list[Member | None]]:
    """A calendar, and these people as members of it, None for who is none, or is not shown; Problem `not_found`.
    `people` is filled with who they are in full. One statement."""
    viewer.need("read")
    assert len(user_ids) <= MEMBERS_MAX
    found = await rows.get_calendar_with_members(source, viewer.user_id, calendar_id, user_ids)
    if found is None:
        raise not_found("calendar")
    calendar, known = found
    if people is not None:
        people.update((one.user.id, one.user) for one in known)
    by_id = {one.user.id: Member(as_person(one.user), one.role, one.created_at) for one in known}
    return calendar, [by_id.get(one) for one in user_ids]


async def get_members(
    source: Source, viewer: Viewer, calendar_id: UUID, user_ids: Sequence[UUID]
) -> list[Member | None]:
    """These people as members of a calendar, None for who is none, or is not shown; Problem `not_found`. One
    statement."""
    _, found = await get_with_members(source, viewer, calendar_id, user_ids)
    return found
