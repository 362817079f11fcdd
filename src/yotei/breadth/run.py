"""One execution of a plan, level by level: every field is one column, and it is awaited only at loads.

All frames are filled first, then the answer is made of them; where a value failed, its rows are settled one by one.

When nothing more can be computed, what is waited for is waited for together: first what resolvers of the library
returned, in any number of rounds; then the loads of the next level of the plan. No timer decides anything. Several
loads run in tasks of this one: cancelling the operation cancels them, and waits until they are gone.
"""

import asyncio
from collections.abc import AsyncIterable, Awaitable, Callable, Generator, Iterable, Iterator, Mapping, Sequence
from itertools import chain, count, islice
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias, cast

from graphql import (
    GraphQLAbstractType,
    GraphQLError,
    GraphQLLeafType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLResolveInfo,
    Undefined,
    default_field_resolver,
    is_leaf_type,
    is_object_type,
)
from graphql.pyutils import Path, inspect, is_awaitable, is_iterable

from yotei.breadth.columns import Fail, Kinds, NoneType, flat
from yotei.breadth.frames import Frame, Nested, Place
from yotei.breadth.selection import AnyExecutor, Node
from yotei.breadth.settle import settle
from yotei.breadth.vocabulary import Attribute, Brought, Carrier, Load, Loaded, Pure

if TYPE_CHECKING:
    from yotei.breadth.plan import Batch, Plan
    from yotei.breadth.planner import Planner

Waiting: TypeAlias = "Generator[list[Awaitable[Any]], list[Any], None]"
_PENDING: Final = object()
"""Stands in a list where a value is awaited."""


class _Later(NamedTuple):
    """Something to await within a list, and where its value goes."""

    into: list[Any]
    position: int
    type: GraphQLOutputType
    awaitable: Awaitable[Any]


class _Request(NamedTuple):
    """Keys that a field asks for, one for each source; `carrier` where another load stands in for its own."""

    node: Node
    frame: Frame
    keys: list[Any]
    carrier: Carrier | None


