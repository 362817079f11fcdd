"""Writing people: add, change, shut out, let in again, erase. The last administrator stays.

Every function is part of the caller's transaction. Locks: administrators by id, then the person.
"""

from uuid import UUID

from msgspec import UNSET

from yotei.errors import Code, Fault, Problem, expect_version, invalid, not_found
from yotei.storage.ids import uuid7
from yotei.storage.pool import Source
from yotei.users import rows
from yotei.users.user import (
    ERASED_NAME,
    NewUser,
    ProfileFields,
    Viewer,
    checked_email,
    checked_hours,
    checked_name,
    checked_zone,
)


async def insert(tx: Source, new: NewUser) -> UUID:
    """A person, where a higher room has authorised it. Problem `already_exists` by address.

    Invitations that were sent to the address before are theirs.
    """
    user_id = uuid7()
    email = checked_email(new.email, "body.email")
    name, zone = checked_name(new.name, "body.name"), checked_zone(new.tzid, "body.tzid")
    if not await rows.insert_user(tx, user_id, email, name, _checked_avatar(new.avatar_url), zone, new.is_admin):
        taken = "somebody has this address already"
        raise Problem(Code.ALREADY_EXISTS, f"body.email: {taken}", faults=(Fault("body.email", taken),))
    await rows.adopt_invitations(tx, user_id, email)
    return user_id


async def update(
    tx: Source, viewer: Viewer, user_id: UUID, fields: ProfileFields, expected: frozenset[int] | None = None
) -> None:
    """Change one's own profile; that of others, and who is an administrator, as an administrator."""
    viewer.need("write")
    if user_id != viewer.user_id or fields.is_admin is not UNSET:
        viewer.need_admin()
    if fields.is_admin is False:
        await _keep_an_admin(tx, user_id)
    there = await rows.lock_user(tx, user_id)
    if there is None:
        raise not_found("user")
    expect_version(there.version, expected)
    await rows.update_user(
        tx,
        user_id,
        there.name if fields.name is UNSET else checked_name(fields.name, "body.name"),
        there.avatar_url if fields.avatar_url is UNSET else _checked_avatar(fields.avatar_url),
        there.tzid if fields.tzid is UNSET else checked_zone(fields.tzid, "body.tzid"),
        there.working_hours
        if fields.working_hours is UNSET
        else checked_hours(fields.working_hours, "body.working_hours"),
        there.is_admin if fields.is_admin is UNSET else fields.is_admin,
    )


async def deactivate(tx: Source, viewer: Viewer, user_id: UUID) -> None:
    """Their tokens stop working; nothing is lost. Not for oneself, nor the last administrator."""
    viewer.need_admin()
    if user_id == viewer.user_id:
        raise Problem(Code.CONFLICT, "One cannot deactivate oneself.")
    await _keep_an_admin(tx, user_id)
    if not await rows.set_active(tx, user_id, False):
        raise not_found("user")


async def reactivate(tx: Source, viewer: Viewer, user_id: UUID) -> None:
    """Undo a deactivation; an erased person is not found."""
    viewer.need_admin()
    if not await rows.set_active(tx, user_id, True):
        raise not_found("user")


async def erase(tx: Source, viewer: Viewer, user_id: UUID) -> None:
    """Remove all that says who somebody is, for good; again changes nothing. The last administrator stays."""
    viewer.need_admin()
    await _keep_an_admin(tx, user_id)
    if not await rows.erase_user(tx, user_id, ERASED_NAME):
        raise not_found("user")


async def _keep_an_admin(tx: Source, leaving: UUID) -> None:
    if await rows.lock_admins(tx) == [leaving]:
        raise Problem(Code.CONFLICT, "The last administrator stays; make another one first.")


def _checked_avatar(url: str | None) -> str | None:
    if url is not None and not url.startswith(("https://", "http://")):
        raise invalid("body.avatar_url", "expected an address that starts with https://")
    return url
