"""Arguments that several fields share, and what they mean; each refusal names its argument."""

from datetime import UTC, datetime
from typing import Annotated, Final, TypeVar, cast
from uuid import UUID

import msgspec
import strawberry

from yotei.api import paging
from yotei.api.graphql.choices import EventStatus, Expand, Order, ResourceKind
from yotei.api.graphql.context import Context
from yotei.api.graphql.reading import Reading
from yotei.api.parameters import page_size, parse_zone
from yotei.errors import Code, invalid
from yotei.events import read
from yotei.events.event import Status
from yotei.events.window import Window, window
from yotei.resources.resource import Kind

Start = Annotated[datetime | None, strawberry.argument(description="Start of the window, included.")]
End = Annotated[
    datetime | None,
    strawberry.argument(description="End of the window, not included. Without `start` and `end`: the current month."),
]
Zone = Annotated[
    str | None,
    strawberry.argument(description="IANA zone of the answer, such as `Asia/Tokyo`; by default the caller's own."),
]
First = Annotated[int | None, strawberry.argument(description="Items in the page; bounded by the server.")]
After = Annotated[str | None, strawberry.argument(description="Continue behind this cursor.")]
ExpandAs = Annotated[Expand, strawberry.argument(description="How series are told.")]
OrderBy = Annotated[Order, strawberry.argument(description="Earliest or latest first.")]
KindOf = Annotated[ResourceKind | None, strawberry.argument(description="Only this kind.")]
SeatsMin = Annotated[int | None, strawberry.argument(description="At least so many seats.")]
Features = Annotated[list[str] | None, strawberry.argument(description="Features that it must all have.")]

P = TypeVar("P", bound=msgspec.Struct)

SEATS_MAX: Final = 100_000
SLOT_MINUTES_MAX: Final = 10_080
FEATURES_MAX: Final = 50
TEXT_CHARACTERS_MAX: Final = 200

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@strawberry.input(description="Which events; all that is given must hold. It sees no more than the caller does.")
class EventFilters:
    status: EventStatus | None = strawberry.field(default=None, description="Of this status.")
    organizer_id: UUID | None = strawberry.field(default=None, description="Organised by this person.")
    attendee_id: UUID | None = strawberry.field(default=None, description="To which this person is invited.")
    resource_id: UUID | None = strawberry.field(default=None, description="That hold this resource.")


Filters = Annotated[EventFilters | None, strawberry.argument(description="Only events that fit.")]


def window_of(reading: Reading, start: datetime | None, end: datetime | None, tz: str | None) -> Window:
    """The window that was asked for, in the zone of the answer."""
    zone = parse_zone(tz, reading.viewer.tzid)
    return window(start, end, zone, now=reading.now, days_max=reading.limits.window_days_max)


QUERY: Final = ("start", "end", "tz", "expand", "order", "first", "after", "filters")
"""The arguments that a list of events takes."""


def query_of(
    context: Context,
    start: datetime | None,
    end: datetime | None,
    tz: str | None,
    expand: Expand,
    order: Order,
    first: int | None,
    after: str | None,
    filters: EventFilters | None,
) -> read.Query:
    """The list of events that was asked for. Equal arguments make equal queries, which are read together."""
    reading, chosen = context.reading, filters or EventFilters()
    return read.Query(
        window=window_of(reading, start, end, tz),
        limit=page_size(first, reading.limits),
        instances_max=reading.limits.instances_max,
        expand=expand is Expand.INSTANCES,
        order="asc" if order is Order.ASC else "desc",
        after=place_of(after, read.After),
        status=cast("Status", chosen.status.value) if chosen.status else None,
        organizer_id=chosen.organizer_id,
        attendee_id=chosen.attendee_id,
        resource_id=chosen.resource_id,
    )


def place_of(after: str | None, kind: type[P]) -> P | None:
    """The place that a cursor names."""
    return paging.decode(bounded(after, "after", paging.CURSOR_CHARACTERS_MAX), kind)


def checked_ids(ids: list[UUID], most: int) -> list[UUID]:
    if not 1 <= len(ids) <= most:
        raise invalid("ids", f"expected 1 to {most} ids")
    return ids


def checked_slot(slot_minutes: int) -> int:
    if not 0 <= slot_minutes <= SLOT_MINUTES_MAX:
        raise invalid("slotMinutes", f"expected a number from 0 to {SLOT_MINUTES_MAX}")
    return slot_minutes


def bounded(text: str | None, field: str, characters_max: int) -> str | None:
    if text is not None and len(text) > characters_max:
        code = Code.INVALID_CURSOR if field == "after" else Code.INVALID_REQUEST
        raise invalid(field, f"expected at most {characters_max} characters", code=code)
    return text


def kind_of(kind: ResourceKind | None) -> Kind | None:
    return cast("Kind", kind.value) if kind else None


def features_of(features: list[str] | None) -> tuple[str, ...]:
    if features is not None and len(features) > FEATURES_MAX:
        raise invalid("features", f"expected at most {FEATURES_MAX}")
    for one in features or ():
        bounded(one, "features", TEXT_CHARACTERS_MAX)
    return tuple(features or ())


def seats_of(seats_min: int | None) -> int | None:
    if seats_min is not None and not 1 <= seats_min <= SEATS_MAX:
        raise invalid("seatsMin", f"expected a number from 1 to {SEATS_MAX}")
    return seats_min
