"""`/api/calendars`: calendars and who shares them."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
from litestar import Request, Response, delete, get, patch, post, put
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, Parameter

from yotei.api import paging
from yotei.api.conditional import answer
from yotei.api.edge import source_of
from yotei.api.parameters import Cursor, page_size
from yotei.api.problems import refusals
from yotei.api.writing import Writing, Written
from yotei.calendars import read, write
from yotei.calendars.calendar import Calendar, CalendarFields, Member, NewCalendar, Role
from yotei.errors import not_found
from yotei.events.write import delete_calendar as delete_with_bookings
from yotei.events.write import restore_calendar as restore_with_bookings
from yotei.storage.pool import Transaction
from yotei.users.user import Viewer


class CalendarList(msgspec.Struct, frozen=True):
    """Calendars by name and id. `next_cursor` is null on the last page."""

    calendars: list[Calendar]
    next_cursor: str | None


class MemberList(msgspec.Struct, frozen=True):
    """The members that the caller may see; those who see busy times only are shown the owners."""

    members: list[Member]


class Sharing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What somebody is to be in a calendar."""

    role: Role


class Transferring(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who is to own a calendar."""

    user_id: UUID


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
    found, after = await read.list_for(source_of(request), viewer, after=paging.decode(cursor, read.After), limit=size)
    return answer(CalendarList(list(found), paging.encode(after)))


@get("/api/calendars/{calendar_id:uuid}", summary="One calendar", responses=refusals(404))
async def get_calendar(
    request: Request[Any, Any, Any], viewer: NamedDependency[Viewer], calendar_id: FromPath[UUID]
) -> Response[Calendar]:
    """A calendar of which the caller is a member, with their role in it."""
    calendar = await read.get(source_of(request), viewer, calendar_id)
    return answer(calendar, version=calendar.version)


@get("/api/calendars/{calendar_id:uuid}/members", summary="Who shares a calendar", responses=refusals(404))
async def list_members(
    request: Request[Any, Any, Any], viewer: NamedDependency[Viewer], calendar_id: FromPath[UUID]
) -> Response[MemberList]:
    """People and their roles, owners first."""
    found = (await read.members(source_of(request), viewer, [calendar_id], read.MEMBERS_MAX))[0]
    if found is None:
        raise not_found("calendar")
    return answer(MemberList(list(found)))


@post("/api/calendars", summary="Make a calendar", responses=refusals(409, 413, 422))
async def create_calendar(
    viewer: NamedDependency[Viewer], writing: NamedDependency[Writing], data: JSONBody[NewCalendar]
) -> Response[Calendar]:
    """A calendar that the caller owns."""

    async def work(tx: Transaction) -> Written:
        calendar_id = await write.create(tx, viewer, data)
        calendar = await read.get(tx, viewer, calendar_id)
        return Written(calendar, 201, calendar.version, f"/api/calendars/{calendar_id}")

    return await writing.run(work)


@patch("/api/calendars/{calendar_id:uuid}", summary="Change a calendar", responses=refusals(404, 409, 412, 413, 422))
async def patch_calendar(
    viewer: NamedDependency[Viewer],
    writing: NamedDependency[Writing],
    calendar_id: FromPath[UUID],
    data: JSONBody[CalendarFields],
) -> Response[Calendar]:
    """Sets the fields that are given, by an owner. Events keep the time zone that they have."""

    async def work(tx: Transaction) -> Written:
        await write.update(tx, viewer, calendar_id, data, writing.expected)
        return await _shown(tx, viewer, calendar_id)

    return await writing.run(work)


@delete(
    "/api/calendars/{calendar_id:uuid}",
    summary="Delete a calendar",
    status_code=204,
    responses=refusals(404, 409, 412, 422),
)
async def delete_calendar(
    viewer: NamedDependency[Viewer], writing: NamedDependency[Writing], calendar_id: FromPath[UUID]
) -> Response[None]:
    """The rooms of its events are free again; it can be restored. A personal calendar stays."""

    async def work(tx: Transaction) -> Written:
        await delete_with_bookings(tx, viewer, calendar_id, writing.expected)
        return Written(None)

    return await writing.run(work)


@post(
    "/api/calendars/{calendar_id:uuid}/restore",
    summary="Restore a calendar",
    status_code=200,
    responses=refusals(404, 409, 412, 422),
)
async def restore_calendar(
    state: State, viewer: NamedDependency[Viewer], writing: NamedDependency[Writing], calendar_id: FromPath[UUID]
) -> Response[Calendar]:
    """Undoes a deletion, by an owner. The rooms of its events are booked again; those that are taken by now show as
    `missed`."""
    now = datetime.now(UTC)

    async def work(tx: Transaction) -> Written:
        await restore_with_bookings(tx, viewer, calendar_id, writing.expected, now=now, horizon_days=state.horizon_days)
        return await _shown(tx, viewer, calendar_id)

    return await writing.run(work)


@put(
    "/api/calendars/{calendar_id:uuid}/members/{user_id:uuid}",
    summary="Share a calendar",
    responses=refusals(404, 409, 413, 422),
)
async def put_member(
    viewer: NamedDependency[Viewer],
    writing: NamedDependency[Writing],
    calendar_id: FromPath[UUID],
    user_id: FromPath[UUID],
    data: JSONBody[Sharing],
) -> Response[Member]:
    """Gives somebody a role in a calendar, or another one, by an owner. At least one owner stays."""

    async def work(tx: Transaction) -> Written:
        await write.put_member(tx, viewer, calendar_id, user_id, data.role)
        return Written((await read.get_members(tx, viewer, calendar_id, [user_id]))[0])

    return await writing.run(work)


@delete(
    "/api/calendars/{calendar_id:uuid}/members/{user_id:uuid}",
    summary="Take somebody out of a calendar, or leave it",
    status_code=204,
    responses=refusals(404, 409, 422),
)
async def remove_member(
    viewer: NamedDependency[Viewer],
    writing: NamedDependency[Writing],
    calendar_id: FromPath[UUID],
    user_id: FromPath[UUID],
) -> Response[None]:
    """An owner takes somebody out; every member leaves by their own id. The last owner cannot leave. What somebody
    organised stays."""

    async def work(tx: Transaction) -> Written:
        await write.remove_member(tx, viewer, calendar_id, user_id)
        return Written(None)

    return await writing.run(work)


@post(
    "/api/calendars/{calendar_id:uuid}/transfer",
    summary="Give a calendar to somebody else",
    status_code=200,
    responses=refusals(404, 409, 413, 422),
)
async def transfer_calendar(
    viewer: NamedDependency[Viewer],
    writing: NamedDependency[Writing],
    calendar_id: FromPath[UUID],
    data: JSONBody[Transferring],
) -> Response[Calendar]:
    """Somebody else owns it; the caller stays a writer. A personal calendar stays that of its person."""

    async def work(tx: Transaction) -> Written:
        await write.transfer(tx, viewer, calendar_id, data.user_id)
        return await _shown(tx, viewer, calendar_id)

    return await writing.run(work)


async def _shown(tx: Transaction, viewer: Viewer, calendar_id: UUID) -> Written:
    calendar = await read.get(tx, viewer, calendar_id)
    return Written(calendar, version=calendar.version)


ROUTES: Final = (
    list_calendars,
    get_calendar,
    list_members,
    create_calendar,
    patch_calendar,
    delete_calendar,
    restore_calendar,
    put_member,
    remove_member,
    transfer_calendar,
)
