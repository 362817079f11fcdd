"""What HTTP asks of every endpoint: tags, methods, media types, limits, who may call from where (RFC 9110, 9457)."""

from collections.abc import AsyncIterator, Mapping
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.integration.rest.conftest import Admit
from tests.integration.rest.served import Caller, admitted, problem, serve, settings, statements
from tests.integration.rows import a_calendar, a_user
from yotei.settings import LimitSettings, ServerSettings
from yotei.storage.pool import Database

ME = "/api/users/me"
JSON = {"Content-Type": "application/json"}


@pytest.fixture
async def caller(rows: Database, admit: Admit) -> Caller:
    return await admit(await a_user(rows))


@pytest.mark.parametrize(
    "named",
    ["{}", "W/{}", '"other", {}', '"other" ,W/{} , "more"', "*"],
)
async def test_what_the_caller_has_already_is_not_sent_again(caller: Caller, named: str) -> None:
    first = await caller.get(ME)

    again = await caller.get(ME, {"If-None-Match": named.format(first.headers["etag"])})

    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert again.headers["cache-control"] == first.headers["cache-control"] == "private, no-cache"
    assert "Authorization" in again.headers["vary"]


@pytest.mark.parametrize("named", ['"other"', "", "other", 'W/"other", "more"'])
async def test_another_tag_is_answered_in_full(caller: Caller, named: str) -> None:
    response = await caller.get(ME, {"If-None-Match": named})

    assert response.status_code == 200
    assert response.json()["id"]


async def test_a_tag_covers_all_that_is_shown_and_to_whom(rows: Database, admit: Admit) -> None:
    owner, reader = await a_user(rows), await a_user(rows)
    calendar_id = await a_calendar(rows, {owner: "OWNER", reader: "READER"})

    tags = [
        (await (await admit(user_id)).get(f"/api/calendars/{calendar_id}")).headers["etag"]
        for user_id in (owner, reader)
    ]

    assert tags[0] != tags[1]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Basic eA=="},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer yotei_short"},
        {"Authorization": "Bearer yotei_" + "a" * 43},
        {"Authorization": b"Bearer \xff\xfe"},
    ],
)
async def test_without_a_valid_token_the_scheme_is_named(client: httpx.AsyncClient, headers: Mapping[str, Any]) -> None:
    response = await client.get("/api/calendars", headers=headers)

    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"
    assert problem(response)["code"] == "unauthorized"


async def test_the_scheme_is_read_in_any_case(caller: Caller) -> None:
    response = await caller.client.get(ME, headers={"Authorization": f"bEARER  {caller.token}"})

    assert response.status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/api/calendars", "GET"),
        ("PUT", "/api/users", "GET, POST"),
        ("GET", f"/api/events/{uuid4()}/rsvp", "POST"),
        ("POST", "/healthz", "GET"),
    ],
)
async def test_a_method_that_is_not_offered_names_those_that_are(
    caller: Caller, method: str, path: str, allowed: str
) -> None:
    response = await caller.client.request(method, path, headers=caller.headers)

    assert response.status_code == 405
    assert set(allowed.split(", ")) <= {one.strip() for one in response.headers["allow"].split(",")}
    assert problem(response)["code"] == "method_not_allowed"


@pytest.mark.parametrize("path", ["/api", "/api/nothing", "/api/events/7", "/api/calendars/not-an-id/events"])
async def test_a_path_that_is_not_there_is_a_problem_too(caller: Caller, path: str) -> None:
    response = await caller.get(path)

    assert response.status_code == 404
    assert problem(response)["code"] == "not_found"


