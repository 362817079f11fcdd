"""`/api/resources`: rooms and equipment, when they are free, and who looks after them."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

import msgspec
from litestar import Request, Response, delete, get, patch, post, put
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, Parameter

from yotei.api import paging
from yotei.api.conditional import answer
from yotei.api.edge import source_of
from yotei.api.parameters import Cursor, End, Start, Zone, page_size, parse_ids, parse_window, parse_zone
from yotei.api.problems import refusals
from yotei.api.writing import Writing, Written
from yotei.resources import read, write
from yotei.resources.resource import (
    Availability,
    NewResource,
    Period,
    Resource,
    ResourceFields,
    ResourceMember,
    ResourceRole,
)
from yotei.storage.pool import Transaction
from yotei.users.user import Viewer

KindFilter = Annotated[Literal["ROOM", "EQUIPMENT"] | None, Parameter(description="Only this kind.", required=False)]
SeatsMin = Annotated[int | None, Parameter(description="At least so many seats.", required=False, ge=1, le=100_000)]
Features = Annotated[
    str | None,
    Parameter(description="Features that it must all have, separated by commas.", required=False, max_length=2_000),
]
SlotMinutes = Annotated[int, Parameter(description="Leave out free slots shorter than this.", ge=0, le=10_080)]


class ResourceList(msgspec.Struct, frozen=True):
    """Resources by name and id. `next_cursor` is null on the last page."""

    resources: list[Resource]
    next_cursor: str | None


class AvailabilityList(msgspec.Struct, frozen=True):
    """When each resource is taken and free within the window. `next_cursor` is null on the last page."""

    resources: list[Availability]
    start: datetime
    end: datetime
    tz: str
    next_cursor: str | None


class ResourceMemberList(msgspec.Struct, frozen=True):
    """Members of a resource, managers first."""

    members: tuple[ResourceMember, ...]


class Entrusting(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What somebody is to be in a resource."""

    role: ResourceRole


@get("/api/resources", summary="Rooms and equipment", responses=refusals())
async def list_resources(
    request: Request[Any, Any, Any],
    state: State,
    viewer: NamedDependency[Viewer],
    kind: KindFilter = None,
    seats_min: SeatsMin = None,
    features: Features = None,
    limit: Annotated[int | None, Parameter(description="Resources in the page.", required=False)] = None,
    cursor: Cursor = None,
) -> Response[ResourceList]:
    """All that can be booked, by name."""
    found, after = await read.list_all(
        source_of(request),
        viewer,
        read.Wanted(None, kind, seats_min, _features(features)),
        after=paging.decode(cursor, read.After),
        limit=page_size(limit, state.limits),
    )
    return answer(ResourceList(found, paging.encode(after)))


@get("/api/resources/{resource_id:uuid}", summary="One resource", responses=refusals(404))
async def get_resource(
    request: Request[Any, Any, Any], viewer: NamedDependency[Viewer], resource_id: FromPath[UUID]
) -> Response[Resource]:
    """A room or a piece of equipment."""
    resource = await read.get(source_of(request), viewer, resource_id)
    return answer(resource, version=resource.version)


@get("/api/resources/availability", summary="When rooms are free", responses=refusals())
async def list_availability(
    request: Request[Any, Any, Any],
    state: State,
    viewer: NamedDependency[Viewer],
    start: Start = None,
    end: End = None,
    tz: Zone = None,
    resource_ids: Annotated[
        str | None,
        Parameter(
            description=f"Ids separated by commas, at most {read.RESOURCES_MAX}; without it all that fit, by name.",
            required=False,
        ),
    ] = None,
    kind: KindFilter = None,
    seats_min: SeatsMin = None,
    features: Features = None,
    slot_minutes: SlotMinutes = 0,
    cursor: Cursor = None,
) -> Response[AvailabilityList]:
    """Taken and free periods of many resources in one answer. It never says by whom a room is taken, or for what."""
    zone = parse_zone(tz, viewer.tzid)
    window = parse_window(start, end, zone, state.limits)
    wanted = read.Wanted(
        parse_ids(resource_ids, "query.resource_ids", read.RESOURCES_MAX), kind, seats_min, _features(features)
    )
    found, more = await read.availability(
        source_of(request),
        viewer,
        wanted,
        window.start,
        window.end,
        slot_minutes=slot_minutes,
        after=paging.decode(cursor, read.After),
    )
    listed = AvailabilityList(
        [in_zone(one, zone) for one in found],
        window.start.astimezone(zone),
        window.end.astimezone(zone),
        zone.key,
        paging.encode(more),
    )
    return answer(listed)


