"""Many writes in one mutation: the inputs of the others, done by the function that does the batches of REST."""

from typing import Any
from uuid import uuid4

import pytest

from tests.conftest import Budget, PostgresFactory
from tests.integration.graphql.conftest import Admit
from tests.integration.graphql.rows import NINE, NOVEMBER, Caller, Rows
from tests.integration.graphql.words import as_input
from tests.integration.rest.served import admitted, serve, settings, statements
from tests.integration.rows import a_calendar, a_room, a_user
from yotei.api.graphql import schema
from yotei.storage.pool import Database

BATCH = """mutation ($input: BatchInput!) { batch(input: $input) {
  replayed
  items {
    eventId
    event { title location roomNames startTime }
    errors { code message field conflicts { resource { name } taken { start } } }
  }
  errors { code message field }
} }"""
WHEN = {"startTime": NINE, "endTime": NINE.replace(hour=10)}


class Writer(Caller):
    """A caller with a calendar of their own."""

    calendar_id: str

    async def batch(self, *operations: dict[str, Any], **beside: Any) -> dict[str, Any]:
        data = await self.data(BATCH, input={"operations": operations, **beside})
        payload: dict[str, Any] = data["batch"]
        return payload

    async def done(self, *operations: dict[str, Any], **beside: Any) -> list[dict[str, Any]]:
        payload = await self.batch(*operations, **beside)
        assert payload["errors"] == []
        items: list[dict[str, Any]] = payload["items"]
        return items

    def create(self, title: str = "Planning", **fields: Any) -> dict[str, Any]:
        return {"createEvent": {"calendarId": self.calendar_id, "title": title, **WHEN, **fields}}

    async def titles(self) -> list[str]:
        document = f"query ($id: UUID!) {{ calendar(id: $id) {{ events({NOVEMBER}) {{ title }} }} }}"
        data = await self.data(document, id=self.calendar_id)
        return [one["title"] for one in data["calendar"]["events"]]


@pytest.fixture
async def writer(rows: Rows, admit: Admit) -> Writer:
    user_id = await rows.person("Aiko")
    caller = Writer((await admit(user_id)).client, await rows.token(user_id, ("read", "write")))
    caller.calendar_id = str(await rows.calendar(members={user_id: "OWNER"}))
    return caller


def codes(items: list[dict[str, Any]]) -> list[list[str]]:
    return [[error["code"] for error in one["errors"]] for one in items]


async def test_each_has_its_result_in_order_and_the_refused_leave_nothing_behind(writer: Writer) -> None:
    items = await writer.done(
        writer.create("First"),
        writer.create("Second", endTime=NINE.replace(hour=8)),
        {"deleteEvent": {"eventId": uuid4()}},
        writer.create("Third", attendees=[{"email": "a@example.org"}, {"email": "nobody"}]),
        writer.create("Fourth"),
    )

    assert codes(items) == [[], ["invalid_request"], ["not_found"], ["invalid_request"], []]
    assert [one["eventId"] is not None for one in items] == [True, False, False, False, True]
    assert [error["field"] for one in items for error in one["errors"]] == [
        "input.operations[1].createEvent.endTime",
        None,
        "input.operations[3].createEvent.attendees[1].email",
    ]
    assert await writer.titles() == ["First", "Fourth"]


async def test_operations_see_those_before_them(writer: Writer) -> None:
    (made,) = await writer.done(writer.create("First"))
    event = {"eventId": made["eventId"]}

    renamed, put, outdated, deleted, late = await writer.done(
        {"updateEvent": {**event, "version": 1, "title": "Second"}},
        {"updateEvent": {**event, "location": "Fuji"}},
        {"updateEvent": {**event, "version": 9, "title": "Never"}},
        {"deleteEvent": event},
        {"moveEvent": {**event, "calendarId": writer.calendar_id}},
    )
    (restored,) = await writer.done({"restoreEvent": event}, tz="Asia/Tokyo")

    assert codes([renamed, put, outdated, deleted, late]) == [[], [], ["precondition_failed"], [], ["not_found"]]
    assert renamed["eventId"] == deleted["eventId"] == made["eventId"]
    assert renamed["event"] is None
    assert restored["event"]["startTime"] == "2026-11-24T18:00:00+09:00"
    assert (restored["event"]["title"], restored["event"]["location"]) == ("Second", "Fuji")


