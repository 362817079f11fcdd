"""Free/busy of people and rooms, and finding a time for them: one statement for the people and one for the rooms.

What an answer takes to compute is done in a thread, so that others are served meanwhile.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import chain
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from yotei.errors import Code, Fault, Problem, invalid
from yotei.events.window import Window
from yotei.resources import access
from yotei.resources.read import open_periods, periods_of
from yotei.resources.resource import Period, Resource
from yotei.scheduling import rows
from yotei.scheduling.busy import Spans, of_people, of_resource, taken_by
from yotei.scheduling.freebusy import KINDS, BusyPeriod, Failure, FreeBusy, PersonBusy, ResourceBusy, Subjects
from yotei.scheduling.meeting import (
    HOURS_DEFAULT,
    Meeting,
    MeetingTimes,
    Obstacle,
    Participant,
    Proposal,
    Room,
    RoomsWanted,
    Unknown,
)
from yotei.scheduling.periods import Span, told
from yotei.scheduling.proposals import Grid, Guest, Outcome, Place, search
from yotei.scheduling.rows import PeopleBusy, ResourceBlocked, Somebody
from yotei.storage.pool import Source
from yotei.users.user import Viewer, checked_email

SUBJECTS_MAX: Final = 200
"""People and resources in one question."""
ROWS_MAX: Final = 200_000
"""Events, or reservations, that one answer may take; more is refused, never cut."""
STARTS_MAX: Final = 150_000
"""Starts that one search may look at: a year in steps of five minutes has 105,408."""
DURATION_MINUTES_MAX: Final = 14 * 1_440
PROPOSALS_MAX: Final = 100
ROOMS_COUNT_MAX: Final = 20
"""Rooms that one meeting may want, and that one proposal lists."""

_AROUND: Final = timedelta(days=1)
"""The longest set-up and the longest tear-down of a resource."""


async def free_busy(
    source: Source,
    viewer: Viewer,
    subjects: Subjects,
    window: Window,
    *,
    merge: bool = False,
    known: dict[UUID, Resource] | None = None,
) -> FreeBusy:
    """When people and resources are taken within the window; who is not there has an `error`. At most two statements;
    `known` is filled with the resources.

    Raises Problem `invalid_request` for a subject that is there twice, for none and for too many, `window_too_large`.
    """
    viewer.need("read")
    subjects = _checked(subjects)
    people, resources = PeopleBusy(0, (), (), (), (), ()), tuple[ResourceBlocked, ...]()
    if subjects.user_ids or subjects.emails:
        people = await _people(source, subjects.user_ids, subjects.emails, window)
    if subjects.resource_ids:
        size, resources = await rows.select_resources_blocked(
            source,
            viewer.user_id,
            subjects.resource_ids,
            start=window.start,
            end=window.end,
            limit=SUBJECTS_MAX,
            rows_max=ROWS_MAX,
        )
        _check_size(size)
    if known is not None:
        known.update((one.resource.id, one.resource) for one in resources)
    ids = {one.email: one.id for one in people.people}
    for n, email in enumerate(subjects.emails):
        if ids.get(email) in subjects.user_ids:
            raise invalid(f"body.emails[{n}]", "this is somebody of user_ids; expected each once")
    return await asyncio.to_thread(_free_busy, subjects, window, people, resources, merge)


def _free_busy(
    subjects: Subjects, window: Window, people: PeopleBusy, resources: Sequence[ResourceBlocked], merge: bool
) -> FreeBusy:
    of = of_people(people, window)
    ids = {one.email: one.id for one in people.people}
    of_resources = {one.resource.id: of_resource(one, window) for one in resources}
    persons: list[PersonBusy] = []
    asked: list[tuple[UUID | None, str | None]] = [(one, None) for one in subjects.user_ids]
    asked += [(ids.get(one), one) for one in subjects.emails]
    for id_, email in asked:
        error, periods = _told(None if id_ is None else of.get(id_), window)
        persons.append(PersonBusy(id_, email, error, periods))
    rooms: list[ResourceBusy] = []
    for resource_id in subjects.resource_ids:
        error, periods = _told(of_resources.get(resource_id), window)
        rooms.append(ResourceBusy(resource_id, error, periods))
    merged = None
    if merge:
        every: list[Spans] = [*of.values(), *of_resources.values()]
        together = {kind: list(chain.from_iterable(one.get(kind, ()) for one in every)) for kind in KINDS}
        merged = told(together, window.start, window.end)
    return FreeBusy(tuple(persons), tuple(rooms), merged)


def _told(spans: Spans | None, window: Window) -> tuple[Failure | None, tuple[BusyPeriod, ...]]:
    return ("not_found", ()) if spans is None else (None, told(spans, window.start, window.end))


async def meeting_times(
    source: Source, viewer: Viewer, meeting: Meeting, *, known: dict[UUID, Resource] | None = None
) -> MeetingTimes:
    """Times at which they can meet, the best first; without any, what is in the way. At most two statements; `known` is
    filled with the resources.

    Who or what is not there is named in the answer and plays no part. Raises Problem `invalid_request` for an attendee
    that is there twice, for none and too many, `forbidden` for a named resource that the viewer may not book, and
    `window_too_large`.
    """
    viewer.need("read")
    grid = _grid(meeting)
    invited = _invited(meeting)
    people, size, resources = PeopleBusy(0, (), (), (), (), ()), 0, tuple[ResourceBlocked, ...]()
    user_ids = [one.user_id for one in invited if one.user_id is not None]
    emails = [one.email for one in invited if one.email is not None]
    if invited:
        people = await _people(source, user_ids, emails, meeting.window)
    wanted = meeting.rooms or RoomsWanted()
    if meeting.resource_ids or meeting.rooms is not None:
        size, resources = await rows.select_resources_blocked(
            source,
            viewer.user_id,
            meeting.resource_ids,
            with_fitting=meeting.rooms is not None,
            kind=wanted.kind,
            seats_min=wanted.seats_min,
            features=wanted.features,
            start=meeting.window.start - _AROUND,
            end=meeting.window.end + _AROUND,
            limit=SUBJECTS_MAX,
            rows_max=ROWS_MAX,
        )
        _check_size(size)
    if known is not None:
        known.update((one.resource.id, one.resource) for one in resources)
    return await asyncio.to_thread(_meeting_times, viewer, meeting, grid, invited, people, resources)


def _meeting_times(
    viewer: Viewer,
    meeting: Meeting,
    grid: Grid,
    invited: Sequence[Participant],
    people: PeopleBusy,
    resources: Sequence[ResourceBlocked],
) -> MeetingTimes:
    guests, unknown = _guests(meeting, invited, people)
    there = {one.resource.id: one for one in resources}
    for n, id_ in enumerate(meeting.resource_ids):
        if id_ not in there:
            unknown.append(Unknown(resource_id=id_))
        elif not access.may_book(there[id_].resource.booking, there[id_].role, viewer):
            field, detail = f"body.resource_ids[{n}]", "you may not book this resource"
            raise Problem(Code.FORBIDDEN, f"{field}: {detail}", faults=(Fault(field, detail),))
    places = [
        _place(one, meeting.window)
        for one in resources
        if one.is_named or access.may_book(one.resource.booking, one.role, viewer)
    ]
    outcome = search(
        grid,
        guests,
        places,
        places_wanted=meeting.rooms.count if meeting.rooms else 0,
        within_hours=meeting.working_hours == "REQUIRE",
        limit=meeting.limit,
    )
    proposals = tuple(
        Proposal(
            one.start,
            one.start + grid.duration,
            one.coming,
            one.missing,
            one.outside,
            tuple(_room(there[id_]) for id_ in one.places[:ROOMS_COUNT_MAX]),
        )
        for one in outcome.found
    )
    obstacles = () if proposals else _obstacles(outcome, frozenset(there))
    return MeetingTimes(proposals, grid.size, obstacles, 0 if proposals else outcome.without_places, tuple(unknown))


async def _people(source: Source, user_ids: Sequence[UUID], emails: Sequence[str], window: Window) -> PeopleBusy:
    found = await rows.select_people_busy(source, user_ids, emails, window.start, window.end, ROWS_MAX)
    _check_size(found.size)
    return found


def _check_size(size: int) -> None:
    if size > ROWS_MAX:
        detail = f"More than {ROWS_MAX} events or bookings touch this; ask for fewer or for a shorter window."
        raise Problem(Code.WINDOW_TOO_LARGE, detail)


def _checked(subjects: Subjects) -> Subjects:
    emails = tuple(checked_email(one, f"body.emails[{n}]") for n, one in enumerate(subjects.emails))
    for name, given in (
        ("user_ids", subjects.user_ids),
        ("emails", emails),
        ("resource_ids", subjects.resource_ids),
    ):
        _check_once(given, f"body.{name}")
    count = len(subjects.user_ids) + len(emails) + len(subjects.resource_ids)
    if count == 0:
        raise invalid("body", "expected some of user_ids, emails, resource_ids")
    if count > SUBJECTS_MAX:
        raise invalid("body", f"expected at most {SUBJECTS_MAX} people and resources")
    return Subjects(subjects.user_ids, emails, subjects.resource_ids)


def _check_once(given: Sequence[object], field: str) -> None:
    seen = set[object]()
    for n, one in enumerate(given):
        if one in seen:
            raise invalid(f"{field}[{n}]", "expected each once")
        seen.add(one)


def _invited(meeting: Meeting) -> list[Participant]:
    """The attendees, addresses in the one spelling."""
    found: list[Participant] = []
    for n, one in enumerate(meeting.attendees):
        field = f"body.attendees[{n}]"
        if (one.user_id is None) == (one.email is None):
            raise invalid(field, "expected a user_id or an email")
        email = None if one.email is None else checked_email(one.email, f"{field}.email")
        found.append(Participant(one.user_id, email, one.is_optional))
    _check_once([one.user_id or one.email for one in found], "body.attendees")
    _check_once(meeting.resource_ids, "body.resource_ids")
    if not found and not meeting.resource_ids and meeting.rooms is None:
        raise invalid("body", "expected some of attendees, resource_ids, rooms")
    if len(found) + len(meeting.resource_ids) > SUBJECTS_MAX:
        raise invalid("body", f"expected at most {SUBJECTS_MAX} people and resources")
    return found


def _grid(meeting: Meeting) -> Grid:
    if not 1 <= meeting.duration_minutes <= DURATION_MINUTES_MAX:
        raise invalid("body.duration_minutes", f"expected a number from 1 to {DURATION_MINUTES_MAX}")
    window = meeting.window
    duration = timedelta(minutes=meeting.duration_minutes)
    if window.end - window.start < duration:
        raise invalid("body.end", "expected a window that is no shorter than the meeting", code=Code.INVALID_WINDOW)
    grid = Grid(
        _first_start(window, meeting.step_minutes), timedelta(minutes=meeting.step_minutes), duration, window.end
    )
    if grid.size > STARTS_MAX:
        detail = f"This window holds more than {STARTS_MAX} starts; ask for a shorter one or a longer step."
        raise Problem(Code.WINDOW_TOO_LARGE, detail)
    return grid


def _first_start(window: Window, step_minutes: int) -> datetime:
    """The first one in the window that is a multiple of the step past the hour, by the clock of its zone."""
    clock = window.start.astimezone(window.zone)
    past = timedelta(minutes=clock.minute, seconds=clock.second, microseconds=clock.microsecond)
    return window.start + -past % timedelta(minutes=step_minutes)


def _guests(meeting: Meeting, invited: Sequence[Participant], people: PeopleBusy) -> tuple[list[Guest], list[Unknown]]:
    by_id = {one.id: one for one in people.people}
    by_email = {one.email: one for one in people.people}
    spans = of_people(people, meeting.window)
    hours = _WorkingHours(meeting.window)
    guests: list[Guest] = []
    unknown: list[Unknown] = []
    seen = set[UUID]()
    for n, one in enumerate(invited):
        person = by_id.get(one.user_id) if one.user_id is not None else by_email.get(one.email or "")
        if person is None:
            unknown.append(Unknown(user_id=one.user_id, email=one.email))
            continue
        if person.id in seen:
            raise invalid(f"body.attendees[{n}]", "expected each once")
        seen.add(person.id)
        guests.append(Guest(person.id, one.is_optional, taken_by(spans[person.id], meeting.window), hours.of(person)))
    return guests, unknown


class _WorkingHours:
    """When people work within a window; many of them do at the same time."""

    def __init__(self, window: Window) -> None:
        self._window = Period(window.start, window.end)
        self._known: dict[object, list[Span]] = {}

    def of(self, person: Somebody) -> list[Span]:
        hours = person.working_hours or HOURS_DEFAULT
        key = (person.tzid, tuple(sorted(hours.items())))
        if key not in self._known:
            found = periods_of(hours, ZoneInfo(person.tzid), self._window)
            self._known[key] = [(one.start, one.end) for one in found]
        return self._known[key]


def _place(one: ResourceBlocked, window: Window) -> Place:
    resource = one.resource
    opened = open_periods(resource, Period(window.start, window.end))
    return Place(
        resource.id,
        one.is_named,
        resource.concurrent_bookings,
        one.units,
        [(period.start, period.end) for period in opened],
        timedelta(minutes=resource.setup_minutes),
        timedelta(minutes=resource.teardown_minutes),
    )


def _room(one: ResourceBlocked) -> Room:
    return Room(one.resource.id, one.resource.name, one.resource.kind, one.resource.seats)


def _obstacles(outcome: Outcome, resource_ids: frozenset[UUID]) -> tuple[Obstacle, ...]:
    ordered = sorted(outcome.ruled_out, key=lambda one: -one[1])
    return tuple(
        Obstacle(None if id_ in resource_ids else id_, id_ if id_ in resource_ids else None, starts)
        for id_, starts in ordered
        if starts
    )
