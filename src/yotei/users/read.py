"""Reading people. Everybody signed in may see everybody: one installation is one organisation."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import msgspec

from yotei.cache.reads import cached
from yotei.errors import not_found
from yotei.storage.pool import Source
from yotei.users import keys, rows
from yotei.users.user import Profile, Viewer

USERS_MAX: Final = 1_000
"""People that one request may ask for by their ids."""
BATCH_MAX: Final = 20_000
"""People that one read may ask for: all that one answer names."""


class After(msgspec.Struct, frozen=True):
    """Where the page before ended in the order by id."""

    id: UUID


async def me(source: Source, viewer: Viewer) -> Profile:
    """The person behind the token. One statement."""
    return await get(source, viewer, viewer.user_id)


async def get(source: Source, viewer: Viewer, user_id: UUID) -> Profile:
    """One person; Problem `not_found`. One statement."""
    found = (await get_many(source, viewer, [user_id]))[0]
    if found is None:
        raise not_found("user")
    return found


async def get_many(source: Source, viewer: Viewer, ids: Sequence[UUID]) -> list[Profile | None]:
    """People in the order asked for, None where there is none. One statement."""
    viewer.need("read")
    assert len(ids) <= BATCH_MAX
    return await cached(source, [keys.profile(one) for one in ids], rows.load_users)


async def list_all(
    source: Source, viewer: Viewer, *, after: After | None, limit: int
) -> tuple[list[Profile], After | None]:
    """Everybody, for administrators, and where to go on. One statement."""
    viewer.need_admin()
    found = await rows.list_users(source, after.id if after else None, limit + 1)
    return found[:limit], After(found[limit - 1].id) if len(found) > limit else None


async def find_by_email(source: Source, email: str) -> Profile | None:
    """One person by address, for set-up and the command line, where there is no viewer. One statement."""
    return await rows.find_user(source, email.strip().lower())
