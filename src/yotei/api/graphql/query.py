"""The root of the schema: where a document can start."""

import asyncio
from typing import Annotated, cast
from uuid import UUID

import strawberry

from yotei.api import paging
from yotei.api.graphql import choices, node_ids, types
from yotei.api.graphql.arguments import (
    After,
    End,
    ExpandAs,
    Features,
    Filters,
    First,
    KindOf,
    OrderBy,
    SeatsMin,
    Start,
    Zone,
    bounded,
    features_of,
    kind_of,
    query_of,
    seats_of,
    window_of,
)
from yotei.api.graphql.connections import Connection, connect
from yotei.api.graphql.context import Asking
from yotei.api.graphql.fields import resolved
from yotei.api.parameters import page_size, parse_zone
from yotei.calendars import read as calendars
from yotei.errors import invalid, not_found
from yotei.events import changes
from yotei.resources import read as resources
from yotei.users import read as users
from yotei.users import tokens

SLOT_MINUTES_MAX = 10_080

Id = Annotated[UUID, strawberry.argument(description="Its id.")]
Ids = Annotated[
    list[UUID] | None,
    strawberry.argument(
        description=f"These, at most {resources.RESOURCES_MAX}, in this order; without it all that fit."
    ),
]
SlotMinutes = Annotated[int, strawberry.argument(description="Leave out free periods shorter than this.")]

NodeId = Annotated[strawberry.ID, strawberry.argument(description="A `nodeId`.")]
NodeIds = Annotated[
    list[strawberry.ID], strawberry.argument(description=f"Each a `nodeId`, at most {node_ids.NODES_MAX}.")
]
OfUser = Annotated[UUID | None, strawberry.argument(description="Another person's; administrators only.")]
CalendarId = Annotated[UUID, strawberry.argument(description="The calendar.")]
Since = Annotated[
    str | None,
    strawberry.argument(
        description=(
            "`position` of an earlier answer, or `first` for the beginning of the log. Without it the answer is the "
            "position of now, and no changes: take it before you list the calendar."
        )
    ),
]
LogFirst = Annotated[int | None, strawberry.argument(description="Rows of the log that the page is made of, at most.")]


