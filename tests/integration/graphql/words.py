"""From the words of REST to those of the schema, and back."""

from typing import Any

from graphql import GraphQLEnumType, GraphQLInputObjectType, GraphQLObjectType, get_named_type
from strawberry.utils.str_converters import to_camel_case, to_snake_case


def selected(example: Any, type_: Any) -> str:
    """A selection of all that the example has; of a list, of all that some item has."""
    if isinstance(example, list):
        example = together(example)
    named = get_named_type(type_)
    if not isinstance(named, GraphQLObjectType):
        return ""
    if not isinstance(example, dict) or named.name == "WeeklyPeriod":
        return "{ day start end }" if named.name == "WeeklyPeriod" else "{ __typename }"
    fields = [(to_camel_case(key), value) for key, value in example.items()]
    return f"{{ {' '.join(f'{name} {selected(value, named.fields[name].type)}' for name, value in fields)} }}"


def together(items: list[Any]) -> Any:
    """One example that has what any of the items has."""
    there = [one for one in items if one is not None]
    if not there or not isinstance(there[0], dict):
        return there[0] if there else None
    by_key: dict[str, list[Any]] = {}
    for one in there:
        for key, value in one.items():
            by_key.setdefault(key, []).extend(value if isinstance(value, list) else [value])
    return {key: together(values) for key, values in by_key.items()}


def as_input(value: Any, type_: Any) -> Any:
    """Values of a request in the words of the schema."""
    named = get_named_type(type_)
    if isinstance(value, list):
        return [as_input(one, named) for one in value]
    if isinstance(named, GraphQLEnumType) and value is not None:
        return next((name for name, one in named.values.items() if one.value == value), value)
    if isinstance(named, GraphQLInputObjectType) and isinstance(value, dict):
        if named.name == "WeeklyPeriodInput":
            return [
                {"day": day.upper(), "start": start, "end": end} for day, found in value.items() for start, end in found
            ]
        return {to_camel_case(key): as_input(one, named.fields[to_camel_case(key)].type) for key, one in value.items()}
    return value


def as_rest(value: Any, type_: Any) -> Any:
    """An answer in the words of REST."""
    named = get_named_type(type_)
    if named.name == "WeeklyPeriod" and value is not None:
        days = dict.fromkeys(one["day"].lower() for one in value)
        return {day: [[one["start"], one["end"]] for one in value if one["day"].lower() == day] for day in days}
    if isinstance(value, list):
        return [as_rest(one, named) for one in value]
    if isinstance(named, GraphQLEnumType) and value is not None:
        return named.values[value].value
    if isinstance(named, GraphQLObjectType) and isinstance(value, dict):
        return {to_snake_case(key): as_rest(one, named.fields[key].type) for key, one in value.items()}
    return value
