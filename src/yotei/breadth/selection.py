"""A document's selections, compiled: which fields of which type, in which order.

A `Selection` is what is asked of one object type at one place of the document, a `Node` is one field of it. Both are
made once for a document and hold no data. Fields are collected by the library, so fragments, type conditions, `@skip`
and `@include` mean what they mean there (GraphQL October 2021, 6.3.2).
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec
from graphql import (
    Executor,
    FieldNode,
    GraphQLField,
    GraphQLList,
    GraphQLNamedOutputType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    VariableNode,
    Visitor,
    get_argument_values,
    get_named_type,
    is_leaf_type,
    visit,
)
from graphql.execution.collect_fields import CollectedFields, FieldDetailsList, collect_fields, collect_subfields

from yotei.breadth.vocabulary import Attribute, Field, Loaded, Resolved, Vocabulary

if TYPE_CHECKING:
    from yotei.breadth.plan import Batch
    from yotei.breadth.vocabulary import Carrier

NoneType: Final = type(None)
AnyExecutor = Executor[Any]


class Node:
    """One field of a selection."""

    __slots__ = (
        "along",
        "batch",
        "carried",
        "constant",
        "declared",
        "definition",
        "details",
        "index",
        "item_type",
        "key",
        "leaf",
        "name",
        "named",
        "nodes",
        "non_null",
        "nullable_item",
        "parent",
        "path",
        "plain_list",
        "selections",
        "type",
    )

    def __init__(
        self,
        key: str,
        details: FieldDetailsList,
        parent: GraphQLObjectType,
        definition: GraphQLField,
        declared: Field,
        index: int,
        path: tuple[str, ...],
    ) -> None:
        self.key: Final = key
        self.details: Final = details
        self.nodes: Final[list[FieldNode]] = [one.node for one in details]
        self.name: Final = self.nodes[0].name.value
        self.parent: Final = parent
        self.definition: Final = definition
        self.declared = declared
        self.index: Final = index
        self.path: Final = path
        self.type: Final[GraphQLOutputType] = definition.type
        self.named: Final[GraphQLNamedOutputType] = cast("GraphQLNamedOutputType", get_named_type(definition.type))
        self.leaf: Final = is_leaf_type(self.named)
        self.selections: Final[dict[GraphQLObjectType, Selection]] = {}
        self.constant: dict[str, Any] | None = None
        self.along = False
        self.batch: Batch | None = None
        self.carried: tuple[Node, Carrier] | None = None

        inner, self.non_null = bare(definition.type)
        # What columns are quick with: a value, or a list of values. Lists of lists go value by value.
        self.item_type: GraphQLOutputType | None = inner.of_type if isinstance(inner, GraphQLList) else None
        item, item_non_null = bare(self.item_type) if self.item_type is not None else (None, False)
        self.nullable_item: Final = not item_non_null
        self.plain_list: Final = item is not None and not isinstance(item, GraphQLList)

    def arguments(self, executor: AnyExecutor) -> dict[str, Any]:
        """The coerced arguments; raises GraphQLError where a variable does not fit."""
        if self.constant is not None:
            return self.constant
        first = self.details[0]
        return get_argument_values(
            self.definition,
            first.node,
            executor.variable_values,
            first.fragment_variable_values,
            executor.hide_suggestions,
        )

    def below(self, type_: GraphQLObjectType, executor: AnyExecutor, vocabulary: Vocabulary) -> "Selection":
        """What is selected of values of this field that are of `type_`; collected when it is first needed."""
        selection = self.selections.get(type_)
        if selection is None:
            collected = collect_subfields(
                executor.schema,
                executor.fragments,
                executor.variable_values,
                executor.operation,
                type_,
                self.details,
                executor.hide_suggestions,
            )
            selection = _selection(type_, collected, executor, vocabulary, self.path)
            self.selections[type_] = selection
        return selection


class Selection:
    """What is asked of objects of one type."""

    __slots__ = ("_row", "keys", "nodes", "type")

    def __init__(self, type_: GraphQLObjectType, nodes: tuple[Node, ...]) -> None:
        self.type: Final = type_
        self.nodes: Final = nodes
        self.keys: Final = tuple(node.key for node in nodes)
        self._row: Callable[..., Any] | None = None

    @property
    def row(self) -> Callable[..., Any]:
        """Makes a row of the answer from its values: a Struct that is encoded under the response names."""
        if self._row is None:
            fields = [f"f{number}" for number in range(len(self.keys))]
            self._row = msgspec.defstruct(
                self.type.name,
                [(field, Any) for field in fields],
                rename=dict(zip(fields, self.keys, strict=True)),
                gc=False,
                eq=False,
            )
        return self._row


def bare(type_: GraphQLOutputType) -> tuple[Any, bool]:
    """The type without its `!`, and whether it had one."""
    return (type_.of_type, True) if isinstance(type_, GraphQLNonNull) else (type_, False)


def root_selection(executor: AnyExecutor, type_: GraphQLObjectType, vocabulary: Vocabulary) -> Selection:
    collected = collect_fields(
        executor.schema,
        executor.fragments,
        executor.variable_values,
        type_,
        executor.operation,
        executor.hide_suggestions,
    )
    return _selection(type_, collected, executor, vocabulary, ())


def alone(selection: Selection) -> Iterator[Selection]:
    """Each field as a selection of its own, for those that are executed one after the other."""
    for node in selection.nodes:
        single = Node(node.key, node.details, node.parent, node.definition, node.declared, 0, node.path)
        single.constant = node.constant
        yield Selection(selection.type, (single,))


def _selection(
    type_: GraphQLObjectType,
    collected: CollectedFields,
    executor: AnyExecutor,
    vocabulary: Vocabulary,
    path: tuple[str, ...],
) -> Selection:
    declared = vocabulary.get(type_.name, {})
    nodes: list[Node] = []
    for key, details in collected.grouped_field_set.items():
        name = details[0].node.name.value
        definition = executor.schema.get_field(type_, name)
        if definition is None:  # a document that was not validated: the library leaves it out too
            continue
        field = declared.get(name) or Resolved()
        node = Node(key, details, type_, definition, field, len(nodes), (*path, key))
        node.constant = _constant(node, executor.schema)
        nodes.append(node)
    return Selection(type_, tuple(nodes))


def _constant(node: Node, schema: GraphQLSchema) -> dict[str, Any] | None:
    """The arguments, where they are the same at every execution."""
    written = node.nodes[0].arguments
    if not node.definition.args and not written:
        return {}
    if any(holds_variable(one) for one in written or ()):
        return None
    try:
        return get_argument_values(node.definition, node.nodes[0])
    except Exception:
        return None  # told again at every execution, with its place


class _Variables(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.found = False

    def enter_variable(self, _node: VariableNode, *_: Any) -> None:
        self.found = True


def holds_variable(node: Any) -> bool:
    visitor = _Variables()
    visit(node, visitor)
    return visitor.found


__all__ = ["Attribute", "Loaded", "Node", "Selection", "alone", "bare", "holds_variable", "root_selection"]
