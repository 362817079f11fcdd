"""Connections that stand and lead nowhere, as after a fail-over behind an address, or when a firewall has forgotten
them: new ones go through, so the cache goes on as ever and the database is reached by new ones."""

import asyncio

import msgspec

from tests.conftest import PostgresFactory
from tests.integration.rest.served import Caller, _Known, admitted, serve, settings
from tests.integration.rows import a_calendar, a_user
from tests.proxy import proxy_to_database
from yotei.settings import CacheSettings, PoolSettings
from yotei.storage.pool import Database

LEASE_MS = 8_000
"""Half of it is how long a poll waits; the rest is for a slow machine."""
PATIENCE_S = 30.0


async def test_they_are_replaced_before_a_lease_ends(postgres: PostgresFactory) -> None:
    url = await postgres.migrated()
    async with await Database.connect(url) as rows, proxy_to_database(url) as (proxy, through):
        me = await a_user(rows)
        known, cold = [await a_calendar(rows, {me: "OWNER"}) for _ in range(2)]
        config = settings(through, cache=CacheSettings(lease_ms=LEASE_MS))
        config = msgspec.structs.replace(config, pool=PoolSettings(size_min=2, size_max=2))
        async with serve(config) as client:
            caller: Caller = await admitted(client, rows, me)
            path = f"/api/calendars/{known}"
            await caller.get(path)
            (caching,) = _Known.started
            proxy.half_open()
            polls, asked = caching.tail.polls, 0
            async with asyncio.timeout(PATIENCE_S):
                while caching.tail.polls_failed == 0 or caching.tail.polls < polls + 2:
                    answer = await caller.get(path)
                    assert answer.status_code == 200
                    assert "stale" not in answer.headers["cache-status"]
                    asked += 1
                    await asyncio.sleep(0.02)
                # All that were there lead nowhere, and nobody has tried them.
                fresh = await caller.get(f"/api/calendars/{cold}")
                written = await caller.send("PATCH", path, {"name": "New"})

    assert asked > 0
    assert (fresh.status_code, written.status_code) == (200, 200)
    await postgres.drop(url)
