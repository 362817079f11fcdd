"""Every failure a client can see, each with a code that never changes.

A `Problem` becomes one RFC 9457 document at the REST door and one error with the same code in GraphQL;
nothing below the doors knows HTTP, although each code names the status it stands for. Programmer errors are
plain asserts, not Problems.

    Problem
    ├── invalid_*      the request is wrong: which field, and what was expected
    ├── unauthorized, forbidden, not_found
    ├── conflict and its relatives
    └── rate_limited, unavailable
"""

import errno
from collections.abc import Collection, Mapping
from enum import Enum
from types import MappingProxyType
from typing import Any, Final

import msgspec


class Code(Enum):
    """Stable code -> (HTTP status, title). `docs/errors.md` has a heading for each."""

    INVALID_REQUEST = ("invalid_request", 400, "The request is not valid")
    INVALID_CURSOR = ("invalid_cursor", 400, "The cursor is not one of ours")
    INVALID_WINDOW = ("invalid_window", 400, "The time window is not valid")
    INVALID_RECURRENCE = ("invalid_recurrence", 400, "The recurrence is not valid")
    UNKNOWN_TIME_ZONE = ("unknown_time_zone", 400, "The time zone is not known")
    UNAUTHORIZED = ("unauthorized", 401, "A valid token is needed")
    FORBIDDEN = ("forbidden", 403, "The token does not allow this")
    NOT_FOUND = ("not_found", 404, "There is no such thing here")
    METHOD_NOT_ALLOWED = ("method_not_allowed", 405, "The method is not offered here")
    NOT_ACCEPTABLE = ("not_acceptable", 406, "No representation of that kind")
    CONFLICT = ("conflict", 409, "It is in conflict with what is there")
    ALREADY_EXISTS = ("already_exists", 409, "It exists already")
    ROOM_TAKEN = ("room_taken", 409, "The room is taken at that time")
    ROOM_CLOSED = ("room_closed", 409, "The room is closed at that time")
    POSITION_FORGOTTEN = ("position_forgotten", 410, "The log no longer reaches back to that position")
    PRECONDITION_FAILED = ("precondition_failed", 412, "It has changed since it was read")
    PAYLOAD_TOO_LARGE = ("payload_too_large", 413, "The body is too large")
    UNSUPPORTED_MEDIA_TYPE = ("unsupported_media_type", 415, "The body is of a kind that is not read here")
    WINDOW_TOO_LARGE = ("window_too_large", 422, "The window holds more than one answer can")
    IDEMPOTENCY_KEY_REUSED = ("idempotency_key_reused", 422, "The key belongs to another request")
    RATE_LIMITED = ("rate_limited", 429, "Too many requests")
    INTERNAL = ("internal", 500, "Yotei failed; the fault is ours")
    UNAVAILABLE = ("unavailable", 503, "The database cannot be reached")

    def __init__(self, code: str, status: int, title: str) -> None:
        self.code = code
        self.status = status
        self.title = title


class Fault(msgspec.Struct, frozen=True, omit_defaults=True):
    """One field that is wrong: its path (`query.start`, `body.attendees[1].email`) and what was expected."""

    field: str
    detail: str


class Problem(Exception):
    """A failure that the caller is told about.

    `detail` is a sentence for people and never holds what the caller may not see; `faults` name fields;
    `retry_after_s` is set where trying again later makes sense, `more` holds what a code adds to the document.
    """

    def __init__(
        self,
        code: Code,
        detail: str,
        *,
        faults: tuple[Fault, ...] = (),
        retry_after_s: int | None = None,
        more: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        super().__init__(detail)
        self.code: Final = code
        self.detail: Final = detail
        self.faults: Final = faults
        self.retry_after_s: Final = retry_after_s
        self.more: Final = more


def invalid(field: str, detail: str, *, code: Code = Code.INVALID_REQUEST) -> Problem:
    """One wrong field of a request."""
    return Problem(code, f"{field}: {detail}", faults=(Fault(field, detail),))


def not_found(kind: str) -> Problem:
    """Said alike of what is not there and of what the caller may not know to be there."""
    return Problem(Code.NOT_FOUND, f"There is no such {kind}, or it is not shared with you.")


def first_of(error: BaseException) -> BaseException:
    """The error itself, or the first of a group of them."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def kind_of(error: BaseException) -> str:
    """What somebody else's server failed of, for a log: by name, since the text of a driver may hold an address.

    Where there is an error of the system below it, the name of that.
    """
    error = first_of(error)
    below: BaseException | None = error
    while below is not None:
        if isinstance(below, OSError) and below.errno:
            return type(below).__name__ if type(below) is not OSError else errno.errorcode.get(below.errno, "OSError")
        below = below.__cause__ or (None if below.__suppress_context__ else below.__context__)
    return type((error.__cause__ if isinstance(error, Problem) else None) or error).__name__


def expect_version(version: int, expected: Collection[int] | None) -> None:
    """Problem `precondition_failed` unless the version of a locked row is one of those that the caller has seen."""
    if expected is not None and version not in expected:
        raise Problem(Code.PRECONDITION_FAILED, f"It is at version {version} by now; read it again and decide anew.")
