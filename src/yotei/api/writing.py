"""What every write over REST has in common: one transaction, an answer that is read in it, and `Idempotency-Key`.

`Idempotency-Key: <1 to 255 visible characters>` (draft-ietf-httpapi-idempotency-key-header): the same request sent
again within 24 hours gets the same answer, marked `Idempotency-Replayed: true`, and is not done again.
"""

import re
from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import Annotated, Any, Final

import msgspec
from litestar import Request, Response
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import HeaderParameter

from yotei.api.conditional import HEADERS, seen_versions, tag
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


class Written(msgspec.Struct, frozen=True):
    """What a write answers: a value that becomes JSON, None for no content; `version` makes its ETag."""

    value: object
    status: int = 200
    version: int | None = None
    location: str | None = None


class Writing(msgspec.Struct, frozen=True):
    """One writing request. `expected` are the versions that `If-Match` names, None for any."""

    database: Database
    viewer: Viewer
    key: str | None
    request_hash: bytes
    expected: frozenset[int] | None

    async def run(self, work: Callable[[Transaction], Awaitable[Written]]) -> Response[Any]:
        """`work` and its answer in one transaction of the viewer. It may run more than once and commits once."""

        async def once(tx: Transaction) -> tuple[Kept, bool]:
            if self.key is not None:
                before = await idempotency.claim(tx, self.viewer.user_id, self.key, self.request_hash)
                if before is not None:
                    return before, True
            answer = _rendered(await work(tx))
            if self.key is not None:
                await idempotency.keep(tx, self.viewer.user_id, self.key, answer)
            return answer, False

        answer, replayed = await self.database.run(once, actor_id=self.viewer.user_id)
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
    if idempotency_key is not None and not _KEY.fullmatch(idempotency_key):
        raise invalid(f"header.{KEY}", "expected 1 to 255 visible ASCII characters")
    query: bytes = request.scope["query_string"]
    asked = b"\n".join([request.method.encode(), request.url.path.encode(), query, await request.body()])
    return Writing(state.database, viewer, idempotency_key, sha256(asked).digest(), seen_versions(if_match))


def _rendered(written: Written) -> Kept:
    headers = {} if written.location is None else {"Location": written.location}
    if written.value is None:
        return Kept(204, headers, b"")
    body = _encoder.encode(written.value)
    return Kept(written.status, {**headers, "ETag": tag(body, written.version)}, body)
