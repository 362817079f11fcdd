"""Reading events: lists by calendar, a person's agenda, single events. One SQL statement each, whatever is found.

Every function takes the viewer and answers only with what that viewer may see; no door has to remember to ask.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import Annotated, Final, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta

from yotei.cache.reads import Reads
from yotei.calendars.calendar import Calendar
from yotei.errors import Code, Problem, invalid, not_found
from yotei.events import rows, units
from yotei.events.access import access_to
from yotei.events.event import Access, Event, Status, Stored
from yotei.events.instances import Occurrence, expand, master, masters
from yotei.events.units import Span
from yotei.events.view import on_wall, seen
from yotei.events.window import Window
from yotei.resources.resource import Resource
from yotei.storage.pool import Source
from yotei.users.user import Profile, Viewer

CALENDARS_MAX: Final = 1_000
"""Calendars that one batched list may ask for."""
EVENTS_MAX: Final = 1_000
"""Events that one batched read may ask for."""
ROWS_MAX: Final = 10_000
"""Rows that may touch one window: single events, series and overrides. More is refused, never cut."""
GET_WINDOW_DAYS: Final = 366
"""How far ahead a single read of a series looks for the rooms of its instances."""

_MICROSECOND: Final = timedelta(microseconds=1)
_CLOCK_CHANGE_MAX: Final = timedelta(hours=26)
"""No zone has ever put its clocks by more: Samoa left out a day."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# The first and the last microsecond that a datetime can be: a cursor comes from outside.
_FIRST: Final = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
_LAST: Final = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND - 1
_KEY_MAX: Final = max(-_FIRST, _LAST)

_Place = tuple[int, UUID, datetime]
"""Where something stands in the order: signed microseconds of its start, its id, the instance of a series."""


class After(msgspec.Struct, frozen=True):
    """Where the page before ended: a place in the order, not a count, so that writes in between do not shift it."""

    key: Annotated[int, Meta(ge=-_KEY_MAX, le=_KEY_MAX)]
    id: UUID
    recurrence_id: Annotated[datetime, Meta(tz=True)] | None
    order: Literal["asc", "desc"]


class Query(msgspec.Struct, frozen=True):
    """What a list is asked for. The filters see what the viewer sees: a hidden organizer matches nothing."""

    window: Window
    limit: int
    instances_max: int
    expand: bool = True
    order: Literal["asc", "desc"] = "asc"
    after: After | None = None
    status: Status | None = None
    organizer_id: UUID | None = None
    attendee_id: UUID | None = None
    resource_id: UUID | None = None

    @property
    def filters(self) -> bool:
        return any((self.status, self.organizer_id, self.attendee_id, self.resource_id))

    @property
    def direction(self) -> int:
        return 1 if self.order == "asc" else -1


class Along(msgspec.Struct):
    """What a read of events is to bring along of those things that the events name: people, calendars of which the
    viewer is a member, resources that are there. Those that are not None are filled, also where the read then fails
    because there is too much."""

    people: dict[UUID, Profile] | None = None
    calendars: dict[UUID, Calendar] | None = None
    resources: dict[UUID, Resource] | None = None

    def fill(self, found: rows.Selected) -> None:
        if self.people is not None:
            self.people.update((one.id, one) for one in found.people)
        if self.calendars is not None:
            self.calendars.update((one.id, one) for one in found.known_calendars)
        if self.resources is not None:
            self.resources.update((one.id, one) for one in found.resources)


class Page(msgspec.Struct, frozen=True):
    """Events by start, then id, with the place of each."""

    events: tuple[Event, ...]
    places: tuple[After, ...]
    has_more: bool
    window: Window

    @property
    def after(self) -> After | None:
        """Where the next page goes on, None when there is none."""
        return self.places[-1] if self.has_more else None


async def list_calendar(source: Source, viewer: Viewer, calendar_id: UUID, query: Query) -> Page:
    """The events of one calendar in a window; Problem `not_found` when the viewer is no member. One statement."""
    page = (await list_calendars(source, viewer, [calendar_id], query))[0]
    if page is None:
        raise not_found("calendar")
    return page


async def list_calendars(
    source: Source, viewer: Viewer, calendar_ids: Sequence[UUID], query: Query, *, along: Along | None = None
) -> list[Page | None]:
    """The same window of several calendars, in their order; None where there is none to be read. One statement."""
    viewer.need("read")
    assert len(calendar_ids) <= CALENDARS_MAX
    found = await _select(source, viewer, query, calendar_ids=calendar_ids, along=along)
    stored: dict[UUID, list[Stored]] = {calendar.id: [] for calendar in found.calendars}
    for event in found.events:
        # The master of an override may be in a calendar that was not asked.
        if event.calendar_id in stored:
            stored[event.calendar_id].append(event)
    pages: dict[UUID, Page] = {}
    left = query.instances_max
    for calendar_id, events in stored.items():
        occurrences = _occurrences(events, viewer, query, left)
        left -= len(occurrences)
        pages[calendar_id] = _page(occurrences, query)
    return [pages.get(one) for one in calendar_ids]


