"""`/graphql`: GraphQL over HTTP (the GraphQL Foundation's draft), on our own route handlers.

What is wrong with the HTTP request (method, media type, body, token) is a problem document, as at the REST door. What
is wrong with the GraphQL document, or goes wrong in it, stands in `errors` of a GraphQL answer. Its status is one of
those below; where the draft and the audit of its reference implementation differ, the audit is followed.

Who wants `text/event-stream` gets the answers as events (`sse`), a WebSocket speaks `graphql-transport-ws` (`socket`).

POST takes `application/json` only, which no form of another site can send; a request without a bearer token is refused.
"""

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import Any, Final, NamedTuple

import msgspec
from graphql import GraphQLError, OperationType
from litestar import Request, Response, WebSocket, get, post, websocket
from litestar.datastructures import State
from litestar.exceptions import MethodNotAllowedException
from litestar.handlers import BaseRouteHandler
from litestar.response import Stream

from yotei.api import pages
from yotei.api.auth import ON_BEHALF_OF, bearer
from yotei.api.conditional import tag
from yotei.api.edge import source_of
from yotei.api.graphql import asked, sse
from yotei.api.graphql import socket as sockets
from yotei.api.graphql.asked import EVENT_STREAM, GRAPHQL_JSON, HTML, JSON, Asked
from yotei.api.graphql.following import Credentials
from yotei.api.graphql.operations import Answer, Operation, Operations, Refused
from yotei.api.graphql.streams import Streams
from yotei.api.problems import request_id
from yotei.cache.reads import past_cache
from yotei.errors import Code, Problem
from yotei.users.tokens import Identity

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
    answers = (JSON, GRAPHQL_JSON, EVENT_STREAM) if settings.get else ()
    kind = asked.negotiated(accept, (*answers, *((HTML,) if settings.page else ())))
    if kind == HTML:
        return Response(pages.graphiql_page(), media_type=HTML, headers=_PAGE_HEADERS)
    caller = await _identify(request)
    return await _answer(request, state, caller, asked.from_address(request.query_params), kind)


@post(PATH, include_in_schema=False, status_code=EXECUTED)
async def ask_by_post(request: Request[Any, Any, Any], state: State) -> Response[Any]:
    """A document in the body."""
    kind = asked.negotiated(request.headers.get("accept"), (JSON, GRAPHQL_JSON, EVENT_STREAM))
    asked.must_be_json(request.headers.get("content-type"))
    # Before anything else is read of the request: a stranger learns nothing about documents.
    caller = await _identify(request)
    return await _answer(request, state, caller, asked.from_body(await request.body()), kind)


@websocket(PATH)
async def converse(socket: WebSocket[Any, Any, Any], state: State) -> None:
    """Subscriptions over one connection."""
    await sockets.converse(socket, state)


def routes() -> list[BaseRouteHandler]:
    """The handlers of `/graphql`. The application's State holds `database`, `limits`, `operations`, `streams` and
    `horizon_days`."""
    return [ask_by_get, ask_by_post, converse]


class _Caller(NamedTuple):
    credentials: Credentials
    identity: Identity


async def _identify(request: Request[Any, Any, Any]) -> _Caller:
    """As `provide_viewer`; a subscription goes on for longer than a token may."""
    headers = request.headers
    credentials = Credentials(bearer(headers.get("authorization")), headers.get(ON_BEHALF_OF))
    return _Caller(credentials, await credentials.identify(source_of(request)))


async def _answer(
    request: Request[Any, Any, Any], state: State, caller: _Caller, parameters: Asked, kind: str
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
        if kind != EVENT_STREAM:
            raise Problem(Code.NOT_ACCEPTABLE, f"A subscription is answered as {EVENT_STREAM}, or over WebSocket.")
        return _events(_followed(operation, state, caller, told))
    source = source_of(request)
    if operation.kind is not OperationType.QUERY:
        source = past_cache(source)
    answer = await operations.execute(
        operation, source, state.database, caller.identity.viewer, state.horizon_days, told
    )
    is_query = operation.kind is OperationType.QUERY
    return _response(answer, kind, is_by_get=request.method == "GET", is_query=is_query)


async def _followed(operation: Operation, state: State, caller: _Caller, told: str) -> AsyncGenerator[bytes, None]:
    """The events of a subscription that has a place, or the one that says that there is none."""
    streams: Streams = state.streams
    operations: Operations = state.operations
    try:
        with streams.subscription(caller.identity.viewer.user_id):
            answers = operations.follow(
                operation, state.database, state.horizon_days, streams, caller.credentials, caller.identity, told
            )
            async with aclosing(
                sse.events(answers, streams.stopping, alive_every_s=streams.settings.ping_every_s)
            ) as events:
                async for event in events:
                    yield event
    except Problem as problem:
        refusal = GraphQLError(problem.detail, original_error=problem)
        yield sse.single({"errors": operations.told([refusal], told)})


def _response(answer: Answer, kind: str, *, is_by_get: bool = False, is_query: bool = False) -> Response[Any]:
    if kind == EVENT_STREAM:
        return _events(iter([sse.single(answer.body)]))
    status = (
        LEGACY if kind == JSON else EXECUTED if answer.executed else NOT_EXECUTED if answer.in_time else NOT_IN_TIME
    )
    body, headers = _encoder.encode(answer.body), _HEADERS
    if is_query and answer.executed and "errors" not in answer.body:
        # What has a tag is the same for who asks the same, until something changes; errors name their request. The same
        # bytes of two media types are two representations (RFC 9110, section 8.8.1).
        headers = {
            **headers,
            "ETag": tag(kind.encode() + body),
            **({"Cache-Control": "private, no-cache"} if is_by_get else {}),
        }
    return Response(body, status_code=status, media_type=f"{kind}; charset=utf-8", headers=headers)


def _events(events: AsyncGenerator[bytes, None] | Iterator[bytes]) -> Response[Any]:
    return Stream(events, media_type=EVENT_STREAM, status_code=EXECUTED, headers=sse.HEADERS)
