"""The GraphQL schema as callers see it: every change of it is a change of `schema.graphql`, to be read in review."""

import os
import re
from datetime import date, timedelta
from pathlib import Path

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    build_schema,
)

from yotei.api.graphql import schema

SNAPSHOT = Path(__file__).with_name("schema.graphql")
REWRITE = "YOTEI_TEST_REWRITE_SCHEMA"
REASON = re.compile(r"Since (\d{4}-\d\d-\d\d), gone from (\d{4}-\d\d-\d\d): .+\.")
NOTICE = timedelta(days=180)


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
    if isinstance(one, GraphQLObjectType | GraphQLInterfaceType):
        for name, field in one.fields.items():
            told.append((f"{one.name}.{name}", field.description))
            told += [(f"{one.name}.{name}({key})", argument.description) for key, argument in field.args.items()]
    return told


def test_what_is_deprecated_says_since_when_until_when_and_what_to_use_instead() -> None:
    assert [where for one in ours() for where, reason in deprecations(one) if not gives_notice(reason)] == []


@pytest.mark.parametrize(
    ("reason", "is_enough"),
    [
        ("Since 2026-11-24, gone from 2027-11-24: use `name`.", True),
        ("Since 2026-11-24, gone from 2027-01-24: use `name`.", False),
        ("Since 2026-11-24: use `name`.", False),
        ("Use `name`.", False),
        ("No longer supported", False),
    ],
)
def test_a_deprecation_without_its_dates_or_without_notice_is_found(reason: str, is_enough: bool) -> None:
    made = build_schema(
        f"""
        type Query {{ a(b: Int @deprecated(reason: "{reason}")): Kind @deprecated(reason: "{reason}") }}
        enum Kind {{ ROOM @deprecated(reason: "{reason}") }}
        input Asked {{ c: Int @deprecated(reason: "{reason}") }}
        """
    )

    found = [reason for name in ("Query", "Kind", "Asked") for _, reason in deprecations(made.type_map[name])]

    assert len(found) == 4
    assert [gives_notice(one) for one in found] == [is_enough] * 4


def gives_notice(reason: str) -> bool:
    found = REASON.fullmatch(reason)
    return found is not None and date.fromisoformat(found[2]) - date.fromisoformat(found[1]) >= NOTICE


def deprecations(one: GraphQLNamedType) -> list[tuple[str, str]]:
    """Where something of the type is deprecated, and why."""
    found: list[tuple[str, str | None]] = []
    if isinstance(one, GraphQLEnumType):
        found += [(f"{one.name}.{name}", value.deprecation_reason) for name, value in one.values.items()]
    if isinstance(one, GraphQLInputObjectType):
        found += [(f"{one.name}.{name}", field.deprecation_reason) for name, field in one.fields.items()]
    if isinstance(one, GraphQLObjectType | GraphQLInterfaceType):
        for name, field in one.fields.items():
            found.append((f"{one.name}.{name}", field.deprecation_reason))
            found += [(f"{one.name}.{name}({key})", given.deprecation_reason) for key, given in field.args.items()]
    return [(where, reason) for where, reason in found if reason is not None]
