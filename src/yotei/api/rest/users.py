"""`/api/users`: people. Administrators create, deactivate and erase them."""

from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
from litestar import Request, Response, delete, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, Parameter

from yotei.api import paging
from yotei.api.conditional import answer
from yotei.api.parameters import Cursor, page_size
from yotei.api.problems import refusals
from yotei.calendars import write as calendars
from yotei.users import read, write
from yotei.users.user import Profile, Viewer


class NewUser(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A person to be added; they get a personal calendar."""

    email: Annotated[str, msgspec.Meta(min_length=3, max_length=320)]
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    tzid: Annotated[str, msgspec.Meta(min_length=1, max_length=64)] = "UTC"
    avatar_url: Annotated[str, msgspec.Meta(max_length=2_000)] | None = None
    is_admin: bool = False


class UserList(msgspec.Struct, frozen=True):
    """People by id. `next_cursor` is null on the last page."""

    users: list[Profile]
    next_cursor: str | None


@get("/api/users/me", summary="The caller", responses=refusals())
async def get_me(request: Request[Any, Any, Any], state: State, viewer: NamedDependency[Viewer]) -> Response[Profile]:
    """The person behind the token."""
    return answer(request, await read.me(state.database, viewer))


@get("/api/users/{user_id:uuid}", summary="One person", responses=refusals(404))
async def get_user(
    request: Request[Any, Any, Any], state: State, viewer: NamedDependency[Viewer], user_id: FromPath[UUID]
) -> Response[Profile]:
    """A person of this installation."""
    return answer(request, await read.get(state.database, viewer, user_id))


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
        state.database, viewer, after=paging.decode(cursor, read.After), limit=page_size(limit, state.limits)
    )
    return answer(request, UserList(list(found), paging.encode(after)))


@post("/api/users", summary="Add a person (administrators)", responses=refusals(409, 413))
async def create_user(state: State, viewer: NamedDependency[Viewer], data: JSONBody[NewUser]) -> Profile:
    """Adds a person with a personal calendar."""
    user_id = await calendars.add_user(
        state.database,
        viewer,
        email=data.email,
        name=data.name,
        tzid=data.tzid,
        avatar_url=data.avatar_url,
        is_admin=data.is_admin,
    )
    return await read.get(state.database, viewer, user_id)


@post(
    "/api/users/{user_id:uuid}/deactivate", summary="Shut a person out", status_code=200, responses=refusals(404, 409)
)
async def deactivate_user(state: State, viewer: NamedDependency[Viewer], user_id: FromPath[UUID]) -> Profile:
    """Their tokens stop working; nothing is lost. The last administrator stays."""
    await write.deactivate(state.database, viewer, user_id)
    return await read.get(state.database, viewer, user_id)


@post(
    "/api/users/{user_id:uuid}/reactivate",
    summary="Let a person in again",
    status_code=200,
    responses=refusals(404, 409),
)
async def reactivate_user(state: State, viewer: NamedDependency[Viewer], user_id: FromPath[UUID]) -> Profile:
    """Undoes a deactivation, not an erasure."""
    await write.reactivate(state.database, viewer, user_id)
    return await read.get(state.database, viewer, user_id)


@delete("/api/users/{user_id:uuid}", summary="Erase a person", responses=refusals(404, 409))
async def erase_user(state: State, viewer: NamedDependency[Viewer], user_id: FromPath[UUID]) -> None:
    """Removes all that says who they are, for good. What they organised stays, by nobody."""
    await write.erase(state.database, viewer, user_id)


ROUTES: Final = (get_me, get_user, list_users, create_user, deactivate_user, reactivate_user, erase_user)
