"""People, tokens, calendars and rooms through the cache: the same answers as without one, by fewer statements."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import msgspec
import pytest

from tests.conftest import PostgresFactory
from tests.integration.rest.served import Caller, admitted, serve, settings, statements
from tests.integration.rows import a_booking, a_calendar, a_room, a_user, an_event
from yotei.settings import CacheSettings
from yotei.storage.pool import Database
from yotei.storage.statements import Statement

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
LATER = NOON + timedelta(days=3)
# That there is no such thing is remembered for as long as a busy machine takes for a round.
UNHURRIED = CacheSettings(lease_ms=10_000, negative_ttl_s=10.0)


class World(msgspec.Struct):
    """The same callers of two servers on one database, of which one has a cache."""

    rows: Database
    plain: httpx.AsyncClient
    cached: httpx.AsyncClient
    me: UUID
    other: UUID
    team: UUID
    room: UUID
    event: UUID
    series: UUID
    override: UUID
    elsewhere: UUID
    invitation: UUID
    token: str

    async def run(self, sql: str, *args: Any) -> None:
        await self.rows.execute(Statement(name="tests.change", purpose="a change", sql=sql), *args)

    @property
    def paths(self) -> list[str]:
        day = f"start={NOON:%Y-%m-%d}T00:00:00Z&end={NOON:%Y-%m-%d}T23:00:00Z"
        window = f"start={NOON:%Y-%m-%d}T00:00:00Z&end={NOON + timedelta(days=30):%Y-%m-%d}T00:00:00Z"
        return [
            "/api/users/me",
            f"/api/users/{self.other}",
            "/api/calendars",
            "/api/calendars?limit=1",
            f"/api/calendars/{self.team}",
            f"/api/calendars/{self.team}/members",
            f"/api/resources/{self.room}",
            f"/api/resources/availability?resource_ids={self.room}&{day}",
            "/api/resources",
            "/api/resources?kind=ROOM&seats_min=4&limit=1",
            f"/api/resources/availability?{day}",
            f"/api/resources/availability?{day}&kind=ROOM&features=screen",
            f"/api/calendars/{self.team}/events?{window}",
            f"/api/calendars/{self.team}/events?{window}&expand=masters",
            f"/api/events?calendar_id={self.team}&{window}&limit=2&order=desc",
            f"/api/users/me/agenda?{window}",
            f"/api/events/{self.event}",
            f"/api/events/{self.series}",
            f"/api/events/{self.invitation}",
        ]

    async def told(self, client: httpx.AsyncClient, path: str) -> tuple[int, Any, int]:
        answer = await Caller(client, self.token).get(path)
        body = answer.json()
        if answer.status_code >= 400:
            body = body["code"]
        return answer.status_code, body, statements(answer)

    async def same(self) -> list[int]:
        """Asks both servers for everything; how many statements the one with a cache took for each."""
        spent = []
        for path in self.paths:
            status, body, _ = await self.told(self.plain, path)
            found, cached_body, took = await self.told(self.cached, path)
            assert (found, cached_body) == (status, body), path
            spent.append(took)
        return spent


@pytest.fixture
async def world(postgres: PostgresFactory) -> AsyncIterator[World]:
    url = await postgres.migrated()
    async with (
        await Database.connect(url, size_min=1, size_max=2) as rows,
        serve(settings(url)) as plain,
        serve(settings(url, cache=UNHURRIED)) as cached,
    ):
        me, other = await a_user(rows, "Aiko"), await a_user(rows, "Ben")
        team = await a_calendar(rows, {me: "OWNER", other: "READER"}, name="Team")
        await a_calendar(rows, {me: "WRITER", other: "OWNER"}, name="another")
        room = await a_room(rows, seats=4, features=["screen"])
        await a_room(rows, "Zao", seats=9, features=["screen", "phone"])
        await a_room(rows, "Lamp", kind="EQUIPMENT")
        event = await an_event(rows, team, me, NOON, attendees=(me, other))
        await a_booking(rows, room, event, NOON)
        until = NOON + timedelta(days=20)
        series = await an_event(
            rows, team, other, NOON, rrule=f"FREQ=DAILY;UNTIL={until:%Y%m%dT%H%M%SZ}", span_end=until
        )
        await a_booking(rows, room, series, LATER, recurrence_id=LATER)
        moved = LATER + timedelta(hours=5)
        override = await an_event(rows, team, other, moved, series_id=series, recurrence_id=LATER, attendees=(other,))
        elsewhere = await a_calendar(rows, {other: "OWNER"})
        invitation = await an_event(rows, elsewhere, other, LATER, attendees=(me,))
        caller = await admitted(plain, rows, me)
        yield World(
            rows, plain, cached, me, other, team, room, event, series, override, elsewhere, invitation, caller.token
        )
    await postgres.drop(url)


async def test_what_was_read_is_not_asked_again(world: World) -> None:
    assert {(await world.told(world.plain, path))[0] for path in world.paths} == {200}

    cold = await world.same()
    warm = await world.same()

    # The token; after that each by at most one statement, where an earlier answer has not brought it along, as a month
    # does with its single events.
    assert cold == [1, 1, 1, 0, 0, 1, 1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 0, 1, 0]
    assert warm == [0] * len(cold)


MOVED = (
    "update events set start_time = start_time + interval '28 d', end_time = end_time + interval '28 d', "
    "span_end = span_end + interval '28 d' where id = $1"
)
CHANGES = {
    "a person is renamed": ("update users set name = 'Zoe' where id = $1", "other"),
    "a person is deactivated": ("update users set deactivated_at = now() where id = $1", "other"),
    "the caller is deactivated": ("update users set deactivated_at = now() where id = $1", "me"),
    "the caller's tokens are revoked": ("update tokens set revoked_at = now() where user_id = $1", "me"),
    "the caller's tokens are deleted": ("delete from tokens where user_id = $1", "me"),
    "a token expires": ("update tokens set expires_at = now() - interval '1 s' where user_id = $1", "me"),
    "a token loses a scope": ("update tokens set scopes = '{write}' where user_id = $1", "me"),
    "a calendar is renamed": ("update calendars set name = 'A' where id = $1", "team"),
    "a calendar is deleted": ("update calendars set deleted_at = now() where id = $1", "team"),
    "a calendar is deleted for good": ("delete from calendars where id = $1", "team"),
    "a role changes": (
        "update calendar_members set role = 'FREE_BUSY' where calendar_id = $1 and role = 'OWNER'",
        "team",
    ),
    "a member leaves": ("delete from calendar_members where calendar_id = $1 and role = 'OWNER'", "team"),
    "another member leaves": ("delete from calendar_members where calendar_id = $1 and role = 'READER'", "team"),
    "a room is renamed": ("update resources set name = 'Aso', version = version where id = $1", "room"),
    "a room is added": (
        "insert into resources (id, name, seats) select gen_random_uuid(), 'Aso', seats from resources where id = $1",
        "room",
    ),
    "a room changes its kind": ("update resources set kind = 'EQUIPMENT' where id = $1", "room"),
    "a room is deleted": ("update resources set deleted_at = now() where id = $1", "room"),
    "a room can be booked twice": ("update resources set concurrent_bookings = 2 where id = $1", "room"),
    "a booking is cancelled": ("update reservations set status = 'CANCELLED' where resource_id = $1", "room"),
    "a booking is gone": ("delete from reservations where resource_id = $1", "room"),
    "a booking moves over midnight": (
        "update reservations set start_time = start_time - interval '13 h', end_time = end_time - interval '12 h', "
        "blocked = tstzrange(start_time - interval '13 h', end_time - interval '12 h') where resource_id = $1",
        "room",
    ),
    "an event is renamed": ("update events set title = 'Z' where id = $1", "event"),
    "an event is private": (
        "update events set visibility = 'PRIVATE', organizer_id = organizer_id where id = $1",
        "series",
    ),
    "an event moves to another month": (MOVED, "event"),
    "an event moves out of the window": (MOVED.replace("28 d", "60 d"), "event"),
    "an invitation moves out of the window": (MOVED.replace("28 d", "60 d"), "invitation"),
    "an event is deleted": ("update events set deleted_at = now() where id = $1", "event"),
    "an event is deleted for good": ("delete from events where id = $1", "event"),
    "an invitation is deleted": ("update events set deleted_at = now() where id = $1", "invitation"),
    "an invitation is deleted for good": ("delete from events where id = $1", "invitation"),
    "an invitation is taken back": ("delete from attendees where event_id = $1", "invitation"),
    "an invitation is answered": ("update attendees set response_status = 'ACCEPTED' where event_id = $1", "event"),
    "somebody is invited": (
        "insert into attendees (event_id, email) select id, 'new@example.org' from events where id = $1",
        "event",
    ),
    "an event changes its organizer": (
        "update events e set organizer_id = a.user_id from attendees a "
        "where e.id = $1 and a.event_id = e.id and a.user_id <> e.organizer_id",
        "event",
    ),
    "a series is renamed": ("update events set title = 'Z' where id = $1", "series"),
    "a series ends earlier": (
        "update events set rrule = 'FREQ=DAILY;COUNT=2', span_end = end_time + interval '1 d' where id = $1",
        "series",
    ),
    "an instance is left out": (
        "update events set exdates = array[start_time + interval '1 d'] where id = $1",
        "series",
    ),
    "a series is deleted": ("update events set deleted_at = now() where id = $1", "series"),
    "a series is booked further": (
        "insert into event_resources (event_id, resource_id, booked_until) "
        "select $1, id, now() + interval '9 d' from resources",
        "series",
    ),
    "an exception moves": (MOVED, "override"),
    "an exception is cancelled": ("update events set status = 'CANCELLED' where id = $1", "override"),
    "an exception is gone": ("delete from events where id = $1", "override"),
    "an exception moves all that follows": (
        "update events set this_and_future = true, span_end = span_end + interval '40 d' where id = $1",
        "override",
    ),
    "an instance cannot be had": ("update reservations set status = 'MISSED' where event_id = $1", "series"),
    "an event of a month is booked": (
        "insert into reservations (id, resource_id, event_id, unit, start_time, end_time, blocked) "
        "select gen_random_uuid(), r.id, e.id, 2, e.start_time, e.end_time, tstzrange(e.start_time, e.end_time) "
        "from events e, resources r where e.id = $1",
        "override",
    ),
    "the calendar of an invitation is deleted": ("update calendars set deleted_at = now() where id = $1", "elsewhere"),
    "the calendar of an invitation is shared": (
        "insert into calendar_members (calendar_id, user_id, role) "
        "select $1, user_id, 'READER' from tokens on conflict do nothing",
        "elsewhere",
    ),
    "a day of many changes": ("update events set location = 'Aso' where calendar_id = $1", "team"),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_what_changed_is_read_anew(world: World, change: str) -> None:
    await world.same()
    sql, whose = CHANGES[change]

    await world.run(sql, getattr(world, whose))

    await world.same()
    assert await world.same() == [0] * len(world.paths)


async def test_a_room_that_is_booked_is_taken_and_a_calendar_that_is_shared_is_there(world: World) -> None:
    await world.same()

    later = NOON + timedelta(hours=3)
    event = await an_event(world.rows, world.team, world.me, later)
    await a_booking(world.rows, world.room, event, later)
    await a_calendar(world.rows, {world.other: "OWNER", world.me: "READER"}, name="New")

    await world.same()


async def test_a_token_that_was_refused_is_taken_once_it_is_there(world: World) -> None:
    secret = "yotei_" + "x" * 43
    unknown = Caller(world.cached, secret)
    assert (await unknown.get("/api/users/me")).status_code == 401

    await world.run(
        "insert into tokens (id, user_id, kind, token_hash, name, scopes) "
        "values (gen_random_uuid(), $1, 'USER', sha256($2::text::bytea), 'late', '{read}')",
        world.me,
        secret,
    )

    assert (await unknown.get("/api/users/me")).status_code == 200


async def test_a_service_acts_for_whoever_has_the_address_now(world: World) -> None:
    service = await admitted(world.cached, world.rows, world.me, kind="SERVICE")
    await world.run("update users set email = 'desk@example.org' where id = $1", world.other)
    desk = {"Yotei-On-Behalf-Of": "desk@example.org"}

    first = await service.get("/api/users/me", desk)
    again = await service.get("/api/users/me", desk)
    await world.run("update users set email = 'gone@example.org' where id = $1", world.other)
    nobody = await service.get("/api/users/me", desk)
    await world.run("update users set email = 'desk@example.org' where id = $1", world.me)
    another = await service.get("/api/users/me", desk)

    assert (first.json()["id"], again.json()["id"]) == (str(world.other), str(world.other))
    assert nobody.status_code == 403
    assert another.json()["id"] == str(world.me)
