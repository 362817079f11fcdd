"""Execution breadth-first answers as the library does, over made-up schemas, data and documents."""

from collections.abc import Callable
from typing import Any

import pytest
from graphql import execute, located_error

from tests.property.breadth.differences import differences, randomly
from tests.property.breadth.made_up import document, make
from yotei.breadth import columns, run, settle
from yotei.breadth.frames import Frame, Nested
from yotei.breadth.run import Run

DOCUMENTS = 500
DOCUMENTS_OF_A_MUTANT = 500


def test_five_hundred_documents_are_answered_as_the_library_answers_them() -> None:
    found = [one.text() for one in differences(DOCUMENTS)]

    assert found == []


def test_the_documents_are_worth_comparing() -> None:
    with_data = with_errors = with_both = 0
    for seed in range(40):
        made = make(seed)
        random = randomly(seed)
        for _ in range(5):
            written, variables = document(random, made)
            result: Any = execute(made.stock, written, made.root, variable_values=variables)
            with_data += result.data is not None
            with_errors += bool(result.errors)
            with_both += result.data is not None and bool(result.errors)

    assert with_data > 120
    assert with_errors > 60
    assert with_both > 40


def _keys_swapped(kept: Any) -> Any:
    def rows(frame: Frame, structs: bool) -> list[Any]:
        return [dict(reversed(row.items())) if isinstance(row, dict) else row for row in kept(frame, structs)]

    return rows


def _null_where_it_is(_: Any) -> Any:
    def handled(execution: Run, node: Any, _type: Any, error: Exception, path: Any) -> None:
        execution.errors.append(located_error(error, node.nodes, path.as_list()))

    return handled


def _last_path_lost(kept: Any) -> Any:
    def item(execution: Run, node: Any, nested: Any, type_: Any, value: Any, path: Any) -> Any:
        return kept(execution, node, nested, type_, value, path.prev)

    return item


def _null_taken(kept: Any) -> Any:
    def shape(execution: Run, node: Any, type_: Any, value: Any, *rest: Any) -> Any:
        return None if value is None else kept(execution, node, type_, value, *rest)

    return shape


def _infinity_taken(_: Any) -> Any:
    return lambda _column: True


def _first_row_only(kept: Any) -> Any:
    def column(nested: Nested, structs: bool) -> list[Any]:
        made = kept(nested, structs)
        return [made[0]] * len(made)

    return column


MUTANTS: list[tuple[Any, str, Callable[[Any], Any]]] = [
    (Frame, "rows", _keys_swapped),
    (settle, "_handled", _null_where_it_is),
    (settle, "_item", _last_path_lost),
    (run.Run, "_shape", _null_taken),
    (columns, "_finite", _infinity_taken),
    (Nested, "column", _first_row_only),
]


@pytest.mark.parametrize(("owner", "name", "mutate"), MUTANTS, ids=[one[2].__name__.strip("_") for one in MUTANTS])
def test_an_executor_that_is_wrong_in_one_thing_is_found_out(
    owner: Any, name: str, mutate: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    mutated = mutate(getattr(owner, name))
    if owner is columns:
        monkeypatch.setitem(columns._EXACT, columns.GraphQLFloat, (frozenset({float}), mutated))
    else:
        monkeypatch.setattr(owner, name, mutated)

    found = next(differences(DOCUMENTS_OF_A_MUTANT), None)

    assert found is not None
