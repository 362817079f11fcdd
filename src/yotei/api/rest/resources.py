"""`/api/resources`: rooms and equipment, and when they are free."""

from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

import msgspec
from litestar import Request, Response, get
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, Parameter

from yotei.api import paging
from yotei.api.conditional import answer
from yotei.api.parameters import Cursor, End, Start, Zone, page_size, parse_ids, parse_window, parse_zone
from yotei.api.problems import refusals
from yotei.resources import read
from yotei.resources.resource import Availability, Period, Resource
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
        state.database,
        viewer,
        read.Wanted(None, kind, seats_min, _features(features)),
        after=paging.decode(cursor, read.After),
        limit=page_size(limit, state.limits),
    )
    return answer(request, ResourceList(found, paging.encode(after)))


@get("/api/resources/{resource_id:uuid}", summary="One resource", responses=refusals(404))
async def get_resource(
    request: Request[Any, Any, Any], state: State, viewer: NamedDependency[Viewer], resource_id: FromPath[UUID]
) -> Response[Resource]:
    """A room or a piece of equipment."""
    return answer(request, await read.get(state.database, viewer, resource_id))


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
        state.database,
        viewer,
        wanted,
        window.start,
        window.end,
        slot_minutes=slot_minutes,
        after=paging.decode(cursor, read.After),
    )
    listed = AvailabilityList(
        [_in_zone(one, zone) for one in found],
        window.start.astimezone(zone),
        window.end.astimezone(zone),
        zone.key,
        paging.encode(more),
    )
    return answer(request, listed)


def _features(text: str | None) -> tuple[str, ...]:
    return tuple(one.strip() for one in (text or "").split(",") if one.strip())


def _in_zone(one: Availability, zone: Any) -> Availability:
    told = (
        tuple(Period(p.start.astimezone(zone), p.end.astimezone(zone)) for p in part) for part in (one.busy, one.free)
    )
    busy, free = told
    return Availability(one.resource, one.is_free, busy, free)


ROUTES: Final = (list_resources, get_resource, list_availability)
