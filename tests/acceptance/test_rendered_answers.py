"""A server as it is started, asked the same thing again and again by several clients."""

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.acceptance.processes import Server, bearer, new_server, until

RENDERED = 'yotei; hit; detail="rendered"'
START = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(days=1)
END = START + timedelta(hours=1)


class Premise:
    """Two clients of one person, each with a token of its own, and a calendar with an event."""

    def __init__(self, server: Server) -> None:
        self.server = server
        tokens = [
            server.place.admin_token(),
            server.place.run("token", "create", "root@example.org").stdout.split()[-1],
        ]
        self.one, self.other = (httpx.Client(base_url=server.place.base, headers=bearer(token)) for token in tokens)
        self.calendar = self.one.get("/api/calendars").json()["calendars"][0]["id"]
        made = self.one.post(
            "/api/events",
            json={
                "calendar_id": self.calendar,
                "title": "Planning",
                "start_time": START.isoformat(),
                "end_time": END.isoformat(),
            },
        )
        assert made.status_code == 201, made.text
        self.event = made.json()["id"]
        self.list = (
            f"/api/calendars/{self.calendar}/events?start={START:%Y-%m-%dT%H:00:00Z}&end={END:%Y-%m-%dT%H:00:00Z}"
        )

    def kept(self, client: httpx.Client, method: str, path: str, **options: Any) -> httpx.Response:
        """The answer when it is sent again."""
        answers: list[httpx.Response] = []

        def is_rendered() -> bool:
            answers.append(client.request(method, path, **options))
            assert answers[-1].status_code in (200, 304), answers[-1].text
            return answers[-1].headers["cache-status"] == RENDERED

        until(is_rendered, f"{path} is kept")
        assert len({one.content for one in answers}) == 1
        return answers[-1]


@pytest.fixture(scope="module")
def premise() -> Iterator[Premise]:
    with new_server(YOTEI_LOG_FORMAT="json") as server:
        premise = Premise(server)
        with closing(premise.one), closing(premise.other):
            yield premise


def test_a_list_is_sent_again_until_another_client_writes_and_then_it_is_the_new_one(premise: Premise) -> None:
    for number in range(20):
        before = premise.kept(premise.one, "GET", premise.list)
        has = {"If-None-Match": before.headers["etag"]}
        assert premise.one.get(premise.list, headers=has).status_code == 304

        wrote = premise.other.patch(f"/api/events/{premise.event}", json={"title": f"No. {number}"})
        after = premise.one.get(premise.list, headers=has)

        assert wrote.status_code == 200
        assert (after.status_code, after.json()["events"][0]["title"]) == (200, f"No. {number}")


def test_a_304_has_no_content_and_says_what_a_200_would(premise: Premise) -> None:
    first = premise.kept(premise.one, "GET", premise.list)

    again = premise.kept(premise.one, "GET", premise.list, headers={"If-None-Match": first.headers["etag"]})

    assert (again.status_code, again.content) == (304, b"")
    for name in ("etag", "cache-control", "vary", "yotei-token"):
        assert again.headers[name] == first.headers[name]
    assert again.headers["server-timing"].startswith('db;dur=0.00;desc="0 statements", total;dur=')


def test_a_query_of_graphql_is_kept_until_what_it_shows_changes(premise: Premise) -> None:
    question = {
        "query": "query Named($id: UUID!) { event(id: $id) { id title } }",
        "variables": {"id": premise.event},
    }
    premise.kept(premise.one, "POST", "/graphql", json=question)

    premise.other.patch(f"/api/events/{premise.event}", json={"title": "Told by GraphQL"})

    answer = premise.one.post("/graphql", json=question).json()
    assert answer == {"data": {"event": {"id": premise.event, "title": "Told by GraphQL"}}}


def test_a_token_that_is_revoked_ends_what_it_was_shown(premise: Premise) -> None:
    made = premise.other.post("/api/tokens", json={"name": "short", "scopes": ["read"]}).json()
    with httpx.Client(base_url=premise.server.place.base, headers=bearer(made["secret"])) as short:
        premise.kept(short, "GET", premise.list)

        assert premise.other.delete(f"/api/tokens/{made['token']['id']}").status_code == 204

        assert short.get(premise.list).status_code == 401
    assert premise.one.get(premise.list).status_code == 200


def test_what_is_sent_again_is_in_the_log_like_everything_else(premise: Premise) -> None:
    premise.kept(premise.one, "GET", premise.list)

    answer = premise.one.get(premise.list, headers={"X-Request-Id": "asked-in-the-test"})

    def line() -> dict[str, Any] | None:
        lines = (
            json.loads(one) for one in premise.server.err.splitlines() if one.startswith("{") and one.endswith("}")
        )
        return next((one for one in lines if one.get("request_id") == "asked-in-the-test"), None)

    logged = until(line, "the line is written")
    assert answer.headers["cache-status"] == RENDERED
    assert logged is not None
    assert (logged["event"], logged["method"], logged["status"], logged["statements"]) == (
        "request_answered",
        "GET",
        200,
        0,
    )
    assert logged["path"] == premise.list.partition("?")[0]
