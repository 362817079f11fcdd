"""One script of writes through both doors, each in front of a database of its own: what is answered, what is refused
and what is there in the end are the same.

A step is what REST is sent. The mutation is made from it by rule: what stands in path, query and body is the input.
Ids differ from world to world, so each is told by the order in which it appears.
"""

import re
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

import httpx
import msgspec
import pytest
from graphql import GraphQLObjectType, get_named_type
from strawberry.utils.str_converters import to_camel_case

from tests.conftest import PostgresFactory
from tests.integration.graphql.words import as_input, as_rest, selected
from tests.integration.rest.served import Caller, admitted, serve, settings, statements
from tests.integration.rows import a_user
from yotei.api.graphql import schema
from yotei.storage.pool import Database


class Step(NamedTuple):
    """One write: the mutation it is, and the request it is. `names` binds the id of the answer for later steps."""

    mutation: str
    request: str
    body: Mapping[str, Any] | None = None
    query: Mapping[str, Any] | None = None
    who: str = "aiko"
    names: str | None = None
    refused: str | None = None
    version: int | None = None


FIRST: Final = datetime.now(UTC).date() + timedelta(days=30)
WINDOW: Final = f"start={FIRST - timedelta(days=30)}&end={FIRST + timedelta(days=60)}"


def at(day: int, clock: str) -> str:
    """A time on a day after the first."""
    return f"{FIRST + timedelta(days=day)}T{clock}"


NINE: Final = {"start_time": at(22, "09:00:00Z"), "end_time": at(22, "10:00:00Z")}

