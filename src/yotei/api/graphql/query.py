"""The root of the schema: where a document can start."""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Annotated, Any, TypeVar, cast
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import strawberry

from yotei.api.graphql import choices, loads, node_ids, scheduling, types
from yotei.api.graphql.arguments import (
    QUERY,
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
    checked_ids,
    checked_slot,
    features_of,
    kind_of,
    place_of,
    query_of,
    seats_of,
    window_of,
)
from yotei.api.graphql.connections import Connection, connect
from yotei.api.graphql.context import Context
from yotei.api.graphql.fields import loaded
from yotei.api.graphql.inputs import given, shaped
from yotei.api.parameters import page_size, parse_zone
from yotei.api.scheduling import FreeBusyQuestion, MeetingQuestion
from yotei.breadth import Carrier, Loaded
from yotei.calendars import read as calendars
from yotei.errors import invalid, not_found
from yotei.events import changes, history, search
from yotei.events import read as events
from yotei.events.nodes import Named
from yotei.resources import read as resources
from yotei.resources.resource import Availability
from yotei.users import read as users

P = TypeVar("P", bound=msgspec.Struct)

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


_by_id = partial(Loaded, key=lambda _, given, __: given["id"])
_asked = partial(Loaded, key=lambda *_: loads.ASKED)


def _there(kind: str) -> Callable[[Any, Any], Any]:
    """The answer, or Problem `not_found`."""

    def there(answer: Any, _: Any) -> Any:
        if answer is None:
            raise not_found(kind)
        return answer

    return there


def _ids(most: int) -> Callable[[Any, Mapping[str, Any], Context], list[UUID]]:
    def ids(_: Any, given: Mapping[str, Any], __: Context) -> list[UUID]:
        return checked_ids(given["ids"], most)

    return ids


_user_ids = _ids(users.USERS_MAX)


def _zone(context: Context, tz: str | None) -> ZoneInfo:
    return parse_zone(tz, context.reading.viewer.tzid)


def _listed(kind: type[P]) -> Callable[..., loads.Listed]:
    """The page of a list whose places are of this kind."""

    def listed(context: Context, first: int | None, after: str | None) -> loads.Listed:
        return loads.Listed(page_size(first, context.reading.limits), place_of(after, kind))

    return listed


def _connected(place: Callable[[Any], msgspec.Struct]) -> Callable[[Any, loads.Listed], Connection[Any]]:
    def connected(answer: tuple[list[Any], Any], page: loads.Listed) -> Connection[Any]:
        found, more = answer
        return connect(found, place, more=more is not None, is_first=page.after is None)

    return connected


def _node(answer: Any, _: Any) -> Any:
    if isinstance(answer, Named):
        raise not_found(answer.kind.lower())
    return answer


def _names(_: Any, given: Mapping[str, Any], __: Context) -> list[Named]:
    if len(given["ids"]) > node_ids.NODES_MAX:
        raise invalid("ids", f"expected at most {node_ids.NODES_MAX} ids")
    return [node_ids.parse(one, f"ids[{n}]") for n, one in enumerate(given["ids"])]


def _resources(
    context: Context,
    first: int | None,
    after: str | None,
    kind: choices.ResourceKind | None,
    seats_min: int | None,
    features: list[str] | None,
) -> tuple[resources.Wanted, loads.Listed]:
    page = _listed(resources.After)(context, first, after)
    return resources.Wanted(None, kind_of(kind), seats_of(seats_min), features_of(features)), page


def _feed(context: Context, calendar_id: UUID, since: str | None, first: int | None, tz: str | None) -> loads.Feed:
    position = changes.parse_position(since, "since")
    return loads.Feed(calendar_id, position, _zone(context, tz), page_size(first, context.reading.limits))


def _search(
    context: Context,
    words: str,
    calendar_id: UUID | None,
    start: datetime | None,
    end: datetime | None,
    tz: str | None,
    first: int | None,
    after: str | None,
) -> search.Query:
    return search.Query(
        words=search.parse_words(words, "words"),
        zone=_zone(context, tz),
        limit=page_size(first, context.reading.limits),
        calendar_id=calendar_id,
        start=start,
        end=end,
        after=place_of(after, search.After),
    )


def _past(context: Context, event_id: UUID, first: int | None, after: str | None, tz: str | None) -> loads.Past:
    zone, place = _zone(context, tz), place_of(after, history.After)
    return loads.Past(event_id, zone, place, page_size(first, context.reading.limits))


def _slots(
    context: Context,
    start: datetime | None,
    end: datetime | None,
    tz: str | None,
    resource_ids: list[UUID] | None,
    kind: choices.ResourceKind | None,
    seats_min: int | None,
    features: list[str] | None,
    slot_minutes: int,
) -> loads.Slots:
    window = window_of(context.reading, start, end, tz)
    ids = None if resource_ids is None else tuple(dict.fromkeys(resource_ids))
    if ids is not None and len(ids) > resources.RESOURCES_MAX:
        raise invalid("resourceIds", f"expected at most {resources.RESOURCES_MAX} ids")
    wanted = resources.Wanted(ids, kind_of(kind), seats_of(seats_min), features_of(features))
    return loads.Slots(window, checked_slot(slot_minutes), wanted)


