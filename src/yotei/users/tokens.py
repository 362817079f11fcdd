"""Bearer tokens: who a request speaks for, and how tokens are made, listed and ended.

A token is `yotei_` and 256 random bits in base64url. Only its SHA-256 is stored: with that many random bits there is
nothing to guess, so a slow hash would only slow down every request. A SERVICE token may act on behalf of a person.
"""

import re
import secrets
from collections.abc import Sequence, Set
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Annotated, Final, Literal
from uuid import UUID

import msgspec

from yotei.cache.key import Key, Loaded
from yotei.cache.reads import Reads, hold_until
from yotei.errors import Code, Problem, invalid, not_found
from yotei.storage.ids import uuid7
from yotei.storage.pool import Database, Source
from yotei.users import keys, rows
from yotei.users.keys import Credential
from yotei.users.rows import Authenticated, Token
from yotei.users.user import Profile, Viewer

__all__ = [
    "LIVE_TOKENS_MAX",
    "SCOPES",
    "Identity",
    "NewToken",
    "Token",
    "authenticate",
    "create",
    "identify",
    "issue",
    "list_for",
    "revoke",
]

PREFIX: Final = "yotei_"
SCOPES: Final = frozenset({"read", "write", "admin"})
LIVE_TOKENS_MAX: Final = 100
"""Tokens of one person that work at the same time."""
LISTED_MAX: Final = 500
LIFE_DAYS_MAX: Final = 3_653

EMAILS_MAX: Final = 10_000
"""Addresses that a process remembers the ids of, for tokens that act for people by their address."""

_ids: Final[dict[str, UUID]] = {}
_TOKEN: Final = re.compile(r"yotei_[A-Za-z0-9_-]{43}")
_REFUSED: Final = "The token is not valid."


