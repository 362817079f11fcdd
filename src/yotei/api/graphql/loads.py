"""What is loaded: each kind of load once, from here to the domain that knows it, with the viewer. Each says what it
costs in statements, and which other loads it answers along the way.

A load of one thing by its id takes many ids. One that is a question (a search, a page of a list) takes a single key,
`ASKED`, and all that is asked as its arguments: so that equal questions are one.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from yotei.api import scheduling
from yotei.api.graphql.context import Context
from yotei.api.graphql.reading import Reading
from yotei.api.parameters import parse_zone
from yotei.breadth import Brought, Load
from yotei.calendars import read as calendars
from yotei.calendars.calendar import Calendar, Member
from yotei.errors import Problem
from yotei.events import changes, history, nodes, search
from yotei.events import read as events
from yotei.events.window import Window
from yotei.resources import read as resources
from yotei.resources.resource import Availability, Resource, ResourceMember
from yotei.storage.change_log import Position
from yotei.users import read as users
from yotei.users import tokens
from yotei.users.user import Profile

ASKED: Final = 0
"""The only key of a question."""
PAGE_ROWS: Final = 100
"""Rows of a page whose size is not said, for estimates."""

V = TypeVar("V")
Wanted = frozenset[Load]


class Listed(msgspec.Struct, frozen=True):
    """A page of a list: so many items, behind a place in its order."""

    limit: int
    after: Any


class Members(msgspec.Struct, frozen=True):
    """The first `limit` members are read; `first` behind `after` are shown, where that is less."""

    limit: int
    first: int
    after: str | None


class Feed(msgspec.Struct, frozen=True):
    """The changes of a calendar since a position."""

    calendar_id: UUID
    since: Position | None
    zone: ZoneInfo
    limit: int


class Past(msgspec.Struct, frozen=True):
    """A page of the history of an event."""

    event_id: UUID
    zone: ZoneInfo
    after: history.After | None
    limit: int


class Slots(msgspec.Struct, frozen=True):
    """When resources are free: those that fit, or these, in their order."""

    window: Window
    slot_minutes: int
    wanted: resources.Wanted = resources.Wanted()
    ids: tuple[UUID, ...] = ()


def page_rows(first: int | None = None, **_: Any) -> int:
    return PAGE_ROWS if first is None else first


# Things by their ids.


async def _people(context: Context, ids: Sequence[UUID], _: Any) -> list[Profile | None]:
    return await users.get_many(context.reading.source, context.reading.viewer, ids)


async def _calendars(context: Context, ids: Sequence[UUID], _: Any) -> list[Calendar | None]:
    return await calendars.get_many(context.reading.source, context.reading.viewer, ids)


async def _resources(context: Context, ids: Sequence[UUID], _: Any) -> list[Resource | None]:
    return await resources.get_many(context.reading.source, context.reading.viewer, ids)


PEOPLE: Final = Load("people", _people, keys_max=users.BATCH_MAX, brings_itself=True)
CALENDARS: Final = Load("calendars", _calendars, keys_max=calendars.CALENDARS_MAX)
RESOURCES: Final = Load("resources", _resources, keys_max=resources.BATCH_MAX)

_NAMED: Final = frozenset({PEOPLE, CALENDARS, RESOURCES})
"""What events name, and reads of events bring along."""


async def _events(context: Context, ids: Sequence[UUID], zone: ZoneInfo, wanted: Wanted) -> Brought:
    reading, along = context.reading, _along(wanted)
    reading.expect_events(len(ids))
    found = await events.get_many(reading.source, reading.viewer, ids, zone, now=reading.now, along=along)
    return Brought(found, _brought(along))


async def _nodes(context: Context, named: Sequence[nodes.Named], _: Any, wanted: Wanted) -> Brought:
    """A node that is not there is its name: the field decides what that means."""
    reading, along = context.reading, _along(wanted)
    found = await nodes.get_many(
        reading.source,
        reading.viewer,
        named,
        parse_zone(None, reading.viewer.tzid),
        now=reading.now,
        instances_max=reading.limits.instances_max,
        along=along,
    )
    answers = [name if one is None else one for name, one in zip(named, found, strict=True)]
    return Brought(answers, {load: answers for load, answers in _brought(along).items() if load in wanted})


EVENTS: Final = Load("events by id", _events, keys_max=events.EVENTS_MAX, brings=_NAMED)
NODES: Final = Load("nodes", _nodes, statements=2, keys_max=events.EVENTS_MAX, brings=_NAMED)


# What calendars and resources hold.


async def _events_of(context: Context, ids: Sequence[UUID], query: events.Query, wanted: Wanted) -> Brought:
    reading, along = context.reading, _along(wanted)
    reading.expect_events(len(ids) * query.limit)
    answers: Sequence[events.Page | Problem | None]
    try:
        answers = await events.list_calendars(reading.source, reading.viewer, ids, query, along=along)
    except Problem as problem:
        answers = [problem] * len(ids)  # the calendars themselves may be there all the same
    return Brought(answers, _brought(along))


async def _members_of(context: Context, ids: Sequence[UUID], asked: Members, wanted: Wanted) -> Brought:
    reading = context.reading
    reading.expect_members(len(ids) * asked.limit)
    people: dict[UUID, Profile] | None = {} if PEOPLE in wanted else None
    answers: list[tuple[Member, ...] | None] = await calendars.members(
        reading.source, reading.viewer, ids, asked.limit, people=people
    )
    return Brought(answers, {} if people is None else {PEOPLE: people})


async def _resource_members_of(
    context: Context, ids: Sequence[UUID], asked: Members
) -> list[tuple[ResourceMember, ...] | Problem | None]:
    reading = context.reading
    reading.expect_members(len(ids) * asked.limit)
    return await resources.members_of_many(reading.source, reading.viewer, ids, asked.limit)


EVENTS_OF: Final = Load("events of calendars", _events_of, keys_max=events.CALENDARS_MAX, rows=page_rows, brings=_NAMED)
MEMBERS_OF: Final = Load(
    "members of calendars", _members_of, keys_max=calendars.CALENDARS_MAX, rows=page_rows, brings=frozenset({PEOPLE})
)
RESOURCE_MEMBERS_OF: Final = Load(
    "members of resources", _resource_members_of, keys_max=resources.BATCH_MAX, rows=page_rows
)


# Questions.


async def _agenda(context: Context, keys: Sequence[int], query: events.Query, wanted: Wanted) -> Brought:
    reading, along = context.reading, _along(wanted)
    reading.expect_events(query.limit)
    page = await events.agenda(reading.source, reading.viewer, query, along=along)
    return Brought([page for _ in keys], _brought(along))


async def _search(context: Context, keys: Sequence[int], query: search.Query) -> list[search.Page]:
    reading = context.reading
    reading.expect_events(query.limit)
    page = await search.search(reading.source, reading.viewer, query, now=reading.now)
    return [page for _ in keys]


async def _feed(context: Context, keys: Sequence[int], asked: Feed, wanted: Wanted) -> Brought:
    along = _along(wanted)
    feed = await feed_of(context.reading, asked, along=along)
    return Brought([feed for _ in keys], _brought(along))


async def feed_of(reading: Reading, asked: Feed, *, along: events.Along | None = None) -> changes.Feed:
    """What changed in a calendar; for subscriptions too."""
    return await changes.since(
        reading.source,
        reading.viewer,
        asked.calendar_id,
        asked.since,
        asked.zone,
        limit=asked.limit,
        now=reading.now,
        along=along,
    )


async def _history(context: Context, keys: Sequence[int], asked: Past) -> list[history.History]:
    reading = context.reading
    found = await history.of_event(
        reading.source, reading.viewer, asked.event_id, asked.zone, after=asked.after, limit=asked.limit
    )
    return [found for _ in keys]


async def _free_busy(
    context: Context, keys: Sequence[int], question: scheduling.FreeBusyQuestion, wanted: Wanted
) -> Brought:
    reading = context.reading
    known: dict[UUID, Resource] = {}
    found = await scheduling.free_busy(
        reading.source, reading.viewer, question, reading.limits, now=reading.now, known=known
    )
    return Brought([found for _ in keys], dict.fromkeys(wanted, known))


async def _meeting_times(
    context: Context, keys: Sequence[int], question: scheduling.MeetingQuestion, wanted: Wanted
) -> Brought:
    reading = context.reading
    known: dict[UUID, Resource] = {}
    found = await scheduling.meeting_times(
        reading.source, reading.viewer, question, reading.limits, now=reading.now, known=known
    )
    return Brought([found for _ in keys], dict.fromkeys(wanted, known))


async def _everybody(context: Context, keys: Sequence[int], page: Listed, wanted: Wanted) -> Brought:
    reading = context.reading
    found = await users.list_all(reading.source, reading.viewer, after=page.after, limit=page.limit)
    return Brought([found for _ in keys], {load: {one.id: one for one in found[0]} for load in wanted})


async def _own_calendars(
    context: Context, keys: Sequence[int], page: Listed
) -> list[tuple[list[Calendar], calendars.After | None]]:
    reading = context.reading
    found = await calendars.list_for(reading.source, reading.viewer, after=page.after, limit=page.limit)
    return [found for _ in keys]


async def _every_resource(
    context: Context, keys: Sequence[int], asked: tuple[resources.Wanted, Listed]
) -> list[tuple[list[Resource], resources.After | None]]:
    reading, (wanted, page) = context.reading, asked
    found = await resources.list_all(reading.source, reading.viewer, wanted, after=page.after, limit=page.limit)
    return [found for _ in keys]


async def _tokens(context: Context, keys: Sequence[int], user_id: UUID) -> list[list[tokens.Token]]:
    found = await tokens.list_for(context.reading.source, context.reading.viewer, user_id)
    return [found for _ in keys]


async def _availability(
    context: Context, keys: Sequence[int], asked: Slots
) -> list[tuple[list[Availability], resources.After | None]]:
    reading, window = context.reading, asked.window
    found = await resources.availability(
        reading.source, reading.viewer, asked.wanted, window.start, window.end, slot_minutes=asked.slot_minutes
    )
    return [found for _ in keys]


async def _availability_of(context: Context, keys: Sequence[int], asked: Slots) -> list[list[Availability | None]]:
    reading, window = context.reading, asked.window
    found = await resources.availability_of(
        reading.source,
        reading.viewer,
        asked.ids,
        window.start,
        window.end,
        slot_minutes=asked.slot_minutes,
        where="query",
    )
    return [found for _ in keys]


_question = partial(Load, keys_max=1)

AGENDA: Final = _question("agenda", _agenda, rows=page_rows, brings=_NAMED)
SEARCH: Final = _question("search", _search, rows=page_rows)
FEED: Final = _question("changes", _feed, statements=3, rows=page_rows, brings=_NAMED)
HISTORY: Final = _question("history", _history, rows=page_rows)
FREE_BUSY: Final = _question("free/busy", _free_busy, statements=2, rows=PAGE_ROWS, brings=frozenset({RESOURCES}))
MEETING_TIMES: Final = _question(
    "meeting times", _meeting_times, statements=2, rows=PAGE_ROWS, brings=frozenset({RESOURCES})
)
EVERYBODY: Final = _question("everybody", _everybody, rows=page_rows, brings=frozenset({PEOPLE}))
OWN_CALENDARS: Final = _question("own calendars", _own_calendars, rows=page_rows)
EVERY_RESOURCE: Final = _question("every resource", _every_resource, rows=page_rows)
TOKENS: Final = _question("tokens", _tokens, rows=PAGE_ROWS)
AVAILABILITY: Final = _question("availability", _availability, rows=PAGE_ROWS)
AVAILABILITY_OF: Final = _question("availability by id", _availability_of, rows=PAGE_ROWS)


def _along(wanted: Wanted) -> events.Along:
    return events.Along(
        people={} if PEOPLE in wanted else None,
        calendars={} if CALENDARS in wanted else None,
        resources={} if RESOURCES in wanted else None,
    )


def _brought(along: events.Along) -> dict[Load, Mapping[Any, Any]]:
    brought = {PEOPLE: along.people, CALENDARS: along.calendars, RESOURCES: along.resources}
    return {load: found for load, found in brought.items() if found is not None}
