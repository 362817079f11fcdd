"""Writing calendars and who shares them; and adding people, each of whom has a personal calendar from the start.

Every function is part of the caller's transaction. Locks: administrators, then the calendar, for itself and its
members.
"""

from typing import NamedTuple
from uuid import UUID

import msgspec
from msgspec import UNSET

from yotei.calendars import access, rows
from yotei.calendars.calendar import COLOR_DEFAULT, CalendarFields, NewCalendar, Role
from yotei.errors import Code, Problem, expect_version, not_found
from yotei.storage.ids import uuid7
from yotei.storage.pool import Database, Source
from yotei.users import write as users
from yotei.users.rows import lock_admins, lock_people
from yotei.users.user import NewUser, Viewer, checked_name, checked_zone


async def add_user(tx: Source, viewer: Viewer, new: NewUser) -> UUID:
    """A person with a personal calendar, by an administrator. Problem `already_exists` when the address is taken."""
    viewer.need_admin()
    return await _add_user(tx, new)


async def install_user(
    database: Database, new: NewUser, *, actor_id: UUID | None = None, first_admin: bool = False
) -> UUID:
    """The same for set-up and the command line, where there is no viewer. `first_admin`: only while there is none."""

    async def work(tx: Source) -> UUID:
        if first_admin:
            # Where there is no administrator there is no row to lock: two set-ups at once would both be first.
            await lock_people(tx)
            if await lock_admins(tx):
                raise Problem(Code.CONFLICT, "There is an administrator already.")
        return await _add_user(tx, msgspec.structs.replace(new, is_admin=new.is_admin or first_admin))

    return await database.run(work, actor_id=actor_id)


async def _add_user(tx: Source, new: NewUser) -> UUID:
    user_id = await users.insert(tx, new)
    name, tzid = checked_name(new.name, "body.name"), checked_zone(new.tzid, "body.tzid")
    await rows.insert_calendar(tx, uuid7(), name, None, COLOR_DEFAULT, tzid, user_id, user_id)
    return user_id


async def create(tx: Source, viewer: Viewer, new: NewCalendar) -> UUID:
    """A calendar that the viewer owns."""
    viewer.need("write")
    calendar_id = uuid7()
    await rows.insert_calendar(
        tx,
        calendar_id,
        checked_name(new.name, "body.name"),
        new.description,
        new.color.lower(),
        checked_zone(new.tzid or viewer.tzid, "body.tzid"),
        None,
        viewer.user_id,
    )
    return calendar_id


async def update(
    tx: Source, viewer: Viewer, calendar_id: UUID, fields: CalendarFields, expected: frozenset[int] | None = None
) -> None:
    """Change what a calendar is called and looks like, by an owner. Events keep the zone that they have."""
    there = (await _managed(tx, viewer, calendar_id, expected=expected)).calendar
    await rows.update_calendar(
        tx,
        calendar_id,
        there.name if fields.name is UNSET else checked_name(fields.name, "body.name"),
        there.description if fields.description is UNSET else fields.description,
        there.color if fields.color is UNSET else fields.color.lower(),
        there.tzid if fields.tzid is UNSET else checked_zone(fields.tzid, "body.tzid"),
    )


async def delete(tx: Source, viewer: Viewer, calendar_id: UUID, expected: frozenset[int] | None = None) -> None:
    """Delete a calendar, by an owner. A personal one stays. Those who delete calendars call `events.write` for it."""
    there = (await _managed(tx, viewer, calendar_id, expected=expected)).calendar
    if there.personal_for is not None:
        raise Problem(Code.CONFLICT, "A personal calendar stays as long as its person.")
    await rows.set_calendar_deleted(tx, calendar_id, True)


