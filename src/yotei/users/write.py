"""Writing people: add, shut out, let in again, erase. Administrators only; the last of them stays.

Locks: administrators by id, then the person.
"""

from uuid import UUID

from yotei.errors import Code, Fault, Problem, invalid, not_found
from yotei.ical.timezones import UnknownZone, resolve
from yotei.storage.ids import uuid7
from yotei.storage.pool import Database, Source
from yotei.users import rows
from yotei.users.user import ERASED_NAME, Viewer, checked_email


async def insert(
    tx: Source, *, email: str, name: str, tzid: str = "UTC", avatar_url: str | None = None, is_admin: bool = False
) -> UUID:
    """A person, in a transaction that a higher room has begun and authorised. Problem `already_exists` by address."""
    if not 1 <= len(name.strip()) <= 200:
        raise invalid("body.name", "expected 1 to 200 characters")
    if avatar_url is not None and not avatar_url.startswith(("https://", "http://")):
        raise invalid("body.avatar_url", "expected an address that starts with https://")
    user_id = uuid7()
    address, zone = checked_email(email, "body.email"), checked_zone(tzid)
    if not await rows.insert_user(tx, user_id, address, name.strip(), avatar_url, zone, is_admin):
        taken = "somebody has this address already"
        raise Problem(Code.ALREADY_EXISTS, f"body.email: {taken}", faults=(Fault("body.email", taken),))
    return user_id


def checked_zone(tzid: str) -> str:
    """The IANA name of a zone; Problem `unknown_time_zone`."""
    try:
        return resolve(tzid).key
    except UnknownZone:
        raise invalid("body.tzid", "expected an IANA time zone", code=Code.UNKNOWN_TIME_ZONE) from None


async def deactivate(database: Database, viewer: Viewer, user_id: UUID) -> None:
    """Their tokens stop working; nothing is lost. Not for oneself, nor the last administrator."""
    viewer.need_admin()
    if user_id == viewer.user_id:
        raise Problem(Code.CONFLICT, "One cannot deactivate oneself.")

    async def work(tx: Source) -> None:
        await _keep_an_admin(tx, user_id)
        if not await rows.set_active(tx, user_id, False):
            raise not_found("user")

    await database.run(work, actor_id=viewer.user_id)


async def reactivate(database: Database, viewer: Viewer, user_id: UUID) -> None:
    """Undo a deactivation; an erased person is not found."""
    viewer.need_admin()

    async def work(tx: Source) -> None:
        if not await rows.set_active(tx, user_id, True):
            raise not_found("user")

    await database.run(work, actor_id=viewer.user_id)


async def erase(database: Database, viewer: Viewer, user_id: UUID) -> None:
    """Remove all that says who somebody is, for good; again changes nothing. The last administrator stays."""
    viewer.need_admin()

    async def work(tx: Source) -> None:
        await _keep_an_admin(tx, user_id)
        if not await rows.erase_user(tx, user_id, ERASED_NAME):
            raise not_found("user")

    await database.run(work, actor_id=viewer.user_id)


async def _keep_an_admin(tx: Source, leaving: UUID) -> None:
    if await rows.lock_admins(tx) == [leaving]:
        raise Problem(Code.CONFLICT, "The last administrator stays; make another one first.")
