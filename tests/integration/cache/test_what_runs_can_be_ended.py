"""A task of a node ends when it is cancelled, also in the moment in which it is woken: else no worker would stop."""

import asyncio

import pytest

from tests.integration.cache.nodes import Node
from tests.redis_server import RedisServer
from yotei.storage.pool import Database

TURNS = range(6)
"""Of the event loop, between waking and cancelling."""
PATIENCE_S = 10.0


async def ended(task: "asyncio.Task[None]", turns: int) -> None:
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    done, _ = await asyncio.wait({task}, timeout=PATIENCE_S)
    assert done, "it goes on"
    assert task.cancelled()


@pytest.mark.parametrize("turns", TURNS)
async def test_a_tail_that_is_woken_and_cancelled_at_once_ends(database: Database, turns: int) -> None:
    one = Node(database, None)
    task = asyncio.create_task(one.tail.run())
    await one.tail.caught_up()
    await asyncio.sleep(0.05)

    one.tail.wake()

    await ended(task, turns)


@pytest.mark.parametrize("turns", TURNS)
async def test_a_sweeper_that_is_woken_and_cancelled_at_once_ends(
    database: Database, redis_server: RedisServer, turns: int
) -> None:
    one = Node(database, redis_server.url)
    assert one.l2 is not None
    await one.tail.poll()
    task = asyncio.create_task(one.sweeper.run())
    async with asyncio.timeout(PATIENCE_S):
        while not one.sweeper._has_turn:  # noqa: ASYNC110  # it tells nobody
            await asyncio.sleep(0.05)

    one.sweeper.note([("number:1:it", 1)])

    await ended(task, turns)
    await one.l2.close()
