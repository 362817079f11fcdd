"""Events written over HTTP: what is answered, and where it is; `If-Match`; `Idempotency-Key`; bodies that are not."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote
from uuid import UUID, uuid4

import httpx
import msgspec
import pytest

from tests.integration.rest.conftest import Admit
from tests.integration.rest.served import Caller, admitted, problem, serve, settings, statements
from tests.integration.rows import a_calendar, a_room, a_user
from yotei.settings import LimitSettings
from yotei.storage import idempotency
from yotei.storage.pool import Database
from yotei.storage.statements import Statement

NINE = (datetime.now(UTC) + timedelta(days=2)).replace(hour=9, minute=0, second=0, microsecond=0)
HOUR = timedelta(hours=1)
WEEK = timedelta(days=7)


class Organizer(msgspec.Struct, frozen=True):
    """Somebody with a token and a calendar."""

    caller: Caller
    user_id: UUID
    calendar_id: UUID

    def body(self, **fields: Any) -> dict[str, Any]:
        times = {"start_time": NINE.isoformat(), "end_time": (NINE + HOUR).isoformat()}
        return {"calendar_id": str(self.calendar_id), "title": "Planning", **times, **fields}

    async def make(self, **fields: Any) -> httpx.Response:
        made = await self.caller.post("/api/events", self.body(**fields))
        assert made.status_code == 201, made.text
        return made

    async def path(self, **fields: Any) -> str:
        return (await self.make(**fields)).headers["location"]


@pytest.fixture
async def aiko(rows: Database, admit: Admit) -> Organizer:
    user_id = await a_user(rows, "Aiko")
    return Organizer(await admit(user_id), user_id, await a_calendar(rows, {user_id: "OWNER"}))


@pytest.fixture
async def bob(rows: Database, admit: Admit) -> Organizer:
    user_id = await a_user(rows, "Bob")
    return Organizer(await admit(user_id), user_id, await a_calendar(rows, {user_id: "OWNER"}))


# What is answered


async def test_what_is_made_is_answered_as_it_is_read_and_says_where_it_is(aiko: Organizer) -> None:
    made = await aiko.make(attendees=[{"email": "ann@example.org"}], rrule="FREQ=WEEKLY;COUNT=3")

    read = await aiko.caller.get(made.headers["location"])
    assert made.headers["location"] == f"/api/events/{made.json()['id']}"
    assert made.json() == read.json()
    assert made.headers["etag"] == read.headers["etag"]
    assert made.headers["etag"].startswith('"1-')
    assert made.headers["cache-control"] == "private, no-cache"


async def test_every_write_answers_with_what_there_is_then(aiko: Organizer, rows: Database) -> None:
    caller = aiko.caller
    other = await a_calendar(rows, {aiko.user_id: "OWNER"})
    path = await aiko.path(attendees=[{"user_id": str(aiko.user_id)}])
    whole = {key: one for key, one in aiko.body(title="Whole").items() if key != "calendar_id"}
    answers = [
        await caller.send("PATCH", path, {"title": "New"}),
        await caller.send("PUT", path, {**whole, "attendees": [{"user_id": str(aiko.user_id)}]}),
        await caller.post(f"{path}/rsvp", {"response_status": "TENTATIVE"}),
        await caller.post(f"{path}/attendees", {"attendees": [{"email": "ann+x@example.org"}]}),
        await caller.delete(f"{path}/attendees/{quote('ann+x@example.org')}"),
        await caller.post(f"{path}/move", {"calendar_id": str(other)}),
        await caller.post(f"{path}/restore", {}),
    ]

    read = await caller.get(path)
    assert [one.status_code for one in answers] == [200] * 7
    assert answers[-1].json() == read.json()
    assert [one.headers["etag"].split("-")[0] for one in answers] == ['"2', '"3', '"3', '"4', '"5', '"6', '"6']
    assert [statements(one) for one in answers] == [5, 5, 3, 5, 5, 5, 4]


async def test_a_deletion_answers_nothing_and_a_copy_says_where_it_is(aiko: Organizer) -> None:
    path = await aiko.path()

    copied = await aiko.caller.post(f"{path}/duplicate", {"title": "Copy"})
    deleted = await aiko.caller.delete(path)

    assert (copied.status_code, copied.headers["location"]) == (201, f"/api/events/{copied.json()['id']}")
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert "etag" not in deleted.headers
    assert problem(await aiko.caller.get(path))["code"] == "not_found"
    assert [statements(one) for one in (copied, deleted)] == [5, 4]


async def test_what_follows_says_where_it_is_and_an_instance_is_found_by_what_lists_show(aiko: Organizer) -> None:
    path = await aiko.path(rrule="FREQ=WEEKLY;COUNT=4")
    listed = await aiko.caller.get(
        f"/api/calendars/{aiko.calendar_id}/events", start=NINE.isoformat(), end=(NINE + 5 * WEEK).isoformat()
    )
    instances = [quote(one["recurrence_id"]) for one in listed.json()["events"]]

    one = await aiko.caller.send("PATCH", f"{path}?recurrence_id={instances[1]}", {"title": "Own"})
    rest = await aiko.caller.send("PATCH", f"{path}?recurrence_id={instances[2]}&scope=following", {"title": "Rest"})

    assert (one.status_code, one.json()["is_override"]) == (200, True)
    assert f"/api/events/{one.json()['series_id']}" == path
    assert rest.headers["location"] == f"/api/events/{rest.json()['id']}" != path
    assert rest.json()["title"] == "Rest"


async def test_times_of_the_answer_are_in_the_zone_that_was_asked_for(aiko: Organizer) -> None:
    made = await aiko.caller.post("/api/events?tz=Asia/Tokyo", aiko.body())

    assert made.json()["start_time"].endswith("+09:00")


# If-Match


async def test_an_edit_is_done_only_while_the_event_is_as_it_was_seen(aiko: Organizer) -> None:
    path = await aiko.path()
    seen = {"If-Match": (await aiko.caller.get(path)).headers["etag"]}
    await aiko.caller.send("PATCH", path, {"title": "New"})
    before = (await aiko.caller.get(path)).json()

    late = [
        await aiko.caller.send(method, f"{path}{what}", body, seen)
        for method, what, body in (
            ("PATCH", "", {"title": "Late"}),
            ("PUT", "", {key: one for key, one in aiko.body().items() if key != "calendar_id"}),
            ("DELETE", "", None),
            ("POST", "/move", {"calendar_id": str(aiko.calendar_id)}),
            ("POST", "/restore", {}),
            ("POST", "/duplicate", {}),
            ("POST", "/attendees", {"attendees": [{"email": "ann@example.org"}]}),
        )
    ]

    assert [problem(one)["code"] for one in late] == ["precondition_failed"] * 7
    assert {one.status_code for one in late} == {412}
    assert (await aiko.caller.get(path)).json() == before


async def test_an_answer_to_the_invitation_in_between_refuses_no_edit(aiko: Organizer, bob: Organizer) -> None:
    path = await aiko.path(attendees=[{"user_id": str(bob.user_id)}])
    seen = (await aiko.caller.get(path)).headers["etag"]
    answered = await bob.caller.post(f"{path}/rsvp", {"response_status": "ACCEPTED"})

    edited = await aiko.caller.send("PATCH", path, {"title": "New"}, {"If-Match": seen})

    assert (answered.status_code, edited.status_code) == (200, 200)
    assert answered.headers["etag"] != seen


@pytest.mark.parametrize(
    ("header", "status"), [("*", 200), ('"1-0", {etag}', 200), ("W/{etag}", 412), ('"something"', 412), ("", 412)]
)
async def test_if_match_takes_what_rfc_9110_allows(aiko: Organizer, header: str, status: int) -> None:
    path = await aiko.path()
    etag = (await aiko.caller.get(path)).headers["etag"]

    answer = await aiko.caller.send("PATCH", path, {"title": "New"}, {"If-Match": header.format(etag=etag)})

    assert answer.status_code == status


# Idempotency-Key


def key() -> dict[str, str]:
    return {"Idempotency-Key": f"{uuid4()}"}


async def test_the_same_request_is_answered_byte_for_byte_and_done_once(aiko: Organizer) -> None:
    named = key()
    body = aiko.body(attendees=[{"email": "ann@example.org"}])

    first, second = [await aiko.caller.send("POST", "/api/events", body, named) for _ in range(2)]

    assert first.content == second.content
    assert [first.headers[name] for name in ("etag", "location")] == [
        second.headers[name] for name in ("etag", "location")
    ]
    assert (first.status_code, second.status_code) == (201, 201)
    assert "idempotency-replayed" not in first.headers
    assert second.headers["idempotency-replayed"] == "true"
    assert [statements(one) for one in (first, second)] == [7, 3]


async def test_a_deletion_and_a_copy_sent_twice_are_done_once(aiko: Organizer) -> None:
    path = await aiko.path()
    copying, deleting = key(), key()

    copies = [await aiko.caller.send("POST", f"{path}/duplicate", {}, copying) for _ in range(2)]
    deletions = [await aiko.caller.send("DELETE", path, None, deleting) for _ in range(2)]

    assert copies[0].json()["id"] == copies[1].json()["id"]
    assert [one.status_code for one in deletions] == [204, 204]
    assert deletions[1].headers["idempotency-replayed"] == "true"


async def test_twins_sent_at_once_are_done_once(aiko: Organizer, rows: Database) -> None:
    named = key()
    room = await a_room(rows)
    body = aiko.body(resource_ids=[str(room)])

    answers = await asyncio.gather(*(aiko.caller.send("POST", "/api/events", body, named) for _ in range(6)))

    assert {one.status_code for one in answers} == {201}
    assert len({one.content for one in answers}) == 1
    assert sum("idempotency-replayed" in one.headers for one in answers) == 5


@pytest.mark.parametrize("what", ["body", "path", "query", "method"])
async def test_another_request_with_the_same_key_is_refused(aiko: Organizer, what: str) -> None:
    named = key()
    path, other = await aiko.path(), await aiko.path()
    await aiko.caller.send("PATCH", path, {"title": "New"}, named)
    requests = {
        "body": ("PATCH", path, {"title": "Newer"}),
        "path": ("PATCH", other, {"title": "New"}),
        "query": ("PATCH", f"{path}?tz=Asia/Tokyo", {"title": "New"}),
        "method": ("PUT", path, {"title": "New"}),
    }

    refused = await aiko.caller.send(*requests[what], headers=named)

    assert (refused.status_code, problem(refused)["code"]) == (422, "idempotency_key_reused")


async def test_a_key_belongs_to_its_person(aiko: Organizer, bob: Organizer) -> None:
    named = key()

    mine = await aiko.caller.send("POST", "/api/events", aiko.body(), named)
    theirs = await bob.caller.send("POST", "/api/events", bob.body(), named)

    assert (mine.status_code, theirs.status_code) == (201, 201)
    assert mine.json()["id"] != theirs.json()["id"]


async def test_a_key_is_kept_for_a_day_and_then_forgotten(aiko: Organizer, rows: Database) -> None:
    named, other = key(), key()
    first = await aiko.caller.send("POST", "/api/events", aiko.body(), named)
    await aiko.caller.send("POST", "/api/events", aiko.body(), other)

    await aged(rows, named, hours=23.9)
    within = await aiko.caller.send("POST", "/api/events", aiko.body(), named)
    await aged(rows, named, hours=0.2)
    after = await aiko.caller.send("POST", "/api/events", aiko.body(), named)
    await aged(rows, other, hours=24.1)
    dropped = await idempotency.drop_old(rows)

    assert within.json()["id"] == first.json()["id"]
    assert after.json()["id"] != first.json()["id"]
    assert dropped == 1


async def aged(rows: Database, named: dict[str, str], *, hours: float) -> None:
    older = Statement(
        name="tests.older",
        purpose="a premise",
        sql="update idempotency_keys set created_at = created_at - $2::interval where key = $1",
    )
    await rows.execute(older, named["Idempotency-Key"], timedelta(hours=hours))


async def test_a_refusal_is_not_kept(aiko: Organizer, bob: Organizer, rows: Database) -> None:
    named = key()
    room = await a_room(rows)
    body = aiko.body(resource_ids=[str(room)])
    theirs = await bob.path(resource_ids=[str(room)])

    refused = await aiko.caller.send("POST", "/api/events", body, named)
    await bob.caller.delete(theirs)
    made = await aiko.caller.send("POST", "/api/events", body, named)

    assert (refused.status_code, made.status_code) == (409, 201)
    assert "idempotency-replayed" not in made.headers


@pytest.mark.parametrize("named", ["", "x" * 256, "two words", "naïve"])
async def test_a_key_is_of_visible_characters(aiko: Organizer, named: str) -> None:
    refused = await aiko.caller.send(
        "POST",
        "/api/events",
        aiko.body(),
        {"Idempotency-Key": named.encode("latin-1")},  # type: ignore[dict-item]
    )

    assert refused.status_code == 400
    assert problem(refused)["faults"][0]["field"] == "header.Idempotency-Key"


# Who asks


async def test_a_token_that_only_reads_writes_nothing(rows: Database, admit: Admit, aiko: Organizer) -> None:
    path = await aiko.path()
    reader = await admit(aiko.user_id, scopes=("read",))

    refused = [
        await reader.post("/api/events", aiko.body()),
        await reader.send("PATCH", path, {"title": "New"}),
        await reader.delete(path),
        await reader.post(f"{path}/rsvp", {"response_status": "ACCEPTED"}),
    ]

    assert [problem(one)["code"] for one in refused] == ["forbidden"] * 4
    assert (await aiko.caller.get(path)).json()["title"] == "Planning"


async def test_a_service_writes_for_a_person_with_their_rights(rows: Database, admit: Admit, aiko: Organizer) -> None:
    service = await admit(await a_user(rows, "Service"), kind="SERVICE")
    acting = {"Yotei-On-Behalf-Of": str(aiko.user_id)}

    made = await service.send("POST", "/api/events", aiko.body(), acting)
    alone = await service.send("PATCH", made.headers["location"], {"title": "New"})
    for_aiko = await service.send("PATCH", made.headers["location"], {"title": "New"}, acting)

    assert (made.status_code, made.json()["organizer_id"]) == (201, str(aiko.user_id))
    assert problem(alone)["code"] == "not_found"
    assert for_aiko.json()["title"] == "New"


async def test_the_log_says_who_did_it(rows: Database, aiko: Organizer) -> None:
    made = await aiko.make()
    logged = Statement(
        name="tests.logged", purpose="who did it", sql="select actor_id from change_log where entity_id = $1"
    )

    found = await rows.fetch(logged, UUID(made.json()["id"]))

    assert {row["actor_id"] for row in found} == {aiko.user_id}


# Bad input


THERE = Statement(
    name="tests.there",
    purpose="all that a write could have touched",
    sql="""select (select count(*) from events) as events, (select count(*) from attendees) as attendees,
                  (select count(*) from event_resources) as wishes, (select count(*) from reservations) as reservations,
                  (select count(*) from idempotency_keys) as keys, (select count(*) from change_log) as log,
                  (select sum(version) from events) as versions""",
)
NOWHERE = str(uuid4())
BAD: list[tuple[dict[str, Any], str, str, int]] = [
    # What is wrong in the body of an event, its field, the code and the status of the answer.
    ({"end_time": (NINE - HOUR).isoformat()}, "body.end_time", "invalid_request", 400),
    ({"start_time": "tomorrow"}, "body.start_time", "invalid_request", 400),
    ({"start_time": "10000-01-01T00:00:00Z"}, "body.start_time", "invalid_request", 400),
    ({"start_time": "9001-01-01T00:00:00Z"}, "body.start_time", "invalid_request", 400),
    ({"start_time": "0001-01-01T00:00:00+14:00"}, "body.start_time", "invalid_request", 400),
    ({"start_time": 1_800_000_000}, "body.start_time", "invalid_request", 400),
    ({"start_time": NINE.isoformat().replace("+00:00", ".5+00:00")}, "body.start_time", "invalid_request", 400),
    ({"start_time": None}, "body.start_time", "invalid_request", 400),
    ({"tzid": "Mars/Olympus"}, "body.tzid", "unknown_time_zone", 400),
    ({"title": None}, "body.title", "invalid_request", 400),
    ({"title": 7}, "body.title", "invalid_request", 400),
    ({"all_day": "true"}, "body.all_day", "invalid_request", 400),
    ({"attendees": [{"email": "a@b.c", "is_optional": 1}]}, "body.attendees[0].is_optional", "invalid_request", 400),
    ({"title": "x" * 501}, "body.title", "invalid_request", 400),
    ({"title": "a\0b"}, "body.title", "invalid_request", 400),
    ({"description": "a\0b"}, "body.description", "invalid_request", 400),
    ({"location": "\0"}, "body.location", "invalid_request", 400),
    ({"uid": "a\0b"}, "body.uid", "invalid_request", 400),
    ({"tzid": "UTC\0"}, "body.tzid", "invalid_request", 400),
    ({"rrule": "FREQ=DAILY\0"}, "body.rrule", "invalid_request", 400),
    ({"colour": "red"}, "body.colour", "invalid_request", 400),
    ({"status": "confirmed"}, "body.status", "invalid_request", 400),
    ({"calendar_id": "7"}, "body.calendar_id", "invalid_request", 400),
    ({"calendar_id": NOWHERE}, "body.calendar_id", "not_found", 404),
    ({"rrule": "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"}, "body.rrule", "invalid_recurrence", 400),
    ({"rrule": "FREQ=DAILY;COUNT=10000"}, "body.rrule", "invalid_recurrence", 400),
    ({"rrule": "FREQ=HOURLY", "resource_ids": ["room"]}, "body.rrule", "invalid_recurrence", 400),
    ({"rrule": "FREQ=HOURLY;COUNT=9000", "resource_ids": ["room"]}, "body.rrule", "invalid_recurrence", 400),
    ({"resource_ids": [NOWHERE]}, "body.resource_ids[0]", "not_found", 404),
    ({"resource_ids": ["room", "room"]}, "body.resource_ids[1]", "invalid_request", 400),
    ({"resource_ids": ["room"], "end_time": NINE.isoformat()}, "body.end_time", "invalid_request", 400),
    ({"booking_policy": "SOME"}, "body.booking_policy", "invalid_request", 400),
    ({"attendees": [{"email": "a@b.c"}, {"email": "A@b.c"}]}, "body.attendees[1]", "invalid_request", 400),
    ({"attendees": [{"email": "a@b.c", "role": "CHAIR"}]}, "body.attendees[0].role", "invalid_request", 400),
    ({"attendees": [{"user_id": NOWHERE}]}, "body.attendees[0].user_id", "not_found", 404),
    ({"attendees": [{"email": "a@b.c", "name": "\0"}]}, "body.attendees[0].name", "invalid_request", 400),
    ({"attendees": [{"email": f"{n}@b.c"} for n in range(1_001)]}, "body.attendees", "invalid_request", 400),
    ({"attendees": {}}, "body.attendees", "invalid_request", 400),
]


@pytest.mark.parametrize(("wrong", "field", "code", "status"), BAD)
@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_what_cannot_be_is_told_by_its_field_and_code_and_nothing_changes(
    rows: Database, aiko: Organizer, method: str, wrong: dict[str, Any], field: str, code: str, status: int
) -> None:
    room = await a_room(rows)
    if "resource_ids" in wrong:
        wrong = {**wrong, "resource_ids": [str(room) if one == "room" else one for one in wrong["resource_ids"]]}
    if method == "PATCH" and {"calendar_id", "uid"} & wrong.keys():
        code, status = "invalid_request", 400
    path = "/api/events" if method == "POST" else await aiko.path()
    body = aiko.body(**wrong) if method == "POST" else wrong
    before = tuple((await rows.fetch(THERE))[0])

    refused = await aiko.caller.send(method, path, body, key())

    document = problem(refused)
    assert (refused.status_code, document["code"]) == (status, code)
    assert [fault["field"] for fault in document["faults"]] == [field]
    assert tuple((await rows.fetch(THERE))[0]) == before


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"{", 400, "invalid_request"),
        (b"", 400, "invalid_request"),
        (b"[]", 400, "invalid_request"),
        (b"null", 400, "invalid_request"),
        (b'{"title": "\xff"}', 400, "invalid_request"),
        (b'{"title": "\\ud800"}', 400, "invalid_request"),
        (b'{"title": ' + b"[" * 100_000, 400, "invalid_request"),
        (b'{"title": "' + b"x" * 1_100_000 + b'"}', 413, "payload_too_large"),
    ],
)
async def test_a_body_that_is_none_is_refused(
    rows: Database, aiko: Organizer, content: bytes, status: int, code: str
) -> None:
    before = tuple((await rows.fetch(THERE))[0])
    headers = {**aiko.caller.headers, "Content-Type": "application/json"}

    refused = await aiko.caller.client.request("POST", "/api/events", content=content, headers=headers)

    assert (refused.status_code, problem(refused)["code"]) == (status, code)
    assert tuple((await rows.fetch(THERE))[0]) == before


@pytest.mark.parametrize(
    ("what", "body", "field"),
    [
        ("rsvp", {"response_status": "YES"}, "body.response_status"),
        ("rsvp", {"response_status": "ACCEPTED", "comment": "a\0b"}, "body.comment"),
        ("rsvp", {"response_status": "ACCEPTED", "comment": "x" * 2_001}, "body.comment"),
        ("rsvp?recurrence_id=soon", {"response_status": "ACCEPTED"}, "query.recurrence_id"),
        ("move", {}, "body.calendar_id"),
        ("duplicate", {"title": "a\0b"}, "body.title"),
        ("duplicate", {"start_time": "9999-12-31T23:59:59Z"}, "body.start_time"),
        ("duplicate?scope=all", {}, "query.scope"),
        ("attendees", {"attendees": []}, "body.attendees"),
        ("attendees", {"attendees": [{"email": "nobody"}]}, "body.attendees[0].email"),
        ("attendees?scope=some", {"attendees": [{"email": "a@b.c"}]}, "query.scope"),
        ("restore", {"booking_policy": "SOME"}, "body.booking_policy"),
        ("restore?recurrence_id=2027-01-01T00:00:00Z", {}, "query.recurrence_id"),
    ],
)
async def test_what_else_cannot_be_is_told_by_its_field_too(
    rows: Database, aiko: Organizer, what: str, body: dict[str, Any], field: str
) -> None:
    path = await aiko.path(attendees=[{"user_id": str(aiko.user_id)}])
    before = tuple((await rows.fetch(THERE))[0])

    refused = await aiko.caller.post(f"{path}/{what}", body)

    assert refused.status_code == 400
    assert [fault["field"] for fault in problem(refused)["faults"]] == [field]
    assert tuple((await rows.fetch(THERE))[0]) == before


async def test_nobody_by_that_address_and_no_address_at_all(aiko: Organizer) -> None:
    path = await aiko.path()

    nobody = await aiko.caller.delete(f"{path}/attendees/ann@example.org")
    nothing = await aiko.caller.delete(f"{path}/attendees/ann")

    assert problem(nobody)["code"] == "not_found"
    assert problem(nothing)["faults"][0]["field"] == "path.email"


# Rooms


async def test_the_second_caller_is_told_when_the_room_is_had_and_what_could_be_had_instead(
    rows: Database, aiko: Organizer, bob: Organizer
) -> None:
    room = await a_room(rows, "Fuji", seats=6)
    await aiko.make(resource_ids=[str(room)], title="Pay review")

    refused = await bob.caller.post(
        "/api/events", bob.body(resource_ids=[str(room)], start_time=(NINE + HOUR / 2).isoformat())
    )

    document = refused.json()
    assert (refused.status_code, document["code"]) == (409, "room_taken")
    assert document["faults"] == [{"field": "body.resource_ids", "detail": "taken at that time"}]
    (conflict,) = document["conflicts"]
    assert conflict.keys() == {"resource_id", "recurrence_id", "start", "end", "is_closed", "taken"}
    assert conflict["taken"] == {"start": f"{NINE:%Y-%m-%dT%H:%M:%SZ}", "end": f"{NINE + HOUR:%Y-%m-%dT%H:%M:%SZ}"}
    assert document["alternatives"]["times"][0]["start"] == f"{NINE + HOUR:%Y-%m-%dT%H:%M:%SZ}"
    assert "Pay review" not in refused.text
    assert statements(refused) == 6


async def test_a_write_of_any_size_stays_within_its_budget_in_strict_mode(rows: Database, served_url: str) -> None:
    strict = LimitSettings(rate_per_s=1_000_000, rate_burst=1_000_000, strict_statements=True)

    async with serve(settings(served_url, limits=strict)) as client:
        user_id = await a_user(rows)
        caller = await admitted(client, rows, user_id)
        aiko = Organizer(caller, user_id, await a_calendar(rows, {user_id: "OWNER"}))
        rooms = [str(await a_room(rows, f"Room {n}", concurrent_bookings=2)) for n in range(20)]
        people = [{"email": f"guest{n}@example.org"} for n in range(500)]
        made = await caller.send(
            "POST",
            "/api/events",
            aiko.body(resource_ids=rooms, attendees=people, rrule="FREQ=WEEKLY;COUNT=30"),
            key(),
        )
        moved = await caller.send("PATCH", made.headers["location"], {"start_time": (NINE + HOUR).isoformat()}, key())

    assert (made.status_code, moved.status_code) == (201, 200)
    assert [statements(one) for one in (made, moved)] == [10, 11]
