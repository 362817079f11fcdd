"""Whether a vocabulary fits its schema: what cannot be planned is named when the schema is built, not later."""

from collections.abc import Iterator, Mapping

from graphql import GraphQLField, GraphQLObjectType, GraphQLSchema, get_named_type, is_abstract_type, is_object_type

from yotei.breadth.vocabulary import Attribute, Field, Folded, Load, Loaded, Resolved, Vocabulary


def faults_of(schema: GraphQLSchema, vocabulary: Vocabulary, classes: Mapping[type, str], *, strict: bool) -> list[str]:
    """What is wrong, a sentence each; empty when every field can be planned."""
    return [
        *_unknown(schema, vocabulary, classes),
        *_fields(schema, vocabulary, strict),
        *_types(schema, classes, strict),
    ]


def _objects(schema: GraphQLSchema) -> Iterator[GraphQLObjectType]:
    for name, type_ in schema.type_map.items():
        if is_object_type(type_) and not name.startswith("__"):
            yield type_


def _unknown(schema: GraphQLSchema, vocabulary: Vocabulary, classes: Mapping[type, str]) -> Iterator[str]:
    for name, fields in vocabulary.items():
        type_ = schema.get_type(name)
        if not is_object_type(type_):
            yield f"{name}: the schema has no such object type"
        else:
            yield from (
                f"{name}.{field}: the schema has no such field" for field in fields if field not in type_.fields
            )
    for kind, name in classes.items():
        if not is_object_type(schema.get_type(name)):
            yield f"{kind.__name__}: the schema has no object type {name}"


def _fields(schema: GraphQLSchema, vocabulary: Vocabulary, strict: bool) -> Iterator[str]:
    offered = _offered(schema, vocabulary)
    for type_ in _objects(schema):
        declared = vocabulary.get(type_.name, {})
        for name, definition in type_.fields.items():
            field = declared.get(name)
            place = f"{type_.name}.{name}"
            if field is None:
                if strict:
                    yield f"{place}: is not declared"
            elif isinstance(field, Resolved):
                if strict:
                    yield f"{place}: is left to a resolver"
            else:
                yield from (f"{place}: {fault}" for fault in _faults(field, definition))
                if isinstance(field, Folded) and field.otherwise is None:
                    loads = offered.get(type_.name, set())
                    lacking = sorted(
                        "the root" if one is None else one.name
                        for one in loads
                        if one is None or field.name not in one.folds
                    )
                    if lacking:
                        yield f"{place}: comes by {', '.join(lacking)} too, which does not fold `{field.name}`"


def _faults(field: Field, definition: GraphQLField) -> Iterator[str]:
    names = {argument.out_name or name for name, argument in definition.args.items()}
    if isinstance(field, Attribute | Folded) and names:
        yield f"takes arguments ({', '.join(sorted(names))}), of which {type(field).__name__} knows nothing"
    loaded = field.otherwise if isinstance(field, Folded) else field
    if isinstance(loaded, Loaded):
        yield from (f"is loaded by `{one}`, which is no argument of it" for one in loaded.by if one not in names)
        if loaded.load.statements < 0 or loaded.load.keys_max < 1:
            yield f"load {loaded.load.name} has bounds that nothing fits in"


def _offered(schema: GraphQLSchema, vocabulary: Vocabulary) -> dict[str, set[Load | None]]:
    """By which loads objects of each type may have come; None stands for the root."""
    found: dict[str, set[Load | None]] = {}
    pending: list[tuple[GraphQLObjectType, Load | None]] = [
        (root, None) for root in (schema.query_type, schema.mutation_type, schema.subscription_type) if root
    ]
    while pending:
        type_, load = pending.pop()
        loads = found.setdefault(type_.name, set())
        if load in loads:
            continue
        loads.add(load)
        declared = vocabulary.get(type_.name, {})
        for name, definition in type_.fields.items():
            named = get_named_type(definition.type)
            field = declared.get(name)
            sources: set[Load | None] = {load}
            if isinstance(field, Loaded):
                sources = {field.load, *(carrier.load for carrier in field.carriers)}
            elif isinstance(field, Folded) and field.otherwise is not None:
                sources = {load, field.otherwise.load, *(carrier.load for carrier in field.otherwise.carriers)}
            if is_object_type(named):
                pending += [(named, one) for one in sources]
            elif is_abstract_type(named):
                pending += [(one, source) for one in schema.get_possible_types(named) for source in sources]
    return found


def _types(schema: GraphQLSchema, classes: Mapping[type, str], strict: bool) -> Iterator[str]:
    if not strict:
        return
    told = set(classes.values())
    for name, type_ in schema.type_map.items():
        if is_abstract_type(type_) and not name.startswith("__"):
            for one in schema.get_possible_types(type_):
                if one.name not in told:
                    yield f"{name}: no class is known to be {one.name}"
