"""The sync feed over HTTP: what is told, to whom, by how many statements, and where it ends."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from tests.integration.rest.conftest import Admit
from tests.integration.rest.served import Caller, problem, statements
from tests.integration.rows import a_booking, a_calendar, a_room, a_user, an_event, insert
from yotei.storage.maintenance import maintain
from yotei.storage.pool import Database
from yotei.storage.statements import Statement

START = datetime(2026, 12, 1, 9, tzinfo=UTC)


def sql(text: str) -> Statement:
    return Statement(name="tests.change", purpose="a change", sql=text)


async def changes(caller: Caller, calendar_id: UUID, since: str | None = None, **query: Any) -> dict[str, Any]:
    asked = query if since is None else {"since": since, **query}
    response = await caller.get(f"/api/calendars/{calendar_id}/changes", **asked)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def told(answer: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(one["kind"], one["id"], one["op"]) for one in answer["changes"]]


async def test_without_a_position_there_is_that_of_now_and_no_change(rows: Database, admit: Admit) -> None:
    owner = await a_user(rows)
    calendar_id = await a_calendar(rows, {owner: "OWNER"})
    await an_event(rows, calendar_id, owner, START)
    caller = await admit(owner)

    response = await caller.get(f"/api/calendars/{calendar_id}/changes")
    after = await changes(caller, calendar_id, response.json()["position"])

    assert response.json()["changes"] == after["changes"] == []
    assert response.json()["has_more"] is False
    assert statements(response) == 3


async def test_from_the_first_on_the_calendar_its_members_and_its_events_are_told(rows: Database, admit: Admit) -> None:
    owner = await a_user(rows)
    calendar_id = await a_calendar(rows, {owner: "OWNER"})
    event_id = await an_event(rows, calendar_id, owner, START, attendees=(owner,))
    await a_booking(rows, await a_room(rows), event_id, START)
    caller = await admit(owner)

    response = await caller.get(f"/api/calendars/{calendar_id}/changes", since="first")

    answer = response.json()
    calendar, member, event = answer["changes"]
    assert told(answer) == [
        ("calendar", str(calendar_id), "upsert"),
        ("member", str(owner), "upsert"),
        ("event", str(event_id), "upsert"),
    ]
    assert calendar["calendar"]["role"] == member["member"]["role"] == "OWNER"
    assert event["event"] == (await caller.get(f"/api/events/{event_id}")).json()
    assert (event["calendar"], event["member"], member["event"]) == (None, None, None)
    assert statements(response) == 4


@pytest.mark.parametrize("count", [1, 10, 200])
async def test_a_page_takes_four_statements_however_many_events_it_holds(
    rows: Database, admit: Admit, count: int
) -> None:
    owner = await a_user(rows)
    calendar_id = await a_calendar(rows, {owner: "OWNER"})
    caller = await admit(owner)
    position = (await changes(caller, calendar_id))["position"]
    for n in range(count):
        await an_event(rows, calendar_id, owner, START + timedelta(hours=n))

    response = await caller.get(f"/api/calendars/{calendar_id}/changes", since=position, limit=500)

    assert len(response.json()["changes"]) == count
    assert statements(response) == 4


async def test_what_changed_twice_is_told_once_at_its_last_place(rows: Database, admit: Admit) -> None:
    owner = await a_user(rows)
    calendar_id = await a_calendar(rows, {owner: "OWNER"})
    caller = await admit(owner)
    position = (await changes(caller, calendar_id))["position"]
    first = await an_event(rows, calendar_id, owner, START)
    second = await an_event(rows, calendar_id, owner, START)
    await rows.execute(sql("update events set title = 'Later' where id = $1"), first)

    answer = await changes(caller, calendar_id, position)

    assert told(answer) == [("event", str(second), "upsert"), ("event", str(first), "upsert")]
    assert answer["changes"][1]["event"]["title"] == "Later"


async def test_it_is_paged_and_a_change_in_between_comes_after_the_last_page(rows: Database, admit: Admit) -> None:
    owner = await a_user(rows)
    calendar_id = await a_calendar(rows, {owner: "OWNER"})
    caller = await admit(owner)
    position = (await changes(caller, calendar_id))["position"]
    made = [str(await an_event(rows, calendar_id, owner, START)) for _ in range(5)]

    first = await changes(caller, calendar_id, position, limit=2)
    await rows.execute(sql("update events set title = 'Later' where id = $1"), UUID(made[0]))
    second = await changes(caller, calendar_id, first["position"], limit=2)
    third = await changes(caller, calendar_id, second["position"], limit=2)
    last = await changes(caller, calendar_id, third["position"], limit=2)

    pages = [[one["id"] for one in page["changes"]] for page in (first, second, third, last)]
    assert pages == [made[:2], made[2:4], made[4:], made[:1]]
    assert [page["has_more"] for page in (first, second, third, last)] == [True, True, False, False]


async def test_deletion_and_restoration_for_good_and_not(rows: Database, admit: Admit) -> None:
    owner = await a_user(rows)
    calendar_id = await a_calendar(rows, {owner: "OWNER"})
    softly = await an_event(rows, calendar_id, owner, START)
    for_good = await an_event(rows, calendar_id, owner, START)
    caller = await admit(owner)
    before = (await changes(caller, calendar_id))["position"]

    await rows.execute(sql("update events set deleted_at = now() where id = $1"), softly)
    await rows.execute(sql("delete from events where id = $1"), for_good)
    deleted = await changes(caller, calendar_id, before)
    await rows.execute(sql("update events set deleted_at = null where id = $1"), softly)
    restored = await changes(caller, calendar_id, deleted["position"])

    assert told(deleted) == [("event", str(softly), "remove"), ("event", str(for_good), "remove")]
    assert [one["event"] for one in deleted["changes"]] == [None, None]
    assert told(restored) == [("event", str(softly), "upsert")]


async def test_a_move_removes_here_and_adds_there(rows: Database, admit: Admit) -> None:
    owner = await a_user(rows)
    here, there = await a_calendar(rows, {owner: "OWNER"}), await a_calendar(rows, {owner: "OWNER"})
    event_id = await an_event(rows, here, owner, START)
    caller = await admit(owner)
    of_here, of_there = [(await changes(caller, one))["position"] for one in (here, there)]

    await rows.execute(sql("update events set calendar_id = $2 where id = $1"), event_id, there)

    assert told(await changes(caller, here, of_here)) == [("event", str(event_id), "remove")]
    assert told(await changes(caller, there, of_there)) == [("event", str(event_id), "upsert")]


async def test_an_answer_to_an_invitation_and_a_booking_change_their_event(rows: Database, admit: Admit) -> None:
    owner, guest = await a_user(rows), await a_user(rows)
    calendar_id = await a_calendar(rows, {owner: "OWNER"})
    event_id = await an_event(rows, calendar_id, owner, START, attendees=(guest,))
    caller = await admit(owner)
    before = (await changes(caller, calendar_id))["position"]

    await rows.execute(sql("update attendees set response_status = 'ACCEPTED' where event_id = $1"), event_id)
    answered = await changes(caller, calendar_id, before)
    await a_booking(rows, await a_room(rows, "Fuji"), event_id, START)
    booked = await changes(caller, calendar_id, answered["position"])

    (change,) = answered["changes"]
    assert change["event"]["attendees"][0]["response_status"] == "ACCEPTED"
    (change,) = booked["changes"]
    assert change["event"]["room_names"] == ["Fuji"]


async def test_who_sees_busy_times_only_gets_times_only(rows: Database, admit: Admit) -> None:
    owner, other, viewer = [await a_user(rows) for _ in range(3)]
    calendar_id = await a_calendar(rows, {owner: "OWNER", viewer: "FREE_BUSY"})
    caller = await admit(viewer)
    before = (await changes(caller, calendar_id))["position"]
    taken = await an_event(rows, calendar_id, owner, START, title="Secret")
    free = await an_event(rows, calendar_id, owner, START, title="Secret", transparency="TRANSPARENT")
    await insert(rows, "calendar_members", {"calendar_id": calendar_id, "user_id": other, "role": "READER"})

    response = await caller.get(f"/api/calendars/{calendar_id}/changes", since=before)

    assert told(response.json()) == [("event", str(taken), "upsert"), ("event", str(free), "remove")]
    assert response.json()["changes"][0]["event"]["access"] == "busy"
    assert "Secret" not in response.text
    assert str(other) not in response.text


async def test_members_come_change_and_go_and_a_change_of_ones_own_role_is_told(rows: Database, admit: Admit) -> None:
    owner, viewer, gone = [await a_user(rows) for _ in range(3)]
    calendar_id = await a_calendar(rows, {owner: "OWNER", viewer: "FREE_BUSY", gone: "READER"})
    of_owner, of_viewer = await admit(owner), await admit(viewer)
    before = (await changes(of_owner, calendar_id))["position"]

    await rows.execute(sql("update calendar_members set role = 'WRITER' where user_id = $1"), viewer)
    await rows.execute(sql("delete from calendar_members where user_id = $1"), gone)

    for caller in (of_owner, of_viewer):
        answer = await changes(caller, calendar_id, before)
        assert told(answer) == [("member", str(viewer), "upsert"), ("member", str(gone), "remove")]
        assert answer["changes"][0]["member"]["role"] == "WRITER"


async def test_who_is_no_member_or_no_longer_one_finds_no_calendar(rows: Database, admit: Admit) -> None:
    owner, reader = await a_user(rows), await a_user(rows)
    calendar_id = await a_calendar(rows, {owner: "OWNER", reader: "READER"})
    outsider, former = await admit(await a_user(rows)), await admit(reader)
    position = (await changes(former, calendar_id))["position"]
    await rows.execute(sql("delete from calendar_members where user_id = $1"), reader)

    from_outside = await outsider.get(f"/api/calendars/{calendar_id}/changes", since="first")
    afterwards = await former.get(f"/api/calendars/{calendar_id}/changes", since=position)

    assert problem(from_outside)["code"] == problem(afterwards)["code"] == "not_found"


async def test_a_position_is_gone_when_the_log_of_this_calendar_does_not_reach_back(
    rows: Database, admit: Admit
) -> None:
    owner = await a_user(rows)
    forgotten, kept = await a_calendar(rows, {owner: "OWNER"}), await a_calendar(rows, {owner: "OWNER"})
    caller = await admit(owner)
    position = (await changes(caller, kept))["position"]
    long_ago = sql(
        "insert into change_log (ts, scope_kind, scope_id, entity, entity_id, op) "
        "values (now() - interval '90 days', 'calendar', $1, 'event', gen_random_uuid(), 'update')"
    )
    await rows.execute(long_ago, forgotten)
    await maintain(rows, days_ahead=1, keep_days=30)

    of_forgotten = await caller.get(f"/api/calendars/{forgotten}/changes", since=position)
    of_kept = await caller.get(f"/api/calendars/{kept}/changes", since=position)

    assert problem(of_forgotten)["code"] == "position_forgotten"
    assert of_forgotten.status_code == 410
    assert of_kept.json()["changes"] == []


async def test_a_position_of_another_database_is_gone(rows: Database, admit: Admit) -> None:
    owner = await a_user(rows)
    calendar_id = await a_calendar(rows, {owner: "OWNER"})
    caller = await admit(owner)
    position = (await changes(caller, calendar_id))["position"]

    response = await caller.get(f"/api/calendars/{calendar_id}/changes", since=f"1{position}")

    assert problem(response)["code"] == "position_forgotten"


@pytest.mark.parametrize("since", ["", "now", "1:2:@0;", "9" * 20_000])
async def test_what_is_no_position_is_refused_by_name(rows: Database, admit: Admit, since: str) -> None:
    owner = await a_user(rows)
    calendar_id = await a_calendar(rows, {owner: "OWNER"})
    caller = await admit(owner)

    response = await caller.get(f"/api/calendars/{calendar_id}/changes", since=since)

    assert response.status_code == 400
    assert "since" in problem(response)["faults"][0]["field"]
