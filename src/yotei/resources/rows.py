"""One typed function for each statement of `queries.sql`."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from asyncpg import Record

from yotei.cache.key import Key, Loaded
from yotei.resources import keys
from yotei.resources.resource import Period, Resource, ResourceMember, ResourceRole
from yotei.storage import statements
from yotei.storage.pool import Source
from yotei.users.user import Person

UNITS_MAX: Final = 1_000
"""Days times resources that are read as units of the cache."""
DIRECTORY_MAX: Final = 1_000
"""Resources that are listed from units; where there are more they are read from the database."""

_SQL: Final = statements.load("yotei.resources")


class Blocked(msgspec.Struct, frozen=True):
    """A resource with the blocked periods of its units, by start; those of different units may overlap."""

    resource: Resource
    blocked: tuple[Period, ...]


_hours: Final = msgspec.json.Decoder(dict[str, tuple[tuple[str, str], ...]] | None)
_blocked: Final = msgspec.json.Decoder(tuple[Blocked, ...])


async def list_resources(
    source: Source,
    *,
    kind: str | None,
    seats_min: int | None,
    features: Sequence[str],
    after: tuple[str, UUID] | None,
    limit: int,
) -> list[Resource]:
    name, id_ = after or (None, None)
    found = await source.fetch(_SQL["list_resources"], kind, seats_min, list(features), name, id_, limit)
    return [_resource(row) for row in found]


class _Day(msgspec.Struct, frozen=True):
    resource_id: UUID
    day: date
    holds: tuple[keys.Hold, ...]


_ids: Final = msgspec.json.Decoder(tuple[UUID, ...])
_known: Final = msgspec.json.Decoder(tuple[keys.Known, ...])
_days: Final = msgspec.json.Decoder(tuple[_Day, ...])


async def load_resources(source: Source, wanted: Sequence[Key], directory_days: Sequence[date] = ()) -> Loaded:
    """Resources, days of them, and which there are: all kinds of keys. With a day comes its resource, or that there is
    none; with the directory come all, and these days of each."""
    days = [key for key in wanted if key.family == "resource_availability"]
    ids = list(dict.fromkeys(key.id for key in wanted if key.family != "resource_directory"))
    lists = any(key.family == "resource_directory" for key in wanted)
    row = await source.fetchrow(
        _SQL["load_resources"],
        ids,
        [key.id for key in days],
        [keys.day_of(key) for key in days],
        lists,
        DIRECTORY_MAX,
        list(directory_days),
        UNITS_MAX,
    )
    assert row is not None
    payloads: dict[Key, object] = dict.fromkeys(map(keys.profile, ids))
    payloads |= {keys.profile(one.resource.id): one for one in _known.decode(row["resources"])}
    payloads |= {keys.availability(one.resource_id, one.day): one.holds for one in _days.decode(row["days"])}
    if lists:
        listed = _ids.decode(row["listed"])
        payloads[keys.directory()] = keys.Directory(listed if len(listed) <= DIRECTORY_MAX else None)
    return Loaded.of(payloads, row["snapshot"], row["is_standby"])


async def select_availability(
    source: Source,
    *,
    ids: Sequence[UUID] | None,
    kind: str | None,
    seats_min: int | None,
    features: Sequence[str],
    start: datetime,
    end: datetime,
    after: tuple[str, UUID] | None,
    limit: int,
) -> tuple[Blocked, ...]:
    name, id_ = after or (None, None)
    row = await source.fetchrow(
        _SQL["select_availability"],
        None if ids is None else list(ids),
        kind,
        seats_min,
        list(features),
        start,
        end,
        limit,
        name,
        id_,
    )
    assert row is not None
    return _blocked.decode(row["resources"])


async def insert_resource(source: Source, resource: Resource) -> None:
    await source.execute(_SQL["insert_resource"], *_values(resource))


async def lock_resource(source: Source, resource_id: UUID) -> tuple[Resource, bool] | None:
    """The resource, and whether it is deleted."""
    row = await source.fetchrow(_SQL["lock_resource"], resource_id)
    return None if row is None else (_resource(tuple(row)[:-1]), row["is_deleted"])


async def update_resource(source: Source, resource: Resource) -> None:
    await source.execute(_SQL["update_resource"], *_values(resource))


async def set_resource_deleted(source: Source, resource_id: UUID, deleted: bool) -> None:
    await source.execute(_SQL["set_resource_deleted"], resource_id, deleted)


async def is_booked(source: Source, resource_id: UUID, after: datetime, first_unit: int) -> bool:
    row = await source.fetchrow(_SQL["is_booked"], resource_id, after, first_unit)
    assert row is not None
    found: bool = row["is_booked"]
    return found


async def get_resource_role(source: Source, resource_id: UUID, user_id: UUID) -> ResourceRole | None:
    row = await source.fetchrow(_SQL["get_resource_role"], resource_id, user_id)
    return None if row is None else row["role"]


async def list_resource_members(
    source: Source, viewer_id: UUID, resource_ids: Sequence[UUID], limit_each: int
) -> dict[UUID, tuple[ResourceRole | None, list[ResourceMember]]]:
    """What the viewer is in each resource that is there, and its members."""
    found: dict[UUID, tuple[ResourceRole | None, list[ResourceMember]]] = {}
    for resource_id, own_role, *who, role, created_at in await source.fetch(
        _SQL["list_resource_members"], list(resource_ids), viewer_id, limit_each
    ):
        _, members = found.setdefault(resource_id, (own_role, []))
        if role is not None:
            members.append(ResourceMember(Person(*who), role, created_at))
    return found


async def put_resource_member(source: Source, resource_id: UUID, user_id: UUID, role: ResourceRole) -> bool:
    return await source.fetchrow(_SQL["put_resource_member"], resource_id, user_id, role) is not None


async def delete_resource_member(source: Source, resource_id: UUID, user_id: UUID) -> bool:
    return await source.fetchrow(_SQL["delete_resource_member"], resource_id, user_id) is not None


def _values(resource: Resource) -> tuple[object, ...]:
    *said, hours, booking, _version = msgspec.structs.astuple(resource)
    return (*said, None if hours is None else msgspec.json.encode(hours).decode(), booking)


def _resource(row: Record | tuple[Any, ...]) -> Resource:
    (
        id_,
        name,
        kind,
        description,
        location,
        tzid,
        seats,
        features,
        bookings,
        setup,
        teardown,
        hours,
        booking,
        version,
    ) = row
    return Resource(
        id_,
        name,
        kind,
        description,
        location,
        tzid,
        seats,
        tuple(features),
        bookings,
        setup,
        teardown,
        _hours.decode(hours or "null"),
        booking,
        version,
    )
