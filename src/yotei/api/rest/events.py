"""`/api/events`, `/api/calendars/{id}/events` and the agenda: lists by window, single events."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal, NamedTuple
from uuid import UUID

import msgspec
from litestar import Request, Response, delete, get, patch, post, put
from litestar.datastructures import State
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, JSONBody, Parameter, QueryParameter

from yotei.api import paging
from yotei.api.conditional import answer
from yotei.api.edge import source_of
from yotei.api.parameters import (
    Cursor,
    End,
    Fields,
    Start,
    Zone,
    only,
    page_size,
    parse_fields,
    parse_time,
    parse_window,
    parse_zone,
)
from yotei.api.problems import refusals
from yotei.api.writing import Writing, Written
from yotei.events import draft, read, write
from yotei.events.event import Event, ResponseStatus, Status
from yotei.storage.pool import Transaction
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


ScopeOf = Annotated[
    draft.Scope | None,
    QueryParameter(
        name="scope",
        description="How far it goes from `recurrence_id`: without it `this` where an instance is named, else `all`.",
        required=False,
    ),
]
Instance = Annotated[
    str | None,
    Parameter(
        description="An instance of a series: the `recurrence_id` that lists show; without an offset by its own clock.",
        required=False,
        max_length=40,
    ),
]


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


class Restoring(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How rooms are booked again."""

    booking_policy: draft.Policy | None = None


