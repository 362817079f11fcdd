"""What the query of a list may say: windows, zones, pages, fields, filters; and what is refused, by name."""

import base64
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID, uuid4

import msgspec
import pytest

from tests.integration.rest.conftest import Admit
from tests.integration.rest.served import Caller, problem, statements
from tests.integration.rows import a_booking, a_calendar, a_room, a_user, an_event
from yotei.storage.pool import Database

Listed = dict[str, Any]


class Team(msgspec.Struct, frozen=True):
    """A calendar with its owner, who asks."""

    caller: Caller
    owner: UUID
    calendar_id: UUID

    async def events(self, **params: Any) -> Listed:
        response = await self.caller.get("/api/events", calendar_id=self.calendar_id, **params)
        assert response.status_code == 200, response.text
        return dict(response.json())

    async def refusal(self, **params: Any) -> Listed:
        response = await self.caller.get("/api/events", calendar_id=self.calendar_id, **params)
        assert response.status_code == 400, response.text
        return problem(response)


@pytest.fixture
async def team(rows: Database, admit: Admit) -> Team:
    owner = await a_user(rows, tzid="Asia/Tokyo")
    return Team(await admit(owner), owner, await a_calendar(rows, {owner: "OWNER"}))


def at(day: int, hour: int = 9) -> datetime:
    return datetime(2026, 12, day, hour, tzinfo=UTC)


DECEMBER = {"start": "2026-12-01", "end": "2027-01-01"}


async def test_without_a_window_the_answer_is_the_current_month_and_says_so(team: Team) -> None:
    before = datetime.now(UTC)

    listed = await team.events(tz="Asia/Tokyo")

    start, end = (datetime.fromisoformat(listed["window"][name]) for name in ("start", "end"))
    assert listed["window"]["tz"] == "Asia/Tokyo"
    assert (start.day, start.hour, end.day, end.hour) == (1, 0, 1, 0)
    assert start.utcoffset() == end.utcoffset() == datetime.fromisoformat("2026-12-01T00:00+09:00").utcoffset()
    assert start <= before < end
    assert 28 <= (end - start).days <= 31


@pytest.mark.parametrize(
    ("params", "start", "end"),
    [
        (DECEMBER, "2026-12-01T00:00:00+09:00", "2027-01-01T00:00:00+09:00"),
        ({**DECEMBER, "tz": "UTC"}, "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"),
        (
            {"start": "2026-12-01T09:00", "end": "2026-12-01T10:30:15.5"},
            "2026-12-01T09:00:00+09:00",
            "2026-12-01T10:30:15.500000+09:00",
        ),
        (
            {"start": "2026-12-01T00:00:00Z", "end": "2026-12-02t00:00:00z"},
            "2026-12-01T09:00:00+09:00",
            "2026-12-02T09:00:00+09:00",
        ),
        (
            {"start": "2026-12-01T09:00:00+09:00", "end": "2026-12-01T00:00:00-05:00"},
            "2026-12-01T09:00:00+09:00",
            "2026-12-01T14:00:00+09:00",
        ),
        ({"start": "2026-12-01"}, "2026-12-01T00:00:00+09:00", "2027-01-01T00:00:00+09:00"),
        ({"end": "2027-01-01"}, "2026-12-01T00:00:00+09:00", "2027-01-01T00:00:00+09:00"),
    ],
)
async def test_times_without_an_offset_are_of_the_zone_of_the_answer(
    team: Team, params: dict[str, str], start: str, end: str
) -> None:
    listed = await team.events(**params)

    assert (listed["window"]["start"], listed["window"]["end"]) == (start, end)


