"""Rooms and equipment over HTTP: who adds, changes and retires them, and who may book."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from tests.integration.rest.conftest import Admit
from tests.integration.rest.served import Caller, problem, statements
from tests.integration.rows import a_calendar, a_room, a_user, insert
from yotei.storage.pool import Database

ALL = ("read", "write", "admin")
TOMORROW = (datetime.now(UTC) + timedelta(days=1)).replace(hour=9, minute=0, second=0, microsecond=0)


async def a_boss(rows: Database, admit: Admit, **fields: Any) -> Caller:
    return await admit(await a_user(rows, is_admin=True, **fields), scopes=ALL)


async def a_booking_of(caller: Caller, rows: Database, room_id: UUID, start: datetime = TOMORROW) -> httpx.Response:
    user_id = UUID((await caller.get("/api/users/me")).json()["id"])
    calendar_id = await a_calendar(rows, {user_id: "OWNER"})
    body = {
        "calendar_id": str(calendar_id),
        "title": "Planning",
        "start_time": start.isoformat(),
        "end_time": (start + timedelta(hours=1)).isoformat(),
        "resource_ids": [str(room_id)],
    }
    return await caller.post("/api/events", body)


async def test_an_administrator_adds_a_room_with_all_that_is_said_of_it(rows: Database, admit: Admit) -> None:
    boss = await a_boss(rows, admit, tzid="Asia/Tokyo")
    said = {
        "name": "Fuji",
        "kind": "ROOM",
        "description": "By the window",
        "location": "2nd floor",
        "seats": 8,
        "features": ["projector", "whiteboard"],
        "concurrent_bookings": 2,
        "setup_minutes": 5,
        "teardown_minutes": 10,
        "opening_hours": {"mon": [["08:00", "18:00"]]},
        "booking": "MEMBERS",
    }

    made = await boss.post("/api/resources", said)

    assert made.status_code == 201
    assert {key: made.json()[key] for key in said} == said
    assert made.json()["tzid"] == "Asia/Tokyo"
    assert made.json() == (await boss.get(made.headers["location"])).json()
    assert statements(made) == 3


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": ""}, "body.name"),
        ({"name": "X", "seats": 0}, "body.seats"),
        ({"name": "X", "concurrent_bookings": 1_001}, "body.concurrent_bookings"),
        ({"name": "X", "setup_minutes": -1}, "body.setup_minutes"),
        ({"name": "X", "kind": "CAR"}, "body.kind"),
        ({"name": "X", "features": [""]}, "body.features[0]"),
        ({"name": "X", "opening_hours": {"mon": [["18:00", "08:00"]]}}, "body.opening_hours.mon"),
        ({"name": "X", "tzid": "Mars/Olympus"}, "body.tzid"),
    ],
)
async def test_a_resource_that_cannot_be_is_refused_by_the_field(
    rows: Database, admit: Admit, body: dict[str, object], field: str
) -> None:
    boss = await a_boss(rows, admit)

    refused = await boss.post("/api/resources", body)

    assert refused.status_code == 400
    assert [fault["field"] for fault in problem(refused)["faults"]] == [field]


async def test_a_manager_changes_the_room_and_a_booker_does_not(rows: Database, admit: Admit) -> None:
    room_id = await a_room(rows, description="Old", seats=4)
    people = {role: await a_user(rows) for role in ("MANAGER", "BOOKER", "NOBODY")}
    boss = await a_boss(rows, admit)
    path = f"/api/resources/{room_id}"
    for role in ("MANAGER", "BOOKER"):
        assert (await boss.send("PUT", f"{path}/members/{people[role]}", {"role": role})).status_code == 204

    answers = {
        role: await (await admit(one)).send("PATCH", path, {"name": "Aso", "seats": None})
        for role, one in people.items()
    }

    changed = answers["MANAGER"]
    assert [one.status_code for one in answers.values()] == [200, 403, 403]
    assert (changed.json()["name"], changed.json()["seats"], changed.json()["description"]) == ("Aso", None, "Old")
    assert statements(changed) == 5


async def test_adding_retiring_and_bringing_back_is_for_administrators(rows: Database, admit: Admit) -> None:
    manager_id = await a_user(rows)
    room_id = await a_room(rows)
    await insert(rows, "resource_members", {"resource_id": room_id, "user_id": manager_id, "role": "MANAGER"})
    manager = await admit(manager_id, scopes=ALL)

    refused = [
        await manager.post("/api/resources", {"name": "Mine"}),
        await manager.send("DELETE", f"/api/resources/{room_id}"),
        await manager.post(f"/api/resources/{room_id}/restore"),
    ]

    assert [problem(one)["code"] for one in refused] == ["forbidden"] * 3


async def test_a_room_that_is_booked_stays_and_one_that_is_not_goes_and_comes_back(
    rows: Database, admit: Admit
) -> None:
    boss = await a_boss(rows, admit)
    room_id = await a_room(rows)
    path = f"/api/resources/{room_id}"
    event = (await a_booking_of(boss, rows, room_id)).json()

    refused = await boss.send("DELETE", path)
    await boss.send("DELETE", f"/api/events/{event['id']}")
    deleted = await boss.send("DELETE", path)
    unseen = [await boss.get(path), await a_booking_of(boss, rows, room_id), await boss.send("PATCH", path, {})]
    restored = await boss.post(f"{path}/restore")

    assert problem(refused)["code"] == "conflict"
    assert deleted.status_code == 204
    assert [one.status_code for one in unseen] == [404, 404, 404]
    assert (restored.status_code, restored.json()["id"]) == (200, str(room_id))
    assert [statements(one) for one in (deleted, restored)] == [4, 4]


async def test_nobody_books_a_room_that_is_being_retired(rows: Database, admit: Admit) -> None:
    boss = await a_boss(rows, admit)
    for n in range(15):
        room_id = await a_room(rows)

        booked, deleted = await asyncio.gather(
            a_booking_of(boss, rows, room_id, TOMORROW + timedelta(hours=n)),
            boss.send("DELETE", f"/api/resources/{room_id}"),
        )

        assert (booked.status_code, deleted.status_code) in {(201, 409), (404, 204)}


async def test_a_room_of_members_is_booked_by_them_and_one_of_nobody_by_none(rows: Database, admit: Admit) -> None:
    booker_id = await a_user(rows)
    booker, other, boss = await admit(booker_id), await admit(await a_user(rows)), await a_boss(rows, admit)
    room_id = await a_room(rows)
    path = f"/api/resources/{room_id}"
    await boss.send("PATCH", path, {"booking": "MEMBERS"})
    await boss.send("PUT", f"{path}/members/{booker_id}", {"role": "BOOKER"})

    of_members = [
        await a_booking_of(one, rows, room_id, TOMORROW + timedelta(hours=n))
        for n, one in enumerate((booker, other, boss))
    ]
    await boss.send("DELETE", f"{path}/members/{booker_id}")
    left = await a_booking_of(booker, rows, room_id, TOMORROW + timedelta(hours=4))
    await boss.send("PATCH", path, {"booking": "NOBODY"})
    of_nobody = await a_booking_of(boss, rows, room_id, TOMORROW + timedelta(hours=5))

    assert [one.status_code for one in of_members] == [201, 403, 201]
    assert [left.status_code, of_nobody.status_code] == [403, 403]


async def test_fewer_units_than_are_booked_are_refused(rows: Database, admit: Admit) -> None:
    boss = await a_boss(rows, admit)
    room_id = await a_room(rows, concurrent_bookings=3)
    for _ in range(2):
        assert (await a_booking_of(boss, rows, room_id)).status_code == 201

    fits = await boss.send("PATCH", f"/api/resources/{room_id}", {"concurrent_bookings": 2})
    refused = await boss.send("PATCH", f"/api/resources/{room_id}", {"concurrent_bookings": 1})

    assert fits.json()["concurrent_bookings"] == 2
    assert problem(refused)["code"] == "conflict"


async def test_members_are_shown_to_those_who_look_after_the_room(rows: Database, admit: Admit) -> None:
    manager_id, booker_id = await a_user(rows, "Mia"), await a_user(rows, "Ben")
    room_id = await a_room(rows)
    for user_id, role in ((manager_id, "MANAGER"), (booker_id, "BOOKER")):
        await insert(rows, "resource_members", {"resource_id": room_id, "user_id": user_id, "role": role})
    path = f"/api/resources/{room_id}/members"

    shown = await (await admit(manager_id)).get(path)
    refused = await (await admit(booker_id)).get(path)

    assert [(one["user"]["name"], one["role"]) for one in shown.json()["members"]] == [
        ("Mia", "MANAGER"),
        ("Ben", "BOOKER"),
    ]
    assert problem(refused)["code"] == "forbidden"
    assert statements(shown) == 2


async def test_who_saw_an_older_resource_is_told_so(rows: Database, admit: Admit) -> None:
    boss = await a_boss(rows, admit)
    path = f"/api/resources/{await a_room(rows)}"
    seen = {"If-Match": (await boss.get(path)).headers["etag"]}

    first = await boss.send("PATCH", path, {"name": "One"}, seen)
    second = await boss.send("PATCH", path, {"name": "Two"}, seen)
    third = await boss.send("DELETE", path, headers=seen)

    assert [first.status_code, second.status_code, third.status_code] == [200, 412, 412]
