"""Search over HTTP: which words find what, for whom, in which order, by how many statements."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest

from tests.integration.rest.conftest import Admit
from tests.integration.rest.served import Caller, problem, statements
from tests.integration.rows import a_booking, a_calendar, a_room, a_user, an_event
from yotei.storage.pool import Database
from yotei.storage.statements import Statement

NINE = datetime(2027, 3, 3, 9, tzinfo=UTC)
DAY = timedelta(days=1)


class Team(msgspec.Struct, frozen=True):
    """Somebody with a calendar of their own, and what they find."""

    caller: Caller
    user_id: UUID
    calendar_id: UUID
    rows: Database

    async def event(self, title: str, start: datetime = NINE, **fields: Any) -> str:
        return str(await an_event(self.rows, self.calendar_id, self.user_id, start, title=title, **fields))

    async def found(self, q: str, **params: Any) -> list[str]:
        return await found(self.caller, q, **params)


async def found(caller: Caller, q: str, **params: Any) -> list[str]:
    response = await caller.get("/api/events/search", q=q, **params)
    assert response.status_code == 200, response.text
    return [one["id"] for one in response.json()["events"]]


async def endless(rows: Database, event_id: str) -> None:
    sql = "update events set rrule = 'FREQ=WEEKLY', span_end = 'infinity' where id = $1"
    await rows.execute(Statement("tests.endless", sql, "a premise"), UUID(event_id))


@pytest.fixture
async def team(rows: Database, admit: Admit) -> Team:
    user_id = await a_user(rows)
    return Team(await admit(user_id), user_id, await a_calendar(rows, {user_id: "OWNER"}), rows)


@pytest.mark.parametrize(
    ("title", "words"),
    [
        ("Budget review", "budget"),
        ("Budget review", "review budget"),
        ("Budget review", "udge"),
        ("Q4", "q4"),
        ("定例会議", "会議"),
        ("定例会議", "会"),
        ("定例会議", "定例会議"),
        ("部長と　会議", "部長 会議"),
        ("オンラインｶｲｷﾞ", "カイギ"),
        ("Ｚｏｏｍ 12", "zoom"),
        ("Überstunden", "über"),
        ("100% done", "100%"),
        ("a_b", "a_"),
        ("Feier 🎉", "🎉"),
        ("회의", "회"),
    ],
)
async def test_a_word_is_found_anywhere_in_any_language_whatever_its_case_and_width(
    team: Team, title: str, words: str
) -> None:
    await team.event("Something else altogether")
    event_id = await team.event(title)

    assert await team.found(words) == [event_id]


@pytest.mark.parametrize("words", ["議会", "budget plan", "bu%et", "a_c", "例議", "etbud"])
async def test_what_does_not_hold_every_word_is_not_found(team: Team, words: str) -> None:
    for title in ("Budget review", "定例会議", "abc"):
        await team.event(title)

    assert await team.found(words) == []


async def test_words_may_be_in_title_location_and_description_together(team: Team) -> None:
    event_id = await team.event("Planning", location="Fuji", description="budget of the year")

    assert await team.found("planning fuji budget") == [event_id]


async def test_only_the_beginning_of_a_description_is_searched(team: Team) -> None:
    await team.event("Planning", description=" ".join(["word"] * 200) + " needle")

    assert await team.found("needle") == []


async def test_titles_come_first_then_what_ends_last(team: Team, rows: Database) -> None:
    over = await team.event("Budget", NINE)
    later = await team.event("Budget", NINE + DAY)
    mentioned = await team.event("Planning", NINE + 9 * DAY, description="budget")
    goes_on = await team.event("Budget weekly", NINE - 900 * DAY)
    await endless(rows, goes_on)

    assert await team.found("budget") == [goes_on, later, over, mentioned]


async def test_pages_follow_each_other_whatever_is_written_in_between(team: Team, rows: Database) -> None:
    made = [await team.event("Budget", NINE + n * DAY) for n in range(5)]
    await endless(rows, made[4])

    first = (await team.caller.get("/api/events/search", q="budget", limit=2)).json()
    await team.event("Budget", NINE + 9 * DAY)
    second = (await team.caller.get("/api/events/search", q="budget", limit=2, cursor=first["next_cursor"])).json()
    third = (await team.caller.get("/api/events/search", q="budget", limit=2, cursor=second["next_cursor"])).json()

    pages = [[one["id"] for one in page["events"]] for page in (first, second, third)]
    assert pages == [[made[4], made[3]], [made[2], made[1]], [made[0]]]
    assert third["next_cursor"] is None


async def test_a_window_leaves_out_what_is_not_in_it(team: Team, rows: Database) -> None:
    before, within, after = [await team.event("Budget", NINE + n * DAY) for n in (-2, 0, 2)]
    series = await team.event("Budget", NINE - 30 * DAY)
    await endless(rows, series)
    window = {"start": (NINE - DAY).isoformat(), "end": (NINE + DAY).isoformat()}

    assert await team.found("budget", **window) == [series, within]
    assert await team.found("budget", start=window["start"]) == [series, after, within]
    assert await team.found("budget", end=window["end"]) == [series, within, before]


async def test_an_all_day_event_is_compared_by_the_clock_of_the_answer(team: Team) -> None:
    midnight = NINE.replace(hour=0)
    await team.event("Budget", midnight, hours=24, all_day=True)

    in_tokyo = await team.found("budget", start="2027-03-02T15:00:00Z", end="2027-03-02T16:00:00Z", tz="Asia/Tokyo")
    in_utc = await team.found("budget", start="2027-03-02T15:00:00Z", end="2027-03-02T16:00:00Z", tz="UTC")

    assert (len(in_tokyo), len(in_utc)) == (1, 0)


async def test_a_series_is_found_once_and_its_exception_only_by_words_of_its_own(team: Team, rows: Database) -> None:
    series = await team.event("Budget weekly")
    await endless(rows, series)
    of_series = {"series_id": UUID(series), "uid": series}
    await team.event("Budget weekly", NINE + 7 * DAY, recurrence_id=NINE + 7 * DAY, **of_series)
    exception = await team.event("Budget with Aiko", NINE + 14 * DAY, recurrence_id=NINE + 14 * DAY, **of_series)

    assert await team.found("budget") == [series]
    assert await team.found("aiko") == [exception]


async def test_what_is_shown_is_what_the_event_itself_shows(team: Team, rows: Database) -> None:
    event_id = await team.event("Budget", attendees=(team.user_id,))
    await a_booking(rows, await a_room(rows), UUID(event_id), NINE)

    response = await team.caller.get("/api/events/search", q="budget", tz="Asia/Tokyo")
    cut = await team.caller.get("/api/events/search", q="budget", fields="id,room_name")

    assert response.json()["events"] == [(await team.caller.get(f"/api/events/{event_id}", tz="Asia/Tokyo")).json()]
    assert cut.json()["events"] == [{"id": event_id, "room_name": "Fuji"}]


@pytest.mark.parametrize(
    ("role", "visibility", "is_found"),
    [
        ("OWNER", "CONFIDENTIAL", True),
        ("WRITER", "PRIVATE", True),
        ("WRITER", "CONFIDENTIAL", False),
        ("READER", "PUBLIC", True),
        ("READER", "PRIVATE", False),
        ("READER", "CONFIDENTIAL", False),
        ("FREE_BUSY", "PUBLIC", False),
    ],
)
async def test_who_sees_the_time_only_does_not_find_it_by_its_words(
    team: Team, rows: Database, admit: Admit, role: str, visibility: str, is_found: bool
) -> None:
    viewer = await a_user(rows)
    shared = await a_calendar(rows, {team.user_id: "OWNER", viewer: role})
    event_id = await an_event(rows, shared, team.user_id, NINE, title="Secret", visibility=visibility)
    caller = await admit(viewer)
    is_full = (await caller.get(f"/api/events/{event_id}")).json()["access"] == "full"

    assert await found(caller, "secret") == [str(event_id)] * is_found
    assert await found(caller, "secret", calendar_id=str(shared)) == [str(event_id)] * is_found
    assert is_full is is_found


async def test_invited_and_organizers_find_it_whatever_their_role(team: Team, rows: Database, admit: Admit) -> None:
    guest, reader = await a_user(rows), await a_user(rows)
    elsewhere = await a_calendar(rows, {await a_user(rows): "OWNER", reader: "FREE_BUSY"})
    private: dict[str, Any] = {"title": "Secret", "visibility": "CONFIDENTIAL"}
    event_id = str(await an_event(rows, elsewhere, team.user_id, NINE, attendees=(guest, reader), **private))
    outsider = await admit(await a_user(rows))

    assert await team.found("secret") == [event_id]
    assert await found(await admit(guest), "secret") == [event_id]
    assert await found(await admit(reader), "secret") == [event_id]
    assert await found(outsider, "secret") == []


async def test_what_is_deleted_is_not_found(team: Team, rows: Database) -> None:
    await team.event("Budget", deleted_at=NINE)
    gone = await a_calendar(rows, {team.user_id: "OWNER"}, deleted_at=NINE)
    await an_event(rows, gone, team.user_id, NINE, title="Budget")

    assert await team.found("budget") == []


async def test_a_calendar_that_is_not_shared_is_not_there(team: Team, rows: Database) -> None:
    hidden = await a_calendar(rows, {await a_user(rows): "OWNER"})

    of_hidden = await team.caller.get("/api/events/search", q="budget", calendar_id=str(hidden))
    of_none = await team.caller.get("/api/events/search", q="budget", calendar_id=str(uuid4()))

    assert problem(of_hidden)["code"] == problem(of_none)["code"] == "not_found"


@pytest.mark.parametrize("count", [1, 10, 200])
async def test_it_takes_one_statement_and_the_token_however_much_is_found(team: Team, count: int) -> None:
    for n in range(count):
        await team.event("Budget", NINE + n * DAY, attendees=(team.user_id,))

    response = await team.caller.get("/api/events/search", q="budget", limit=500)

    assert len(response.json()["events"]) == count
    assert statements(response) == 2


@pytest.mark.parametrize("q", ["", " ", "a", "a b", "x" * 201, " ".join(f"w{n}" for n in range(11)), "ab\0cd"])
async def test_words_that_find_nothing_or_too_many_are_refused_by_name(team: Team, q: str) -> None:
    response = await team.caller.get("/api/events/search", q=q)

    assert response.status_code == 400
    assert [fault["field"] for fault in problem(response)["faults"]] == ["query.q"]


async def test_without_words_and_with_a_window_that_ends_before_it_starts_it_is_refused(team: Team) -> None:
    without = await team.caller.get("/api/events/search")
    backwards = await team.caller.get("/api/events/search", q="budget", start="2027-03-02", end="2027-03-01")

    assert problem(without)["faults"][0]["field"] == "query.q"
    assert problem(backwards)["faults"][0]["field"] == "query.end"


async def test_an_edit_is_found_by_its_new_words_at_once(team: Team) -> None:
    event_id = await team.event("Budget")
    await team.caller.send("PATCH", f"/api/events/{event_id}", {"title": "定例会議"})

    assert (await team.found("budget"), await team.found("定例")) == ([], [event_id])
