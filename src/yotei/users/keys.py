"""The units of people and tokens in the cache: their keys, their payloads, and which change purges which."""

from uuid import UUID

from yotei.cache.key import Key


def profile(user_id: UUID) -> Key:
    return Key(f"user:{user_id}:profile", "user_profile")


def token(token_hash: bytes) -> Key:
    """By a part of the hash, which the change log names too."""
    return Key(f"token:{UUID(bytes=token_hash[:16])}", "token")