def _availability(answer: tuple[list[Availability], Any], asked: loads.Slots) -> types.Availability:
    found, more = answer
    if more is not None:
        raise invalid("resourceIds", f"more than {resources.RESOURCES_MAX} fit; name them, or ask for less")
    window = asked.window
    return types.Availability(window=types.told(window), resources=[types.in_zone(one, window.zone) for one in found])


def _slots_of(
    context: Context,
    ids: list[UUID],
    start: datetime | None,
    end: datetime | None,
    tz: str | None,
    slot_minutes: int,
) -> loads.Slots:
    window = window_of(context.reading, start, end, tz)
    chosen = tuple(checked_ids(ids, resources.BATCH_MAX))
    return loads.Slots(window, checked_slot(slot_minutes), ids=chosen)


def _availabilities(found: list[Availability | None], asked: loads.Slots) -> types.Availabilities:
    """A Problem in the place of what is not there is null, with an error of its own in the answer."""
    window = asked.window
    told = [not_found("resource") if one is None else types.in_zone(one, window.zone) for one in found]
    return types.Availabilities(
        window=types.told(window), resources=cast("list[types.ResourceAvailability | None]", told)
    )


@strawberry.type(description="What can be read. A field that is not there, or not shared with the caller, is null.")
class Query:
    @loaded("The caller.", Loaded(loads.PEOPLE, lambda _, __, context: context.reading.viewer.user_id))
    @staticmethod
    def me() -> types.User | None: ...

    @loaded(
        "What a `nodeId` names.",
        Loaded(loads.NODES, lambda _, given, __: node_ids.parse(given["id"], "id"), value=_node),
    )
    @staticmethod
    def node(id: NodeId) -> types.Node | None: ...

    @loaded(
        "What each of these names, in their order; null where there is nothing to be seen.",
        Loaded(loads.NODES, _names, many=True, value=lambda one, _: None if isinstance(one, Named) else one),
    )
    @staticmethod
    def nodes(ids: NodeIds) -> list[types.Node | None] | None: ...

    @loaded(
        "Everybody, by id, also the deactivated and the erased (administrators).",
        _asked(
            loads.EVERYBODY,
            by=("first", "after"),
            arguments=_listed(users.After),
            value=_connected(lambda one: users.After(one.id)),
        ),
    )
    @staticmethod
    def users(first: First = None, after: After = None) -> Connection[types.User] | None: ...

    @loaded(
        "Tokens of the caller, the newest first, revoked and expired ones included.",
        _asked(
            loads.TOKENS,
            by=("user_id",),
            arguments=lambda context, user_id: user_id or context.reading.viewer.user_id,
        ),
    )
    @staticmethod
    def tokens(user_id: OfUser = None) -> list[types.Token] | None: ...

    @loaded(
        "Every event, member and property of a calendar that changed since a position, as the caller sees it now, "
        "complete and in order. `position_forgotten` when the log does not reach back to the position.",
        _asked(
            loads.FEED,
            by=("calendar_id", "since", "first", "tz"),
            arguments=_feed,
            value=lambda feed, _: types.feed(feed),
        ),
    )
    @staticmethod
    def changes(
        calendar_id: CalendarId, since: Since = None, first: LogFirst = None, tz: Zone = None
    ) -> types.ChangeFeed | None: ...

    @loaded("One person.", _by_id(loads.PEOPLE, value=_there("user")))
    @staticmethod
    def user(id: Id) -> types.User | None: ...

    @loaded(
        "One calendar.",
        _by_id(loads.CALENDARS, value=_there("calendar"), carriers=(Carrier(loads.EVENTS_OF),)),
    )
    @staticmethod
    def calendar(id: Id) -> types.Calendar | None: ...

    @loaded(
        "The caller's calendars, by name.",
        _asked(
            loads.OWN_CALENDARS,
            by=("first", "after"),
            arguments=_listed(calendars.After),
            value=_connected(lambda one: calendars.After(one.name, one.id)),
        ),
    )
    @staticmethod
    def calendars(first: First = None, after: After = None) -> Connection[types.Calendar] | None: ...

    @loaded(
        "One event, or the master of a series.",
        _by_id(loads.EVENTS, by=("tz",), arguments=_zone, value=_there("event")),
    )
    @staticmethod
    def event(id: Id, tz: Zone = None) -> types.Event | None: ...

    @loaded(
        "Many events, each as `event` tells it, in the order of the ids; null with an error `not_found` else.",
        Loaded(
            loads.EVENTS,
            _ids(events.EVENTS_MAX),
            many=True,
            by=("tz",),
            arguments=_zone,
            value=_there("event"),
        ),
    )
    @staticmethod
    def events_by_ids(ids: EventIds, tz: Zone = None) -> list[types.Event | None] | None: ...

    @loaded(
        "Many people, in the order of the ids; null with an error `not_found` where there is nobody.",
        Loaded(loads.PEOPLE, _user_ids, many=True, value=_there("user")),
    )
    @staticmethod
    def users_by_ids(ids: UserIds) -> list[types.User | None] | None: ...

    @loaded(
        "Events by their words, among those that the caller sees in full. A series is found as one. Without `start` "
        "and `end` all of time is searched.",
        _asked(
            loads.SEARCH,
            by=("words", "calendar_id", "start", "end", "tz", "first", "after"),
            arguments=_search,
            value=types.found_events,
        ),
    )
    @staticmethod
    def search_events(
        words: Words,
        calendar_id: InCalendar = None,
        start: EndsAfter = None,
        end: StartsBefore = None,
        tz: Zone = None,
        first: First = None,
        after: After = None,
    ) -> types.FoundEventConnection | None: ...

    @loaded(
        "Who changed which fields, attendees, answers and rooms of an event, and when; also of a deleted one. A series "
        "and each of its exceptions have a history of their own.",
        _asked(loads.HISTORY, by=("event_id", "first", "after", "tz"), arguments=_past, value=types.entries),
    )
    @staticmethod
    def event_history(
        event_id: EventId, first: First = None, after: After = None, tz: Zone = None
    ) -> types.HistoryConnection | None: ...

    @loaded(
        "When people, rooms and pieces of equipment are taken, and never with what.",
        _asked(
            loads.FREE_BUSY,
            by=("input",),
            arguments=lambda _, input: shaped(given(input), FreeBusyQuestion),
            value=lambda answer, _: scheduling.free_busy(*answer),
        ),
    )
    @staticmethod
    def free_busy(input: FreeBusyAsked) -> scheduling.FreeBusy | None: ...

    @loaded(
        "Times when everybody who is not optional is free, and the rooms are; without any, what is in the way.",
        _asked(
            loads.MEETING_TIMES,
            by=("input",),
            arguments=lambda _, input: shaped(given(input), MeetingQuestion),
            value=lambda answer, _: scheduling.meeting_times(*answer),
        ),
    )
    @staticmethod
    def meeting_times(input: MeetingAsked) -> scheduling.MeetingTimes | None: ...

    @loaded(
        "Events of the caller's calendars, those that they organise, those to which they are invited.",
        _asked(loads.AGENDA, by=QUERY, arguments=query_of, value=lambda page, _: page.events),
    )
    @staticmethod
    def agenda(
        start: Start = None,
        end: End = None,
        tz: Zone = None,
        expand: ExpandAs = choices.Expand.INSTANCES,
        order: OrderBy = choices.Order.ASC,
        first: First = None,
        after: After = None,
        filters: Filters = None,
    ) -> list[types.Event] | None: ...

    @loaded(
        "The same events, a page at a time.",
        _asked(loads.AGENDA, by=QUERY, arguments=query_of, value=types.connected),
    )
    @staticmethod
    def agenda_connection(
        start: Start = None,
        end: End = None,
        tz: Zone = None,
        expand: ExpandAs = choices.Expand.INSTANCES,
        order: OrderBy = choices.Order.ASC,
        first: First = None,
        after: After = None,
        filters: Filters = None,
    ) -> types.EventConnection | None: ...

    @loaded("One room or piece of equipment.", _by_id(loads.RESOURCES, value=_there("resource")))
    @staticmethod
    def resource(id: Id) -> types.Resource | None: ...

    @loaded(
        "Rooms and equipment, by name.",
        _asked(
            loads.EVERY_RESOURCE,
            by=("first", "after", "kind", "seats_min", "features"),
            arguments=_resources,
            value=lambda answer, asked: _connected(lambda one: resources.After(one.name, one.id))(answer, asked[1]),
        ),
    )
    @staticmethod
    def resources(
        first: First = None,
        after: After = None,
        kind: KindOf = None,
        seats_min: SeatsMin = None,
        features: Features = None,
    ) -> Connection[types.Resource] | None: ...

    @loaded(
        "When rooms and equipment are taken and free.",
        _asked(
            loads.AVAILABILITY,
            by=("start", "end", "tz", "resource_ids", "kind", "seats_min", "features", "slot_minutes"),
            arguments=_slots,
            value=_availability,
        ),
    )
    @staticmethod
    def availability(
        start: Start = None,
        end: End = None,
        tz: Zone = None,
        resource_ids: Ids = None,
        kind: KindOf = None,
        seats_min: SeatsMin = None,
        features: Features = None,
        slot_minutes: SlotMinutes = 0,
    ) -> types.Availability | None: ...

    @loaded(
        "When many resources are taken and free, by their ids.",
        _asked(
            loads.AVAILABILITY_OF,
            by=("ids", "start", "end", "tz", "slot_minutes"),
            arguments=_slots_of,
            value=_availabilities,
        ),
    )
    @staticmethod
    def availability_by_ids(
        ids: ResourceIds,
        start: Start = None,
        end: End = None,
        tz: Zone = None,
        slot_minutes: SlotMinutes = 0,
    ) -> types.Availabilities | None: ...
