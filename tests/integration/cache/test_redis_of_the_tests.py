"""The Redis that the tests start: it answers, is empty for each test, and can be killed, paused and started again."""

import asyncio
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as Unreachable

from tests.redis_server import RedisServer


@pytest.mark.parametrize("turn", [1, 2])
async def test_each_test_finds_it_empty(redis_server: RedisServer, turn: int) -> None:
    async with Redis.from_url(redis_server.unix_url) as redis:
        found = await redis.dbsize()
        await redis.set("key", turn)

    assert found == 0


async def test_one_that_was_killed_starts_again_on_its_port_with_nothing_in_it(tmp_path: Path) -> None:
    with RedisServer(tmp_path) as server:
        async with Redis.from_url(server.url) as redis:
            await redis.set("key", "value")
        server.kill()
        async with Redis.from_url(server.url) as redis:
            with pytest.raises(Unreachable):
                await redis.get("key")
        server.start()
        async with Redis.from_url(server.url) as redis:
            assert await redis.get("key") is None


async def test_one_that_is_paused_takes_the_question_and_answers_when_it_goes_on(tmp_path: Path) -> None:
    with RedisServer(tmp_path) as server:
        async with Redis.from_url(server.url) as redis:
            await redis.set("key", "value")
            server.pause()
            asking = asyncio.ensure_future(redis.get("key"))
            done, _ = await asyncio.wait([asking], timeout=0.1)
            server.resume()

            assert not done
            assert await asking == b"value"
