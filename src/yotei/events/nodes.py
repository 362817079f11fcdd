"""What ids of several kinds name: people, calendars, resources, events and instances of series, read together."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal, NamedTuple, TypeAlias
from uuid import UUID
from zoneinfo import ZoneInfo

from yotei.calendars.calendar import Calendar
from yotei.events import read
from yotei.events.event import Event
from yotei.resources.resource import Resource
from yotei.storage.pool import Source
from yotei.users.user import Profile, Viewer

Kind = Literal["Calendar", "Event", "Resource", "User"]
Node: TypeAlias = Calendar | Event | Resource | Profile


class Named(NamedTuple):
    """One thing; `recurrence_id` names an instance of a series."""

    kind: Kind
    id: UUID
    recurrence_id: datetime | None


async def get_many(
    source: Source,
    viewer: Viewer,
    named: Sequence[Named],
    zone: ZoneInfo,
    *,
    now: datetime,
    instances_max: int,
    along: read.Along,
) -> list[Node | None]:
    """In the order asked for, None where there is nothing to be seen. Two statements at most, the second for instances
    of series."""
    ids = {kind: [one.id for one in named if one.kind == kind] for kind in ("Calendar", "Event", "Resource", "User")}
    along.people = {} if ids["User"] and along.people is None else along.people
    along.calendars = {} if ids["Calendar"] and along.calendars is None else along.calendars
    along.resources = {} if ids["Resource"] and along.resources is None else along.resources
    events = await read.get_named(
        source,
        viewer,
        ids["Event"],
        zone,
        now=now,
        along=along,
        people=ids["User"],
        calendars=ids["Calendar"],
        resources=ids["Resource"],
    )
    by_id: Mapping[UUID, Event] = {one.id: one for one in events if one is not None}
    # An exception has an id of its own, and is found by that.
    instances = [
        (one.id, one.recurrence_id)
        for one in named
        if one.recurrence_id is not None and one.id in by_id and by_id[one.id].recurrence_id != one.recurrence_id
    ]
    seen = dict(
        zip(
            instances,
            await read.get_instances(source, viewer, instances, zone, instances_max=instances_max),
            strict=True,
        )
    )

    def found(one: Named) -> Node | None:
        if one.kind == "User":
            return (along.people or {}).get(one.id)
        if one.kind == "Calendar":
            return (along.calendars or {}).get(one.id)
        if one.kind == "Resource":
            return (along.resources or {}).get(one.id)
        event = by_id.get(one.id)
        if event is None or event.recurrence_id == one.recurrence_id:
            return event
        return None if one.recurrence_id is None else seen[one.id, one.recurrence_id]

    return [found(one) for one in named]
