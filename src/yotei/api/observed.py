"""The outermost layer: gives every request an id, counts its statements, says so in `Server-Timing`, logs one line.

Server-Timing: db;dur=1.24;desc="2 statements", total;dur=3.10        (W3C Server-Timing)
"""

import random
import re
import time
from typing import Final

import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from yotei.observe import budget
from yotei.observe.log import request_answered

REQUEST_ID: Final = b"x-request-id"
SERVER_TIMING: Final = b"server-timing"
_WRITES: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_GIVEN_ID: Final = re.compile(rb"[A-Za-z0-9._-]{8,64}")

log = structlog.get_logger()


def observed(app: ASGIApp, *, statements_max: int, write_statements_max: int, strict: bool) -> ASGIApp:
    """Wrap the application; in strict mode the statement beyond the bound is refused, else it is logged."""

    async def observe(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.WEBSOCKET:
            await _observe_socket(app, scope, receive, send)
            return
        if scope["type"] != ScopeType.HTTP:
            await app(scope, receive, send)
            return
        started = time.perf_counter()
        request_id = request_id_of(_given(scope))
        # Servers need not give a state (ASGI 3.0).
        scope.setdefault("state", {})["request_id"] = request_id
        status = 0
        # A GraphQL document says itself whether it writes; its door widens the budget then.
        writes = scope["method"] in _WRITES and scope["path"] != "/graphql"
        most = write_statements_max if writes else statements_max

        async def send_timed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message["headers"],
                    (SERVER_TIMING, timing(ledger.statements, ledger.elapsed_ms, _since_ms(started))),
                    (REQUEST_ID, request_id.encode()),
                ]
            await send(message)

        with (
            structlog.contextvars.bound_contextvars(request_id=request_id),
            budget.open_ledger(statements_max=most if strict else None, expected_max=most) as ledger,
        ):
            try:
                await app(scope, receive, send_timed)
            finally:
                request_answered(
                    request_id,
                    scope["method"],
                    scope["path"],
                    status,
                    ledger.statements,
                    ledger.elapsed_ms,
                    _since_ms(started),
                )
                if ledger.statements > (ledger.expected_max or 0):
                    log.warning("statement_budget_exceeded", spent=[one.name for one in ledger.spent])

    return observe


def request_id_of(given: bytes | None) -> str:
    """The caller's own id where it is a harmless one, so that logs of both sides can be joined."""
    if given is not None and _GIVEN_ID.fullmatch(given):
        return given.decode()
    return f"{random.getrandbits(128):032x}"


def timing(statements: int, db_ms: float, total_ms: float) -> bytes:
    """The value of `Server-Timing`."""
    plural = "" if statements == 1 else "s"
    return f'db;dur={db_ms:.2f};desc="{statements} statement{plural}", total;dur={total_ms:.2f}'.encode()


async def _observe_socket(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """A socket has an id and a line too; what it sends statements for, it counts itself."""
    started = time.perf_counter()
    request_id = request_id_of(_given(scope))
    scope.setdefault("state", {})["request_id"] = request_id
    with structlog.contextvars.bound_contextvars(request_id=request_id):
        try:
            await app(scope, receive, send)
        finally:
            log.info("socket_served", path=scope["path"], elapsed_ms=round(_since_ms(started), 2))


def _given(scope: Scope) -> bytes | None:
    return next((value for name, value in scope["headers"] if name == REQUEST_ID), None)


def _since_ms(started: float) -> float:
    return (time.perf_counter() - started) * 1_000
