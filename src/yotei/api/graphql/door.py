"""`/graphql`: GraphQL over HTTP (the GraphQL Foundation's draft), on our own route handlers.

What is wrong with the HTTP request (method, media type, body, token) is a problem document, as at the REST door. What
is wrong with the GraphQL document, or goes wrong in it, stands in `errors` of a GraphQL answer. Its status is one of
those below; where the draft and the audit of its reference implementation differ, the audit is followed.

POST takes `application/json` only, which no form of another site can send; a request without a bearer token is refused.
"""

from typing import Any, Final

import msgspec
from graphql import OperationType
from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.exceptions import MethodNotAllowedException
from litestar.handlers import HTTPRouteHandler

from yotei.api import pages
from yotei.api.auth import provide_viewer
from yotei.api.graphql import asked
from yotei.api.graphql.asked import GRAPHQL_JSON, HTML, JSON, Asked
from yotei.api.graphql.operations import Answer, Operations, Refused
from yotei.api.problems import request_id
from yotei.errors import Code, Problem

PATH: Final = "/graphql"

EXECUTED: Final = 200
"""Data, with errors beside it or not. The draft would have 294, which nobody has registered, where there are errors."""
NOT_EXECUTED: Final = 400
"""A document that does not parse, does not fit, or does not say which of its operations is meant; a variable of the
wrong type. The draft would have 422 for all but the first."""
NOT_IN_TIME: Final = 503
"""The operation was ended."""
LEGACY: Final = 200
"""Every GraphQL answer in `application/json`: clients that want that take any other status for one of HTTP alone."""

_HEADERS: Final = {"Cache-Control": "private, no-store", "Vary": "Accept, Authorization, Yotei-On-Behalf-Of"}
_PAGE_HEADERS: Final = {
    **pages.PAGE_HEADERS,
    "Content-Security-Policy": pages.GRAPHIQL_CSP,
    "Vary": "Accept",
}

_encoder: Final = msgspec.json.Encoder()


@get(PATH, include_in_schema=False)
async def ask_by_get(request: Request[Any, Any, Any], state: State) -> Response[Any]:
    """A query in the address, or the page to write one in for a browser."""
    settings = state.operations.settings
    accept = request.headers.get("accept", "")
    if not settings.get and not (settings.page and HTML in accept.lower()):
        raise MethodNotAllowedException("Queries are taken by POST.", headers={"Allow": "POST"})
    answers = (JSON, GRAPHQL_JSON) if settings.get else ()
    kind = asked.negotiated(accept, (*answers, *((HTML,) if settings.page else ())))
    if kind == HTML:
        return Response(pages.graphiql_page(), media_type=HTML, headers=_PAGE_HEADERS)
    viewer = await provide_viewer(request, state)
    return await _answer(request, state, viewer, asked.from_address(request.query_params), kind)


@post(PATH, include_in_schema=False, status_code=EXECUTED)
async def ask_by_post(request: Request[Any, Any, Any], state: State) -> Response[Any]:
    """A document in the body."""
    kind = asked.negotiated(request.headers.get("accept"), (JSON, GRAPHQL_JSON))
    asked.must_be_json(request.headers.get("content-type"))
    # Before anything else is read of the request: a stranger learns nothing about documents.
    viewer = await provide_viewer(request, state)
    return await _answer(request, state, viewer, asked.from_body(await request.body()), kind)


def routes() -> list[HTTPRouteHandler]:
    """The handlers of `/graphql`. The application's State holds `database`, `operations` and `horizon_days`."""
    return [ask_by_get, ask_by_post]


async def _answer(
    request: Request[Any, Any, Any], state: State, viewer: Any, parameters: Asked, kind: str
) -> Response[Any]:
    operations: Operations = state.operations
    told = request_id(request)
    try:
        operation = operations.find(parameters)
    except Refused as refused:
        return _response(operations.refusal(refused, told), kind)
    if request.method == "GET" and operation.kind is OperationType.MUTATION:
        raise MethodNotAllowedException(
            "GET takes queries only; send this operation by POST.", headers={"Allow": "POST"}
        )
    if operation.kind is OperationType.SUBSCRIPTION:
        raise Problem(Code.NOT_ACCEPTABLE, f"A subscription is answered as {asked.EVENT_STREAM} or by WebSocket.")
    return _response(await operations.execute(operation, state.database, viewer, state.horizon_days, told), kind)


def _response(answer: Answer, kind: str) -> Response[Any]:
    status = (
        LEGACY if kind == JSON else EXECUTED if answer.executed else NOT_EXECUTED if answer.in_time else NOT_IN_TIME
    )
    return Response(
        _encoder.encode(answer.body), status_code=status, media_type=f"{kind}; charset=utf-8", headers=_HEADERS
    )
