"""The schema of the door, and its execution: types, validation, introspection and subscriptions are Strawberry's, plans
and what is done by them are `breadth`'s."""

from collections.abc import AsyncGenerator, Iterator
from typing import Any, Final, Protocol

import strawberry
from graphql import DocumentNode, GraphQLError, GraphQLSchema
from strawberry.extensions import SchemaExtension
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.tools import create_type
from strawberry.types.execution import ExecutionContext, ExecutionResult

from yotei.api.graphql.context import Context
from yotei.api.graphql.following import Following
from yotei.api.graphql.mutations import batch, calendars, events, resources, tokens, users
from yotei.api.graphql.node_ids import KINDS
from yotei.api.graphql.query import Query
from yotei.api.graphql.reading import Reading
from yotei.api.graphql.scalars import SCALARS
from yotei.api.graphql.subscription import Subscription
from yotei.api.graphql.vocabulary import planner
from yotei.api.graphql.writing import Writing
from yotei.breadth import Answer, Budget, Explained, Plan, plugged


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


class Execution(Protocol):
    """One operation about to be executed."""

    @property
    def plan(self) -> Plan: ...

    def explain(self) -> Explained: ...

    async def answer(self) -> Answer: ...


PLANNER: Final = planner(SCHEMA, KINDS)
EXECUTOR: Final = plugged(PLANNER, StrawberryGraphQLCoreExecutionContext)
SCHEMA.execution_context_class = EXECUTOR


def prepare(
    document: DocumentNode,
    reading: Reading,
    writing: Writing,
    budget: Budget,
    *,
    operation: str | None,
    variables: dict[str, Any] | None,
) -> Execution | tuple[GraphQLError, ...]:
    """An operation of a document that was checked, ready to be executed, or why it is not: variables of a wrong type, a
    plan over its budget."""
    context = Context(reading, writing, document)
    built = EXECUTOR.build(CORE, document, None, context, variables, operation)
    if isinstance(built, list):
        return tuple(built)
    executor: Execution = built
    try:
        executor.plan.check(budget, built)
    except GraphQLError as error:
        return (error,)
    return executor


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
