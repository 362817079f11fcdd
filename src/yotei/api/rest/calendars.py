"""`/api/calendars`: the caller's calendars and who shares them."""

from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
from litestar import Request, Response, get
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, Parameter

from yotei.api import paging
from yotei.api.conditional import answer
from yotei.api.parameters import Cursor, page_size
from yotei.api.problems import refusals
from yotei.calendars import read
from yotei.calendars.calendar import Calendar, Member
from yotei.errors import not_found
from yotei.users.user import Viewer


class CalendarList(msgspec.Struct, frozen=True):
    """Calendars by name and id. `next_cursor` is null on the last page."""

    calendars: list[Calendar]
    next_cursor: str | None


class MemberList(msgspec.Struct, frozen=True):
    """The members that the caller may see; those who see busy times only are shown the owners."""

    members: list[Member]


@get("/api/calendars", summary="The caller's calendars", responses=refusals())
async def list_calendars(
    request: Request[Any, Any, Any],
    state: State,
    viewer: NamedDependency[Viewer],
    limit: Annotated[int | None, Parameter(description="Calendars in the page.", required=False)] = None,
    cursor: Cursor = None,
) -> Response[CalendarList]:
    """All calendars of which the caller is a member, whatever the role."""
    size = page_size(limit, state.limits)
    found, after = await read.list_for(state.database, viewer, after=paging.decode(cursor, read.After), limit=size)
    return answer(request, CalendarList(list(found), paging.encode(after)))


@get("/api/calendars/{calendar_id:uuid}", summary="One calendar", responses=refusals(404))
async def get_calendar(
    request: Request[Any, Any, Any], state: State, viewer: NamedDependency[Viewer], calendar_id: FromPath[UUID]
) -> Response[Calendar]:
    """A calendar of which the caller is a member, with their role in it."""
    return answer(request, await read.get(state.database, viewer, calendar_id))


@get("/api/calendars/{calendar_id:uuid}/members", summary="Who shares a calendar", responses=refusals(404))
async def list_members(
    request: Request[Any, Any, Any], state: State, viewer: NamedDependency[Viewer], calendar_id: FromPath[UUID]
) -> Response[MemberList]:
    """People and their roles, owners first."""
    found = (await read.members(state.database, viewer, [calendar_id], read.MEMBERS_MAX))[0]
    if found is None:
        raise not_found("calendar")
    return answer(request, MemberList(list(found)))


ROUTES: Final = (list_calendars, get_calendar, list_members)