async def test_a_body_that_is_too_large_is_refused_by_what_it_says_and_by_what_it_is(
    rows: Database, served_url: str
) -> None:
    async def drops() -> AsyncIterator[bytes]:
        for _ in range(64):
            yield b" " * 64

    user_id = await a_user(rows)
    async with serve(settings(served_url, limits=LimitSettings(body_bytes_max=1_024))) as client:
        caller = await admitted(client, rows, user_id)
        headers = {**caller.headers, **JSON}
        path = f"/api/events/{uuid4()}/rsvp"

        by_length = await client.post(path, content=b" " * 2_000, headers=headers)
        by_chunks = await client.post(path, content=drops(), headers=headers)

    for response in (by_length, by_chunks):
        assert response.status_code == 413
        assert problem(response)["code"] == "payload_too_large"
        assert "limits.body_bytes_max" in problem(response)["detail"]


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "application/xml", ""])
async def test_a_body_that_is_not_json_is_refused(caller: Caller, content_type: str) -> None:
    response = await caller.client.post(
        "/api/tokens",
        content=b'{"name": "x", "scopes": ["read"]}',
        headers={**caller.headers, "Content-Type": content_type},
    )

    assert response.status_code == 415
    assert problem(response)["code"] == "unsupported_media_type"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"name":' + b"[" * 100_000, id="nested deeply"),
        pytest.param(b'{"name":"\xff","scopes":["read"]}', id="not UTF-8"),
        b'{"name":"\\ud800"}',
        b"",
        b"{",
        b"[]",
        b"7",
        b"null",
        b"\xff",
        b'{"name": 1}',
        b'{"name":"x"} {}',
    ],
)
async def test_a_body_that_does_not_fit_is_refused_with_a_problem(caller: Caller, body: bytes) -> None:
    response = await caller.client.post("/api/tokens", content=body, headers={**caller.headers, **JSON})

    assert response.status_code == 400
    assert problem(response)["code"] == "invalid_request"


async def test_the_character_nul_is_refused_where_text_is_stored_or_sought(caller: Caller) -> None:
    stored = await caller.post("/api/tokens", {"name": "a\0b", "scopes": ["read"]})
    sought = await caller.get("/api/resources", features="a\0b")

    for response in (stored, sought):
        assert response.status_code == 400
        assert problem(response)["code"] == "invalid_request"


async def test_who_asks_too_often_is_told_when_to_come_back(rows: Database, served_url: str) -> None:
    limits = LimitSettings(rate_per_s=0.001, rate_burst=2)
    aiko, ben = await a_user(rows), await a_user(rows)
    async with serve(settings(served_url, limits=limits)) as client:
        eager, other = await admitted(client, rows, aiko), await admitted(client, rows, ben)

        answered = [await eager.get(ME) for _ in range(3)]
        of_another = await other.get(ME)
        health = [await client.get("/healthz") for _ in range(5)]

    assert [one.status_code for one in answered] == [200, 200, 429]
    assert 0 < int(answered[2].headers["retry-after"]) <= 1_000
    assert problem(answered[2])["code"] == "rate_limited"
    assert statements(answered[2]) == 0
    assert of_another.status_code == 200
    assert {one.status_code for one in health} == {200}


async def test_a_request_is_known_by_the_id_that_its_caller_gave(caller: Caller) -> None:
    given = await caller.get(ME, {"X-Request-Id": "job-7.retry_2"})
    made = await caller.get(ME)
    failed = await caller.get("/api/nothing", {"X-Request-Id": "job-7.retry_2"})

    assert given.headers["x-request-id"] == "job-7.retry_2"
    assert len(made.headers["x-request-id"]) == 32
    assert problem(failed)["request_id"] == "job-7.retry_2"


@pytest.mark.parametrize("request_id", ["short", "x" * 65, "has spaces in it", 'quote"quote', "<script>", "täglich-8"])
async def test_an_id_that_could_do_harm_in_a_log_is_not_taken(caller: Caller, request_id: str) -> None:
    response = await caller.get(ME, {"X-Request-Id": request_id.encode("latin-1")})  # type: ignore[dict-item]

    assert len(response.headers["x-request-id"]) == 32


