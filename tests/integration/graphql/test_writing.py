"""Mutations: each a transaction of its own, what it answers read in it; refusals are data that says what to do."""

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from structlog.testing import capture_logs

from tests.conftest import Budget
from tests.integration.graphql.conftest import Admit
from tests.integration.graphql.rows import NINE, Caller, Rows
from yotei.api.graphql.bounds import WRITES_MAX
from yotei.events import write
from yotei.storage.pool import Database
from yotei.storage.statements import Statement

SCOPES = ("read", "write")
CREATE = """mutation ($input: CreateEventInput!) {
  createEvent(input: $input) {
    replayed
    event {
      id title startTime version organizerName roomNames attendees { email responseStatus user { name } }
      resources { name } missed { start }
    }
    errors {
      code message field
      conflicts { resourceId start end isClosed taken { start end } resource { name } }
      alternatives { resources { name } times { start end } }
    }
  }
}"""
UPDATE = """mutation ($input: UpdateEventInput!) {
  updateEvent(input: $input) {
    event { id title description location startTime endTime rrule version seriesId recurrenceId }
    errors { code message field }
  }
}"""


class Writer(Caller):
    """A caller with a calendar of their own."""

    calendar_id: UUID
    user_id: UUID

    async def write(self, document: str, **input: Any) -> dict[str, Any]:
        """The payload of the only field of a mutation."""
        (payload,) = (await self.data(document, input=input)).values()
        assert isinstance(payload, dict)
        return payload

    async def create(self, **fields: Any) -> dict[str, Any]:
        asked = {
            "calendarId": self.calendar_id,
            "title": "Planning",
            "startTime": NINE,
            "endTime": NINE.replace(hour=10),
            **fields,
        }
        return await self.write(CREATE, **asked)


@pytest.fixture
async def writer(rows: Rows, admit: Admit) -> Writer:
    user_id = await rows.person("Aiko")
    caller = Writer((await admit(user_id)).client, await rows.token(user_id, SCOPES))
    caller.user_id = user_id
    caller.calendar_id = await rows.calendar(members={user_id: "OWNER"})
    return caller


async def test_an_event_is_made_and_answered_in_five_statements(writer: Writer, rows: Rows, budget: Budget) -> None:
    guest = await rows.person("Ben")

    with budget(statements=5):  # token, lock, load, write, read
        payload = await writer.create(attendees=[{"userId": guest}, {"email": "c@example.org", "isOptional": True}])

    assert payload["errors"] == []
    assert payload["replayed"] is False
    assert payload["event"]["title"] == "Planning"
    assert payload["event"]["startTime"] == "2026-11-24T09:00:00Z"
    assert [one["user"] for one in payload["event"]["attendees"]] == [{"name": "Ben"}, None]


async def test_what_hangs_on_the_event_takes_one_statement_for_each_kind(
    writer: Writer, rows: Rows, budget: Budget
) -> None:
    guests = [await rows.person(name) for name in ("Ben", "Chi", "Dan")]
    room = await rows.room("Fuji", seats=4)
    document = """mutation ($input: CreateEventInput!) { createEvent(input: $input) { event {
      calendar { name } organizer { tzid } attendees { user { tzid } } resources { resource { seats } }
    } } }"""

    with budget(statements=10):  # the seven of a booking; calendar, people, resources
        payload = await writer.write(
            document,
            calendarId=writer.calendar_id,
            title="Planning",
            startTime=NINE,
            endTime=NINE.replace(hour=10),
            attendees=[{"userId": one} for one in guests],
            resourceIds=[room],
        )

    assert payload["event"]["calendar"] == {"name": "Team"}
    assert [one["user"]["tzid"] for one in payload["event"]["attendees"]] == ["UTC"] * 3
    assert payload["event"]["resources"] == [{"resource": {"seats": 4}}]


async def test_the_second_to_book_a_room_gets_the_period_and_what_could_be_had_instead(
    writer: Writer, rows: Rows, budget: Budget
) -> None:
    fuji, _ = await rows.room("Fuji", seats=4), await rows.room("Haru", seats=8)
    with budget(statements=7):
        await writer.create(resourceIds=[fuji], title="Pay review")

    with budget(statements=7):  # token, lock, load, what is taken, two for alternatives, the name of the room
        payload = await writer.create(
            resourceIds=[fuji], startTime=NINE.replace(minute=30), endTime=NINE.replace(hour=10, minute=30)
        )

    assert payload["event"] is None
    assert payload["errors"] == [
        {
            "code": "room_taken",
            "message": "1 resource is taken: 1 period cannot be had.",
            "field": "input.resourceIds",
            "conflicts": [
                {
                    "resourceId": str(fuji),
                    "start": "2026-11-24T09:30:00Z",
                    "end": "2026-11-24T10:30:00Z",
                    "isClosed": False,
                    "taken": {"start": "2026-11-24T09:00:00Z", "end": "2026-11-24T10:00:00Z"},
                    "resource": {"name": "Fuji"},
                }
            ],
            "alternatives": {
                "resources": [{"name": "Haru"}],
                "times": [{"start": "2026-11-24T10:00:00Z", "end": "2026-11-24T11:00:00Z"}],
            },
        }
    ]
    assert await titles(writer) == ["Pay review"]


