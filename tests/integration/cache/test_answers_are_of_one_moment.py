"""`Reads.consistently`: values that are each right are put together only where they were there at one moment."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from uuid import UUID

import pytest

from tests.integration.cache.nodes import LOG, PUT, Node, key_of, name_of, node, thing, write
from tests.redis_server import RedisServer
from yotei.cache.key import Key, Loaded
from yotei.cache.reads import Reads
from yotei.errors import Code, Problem
from yotei.storage.pool import Database, Source

Pair = tuple[UUID, UUID]
NO_POLL_S = 3_600.0


@pytest.fixture
async def one(database: Database) -> AsyncIterator[Node]:
    """It polls when it is asked to."""
    async with node(database, running=True) as opened:
        opened.tail._poll_s = NO_POLL_S
        await opened.tail.caught_up()
        yield opened


async def put(database: Database, pair: Pair, n: int) -> int:
    """Both in one transaction, which comes back."""
    async with database.transaction() as transaction:
        for it in pair:
            await transaction.execute(PUT, it, n)
            row = await transaction.fetchrow(LOG, it, "user")
    assert row is not None
    return int(row["xid"])


async def torn(one: Node, database: Database) -> Pair:
    """Two things that were 1 and are 2; the node holds both as 1, and was told of the first alone."""
    pair = thing(), thing()
    await put(database, pair, 1)
    await one.tail.caught_up()
    assert await one.get_many(pair) == [1, 1]
    xid = await put(database, pair, 2)
    one.tail.raise_to(xid, [name_of(pair[0])])
    return pair


def reads_of(one: Node, database: Database) -> tuple[Reads, Callable[[Sequence[UUID]], Awaitable[list[int]]]]:
    """The reads of a request, and how it reads."""
    reads = Reads(database, one.cache, one.cache.reading())

    async def load(_: Source, keys: Sequence[Key]) -> Loaded:
        return await one.loads(keys, True)

    async def read(things: Sequence[UUID]) -> list[int]:
        return await reads.get_many([key_of(it) for it in things], load)

    return reads, read


async def test_what_was_never_there_together_is_read_again(database: Database, one: Node) -> None:
    pair = await torn(one, database)
    reads, read = reads_of(one, database)
    seen = []

    async def work() -> list[int]:
        seen.append(await read(pair))
        return seen[-1]

    assert await reads.consistently(work) == [2, 2]
    assert seen == [[2, 1], [2, 2]]


async def test_who_reads_for_the_same_request_meanwhile_hides_nothing(database: Database, one: Node) -> None:
    first, second = await torn(one, database), await torn(one, database)
    reads, read = reads_of(one, database)
    begun, over = asyncio.Event(), asyncio.Event()

    async def slow() -> list[int]:
        answer = await read(second)
        begun.set()
        await over.wait()
        return answer

    async def quick() -> list[int]:
        answer = await read(first)
        if not begun.is_set():
            waiting.append(asyncio.create_task(reads.consistently(slow)))
            await begun.wait()
        return answer

    waiting: list[asyncio.Task[list[int] | None]] = []
    answer = await reads.consistently(quick)
    over.set()

    assert answer == [2, 2]
    assert await waiting[0] == [2, 2]


async def test_what_changes_faster_than_it_is_read_is_left_to_one_statement(database: Database, one: Node) -> None:
    pair = await torn(one, database)
    reads, read = reads_of(one, database)

    async def work() -> list[int]:
        (number,) = await read(pair[:1])
        xid = await put(database, pair, number + 1)
        one.tail.raise_to(xid, [name_of(pair[1])])
        return [number, *await read(pair[1:])]

    assert await reads.consistently(work) is None


async def test_with_postgresql_down_what_is_newer_in_redis_is_not_put_beside_what_the_node_has(
    database: Database, redis_server: RedisServer
) -> None:
    pair = thing(), thing()
    await put(database, pair, 1)
    async with node(database, redis_server.unix_url) as cut_off, node(database, redis_server.unix_url) as other:
        assert await cut_off.get_many(pair) == [1, 1]
        await put(database, pair, 2)
        await other.tail.poll()
        assert await other.get_many(pair) == [2, 2]
        await other.filled()
        assert cut_off.l1 is not None
        del cut_off.l1.entries[name_of(pair[0])]
        cut_off.clock.ahead_s, cut_off.tail.is_away = 60.0, True
        cut_off.loads.failure = Problem(Code.UNAVAILABLE, "down")
        reads, read = reads_of(cut_off, database)
        shown: list[list[int]] = []

        async def work() -> None:
            shown.append(await read(pair))

        with pytest.raises(Problem) as refused:
            await reads.consistently(work)

    assert shown == [[2, 1]]
    assert refused.value.code is Code.UNAVAILABLE


async def test_with_postgresql_down_values_of_different_times_that_hold_together_are_put_together(
    database: Database,
) -> None:
    pair = thing(), thing()
    async with node(database) as cut_off:
        for it in pair:
            await write(database, it, 1)
            await cut_off.tail.poll()
            await cut_off.get(it)
        cut_off.clock.ahead_s, cut_off.tail.is_away = 60.0, True
        cut_off.loads.failure = Problem(Code.UNAVAILABLE, "down")
        reads, read = reads_of(cut_off, database)

        assert await reads.consistently(lambda: read(pair)) == [1, 1]
        assert reads.reading.stale_age_s is not None
