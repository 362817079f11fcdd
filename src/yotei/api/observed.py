"""The outermost layer: gives every request an id, counts its statements, says so in `Server-Timing`, logs one line.

Server-Timing: db;dur=1.24;desc="2 statements", total;dur=3.10        (W3C Server-Timing)
"""

import re
import time
from typing import Final
from uuid import uuid4

import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from yotei.observe import budget

REQUEST_ID: Final = b"x-request-id"
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
        request_id = _request_id(scope)
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
                total_ms = (time.perf_counter() - started) * 1_000
                plural = "" if ledger.statements == 1 else "s"
                spent = f'db;dur={ledger.elapsed_ms:.2f};desc="{ledger.statements} statement{plural}"'
                timing = f"{spent}, total;dur={total_ms:.2f}"
                message["headers"] = [
                    *message["headers"],
                    (b"server-timing", timing.encode()),
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
                log.info(
                    "request_answered",
                    method=scope["method"],
                    path=scope["path"],
                    status=status,
                    statements=ledger.statements,
                    db_ms=round(ledger.elapsed_ms, 2),
                    elapsed_ms=round((time.perf_counter() - started) * 1_000, 2),
                )
                if ledger.statements > (ledger.expected_max or 0):
                    log.warning("statement_budget_exceeded", spent=[one.name for one in ledger.spent])

    return observe


async def _observe_socket(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """A socket has an id and a line too; what it sends statements for, it counts itself."""
    started = time.perf_counter()
    request_id = _request_id(scope)
    scope.setdefault("state", {})["request_id"] = request_id
    with structlog.contextvars.bound_contextvars(request_id=request_id):
        try:
            await app(scope, receive, send)
        finally:
            elapsed_ms = round((time.perf_counter() - started) * 1_000, 2)
            log.info("socket_served", path=scope["path"], elapsed_ms=elapsed_ms)


def _request_id(scope: Scope) -> str:
    """The caller's own id where it is a harmless one, so that logs of both sides can be joined."""
    for name, value in scope["headers"]:
        if name == REQUEST_ID and _GIVEN_ID.fullmatch(value):
            return str(value.decode())
    return uuid4().hex