@post("/api/resources", summary="Add a resource (administrators)", responses=refusals(409, 413, 422))
async def create_resource(
    viewer: NamedDependency[Viewer], writing: NamedDependency[Writing], data: JSONBody[NewResource]
) -> Response[Resource]:
    """A room or a piece of equipment, open to everybody unless `booking` says otherwise."""

    async def work(tx: Transaction) -> Written:
        resource = await read.get(tx, viewer, await write.create(tx, viewer, data))
        return Written(resource, 201, resource.version, f"/api/resources/{resource.id}")

    return await writing.run(work)


@patch("/api/resources/{resource_id:uuid}", summary="Change a resource", responses=refusals(404, 409, 412, 413, 422))
async def patch_resource(
    viewer: NamedDependency[Viewer],
    writing: NamedDependency[Writing],
    resource_id: FromPath[UUID],
    data: JSONBody[ResourceFields],
) -> Response[Resource]:
    """Sets the fields that are given, by an administrator or a manager. What is booked already stays as it is."""
    now = datetime.now(UTC)

    async def work(tx: Transaction) -> Written:
        await write.update(tx, viewer, resource_id, data, writing.expected, now=now)
        return await _shown(tx, viewer, resource_id)

    return await writing.run(work)


@delete(
    "/api/resources/{resource_id:uuid}",
    summary="Take a resource out of service (administrators)",
    status_code=204,
    responses=refusals(404, 409, 412, 422),
)
async def delete_resource(
    viewer: NamedDependency[Viewer], writing: NamedDependency[Writing], resource_id: FromPath[UUID]
) -> Response[None]:
    """Refused while it is booked from now on. It can be restored."""
    now = datetime.now(UTC)

    async def work(tx: Transaction) -> Written:
        await write.delete(tx, viewer, resource_id, writing.expected, now=now)
        return Written(None)

    return await writing.run(work)


@post(
    "/api/resources/{resource_id:uuid}/restore",
    summary="Restore a resource (administrators)",
    status_code=200,
    responses=refusals(404, 409, 412, 422),
)
async def restore_resource(
    viewer: NamedDependency[Viewer], writing: NamedDependency[Writing], resource_id: FromPath[UUID]
) -> Response[Resource]:
    """Undoes a deletion."""

    async def work(tx: Transaction) -> Written:
        await write.restore(tx, viewer, resource_id, writing.expected)
        return await _shown(tx, viewer, resource_id)

    return await writing.run(work)


@get("/api/resources/{resource_id:uuid}/members", summary="Who may book a resource", responses=refusals(404))
async def list_resource_members(
    request: Request[Any, Any, Any], viewer: NamedDependency[Viewer], resource_id: FromPath[UUID]
) -> Response[ResourceMemberList]:
    """Managers and bookers of a resource, for administrators and its managers."""
    return answer(ResourceMemberList(await read.members(source_of(request), viewer, resource_id)))


@put(
    "/api/resources/{resource_id:uuid}/members/{user_id:uuid}",
    summary="Let somebody book a resource, or look after it",
    status_code=204,
    responses=refusals(404, 409, 413, 422),
)
async def put_resource_member(
    viewer: NamedDependency[Viewer],
    writing: NamedDependency[Writing],
    resource_id: FromPath[UUID],
    user_id: FromPath[UUID],
    data: JSONBody[Entrusting],
) -> Response[None]:
    """Gives somebody a role in a resource, by an administrator or a manager. A BOOKER counts where `booking` is
    MEMBERS."""

    async def work(tx: Transaction) -> Written:
        await write.put_member(tx, viewer, resource_id, user_id, data.role)
        return Written(None)

    return await writing.run(work)


@delete(
    "/api/resources/{resource_id:uuid}/members/{user_id:uuid}",
    summary="Take somebody's role in a resource away",
    status_code=204,
    responses=refusals(404, 409, 422),
)
async def remove_resource_member(
    viewer: NamedDependency[Viewer],
    writing: NamedDependency[Writing],
    resource_id: FromPath[UUID],
    user_id: FromPath[UUID],
) -> Response[None]:
    """What they have booked stays."""

    async def work(tx: Transaction) -> Written:
        await write.remove_member(tx, viewer, resource_id, user_id)
        return Written(None)

    return await writing.run(work)


async def _shown(tx: Transaction, viewer: Viewer, resource_id: UUID) -> Written:
    resource = await read.get(tx, viewer, resource_id)
    return Written(resource, version=resource.version)


def _features(text: str | None) -> tuple[str, ...]:
    return tuple(one.strip() for one in (text or "").split(",") if one.strip())


def in_zone(one: Availability, zone: Any) -> Availability:
    """The same, its times told in the zone of the answer."""
    told = (
        tuple(Period(p.start.astimezone(zone), p.end.astimezone(zone)) for p in part) for part in (one.busy, one.free)
    )
    busy, free = told
    return Availability(one.resource, one.is_free, busy, free)


ROUTES: Final = (
    list_resources,
    get_resource,
    list_availability,
    create_resource,
    patch_resource,
    delete_resource,
    restore_resource,
    list_resource_members,
    put_resource_member,
    remove_resource_member,
)
