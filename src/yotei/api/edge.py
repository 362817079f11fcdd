"""What surrounds every request that reaches the doors: the reads that it is given, what the client is told about them,
whether the answer has to be sent at all, and whether it is kept for those who ask again (`api.rendered`).

Yotei-Token       what the client has seen; sent back, it is shown at least that much, on any node. A browser asks for
                  it as a cookie by `Yotei-Token-Cookie: 1`, and sends that back by itself; the header counts more
Cache-Status      how it was answered (RFC 9211)
ETag              of what the doors tag; 304 where `If-None-Match` names it (RFC 9110, section 13.1.2)
"""

from collections.abc import Iterable
from typing import Any, Final

import msgspec
from litestar import Request
from litestar.datastructures import State
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from yotei.api.conditional import matches
from yotei.api.problems import answer_problem
from yotei.cache.composites import Composites
from yotei.cache.reads import Reads, reading_of_request
from yotei.cache.token import Token
from yotei.errors import Code, Problem, invalid
from yotei.observe import budget
from yotei.storage.pool import Source

TOKEN: Final = "Yotei-Token"  # noqa: S105
TOKEN_FIELD: Final = TOKEN.lower().encode()
COOKIE_WANTED_FIELD: Final = b"yotei-token-cookie"
IF_NONE_MATCH_FIELD: Final = b"if-none-match"
ORIGIN_FIELD: Final = b"origin"
CACHE_STATUS_FIELD: Final = b"cache-status"
OK: Final = 200
NOT_MODIFIED: Final = 304
RENDERED: Final = "rendered"
"""In the state of a request: the name by which its answer may be kept."""
_COOKIE: Final = f"{TOKEN}=".encode()
_VARY_OF_CORS: Final = (b"vary", b"Origin")
"""Which Litestar puts in the place of ours."""
_VARY: Final = (b"vary", b"Origin, Accept, Accept-Encoding, Authorization, Yotei-On-Behalf-Of")
_OF_CONTENT: Final = frozenset({b"content-type", b"content-length"})

Headers = list[tuple[bytes, bytes]]


class Rendered(msgspec.Struct, frozen=True, gc=False):
    """An answer of status 200 as it was sent, without what is told of one request alone."""

    etag: bytes
    body: bytes
    head: Headers
    head_without_content: Headers
    token: Token
    told: Headers

    @classmethod
    def of(cls, etag: bytes, body: bytes, head: Iterable[tuple[bytes, bytes]], token: Token) -> "Rendered":
        whole = [*head, (CACHE_STATUS_FIELD, b'yotei; hit; detail="rendered"')]
        told = [(TOKEN_FIELD, str(token).encode())]
        return cls(etag, body, whole, _without_content(whole), token, told)

    @property
    def size_bytes(self) -> int:
        """About: names of fields are shared."""
        return len(self.body) + sum(len(value) for _, value in (*self.head, *self.told))