async def restore(tx: Source, viewer: Viewer, calendar_id: UUID, expected: frozenset[int] | None = None) -> None:
    """Bring a deleted calendar back, by an owner; one that is there stays as it is."""
    there = (await _managed(tx, viewer, calendar_id, expected=expected, deleted=True)).calendar
    if there.personal_for is not None and there.is_deleted:
        raise not_found("calendar")
    if there.is_deleted:
        await rows.set_calendar_deleted(tx, calendar_id, False)


async def put_member(tx: Source, viewer: Viewer, calendar_id: UUID, user_id: UUID, role: Role) -> None:
    """Share a calendar with somebody, or change their role, by an owner. Problem `conflict` when nobody would own
    it."""
    managed = await _managed(tx, viewer, calendar_id, user_id)
    if not managed.standing.is_active:
        raise not_found("user")
    if role is not Role.OWNER:
        _keep_an_owner(managed, user_id)
    await rows.put_member(tx, calendar_id, user_id, role)


async def remove_member(tx: Source, viewer: Viewer, calendar_id: UUID, user_id: UUID) -> None:
    """Take somebody out of a calendar, by an owner; or leave it oneself. Problem `conflict` when nobody would own
    it."""
    if user_id == viewer.user_id:
        managed = await _shared(tx, viewer, calendar_id, user_id)
    else:
        managed = await _managed(tx, viewer, calendar_id, user_id)
    if managed.standing.other_role is None:
        raise not_found("member")
    _keep_an_owner(managed, user_id)
    await rows.delete_member(tx, calendar_id, user_id)


async def transfer(tx: Source, viewer: Viewer, calendar_id: UUID, user_id: UUID) -> None:
    """Make somebody else the owner; who gives the calendar away stays a writer. A personal one stays its person's."""
    managed = await _managed(tx, viewer, calendar_id, user_id)
    if not managed.standing.is_active:
        raise not_found("user")
    if managed.calendar.personal_for is not None:
        raise Problem(Code.CONFLICT, "A personal calendar stays that of its person.")
    await rows.put_member(tx, calendar_id, user_id, Role.OWNER)
    if user_id != viewer.user_id:
        await rows.put_member(tx, calendar_id, viewer.user_id, Role.WRITER)


class _Held(NamedTuple):
    calendar: rows.Locked
    standing: rows.Standing


async def _shared(
    tx: Source,
    viewer: Viewer,
    calendar_id: UUID,
    user_id: UUID | None = None,
    *,
    expected: frozenset[int] | None = None,
    deleted: bool = False,
) -> _Held:
    """A calendar of which the viewer is a member, locked. Problem `not_found`, `precondition_failed`."""
    viewer.need("write")
    there = await rows.lock_calendar(tx, calendar_id)
    if there is None or (there.is_deleted and not deleted):
        raise not_found("calendar")
    standing = await rows.get_standing(tx, calendar_id, viewer.user_id, user_id or viewer.user_id)
    if standing.own_role is None:
        raise not_found("calendar")
    expect_version(there.version, expected)
    return _Held(there, standing)


async def _managed(
    tx: Source,
    viewer: Viewer,
    calendar_id: UUID,
    user_id: UUID | None = None,
    *,
    expected: frozenset[int] | None = None,
    deleted: bool = False,
) -> _Held:
    """The same for an owner. Problem `forbidden` for other members, for whom a deleted calendar is not there."""
    held = await _shared(tx, viewer, calendar_id, user_id, expected=expected, deleted=deleted)
    assert held.standing.own_role is not None
    if not access.may_manage(held.standing.own_role):
        if held.calendar.is_deleted:
            raise not_found("calendar")
        raise Problem(Code.FORBIDDEN, "Only an owner changes or shares a calendar.")
    return held


def _keep_an_owner(held: _Held, leaving: UUID) -> None:
    if held.calendar.personal_for == leaving:
        raise Problem(Code.CONFLICT, "A personal calendar stays that of its person.")
    if held.standing.other_role is Role.OWNER and not held.standing.has_other_owner:
        raise Problem(Code.CONFLICT, "A calendar keeps at least one owner; name another one first.")
