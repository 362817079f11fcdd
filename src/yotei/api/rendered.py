"""Answers that were sent before, sent again: a request that is answered here reaches no door and reads no unit.

An answer is found by whose token asks for what: route, query, and the fields that change what is shown. Whether the
token still holds is no question of its own: the token and its person are among the units that the answer was made of,
as are roles, so that their changes end it like any other. GraphQL is found by the bytes of its question as well: the
document or its hash, the operation, the variables.

A request that is answered here is counted, logged and limited as any other.
"""

import time
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final

from litestar.datastructures import State
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from yotei.api.auth import ON_BEHALF_OF
from yotei.api.edge import (
    COOKIE_WANTED_FIELD,
    IF_NONE_MATCH_FIELD,
    NOT_MODIFIED,
    OK,
    RENDERED,
    TOKEN_FIELD,
    Headers,
    Rendered,
    names,
    token_sent,
    token_told,
)
from yotei.api.observed import REQUEST_ID, SERVER_TIMING, request_id_of, timing
from yotei.api.rate import Buckets, address_of, caller_of
from yotei.cache.composites import Composites
from yotei.cache.token import Token
from yotei.observe.log import request_answered

GRAPHQL: Final = "/graphql"
QUESTION_BYTES_MAX: Final = 16_384
"""Larger bodies are not looked up: they would have to be read before anybody knows who asks."""
TOKENS_MAX: Final = 1_024
"""Tokens of clients whose meaning is remembered: who asks again and again sends the same one."""
_TELLING: Final = frozenset({TOKEN_FIELD, COOKIE_WANTED_FIELD, b"cookie"})
_ON_BEHALF_OF: Final = ON_BEHALF_OF.lower().encode()

_parsed: Final = lru_cache(maxsize=TOKENS_MAX)(Token.parse)


def rendered(app: ASGIApp, state: State, *, requests: Buckets, refusals: Buckets) -> ASGIApp:
    """Wrap the application, which answers what is not there; the buckets are those of `rate_limited`."""

    there: Composites | None = None

    async def serve(scope: Any, receive: Receive, send: Send) -> None:
        nonlocal there
        if there is None:
            caching = state.get("caching")
            there = None if caching is None else caching.rendered
        if scope["type"] != ScopeType.HTTP or there is None:
            await app(scope, receive, send)
            return
        started = time.perf_counter()
        method, path, headers = scope["method"], scope["path"], dict(scope["headers"])
        caller = caller_of(headers.get(b"authorization", b""))
        name = None
        # A field that came twice is for the doors to make sense of.
        if caller is not None and len(headers) == len(scope["headers"]):
            if method == "GET":
                name = _name(scope, caller, headers)
            elif method == "POST" and path == GRAPHQL and _is_short(headers):
                receive, body = await _read(receive)
                name = _name(scope, caller, headers, headers.get(b"content-type", b"") + _digest(body))
        answer: Rendered | None = None if name is None else there.get(name)
        told = None if answer is None else _told(scope, headers, there, answer)
        if answer is None or told is None or refusals.wait_s(address_of(scope)) or requests.take(caller or b""):
            if name is not None:
                scope.setdefault("state", {})[RENDERED] = name
            await app(scope, receive, send)
            return
        request_id = request_id_of(headers.get(REQUEST_ID))
        status, head, body = OK, answer.head, answer.body
        known = headers.get(IF_NONE_MATCH_FIELD)
        if known is not None and method == "GET" and names(known, answer.etag):
            status, head, body = NOT_MODIFIED, answer.head_without_content, b""
        elapsed_ms = (time.perf_counter() - started) * 1_000
        fields = [*head, *told, (SERVER_TIMING, timing(0, 0.0, elapsed_ms)), (REQUEST_ID, request_id.encode())]
        try:
            await send({"type": "http.response.start", "status": status, "headers": fields})
            await send({"type": "http.response.body", "body": body, "more_body": False})
        finally:
            request_answered(request_id, method, path, status, 0, 0.0, elapsed_ms)

    return serve


def _told(scope: HTTPScope, headers: dict[bytes, bytes], rendered: Composites, answer: Rendered) -> Headers | None:
    """What the client is told that it has seen by now; None where the answer will not do for what it has."""
    if _TELLING.isdisjoint(headers):
        return answer.told
    given = token_sent(headers)
    try:
        token = answer.token if given is None else _parsed(given.decode("latin-1"))
    except ValueError:
        return None
    if not rendered.has_seen(token):
        return None
    return token_told(scope, headers, token.after(answer.token.epoch, answer.token.seen))


def _name(scope: Scope, caller: bytes, headers: dict[bytes, bytes], question: bytes = b"") -> str:
    """Of the answer; the path comes last because it can hold anything."""
    get = headers.get
    fields = (get(_ON_BEHALF_OF, b""), get(b"accept", b""), get(b"origin", b""))
    asked = b"\n".join((caller, *fields, scope["query_string"], question, b""))
    return asked.decode("latin-1") + scope["path"]


def _is_short(headers: dict[bytes, bytes]) -> bool:
    length = headers.get(b"content-length", b"")
    return length.isdigit() and len(length) < 10 and int(length) <= QUESTION_BYTES_MAX


async def _read(receive: Receive) -> tuple[Receive, bytes]:
    """The body, and a `receive` that gives it once more. The server holds it to its Content-Length."""
    messages: list[Message] = []
    body = b""
    while True:
        message: Any = await receive()
        messages.append(message)
        body += message.get("body", b"")
        if not message.get("more_body"):
            break

    async def receive_again() -> Any:
        return messages.pop(0) if messages else await receive()

    return receive_again, body


def _digest(body: bytes) -> bytes:
    return blake2b(body, digest_size=16).digest()
