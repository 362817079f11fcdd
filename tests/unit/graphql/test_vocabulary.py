"""Every field says where its value comes from, or nothing starts."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
import strawberry
from graphql import parse
from strawberry import Info, Parent

from yotei.api.graphql import schema
from yotei.api.graphql.fields import loaded, resolved
from yotei.api.graphql.vocabulary import planner
from yotei.breadth import Load, Loaded, Unplannable, plugged


async def double(_: Any, keys: list[int], by: Any) -> list[int]:
    return [key * by for key in keys]


DOUBLE = Load("double", double)


@strawberry.type
class Number:
    value: int

    @resolved("By its source alone.")
    @staticmethod
    def next(parent: Parent["Number"], by_so_many: int = 1) -> int:
        return parent.value + by_so_many

    @loaded(
        "By its source and arguments.",
        Loaded(DOUBLE, "value", by=("by_so_many",), arguments=lambda _, by_so_many: by_so_many),
    )
    @staticmethod
    def times(by_so_many: int = 2) -> int | None: ...


def made(query: type) -> strawberry.Schema:
    return strawberry.Schema(query)


async def test_a_field_is_an_attribute_computed_or_loaded_as_it_says() -> None:
    @strawberry.type
    class Query:
        @resolved("The root.")
        @staticmethod
        def number(parent: Parent[object]) -> Number:
            return Number(value=3)

    built = made(Query)
    executor = plugged(planner(built, {})).build(
        built._schema, parse("{ number { value next(bySoMany: 4) times twice: times(bySoMany: 20) } }")
    )

    answer = await executor.answer()

    assert msgspec.to_builtins(answer.data) == {"number": {"value": 3, "next": 7, "times": 6, "twice": 60}}


async def awaited(parent: Parent[object]) -> int:
    return 1


def informed(parent: Parent[object], info: Info) -> int:
    return 1


def by_nothing() -> int:
    return 1


@pytest.mark.parametrize("resolver", [awaited, informed, by_nothing])
def test_a_resolver_that_could_do_anything_stops_the_start_by_its_name(resolver: Callable[..., Any]) -> None:
    query = strawberry.type(type("Query", (), {"sneaky": strawberry.field(resolver=resolver)}))

    with pytest.raises(Unplannable, match=r"Query\.sneaky: is not declared"):
        planner(made(query), {})


def test_no_field_of_the_schema_is_left_to_a_resolver() -> None:
    objects = {name for name, type_ in schema.CORE.type_map.items() if hasattr(type_, "interfaces")} - {
        "Node",
        "Payload",
    }

    assert {name for name in objects if not name.startswith("__")} == schema.PLANNER.vocabulary.keys()
