"""The units of people and tokens in the cache: their keys, their payloads, and which change purges which."""

from collections.abc import Iterator
from typing import Any, Final
from uuid import UUID

from yotei.cache.key import Key
from yotei.cache.tail import ALL
from yotei.storage.change_log import Change

TYPES: Final[dict[str, Any]] = {}
"""What the values of each family are."""


def profile(user_id: UUID) -> Key:
    return Key(f"user:{user_id}:profile", "user_profile")


def token(token_hash: bytes) -> Key:
    """By a part of the hash, which the change log names too."""
    return Key(f"token:{UUID(bytes=token_hash[:16])}", "token")


def purged(change: Change) -> Iterator[str]:
    """The keys and groups whose values a change may have made other ones."""
    yield ALL
