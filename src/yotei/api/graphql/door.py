"""`/graphql`: GraphQL over HTTP (the GraphQL Foundation's draft), on our own route handlers.

What is wrong with the HTTP request (method, media type, body, token) is a problem document, as at the REST door. What
is wrong with the GraphQL document, or goes wrong in it, stands in `errors` of a GraphQL answer: 200 for
`application/json`, 400 for `application/graphql-response+json` when nothing was executed.

POST takes `application/json` only, which no form of another site can send; a request without a bearer token is refused.
"""

from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Any, Final

import msgspec
from graphql import OperationType, get_operation_ast
from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.exceptions import MethodNotAllowedException
from litestar.handlers import HTTPRouteHandler

from yotei.api import pages
from yotei.api.auth import provide_viewer
from yotei.api.graphql import bounds, failures, schema
from yotei.api.graphql.documents import Documents
from yotei.api.graphql.reading import Reading
from yotei.api.graphql.writing import Writing
from yotei.api.problems import request_id
from yotei.errors import Code, Problem, invalid
from yotei.observe import budget
from yotei.settings import LimitSettings

PATH: Final = "/graphql"
JSON: Final = "application/json"
GRAPHQL_JSON: Final = "application/graphql-response+json"
HTML: Final = "text/html"

_HEADERS: Final = {"Cache-Control": "private, no-store", "Vary": "Accept, Authorization, Yotei-On-Behalf-Of"}
_PAGE_HEADERS: Final = {
    **pages.PAGE_HEADERS,
    "Content-Security-Policy": pages.GRAPHIQL_CSP,
    "Vary": "Accept",
}

_encoder: Final = msgspec.json.Encoder()


class Asked(msgspec.Struct, frozen=True):
    """The parameters of a GraphQL request; others are ignored, as the specification has it."""

    query: str
    operation_name: str | None = msgspec.field(name="operationName", default=None)
    variables: dict[str, Any] | None = None
    extensions: dict[str, Any] | None = None


_asked: Final = msgspec.json.Decoder(Asked)
_map: Final = msgspec.json.Decoder(dict[str, Any] | None)

Parameters = Callable[[Request[Any, Any, Any]], Awaitable[Asked]]


@get(PATH, include_in_schema=False)
async def ask_by_get(request: Request[Any, Any, Any], state: State) -> Response[bytes]:
    """A query in the address, or the page to write one in for a browser."""
    kind = _negotiated(request.headers.get("accept"), (JSON, GRAPHQL_JSON, HTML))
    if kind == HTML:
        return Response(pages.graphiql_page(), media_type=HTML, headers=_PAGE_HEADERS)
    return await _answer(request, state, _from_address, kind)


@post(PATH, include_in_schema=False, status_code=200)
async def ask_by_post(request: Request[Any, Any, Any], state: State) -> Response[bytes]:
    """A document in the body."""
    kind = _negotiated(request.headers.get("accept"), (JSON, GRAPHQL_JSON))
    _must_be_json(request.headers.get("content-type"))
    return await _answer(request, state, _from_body, kind)


def routes() -> list[HTTPRouteHandler]:
    """The handlers of `/graphql`. The application's State holds `database`, `limits` and `horizon_days`."""
    return [ask_by_get, ask_by_post]


@lru_cache(maxsize=8)
def documents_within(limits: LimitSettings) -> Documents:
    """The documents of the schema; an application has one set of limits for as long as it runs."""
    return Documents(
        schema.CORE,
        tokens_max=limits.graphql_tokens_max,
        limits=bounds.Bounds(limits.graphql_depth_max, limits.graphql_aliases_max),
    )