async def test_what_is_not_given_stays_and_null_clears(writer: Writer) -> None:
    made = (await writer.create(description="About", location="Here"))["event"]

    payload = await writer.write(UPDATE, eventId=made["id"], location=None, title="Plan")

    event = payload["event"]
    assert (event["title"], event["description"], event["location"]) == ("Plan", "About", None)
    assert event["startTime"] == made["startTime"]
    assert event["version"] == made["version"] + 1


@pytest.mark.parametrize(
    ("scope", "left"),
    [
        ("THIS", ["Daily", "Other", "Daily"]),
        ("FOLLOWING", ["Daily", "Other", "Other"]),
        ("ALL", ["Other", "Other", "Other"]),
    ],
)
async def test_an_edit_of_a_series_goes_as_far_as_its_scope(writer: Writer, scope: str, left: list[str]) -> None:
    made = (await writer.create(title="Daily", rrule="FREQ=DAILY;COUNT=3"))["event"]

    payload = await writer.write(
        UPDATE, eventId=made["id"], recurrenceId="2026-11-25T09:00:00Z", scope=scope, title="Other"
    )

    assert payload["errors"] == []
    assert await titles(writer) == left


async def test_an_edit_of_what_was_edited_meanwhile_is_refused(writer: Writer) -> None:
    made = (await writer.create())["event"]
    await writer.write(UPDATE, eventId=made["id"], title="Mine", version=made["version"])

    payload = await writer.write(UPDATE, eventId=made["id"], title="Theirs", version=made["version"])

    assert payload["event"] is None
    assert [one["code"] for one in payload["errors"]] == ["precondition_failed"]
    assert await titles(writer) == ["Mine"]


@pytest.mark.parametrize(
    ("given", "code", "field"),
    [
        ({"endTime": "2026-11-24T08:00:00Z"}, "invalid_request", "input.endTime"),
        ({"title": "x" * 501}, "invalid_request", "input.title"),
        ({"title": "x", "url": "x" * 4_001}, "invalid_request", "input.url"),
        ({"status": None}, "invalid_request", "input.status"),
        ({"tzid": "Mars/Olympus"}, "unknown_time_zone", "input.tzid"),
        ({"tz": "Mars/Olympus"}, "unknown_time_zone", "input.tz"),
        ({"rrule": "FREQ=DAILY;BYMONTHDAY=31;BYMONTH=2"}, "invalid_recurrence", "input.rrule"),
        ({"attendees": [{"email": "a@b.c"}, {"email": "nobody"}]}, "invalid_request", "input.attendees[1].email"),
        ({"attendees": [{"email": "a@b.c"}, {"name": "x" * 201}]}, "invalid_request", "input.attendees[1].name"),
        ({"attendees": [{"email": "a@b.c"}] * 1_001}, "invalid_request", "input.attendees"),
        ({"resourceIds": [str(uuid4())]}, "not_found", "input.resourceIds[0]"),
        ({"calendarId": str(uuid4())}, "not_found", "input.calendarId"),
        ({"idempotencyKey": "with space"}, "invalid_request", "input.idempotencyKey"),
        ({"allDay": True}, "invalid_request", "input.startTime"),
    ],
)
async def test_bad_input_is_named_by_the_field_of_the_input_and_writes_nothing(
    given: dict[str, Any], code: str, field: str, writer: Writer
) -> None:
    payload = await writer.create(**given)

    assert payload["event"] is None
    assert (code, field) in [(one["code"], one["field"]) for one in payload["errors"]]
    assert await titles(writer) == []


async def test_sentences_name_fields_as_they_are_called_here(writer: Writer) -> None:
    payload = await writer.create(allDay=True, startTime=None, endTime=None, startDate="2026-11-24")

    assert all("_" not in one["message"] for one in payload["errors"])


