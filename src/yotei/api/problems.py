"""Every failure leaves the REST door as one RFC 9457 document, `application/problem+json`.

Problems come from below with their code; what the framework refuses (a path that is not there, a body that does not
fit) is given the code that it means. Anything else is a fault of ours: logged in full, told as `internal` and no more.
"""

import re
import traceback
from collections.abc import Iterator
from typing import Any, Final

import msgspec
import structlog
from litestar import Request, Response
from litestar.connection import ASGIConnection
from litestar.exceptions import HTTPException, ValidationException
from litestar.openapi.datastructures import ResponseSpec

from yotei.errors import Code, Fault, Problem

MEDIA_TYPE: Final = "application/problem+json"
TYPE_BASE: Final = "/docs/errors#"

log = structlog.get_logger()


class ProblemDocument(msgspec.Struct, frozen=True, omit_defaults=True):
    """RFC 9457; `code` never changes, `faults` name the fields that are wrong, `request_id` finds the log line."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    request_id: str
    faults: tuple[Fault, ...] = ()
    conflicts: Any = msgspec.UNSET
    alternatives: Any = msgspec.UNSET


_BY_STATUS: Final = {
    400: Code.INVALID_REQUEST,
    401: Code.UNAUTHORIZED,
    403: Code.FORBIDDEN,
    404: Code.NOT_FOUND,
    405: Code.METHOD_NOT_ALLOWED,
    406: Code.NOT_ACCEPTABLE,
    413: Code.PAYLOAD_TOO_LARGE,
    415: Code.UNSUPPORTED_MEDIA_TYPE,
}


_DETAILS: Final = {
    Code.NOT_FOUND: "There is nothing at this path.",
    Code.PAYLOAD_TOO_LARGE: "The body is larger than this server takes (`limits.body_bytes_max`).",
    Code.METHOD_NOT_ALLOWED: "This path does not take this method; `Allow` lists those that it does.",
}


def answer_problem(request: Request[Any, Any, Any], error: Exception) -> Response[ProblemDocument]:
    """The handler of every exception of the application."""
    problem, headers = as_problem(error)
    if problem.code is Code.INTERNAL:
        log.error("request_failed", path=request.url.path, exc_info=error)
    if problem.retry_after_s is not None:
        headers["Retry-After"] = str(problem.retry_after_s)
    if problem.code is Code.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return Response(
        document(problem, request_id(request)),
        status_code=problem.code.status,
        headers=headers,
        media_type=MEDIA_TYPE,
    )


def document(problem: Problem, request_id: str) -> ProblemDocument:
    code = problem.code
    return ProblemDocument(
        f"{TYPE_BASE}{code.code}",
        code.title,
        code.status,
        code.code,
        problem.detail,
        request_id,
        problem.faults,
        **problem.more,
    )


def as_problem(error: Exception) -> tuple[Problem, dict[str, str]]:
    """What a failure means to the caller, with the headers that belong to it (`Allow` of a 405)."""
    if isinstance(error, Problem):
        return error, {}
    if isinstance(error, ValidationException):
        faults = tuple(_faults(error.extra)) or tuple(_missing(error.detail))
        detail = "; ".join(f"{fault.field}: {fault.detail}" for fault in faults) or error.detail
        return Problem(Code.INVALID_REQUEST, detail, faults=faults), {}
    if isinstance(error, HTTPException) and error.status_code in _BY_STATUS:
        code = _BY_STATUS[error.status_code]
        return Problem(code, _DETAILS.get(code, error.detail or code.title)), dict(error.headers or {})
    if isinstance(error, UnicodeDecodeError) and _raised_in(error) == "decode_json":
        return Problem(Code.INVALID_REQUEST, "The body is not UTF-8."), {}
    if isinstance(error, RecursionError) and _raised_in(error) == "decode_json":
        # The decoder goes as deep as the stack of the interpreter, and says no more than that.
        return Problem(Code.INVALID_REQUEST, "The body is nested too deeply."), {}
    return Problem(Code.INTERNAL, "Something failed that should not have. The request id finds it in the log."), {}


def _raised_in(error: BaseException) -> str:
    """The function of the framework, or of ours, that the failure came out of."""
    return traceback.extract_tb(error.__traceback__)[-1].name


def request_id(request: ASGIConnection[Any, Any, Any, Any]) -> str:
    return str(request.scope.get("state", {}).get("request_id", "-"))


def _faults(extra: object) -> list[Fault]:
    if not isinstance(extra, list):
        return []
    found = []
    for one in extra:
        source = getattr(one.get("source"), "value", one.get("source")) or "body"
        key = one.get("key") or ""
        # The framework calls the body `data`, here and in its messages.
        path = source if key in ("", "data") else f"{source}.{key}"
        found.append(_fault(_SENT_AS.get(path, path), one["message"]))
    return found


def _fault(path: str, message: str) -> Fault:
    if message == "'data'":
        return Fault(path, "a body is needed")
    # What is not there has no place of its own: the decoder names the object around it, and the field in its sentence.
    named = _NAMED.match(message)
    if named is None:
        return Fault(path, message)
    return Fault(
        f"{path}.{named[2]}", "this has to be given" if named[1] == "missing required" else "there is no such field"
    )


# The framework names a parameter as the function does.
_SENT_AS: Final = {
    "query.extent": "query.scope",
    "header.idempotency_key": "header.Idempotency-Key",
    "header.if_match": "header.If-Match",
}
_NAMED: Final = re.compile(r"Object (missing required|contains unknown) field `([^`]*)`")


def _missing(detail: str) -> Iterator[Fault]:
    """The framework names a parameter that has to be there in its sentence only."""
    found = re.match(r"Missing required (query|header|cookie) parameter '([^']*)'", detail)
    if found is not None:
        yield Fault(f"{found[1]}.{found[2]}", "this has to be given")


def _spec(description: str) -> ResponseSpec:
    return ResponseSpec(ProblemDocument, media_type=MEDIA_TYPE, description=description, generate_examples=False)


def refusals(*statuses: int) -> dict[int, ResponseSpec]:
    """The failures of a route for its description; those that every route shares are always there."""
    return {status: _spec(_MEANINGS[status]) for status in sorted({400, 401, 403, 429, 503, *statuses})}


_MEANINGS: Final = {
    400: "Something in the request is not valid; `faults` names each field.",
    401: "No token, or one that is not valid.",
    403: "The token or the role does not allow this.",
    404: "It is not there, or not shared with the caller.",
    409: "In conflict with what is there.",
    410: "The log no longer reaches back to that position; start over.",
    412: "It has changed since it was read (`If-Match`).",
    413: "The body is too large.",
    415: "The body is not JSON.",
    422: "More than one answer can hold, or an `Idempotency-Key` that belongs to another request.",
    429: "Too many requests; `Retry-After` says when to come back.",
    503: "The database cannot be reached; `Retry-After` says when to come back.",
}
