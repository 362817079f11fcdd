"""`/api/freebusy` and `/api/meeting-times`: when people and rooms are taken, and when they can meet.

Both are questions, asked by POST because they are long. They change nothing.
"""

from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from litestar import Request, Response, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import JSONBody

from yotei.api import scheduling
from yotei.api.conditional import HEADERS
from yotei.api.edge import source_of
from yotei.api.problems import refusals
from yotei.api.scheduling import FreeBusyQuestion, MeetingQuestion
from yotei.cache.reads import past_cache
from yotei.scheduling import meeting
from yotei.scheduling.freebusy import BusyPeriod, PersonBusy, ResourceBusy
from yotei.users.user import Viewer


class FreeBusyAnswer(msgspec.Struct, frozen=True):
    """Everybody in the order asked for, first those of `user_ids`, then those of `emails`."""

    people: tuple[PersonBusy, ...]
    resources: tuple[ResourceBusy, ...]
    merged: tuple[BusyPeriod, ...] | None
    start: datetime
    end: datetime
    tz: str


class MeetingAnswer(msgspec.Struct, frozen=True):
    """Times, the best first; without any, what is in the way: `obstacles` and `starts_without_rooms` of `starts`."""

    proposals: tuple[meeting.Proposal, ...]
    starts: int
    obstacles: tuple[meeting.Obstacle, ...]
    starts_without_rooms: int
    unknown: tuple[meeting.Unknown, ...]
    tz: str


@post("/api/freebusy", summary="When people and rooms are taken", status_code=200, responses=refusals(413, 422))
async def ask_freebusy(
    request: Request[Any, Any, Any], state: State, viewer: NamedDependency[Viewer], data: JSONBody[FreeBusyQuestion]
) -> Response[FreeBusyAnswer]:
    """Busy periods of many people, rooms and pieces of equipment, joined and in order, and never what with.

    BUSY, TENTATIVE, or UNAVAILABLE, which is a room that is closed. Who is not there has the error `not_found`.
    """
    source = past_cache(source_of(request))
    found, asked = await scheduling.free_busy(source, viewer, data, state.limits, now=datetime.now(UTC))
    zone = asked.zone
    start, end = asked.start.astimezone(zone), asked.end.astimezone(zone)
    told = FreeBusyAnswer(found.people, found.resources, found.merged, start, end, zone.key)
    return Response(told, headers=HEADERS)


@post("/api/meeting-times", summary="When people can meet", status_code=200, responses=refusals(413, 422))
async def ask_meeting_times(
    request: Request[Any, Any, Any], state: State, viewer: NamedDependency[Viewer], data: JSONBody[MeetingQuestion]
) -> Response[MeetingAnswer]:
    """Times at which everybody who is not optional is free, and the rooms are.

    The best first: more of the optional people can come, then more of all who come are within their working hours, then
    the earlier. With `working_hours` REQUIRE nobody comes outside of theirs. Without a proposal the answer says what is
    in the way.
    """
    source = past_cache(source_of(request))
    found, asked = await scheduling.meeting_times(source, viewer, data, state.limits, now=datetime.now(UTC))
    told = MeetingAnswer(
        found.proposals, found.starts, found.obstacles, found.starts_without_rooms, found.unknown, asked.zone.key
    )
    return Response(told, headers=HEADERS)


ROUTES: Final = (ask_freebusy, ask_meeting_times)
