"""The part of the calendars that a set of operations is about: loaded under locks, changed in memory, written as a
diff.

Every value is immutable and replaced as a whole, so that an operation that turns out to be impossible is undone by
putting the old values back.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final, TypeVar
from uuid import UUID

import msgspec

from yotei.errors import Code, Fault, Problem, not_found
from yotei.events.event import Content, ResponseStatus
from yotei.ical import recurrence
from yotei.resources.resource import Resource
from yotei.users.user import Viewer

V = TypeVar("V")


class Guest(msgspec.Struct, frozen=True, gc=False):
    """A row of `attendees`, without its event."""

    email: str
    user_id: UUID | None
    name: str | None
    response_status: ResponseStatus
    is_optional: bool
    comment: str | None
    responded_at: datetime | None
    created_at: datetime | None


class Wish(msgspec.Struct, frozen=True, gc=False):
    """A row of `event_resources`, without its event."""

    resource_id: UUID
    policy: str
    booked_until: datetime | None = None


class Row(Content, frozen=True):
    """A row of `events` as it is written."""

    calendar_id: UUID
    organizer_id: UUID
    properties: tuple[str, ...]
    version: int
    deleted_at: datetime | None

    def series(self) -> recurrence.Series:
        """What expansion needs of it."""
        return recurrence.Series(
            start_time=self.start_time,
            end_time=self.end_time,
            all_day=self.all_day,
            floating=self.floating,
            tzid=self.tzid,
            rrule=self.rrule,
            rdates=self.rdates,
            exdates=self.exdates,
        )

    def override(self) -> recurrence.Override:
        """What expansion needs of an override."""
        assert self.recurrence_id is not None
        return recurrence.Override(
            self.recurrence_id, self.start_time, self.end_time, self.this_and_future, self.status == "CANCELLED"
        )


class LoadedEvent(msgspec.Struct, frozen=True):
    """An event with what hangs on it."""

    event: Row
    attendees: tuple[Guest, ...]
    wishes: tuple[Wish, ...]


class CalendarState(msgspec.Struct, frozen=True, gc=False):
    """A calendar, and the role of the viewer in it."""

    id: UUID
    tzid: str
    role: str | None
    is_deleted: bool


class PersonState(msgspec.Struct, frozen=True, gc=False):
    """Somebody who can be invited by id."""

    id: UUID
    email: str
    name: str


class ResourceState(msgspec.Struct, frozen=True):
    """A resource, and the role of the viewer in it. An event may still want one that is gone."""

    resource: Resource
    role: str | None
    is_deleted: bool


class Namesake(msgspec.Struct, frozen=True, gc=False):
    """A live event that has a UID in a calendar."""

    id: UUID
    calendar_id: UUID
    uid: str
    recurrence_id: datetime | None


class Loaded(msgspec.Struct, frozen=True):
    """What `load_for_writing` found."""

    events: tuple[LoadedEvent, ...]
    calendars: tuple[CalendarState, ...]
    people: tuple[PersonState, ...]
    resources: tuple[ResourceState, ...]
    namesakes: tuple[Namesake, ...]


class State:
    """What is known and what is to be, for one viewer at one moment."""

    def __init__(self, viewer: Viewer, now: datetime, loaded: Loaded) -> None:
        self.viewer: Final = viewer
        self.now: Final = now.astimezone(UTC)
        self.before: Final = {one.event.id: one for one in loaded.events}
        self.rows: Final = {one.event.id: one.event for one in loaded.events}
        self.guests: Final = {one.event.id: one.attendees for one in loaded.events}
        self.wishes: Final = {one.event.id: one.wishes for one in loaded.events}
        self.calendars: Final = {one.id: one for one in loaded.calendars}
        self.people: Final = {one.id: one for one in loaded.people}
        self.people_by_email: Final = {one.email: one for one in loaded.people}
        self.resources: Final = {one.resource.id: one for one in loaded.resources}
        self.touched_by: Final[dict[UUID, int]] = {}
        self._overrides: Final[dict[UUID, tuple[UUID, ...]]] = {}
        self._undo: list[tuple[dict[UUID, Any], UUID, Any]] = []
        self._operation = 0
        self._names: Final = {(one.calendar_id, one.uid, one.recurrence_id): one.id for one in loaded.namesakes}
        for row in self.rows.values():
            if row.series_id is not None:
                self._overrides[row.series_id] = (*self._overrides.get(row.series_id, ()), row.id)

    @contextmanager
    def operation(self, index: int) -> Iterator[None]:
        """One operation: when it raises, nothing of it is left here."""
        self._operation = index
        self._undo = []
        try:
            yield
            self._keep_names_apart()
        except Problem:
            for values, key, old in reversed(self._undo):
                if old is None:
                    del values[key]
                else:
                    values[key] = old
            raise

    def put(self, row: Row, guests: tuple[Guest, ...] | None = None, wishes: tuple[Wish, ...] | None = None) -> None:
        """What an event is to be from now on; attendees and wishes that are not given stay."""
        self._set(self.rows, row.id, row)
        self._set(self.guests, row.id, self.guests.get(row.id, ()) if guests is None else guests)
        self._set(self.wishes, row.id, self.wishes.get(row.id, ()) if wishes is None else wishes)
        self._set(self.touched_by, row.id, self._operation)
        if row.series_id is not None:
            known = self._overrides.get(row.series_id, ())
            if row.id not in known:
                self._set(self._overrides, row.series_id, (*known, row.id))

    def overrides(self, series_id: UUID) -> list[Row]:
        """The live overrides of a series."""
        rows = (self.rows[id_] for id_ in self._overrides.get(series_id, ()))
        return [row for row in rows if row.series_id == series_id and row.deleted_at is None]

    def deleted_overrides(self, series_id: UUID) -> list[Row]:
        rows = (self.rows[id_] for id_ in self._overrides.get(series_id, ()))
        return [row for row in rows if row.series_id == series_id and row.deleted_at is not None]

    def calendar(self, calendar_id: UUID) -> CalendarState:
        """A calendar of which the viewer is a member; Problem `not_found`."""
        found = self.calendars.get(calendar_id)
        if found is None or found.role is None or found.is_deleted:
            raise not_found("calendar")
        return found

    def _keep_names_apart(self) -> None:
        """Problem `already_exists` when the operation gave an event a UID that another one has in its calendar."""
        changed = {key: old for values, key, old in reversed(self._undo) if values is self.rows}
        left = {_name(old): key for key, old in changed.items() if old is not None and old.deleted_at is None}
        taken = {_name(row): key for key in changed if (row := self.rows[key]).deleted_at is None}
        for name, id_ in taken.items():
            if self._names.get(name, id_) != id_ and name not in left:
                detail = "The calendar holds an event with this uid and recurrence_id."
                raise Problem(Code.ALREADY_EXISTS, detail, faults=(Fault("body.uid", detail),))
        for name, id_ in left.items():
            if self._names.get(name) == id_:
                del self._names[name]
        self._names.update(taken)

    def _set(self, values: dict[UUID, V], key: UUID, value: V) -> None:
        self._undo.append((values, key, values.get(key)))
        values[key] = value


def _name(row: Row) -> tuple[UUID, str, datetime | None]:
    return row.calendar_id, row.uid, row.recurrence_id