class NewToken(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A token to be made; without `expires_at` it does not end by itself. Only administrators make service tokens."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    scopes: Annotated[list[Literal["read", "write", "admin"]], msgspec.Meta(min_length=1, max_length=3)]
    kind: Literal["USER", "SERVICE"] = "USER"
    expires_at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None


class Identity(msgspec.Struct, frozen=True):
    """The viewer that a token speaks for, and for how long: until `expires_at`, and until one of `depends_on` (the
    token, whose it is, whom it speaks for) says otherwise."""

    viewer: Viewer
    depends_on: frozenset[UUID]
    expires_at: datetime | None


async def authenticate(source: Source, raw_token: str, on_behalf_of: str | None, now: datetime) -> Viewer:
    """Whom the token speaks for, as `identify` has it."""
    return (await identify(source, raw_token, on_behalf_of, now)).viewer


async def identify(source: Source, raw_token: str, on_behalf_of: str | None, now: datetime) -> Identity:
    """Whom the token speaks for. One statement, none for what cannot be a token.

    `on_behalf_of` is an id or an e-mail address, for service tokens only. Problem `unauthorized` when the token is
    not known, expired, revoked or of a deactivated person, in the same words; `forbidden` when it may not act for
    others, or when there is nobody active of that name.
    """
    if not _TOKEN.fullmatch(raw_token):
        raise Problem(Code.UNAUTHORIZED, _REFUSED)
    user_id, email = _named(on_behalf_of)
    token_hash = _hash(raw_token)
    if isinstance(source, Reads):
        found = await _found(source, token_hash, user_id, email, now)
    else:
        found = await rows.authenticate(source, token_hash, user_id, email, now)
    if found is None:
        raise Problem(Code.UNAUTHORIZED, _REFUSED)
    if on_behalf_of is not None and found.kind != "SERVICE":
        raise Problem(Code.FORBIDDEN, "Only a service token may act on behalf of somebody.")
    if not found.acts:
        raise Problem(Code.FORBIDDEN, "There is nobody active by that id or e-mail address to act for.")
    assert found.user_id is not None and found.tzid is not None
    scopes = frozenset(found.scopes)
    viewer = Viewer(
        user_id=found.user_id,
        tzid=found.tzid,
        is_admin=bool(found.is_admin) and "admin" in scopes,
        scopes=scopes,
        token_id=found.token_id,
        service=found.kind == "SERVICE",
    )
    return Identity(viewer, frozenset({found.token_id, found.owner_id, found.user_id}), found.expires_at)


async def _found(
    reads: Reads, token_hash: bytes, user_id: UUID | None, email: str | None, now: datetime
) -> Authenticated | None:
    """What `rows.authenticate` finds, from the units of the token and of the people."""

    if email is not None and email not in _ids:
        return await _authenticated_by_email(reads, token_hash, email, now)

    async def load(source: Source, _: Sequence[Key]) -> Loaded:
        return await rows.load_token(source, token_hash)

    credential: Credential | None = (await reads.get_many([keys.token(token_hash)], load))[0]
    if (
        credential is None
        or credential.revoked_at is not None
        or (credential.expires_at is not None and credential.expires_at <= now)
    ):
        return None
    if credential.expires_at is not None:
        hold_until(credential.expires_at)
    owner = await _active(reads, credential.user_id)
    if owner is None:
        return None
    person: Profile | None = None
    if user_id is None and email is None:
        person = owner
    elif credential.kind == "SERVICE":
        acts_for = user_id or (_ids.get(email) if email is not None else None)
        person = None if acts_for is None else await _active(reads, acts_for)
        if email is not None and (person is None or person.email != email):
            return await _authenticated_by_email(reads, token_hash, email, now)
    return Authenticated(
        token_id=credential.id,
        kind=credential.kind,
        scopes=credential.scopes,
        user_id=None if person is None else person.id,
        tzid=None if person is None else person.tzid,
        is_admin=None if person is None else person.is_admin,
        acts=person is not None,
        owner_id=credential.user_id,
        expires_at=credential.expires_at,
    )


async def _active(reads: Reads, user_id: UUID) -> Profile | None:
    found: Profile | None = (await reads.get_many([keys.profile(user_id)], rows.load_users))[0]
    return found if found is not None and found.is_active else None


async def _authenticated_by_email(reads: Reads, token_hash: bytes, email: str, now: datetime) -> Authenticated | None:
    """Remembers whose address it is, to be verified by their profile the next time: an address is no key, since the
    change log names people by their ids."""
    found = await rows.authenticate(reads, token_hash, None, email, now)
    _ids.pop(email, None)
    if found is not None and found.user_id is not None:
        if len(_ids) >= EMAILS_MAX:
            del _ids[next(iter(_ids))]
        _ids[email] = found.user_id
    return found


async def create(
    database: Database,
    viewer: Viewer,
    *,
    name: str,
    scopes: Set[str],
    kind: Literal["USER", "SERVICE"],
    expires_at: datetime | None,
    now: datetime,
) -> tuple[Token, str]:
    """A token for the viewer, and its secret, which is told this once. It never has a scope that the viewer's lacks."""
    viewer.need("write")
    if viewer.service:
        raise Problem(Code.FORBIDDEN, "A service token makes no tokens: they would outlive it.")
    missing = sorted(scopes - viewer.scopes)
    if missing:
        raise Problem(Code.FORBIDDEN, f"A token cannot give the scope `{missing[0]}`, which it does not have.")
    if kind == "SERVICE":
        viewer.need_admin()
    return await issue(
        database,
        viewer.user_id,
        name=name,
        scopes=scopes,
        kind=kind,
        expires_at=expires_at,
        now=now,
        actor_id=viewer.user_id,
    )


async def issue(
    database: Database,
    user_id: UUID,
    *,
    name: str,
    scopes: Set[str],
    kind: Literal["USER", "SERVICE"] = "USER",
    expires_at: datetime | None = None,
    now: datetime,
    actor_id: UUID | None = None,
    replace: bool = False,
) -> tuple[Token, str]:
    """A token for anybody, for the command line and set-up, where there is no viewer. `replace` ends those of its name.

    Problem `invalid_request` for what it cannot be, `conflict` beyond `LIVE_TOKENS_MAX`, `not_found` for nobody.
    """
    if not scopes or not scopes <= SCOPES:
        raise invalid("body.scopes", "expected some of read, write, admin")
    if not 1 <= len(name) <= 200:
        raise invalid("body.name", "expected 1 to 200 characters")
    if expires_at is not None and not now < expires_at <= now + timedelta(days=LIFE_DAYS_MAX):
        raise invalid("body.expires_at", "expected a time in the next ten years")
    secret = PREFIX + secrets.token_urlsafe(32)

    async def work(tx: Source) -> Token:
        if not await rows.lock_active_user(tx, user_id):
            raise not_found("user")
        if replace:
            await rows.revoke_tokens_by_name(tx, user_id, name)
        live = await rows.count_live_tokens(tx, user_id, now)
        if live >= LIVE_TOKENS_MAX:
            raise Problem(Code.CONFLICT, f"There are {live} live tokens already; revoke one first.")
        return await rows.insert_token(tx, uuid7(), user_id, kind, _hash(secret), name, sorted(scopes), expires_at)

    return await database.run(work, actor_id=actor_id), secret


async def list_for(source: Source, viewer: Viewer, user_id: UUID) -> list[Token]:
    """Tokens of the viewer, or of anybody for an administrator; the newest first. One statement."""
    viewer.need("read")
    if user_id != viewer.user_id:
        viewer.need_admin()
    return await rows.list_tokens(source, user_id, LISTED_MAX)


async def revoke(database: Database, viewer: Viewer, token_id: UUID) -> None:
    """End one of the viewer's tokens, for an administrator anybody's; Problem `not_found`. Twice is as once."""
    viewer.need("write")
    owner_id = None if viewer.is_admin else viewer.user_id

    async def work(tx: Source) -> bool:
        return await rows.revoke_token(tx, token_id, owner_id)

    if not await database.run(work, actor_id=viewer.user_id):
        raise not_found("token")


def _hash(raw_token: str) -> bytes:
    return sha256(raw_token.encode()).digest()


def _named(on_behalf_of: str | None) -> tuple[UUID | None, str | None]:
    if on_behalf_of is None:
        return None, None
    if "@" in on_behalf_of:
        return None, on_behalf_of.strip().lower()
    try:
        return UUID(on_behalf_of), None
    except ValueError:
        raise invalid("header.Yotei-On-Behalf-Of", "expected the id or the e-mail address of a person") from None
