"""Profiles over HTTP: what people say of themselves, what administrators say of them."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from tests.integration.rest.conftest import Admit
from tests.integration.rest.served import problem, statements
from tests.integration.rows import a_calendar, a_user, an_event, insert
from yotei.storage.pool import Database
from yotei.storage.statements import Statement

ALL = ("read", "write", "admin")
ADMINS = Statement(
    name="tests.admins", purpose="a premise", sql="select id from users where is_admin and deactivated_at is null"
)
TOMORROW = datetime.now(UTC) + timedelta(days=1)


async def test_one_changes_what_is_given_of_ones_own_profile(rows: Database, admit: Admit) -> None:
    aiko = await admit(await a_user(rows, "Aiko", avatar_url="https://example.org/a.png"))

    changed = await aiko.send("PATCH", "/api/users/me", {"name": " Aiko T. ", "tzid": "asia/tokyo"})
    cleared = await aiko.send(
        "PATCH", "/api/users/me", {"avatar_url": None, "working_hours": {"mon": [["08:00", "12:00"]]}}
    )

    assert [changed.json()[key] for key in ("name", "tzid", "avatar_url")] == [
        "Aiko T.",
        "Asia/Tokyo",
        "https://example.org/a.png",
    ]
    assert cleared.json()["avatar_url"] is None
    assert cleared.json()["working_hours"] == {"mon": [["08:00", "12:00"]]}
    assert cleared.json() == (await aiko.get("/api/users/me")).json()
    assert statements(changed) == 4


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": " "}, "body.name"),
        ({"name": None}, "body.name"),
        ({"tzid": "Mars/Olympus"}, "body.tzid"),
        ({"avatar_url": "javascript:alert(1)"}, "body.avatar_url"),
        ({"working_hours": {"monday": []}}, "body.working_hours.monday"),
        ({"working_hours": {"mon": [["12:00", "08:00"]]}}, "body.working_hours.mon"),
        ({"email": "other@example.org"}, "body.email"),
    ],
)
async def test_a_profile_that_cannot_be_is_refused_by_the_field(
    rows: Database, admit: Admit, body: dict[str, object], field: str
) -> None:
    aiko = await admit(await a_user(rows))

    refused = await aiko.send("PATCH", "/api/users/me", body)

    assert refused.status_code == 400
    assert [fault["field"] for fault in problem(refused)["faults"]] == [field]
    assert (await aiko.get("/api/users/me")).json()["version"] == 1


async def test_others_are_changed_by_administrators_alone(rows: Database, admit: Admit) -> None:
    ben = await a_user(rows, "Ben")
    aiko = await admit(await a_user(rows))
    boss = await admit(await a_user(rows, is_admin=True), scopes=ALL)

    refused = [
        await aiko.send("PATCH", f"/api/users/{ben}", {"name": "X"}),
        await aiko.send("PATCH", "/api/users/me", {"is_admin": True}),
    ]
    changed = await boss.send("PATCH", f"/api/users/{ben}", {"name": "Benjamin", "is_admin": True})
    nobody = await boss.send("PATCH", f"/api/users/{uuid4()}", {"name": "X"})

    assert [problem(one)["code"] for one in refused] == ["forbidden", "forbidden"]
    assert (changed.json()["name"], changed.json()["is_admin"]) == ("Benjamin", True)
    assert problem(nobody)["code"] == "not_found"


async def test_the_last_administrator_stays_one(rows: Database, admit: Admit) -> None:
    others = [row["id"] for row in await rows.fetch(ADMINS)]
    boss_id = await a_user(rows, is_admin=True)
    boss = await admit(boss_id, scopes=ALL)
    for one in others:
        await boss.send("PATCH", f"/api/users/{one}", {"is_admin": False})

    refused = await boss.send("PATCH", "/api/users/me", {"is_admin": False})

    assert problem(refused)["code"] == "conflict"
    assert (await boss.get("/api/users/me")).json()["is_admin"] is True


async def test_who_saw_an_older_profile_is_told_so(rows: Database, admit: Admit) -> None:
    aiko = await admit(await a_user(rows))
    seen = {"If-Match": (await aiko.get("/api/users/me")).headers["etag"]}

    answers = await asyncio.gather(
        *(aiko.send("PATCH", "/api/users/me", {"name": f"Aiko {n}"}, seen) for n in range(4))
    )

    assert sorted(one.status_code for one in answers) == [200, 412, 412, 412]


async def test_invitations_to_an_address_are_those_of_the_person_who_gets_it(rows: Database, admit: Admit) -> None:
    boss_id = await a_user(rows, is_admin=True)
    boss = await admit(boss_id, scopes=ALL)
    calendar_id = await a_calendar(rows, {boss_id: "OWNER"})
    event_id = await an_event(rows, calendar_id, boss_id, TOMORROW)
    address = f"{uuid4()}@example.org"
    await insert(rows, "attendees", {"event_id": event_id, "email": address})

    chie = await admit((await boss.post("/api/users", {"email": address, "name": "Chie"})).json()["id"])
    answered = await chie.post(f"/api/events/{event_id}/rsvp", {"response_status": "ACCEPTED"})

    assert answered.status_code == 200
    [attendee] = (await boss.get(f"/api/events/{event_id}")).json()["attendees"]
    assert (attendee["email"], attendee["response_status"]) == (address, "ACCEPTED")
