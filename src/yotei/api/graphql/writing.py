"""How one request writes: each mutation in a transaction, with an answer that is read in it and kept under its key.

Root fields of a mutation run one after the other (GraphQL October 2021, 6.2.2), each in a transaction of its own: what
one has written stays when the next is refused. `idempotencyKey` belongs to one field with its arguments.
"""

from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import Any, Final, TypeVar

import msgspec
from strawberry import UNSET

from yotei.api import writing
from yotei.api.graphql.inputs import given
from yotei.api.graphql.reading import Reading
from yotei.api.writing import Key, checked_key
from yotei.storage.idempotency import Kept
from yotei.storage.pool import Database, Transaction

V = TypeVar("V")

_encoder: Final = msgspec.json.Encoder(order="sorted")


class Writing:
    """The writes of one request."""

    def __init__(self, database: Database, reading: Reading, horizon_days: int) -> None:
        self.database: Final = database
        self._reading = reading
        self.horizon_days: Final = horizon_days

    async def once(
        self, field: str, input: Any, kind: type[V], work: Callable[[Transaction], Awaitable[V]]
    ) -> tuple[V, bool]:
        """What `work` answers, a `kind`, and whether it was kept from an earlier time. `field` with its input is what
        the key stands for, whatever is selected of the answer."""
        key = _key(field, given(input))
        return await writing.once(
            self.database,
            self._reading.viewer,
            key,
            work,
            pack=lambda answer: Kept(200, {}, _encoder.encode(answer)),
            unpack=lambda kept: msgspec.json.decode(kept.body, type=kind),
        )


def _key(field: str, given: dict[str, Any]) -> Key | None:
    name = given.get("idempotency_key")
    if name is None:
        return None
    asked = b"graphql\n" + _encoder.encode([field, given])
    return Key(checked_key(name, "body.idempotency_key"), sha256(asked).digest())


def expected(version: int | None) -> frozenset[int] | None:
    """The versions at which a write may be done: the counterpart of `If-Match`."""
    return None if version is None or version is UNSET else frozenset({version})