EVENTS: Final = [
    Step("createCalendar", "POST /api/calendars", {"name": "Team", "tzid": "Europe/Berlin"}, names="team"),
    Step("createCalendar", "POST /api/calendars", {"name": "Home", "color": "#AABBCC"}, names="home"),
    Step(
        "createEvent",
        "POST /api/events",
        {
            "calendar_id": "<team>",
            "title": "Plan",
            **NINE,
            "description": "About",
            "visibility": "PRIVATE",
            "attendees": [{"user_id": "<ben>"}, {"email": "c@example.org", "name": "C", "is_optional": True}],
            "resource_ids": ["<fuji>"],
        },
        names="plan",
    ),
    Step(
        "createEvent",
        "POST /api/events",
        {"calendar_id": "<team>", "title": "Late", **NINE, "resource_ids": ["<fuji>"]},
        refused="room_taken",
    ),
    Step("updateEvent", "PATCH /api/events/<plan>", {"location": "Here", "description": None}, {"tz": "Asia/Tokyo"}),
    Step("updateEvent", "PATCH /api/events/<plan>", {"title": "Mine"}, version=1, refused="precondition_failed"),
    Step("updateEvent", "PATCH /api/events/<plan>", {"title": None}, refused="invalid_request"),
    Step("updateEvent", "PATCH /api/events/<plan>", {"end_time": at(22, "08:00:00Z")}, refused="invalid_request"),
    Step(
        "updateEvent",
        "PATCH /api/events/<plan>",
        {"attendees": [{"email": "a@example.org"}, {"email": "nobody"}]},
        refused="invalid_request",
    ),
    Step(
        "respondToInvitation",
        "POST /api/events/<plan>/rsvp",
        {"response_status": "ACCEPTED", "comment": "y"},
        who="ben",
    ),
    Step("respondToInvitation", "POST /api/events/<plan>/rsvp", {"response_status": "DECLINED"}, refused="not_found"),
    Step("inviteAttendees", "POST /api/events/<plan>/attendees", {"attendees": [{"email": "d@example.org"}]}),
    Step("removeAttendee", "DELETE /api/events/<plan>/attendees/c@example.org"),
    Step("removeAttendee", "DELETE /api/events/<plan>/attendees/c@example.org", refused="not_found"),
    Step("moveEvent", "POST /api/events/<plan>/move", {"calendar_id": "<home>"}),
    Step("deleteEvent", "DELETE /api/events/<plan>", who="ben", refused="forbidden"),
    Step("deleteEvent", "DELETE /api/events/<plan>"),
    Step("updateEvent", "PATCH /api/events/<plan>", {"title": "Gone"}, refused="not_found"),
    Step("restoreEvent", "POST /api/events/<plan>/restore", {"booking_policy": "PARTIAL"}),
    Step("replaceEvent", "PUT /api/events/<plan>", {"title": "Whole", "all_day": True, "start_date": str(FIRST)}),
    Step(
        "createEvent",
        "POST /api/events",
        {
            "calendar_id": "<team>",
            "title": "Daily",
            "start_time": at(0, "09:00:00"),
            "end_time": at(0, "09:30:00"),
            "rrule": "FREQ=DAILY;COUNT=20",
            "exdates": [at(3, "09:00:00")],
            "resource_ids": ["<fuji>"],
        },
        names="daily",
    ),
    Step(
        "updateEvent",
        "PATCH /api/events/<daily>",
        {"title": "That day"},
        {"recurrence_id": at(2, "09:00:00"), "scope": "this"},
        names="that",
    ),
    Step(
        "updateEvent",
        "PATCH /api/events/<daily>",
        {"start_time": at(8, "11:00:00"), "end_time": at(8, "12:00:00")},
        {"recurrence_id": at(8, "09:00:00"), "scope": "following"},
        names="rest",
    ),
    Step("updateEvent", "PATCH /api/events/<daily>", {"title": "x"}, {"scope": "this"}, refused="invalid_request"),
    Step(
        "updateEvent",
        "PATCH /api/events/<daily>",
        {"title": "x"},
        {"recurrence_id": at(2, "10:00:00")},
        refused="invalid_recurrence",
    ),
    Step("deleteEvent", "DELETE /api/events/<daily>", query={"recurrence_id": at(4, "09:00:00")}),
    Step("restoreEvent", "POST /api/events/<daily>/restore", {}, {"recurrence_id": at(4, "09:00:00")}),
    Step(
        "duplicateEvent",
        "POST /api/events/<daily>/duplicate",
        {"calendar_id": "<home>", "start_time": at(29, "09:00:00"), "title": "Copy"},
        {"recurrence_id": at(1, "09:00:00")},
        names="copy",
    ),
    Step("updateEvent", "PATCH /api/events/<rest>", {"status": "CANCELLED"}, {"scope": "all"}),
    Step(
        "createEvent",
        "POST /api/events",
        {
            "calendar_id": "<team>",
            "title": "Weekly",
            "start_time": at(0, "15:00:00Z"),
            "end_time": at(0, "16:00:00Z"),
            "rrule": "FREQ=WEEKLY;COUNT=4",
            "attendees": [{"email": "ben@example.org"}],
        },
        names="weekly",
    ),
    Step(
        "respondToInvitation",
        "POST /api/events/<weekly>/rsvp",
        {"response_status": "DECLINED", "comment": "Away"},
        {"recurrence_id": at(7, "15:00:00Z"), "tz": "Asia/Tokyo"},
        who="ben",
    ),
]