def edge(app: ASGIApp, state: State) -> ASGIApp:
    """Wrap the application; `state` holds the `caching` of the worker, None where there is none."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await app(scope, receive, send)
            return
        caching = state.get("caching")
        if caching is None:
            await app(scope, receive, _Answering(scope, send).send)
            return
        request: Request[Any, Any, Any] = Request(scope, receive, send)
        try:
            reads = await _begun(caching, dict(scope["headers"]))
        except Problem as problem:
            response = answer_problem(request, problem).to_asgi_response(None, request)
            await response(scope, receive, send)
            return
        scope["state"]["reads"] = reads
        with reading_of_request(reads.reading):
            await app(scope, receive, _Answering(scope, send, reads, caching.rendered).send)

    return serve


def source_of(request: Request[Any, Any, Any]) -> Source:
    """What the request reads from: the cache, or the database where there is none."""
    reads: Source | None = request.scope["state"].get("reads")
    return request.app.state.database if reads is None else reads


def names(if_none_match: bytes, etag: bytes) -> bool:
    """As `conditional.matches`, at once where it is that tag alone."""
    return if_none_match == etag or matches(if_none_match.decode("latin-1"), etag.decode("latin-1"))


def token_sent(headers: dict[bytes, bytes]) -> bytes | None:
    """What the client says that it has seen, by header or else by cookie."""
    given = headers.get(TOKEN_FIELD)
    return _of_cookie(headers) if given is None else given


def token_told(scope: HTTPScope, headers: dict[bytes, bytes], token: Token) -> Headers:
    """The fields that tell a client what it has seen by now."""
    text = str(token)
    told = [(TOKEN_FIELD, text.encode())]
    if headers.get(COOKIE_WANTED_FIELD) == b"1":
        secure = "; Secure" if scope["scheme"] == "https" else ""
        told.append((b"set-cookie", f"{TOKEN}={text}; Path=/; HttpOnly; SameSite=Lax{secure}".encode()))
    return told


class _Answering:
    """One answer on its way. It waits for its content where that may not have to be sent, or may be kept, or where
    something else may be sent in its place."""

    def __init__(
        self, scope: HTTPScope, send: Send, reads: Reads | None = None, rendered: Composites | None = None
    ) -> None:
        self._scope = scope
        self._send = send
        self._reads = reads
        self._rendered = rendered
        self._headers = dict(scope["headers"])
        self._start: Any = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            if ORIGIN_FIELD in self._headers:
                message["headers"] = [_VARY if one == _VARY_OF_CORS else one for one in message["headers"]]
            if (message["status"] == OK and _etag(message)) or message["status"] == Code.UNAVAILABLE.status:
                self._start = message
            else:
                await self._begin(message)
        elif self._start is None:
            await self._send(message)
        else:
            start, self._start = self._start, None
            if message["type"] == "http.response.body" and not message.get("more_body"):
                await self._finish(start, message.get("body", b""))
            else:
                await self._begin(start)
                await self._send(message)

    async def _finish(self, start: Any, body: bytes) -> None:
        etag = _etag(start)
        if etag is None:
            if await self._give_stale():
                return
        else:
            self._keep(etag, start["headers"], body)
            given = self._headers.get(IF_NONE_MATCH_FIELD)
            if (
                given is not None
                and self._scope["method"] == "GET"
                and matches(given.decode("latin-1"), etag.decode("latin-1"))
            ):
                start, body = {**start, "status": NOT_MODIFIED, "headers": _without_content(start["headers"])}, b""
        await self._begin(start)
        await self._send({"type": "http.response.body", "body": body, "more_body": False})

    async def _begin(self, start: Any) -> None:
        told = [] if self._reads is None else await _told(self._scope, self._headers, self._reads, start["status"])
        start["headers"] = [*start["headers"], *told]
        await self._send(start)

    def _keep(self, etag: bytes, head: Headers, body: bytes) -> None:
        """What took no statement: then all that was read came through the cache, and what nobody asks for a second
        time takes no room."""
        name, ledger = self._scope["state"].get(RENDERED), budget.current()
        if name is None or self._rendered is None or self._reads is None or ledger is None or ledger.statements:
            return
        reading = self._reads.reading
        if reading.used:
            answer = Rendered.of(etag, body, head, self._rendered.token(reading))
            self._rendered.keep(name, answer, answer.size_bytes, reading)

    async def _give_stale(self) -> bool:
        """While PostgreSQL is away, what was sent before, marked; not to who has to be shown what he has seen."""
        name = self._scope["state"].get(RENDERED)
        if name is None or self._rendered is None or self._reads is None or self._reads.reading.token is not None:
            return False
        found = self._rendered.stale(name)
        if found is None:
            return False
        answer, age_s = found
        head = [one for one in answer.head if one[0] != CACHE_STATUS_FIELD]
        head += [(CACHE_STATUS_FIELD, b'yotei; hit; stale; detail="rendered"'), (b"age", str(int(age_s)).encode())]
        await self._send({"type": "http.response.start", "status": OK, "headers": head})
        await self._send({"type": "http.response.body", "body": answer.body, "more_body": False})
        return True


async def _begun(caching: Any, headers: dict[bytes, bytes]) -> Reads:
    """The reads of a request that has seen what the client has. Problem `invalid_request` for a token that nobody was
    given; such a cookie is as none, since its browser can do nothing about it."""
    given = token_sent(headers)
    try:
        reads: Reads = caching.reads(None if given is None else Token.parse(given.decode("latin-1")))
        await reads.begin()
    except ValueError as error:
        if TOKEN_FIELD in headers:
            raise invalid(f"header.{TOKEN}", f"expected a token that was given: {error}") from None
        reads = caching.reads(None)
    return reads


async def _told(scope: HTTPScope, headers: dict[bytes, bytes], reads: Reads, status: int) -> Headers:
    reading, token = reads.reading, await reads.token()
    told = [] if token is None else token_told(scope, headers, token)
    if status == Code.UNAVAILABLE.status:
        return told  # whose token it was may have come out of the cache, the answer did not
    if reading.used:
        detail = f'"l1={reading.hits_l1} l2={reading.hits_l2} db={reading.loads}"'
        stale = "; stale" if reading.stale_age_s is not None else ""
        how = "fwd=bypass" if reading.xid or not reads.is_whole else "fwd=miss" if reading.loads else "hit"
        told.append((CACHE_STATUS_FIELD, f"yotei; {how}{stale}; detail={detail}".encode()))
    if reading.stale_age_s is not None:
        told.append((b"age", str(int(reading.stale_age_s)).encode()))
    return told


def _of_cookie(headers: dict[bytes, bytes]) -> bytes | None:
    cookies = headers.get(b"cookie")
    if cookies is None or _COOKIE not in cookies:
        return None
    for one in cookies.split(b";"):
        name, _, value = one.strip().partition(b"=")
        if name == TOKEN.encode():
            return value
    return None


def _etag(start: Any) -> bytes | None:
    return next((value for name, value in start["headers"] if name == b"etag"), None)


def _without_content(head: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Of a 304: what would tell of the content is left out (RFC 9110, section 15.4.5)."""
    return [one for one in head if one[0] not in _OF_CONTENT]
