"""docs/graphql.md names every code that only GraphQL has, every setting that bounds it, and shows a plan as it is."""

import re
from pathlib import Path

from graphql import parse

from yotei.api.graphql import failures, schema
from yotei.settings import leaves

DOCS = (Path(__file__).parents[2] / "docs" / "graphql.md").read_text("utf-8")


def test_every_code_of_graphql_alone_is_documented() -> None:
    codes = {value for value in vars(failures).values() if isinstance(value, str) and value.startswith("graphql_")}

    assert codes == set(re.findall(r"^\| `(graphql_\w+)` \|", DOCS, re.MULTILINE))


def test_the_plan_that_is_shown_is_that_of_the_query_of_rfc_003() -> None:
    document = DOCS.partition("```graphql\n")[2].partition("```")[0]
    shown = DOCS.partition("$ yotei plan meetings.graphql\n")[2].partition("```")[0]

    explained = schema.PLANNER.explain(parse(document))

    assert shown == f"{explained.text()}\nwith the token {1 + explained.statements} statements\n"


def test_every_setting_of_graphql_is_named() -> None:
    paths = {leaf.path for leaf in leaves() if "graphql" in leaf.path or leaf.section == "subscriptions"}

    assert {path for path in paths if f"`{path}`" not in DOCS} == set()
