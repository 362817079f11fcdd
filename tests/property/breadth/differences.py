"""Ours beside the library's own executor, over made-up documents: any difference in data or errors is told.

    python -m tests.property.breadth.differences 10000

The library executes with resolvers that answer at once. Ours executes the same document four ways: with the same
resolvers, with coroutines, with loads and functions, and with loads to the bytes of the answer. Compared are data with
the order of its keys, and the errors in their order, with message, path and locations.
"""

import asyncio
import sys
from collections.abc import Iterator
from random import Random
from typing import Any, Final, NamedTuple

import msgspec
from graphql import DocumentNode, ExecutionResult, GraphQLError, execute, print_ast

from tests.property.breadth.made_up import Made, document, make
from yotei.breadth import Planner, plugged

DOCUMENTS_OF_A_SCHEMA: Final = 25
SHOWN_MAX: Final = 5

_encode: Final = msgspec.json.Encoder(enc_hook=repr).encode


class Difference(NamedTuple):
    seed: int
    number: int
    way: str
    document: DocumentNode
    variables: dict[str, Any]
    expected: object
    found: object

    def text(self) -> str:
        return (
            f"seed {self.seed}, document {self.number}, {self.way}\n{print_ast(self.document)}\n{self.variables}\n"
            f"stock {self.expected}\nours  {self.found}"
        )


def differences(documents: int, *, seed: int = 0) -> Iterator[Difference]:
    """Every difference over so many documents."""
    with asyncio.Runner() as runner:
        for first in range(0, documents, DOCUMENTS_OF_A_SCHEMA):
            schema_seed = seed + first
            made = make(schema_seed)
            compared = _Compared(made)
            random = randomly(schema_seed)
            for number in range(min(DOCUMENTS_OF_A_SCHEMA, documents - first)):
                written, variables = document(random, made)
                expected = compared.stock(written, variables)
                found = runner.run(compared.ours(written, variables, expected))
                for way, wanted, got in found:
                    if wanted != got:
                        yield Difference(schema_seed, number, way, written, variables, wanted, got)


def randomly(seed: int) -> Random:
    """What decides on the documents of a schema of that seed."""
    return Random(seed)


class _Compared:
    """One schema, with an executor for each way."""

    def __init__(self, made: Made) -> None:
        self._made = made
        self._general = plugged(Planner(made.stock))
        self._waiting = plugged(Planner(made.waiting))
        self._planned = plugged(Planner(made.stock, made.vocabulary))

    def stock(self, written: DocumentNode, variables: dict[str, Any]) -> ExecutionResult:
        result = execute(self._made.stock, written, self._made.root, variable_values=variables)
        assert isinstance(result, ExecutionResult)
        return result

    async def ours(
        self, written: DocumentNode, variables: dict[str, Any], expected: ExecutionResult
    ) -> list[tuple[str, object, object]]:
        wanted = _told(expected.data, expected.errors)
        ways = (
            ("at once", self._made.stock, self._general),
            ("in coroutines", self._made.waiting, self._waiting),
            ("planned", self._made.stock, self._planned),
        )
        found: list[tuple[str, object, object]] = []
        for way, schema, executor in ways:
            result = execute(schema, written, self._made.root, variable_values=variables, executor_class=executor)
            if not isinstance(result, ExecutionResult):
                result = await result
            found.append((way, wanted, _told(result.data, result.errors)))
        built = self._planned.build(self._made.stock, written, self._made.root, None, variables)
        if not isinstance(built, list):
            self._made.loaded.clear()
            answer = await built.answer()
            promised, sent = built.plan.statements, len(self._made.loaded)
            found.append(("statements", True, sent <= promised or f"{sent} sent, {promised} promised"))
            bytes_of = _encode(expected.data), _list(expected.errors)
            found.append(("to bytes", bytes_of, (_encode(answer.data), _list(answer.errors))))
        return found


def _told(data: Any, errors: Any) -> tuple[str, list[Any]]:
    return repr(data), _list(errors)


def _list(errors: "list[GraphQLError] | tuple[GraphQLError, ...] | None") -> list[Any]:
    return [one.formatted for one in errors or ()]


def main() -> int:
    documents = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    found = 0
    for one in differences(documents):
        found += 1
        if found <= SHOWN_MAX:
            print(one.text(), end="\n\n")  # noqa: T201
    print(f"documents {documents}, differences {found}")  # noqa: T201
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
