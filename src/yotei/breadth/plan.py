"""What a document costs, known before it runs: its loads, merged and put into levels.

Loads of one kind with equal arguments become one `Batch`, wherever they stand in the document, unless one needs what
another of the same batch brings. The level of a batch is one more than the highest of those that its fields need. So
the number of statements follows from the document, and data can only make it smaller.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import msgspec
from graphql import GraphQLError, GraphQLObjectType, is_abstract_type, print_ast
from graphql import GraphQLSchema as Schema

from yotei.breadth.selection import AnyExecutor, Node, Selection
from yotei.breadth.vocabulary import Attribute, Carrier, Load, Loaded, Pure, Vocabulary

FIELDS_MAX: Final = 10_000
"""Fields of a document with all of its fragments unfolded, for every type that a value may have."""
ROWS_MAX: Final = 10**12
"""Where estimates stop growing."""


class Batch:
    """Fields whose loads go together, as one load. `standby` are the loads that this one stands in for: they run when
    the arguments of this one turn out to be wrong, and then this one does not. `along`: what it is told to bring.
    """

    __slots__ = ("along", "arguments", "level", "load", "needs", "nodes", "scope", "standby")

    def __init__(self, load: Load, arguments: Any, scope: int) -> None:
        self.load: Final = load
        self.arguments: Final = arguments
        self.scope: Final = scope
        self.nodes: list[Node] = []
        self.needs: list[Batch] = []
        self.standby: list[Batch] = []
        self.along: set[Load] = set()
        self.level = 0

    @property
    def statements(self) -> int:
        return max(self.load.statements, sum(one.load.statements for one in self.standby))

    def reaches(self, other: "Batch") -> bool:
        return self is other or any(one.reaches(other) for one in self.needs)


class LoadPlan(msgspec.Struct, frozen=True):
    """One load: what is loaded, for which fields, at which cost. `rows` is an estimate."""

    load: str
    statements: int
    rows: int
    fields: tuple[str, ...]
    along: tuple[str, ...] = ()
    instead_of: tuple[str, ...] = ()


class Repeat(msgspec.Struct, frozen=True):
    """A load that runs more than once in one level, and the fields that make it: an N+1 written by hand."""

    load: str
    level: int
    fields: tuple[str, ...]


class Budget(msgspec.Struct, frozen=True):
    """What a document may cost: statements of loads that do not write, and rows that are to be expected."""

    statements_max: int
    rows_max: int = ROWS_MAX


class Explained(msgspec.Struct, frozen=True):
    """A plan for people and for `extensions.plan`. `reads` are the statements that count against a budget: those of
    loads that do not write; where fields go one after the other, of the one that takes most."""

    operation: str
    statements: int
    reads: int
    rows: int
    levels: tuple[tuple[LoadPlan, ...], ...]
    repeated: tuple[Repeat, ...]

    def fits(self, budget: Budget) -> bool:
        return self.reads <= budget.statements_max and self.rows <= budget.rows_max

    def text(self) -> str:
        """The plan on a screen."""
        lines = [f"{self.operation}: {_counted(self.statements, 'statement')}, about {_counted(self.rows, 'row')}"]
        for number, loads in enumerate(self.levels, 1):
            lines.append(f"level {number}")
            for one in loads:
                lines.append(
                    f"  {one.load}: {_counted(one.statements, 'statement')}, about {_counted(one.rows, 'row')}"
                )
                if one.instead_of:
                    lines.append(f"    instead of {', '.join(one.instead_of)}")
                if one.along:
                    lines.append(f"    brings {', '.join(one.along)}")
                lines += [f"    {field}" for field in one.fields]
        lines += [
            f"level {one.level} loads {one.load} for {', '.join(one.fields)} apart: their arguments differ"
            for one in self.repeated
        ]
        return "\n".join(lines)


class OverBudget(GraphQLError):
    """A document that costs more than it may; its plan is `explained`, and in `extensions.plan`."""

    def __init__(self, explained: Explained, detail: str) -> None:
        super().__init__(detail, extensions={"plan": msgspec.to_builtins(explained)})
        self.explained: Final = explained


class Plan:
    """A document as it is executed: one selection, or where fields go one after the other, one for each."""

    __slots__ = ("batches", "name", "repeated", "selections", "serial")

    def __init__(self, name: str, selections: Sequence[Selection], batches: Sequence[Batch], *, serial: bool) -> None:
        self.name: Final = name
        self.selections: Final = tuple(selections)
        self.batches: Final = tuple(batches)
        self.serial: Final = serial
        self.repeated: Final = _repeated(batches)

    @property
    def statements(self) -> int:
        """How many statements it takes at most, whatever the data."""
        return sum(batch.statements for batch in self.batches)

    @property
    def reads(self) -> int:
        """Those that count against a budget; see Explained."""
        scopes = dict.fromkeys(range(len(self.selections)), 0)
        for batch in self.batches:
            scopes[batch.scope] += 0 if batch.load.writes else batch.statements
        return max(scopes.values(), default=0)

    def check(self, budget: Budget, executor: AnyExecutor) -> None:
        """Raises OverBudget."""
        if self.reads > budget.statements_max:
            detail = (
                f"The document needs {_counted(self.reads, 'statement')}; at most {budget.statements_max} are given."
            )
            raise OverBudget(self.explain(executor), detail)
        rows = min(sum(self._rows(executor).values()), ROWS_MAX)
        if rows > budget.rows_max:
            detail = f"The document may bring {rows:,} rows; at most {budget.rows_max:,} are given."
            raise OverBudget(self.explain(executor), detail)

    @property
    def levels(self) -> int:
        return max((batch.level for batch in self.batches), default=0)

    def explain(self, executor: AnyExecutor) -> Explained:
        """The plan with the rows to expect, as far as the variables of the executor are known."""
        rows = self._rows(executor)
        levels: list[list[LoadPlan]] = [[] for _ in range(self.levels)]
        for batch in self.batches:
            levels[batch.level - 1].append(
                LoadPlan(
                    batch.load.name,
                    batch.statements,
                    min(rows.get(batch, 0), ROWS_MAX),
                    tuple(_path(node) for node in batch.nodes),
                    tuple(sorted(one.name for one in batch.along)),
                    tuple(one.load.name for one in batch.standby),
                )
            )
        return Explained(
            self.name,
            self.statements,
            self.reads,
            min(sum(rows.get(batch, 0) for batch in self.batches), ROWS_MAX),
            tuple(map(tuple, levels)),
            self.repeated,
        )

    def _rows(self, executor: AnyExecutor) -> dict[Batch, int]:
        rows: dict[Batch, int] = {}
        for selection in self.selections:
            _expect(selection, 1, rows, executor)
        return rows


class Source(NamedTuple):
    """Where the objects of a selection come from: a batch, and what it can bring along for them."""

    batch: Batch
    brings: frozenset[Load]

    @classmethod
    def of(cls, batch: Batch) -> "Source":
        return cls(batch, batch.load.brings | {batch.load} if batch.load.brings_itself else batch.load.brings)


class Scheduling:
    """Walks the selections of a document, gives each load its batch, and each batch its level."""

    def __init__(self, executor: AnyExecutor, vocabulary: Vocabulary) -> None:
        self._executor = executor
        self._schema: Schema = executor.schema
        self._vocabulary = vocabulary
        self._fields = 0
        self.batches: list[Batch] = []

    def schedule(self, selections: Sequence[Selection]) -> list[Batch]:
        level = 0
        for scope, selection in enumerate(selections):
            self._walk(selection, None, scope)
            for batch in self.batches:
                if batch.scope == scope:
                    batch.level = level + _depth(batch)
            level = max([level, *(batch.level for batch in self.batches)])
        for batch in self.batches:
            for standby in batch.standby:
                standby.level = batch.level
        self._bring_alike()
        return self.batches

    def _bring_alike(self) -> None:
        """Every load of one kind brings the same along: what was loaded once is not loaded again at another level."""
        every = [*self.batches, *(one for batch in self.batches for one in batch.standby)]
        along: dict[Load, set[Load]] = {}
        for batch in every:
            along.setdefault(batch.load, set()).update(batch.along)
        for batch in every:
            batch.along = along[batch.load]

    def _walk(self, selection: Selection, source: Source | None, scope: int) -> None:
        self._fields += len(selection.nodes)
        if self._fields > FIELDS_MAX:
            raise GraphQLError(f"The document unfolds to more than {FIELDS_MAX} fields.")
        for node in selection.nodes:
            if isinstance(node.declared, Loaded):
                self._load(node, node.declared, source, scope)
            elif not node.leaf:
                self._descend(node, source, scope)

    def _descend(self, node: Node, source: Source | None, scope: int) -> None:
        for type_ in possible_types(self._schema, node):
            self._walk(node.below(type_, self._executor, self._vocabulary), source, scope)

    def _load(self, node: Node, declared: Loaded, source: Source | None, scope: int) -> None:
        if source is not None and declared.plain and declared.load in source.brings:
            if declared.load is not source.batch.load:
                source.batch.along.add(declared.load)
            node.along = True
            below = Source(source.batch, frozenset())
        elif node.batch is not None:
            below = Source.of(node.batch)
        elif (carried := self._carried(node, declared)) is not None:
            self._carry(node, declared, carried, source, scope)
            return
        else:
            node.batch = self._batch(node, declared, source, scope)
            below = Source.of(node.batch)
        if not node.leaf:
            self._descend(node, below, scope)

    def _carry(
        self, node: Node, declared: Loaded, carried: tuple[Node, Carrier], source: Source | None, scope: int
    ) -> None:
        """Let a load below stand in for that of the node; the node's own stands by."""
        child, carrier = carried
        loaded = child.declared
        assert isinstance(loaded, Loaded)
        batch = self._batch(child, loaded, source, scope)
        arguments = written(node, declared)
        standby = next((one for one in batch.standby if one.load is declared.load and one.arguments == arguments), None)
        if standby is None:
            standby = Batch(declared.load, arguments, scope)
            batch.standby.append(standby)
        standby.nodes.append(node)
        node.batch, node.carried, child.batch = standby, (child, carrier), batch
        if carrier.take is None:
            batch.along.add(declared.load)
        # Other fields side by side that ask the same of the same key are answered with it.
        (type_,) = possible_types(self._schema, node)
        below = node.below(type_, self._executor, self._vocabulary)
        for other in below.nodes:
            one = other.declared
            same = isinstance(one, Loaded) and one.load is loaded.load and one.key == loaded.key
            if other is not child and isinstance(one, Loaded) and same and written(other, one) == batch.arguments:
                other.batch = batch
                batch.nodes.append(other)
        self._walk(below, Source(batch, frozenset()), scope)

    def _carried(self, node: Node, declared: Loaded) -> tuple[Node, Carrier] | None:
        if not declared.carriers or declared.many or not isinstance(node.named, GraphQLObjectType):
            return None
        if node.item_type is not None:
            return None
        below = node.below(node.named, self._executor, self._vocabulary).nodes
        for carrier in declared.carriers:
            if carrier.fields is None or all(one.name in carrier.fields or one.name == "__typename" for one in below):
                for child in below:
                    if isinstance(child.declared, Loaded) and child.declared.load is carrier.load:
                        return child, carrier
        return None

    def _batch(self, node: Node, declared: Loaded, source: Source | None, scope: int) -> Batch:
        """The batch that this load joins: one of its kind that does not wait for what this one brings."""
        arguments = written(node, declared)
        for batch in self.batches:
            if (
                batch.load is declared.load
                and batch.scope == scope
                and batch.arguments == arguments
                and not (source is not None and source.batch.reaches(batch))
            ):
                break
        else:
            batch = Batch(declared.load, arguments, scope)
            self.batches.append(batch)
        batch.nodes.append(node)
        if source is not None and source.batch not in batch.needs:
            batch.needs.append(source.batch)
        return batch


