"""Free/busy, meeting times, search, history and reads by many ids: the answers of REST, for the same callers, by as
many statements."""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import msgspec
import pytest
from graphql import GraphQLObjectType, get_named_type
from strawberry.utils.str_converters import to_camel_case

from tests.conftest import PostgresFactory
from tests.integration.graphql.words import as_input, as_rest, selected
from tests.integration.rest.served import Caller, admitted, serve, settings, statements
from tests.integration.rows import a_booking, a_calendar, a_room, a_user, an_event
from yotei.api.graphql import schema
from yotei.storage.pool import Database

NINE = datetime(2026, 12, 1, 9, tzinfo=UTC)
DAY = {"start": "2026-12-01T00:00:00", "end": "2026-12-02T00:00:00", "tz": "Asia/Tokyo"}
WINDOW = {"start", "end", "tz"}


class Team(msgspec.Struct, frozen=True):
    """Somebody with a calendar of their own, at both doors of one application."""

    client: httpx.AsyncClient
    rows: Database
    caller: Caller
    user_id: UUID
    calendar_id: UUID

    async def event(self, **fields: Any) -> UUID:
        return await an_event(self.rows, self.calendar_id, self.user_id, NINE, **fields)

    async def admit(self, user_id: UUID, *scopes: str) -> Caller:
        return await admitted(self.client, self.rows, user_id, scopes or ("read", "write"))


class Told(msgspec.Struct, frozen=True):
    """What one field of the root answered."""

    value: Any
    errors: list[dict[str, Any]]
    statements: int

    @property
    def refused(self) -> tuple[str, list[str]]:
        """The code of the only error, and the fields that it names."""
        (error,) = self.errors
        extensions = error["extensions"]
        return extensions["code"], [one["field"] for one in extensions.get("faults", ())]


@pytest.fixture(scope="module")
async def served_url(postgres: PostgresFactory) -> AsyncIterator[str]:
    url = await postgres.migrated()
    yield url
    await postgres.drop(url)


