"""Answers that were sent before and are sent again: the same bytes, for the same viewer, for as long as nothing of what
they show has changed (RFC 9110, section 13; RFC 9211)."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from http.cookies import SimpleCookie
from typing import Any
from uuid import UUID

import httpx
import msgspec
import pytest

from tests.conftest import PostgresFactory
from tests.integration.rest.served import (
    CACHED,
    UNHURRIED,
    Caller,
    _Known,
    admitted,
    problem,
    serve,
    settings,
    statements,
)
from tests.integration.rest.test_rest_without_database import a_line
from tests.integration.rows import a_booking, a_calendar, a_room, a_user, an_event, insert
from yotei.cache.token import Token
from yotei.observe import log
from yotei.settings import CacheSettings, LimitSettings, ServerSettings
from yotei.storage.change_log import Snapshot
from yotei.storage.pool import Database
from yotei.storage.statements import Statement

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
RENDERED = 'yotei; hit; detail="rendered"'
ME = "/api/users/me"
PATIENCE_S = 20.0
# What differs between two answers to the same question.
OWN = {"server-timing", "x-request-id", "cache-status", "yotei-token"}


class World(msgspec.Struct):
    """The same callers of two servers on one database, of which one keeps what it sends."""

    rows: Database
    plain: httpx.AsyncClient
    cached: httpx.AsyncClient
    me: UUID
    other: UUID
    team: UUID
    room: UUID
    event: UUID
    elsewhere: UUID
    caller: Caller

    async def run(self, sql: str, *args: Any) -> None:
        await self.rows.execute(Statement(name="tests.change", purpose="a change", sql=sql), *args)

    @property
    def paths(self) -> dict[str, str]:
        day = f"start={NOON:%Y-%m-%d}T00:00:00Z&end={NOON:%Y-%m-%d}T23:00:00Z"
        return {
            "me": ME,
            "other": f"/api/users/{self.other}",
            "calendars": "/api/calendars?limit=2",
            "team": f"/api/calendars/{self.team}",
            "members": f"/api/calendars/{self.team}/members",
            "room": f"/api/resources/{self.room}",
            "availability": f"/api/resources/availability?resource_ids={self.room}&{day}",
            "list": f"/api/calendars/{self.team}/events?{day}",
            "agenda": f"/api/users/me/agenda?{day}",
            "event": f"/api/events/{self.event}",
        }

    async def without_cache(self, path: str, headers: Mapping[str, str] | None = None) -> httpx.Response:
        return await Caller(self.plain, self.caller.token).get(path, headers)


@pytest.fixture
async def world(postgres: PostgresFactory) -> AsyncIterator[World]:
    url = await postgres.migrated()
    async with (
        await Database.connect(url, size_min=1, size_max=2) as rows,
        serve(settings(url)) as plain,
        serve(settings(url, cache=CACHED)) as cached,
    ):
        me, other = await a_user(rows, "Aiko"), await a_user(rows, "Ben")
        team = await a_calendar(rows, {me: "OWNER", other: "READER"}, name="Team")
        elsewhere = await a_calendar(rows, {other: "OWNER"})
        room = await a_room(rows)
        event = await an_event(rows, team, me, NOON, attendees=(other,))
        await a_booking(rows, room, event, NOON)
        yield World(rows, plain, cached, me, other, team, room, event, elsewhere, await admitted(cached, rows, me))
    await postgres.drop(url)


async def kept(caller: Caller, path: str, headers: Mapping[str, str] | None = None) -> httpx.Response:
    """The answer when it is sent again: first its values are read, then it is made of them alone, then it is there."""
    *_, answer = [await caller.get(path, headers) for _ in range(3)]
    assert answer.headers["cache-status"] == RENDERED, path
    return answer


def told(answer: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name not in OWN}


async def test_what_was_sent_is_sent_again_without_a_statement(world: World) -> None:
    for path in world.paths.values():
        plain = await world.without_cache(path)

        answer = await kept(world.caller, path)

        assert (answer.status_code, answer.content, told(answer)) == (200, plain.content, told(plain)), path
        assert statements(answer) == 0
        assert answer.headers["x-request-id"] != plain.headers["x-request-id"]


EVENTS = {"list", "agenda", "event"}
ENDED = {
    "a person is renamed": ("update users set name = 'Zoe' where id = $1", "other", {"other", "members", *EVENTS}),
    "the caller is renamed": (
        "update users set name = 'Zoe' where id = $1",
        "me",
        # Whose the token is, is one of the things that every answer is made of.
        {"me", "other", "calendars", "team", "members", "room", "availability", *EVENTS},
    ),
    "a calendar is renamed": (
        "update calendars set name = 'A' where id = $1",
        "team",
        {"calendars", "team", *EVENTS},
    ),
    "a member leaves": ("delete from calendar_members where calendar_id = $1 and role = 'READER'", "team", {"members"}),
    "the caller's role changes": (
        "update calendar_members set role = 'WRITER' where calendar_id = $1 and role = 'OWNER'",
        "team",
        {"calendars", "team", "members", *EVENTS},
    ),
    "a room is renamed": ("update resources set name = 'Aso' where id = $1", "room", {"room", "availability", *EVENTS}),
    "a booking is cancelled": (
        "update reservations set status = 'CANCELLED' where resource_id = $1",
        "room",
        {"availability", *EVENTS},
    ),
    "an event gets another title": ("update events set title = 'Else' where id = $1", "event", EVENTS),
    "an invitation is answered": (
        "update attendees set response_status = 'ACCEPTED' where event_id = $1",
        "event",
        EVENTS,
    ),
    "an event moves to the month after": (
        "update events set start_time = start_time + interval '10 d', end_time = end_time + interval '10 d', "
        "span_end = span_end + interval '10 d' where id = $1",
        "event",
        EVENTS,
    ),
    "there is an event in a calendar of others": (
        "insert into events (id, calendar_id, organizer_id, uid, title, start_time, end_time, span_end) "
        "select gen_random_uuid(), $1, user_id, 'late', 'Late', '2026-11-26 10:00Z', '2026-11-26 11:00Z', "
        "'2026-11-26 11:00Z' from calendar_members where calendar_id = $1",
        "elsewhere",
        set[str](),
    ),
}


@pytest.mark.parametrize("change", ENDED)
async def test_a_change_ends_what_shows_it_and_nothing_else(world: World, change: str) -> None:
    sql, whose, ended = ENDED[change]
    for path in world.paths.values():
        await kept(world.caller, path)

    await world.run(sql, getattr(world, whose))

    made_anew = set()
    for name, path in world.paths.items():
        answer, plain = await world.caller.get(path), await world.without_cache(path)
        assert (answer.status_code, answer.content) == (plain.status_code, plain.content), path
        if answer.headers["cache-status"] != RENDERED:
            made_anew.add(name)
    assert made_anew == ended


async def test_everybody_is_shown_what_is_theirs(world: World) -> None:
    other = await admitted(world.cached, world.rows, world.other)
    mine = await kept(world.caller, ME)
    calendar = await kept(world.caller, world.paths["team"])

    theirs, theirs_of_calendar = await other.get(ME), await other.get(world.paths["team"])

    assert (mine.json()["id"], theirs.json()["id"]) == (str(world.me), str(world.other))
    assert (calendar.json()["role"], theirs_of_calendar.json()["role"]) == ("OWNER", "READER")


async def test_a_service_is_shown_what_those_see_for_whom_it_asks(world: World) -> None:
    service = await admitted(world.cached, world.rows, world.me, kind="SERVICE")

    shown = [
        (await kept(service, ME, {"Yotei-On-Behalf-Of": str(one)})).json()["id"] for one in (world.other, world.me)
    ]

    assert shown == [str(world.other), str(world.me)]


@pytest.mark.parametrize(
    ("sql", "status"),
    [
        ("update tokens set revoked_at = now() where user_id = $1", 401),
        ("delete from tokens where user_id = $1", 401),
        ("update tokens set expires_at = now() - interval '1 s' where user_id = $1", 401),
        ("update tokens set scopes = '{write}' where user_id = $1", 403),
        ("update users set deactivated_at = now() where id = $1", 401),
    ],
)
async def test_who_may_not_ask_any_more_is_refused_at_once(world: World, sql: str, status: int) -> None:
    for path in world.paths.values():
        await kept(world.caller, path)

    await world.run(sql, world.me)

    for path in world.paths.values():
        assert (await world.caller.get(path)).status_code == status


async def test_a_token_that_ends_by_itself_ends_what_it_was_shown(world: World) -> None:
    until = datetime.now(UTC) + timedelta(seconds=1.5)
    passing = await admitted(world.cached, world.rows, world.me, expires_at=until)
    await kept(passing, ME)

    await asyncio.sleep((until - datetime.now(UTC)).total_seconds())

    assert (await passing.get(ME)).status_code == 401


async def test_what_is_not_there_is_looked_for_each_time(world: World) -> None:
    hidden = await a_calendar(world.rows, {world.other: "OWNER"})
    path = f"/api/calendars/{hidden}"

    refused = [await world.caller.get(path) for _ in range(3)]
    await world.run(
        "insert into calendar_members (calendar_id, user_id, role) values ($1, $2, 'READER')", hidden, world.me
    )
    shared = await world.caller.get(path)

    assert [one.status_code for one in refused] == [404] * 3
    assert len({problem(one)["request_id"] for one in refused}) == 3
    assert shared.status_code == 200


async def test_parameters_and_wishes_are_questions_of_their_own(world: World) -> None:
    await a_calendar(world.rows, {world.me: "OWNER"}, name="another")

    first = await kept(world.caller, "/api/calendars?limit=1")
    both = await kept(world.caller, "/api/calendars")
    unknown = await world.caller.get("/api/calendars?limit=1&no=1")

    assert (len(first.json()["calendars"]), len(both.json()["calendars"])) == (1, 2)
    assert unknown.status_code == 400


async def test_a_field_that_came_twice_is_for_the_doors(world: World) -> None:
    await kept(world.caller, ME)

    answer = await world.cached.get(
        ME, headers=[*world.caller.headers.items(), ("Accept", "text/html"), ("Accept", "application/json")]
    )

    assert answer.status_code == 200
    assert answer.headers["cache-status"] != RENDERED


# 304.


@pytest.mark.parametrize("named", ["{}", "W/{}", '"other", {}', '"other" ,W/{} , "more"', "*"])
async def test_what_the_caller_has_is_not_sent_again_from_the_first_request_on(world: World, named: str) -> None:
    tag = (await world.without_cache(ME)).headers["etag"]
    has = {"If-None-Match": named.format(tag)}

    answers = [await world.caller.get(ME, has) for _ in range(4)]

    for answer in answers:
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag)
        assert answer.headers["cache-control"] == "private, no-cache"
        assert "Authorization" in answer.headers["vary"]
        assert "yotei-token" in answer.headers
        assert "content-length" not in answer.headers
        assert "content-type" not in answer.headers
    assert [answer.headers["cache-status"] for answer in answers[2:]] == [RENDERED] * 2


async def test_what_the_caller_had_is_sent_when_it_is_another_now(world: World) -> None:
    path = world.paths["other"]
    first = await kept(world.caller, path)
    has = {"If-None-Match": first.headers["etag"]}
    assert (await world.caller.get(path, has)).status_code == 304

    await world.run("update users set name = 'Zoe' where id = $1", world.other)
    answers = [await world.caller.get(path, has) for _ in range(3)]

    assert [(one.status_code, one.json()["name"]) for one in answers] == [(200, "Zoe")] * 3


@pytest.mark.parametrize("named", ['"other"', "", "other", 'W/"other", "more"'])
async def test_another_tag_is_answered_in_full(world: World, named: str) -> None:
    await kept(world.caller, ME)

    answer = await world.caller.get(ME, {"If-None-Match": named})

    assert (answer.status_code, answer.json()["id"]) == (200, str(world.me))


async def test_the_tag_of_a_kept_answer_is_one_to_write_by(world: World) -> None:
    tag = (await kept(world.caller, world.paths["team"])).headers["etag"]

    wrote = [
        await world.caller.send("PATCH", world.paths["team"], {"name": name}, {"If-Match": tag}) for name in ("B", "C")
    ]

    assert [one.status_code for one in wrote] == [200, 412]
    assert (await world.caller.get(world.paths["team"])).json()["name"] == "B"


async def test_head_has_the_fields_of_get(world: World) -> None:
    answer = await kept(world.caller, ME)

    heads = [await world.caller.send("HEAD", ME) for _ in range(3)]

    for head in heads:
        assert (head.status_code, head.content, told(head)) == (200, b"", told(answer))
    assert (await world.caller.get(ME)).content == answer.content


# What the client has seen.


async def test_who_has_seen_more_is_shown_more(world: World) -> None:
    path = world.paths["other"]
    first = await kept(world.caller, path)
    epoch = first.headers["yotei-token"].partition("@")[0]
    # The same server, by a client who does not wait until it has heard of everything.
    async with httpx.AsyncClient(transport=world.cached._transport, base_url="http://yotei.test") as hurried:
        caller = Caller(hurried, world.caller.token)

        await world.run("update users set name = 'Zoe' where id = $1", world.other)
        row = await world.rows.fetchrow(
            Statement(name="tests.now", purpose="a position", sql="select pg_current_snapshot()::text as now")
        )
        assert row is not None
        seen = Token(epoch, Snapshot.parse(row["now"]))
        answer = await caller.get(path, {"Yotei-Token": str(seen)})

    assert answer.json()["name"] == "Zoe"


async def test_who_has_seen_as_much_is_sent_what_is_kept_and_told_no_less(world: World) -> None:
    answer = await kept(world.caller, ME)
    token = answer.headers["yotei-token"]
    epoch, seen = token.split("@")
    later = f"{epoch}@{seen}+{int(seen.split(':')[0]) - 1}"

    same = await world.caller.get(ME, {"Yotei-Token": token})
    wrote = await world.caller.get(ME, {"Yotei-Token": later})

    for one in (same, wrote):
        assert one.headers["cache-status"] == RENDERED
        assert one.headers["yotei-token"] == token


async def test_a_token_that_nobody_was_given_is_refused(world: World) -> None:
    await kept(world.caller, ME)

    for token in ("x", "1.1.1@1:1:,"):
        answer = await world.caller.get(ME, {"Yotei-Token": token})

        assert problem(answer)["faults"][0]["field"] == "header.Yotei-Token"


async def test_a_browser_has_the_token_as_a_cookie_if_it_asks(world: World) -> None:
    wanted = {"Yotei-Token-Cookie": "1"}
    first = await world.caller.get(ME, wanted)
    world.cached.cookies.clear()
    again = await kept(world.caller, ME, wanted)
    world.cached.cookies.clear()
    plain = await world.caller.get(ME)

    assert "set-cookie" not in plain.headers
    for answer in (first, again):
        cookie = SimpleCookie(answer.headers["set-cookie"])["Yotei-Token"]
        assert cookie.value == answer.headers["yotei-token"]
        assert (cookie["path"], cookie["httponly"], cookie["samesite"], cookie["secure"]) == ("/", True, "Lax", "")


async def test_a_cookie_counts_where_there_is_no_header_and_a_broken_one_as_none(world: World) -> None:
    path = world.paths["other"]
    first = await kept(world.caller, path)
    token = first.headers["yotei-token"]
    epoch = token.partition("@")[0]
    to_come = f"{epoch}@999999999:999999999:"

    by_cookie = await world.caller.get(path, {"Cookie": f"a=b; Yotei-Token={token}"})
    broken = await world.caller.get(path, {"Cookie": "Yotei-Token=what"})
    of_the_future = await world.caller.get(path, {"Cookie": f"Yotei-Token={to_come}"})
    header = await world.caller.get(path, {"Cookie": f"Yotei-Token={token}", "Yotei-Token": to_come})

    assert by_cookie.headers["cache-status"] == RENDERED
    assert by_cookie.headers["yotei-token"] == token
    assert (broken.status_code, of_the_future.status_code) == (200, 200)
    assert problem(header)["faults"][0]["field"] == "header.Yotei-Token"


# GraphQL.

PERSON = "query One($id: UUID!) { user(id: $id) { id name } }"


async def ask(
    world: World, document: str, headers: Mapping[str, str] | None = None, **variables: str
) -> httpx.Response:
    body = {"query": document, "variables": variables}
    return await world.cached.post("/graphql", json=body, headers={**world.caller.headers, **(headers or {})})


async def test_a_query_is_known_by_its_document_and_its_variables(world: World) -> None:
    answers = [await ask(world, PERSON, id=str(world.other)) for _ in range(3)]
    mine = await ask(world, PERSON, id=str(world.me))

    assert answers[2].headers["cache-status"] == RENDERED
    assert statements(answers[2]) == 0
    assert {one.content for one in answers} == {
        b'{"data":{"user":{"id":"%s","name":"Ben"}}}' % str(world.other).encode()
    }
    assert mine.json()["data"]["user"]["name"] == "Aiko"
    assert mine.headers["cache-status"] != RENDERED


async def test_a_query_is_answered_anew_when_what_it_shows_has_changed(world: World) -> None:
    for _ in range(3):
        await ask(world, PERSON, id=str(world.other))

    await world.run("update users set name = 'Zoe' where id = $1", world.other)

    assert (await ask(world, PERSON, id=str(world.other))).json()["data"]["user"]["name"] == "Zoe"


async def test_a_query_has_the_media_type_that_is_asked_for(world: World) -> None:
    graphql = "application/graphql-response+json"
    for _ in range(3):
        await ask(world, PERSON, id=str(world.other))

    other = await ask(world, PERSON, {"Accept": graphql}, id=str(world.other))
    form = await world.cached.post(
        "/graphql",
        content=json.dumps({"query": PERSON, "variables": {"id": str(world.other)}}, separators=(",", ":")),
        headers={**world.caller.headers, "Content-Type": "text/plain"},
    )

    assert other.headers["content-type"] == f"{graphql}; charset=utf-8"
    assert form.status_code == 415


async def test_a_query_in_the_address_has_a_tag(world: World) -> None:
    path = f"/graphql?query={{me{{id}}}}&variables={json.dumps({'a': 1})}"
    first = await kept(world.caller, path)

    again = await world.caller.get(path, {"If-None-Match": first.headers["etag"]})

    assert first.json() == {"data": {"me": {"id": str(world.me)}}}
    assert first.headers["cache-control"] == "private, no-cache"
    assert (again.status_code, again.content) == (304, b"")


async def test_a_tag_is_of_one_media_type(world: World) -> None:
    path, graphql = "/graphql?query={me{id}}", {"Accept": "application/graphql-response+json"}
    tag = (await world.caller.get(path)).headers["etag"]

    answers = [await world.caller.get(path, {**graphql, "If-None-Match": tag}) for _ in range(4)]

    assert [one.status_code for one in answers] == [200] * 4
    assert {one.headers["content-type"] for one in answers} == {"application/graphql-response+json; charset=utf-8"}


async def test_what_writes_is_done_each_time(world: World) -> None:
    document = 'mutation { createCalendar(input: {name: "New"}) { calendar { id } } }'

    answers = [await ask(world, document) for _ in range(3)]

    assert len({one.json()["data"]["createCalendar"]["calendar"]["id"] for one in answers}) == 3


async def test_what_failed_is_asked_each_time(world: World) -> None:
    nobody = UUID("00000000-0000-7000-8000-000000000000")

    answers = [await ask(world, PERSON, id=str(nobody)) for _ in range(3)]
    await insert(world.rows, "users", {"id": nobody, "email": "late@example.org", "name": "Late"})
    there = await ask(world, PERSON, id=str(nobody))

    for one in answers:
        assert one.json()["errors"][0]["extensions"]["code"] == "not_found"
        assert "etag" not in one.headers
    assert there.json() == {"data": {"user": {"id": str(nobody), "name": "Late"}}}


# Bounds, limits, records.


async def test_what_is_too_large_is_not_kept(postgres: PostgresFactory) -> None:
    url = await postgres.migrated()
    # One answer takes a twentieth of it at most.
    config = settings(url, cache=msgspec.structs.replace(CACHED, rendered_bytes_max=80_000))
    async with await Database.connect(url, size_min=1, size_max=2) as rows, serve(config) as client:
        me = await a_user(rows)
        for number in range(20):
            await a_calendar(rows, {me: "OWNER"}, name=f"n {number}")
        caller = await admitted(client, rows, me)

        await kept(caller, ME)
        large = [await caller.get("/api/calendars") for _ in range(4)]

    assert all(one.headers["cache-status"].startswith('yotei; hit; detail="l1=') for one in large[1:])
    await postgres.drop(url)


async def test_nothing_is_kept_where_nothing_is_to_be(postgres: PostgresFactory) -> None:
    url = await postgres.migrated()
    config = settings(url, cache=msgspec.structs.replace(CACHED, rendered_bytes_max=0))
    async with await Database.connect(url, size_min=1, size_max=2) as rows, serve(config) as client:
        caller = await admitted(client, rows, await a_user(rows))

        answers = [await caller.get(ME) for _ in range(4)]

    assert [one.headers["cache-status"] for one in answers[1:]] == ['yotei; hit; detail="l1=3 l2=0 db=0"'] * 3
    await postgres.drop(url)


async def test_a_limit_counts_what_is_sent_again_too(postgres: PostgresFactory) -> None:
    url = await postgres.migrated()
    limits = LimitSettings(rate_per_s=0.001, rate_burst=6, refused_per_s=0.001, refused_burst=2)
    async with (
        await Database.connect(url, size_min=1, size_max=2) as rows,
        serve(settings(url, cache=CACHED, limits=limits)) as client,
    ):
        one, other = await a_user(rows), await a_user(rows)
        caller, refused = await admitted(client, rows, one), await admitted(client, rows, other)
        await kept(refused, ME)

        answers = [await caller.get(ME) for _ in range(8)]
        for _ in range(2):
            await Caller(client, "yotei_" + "x" * 43).get(ME)
        after_guessing = await refused.get(ME)

    assert [one.status_code for one in answers] == [200] * 6 + [429] * 2
    assert answers[5].headers["cache-status"] == RENDERED
    assert after_guessing.status_code == 429
    await postgres.drop(url)


async def test_another_origin_is_told_nothing_that_one_was_told(postgres: PostgresFactory) -> None:
    url = await postgres.migrated()
    config = settings(url, cache=CACHED, server=ServerSettings(cors_origins=("https://app.example",)))
    async with await Database.connect(url, size_min=1, size_max=2) as rows, serve(config) as client:
        caller = await admitted(client, rows, await a_user(rows))

        ours = await kept(caller, ME, {"Origin": "https://app.example"})
        others = await kept(caller, ME, {"Origin": "https://evil.example"})

    assert ours.headers["access-control-allow-origin"] == "https://app.example"
    assert "Yotei-Token" in ours.headers["access-control-expose-headers"]
    assert "access-control-allow-origin" not in others.headers
    for answer, *fields in ((ours, "origin", "authorization", "yotei-on-behalf-of"), (others, "authorization")):
        assert {one.strip() for one in answer.headers["vary"].lower().split(",")} >= set(fields)
    await postgres.drop(url)


async def test_the_log_has_a_line_of_the_same_kind_for_each(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(format="json", level="info")
    capsys.readouterr()

    answers = [await world.caller.get(ME) for _ in range(4)]
    again = await world.caller.get(ME, {"If-None-Match": "*", "X-Request-Id": "of-the-caller"})

    log.flush()
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [one["request_id"] for one in lines] == [one.headers["x-request-id"] for one in (*answers, again)]
    assert lines[-1]["request_id"] == "of-the-caller"
    assert len({tuple(one) for one in lines}) == 1
    assert [(one["method"], one["path"], one["status"]) for one in lines] == [("GET", ME, 200)] * 4 + [("GET", ME, 304)]
    assert [one["statements"] for one in lines[1:]] == [0] * 4
    log.configure(format="json", level="error")


async def test_head_is_in_the_log_as_it_was_asked(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(format="json", level="info")
    capsys.readouterr()

    await world.caller.send("HEAD", ME)

    log.flush()
    (line,) = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert (line["method"], line["path"], line["status"]) == ("HEAD", ME, 200)
    log.configure(format="json", level="error")


# Changes while it is asked for, and PostgreSQL away.


async def test_no_answer_is_older_than_the_last_write_that_was_answered(world: World) -> None:
    path = world.paths["team"]
    written = rendered = 0

    async def write() -> None:
        nonlocal written
        for number in range(1, 41):
            assert (await writer.send("PATCH", path, {"name": f"n {number}"})).status_code == 200
            written = number

    async def read() -> None:
        nonlocal rendered
        while written < 40:
            before = written
            answer = await reader.get(path)
            assert int(answer.json()["name"].removeprefix("n ")) >= before
            rendered += answer.headers["cache-status"] == RENDERED
            await asyncio.sleep(0)

    # Without a pause before each request, in which the server would hear of everything.
    async with AsyncExitStack() as stack:
        writer, reader = [
            Caller(
                await stack.enter_async_context(
                    httpx.AsyncClient(transport=world.cached._transport, base_url="http://yotei.test")
                ),
                world.caller.token,
            )
            for _ in range(2)
        ]
        assert (await writer.send("PATCH", path, {"name": "n 0"})).status_code == 200
        await asyncio.gather(write(), *(read() for _ in range(4)))

    assert rendered > 0


@pytest.mark.parametrize("values", ["are there", "had to make room"])
async def test_while_postgresql_is_away_what_was_sent_is_sent_marked(
    database: Database, database_url: str, values: str
) -> None:
    user_id = await a_user(database)
    config = settings(database_url, cache=CacheSettings(), limits=UNHURRIED)
    async with a_line(database_url) as (line, url):
        config = msgspec.structs.replace(config, database=msgspec.structs.replace(config.database, url=url))
        async with serve(config) as client:
            caller = await admitted(client, database, user_id)
            there = await kept(caller, ME)
            has = {"Yotei-Token": there.headers["yotei-token"]}

            await line.cut()
            if values == "had to make room":
                _Known.started[-1].cache._drop_all()
            # Until the lease is over it is as good as it was.
            async with asyncio.timeout(PATIENCE_S):
                while (away := await caller.get(ME)).headers["cache-status"] == RENDERED:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            seen = await caller.get(ME, has)
            await line.mend()
            async with asyncio.timeout(PATIENCE_S):
                while "stale" in (back := await caller.get(ME)).headers["cache-status"]:  # noqa: ASYNC110
                    await asyncio.sleep(0.1)

    assert (away.status_code, away.content) == (200, there.content)
    assert "; stale" in away.headers["cache-status"]
    assert ('detail="rendered"' in away.headers["cache-status"]) == (values == "had to make room")
    assert told(away) == {**told(there), "age": away.headers["age"]}
    assert int(away.headers["age"]) >= 0
    assert (seen.status_code, problem(seen)["code"]) == (503, "unavailable")
    assert "retry-after" in seen.headers
    assert {"cache-status", "age"}.isdisjoint(seen.headers)
    assert (back.status_code, back.content) == (200, there.content)
    assert "age" not in back.headers