PEOPLE: Final = [
    Step("setCalendarMember", "PUT /api/calendars/<team>/members/<ben>", {"role": "WRITER"}),
    Step("setCalendarMember", "PUT /api/calendars/<team>/members/<aiko>", {"role": "READER"}, refused="conflict"),
    Step("updateCalendar", "PATCH /api/calendars/<team>", {"name": "Ours"}, who="ben", refused="forbidden"),
    Step("updateCalendar", "PATCH /api/calendars/<team>", {"color": "blue"}, refused="invalid_request"),
    Step("updateCalendar", "PATCH /api/calendars/<team>", {"name": "Ours", "description": "All of us"}, version=1),
    Step("updateCalendar", "PATCH /api/calendars/<team>", {"name": "x"}, version=1, refused="precondition_failed"),
    Step("transferCalendar", "POST /api/calendars/<team>/transfer", {"user_id": "<ben>"}),
    Step("removeCalendarMember", "DELETE /api/calendars/<team>/members/<ben>", who="ben", refused="conflict"),
    Step("removeCalendarMember", "DELETE /api/calendars/<team>/members/<aiko>"),
    Step("deleteCalendar", "DELETE /api/calendars/<home>"),
    Step("restoreCalendar", "POST /api/calendars/<home>/restore"),
    Step("updateUser", "PATCH /api/users/me", {"name": "Aiko T.", "tzid": "Asia/Tokyo"}),
    Step(
        "updateUser",
        "PATCH /api/users/me",
        {"working_hours": {"mon": [["09:00", "17:00"]], "fri": [["9", "10"]]}},
        refused="invalid_request",
    ),
    Step("updateUser", "PATCH /api/users/me", {"working_hours": {"mon": [["09:00", "12:00"], ["13:00", "17:00"]]}}),
    Step("updateUser", "PATCH /api/users/<ben>", {"name": "Benny"}, refused="forbidden"),
    Step("createUser", "POST /api/users", {"email": "new@example.org", "name": "New"}, who="boss", names="new"),
    Step(
        "createUser", "POST /api/users", {"email": "NEW@example.org", "name": "x"}, who="boss", refused="already_exists"
    ),
    Step("createUser", "POST /api/users", {"email": "x@example.org", "name": "x"}, refused="forbidden"),
    Step("deactivateUser", "POST /api/users/<new>/deactivate", who="boss"),
    Step("reactivateUser", "POST /api/users/<new>/reactivate", who="boss"),
    Step("eraseUser", "DELETE /api/users/<new>", who="boss"),
    Step("eraseUser", "DELETE /api/users/<boss>", who="boss", refused="conflict"),
]

ROOMS: Final = [
    Step(
        "createResource",
        "POST /api/resources",
        {"name": "Haru", "seats": 8, "features": ["projector"], "opening_hours": {"tue": [["08:00", "18:00"]]}},
        who="boss",
        names="haru",
    ),
    Step("createResource", "POST /api/resources", {"name": "x", "seats": 0}, who="boss", refused="invalid_request"),
    Step("createResource", "POST /api/resources", {"name": "x"}, refused="forbidden"),
    Step("updateResource", "PATCH /api/resources/<haru>", {"opening_hours": None, "setup_minutes": 5}, who="boss"),
    Step("updateResource", "PATCH /api/resources/<haru>", {"booking": "NOBODY"}, refused="forbidden"),
    Step("deleteResource", "DELETE /api/resources/<fuji>", who="boss", refused="conflict"),
    Step("setResourceMember", "PUT /api/resources/<haru>/members/<ben>", {"role": "MANAGER"}, who="boss"),
    Step("setResourceMember", "PUT /api/resources/<haru>/members/<aiko>", {"role": "BOOKER"}, who="ben"),
    Step("removeResourceMember", "DELETE /api/resources/<haru>/members/<aiko>", who="ben"),
    Step("removeResourceMember", "DELETE /api/resources/<haru>/members/<aiko>", who="ben", refused="not_found"),
    Step("deleteResource", "DELETE /api/resources/<haru>", who="boss"),
    Step("restoreResource", "POST /api/resources/<haru>/restore", who="boss"),
]


SCRIPT: Final = [*EVENTS, *PEOPLE, *ROOMS]

