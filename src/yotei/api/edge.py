"""What surrounds every request: the reads that it is given, and what the client is told about them.

Yotei-Token       what the client has seen; sent back, it is shown at least that much, on any node
Cache-Status      how it was answered (RFC 9211)
"""

from typing import Any, Final

from litestar import Request
from litestar.datastructures import State
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from yotei.api.problems import answer_problem
from yotei.cache.reads import Reads, reading_of_request
from yotei.cache.token import Token
from yotei.errors import Problem, invalid
from yotei.storage.pool import Source

TOKEN: Final = "Yotei-Token"  # noqa: S105
_TOKEN: Final = TOKEN.lower().encode()


def edge(app: ASGIApp, state: State) -> ASGIApp:
    """Wrap the application; `state` holds the `caching` of the worker, None where there is none."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        caching = state.get("caching")
        if scope["type"] != ScopeType.HTTP or caching is None:
            await app(scope, receive, send)
            return
        request: Request[Any, Any, Any] = Request(scope, receive, send)
        try:
            reads: Reads = caching.reads(_seen(scope))
            await _begin(reads)
        except Problem as problem:
            response = answer_problem(request, problem).to_asgi_response(None, request)
            await response(scope, receive, send)
            return
        scope["state"]["reads"] = reads

        async def send_told(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_told(reads)]
            await send(message)

        with reading_of_request(reads.reading):
            await app(scope, receive, send_told)

    return serve


def source_of(request: Request[Any, Any, Any]) -> Source:
    """What the request reads from: the cache, or the database where there is none."""
    reads: Source | None = request.scope["state"].get("reads")
    return request.app.state.database if reads is None else reads


async def _begin(reads: Reads) -> None:
    """See what the client has seen. Problem `invalid_request` for a token that nobody was given."""
    try:
        await reads.begin()
    except ValueError as error:
        raise invalid(f"header.{TOKEN}", f"expected a token that was given: {error}") from error


def _seen(scope: Scope) -> Token | None:
    for name, value in scope["headers"]:
        if name == _TOKEN:
            try:
                return Token.parse(value.decode("latin-1"))
            except ValueError:
                raise invalid(f"header.{TOKEN}", "expected a token that was given") from None
    return None


def _told(reads: Reads) -> list[tuple[bytes, bytes]]:
    headers, reading, token = [], reads.reading, reads.token
    if token is not None:
        headers.append((TOKEN.encode(), str(token).encode()))
    if reading.used:
        detail = f'"l1={reading.hits_l1} l2={reading.hits_l2} db={reading.loads}"'
        stale = "; stale" if reading.stale_age_s is not None else ""
        how = "fwd=bypass" if not reads.is_whole else "fwd=miss" if reading.loads else "hit"
        headers.append((b"Cache-Status", f"yotei; {how}{stale}; detail={detail}".encode()))
    if reading.stale_age_s is not None:
        headers.append((b"Age", str(int(reading.stale_age_s)).encode()))
    return headers