async def test_browsers_may_call_from_the_origins_that_are_named_and_no_other(rows: Database, served_url: str) -> None:
    ours, theirs = "https://calendar.example.org", "https://elsewhere.example.org"
    asks = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}
    user_id = await a_user(rows)
    async with serve(settings(served_url, server=ServerSettings(cors_origins=(ours,)))) as client:
        caller = await admitted(client, rows, user_id)

        allowed = await client.options("/api/calendars", headers={"Origin": ours, **asks})
        refused = await client.options("/api/calendars", headers={"Origin": theirs, **asks})
        answered = await caller.get(ME, {"Origin": ours})
        elsewhere = await caller.get(ME, {"Origin": theirs})

    assert allowed.headers["access-control-allow-origin"] == ours
    assert "authorization" in allowed.headers["access-control-allow-headers"].lower()
    assert "access-control-allow-origin" not in refused.headers
    assert answered.headers["access-control-allow-origin"] == ours
    assert "server-timing" in answered.headers["access-control-expose-headers"].lower()
    assert "access-control-allow-origin" not in elsewhere.headers


async def test_without_an_origin_in_the_settings_no_browser_may_call_from_elsewhere(caller: Caller) -> None:
    asks = {"Origin": "https://x.example.org", "Access-Control-Request-Method": "GET"}

    preflight = await caller.client.options("/api/calendars", headers=asks)
    answered = await caller.get(ME, {"Origin": "https://x.example.org"})

    for response in (preflight, answered):
        assert "access-control-allow-origin" not in response.headers


@pytest.mark.parametrize(
    ("from_address", "refused"),
    [("10.0.0.7", [401, 401, 429]), ("203.0.113.9", [401, 429, 429])],
    ids=["a trusted proxy is believed", "a stranger is not"],
)
async def test_only_trusted_proxies_say_who_the_client_is(
    served_url: str, from_address: str, refused: list[int]
) -> None:
    config = settings(
        served_url,
        server=ServerSettings(trusted_proxies=("10.0.0.0/8",)),
        limits=LimitSettings(rate_per_s=0.001, rate_burst=1),
    )
    async with serve(config, (from_address, 1)) as client:
        answered = [
            await client.get(ME, headers={"X-Forwarded-For": claimed})
            for claimed in ("198.51.100.1", "198.51.100.2", "198.51.100.2")
        ]

    assert [one.status_code for one in answered] == refused


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/healthz", 200),
        ("GET", "/readyz", 200),
        ("GET", "/openapi.json", 200),
        ("GET", "/docs", 200),
        ("GET", "/nothing", 404),
        ("GET", ME, 401),
        ("PUT", ME, 405),
        ("POST", "/api/tokens", 415),
        ("GET", "/api/calendars?x=1", 400),
    ],
)
async def test_every_answer_says_what_it_took(client: httpx.AsyncClient, method: str, path: str, status: int) -> None:
    response = await client.request(method, path)

    assert response.status_code == status
    assert statements(response) == (1 if path == "/readyz" else 0)
    assert response.headers["x-request-id"]


async def test_what_is_not_there_is_a_problem_and_the_root_leads_to_the_description(client: httpx.AsyncClient) -> None:
    browser = {"Accept": "text/html,*/*;q=0.8"}
    missing = [await client.get(path, headers=browser) for path in ("/nothing", "/nothing/at/all", "/nothing.json")]
    root = await client.get("/")

    assert [problem(one)["code"] for one in missing] == ["not_found"] * 3
    assert (root.status_code, root.headers["location"]) == (302, "/docs")
    assert (await client.get("/openapi.json")).json()["openapi"] == "3.1.0"


async def test_failures_point_to_a_page_that_is_there(client: httpx.AsyncClient) -> None:
    refused = await client.get(ME)
    page, _, heading = refused.json()["type"].partition("#")

    response = await client.get(page)

    assert f'id="{heading}"' in response.text


@pytest.mark.parametrize(("strict", "status"), [(True, 500), (False, 200)])
async def test_the_statement_beyond_the_budget_is_refused_in_strict_mode_only(
    rows: Database, served_url: str, strict: bool, status: int
) -> None:
    limits = LimitSettings(statements_max=1, strict_statements=strict)
    user_id = await a_user(rows)
    async with serve(settings(served_url, limits=limits)) as client:
        caller = await admitted(client, rows, user_id)

        response = await caller.get(ME)

    assert response.status_code == status
    assert statements(response) == (1 if strict else 2)
    if strict:
        assert problem(response)["code"] == "internal"
        assert "statement" not in response.text