@strawberry.type(description="What can be read. A field that is not there, or not shared with the caller, is null.")
class Query:
    @resolved("The caller.")
    @staticmethod
    async def me(info: Asking) -> types.User | None:
        reading = info.context.reading
        return cast("types.User | None", await reading.user.load(reading.viewer.user_id))

    @resolved("What a `nodeId` names.")
    @staticmethod
    async def node(info: Asking, id: NodeId) -> types.Node | None:
        named = node_ids.parse(id, "id")
        found = await info.context.reading.node(named)
        if found is None:
            raise not_found(named.kind.lower())
        return cast("types.Node", found)

    @resolved("What each of these names, in their order; null where there is nothing to be seen.")
    @staticmethod
    async def nodes(info: Asking, ids: NodeIds) -> list[types.Node | None] | None:
        if len(ids) > node_ids.NODES_MAX:
            raise invalid("ids", f"expected at most {node_ids.NODES_MAX} ids")
        named = [node_ids.parse(one, f"ids[{n}]") for n, one in enumerate(ids)]
        found = await asyncio.gather(*(info.context.reading.node(one) for one in named))
        return cast("list[types.Node | None]", found)

    @resolved("Everybody, by id, also the deactivated and the erased (administrators).")
    @staticmethod
    async def users(info: Asking, first: First = None, after: After = None) -> Connection[types.User] | None:
        reading = info.context.reading
        place = paging.decode(bounded(after, "after", paging.CURSOR_CHARACTERS_MAX), users.After)
        size = page_size(first, reading.limits)
        reading.read()
        found, more = await users.list_all(reading.source, reading.viewer, after=place, limit=size)
        return cast(
            "Connection[types.User]",
            connect(list(found), lambda one: users.After(one.id), more=more is not None, after=after),
        )

    @resolved("Tokens of the caller, the newest first, revoked and expired ones included.")
    @staticmethod
    async def tokens(info: Asking, user_id: OfUser = None) -> list[types.Token] | None:
        reading = info.context.reading
        reading.read()
        found = await tokens.list_for(reading.source, reading.viewer, user_id or reading.viewer.user_id)
        return cast("list[types.Token]", found)

    @resolved(
        "Every event, member and property of a calendar that changed since a position, as the caller sees it now, "
        "complete and in order. `position_forgotten` when the log does not reach back to the position."
    )
    @staticmethod
    async def changes(
        info: Asking, calendar_id: CalendarId, since: Since = None, first: LogFirst = None, tz: Zone = None
    ) -> types.ChangeFeed | None:
        reading = info.context.reading
        feed = await reading.changes(
            calendar_id,
            changes.parse_position(since, "since"),
            parse_zone(tz, reading.viewer.tzid),
            page_size(first, reading.limits),
        )
        return types.ChangeFeed(
            changes=cast("list[types.Change]", feed.changes), position=str(feed.position), has_more=feed.has_more
        )

    @resolved("One person.")
    @staticmethod
    async def user(info: Asking, id: Id) -> types.User | None:
        found = await info.context.reading.user.load(id)
        if found is None:
            raise not_found("user")
        return cast("types.User", found)

    @resolved("One calendar.")
    @staticmethod
    async def calendar(info: Asking, id: Id) -> types.Calendar | None:
        found = await info.context.reading.calendar.load(id)
        if found is None:
            raise not_found("calendar")
        return cast("types.Calendar", found)

    @resolved("The caller's calendars, by name.")
    @staticmethod
    async def calendars(info: Asking, first: First = None, after: After = None) -> Connection[types.Calendar] | None:
        reading = info.context.reading
        place = paging.decode(bounded(after, "after", paging.CURSOR_CHARACTERS_MAX), calendars.After)
        size = page_size(first, reading.limits)
        reading.read()
        found, more = await calendars.list_for(reading.source, reading.viewer, after=place, limit=size)
        for one in found:
            reading.calendar.prime(one.id, one)
        return cast(
            "Connection[types.Calendar]",
            connect(list(found), lambda one: calendars.After(one.name, one.id), more=more is not None, after=after),
        )

    @resolved("One event, or the master of a series.")
    @staticmethod
    async def event(info: Asking, id: Id, tz: Zone = None) -> types.Event | None:
        reading = info.context.reading
        found = await reading.event(parse_zone(tz, reading.viewer.tzid)).load(id)
        if found is None:
            raise not_found("event")
        return cast("types.Event", found)

    @resolved("Events of the caller's calendars, those that they organise, those to which they are invited.")
    @staticmethod
    async def agenda(
        info: Asking,
        start: Start = None,
        end: End = None,
        tz: Zone = None,
        expand: ExpandAs = choices.Expand.INSTANCES,
        order: OrderBy = choices.Order.ASC,
        first: First = None,
        after: After = None,
        filters: Filters = None,
    ) -> list[types.Event] | None:
        reading = info.context.reading
        query = query_of(reading, start, end, tz, expand, order, first, after, filters)
        return cast("list[types.Event]", (await reading.agenda(query)).events)

    @resolved("The same events, a page at a time.")
    @staticmethod
    async def agenda_connection(
        info: Asking,
        start: Start = None,
        end: End = None,
        tz: Zone = None,
        expand: ExpandAs = choices.Expand.INSTANCES,
        order: OrderBy = choices.Order.ASC,
        first: First = None,
        after: After = None,
        filters: Filters = None,
    ) -> types.EventConnection | None:
        reading = info.context.reading
        query = query_of(reading, start, end, tz, expand, order, first, after, filters)
        return types.connected(await reading.agenda(query), after)

    @resolved("One room or piece of equipment.")
    @staticmethod
    async def resource(info: Asking, id: Id) -> types.Resource | None:
        found = await info.context.reading.resource.load(id)
        if found is None:
            raise not_found("resource")
        return cast("types.Resource", found)

    @resolved("Rooms and equipment, by name.")
    @staticmethod
    async def resources(
        info: Asking,
        first: First = None,
        after: After = None,
        kind: KindOf = None,
        seats_min: SeatsMin = None,
        features: Features = None,
    ) -> Connection[types.Resource] | None:
        reading = info.context.reading
        place = paging.decode(bounded(after, "after", paging.CURSOR_CHARACTERS_MAX), resources.After)
        wanted = resources.Wanted(None, kind_of(kind), seats_of(seats_min), features_of(features))
        size = page_size(first, reading.limits)
        reading.read()
        found, more = await resources.list_all(reading.source, reading.viewer, wanted, after=place, limit=size)
        return cast(
            "Connection[types.Resource]",
            connect(found, lambda one: resources.After(one.name, one.id), more=more is not None, after=after),
        )

    @resolved("When rooms and equipment are taken and free.")
    @staticmethod
    async def availability(
        info: Asking,
        start: Start = None,
        end: End = None,
        tz: Zone = None,
        resource_ids: Ids = None,
        kind: KindOf = None,
        seats_min: SeatsMin = None,
        features: Features = None,
        slot_minutes: SlotMinutes = 0,
    ) -> types.Availability | None:
        reading = info.context.reading
        window = window_of(reading, start, end, tz)
        ids = None if resource_ids is None else tuple(dict.fromkeys(resource_ids))
        if ids is not None and len(ids) > resources.RESOURCES_MAX:
            raise invalid("resourceIds", f"expected at most {resources.RESOURCES_MAX} ids")
        if not 0 <= slot_minutes <= SLOT_MINUTES_MAX:
            raise invalid("slotMinutes", f"expected a number from 0 to {SLOT_MINUTES_MAX}")
        wanted = resources.Wanted(ids, kind_of(kind), seats_of(seats_min), features_of(features))
        reading.read()
        found, more = await resources.availability(
            reading.source, reading.viewer, wanted, window.start, window.end, slot_minutes=slot_minutes
        )
        if more is not None:
            raise invalid("resourceIds", f"more than {resources.RESOURCES_MAX} fit; name them, or ask for less")
        return types.Availability(
            window=types.told(window), resources=[types.in_zone(one, window.zone) for one in found]
        )
