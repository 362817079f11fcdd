"""Every endpoint of the REST door once, with the statements that it may take, the token's one included."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

import httpx
import pytest

from tests.integration.rest.conftest import Admit
from tests.integration.rest.served import many_events, problem, statements
from tests.integration.rows import a_booking, a_calendar, a_room, a_user, an_event
from yotei.storage.pool import Database
from yotei.storage.statements import Statement

DECEMBER = {"start": "2026-12-01", "end": "2027-01-01"}
ALL = ("read", "write", "admin")


def at(day: int, hour: int = 9) -> datetime:
    return datetime(2026, 12, day, hour, tzinfo=UTC)


@pytest.mark.parametrize("count", [1, 10, 500])
async def test_lists_take_two_statements_whatever_their_length(rows: Database, admit: Admit, count: int) -> None:
    owner = await a_user(rows)
    calendar_id = await a_calendar(rows, {owner: "OWNER"})
    room_id = await a_room(rows)
    await many_events(rows, calendar_id, owner, room_id, at(1, 0), count)
    caller = await admit(owner)
    window = {**DECEMBER, "limit": 500}

    by_path = await caller.get(f"/api/calendars/{calendar_id}/events", **window)
    by_query = await caller.get("/api/events", calendar_id=calendar_id, **window)
    agenda = await caller.get("/api/users/me/agenda", **window)
    masters = await caller.get("/api/events", calendar_id=calendar_id, expand="masters", **window)
    availability = await caller.get("/api/resources/availability", resource_ids=room_id, **DECEMBER)

    for listed in (by_path, by_query, agenda, masters):
        assert listed.status_code == 200
        assert len(listed.json()["events"]) == count
        assert statements(listed) == 2
    assert by_path.json() == by_query.json()
    assert availability.json()["resources"][0]["busy"][0]["start"] == "2026-12-01T00:00:00Z"
    assert statements(availability) == 2


@pytest.mark.parametrize("count", [1, 10, 200])
async def test_an_event_takes_two_statements_whoever_is_invited(rows: Database, admit: Admit, count: int) -> None:
    owner = await a_user(rows)
    guests = tuple([await a_user(rows) for _ in range(count)])
    calendar_id = await a_calendar(rows, {owner: "OWNER"})
    event_id = await an_event(rows, calendar_id, owner, at(1), attendees=guests)
    caller = await admit(owner)

    response = await caller.get(f"/api/events/{event_id}")

    assert response.json()["attendee_count"] == count
    assert statements(response) == 2


@pytest.mark.parametrize("count", [1, 10, 200])
async def test_availability_takes_two_statements_for_any_number_of_rooms(
    rows: Database, admit: Admit, count: int
) -> None:
    owner = await a_user(rows)
    calendar_id = await a_calendar(rows, {owner: "OWNER"})
    event_id = await an_event(rows, calendar_id, owner, at(1))
    rooms = [await a_room(rows, f"Room {n}", features=[f"of {owner}"]) for n in range(count)]
    for room_id in rooms:
        await a_booking(rows, room_id, event_id, at(1))
    caller = await admit(owner)

    response = await caller.get("/api/resources/availability", features=f"of {owner}", **DECEMBER)

    assert [len(one["busy"]) for one in response.json()["resources"]] == [1] * count
    assert statements(response) == 2


async def test_calendars_and_their_members(rows: Database, admit: Admit) -> None:
    owner, reader = await a_user(rows, "Aiko"), await a_user(rows, "Ben")
    calendar_id = await a_calendar(rows, {owner: "OWNER", reader: "READER"}, name="Team")
    caller = await admit(reader)

    listed = await caller.get("/api/calendars")
    one = await caller.get(f"/api/calendars/{calendar_id}")
    members = await caller.get(f"/api/calendars/{calendar_id}/members")

    assert listed.json() == {"calendars": [one.json()], "next_cursor": None}
    assert (one.json()["name"], one.json()["role"]) == ("Team", "READER")
    assert [(m["user"]["name"], m["role"]) for m in members.json()["members"]] == [("Aiko", "OWNER"), ("Ben", "READER")]
    assert {statements(listed), statements(one), statements(members)} == {2}


async def test_resources_one_and_all_that_fit(rows: Database, admit: Admit) -> None:
    only_here = f"f-{uuid4()}"
    room_id = await a_room(rows, "Fuji", seats=8, features=[only_here, "screen"])
    await a_room(rows, "Aso", kind="EQUIPMENT", features=[only_here])
    caller = await admit(await a_user(rows))

    one = await caller.get(f"/api/resources/{room_id}")
    listed = await caller.get("/api/resources", kind="ROOM", seats_min=8, features=f"screen, {only_here}")
    both = await caller.get("/api/resources", features=only_here)

    assert listed.json() == {"resources": [one.json()], "next_cursor": None}
    assert [resource["name"] for resource in both.json()["resources"]] == ["Aso", "Fuji"]
    assert {statements(one), statements(listed)} == {2}


async def test_people_are_added_shut_out_let_in_and_erased_by_administrators(rows: Database, admit: Admit) -> None:
    boss = await admit(await a_user(rows, is_admin=True), scopes=ALL)
    address = f"{uuid4()}@example.org"

    made = await boss.post("/api/users", {"email": f" {address.upper()}", "name": "Chie", "tzid": "asia/tokyo"})
    user_id = made.json()["id"]
    out = await boss.post(f"/api/users/{user_id}/deactivate")
    back = await boss.post(f"/api/users/{user_id}/reactivate")
    found = await boss.get(f"/api/users/{user_id}")
    erased = await boss.delete(f"/api/users/{user_id}")
    after = await boss.get(f"/api/users/{user_id}")

    assert made.status_code == 201
    assert (made.json()["email"], made.json()["tzid"]) == (address, "Asia/Tokyo")
    assert (out.status_code, out.json()["is_active"]) == (200, False)
    assert (back.status_code, back.json()["is_active"]) == (200, True)
    assert found.json()["name"] == "Chie"
    assert (erased.status_code, erased.content) == (204, b"")
    assert (after.json()["name"], after.json()["email"]) == ("Erased user", None)
    spent = [statements(one) for one in (made, out, back, found, erased)]
    assert spent == [5, 4, 3, 2, 3]


async def test_oneself_and_the_list_of_people(rows: Database, admit: Admit) -> None:
    boss_id = await a_user(rows, "Boss", is_admin=True)
    boss = await admit(boss_id, scopes=ALL)

    me = await boss.get("/api/users/me")
    listed = await boss.get("/api/users", limit=500)

    assert me.json()["id"] == str(boss_id)
    assert me.json() in listed.json()["users"]
    assert {statements(me), statements(listed)} == {2}


async def test_what_is_for_administrators_is_forbidden_to_others(rows: Database, admit: Admit) -> None:
    person = await a_user(rows)
    admin_without_scope = await admit(await a_user(rows, is_admin=True))
    other = await admit(await a_user(rows), scopes=ALL)

    for caller in (admin_without_scope, other):
        refused = [
            await caller.get("/api/users"),
            await caller.post("/api/users", {"email": "x@example.org", "name": "X"}),
            await caller.post(f"/api/users/{person}/deactivate"),
            await caller.post(f"/api/users/{person}/reactivate"),
            await caller.delete(f"/api/users/{person}"),
            await caller.get("/api/tokens", user_id=person),
        ]

        assert [(one.status_code, problem(one)["code"]) for one in refused] == [(403, "forbidden")] * 6


async def test_a_token_is_made_shown_once_listed_and_revoked(
    rows: Database, admit: Admit, client: httpx.AsyncClient
) -> None:
    caller = await admit(await a_user(rows))

    made = await caller.post("/api/tokens", {"name": "phone", "scopes": ["read"]})
    secret = {"Authorization": f"Bearer {made.json()['secret']}"}
    works = await client.get("/api/users/me", headers=secret)
    listed = await caller.get("/api/tokens")
    revoked = await caller.delete(f"/api/tokens/{made.json()['token']['id']}")
    again = await caller.delete(f"/api/tokens/{made.json()['token']['id']}")
    ended = await client.get("/api/users/me", headers=secret)

    assert made.status_code == 201
    assert works.status_code == 200
    assert [token["name"] for token in listed.json()["tokens"]] == ["phone", "test"]
    assert made.json()["secret"] not in listed.text
    assert (revoked.status_code, again.status_code, ended.status_code) == (204, 204, 401)
    assert [statements(one) for one in (made, listed, revoked)] == [4, 2, 2]


async def test_a_service_token_speaks_for_the_person_that_a_header_names(
    rows: Database, admit: Admit, client: httpx.AsyncClient
) -> None:
    bot, person = await a_user(rows, "Bot"), await a_user(rows, "Chie")
    service = await admit(bot, kind="SERVICE")
    own = await admit(bot)

    by_id = await service.get("/api/users/me", {"Yotei-On-Behalf-Of": str(person)})
    by_address = await service.get("/api/users/me", {"Yotei-On-Behalf-Of": f"{person}@EXAMPLE.org"})
    nobody = await service.get("/api/users/me", {"Yotei-On-Behalf-Of": str(uuid4())})
    nonsense = await service.get("/api/users/me", {"Yotei-On-Behalf-Of": "somebody"})
    no_service = await own.get("/api/users/me", {"Yotei-On-Behalf-Of": str(person)})

    assert [by_id.json()["name"], by_address.json()["name"]] == ["Chie", "Chie"]
    assert statements(by_id) == 2
    assert [problem(one)["code"] for one in (nobody, no_service)] == ["forbidden", "forbidden"]
    assert problem(nonsense)["faults"][0]["field"] == "header.Yotei-On-Behalf-Of"


async def test_an_invitation_is_answered_by_one_row_and_the_event_stays_as_it_is(rows: Database, admit: Admit) -> None:
    owner, guest = await a_user(rows), await a_user(rows)
    calendar_id = await a_calendar(rows, {owner: "OWNER"})
    event_id = await an_event(rows, calendar_id, owner, at(3), attendees=(guest, owner))
    caller = await admit(guest)
    before = await stored(rows, event_id)

    response = await caller.post(
        f"/api/events/{event_id}/rsvp", {"response_status": "ACCEPTED", "comment": "with pleasure"}
    )

    after = await stored(rows, event_id)
    answers = {one["user"]["id"]: (one["response_status"], one["comment"]) for one in response.json()["attendees"]}
    assert answers == {str(guest): ("ACCEPTED", "with pleasure"), str(owner): ("NEEDS_ACTION", None)}
    assert before["event"] == after["event"]
    assert [user for user in before["attendees"] if before["attendees"][user] != after["attendees"][user]] == [guest]
    assert statements(response) == 3


async def test_only_who_is_invited_answers(rows: Database, admit: Admit) -> None:
    owner = await a_user(rows)
    calendar_id = await a_calendar(rows, {owner: "OWNER"})
    event_id = await an_event(rows, calendar_id, owner, at(3), attendees=(await a_user(rows),))
    stranger, member = await admit(await a_user(rows)), await admit(owner)
    yes = {"response_status": "ACCEPTED"}

    hidden = await stranger.post(f"/api/events/{event_id}/rsvp", yes)
    nowhere = await stranger.post(f"/api/events/{uuid4()}/rsvp", yes)
    not_invited = await member.post(f"/api/events/{event_id}/rsvp", yes)
    read_only = await (await admit(owner, scopes=("read",))).post(f"/api/events/{event_id}/rsvp", yes)

    assert [one.status_code for one in (hidden, nowhere, not_invited, read_only)] == [404, 404, 404, 403]
    assert without_id(problem(hidden)) == without_id(problem(nowhere))


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"response_status": "ACCEPTED", "comment": "x" * 2_001}, "body.comment"),
        ({"response_status": "MAYBE"}, "body.response_status"),
        ({"response_status": "ACCEPTED", "colour": "red"}, "body.colour"),
        ({}, "body.response_status"),
    ],
)
async def test_an_answer_that_is_none_is_refused_with_its_field(
    rows: Database, admit: Admit, body: dict[str, str], field: str
) -> None:
    caller = await admit(await a_user(rows))

    response = await caller.post(f"/api/events/{uuid4()}/rsvp", body)

    assert response.status_code == 400
    assert [fault["field"] for fault in problem(response)["faults"]] == [field]


async def test_what_is_not_shared_is_told_as_what_is_not_there(rows: Database, admit: Admit) -> None:
    owner = await a_user(rows)
    calendar_id = await a_calendar(rows, {owner: "OWNER"})
    event_id = await an_event(rows, calendar_id, owner, at(3))
    stranger = await admit(await a_user(rows, is_admin=True), scopes=ALL)
    nowhere = uuid4()

    pairs = [
        (await stranger.get(path.format(there)), await stranger.get(path.format(nowhere)))
        for path, there in [
            ("/api/calendars/{}", calendar_id),
            ("/api/calendars/{}/events", calendar_id),
            ("/api/calendars/{}/members", calendar_id),
            ("/api/events?calendar_id={}", calendar_id),
            ("/api/events/{}", event_id),
        ]
    ]

    for not_shared, not_there in pairs:
        assert not_shared.status_code == 404
        assert without_id(problem(not_shared)) == without_id(problem(not_there))
        shared_text = not_shared.text.replace(not_shared.headers["x-request-id"], "")
        assert shared_text == not_there.text.replace(not_there.headers["x-request-id"], "")
        assert statements(not_shared) == statements(not_there)


def without_id(document: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in document.items() if name != "request_id"}


async def stored(database: Database, event_id: UUID) -> dict[str, dict[object, object]]:
    """The versions of the rows of an event: `xmin` is the transaction that wrote them."""
    events = Statement(name="tests.event", purpose="what is there", sql="select xmin, ctid from events where id = $1")
    attendees = Statement(
        name="tests.attendees", purpose="what is there", sql="select user_id, xmin from attendees where event_id = $1"
    )
    event = await database.fetchrow(events, event_id)
    assert event is not None
    return {
        "event": {"xmin": event["xmin"], "ctid": event["ctid"]},
        "attendees": {row["user_id"]: row["xmin"] for row in await database.fetch(attendees, event_id)},
    }
