"""One typed function for each statement of `queries.sql`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from yotei.events.event import Timed
from yotei.resources.resource import Resource, ResourceRole
from yotei.scheduling.freebusy import Kind
from yotei.scheduling.periods import Span
from yotei.storage import statements
from yotei.storage.pool import Source
from yotei.users.user import Hours

_SQL: Final = statements.load("yotei.scheduling")


class Somebody(msgspec.Struct, frozen=True):
    """A person who is there."""

    id: UUID
    email: str
    tzid: str
    working_hours: Hours


class Busy(msgspec.Struct, frozen=True):
    """Periods that make one person busy; wall clock in UTC where they come from all-day and floating events."""

    person_id: UUID
    kind: Kind
    spans: tuple[Span, ...]


class Mark(msgspec.Struct, frozen=True):
    """Whom a row of a series makes busy."""

    event_id: UUID
    kind: Kind
    person_ids: tuple[UUID, ...]


class PeopleBusy(msgspec.Struct, frozen=True):
    """What `select_people_busy` found; only `people` where the `size` is too much."""

    size: int
    people: tuple[Somebody, ...]
    busy: tuple[Busy, ...]
    wall: tuple[Busy, ...]
    rows: tuple[Timed, ...]
    marks: tuple[Mark, ...]


class ResourceBlocked(msgspec.Struct, frozen=True):
    """A resource, the role of the viewer in it, and the blocked periods of each unit that is blocked at all."""

    resource: Resource
    is_named: bool
    role: ResourceRole | None
    units: tuple[tuple[Span, ...], ...]


_people: Final = msgspec.json.Decoder(tuple[Somebody, ...])
_busy: Final = msgspec.json.Decoder(tuple[Busy, ...])
_rows: Final = msgspec.json.Decoder(tuple[Timed, ...])
_marks: Final = msgspec.json.Decoder(tuple[Mark, ...])
_resources: Final = msgspec.json.Decoder(tuple[ResourceBlocked, ...])


async def select_people_busy(
    source: Source, user_ids: Sequence[UUID], emails: Sequence[str], start: datetime, end: datetime, rows_max: int
) -> PeopleBusy:
    row = await source.fetchrow(_SQL["select_people_busy"], list(user_ids), list(emails), start, end, rows_max)
    assert row is not None
    return PeopleBusy(
        row["size"],
        _people.decode(row["people"]),
        _busy.decode(row["busy"]),
        _busy.decode(row["wall"]),
        _rows.decode(row["rows"]),
        _marks.decode(row["marks"]),
    )


async def select_resources_blocked(
    source: Source,
    viewer_id: UUID,
    ids: Sequence[UUID],
    *,
    with_fitting: bool = False,
    kind: str | None = None,
    seats_min: int | None = None,
    features: Sequence[str] = (),
    start: datetime,
    end: datetime,
    limit: int,
    rows_max: int,
) -> tuple[int, tuple[ResourceBlocked, ...]]:
    """How many reservations that takes, and unless there are too many, the resources."""
    row = await source.fetchrow(
        _SQL["select_resources_blocked"],
        viewer_id,
        list(ids),
        with_fitting,
        kind,
        seats_min,
        list(features),
        start,
        end,
        limit,
        rows_max,
    )
    assert row is not None
    return row["size"], _resources.decode(row["resources"])
