"""Parsing and validation are done once for each text, refusals included."""

from graphql import build_schema

from yotei.api.graphql.bounds import Bounds
from yotei.api.graphql.documents import REMEMBERED_CHARACTERS_MAX, Documents

SCHEMA = build_schema("type Query { a: Int }")


def documents() -> Documents:
    return Documents(SCHEMA, tokens_max=100, limits=Bounds(depth_max=3, aliases_max=5))


def test_a_document_is_prepared_once() -> None:
    prepared = documents()

    assert prepared.prepare("{ a }") is prepared.prepare("{ a }")


def test_a_refusal_is_remembered_too() -> None:
    prepared = documents()

    first, second = prepared.prepare("{ b }"), prepared.prepare("{ b }")

    assert first is second
    assert first.document is None
    assert [error.extensions for error in first.refusals] == [{"code": "graphql_validation_failed"}]


def test_a_long_text_is_not_remembered() -> None:
    prepared = documents()
    text = "{ a }" + " " * REMEMBERED_CHARACTERS_MAX

    assert prepared.prepare(text) is not prepared.prepare(text)


def test_nesting_beyond_what_can_be_read_is_a_refusal() -> None:
    deep = Documents(SCHEMA, tokens_max=4_000, limits=Bounds(depth_max=3, aliases_max=5))

    for levels in (100, 400, 900, 1_300):
        found = deep.prepare("{a" * levels + "}" * levels)

        assert found.document is None
        assert found.refusals[0].extensions is not None
