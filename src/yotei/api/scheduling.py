"""The questions of `scheduling` as both doors take them, with the bounds of each field, and the answers to them told in
the zone of the answer.
"""

from datetime import datetime
from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from yotei.events.window import Window, window
from yotei.resources.resource import Features, Kind, Resource, Seats
from yotei.scheduling import meeting, read
from yotei.scheduling.freebusy import BusyPeriod, FreeBusy, Subjects
from yotei.settings import LimitSettings
from yotei.storage.pool import Source
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


async def free_busy(
    source: Source,
    viewer: Viewer,
    question: FreeBusyQuestion,
    limits: LimitSettings,
    *,
    now: datetime,
    known: dict[UUID, Resource] | None = None,
) -> tuple[FreeBusy, Window]:
    """When they are taken, and the window that was meant; `known` is filled with the resources. Two statements at
    most."""
    asked = _window(question, viewer, limits, now)
    subjects = Subjects(question.user_ids, question.emails, question.resource_ids)
    found = await read.free_busy(source, viewer, subjects, asked, merge=question.merge, known=known)
    told = FreeBusy(
        tuple(replace(one, busy=_in_zone(one.busy, asked.zone)) for one in found.people),
        tuple(replace(one, busy=_in_zone(one.busy, asked.zone)) for one in found.resources),
        None if found.merged is None else _in_zone(found.merged, asked.zone),
    )
    return told, asked


async def meeting_times(
    source: Source,
    viewer: Viewer,
    question: MeetingQuestion,
    limits: LimitSettings,
    *,
    now: datetime,
    known: dict[UUID, Resource] | None = None,
) -> tuple[meeting.MeetingTimes, Window]:
    """When they can meet, and the window that was meant; `known` is filled with the resources. Two statements at
    most."""
    asked = _window(question, viewer, limits, now)
    rooms = question.rooms
    found = await read.meeting_times(
        source,
        viewer,
        meeting.Meeting(
            asked,
            question.duration_minutes,
            tuple(meeting.Participant(one.user_id, one.email, one.is_optional) for one in question.attendees),
            question.resource_ids,
            None if rooms is None else meeting.RoomsWanted(rooms.count, rooms.kind, rooms.seats_min, rooms.features),
            question.step_minutes,
            question.limit,
            question.working_hours,
        ),
        known=known,
    )
    zone = asked.zone
    proposals = tuple(
        replace(one, start=one.start.astimezone(zone), end=one.end.astimezone(zone)) for one in found.proposals
    )
    return replace(found, proposals=proposals), asked


def _window(
    question: FreeBusyQuestion | MeetingQuestion, viewer: Viewer, limits: LimitSettings, now: datetime
) -> Window:
    zone = ZoneInfo(checked_zone(viewer.tzid if question.tz is None else question.tz, "body.tz"))
    return window(question.start, question.end, zone, now=now, days_max=limits.window_days_max, where="body")


def _in_zone(periods: tuple[BusyPeriod, ...], zone: ZoneInfo) -> tuple[BusyPeriod, ...]:
    return tuple(BusyPeriod(one.start.astimezone(zone), one.end.astimezone(zone), one.kind) for one in periods)
