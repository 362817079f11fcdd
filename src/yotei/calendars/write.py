"""Writing calendars and who shares them; and adding people, each of whom has a personal calendar from the start.

Locks: the calendar, then its members.
"""

from uuid import UUID

from yotei.calendars import access, rows
from yotei.calendars.calendar import Role
from yotei.errors import Code, Problem, invalid, not_found
from yotei.storage.ids import uuid7
from yotei.storage.pool import Database, Source
from yotei.users import write as users
from yotei.users.rows import lock_admins, lock_people
from yotei.users.user import Viewer
from yotei.users.write import checked_zone


async def add_user(
    database: Database,
    viewer: Viewer,
    *,
    email: str,
    name: str,
    tzid: str = "UTC",
    avatar_url: str | None = None,
    is_admin: bool = False,
) -> UUID:
    """A person with a personal calendar, by an administrator. Problem `already_exists` when the address is taken."""
    viewer.need_admin()
    return await install_user(
        database,
        email=email,
        name=name,
        tzid=tzid,
        avatar_url=avatar_url,
        is_admin=is_admin,
        actor_id=viewer.user_id,
    )


async def install_user(
    database: Database,
    *,
    email: str,
    name: str,
    tzid: str = "UTC",
    avatar_url: str | None = None,
    is_admin: bool = False,
    actor_id: UUID | None = None,
    first_admin: bool = False,
) -> UUID:
    """The same for set-up and the command line, where there is no viewer. `first_admin`: only while there is none."""

    async def work(tx: Source) -> UUID:
        if first_admin:
            # Where there is no administrator there is no row to lock: two set-ups at once would both be first.
            await lock_people(tx)
            if await lock_admins(tx):
                raise Problem(Code.CONFLICT, "There is an administrator already.")
        user_id = await users.insert(
            tx, email=email, name=name, tzid=tzid, avatar_url=avatar_url, is_admin=is_admin or first_admin
        )
        await rows.insert_calendar(tx, uuid7(), name.strip(), None, checked_zone(tzid), user_id, user_id)
        return user_id

    return await database.run(work, actor_id=actor_id)


async def create_calendar(
    database: Database, viewer: Viewer, *, name: str, description: str | None = None, tzid: str | None = None
) -> UUID:
    """A calendar that the viewer owns."""
    viewer.need("write")
    if not 1 <= len(name.strip()) <= 200:
        raise invalid("body.name", "expected 1 to 200 characters")
    calendar_id = uuid7()

    async def work(tx: Source) -> None:
        zone = checked_zone(tzid or viewer.tzid)
        await rows.insert_calendar(tx, calendar_id, name.strip(), description, zone, None, viewer.user_id)

    await database.run(work, actor_id=viewer.user_id)
    return calendar_id


async def share(database: Database, viewer: Viewer, calendar_id: UUID, user_id: UUID, role: Role) -> None:
    """Give somebody a role in a calendar that the viewer owns. Problem `conflict` when nobody would own it."""
    viewer.need("write")

    async def work(tx: Source) -> None:
        there = await rows.lock_calendar(tx, calendar_id)
        own = await rows.get_role(tx, calendar_id, viewer.user_id) if there else None
        if own is None:
            raise not_found("calendar")
        if not access.may_manage(own):
            raise Problem(Code.FORBIDDEN, "Only an owner shares a calendar.")
        if role is not Role.OWNER and not await rows.count_other_owners(tx, calendar_id, user_id):
            raise Problem(Code.CONFLICT, "A calendar keeps at least one owner; name another one first.")
        await rows.put_member(tx, calendar_id, user_id, role)

    await database.run(work, actor_id=viewer.user_id)
