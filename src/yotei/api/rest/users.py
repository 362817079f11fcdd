"""`/api/users`: people. Administrators create, deactivate and erase them."""

from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
from litestar import Request, Response, delete, get, patch, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, Parameter

from yotei.api import paging
from yotei.api.conditional import answer
from yotei.api.edge import source_of
from yotei.api.parameters import Cursor, page_size
from yotei.api.problems import refusals
from yotei.api.writing import Writing, Written
from yotei.calendars import write as calendars
from yotei.storage.pool import Transaction
from yotei.users import read, write
from yotei.users.user import NewUser, Profile, ProfileFields, Viewer


class UserList(msgspec.Struct, frozen=True):
    """People by id. `next_cursor` is null on the last page."""

    users: list[Profile]
    next_cursor: str | None


@get("/api/users/me", summary="The caller", responses=refusals())
async def get_me(request: Request[Any, Any, Any], viewer: NamedDependency[Viewer]) -> Response[Profile]:
    """The person behind the token."""
    profile = await read.me(source_of(request), viewer)
    return answer(profile, version=profile.version)


@get("/api/users/{user_id:uuid}", summary="One person", responses=refusals(404))
async def get_user(
    request: Request[Any, Any, Any], viewer: NamedDependency[Viewer], user_id: FromPath[UUID]
) -> Response[Profile]:
    """A person of this installation."""
    profile = await read.get(source_of(request), viewer, user_id)
    return answer(profile, version=profile.version)


@get("/api/users", summary="All people (administrators)", responses=refusals())
async def list_users(
    request: Request[Any, Any, Any],
    state: State,
    viewer: NamedDependency[Viewer],
    limit: Annotated[int | None, Parameter(description="People in the page.", required=False)] = None,
    cursor: Cursor = None,
) -> Response[UserList]:
    """Everybody, also the deactivated and the erased."""
    found, after = await read.list_all(
        source_of(request), viewer, after=paging.decode(cursor, read.After), limit=page_size(limit, state.limits)
    )
    return answer(UserList(list(found), paging.encode(after)))


@post("/api/users", summary="Add a person (administrators)", responses=refusals(409, 413, 422))
async def create_user(
    viewer: NamedDependency[Viewer], writing: NamedDependency[Writing], data: JSONBody[NewUser]
) -> Response[Profile]:
    """Adds a person with a personal calendar. Invitations that their address has had already are theirs."""

    async def work(tx: Transaction) -> Written:
        user_id = await calendars.add_user(tx, viewer, data)
        return await _shown(tx, viewer, user_id, created=True)

    return await writing.run(work)


@patch("/api/users/me", summary="Change one's own profile", responses=refusals(409, 412, 413, 422))
async def patch_me(
    viewer: NamedDependency[Viewer], writing: NamedDependency[Writing], data: JSONBody[ProfileFields]
) -> Response[Profile]:
    """Sets the fields that are given; null removes the picture."""
    return await _update(viewer, writing, viewer.user_id, data)


@patch("/api/users/{user_id:uuid}", summary="Change a person's profile", responses=refusals(404, 409, 412, 413, 422))
async def patch_user(
    viewer: NamedDependency[Viewer],
    writing: NamedDependency[Writing],
    user_id: FromPath[UUID],
    data: JSONBody[ProfileFields],
) -> Response[Profile]:
    """One's own, or as an administrator that of others, and who is an administrator. The last of them stays one."""
    return await _update(viewer, writing, user_id, data)


@post(
    "/api/users/{user_id:uuid}/deactivate",
    summary="Shut a person out",
    status_code=200,
    responses=refusals(404, 409, 422),
)
async def deactivate_user(
    viewer: NamedDependency[Viewer], writing: NamedDependency[Writing], user_id: FromPath[UUID]
) -> Response[Profile]:
    """Their tokens stop working; nothing is lost. The last administrator stays."""

    async def work(tx: Transaction) -> Written:
        await write.deactivate(tx, viewer, user_id)
        return await _shown(tx, viewer, user_id)

    return await writing.run(work)


@post(
    "/api/users/{user_id:uuid}/reactivate",
    summary="Let a person in again",
    status_code=200,
    responses=refusals(404, 409, 422),
)
async def reactivate_user(
    viewer: NamedDependency[Viewer], writing: NamedDependency[Writing], user_id: FromPath[UUID]
) -> Response[Profile]:
    """Undoes a deactivation, not an erasure."""

    async def work(tx: Transaction) -> Written:
        await write.reactivate(tx, viewer, user_id)
        return await _shown(tx, viewer, user_id)

    return await writing.run(work)


@delete("/api/users/{user_id:uuid}", summary="Erase a person", status_code=204, responses=refusals(404, 409, 422))
async def erase_user(
    viewer: NamedDependency[Viewer], writing: NamedDependency[Writing], user_id: FromPath[UUID]
) -> Response[None]:
    """Removes all that says who they are, for good. What they organised stays, by nobody."""

    async def work(tx: Transaction) -> Written:
        await write.erase(tx, viewer, user_id)
        return Written(None)

    return await writing.run(work)


async def _update(viewer: Viewer, writing: Writing, user_id: UUID, fields: ProfileFields) -> Response[Profile]:
    async def work(tx: Transaction) -> Written:
        await write.update(tx, viewer, user_id, fields, writing.expected)
        return await _shown(tx, viewer, user_id)

    return await writing.run(work)


async def _shown(tx: Transaction, viewer: Viewer, user_id: UUID, *, created: bool = False) -> Written:
    profile = await read.get(tx, viewer, user_id)
    if created:
        return Written(profile, 201, profile.version, f"/api/users/{user_id}")
    return Written(profile, version=profile.version)


ROUTES: Final = (
    get_me,
    get_user,
    list_users,
    create_user,
    patch_me,
    patch_user,
    deactivate_user,
    reactivate_user,
    erase_user,
)
