"""Logs: columns for people at a terminal, one JSON object a line for machines.

An event is a fact in the past tense (`cache_purged`), its data in fields. Addresses, tokens and titles never go in;
as a last guard, fields with the names of secrets are masked, and so is what looks like a token, as in a path.
"""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, Final, Literal

import structlog
from structlog.tracebacks import ExceptionDictTransformer

MASK: Final = "********"
_TOKEN: Final = re.compile(r"yotei_[A-Za-z0-9_-]+")
MASKED: Final = frozenset({"authorization", "token", "password", "secret", "email", "url"})


def configure(*, format: Literal["auto", "console", "json"], level: str) -> None:
    """Set up logging of this process, to standard error."""
    as_json = format == "json" or (format == "auto" and not sys.stderr.isatty())
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
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def mask(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name in MASKED.intersection(event):
        event[name] = MASK
    for name, value in event.items():
        if isinstance(value, str) and "yotei_" in value:
            event[name] = _TOKEN.sub(MASK, value)
    return event
