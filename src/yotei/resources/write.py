"""Writing resources and who may book them. Administrators add and delete them; managers look after theirs.

Every function is part of the caller's transaction. Locks: the resource, against those who book it meanwhile; they find
another version then and begin anew.
"""

from datetime import datetime
from uuid import UUID

import msgspec
from msgspec import UNSET

from yotei.errors import Code, Problem, expect_version, not_found
from yotei.resources import access, rows
from yotei.resources.resource import NewResource, Resource, ResourceFields, ResourceRole
from yotei.storage.ids import uuid7
from yotei.storage.pool import Source
from yotei.users.user import Hours, Viewer, checked_hours, checked_name, checked_zone


async def create(tx: Source, viewer: Viewer, new: NewResource) -> UUID:
    """A room or a piece of equipment, by an administrator."""
    viewer.need("write")
    viewer.need_admin()
    fields = msgspec.structs.asdict(new)
    fields |= {
        "name": checked_name(new.name, "body.name"),
        "tzid": checked_zone(new.tzid or viewer.tzid, "body.tzid"),
        "features": _features(new.features),
        "opening_hours": _hours(new.opening_hours),
    }
    resource = Resource(id=uuid7(), version=1, **fields)
    await rows.insert_resource(tx, resource)
    return resource.id


async def update(
    tx: Source,
    viewer: Viewer,
    resource_id: UUID,
    fields: ResourceFields,
    expected: frozenset[int] | None = None,
    *,
    now: datetime,
) -> None:
    """Change a resource, by an administrator or one of its managers.

    Times and rights hold for bookings from now on; those that are there stay as they are. Problem `conflict` for fewer
    `concurrent_bookings` than some moment to come has.
    """
    there = await _managed(tx, viewer, resource_id)
    expect_version(there.version, expected)
    given = {name: value for name in ResourceFields.__struct_fields__ if (value := getattr(fields, name)) is not UNSET}
    if "name" in given:
        given["name"] = checked_name(given["name"], "body.name")
    if "tzid" in given:
        given["tzid"] = checked_zone(given["tzid"], "body.tzid")
    if "features" in given:
        given["features"] = _features(given["features"])
    if "opening_hours" in given:
        given["opening_hours"] = _hours(given["opening_hours"])
    changed = msgspec.structs.replace(there, **given)
    units = changed.concurrent_bookings
    if units < there.concurrent_bookings and await rows.is_booked(tx, resource_id, now, units + 1):
        raise Problem(Code.CONFLICT, f"More than {units} bookings of it are there already; cancel some first.")
    await rows.update_resource(tx, changed)


async def delete(
    tx: Source, viewer: Viewer, resource_id: UUID, expected: frozenset[int] | None = None, *, now: datetime
) -> None:
    """Take a resource out of service, by an administrator. Problem `conflict` while it is booked from now on."""
    viewer.need_admin()
    there = await _managed(tx, viewer, resource_id)
    expect_version(there.version, expected)
    if await rows.is_booked(tx, resource_id, now, 1):
        raise Problem(
            Code.CONFLICT, "It is booked still; set `booking` to NOBODY and wait, or take it out of those events first."
        )
    await rows.set_resource_deleted(tx, resource_id, True)


async def restore(tx: Source, viewer: Viewer, resource_id: UUID, expected: frozenset[int] | None = None) -> None:
    """Bring a deleted resource back, by an administrator; one that is there stays as it is."""
    viewer.need("write")
    viewer.need_admin()
    locked = await rows.lock_resource(tx, resource_id)
    if locked is None:
        raise not_found("resource")
    there, is_deleted = locked
    expect_version(there.version, expected)
    if is_deleted:
        await rows.set_resource_deleted(tx, resource_id, False)


async def put_member(tx: Source, viewer: Viewer, resource_id: UUID, user_id: UUID, role: ResourceRole) -> None:
    """Let somebody book a resource, or look after it, by an administrator or a manager."""
    await _managed(tx, viewer, resource_id)
    if not await rows.put_resource_member(tx, resource_id, user_id, role):
        raise not_found("user")


async def remove_member(tx: Source, viewer: Viewer, resource_id: UUID, user_id: UUID) -> None:
    """Take that away again. What they have booked stays."""
    await _managed(tx, viewer, resource_id)
    if not await rows.delete_resource_member(tx, resource_id, user_id):
        raise not_found("member")


async def _managed(tx: Source, viewer: Viewer, resource_id: UUID) -> Resource:
    """A resource that the viewer looks after, locked. Problem `not_found`, `forbidden`."""
    viewer.need("write")
    locked = await rows.lock_resource(tx, resource_id)
    if locked is None or locked[1]:
        raise not_found("resource")
    role = None if viewer.is_admin else await rows.get_resource_role(tx, resource_id, viewer.user_id)
    if not access.may_manage(role, viewer):
        raise Problem(Code.FORBIDDEN, "Only administrators and managers of a resource change it.")
    return locked[0]


def _features(features: tuple[str, ...]) -> tuple[str, ...]:
    """Each once, in the order given."""
    return tuple(dict.fromkeys(features))


def _hours(hours: Hours | None) -> Hours | None:
    return None if hours is None else checked_hours(hours, "body.opening_hours")