WITH_RESOURCE: Final = {"setResourceMember", "removeResourceMember"}
STATEMENTS: Final = {
    "createEvent": 7,
    "updateEvent": 8,
    "replaceEvent": 7,
    "deleteEvent": 6,
    "restoreEvent": 7,
    "moveEvent": 5,
    "duplicateEvent": 7,
    "inviteAttendees": 5,
    "removeAttendee": 5,
    "respondToInvitation": 5,
    "createCalendar": 3,
    "updateCalendar": 5,
    "deleteCalendar": 5,
    "restoreCalendar": 11,
    "setCalendarMember": 5,
    "removeCalendarMember": 4,
    "transferCalendar": 6,
    "createUser": 5,
    "updateUser": 4,
    "deactivateUser": 4,
    "reactivateUser": 3,
    "eraseUser": 3,
    "createResource": 3,
    "updateResource": 4,
    "deleteResource": 4,
    "restoreResource": 4,
    "setResourceMember": 5,
    "removeResourceMember": 5,
}
"""The most that a mutation of the script spends, the token included, as `docs/graphql.md` has it."""

# What stands in a path, by the segment before it.
IN_PATH: Final = {
    "events": "event_id",
    "attendees": "email",
    "calendars": "calendar_id",
    "members": "user_id",
    "users": "user_id",
    "resources": "resource_id",
}
HOURS: Final = {"working_hours", "opening_hours"}
PASSING: Final = re.compile(r'"(created_at|updated_at|changed_at)":"[^"]*"')
AN_ID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class World:
    """A database, the application in front of it, three people and a room."""

    def __init__(self, callers: dict[str, Caller], ids: dict[str, str]) -> None:
        self.callers = callers
        self.ids = ids
        self._order = {id_: n for n, id_ in enumerate(ids.values())}

    def known(self, value: Any) -> Any:
        """The value with ids in the place of their names."""
        text = msgspec.json.encode(value).decode()
        return msgspec.json.decode(re.sub(r"<(\w+)>", lambda found: self.ids[found[1]], text))

    def told(self, value: Any) -> Any:
        """The value as it is in every world: ids by the order in which they were met, without times that pass."""
        text = PASSING.sub(r'"\1":null', msgspec.json.encode(value).decode())
        return msgspec.json.decode(
            AN_ID.sub(lambda found: f"#{self._order.setdefault(found[0], len(self._order))}", text)
        )


@pytest.fixture
async def worlds(postgres: PostgresFactory) -> AsyncIterator[tuple[World, World]]:
    async with AsyncExitStack() as stack:
        opened = []
        for _ in range(2):
            url = await postgres.migrated()
            stack.push_async_callback(postgres.drop, url)
            client = await stack.enter_async_context(serve(settings(url)))
            database = await stack.enter_async_context(await Database.connect(url, size_max=2))
            opened.append(await populated(client, database))
        yield opened[0], opened[1]


async def populated(client: httpx.AsyncClient, database: Database) -> World:
    ids, callers = {}, {}
    for name in ("aiko", "ben", "boss"):
        is_admin = name == "boss"
        user_id = await a_user(database, name.title(), email=f"{name}@example.org", is_admin=is_admin)
        scopes = ("read", "write", *(["admin"] if is_admin else []))
        ids[name], callers[name] = str(user_id), await admitted(client, database, user_id, scopes)
    made = await callers["boss"].post("/api/resources", {"name": "Fuji", "seats": 4, "tzid": "Europe/Berlin"})
    ids["fuji"] = made.json()["id"]
    return World(callers, ids)


async def test_the_same_script_does_the_same_through_both_doors(worlds: tuple[World, World]) -> None:
    rest, graphql = worlds
    spent: defaultdict[str, set[int]] = defaultdict(set)

    for step in SCRIPT:
        asked, of_rest = await over_rest(rest, step)
        done, of_graphql = await over_graphql(graphql, step, asked)

        assert graphql.told(done) == rest.told(asked), step
        assert (asked or {}).get("code") == step.refused, (step, asked)
        # REST answers the roles of a resource without the resource.
        assert of_graphql == of_rest + (step.mutation in WITH_RESOURCE and step.refused is None), step
        if step.refused is None:
            spent[step.mutation].add(of_graphql)

    assert {name: max(found) for name, found in spent.items()} == STATEMENTS

    for who, path in (
        ("aiko", f"/api/users/me/agenda?{WINDOW}&limit=500"),
        ("ben", f"/api/users/me/agenda?{WINDOW}&expand=masters"),
        ("aiko", "/api/calendars"),
        ("boss", "/api/users"),
        ("boss", "/api/resources"),
        ("boss", f"/api/resources/availability?{WINDOW}"),
    ):
        there = [(await one.callers[who].get(path)).json() for one in worlds]
        assert rest.told(there[0]) == graphql.told(there[1]), path