class Run:
    """An execution under way. `failed` tells whether any value failed; then rows are settled one by one."""

    def __init__(self, planner: "Planner", executor: AnyExecutor, *, structs: bool) -> None:
        self.executor: Final = executor
        self.structs: Final = structs
        self.failed = False
        self.errors: list[GraphQLError] = []
        self._planner = planner
        self._kinds: Final[Kinds] = planner.kinds
        self._waiting: list[tuple[Waiting, list[Awaitable[Any]]]] = []
        self._requests: dict[Batch, list[_Request]] = {}
        self._prepared: dict[Batch, Any] = {}
        self._answers: list[tuple[Load, Any, dict[Any, Any]]] = []
        self._sure = executor.is_awaitable is is_awaitable

    @property
    def quiet(self) -> bool:
        """Whether nothing is waited for."""
        return not self._waiting and not self._requests

    def fail(self, error: Exception) -> Fail:
        self.failed = True
        return Fail(error)

    def expand(self, frame: Frame) -> None:
        """Every field of the frame: the columns that can be had at once, and requests for the others."""
        if not frame.sources:
            return
        for node in frame.selection.nodes:
            declared = node.declared
            if node.name == "__typename":
                frame.columns[node.index] = [frame.selection.type.name] * len(frame.sources)
            elif isinstance(declared, Attribute):
                self._complete(node, frame, self._each(attrgetter(declared.name), frame.sources))
            elif isinstance(declared, Pure):
                self._compute(node, frame, declared)
            elif isinstance(declared, Loaded):
                self._request(node, frame, declared)
            else:
                self._start(self._resolve(node, frame))

    def execute(self, plan: "Plan") -> Any:
        """The data of the answer, None where an error took all of it; awaitable when anything has to be awaited."""
        return (self._in_turn if plan.serial else self._together)(plan)

    def _together(self, plan: "Plan") -> Any:
        (selection,) = plan.selections
        frame = Frame(selection, [self.executor.root_value], None)
        self.expand(frame)
        if self.quiet:
            return self._data(frame)

        async def awaited() -> Any:
            await self._rounds()
            return self._data(frame)

        return awaited()

    def _in_turn(self, plan: "Plan") -> Any:
        """One field after the other, each with all that is below it (GraphQL October 2021, 6.2.2)."""
        data: dict[str, Any] = {}
        frames = (Frame(selection, [self.executor.root_value], None) for selection in plan.selections)

        async def awaited(frame: Frame) -> Any:
            await self._rounds()
            if not self._add(frame, data):
                return None
            for following in frames:
                self._answers.clear()  # the field before may have written
                self.expand(following)
                await self._rounds()
                if not self._add(following, data):
                    return None
            return data

        for frame in frames:
            self.expand(frame)
            if not self.quiet:
                return awaited(frame)
            if not self._add(frame, data):
                return None
        return data

    def _data(self, frame: Frame) -> Any:
        if not self.failed:
            return frame.rows(self.structs)[0]
        try:
            return settle(self, frame, 0, None)
        except GraphQLError as error:
            self.errors.append(error)
            return None

    def _add(self, frame: Frame, data: dict[str, Any]) -> bool:
        """Put one field of the root into the answer; False when it takes the answer with it."""
        (node,), (column,) = frame.selection.nodes, frame.columns
        if not self.failed:
            data[node.key] = column[0] if isinstance(column, list) else column.column(self.structs)[0]
            return True
        try:
            data.update(settle(self, frame, 0, None))
        except GraphQLError as error:
            self.errors.append(error)
            return False
        self.failed = False
        return True

    async def _rounds(self) -> None:
        """Waits until nothing is waited for any more."""
        while not self.quiet:
            if self._waiting:
                await self._round()
            else:
                await self._level()

    # Columns

    def _each(self, get: Callable[[Any], Any], sources: list[Any]) -> list[Any]:
        try:
            return list(map(get, sources))
        except Exception:
            return [self._one(get, source) for source in sources]

    def _one(self, get: Callable[..., Any], *given: Any, **arguments: Any) -> Any:
        try:
            return get(*given, **arguments)
        except Exception as error:
            return self.fail(error)

    def _compute(self, node: Node, frame: Frame, declared: Pure) -> None:
        try:
            arguments = node.arguments(self.executor)
        except Exception as error:
            column: list[Any] = [self.fail(error)] * len(frame.sources)
        else:
            if arguments:
                column = [self._one(declared.of, source, **arguments) for source in frame.sources]
            else:
                column = self._each(declared.of, frame.sources)
        self._complete(node, frame, column)

    def _complete(self, node: Node, frame: Frame, column: list[Any]) -> None:
        """Complete a column: by the types of its values when they allow it, else value by value."""
        done: list[Any] | Nested | None
        try:
            done = self._leaves(node, column) if node.leaf else self._objects(node, frame, column)
        except RecursionError as error:
            done = [self.fail(error)] * len(column)
        if done is None:
            self._start(self._one_by_one(node, frame, column))
        else:
            frame.columns[node.index] = done

    def _leaves(self, node: Node, column: list[Any]) -> list[Any] | None:
        leaves = self._planner.leaves(cast("GraphQLLeafType", node.named))
        kinds = set(map(type, column))
        if NoneType in kinds:
            if node.non_null:
                return None
            kinds.remove(NoneType)
        if node.item_type is None:
            return leaves.column(column, kinds)
        if not node.plain_list or not kinds <= {list, tuple}:
            return None
        items = flat(column) if NoneType not in map(type, column) else flat(one for one in column if one is not None)
        kinds = set(map(type, items))
        if NoneType in kinds:
            if not node.nullable_item:
                return None
            kinds.remove(NoneType)
        coerced = leaves.column(items, kinds)
        if coerced is None:
            return None
        following = iter(coerced)
        return [None if one is None else list(islice(following, len(one))) for one in column]

    def _objects(self, node: Node, frame: Frame, column: list[Any]) -> Nested | None:
        nested = Nested(node, frame)
        kinds = set(map(type, column))
        holes = NoneType in kinds
        if holes:
            if node.non_null:
                return None
            kinds.remove(NoneType)
        if node.item_type is None:
            objects = column
            if holes:
                numbers = count()
                nested.tree = [None if value is None else next(numbers) for value in column]
                objects = [value for value in column if value is not None]
        else:
            if not node.plain_list or not kinds <= {list, tuple}:
                return None
            lists = [one for one in column if one is not None] if holes else column
            objects = list(chain.from_iterable(lists))
            nested.lengths = [None if one is None else len(one) for one in column]
            kinds = set(map(type, objects))
        if not self._kinds.plain(kinds) or not self._place(nested, objects, kinds):
            return None
        return nested

    def _place(self, nested: Nested, objects: list[Any], kinds: set[type]) -> bool:
        """Put objects into frames by what their Python types say; False where each has to be asked."""
        named = nested.node.named
        if is_object_type(named):
            if self._asks(named):
                return False
            return self._enter(nested, {named: objects}, None)
        if not kinds <= self._planner.classes.keys():
            return False
        classes = self._planner.classes
        groups: dict[GraphQLObjectType, list[Any]] = {}
        order: dict[GraphQLObjectType, int] = {}
        places: list[Place] = []
        for value in objects:
            type_ = classes[type(value)]
            group = groups.setdefault(type_, [])
            places.append((order.setdefault(type_, len(order)), len(group)))
            group.append(value)
        return self._enter(nested, groups, places)

    def _enter(self, nested: Nested, groups: Mapping[GraphQLObjectType, list[Any]], places: list[Place] | None) -> bool:
        """Expand a frame for each type; False when the selections below cannot be collected."""
        try:
            below = [nested.node.below(type_, self.executor, self._planner.vocabulary) for type_ in groups]
        except GraphQLError:
            return False
        nested.places = places
        nested.frames = [
            Frame(selection, sources, nested) for selection, sources in zip(below, groups.values(), strict=True)
        ]
        for frame in nested.frames:
            self.expand(frame)
        return True

    def _asks(self, type_: GraphQLObjectType) -> bool:
        """Whether values are asked if they are of that type: not where the vocabulary says what they are."""
        return type_.is_type_of is not None and type_.name not in self._planner.vocabulary

    # Value by value

    def _one_by_one(self, node: Node, frame: Frame, column: list[Any]) -> Waiting:
        """Complete a column in which some value needs a look of its own."""
        shaping = _Shaping([], [])
        tree: list[Any] = [None] * len(column)
        for row, value in enumerate(column):
            tree[row] = self._shape(node, node.type, value, shaping, tree, row)
        while shaping.later:
            waited = shaping.later[:]
            shaping.later.clear()
            values = yield [one.awaitable for one in waited]
            for one, value in zip(waited, values, strict=True):
                one.into[one.position] = self._shape(node, one.type, value, shaping, one.into, one.position)
        if node.leaf:
            frame.columns[node.index] = tree
            return
        nested = Nested(node, frame)
        nested.tree = tree
        frame.columns[node.index] = nested
        yield from self._find_types(nested, shaping.objects)

    def _shape(
        self, node: Node, type_: GraphQLOutputType, value: Any, shaping: "_Shaping", into: list[Any], index: int
    ) -> Any:
        """The completed value of a leaf; of objects, a number for each, which is its place in `shaping.objects`.

        Where it has to be awaited, it goes to `into[index]` later.
        """
        if type(value) is Fail:
            return value
        if isinstance(value, Exception):
            return self.fail(value)
        if isinstance(type_, GraphQLNonNull):
            inner = self._shape(node, type_.of_type, value, shaping, into, index)
            if inner is None:
                return self.fail(
                    TypeError(f"Cannot return null for non-nullable field {node.parent.name}.{node.name}.")
                )
            return inner
        if value is None or value is Undefined:
            return None
        if isinstance(type_, GraphQLList):
            return self._shape_list(node, type_, value, shaping, into, index)
        if is_leaf_type(type_):
            return self._one(self._planner.leaves(type_).value, value)
        shaping.objects.append(value)
        return len(shaping.objects) - 1

    def _shape_list(
        self, node: Node, type_: GraphQLList[Any], value: Any, shaping: "_Shaping", into: list[Any], index: int
    ) -> Any:
        if self.executor.is_async_iterable(value):
            shaping.later.append(_Later(into, index, type_, _all_of(value)))
            return _PENDING
        if not is_iterable(value):
            return self.fail(
                GraphQLError(f"Expected Iterable, but did not find one for field '{node.parent.name}.{node.name}'.")
            )
        items: list[Any] = []
        try:
            for number, item in enumerate(value):
                items.append(_PENDING)
                if self.executor.is_awaitable(item):
                    shaping.later.append(_Later(items, number, type_.of_type, item))
                else:
                    items[number] = self._shape(node, type_.of_type, item, shaping, items, number)
        except Exception as error:
            return self.fail(error)
        return items

    def _find_types(self, nested: Nested, objects: list[Any]) -> Waiting:
        """Ask for the type of each object, and put it into the frame of its type (GraphQL October 2021, 6.4.3)."""
        node = nested.node
        named = node.named
        infos: dict[int, GraphQLResolveInfo[Any]] = {}
        asked = [
            infos.get(row) or infos.setdefault(row, self._info(node, nested.frame, row)) for row, _ in nested.origins()
        ]
        types: list[Any]
        if is_object_type(named):
            types = [named] * len(objects)
        else:
            resolve = cast("GraphQLAbstractType", named).resolve_type or self.executor.type_resolver
            told = [self._planner.classes.get(type(value)) for value in objects]
            names = [
                None if type_ is not None else self._one(resolve, value, info, named)
                for type_, value, info in zip(told, objects, asked, strict=True)
            ]
            yield from self._await_in(names)
            types = [
                type_ or (name if type(name) is Fail else self._one(self._runtime_type, nested, name, value))
                for type_, name, value in zip(told, names, objects, strict=True)
            ]
        agreed = [
            self._one(type_.is_type_of, value, info) if type(type_) is not Fail and self._asks(type_) else True
            for type_, value, info in zip(types, objects, asked, strict=True)
        ]
        yield from self._await_in(agreed)
        groups: dict[GraphQLObjectType, list[Any]] = {}
        order: dict[GraphQLObjectType, int] = {}
        places: list[Place] = []
        for type_, value, agrees in zip(types, objects, agreed, strict=True):
            if type(type_) is Fail or type(agrees) is Fail:
                places.append(cast("Fail", type_ if type(type_) is Fail else agrees))
            elif not agrees:
                message = f"Expected value of type '{type_.name}' but got: {inspect(value)}."
                places.append(self.fail(GraphQLError(message, node.nodes)))
            else:
                group = groups.setdefault(type_, [])
                places.append((order.setdefault(type_, len(order)), len(group)))
                group.append(value)
        for type_ in list(groups):
            try:
                node.below(type_, self.executor, self._planner.vocabulary)
            except GraphQLError as error:
                failed = self.fail(error)
                places = [failed if type(one) is tuple and one[0] == order[type_] else one for one in places]
                del groups[type_]
        left = {order[type_]: number for number, type_ in enumerate(groups)}
        places = [(left[one[0]], one[1]) if type(one) is tuple else one for one in places]
        self._enter(nested, groups, places)

    def _runtime_type(self, nested: Nested, name: Any, value: Any) -> GraphQLObjectType:
        """The object type of that name; raises what the library raises when it is none that fits."""
        node = nested.node
        abstract = cast("GraphQLAbstractType", node.named)
        field = f"{node.parent.name}.{node.name}"
        schema = self.executor.schema
        if name is None:
            raise GraphQLError(
                f"Abstract type '{abstract}' must resolve to an Object type at runtime for field '{field}'. Either the "
                f"'{abstract}' type should provide a 'resolve_type' function or each possible type should provide an "
                "'is_type_of' function.",
                node.nodes,
            )
        if not isinstance(name, str):
            raise GraphQLError(
                f"Abstract type '{abstract}' must resolve to an Object type at runtime for field '{field}' with value "
                f"{inspect(value)}, received '{inspect(name)}', which is not a valid Object type name.",
                node.nodes,
            )
        type_ = schema.get_type(name)
        if type_ is None:
            raise GraphQLError(
                f"Abstract type '{abstract}' was resolved to a type '{name}' that does not exist inside the schema.",
                node.nodes,
            )
        if not is_object_type(type_):
            raise GraphQLError(f"Abstract type '{abstract}' was resolved to a non-object type '{name}'.", node.nodes)
        if not schema.is_sub_type(abstract, type_):
            raise GraphQLError(f"Runtime Object type '{type_}' is not a possible type for '{abstract}'.", node.nodes)
        return type_

    # Resolvers of the library

    def _resolve(self, node: Node, frame: Frame) -> Waiting:
        """Call the resolver for each source; await what it returns, all of this level together."""
        executor = self.executor
        try:
            arguments = node.arguments(executor)
        except Exception as error:
            self._complete(node, frame, [self.fail(error)] * len(frame.sources))
            return
        resolve = node.definition.resolve or executor.field_resolver
        if executor.middleware_manager is not None:
            resolve = executor.middleware_manager.get_field_resolver(resolve)
        column: list[Any] | None = None
        if resolve is default_field_resolver:
            column = self._by_default(node.name, frame.sources)
        if column is None:
            column = [
                self._one(resolve, source, self._info(node, frame, row), **arguments)
                for row, source in enumerate(frame.sources)
            ]
        yield from self._await_in(column)
        self._complete(node, frame, column)

    def _by_default(self, name: str, sources: list[Any]) -> list[Any] | None:
        """What the library's default resolver does, without a call for each; None where values have to be called."""
        try:
            column = [
                source.get(name) if isinstance(source, Mapping) else getattr(source, name, None) for source in sources
            ]
        except Exception:
            return None
        return None if any(map(callable, column)) else column

    def _info(self, node: Node, frame: Frame, row: int) -> GraphQLResolveInfo[Any]:
        path = Path(frame.paths()[row], node.key, node.parent.name)
        return self.executor.build_resolve_info(node.definition, node.nodes, node.parent, path)

    def _await_in(self, column: list[Any]) -> Waiting:
        """Put what they become in place of the awaitables of a column."""
        if self._sure and self._kinds.plain(set(map(type, column)) - {NoneType, Fail}):
            return
        rows = [
            row for row, value in enumerate(column) if type(value) is not Fail and self.executor.is_awaitable(value)
        ]
        if not rows:
            return
        values = yield [column[row] for row in rows]
        for row, value in zip(rows, values, strict=True):
            column[row] = self.fail(value) if isinstance(value, Exception) else value

    def _start(self, waiting: Waiting) -> None:
        try:
            awaited = next(waiting)
        except StopIteration:
            return
        self._waiting.append((waiting, awaited))

    async def _round(self) -> None:
        """Await what resolvers returned, all of it together."""
        waiting, self._waiting = self._waiting, []
        values = await _settled([one for _, awaited in waiting for one in awaited])
        following = iter(values)
        for generator, awaited in waiting:
            try:
                more = generator.send(list(islice(following, len(awaited))))
            except StopIteration:
                continue
            self._waiting.append((generator, more))

    # Loads

    def _request(self, node: Node, frame: Frame, declared: Loaded) -> None:
        """Ask for what is loaded, with its level; or let the load below stand in, where it can. What came along is
        there already."""
        try:
            prepared = {} if node.along else self._arguments_of(node)
            if type(prepared) is Fail:
                raise prepared.error
            arguments = node.arguments(self.executor)
        except Exception as error:
            self._complete(node, frame, [self.fail(error)] * len(frame.sources))
            return
        if isinstance(declared.key, str):
            keys = self._each(attrgetter(declared.key), frame.sources)
        else:
            context = self.executor.context_value
            keys = [self._one(declared.key, source, arguments, context) for source in frame.sources]
        request = _Request(node, frame, keys, None)
        if node.along:
            self._deliver(request, self._known(declared.load, {}))
            return
        batch = node.batch
        if node.carried is not None and type(self._arguments_of(node.carried[0])) is not Fail:
            batch, request = node.carried[0].batch, request._replace(carrier=node.carried[1])
        assert batch is not None
        self._requests.setdefault(batch, []).append(request)

    def _arguments_of(self, node: Node) -> Any:
        """The arguments of the load of a field, a Fail where they cannot be had. Made once for a batch."""
        batch = node.batch
        assert batch is not None
        if batch not in self._prepared:
            declared = node.declared
            assert isinstance(declared, Loaded)
            try:
                given = node.arguments(self.executor)
                by = {name: given[name] for name in declared.by if name in given}
                made = declared.arguments
                self._prepared[batch] = by if made is None else made(self.executor.context_value, **by)
            except Exception as error:
                self._prepared[batch] = Fail(error)
        return self._prepared[batch]

    async def _level(self) -> None:
        """Run the loads of the lowest level, and go on with their answers."""
        level = min(batch.level for batch in self._requests)
        ready = {batch: one for batch, one in self._requests.items() if batch.level == level}
        for batch in ready:
            del self._requests[batch]
        groups = self._groups(ready)
        for group in groups:
            for batch in group.batches:
                for request in ready[batch]:
                    group.wanted.update(dict.fromkeys(_distinct(request, group.answers)))
        running = [group for group in groups if group.wanted]
        if len(running) == 1:
            await self._load(running[0])
        elif running:
            async with asyncio.TaskGroup() as tasks:
                for group in running:
                    tasks.create_task(self._load(group))
        for group in groups:
            for batch in group.batches:
                for request in ready[batch]:
                    self._deliver(request, group.answers)

    def _groups(self, ready: Iterable["Batch"]) -> list["_Group"]:
        """Variables may make arguments equal that are written differently: those go together too."""
        batches: list[list[Batch]] = []
        for batch in ready:
            prepared = self._prepared[batch]
            together = next(
                (one for one in batches if one[0].load is batch.load and self._prepared[one[0]] == prepared), None
            )
            if together is None:
                batches.append([batch])
            else:
                together.append(batch)
        groups: list[_Group] = []
        for together in batches:
            load, prepared = together[0].load, self._prepared[together[0]]
            groups.append(_Group(load, prepared, self._known(load, prepared), together, {}))
        return groups

    def _known(self, load: Load, prepared: Any) -> dict[Any, Any]:
        """What this execution was answered by that load with those arguments."""
        for one, arguments, answers in self._answers:
            if one is load and arguments == prepared:
                return answers
        answers = {}
        self._answers.append((load, prepared, answers))
        return answers

    async def _load(self, group: "_Group") -> None:
        load, keys = group.load, tuple(group.wanted)
        try:
            if len(keys) > load.keys_max:
                raise GraphQLError(
                    f"{load.name} is asked for {len(keys)} keys at once; at most {load.keys_max} are taken."
                )
            if load.brings:
                along = frozenset(group.batches[0].along)
                brought: Brought = await load.load(self.executor.context_value, keys, group.prepared, along)
                answers = brought.answers
                for other, found in brought.along.items():
                    self._known(other, {}).update(found)
            else:
                answers = await load.load(self.executor.context_value, keys, group.prepared)
            if len(answers) != len(keys):
                raise ValueError(f"load {load.name} answered {len(keys)} keys with {len(answers)} values")
        except Exception as error:
            answers = [error] * len(keys)
        group.answers.update(zip(keys, answers, strict=True))

    def _deliver(self, request: _Request, answers: dict[Any, Any]) -> None:
        """Make a column of the answers, in the order of the sources."""
        node, declared = request.node, request.node.declared
        assert isinstance(declared, Loaded)
        if (
            declared.value is None
            and request.carrier is None
            and not declared.many
            and Fail not in map(type, request.keys)
        ):
            column = list(map(answers.get, request.keys))
        else:
            made: dict[Any, Any] = {None: None}
            column = [
                key
                if type(key) is Fail
                else [self._made(request, declared, one, answers, made) for one in key]
                if declared.many and key is not None
                else self._made(request, declared, key, answers, made)
                for key in request.keys
            ]
        self._complete(node, request.frame, column)

    def _made(
        self, request: _Request, declared: Loaded, key: Any, answers: dict[Any, Any], made: dict[Any, Any]
    ) -> Any:
        """What becomes of the answer to one key; made once for each."""
        if key not in made:
            value = answers.get(key)
            if request.carrier is not None:
                value = self._carried(request.carrier, declared, key, value)
            if declared.value is not None and not isinstance(value, Exception | Fail):
                value = self._one(declared.value, value, {} if request.node.along else self._arguments_of(request.node))
            made[key] = value
        return made[key]

    def _carried(self, carrier: Carrier, declared: Loaded, key: Any, answer: Any) -> Any:
        """What the load of the parent would have answered, where the one below has run instead."""
        if carrier.take is None:
            came_along = self._known(declared.load, {})
            return answer if isinstance(answer, Exception) and key not in came_along else came_along.get(key)
        return answer if isinstance(answer, Exception) else self._one(carrier.take, key, answer)


