"""Subscriptions over WebSocket: the protocol `graphql-transport-ws`, with all its messages and close codes.

The token comes in the payload of `connection_init` (`{"Authorization": "Bearer yotei_…"}`, which a browser can send) or
in the header of the handshake. Operations that are no subscriptions are answered by HTTP, where there are statuses and
budgets of requests; here they are refused.

A server may take any number of messages from us for a client that reads none. So what is under way to one client is
bounded here: after so many bytes it is asked whether it has come that far (`ping`), and told nothing more before it has
answered. Meanwhile its subscriptions rest, each at its position, and nothing is queued.
"""

import asyncio
import secrets
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from typing import Annotated, Any, Final

import msgspec
import structlog
from graphql import GraphQLError, OperationType
from litestar import WebSocket
from litestar.datastructures import State

from yotei.api.auth import ON_BEHALF_OF, bearer
from yotei.api.graphql.asked import Asked
from yotei.api.graphql.following import Credentials
from yotei.api.graphql.operations import Operations, Refused
from yotei.api.graphql.streams import Streams
from yotei.api.problems import request_id
from yotei.errors import Code, Problem
from yotei.users.tokens import Identity

PROTOCOL: Final = "graphql-transport-ws"

UNREAD_BYTES_MAX: Final = 262_144
"""On the way to a client that has not said yet that it has come that far."""
UNPROVEN_BYTES_MAX: Final = 16_777_216
"""Told to a client that never repeats what a `ping` brings: its `pong` proves nothing. It may come back for more."""
REASON_BYTES_MAX: Final = 123
"""RFC 6455, section 5.5."""

GOING_AWAY: Final = 1001
TOO_BIG: Final = 1009
TRY_AGAIN_LATER: Final = 1013
BAD_REQUEST: Final = 4400
UNAUTHORIZED: Final = 4401
FORBIDDEN: Final = 4403
SUBPROTOCOL_NOT_ACCEPTABLE: Final = 4406
INIT_TIMEOUT: Final = 4408
SUBSCRIBER_EXISTS: Final = 4409
TOO_MANY_INITS: Final = 4429
FAILED: Final = 4500

log = structlog.get_logger()

Id = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]


class Init(msgspec.Struct, frozen=True, tag_field="type", tag="connection_init"):
    payload: dict[str, Any] | None = None


class Ping(msgspec.Struct, frozen=True, tag_field="type", tag="ping", omit_defaults=True):
    payload: dict[str, Any] | None = None


class Pong(msgspec.Struct, frozen=True, tag_field="type", tag="pong", omit_defaults=True):
    payload: dict[str, Any] | None = None


class Subscribe(msgspec.Struct, frozen=True, tag_field="type", tag="subscribe"):
    id: Id
    payload: Asked


class Complete(msgspec.Struct, frozen=True, tag_field="type", tag="complete"):
    id: Id


class Next(msgspec.Struct, frozen=True, tag_field="type", tag="next"):
    id: str
    payload: dict[str, Any]


class Failure(msgspec.Struct, frozen=True, tag_field="type", tag="error"):
    id: str
    payload: list[dict[str, Any]]


class Ack(msgspec.Struct, frozen=True, tag_field="type", tag="connection_ack"):
    pass


_message: Final = msgspec.json.Decoder(Init | Ping | Pong | Subscribe | Complete)
_encoder: Final = msgspec.json.Encoder()