async def agenda(source: Source, viewer: Viewer, query: Query, *, along: Along | None = None) -> Page:
    """What concerns the viewer: their calendars, what they organise, what they are invited to. One statement."""
    viewer.need("read")
    found = await _select(source, viewer, query, with_agenda=True, along=along)
    occurrences = _occurrences(found.events, viewer, query, query.instances_max)
    return _page(occurrences, query)


async def get(source: Source, viewer: Viewer, event_id: UUID, zone: ZoneInfo, *, now: datetime) -> Event:
    """One event, or the master of a series; Problem `not_found` when the viewer may not know of it. One statement."""
    event = (await get_many(source, viewer, [event_id], zone, now=now))[0]
    if event is None:
        raise not_found("event")
    return event


async def get_many(
    source: Source,
    viewer: Viewer,
    event_ids: Sequence[UUID],
    zone: ZoneInfo,
    *,
    now: datetime,
    along: Along | None = None,
) -> list[Event | None]:
    """Events in the order asked for; None where there is none to be seen. One statement."""
    return await get_named(source, viewer, event_ids, zone, now=now, along=along or Along())


async def get_instances(
    source: Source, viewer: Viewer, named: Sequence[tuple[UUID, datetime]], zone: ZoneInfo, *, instances_max: int
) -> list[Event | None]:
    """Instances of series, in the order asked for, each by the id and `recurrence_id` with which lists show it; None
    where there is none to be seen, or where it was put to another time. One statement."""
    viewer.need("read")
    assert len(named) <= EVENTS_MAX
    if not named:
        return []
    # In UTC the clock shows instants as they are: so each is in the window whatever kind of event it is of.
    times = [recurrence_id for _, recurrence_id in named]
    first, last = _second(min(times)), _second(max(times))
    found = await _rows(
        source,
        viewer,
        (first.start, last.end, first.wall_start, last.wall_end),
        ROWS_MAX,
        event_ids=[event_id for event_id, _ in named],
        with_exceptions=True,
    )
    _check_rows(found)
    series = {one.id: one.series_id or one.id for one in found.events}
    events: list[Event | None] = []
    for event_id, recurrence_id in named:
        stored = [one for one in found.events if event_id in series and series[one.id] == series[event_id]]
        query = Query(window=_second(recurrence_id), limit=1, instances_max=instances_max)
        shown = (
            seen(one, allowed, zone)
            for _, one, allowed in _occurrences(stored, viewer, query, instances_max)
            if one.event.id == event_id and one.recurrence_id == recurrence_id
        )
        events.append(next(shown, None))
    return events


async def get_named(
    source: Source,
    viewer: Viewer,
    event_ids: Sequence[UUID],
    zone: ZoneInfo,
    *,
    now: datetime,
    along: Along,
    people: Sequence[UUID] = (),
    calendars: Sequence[UUID] = (),
    resources: Sequence[UUID] = (),
) -> list[Event | None]:
    """As `get_many`, with people, calendars and resources by their ids beside those that the events name. One
    statement."""
    viewer.need("read")
    assert len(event_ids) <= EVENTS_MAX
    window = Window(now, now + timedelta(days=GET_WINDOW_DAYS), zone)
    found = await _rows(
        source,
        viewer,
        (window.start, window.end, window.wall_start, window.wall_end),
        EVENTS_MAX,
        event_ids=event_ids,
        along=along,
        people=people,
        calendars=calendars,
        resources=resources,
    )
    by_id = {event.id: event for event in found.events}
    return [_seen_alone(by_id.get(one), viewer, zone) for one in event_ids]


async def _select(
    source: Source,
    viewer: Viewer,
    query: Query,
    *,
    calendar_ids: Sequence[UUID] = (),
    with_agenda: bool = False,
    along: Along | None,
) -> rows.Selected:
    if query.after is not None and query.after.order != query.order:
        raise invalid("query.cursor", f"expected a cursor of order={query.order}", code=Code.INVALID_CURSOR)
    found = await _rows(
        source, viewer, _bounds(query), ROWS_MAX, calendar_ids=calendar_ids, with_agenda=with_agenda, along=along
    )
    _check_rows(found)
    return found


