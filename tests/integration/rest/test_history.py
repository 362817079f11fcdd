"""The history of an event over HTTP: who changed what, who may know, and how far back."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest

from tests.integration.rest.conftest import Admit
from tests.integration.rest.served import Caller, problem, statements
from tests.integration.rows import a_calendar, a_room, a_user, an_event
from yotei.storage.pool import Database
from yotei.storage.statements import Statement

NINE = (datetime.now(UTC) + timedelta(days=30)).replace(hour=9, minute=0, second=0, microsecond=0)


class Team(msgspec.Struct, frozen=True):
    """Somebody with a calendar of their own."""

    caller: Caller
    user_id: UUID
    calendar_id: UUID

    async def make(self, **fields: Any) -> str:
        body = {
            "calendar_id": str(self.calendar_id),
            "title": "Planning",
            "start_time": NINE.isoformat(),
            "end_time": (NINE + timedelta(hours=1)).isoformat(),
            **fields,
        }
        made = await self.caller.post("/api/events", body)
        assert made.status_code == 201, made.text
        return str(made.json()["id"])

    async def patch(self, event_id: str, **fields: Any) -> None:
        changed = await self.caller.send("PATCH", f"/api/events/{event_id}", fields)
        assert changed.status_code == 200, changed.text

    async def history(self, event_id: str, **params: Any) -> dict[str, Any]:
        response = await self.caller.get(f"/api/events/{event_id}/history", **params)
        assert response.status_code == 200, response.text
        found: dict[str, Any] = response.json()
        return found


def told(history: dict[str, Any]) -> list[list[tuple[object, ...]]]:
    """What each entry says, without who and when."""
    return [
        [
            (
                one["kind"],
                one["did"],
                *one["fields"],
                *(one[of]["name"] for of in ("person", "resource") if one[of] is not None),
            )
            for one in entry["changes"]
        ]
        for entry in history["entries"]
    ]


@pytest.fixture
async def team(rows: Database, admit: Admit) -> Team:
    user_id = await a_user(rows, "Aiko")
    return Team(await admit(user_id), user_id, await a_calendar(rows, {user_id: "OWNER"}))


async def test_it_tells_who_changed_what_the_newest_first(team: Team, rows: Database, admit: Admit) -> None:
    ben = await a_user(rows, "Ben")
    fuji, haru = str(await a_room(rows, "Fuji")), str(await a_room(rows, "Haru"))
    begun = datetime.now(UTC)
    event_id = await team.make(resource_ids=[fuji])
    await team.patch(event_id, title="Budget", description="All of it")
    await team.patch(event_id, attendees=[{"user_id": str(ben)}, {"email": "guest@example.org"}])
    await (await admit(ben)).post(f"/api/events/{event_id}/rsvp", {"response_status": "ACCEPTED", "comment": "Yes"})
    later = {
        "start_time": (NINE + timedelta(hours=2)).isoformat(),
        "end_time": (NINE + timedelta(hours=3)).isoformat(),
    }
    await team.patch(event_id, **later, resource_ids=[fuji, haru])
    await team.patch(event_id, attendees=[{"email": "guest@example.org"}], resource_ids=[haru])

    history = await team.history(event_id)

    assert told(history) == [
        [("attendee", "removed", "Ben"), ("resource", "removed", "Fuji")],
        [
            ("event", "changed", "start_time", "end_time"),
            ("attendee", "changed", "response_status", "comment", "Ben"),
            ("resource", "changed", "Fuji"),
            ("resource", "added", "Haru"),
        ],
        [("attendee", "changed", "response_status", "comment", "Ben")],
        [("attendee", "added", "Ben"), ("attendee", "added")],
        [("event", "changed", "title", "description")],
        [("event", "created"), ("resource", "added", "Fuji")],
    ]
    assert [entry["actor"]["name"] for entry in history["entries"]] == ["Aiko", "Aiko", "Ben", "Aiko", "Aiko", "Aiko"]
    times = [datetime.fromisoformat(entry["changed_at"]) for entry in history["entries"]]
    assert times == sorted(times, reverse=True)
    assert begun <= times[-1] <= times[0] <= datetime.now(UTC)


async def test_deletion_restoration_and_a_move_are_told(team: Team, rows: Database) -> None:
    elsewhere = await a_calendar(rows, {team.user_id: "OWNER"})
    event_id = await team.make()
    await team.caller.delete(f"/api/events/{event_id}")
    await team.caller.post(f"/api/events/{event_id}/restore", {})
    await team.caller.post(f"/api/events/{event_id}/move", {"calendar_id": str(elsewhere)})

    history = await team.history(event_id)

    assert told(history) == [
        [("event", "moved", "calendar_id")],
        [("event", "restored")],
        [("event", "deleted")],
        [("event", "created")],
    ]


async def test_what_is_changed_in_the_database_is_told_as_by_nobody(team: Team, rows: Database) -> None:
    event_id = await an_event(rows, team.calendar_id, team.user_id, NINE)
    renamed = Statement("tests.rename", "update events set title = 'Later' where id = $1", "by hand")
    await rows.execute(renamed, event_id)

    history = await team.history(str(event_id))

    assert told(history) == [[("event", "changed", "title")], [("event", "created")]]
    assert [entry["actor"] for entry in history["entries"]] == [None, None]


async def test_a_guest_who_comes_to_be_known_is_told_as_another_one(team: Team, rows: Database) -> None:
    ben = await a_user(rows, "Ben")
    event_id = await team.make(attendees=[{"email": "guest@example.org"}])
    known = Statement("tests.know", "update attendees set user_id = $2 where event_id = $1", "by hand")
    await rows.execute(known, UUID(event_id), ben)

    history = await team.history(event_id)

    assert told(history)[0] == [("attendee", "removed"), ("attendee", "added", "Ben")]


async def test_it_is_paged_from_the_newest_on(team: Team) -> None:
    event_id = await team.make()
    for n in range(4):
        await team.patch(event_id, title=f"{n}")

    first = await team.history(event_id, limit=2)
    await team.patch(event_id, title="In between")
    second = await team.history(event_id, limit=2, cursor=first["next_cursor"])
    third = await team.history(event_id, limit=2, cursor=second["next_cursor"])

    pages = [told(page) for page in (first, second, third)]
    changed = [("event", "changed", "title")]
    assert pages == [[changed, changed], [changed, changed], [[("event", "created")]]]
    assert third["next_cursor"] is None


async def test_it_says_how_far_the_log_reaches_back(team: Team, rows: Database) -> None:
    event_id = await team.make()
    oldest = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=9)
    older = Statement("tests.older_day", "select change_log_make_partitions($1, 1)", "by hand")
    await rows.execute(older, oldest.date())

    history = await team.history(event_id, tz="UTC")

    assert datetime.fromisoformat(history["reaches_back_to"]) == oldest


@pytest.mark.parametrize("changes", [1, 30])
async def test_it_takes_one_statement_and_the_token(team: Team, changes: int) -> None:
    event_id = await team.make()
    for n in range(changes):
        await team.patch(event_id, title=f"{n}")

    response = await team.caller.get(f"/api/events/{event_id}/history")

    assert len(response.json()["entries"]) == changes + 1
    assert statements(response) == 2


async def test_only_those_who_see_all_of_it_may_know(team: Team, rows: Database, admit: Admit) -> None:
    reader, busy, guest, outsider = [await a_user(rows) for _ in range(4)]
    shared = await a_calendar(rows, {team.user_id: "OWNER", reader: "READER", busy: "FREE_BUSY"})
    public = await an_event(rows, shared, team.user_id, NINE, attendees=(guest,))
    private = await an_event(rows, shared, team.user_id, NINE, attendees=(guest,), visibility="PRIVATE")

    async def answers(user_id: UUID) -> list[int]:
        caller = await admit(user_id)
        return [(await caller.get(f"/api/events/{one}/history")).status_code for one in (public, private)]

    assert await answers(team.user_id) == [200, 200]
    assert await answers(reader) == [200, 403]
    assert await answers(busy) == [403, 403]
    assert await answers(guest) == [200, 200]
    assert await answers(outsider) == [404, 404]


async def test_that_of_a_deleted_event_is_for_those_who_write_its_calendar(
    team: Team, rows: Database, admit: Admit
) -> None:
    writer, reader, guest = [await a_user(rows) for _ in range(3)]
    shared = await a_calendar(rows, {team.user_id: "OWNER", writer: "WRITER", reader: "READER"})
    event_id = await an_event(rows, shared, team.user_id, NINE, attendees=(guest,))
    await team.caller.delete(f"/api/events/{event_id}")

    found = [await (await admit(one)).get(f"/api/events/{event_id}/history") for one in (writer, reader, guest)]

    assert [response.status_code for response in found] == [200, 404, 404]
    assert told(found[0].json())[0] == [("event", "deleted")]


async def test_what_is_not_there_is_not_found_and_a_cursor_of_another_list_is_refused(team: Team) -> None:
    event_id = await team.make()
    search = await team.caller.get(f"/api/calendars/{team.calendar_id}/events", limit=1, start=NINE.date().isoformat())
    await team.make()
    listed = await team.caller.get(f"/api/calendars/{team.calendar_id}/events", limit=1, start=NINE.date().isoformat())
    assert search.json()["next_cursor"] is None

    missing = await team.caller.get(f"/api/events/{uuid4()}/history")
    wrong = await team.caller.get(f"/api/events/{event_id}/history", cursor=listed.json()["next_cursor"])

    assert problem(missing)["code"] == "not_found"
    assert problem(wrong)["code"] == "invalid_cursor"
