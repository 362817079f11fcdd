"""One typed function for each statement of `queries.sql`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
from asyncpg import Record

from yotei.cache.key import Key, Loaded
from yotei.storage import statements
from yotei.storage.pool import Source
from yotei.users import keys
from yotei.users.keys import Credential
from yotei.users.user import Hours, Profile

_SQL: Final = statements.load("yotei.users")
_people: Final = msgspec.json.Decoder(tuple[Profile, ...])
_person: Final = msgspec.json.Decoder(Profile)
_credential: Final = msgspec.json.Decoder(Credential)
_hours: Final = msgspec.json.Decoder(dict[str, tuple[tuple[str, str], ...]])


class Authenticated(msgspec.Struct, frozen=True):
    """A token that is good by itself. `acts`: the person it is to act for is there; else their fields are null."""

    token_id: UUID
    kind: str
    scopes: tuple[str, ...]
    user_id: UUID | None
    tzid: str | None
    is_admin: bool | None
    acts: bool
    owner_id: UUID
    expires_at: datetime | None


class Token(msgspec.Struct, frozen=True):
    """A token without its secret, which is stored nowhere."""

    id: UUID
    user_id: UUID
    kind: str
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


async def authenticate(
    source: Source, token_hash: bytes, user_id: UUID | None, email: str | None, now: datetime
) -> Authenticated | None:
    row = await source.fetchrow(_SQL["authenticate"], token_hash, user_id, email, now)
    if row is None:
        return None
    token_id, kind, scopes, *rest = row
    return Authenticated(token_id, kind, tuple(scopes), *rest)


async def list_tokens(source: Source, user_id: UUID, limit: int) -> list[Token]:
    return [_token(*row) for row in await source.fetch(_SQL["list_tokens"], user_id, limit)]


async def lock_active_user(source: Source, user_id: UUID) -> bool:
    return await source.fetchrow(_SQL["lock_active_user"], user_id) is not None


async def count_live_tokens(source: Source, user_id: UUID, now: datetime) -> int:
    row = await source.fetchrow(_SQL["count_live_tokens"], user_id, now)
    assert row is not None
    live: int = row["live"]
    return live


async def insert_token(
    source: Source,
    token_id: UUID,
    user_id: UUID,
    kind: str,
    token_hash: bytes,
    name: str,
    scopes: Sequence[str],
    expires_at: datetime | None,
) -> Token:
    row = await source.fetchrow(
        _SQL["insert_token"], token_id, user_id, kind, token_hash, name, list(scopes), expires_at
    )
    assert row is not None
    return _token(*row)


async def revoke_token(source: Source, token_id: UUID, owner_id: UUID | None) -> bool:
    return await source.fetchrow(_SQL["revoke_token"], token_id, owner_id) is not None


async def revoke_tokens_by_name(source: Source, user_id: UUID, name: str) -> None:
    await source.execute(_SQL["revoke_tokens_by_name"], user_id, name)


async def load_users(source: Source, wanted: Sequence[Key]) -> Loaded:
    row = await source.fetchrow(_SQL["load_users"], [key.id for key in wanted])
    assert row is not None
    payloads = {keys.profile(one.id): one for one in _people.decode(row["people"])}
    return Loaded.of(payloads, row["snapshot"], row["is_standby"])


async def load_token(source: Source, token_hash: bytes) -> Loaded:
    """The token, and along with it whose it is."""
    row = await source.fetchrow(_SQL["load_token"], token_hash)
    assert row is not None
    payloads: dict[Key, object] = {}
    if row["token"] is not None:
        owner = _person.decode(row["owner"])
        payloads = {keys.token(token_hash): _credential.decode(row["token"]), keys.profile(owner.id): owner}
    return Loaded.of(payloads, row["snapshot"], row["is_standby"])


async def find_user(source: Source, email: str) -> Profile | None:
    row = await source.fetchrow(_SQL["find_user"], email)
    return None if row is None else _profile(row)


async def list_users(source: Source, after: UUID | None, limit: int) -> list[Profile]:
    return [_profile(row) for row in await source.fetch(_SQL["list_users"], after, limit)]


async def insert_user(
    source: Source, user_id: UUID, email: str, name: str, avatar_url: str | None, tzid: str, is_admin: bool
) -> bool:
    row = await source.fetchrow(_SQL["insert_user"], user_id, email, name, avatar_url, tzid, is_admin)
    return row is not None


async def adopt_invitations(source: Source, user_id: UUID, email: str) -> None:
    await source.execute(_SQL["adopt_invitations"], user_id, email)


async def lock_user(source: Source, user_id: UUID) -> Profile | None:
    row = await source.fetchrow(_SQL["lock_user"], user_id)
    return None if row is None else _profile(row)


async def update_user(
    source: Source, user_id: UUID, name: str, avatar_url: str | None, tzid: str, working_hours: Hours, is_admin: bool
) -> None:
    hours = msgspec.json.encode(working_hours).decode()
    await source.execute(_SQL["update_user"], user_id, name, avatar_url, tzid, hours, is_admin)


async def lock_people(source: Source) -> None:
    await source.execute(_SQL["lock_people"])


async def lock_admins(source: Source) -> list[UUID]:
    return [row["id"] for row in await source.fetch(_SQL["lock_admins"])]


async def set_active(source: Source, user_id: UUID, active: bool) -> bool:
    return await source.fetchrow(_SQL["set_active"], user_id, active) is not None


async def erase_user(source: Source, user_id: UUID, name: str) -> bool:
    return await source.fetchrow(_SQL["erase_user"], user_id, name) is not None


def _token(
    id_: UUID,
    user_id: UUID,
    kind: str,
    name: str,
    scopes: list[str],
    created_at: datetime,
    expires_at: datetime | None,
    revoked_at: datetime | None,
) -> Token:
    return Token(id_, user_id, kind, name, tuple(scopes), created_at, expires_at, revoked_at)


def _profile(row: Record) -> Profile:
    id_, email, name, avatar_url, tzid, hours, is_admin, is_active, version, created_at, updated_at, is_erased = row
    working_hours: Hours = _hours.decode(hours)
    return Profile(
        id_,
        None if is_erased else email,
        name,
        avatar_url,
        tzid,
        working_hours,
        is_admin,
        is_active,
        version,
        created_at,
        updated_at,
    )