@pytest.mark.parametrize(
    "given",
    [{"startTime": "tomorrow"}, {"startTime": "2026-11-24"}, {"title": None}, {"nothing": 1}, {"status": "MAYBE"}],
)
async def test_input_that_does_not_fit_the_schema_is_not_executed(given: dict[str, Any], writer: Writer) -> None:
    answer = await writer.ask(CREATE, input={"calendarId": writer.calendar_id, "title": "x", **given})

    assert "data" not in answer
    assert answer["errors"][0]["extensions"]["code"] == "invalid_request"


async def test_what_the_caller_may_not_do_is_said_in_the_payload(writer: Writer, rows: Rows, admit: Admit) -> None:
    owner = await rows.person("Ben")
    read_only = await rows.calendar(members={owner: "OWNER", writer.user_id: "READER"})
    with_reading_token = await admit(writer.user_id)

    shared, unknown = await writer.create(calendarId=read_only), await writer.create(calendarId=uuid4())
    scoped = await with_reading_token.data(
        CREATE, input={"calendarId": writer.calendar_id, "title": "x", "allDay": True, "startDate": "2026-11-24"}
    )

    codes = [one["errors"][0]["code"] for one in (shared, unknown, scoped["createEvent"])]
    assert codes == ["forbidden", "not_found", "forbidden"]


async def test_root_fields_run_in_order_and_each_stands_for_itself(writer: Writer) -> None:
    event_id = (await writer.create(title="First"))["event"]["id"]
    document = """mutation ($id: UUID!) {
      a: updateEvent(input: {eventId: $id, title: "Second"}) { event { title } errors { code } }
      b: updateEvent(input: {eventId: $id, title: "Third", version: 1}) { event { title } errors { code } }
      c: updateEvent(input: {eventId: $id, location: "Here"}) { event { title location version } errors { code } }
    }"""

    data = await writer.data(document, id=event_id)

    assert data == {
        "a": {"event": {"title": "Second"}, "errors": []},
        "b": {"event": None, "errors": [{"code": "precondition_failed"}]},
        "c": {"event": {"title": "Second", "location": "Here", "version": 3}, "errors": []},
    }


async def test_what_a_field_wrote_is_seen_by_the_fields_after_it(writer: Writer) -> None:
    event_id = (await writer.create())["event"]["id"]
    document = """mutation ($event: UUID!, $calendar: UUID!) {
      a: updateEvent(input: {eventId: $event, title: "A"}) { event { calendar { name } } }
      b: updateCalendar(input: {calendarId: $calendar, name: "Renamed"}) { calendar { name } }
      c: updateEvent(input: {eventId: $event, title: "C"}) { event { calendar { name } } }
    }"""

    data = await writer.data(document, event=event_id, calendar=writer.calendar_id)

    assert [data[one]["event"]["calendar"]["name"] for one in ("a", "c")] == ["Team", "Renamed"]


