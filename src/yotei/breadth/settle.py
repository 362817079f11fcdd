"""The answer where something failed: rows one by one, in the order of the document, nulls moved up as the specification
has it (GraphQL October 2021, 6.4.4). What is below a field that became null is told no more, and of fields side by side
the first that cannot be null ends their object: the errors are those of an execution that goes depth first.
"""

from typing import TYPE_CHECKING, Any

from graphql import GraphQLList, GraphQLNonNull, GraphQLOutputType, located_error
from graphql.pyutils import Path

from yotei.breadth.columns import Fail
from yotei.breadth.selection import Node

if TYPE_CHECKING:
    from yotei.breadth.frames import Frame, Nested
    from yotei.breadth.run import Run


def settle(run: "Run", frame: "Frame", row: int, path: Path | None) -> dict[str, Any]:
    """One row of a frame as a dict; raises the error that takes the whole row with it."""
    return {
        node.key: settle_field(run, node, column, row, Path(path, node.key, node.parent.name))
        for node, column in zip(frame.selection.nodes, frame.columns, strict=True)
    }


def settle_field(run: "Run", node: Node, column: "list[Any] | Nested", row: int, path: Path) -> Any:
    nested = None if isinstance(column, list) else column
    value = column[row] if isinstance(column, list) else column.branches()[row]
    try:
        return _value(run, node, nested, node.type, value, path)
    except Exception as error:
        return _handled(run, node, node.type, error, path)


def _value(run: "Run", node: Node, nested: "Nested | None", type_: GraphQLOutputType, value: Any, path: Path) -> Any:
    if type(value) is Fail:
        raise value.error
    if isinstance(type_, GraphQLNonNull):
        return _value(run, node, nested, type_.of_type, value, path)
    if value is None:
        return None
    if isinstance(type_, GraphQLList):
        return [_item(run, node, nested, type_.of_type, item, path.add_key(index)) for index, item in enumerate(value)]
    if nested is None:
        return value
    place = nested.places[value] if nested.places is not None else (0, value)
    if type(place) is Fail:
        raise place.error
    assert isinstance(place, tuple)
    return settle(run, nested.frames[place[0]], place[1], path)


def _item(run: "Run", node: Node, nested: "Nested | None", type_: GraphQLOutputType, item: Any, path: Path) -> Any:
    try:
        return _value(run, node, nested, type_, item, path)
    except Exception as error:
        return _handled(run, node, type_, error, path)


def _handled(run: "Run", node: Node, type_: GraphQLOutputType, error: Exception, path: Path) -> None:
    """Null with the error noted; raises it, located, where null is not allowed."""
    located = located_error(error, node.nodes, path.as_list())
    if run.executor.error_propagation and isinstance(type_, GraphQLNonNull):
        raise located
    run.errors.append(located)
