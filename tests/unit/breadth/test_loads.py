"""Loads are merged, put into levels, counted beforehand, and go wrong field by field."""

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from graphql import build_schema

from tests.unit.breadth.shop import Author, Shops, data, executor
from yotei.breadth import Attribute, Budget, Load, Loaded, OverBudget, Planner


def _loads(shops: Shops) -> list[tuple[str, tuple[Any, ...]]]:
    return [(name, keys) for name, keys, _ in shops.loaded]


async def test_fields_of_one_kind_are_loaded_together() -> None:
    shops = Shops()

    answer = await shops.ask("{ a: shop(id: 1) { name } b: shop(id: 2) { name } c: shop(id: 1) { id } }")

    assert data(answer) == {"a": {"name": "Shop 1"}, "b": {"name": "Shop 2"}, "c": {"id": 1}}
    assert _loads(shops) == [("shop", (1, 2))]


async def test_loads_of_one_kind_are_merged_across_depths() -> None:
    shops = Shops()
    asked = executor(
        shops.planner(), "{ author(id: 9) { name } shop(id: 1) { shelf { author { name } } owner { name } } }"
    )

    answer = await asked.answer()

    assert not answer.errors
    assert _loads(shops) == [("shop", (1,)), ("shelf", (1,)), ("author", (9, 1, 2, 3))]
    assert (asked.plan.statements, asked.plan.levels) == (3, 3)


async def test_a_load_that_needs_one_of_its_own_kind_is_a_level_of_its_own() -> None:
    shops = Shops()

    answer = await shops.ask("{ author(id: 1) { rival { rival { name } } } }")

    assert data(answer)["author"]["rival"]["rival"]["name"] == "Author 3"
    assert _loads(shops) == [("author", (1,)), ("author", (2,)), ("author", (3,))]


async def test_what_was_loaded_once_is_not_loaded_again() -> None:
    shops = Shops()

    await shops.ask("{ a: author(id: 1) { rival { name } } b: author(id: 2) { name } }")

    assert _loads(shops) == [("author", (1, 2))]


async def test_loads_that_would_wait_for_each_other_are_not_merged() -> None:
    shops = Shops()
    text = """{
      shop(id: 1) { owner { rival { name } } shelf { author { rival { name } } } }
      author(id: 5) { rival { id } }
    }"""
    asked = executor(shops.planner(), text)

    answer = await asked.answer()

    assert not answer.errors
    assert len(shops.loaded) == asked.plan.statements == 4


async def test_arguments_that_turn_out_to_be_equal_go_together() -> None:
    shops = Shops()
    text = "query ($n: Int) { shop(id: 1) { a: shelf(first: 2) { id } b: shelf(first: $n) { id } } }"

    answer = await shops.ask(text, {"n": 2})

    assert data(answer)["shop"] == {"a": [{"id": 1}, {"id": 2}], "b": [{"id": 1}, {"id": 2}]}
    assert _loads(shops) == [("shop", (1,)), ("shelf", (1,))]


async def test_a_load_that_runs_twice_in_a_level_is_named_with_its_fields() -> None:
    shops = Shops()
    asked = executor(shops.planner(), "{ shop(id: 1) { a: shelf(first: 1) { id } b: shelf(first: 2) { id } } }")

    (repeat,) = asked.plan.repeated

    assert (repeat.load, repeat.level, repeat.fields) == ("shelf", 2, ("shop.a", "shop.b"))
    assert "level 2 loads shelf for shop.a, shop.b apart" in asked.plan.explain(asked).text()


@pytest.mark.parametrize("books", [1, 10, 500])
async def test_statements_are_the_same_however_much_there_is(books: int) -> None:
    shops = Shops(books)
    asked = executor(shops.planner(), "{ shops { shelf(first: 500) { title author { name } } } }")

    answer = await asked.answer()

    assert len(data(answer)["shops"][0]["shelf"]) == books
    assert asked.plan.statements == len(shops.loaded) == 3


async def test_null_keys_are_null_and_not_loaded() -> None:
    shops = Shops(7)

    answer = await shops.ask("{ shop(id: 1) { shelf { id author { name } } } }")

    assert data(answer)["shop"]["shelf"][6] == {"id": 7, "author": None}
    assert shops.loaded[2][1] == (1, 2, 3, 4, 0)


async def test_what_is_below_nothing_is_not_loaded() -> None:
    shops = Shops(0)

    answer = await shops.ask("{ shop(id: 1) { shelf { author { name } } } other: shop(id: 100) { owner { name } } }")

    assert data(answer) == {"shop": {"shelf": []}, "other": None}
    assert _loads(shops) == [("shop", (1, 100)), ("shelf", (1,))]


async def test_a_load_that_raises_fails_its_fields_and_no_others() -> None:
    shops = Shops()

    async def broken(*_: Any) -> list[Any]:
        raise ConnectionError("lost")

    msgspec.structs.force_setattr(shops.author, "load", broken)

    answer = await shops.ask("{ shop(id: 1) { name owner { name } shelf(first: 1) { title author { name } } } }")

    assert data(answer)["shop"] == {"name": "Shop 1", "owner": None, "shelf": [{"title": "Book 1", "author": None}]}
    assert [one.path for one in answer.errors] == [["shop", "owner"], ["shop", "shelf", 0, "author"]]
    assert all(isinstance(one.original_error, ConnectionError) for one in answer.errors)


async def test_a_load_that_answers_with_too_little_fails() -> None:
    shops = Shops()

    async def short(_: Any, keys: Sequence[int], __: Any) -> list[Any]:
        return [Author(1, "One")] * (len(keys) - 1)

    msgspec.structs.force_setattr(shops.author, "load", short)

    answer = await shops.ask("{ author(id: 1) { name } }")

    assert data(answer) == {"author": None}
    assert answer.errors[0].message == "load author answered 1 keys with 0 values"


