"""What cannot be planned is refused when the schema is built, with its name; plans are made once and told as text."""

import pytest
from graphql import ExecutionResult, GraphQLSchema, build_schema, execute, graphql_sync, parse

from tests.unit.breadth.shop import Shops, executor
from yotei.breadth import Attribute, Carrier, Field, Loaded, Planner, Pure, Resolved, Unplannable, plugged


def _refused(shops: Shops, type_: str, field: str, declared: object) -> str:
    shops.vocabulary[type_][field] = declared  # type: ignore[assignment]
    with pytest.raises(Unplannable) as refused:
        shops.planner()
    return str(refused.value)


def test_a_field_that_is_not_declared_is_named() -> None:
    shops = Shops()
    del shops.vocabulary["Book"]["title"]

    with pytest.raises(Unplannable, match=r"^Book\.title: is not declared$"):
        shops.planner()


def test_a_field_that_is_left_to_a_resolver_is_named() -> None:
    assert _refused(Shops(), "Book", "title", Resolved()) == "Book.title: is left to a resolver"


def test_an_attribute_takes_no_arguments() -> None:
    assert "Book.blurb: takes arguments (words)" in _refused(Shops(), "Book", "blurb", Attribute("blurb"))


def test_a_field_that_the_schema_does_not_have_is_named() -> None:
    assert "Book.colour: the schema has no such field" in _refused(Shops(), "Book", "colour", Attribute("colour"))


def test_a_load_by_an_argument_that_is_not_there_is_named() -> None:
    shops = Shops()

    assert "Shop.owner: is loaded by `age`" in _refused(shops, "Shop", "owner", Loaded(shops.author, "id", by=("age",)))


def test_a_load_that_does_not_bring_the_parent_cannot_stand_in_for_it() -> None:
    shops = Shops()
    carried = Loaded(shops.author, lambda *_: 1, carriers=(Carrier(shops.shelf),))

    refused = _refused(shops, "Query", "author", carried)

    assert refused == "Query.author: is carried by shelf, which does not bring author"


def test_the_plan_is_told_as_text() -> None:
    shops = Shops()

    explained = shops.planner().explain(
        parse("query Shelf { shop(id: 1) { shelf { editor { id } author { name } } } }")
    )

    assert explained.text() == "\n".join(
        [
            "query Shelf: 3 statements, about 21 rows",
            "level 1",
            "  shop: 1 statement, about 1 row",
            "    shop",
            "level 2",
            "  shelf: 1 statement, about 10 rows",
            "    brings editor",
            "    shop.shelf",
            "level 3",
            "  author: 1 statement, about 10 rows",
            "    shop.shelf.author",
        ]
    )


def test_rows_are_estimated_from_the_arguments() -> None:
    shops = Shops()

    asked = executor(shops.planner(), "query ($n: Int) { shops { shelf(first: $n) { id } } }", {"n": 50})

    assert asked.plan.explain(asked).rows == 51


def test_a_document_can_be_explained_before_its_variables_are_known() -> None:
    planner = Shops().planner()
    text = """
        query ($id: Int!, $n: Int, $with: Boolean!, $without: Boolean!) {
          shop(id: $id) { shelf(first: $n) { id } owner @include(if: $with) { id } city @skip(if: $without) }
        }
    """

    explained = planner.explain(parse(text))

    assert (explained.statements, explained.rows) == (3, 12)


def test_a_document_is_planned_once_for_each_answer_to_its_conditions() -> None:
    planner = Shops().planner()
    document = parse("query ($s: Boolean!) { shop(id: 1) { name @skip(if: $s) owner @include(if: $s) { name } } }")
    made = plugged(planner)

    def planned(skip: bool) -> object:
        return made.build(planner.schema, document, raw_variable_values={"s": skip}).plan

    assert planned(True) is planned(True)
    assert planned(True) is not planned(False)


def test_two_documents_that_read_the_same_are_told_apart_by_what_they_are() -> None:
    planner = Shops().planner()

    first, second = (executor(planner, "{ shop(id: 1) { name } }") for _ in range(2))

    assert first.plan is not second.plan


def _schema() -> GraphQLSchema:
    return build_schema("type Query { word: String } type Mutation { add(n: Int!): Int!, note: String }")


def test_the_library_executes_with_it_and_keeps_introspection() -> None:
    schema = _schema()

    result = graphql_sync(
        schema, "{ word __schema { queryType { name } } }", {"word": "x"}, executor_class=plugged(Planner(schema))
    )

    assert result == ({"word": "x", "__schema": {"queryType": {"name": "Query"}}}, None)


async def test_mutations_go_one_after_the_other_and_stop_where_nothing_is_left() -> None:
    schema = _schema()
    said: list[str] = []

    async def add(_: object, _info: object, n: int) -> int:
        said.append(f"begin {n}")
        said.append(f"end {n}")
        if n == 2:
            raise ValueError("no twos")
        return n

    schema.mutation_type.fields["add"].resolve = add  # type: ignore[union-attr]
    document = parse("mutation { a: add(n: 1) b: add(n: 2) c: add(n: 3) }")

    result = execute(schema, document, executor_class=plugged(Planner(schema)))

    assert not isinstance(result, ExecutionResult)
    answer = await result
    assert (answer.data, [one.path for one in answer.errors or ()]) == (None, [["b"]])
    assert said == ["begin 1", "end 1", "begin 2", "end 2"]


async def test_loads_of_mutations_are_not_merged() -> None:
    shops = Shops()
    schema = build_schema("type Query { n: Int } type Mutation { author(id: Int!): Author } type Author { id: Int! }")
    loaded = Loaded(shops.author, lambda _, arguments, __: arguments["id"])
    vocabulary: dict[str, dict[str, Field]] = {
        "Query": {"n": Pure(lambda _: 1)},
        "Mutation": {"author": loaded},
        "Author": {"id": Attribute("id")},
    }
    asked = executor(
        Planner(schema, vocabulary, strict=True), "mutation { a: author(id: 1) { id } b: author(id: 2) { id } }"
    )

    answer = await asked.answer()

    assert not answer.errors
    assert [keys for _, keys, _ in shops.loaded] == [(1,), (2,)]
    assert (asked.plan.statements, asked.plan.levels) == (2, 2)
