"""What comes with another load, and what stands in for one, costs nothing."""

from collections.abc import Sequence
from typing import Any

from graphql import build_schema

from tests.unit.breadth.shop import Shops, data, executor
from yotei.breadth import Brought, Field, Load, Loaded, Planner, Pure


async def test_a_load_is_told_what_it_is_to_bring_along() -> None:
    shops = Shops(1)

    answer = await shops.ask("{ shop(id: 1) { shelf { editor { name } } } }")

    assert data(answer)["shop"]["shelf"] == [{"editor": {"name": "Editor"}}]
    assert shops.loaded[1] == ("shelf", (1,), ({"first": 10}, {"editor"}))


async def test_what_is_not_asked_for_is_not_brought_along() -> None:
    shops = Shops(1)

    await shops.ask("{ shop(id: 1) { shelf { id } } }")

    assert shops.loaded[1] == ("shelf", (1,), ({"first": 10}, set()))


async def test_where_nothing_can_bring_it_along_it_is_loaded() -> None:
    shops = Shops(1)

    answer = await shops.ask("{ book(id: 1) { editor { name } } }")

    assert data(answer) == {"book": {"editor": {"name": "Author 98"}}}
    assert shops.loaded == [("author", (98,), {})]


async def test_a_load_below_stands_in_for_that_of_its_parent() -> None:
    shops = Shops(1, carried=True)
    asked = executor(shops.planner(), "{ shop(id: 1) { name shelf { title } page { more } __typename } }")

    answer = await asked.answer()

    assert data(answer) == {
        "shop": {"name": "Shop 1", "shelf": [{"title": "Book 1"}], "page": {"more": False}, "__typename": "Shop"}
    }
    assert [name for name, _, _ in shops.loaded] == ["shelf"]
    assert asked.plan.statements == 1
    assert "instead of shop" in asked.plan.explain(asked).text()


async def test_parents_side_by_side_are_carried_together() -> None:
    shops = Shops(1, carried=True)

    answer = await shops.ask(
        "{ a: shop(id: 1) { shelf { id } } b: shop(id: 2) { shelf { id } } c: shop(id: 100) { page { more } } }"
    )

    assert data(answer) == {"a": {"shelf": [{"id": 1}]}, "b": {"shelf": [{"id": 1}]}, "c": None}
    assert [(name, keys) for name, keys, _ in shops.loaded] == [("shelf", (1, 2, 100))]


async def test_a_field_that_the_load_below_does_not_know_keeps_the_parents_load() -> None:
    shops = Shops(1, carried=True)

    answer = await shops.ask("{ shop(id: 1) { city shelf { id } } }")

    assert data(answer)["shop"]["city"] == "Kyoto"
    assert [name for name, _, _ in shops.loaded] == ["shop", "shelf"]


async def test_where_the_load_below_cannot_run_the_parents_does() -> None:
    shops = Shops(1, carried=True)
    asked = executor(shops.planner(), "{ shop(id: 1) { name shelf(first: -1) { id } } }")

    answer = await asked.answer()

    assert data(answer) == {"shop": {"name": "Shop 1", "shelf": None}}
    assert [one.path for one in answer.errors] == [["shop", "shelf"]]
    assert [name for name, _, _ in shops.loaded] == ["shop"]
    assert asked.plan.statements == 1


async def test_what_a_load_brings_can_be_the_parent_itself() -> None:
    shops = Shops(1, brought=True)
    asked = executor(
        shops.planner(), "{ shop(id: 1) { name city shelf { title } } gone: shop(id: 100) { shelf { id } } }"
    )

    answer = await asked.answer()

    assert data(answer) == {
        "shop": {"name": "Shop 1", "city": "Nara", "shelf": [{"title": "Book 1"}]},
        "gone": None,
    }
    assert shops.loaded == [("shelf", (1, 100), ({"first": 10}, {"shop"}))]
    assert asked.plan.statements == 1


async def test_a_parent_that_came_along_is_told_where_the_load_below_failed() -> None:
    shops = Shops(1, brought=True)
    shops.broken = ValueError("Too many books.")

    answer = await shops.ask("{ shop(id: 1) { city shelf { title } } }")

    assert data(answer) == {"shop": {"city": "Nara", "shelf": None}}
    assert [one.path for one in answer.errors] == [["shop", "shelf"]]


async def test_loads_that_go_together_bring_what_one_of_them_wants() -> None:
    shops = Shops(1)

    answer = await shops.ask("{ shop(id: 1) { shelf { title } } shops { shelf { editor { name } } } }")

    assert [one["shelf"][0]["editor"]["name"] for one in data(answer)["shops"]] == ["Editor", "Editor"]
    assert shops.loaded[1:] == [("shelf", (1, 2), ({"first": 10}, {"editor"}))]


async def test_below_what_came_along_nothing_else_does() -> None:
    shops = Shops(1, brought=True)

    await shops.ask("{ shop(id: 1) { shelf { editor { rival { name } } } } }")

    assert [(name, keys) for name, keys, _ in shops.loaded] == [("shelf", (1,))]


async def test_loads_of_one_kind_bring_the_same_along_at_every_level() -> None:
    schema = build_schema("type Query { one: Node } type Node { id: Int!, next: Node, tag: String }")
    told: list[tuple[str, tuple[int, ...]]] = []

    async def tags(_: Any, keys: Sequence[int], __: Any) -> list[str]:
        raise AssertionError("they are brought along")

    async def nodes(_: Any, keys: Sequence[int], __: Any, wanted: frozenset[Load]) -> Brought:
        told.extend((one.name, tuple(keys)) for one in wanted)
        return Brought(keys, {one: {key: f"tag {key}" for key in keys} for one in wanted})

    tag = Load("tag", tags)
    node = Load("node", nodes, brings=frozenset({tag}))
    vocabulary: dict[str, dict[str, Field]] = {
        "Query": {"one": Loaded(node, lambda *_: 1)},
        "Node": {
            "id": Pure(lambda one: one),
            "next": Loaded(node, lambda one, _, __: one),
            "tag": Loaded(tag, lambda one, _, __: one),
        },
    }
    asked = executor(Planner(schema, vocabulary, strict=True), "{ one { id next { tag } } }")

    answer = await asked.answer()

    assert data(answer) == {"one": {"id": 1, "next": {"tag": "tag 1"}}}
    assert told == [("tag", (1,))]


async def test_a_load_that_brings_itself_has_answered_what_its_answers_ask_of_it() -> None:
    schema = build_schema("type Query { one: Node } type Node { name: String }")
    asked: list[tuple[int, ...]] = []

    async def nodes(_: Any, keys: Sequence[int], __: Any) -> list[int]:
        asked.append(tuple(keys))
        return list(keys)

    node = Load("node", nodes, brings_itself=True)
    vocabulary: dict[str, dict[str, Field]] = {
        "Query": {"one": Loaded(node, lambda *_: 1)},
        "Node": {"name": Loaded(node, lambda one, _, __: one, value=lambda one, _: f"node {one}")},
    }
    executed = executor(Planner(schema, vocabulary, strict=True), "{ one { name } }")

    answer = await executed.answer()

    assert (data(answer), executed.plan.statements) == ({"one": {"name": "node 1"}}, 1)
    assert asked == [(1,)]
