"""Many reads in one request: order, doubles, what is not there, and one statement whatever is asked for."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.integration.rest.conftest import Admit
from tests.integration.rest.served import many_events, problem, statements
from tests.integration.rows import a_booking, a_calendar, a_room, a_user, an_event
from yotei.storage.pool import Database
from yotei.storage.statements import Statement

START = datetime(2027, 1, 12, 9, tzinfo=UTC)
DAY = {"start": "2027-01-12T00:00:00Z", "end": "2027-01-13T00:00:00Z"}
IDS = Statement("tests.ids", "select id from events where calendar_id = $1 order by start_time", "what there is")


def told(item: dict[str, Any], name: str) -> str | None:
    """The id of the value, or the code of the error."""
    assert set(item) == {"id", name, "error"}
    if item["error"] is not None:
        assert item[name] is None
        return str(item["error"]["code"])
    value = item[name]
    return str((value["resource"] if name == "availability" else value)["id"])


async def test_events_come_in_the_order_asked_for_doubles_twice_and_errors_in_their_place(
    rows: Database, admit: Admit
) -> None:
    owner, other = await a_user(rows), await a_user(rows)
    calendar_id, hidden = await a_calendar(rows, {owner: "OWNER"}), await a_calendar(rows, {other: "OWNER"})
    first, second = [await an_event(rows, calendar_id, owner, START) for _ in range(2)]
    not_shared = await an_event(rows, hidden, other, START)
    caller = await admit(owner)
    asked = [str(one) for one in (second, uuid4(), first, not_shared, second)]

    response = await caller.post("/api/batch/events", {"ids": asked})

    items = response.json()["items"]
    assert response.status_code == 200
    assert [one["id"] for one in items] == asked
    assert [told(one, "event") for one in items] == [str(second), "not_found", str(first), "not_found", str(second)]
    assert items[0]["event"] == (await caller.get(f"/api/events/{second}")).json()
    assert statements(response) == 2


@pytest.mark.parametrize("count", [1, 50, 1_000])
async def test_events_take_one_statement_and_the_token_however_many(rows: Database, admit: Admit, count: int) -> None:
    owner = await a_user(rows)
    calendar_id = await a_calendar(rows, {owner: "OWNER"})
    await many_events(rows, calendar_id, owner, await a_room(rows), START, count)
    ids = [str(row["id"]) for row in await rows.fetch(IDS, calendar_id)]
    caller = await admit(owner)

    response = await caller.post("/api/batch/events?fields=id,attendee_count,room_name", {"ids": ids})

    assert [one["event"] for one in response.json()["items"]] == [
        {"id": id_, "attendee_count": 1, "room_name": "Fuji"} for id_ in ids
    ]
    assert statements(response) == 2


async def test_who_sees_busy_times_only_gets_no_more_here(rows: Database, admit: Admit) -> None:
    owner, viewer = await a_user(rows), await a_user(rows)
    calendar_id = await a_calendar(rows, {owner: "OWNER", viewer: "FREE_BUSY"})
    event_id = await an_event(rows, calendar_id, owner, START, title="Secret")
    caller = await admit(viewer)

    response = await caller.post("/api/batch/events", {"ids": [str(event_id)]})

    assert response.json()["items"][0]["event"]["access"] == "busy"
    assert "Secret" not in response.text


@pytest.mark.parametrize("count", [1, 50, 1_000])
async def test_people_take_one_statement_and_the_token_however_many(rows: Database, admit: Admit, count: int) -> None:
    owner = await a_user(rows)
    caller = await admit(owner)
    asked = [*(str(uuid4()) for _ in range(count - 1)), str(owner)]

    response = await caller.post("/api/batch/users", {"ids": asked})

    assert [told(one, "user") for one in response.json()["items"]] == [*["not_found"] * (count - 1), str(owner)]
    assert statements(response) == 2


async def test_availability_comes_by_resource_in_the_order_asked_for(rows: Database, admit: Admit) -> None:
    owner = await a_user(rows)
    calendar_id = await a_calendar(rows, {owner: "OWNER"})
    taken, free = await a_room(rows, "Taken"), await a_room(rows, "Free")
    await a_booking(rows, taken, await an_event(rows, calendar_id, owner, START), START)
    caller = await admit(owner)
    asked = [str(one) for one in (taken, uuid4(), free, taken)]

    response = await caller.post("/api/batch/availability?tz=Asia/Tokyo", {"ids": asked, **DAY})

    answer = response.json()
    assert [told(one, "availability") for one in answer["items"]] == [str(taken), "not_found", str(free), str(taken)]
    assert [one["availability"]["is_free"] for one in answer["items"] if one["availability"]] == [False, True, False]
    assert answer["items"][0]["availability"]["busy"] == [
        {"start": "2027-01-12T18:00:00+09:00", "end": "2027-01-12T19:00:00+09:00"}
    ]
    assert (answer["start"], answer["tz"]) == ("2027-01-12T09:00:00+09:00", "Asia/Tokyo")
    assert statements(response) == 2


async def test_a_thousand_resources_can_be_asked_for_a_month_but_not_for_a_year(rows: Database, admit: Admit) -> None:
    room = await a_room(rows)
    caller = await admit(await a_user(rows))
    ids = [str(room)] * 1_000

    month = await caller.post("/api/batch/availability", {"ids": ids, **DAY, "end": "2027-02-12T00:00:00Z"})
    year = await caller.post("/api/batch/availability", {"ids": ids, **DAY, "end": "2028-01-12T00:00:00Z"})

    assert len(month.json()["items"]) == 1_000
    assert problem(year)["code"] == "invalid_window"
    assert problem(year)["faults"][0]["field"] == "body.end"


@pytest.mark.parametrize("what", ["events", "users", "availability"])
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "body.ids"),
        ({"ids": []}, "body.ids"),
        ({"ids": ["x"]}, "body.ids[0]"),
        ({"ids": [str(UUID(int=1))] * 1_001}, "body.ids"),
        ({"ids": [str(UUID(int=1))], "limit": 3}, "body.limit"),
    ],
)
async def test_a_body_that_does_not_fit_is_refused_by_its_field(
    rows: Database, admit: Admit, what: str, body: dict[str, Any], field: str
) -> None:
    caller = await admit(await a_user(rows))

    response = await caller.post(f"/api/batch/{what}", body)

    assert response.status_code == 400
    assert [fault["field"] for fault in problem(response)["faults"]] == [field]


async def test_reading_needs_a_token_that_may_read(rows: Database, admit: Admit) -> None:
    caller = await admit(await a_user(rows), scopes=("write",))

    refused = [
        await caller.post(f"/api/batch/{what}", {"ids": [str(uuid4())]}) for what in ("events", "users", "availability")
    ]

    assert {problem(one)["code"] for one in refused} == {"forbidden"}


async def test_a_window_that_ends_before_it_starts_is_refused_by_the_field_of_the_body(
    rows: Database, admit: Admit
) -> None:
    caller = await admit(await a_user(rows))
    body = {"ids": [str(uuid4())], "start": START.isoformat(), "end": (START - timedelta(hours=1)).isoformat()}

    response = await caller.post("/api/batch/availability", body)

    assert problem(response)["faults"][0]["field"] == "body.end"
