"""What a list of events costs with the cache: statements, and round trips to Redis."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, cast
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import pytest
from asyncpg import Record
from redis.asyncio import Redis

from tests.conftest import Budget
from tests.integration.rest.served import CACHED, many_events, settings
from tests.integration.rows import a_booking, a_calendar, a_room, a_user, an_event, viewing
from tests.redis_server import RedisServer
from yotei.cache.key import shapes
from yotei.cache.reads import Reads
from yotei.caching import Caching, families
from yotei.events import changes, read
from yotei.events.event import Event
from yotei.events.window import Window
from yotei.settings import RedisSettings
from yotei.storage.pool import Database, Source
from yotei.storage.statements import Statement

FIRST = datetime(2027, 3, 10, tzinfo=UTC)
FILLED_S_MAX = 10.0
ZONE = ZoneInfo("UTC")
T = TypeVar("T")


class Team(msgspec.Struct, frozen=True):
    """A calendar of 60 events with guests and a room, and two more that are empty."""

    viewer_id: UUID
    calendar_id: UUID
    event_id: UUID

    async def listed(self, source: Source) -> read.Page:
        """All of its events."""
        return await read.list_calendar(source, viewing(self.viewer_id), self.calendar_id, query(40))

    async def shown(self, source: Source) -> Event:
        """One of them."""
        return await read.get(source, viewing(self.viewer_id), self.event_id, ZONE, now=FIRST)


@pytest.fixture
async def team(database: Database) -> Team:
    owner = await a_user(database, "Aiko")
    calendar_id = await a_calendar(database, {owner: "OWNER"})
    for _ in range(2):
        await a_calendar(database, {owner: "READER"})
    await many_events(database, calendar_id, owner, await a_room(database), FIRST, 60)
    event_id = await an_event(database, calendar_id, owner, FIRST, attendees=(await a_user(database, "Ben"),))
    return Team(owner, calendar_id, event_id)


@asynccontextmanager
async def a_node(database: Database, url: str, redis_url: str | None = None) -> AsyncIterator[Caching]:
    config = settings(url, cache=CACHED)
    made = Caching(
        msgspec.structs.replace(config, redis=RedisSettings(url=redis_url, soft_ms=1_000, hard_ms=2_000)), database
    )
    made.start()
    try:
        await made.tail.caught_up()
        yield made
    finally:
        await made.close()


async def filled(node: Caching) -> None:
    """Until all that was loaded is in Redis."""
    async with asyncio.timeout(FILLED_S_MAX):
        while any(one.fills < one.loads for one in node.cache.counts().values()):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def asked(redis_url: str) -> int:
    """How often a Redis was asked for values."""
    client = Redis.from_url(redis_url)
    found = await client.info("commandstats")
    await client.aclose()
    return int(found.get("cmdstat_mget", {}).get("calls", 0))


def query(days: int) -> read.Query:
    return read.Query(Window(FIRST, FIRST + timedelta(days=days), ZONE), limit=1_000, instances_max=1_000)


@pytest.mark.parametrize("days", [1, 40])
async def test_a_list_takes_one_statement_and_then_none(
    database: Database, database_url: str, team: Team, days: int, budget: Budget
) -> None:
    viewer = viewing(team.viewer_id)
    async with a_node(database, database_url) as node:
        with budget(statements=1):
            cold = await read.list_calendar(node.reads(), viewer, team.calendar_id, query(days))
        with budget(statements=0):
            warm = await read.list_calendar(node.reads(), viewer, team.calendar_id, query(days))

    assert len(cold.events) in (25, 61)
    assert warm == cold


async def test_an_agenda_takes_one_statement_and_then_none(
    database: Database, database_url: str, team: Team, budget: Budget
) -> None:
    viewer = viewing(team.viewer_id)
    async with a_node(database, database_url) as node:
        with budget(statements=1):
            cold = await read.agenda(node.reads(), viewer, query(40))
        with budget(statements=0):
            warm = await read.agenda(node.reads(), viewer, query(40))

    assert len(cold.events) == 61
    assert warm == cold


async def test_an_answer_to_an_invitation_makes_a_list_load_who_is_invited_and_nothing_else(
    database: Database, database_url: str, team: Team
) -> None:
    viewer = viewing(team.viewer_id)
    async with a_node(database, database_url) as node:
        await read.list_calendar(node.reads(), viewer, team.calendar_id, query(1))
        await _change(database, ANSWER, team.event_id)
        await node.tail.caught_up()
        reads = node.reads()
        await read.list_calendar(reads, viewer, team.calendar_id, query(1))

        assert reads.reading.loads == 1


class Overheard:
    """A database, and what it has answered."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.rows: list[Record | None] = []

    async def fetchrow(self, statement: Statement, *args: object) -> Record | None:
        self.rows.append(await self._database.fetchrow(statement, *args))
        return self.rows[-1]

    def said(self, what: str) -> Any:
        """By the only statement that was sent."""
        assert len(self.rows) == 1
        row = self.rows[0]
        return None if row is None else msgspec.json.decode(row[what])


