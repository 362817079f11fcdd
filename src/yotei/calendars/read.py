"""Reading calendars and their members. A calendar that is not shared with the viewer does not exist for them,
administrators included."""

from collections import defaultdict
from collections.abc import Sequence
from operator import attrgetter
from typing import Final
from uuid import UUID

import msgspec

from yotei.cache.reads import Reads
from yotei.calendars import keys, rows
from yotei.calendars.calendar import Calendar, Member, Role
from yotei.calendars.keys import Memberships, Share, Shares, Summary
from yotei.errors import not_found
from yotei.storage.pool import Source
from yotei.users import keys as users
from yotei.users.rows import load_users
from yotei.users.user import Profile, Viewer, as_person

CALENDARS_MAX: Final = 1_000
"""Calendars that one batched read may ask for."""
MEMBERS_MAX: Final = 1_000
"""Members of one calendar in one answer."""


_RANKS: Final = {role: rank for rank, role in enumerate((Role.OWNER, Role.WRITER, Role.READER, Role.FREE_BUSY))}


class After(msgspec.Struct, frozen=True):
    """Where the page before ended in the order by name and id."""

    name: str
    id: UUID


async def list_for(
    source: Source, viewer: Viewer, *, after: After | None, limit: int
) -> tuple[list[Calendar], After | None]:
    """The viewer's calendars by name, and where to go on. One statement."""
    viewer.need("read")
    if isinstance(source, Reads):
        mine = await source.consistently(lambda: _own(source, viewer))
        if mine is not None:
            return _paged(mine, after, limit)
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
    if isinstance(source, Reads):
        known = await source.consistently(lambda: _own(source, viewer, ids))
        if known is not None:
            return [known.get(one) for one in ids]
    by_id = {calendar.id: calendar for calendar in await rows.get_calendars(source, viewer.user_id, ids)}
    return [by_id.get(one) for one in ids]


async def _own(reads: Reads, viewer: Viewer, ids: Sequence[UUID] | None = None) -> dict[UUID, Calendar] | None:
    """The viewer's calendars, those of these ids where some are given; None where they are too many for a unit."""
    found: Memberships = (await reads.get_many([keys.of_user(viewer.user_id)], rows.load_memberships))[0]
    if found.all is None:
        return None
    roles = {one.calendar_id: one.role for one in found.all}
    wanted = list(roles if ids is None else dict.fromkeys(one for one in ids if one in roles))
    summaries: list[Summary | None] = await reads.get_many(list(map(keys.summary, wanted)), rows.load_memberships)
    return {one.id: seen(one, roles[one.id], viewer.user_id) for one in summaries if one is not None}


def seen(summary: Summary, role: Role, viewer_id: UUID) -> Calendar:
    """A calendar as a member of this role sees it."""
    return Calendar(
        id=summary.id,
        name=summary.name,
        description=summary.description,
        color=summary.color,
        tzid=summary.tzid,
        is_personal=summary.personal_for == viewer_id,
        role=role,
        version=summary.version,
        created_at=summary.created_at,
        updated_at=summary.updated_at,
    )


def _paged(mine: dict[UUID, Calendar], after: After | None, limit: int) -> tuple[list[Calendar], After | None]:
    place = attrgetter("name", "id")
    left = sorted((one for one in mine.values() if after is None or place(one) > (after.name, after.id)), key=place)
    shown = left[:limit]
    return shown, After(shown[-1].name, shown[-1].id) if len(left) > limit else None


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
    if isinstance(source, Reads):
        shared = await source.consistently(lambda: _shared(source, viewer, calendar_ids, limit_each, people))
        if shared is not None:
            return shared
    by_calendar: defaultdict[UUID, list[Member]] = defaultdict(list)
    for calendar_id, member in await rows.list_members(source, viewer.user_id, calendar_ids, limit_each, people):
        by_calendar[calendar_id].append(member)
    return [tuple(by_calendar[one]) if one in by_calendar else None for one in calendar_ids]


async def _shared(
    reads: Reads,
    viewer: Viewer,
    calendar_ids: Sequence[UUID],
    limit_each: int,
    people: dict[UUID, Profile] | None,
) -> list[tuple[Member, ...] | None] | None:
    """The same from the units; None where there are too many members for one."""
    found: list[Shares | None] = await reads.get_many(list(map(keys.members, calendar_ids)), rows.load_members)
    if any(one is not None and one.all is None for one in found):
        return None
    shown = [_shown(one, viewer.user_id) for one in found]
    ids = list(dict.fromkeys(share.user_id for one in shown if one is not None for share in one))
    profiles: list[Profile | None] = await reads.get_many(list(map(users.profile, ids)), load_users)
    known = {one.id: one for one in profiles if one is not None}
    answer: list[tuple[Member, ...] | None] = []
    for one in shown:
        if one is None:
            answer.append(None)
            continue
        first = sorted(
            (share for share in one if share.user_id in known),
            key=lambda share: (_RANKS[share.role], known[share.user_id].name, share.user_id),
        )[:limit_each]
        answer.append(tuple(Member(as_person(known[it.user_id]), it.role, it.created_at) for it in first))
        if people is not None:
            people.update((it.user_id, known[it.user_id]) for it in first)
    return answer


def _shown(found: Shares | None, viewer_id: UUID) -> Sequence[Share] | None:
    """Those of whom the viewer may know; None where they may not know of the calendar."""
    if found is None or found.all is None:
        return None
    role = next((one.role for one in found.all if one.user_id == viewer_id), None)
    if role is None:
        return None
    return [one for one in found.all if role is not Role.FREE_BUSY or one.role is Role.OWNER] or None


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
