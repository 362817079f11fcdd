"""A rate limit for each token, or each address where there is none: a token bucket, kept by this process.

With several workers each has its own buckets: the limit of the whole is up to `workers` times as high.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from hashlib import blake2b
from typing import Any, Final

from litestar import Request
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from yotei.api.auth import bearer
from yotei.api.problems import answer_problem
from yotei.errors import Code, Problem

BUCKETS_MAX: Final = 50_000
"""Callers remembered; the one not seen for longest is forgotten, which at worst gives it a full bucket again."""

TRY_AGAIN_LATER: Final = 1013
"""The close code of a socket that is 429 elsewhere (IANA's registry of RFC 6455)."""
REFUSED_CODES: Final = frozenset({4401, 4403})
"""Close codes that are 401 elsewhere."""

OPEN_PATHS: Final = frozenset({"/healthz", "/readyz"})


class Buckets:
    """For each caller: how many requests it has left, and since when."""

    def __init__(self, *, rate_per_s: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate_per_s = rate_per_s
        self._burst = float(burst)
        self._clock = clock
        self._left: OrderedDict[bytes, tuple[float, float]] = OrderedDict()

    def wait_s(self, caller: bytes) -> float:
        """Seconds until there is a request left; takes nothing."""
        if caller not in self._left:
            return 0.0
        return self._wait_s(self._level(caller, self._clock()))

    def take(self, caller: bytes) -> float:
        """Take one request; 0, or the seconds after which there will be one again."""
        now = self._clock()
        left = self._level(caller, now)
        wait_s = 0.0 if left >= 1 else self._wait_s(left)
        self._left[caller] = (left - 1 if wait_s == 0 else left, now)
        self._left.move_to_end(caller)
        if len(self._left) > BUCKETS_MAX:
            self._left.popitem(last=False)
        return wait_s

    def _level(self, caller: bytes, now: float) -> float:
        before = self._left.get(caller)
        if before is None:
            return self._burst
        left = before[0] + (now - before[1]) * self._rate_per_s
        return left if left < self._burst else self._burst

    def _wait_s(self, left: float) -> float:
        return 0.0 if left >= 1 else (1 - left) / self._rate_per_s


def rate_limited(app: ASGIApp, requests: Buckets, refusals: Buckets) -> ASGIApp:
    """Refuse with 429 and Retry-After before anything is read or asked.

    `requests` counts by token; `refusals` counts answers of 401 by address, so that made-up tokens run out. Of a socket
    the handshake is a request and each message another one.
    """

    async def limit_socket(scope: Scope, receive: Receive, send: Send) -> None:
        address = address_of(scope)
        caller = _token(scope) or address
        is_over = False

        async def receive_counted() -> Any:
            nonlocal is_over
            message = await receive()
            if message["type"] == "websocket.receive" and not is_over and requests.take(caller) > 0:
                is_over = True
                await send({"type": "websocket.close", "code": TRY_AGAIN_LATER, "reason": "Too many messages"})
                return {"type": "websocket.disconnect", "code": TRY_AGAIN_LATER}
            return message

        async def send_counted(message: Message) -> None:
            if message["type"] == "websocket.close" and message.get("code") in REFUSED_CODES:
                refusals.take(address)
            if not is_over:
                await send(message)

        if refusals.wait_s(address) or requests.take(caller):
            await receive()
            await send({"type": "websocket.close", "code": TRY_AGAIN_LATER, "reason": "Too many requests"})
            return
        await app(scope, receive_counted, send_counted)

    async def limit(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.WEBSOCKET:
            await limit_socket(scope, receive, send)
            return
        if scope["type"] != ScopeType.HTTP or scope["path"] in OPEN_PATHS:
            await app(scope, receive, send)
            return
        address = address_of(scope)

        async def send_counted(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == Code.UNAUTHORIZED.status:
                refusals.take(address)
            await send(message)

        wait_s = refusals.wait_s(address) or requests.take(_token(scope) or address)
        if wait_s == 0:
            await app(scope, receive, send_counted)
            return
        seconds = int(wait_s) + 1
        problem = Problem(Code.RATE_LIMITED, f"Too many requests; come back in {seconds} s.", retry_after_s=seconds)
        request: Request[Any, Any, Any] = Request(scope, receive, send)
        response = answer_problem(request, problem).to_asgi_response(None, request)
        await response(scope, receive, send)

    return limit


def caller_of(authorization: bytes) -> bytes | None:
    """Of a token, from its header. Never the token itself: what is remembered by it may be dumped."""
    try:
        return blake2b(bearer(authorization.decode("latin-1")).encode(), digest_size=16).digest()
    except Problem:
        return None


def address_of(scope: Scope) -> bytes:
    client = scope.get("client")
    return client[0].encode() if client else b""


def _token(scope: Scope) -> bytes | None:
    for name, value in scope["headers"]:
        if name == b"authorization":
            return caller_of(value)
    return None