async def overheard(node: Caching, answer: Callable[[Reads], Awaitable[T]]) -> tuple[T, Overheard]:
    """What is answered once the node knows of every change, and what PostgreSQL said for it."""
    await node.tail.caught_up()
    reads = node.reads()
    heard = Overheard(reads.database)
    reads.database = cast(Database, heard)
    return await answer(reads), heard


async def _change(database: Database, sql: str, *args: object) -> None:
    await database.execute(Statement(name="tests.change", purpose="a change", sql=sql), *args)


RENAME = "update events set title = 'Another one' where id = $1"
INVITE = "insert into attendees (event_id, email, user_id) values ($1, 'new@example.org', $2)"
ANSWER = "update attendees set response_status = 'ACCEPTED' where event_id = $1"


async def test_of_a_month_that_changed_those_whom_the_node_knows_are_not_loaded_again(
    database: Database, database_url: str, team: Team
) -> None:
    async with a_node(database, database_url) as node:
        await team.listed(node.reads())
        await _change(database, RENAME, team.event_id)
        found, heard = await overheard(node, team.listed)
        again = node.reads()

        assert len(heard.said("months")[0]["rows"]) == 61
        assert heard.said("guests") == heard.said("people") == heard.said("resources") == []
        assert found == await team.listed(database) == await team.listed(again)
        assert again.reading.loads == 0


async def test_of_a_month_in_which_somebody_was_invited_the_guests_of_that_event_are_loaded_and_who_is_new(
    database: Database, database_url: str, team: Team
) -> None:
    invited = await a_user(database, "Chie")
    async with a_node(database, database_url) as node:
        await team.listed(node.reads())
        await _change(database, INVITE, team.event_id, invited)
        await _change(database, RENAME, team.event_id)
        found, heard = await overheard(node, team.listed)

    assert [one["id"] for one in heard.said("guests")] == [str(team.event_id)]
    assert [one["name"] for one in heard.said("people")] == ["Chie"]
    assert found == await team.listed(database)


async def test_of_a_month_in_which_an_event_was_answered_nobody_is_loaded_but_its_guests(
    database: Database, database_url: str, team: Team
) -> None:
    async with a_node(database, database_url) as node:
        await team.listed(node.reads())
        await _change(database, ANSWER, team.event_id)
        found, heard = await overheard(node, team.listed)

    assert [one["id"] for one in heard.said("guests")] == [str(team.event_id)]
    assert heard.said("months") == heard.said("people") == []
    assert found == await team.listed(database)


async def test_of_an_event_that_was_answered_nobody_is_loaded_but_its_guests(
    database: Database, database_url: str, team: Team
) -> None:
    async with a_node(database, database_url) as node:
        await team.shown(node.reads())
        await _change(database, ANSWER, team.event_id)
        found, heard = await overheard(node, team.shown)

    assert [one["id"] for one in heard.said("guests")] == [str(team.event_id)]
    assert heard.said("people") == []
    assert [one.response_status for one in found.attendees or ()] == ["ACCEPTED"]


async def test_of_an_event_that_changed_after_its_month_was_read_nobody_who_is_invited_is_loaded_again(
    database: Database, database_url: str, team: Team
) -> None:
    async with a_node(database, database_url) as node:
        await team.listed(node.reads())
        await _change(database, RENAME, team.event_id)
        found, heard = await overheard(node, team.shown)

    assert heard.said("guests") == []
    assert found.title == "Another one"
    assert found == await team.shown(database)


async def test_an_event_of_a_month_that_was_read_takes_no_statement_on_any_node(
    database: Database, database_url: str, team: Team, redis_server: RedisServer, budget: Budget
) -> None:
    expected = await team.shown(database)
    async with a_node(database, database_url, redis_server.url) as first:
        await team.listed(first.reads())
        with budget(statements=0):
            assert await team.shown(first.reads()) == expected
        await filled(first)
        async with a_node(database, database_url, redis_server.url) as second:
            with budget(statements=0):
                assert await team.shown(second.reads()) == expected


