"""The units of people and tokens in the cache: their keys, their payloads, and which change purges which."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from yotei.cache.key import Key
from yotei.storage.change_log import Change
from yotei.users.user import Profile


class Credential(msgspec.Struct, frozen=True):
    """A token as it is stored, without its hash; it may have expired or been revoked."""

    id: UUID
    user_id: UUID
    kind: str
    scopes: tuple[str, ...]
    expires_at: datetime | None
    revoked_at: datetime | None


TYPES: Final[dict[str, Any]] = {"user_profile": Profile, "token": Credential}
"""What the values of each family are."""


def profile(user_id: UUID) -> Key:
    return Key(f"user:{user_id}:profile", "user_profile")


def token(token_hash: bytes) -> Key:
    """By half of the hash, which the change log names too; nobody finds two tokens that share 128 bits of it."""
    return Key(_token_name(UUID(bytes=token_hash[:16])), "token")


def purged(change: Change) -> Iterator[str]:
    """The keys and groups whose values a change may have made other ones."""
    if change.entity == "user":
        yield profile(change.entity_id).name
    elif change.entity == "token":
        # A change of a token has two rows: one names its id, the other half of its hash.
        yield _token_name(change.entity_id)


def _token_name(named: UUID) -> str:
    return f"token:{named}"