@pytest.mark.parametrize(
    ("operation", "field"),
    [
        ({"updateEvent": {"scope": "THIS", "title": "x"}}, "updateEvent.recurrenceId"),
        ({"updateEvent": {"rrule": "FREQ=NEVER"}}, "updateEvent.rrule"),
        ({"moveEvent": {"calendarId": str(uuid4())}}, "moveEvent.calendarId"),
        ({"removeAttendee": {"email": "nobody"}}, "removeAttendee.email"),
        ({"inviteAttendees": {"attendees": [{"email": "nobody"}]}}, "inviteAttendees.attendees[0].email"),
        ({"duplicateEvent": {"calendarId": str(uuid4())}}, "duplicateEvent.calendarId"),
    ],
)
async def test_a_refusal_names_the_field_of_the_input(writer: Writer, operation: dict[str, Any], field: str) -> None:
    (series,) = await writer.done(writer.create(rrule="FREQ=WEEKLY"))
    ((name, asked),) = operation.items()

    _, refused = await writer.done(writer.create(), {name: {**asked, "eventId": series["eventId"]}})

    (error,) = refused["errors"]
    assert error["field"] == f"input.operations[1].{field}"
    assert not error["message"].startswith(("body", "query", "path"))


async def test_of_two_that_want_one_room_the_second_is_told_when_it_is_taken(writer: Writer, rows: Rows) -> None:
    fuji = await rows.room("Fuji")

    first, second = await writer.done(writer.create(resourceIds=[fuji]), writer.create(resourceIds=[fuji]))

    assert first["event"]["roomNames"] == ["Fuji"]
    (error,) = second["errors"]
    assert (error["code"], error["field"]) == ("room_taken", "input.operations[1].createEvent.resourceIds")
    assert error["conflicts"] == [{"resource": {"name": "Fuji"}, "taken": {"start": "2026-11-24T09:00:00Z"}}]


async def test_atomic_does_all_or_nothing_and_names_every_fault(writer: Writer) -> None:
    backwards = writer.create(endTime=NINE.replace(hour=8))

    refused = await writer.batch(
        writer.create(), backwards, {"moveEvent": {"eventId": uuid4(), "calendarId": uuid4()}}, atomic=True
    )
    there = await writer.titles()
    done = await writer.done(writer.create(), writer.create(), atomic=True)

    assert refused["items"] is None
    assert [error["field"] for error in refused["errors"]] == [
        "input.operations[1].createEvent.endTime",
        "input.operations[2].moveEvent",
    ]
    assert there == []
    assert len(done) == 2


async def test_a_single_fault_of_an_atomic_batch_is_told_in_the_words_of_the_input(writer: Writer) -> None:
    refused = await writer.batch(writer.create(), writer.create(endTime=NINE.replace(hour=8)), atomic=True)

    (error,) = refused["errors"]
    assert error["field"] == "input.operations[1].createEvent.endTime"
    assert "The first: input.operations[1].createEvent.endTime: " in error["message"]


async def test_sent_again_with_its_key_it_is_answered_as_before_and_not_done_again(
    writer: Writer, rows: Rows, budget: Budget
) -> None:
    fuji = await rows.room("Fuji")
    asked = (
        writer.create(resourceIds=[fuji]),
        writer.create(resourceIds=[fuji]),
        {"deleteEvent": {"eventId": uuid4()}},
    )

    first = await writer.batch(*asked, idempotencyKey="k")
    with budget(statements=4):  # token, lock of the key, the kept answer; the name of the room
        again = await writer.batch(*asked, idempotencyKey="k")
    other = await writer.batch(asked[0], idempotencyKey="k")

    assert (first["replayed"], again["replayed"]) == (False, True)
    assert again["items"] == first["items"]
    assert codes(first["items"]) == [[], ["room_taken"], ["not_found"]]
    assert [error["code"] for error in other["errors"]] == ["idempotency_key_reused"]
    assert len(await writer.titles()) == 1