async def test_a_series_of_a_month_that_was_read_is_loaded_with_what_it_holds_in_other_months(
    database: Database, database_url: str, team: Team, budget: Budget
) -> None:
    series_id = await an_event(
        database,
        team.calendar_id,
        team.viewer_id,
        FIRST,
        rrule="FREQ=MONTHLY;COUNT=3",
        span_end=FIRST + timedelta(days=90),
    )
    for room, days in (("Asama", 0), ("Fuji", 31), ("Tate", 61)):
        start = FIRST + timedelta(days=days)
        await a_booking(database, await a_room(database, room), series_id, start, recurrence_id=start)
    series = msgspec.structs.replace(team, event_id=series_id)
    async with a_node(database, database_url) as node:
        await series.listed(node.reads())
        with budget(statements=1):
            found = await series.shown(node.reads())

    assert found == await series.shown(database)
    assert [one.name for one in found.resources or ()] == ["Asama", "Fuji", "Tate"]


async def test_with_a_month_that_changed_come_the_events_that_did(
    database: Database, database_url: str, team: Team
) -> None:
    async with a_node(database, database_url) as node:
        counts = node.cache.counts()["event_full"]
        await team.listed(node.reads())
        cold = counts.loads
        await _change(database, RENAME, team.event_id)
        await node.tail.caught_up()
        await team.listed(node.reads())

        assert (cold, counts.loads - cold) == (61, 1)


async def test_who_was_known_and_is_given_up_before_he_is_asked_for_is_loaded_by_a_statement_more(
    database: Database, database_url: str, team: Team, budget: Budget
) -> None:
    async with a_node(database, database_url) as node:

        class Forgetting(Overheard):
            async def fetchrow(self, statement: Statement, *args: object) -> Record | None:
                found = await super().fetchrow(statement, *args)
                if len(self.rows) == 1:
                    node.cache._drop_all()
                return found

        await team.listed(node.reads())
        await _change(database, RENAME, team.event_id)
        await node.tail.caught_up()
        reads = node.reads()
        reads.database = cast(Database, Forgetting(reads.database))
        with budget(statements=2):
            found = await team.listed(reads)

    assert found == await team.listed(database)


async def test_a_node_that_starts_takes_a_list_from_redis_in_two_round_trips(
    database: Database, database_url: str, team: Team, redis_server: RedisServer, budget: Budget
) -> None:
    viewer = viewing(team.viewer_id)
    async with a_node(database, database_url, redis_server.url) as first:
        expected = await read.list_calendar(first.reads(), viewer, team.calendar_id, query(40))
        await filled(first)
        async with a_node(database, database_url, redis_server.url) as second:
            before = await asked(redis_server.url)
            with budget(statements=0):
                found = await read.list_calendar(second.reads(), viewer, team.calendar_id, query(40))
            spent = await asked(redis_server.url) - before

    assert found == expected
    assert spent == 2


async def test_people_who_come_along_again_are_not_stored_again(
    database: Database, database_url: str, team: Team, redis_server: RedisServer
) -> None:
    viewer = viewing(team.viewer_id)
    async with a_node(database, database_url, redis_server.url) as node:
        await read.list_calendar(node.reads(), viewer, team.calendar_id, query(1))
        await filled(node)
        before = node.cache.counts()["user_profile"].fills
        await an_event(database, team.calendar_id, team.viewer_id, FIRST)
        await node.tail.caught_up()
        await read.list_calendar(node.reads(), viewer, team.calendar_id, query(1))
        async with asyncio.timeout(FILLED_S_MAX):
            while node.cache.counts()["calendar_events"].fills < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.01)

        assert node.cache.counts()["user_profile"].fills == before


async def test_who_takes_a_position_sees_no_list_that_is_older(
    database: Database, database_url: str, team: Team
) -> None:
    viewer = viewing(team.viewer_id)
    async with a_node(database, database_url) as node:
        await read.list_calendar(node.reads(), viewer, team.calendar_id, query(1))
        node.tail._poll_s = 3_600.0
        await node.tail.caught_up()
        await an_event(database, team.calendar_id, team.viewer_id, FIRST)
        asking = node.reads()
        await changes.since(asking, viewer, team.calendar_id, None, ZONE, limit=10, now=FIRST)

        reads = node.reads(await asking.token())
        await reads.begin()
        page = await read.list_calendar(reads, viewer, team.calendar_id, query(1))

    assert len(page.events) == 26


async def test_what_is_stored_says_in_its_name_what_it_is_made_of(
    database: Database, database_url: str, team: Team, redis_server: RedisServer
) -> None:
    async with a_node(database, database_url, redis_server.url) as node:
        await read.list_calendar(node.reads(), viewing(team.viewer_id), team.calendar_id, query(1))
        await filled(node)
    client = Redis.from_url(redis_server.url)
    names = [str(name, "ascii") if isinstance(name, bytes) else name for name in await client.keys("*")]
    await client.aclose()

    made_of = shapes(families(CACHED))
    assert len(names) > 10
    assert all(name.startswith(f"{{yotei.{made_of}:") for name in names)
