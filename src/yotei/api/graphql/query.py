"""The root of the schema: where a document can start."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, TypeVar, cast
from uuid import UUID

import strawberry

from yotei.api import paging
from yotei.api.graphql import choices, node_ids, scheduling, types
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
from yotei.api.graphql.inputs import given, shaped
from yotei.api.parameters import page_size, parse_zone
from yotei.api.scheduling import FreeBusyQuestion, MeetingQuestion
from yotei.calendars import read as calendars
from yotei.errors import Problem, invalid, not_found
from yotei.events import changes, history, search
from yotei.events import read as events
from yotei.resources import read as resources
from yotei.users import read as users
from yotei.users import tokens

T = TypeVar("T")

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
EventId = Annotated[UUID, strawberry.argument(description="The event, the series, or an exception of one.")]
EventIds = Annotated[list[UUID], strawberry.argument(description=f"1 to {events.EVENTS_MAX} ids.")]
UserIds = Annotated[list[UUID], strawberry.argument(description=f"1 to {users.USERS_MAX} ids.")]
ResourceIds = Annotated[
    list[UUID],
    strawberry.argument(
        description=f"1 to {resources.BATCH_MAX} ids; times days at most {resources.RESOURCE_DAYS_MAX:,}."
    ),
]
Words = Annotated[
    str,
    strawberry.argument(
        description=(
            "Words that must all be in the title, the location, or the first 1,000 characters of the description, "
            f"anywhere; at most {search.WORDS_MAX}. Case and width do not matter."
        )
    ),
]
InCalendar = Annotated[
    UUID | None,
    strawberry.argument(description="Only in this calendar; without it wherever the caller sees all of it."),
]
EndsAfter = Annotated[
    datetime | None, strawberry.argument(description="Only what ends after it; a series by its last.")
]
StartsBefore = Annotated[
    datetime | None, strawberry.argument(description="Only what starts before it; a series by its first.")
]
FreeBusyAsked = Annotated[scheduling.FreeBusyInput, strawberry.argument(description="Whom, or what, and when.")]
MeetingAsked = Annotated[scheduling.MeetingTimesInput, strawberry.argument(description="Who, how long, and when.")]
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

    @resolved("Many events, each as `event` tells it, in the order of the ids; null with an error `not_found` else.")
    @staticmethod
    async def events_by_ids(info: Asking, ids: EventIds, tz: Zone = None) -> list[types.Event | None] | None:
        reading = info.context.reading
        zone = parse_zone(tz, reading.viewer.tzid)
        _check_ids(ids, events.EVENTS_MAX)
        return cast("list[types.Event | None]", _each(await reading.events(ids, zone), "event"))

    @resolved("Many people, in the order of the ids; null with an error `not_found` where there is nobody.")
    @staticmethod
    async def users_by_ids(info: Asking, ids: UserIds) -> list[types.User | None] | None:
        _check_ids(ids, users.USERS_MAX)
        return cast("list[types.User | None]", _each(await info.context.reading.user.load_many(ids), "user"))

    @resolved(
        "Events by their words, among those that the caller sees in full. A series is found as one. Without `start` "
        "and `end` all of time is searched."
    )
    @staticmethod
    async def search_events(
        info: Asking,
        words: Words,
        calendar_id: InCalendar = None,
        start: EndsAfter = None,
        end: StartsBefore = None,
        tz: Zone = None,
        first: First = None,
        after: After = None,
    ) -> types.FoundEventConnection | None:
        reading = info.context.reading
        query = search.Query(
            words=search.parse_words(words, "words"),
            zone=parse_zone(tz, reading.viewer.tzid),
            limit=page_size(first, reading.limits),
            calendar_id=calendar_id,
            start=start,
            end=end,
            after=paging.decode(bounded(after, "after", paging.CURSOR_CHARACTERS_MAX), search.After),
        )
        return types.found_events(await reading.search(query), after)

    @resolved(
        "Who changed which fields, attendees, answers and rooms of an event, and when; also of a deleted one. A series "
        "and each of its exceptions have a history of their own."
    )
    @staticmethod
    async def event_history(
        info: Asking, event_id: EventId, first: First = None, after: After = None, tz: Zone = None
    ) -> types.HistoryConnection | None:
        reading = info.context.reading
        zone = parse_zone(tz, reading.viewer.tzid)
        place = paging.decode(bounded(after, "after", paging.CURSOR_CHARACTERS_MAX), history.After)
        return types.entries(await reading.history(event_id, zone, place, page_size(first, reading.limits)), after)

    @resolved("When people, rooms and pieces of equipment are taken, and never with what.")
    @staticmethod
    async def free_busy(info: Asking, input: FreeBusyAsked) -> scheduling.FreeBusy | None:
        found, window = await info.context.reading.free_busy(shaped(given(input), FreeBusyQuestion))
        return scheduling.free_busy(found, window)

    @resolved("Times when everybody who is not optional is free, and the rooms are; without any, what is in the way.")
    @staticmethod
    async def meeting_times(info: Asking, input: MeetingAsked) -> scheduling.MeetingTimes | None:
        found, window = await info.context.reading.meeting_times(shaped(given(input), MeetingQuestion))
        return scheduling.meeting_times(found, window)

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
        _check_slot(slot_minutes)
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

    @resolved("When many resources are taken and free, by their ids.")
    @staticmethod
    async def availability_by_ids(
        info: Asking,
        ids: ResourceIds,
        start: Start = None,
        end: End = None,
        tz: Zone = None,
        slot_minutes: SlotMinutes = 0,
    ) -> types.Availabilities | None:
        reading = info.context.reading
        window = window_of(reading, start, end, tz)
        _check_ids(ids, resources.BATCH_MAX)
        _check_slot(slot_minutes)
        found = await reading.availability_of(ids, window, slot_minutes)
        told = [None if one is None else types.in_zone(one, window.zone) for one in found]
        return types.Availabilities(
            window=types.told(window),
            resources=cast("list[types.ResourceAvailability | None]", _each(told, "resource")),
        )


def _each(found: Sequence[T | None], kind: str) -> list[T | Problem]:
    """Values by id: a Problem in the place of what is not there is null, with an error of its own in the answer."""
    return [not_found(kind) if one is None else one for one in found]


def _check_ids(ids: Sequence[UUID], most: int) -> None:
    if not 1 <= len(ids) <= most:
        raise invalid("ids", f"expected 1 to {most} ids")


def _check_slot(slot_minutes: int) -> None:
    if not 0 <= slot_minutes <= SLOT_MINUTES_MAX:
        raise invalid("slotMinutes", f"expected a number from 0 to {SLOT_MINUTES_MAX}")