@pytest.mark.parametrize(
    ("operation", "field"),
    [
        ({"deleteEvent": {"eventId": str(uuid4()), "idempotencyKey": "k"}}, "deleteEvent.idempotencyKey"),
        ({"moveEvent": {"eventId": str(uuid4()), "calendarId": str(uuid4()), "tz": "UTC"}}, "moveEvent.tz"),
        ({"updateEvent": {"eventId": str(uuid4()), "title": "x" * 501}}, "updateEvent.title"),
        ({"updateEvent": {"eventId": str(uuid4()), "title": None}}, "updateEvent.title"),
        ({"inviteAttendees": {"eventId": str(uuid4()), "attendees": []}}, "inviteAttendees.attendees"),
    ],
)
async def test_an_operation_without_the_shape_of_one_refuses_the_batch(
    writer: Writer, operation: dict[str, Any], field: str
) -> None:
    refused = await writer.batch(writer.create(), operation)

    assert refused["items"] is None
    assert [error["field"] for error in refused["errors"]] == [f"input.operations[1].{field}"]
    assert await writer.titles() == []


@pytest.mark.parametrize("count", [0, 1_001])
async def test_none_and_more_than_a_thousand_are_refused(writer: Writer, count: int) -> None:
    refused = await writer.batch(*[writer.create()] * count)

    assert [error["field"] for error in refused["errors"]] == ["input.operations"]


@pytest.mark.parametrize("operation", [{}, {"deleteEvent": {"eventId": str(uuid4())}, "restoreEvent": None}])
async def test_an_operation_is_exactly_one(writer: Writer, operation: dict[str, Any]) -> None:
    answer = await writer.ask(BATCH, input={"operations": [writer.create(), operation]})

    assert "data" not in answer
    assert "OperationInput" in answer["errors"][0]["message"]
    assert await writer.titles() == []


async def test_it_needs_the_scope_and_the_role_to_write(writer: Writer, rows: Rows, admit: Admit) -> None:
    ben = await rows.person("Ben")
    only_reads = await admit(ben)
    stranger = Caller(only_reads.client, await rows.token(ben, ("read", "write")))
    asked = {"operations": [writer.create()]}

    refused = (await only_reads.data(BATCH, input=asked))["batch"]
    outside = (await stranger.data(BATCH, input=asked))["batch"]

    assert (refused["items"], [error["code"] for error in refused["errors"]]) == (None, ["forbidden"])
    assert [error["field"] for error in outside["items"][0]["errors"]] == ["input.operations[0].createEvent.calendarId"]


@pytest.mark.parametrize("count", [1, 50, 500])
async def test_it_takes_as_many_statements_for_500_as_for_one(writer: Writer, budget: Budget, count: int) -> None:
    with budget(statements=5):  # token, lock, load, write, read
        items = await writer.done(*(writer.create(f"{n}") for n in range(count)))

    assert codes(items) == [[]] * count


async def test_it_answers_what_rest_answers(postgres: PostgresFactory) -> None:
    url = await postgres.migrated()
    async with serve(settings(url)) as client, await Database.connect(url, size_max=2) as database:
        user_id = await a_user(database)
        calendar_id, fuji = await a_calendar(database, {user_id: "OWNER"}), str(await a_room(database))
        caller = await admitted(client, database, user_id)
        event = {
            "calendar_id": str(calendar_id),
            "title": "Planning",
            "start_time": "2027-03-03T09:00:00Z",
            "end_time": "2027-03-03T10:00:00Z",
            "resource_ids": [fuji],
        }
        asked = [event, {**event, "title": "Late"}, {**event, "tzid": "Moon/Base"}, {**event, "resource_ids": []}]
        inputs = [{"createEvent": as_input(one, schema.CORE.type_map["CreateEventInput"])} for one in asked]

        of_rest = await caller.post("/api/batch", {"operations": [{"op": "create", "event": one} for one in asked]})
        cleared = await caller.delete(f"/api/events/{of_rest.json()['items'][0]['event_id']}")
        response = await caller.post("/graphql", {"query": BATCH, "variables": {"input": {"operations": inputs}}})

    items = response.json()["data"]["batch"]["items"]
    assert cleared.status_code == 204
    assert [one["errors"][0]["code"] if one["errors"] else None for one in items] == [
        one["error"] and one["error"]["code"] for one in of_rest.json()["items"]
    ]
    assert [one["event"] and (one["event"]["title"], one["event"]["roomNames"]) for one in items] == [
        one["event"] and (one["event"]["title"], one["event"]["room_names"]) for one in of_rest.json()["items"]
    ]
    assert [one["errors"][0]["field"] for one in items if one["errors"]] == [
        "input.operations[1].createEvent.resourceIds",
        "input.operations[2].createEvent.tzid",
    ]
    # The conflict of the refused one tells the name of its resource.
    assert statements(response) == statements(of_rest) + 1
    await postgres.drop(url)