async def test_the_script_holds_every_mutation_but_those_of_tokens_and_the_batch_of_them() -> None:
    mutation = schema.CORE.mutation_type
    assert mutation is not None

    assert {*mutation.fields} - {step.mutation for step in SCRIPT} == {"createToken", "revokeToken", "batch"}


async def over_rest(world: World, step: Step) -> tuple[Any, int]:
    """What REST answers: a value, nothing, or the code of a refusal with its fields; and its statements."""
    method, path = world.known(step.request).split(" ")
    headers = {} if step.version is None else {"If-Match": f'"{step.version}-{"0" * 32}"'}
    query = f"?{urlencode(world.known(step.query))}" if step.query else ""
    body = None if step.body is None else world.known(step.body)
    response = await world.callers[step.who].send(method, path + query, body, headers)
    if response.status_code >= 400:
        problem = response.json()
        fields = [here(one["field"]) for one in problem.get("faults", ())]
        return {"code": problem["code"], "fields": fields}, statements(response)
    answer: Any = response.json() if response.content else None
    if step.names is not None:
        world.ids[step.names] = answer["id"]
    return answer, statements(response)


async def over_graphql(world: World, step: Step, example: Any) -> tuple[Any, int]:
    """What the mutation answers, told as REST does, and its statements; `example`, the answer of REST, says what to
    select."""
    assert schema.CORE.mutation_type is not None
    field = schema.CORE.mutation_type.fields[step.mutation]
    payload = get_named_type(field.type)
    assert isinstance(payload, GraphQLObjectType)
    (slot,) = {*payload.fields} - {"errors", "replayed"}
    shown = selected(example, payload.fields[slot].type) if isinstance(example, dict) and "code" not in example else ""
    if not shown and isinstance(get_named_type(payload.fields[slot].type), GraphQLObjectType):
        shown = "{ __typename }"
    input_type = get_named_type(field.args["input"].type)
    document = (
        f"mutation ($input: {input_type.name}!) {{ "
        f"{step.mutation}(input: $input) {{ {slot} {shown} errors {{ code field }} }} }}"
    )
    asked = {**in_path(step), **(step.query or {}), **(step.body or {})}
    if step.version is not None:
        asked["version"] = step.version
    body = {"query": document, "variables": {"input": as_input(world.known(asked), input_type)}}
    response = await world.callers[step.who].post("/graphql", body)
    assert "errors" not in response.json(), (step, response.json())
    answer = response.json()["data"][step.mutation]
    if answer["errors"]:
        codes = {one["code"] for one in answer["errors"]}
        fields = [one["field"] for one in answer["errors"] if one["field"] is not None]
        return {"code": ",".join(codes), "fields": fields}, statements(response)
    assert answer[slot] is not None, step
    if not isinstance(example, dict):
        return None, statements(response)
    if step.names is not None:
        world.ids[step.names] = answer[slot]["id"]
    return as_rest(answer[slot], payload.fields[slot].type), statements(response)


def in_path(step: Step) -> dict[str, str]:
    segments = step.request.split(" ")[1].split("/")
    return {
        IN_PATH[before]: one
        for before, one in pairwise(segments)
        if before in IN_PATH and one not in ("me", "attendees") and one != ""
    }


def here(field: str) -> str:
    """The field of the input that a field of a request is."""
    names = re.sub(r"^(body|query|header)\.?", "", field).split(".")
    if names[0] in HOURS:
        names = names[:1]
    return ".".join(to_camel_case(one) for one in ("input", *names) if one)
