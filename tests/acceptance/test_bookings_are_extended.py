"""The rooms of series are booked further by the running server, by whichever of its workers comes first."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.request import Request, urlopen

import asyncpg
import pytest

from tests.acceptance.processes import Server, bearer, new_place, until

HORIZON_DAYS = 31


@pytest.fixture
async def server(database_url: str) -> AsyncIterator[Server]:
    settings = {
        "YOTEI_DATABASE_URL": database_url,
        "YOTEI_SERVER_WORKERS": "2",
        "YOTEI_BOOKING_HORIZON_DAYS": str(HORIZON_DAYS),
        "YOTEI_BOOKING_EXTEND_EVERY_S": "10",
    }
    with new_place(**settings) as place:
        server = place.start().ready()
        yield server
        assert server.stop() == 0, server.err


def ask(server: Server, token: str, method: str, path: str, body: object = None) -> dict[str, Any]:
    content = None if body is None else json.dumps(body).encode()
    headers = {**bearer(token), "Content-Type": "application/json"}
    request = Request(f"{server.place.base}{path}", content, headers, method=method)  # noqa: S310
    with urlopen(request, timeout=10) as answer:  # noqa: S310
        found: dict[str, Any] = json.load(answer)
        return found


async def test_a_series_that_fell_behind_is_booked_up_to_the_horizon(server: Server, database_url: str) -> None:
    token = server.place.admin_token()
    room = ask(server, token, "POST", "/api/resources", {"name": "Fuji"})
    calendar = ask(server, token, "POST", "/api/calendars", {"name": "Team"})
    # At another time of the day than now, so that the horizon meets no instance while the test runs.
    start = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=22)
    series = ask(
        server,
        token,
        "POST",
        "/api/events",
        {
            "calendar_id": calendar["id"],
            "title": "Stand-up",
            "start_time": start.isoformat(),
            "end_time": (start + timedelta(hours=1)).isoformat(),
            "rrule": "FREQ=DAILY",
            "resource_ids": [room["id"]],
        },
    )
    connection = await asyncpg.connect(database_url)
    booked = await connection.fetchval("select count(*) from reservations")

    # As if it had been made ten days ago.
    await connection.execute("delete from reservations where start_time > now() + interval '21 days'")
    await connection.execute("update event_resources set booked_until = now() + interval '21 days'")
    event = f"/api/events/{series['id']}"
    fell_behind = ask(server, token, "GET", event)["booked_until"]
    until(lambda: ask(server, token, "GET", event)["booked_until"] > series["booked_until"], "it is booked further")

    assert fell_behind < series["booked_until"]
    assert await connection.fetchval("select count(*) from reservations") == booked
    await connection.close()