class Moving(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where an event goes."""

    calendar_id: UUID


class Duplicating(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is different of the copy; a start moves the end along."""

    calendar_id: UUID | None = None
    start_time: datetime | None = None
    title: Annotated[str, msgspec.Meta(max_length=500)] | None = None


class Inviting(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who is to be invited as well."""

    attendees: Annotated[tuple[draft.Invitee, ...], msgspec.Meta(min_length=1, max_length=draft.ATTENDEES_MAX)]


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
    viewer: NamedDependency[Viewer],
    listing: NamedDependency[Listing],
    calendar_id: FromPath[UUID],
) -> Response[EventList]:
    """Events that overlap the window, the current month when none is given.

    Private events, and those of calendars shared as free/busy, come as times only: `access` is `busy`.
    """
    page = await read.list_calendar(source_of(request), viewer, calendar_id, listing.query)
    return _answer(page, listing.fields)


@get(
    "/api/events",
    summary="Events of a calendar, by query",
    dependencies=LISTING,
    responses=refusals(404, 422),
)
async def list_events(
    request: Request[Any, Any, Any],
    viewer: NamedDependency[Viewer],
    listing: NamedDependency[Listing],
    calendar_id: Annotated[UUID, Parameter(description="The calendar.")],
) -> Response[EventList]:
    """The same as `/api/calendars/{calendar_id}/events`."""
    page = await read.list_calendar(source_of(request), viewer, calendar_id, listing.query)
    return _answer(page, listing.fields)


@get("/api/users/me/agenda", summary="The caller's agenda", dependencies=LISTING, responses=refusals(422))
async def list_agenda(
    request: Request[Any, Any, Any],
    viewer: NamedDependency[Viewer],
    listing: NamedDependency[Listing],
) -> Response[EventList]:
    """Events of the caller's calendars, events that they organise, and events to which they are invited."""
    page = await read.agenda(source_of(request), viewer, listing.query)
    return _answer(page, listing.fields)


@get("/api/events/{event_id:uuid}", summary="One event", responses=refusals(404))
async def get_event(
    request: Request[Any, Any, Any],
    viewer: NamedDependency[Viewer],
    event_id: FromPath[UUID],
    tz: Zone = None,
    fields: Fields = None,
) -> Response[Event]:
    """An event, or the master of a series. Members of its calendar, its organizer and its attendees may read it."""
    chosen = parse_fields(fields, Event)
    event = await read.get(source_of(request), viewer, event_id, parse_zone(tz, viewer.tzid), now=datetime.now(UTC))
    if chosen is not None:
        return answer(only([event], chosen)[0], version=event.version)
    return answer(event, version=event.version)


@post("/api/events", summary="Make an event", responses=refusals(404, 409, 413, 422))
async def create_event(
    state: State,
    viewer: NamedDependency[Viewer],
    writing: NamedDependency[Writing],
    data: JSONBody[draft.NewEvent],
    tz: Zone = None,
) -> Response[Event]:
    """An event, or a series, in a calendar that the caller may write, with its attendees and rooms, or not at all.

    Where a room is taken the answer is 409 `room_taken` with the periods, and with what could be had instead. With
    `booking_policy` PARTIAL a series is made all the same, and `missed` lists the instances without their room.
    """
    return await _write(state, viewer, writing, draft.Create(event=data), tz, created=True)


@patch("/api/events/{event_id:uuid}", summary="Change an event", responses=refusals(404, 409, 412, 413, 422))
async def patch_event(
    state: State,
    viewer: NamedDependency[Viewer],
    writing: NamedDependency[Writing],
    event_id: FromPath[UUID],
    data: JSONBody[draft.EventFields],
    extent: ScopeOf = None,
    recurrence_id: Instance = None,
    tz: Zone = None,
) -> Response[Event]:
    """Sets the fields that are given; null clears one. Rooms that are held follow the times.

    Of a series: `this` changes the instance that `recurrence_id` names, `following` that one and all after it, which
    become a series of their own, `all` the whole series. Times given with `recurrence_id` are those of that instance.
    """
    operation = draft.Patch(event_id=event_id, event=data, scope=extent, recurrence_id=_instance(recurrence_id))
    return await _write(state, viewer, writing, operation, tz)


@put("/api/events/{event_id:uuid}", summary="Replace an event", responses=refusals(404, 409, 412, 413, 422))
async def replace_event(
    state: State,
    viewer: NamedDependency[Viewer],
    writing: NamedDependency[Writing],
    event_id: FromPath[UUID],
    data: JSONBody[draft.WholeEvent],
    extent: ScopeOf = None,
    recurrence_id: Instance = None,
    tz: Zone = None,
) -> Response[Event]:
    """Sets all fields: one that is not given gets its default. Attendees who stay keep their answers."""
    operation = draft.Replace(event_id=event_id, event=data, scope=extent, recurrence_id=_instance(recurrence_id))
    return await _write(state, viewer, writing, operation, tz)


@delete(
    "/api/events/{event_id:uuid}", summary="Delete an event", status_code=204, responses=refusals(404, 409, 412, 422)
)
async def delete_event(
    state: State,
    viewer: NamedDependency[Viewer],
    writing: NamedDependency[Writing],
    event_id: FromPath[UUID],
    extent: ScopeOf = None,
    recurrence_id: Instance = None,
) -> Response[None]:
    """Deletes an event, an instance, what follows it, or a whole series. Its rooms are free again; it can be
    restored."""
    operation = draft.Delete(event_id=event_id, scope=extent, recurrence_id=_instance(recurrence_id))
    return await _write(state, viewer, writing, operation, None)


@post(
    "/api/events/{event_id:uuid}/restore",
    summary="Restore an event",
    status_code=200,
    responses=refusals(404, 409, 412, 413, 422),
)
async def restore_event(
    state: State,
    viewer: NamedDependency[Viewer],
    writing: NamedDependency[Writing],
    event_id: FromPath[UUID],
    data: JSONBody[Restoring],
    recurrence_id: Instance = None,
    tz: Zone = None,
) -> Response[Event]:
    """Undoes a deletion, of an instance with `recurrence_id`. Its rooms are booked again, 409 where they are taken."""
    operation = draft.Restore(
        event_id=event_id, booking_policy=data.booking_policy, recurrence_id=_instance(recurrence_id)
    )
    return await _write(state, viewer, writing, operation, tz)


@post(
    "/api/events/{event_id:uuid}/move",
    summary="Put an event into another calendar",
    status_code=200,
    responses=refusals(404, 409, 412, 413, 422),
)
async def move_event(
    state: State,
    viewer: NamedDependency[Viewer],
    writing: NamedDependency[Writing],
    event_id: FromPath[UUID],
    data: JSONBody[Moving],
    tz: Zone = None,
) -> Response[Event]:
    """The caller must be able to write both calendars. A series moves as a whole."""
    operation = draft.Move(event_id=event_id, calendar_id=data.calendar_id)
    return await _write(state, viewer, writing, operation, tz)


@post("/api/events/{event_id:uuid}/duplicate", summary="Copy an event", responses=refusals(404, 409, 412, 413, 422))
async def duplicate_event(
    state: State,
    viewer: NamedDependency[Viewer],
    writing: NamedDependency[Writing],
    event_id: FromPath[UUID],
    data: JSONBody[Duplicating],
    recurrence_id: Instance = None,
    tz: Zone = None,
) -> Response[Event]:
    """Another event like this one, organised by the caller; answers start anew. Of a series its rule is copied and not
    its exceptions; with `recurrence_id` that instance becomes a single event."""
    operation = draft.Duplicate(
        event_id=event_id,
        calendar_id=data.calendar_id,
        start_time=data.start_time,
        title=data.title,
        recurrence_id=_instance(recurrence_id),
    )
    return await _write(state, viewer, writing, operation, tz, created=True)


@post(
    "/api/events/{event_id:uuid}/attendees",
    summary="Invite people",
    status_code=200,
    responses=refusals(404, 409, 412, 413, 422),
)
async def invite(
    state: State,
    viewer: NamedDependency[Viewer],
    writing: NamedDependency[Writing],
    event_id: FromPath[UUID],
    data: JSONBody[Inviting],
    extent: ScopeOf = None,
    recurrence_id: Instance = None,
    tz: Zone = None,
) -> Response[Event]:
    """Adds attendees, by id or by e-mail address. Who is invited already stays as they are. No mail is sent."""
    operation = draft.Invite(
        event_id=event_id, attendees=data.attendees, scope=extent, recurrence_id=_instance(recurrence_id)
    )
    return await _write(state, viewer, writing, operation, tz)


@delete(
    "/api/events/{event_id:uuid}/attendees/{email:str}",
    summary="Remove an attendee",
    status_code=200,
    responses=refusals(404, 409, 412, 422),
)
async def uninvite(
    state: State,
    viewer: NamedDependency[Viewer],
    writing: NamedDependency[Writing],
    event_id: FromPath[UUID],
    email: FromPath[str],
    extent: ScopeOf = None,
    recurrence_id: Instance = None,
    tz: Zone = None,
) -> Response[Event]:
    """Takes an invitation back."""
    operation = draft.Uninvite(event_id=event_id, email=email, scope=extent, recurrence_id=_instance(recurrence_id))
    return await _write(state, viewer, writing, operation, tz)


@post(
    "/api/events/{event_id:uuid}/rsvp",
    summary="Answer an invitation",
    status_code=200,
    responses=refusals(404, 409, 412, 413, 422),
)
async def answer_invitation(
    state: State,
    viewer: NamedDependency[Viewer],
    writing: NamedDependency[Writing],
    event_id: FromPath[UUID],
    data: JSONBody[Answer],
    recurrence_id: Instance = None,
    tz: Zone = None,
) -> Response[Event]:
    """Sets the caller's own answer, to the event or the whole series; with `recurrence_id` to that instance.

    One need not be a member of the calendar, only invited.
    """
    operation = draft.Respond(
        event_id=event_id,
        response_status=data.response_status,
        comment=data.comment,
        recurrence_id=_instance(recurrence_id),
    )
    return await _write(state, viewer, writing, operation, tz)


async def _write(
    state: State,
    viewer: Viewer,
    writing: Writing,
    operation: draft.AnyOperation,
    tz: str | None,
    *,
    created: bool = False,
) -> Response[Any]:
    """One operation and the event as it is then, in one transaction."""
    zone = parse_zone(tz, viewer.tzid)
    now = datetime.now(UTC)

    async def work(tx: Transaction) -> Written:
        done = await write.apply_one(
            tx, viewer, operation, now=now, horizon_days=state.horizon_days, expected=writing.expected
        )
        if done.is_gone:
            return Written(None)
        event = await read.get(tx, viewer, done.event_id, zone, now=now)
        status = 201 if created else 200
        return Written(event, status, event.version, f"/api/events/{event.id}" if done.is_new else None)

    return await writing.run(work)


def _instance(recurrence_id: str | None) -> datetime | None:
    return parse_time(recurrence_id, "query.recurrence_id")


def _answer(page: read.Page, chosen: tuple[str, ...] | None) -> Response[EventList]:
    window = page.window
    listed = EventList(
        list(page.events) if chosen is None else only(page.events, chosen),  # type: ignore[arg-type]
        AnsweredWindow(window.start.astimezone(window.zone), window.end.astimezone(window.zone), window.zone.key),
        paging.encode(page.after),
    )
    return answer(listed)


ROUTES: Final = (
    list_calendar_events,
    list_events,
    list_agenda,
    get_event,
    create_event,
    patch_event,
    replace_event,
    delete_event,
    restore_event,
    move_event,
    duplicate_event,
    invite,
    uninvite,
    answer_invitation,
)
