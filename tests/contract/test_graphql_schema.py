"""The GraphQL schema as callers see it: every change of it is a change of `schema.graphql`, to be read in review."""

import os
from pathlib import Path

from graphql import GraphQLEnumType, GraphQLInputObjectType, GraphQLNamedType, GraphQLObjectType

from yotei.api.graphql import schema

SNAPSHOT = Path(__file__).with_name("schema.graphql")
REWRITE = "YOTEI_TEST_REWRITE_SCHEMA"


def test_the_schema_is_the_one_that_is_published() -> None:
    printed = schema.SCHEMA.as_str() + "\n"
    if os.environ.get(REWRITE):
        SNAPSHOT.write_text(printed, "utf-8")

    assert printed == SNAPSHOT.read_text("utf-8"), (
        f"the schema has changed; when that is meant, run this test with {REWRITE}=1 and review the difference"
    )


def test_every_type_field_argument_and_value_is_described() -> None:
    missing = [name for one in ours() for name, description in told_of(one) if not description]

    assert missing == []


def ours() -> list[GraphQLNamedType]:
    library = {"Boolean", "Float", "ID", "Int", "String"}
    return [one for name, one in schema.CORE.type_map.items() if not name.startswith("__") and name not in library]


def told_of(one: GraphQLNamedType) -> list[tuple[str, str | None]]:
    told = [(one.name, one.description)]
    if isinstance(one, GraphQLEnumType):
        told += [(f"{one.name}.{name}", value.description) for name, value in one.values.items()]
    if isinstance(one, GraphQLInputObjectType):
        told += [(f"{one.name}.{name}", field.description) for name, field in one.fields.items()]
    if isinstance(one, GraphQLObjectType):
        for name, field in one.fields.items():
            told.append((f"{one.name}.{name}", field.description))
            told += [(f"{one.name}.{name}({key})", argument.description) for key, argument in field.args.items()]
    return told
