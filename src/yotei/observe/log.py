"""Logs: columns for people at a terminal, one JSON object a line for machines.

An event is a fact in the past tense (`cache_purged`), its data in fields. Addresses, tokens and titles never go in;
as a last guard, fields with the names of secrets are masked, and so is what looks like a token, as in a path.
"""

import asyncio
import logging
import re
import sys
import time
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any, Final, Literal, TextIO

import msgspec
import structlog
from structlog.tracebacks import ExceptionDictTransformer

MASK: Final = "********"
_TOKEN: Final = re.compile(r"yotei_[A-Za-z0-9_-]+")
HELD_S: Final = 0.02
HELD_MAX: Final = 200
"""Lines of requests that wait to be written."""
MASKED: Final = frozenset({"authorization", "token", "password", "secret", "email", "url"})


class _RequestAnswered(msgspec.Struct, gc=False):
    request_id: str
    method: str
    path: str
    status: int
    statements: int
    db_ms: float
    elapsed_ms: float
    event: str
    level: str
    timestamp: datetime


Held = tuple[str, str, str, int, int, float, float, float]
"""What `request_answered` is told, and when: seconds since 1970."""


class _Lines:
    """A text stream before another one: lines of requests are made and written together, a moment later; before any
    other line at the latest. Line by line both take several times as long."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._held: list[Held] = []

    def hold(self, line: Held) -> None:
        held = self._held
        held.append(line)
        if len(held) == 1:
            try:
                asyncio.get_running_loop().call_later(HELD_S, self.settle)
            except RuntimeError:
                self.settle()
        elif len(held) >= HELD_MAX:
            self.settle()

    def settle(self) -> None:
        if self._held:
            held, self._held = self._held, []
            self._stream.write(_encoder.encode_lines(list(map(_line, held))).decode())
            self._stream.flush()

    def write(self, text: str) -> int:
        self.settle()
        return self._stream.write(text)

    def flush(self) -> None:
        self._stream.flush()


_encoder: Final = msgspec.json.Encoder()
_lines = _Lines(sys.stderr)
_is_json = False
_is_told = True
"""Whether lines of requests are written at all."""


def configure(*, format: Literal["auto", "console", "json"], level: str) -> None:
    """Set up logging of this process, to standard error."""
    global _lines, _is_json, _is_told
    _lines = _Lines(sys.stderr)
    as_json = format == "json" or (format == "auto" and not sys.stderr.isatty())
    _is_json, _is_told = as_json, getattr(logging, level.upper()) <= logging.INFO
    # Tracebacks without the values of local variables: those hold tokens and what people wrote.
    plain = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    renderer = structlog.processors.JSONRenderer() if as_json else plain
    errors = [structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False))] if as_json else []
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            mask,
            *errors,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(_lines),  # type: ignore[arg-type]
        cache_logger_on_first_use=True,
    )


def request_answered(
    request_id: str, method: str, path: str, status: int, statements: int, db_ms: float, elapsed_ms: float
) -> None:
    """The line of every request. In JSON it is written past the processors, which take longer than many an answer."""
    if not _is_told:
        return
    if _is_json:
        _lines.hold((request_id, method, path, status, statements, db_ms, elapsed_ms, time.time()))
        return
    structlog.get_logger().info(
        "request_answered",
        request_id=request_id,
        method=method,
        path=path,
        status=status,
        statements=statements,
        db_ms=round(db_ms, 2),
        elapsed_ms=round(elapsed_ms, 2),
    )


def _line(held: Held) -> _RequestAnswered:
    request_id, method, path, status, statements, db_ms, elapsed_ms, at_s = held
    if "yotei_" in path:
        path = _TOKEN.sub(MASK, path)
    spent = (round(db_ms, 2), round(elapsed_ms, 2))
    at = datetime.fromtimestamp(at_s, UTC)
    return _RequestAnswered(request_id, method, path, status, statements, *spent, "request_answered", "info", at)


def flush() -> None:
    """Write what waits; for the end of a process that serves."""
    _lines.settle()


def mask(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name in MASKED.intersection(event):
        event[name] = MASK
    for name, value in event.items():
        if isinstance(value, str) and "yotei_" in value:
            event[name] = _TOKEN.sub(MASK, value)
    return event
