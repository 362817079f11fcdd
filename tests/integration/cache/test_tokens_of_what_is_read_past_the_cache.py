"""What a client is told that it has seen by an answer that PostgreSQL has given, and no unit of the cache: enough for
any other node to wait for it."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from tests.conftest import PostgresFactory
from tests.integration.rest.served import Caller, admitted, serve, settings
from tests.integration.rows import a_calendar, a_user, an_event
from yotei.cache.token import Token
from yotei.settings import CacheSettings
from yotei.storage.change_log import Snapshot
from yotei.storage.pool import Database
from yotei.storage.statements import Statement

START = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
WINDOW = {"start": START.isoformat(), "end": (START + timedelta(days=1)).isoformat()}
WROTE = Statement(
    "tests.wrote", "select max(xid::text::bigint) as xid from change_log where entity_id = $1", "a premise"
)


class Reader:
    """Somebody at a server with a cache, who has been there before, and a calendar into which others write."""

    def __init__(self, caller: Caller, rows: Database, user_id: UUID, calendar_id: UUID) -> None:
        self.caller = caller
        self.user_id = user_id
        self._rows = rows
        self._calendar_id = calendar_id

    async def event(self) -> tuple[UUID, int]:
        """One that another node has just written, and by which transaction."""
        made = await an_event(self._rows, self._calendar_id, self.user_id, START, title="Review")
        row = await self._rows.fetchrow(WROTE, made)
        assert row is not None
        return made, row["xid"]


@pytest.fixture
async def reader(postgres: PostgresFactory) -> AsyncIterator[Reader]:
    url = await postgres.migrated()
    async with (
        await Database.connect(url, size_min=1, size_max=1) as rows,
        serve(settings(url, cache=CacheSettings())) as client,
    ):
        me = await a_user(rows)
        caller = await admitted(client, rows, me)
        await caller.get("/api/calendars")
        yield Reader(caller, rows, me, await a_calendar(rows, {me: "OWNER"}))
    await postgres.drop(url)


QUESTIONS: dict[str, Any] = {
    "search": ("GET", "/api/events/search?q=Review", None),
    "history": ("GET", "/api/events/{event}/history", None),
    "free_busy": ("POST", "/api/freebusy", {**WINDOW, "user_ids": ["{user}"]}),
    "meeting_times": (
        "POST",
        "/api/meeting-times",
        {**WINDOW, "attendees": [{"user_id": "{user}"}], "duration_minutes": 30},
    ),
    "tokens": ("GET", "/api/tokens", None),
    "search by GraphQL": ("POST", "/graphql", {"query": '{ searchEvents(words: "Review") { nodes { id } } }'}),
}


@pytest.mark.parametrize("question", QUESTIONS)
async def test_it_tells_of_all_that_it_may_have_shown(reader: Reader, question: str) -> None:
    method, path, body = QUESTIONS[question]
    event, xid = await reader.event()
    asked = json.loads(json.dumps(body).replace("{user}", str(reader.user_id)))

    answer = await reader.caller.send(method, path.replace("{event}", str(event)), asked)

    assert answer.status_code == 200, answer.text
    assert "errors" not in answer.json(), answer.text
    token = Token.parse(answer.headers["yotei-token"])
    assert not token.is_met(token.epoch, Snapshot(xid, xid))
    assert answer.headers["cache-status"].startswith("yotei; fwd=bypass")


async def test_a_write_does_not_say_that_a_cache_has_answered_it(reader: Reader) -> None:
    event, _ = await reader.event()

    answer = await reader.caller.send("PATCH", f"/api/events/{event}", {"title": "Another"})

    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-status"].startswith("yotei; fwd=bypass")
