"""Interfaces and unions of a schema that is planned whole: the class of a value says of which type it is."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
import pytest
from graphql import build_schema

from tests.unit.breadth.shop import data, executor
from yotei.breadth import Attribute, Load, Loaded, Planner, Pure, Unplannable

SCHEMA: Final = build_schema("""
type Query { all: [Found]!, one: Named }
interface Named { name: String! }
type Room implements Named { name: String!, seats: Int }
type Person implements Named { name: String!, boss: Person }
union Found = Room | Person
""")


class Room(msgspec.Struct, frozen=True):
    name: str
    seats: int


class Person(msgspec.Struct, frozen=True):
    name: str
    boss: str


def _vocabulary(person: Load) -> Any:
    return {
        "Query": {
            "all": Pure(lambda _: [Room("Fuji", 8), Person("Aiko", "Ken"), None, Room("Asama", 4)]),
            "one": Pure(lambda _: Person("Ken", "Aiko")),
        },
        "Room": {"name": Attribute("name"), "seats": Attribute("seats")},
        "Person": {"name": Attribute("name"), "boss": Loaded(person, "boss")},
    }


async def _people(_: Any, keys: Sequence[str], __: Any) -> list[Person]:
    return [Person(key, "nobody") for key in keys]


async def test_values_are_told_apart_by_their_class_and_loads_below_them_are_merged() -> None:
    planner = Planner(
        SCHEMA, _vocabulary(Load("person", _people)), strict=True, classes={Room: "Room", Person: "Person"}
    )
    text = "{ all { __typename ... on Named { name } ... on Room { seats } ...P } one { name ...P } } "
    asked = executor(planner, text + "fragment P on Person { boss { name } }")

    answer = await asked.answer()

    assert not answer.errors
    assert asked.plan.statements == 1
    assert data(answer) == {
        "all": [
            {"__typename": "Room", "name": "Fuji", "seats": 8},
            {"__typename": "Person", "name": "Aiko", "boss": {"name": "Ken"}},
            None,
            {"__typename": "Room", "name": "Asama", "seats": 4},
        ],
        "one": {"name": "Ken", "boss": {"name": "Aiko"}},
    }


def test_a_type_of_which_no_class_is_known_is_named_when_the_schema_is_built() -> None:
    with pytest.raises(Unplannable, match="Found: no class is known to be Person"):
        Planner(SCHEMA, _vocabulary(Load("person", _people)), strict=True, classes={Room: "Room"})
