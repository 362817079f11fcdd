"""A schema with its vocabulary: checked when it is built, then the maker and keeper of plans.

A document is compiled once for each set of answers to its `@skip` and `@include`, and found again by the identity of
its syntax tree: whoever remembers parsed documents remembers their plans with them.
"""

from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final, NamedTuple

from graphql import (
    DirectiveNode,
    DocumentNode,
    Executor,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLLeafType,
    GraphQLObjectType,
    GraphQLSchema,
    OperationType,
    VariableNode,
    Visitor,
    default_field_resolver,
    default_type_resolver,
    get_operation_ast,
    visit,
)
from graphql.execution import VariableValues
from graphql.execution.collect_fields import FragmentDetails

from yotei.breadth.check import faults_of
from yotei.breadth.columns import Kinds, Leaves
from yotei.breadth.plan import Explained, Plan, Scheduling
from yotei.breadth.selection import AnyExecutor, alone, root_selection
from yotei.breadth.vocabulary import Loaded, Vocabulary

PLANS_MAX: Final = 512
"""Plans remembered."""
TOO_DEEP: Final = "Selections are nested too deeply. Execution aborted."


class Unplannable(ValueError):
    """A schema with fields that cannot be planned; each is named, with the reason."""


class Planner:
    """Plans documents of one schema.

    `strict`: every field of every object type has to be declared, or the schema is refused (Unplannable). Without it,
    what is not declared is resolved by the library's resolvers. `scalars` are those whose values are left to the
    encoder. `classes` tells of which object type the values of a Python class are, where a field may have several.
    """

    def __init__(
        self,
        schema: GraphQLSchema,
        vocabulary: Vocabulary | None = None,
        *,
        strict: bool = False,
        scalars: frozenset[str] = frozenset(),
        classes: Mapping[type, str] | None = None,
    ) -> None:
        self.schema: Final = schema
        self.vocabulary: Final[Vocabulary] = vocabulary or {}
        faults = faults_of(schema, self.vocabulary, dict(classes or {}), strict=strict)
        if faults:
            raise Unplannable("; ".join(faults))
        self.kinds: Final = Kinds()
        self.classes: Final[dict[type, GraphQLObjectType]] = {
            kind: type_
            for kind, name in (classes or {}).items()
            if isinstance(type_ := schema.get_type(name), GraphQLObjectType)
        }
        self._scalars = scalars
        self._leaves: dict[Any, Leaves] = {}
        self._plans: OrderedDict[tuple[Any, ...], tuple[_Document, Plan]] = OrderedDict()
        self._documents: OrderedDict[tuple[int, ...], _Document] = OrderedDict()
        self._loads = any(isinstance(field, Loaded) for fields in self.vocabulary.values() for field in fields.values())

    def leaves(self, type_: GraphQLLeafType) -> Leaves:
        leaves = self._leaves.get(type_)
        if leaves is None:
            leaves = self._leaves[type_] = Leaves(type_, self.kinds, as_they_are=type_.name in self._scalars)
        return leaves

    def leaves_to_library(self, executor: AnyExecutor) -> bool:
        """Whether the library executes this itself: incremental delivery, abort signals and hooks are its own
        affairs."""
        return executor.abort_signal is not None or executor.hooks is not None or self._document(executor).incremental

    def plan(self, executor: AnyExecutor, *, serially: bool | None = None) -> Plan:
        """The plan of what the executor is to execute; raises GraphQLError where there is none."""
        serial = executor.operation.operation is OperationType.MUTATION if serially is None else serially
        document = self._document(executor)
        coerced = executor.variable_values.coerced
        answers = tuple(coerced.get(name) for name in document.conditions)
        if not document.reusable or not all(type(one) is bool for one in answers):
            return self._make(executor, serial)
        key = (document.key, serial, answers)
        known = self._plans.get(key)
        if known is not None:
            self._plans.move_to_end(key)
            return known[1]
        plan = self._make(executor, serial)
        self._plans[key] = document, plan  # the document is held: as long as it is, its identity is its own
        if len(self._plans) > PLANS_MAX:
            self._plans.popitem(last=False)
        return plan

    def explain(
        self, document: DocumentNode, name: str | None = None, variables: dict[str, Any] | None = None
    ) -> Explained:
        """The plan of a document without executing it; raises GraphQLError where it holds no operation of that name.

        Without `variables`, arguments that need one count as not given, `@include` as met and `@skip` as not.
        """
        if variables is None:
            asked = self._sketch(document, name)
        else:
            built = Executor.build(self.schema, document, None, None, variables, name)
            if isinstance(built, list):
                raise built[0]
            asked = built
        return self.plan(asked).explain(asked)

    def _sketch(self, document: DocumentNode, name: str | None) -> AnyExecutor:
        """An executor of a document whose variables are not known."""
        operation = get_operation_ast(document, name)
        if operation is None:
            raise GraphQLError("expected the name of an operation of the document")
        fragments = {one.name.value: one for one in document.definitions if isinstance(one, FragmentDefinitionNode)}
        conditions = _Conditions()
        for one in document.definitions:
            visit(one, conditions)
        return Executor(
            self.schema,
            fragments,
            {key: FragmentDetails(one) for key, one in fragments.items()},
            None,
            None,
            operation,
            VariableValues({}, dict(conditions.met)),
            default_field_resolver,
            default_type_resolver,
            default_field_resolver,
        )

    def _document(self, executor: AnyExecutor) -> "_Document":
        operation, fragments = executor.operation, tuple(executor.fragment_definitions.values())
        key = (id(operation), *map(id, fragments))
        document = self._documents.get(key)
        if document is None:
            conditions = _Conditions()
            for one in (operation, *fragments):
                visit(one, conditions)
            reusable = not any(one.variable_definitions for one in fragments)
            document = _Document(
                key, (operation, *fragments), tuple(sorted(conditions.met)), reusable, conditions.incremental
            )
            self._documents[key] = document
            if len(self._documents) > PLANS_MAX:
                self._documents.popitem(last=False)
        else:
            self._documents.move_to_end(key)
        return document

    def _make(self, executor: AnyExecutor, serial: bool) -> Plan:
        operation = executor.operation
        type_ = self.schema.get_root_type(operation.operation)
        if type_ is None:
            raise GraphQLError(f"Schema is not configured to execute {operation.operation.value} operation.", operation)
        compiled = None
        with suppress(RecursionError):  # what is raised below is to hold none of its frames
            selection = root_selection(executor, type_, self.vocabulary)
            selections = tuple(alone(selection)) if serial else (selection,)
            batches = Scheduling(executor, self.vocabulary).schedule(selections) if self._loads else []
            compiled = selections, batches
        if compiled is None:
            raise GraphQLError(TOO_DEEP, operation)
        name = " ".join([operation.operation.value, *([operation.name.value] if operation.name else [])])
        return Plan(name, compiled[0], compiled[1], serial=serial)


class _Document(NamedTuple):
    key: tuple[int, ...]
    held: tuple[Any, ...]
    conditions: tuple[str, ...]
    reusable: bool
    incremental: bool


class _Conditions(Visitor):
    """The variables that decide what is selected, with the value that lets most of it be."""

    def __init__(self) -> None:
        super().__init__()
        self.met: dict[str, bool] = {}
        self.incremental = False

    def enter_directive(self, node: DirectiveNode, *_: Any) -> None:
        self.incremental = self.incremental or node.name.value in ("defer", "stream")
        if node.name.value in ("skip", "include"):
            for one in node.arguments or ():
                if isinstance(one.value, VariableNode):
                    self.met[one.value.name.value] = node.name.value == "include"
