"""The objects of the schema. They stand for the domains' own values, and most fields are their attributes as they are,
under camelCase names. What is not in the value is loaded, and such a field is nullable: when its load fails, its
neighbours are still answered.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from operator import attrgetter
from typing import Annotated, Any, cast
from uuid import UUID
from zoneinfo import ZoneInfo

import strawberry
from strawberry import Parent

from yotei.api.graphql import choices, loads, node_ids
from yotei.api.graphql.arguments import (
    QUERY,
    After,
    End,
    ExpandAs,
    Filters,
    First,
    OrderBy,
    Start,
    Zone,
    query_of,
)
from yotei.api.graphql.connections import (
    AfterAttendee,
    AfterMember,
    Connection,
    Edge,
    PageInfo,
    edges,
    page_info,
    page_of,
)
from yotei.api.graphql.context import Context
from yotei.api.graphql.fields import listed, loaded, resolved
from yotei.api.graphql.naming import camel
from yotei.breadth import Carrier, Loaded
from yotei.calendars import calendar as calendars
from yotei.calendars.read import MEMBERS_MAX
from yotei.errors import invalid, not_found
from yotei.events import changes, history, read, search
from yotei.events import event as events
from yotei.events.draft import ATTENDEES_MAX
from yotei.events.window import Window as DomainWindow
from yotei.resources import resource as resources
from yotei.users.user import Person, Profile

MembersFirst = Annotated[int, strawberry.argument(description=f"So many members at most; from 1 to {MEMBERS_MAX}.")]
AttendeesFirst = Annotated[
    int, strawberry.argument(description=f"So many attendees at most; from 1 to {ATTENDEES_MAX}.")
]


def _of_profile(value: Callable[[Profile], Any]) -> Loaded:
    """What is known of a person beside what everybody is shown with an event."""
    return Loaded(loads.PEOPLE, "id", value=lambda profile, _: None if profile is None else value(profile))


def _events(value: Callable[[read.Page, read.Query], Any]) -> Loaded:
    """The events of a calendar."""

    def shown(page: read.Page | None, query: read.Query) -> Any:
        if page is None:
            raise not_found("calendar")
        return value(page, query)

    return Loaded(loads.EVENTS_OF, "id", by=QUERY, arguments=query_of, value=shown)


def _members(_: Context, first: int) -> loads.Members:
    return loads.Members(_checked(first, MEMBERS_MAX), first, None)


def _every_member(_: Context, first: int, after: str | None) -> loads.Members:
    return loads.Members(MEMBERS_MAX, _checked(first, MEMBERS_MAX), after)


def _page_of_members(found: Sequence[calendars.Member] | None, asked: loads.Members) -> Any:
    return page_of(found or (), lambda one: AfterMember(one.user.id), AfterMember, asked.first, asked.after)


def _checked(first: int, most: int) -> int:
    if not 1 <= first <= most:
        raise invalid("first", f"expected a number from 1 to {most}")
    return first


@strawberry.type(description="The window that an answer covers, in its zone.")
class Window:
    start: datetime = strawberry.field(description="Its start, included.")
    end: datetime = strawberry.field(description="Its end, not included.")
    tz: str = strawberry.field(description="The IANA zone in which times are told.")


@strawberry.type(description="From `start` up to, not including, `end`.")
class Period:
    start: datetime = strawberry.field(description="Its start.")
    end: datetime = strawberry.field(description="Its end, not included.")


@strawberry.type(description="A part of each week, by the clock of the zone that it belongs to.")
class WeeklyPeriod:
    day: choices.Weekday = strawberry.field(description="The day on which it starts.")
    start: str = strawberry.field(description="Its start, `09:00`.")
    end: str = strawberry.field(description="Its end, `17:00`; beyond `24:00` it is on the next day.")


@strawberry.interface(description="What can be had again by its `nodeId` alone.")
class Node:
    @resolved("Its id among all things of all kinds: `node(id)` takes it.")
    @staticmethod
    def node_id(parent: Parent[object]) -> strawberry.ID:
        return strawberry.ID(node_ids.node_id(parent))


@strawberry.type(description="A person.")
class User(Node):
    id: UUID = strawberry.field(description="Their id.")
    name: str = strawberry.field(description="Their name.")
    email: str | None = strawberry.field(description="Their e-mail address; null for who was erased.")
    avatar_url: str | None = strawberry.field(description="Address of their picture.")

    @resolved("The same as `avatarUrl`.")
    @staticmethod
    def avatar(parent: Parent[Person | Profile]) -> str | None:
        return parent.avatar_url

    @loaded("Their IANA time zone.", _of_profile(attrgetter("tzid")))
    @staticmethod
    def tzid() -> str | None: ...

    @loaded("When they work, in their own zone.", _of_profile(lambda one: weekly(one.working_hours)))
    @staticmethod
    def working_hours() -> list[WeeklyPeriod] | None: ...

    @loaded("Whether they are an administrator.", _of_profile(attrgetter("is_admin")))
    @staticmethod
    def is_admin() -> bool | None: ...

    @loaded("Whether they can sign in.", _of_profile(attrgetter("is_active")))
    @staticmethod
    def is_active() -> bool | None: ...

    @loaded("Grows with every change.", _of_profile(attrgetter("version")))
    @staticmethod
    def version() -> int | None: ...

    @loaded("When they were added.", _of_profile(attrgetter("created_at")))
    @staticmethod
    def created_at() -> datetime | None: ...

    @loaded("When they were last changed.", _of_profile(attrgetter("updated_at")))
    @staticmethod
    def updated_at() -> datetime | None: ...


@strawberry.type(description="Somebody invited to an event.")
class Attendee:
    email: str = strawberry.field(description="The address that was invited.")
    name: str | None = strawberry.field(description="Their name, as far as it is known.")
    response_status: choices.ResponseStatus = strawberry.field(description="Their answer.")
    is_optional: bool = strawberry.field(description="Whether the event can do without them.")
    comment: str | None = strawberry.field(description="What they said with their answer.")
    user: User | None = strawberry.field(description="The person; null for people outside of this installation.")


@strawberry.type(description="Somebody who may book a resource of members, or who looks after it.")
class ResourceMember:
    user: User = strawberry.field(description="The person.")
    role: choices.ResourceRole = strawberry.field(description="What they may do with it.")
    created_at: datetime = strawberry.field(description="Since when.")


@strawberry.type(description="A room or a piece of equipment.")
class Resource(Node):
    id: UUID = strawberry.field(description="Its id.")
    name: str = strawberry.field(description="Its name.")
    kind: choices.ResourceKind = strawberry.field(description="What it is.")
    description: str | None = strawberry.field(description="More about it.")
    location: str | None = strawberry.field(description="Where it is.")
    tzid: str = strawberry.field(description="The IANA zone of its opening hours.")
    seats: int | None = strawberry.field(description="How many people fit.")
    features: list[str] = strawberry.field(description="What it has.")
    concurrent_bookings: int = strawberry.field(description="How many bookings it takes at once.")
    setup_minutes: int = strawberry.field(description="Minutes that are blocked before each booking.")
    teardown_minutes: int = strawberry.field(description="Minutes that are blocked after each booking.")
    booking: choices.WhoMayBook = strawberry.field(description="Who may book it.")
    version: int = strawberry.field(description="Grows with every change.")

    @resolved("When it is open; null where it always is.")
    @staticmethod
    def opening_hours(parent: Parent[resources.Resource]) -> list[WeeklyPeriod] | None:
        return None if parent.opening_hours is None else weekly(parent.opening_hours)

    @loaded(
        "Who may book it, managers first; for administrators and its managers.",
        Loaded(loads.RESOURCE_MEMBERS_OF, "id", by=("first",), arguments=_members),
    )
    @staticmethod
    def members(first: MembersFirst = 100) -> list[ResourceMember] | None: ...


@strawberry.type(description="A room or a piece of equipment that an event holds.")
class EventResource:
    id: UUID = strawberry.field(description="Its id.")
    name: str = strawberry.field(description="Its name.")
    kind: choices.ResourceKind = strawberry.field(description="What it is.")

    @loaded("All about it; null when it has been removed since.", Loaded(loads.RESOURCES, "id"))
    @staticmethod
    def resource() -> Resource | None: ...


@strawberry.type(description="When a resource is taken and when it is free. It never says by whom, or for what.")
class ResourceAvailability:
    resource: Resource = strawberry.field(description="The resource.")
    is_free: bool = strawberry.field(description="Whether it is free for the whole window.")
    busy: list[Period] = strawberry.field(description="When all of its units are taken, set-up and tear-down included.")
    free: list[Period] = strawberry.field(description="When it is open and at least one unit is left.")


@strawberry.type(description="When resources are taken and free within a window.")
class Availability:
    window: Window = strawberry.field(description="The window.")
    resources: list[ResourceAvailability] = strawberry.field(description="Each resource, by name or as asked for.")


@strawberry.type(description="When many resources are taken and free, each in its place.")
class Availabilities:
    window: Window = strawberry.field(description="The window.")
    resources: list[ResourceAvailability | None] = strawberry.field(
        description="One for each id, in their order; null with an error `not_found` where there is none."
    )


@strawberry.type(description="A resource that an event wanted and could not have.")
class MissedBooking:
    resource_id: UUID = strawberry.field(description="The id of the resource.")
    resource_name: str = strawberry.field(description="Its name.")
    recurrence_id: datetime | None = strawberry.field(description="Which instance of the series goes without it.")
    start: datetime = strawberry.field(description="Start of the period that was wanted.")
    end: datetime = strawberry.field(description="Its end, not included.")


@strawberry.type(
    description=(
        "An event, or one instance of a series, as the caller sees it. Where `access` is BUSY only its time is known, "
        "and every field that could tell more is null."
    )
)
class Event(Node):
    id: UUID = strawberry.field(description="Its id; instances of a series share that of the series.")
    calendar_id: UUID = strawberry.field(description="The id of its calendar.")
    start_time: datetime = strawberry.field(description="When it starts, told in the zone of the answer.")
    end_time: datetime = strawberry.field(description="When it ends.")
    all_day: bool = strawberry.field(description="Whether it is made of whole days.")
    start_date: date | None = strawberry.field(description="The first day of an all-day event.")
    end_date: date | None = strawberry.field(description="The day after the last of an all-day event.")
    floating: bool = strawberry.field(description="Whether its times are those of the clock wherever one is.")
    tzid: str | None = strawberry.field(description="The IANA zone in which it was planned.")
    status: choices.EventStatus = strawberry.field(description="Whether it takes place.")
    transparency: choices.Transparency = strawberry.field(description="Whether it takes up time.")
    series_id: UUID | None = strawberry.field(description="The series of which this is an instance.")
    recurrence_id: datetime | None = strawberry.field(description="Which instance of the series (RFC 5545 3.8.4.4).")
    is_override: bool = strawberry.field(description="Whether this instance differs from its series.")
    rrule: str | None = strawberry.field(description="The rule of the series (RFC 5545 3.8.5.3).")
    rdates: list[datetime] = strawberry.field(description="Instances beside the rule.")
    exdates: list[datetime] = strawberry.field(description="Instances that are left out.")
    uid: str | None = strawberry.field(description="The iCalendar UID (RFC 5545 3.8.4.7).")
    sequence: int | None = strawberry.field(description="The iCalendar SEQUENCE (RFC 5545 3.8.7.4).")
    title: str | None = strawberry.field(description="What it is called.")
    description: str | None = strawberry.field(description="What it is about.")
    location: str | None = strawberry.field(description="Where it is, as written.")
    url: str | None = strawberry.field(description="A page about it.")
    visibility: choices.Visibility | None = strawberry.field(description="Who sees more than its time.")
    organizer_id: UUID | None = strawberry.field(description="The id of who organises it.")
    organizer_name: str | None = strawberry.field(description="The name of who organises it.")
    organizer: User | None = strawberry.field(description="Who organises it.")
    attendees: list[Attendee] | None = listed("Who is invited, in the order of invitation.", rows=5)
    attendee_count: int | None = strawberry.field(description="How many are invited.")
    resources: list[EventResource] | None = strawberry.field(description="What it holds.")
    room_name: str | None = strawberry.field(description="The first room that it holds.")
    room_names: list[str] | None = strawberry.field(description="All rooms that it holds.")
    booked_until: datetime | None = strawberry.field(
        description="Up to where the resources of a series are booked; null where that is its end."
    )
    missed: list[MissedBooking] | None = strawberry.field(description="What it wanted and could not have.")
    version: int | None = strawberry.field(description="Grows with every change of the event itself.")
    created_at: datetime | None = strawberry.field(description="When it was made.")
    updated_at: datetime | None = strawberry.field(description="When it was last changed.")

    @resolved("How much of it the caller sees.")
    @staticmethod
    def access(parent: Parent[events.Event]) -> choices.Access:
        return choices.Access(parent.access.value)

    @loaded(
        "Its calendar; null for those who are invited and no members.",
        Loaded(loads.CALENDARS, "calendar_id", carriers=(Carrier(loads.EVENTS_OF),)),
    )
    @staticmethod
    def calendar() -> "Calendar | None": ...

    @resolved("The same attendees, a page at a time.")
    @staticmethod
    def attendees_connection(
        parent: Parent[events.Event], first: AttendeesFirst = 100, after: After = None
    ) -> Connection[Attendee] | None:
        _checked(first, ATTENDEES_MAX)
        if parent.attendees is None:
            return None
        shown = page_of(parent.attendees, lambda one: AfterAttendee(one.email), AfterAttendee, first, after)
        return cast("Connection[Attendee]", shown)


@strawberry.type(description="A page of events, by start and id.")
class EventConnection:
    edges: list[Edge[Event]] = strawberry.field(description="The events with their cursors.")
    nodes: list[Event] = strawberry.field(description="The events alone.")
    page_info: PageInfo = strawberry.field(description="What lies around the page.")
    window: Window = strawberry.field(description="The window that the list covers.")


@strawberry.type(
    description="A page of what was found: all words in the title first, of these and of the rest what ends last."
)
class FoundEventConnection:
    edges: list[Edge[Event]] = strawberry.field(description="The events with their cursors.")
    nodes: list[Event] = strawberry.field(description="The events alone.")
    page_info: PageInfo = strawberry.field(description="What lies around the page.")


@strawberry.type(description="What became of an event, of somebody invited, or of a resource, in one transaction.")
class HistoryChange:
    kind: choices.HistoryKind = strawberry.field(description="Of what it tells.")
    did: choices.HistoryAction = strawberry.field(description="What became of it.")
    person: User | None = strawberry.field(description="The attendee; null for people outside of this installation.")
    resource: EventResource | None = strawberry.field(description="The room or piece of equipment.")

    @resolved("The fields that were changed, by their names here; not what they were before.")
    @staticmethod
    def fields(parent: Parent[history.Change]) -> list[str]:
        return [camel(one) for one in parent.fields]


@strawberry.type(description="What was changed at once.")
class HistoryEntry:
    changed_at: datetime = strawberry.field(description="When.")
    actor: User | None = strawberry.field(description="By whom; null where it was no person.")
    changes: list[HistoryChange] = strawberry.field(description="What was changed.")


@strawberry.type(description="A page of the history of an event, the newest first.")
class HistoryConnection:
    edges: list[Edge[HistoryEntry]] = strawberry.field(description="The entries with their cursors.")
    nodes: list[HistoryEntry] = strawberry.field(description="The entries alone.")
    page_info: PageInfo = strawberry.field(description="What lies around the page.")
    reaches_back_to: datetime | None = strawberry.field(description="Nothing is known of what was before.")


@strawberry.type(description="Somebody who shares a calendar.")
class Member:
    user: User = strawberry.field(description="The person.")
    created_at: datetime = strawberry.field(description="Since when.")

    @resolved("What they may do with it.")
    @staticmethod
    def role(parent: Parent[calendars.Member]) -> choices.Role:
        return choices.Role(parent.role.value)


@strawberry.type(description="A calendar of which the caller is a member.")
class Calendar(Node):
    id: UUID = strawberry.field(description="Its id.")
    name: str = strawberry.field(description="Its name.")
    description: str | None = strawberry.field(description="More about it.")
    color: str = strawberry.field(description="Its colour, `#3b6fb6`.")
    tzid: str = strawberry.field(description="Its IANA time zone.")
    is_personal: bool = strawberry.field(description="Whether it is the one that the caller has from the start.")
    version: int = strawberry.field(description="Grows with every change.")
    created_at: datetime = strawberry.field(description="When it was made.")
    updated_at: datetime = strawberry.field(description="When it was last changed.")

    @resolved("What the caller may do with it.")
    @staticmethod
    def role(parent: Parent[calendars.Calendar]) -> choices.Role:
        return choices.Role(parent.role.value)

    @loaded(
        "Events that overlap the window, the current month when none is given: one page of at most `first`. "
        "`eventsConnection` is the same with cursors.",
        _events(lambda page, _: page.events),
    )
    @staticmethod
    def events(
        start: Start = None,
        end: End = None,
        tz: Zone = None,
        expand: ExpandAs = choices.Expand.INSTANCES,
        order: OrderBy = choices.Order.ASC,
        first: First = None,
        after: After = None,
        filters: Filters = None,
    ) -> list[Event] | None: ...

    @loaded("The same events, a page at a time.", _events(lambda page, query: connected(page, query)))
    @staticmethod
    def events_connection(
        start: Start = None,
        end: End = None,
        tz: Zone = None,
        expand: ExpandAs = choices.Expand.INSTANCES,
        order: OrderBy = choices.Order.ASC,
        first: First = None,
        after: After = None,
        filters: Filters = None,
    ) -> EventConnection | None: ...

    @loaded(
        "Who shares it, owners first; those who see busy times only are shown the owners.",
        Loaded(loads.MEMBERS_OF, "id", by=("first",), arguments=_members),
    )
    @staticmethod
    def members(first: MembersFirst = 100) -> list[Member] | None: ...

    @loaded(
        "The same members, a page at a time; all are read for each page.",
        Loaded(loads.MEMBERS_OF, "id", by=("first", "after"), arguments=_every_member, value=_page_of_members),
    )
    @staticmethod
    def members_connection(first: MembersFirst = 100, after: After = None) -> Connection[Member] | None: ...


@strawberry.type(description="A token, without its secret.")
class Token:
    id: UUID = strawberry.field(description="Its id.")
    user_id: UUID = strawberry.field(description="The id of the person for whom it was made.")
    kind: choices.TokenKind = strawberry.field(description="Whom it speaks for.")
    name: str = strawberry.field(description="What it is called.")
    scopes: list[choices.TokenScope] = strawberry.field(description="What it is good for.")
    created_at: datetime = strawberry.field(description="When it was made.")
    expires_at: datetime | None = strawberry.field(description="When it ends; null where it does not by itself.")
    revoked_at: datetime | None = strawberry.field(description="When it was ended.")


@strawberry.type(description="Something of a calendar that changed, as it is now.")
class Change:
    kind: choices.ChangeKind = strawberry.field(description="What has changed.")
    id: UUID = strawberry.field(description="The id of the event, the calendar, or the person who is a member.")
    op: choices.ChangeOp = strawberry.field(description="What to do with a copy.")
    changed_at: datetime = strawberry.field(description="When it changed last.")
    event: Event | None = strawberry.field(description="The event, where it is one that is there.")
    calendar: Calendar | None = strawberry.field(description="The calendar, where it is that.")
    member: Member | None = strawberry.field(description="The member, where it is one that is there.")


@strawberry.type(description="Changes of a calendar in the order in which they were committed.")
class ChangeFeed:
    changes: list[Change] = strawberry.field(description="Each thing once, at the place of its last change.")
    position: str = strawberry.field(description="Where to go on: `since` of the next question.")
    has_more: bool = strawberry.field(description="Whether there is more to be had at once.")


def connected(page: read.Page, query: read.Query) -> EventConnection:
    """A page of events with cursors."""
    shown = edges(page.events, page.places)
    return EventConnection(
        edges=cast("list[Edge[Event]]", shown),
        nodes=cast("list[Event]", page.events),
        page_info=page_info(shown, more=page.has_more, is_first=query.after is None),
        window=told(page.window),
    )


def found_events(page: search.Page, query: search.Query) -> FoundEventConnection:
    """A page of a search with cursors."""
    shown = edges(page.events, page.places)
    return FoundEventConnection(
        edges=cast("list[Edge[Event]]", shown),
        nodes=cast("list[Event]", page.events),
        page_info=page_info(shown, more=page.after is not None, is_first=query.after is None),
    )


def entries(found: history.History, asked: loads.Past) -> HistoryConnection:
    """A page of a history with cursors."""
    shown = edges(found.entries, found.places)
    return HistoryConnection(
        edges=cast("list[Edge[HistoryEntry]]", shown),
        nodes=cast("list[HistoryEntry]", found.entries),
        page_info=page_info(shown, more=found.after is not None, is_first=asked.after is None),
        reaches_back_to=found.reaches_back_to,
    )


def feed(found: changes.Feed) -> ChangeFeed:
    """Changes with the position from which to go on."""
    return ChangeFeed(
        changes=cast("list[Change]", found.changes), position=str(found.position), has_more=found.has_more
    )


def told(window: DomainWindow) -> Window:
    """The window in its own zone."""
    return Window(
        start=window.start.astimezone(window.zone), end=window.end.astimezone(window.zone), tz=window.zone.key
    )


def in_zone(one: resources.Availability, zone: ZoneInfo) -> ResourceAvailability:
    busy, free = (
        [Period(start=period.start.astimezone(zone), end=period.end.astimezone(zone)) for period in periods]
        for periods in (one.busy, one.free)
    )
    return ResourceAvailability(resource=cast("Resource", one.resource), is_free=one.is_free, busy=busy, free=free)


def weekly(hours: Mapping[str, Iterable[tuple[str, str]]]) -> list[WeeklyPeriod]:
    return [
        WeeklyPeriod(day=day, start=start, end=end)
        for day in choices.Weekday
        for start, end in hours.get(day.value, ())
    ]
