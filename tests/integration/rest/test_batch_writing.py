"""Many writes in one request: each whole or not at all, in order, by as many statements for 500 as for one."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import msgspec
import pytest

from tests.integration.rest.conftest import Admit
from tests.integration.rest.served import Caller, problem, serve, settings, statements
from tests.integration.rows import a_calendar, a_room, a_user
from yotei.settings import LimitSettings
from yotei.storage.pool import Database
from yotei.storage.statements import Statement

NINE = datetime(2027, 3, 3, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
COUNT = Statement("tests.count", "select count(*) as n from events where calendar_id = $1", "what there is")
Operation = dict[str, Any]


class Team(msgspec.Struct, frozen=True):
    """Somebody who writes a calendar of their own."""

    caller: Caller
    user_id: UUID
    calendar_id: UUID
    rows: Database

    def create(self, title: str = "Planning", start: datetime = NINE, **fields: Any) -> Operation:
        times = {"start_time": start.isoformat(), "end_time": (start + HOUR).isoformat()}
        event = {"calendar_id": str(self.calendar_id), "title": title, **times, **fields}
        return {"op": "create", "event": event}

    async def send(self, operations: Sequence[Operation], *, query: str = "", **body: Any) -> httpx.Response:
        return await self.caller.post(f"/api/batch{query}", {"operations": operations, **body})

    async def done(self, *operations: Operation) -> list[dict[str, Any]]:
        response = await self.send(operations)
        assert response.status_code == 200, response.text
        items: list[dict[str, Any]] = response.json()["items"]
        return items

    async def count(self) -> int:
        return int((await self.rows.fetch(COUNT, self.calendar_id))[0]["n"])


@pytest.fixture
async def team(rows: Database, admit: Admit) -> Team:
    user_id = await a_user(rows)
    return Team(await admit(user_id), user_id, await a_calendar(rows, {user_id: "OWNER"}), rows)


def codes(items: Sequence[dict[str, Any]]) -> list[object]:
    """The status of each, and of the refused ones the code."""
    return [one["status"] if one["error"] is None else (one["status"], one["error"]["code"]) for one in items]


async def test_each_has_its_result_in_order_and_the_refused_leave_nothing_behind(team: Team) -> None:
    made, backwards, unknown, also_made = await team.done(
        team.create("First"),
        team.create("Second", end_time=(NINE - HOUR).isoformat()),
        {"op": "delete", "event_id": str(uuid4())},
        team.create("Third"),
    )

    assert codes([made, backwards, unknown, also_made]) == [201, (400, "invalid_request"), (404, "not_found"), 201]
    assert made["event"] == (await team.caller.get(f"/api/events/{made['event_id']}")).json()
    assert (also_made["event"]["title"], backwards["event"], unknown["event_id"]) == ("Third", None, None)
    assert await team.count() == 2


async def test_operations_see_those_before_them(team: Team) -> None:
    (made,) = await team.done(team.create("First"))
    event_id = made["event_id"]

    renamed, moved, outdated, deleted, too_late = await team.done(
        {"op": "patch", "event_id": event_id, "version": 1, "event": {"title": "Second"}},
        {"op": "patch", "event_id": event_id, "event": {"location": "Fuji"}},
        {"op": "patch", "event_id": event_id, "version": 9, "event": {"title": "Never"}},
        {"op": "delete", "event_id": event_id},
        {"op": "patch", "event_id": event_id, "event": {"title": "Never"}},
    )
    (restored,) = await team.done({"op": "restore", "event_id": event_id})

    assert codes([renamed, moved, outdated, deleted, too_late]) == [
        200,
        200,
        (412, "precondition_failed"),
        204,
        (404, "not_found"),
    ]
    assert renamed["event_id"] == deleted["event_id"] == event_id
    assert renamed["event"] is None
    assert (restored["event"]["title"], restored["event"]["location"]) == ("Second", "Fuji")


async def test_every_kind_of_operation_can_be_in_it(team: Team, rows: Database) -> None:
    elsewhere = await a_calendar(rows, {team.user_id: "WRITER"})
    first, second, third = await team.done(*(team.create(f"{n}") for n in range(3)))
    whole = {name: value for name, value in team.create("New")["event"].items() if name != "calendar_id"}
    guest = {"email": "guest@example.org"}

    items = await team.done(
        {"op": "invite", "event_id": first["event_id"], "attendees": [guest, {"user_id": str(team.user_id)}]},
        {"op": "uninvite", "event_id": first["event_id"], "email": guest["email"]},
        {"op": "rsvp", "event_id": first["event_id"], "response_status": "TENTATIVE"},
        {"op": "replace", "event_id": second["event_id"], "event": whole},
        {"op": "move", "event_id": third["event_id"], "calendar_id": str(elsewhere)},
        {"op": "duplicate", "event_id": third["event_id"], "title": "Copy"},
    )

    assert [one["error"] for one in items] == [None] * 6
    assert codes(items) == [200, 200, 200, 200, 200, 201]


async def test_of_two_that_want_one_room_the_first_has_it_and_the_second_is_told_when_it_is_taken(
    team: Team, rows: Database
) -> None:
    fuji = str(await a_room(rows))

    first, second, third = await team.done(
        team.create("First", resource_ids=[fuji]),
        team.create("Second", NINE + HOUR / 2, resource_ids=[fuji]),
        team.create("Third", NINE + HOUR, resource_ids=[fuji]),
    )

    assert codes([first, second, third]) == [201, (409, "room_taken"), 201]
    assert first["event"]["room_name"] == third["event"]["room_name"] == "Fuji"
    (conflict,) = second["error"]["conflicts"]
    assert conflict["taken"] == {"start": "2027-03-03T09:00:00Z", "end": "2027-03-03T10:00:00Z"}
    assert second["error"]["faults"][0]["field"] == "body.operations[1].event.resource_ids"


@pytest.mark.parametrize(
    ("operation", "field"),
    [
        ({"op": "create", "event": {"start_time": "2027-03-03T09:00:00"}}, "event.end_time"),
        ({"op": "create", "event": {"tzid": "Moon/Base"}}, "event.tzid"),
        ({"op": "create", "event": {"attendees": [{"email": "a@b"}, {"email": "A@b"}]}}, "event.attendees[1]"),
        ({"op": "create", "event": {"calendar_id": str(UUID(int=1))}}, "event.calendar_id"),
        ({"op": "patch", "scope": "this"}, "recurrence_id"),
        ({"op": "patch", "event": {"rrule": "FREQ=NEVER"}}, "event.rrule"),
        ({"op": "move", "calendar_id": str(UUID(int=1))}, "calendar_id"),
        ({"op": "duplicate", "calendar_id": str(UUID(int=1))}, "calendar_id"),
        ({"op": "invite", "attendees": [{"email": "nobody"}]}, "attendees[0].email"),
        ({"op": "uninvite", "email": "nobody"}, "email"),
        ({"op": "restore", "recurrence_id": "2027-03-03T09:00:00Z"}, "recurrence_id"),
    ],
)
async def test_a_refusal_names_the_field_by_its_path(team: Team, operation: Operation, field: str) -> None:
    (series,) = await team.done(team.create("Weekly", rrule="FREQ=WEEKLY"))
    asked = dict(operation)
    if asked["op"] == "create":
        asked["event"] = {**team.create()["event"], **asked["event"]}
        if field == "event.end_time":
            del asked["event"]["end_time"]
    else:
        asked["event_id"] = series["event_id"]
    if asked["op"] == "patch":
        asked.setdefault("event", {})

    _, refused = await team.done(team.create(), asked)

    error = refused["error"]
    assert [fault["field"] for fault in error["faults"]] == [f"body.operations[1].{field}"]
    assert not error["detail"].startswith(("body.calendar", "body.start", "query."))


@pytest.mark.parametrize(
    ("operation", "field", "said"),
    [
        ({"op": "destroy", "event_id": str(UUID(int=1))}, "operations[1].op", "destroy"),
        ({"event_id": str(UUID(int=1))}, "operations[1].op", ""),
        ({"op": "delete", "event_id": "x"}, "operations[1].event_id", "UUID"),
        ({"op": "delete", "event_id": str(UUID(int=1)), "forever": True}, "operations[1].forever", ""),
        ({"op": "create", "event": {"tittle": "x"}}, "operations[1].event.tittle", ""),
        ({"op": "patch", "event_id": str(UUID(int=1)), "event": {"title": "a\0b"}}, "operations[1].event.title", ""),
        ("create", "operations[1]", "object"),
    ],
)
async def test_an_operation_of_the_wrong_shape_refuses_the_request_by_its_path(
    team: Team, operation: Any, field: str, said: str
) -> None:
    response = await team.send([team.create(), operation])

    (fault,) = problem(response)["faults"]
    assert (response.status_code, fault["field"]) == (400, f"body.{field}")
    assert said in fault["detail"]
    assert await team.count() == 0


@pytest.mark.parametrize("operations", [0, 1_001])
async def test_none_and_more_than_a_thousand_are_refused(team: Team, operations: int) -> None:
    response = await team.send([team.create()] * operations)

    assert problem(response)["faults"][0]["field"] == "body.operations"


async def test_atomic_does_all_or_nothing_and_names_every_fault(team: Team) -> None:
    good, bad = team.create(), team.create(end_time=(NINE - HOUR).isoformat())
    unknown = {"op": "delete", "event_id": str(uuid4())}

    refused = await team.send([good, bad, unknown], atomic=True)
    there = await team.count()
    done = await team.send([good, good], atomic=True)

    assert problem(refused)["code"] == "invalid_request"
    assert [fault["field"] for fault in problem(refused)["faults"]] == [
        "body.operations[1].event.end_time",
        "body.operations[2]",
    ]
    assert there == 0
    assert codes(done.json()["items"]) == [201, 201]


async def test_sent_again_with_its_key_it_is_answered_as_before_and_not_done_again(team: Team) -> None:
    body = {"operations": [team.create(), {"op": "delete", "event_id": str(uuid4())}]}
    key = {"Idempotency-Key": str(uuid4())}

    first = await team.caller.send("POST", "/api/batch", body, key)
    again = await team.caller.send("POST", "/api/batch", body, key)
    other = await team.caller.send("POST", "/api/batch", {"operations": body["operations"][:1]}, key)

    assert first.content == again.content
    assert again.headers["idempotency-replayed"] == "true"
    assert problem(other)["code"] == "idempotency_key_reused"
    assert await team.count() == 1
    assert statements(first) == 7


async def test_if_match_has_no_meaning_for_many(team: Team) -> None:
    response = await team.caller.send("POST", "/api/batch", {"operations": [team.create()]}, {"If-Match": '"1-x"'})

    assert problem(response)["faults"][0]["field"] == "header.If-Match"


async def test_the_events_can_be_cut_down_to_some_fields(team: Team) -> None:
    response = await team.send([team.create()], query="?fields=id,version&tz=Asia/Tokyo")

    (item,) = response.json()["items"]
    assert item["event"] == {"id": item["event_id"], "version": 1}


@pytest.mark.parametrize("count", [1, 50, 500])
async def test_making_them_takes_as_many_statements_for_500_as_for_one(team: Team, count: int) -> None:
    response = await team.send([team.create(start=NINE + n * HOUR) for n in range(count)])

    assert codes(response.json()["items"]) == [201] * count
    assert statements(response) == 5


@pytest.mark.parametrize("count", [1, 50, 500])
async def test_with_rooms_and_guests_too(team: Team, rows: Database, count: int) -> None:
    fuji = str(await a_room(rows))
    guests = [{"email": "guest@example.org"}, {"user_id": str(team.user_id)}]
    made = await team.done(
        *(team.create(start=NINE + n * HOUR, resource_ids=[fuji], attendees=guests) for n in range(count))
    )

    response = await team.send(
        [
            {"op": "patch", "event_id": one["event_id"], "event": {"start_time": at.isoformat()}}
            for one, at in zip(made, (NINE + timedelta(days=100) + n * HOUR for n in range(count)), strict=True)
        ]
    )

    items = response.json()["items"]
    assert codes(items) == [200] * count
    assert {one["event"]["room_name"] for one in items} == {"Fuji"}
    assert statements(response) == 8


@pytest.mark.parametrize("count", [2, 50, 500])
async def test_500_that_compete_for_one_room_take_as_many_statements_as_two(
    team: Team, rows: Database, count: int
) -> None:
    fuji = str(await a_room(rows))

    response = await team.send([team.create(resource_ids=[fuji]) for _ in range(count)])

    assert codes(response.json()["items"]) == [201, *[(409, "room_taken")] * (count - 1)]
    assert statements(response) == 8


async def test_a_thousand_operations_of_usual_size_are_below_the_bound_of_bodies(team: Team) -> None:
    guests = [{"email": f"guest{n}@example.org"} for n in range(5)]
    operations = [team.create(start=NINE + n * HOUR, description="d" * 200, attendees=guests) for n in range(1_000)]

    response = await team.send(operations, query="?fields=id")

    assert response.status_code == 200
    assert await team.count() == 1_000


async def test_a_body_over_the_bound_is_refused_before_it_is_read(team: Team, served_url: str) -> None:
    small = settings(served_url, limits=LimitSettings(body_bytes_max=1_024))
    async with serve(small) as client:
        response = await Caller(client, team.caller.token).post(
            "/api/batch", {"operations": [team.create() for _ in range(20)]}
        )

    assert problem(response)["code"] == "payload_too_large"


async def test_a_strict_server_allows_the_statements_that_a_batch_may_take(
    team: Team, rows: Database, served_url: str
) -> None:
    # With units to be locked, two rounds and a key: what a batch with rooms takes at most without chains of conflicts.
    booths = str(await a_room(rows, "Booth", concurrent_bookings=2))
    strict = settings(served_url, limits=LimitSettings(strict_statements=True))
    async with serve(strict) as client:
        caller = Caller(client, team.caller.token)
        operations = [team.create(resource_ids=[booths]) for _ in range(4)]

        response = await caller.send("POST", "/api/batch", {"operations": operations}, {"Idempotency-Key": "strict"})

    assert codes(response.json()["items"]) == [201, 201, (409, "room_taken"), (409, "room_taken")]
    assert statements(response) == 12


async def test_it_needs_a_token_that_may_write_and_a_role_in_the_calendar(
    team: Team, rows: Database, admit: Admit
) -> None:
    reader_id = await a_user(rows)
    shared = await a_calendar(rows, {team.user_id: "OWNER", reader_id: "READER"})
    reader, only_reading = await admit(reader_id), await admit(team.user_id, scopes=("read",))
    operation = team.create(calendar_id=str(shared))

    not_a_writer = await reader.post("/api/batch", {"operations": [operation]})
    not_to_write = await only_reading.post("/api/batch", {"operations": [operation]})

    assert codes(not_a_writer.json()["items"]) == [(403, "forbidden")]
    assert problem(not_to_write)["code"] == "forbidden"