async def test_a_fault_of_ours_is_an_error_and_takes_nothing_from_the_field_before_it(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    event_id = (await writer.create())["event"]["id"]

    async def fails(*_: object, **__: object) -> None:
        raise KeyError("a secret of the inside")

    monkeypatch.setattr(write, "delete_calendar", fails)
    monkeypatch.setattr("yotei.api.graphql.mutations.calendars.delete_with_bookings", fails)
    document = """mutation ($event: UUID!, $calendar: UUID!) {
      a: updateEvent(input: {eventId: $event, title: "A"}) { event { title } }
      b: deleteCalendar(input: {calendarId: $calendar}) { calendarId errors { code } }
    }"""

    with capture_logs():
        answer = await writer.ask(document, event=event_id, calendar=writer.calendar_id)

    assert answer["data"] == {"a": {"event": {"title": "A"}}, "b": None}
    assert [one["extensions"]["code"] for one in answer["errors"]] == ["internal"]
    assert await titles(writer) == ["A"]


async def test_more_writes_than_one_document_may_hold_are_not_begun(writer: Writer) -> None:
    one = (
        f'createEvent(input: {{calendarId: "{writer.calendar_id}", title: "x", allDay: true, startDate: "2026-11-24"}})'
    )
    many = " ".join(f"a{n}: {one} {{ errors {{ code }} }}" for n in range(WRITES_MAX + 1))

    answer = await writer.ask(f"mutation {{ ...F }} fragment F on Mutation {{ {many} }}")

    assert answer["errors"][0]["extensions"]["code"] == "graphql_limit_exceeded"
    assert await titles(writer) == []


async def test_a_document_that_writes_may_spend_what_writes_spend(writer: Writer, rows: Rows, budget: Budget) -> None:
    room = await rows.room("Fuji")

    with budget(at_most=5):  # what a reading request may spend; the seventh statement is refused where it is not moved
        payload = await writer.create(resourceIds=[room])

    assert payload["event"]["resources"] == [{"name": "Fuji"}]


class TestWithAKey:
    async def test_the_same_again_is_answered_as_before_and_done_once(self, writer: Writer, budget: Budget) -> None:
        with budget(statements=7):
            first = await writer.create(idempotencyKey="k-1", attendees=[{"email": "b@example.org"}])

        with budget(statements=3):  # token, the key, what it kept
            again = await writer.create(idempotencyKey="k-1", attendees=[{"email": "b@example.org"}])

        assert again == {**first, "replayed": True}
        assert await titles(writer) == ["Planning"]

    async def test_another_selection_is_answered_from_the_same_event(self, writer: Writer) -> None:
        await writer.create(idempotencyKey="k-1", location="Here")
        document = (
            "mutation ($input: CreateEventInput!) "
            "{ createEvent(input: $input) { replayed event { location calendar { name } } } }"
        )
        asked = {"startTime": NINE, "endTime": NINE.replace(hour=10), "location": "Here", "idempotencyKey": "k-1"}

        payload = await writer.write(document, calendarId=writer.calendar_id, title="Planning", **asked)

        assert payload == {"replayed": True, "event": {"location": "Here", "calendar": {"name": "Team"}}}

    async def test_another_request_with_the_key_is_refused(self, writer: Writer) -> None:
        await writer.create(idempotencyKey="k-1")

        payload = await writer.create(idempotencyKey="k-1", title="Other")

        assert [one["code"] for one in payload["errors"]] == ["idempotency_key_reused"]
        assert await titles(writer) == ["Planning"]

    async def test_what_was_refused_is_tried_again(self, writer: Writer, rows: Rows) -> None:
        event_id = (await writer.create())["event"]["id"]
        refused = await writer.write(UPDATE, eventId=event_id, title="A", version=9, idempotencyKey="k-1")

        done = await writer.write(UPDATE, eventId=event_id, title="B", idempotencyKey="k-1")

        assert [one["code"] for one in refused["errors"]] == ["precondition_failed"]
        assert done["event"]["title"] == "B"

    async def test_each_field_of_a_document_has_its_own(self, writer: Writer) -> None:
        calendar = f'calendarId: "{writer.calendar_id}", allDay: true, startDate: "2026-11-24"'
        document = f"""mutation {{
          a: createEvent(input: {{{calendar}, title: "A", idempotencyKey: "a"}}) {{ replayed event {{ id }} }}
          b: createEvent(input: {{{calendar}, title: "B", idempotencyKey: "b"}}) {{ replayed event {{ id }} }}
          again: createEvent(input: {{{calendar}, title: "A", idempotencyKey: "a"}}) {{ replayed event {{ id }} }}
        }}"""

        data = await writer.data(document)

        assert [data[one]["replayed"] for one in ("a", "b", "again")] == [False, False, True]
        assert data["again"]["event"] == data["a"]["event"]
        assert await titles(writer) == ["A", "B"]


async def test_a_write_is_no_query_of_an_address(writer: Writer) -> None:
    document = f'mutation {{ deleteCalendar(input: {{calendarId: "{writer.calendar_id}"}}) {{ calendarId }} }}'

    response = await writer.client.get("/graphql", params={"query": document}, headers=writer.headers)

    assert response.status_code == 405
    assert response.headers["allow"] == "POST"
    assert (await writer.data("{ calendars { nodes { name } } }"))["calendars"]["nodes"] == [{"name": "Team"}]


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
async def test_a_form_of_another_site_writes_nothing(media_type: str, writer: Writer) -> None:
    document = f'mutation {{ deleteCalendar(input: {{calendarId: "{writer.calendar_id}"}}) {{ calendarId }} }}'
    headers = {**writer.headers, "Content-Type": media_type}

    response = await writer.client.post("/graphql", json={"query": document}, headers=headers)

    assert response.status_code == 415
    assert (await writer.data("{ calendars { nodes { name } } }"))["calendars"]["nodes"] == [{"name": "Team"}]


async def test_the_change_log_says_who_wrote(writer: Writer, database: Database) -> None:
    await writer.create()

    logged = Statement(
        name="tests.log", purpose="who did it", sql="select actor_id from change_log where entity = 'event'"
    )
    assert [row["actor_id"] for row in await database.fetch(logged)] == [writer.user_id]


async def titles(writer: Writer) -> list[str]:
    start = datetime(2026, 11, 1)  # noqa: DTZ001
    data = await writer.data(
        "query ($id: UUID!, $start: DateTime!) "
        '{ calendar(id: $id) { events(start: $start, end: "2026-12-01") { title } } }',
        id=writer.calendar_id,
        start=start,
    )
    return [one["title"] for one in data["calendar"]["events"]]
