"""What the settings of the door turn off, and what they end."""

import asyncio
from typing import Any

import pytest

from tests.integration.graphql.conftest import Admit
from tests.integration.graphql.rows import Caller, Rows
from yotei.api.graphql.asked import GRAPHQL_JSON
from yotei.settings import GraphqlSettings, LimitSettings
from yotei.storage.pool import Database
from yotei.storage.statements import Statement

NO_INTROSPECTION = GraphqlSettings(introspection=False)
NO_PAGE = GraphqlSettings(page=False)
NO_GET = GraphqlSettings(get=False)
POST_ALONE = GraphqlSettings(get=False, page=False)
SHORT = LimitSettings(graphql_timeout_ms=300)
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"

LOCK = Statement(name="tests.lock", purpose="a premise", sql="lock table events in access exclusive mode")
WAITING = Statement(
    name="tests.waiting",
    purpose="statements of this database that wait for a lock",
    sql="""select count(*) as n from pg_stat_activity
           where datname = current_database() and state = 'active' and wait_event_type = 'Lock'""",
)


async def waiting(database: Database) -> int:
    row = await database.fetchrow(WAITING)
    assert row is not None
    count: int = row["n"]
    return count


async def until_waiting(database: Database, count: int) -> None:
    async with asyncio.timeout(20):
        while await waiting(database) != count:  # noqa: ASYNC110  # PostgreSQL tells nobody
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("graphql", [NO_INTROSPECTION])
async def test_without_introspection_the_schema_is_not_told_and_its_types_are(rows: Rows, admit: Admit) -> None:
    caller = await admit(await rows.person())

    schema = await caller.ask("{ __schema { types { name } } }")
    type_ = await caller.ask('{ __type(name: "Query") { name } }')
    named = await caller.data("{ __typename me { __typename } }")

    assert "data" not in {**schema, **type_}
    told = {error["extensions"]["code"] for error in [*schema["errors"], *type_["errors"]]}
    assert told == {"graphql_validation_failed"}
    assert named == {"__typename": "Query", "me": {"__typename": "User"}}


@pytest.mark.parametrize(
    ("graphql", "suggests"), [(GraphqlSettings(), True), (NO_INTROSPECTION, False)], ids=["open", "closed"]
)
@pytest.mark.parametrize(
    ("document", "variables"),
    [
        ("{ mee { id } }", {}),
        ("{ me { idd } }", {}),
        ('{ user(idd: "x") { id } }', {}),
        ("query ($f: EventFilters) { agenda(filters: $f) { id } }", {"f": {"statuss": "CONFIRMED"}}),
        ("query ($o: Order!) { agenda(order: $o) { id } }", {"o": "ASCC"}),
    ],
)
async def test_names_of_the_schema_are_suggested_only_where_it_may_be_asked_for_them(
    document: str, variables: dict[str, Any], suggests: bool, rows: Rows, admit: Admit
) -> None:
    caller = await admit(await rows.person())

    answer = await caller.ask(document, **variables)

    assert any("Did you mean" in error["message"] for error in answer["errors"]) is suggests


@pytest.mark.parametrize("graphql", [NO_PAGE])
async def test_without_the_page_a_browser_is_answered_as_anybody_else(rows: Rows, admit: Admit) -> None:
    caller = await admit(await rows.person())

    response = await caller.client.get("/graphql", headers={"Accept": BROWSER})

    assert response.status_code == 401


@pytest.mark.parametrize(
    ("graphql", "accept", "status"),
    [
        (NO_GET, "*/*", 405),
        (NO_GET, "application/json", 405),
        (NO_GET, BROWSER, 200),
        (POST_ALONE, BROWSER, 405),
    ],
)
async def test_without_get_only_the_page_is_left_of_it(accept: str, status: int, rows: Rows, admit: Admit) -> None:
    caller = await admit(await rows.person())

    response = await caller.client.get(
        "/graphql", params={"query": "{ __typename }"}, headers={**caller.headers, "Accept": accept}
    )

    assert response.status_code == status
    assert response.headers["content-type"].startswith("text/html" if status == 200 else "application/problem+json")
    assert status == 200 or response.headers["allow"] == "POST"


async def test_more_than_ten_unknown_directives_are_one_error(rows: Rows, admit: Admit) -> None:
    caller = await admit(await rows.person())

    code = await caller.code("{ __typename " + "@aa" * 10 + " }")

    assert code == "graphql_limit_exceeded"


@pytest.mark.parametrize("limits", [SHORT])
@pytest.mark.parametrize(
    "document",
    [
        "{ agenda { id } }",
        "query ($c: UUID!) { calendar(id: $c) { events { id } } }",
        "query ($c: UUID!) { calendar(id: $c) { events { id } } agenda { id } a: event(id: $c) { id } }",
    ],
)
async def test_a_query_that_takes_too_long_is_ended_and_its_statement_in_postgresql_too(
    document: str, rows: Rows, admit: Admit, database: Database
) -> None:
    owner = await rows.person()
    calendar_id = await rows.calendar(members={owner: "OWNER"})
    caller = await admit(owner)

    async with database.transaction() as blocking:
        await blocking.execute(LOCK)
        answer = await caller.ask(document, c=str(calendar_id))
        await until_waiting(database, 0)

    assert "data" not in answer
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["graphql_timed_out"]
    assert database.pool_stats().in_use == 0
    assert await caller.data("{ agenda { id } }") == {"agenda": []}


@pytest.mark.parametrize("limits", [SHORT])
async def test_a_mutation_that_takes_too_long_is_rolled_back(rows: Rows, admit: Admit, database: Database) -> None:
    owner = await rows.person()
    calendar_id = await rows.calendar(members={owner: "OWNER"})
    caller = Caller((await admit(owner)).client, await rows.token(owner, ("read", "write")))
    create = "mutation ($i: CreateEventInput!) { createEvent(input: $i) { event { id } errors { code } } }"
    event = {
        "calendarId": str(calendar_id),
        "title": "Late",
        "startTime": "2026-11-02T09:00:00Z",
        "endTime": "2026-11-02T10:00:00Z",
    }

    async with database.transaction() as blocking:
        await blocking.execute(LOCK)
        code = await caller.code(create, i=event)
        await until_waiting(database, 0)

    assert code == "graphql_timed_out"
    listed = 'query ($c: UUID!) { calendar(id: $c) { events(start: "2026-11-01", end: "2026-12-01") { id } } }'
    assert await caller.data(listed, c=str(calendar_id)) == {"calendar": {"events": []}}


@pytest.mark.parametrize("limits", [SHORT])
async def test_what_was_ended_is_a_503_of_the_graphql_media_type_alone(
    rows: Rows, admit: Admit, database: Database
) -> None:
    caller = await admit(await rows.person())

    async with database.transaction() as blocking:
        await blocking.execute(LOCK)
        plain = await caller.post("{ agenda { id } }")
        graphql = await caller.post("{ agenda { id } }", accept=GRAPHQL_JSON)

    assert (plain.status_code, graphql.status_code) == (200, 503)
    assert plain.json() == graphql.json()