class Closing(Exception):
    """The socket is to be closed, with this code and reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code: Final = code
        self.reason: Final = reason


async def converse(socket: WebSocket[Any, Any, Any], state: State) -> None:
    """One socket from its handshake to its end."""
    streams: Streams = state.streams
    offered = socket.scope["subprotocols"]
    await socket.accept(PROTOCOL if PROTOCOL in offered else None)
    with streams.socket() as there_is_room:
        if PROTOCOL not in offered:
            closing = Closing(SUBPROTOCOL_NOT_ACCEPTABLE, f"Offer the sub-protocol {PROTOCOL}")
        elif not there_is_room:
            closing = Closing(TRY_AGAIN_LATER, "This process serves as many sockets as it may")
        else:
            left = await Conversation(socket, state, streams).run()
            if left is None:
                return
            closing = left
        reason = closing.reason.encode()[:REASON_BYTES_MAX].decode("utf-8", "ignore")
        log.info("socket_closed", code=closing.code, reason=reason)
        with suppress(Exception):  # it may be gone meanwhile
            await socket.close(closing.code, reason)


class Conversation:
    """One connection of the protocol; `run` ends when either side leaves."""

    def __init__(self, socket: WebSocket[Any, Any, Any], state: State, streams: Streams) -> None:
        self._socket = socket
        self._state = state
        self._streams = streams
        self._operations: Operations = state.operations
        self._credentials: Credentials | None = None
        self._introduced = asyncio.Event()
        self._running: dict[str, asyncio.Task[None]] = {}
        self._fault: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sending = asyncio.Lock()
        self._place = ExitStack()
        self._pong: asyncio.Future[None] | None = None
        self._nonce = ""
        # Bytes of answers: sent, sent when the client was asked, those it said that it has read, and has proven.
        self._sent = self._asked = self._read = self._proven = 0

    async def run(self) -> Closing | None:
        """Why it is to be closed; None when the client has left."""
        tasks: set[asyncio.Future[Any]] = {
            asyncio.ensure_future(self._listen()),
            asyncio.ensure_future(self._keep()),
            asyncio.ensure_future(self._leave_when_stopped()),
            self._fault,
        }
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for one in done:
                error = one.exception()
                if isinstance(error, Closing):
                    return error
                if error is not None:
                    log.error("socket_failed", exc_info=error)
                    return Closing(FAILED, "Something failed that should not have")
            return None
        finally:
            left = [*tasks, *self._running.values()]
            for one in left:
                one.cancel()
            await asyncio.gather(*left, return_exceptions=True)
            self._place.close()

    async def _leave_when_stopped(self) -> None:
        await self._streams.stopping.wait()
        raise Closing(GOING_AWAY, "The server stops; come back and go on from your position")

    async def _listen(self) -> None:
        """Take the client's messages until it leaves."""
        while True:
            event: Mapping[str, Any] = await self._socket.receive()
            if event["type"] == "websocket.disconnect":
                return
            text = event.get("text")
            if text is None:
                raise Closing(BAD_REQUEST, "Messages are text")
            if len(text) > self._state.limits.body_bytes_max:
                raise Closing(TOO_BIG, "The message is too large")
            try:
                message = _message.decode(text)
            except (msgspec.DecodeError, RecursionError) as error:
                raise Closing(BAD_REQUEST, f"Not a message of {PROTOCOL}: {error}") from None
            await self._take(message)

    async def _take(self, message: Init | Ping | Pong | Subscribe | Complete) -> None:
        match message:
            case Init():
                await self._init(message.payload or {})
            case Ping():
                await self._send(Pong(message.payload))
            case Pong():
                self._hear_pong(message.payload or {})
            case Subscribe():
                self._subscribe(message)
            case Complete():
                task = self._running.pop(message.id, None)
                if task is not None:
                    task.cancel()

    async def _init(self, payload: Mapping[str, Any]) -> None:
        if self._credentials is not None:
            raise Closing(TOO_MANY_INITS, "Too many initialisation requests")
        given = {name.lower(): value for name, value in payload.items() if isinstance(value, str)}
        headers = self._socket.headers
        try:
            self._credentials = Credentials(
                bearer(given.get("authorization") or headers.get("authorization")),
                given.get(ON_BEHALF_OF.lower()) or headers.get(ON_BEHALF_OF),
            )
            self._introduced.set()
            identity = await self._credentials.identify(self._state.database)
        except Problem as problem:
            raise _closing(problem) from None
        if not self._place.enter_context(self._streams.socket_of(identity.viewer.user_id)):
            raise Closing(TRY_AGAIN_LATER, "You have as many sockets here as you may")
        await self._send(Ack())

    def _subscribe(self, message: Subscribe) -> None:
        if self._credentials is None:
            raise Closing(UNAUTHORIZED, "Unauthorized")
        if message.id in self._running:
            raise Closing(SUBSCRIBER_EXISTS, f"Subscriber for {message.id} already exists")
        if len(self._running) > self._streams.settings.streams_per_person_max:
            raise Closing(TRY_AGAIN_LATER, "More subscriptions than one person may have")
        task = asyncio.get_running_loop().create_task(self._operate(message, self._credentials))
        self._running[message.id] = task
        task.add_done_callback(lambda done: self._forget(message.id, done))

    def _forget(self, id_: str, done: "asyncio.Task[None]") -> None:
        if self._running.get(id_) is done:  # the client may have completed it, and begun another of that id
            del self._running[id_]

    async def _operate(self, message: Subscribe, credentials: Credentials) -> None:
        """One operation from `subscribe` to `complete`, or to `error`."""
        try:
            identity = await credentials.identify(self._state.database)
            await self._follow(message, credentials, identity)
        except Refused as refused:
            await self._fail(message.id, *refused.errors)
        except Problem as problem:
            if problem.code is Code.UNAUTHORIZED:
                self._end(_closing(problem))
            else:
                await self._fail(message.id, GraphQLError(problem.detail, original_error=problem))
        except Closing as closing:
            self._end(closing)
        except Exception as error:
            self._end(error)

    async def _follow(self, message: Subscribe, credentials: Credentials, identity: Identity) -> None:
        operation = self._operations.find(message.payload)
        if operation.kind is not OperationType.SUBSCRIPTION:
            raise Problem(Code.INVALID_REQUEST, "Only subscriptions are taken here; send this operation by POST.")
        with self._streams.subscription(identity.viewer.user_id):
            answers = self._operations.follow(
                operation,
                self._state.database,
                self._state.horizon_days,
                self._streams,
                credentials,
                identity,
                request_id(self._socket),
            )
            try:
                async for told in answers:
                    if told.is_last:
                        await self._end_operation(message.id, told.body["errors"])
                        return
                    await self._tell(Next(message.id, told.body))
            finally:
                await answers.aclose()
        await self._send(Complete(message.id))

    async def _end_operation(self, id_: str, errors: list[dict[str, Any]]) -> None:
        if any(one["extensions"].get("code") == Code.UNAUTHORIZED.code for one in errors):
            raise Closing(FORBIDDEN, "The token is no longer valid")
        await self._send(Failure(id_, errors))

    async def _fail(self, id_: str, *errors: GraphQLError) -> None:
        await self._send(Failure(id_, self._operations.told(errors, request_id(self._socket))))

    def _end(self, cause: Exception) -> None:
        if not self._fault.done():
            self._fault.set_exception(cause)

    async def _send(self, message: msgspec.Struct) -> None:
        await self._socket.send_data(_encoder.encode(message).decode())

    async def _tell(self, message: Next) -> None:
        """Send an answer when the client has room for it."""
        text = _encoder.encode(message)
        async with self._sending:
            if self._sent > self._read and self._sent + len(text) - self._read > UNREAD_BYTES_MAX:
                await self._ask()
            if self._sent - self._proven > UNPROVEN_BYTES_MAX:
                raise Closing(TRY_AGAIN_LATER, "Come back and go on from your position")
            self._sent += len(text)
            await self._socket.send_data(text.decode())

    async def _keep(self) -> None:
        """See to it that the client says who it is, then that it is there."""
        settings = self._streams.settings
        try:
            async with asyncio.timeout(settings.init_wait_s):
                await self._introduced.wait()
        except TimeoutError:
            raise Closing(INIT_TIMEOUT, "Connection initialisation timeout") from None
        while True:
            await asyncio.sleep(settings.ping_every_s)
            await self._ask()

    async def _ask(self) -> None:
        """Wait until the client says that it has read all that was sent before now, or before it was asked last."""
        if self._pong is None or self._pong.done():
            self._pong = asyncio.get_running_loop().create_future()
            self._nonce = secrets.token_urlsafe(12)
            self._asked = self._sent
            await self._send(Ping({"nonce": self._nonce}))
        try:
            async with asyncio.timeout(self._streams.settings.pong_wait_s):
                await asyncio.shield(self._pong)
        except TimeoutError:
            raise Closing(TRY_AGAIN_LATER, "No answer to a ping; come back and go on from your position") from None

    def _hear_pong(self, payload: Mapping[str, Any]) -> None:
        if self._pong is None or self._pong.done():
            return  # nobody has asked, which is allowed
        self._read = self._asked
        if payload.get("nonce") == self._nonce:
            self._proven = self._asked
        self._pong.set_result(None)


def _closing(problem: Problem) -> Closing:
    if problem.code in (Code.UNAUTHORIZED, Code.FORBIDDEN, Code.INVALID_REQUEST):
        return Closing(FORBIDDEN, "Forbidden")
    return Closing(TRY_AGAIN_LATER, problem.detail)