async def test_a_plus_that_was_not_escaped_is_still_an_offset(team: Team) -> None:
    path = f"/api/events?calendar_id={team.calendar_id}&start=2026-12-01T09:00:00+09:00&end=2026-12-02T09:00+09:00"

    response = await team.caller.client.get(path, headers=team.caller.headers)

    assert response.json()["window"]["start"] == "2026-12-01T09:00:00+09:00"


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"start": "2026-12-02", "end": "2026-12-01"}, "query.end"),
        ({"start": "2026-12-01", "end": "2026-12-01"}, "query.end"),
        ({"start": "2026-01-01", "end": "2027-01-03"}, "query.end"),
        ({"start": "1599-12-31"}, "query.start"),
        ({"end": "9001-01-01"}, "query.end"),
        ({"start": "0000-01-01"}, "query.start"),
        ({"start": "0001-01-01T00:00:00+14:00"}, "query.start"),
        ({"start": "yesterday"}, "query.start"),
        ({"start": ""}, "query.start"),
        ({"start": "2026-13-01"}, "query.start"),
        ({"start": "2026-W01-1"}, "query.start"),
        ({"start": "20261201T09"}, "query.start"),
        ({"start": "2026-12-01T25:00"}, "query.start"),
        ({"start": "2026-12-01T09:00+99:00"}, "query.start"),
        ({"start": "２０２６-12-01"}, "query.start"),
        ({"start": "1796083200"}, "query.start"),
        # The clock is set forward at 02:00: 02:30 does not exist and is meant as 03:30, which is after 03:15.
        ({"start": "2026-03-29T02:30", "end": "2026-03-29T03:15", "tz": "Europe/Berlin"}, "query.end"),
    ],
)
async def test_a_window_that_is_none_is_refused_by_its_end(team: Team, params: dict[str, str], field: str) -> None:
    refused = await team.refusal(**params)
    of_rooms = await team.caller.get("/api/resources/availability", **params)

    assert (refused["code"], [fault["field"] for fault in refused["faults"]]) == ("invalid_window", [field])
    assert problem(of_rooms)["code"] == "invalid_window"


async def test_a_whole_year_is_no_longer_by_the_hour_that_its_clock_is_set_back(team: Team) -> None:
    # 366 days from summer time into winter time.
    listed = await team.events(start="2025-10-25", end="2026-10-26", tz="Europe/Berlin")

    assert listed["window"]["end"] == "2026-10-26T00:00:00+01:00"


@pytest.mark.parametrize("tz", ["Mars/Olympus", "../etc/passwd", "é"])
async def test_a_zone_that_nobody_knows_is_refused(team: Team, tz: str) -> None:
    refused = await team.refusal(tz=tz)

    assert (refused["code"], refused["faults"][0]["field"]) == ("unknown_time_zone", "query.tz")


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"limit": 0}, "query.limit"),
        ({"limit": 501}, "query.limit"),
        ({"limit": -1}, "query.limit"),
        ({"limit": "many"}, "query.limit"),
        ({"order": "sideways"}, "query.order"),
        ({"expand": "all"}, "query.expand"),
        ({"status": "GONE"}, "query.status"),
        ({"organizer_id": "aiko"}, "query.organizer_id"),
        ({"fields": "id,colour"}, "query.fields"),
        ({"tz": "x" * 65}, "query.tz"),
        ({"limt": 5}, "query.limt"),
        ({"Limit": 5}, "query.Limit"),
    ],
)
async def test_a_parameter_that_is_wrong_is_named(team: Team, params: dict[str, Any], field: str) -> None:
    refused = await team.refusal(**params)

    assert (refused["code"], [fault["field"] for fault in refused["faults"]]) == ("invalid_request", [field])


@pytest.mark.parametrize(
    "path",
    [
        "/api/calendars?x=1",
        "/api/users/me?x=1",
        "/api/users?x=1",
        "/api/tokens?x=1",
        "/api/resources?x=1",
        "/api/resources/availability?x=1",
        "/api/users/me/agenda?x=1",
        f"/api/events/{UUID(int=1)}?x=1",
        f"/api/events/{UUID(int=1)}?viewer=1",
        f"/api/events/{UUID(int=1)}?event_id=1",
    ],
)
async def test_a_parameter_that_no_route_knows_is_refused_everywhere(team: Team, path: str) -> None:
    response = await team.caller.client.get(path, headers=team.caller.headers)

    name = path.partition("?")[2].partition("=")[0]
    assert response.status_code == 400
    assert problem(response)["faults"][0]["field"] == f"query.{name}"


@pytest.mark.parametrize("query", ["features=screen&features=phone", "limit=1&limit=1"])
async def test_a_parameter_that_comes_twice_is_refused_and_not_half_heard(team: Team, query: str) -> None:
    response = await team.caller.client.get(f"/api/resources?{query}", headers=team.caller.headers)

    assert response.status_code == 400
    assert [fault["field"] for fault in problem(response)["faults"]] == [f"query.{query.partition('=')[0]}"]


