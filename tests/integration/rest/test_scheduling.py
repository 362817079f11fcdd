"""Free/busy and finding a time over HTTP: what comes in, what goes out, what is refused."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.integration.rest.conftest import Admit
from tests.integration.rest.served import problem, statements
from tests.integration.rows import a_booking, a_calendar, a_room, a_user, an_event
from yotei.storage.ids import uuid7
from yotei.storage.pool import Database

NINE = datetime(2026, 12, 1, 9, tzinfo=UTC)
DAY = {"start": "2026-12-01T00:00:00", "end": "2026-12-02T00:00:00"}


async def test_free_busy_is_told_in_the_zone_of_the_answer_in_three_statements(rows: Database, admit: Admit) -> None:
    aiko, ben = await a_user(rows), await a_user(rows)
    address = f"{ben}@example.org"
    room_id = await a_room(rows, tzid="Asia/Tokyo", opening_hours='{"tue": [["09:00", "24:00"]]}')
    event_id = await an_event(rows, await a_calendar(rows, {aiko: "OWNER"}), aiko, NINE, attendees=(ben,))
    await a_booking(rows, room_id, event_id, NINE)
    nobody = str(uuid7())

    response = await (await admit(aiko)).post(
        "/api/freebusy",
        {
            **DAY,
            "tz": "Asia/Tokyo",
            "user_ids": [nobody, str(aiko)],
            "emails": [address],
            "resource_ids": [str(room_id)],
            "merge": True,
        },
    )

    busy = {"start": "2026-12-01T18:00:00+09:00", "end": "2026-12-01T19:00:00+09:00", "kind": "BUSY"}
    closed = {"start": "2026-12-01T00:00:00+09:00", "end": "2026-12-01T09:00:00+09:00", "kind": "UNAVAILABLE"}
    assert response.status_code == 200
    assert response.json() == {
        "people": [
            {"user_id": nobody, "email": None, "error": "not_found", "busy": []},
            {"user_id": str(aiko), "email": None, "error": None, "busy": [busy]},
            {"user_id": str(ben), "email": address, "error": None, "busy": [busy]},
        ],
        "resources": [{"resource_id": str(room_id), "error": None, "busy": [closed, busy]}],
        "merged": [closed, busy],
        "start": "2026-12-01T00:00:00+09:00",
        "end": "2026-12-02T00:00:00+09:00",
        "tz": "Asia/Tokyo",
    }
    assert statements(response) == 3
    assert response.headers["cache-control"] == "private, no-cache"


async def test_times_to_meet_are_told_with_rooms_in_three_statements(rows: Database, admit: Admit) -> None:
    aiko, ben = await a_user(rows, tzid="Europe/Berlin"), await a_user(rows, tzid="Europe/Berlin")
    await an_event(rows, await a_calendar(rows, {aiko: "OWNER"}), aiko, NINE)
    room_id = await a_room(rows, "Fuji", seats=4, features=["a feature of this test"])

    response = await (await admit(aiko)).post(
        "/api/meeting-times",
        {
            "start": "2026-12-01T10:00:00+01:00",
            "end": "2026-12-01T13:00:00+01:00",
            "duration_minutes": 60,
            "attendees": [{"user_id": str(aiko)}, {"user_id": str(ben), "is_optional": True}, {"email": "x@else.org"}],
            "rooms": {"features": ["a feature of this test"], "seats_min": 3},
            "limit": 1,
        },
    )

    assert response.status_code == 200
    assert response.json() == {
        "proposals": [
            {
                "start": "2026-12-01T11:00:00+01:00",
                "end": "2026-12-01T12:00:00+01:00",
                "coming": [str(ben)],
                "missing": [],
                "outside_working_hours": [],
                "rooms": [{"id": str(room_id), "name": "Fuji", "kind": "ROOM", "seats": 4}],
            }
        ],
        "starts": 9,
        "obstacles": [],
        "starts_without_rooms": 0,
        "unknown": [{"user_id": None, "email": "x@else.org", "resource_id": None}],
        "tz": "Europe/Berlin",
    }
    assert statements(response) == 3


ONE = {"user_ids": ["01900000-0000-7000-8000-000000000001"]}
ATTENDEE = {"attendees": [{"email": "a@example.org"}], "duration_minutes": 30}


@pytest.mark.parametrize(
    ("path", "body", "status", "code", "field"),
    [
        ("freebusy", {**DAY}, 400, "invalid_request", "body"),
        ("freebusy", {**ONE}, 400, "invalid_request", "body.start"),
        ("freebusy", {**DAY, **ONE, "end": DAY["start"]}, 400, "invalid_window", "body.end"),
        ("freebusy", {**DAY, **ONE, "end": "2028-01-01T00:00:00"}, 400, "invalid_window", "body.end"),
        ("freebusy", {**DAY, **ONE, "start": "0001-01-01T00:00:00"}, 400, "invalid_window", "body.start"),
        ("freebusy", {**DAY, **ONE, "tz": "Mars/Olympus"}, 400, "unknown_time_zone", "body.tz"),
        ("freebusy", {**DAY, "user_ids": ONE["user_ids"] * 2}, 400, "invalid_request", "body.user_ids[1]"),
        ("freebusy", {**DAY, "emails": ["nobody"]}, 400, "invalid_request", "body.emails[0]"),
        ("freebusy", {**DAY, **ONE, "emails": [f"{n}@x.org" for n in range(200)]}, 400, "invalid_request", "body"),
        ("freebusy", {**DAY, **ONE, "user": []}, 400, "invalid_request", "body.user"),
        ("meeting-times", {**DAY, **ATTENDEE, "duration_minutes": 0}, 400, "invalid_request", "body.duration_minutes"),
        ("meeting-times", {**DAY, **ATTENDEE, "step_minutes": 7}, 400, "invalid_request", "body.step_minutes"),
        ("meeting-times", {**DAY, **ATTENDEE, "limit": 101}, 400, "invalid_request", "body.limit"),
        ("meeting-times", {**DAY, **ATTENDEE, "rooms": {"count": 0}}, 400, "invalid_request", "body.rooms.count"),
        ("meeting-times", {**DAY, **ATTENDEE, "tz": "Mars/Olympus"}, 400, "unknown_time_zone", "body.tz"),
        ("meeting-times", {**DAY, **ATTENDEE, "duration_minutes": 1_441}, 400, "invalid_window", "body.end"),
        ("meeting-times", {**DAY, "duration_minutes": 30}, 400, "invalid_request", "body"),
    ],
)
async def test_a_question_that_is_not_one_is_refused_by_field(
    rows: Database, admit: Admit, path: str, body: dict[str, Any], status: int, code: str, field: str
) -> None:
    somebody = await admit(await a_user(rows))

    response = await somebody.post(f"/api/{path}", body)

    told = problem(response)
    assert (response.status_code, told["code"]) == (status, code)
    assert [fault["field"] for fault in told["faults"]] == [field]
    assert statements(response) == 1


@pytest.mark.parametrize("path", ["/api/freebusy", "/api/meeting-times"])
async def test_both_need_the_scope_to_read(rows: Database, admit: Admit, path: str) -> None:
    writer = await admit(await a_user(rows), scopes=("write",))

    response = await writer.post(path, {**DAY, **(ONE if path.endswith("busy") else ATTENDEE)})

    assert (response.status_code, problem(response)["code"]) == (403, "forbidden")
