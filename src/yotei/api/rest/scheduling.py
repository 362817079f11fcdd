"""`/api/freebusy` and `/api/meeting-times`: when people and rooms are taken, and when they can meet.

Both are questions, asked by POST because they are long. They change nothing.
"""

from datetime import UTC, datetime
from typing import Annotated, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from litestar import Response, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import JSONBody
from msgspec import Meta
from msgspec.structs import replace

from yotei.api.conditional import HEADERS
from yotei.api.problems import refusals
from yotei.events.window import Window, window
from yotei.resources.resource import Features, Kind, Seats
from yotei.scheduling import meeting, read
from yotei.scheduling.freebusy import BusyPeriod, PersonBusy, ResourceBusy, Subjects
from yotei.settings import LimitSettings
from yotei.users.user import TimeZone, Viewer, checked_zone

_Email = Annotated[str, Meta(min_length=3, max_length=320)]
_Ids = Annotated[tuple[UUID, ...], Meta(max_length=read.SUBJECTS_MAX)]


class FreeBusyQuestion(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whom, or what, and when: at most 200 people and resources in all, each once.

    `start` and `end` are RFC 3339 date-times, without an offset by the clock of `tz` (by default the caller's own).
    With `merge` the answer also says when any of them is taken.
    """

    start: datetime
    end: datetime
    tz: TimeZone | None = None
    user_ids: _Ids = ()
    emails: Annotated[tuple[_Email, ...], Meta(max_length=read.SUBJECTS_MAX)] = ()
    resource_ids: _Ids = ()
    merge: bool = False


class FreeBusyAnswer(msgspec.Struct, frozen=True):
    """Everybody in the order asked for, first those of `user_ids`, then those of `emails`."""

    people: list[PersonBusy]
    resources: list[ResourceBusy]
    merged: list[BusyPeriod] | None
    start: datetime
    end: datetime
    tz: str


class MeetingAttendee(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Somebody who is to come, by `user_id` or by `email`."""

    user_id: UUID | None = None
    email: _Email | None = None
    is_optional: bool = False


class MeetingRooms(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """So many resources that fit and that the caller may book; `features` must all be there, `kind` null is any."""

    count: Annotated[int, Meta(ge=1, le=read.ROOMS_COUNT_MAX)] = 1
    kind: Kind | None = "ROOM"
    seats_min: Seats | None = None
    features: Features = ()


class MeetingQuestion(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A meeting for which a time is looked for, at most 200 people and named resources in all, each once.

    `start` and `end` as in a free/busy question; proposed starts lie on multiples of `step_minutes` past the hour.
    `resource_ids` must all be free, and `rooms` beside them.
    """

    start: datetime
    end: datetime
    duration_minutes: Annotated[int, Meta(ge=1, le=read.DURATION_MINUTES_MAX)]
    tz: TimeZone | None = None
    attendees: Annotated[tuple[MeetingAttendee, ...], Meta(max_length=read.SUBJECTS_MAX)] = ()
    resource_ids: _Ids = ()
    rooms: MeetingRooms | None = None
    step_minutes: meeting.Step = 15
    limit: Annotated[int, Meta(ge=1, le=read.PROPOSALS_MAX)] = 10
    working_hours: meeting.OfHours = "PREFER"


class MeetingAnswer(msgspec.Struct, frozen=True):
    """Times, the best first; without any, what is in the way: `obstacles` and `starts_without_rooms` of `starts`."""

    proposals: list[meeting.Proposal]
    starts: int
    obstacles: list[meeting.Obstacle]
    starts_without_rooms: int
    unknown: list[meeting.Unknown]
    tz: str


@post("/api/freebusy", summary="When people and rooms are taken", status_code=200, responses=refusals(413, 422))
async def ask_freebusy(
    state: State, viewer: NamedDependency[Viewer], data: JSONBody[FreeBusyQuestion]
) -> Response[FreeBusyAnswer]:
    """Busy periods of many people, rooms and pieces of equipment, joined and in order, and never what with.

    BUSY, TENTATIVE, or UNAVAILABLE, which is a room that is closed. Who is not there has the error `not_found`.
    """
    asked = _window(data.start, data.end, data.tz, viewer, state.limits)
    subjects = Subjects(data.user_ids, data.emails, data.resource_ids)
    found = await read.free_busy(state.database, viewer, subjects, asked, merge=data.merge)
    zone = asked.zone
    told = FreeBusyAnswer(
        [replace(one, busy=_in_zone(one.busy, zone)) for one in found.people],
        [replace(one, busy=_in_zone(one.busy, zone)) for one in found.resources],
        None if found.merged is None else list(_in_zone(found.merged, zone)),
        asked.start.astimezone(zone),
        asked.end.astimezone(zone),
        zone.key,
    )
    return Response(told, headers=HEADERS)


@post("/api/meeting-times", summary="When people can meet", status_code=200, responses=refusals(413, 422))
async def ask_meeting_times(
    state: State, viewer: NamedDependency[Viewer], data: JSONBody[MeetingQuestion]
) -> Response[MeetingAnswer]:
    """Times at which everybody who is not optional is free, and the rooms are.

    The best first: more of the optional people can come, then more of all who come are within their working hours, then
    the earlier. With `working_hours` REQUIRE nobody comes outside of theirs. Without a proposal the answer says what is
    in the way.
    """
    asked = _window(data.start, data.end, data.tz, viewer, state.limits)
    rooms = data.rooms
    found = await read.meeting_times(
        state.database,
        viewer,
        meeting.Meeting(
            asked,
            data.duration_minutes,
            tuple(meeting.Participant(one.user_id, one.email, one.is_optional) for one in data.attendees),
            data.resource_ids,
            None if rooms is None else meeting.RoomsWanted(rooms.count, rooms.kind, rooms.seats_min, rooms.features),
            data.step_minutes,
            data.limit,
            data.working_hours,
        ),
    )
    zone = asked.zone
    told = MeetingAnswer(
        [replace(one, start=one.start.astimezone(zone), end=one.end.astimezone(zone)) for one in found.proposals],
        found.starts,
        list(found.obstacles),
        found.starts_without_rooms,
        list(found.unknown),
        zone.key,
    )
    return Response(told, headers=HEADERS)


def _window(start: datetime, end: datetime, tz: str | None, viewer: Viewer, limits: LimitSettings) -> Window:
    zone = ZoneInfo(checked_zone(viewer.tzid if tz is None else tz, "body.tz"))
    return window(start, end, zone, now=datetime.now(UTC), days_max=limits.window_days_max, where="body")


def _in_zone(periods: tuple[BusyPeriod, ...], zone: ZoneInfo) -> tuple[BusyPeriod, ...]:
    return tuple(BusyPeriod(one.start.astimezone(zone), one.end.astimezone(zone), one.kind) for one in periods)


ROUTES: Final = (ask_freebusy, ask_meeting_times)
