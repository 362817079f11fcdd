"""What one request reads by: the viewer, the bounds, and a loader for each kind of thing, so that fields side by side
are read together. Nothing is kept from one request to the next.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Final, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from yotei.api import scheduling
from yotei.api.graphql.node_ids import Named
from yotei.api.parameters import parse_zone
from yotei.calendars import read as calendars
from yotei.calendars.calendar import Calendar, Member
from yotei.errors import Code, Problem
from yotei.events import changes, history, search
from yotei.events import read as events
from yotei.events.event import Event
from yotei.events.window import Window
from yotei.loader import Loader
from yotei.resources import read as resources
from yotei.resources.resource import Availability, Resource, ResourceMember
from yotei.scheduling.freebusy import FreeBusy
from yotei.scheduling.meeting import MeetingTimes
from yotei.settings import LimitSettings
from yotei.storage.change_log import Position
from yotei.storage.pool import Source
from yotei.users import read as users
from yotei.users.user import Profile, Viewer

READS_MAX: Final = 20
"""Reads of one document. Each is one statement, so aliases cannot multiply statements without a bound."""
EVENTS_MAX: Final = 20_000
"""Events that one document may ask for, its pages taken as full: a page of calendars times a page of events."""
MEMBERS_MAX: Final = 20_000
"""Members that one document may ask for, counted alike."""
QUESTIONS_MAX: Final = 5
"""Questions about free/busy and meeting times of one document: each can take as long as the largest request."""

K = TypeVar("K")
V = TypeVar("V")


class Reading:
    """One request. Every read of a resolver goes through here, and from here to a domain with the viewer."""

    def __init__(self, source: Source, viewer: Viewer, limits: LimitSettings) -> None:
        self.source: Final = source
        self.limits: Final = limits
        self._of_calendars: dict[events.Query, Loader[UUID, events.Page]] = {}
        self._events_by_id: dict[ZoneInfo, Loader[UUID, Event]] = {}
        self._members_of: dict[int, Loader[UUID, tuple[Member, ...]]] = {}
        self._resource_members_of: dict[int, Loader[UUID, tuple[ResourceMember, ...]]] = {}
        self._begin(viewer)

    def begin_anew(self, viewer: Viewer) -> None:
        """Another answer, as to another request: the next one of a subscription."""
        self.forget()
        for by_question in (self._of_calendars, self._events_by_id, self._members_of, self._resource_members_of):
            by_question.clear()
        self._begin(viewer)

    def _begin(self, viewer: Viewer) -> None:
        self.viewer = viewer
        # One instant for the whole document: equal arguments have to mean equal windows.
        self.now = datetime.now(UTC)
        self._reads = 0
        self._events = 0
        self._members = 0
        self._questions = 0

    def forget(self) -> None:
        """What was read so far is read anew: something has been written."""
        loaders: tuple[Loader[UUID, Any], ...] = (
            self.calendar,
            self.user,
            self.resource,
            *self._of_calendars.values(),
            *self._events_by_id.values(),
            *self._members_of.values(),
            *self._resource_members_of.values(),
        )
        for loader in loaders:
            loader.clear()

    def read(self) -> None:
        """Count a read before it is made; Problem `invalid_request` for one too many."""
        self._reads += 1
        if self._reads > READS_MAX:
            raise Problem(Code.INVALID_REQUEST, f"The document needs more than {READS_MAX} reads; ask for it in parts.")

    async def agenda(self, query: events.Query) -> events.Page:
        self._expect_events(query.limit)
        self.read()
        return await events.agenda(self.source, self.viewer, query)

    def events_of(self, query: events.Query) -> Loader[UUID, events.Page]:
        """Lists of events by calendar, those of the same query together; None where there is none to be read."""

        async def load(ids: Sequence[UUID]) -> Sequence[events.Page | None]:
            self._expect_events(len(ids) * query.limit)
            return await events.list_calendars(self.source, self.viewer, ids, query)

        if query not in self._of_calendars:
            self._of_calendars[query] = self._loader(load, events.CALENDARS_MAX)
        return self._of_calendars[query]

    def event(self, zone: ZoneInfo) -> Loader[UUID, Event]:
        """Single events by id, told in `zone`."""

        async def load(ids: Sequence[UUID]) -> Sequence[Event | None]:
            return await events.get_many(self.source, self.viewer, ids, zone, now=self.now)

        if zone not in self._events_by_id:
            self._events_by_id[zone] = self._loader(load, events.EVENTS_MAX)
        return self._events_by_id[zone]

    @cached_property
    def calendar(self) -> Loader[UUID, Calendar]:
        async def load(ids: Sequence[UUID]) -> Sequence[Calendar | None]:
            return await calendars.get_many(self.source, self.viewer, ids)

        return self._loader(load, calendars.CALENDARS_MAX)

    def members_of(self, limit: int) -> Loader[UUID, tuple[Member, ...]]:
        """The first members of calendars, by calendar."""

        async def load(ids: Sequence[UUID]) -> Sequence[tuple[Member, ...] | None]:
            self._members += len(ids) * limit
            _within("members", self._members, MEMBERS_MAX)
            return await calendars.members(self.source, self.viewer, ids, limit)

        if limit not in self._members_of:
            self._members_of[limit] = self._loader(load, calendars.CALENDARS_MAX)
        return self._members_of[limit]

    def resource_members_of(self, limit: int) -> Loader[UUID, tuple[ResourceMember, ...]]:
        """The first members of resources, by resource."""

        async def load(ids: Sequence[UUID]) -> Sequence[tuple[ResourceMember, ...] | Exception | None]:
            self._members += len(ids) * limit
            _within("members", self._members, MEMBERS_MAX)
            return await resources.members_of_many(self.source, self.viewer, ids, limit)

        if limit not in self._resource_members_of:
            self._resource_members_of[limit] = self._loader(load, resources.BATCH_MAX)
        return self._resource_members_of[limit]

    async def node(self, named: Named) -> Calendar | Event | Profile | Resource | None:
        """What a node id names; events are told in the viewer's own zone."""
        if named.kind == "Calendar":
            return await self.calendar.load(named.id)
        if named.kind == "Resource":
            return await self.resource.load(named.id)
        if named.kind == "User":
            return await self.user.load(named.id)
        zone = parse_zone(None, self.viewer.tzid)
        event = await self.event(zone).load(named.id)
        if event is None or event.recurrence_id == named.recurrence_id:
            return event
        if named.recurrence_id is None:
            return None
        self.read()
        return await events.get_instance(
            self.source,
            self.viewer,
            named.id,
            named.recurrence_id,
            zone,
            instances_max=self.limits.instances_max,
        )

    async def changes(self, calendar_id: UUID, since: Position | None, zone: ZoneInfo, limit: int) -> changes.Feed:
        self.read()
        return await changes.since(self.source, self.viewer, calendar_id, since, zone, limit=limit, now=self.now)

    async def search(self, query: search.Query) -> search.Page:
        self._expect_events(query.limit)
        self.read()
        return await search.search(self.source, self.viewer, query, now=self.now)

    async def history(self, event_id: UUID, zone: ZoneInfo, after: history.After | None, limit: int) -> history.History:
        self.read()
        return await history.of_event(self.source, self.viewer, event_id, zone, after=after, limit=limit)

    async def free_busy(self, question: scheduling.FreeBusyQuestion) -> tuple[FreeBusy, Window]:
        self._ask()
        return await scheduling.free_busy(self.source, self.viewer, question, self.limits, now=self.now)

    async def meeting_times(self, question: scheduling.MeetingQuestion) -> tuple[MeetingTimes, Window]:
        self._ask()
        return await scheduling.meeting_times(self.source, self.viewer, question, self.limits, now=self.now)

    async def events(self, ids: Sequence[UUID], zone: ZoneInfo) -> list[Event | None]:
        """Many events by id, in one field."""
        self._expect_events(len(ids))
        return await self.event(zone).load_many(ids)

    async def availability_of(
        self, ids: Sequence[UUID], window: Window, slot_minutes: int
    ) -> list[Availability | None]:
        self.read()
        return await resources.availability_of(
            self.source, self.viewer, ids, window.start, window.end, slot_minutes=slot_minutes, where="query"
        )

    @cached_property
    def user(self) -> Loader[UUID, Profile]:
        async def load(ids: Sequence[UUID]) -> Sequence[Profile | None]:
            return await users.get_many(self.source, self.viewer, ids)

        return self._loader(load, users.USERS_MAX)

    @cached_property
    def resource(self) -> Loader[UUID, Resource]:
        async def load(ids: Sequence[UUID]) -> Sequence[Resource | None]:
            return await resources.get_many(self.source, self.viewer, ids)

        return self._loader(load, resources.BATCH_MAX)

    def _loader(
        self, load: Callable[[Sequence[K]], Awaitable[Sequence[V | Exception | None]]], batch_max: int
    ) -> Loader[K, V]:
        async def counted(keys: Sequence[K]) -> Sequence[V | Exception | None]:
            self.read()
            return await load(keys)

        return Loader(counted, batch_max=batch_max)

    def _ask(self) -> None:
        self._questions += 1
        if self._questions > QUESTIONS_MAX:
            raise Problem(
                Code.INVALID_REQUEST,
                f"The document asks more than {QUESTIONS_MAX} questions about free/busy and meeting times.",
            )
        self.read()

    def _expect_events(self, events_max: int) -> None:
        self._events += events_max
        _within("events", self._events, EVENTS_MAX)


def _within(what: str, asked: int, most: int) -> None:
    if asked > most:
        raise Problem(
            Code.INVALID_REQUEST,
            f"The document asks for up to {asked} {what}, at most {most} are given; make its pages smaller (`first`).",
        )
