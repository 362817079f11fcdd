"""`/api/events`, `/api/calendars/{id}/events` and the agenda: lists by window, single events."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal, NamedTuple
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, JSONBody, Parameter

from yotei.api import paging
from yotei.api.conditional import answer
from yotei.api.parameters import (
    Cursor,
    End,
    Fields,
    Start,
    Zone,
    only,
    page_size,
    parse_fields,
    parse_window,
    parse_zone,
)
from yotei.api.problems import refusals
from yotei.events import read, write
from yotei.events.event import Event, ResponseStatus, Status
from yotei.users.user import Viewer

Expand = Annotated[
    Literal["instances", "masters"],
    Parameter(description="`instances`: series as their instances; `masters`: each series once, with its rule."),
]
Order = Annotated[Literal["asc", "desc"], Parameter(description="By start, then id.")]
Limit = Annotated[int | None, Parameter(description="Events in the page; bounded by the server.", required=False)]
StatusFilter = Annotated[Status | None, Parameter(description="Only events of this status.", required=False)]
Organizer = Annotated[UUID | None, Parameter(description="Only events organised by this person.", required=False)]
AttendeeFilter = Annotated[
    UUID | None, Parameter(description="Only events to which this person is invited.", required=False)
]
ResourceFilter = Annotated[UUID | None, Parameter(description="Only events that hold this resource.", required=False)]


class AnsweredWindow(msgspec.Struct, frozen=True):
    """The window that the answer covers, in its zone."""

    start: datetime
    end: datetime
    tz: str


class EventList(msgspec.Struct, frozen=True):
    """Events that overlap the window, by start and id. `next_cursor` is null on the last page."""

    events: list[Event]
    window: AnsweredWindow
    next_cursor: str | None


class Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An attendee's answer to an invitation."""

    response_status: ResponseStatus
    comment: Annotated[str, msgspec.Meta(max_length=2_000)] | None = None


class Listing(NamedTuple):
    """What the query of a list asks for, and the fields that are wanted of each event."""

    query: read.Query
    fields: tuple[str, ...] | None


async def provide_listing(
    state: State,
    viewer: NamedDependency[Viewer],
    start: Start = None,
    end: End = None,
    tz: Zone = None,
    expand: Expand = "instances",
    order: Order = "asc",
    limit: Limit = None,
    cursor: Cursor = None,
    status: StatusFilter = None,
    organizer_id: Organizer = None,
    attendee_id: AttendeeFilter = None,
    resource_id: ResourceFilter = None,
    fields: Fields = None,
) -> Listing:
    """The parameters that all lists of events share."""
    limits = state.limits
    chosen = parse_fields(fields, Event)
    query = read.Query(
        window=parse_window(start, end, parse_zone(tz, viewer.tzid), limits),
        limit=page_size(limit, limits),
        instances_max=limits.instances_max,
        expand=expand == "instances",
        order=order,
        after=paging.decode(cursor, read.After),
        status=status,
        organizer_id=organizer_id,
        attendee_id=attendee_id,
        resource_id=resource_id,
    )
    return Listing(query, chosen)


LISTING: Final = {"listing": Provide(provide_listing)}


@get(
    "/api/calendars/{calendar_id:uuid}/events",
    summary="Events of a calendar",
    dependencies=LISTING,
    responses=refusals(404, 422),
)
async def list_calendar_events(
    request: Request[Any, Any, Any],
    state: State,
    viewer: NamedDependency[Viewer],
    listing: NamedDependency[Listing],
    calendar_id: FromPath[UUID],
) -> Response[EventList]:
    """Events that overlap the window, the current month when none is given.

    Private events, and those of calendars shared as free/busy, come as times only: `access` is `busy`.
    """
    page = await read.list_calendar(state.database, viewer, calendar_id, listing.query)
    return _answer(request, page, listing.fields)


@get(
    "/api/events",
    summary="Events of a calendar, by query",
    dependencies=LISTING,
    responses=refusals(404, 422),
)
async def list_events(
    request: Request[Any, Any, Any],
    state: State,
    viewer: NamedDependency[Viewer],
    listing: NamedDependency[Listing],
    calendar_id: Annotated[UUID, Parameter(description="The calendar.")],
) -> Response[EventList]:
    """The same as `/api/calendars/{calendar_id}/events`."""
    page = await read.list_calendar(state.database, viewer, calendar_id, listing.query)
    return _answer(request, page, listing.fields)


@get("/api/users/me/agenda", summary="The caller's agenda", dependencies=LISTING, responses=refusals(422))
async def list_agenda(
    request: Request[Any, Any, Any],
    state: State,
    viewer: NamedDependency[Viewer],
    listing: NamedDependency[Listing],
) -> Response[EventList]:
    """Events of the caller's calendars, events that they organise, and events to which they are invited."""
    page = await read.agenda(state.database, viewer, listing.query)
    return _answer(request, page, listing.fields)


@get("/api/events/{event_id:uuid}", summary="One event", responses=refusals(404))
async def get_event(
    request: Request[Any, Any, Any],
    state: State,
    viewer: NamedDependency[Viewer],
    event_id: FromPath[UUID],
    tz: Zone = None,
    fields: Fields = None,
) -> Response[Event]:
    """An event, or the master of a series. Members of its calendar, its organizer and its attendees may read it."""
    chosen = parse_fields(fields, Event)
    event = await read.get(state.database, viewer, event_id, parse_zone(tz, viewer.tzid), now=datetime.now(UTC))
    if chosen is not None:
        return answer(request, only([event], chosen)[0])
    return answer(request, event)


@post("/api/events/{event_id:uuid}/rsvp", summary="Answer an invitation", status_code=200, responses=refusals(404, 413))
async def answer_invitation(
    state: State, viewer: NamedDependency[Viewer], event_id: FromPath[UUID], data: JSONBody[Answer], tz: Zone = None
) -> Event:
    """Sets the caller's own answer. One need not be a member of the calendar, only invited."""
    await write.answer_invitation(state.database, viewer, event_id, data.response_status, data.comment)
    return await read.get(state.database, viewer, event_id, parse_zone(tz, viewer.tzid), now=datetime.now(UTC))


def _answer(request: Request[Any, Any, Any], page: read.Page, chosen: tuple[str, ...] | None) -> Response[EventList]:
    window = page.window
    listed = EventList(
        list(page.events) if chosen is None else only(page.events, chosen),  # type: ignore[arg-type]
        AnsweredWindow(window.start.astimezone(window.zone), window.end.astimezone(window.zone), window.zone.key),
        paging.encode(page.after),
    )
    return answer(request, listed)


ROUTES: Final = (list_calendar_events, list_events, list_agenda, get_event, answer_invitation)
