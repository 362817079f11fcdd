"""What stands in `errors`: a code that never changes, and nothing of what went on inside."""

from uuid import uuid4

import httpx
import pytest
from structlog.testing import capture_logs

from tests.integration.graphql.conftest import Admit
from tests.integration.graphql.rows import Caller, Rows
from yotei.errors import Code, Problem
from yotei.events import read
from yotei.settings import LimitSettings


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ("{ me {", "graphql_parse_failed"),
        ("{ nothing }", "graphql_validation_failed"),
        ('{ calendar(id: "cal_123") { name } }', "graphql_validation_failed"),
        ('{ agenda(start: "tomorrow") { id } }', "graphql_validation_failed"),
        ("query ($id: UUID!) { calendar(id: $id) { name } }", "invalid_request"),
        ("query A { me { id } } query B { me { id } }", "invalid_request"),
        ('{ agenda(start: "2026-01-02", end: "2026-01-01") { id } }', "invalid_window"),
        ('{ agenda(tz: "Mars/Olympus") { id } }', "unknown_time_zone"),
        ('{ agenda(after: "x") { id } }', "invalid_cursor"),
        (f'{{ agenda(after: "{"x" * 2000}") {{ id }} }}', "invalid_cursor"),
        ("{ agenda(first: 501) { id } }", "invalid_request"),
        ("{ resources(seatsMin: 0) { nodes { id } } }", "invalid_request"),
        ("{ availability(slotMinutes: -1) { window { tz } } }", "invalid_request"),
        (f'{{ user(id: "{uuid4()}") {{ id }} }}', "not_found"),
        (f'{{ resource(id: "{uuid4()}") {{ id }} }}', "not_found"),
    ],
)
async def test_every_refusal_has_a_code(document: str, code: str, rows: Rows, admit: Admit) -> None:
    caller = await admit(await rows.person())

    assert await caller.code(document) == code


async def test_faults_name_arguments_as_they_are_called_here(rows: Rows, admit: Admit) -> None:
    caller = await admit(await rows.person())

    answer = await caller.ask("{ agenda(first: 501) { id } }")

    assert answer == {
        "data": {"agenda": None},
        "errors": [
            {
                "message": "first: expected a number from 1 to 500",
                "locations": [{"line": 1, "column": 3}],
                "path": ["agenda"],
                "extensions": {
                    "code": "invalid_request",
                    "faults": [{"field": "first", "detail": "expected a number from 1 to 500"}],
                },
            }
        ],
    }


async def test_a_variable_of_a_wrong_type_is_named(rows: Rows, admit: Admit) -> None:
    caller = await admit(await rows.person())

    answer = await caller.ask("query ($id: UUID!) { calendar(id: $id) { name } }", id="cal_123")

    assert "data" not in answer
    assert "$id" in answer["errors"][0]["message"]
    assert answer["errors"][0]["extensions"] == {"code": "invalid_request"}


async def test_a_fault_of_ours_is_logged_in_full_and_told_as_internal(
    rows: Rows, admit: Admit, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_: object, **__: object) -> None:
        raise KeyError("a secret of the inside")

    monkeypatch.setattr(read, "agenda", fails)
    caller = await admit(await rows.person())

    with capture_logs() as logged:
        response = await caller.post("{ agenda { id } me { id } }")

    assert "secret" not in response.text
    assert "KeyError" not in response.text
    assert response.json()["data"]["me"] is not None
    (error,) = response.json()["errors"]
    assert error["extensions"] == {"code": "internal", "requestId": "-"}
    (line,) = [one for one in logged if one["event"] == "graphql_field_failed"]
    assert line["field"] == "agenda"
    assert isinstance(line["exc_info"], KeyError)


async def test_a_token_that_may_not_read_reads_nothing(client: httpx.AsyncClient, rows: Rows) -> None:
    caller = Caller(client, await rows.token(await rows.person(), scopes=["write"]))

    answer = await caller.ask("{ me { id } agenda { id } calendars { nodes { id } } }")

    assert answer["data"] == {"me": None, "agenda": None, "calendars": None}
    assert {error["extensions"]["code"] for error in answer["errors"]} == {"forbidden"}


async def test_a_problem_says_when_to_come_back(rows: Rows, admit: Admit, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(*_: object, **__: object) -> None:
        raise Problem(Code.UNAVAILABLE, "The database cannot be reached; try again.", retry_after_s=1)

    monkeypatch.setattr(read, "agenda", fails)
    caller = await admit(await rows.person())

    answer = await caller.ask("{ agenda { id } }")

    assert answer["errors"][0]["extensions"] == {"code": "unavailable", "retryAfterSeconds": 1}


class TestWithTightLimits:
    @pytest.fixture
    def limits(self) -> LimitSettings:
        return LimitSettings(graphql_depth_max=3, graphql_tokens_max=100, graphql_aliases_max=2)

    @pytest.mark.parametrize(
        ("document", "code"),
        [
            ("{ agenda { attendees { user { id } } } }", "graphql_limit_exceeded"),
            ("{ a: me { id } b: me { id } c: me { id } }", "graphql_limit_exceeded"),
            ("{ me { id } me { id } me { id } me { id } }", "graphql_limit_exceeded"),
            ("{ me { " + "id " * 100 + "} }", "graphql_parse_failed"),
        ],
    )
    async def test_a_document_out_of_bounds_is_refused(
        self, document: str, code: str, rows: Rows, admit: Admit
    ) -> None:
        caller = await admit(await rows.person())

        assert await caller.code(document) == code

    async def test_a_document_within_bounds_is_answered(self, rows: Rows, admit: Admit) -> None:
        caller = await admit(await rows.person())

        assert await caller.data("{ agenda { attendees { email } } }") == {"agenda": []}
