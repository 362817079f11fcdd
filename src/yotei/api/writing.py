"""What every write has in common: one transaction, an answer that is read in it, and a key under which it is kept. Both
doors write through `once`; the rest is REST's.

`Idempotency-Key: <1 to 255 visible characters>` (draft-ietf-httpapi-idempotency-key-header): the same request sent
again within 24 hours gets the same answer, marked `Idempotency-Replayed: true`, and is not done again.
"""

import re
from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import Annotated, Any, Final, NamedTuple, TypeVar

import msgspec
from litestar import Request, Response
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import HeaderParameter

from yotei.api.conditional import HEADERS, seen_versions, tag
from yotei.api.strict import strict_body
from yotei.errors import invalid
from yotei.storage import idempotency
from yotei.storage.idempotency import Kept
from yotei.storage.pool import Database, Transaction
from yotei.users.user import Viewer

KEY: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotency-Replayed"

IdempotencyKey = Annotated[
    str | None,
    HeaderParameter(
        name=KEY,
        description="Sent again with the same key within 24 hours, the request is answered as before, not done again.",
        required=False,
        max_length=255,
    ),
]
IfMatch = Annotated[
    str | None,
    HeaderParameter(
        name="If-Match",
        description="An `ETag` that was read: 412 when the thing itself has been changed since.",
        required=False,
        max_length=1_000,
    ),
]

_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")
_encoder: Final = msgspec.json.Encoder()


Answer = TypeVar("Answer")


class Key(NamedTuple):
    """What the caller named a write, and a hash of all that it asks for."""

    name: str
    request_hash: bytes


async def once(
    database: Database,
    viewer: Viewer,
    key: Key | None,
    work: Callable[[Transaction], Awaitable[Answer]],
    *,
    pack: Callable[[Answer], Kept],
    unpack: Callable[[Kept], Answer],
) -> tuple[Answer, bool]:
    """What `work` answers, in one transaction of the viewer, and False; or what it answered before under this key, and
    True. `work` may run more than once and commits once; what it answers is kept packed, with what it wrote."""

    async def attempt(tx: Transaction) -> tuple[Answer, bool]:
        if key is not None:
            before = await idempotency.claim(tx, viewer.user_id, key.name, key.request_hash)
            if before is not None:
                return unpack(before), True
        answer = await work(tx)
        if key is not None:
            await idempotency.keep(tx, viewer.user_id, key.name, pack(answer))
        return answer, False

    return await database.run(attempt, actor_id=viewer.user_id)


def checked_key(text: str, field: str) -> str:
    """The key as the caller chose it; Problem `invalid_request`."""
    if not _KEY.fullmatch(text):
        raise invalid(field, "expected 1 to 255 visible ASCII characters")
    return text


class Written(msgspec.Struct, frozen=True):
    """What a write over REST answers: a value that becomes JSON, None for no content; `version` makes its ETag."""

    value: object
    status: int = 200
    version: int | None = None
    location: str | None = None


class Writing(msgspec.Struct, frozen=True):
    """One writing request. `expected` are the versions that `If-Match` names, None for any."""

    database: Database
    viewer: Viewer
    key: Key | None
    expected: frozenset[int] | None

    async def run(self, work: Callable[[Transaction], Awaitable[Written]]) -> Response[Any]:
        """`work` and its answer in one transaction of the viewer. It may run more than once and commits once."""

        async def rendered(tx: Transaction) -> Kept:
            return _rendered(await work(tx))

        answer, replayed = await once(self.database, self.viewer, self.key, rendered, pack=_as_it_is, unpack=_as_it_is)
        headers = {**HEADERS, **answer.headers, **({REPLAYED: "true"} if replayed else {})}
        return Response(answer.body or None, status_code=answer.status, headers=headers, media_type="application/json")


async def provide_writing(
    request: Request[Any, Any, Any],
    state: State,
    viewer: NamedDependency[Viewer],
    idempotency_key: IdempotencyKey = None,
    if_match: IfMatch = None,
) -> Writing:
    """The parameters that all writes share."""
    await strict_body(request)
    query: bytes = request.scope["query_string"]
    asked = b"\n".join([request.method.encode(), request.url.path.encode(), query, await request.body()])
    key = (
        None if idempotency_key is None else Key(checked_key(idempotency_key, f"header.{KEY}"), sha256(asked).digest())
    )
    return Writing(state.database, viewer, key, seen_versions(if_match))


def _rendered(written: Written) -> Kept:
    headers = {} if written.location is None else {"Location": written.location}
    if written.value is None:
        return Kept(204, headers, b"")
    body = _encoder.encode(written.value)
    return Kept(written.status, {**headers, "ETag": tag(body, written.version)}, body)


def _as_it_is(answer: Kept) -> Kept:
    return answer