def written(node: Node, declared: Loaded) -> dict[str, Any]:
    """What a document says of the arguments that make loads different; variables by their names."""
    ast = {one.name.value: one.value for one in node.nodes[0].arguments or ()}
    found: dict[str, Any] = {}
    for name, argument in node.definition.args.items():
        out = argument.out_name or name
        if out in declared.by:
            if node.constant is not None:
                found[out] = node.constant.get(out)
            elif name in ast:
                found[out] = (print_ast(ast[name]),)
            else:
                found[out] = ()
    return found


def possible_types(schema: Schema, node: Node) -> Iterator[GraphQLObjectType]:
    if isinstance(node.named, GraphQLObjectType):
        yield node.named
    elif is_abstract_type(node.named):
        yield from schema.get_possible_types(node.named)


def _depth(batch: Batch) -> int:
    return 1 + max((_depth(one) for one in batch.needs if one.scope == batch.scope), default=0)


def _expect(selection: Selection, sources: int, rows: dict[Batch, int], executor: AnyExecutor) -> None:
    for node in selection.nodes:
        each = _rows(node, executor)
        found = min(sources * each, ROWS_MAX)
        if node.batch is not None and node.carried is None:
            rows[node.batch] = rows.get(node.batch, 0) + found
        for below in node.selections.values():
            _expect(below, found, rows, executor)


def _rows(node: Node, executor: AnyExecutor) -> int:
    declared = node.declared
    if isinstance(declared, Attribute | Pure):
        return declared.rows
    if not isinstance(declared, Loaded):
        return 1
    if isinstance(declared.load.rows, int):
        return declared.load.rows
    try:
        given = node.arguments(executor)
    except GraphQLError:  # variables that are not known yet
        given = {}
    return declared.load.rows(**{name: given[name] for name in declared.by if name in given})


def _repeated(batches: Sequence[Batch]) -> tuple[Repeat, ...]:
    """Loads that run more than once in one level."""
    side_by_side: dict[tuple[int, int], list[Batch]] = {}
    for batch in batches:
        side_by_side.setdefault((batch.level, id(batch.load)), []).append(batch)
    return tuple(
        Repeat(some[0].load.name, level, tuple(_path(node) for batch in some for node in batch.nodes))
        for (level, _), some in side_by_side.items()
        if len(some) > 1
    )


def _path(node: Node) -> str:
    return ".".join(node.path)


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