async def _rows(
    source: Source,
    viewer: Viewer,
    span: Span,
    rows_max: int,
    *,
    calendar_ids: Sequence[UUID] = (),
    with_agenda: bool = False,
    event_ids: Sequence[UUID] = (),
    with_exceptions: bool = False,
    along: Along | None = None,
    people: Sequence[UUID] = (),
    calendars: Sequence[UUID] = (),
    resources: Sequence[UUID] = (),
) -> rows.Selected:
    along = along or Along()
    besides = units.Besides(
        None if along.people is None else people,
        None if along.calendars is None else calendars,
        None if along.resources is None else resources,
    )
    found: rows.Selected | None = None
    if isinstance(source, Reads):
        if with_agenda:
            found = await units.of_agenda(source, viewer.user_id, span, besides)
        elif calendar_ids:
            found = await units.of_calendars(source, viewer.user_id, calendar_ids, span, besides)
        elif not with_exceptions:
            found = await units.by_ids(source, viewer.user_id, event_ids, span, besides)
    if found is None:
        start, end, wall_start, wall_end = span
        found = await rows.select_events(
            source,
            viewer_id=viewer.user_id,
            calendar_ids=calendar_ids,
            with_agenda=with_agenda,
            event_ids=event_ids,
            start=start,
            end=end,
            wall_start=wall_start,
            wall_end=wall_end,
            rows_max=rows_max,
            people=besides.people,
            known_calendars=besides.calendars,
            resources=besides.resources,
            with_exceptions=with_exceptions,
        )
    along.fill(found)
    return found


def _check_rows(found: rows.Selected) -> None:
    if found.rows > ROWS_MAX:
        raise Problem(Code.WINDOW_TOO_LARGE, f"More than {ROWS_MAX} events touch this window; ask for a shorter one.")


def _second(moment: datetime) -> Window:
    return Window(moment, moment + timedelta(seconds=1), ZoneInfo("UTC"))


def _bounds(query: Query) -> Span:
    """The part of the window that can still hold something after the cursor, as instants and as wall clock.

    A wall clock may run back: what comes after an instant can be shown a good day before it.
    """
    window = query.window
    start, end, wall_start, wall_end = window.start, window.end, window.wall_start, window.wall_end
    if query.after is None:
        return start, end, wall_start, wall_end
    reached = _EPOCH + max(_FIRST, min(query.after.key * query.direction, _LAST)) * _MICROSECOND
    reached = min(max(reached, start), end - _MICROSECOND)
    shown = reached.astimezone(window.zone).replace(tzinfo=UTC)
    if query.order == "asc":
        return reached, end, max(wall_start, shown - _CLOCK_CHANGE_MAX), wall_end
    return start, reached + _MICROSECOND, wall_start, min(wall_end, shown + _CLOCK_CHANGE_MAX)


_Seen = tuple[_Place, Occurrence[Stored], Access]


def _occurrences(stored: Sequence[Stored], viewer: Viewer, query: Query, instances_max: int) -> list[_Seen]:
    """What the viewer may see of the window, in order.

    Access is applied after expansion: a cancelled override still takes the place of its instance where it is hidden.
    """
    access = {event.id: access_to(event, viewer.user_id) for event in stored}
    if query.expand:
        hidden = {id_ for id_, allowed in access.items() if allowed is None}
        found = expand(stored, query.window, instances_max, hidden=hidden)
    else:
        found = masters(stored, query.window)
    visible = ((_place(one, query), one, access[one.event.id]) for one in found)
    return sorted(((place, one, allowed) for place, one, allowed in visible if allowed is not None), key=itemgetter(0))


def _page(occurrences: Sequence[_Seen], query: Query) -> Page:
    after = _place_of(query.after) if query.after else None
    events: list[Event] = []
    places: list[After] = []
    for place, one, allowed in occurrences:
        if after is not None and place <= after:
            continue
        event = seen(one, allowed, query.window.zone)
        if query.filters and not _matches(event, query):
            continue
        if len(events) == query.limit:
            return Page(tuple(events), tuple(places), True, query.window)
        events.append(event)
        places.append(After(place[0], one.event.id, one.recurrence_id, query.order))
    return Page(tuple(events), tuple(places), False, query.window)


def _seen_alone(event: Stored | None, viewer: Viewer, zone: ZoneInfo) -> Event | None:
    access = access_to(event, viewer.user_id) if event is not None else None
    return seen(master(event), access, zone) if event is not None and access is not None else None


def _matches(event: Event, query: Query) -> bool:
    return (
        (query.status is None or event.status == query.status)
        and (query.organizer_id is None or event.organizer_id == query.organizer_id)
        and (query.attendee_id is None or any(a.user and a.user.id == query.attendee_id for a in event.attendees or ()))
        and (query.resource_id is None or any(r.id == query.resource_id for r in event.resources or ()))
    )


def _place(one: Occurrence[Stored], query: Query) -> _Place:
    start = on_wall(one.start, query.window.zone) if one.event.on_wall_clock else one.start
    return ((start - _EPOCH) // _MICROSECOND * query.direction, one.event.id, one.recurrence_id or _EPOCH)


def _place_of(after: After) -> _Place:
    return (after.key, after.id, after.recurrence_id or _EPOCH)
