"""Ids among all things of all kinds: `Event:<id>`, of an instance of a series `Event:<id>@<recurrenceId>`.

    Node = Calendar | Event | Resource | User

The `id` of a thing stays the UUID that REST gives; a `nodeId` says of what kind it is, and which instance, so that a
client's cache keeps apart what is not the same.
"""

from datetime import UTC, datetime
from typing import Final, cast
from uuid import UUID

from yotei.calendars.calendar import Calendar
from yotei.errors import invalid
from yotei.events.event import Event
from yotei.events.nodes import Kind, Named
from yotei.resources.resource import Resource
from yotei.users.user import Person, Profile

NODES_MAX: Final = 100
"""Nodes that one field may ask for."""

KINDS: Final[dict[type, Kind]] = {
    Calendar: "Calendar",
    Event: "Event",
    Resource: "Resource",
    Person: "User",
    Profile: "User",
}


def node_id(value: object) -> str:
    """The node id of a value of the domain."""
    kind = KINDS[type(value)]
    if isinstance(value, Event) and value.recurrence_id is not None:
        return f"{kind}:{value.id}@{value.recurrence_id.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    assert isinstance(value, Calendar | Event | Resource | Person | Profile)
    return f"{kind}:{value.id}"


def parse(text: str, field: str) -> Named:
    """Problem `invalid_request` for what is no node id."""
    kind, _, rest = text.partition(":")
    id_, at, instance = rest.partition("@")
    try:
        if kind not in KINDS.values() or len(id_) != 36 or (at and kind != "Event"):
            raise ValueError(text)
        when = datetime.strptime(instance, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC) if at else None
        return Named(cast("Kind", kind), UUID(id_), when)
    except ValueError:
        raise invalid(field, "expected a `nodeId`, such as `Event:` and a UUID") from None