@pytest.fixture(scope="module")
async def client(served_url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with serve(settings(served_url)) as opened:
        yield opened


@pytest.fixture
async def team(client: httpx.AsyncClient, served_url: str) -> AsyncIterator[Team]:
    async with await Database.connect(served_url, size_min=1, size_max=2) as rows:
        user_id = await a_user(rows, "Aiko")
        caller = await admitted(client, rows, user_id)
        yield Team(client, rows, caller, user_id, await a_calendar(rows, {user_id: "OWNER"}))


async def ask(caller: Caller, field: str, shown: str, arguments: Mapping[str, Any]) -> Told:
    """One field of the root with these arguments."""
    assert schema.CORE.query_type is not None
    args = schema.CORE.query_type.fields[field].args
    declared = ", ".join(f"${name}: {args[name].type}" for name in arguments)
    given = ", ".join(f"{name}: ${name}" for name in arguments)
    body = {"query": f"query ({declared}) {{ {field}({given}) {shown} }}", "variables": dict(arguments)}
    response = await caller.post("/graphql", msgspec.to_builtins(body))
    answer = response.json()
    assert "data" in answer, answer
    return Told(answer["data"][field], answer.get("errors", []), statements(response))


def type_of(field: str) -> GraphQLObjectType:
    assert schema.CORE.query_type is not None
    found = get_named_type(schema.CORE.query_type.fields[field].type)
    assert isinstance(found, GraphQLObjectType)
    return found


def question(field: str, asked: Mapping[str, Any]) -> dict[str, Any]:
    assert schema.CORE.query_type is not None
    return {"input": as_input(dict(asked), schema.CORE.query_type.fields[field].args["input"].type)}


async def by_both(team: Team, path: str, field: str, asked: Mapping[str, Any]) -> tuple[Any, Any]:
    """What both doors answer to a question, each of the same statements."""
    of_rest = await team.caller.post(path, msgspec.to_builtins(asked))
    assert of_rest.status_code == 200, of_rest.text
    expected = {name: value for name, value in of_rest.json().items() if name not in WINDOW}
    fields = " ".join(
        f"{to_camel_case(name)} {selected(value, type_of(field).fields[to_camel_case(name)].type)}"
        for name, value in expected.items()
    )
    told = await ask(team.caller, field, f"{{ {fields} window {{ start end tz }} }}", question(field, asked))
    assert told.errors == []
    assert told.statements == statements(of_rest)
    window = {name: value for name, value in of_rest.json().items() if name in WINDOW}
    assert {name: told.value["window"][name] for name in window} == window
    shown = {name: value for name, value in told.value.items() if name != "window"}
    return expected, as_rest(shown, type_of(field))


class TestFreeBusy:
    async def test_it_is_that_of_rest(self, team: Team) -> None:
        ben = await a_user(team.rows, "Ben")
        room_id = await a_room(team.rows, tzid="Asia/Tokyo", opening_hours='{"tue": [["09:00", "24:00"]]}')
        event_id = await team.event(attendees=(ben,))
        await a_booking(team.rows, room_id, event_id, NINE)
        asked = {
            **DAY,
            "user_ids": [uuid4(), team.user_id],
            "emails": [f"{ben}@example.org"],
            "resource_ids": [room_id],
            "merge": True,
        }

        expected, told = await by_both(team, "/api/freebusy", "freeBusy", asked)

        assert told == expected
        assert len(told["merged"]) == 2

    async def test_whom_it_is_about_is_one_statement_more(self, team: Team) -> None:
        people = [team.user_id, *[await a_user(team.rows, "Ben") for _ in range(3)]]
        rooms = [await a_room(team.rows, "Fuji") for _ in range(3)]
        asked = question("freeBusy", {**DAY, "user_ids": people, "resource_ids": rooms})

        told = await ask(
            team.caller,
            "freeBusy",
            "{ people { user { name tzid } } resources { resource { name } } merged { start } }",
            asked,
        )

        assert told.statements == 4  # token, two of free/busy, people; the resources come along
        assert [one["user"]["name"] for one in told.value["people"]] == ["Aiko", "Ben", "Ben", "Ben"]
        assert [one["resource"]["name"] for one in told.value["resources"]] == ["Fuji"] * 3
        assert told.value["merged"] is None

    async def test_it_needs_the_scope_to_read(self, team: Team) -> None:
        writer = await team.admit(team.user_id, "write")

        told = await ask(
            writer, "freeBusy", "{ people { userId } }", question("freeBusy", {**DAY, "user_ids": [team.user_id]})
        )

        assert (told.value, told.refused) == (None, ("forbidden", []))

    async def test_a_document_asks_one_of_them(self, team: Team) -> None:
        asked = f'{{start: "2026-12-01", end: "2026-12-02", userIds: ["{team.user_id}"]}}'
        later = asked.replace("12-02", "12-03")
        both = f"a: freeBusy(input: {asked}) {{ window {{ tz }} }} b: freeBusy(input: {later}) {{ window {{ tz }} }}"

        response = await team.caller.post("/graphql", {"query": f"{{ {both} }}"})

        answer = response.json()
        assert "data" not in answer
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["graphql_limit_exceeded"]
        assert answer["errors"][0]["extensions"]["plan"]["statements"] == 4
        assert statements(response) == 1


class TestMeetingTimes:
    async def test_they_are_those_of_rest(self, team: Team) -> None:
        ben = await a_user(team.rows, "Ben")
        feature = str(uuid4())
        await a_room(team.rows, "Fuji", seats=4, features=[feature])
        await team.event()
        asked = {
            "start": "2026-12-01T10:00:00+01:00",
            "end": "2026-12-01T13:00:00+01:00",
            "tz": "Europe/Berlin",
            "duration_minutes": 60,
            "attendees": [{"user_id": team.user_id}, {"user_id": ben, "is_optional": True}, {"email": "x@else.org"}],
            "rooms": {"features": [feature], "seats_min": 3},
            "step_minutes": 30,
            "limit": 2,
            "working_hours": "REQUIRE",
        }

        expected, told = await by_both(team, "/api/meeting-times", "meetingTimes", asked)

        assert told == expected
        assert [one["rooms"][0]["name"] for one in told["proposals"]] == ["Fuji", "Fuji"]
        assert told["unknown"] == [{"user_id": None, "email": "x@else.org", "resource_id": None}]

    async def test_without_one_it_says_who_is_in_the_way(self, team: Team) -> None:
        await team.event()
        asked = {
            "start": NINE.isoformat(),
            "end": (NINE + timedelta(hours=1)).isoformat(),
            "duration_minutes": 60,
            "attendees": [{"user_id": team.user_id}],
        }
        expected, told = await by_both(team, "/api/meeting-times", "meetingTimes", asked)
        named = await ask(
            team.caller,
            "meetingTimes",
            "{ obstacles { user { name } resource { name } } }",
            question("meetingTimes", asked),
        )

        assert told == expected
        assert told["proposals"] == []
        assert named.value["obstacles"] == [{"user": {"name": "Aiko"}, "resource": None}]


ONE = {"user_ids": ["01900000-0000-7000-8000-000000000001"]}
MEETING = {**DAY, "attendees": [{"email": "a@example.org"}], "duration_minutes": 30}


@pytest.mark.parametrize(
    ("field", "asked", "code", "at"),
    [
        ("freeBusy", {**DAY}, "invalid_request", "input"),
        ("freeBusy", {**DAY, **ONE, "end": DAY["start"]}, "invalid_window", "input.end"),
        ("freeBusy", {**DAY, **ONE, "tz": "Mars/Olympus"}, "unknown_time_zone", "input.tz"),
        ("freeBusy", {**DAY, "user_ids": ONE["user_ids"] * 2}, "invalid_request", "input.userIds[1]"),
        ("freeBusy", {**DAY, "user_ids": ONE["user_ids"] * 201}, "invalid_request", "input.userIds"),
        ("freeBusy", {**DAY, "emails": ["nobody"]}, "invalid_request", "input.emails[0]"),
        ("meetingTimes", {**MEETING, "duration_minutes": 0}, "invalid_request", "input.durationMinutes"),
        ("meetingTimes", {**MEETING, "step_minutes": 7}, "invalid_request", "input.stepMinutes"),
        ("meetingTimes", {**MEETING, "limit": 101}, "invalid_request", "input.limit"),
        ("meetingTimes", {**MEETING, "rooms": {"count": 0}}, "invalid_request", "input.rooms.count"),
        ("meetingTimes", {**MEETING, "attendees": [{}]}, "invalid_request", "input.attendees[0]"),
        ("meetingTimes", {**MEETING, "resource_ids": None}, "invalid_request", "input.resourceIds"),
    ],
)
async def test_a_question_that_is_not_one_is_refused_by_the_field_of_the_input(
    team: Team, field: str, asked: dict[str, Any], code: str, at: str
) -> None:
    told = await ask(team.caller, field, "{ window { tz } }", question(field, asked))

    assert (told.value, told.refused) == (None, (code, [at]))
    assert "_" not in told.errors[0]["message"].removeprefix(at)
    assert told.statements == 1


class TestSearch:
    SHOWN = "{ nodes { id title } edges { cursor node { id } } pageInfo { hasNextPage endCursor } }"

    async def test_it_finds_what_rest_finds_and_shows_it_alike(self, team: Team) -> None:
        word = uuid4().hex
        await team.event(title=f"Budget {word}", attendees=(team.user_id,))
        await team.event(title="Planning", description=word)
        of_rest = await team.caller.get(
            "/api/events/search", q=word, calendar_id=str(team.calendar_id), tz="Asia/Tokyo"
        )
        example = of_rest.json()["events"]
        nodes = type_of("searchEvents").fields["nodes"].type

        told = await ask(
            team.caller,
            "searchEvents",
            f"{{ nodes {selected(example, nodes)} }}",
            {"words": word, "calendarId": team.calendar_id, "tz": "Asia/Tokyo"},
        )

        assert len(example) == 2
        assert as_rest(told.value["nodes"], nodes) == example
        assert told.statements == statements(of_rest) == 2

    async def test_pages_follow_from_any_cursor(self, team: Team) -> None:
        word = uuid4().hex
        made = [str(await team.event(title=word)) for _ in range(5)]

        first = (await ask(team.caller, "searchEvents", self.SHOWN, {"words": word, "first": 3})).value
        middle = first["edges"][1]["cursor"]
        rest = (await ask(team.caller, "searchEvents", self.SHOWN, {"words": word, "after": middle})).value

        assert (first["pageInfo"]["hasNextPage"], rest["pageInfo"]["hasNextPage"]) == (True, False)
        assert first["pageInfo"]["endCursor"] == first["edges"][2]["cursor"]
        found = [one["id"] for one in first["nodes"][:2]] + [one["id"] for one in rest["nodes"]]
        assert len(found) == 5
        assert {*found} == {*made}

    async def test_who_sees_the_time_only_finds_nothing(self, team: Team) -> None:
        word, reader = uuid4().hex, await a_user(team.rows, "Ben")
        shared = await a_calendar(team.rows, {team.user_id: "OWNER", reader: "READER"})
        for visibility in ("PUBLIC", "PRIVATE"):
            await an_event(team.rows, shared, team.user_id, NINE, title=f"{word} {visibility}", visibility=visibility)

        told = await ask(await team.admit(reader), "searchEvents", self.SHOWN, {"words": word})

        assert [one["title"] for one in told.value["nodes"]] == [f"{word} PUBLIC"]

    @pytest.mark.parametrize(
        ("arguments", "code", "at"),
        [
            ({"words": "a"}, "invalid_request", ["words"]),
            ({"words": "x" * 201}, "invalid_request", ["words"]),
            ({"words": "budget", "first": 0}, "invalid_request", ["first"]),
            ({"words": "budget", "after": "x"}, "invalid_cursor", ["after"]),
            ({"words": "budget", "start": "2026-12-02", "end": "2026-12-01"}, "invalid_window", ["end"]),
            ({"words": "budget", "calendarId": str(uuid4())}, "not_found", []),
        ],
    )
    async def test_what_is_refused_names_its_argument(
        self, team: Team, arguments: dict[str, Any], code: str, at: list[str]
    ) -> None:
        told = await ask(team.caller, "searchEvents", self.SHOWN, arguments)

        assert (told.value, told.refused) == (None, (code, at))


class TestHistory:
    CHANGES = "changes { kind did fields person { id name } resource { id name } }"
    SHOWN = (
        f"{{ nodes {{ changedAt actor {{ id name }} {CHANGES} }} reachesBackTo pageInfo {{ hasNextPage endCursor }} }}"
    )

    async def test_it_is_that_of_rest(self, team: Team) -> None:
        event_id = await team.event()
        guest = {"user_id": str(await a_user(team.rows, "Ben"))}
        later = {"start_time": "2026-12-01T11:00:00Z", "end_time": "2026-12-01T12:00:00Z"}
        await team.caller.send("PATCH", f"/api/events/{event_id}", {"attendees": [guest], **later})
        of_rest = await team.caller.get(f"/api/events/{event_id}/history", tz="Asia/Tokyo")

        told = await ask(team.caller, "eventHistory", self.SHOWN, {"eventId": event_id, "tz": "Asia/Tokyo"})

        assert told.value["reachesBackTo"] == of_rest.json()["reaches_back_to"]
        assert [flat(one) for one in as_rest(told.value["nodes"], type_of("eventHistory").fields["nodes"].type)] == [
            flat(one) for one in of_rest.json()["entries"]
        ]
        assert {"startTime", "endTime"} <= {*told.value["nodes"][0]["changes"][0]["fields"]}
        assert told.statements == statements(of_rest) == 2

    async def test_it_is_paged_from_the_newest_on(self, team: Team) -> None:
        event_id = await team.event()
        for n in range(4):
            await team.caller.send("PATCH", f"/api/events/{event_id}", {"title": f"{n}"})
        whole = (await ask(team.caller, "eventHistory", self.SHOWN, {"eventId": event_id})).value["nodes"]

        pages: list[list[Any]] = []
        place: dict[str, Any] = {}
        for _ in range(3):
            shown = (
                await ask(team.caller, "eventHistory", self.SHOWN, {"eventId": event_id, "first": 2, **place})
            ).value
            pages.append(shown["nodes"])
            place = {"after": shown["pageInfo"]["endCursor"]}

        assert [len(one) for one in pages] == [2, 2, 1]
        assert [one for page in pages for one in page] == whole
        assert shown["pageInfo"]["hasNextPage"] is False

    async def test_only_those_who_see_all_of_the_event_may_know(self, team: Team) -> None:
        reader, outsider = await a_user(team.rows), await a_user(team.rows)
        shared = await a_calendar(team.rows, {team.user_id: "OWNER", reader: "READER"})
        event_id = await an_event(team.rows, shared, team.user_id, NINE, visibility="PRIVATE")

        told = [
            await ask(await team.admit(one), "eventHistory", self.SHOWN, {"eventId": event_id})
            for one in (reader, outsider)
        ]

        assert [one.refused for one in told] == [("forbidden", []), ("not_found", [])]

    async def test_that_of_a_deleted_event_is_there_for_its_writers(self, team: Team) -> None:
        event_id = await team.event()
        await team.caller.delete(f"/api/events/{event_id}")

        told = await ask(team.caller, "eventHistory", self.SHOWN, {"eventId": event_id})

        assert [one["did"] for one in told.value["nodes"][0]["changes"]] == ["DELETED"]


class TestManyIds:
    async def test_events_are_those_of_rest_each_missing_one_null_with_an_error_of_its_own(self, team: Team) -> None:
        other = await a_user(team.rows)
        hidden = await an_event(team.rows, await a_calendar(team.rows, {other: "OWNER"}), other, NINE)
        there = [await team.event(title=f"{n}", attendees=(other,)) for n in range(3)]
        ids = [there[0], uuid4(), there[1], hidden, there[2], there[0]]
        of_rest = await team.caller.post("/api/batch/events?tz=Asia/Tokyo", {"ids": [str(one) for one in ids]})
        items = [one["event"] for one in of_rest.json()["items"]]

        told = await ask(
            team.caller, "eventsByIds", selected(items, type_of("eventsByIds")), {"ids": ids, "tz": "Asia/Tokyo"}
        )

        assert as_rest(told.value, type_of("eventsByIds")) == items
        assert [(one["path"], one["extensions"]["code"]) for one in told.errors] == [
            (["eventsByIds", 1], "not_found"),
            (["eventsByIds", 3], "not_found"),
        ]
        assert told.statements == statements(of_rest) == 2

    async def test_people_are_those_of_rest(self, team: Team) -> None:
        ids = [await a_user(team.rows, "Ben"), uuid4(), team.user_id]
        of_rest = await team.caller.post("/api/batch/users", {"ids": [str(one) for one in ids]})
        items = [one["user"] for one in of_rest.json()["items"]]

        told = await ask(team.caller, "usersByIds", selected(items, type_of("usersByIds")), {"ids": ids})

        assert as_rest(told.value, type_of("usersByIds")) == items
        assert [one["path"] for one in told.errors] == [["usersByIds", 1]]
        assert told.statements == statements(of_rest) == 2

    async def test_availability_is_that_of_rest(self, team: Team) -> None:
        rooms = [await a_room(team.rows, name) for name in ("Fuji", "Haru")]
        await a_booking(team.rows, rooms[0], await team.event(), NINE)
        ids = [rooms[1], uuid4(), rooms[0]]
        body = {"ids": [str(one) for one in ids], "start": DAY["start"], "end": DAY["end"], "slot_minutes": 30}
        of_rest = await team.caller.post("/api/batch/availability?tz=Asia/Tokyo", body)
        items = [one["availability"] for one in of_rest.json()["items"]]
        resources = type_of("availabilityByIds").fields["resources"].type

        told = await ask(
            team.caller,
            "availabilityByIds",
            f"{{ window {{ start end tz }} resources {selected(items, resources)} }}",
            {"ids": ids, **DAY, "slotMinutes": 30},
        )

        assert as_rest(told.value["resources"], resources) == items
        assert told.value["window"] == {name: of_rest.json()[name] for name in ("start", "end", "tz")}
        assert [one["path"] for one in told.errors] == [["availabilityByIds", "resources", 1]]
        assert told.statements == statements(of_rest) == 2

    @pytest.mark.parametrize("count", [1, 500])
    async def test_as_many_statements_for_500_as_for_one(self, team: Team, count: int) -> None:
        ids = [await team.event(), *(uuid4() for _ in range(count - 1))]

        told = await ask(team.caller, "eventsByIds", "{ title calendar { name } }", {"ids": ids})

        assert len(told.errors) == count - 1
        assert told.statements == 2

    @pytest.mark.parametrize(
        ("field", "arguments", "code", "at"),
        [
            ("eventsByIds", {"ids": []}, "invalid_request", "ids"),
            ("eventsByIds", {"ids": [uuid4()] * 1_001}, "invalid_request", "ids"),
            ("usersByIds", {"ids": [uuid4()] * 1_001}, "invalid_request", "ids"),
            ("availabilityByIds", {"ids": [uuid4()] * 1_001, **DAY}, "invalid_request", "ids"),
            ("availabilityByIds", {"ids": [uuid4()], **DAY, "slotMinutes": -1}, "invalid_request", "slotMinutes"),
            (
                "availabilityByIds",
                {"ids": [uuid4() for _ in range(1_000)], "start": "2026-01-01", "end": "2026-12-31"},
                "invalid_window",
                "end",
            ),
        ],
    )
    async def test_bounds_are_those_of_rest(
        self, team: Team, field: str, arguments: dict[str, Any], code: str, at: str
    ) -> None:
        told = await ask(team.caller, field, "{ __typename }", arguments)

        assert (told.value, told.refused) == (None, (code, [at]))
        assert told.statements == 1


def flat(entry: dict[str, Any]) -> list[Any]:
    """An entry of a history; names of fields without what differs between the doors."""
    changes = [
        (
            one["kind"],
            one["did"],
            [to_camel_case(name) for name in one["fields"]],
            *(one[of] and one[of]["id"] for of in ("person", "resource")),
        )
        for one in entry["changes"]
    ]
    return [entry["changed_at"], entry["actor"] and entry["actor"]["id"], changes]
