"""How deep, how repetitive a document may be. Counted on the syntax tree alone, before anything is validated: the time
of validation itself grows with the square of what is repeated.

Fragments count wherever they are spread, each measured once, so that the cost is that of the text and not of what it
unfolds to. What cannot be measured (a fragment that is not there, one that holds itself) is for validation to refuse.
"""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
)

SPREADS_MAX: Final = 50
"""Fragment spreads in a document; validation compares fragments in pairs."""

WRITES_MAX: Final = 10
"""Root fields of a mutation: each is a transaction of its own."""

_INTROSPECTION: Final = frozenset({"__schema", "__type"})


class Size(NamedTuple):
    """`depth` in levels of fields; `aliases` counts aliases and fields that are asked for again, fragments unfolded."""

    depth: int
    aliases: int


class Bounds(NamedTuple):
    depth_max: int
    aliases_max: int
    root_fields_max: int = 30
    directives_max: int = 50
    directives_each_max: int = 4


def excess(document: DocumentNode, bounds: Bounds) -> str | None:
    """What the document has too much of, as a sentence; None when it stays within its bounds."""
    fragments = fragments_of(document)
    measured: dict[str, Size | None] = {}
    spreads = sum(1 for one in document.definitions for _ in _spreads(getattr(one, "selection_set", None)))
    if spreads > SPREADS_MAX:
        return f"The document spreads {spreads} fragments; at most {SPREADS_MAX} are taken."
    directives = [*_directives(document)]
    most = max(directives, default=0)
    if most > bounds.directives_each_max:
        return f"The document has {most} directives at one place; at most {bounds.directives_each_max} are taken."
    if sum(directives) > bounds.directives_max:
        return f"The document has {sum(directives)} directives; at most {bounds.directives_max} are taken."
    # Fragments that nothing spreads are measured too: they are validated like the others.
    operations = [one for one in document.definitions if isinstance(one, OperationDefinitionNode)]
    alone = [one for one in document.definitions if isinstance(one, FragmentDefinitionNode)]
    sizes = [_measure(one.selection_set, fragments, measured) for one in [*operations, *alone]]
    writes = max((roots(one, fragments) for one in operations if one.operation is OperationType.MUTATION), default=0)
    if writes > WRITES_MAX:
        return f"The document writes {writes} times; at most {WRITES_MAX} are taken."
    wide = max((roots(one, fragments) for one in operations), default=0)
    if wide > bounds.root_fields_max:
        return f"The document has {wide} fields at its root; at most {bounds.root_fields_max} are taken."
    depth = max((size.depth for size in sizes[: len(operations)]), default=0)
    if depth > bounds.depth_max:
        return f"The document is {depth} levels deep; at most {bounds.depth_max} are taken."
    aliases = sum(size.aliases for size in sizes[: len(operations)])
    if max([aliases, *(size.aliases for size in sizes)]) > bounds.aliases_max:
        return f"The document holds more than {bounds.aliases_max} aliases and repeated fields."
    return None


def fragments_of(document: DocumentNode) -> dict[str, FragmentDefinitionNode]:
    return {one.name.value: one for one in document.definitions if isinstance(one, FragmentDefinitionNode)}


def roots(operation: OperationDefinitionNode, fragments: Mapping[str, FragmentDefinitionNode]) -> int:
    """Fields at the root of an operation, each fragment opened once."""
    opened: set[str] = set()

    def count(selected: SelectionSetNode) -> int:
        found = 0
        for one in _flat(selected):
            if isinstance(one, FieldNode):
                found += 1
            elif one.name.value in fragments and one.name.value not in opened:
                opened.add(one.name.value)
                found += count(fragments[one.name.value].selection_set)
        return found

    return count(operation.selection_set)


def _measure(
    selected: SelectionSetNode | None,
    fragments: Mapping[str, FragmentDefinitionNode],
    measured: dict[str, Size | None],
) -> Size:
    if selected is None:
        return Size(0, 0)
    depth = aliases = 0
    names: set[str] = set()
    for one in _flat(selected):
        if isinstance(one, FieldNode):
            below = _measure(one.selection_set, fragments, measured)
            if one.name.value not in _INTROSPECTION:  # how deep that goes is for a validation rule of its own
                depth = max(depth, 1 + below.depth)
            answered_as = one.alias.value if one.alias else one.name.value
            aliases += below.aliases + (one.alias is not None or answered_as in names)
            names.add(answered_as)
        else:
            size = _fragment(one.name.value, fragments, measured)
            depth = max(depth, size.depth)
            aliases += size.aliases
    return Size(depth, aliases)


def _fragment(name: str, fragments: Mapping[str, FragmentDefinitionNode], measured: dict[str, Size | None]) -> Size:
    if name not in measured:
        measured[name] = None  # what is met again while it is being measured holds itself
        fragment = fragments.get(name)
        measured[name] = _measure(fragment.selection_set if fragment else None, fragments, measured)
    return measured[name] or Size(0, 0)


def _flat(selected: SelectionSetNode) -> Iterator[FieldNode | FragmentSpreadNode]:
    """The fields and spreads of a selection, inline fragments opened."""
    for one in selected.selections:
        if isinstance(one, InlineFragmentNode):
            yield from _flat(one.selection_set)
        elif isinstance(one, FieldNode | FragmentSpreadNode):
            yield one


def _directives(document: DocumentNode) -> Iterator[int]:
    """How many directives each place has that has some."""
    for one in document.definitions:
        yield len(getattr(one, "directives", None) or ())
        for variable in getattr(one, "variable_definitions", None) or ():
            yield len(variable.directives or ())
        yield from _directives_below(getattr(one, "selection_set", None))


def _directives_below(selected: SelectionSetNode | None) -> Iterator[int]:
    for one in selected.selections if selected else ():
        if one.directives:
            yield len(one.directives)
        yield from _directives_below(getattr(one, "selection_set", None))


def _spreads(selected: SelectionSetNode | None) -> Iterator[FragmentSpreadNode]:
    for one in _flat(selected) if selected else ():
        if isinstance(one, FieldNode):
            yield from _spreads(one.selection_set)
        else:
            yield one
