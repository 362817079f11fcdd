"""One typed function for each statement of `queries.sql`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
from asyncpg import Record

from yotei.resources.resource import Period, Resource
from yotei.storage import statements
from yotei.storage.pool import Source

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


async def get_resources(source: Source, ids: Sequence[UUID]) -> list[Resource]:
    return [_resource(row) for row in await source.fetch(_SQL["get_resources"], list(ids))]


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


def _resource(row: Record) -> Resource:
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
