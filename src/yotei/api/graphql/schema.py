"""The schema of the door, and its execution. Strawberry owns types, validation and introspection."""

from collections.abc import AsyncGenerator, Iterator
from typing import Any, Final

import strawberry
from graphql import DocumentNode, GraphQLError, GraphQLSchema
from strawberry.extensions import SchemaExtension
from strawberry.schema.config import StrawberryConfig
from strawberry.tools import create_type
from strawberry.types.execution import ExecutionContext, ExecutionResult

from yotei.api.graphql.context import Context
from yotei.api.graphql.following import Following
from yotei.api.graphql.mutations import batch, calendars, events, resources, tokens, users
from yotei.api.graphql.query import Query
from yotei.api.graphql.reading import Reading
from yotei.api.graphql.scalars import SCALARS
from yotei.api.graphql.subscription import Subscription
from yotei.api.graphql.writing import Writing


class _Prepared(SchemaExtension):
    """Puts the document in place of the library's own parsing and validation."""

    def on_parse(self) -> Iterator[None]:
        self.execution_context.graphql_document = self.execution_context.context.document
        yield

    def on_validate(self) -> Iterator[None]:
        self.execution_context.pre_execution_errors = []
        yield


class _Schema(strawberry.Schema):
    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        """Nothing: the door logs what is a fault of ours, once, with the request's id."""


Mutation: Final = create_type(
    "Mutation",
    [*events.FIELDS, *batch.FIELDS, *calendars.FIELDS, *resources.FIELDS, *users.FIELDS, *tokens.FIELDS],  # type: ignore[list-item]
    description="What can be written: each field whole or not at all, one after the other.",
)
SCHEMA: Final = _Schema(
    query=Query,
    mutation=Mutation,
    subscription=Subscription,
    extensions=[_Prepared],
    config=StrawberryConfig(auto_camel_case=True, scalar_map=SCALARS),
)
CORE: Final[GraphQLSchema] = SCHEMA._schema  # the library gives it no public name


async def execute(
    text: str,
    document: DocumentNode,
    reading: Reading,
    writing: Writing,
    *,
    operation: str | None,
    variables: dict[str, Any] | None,
) -> ExecutionResult:
    """The answer to a document that was prepared; `text` is what it was parsed from."""
    return await SCHEMA.execute(
        text, variable_values=variables, operation_name=operation, context_value=Context(reading, writing, document)
    )


async def subscribe(
    text: str,
    document: DocumentNode,
    reading: Reading,
    writing: Writing,
    following: Following,
    *,
    operation: str | None,
    variables: dict[str, Any] | None,
) -> AsyncGenerator[ExecutionResult, None]:
    """The answers to a subscription, one after the other; the first may be that it is refused (`PreExecutionError`)."""
    return await SCHEMA.subscribe(
        text,
        variable_values=variables,
        operation_name=operation,
        context_value=Context(reading, writing, document, following),
    )