async def _answer(request: Request[Any, Any, Any], state: State, parameters: Parameters, kind: str) -> Response[bytes]:
    # Before anything else is read of the request: a stranger learns nothing about documents.
    viewer = await provide_viewer(request, state)
    asked = await parameters(request)
    prepared = documents_within(state.limits).prepare(asked.query)
    if prepared.document is None:
        return _response({"errors": failures.told(prepared.refusals, request_id(request))}, kind, executed=False)
    operation = get_operation_ast(prepared.document, asked.operation_name)
    if operation is None:
        refusals = (failures.without_operation(asked.operation_name),)
        return _response({"errors": failures.told(refusals, request_id(request))}, kind, executed=False)
    if request.method == "GET" and operation.operation is not OperationType.QUERY:
        raise MethodNotAllowedException(
            "GET takes queries only; send this operation by POST.", headers={"Allow": "POST"}
        )
    if operation.operation is OperationType.MUTATION:
        _expect_writes(bounds.roots(operation, bounds.fragments_of(prepared.document)), state.limits)
    reading = Reading(state.database, viewer, state.limits)
    writing = Writing(state.database, reading, state.horizon_days)
    result = await schema.execute(
        asked.query, prepared.document, reading, writing, operation=asked.operation_name, variables=asked.variables
    )
    errors = result.errors or []
    # What happened before execution (a variable of a wrong type) has no path.
    executed = result.data is not None or all(error.path is not None for error in errors)
    body: dict[str, Any] = {"data": result.data} if executed else {}
    if errors:
        body["errors"] = failures.told(errors, request_id(request))
    return _response(body, kind, executed=executed)


def _expect_writes(writes: int, limits: LimitSettings) -> None:
    """A document that writes may spend what as many requests of REST may."""
    ledger = budget.current()
    if ledger is not None:
        ledger.widen(writes * limits.write_statements_max)


def _response(body: dict[str, Any], kind: str, *, executed: bool) -> Response[bytes]:
    return Response(
        _encoder.encode(body),
        status_code=400 if kind == GRAPHQL_JSON and not executed else 200,
        media_type=f"{kind}; charset=utf-8",
        headers=_HEADERS,
    )


async def _from_body(request: Request[Any, Any, Any]) -> Asked:
    body = await request.body()
    if body.lstrip()[:1] == b"[":
        raise invalid("body", "expected one request; batches are not taken, use aliases")
    try:
        return _asked.decode(body)
    except msgspec.ValidationError as error:
        raise invalid("body", str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise invalid("body", "expected a JSON object with `query`") from None


async def _from_address(request: Request[Any, Any, Any]) -> Asked:
    given = request.query_params
    if "query" not in given:
        raise invalid("query.query", "expected a GraphQL document")
    parts: dict[str, dict[str, Any] | None] = {}
    for name in ("variables", "extensions"):
        try:
            parts[name] = _map.decode(given[name]) if given.get(name) else None
        except (msgspec.DecodeError, RecursionError):
            raise invalid(f"query.{name}", "expected a JSON object") from None
    return Asked(given["query"], given.get("operationName") or None, parts["variables"], parts["extensions"])


def _must_be_json(header: str | None) -> None:
    media_type, _, parameters = (header or "").partition(";")
    charset = parameters.strip().lower().removeprefix("charset=").strip('"')
    if media_type.strip().lower() != JSON or charset not in ("", "utf-8", "utf8"):
        raise Problem(Code.UNSUPPORTED_MEDIA_TYPE, f"Send the document as {JSON} in UTF-8.")


def _negotiated(accept: str | None, offered: tuple[str, ...]) -> str:
    """The media type to answer with (RFC 9110 12.5.1): the one that is liked most, then the first offered."""
    if accept is None or not accept.strip():
        return offered[0]
    liked: dict[str, float] = {}
    for part in accept.split(","):
        media_range, *parameters = (one.strip().lower() for one in part.split(";"))
        liked[media_range] = max(_quality(parameters), liked.get(media_range, 0.0))

    def quality(kind: str) -> tuple[float, int]:
        for precision, media_range in ((2, kind), (1, f"{kind.partition('/')[0]}/*"), (0, "*/*")):
            if media_range in liked:
                return liked[media_range], precision
        return 0.0, 0

    # A browser sends `text/html,*/*;q=0.8`: what is named beats what is only covered.
    best = max(offered, key=quality)
    if quality(best)[0] <= 0:
        raise Problem(Code.NOT_ACCEPTABLE, f"This is answered as {' or '.join(offered)}.")
    return best


def _quality(parameters: list[str]) -> float:
    for one in parameters:
        if one.startswith("q="):
            try:
                return min(max(float(one[2:]), 0.0), 1.0)
            except ValueError:
                return 0.0
    return 1.0