async def test_a_key_that_fails_by_itself_fails_alone() -> None:
    shops = Shops()

    async def half(_: Any, keys: Sequence[int], __: Any) -> list[Any]:
        return [Author(key, "One") if key == 1 else PermissionError("not yours") for key in keys]

    msgspec.structs.force_setattr(shops.author, "load", half)

    answer = await shops.ask("{ a: author(id: 1) { name } b: author(id: 2) { name } }")

    assert data(answer) == {"a": {"name": "One"}, "b": None}
    assert [(one.message, one.path) for one in answer.errors] == [("not yours", ["b"])]


async def test_more_keys_than_a_load_takes_fail_it() -> None:
    shops = Shops(40)
    msgspec.structs.force_setattr(shops.author, "keys_max", 4)

    answer = await shops.ask("{ shop(id: 1) { shelf(first: 40) { author { name } } } }")

    assert {one.message for one in answer.errors} == {"author is asked for 5 keys at once; at most 4 are taken."}


async def test_arguments_that_are_wrong_fail_their_field_without_a_load() -> None:
    shops = Shops()

    answer = await shops.ask("{ shop(id: 1) { name shelf(first: -1) { id } } }")

    assert data(answer)["shop"] == {"name": "Shop 1", "shelf": None}
    assert [(one.message, one.path) for one in answer.errors] == [
        ("first: expected a positive number", ["shop", "shelf"])
    ]
    assert _loads(shops) == [("shop", (1,))]


async def test_a_cancelled_operation_cancels_its_loads_and_waits_for_them() -> None:
    shops = Shops()
    begun, ended = asyncio.Event(), []

    async def endless(*_: Any) -> list[Any]:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append("load")
        return []

    msgspec.structs.force_setattr(shops.author, "load", endless)
    task = asyncio.create_task(shops.ask("{ author(id: 1) { name } shop(id: 1) { name } }"))
    await begun.wait()

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == ["load"]


async def test_loads_of_one_level_run_at_the_same_time() -> None:
    shops = Shops()
    both = asyncio.Barrier(2)

    def meeting(load: Load) -> None:
        kept = load.load

        async def met(*given: Any) -> Any:
            await both.wait()
            return await kept(*given)

        msgspec.structs.force_setattr(load, "load", met)

    meeting(shops.author)
    meeting(shops.shop)

    async with asyncio.timeout(20):
        answer = await shops.ask("{ author(id: 1) { name } shop(id: 1) { name } }")

    assert not answer.errors


async def test_a_document_over_its_budget_is_refused_with_its_plan_before_anything_is_loaded() -> None:
    shops = Shops()

    answer = await shops.ask("{ shop(id: 1) { shelf { author { rival { name } } } } }", budget=Budget(3))

    (error,) = answer.errors
    assert isinstance(error, OverBudget)
    assert error.message == "The document needs 4 statements; at most 3 are given."
    assert error.extensions is not None
    assert [[load["load"] for load in level] for level in error.extensions["plan"]["levels"]] == [
        ["shop"],
        ["shelf"],
        ["author"],
        ["author"],
    ]
    assert (answer.data, shops.loaded) == (None, [])


async def test_a_document_that_may_bring_too_many_rows_is_refused() -> None:
    shops = Shops()
    budget = Budget(9, rows_max=40)

    fits = await shops.ask("{ shops { shelf(first: 20) { id } } }", budget=budget)
    refused = await shops.ask("query ($n: Int) { shop(id: 1) { shelf(first: $n) { id } } }", {"n": 40}, budget=budget)

    assert not fits.errors
    assert [one.message for one in refused.errors] == ["The document may bring 41 rows; at most 40 are given."]


class TestFieldsThatWrite:
    """One after the other, each with the loads of what is selected of it."""

    def planner(self, done: list[str]) -> Planner:
        async def rename(_: Any, keys: Sequence[Any], __: Any) -> list[dict[str, Any]]:
            done.append("write")
            return [{"book": 1} for _ in keys]

        async def book(_: Any, keys: Sequence[int], __: Any) -> list[Any]:
            done.append("read")
            return [Author(key, f"version {done.count('write')}") for key in keys]

        books, renamed = Load("book", book), Load("rename", rename, statements=5, writes=True)
        schema = build_schema(
            "type Query { book: Book } type Mutation { rename: Renamed }"
            "type Renamed { book: Book } type Book { name: String }"
        )
        return Planner(
            schema,
            {
                "Query": {"book": Loaded(books, lambda *_: 1)},
                "Mutation": {"rename": Loaded(renamed, lambda *_: object())},
                "Renamed": {"book": Loaded(books, lambda one, *_: one["book"])},
                "Book": {"name": Attribute("name")},
            },
            strict=True,
        )

    async def test_what_was_read_before_a_write_is_read_anew(self) -> None:
        done: list[str] = []

        answer = await executor(
            self.planner(done), "mutation { a: rename { book { name } } b: rename { book { name } } }"
        ).answer()

        assert data(answer) == {"a": {"book": {"name": "version 1"}}, "b": {"book": {"name": "version 2"}}}
        assert done == ["write", "read", "write", "read"]

    async def test_they_are_counted_but_the_budget_is_for_reads_of_each(self) -> None:
        done: list[str] = []
        text = "mutation { a: rename { book { name } } b: rename { book { name } } }"
        asked = executor(self.planner(done), text, budget=Budget(1))

        answer = await asked.answer()

        assert not answer.errors
        assert (asked.plan.statements, asked.plan.reads) == (12, 1)
        assert (await executor(self.planner(done), text, budget=Budget(0)).answer()).data is None
