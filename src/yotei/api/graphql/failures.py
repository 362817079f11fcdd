"""What a failure looks like in `errors`: a sentence, where in the document and in the answer, and a code that never
changes in `extensions.code`, the same as at the REST door. What is not a Problem is a fault of ours: logged in full,
told as `internal` and no more.
"""

import re
from collections.abc import Iterable
from typing import Any, Final

import msgspec
import structlog
from graphql import GraphQLError

from yotei.api.graphql.naming import input_field, sentence
from yotei.breadth import OverBudget
from yotei.errors import Code, Fault, Problem

PARSE_FAILED: Final = "graphql_parse_failed"
VALIDATION_FAILED: Final = "graphql_validation_failed"
LIMIT_EXCEEDED: Final = "graphql_limit_exceeded"
DOCUMENT_UNKNOWN: Final = "graphql_document_unknown"
DOCUMENT_NOT_TRUSTED: Final = "graphql_document_not_trusted"
TIMED_OUT: Final = "graphql_timed_out"

_SUGGESTION: Final = re.compile(r" Did you mean [^?]*\?")

_INTERNAL_DETAIL: Final = "Something failed that should not have. The request id finds it in the log."

_ARGUMENTS: Final = {"limit": "first", "cursor": "after", "seats_min": "seatsMin", "resource_ids": "resourceIds"}
"""Arguments that are called something else in a query string."""

log = structlog.get_logger()


def refused(error: GraphQLError, code: str) -> GraphQLError:
    """A refusal of the document by the library, with its code."""
    error.extensions = {"code": code}
    return error


def too_large(detail: str) -> GraphQLError:
    """A refusal of a document that is out of bounds."""
    return GraphQLError(detail, extensions={"code": LIMIT_EXCEEDED})


def without_operation(name: str | None) -> GraphQLError:
    """A refusal of a request that does not say which operation of its document it wants."""
    detail = "expected the name of an operation of the document" if name else "the document holds several operations"
    return GraphQLError(f"operationName: {detail}", extensions={"code": Code.INVALID_REQUEST.code})


def document_unknown() -> GraphQLError:
    """A refusal of a hash. The message is not a sentence: it is the word that clients with automatically persisted
    queries know, and send the text after."""
    return GraphQLError("PersistedQueryNotFound", extensions={"code": DOCUMENT_UNKNOWN})


def not_trusted() -> GraphQLError:
    """A refusal of a text where only trusted documents are executed."""
    return GraphQLError(
        "Only trusted documents are executed here; name one by its hash.", extensions={"code": DOCUMENT_NOT_TRUSTED}
    )


def timed_out(timeout_ms: int) -> GraphQLError:
    """What is told of an operation that was ended."""
    detail = f"The operation was ended after {timeout_ms} ms. Of a mutation, what was committed before stays."
    return GraphQLError(detail, extensions={"code": TIMED_OUT})


def told(errors: Iterable[GraphQLError], request_id: str, *, suggest: bool = True) -> list[dict[str, Any]]:
    """The entries of `errors`; faults of ours are logged here. Without `suggest` no name of the schema is offered."""
    return [_told(error, request_id, suggest) for error in errors]


def _told(error: GraphQLError, request_id: str, suggest: bool) -> dict[str, Any]:
    cause = _cause(error)
    if isinstance(cause, Problem):
        message, extensions = _of_problem(cause)
    elif isinstance(error, OverBudget):
        message, extensions = error.message, {"code": LIMIT_EXCEEDED, **(error.extensions or {})}
    elif cause is None:
        message = error.message if suggest else _SUGGESTION.sub("", error.message)
        extensions = error.extensions or {"code": Code.INVALID_REQUEST.code}
    else:
        message, extensions = _INTERNAL_DETAIL, {"code": Code.INTERNAL.code}
    if extensions["code"] == Code.INTERNAL.code:
        extensions = {**extensions, "requestId": request_id}
        log.error("graphql_field_failed", field=".".join(map(str, error.path or ())), exc_info=cause)
    entry: dict[str, Any] = {"message": message}
    if error.locations:
        entry["locations"] = [{"line": one.line, "column": one.column} for one in error.locations]
    if error.path is not None:
        entry["path"] = error.path
    entry["extensions"] = extensions
    return entry


def _cause(error: GraphQLError) -> Exception | None:
    """What was raised below the library; None where the library itself refuses something."""
    cause: Exception | None = error
    while isinstance(cause, GraphQLError):
        cause = cause.original_error
    return cause


def _of_problem(problem: Problem) -> tuple[str, dict[str, Any]]:
    extensions: dict[str, Any] = {"code": problem.code.code}
    if problem.retry_after_s is not None:
        extensions["retryAfterSeconds"] = problem.retry_after_s
    if not problem.faults:
        return problem.detail, extensions
    faults = [_fault(one) for one in problem.faults]
    extensions["faults"] = msgspec.to_builtins(faults)
    return "; ".join(f"{one.field}: {one.detail}" for one in faults), extensions


def _fault(fault: Fault) -> Fault:
    """`query.cursor` of an address is the argument `after` here, and `body.user_ids[1]` is in `input.userIds[1]`."""
    if fault.field.partition(".")[0] == "body":
        return Fault(input_field(fault.field), sentence(fault.detail))
    name = fault.field.removeprefix("query.")
    return Fault(_ARGUMENTS.get(name, name), fault.detail)