async def test_a_calendar_has_to_be_named(team: Team) -> None:
    missing = await team.caller.get("/api/events")
    wrong = await team.caller.get("/api/events", calendar_id="team")

    for response in (missing, wrong):
        assert response.status_code == 400
        assert problem(response)["faults"][0]["field"] == "query.calendar_id"


@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_cursors_lead_through_all_pages_in_order(
    rows: Database, team: Team, order: Literal["asc", "desc"]
) -> None:
    ids = [str(await an_event(rows, team.calendar_id, team.owner, at(day))) for day in range(1, 8)]
    found: list[str] = []
    cursor: dict[str, str] = {}

    for _ in range(3):
        page = await team.events(**DECEMBER, order=order, limit=3, **cursor)
        found += [event["id"] for event in page["events"]]
        cursor = {"cursor": page["next_cursor"]}

    assert found == (ids if order == "asc" else ids[::-1])
    assert cursor == {"cursor": None}


async def test_the_pages_of_calendars_and_resources_follow_their_names(rows: Database, team: Team) -> None:
    for name in ("Alpha", "Alpha", "𝔖" * 200, "Zeta"):
        await a_calendar(rows, {team.owner: "READER"}, name=name)
    of_team = f"of {team.owner}"
    for name in ("Aso", "Fuji", "Hakone"):
        await a_room(rows, name, features=[of_team])

    calendars = await all_pages(team.caller, "/api/calendars", "calendars", limit=1)
    resources = await all_pages(team.caller, "/api/resources", "resources", limit=2, features=of_team)

    assert sorted(one["name"] for one in calendars) == sorted(["Alpha", "Alpha", "Team", "Zeta", "𝔖" * 200])
    assert len({one["id"] for one in calendars}) == 5
    assert [one["name"] for one in resources] == ["Aso", "Fuji", "Hakone"]


async def test_a_cursor_that_is_none_of_this_list_is_refused(rows: Database, team: Team) -> None:
    for day in (1, 2):
        await an_event(rows, team.calendar_id, team.owner, at(day))
        await a_calendar(rows, {team.owner: "OWNER"})
    of_events = (await team.events(**DECEMBER, limit=1))["next_cursor"]
    of_calendars = (await team.caller.get("/api/calendars", limit=1)).json()["next_cursor"]

    tries = [
        ("/api/resources", of_calendars),
        ("/api/calendars", of_events),
        ("/api/users/me/agenda", of_calendars),
        ("/api/calendars", "x"),
        ("/api/calendars", "é"),
        ("/api/calendars", ""),
        ("/api/calendars", of_calendars[:-2]),
        ("/api/users/me/agenda", forged(["events", 2**64 - 1, bytes(16), None, "asc"])),
        ("/api/users/me/agenda", forged(["events", 2**63 - 1, bytes(16), None, "asc"])),
        ("/api/users/me/agenda", forged(["events", 1, bytes(16), "2026-12-01T00:00:00", "asc"])),
        ("/api/users/me/agenda", base64.urlsafe_b64encode(b"\x91" * 1_500).decode()),
    ]

    for path, cursor in tries:
        response = await team.caller.get(path, cursor=cursor)

        assert (response.status_code, problem(response)["code"]) == (400, "invalid_cursor"), (path, cursor)


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("key", [-(2**57), 0, 2**57])
async def test_a_cursor_from_the_ends_of_time_is_a_place_like_any_other(team: Team, key: int, order: str) -> None:
    listed = await team.events(**DECEMBER, order=order, cursor=forged(["events", key, bytes(16), None, order]))

    assert listed["events"] == []


async def test_only_the_fields_that_are_asked_for_come(rows: Database, team: Team) -> None:
    event_id = await an_event(rows, team.calendar_id, team.owner, at(1))

    listed = await team.events(**DECEMBER, fields="title, id")
    alone = await team.caller.get(f"/api/events/{event_id}", fields="title")

    assert listed["events"] == [{"id": str(event_id), "title": "Planning"}]
    assert alone.json() == {"title": "Planning"}


@pytest.mark.parametrize("fields", ["", ",", " "])
async def test_no_field_at_all_is_refused(team: Team, fields: str) -> None:
    refused = await team.refusal(fields=fields)

    assert refused["faults"][0]["field"] == "query.fields"


async def test_fields_and_cursors_are_refused_before_the_events_are_read(team: Team) -> None:
    response = await team.caller.get("/api/events", calendar_id=team.calendar_id, fields="colour")

    assert statements(response) == 1


