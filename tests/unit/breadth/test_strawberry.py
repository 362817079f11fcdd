"""It plugs into Strawberry: its resolvers, extensions and subscriptions are executed breadth-first."""

from collections.abc import AsyncIterator

import strawberry
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.types import ExecutionResult

from yotei.breadth import Planner, plugged


@strawberry.type
class Word:
    text: str

    @strawberry.field
    async def doubled(self) -> str:
        return self.text * 2

    @strawberry.field
    def broken(self) -> str | None:
        raise ValueError(f"no more of {self.text}")


@strawberry.type
class Query:
    @strawberry.field
    def words(self, first: int = 2) -> list[Word]:
        return [Word(text=letter) for letter in "abc"[:first]]


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def heard(self) -> AsyncIterator[Word]:
        yield Word(text="x")


def _schema() -> strawberry.Schema:
    plain = strawberry.Schema(Query, subscription=Subscription)
    executor = plugged(Planner(plain._schema), StrawberryGraphQLCoreExecutionContext)
    plain.execution_context_class = executor
    return plain


async def test_resolvers_of_strawberry_are_executed_breadth_first() -> None:
    schema = _schema()
    schema.process_errors = lambda *_: None  # type: ignore[method-assign]

    result = await schema.execute("{ words(first: 2) { text doubled broken } }")

    assert result.data == {
        "words": [{"text": "a", "doubled": "aa", "broken": None}, {"text": "b", "doubled": "bb", "broken": None}]
    }
    assert [one.path for one in result.errors or ()] == [["words", 0, "broken"], ["words", 1, "broken"]]


async def test_events_of_a_subscription_are_executed_breadth_first() -> None:
    heard = await _schema().subscribe("subscription { heard { doubled } }")

    assert hasattr(heard, "__aiter__")
    events = [one async for one in heard]
    assert [one.data for one in events if isinstance(one, ExecutionResult)] == [{"heard": {"doubled": "xx"}}]
