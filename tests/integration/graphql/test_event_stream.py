"""GraphQL over server-sent events, the distinct connections mode: one request, one operation."""

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.integration.graphql.rows import Rows
from tests.integration.graphql.streaming import PATIENCE_S, Served, Servers
from yotei.settings import SubscriptionSettings
from yotei.storage.pool import Database

STREAM = "text/event-stream"
LIVELY = SubscriptionSettings(poll_ms=100, ping_every_s=0.1)
FOLLOW = "subscription ($c: UUID!) { changes(calendarId: $c) { position } }"


@pytest.fixture
async def database(shared_url: str) -> AsyncIterator[Database]:
    async with await Database.connect(shared_url, size_min=1, size_max=2) as opened:
        yield opened


@pytest.fixture
async def served(servers: Servers) -> Served:
    return await servers(LIVELY)


@pytest.fixture
async def caller(served: Served, rows: Rows) -> AsyncIterator[httpx.AsyncClient]:
    token = await rows.token(await rows.person())
    headers = {"Authorization": f"Bearer {token}", "Accept": STREAM}
    async with httpx.AsyncClient(base_url=served.base, headers=headers, timeout=PATIENCE_S) as client:
        yield client


async def test_a_query_is_one_answer_and_the_end(caller: httpx.AsyncClient) -> None:
    by_post = await caller.post("/graphql", json={"query": "{ __typename }"})
    by_get = await caller.get("/graphql", params={"query": "{ __typename }"})

    for response in (by_post, by_get):
        assert response.status_code == 200
        assert response.headers["content-type"] == f"{STREAM}; charset=utf-8"
        assert response.headers["cache-control"] == "private, no-store"
        assert response.text == 'event: next\ndata: {"data":{"__typename":"Query"}}\n\nevent: complete\ndata:\n\n'


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("subscription {", "graphql_parse_failed"),
        ("subscription { nothing }", "graphql_validation_failed"),
        ("query A { __typename } query B { __typename }", "invalid_request"),
    ],
)
async def test_what_is_not_executed_is_told_in_an_event(query: str, code: str, caller: httpx.AsyncClient) -> None:
    response = await caller.post("/graphql", json={"query": query})

    assert response.status_code == 200
    assert response.text.startswith('event: next\ndata: {"errors":[')
    assert f'"code":"{code}"' in response.text
    assert response.text.endswith("\n\nevent: complete\ndata:\n\n")


async def test_what_is_wrong_with_the_request_is_a_problem_document(served: Served, caller: httpx.AsyncClient) -> None:
    async with httpx.AsyncClient(base_url=served.base, timeout=PATIENCE_S) as stranger:
        unauthorized = await stranger.post("/graphql", json={"query": "{ __typename }"}, headers={"Accept": STREAM})
    malformed = await caller.post("/graphql", content=b"{", headers={"Content-Type": "application/json"})

    assert (unauthorized.status_code, malformed.status_code) == (401, 400)
    for response in (unauthorized, malformed):
        assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("accept", ["application/json", "application/graphql-response+json", "*/*"])
async def test_a_subscription_is_answered_as_events_only(accept: str, caller: httpx.AsyncClient) -> None:
    response = await caller.post(
        "/graphql",
        json={"query": FOLLOW, "variables": {"c": "019ab3c4-0000-7000-8000-000000000000"}},
        headers={"Accept": accept},
    )

    assert response.status_code == 406
    assert STREAM in response.json()["detail"]


async def test_a_subscription_may_stand_in_the_address_and_is_kept_alive_by_comments(
    served: Served, rows: Rows
) -> None:
    owner = await rows.person()
    calendar_id = await rows.calendar(members={owner: "OWNER"})
    asked = {"query": f'subscription {{ changes(calendarId: "{calendar_id}") {{ hasMore }} }}'}
    headers = {"Authorization": f"Bearer {await rows.token(owner)}", "Accept": STREAM}
    lines: list[str] = []

    async with (
        httpx.AsyncClient(base_url=served.base, headers=headers, timeout=PATIENCE_S) as client,
        client.stream("GET", "/graphql", params=asked) as response,
    ):
        async for line in response.aiter_lines():
            lines.append(line)
            if lines.count(":") == 2:
                break

    told = [line for line in lines if line not in ("", ":")]
    assert told == ["event: next", 'data: {"data":{"changes":{"hasMore":false}}}']
