"""A worker all of whose connections are taken, by writes that wait, say: it goes on hearing of changes."""

import asyncio

import msgspec

from tests.conftest import PostgresFactory
from tests.integration.rest.served import Caller, _Known, admitted, serve, settings
from tests.integration.rows import a_calendar, a_user
from yotei.settings import CacheSettings, PoolSettings
from yotei.storage.pool import Database
from yotei.storage.statements import Statement

LOCK = Statement("tests.lock", "select id from calendars where id = $1 for update", "somebody else writes")
POLLS = 10
BLOCKED_S_MAX = 30.0


async def test_it_answers_from_its_cache_as_ever(postgres: PostgresFactory) -> None:
    url = await postgres.migrated()
    config = settings(url, cache=CacheSettings(lease_ms=500, negative_ttl_s=0.5))
    config = msgspec.structs.replace(config, pool=PoolSettings(size_max=1))
    async with await Database.connect(url, size_min=1, size_max=1) as rows, serve(config) as client:
        me = await a_user(rows)
        calendar_id = await a_calendar(rows, {me: "OWNER"})
        caller: Caller = await admitted(client, rows, me)
        path = f"/api/calendars/{calendar_id}"
        seen = (await caller.get(path)).headers["yotei-token"]
        (caching,) = _Known.started

        async with rows.transaction() as other:
            await other.fetch(LOCK, calendar_id)
            writing = asyncio.create_task(caller.send("PATCH", path, {"name": "New"}))
            while caching._database.pool_stats().in_use == 0:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            polls = caching.tail.polls
            async with asyncio.timeout(BLOCKED_S_MAX):
                while caching.tail.polls < polls + POLLS:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            answer = await caller.get(path, {"Yotei-Token": seen})
            is_blocked = not writing.done()

        assert is_blocked
        assert (answer.status_code, answer.headers["cache-status"]) == (200, 'yotei; hit; detail="l1=4 l2=0 db=0"')
        assert (await writing).status_code == 200
    await postgres.drop(url)