class _Shaping(NamedTuple):
    """What completing value by value has found: objects, and what is to be awaited."""

    objects: list[Any]
    later: list[_Later]


class _Group(NamedTuple):
    """Batches that turn out to be the same load with the same arguments."""

    load: Load
    prepared: Any
    answers: dict[Any, Any]
    batches: list["Batch"]
    wanted: dict[Any, None]


def _distinct(request: _Request, known: dict[Any, Any]) -> Iterator[Any]:
    """The keys that have to be loaded: those that are keys, and not known already."""
    declared = request.node.declared
    many = isinstance(declared, Loaded) and declared.many
    for key in request.keys:
        if key is not None and type(key) is not Fail:
            yield from (one for one in (key if many else (key,)) if one is not None and one not in known)


async def _settled(awaitables: Sequence[Awaitable[Any]]) -> list[Any]:
    """What each became: its value, or the exception that it raised."""
    if len(awaitables) == 1:  # without a task of its own
        try:
            return [await awaitables[0]]
        except Exception as error:
            return [error]
    values = await asyncio.gather(*awaitables, return_exceptions=True)
    for value in values:
        if isinstance(value, BaseException) and not isinstance(value, Exception):
            raise value
    return values


async def _all_of(items: AsyncIterable[Any]) -> list[Any]:
    return [item async for item in items]
