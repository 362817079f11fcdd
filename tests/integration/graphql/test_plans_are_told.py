"""A plan on request, and what it does more than once: in the log, and where statements are strict in the answer."""

from collections.abc import MutableMapping
from typing import Any

import pytest

from tests.integration.graphql.conftest import Admit
from tests.integration.graphql.rows import Rows
from yotei.settings import LimitSettings

NAMES = "{ agenda { organizer { name tzid } } }"
TWICE = '{ now: agenda { title } later: agenda(start: "2027-01-01", end: "2027-02-01") { title } }'
REPEATED = {"load": "agenda", "level": 1, "fields": ["now", "later"]}


async def asked(admit: Admit, rows: Rows, text: str, extensions: dict[str, Any] | None = None) -> dict[str, Any]:
    caller = await admit(await rows.person())
    body = {"query": text, "extensions": extensions}
    response = await caller.client.post("/graphql", json=body, headers=caller.headers)
    answer: dict[str, Any] = response.json()
    assert "errors" not in answer
    return answer


async def test_the_plan_comes_with_the_answer_when_it_is_asked_for(rows: Rows, admit: Admit) -> None:
    answer = await asked(admit, rows, NAMES, {"plan": True})

    assert answer["data"] == {"agenda": []}
    assert answer["extensions"]["plan"] == {
        "operation": "query",
        "statements": 1,
        "reads": 1,
        "rows": 100,
        "levels": [
            [
                {
                    "load": "agenda",
                    "statements": 1,
                    "rows": 100,
                    "fields": ["agenda"],
                    "along": ["people"],
                    "instead_of": [],
                }
            ]
        ],
        "repeated": [],
    }


@pytest.mark.parametrize("extensions", [None, {}, {"plan": False}, {"plan": "yes"}, {"other": True}])
async def test_without_that_nothing_is_told(rows: Rows, admit: Admit, extensions: dict[str, Any] | None) -> None:
    assert "extensions" not in await asked(admit, rows, NAMES, extensions)


async def test_a_load_that_runs_twice_for_one_level_is_logged_by_its_paths(
    rows: Rows, admit: Admit, repeats: list[MutableMapping[str, Any]]
) -> None:
    answer = await asked(admit, rows, TWICE)

    (line,) = repeats
    assert (line["event"], line["log_level"]) == ("graphql_load_repeated", "warning")
    assert (line["load"], line["fields"]) == ("agenda", ("now", "later"))
    assert "extensions" not in answer


@pytest.mark.parametrize("limits", [LimitSettings(strict_statements=True)])
async def test_where_statements_are_strict_the_answer_says_it_too(
    rows: Rows, admit: Admit, limits: LimitSettings, repeats: list[MutableMapping[str, Any]]
) -> None:
    assert (await asked(admit, rows, TWICE))["extensions"] == {"repeated": [REPEATED]}
    assert "extensions" not in await asked(admit, rows, NAMES)


@pytest.mark.parametrize("limits", [LimitSettings(graphql_statements_max=2)])
async def test_how_much_a_document_may_cost_is_a_setting(rows: Rows, admit: Admit, limits: LimitSettings) -> None:
    caller = await admit(await rows.person())

    assert "errors" not in await caller.ask(NAMES)
    assert (await caller.ask(TWICE))["errors"][0]["extensions"]["code"] == "graphql_limit_exceeded"
