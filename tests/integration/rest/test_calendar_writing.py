"""Calendars over HTTP: made, changed, shared, given away, left, deleted and brought back."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from tests.integration.rest.conftest import Admit
from tests.integration.rest.served import Caller, problem, statements
from tests.integration.rows import a_calendar, a_room, a_user
from yotei.storage.pool import Database

TOMORROW = (datetime.now(UTC) + timedelta(days=1)).replace(hour=9, minute=0, second=0, microsecond=0)


async def test_a_calendar_is_made_with_the_zone_of_its_owner_and_says_where_it_is(rows: Database, admit: Admit) -> None:
    aiko = await admit(await a_user(rows, tzid="Asia/Tokyo"))

    made = await aiko.post("/api/calendars", {"name": " Team ", "color": "#AABBCC"})

    assert made.status_code == 201
    calendar = made.json()
    assert (calendar["name"], calendar["color"], calendar["tzid"], calendar["role"]) == (
        "Team",
        "#aabbcc",
        "Asia/Tokyo",
        "OWNER",
    )
    assert made.headers["location"] == f"/api/calendars/{calendar['id']}"
    assert made.headers["etag"] == (await aiko.get(made.headers["location"])).headers["etag"]
    assert statements(made) == 3


async def test_a_change_sets_what_is_given_and_nothing_else(rows: Database, admit: Admit) -> None:
    owner = await a_user(rows)
    aiko = await admit(owner)
    calendar_id = await a_calendar(rows, {owner: "OWNER"}, description="Ours", color="#112233")

    changed = await aiko.send("PATCH", f"/api/calendars/{calendar_id}", {"name": "New"})
    cleared = await aiko.send("PATCH", f"/api/calendars/{calendar_id}", {"description": None, "tzid": "europe/berlin"})

    assert {key: changed.json()[key] for key in ("name", "description", "color", "tzid")} == {
        "name": "New",
        "description": "Ours",
        "color": "#112233",
        "tzid": "UTC",
    }
    assert (cleared.json()["description"], cleared.json()["tzid"], cleared.json()["version"]) == (
        None,
        "Europe/Berlin",
        3,
    )
    assert statements(changed) == 5


async def test_who_saw_an_older_version_is_told_so(rows: Database, admit: Admit) -> None:
    owner = await a_user(rows)
    aiko = await admit(owner)
    path = f"/api/calendars/{await a_calendar(rows, {owner: 'OWNER'})}"
    seen = {"If-Match": (await aiko.get(path)).headers["etag"]}

    first = await aiko.send("PATCH", path, {"name": "One"}, seen)
    second = await aiko.send("PATCH", path, {"name": "Two"}, seen)
    gone = await aiko.send("DELETE", path, headers=seen)

    assert first.status_code == 200
    assert problem(second)["code"] == problem(gone)["code"] == "precondition_failed"
    assert (await aiko.get(path)).json()["name"] == "One"


async def test_the_same_key_makes_one_calendar(rows: Database, admit: Admit) -> None:
    aiko = await admit(await a_user(rows))
    key = {"Idempotency-Key": f"{uuid4()}"}

    answers = await asyncio.gather(*(aiko.send("POST", "/api/calendars", {"name": "Once"}, key) for _ in range(4)))
    other = await aiko.send("POST", "/api/calendars", {"name": "Twice"}, key)

    assert {one.status_code for one in answers} == {201}
    assert len({one.json()["id"] for one in answers}) == 1
    assert sum(one.headers.get("idempotency-replayed") == "true" for one in answers) == 3
    assert problem(other)["code"] == "idempotency_key_reused"
    assert len((await aiko.get("/api/calendars")).json()["calendars"]) == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "   "}, "body.name"),
        ({"name": "x" * 201}, "body.name"),
        ({"name": "X", "color": "red"}, "body.color"),
        ({"name": "X", "tzid": "Mars/Olympus"}, "body.tzid"),
        ({"name": "X", "owner": "me"}, "body.owner"),
        ({"name": 7}, "body.name"),
        ({}, "body.name"),
    ],
)
async def test_a_calendar_that_cannot_be_is_refused_by_the_field(
    rows: Database, admit: Admit, body: dict[str, object], field: str
) -> None:
    aiko = await admit(await a_user(rows))

    refused = await aiko.post("/api/calendars", body)

    assert refused.status_code == 400
    assert [fault["field"] for fault in problem(refused)["faults"]] == [field]
    assert (await aiko.get("/api/calendars")).json()["calendars"] == []


@pytest.mark.parametrize(
    ("role", "status"), [("OWNER", 200), ("WRITER", 403), ("READER", 403), ("FREE_BUSY", 403), (None, 404)]
)
async def test_only_owners_change_share_give_away_and_delete(
    rows: Database, admit: Admit, role: str | None, status: int
) -> None:
    owner, other, third = [await a_user(rows) for _ in range(3)]
    members = {owner: "OWNER"} | ({other: role} if role is not None else {})
    calendar_id = await a_calendar(rows, members)
    caller = await admit(other)
    path = f"/api/calendars/{calendar_id}"

    answers = [
        await caller.send("PATCH", path, {"name": "New"}),
        await caller.send("PUT", f"{path}/members/{third}", {"role": "READER"}),
        await caller.send("DELETE", f"{path}/members/{third}"),
        await caller.post(f"{path}/transfer", {"user_id": str(owner)}),
    ]

    expected = [200, 200, 204, 200] if status == 200 else [status] * 4
    assert [one.status_code for one in answers] == expected


async def test_who_is_shared_with_finds_the_calendar_and_who_is_taken_out_no_more(rows: Database, admit: Admit) -> None:
    owner, other = await a_user(rows), await a_user(rows, "Ben")
    path = f"/api/calendars/{await a_calendar(rows, {owner: 'OWNER'})}"
    aiko, ben = await admit(owner), await admit(other)

    shared = await aiko.send("PUT", f"{path}/members/{other}", {"role": "READER"})
    found = await ben.get(path)
    raised = await aiko.send("PUT", f"{path}/members/{other}", {"role": "WRITER"})
    out = await aiko.send("DELETE", f"{path}/members/{other}")
    again = await aiko.send("DELETE", f"{path}/members/{other}")
    after = await ben.get(path)

    assert (shared.json()["role"], shared.json()["user"]["name"]) == ("READER", "Ben")
    assert found.json()["role"] == "READER"
    assert raised.json()["role"] == "WRITER"
    assert [out.status_code, again.status_code, after.status_code] == [204, 404, 404]
    assert [statements(one) for one in (shared, out)] == [5, 4]


@pytest.mark.parametrize("fields", [{}, {"deactivated_at": datetime.now(UTC)}])
async def test_nobody_who_cannot_sign_in_is_shared_with(rows: Database, admit: Admit, fields: dict[str, Any]) -> None:
    owner = await a_user(rows)
    nobody = await a_user(rows, **fields) if fields else uuid4()
    path = f"/api/calendars/{await a_calendar(rows, {owner: 'OWNER'})}"
    aiko = await admit(owner)

    refused = [
        await aiko.send("PUT", f"{path}/members/{nobody}", {"role": "OWNER"}),
        await aiko.post(f"{path}/transfer", {"user_id": str(nobody)}),
    ]

    assert [problem(one)["code"] for one in refused] == ["not_found", "not_found"]
    assert len((await aiko.get(f"{path}/members")).json()["members"]) == 1


async def test_who_gives_a_calendar_away_stays_a_writer(rows: Database, admit: Admit) -> None:
    owner, other = await a_user(rows), await a_user(rows)
    path = f"/api/calendars/{await a_calendar(rows, {owner: 'OWNER'})}"
    aiko, ben = await admit(owner), await admit(other)

    given = await aiko.post(f"{path}/transfer", {"user_id": str(other)})

    assert (given.status_code, given.json()["role"]) == (200, "WRITER")
    assert (await ben.get(path)).json()["role"] == "OWNER"
    assert statements(given) == 6


async def test_a_member_leaves_and_the_last_owner_cannot(rows: Database, admit: Admit) -> None:
    owner, reader = await a_user(rows), await a_user(rows)
    path = f"/api/calendars/{await a_calendar(rows, {owner: 'OWNER', reader: 'READER'})}"
    aiko, ben = await admit(owner), await admit(reader)

    left = await ben.delete(f"{path}/members/{reader}")
    stays = await aiko.delete(f"{path}/members/{owner}")

    assert left.status_code == 204
    assert problem(stays)["code"] == "conflict"
    assert (await aiko.get(path)).json()["role"] == "OWNER"


async def test_an_owner_who_cannot_sign_in_is_no_owner_to_leave_it_to(rows: Database, admit: Admit) -> None:
    owner, gone = await a_user(rows), await a_user(rows, deactivated_at=datetime.now(UTC))
    path = f"/api/calendars/{await a_calendar(rows, {owner: 'OWNER', gone: 'OWNER'})}"

    refused = await (await admit(owner)).delete(f"{path}/members/{owner}")

    assert problem(refused)["code"] == "conflict"


async def test_of_two_owners_who_leave_at_once_one_stays(rows: Database, admit: Admit) -> None:
    owners = [await a_user(rows) for _ in range(2)]
    callers = [await admit(one) for one in owners]
    for _ in range(10):
        path = f"/api/calendars/{await a_calendar(rows, dict.fromkeys(owners, 'OWNER'))}"

        left = await asyncio.gather(
            *(caller.delete(f"{path}/members/{one}") for caller, one in zip(callers, owners, strict=True))
        )

        assert sorted(one.status_code for one in left) == [204, 409]


async def test_a_personal_calendar_stays_that_of_its_person(rows: Database, admit: Admit) -> None:
    owner, other = await a_user(rows), await a_user(rows)
    calendar_id = await a_calendar(rows, {owner: "OWNER", other: "OWNER"}, personal_for=owner)
    path = f"/api/calendars/{calendar_id}"
    aiko, ben = await admit(owner), await admit(other)

    refused = [
        await aiko.send("DELETE", path),
        await aiko.delete(f"{path}/members/{owner}"),
        await aiko.post(f"{path}/transfer", {"user_id": str(other)}),
        await ben.send("PUT", f"{path}/members/{owner}", {"role": "READER"}),
        await ben.delete(f"{path}/members/{owner}"),
    ]

    assert [problem(one)["code"] for one in refused] == ["conflict"] * 5
    assert (await aiko.get(path)).json()["is_personal"] is True


async def booked(aiko: Caller, calendar_id: UUID, room_id: UUID, start: datetime = TOMORROW) -> httpx.Response:
    body = {
        "calendar_id": str(calendar_id),
        "title": "Planning",
        "start_time": start.isoformat(),
        "end_time": (start + timedelta(hours=1)).isoformat(),
        "resource_ids": [str(room_id)],
    }
    return await aiko.post("/api/events", body)


async def test_a_deleted_calendar_is_gone_with_its_bookings_and_comes_back_with_them(
    rows: Database, admit: Admit
) -> None:
    owner = await a_user(rows)
    aiko = await admit(owner)
    room_id = await a_room(rows)
    calendar_id, other_id = [await a_calendar(rows, {owner: "OWNER"}) for _ in range(2)]
    path = f"/api/calendars/{calendar_id}"
    event = (await booked(aiko, calendar_id, room_id)).json()

    deleted = await aiko.send("DELETE", path)
    unseen = [await aiko.get(path), await aiko.get(f"/api/events/{event['id']}"), await aiko.send("DELETE", path)]
    restored = await aiko.post(f"{path}/restore")
    taken = await booked(aiko, other_id, room_id)

    assert deleted.status_code == 204
    assert [one.status_code for one in unseen] == [404, 404, 404]
    assert (restored.status_code, restored.json()["role"]) == (200, "OWNER")
    assert (await aiko.get(f"/api/events/{event['id']}")).json()["missed"] == []
    assert problem_code(taken) == "room_taken"
    assert statements(deleted) == 5
    assert statements(restored) == 11


async def test_what_somebody_else_booked_meanwhile_shows_as_missed(rows: Database, admit: Admit) -> None:
    owner = await a_user(rows)
    aiko = await admit(owner)
    room_id = await a_room(rows)
    calendar_id, other_id = [await a_calendar(rows, {owner: "OWNER"}) for _ in range(2)]
    event = (await booked(aiko, calendar_id, room_id)).json()
    await aiko.send("DELETE", f"/api/calendars/{calendar_id}")

    theirs = await booked(aiko, other_id, room_id)
    await aiko.post(f"/api/calendars/{calendar_id}/restore")

    missed = (await aiko.get(f"/api/events/{event['id']}")).json()["missed"]
    assert theirs.status_code == 201
    assert [one["resource_id"] for one in missed] == [str(room_id)]


async def test_what_is_there_stays_when_it_is_restored_and_who_owns_it_not_does_not_find_it(
    rows: Database, admit: Admit
) -> None:
    owner, reader = await a_user(rows), await a_user(rows)
    aiko, ben = await admit(owner), await admit(reader)
    path = f"/api/calendars/{await a_calendar(rows, {owner: 'OWNER', reader: 'READER'})}"

    there = await aiko.post(f"{path}/restore")
    await aiko.send("DELETE", path)
    hidden = await ben.post(f"{path}/restore")

    assert (there.status_code, there.json()["version"]) == (200, 1)
    assert hidden.status_code == 404


async def test_no_event_gets_into_a_calendar_that_is_being_deleted(rows: Database, admit: Admit) -> None:
    owner = await a_user(rows)
    aiko = await admit(owner)
    room_id = await a_room(rows)
    for n in range(10):
        calendar_id = await a_calendar(rows, {owner: "OWNER"})

        made, deleted = await asyncio.gather(
            booked(aiko, calendar_id, room_id, TOMORROW + timedelta(hours=n)),
            aiko.send("DELETE", f"/api/calendars/{calendar_id}"),
        )

        held = await aiko.get(
            "/api/resources/availability",
            start=(TOMORROW + timedelta(hours=n)).isoformat(),
            end=(TOMORROW + timedelta(hours=n + 1)).isoformat(),
            resource_ids=str(room_id),
        )
        assert deleted.status_code == 204
        assert made.status_code in (201, 404)
        assert held.json()["resources"][0]["is_free"] is True


def problem_code(response: httpx.Response) -> str:
    code: str = response.json()["code"]
    return code
