"""Answers to writes, kept for a day under the key that the caller chose: sent again, a request is not done again.

The key is claimed in the transaction that does the work and keeps the answer, so all of it is there or nothing. A
request that comes while its twin is still at it waits for it. What is refused is not kept: it changed nothing.
"""

from typing import Final
from uuid import UUID

import msgspec

from yotei.errors import Code, Problem
from yotei.storage import statements
from yotei.storage.pool import Database, Source

KEEP_HOURS: Final = 24
DROPPED_AT_ONCE_MAX: Final = 5_000

_SQL: Final = statements.load("yotei.storage")
_headers: Final = msgspec.json.Decoder(dict[str, str])


class Kept(msgspec.Struct, frozen=True):
    """An answer as it was given: an HTTP status, the headers that belong to it, the bytes of its body."""

    status: int
    headers: dict[str, str]
    body: bytes


async def claim(tx: Source, user_id: UUID, key: str, request_hash: bytes) -> Kept | None:
    """None when the key is this request's to use, else what its first sending was answered.

    Problem `idempotency_key_reused` when the key belongs to another request.
    """
    if await tx.fetchrow(_SQL["claim_key"], user_id, key, request_hash) is not None:
        return None
    row = await tx.fetchrow(_SQL["get_kept_answer"], user_id, key)
    if row is None or row["request_hash"] != request_hash:
        raise Problem(
            Code.IDEMPOTENCY_KEY_REUSED,
            f"This Idempotency-Key was sent with another request in the last {KEEP_HOURS} hours; choose a new one.",
        )
    return Kept(row["status"], _headers.decode(row["headers"]), row["body"])


async def keep(tx: Source, user_id: UUID, key: str, answer: Kept) -> None:
    headers = msgspec.json.encode(answer.headers).decode()
    await tx.execute(_SQL["keep_answer"], user_id, key, answer.status, headers, answer.body)


async def drop_old(database: Database) -> int:
    """Forget answers older than a day, a bounded number of them; gives back how many went."""
    tag = await database.execute(_SQL["drop_kept_answers"], DROPPED_AT_ONCE_MAX)
    return int(tag.rpartition(" ")[2])
