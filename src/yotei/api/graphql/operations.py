"""From the parameters of a request to the one operation that it wants, and from that to its answer: the same for every
protocol that brings requests here. Knows no protocol.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from pathlib import Path
from typing import Any, Final

import msgspec
import structlog
from graphql import DocumentNode, GraphQLError, OperationDefinitionNode, OperationType, get_operation_ast
from strawberry.types.execution import PreExecutionError

from yotei.api.graphql import bounds, failures, schema, trusted
from yotei.api.graphql.asked import Asked
from yotei.api.graphql.documents import Documents
from yotei.api.graphql.following import Credentials, Following, spending
from yotei.api.graphql.reading import Reading
from yotei.api.graphql.streams import Streams
from yotei.api.graphql.writing import Writing
from yotei.breadth import Budget
from yotei.observe import budget
from yotei.settings import GraphqlSettings, LimitSettings
from yotei.storage.pool import Database, Source
from yotei.users.tokens import Identity
from yotei.users.user import Viewer

TOKEN_STATEMENTS: Final = 1
"""Who is asking is one statement of every request."""

log = structlog.get_logger()


class Operation(msgspec.Struct, frozen=True):
    """One operation of a document that may be executed; `asked` has its name and variables."""

    text: str
    document: DocumentNode
    node: OperationDefinitionNode
    asked: Asked

    @property
    def kind(self) -> OperationType:
        return self.node.operation


class Refused(Exception):
    """Nothing is executed: the document, or the choice of its operation, is at fault."""

    def __init__(self, *errors: GraphQLError) -> None:
        super().__init__(*errors)
        self.errors: Final = errors


class Answer(msgspec.Struct, frozen=True):
    """What goes back: `data` and `errors`. `executed`: anything was at all; `in_time`: it ended by itself."""

    body: dict[str, Any]
    executed: bool
    in_time: bool = True


class Told(msgspec.Struct, frozen=True):
    """One answer of a subscription; with `is_last` it is over, and the answer says why."""

    body: dict[str, Any]
    is_last: bool


class Operations:
    """The operations of one application: its documents, its limits, what it trusts."""

    def __init__(self, limits: LimitSettings, settings: GraphqlSettings) -> None:
        self.limits: Final = limits
        self.settings: Final = settings
        self.budget: Final = budget_of(limits)
        path = settings.trusted_documents
        self._trusted = trusted.load(None if path is None else Path(path), only=settings.trusted_only)
        self._documents = Documents(
            schema.CORE,
            tokens_max=limits.graphql_tokens_max,
            limits=bounds_of(limits),
            introspection=settings.introspection,
        )

    def find(self, asked: Asked) -> Operation:
        """The operation that a request wants; raises `Refused`. Problem `invalid_request` when it names none."""
        text = self._trusted.text(asked)
        if isinstance(text, GraphQLError):
            raise Refused(text)
        prepared = self._documents.prepare(text)
        if prepared.document is None:
            raise Refused(*prepared.refusals)
        node = get_operation_ast(prepared.document, asked.operation_name)
        if node is None:
            raise Refused(failures.without_operation(asked.operation_name))
        return Operation(text, prepared.document, node, asked)

    async def execute(
        self,
        operation: Operation,
        source: Source,
        database: Database,
        viewer: Viewer,
        horizon_days: int,
        request_id: str,
    ) -> Answer:
        """The answer to a query or mutation. When its time is over it is cancelled, in PostgreSQL too."""
        reading = Reading(source, viewer, self.limits)
        prepared = self._prepared(operation, reading, Writing(database, reading, horizon_days))
        if isinstance(prepared, tuple):
            return Answer({"errors": self.told(prepared, request_id)}, executed=False)
        _expect(prepared.plan.statements)
        timeout_ms = self.limits.graphql_timeout_ms
        try:
            async with asyncio.timeout(timeout_ms / 1_000) as time:
                result = await prepared.answer()
        except TimeoutError:
            if not time.expired():
                raise
            return Answer({"errors": self.told([failures.timed_out(timeout_ms)], request_id)}, False, in_time=False)
        body: dict[str, Any] = {"data": result.data}
        if result.errors:
            body["errors"] = self.told(result.errors, request_id)
        extensions = self._extensions(operation, prepared)
        if extensions:
            body["extensions"] = extensions
        return Answer(body, executed=True)

    async def follow(
        self,
        operation: Operation,
        database: Database,
        horizon_days: int,
        streams: Streams,
        credentials: Credentials,
        identity: Identity,
        request_id: str,
    ) -> AsyncGenerator[Told, None]:
        """The answers to a subscription, each with statements and loaders of its own."""
        limits = self.limits
        reading = Reading(database, identity.viewer, limits)
        spend = spending(limits.statements_max, strict=limits.strict_statements)
        following = Following(streams, reading, credentials, identity, spend)
        writing = Writing(database, reading, horizon_days)
        prepared = self._prepared(operation, reading, writing)
        if isinstance(prepared, tuple):
            yield Told({"errors": self.told(prepared, request_id)}, is_last=True)
            return
        results = await schema.subscribe(
            operation.text,
            operation.document,
            reading,
            writing,
            following,
            operation=operation.asked.operation_name,
            variables=operation.asked.variables,
        )
        try:
            while True:
                with spend():
                    result = await anext(results, None)
                following.rest()
                if result is None:
                    return
                refused = isinstance(result, PreExecutionError)
                body: dict[str, Any] = {} if refused or following.ended else {"data": result.data}
                if result.errors:
                    body["errors"] = self.told(result.errors, request_id)
                yield Told(body, is_last=refused or following.ended is not None)
        finally:
            following.rest()
            await results.aclose()

    def refusal(self, refused: Refused, request_id: str) -> Answer:
        return Answer({"errors": self.told(refused.errors, request_id)}, executed=False)

    def told(self, errors: Iterable[GraphQLError], request_id: str) -> list[dict[str, Any]]:
        """The entries of `errors`, with names of the schema only where it may be asked for them."""
        return failures.told(errors, request_id, suggest=self.settings.introspection)

    def _prepared(
        self, operation: Operation, reading: Reading, writing: Writing
    ) -> schema.Execution | tuple[GraphQLError, ...]:
        prepared = schema.prepare(
            operation.document,
            reading,
            writing,
            self.budget,
            operation=operation.asked.operation_name,
            variables=operation.asked.variables,
        )
        if not isinstance(prepared, tuple):
            for one in prepared.plan.repeated:
                log.warning("graphql_load_repeated", load=one.load, level=one.level, fields=one.fields)
        return prepared

    def _extensions(self, operation: Operation, prepared: schema.Execution) -> dict[str, Any]:
        """What is told of the plan: all of it on request, what it does more than once where statements are strict."""
        extensions: dict[str, Any] = {}
        if (operation.asked.extensions or {}).get("plan") is True:
            extensions["plan"] = prepared.explain()
        if prepared.plan.repeated and self.limits.strict_statements:
            extensions["repeated"] = prepared.plan.repeated
        return extensions


def bounds_of(limits: LimitSettings) -> bounds.Bounds:
    """How large a document may be."""
    return bounds.Bounds(
        limits.graphql_depth_max,
        limits.graphql_aliases_max,
        limits.graphql_root_fields_max,
        limits.graphql_directives_max,
        limits.graphql_directives_each_max,
    )


def budget_of(limits: LimitSettings) -> Budget:
    """What a document may cost; the token of its caller is one of the statements."""
    return Budget(limits.graphql_statements_max - TOKEN_STATEMENTS, limits.graphql_rows_max)


def _expect(statements: int) -> None:
    """From here on the request may spend what its plan says, and no more."""
    ledger = budget.current()
    if ledger is not None:
        ledger.widen(TOKEN_STATEMENTS + statements)
