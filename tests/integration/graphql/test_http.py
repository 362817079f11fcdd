"""GraphQL over HTTP (the GraphQL Foundation's draft): methods, media types, statuses, and who is turned away."""

import json

import httpx
import pytest

from tests.integration.graphql.conftest import Admit
from tests.integration.graphql.rows import Rows

GRAPHQL = "application/graphql-response+json"
ME = "{ me { id } }"


async def test_json_is_answered_where_nothing_else_is_asked_for(rows: Rows, admit: Admit) -> None:
    caller = await admit(await rows.person())

    for accept in ("*/*", "application/json", "application/*;q=0.5"):
        response = await caller.post(ME, accept=accept)

        assert response.headers["content-type"] == "application/json; charset=utf-8"
        assert response.headers["cache-control"] == "private, no-store"


async def test_the_graphql_media_type_is_answered_when_it_is_liked_best(rows: Rows, admit: Admit) -> None:
    caller = await admit(await rows.person())

    response = await caller.post(ME, accept=f"application/json;q=0.5, {GRAPHQL}")

    assert response.headers["content-type"] == f"{GRAPHQL}; charset=utf-8"


@pytest.mark.parametrize("document", ["{ me {", "{ nothing }", "query A { me { id } } query B { me { id } }"])
async def test_what_was_not_executed_has_no_data_and_is_a_400_of_the_graphql_media_type_alone(
    document: str, rows: Rows, admit: Admit
) -> None:
    caller = await admit(await rows.person())

    plain = await caller.post(document)
    graphql = await caller.post(document, accept=GRAPHQL)

    assert (plain.status_code, graphql.status_code) == (200, 400)
    assert "data" not in plain.json()
    assert plain.json() == graphql.json()


async def test_a_query_may_stand_in_the_address(rows: Rows, admit: Admit) -> None:
    owner = await rows.person()
    caller = await admit(owner)
    asked = {
        "query": "query A($id: UUID!) { user(id: $id) { id } } query B { me { id } }",
        "variables": json.dumps({"id": str(owner)}),
        "operationName": "A",
    }

    response = await caller.client.get("/graphql", params=asked, headers=caller.headers)

    assert response.json() == {"data": {"user": {"id": str(owner)}}}


async def test_a_browser_gets_the_page_without_a_token(client: httpx.AsyncClient) -> None:
    accept = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"

    response = await client.get("/graphql", headers={"Accept": accept})

    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.headers["content-security-policy"]
    assert response.headers["vary"] == "Accept"


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Basic eA=="}, {"Authorization": "Bearer yotei_nobody"}])
async def test_without_a_valid_token_nothing_is_read_of_the_document(
    headers: dict[str, str], client: httpx.AsyncClient
) -> None:
    by_post = await client.post("/graphql", json={"query": "{ nothing"}, headers=headers)
    by_get = await client.get("/graphql", params={"query": ME}, headers=headers)

    for response in (by_post, by_get):
        assert response.status_code == 401
        assert response.headers["content-type"] == "application/problem+json"
        assert response.json()["code"] == "unauthorized"


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/json; charset=utf-16", ""],
)
async def test_a_form_of_another_site_cannot_post(content_type: str, rows: Rows, admit: Admit) -> None:
    caller = await admit(await rows.person())

    response = await caller.client.post(
        "/graphql", content=json.dumps({"query": ME}), headers={**caller.headers, "Content-Type": content_type}
    )

    assert response.status_code == 415


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff",
        b"7",
        b"{}",
        b'{"query": 1}',
        b'{"query": null}',
        b'{"query": "{ me { id } }", "variables": [1]}',
        b'{"query": "{ me { id } }", "operationName": 1}',
        b'{"query": "{ me { id } }", "extensions": "x"}',
        b' [{"query": "{ me { id } }"}]',
        b"[" * 100_000,
    ],
)
async def test_a_body_that_is_no_graphql_request_is_refused(body: bytes, rows: Rows, admit: Admit) -> None:
    caller = await admit(await rows.person())

    response = await caller.client.post(
        "/graphql", content=body, headers={**caller.headers, "Content-Type": "application/json"}
    )

    assert response.status_code == 400
    assert response.json()["code"] == "invalid_request"


async def test_null_parameters_and_those_of_others_are_taken(rows: Rows, admit: Admit) -> None:
    caller = await admit(await rows.person())
    body = {"query": ME, "variables": None, "operationName": None, "extensions": {"x": 1}, "id": "something"}

    response = await caller.client.post("/graphql", json=body, headers=caller.headers)

    assert "errors" not in response.json()


@pytest.mark.parametrize("params", [{}, {"query": ME, "variables": "{"}, {"query": ME, "extensions": "[]"}])
async def test_an_address_that_is_no_graphql_request_is_refused(
    params: dict[str, str], rows: Rows, admit: Admit
) -> None:
    caller = await admit(await rows.person())

    response = await caller.client.get("/graphql", params=params, headers=caller.headers)

    assert response.status_code == 400


async def test_a_media_type_that_is_not_offered_is_refused(rows: Rows, admit: Admit) -> None:
    caller = await admit(await rows.person())

    response = await caller.post(ME, accept="image/png, application/json;q=0")

    assert response.status_code == 406
