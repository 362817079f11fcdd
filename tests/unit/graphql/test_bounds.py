"""How deep and how repetitive a document may be, counted on its syntax tree."""

import pytest
from graphql import OperationDefinitionNode, get_introspection_query, parse

from yotei.api.graphql.bounds import WRITES_MAX, Bounds, excess, fragments_of, roots

TIGHT = Bounds(depth_max=3, aliases_max=2, root_fields_max=4, directives_max=7, directives_each_max=2)


@pytest.mark.parametrize(
    "document",
    [
        "{ a { b { c } } }",
        "{ a { ... { b { ... { c } } } } }",
        "{ ...F } fragment F on Q { a { b { c } } }",
        "{ x: a y: b c }",
        "{ a { b } c { b } }",
        get_introspection_query(),
    ],
)
def test_a_document_within_its_bounds_has_no_excess(document: str) -> None:
    assert excess(parse(document), TIGHT) is None


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("{ a { b { c { d } } } }", "4 levels deep"),
        ("{ a { b { ...F } } } fragment F on Q { c { d } }", "4 levels deep"),
        ("{ a } fragment Unused on Q { a a a a }", "more than 2 aliases"),
        ("{ ...F } fragment F on Q { a a a a } fragment F on Q { a }", "more than 2 aliases"),
        ("{ x: __schema { a } y: __schema { a } z: __schema { a } }", "more than 2 aliases"),
        ("{ __schema { a a a a } }", "more than 2 aliases"),
        ("{ x: a y: a z: a }", "more than 2 aliases"),
        ("{ a a a a }", "more than 2 aliases"),
        ("{ a ... { a } ... { a a } }", "more than 2 aliases"),
        ("{ p { ...F } q { ...F } } fragment F on Q { x: a y: b }", "more than 2 aliases"),
        ("query A { x: a y: a } query B { z: a }", "more than 2 aliases"),
        ("{ " + "...F " * 51 + "} fragment F on Q { a }", "spreads 51 fragments"),
        ("{ a @x @x @x }", "3 directives at one place"),
        ("query @x @x @x { a }", "3 directives at one place"),
        ("query ($v: Int @x @x @x) { a }", "3 directives at one place"),
        ("{ ... @x @x @x { a } }", "3 directives at one place"),
        ("{ ...F @x @x @x } fragment F on Q { a }", "3 directives at one place"),
        ("{ ...F } fragment F on Q @x @x @x { a }", "3 directives at one place"),
        ("{ a @x { b @x @x } c @x @x ...F @x } fragment F on Q { a @x @x }", "8 directives"),
        ("{ a b c d e }", "5 fields at its root"),
        ("{ a b ...F } fragment F on Q { c ... { d e } }", "5 fields at its root"),
    ],
)
def test_what_there_is_too_much_of_is_said(document: str, said: str) -> None:
    found = excess(parse(document), TIGHT)

    assert found is not None
    assert said in found


@pytest.mark.parametrize(
    "document",
    ["{ ...F }", "{ ...F } fragment F on Q { a ...F }", "{ ...F } fragment F on Q { ...G } fragment G on Q { ...F }"],
)
def test_fragments_that_are_missing_or_hold_themselves_are_left_to_validation(document: str) -> None:
    assert excess(parse(document), TIGHT) is None


def test_fragments_that_double_twenty_times_are_measured_once_each() -> None:
    doubling = " ".join(f"fragment F{n} on Q {{ ...F{n + 1} ...F{n + 1} }}" for n in range(20))
    document = parse(f"{{ ...F0 }} {doubling} fragment F20 on Q {{ x: a }}")

    found = excess(document, TIGHT)

    assert found == "The document holds more than 2 aliases and repeated fields."


@pytest.mark.parametrize(
    ("document", "writes"),
    [
        ("mutation { a b }", 2),
        ("mutation { a ...F ... { b } } fragment F on M { c d ...G } fragment G on M { e }", 5),
        ("mutation { ...F ...F } fragment F on M { a }", 1),
        ("mutation { ...F } fragment F on M { a ...F }", 1),
        ("mutation { ...F }", 0),
    ],
)
def test_the_writes_of_a_mutation_are_counted_through_its_fragments(document: str, writes: int) -> None:
    parsed = parse(document)
    operation = parsed.definitions[0]
    assert isinstance(operation, OperationDefinitionNode)

    assert roots(operation, fragments_of(parsed)) == writes


def test_a_document_writes_a_bounded_number_of_times_and_reads_as_often_as_it_may() -> None:
    fields = " ".join(f"f{n}" for n in range(WRITES_MAX + 1))

    assert "writes 11 times" in (excess(parse(f"mutation {{ {fields} }}"), TIGHT) or "")
    assert excess(parse(f"query {{ {fields} }}"), TIGHT._replace(root_fields_max=20)) is None
