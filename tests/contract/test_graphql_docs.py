"""docs/graphql.md names every code that only GraphQL has, and every setting that bounds it."""

import re
from pathlib import Path

from yotei.api.graphql import failures
from yotei.settings import leaves

DOCS = (Path(__file__).parents[2] / "docs" / "graphql.md").read_text("utf-8")


def test_every_code_of_graphql_alone_is_documented() -> None:
    codes = {value for value in vars(failures).values() if isinstance(value, str) and value.startswith("graphql_")}

    assert codes == set(re.findall(r"^\| `(graphql_\w+)` \|", DOCS, re.MULTILINE))


def test_every_setting_of_graphql_is_named() -> None:
    paths = {leaf.path for leaf in leaves() if "graphql" in leaf.path or leaf.section == "subscriptions"}

    assert {path for path in paths if f"`{path}`" not in DOCS} == set()
