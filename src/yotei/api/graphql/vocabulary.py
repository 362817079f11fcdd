"""Where the value of every field comes from, as the executor wants to know it: made of what the fields themselves say.

A field without a resolver is an attribute of its source, one with a resolver is computed by it, and one that is
`loaded` is loaded. A resolver that would be awaited says nothing of what it costs: with it the start is refused.
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Final

import strawberry
from strawberry.types.arguments import convert_arguments
from strawberry.types.base import StrawberryObjectDefinition
from strawberry.types.field import StrawberryField

from yotei.api.graphql.fields import LOADED, ROWS
from yotei.breadth import Attribute, Field, Loaded, Planner, Pure

SCALARS: Final = frozenset({"UUID", "DateTime", "Date"})
"""Scalars whose values the encoder writes as they are."""
SUBSCRIBED: Final = Pure(lambda told, **_: told)
"""A field of a subscription: its value is what was told."""


def planner(schema: strawberry.Schema, classes: Mapping[type, str]) -> Planner:
    """The planner of the schema; raises Unplannable, which names every field of which too little is said. `classes` of
    the domains stand for types of the schema that are behind an interface."""
    vocabulary: dict[str, dict[str, Field]] = {}
    kinds = dict(classes)
    for name, type_ in schema.schema_converter.type_map.items():
        definition = type_.definition
        if isinstance(definition, StrawberryObjectDefinition) and not (definition.is_input or definition.is_interface):
            vocabulary[name] = dict(_fields(schema, definition))
            if definition.interfaces:
                kinds[definition.origin] = name
    return Planner(schema._schema, vocabulary, strict=True, scalars=SCALARS, classes=kinds)


def _fields(schema: strawberry.Schema, definition: StrawberryObjectDefinition) -> Mapping[str, Field]:
    named = schema.config.name_converter.get_graphql_name
    return {named(field): declared for field in definition.fields if (declared := _declared(schema, field)) is not None}


def _declared(schema: strawberry.Schema, field: StrawberryField) -> Field | None:
    load = field.metadata.get(LOADED)
    if load is not None:
        return _loaded(schema, field, load)
    if field.is_subscription:
        return SUBSCRIBED
    if field.base_resolver is None:
        return Attribute(field.python_name, field.metadata.get(ROWS, 1))
    function: Callable[..., Any] = field.base_resolver.wrapped_func  # type: ignore[assignment]  # bound by the library
    resolver = field.base_resolver
    if inspect.iscoroutinefunction(function) or resolver.info_parameter or resolver.parent_parameter is None:
        return None
    given = _given(schema, field)
    return Pure(function if not field.arguments else lambda source, **asked: function(source, **given(asked)))


def _loaded(schema: strawberry.Schema, field: StrawberryField, load: Loaded) -> Loaded:
    """The same for the names and values of the schema's arguments."""
    if not field.arguments:
        return load
    given = _given(schema, field)
    names = {one.python_name: schema.config.name_converter.from_argument(one) for one in field.arguments}
    key, arguments = load.key, load.arguments
    return Loaded(
        load.load,
        key if isinstance(key, str) else lambda source, asked, context: key(source, given(asked), context),
        load.many,
        tuple(names[one] for one in load.by),
        None if arguments is None else lambda context, **asked: arguments(context, **given(asked)),
        load.value,
        load.carriers,
    )


def _given(schema: strawberry.Schema, field: StrawberryField) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """From arguments as the schema has them to those of the signature."""
    config, registry, arguments = schema.config, schema.schema_converter.scalar_registry, field.arguments

    def given(asked: Mapping[str, Any]) -> dict[str, Any]:
        return convert_arguments(dict(asked), arguments, registry, config)

    return given
