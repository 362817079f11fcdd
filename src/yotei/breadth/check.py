"""Whether a vocabulary fits its schema: what cannot be planned is named when the schema is built, not later."""

from collections.abc import Iterator, Mapping

from graphql import GraphQLField, GraphQLObjectType, GraphQLSchema, is_abstract_type, is_object_type

from yotei.breadth.vocabulary import Attribute, Field, Loaded, Resolved, Vocabulary


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


def _faults(field: Field, definition: GraphQLField) -> Iterator[str]:
    names = {argument.out_name or name for name, argument in definition.args.items()}
    if isinstance(field, Attribute) and names:
        yield f"takes arguments ({', '.join(sorted(names))}), of which Attribute knows nothing"
    if isinstance(field, Loaded):
        yield from (f"is loaded by `{one}`, which is no argument of it" for one in field.by if one not in names)
        if field.load.statements < 0 or field.load.keys_max < 1:
            yield f"load {field.load.name} has bounds that nothing fits in"
        for carrier in field.carriers:
            if carrier.take is None and not (field.plain and field.load in carrier.load.brings):
                yield f"is carried by {carrier.load.name}, which does not bring {field.load.name}"


def _types(schema: GraphQLSchema, classes: Mapping[type, str], strict: bool) -> Iterator[str]:
    if not strict:
        return
    told = set(classes.values())
    for name, type_ in schema.type_map.items():
        if is_abstract_type(type_) and not name.startswith("__"):
            for one in schema.get_possible_types(type_):
                if one.name not in told:
                    yield f"{name}: no class is known to be {one.name}"