async def test_a_series_comes_as_its_instances_or_once_with_its_rule(rows: Database, team: Team) -> None:
    fields: dict[str, Any] = {"rrule": "FREQ=DAILY;COUNT=3", "span_end": at(3, 10)}
    series_id = await an_event(rows, team.calendar_id, team.owner, at(1), **fields)

    instances = await team.events(**DECEMBER)
    masters = await team.events(**DECEMBER, expand="masters")

    assert [event["series_id"] for event in instances["events"]] == [str(series_id)] * 3
    assert [(event["id"], event["rrule"]) for event in masters["events"]] == [(str(series_id), "FREQ=DAILY;COUNT=3")]


async def test_filters_choose_by_status_organizer_attendee_and_room(rows: Database, team: Team) -> None:
    guest = await a_user(rows)
    plain = await an_event(rows, team.calendar_id, team.owner, at(1))
    invited = await an_event(rows, team.calendar_id, guest, at(2), attendees=(guest,), status="TENTATIVE")
    room_id = await a_room(rows)
    await a_booking(rows, room_id, plain, at(1))

    found = {
        name: [event["id"] for event in (await team.events(**DECEMBER, **{name: value}))["events"]]
        for name, value in {
            "status": "TENTATIVE",
            "organizer_id": team.owner,
            "attendee_id": guest,
            "resource_id": room_id,
        }.items()
    }

    assert found == {
        "status": [str(invited)],
        "organizer_id": [str(plain)],
        "attendee_id": [str(invited)],
        "resource_id": [str(plain)],
    }


async def test_a_window_with_more_than_can_be_told_is_refused(rows: Database, team: Team) -> None:
    await an_event(
        rows,
        team.calendar_id,
        team.owner,
        at(1),
        hours=0,
        rrule="FREQ=MINUTELY",
        span_end=datetime(2030, 1, 1, tzinfo=UTC),
    )

    response = await team.caller.get("/api/events", calendar_id=team.calendar_id, **DECEMBER)

    assert response.status_code == 422
    assert problem(response)["code"] == "window_too_large"


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"resource_ids": ""}, "query.resource_ids"),
        ({"resource_ids": "fuji"}, "query.resource_ids"),
        ({"resource_ids": ",".join(str(UUID(int=n)) for n in range(201))}, "query.resource_ids"),
        ({"kind": "DOG"}, "query.kind"),
        ({"seats_min": 0}, "query.seats_min"),
        ({"seats_min": 2**31}, "query.seats_min"),
        ({"slot_minutes": -1}, "query.slot_minutes"),
    ],
)
async def test_wrong_wishes_for_rooms_are_named(team: Team, params: dict[str, Any], field: str) -> None:
    response = await team.caller.get("/api/resources/availability", **params)

    assert response.status_code == 400
    assert problem(response)["faults"][0]["field"] == field


async def test_availability_is_told_in_the_zone_of_the_answer_and_in_the_order_of_the_ids(
    rows: Database, team: Team
) -> None:
    aso, fuji = await a_room(rows, "Aso"), await a_room(rows, "Fuji")

    response = await team.caller.get(
        "/api/resources/availability",
        resource_ids=f"{fuji}, {aso},{fuji},{uuid4()}",
        start="2026-12-01",
        end="2026-12-02",
    )

    told = response.json()
    day = {"start": "2026-12-01T00:00:00+09:00", "end": "2026-12-02T00:00:00+09:00"}
    assert [one["resource"]["id"] for one in told["resources"]] == [str(fuji), str(aso)]
    assert [(one["is_free"], one["free"], one["busy"]) for one in told["resources"]] == [(True, [day], [])] * 2
    assert (told["start"], told["end"], told["tz"]) == (day["start"], day["end"], "Asia/Tokyo")


async def all_pages(caller: Caller, path: str, name: str, **params: Any) -> list[Listed]:
    found: list[Listed] = []
    for _ in range(20):
        response = await caller.get(path, **params)
        assert response.status_code == 200, response.text
        found += response.json()[name]
        if response.json()["next_cursor"] is None:
            return found
        params["cursor"] = response.json()["next_cursor"]
    raise AssertionError("the pages never end")


def forged(values: list[Any]) -> str:
    """A cursor as somebody would make it who knows how they are written."""
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(values)).rstrip(b"=").decode()
