"""The level in Redis: shared, never believed further than its marker goes, and never waited for long."""

import asyncio
import time
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tests.integration.cache.nodes import NUMBERS, Node, key_of, name_of, node, thing, write
from tests.logged import logged_by
from tests.redis_server import RedisServer
from yotei.cache import l2 as l2_module
from yotei.cache.key import Family, Value
from yotei.cache.l2 import BREAKER_OPEN_S, CALM_S, Fill, L2Unavailable, packed
from yotei.cache.marker import Marker, may_fill
from yotei.errors import Code, Problem
from yotei.storage.change_log import Snapshot
from yotei.storage.pool import Database


@pytest.fixture
async def it(database: Database) -> UUID:
    """A thing whose number is 1."""
    made = thing()
    await write(database, made, 1)
    return made


@pytest.fixture
async def pair(database: Database, redis_server: RedisServer) -> AsyncIterator[tuple[Node, Node]]:
    """Two nodes that share a Redis."""
    async with node(database, redis_server.unix_url) as one, node(database, redis_server.unix_url) as other:
        yield one, other


async def put(one: Node, it: UUID, n: int, snapshot: Snapshot) -> bool:
    """A fill as some node may send it, however late; whether it was taken."""
    assert one.l2 is not None
    marker = await one.l2.marker(one.tail.epoch, 0)
    if marker is None or not may_fill(snapshot, marker):
        return False
    value = Value(n, snapshot, 0.0, 2e9, 0.0)
    fill = Fill(key_of(it), snapshot.xmin, packed(value, b"%c" % n, deflate_bytes_min=None), 60_000)
    return await one.l2.fill(one.tail.epoch, marker, 0, [fill], 60_000) == 1


async def lying(one: Node, it: UUID) -> tuple[str, bytes]:
    """Under which name it lies in Redis, and what, after it was read."""
    await one.get(it)
    await one.filled()
    assert one.l2 is not None
    name = one.l2._name(one.tail.epoch, 0, name_of(it))
    return name, await one.l2._redis.get(name)


async def lay(one: Node, name: str, stored: bytes) -> None:
    assert one.l2 is not None
    await one.l2._redis.set(name, stored)


async def stored(one: Node, it: UUID) -> Any:
    assert one.l2 is not None
    found = await one.l2.read(one.tail.epoch, [key_of(it)], lambda key, payload: one.cache._decoded(key, payload))
    return found[name_of(it)].value.payload if found else None


async def claimed(one: Node, it: UUID, token: str, ms: int) -> bool:
    assert one.l2 is not None
    ours, _ = await one.l2.claim(one.tail.epoch, [key_of(it)], token, ms, one.cache._decoded)
    return bool(ours)


async def swept(one: Node, after_s: float = 400.0) -> None:
    """Some time goes by, with polls; then the sweeper has its turn."""
    one.clock.ahead_s += 7.0
    await one.tail.poll()
    one.clock.ahead_s += after_s
    await one.tail.poll()
    await one.sweeper.turn()


async def test_what_one_node_has_loaded_another_one_finds(pair: tuple[Node, Node], it: UUID) -> None:
    one, other = pair
    await one.get(it)
    await one.filled()

    assert await other.get(it) == 1
    assert other.loads.calls == []
    assert other.cache.counts()["numbers"].hits_l2 == 1


async def test_many_keys_are_one_round_trip(pair: tuple[Node, Node], database: Database) -> None:
    one, other = pair
    things = [thing() for _ in range(50)]
    for n, some in enumerate(things):
        await write(database, some, n)
    await one.get_many(things)
    await one.filled()
    assert other.l2 is not None
    before = other.l2.round_trips

    assert await other.get_many(things) == list(range(50))
    assert other.l2.round_trips - before == 1


async def test_a_miss_of_all_levels_is_two_round_trips_before_its_answer(pair: tuple[Node, Node], it: UUID) -> None:
    one, _ = pair
    assert one.l2 is not None
    before = one.l2.round_trips

    await one.get(it)

    assert one.l2.round_trips - before == 2


async def test_a_change_that_the_reader_knows_of_makes_the_stored_value_useless(
    pair: tuple[Node, Node], database: Database, it: UUID
) -> None:
    one, other = pair
    await one.get(it)
    await one.filled()
    await write(database, it, 2)
    await other.tail.poll()

    assert await other.get(it) == 2
    assert other.cache.counts()["numbers"].purges == 1


async def test_without_a_marker_nothing_is_filled(database: Database, redis_server: RedisServer, it: UUID) -> None:
    async with node(database, redis_server.unix_url) as one:
        redis_server.empty()
        await one.get(it)
        await one.filled()

        assert await stored(one, it) is None
        assert one.cache.counts()["numbers"].fills_refused == 1


async def test_a_fill_older_than_the_marker_is_refused(pair: tuple[Node, Node], database: Database, it: UUID) -> None:
    one, _ = pair
    one.loads.open.clear()
    reading = asyncio.create_task(one.get(it))
    await one.loads.read.wait()
    await write(database, it, 2)
    await swept(one)
    one.loads.open.set()
    await reading
    await one.filled()

    assert await stored(one, it) is None


async def test_a_fill_that_was_judged_by_another_marker_is_judged_anew(pair: tuple[Node, Node], it: UUID) -> None:
    one, _ = pair
    assert one.l2 is not None
    there = await one.l2.marker(one.tail.epoch, 0)
    assert there is not None
    other = Marker(there.purged, there.since, "other")
    fill = Fill(key_of(it), 10, b"m", 60_000)

    assert await one.l2.fill(one.tail.epoch, other, 0, [fill], 60_000) == there


async def test_a_late_fill_is_purged_before_the_marker_moves_past_it(
    pair: tuple[Node, Node], database: Database, it: UUID
) -> None:
    one, _ = pair
    old = one.tail.floors.known
    await write(database, it, 2)
    taken = await put(one, it, 1, old)
    there = await stored(one, it)
    await swept(one)

    assert (taken, there) == (True, 1)
    assert await stored(one, it) is None
    assert not await put(one, it, 1, old)


async def test_a_purge_leaves_what_has_seen_the_change(pair: tuple[Node, Node], database: Database, it: UUID) -> None:
    one, _ = pair
    xid = await write(database, it, 2)
    await one.tail.poll()
    await one.get(it)
    await one.filled()
    assert one.l2 is not None

    assert await one.l2.purge(one.tail.epoch, [(name_of(it), xid)]) == 0
    assert await stored(one, it) == 2
    assert await one.l2.purge(one.tail.epoch, [(name_of(it), xid + 1)]) == 1
    assert await stored(one, it) is None


async def test_a_group_is_purged_by_one_key(pair: tuple[Node, Node], it: UUID) -> None:
    one, _ = pair
    await one.get(it)
    await one.filled()
    assert one.l2 is not None
    before = await stored(one, it)

    purged = await one.l2.purge(one.tail.epoch, [(key_of(it).group, 2**40)])

    assert (before, purged) == (1, 1)
    assert await stored(one, it) is None


async def test_the_sweeper_purges_at_once_and_moves_the_marker_later(
    database: Database, redis_server: RedisServer, it: UUID
) -> None:
    async with node(database, redis_server.unix_url) as one:
        assert one.l2 is not None
        assert await one.l2.take_turn(one.tail.epoch, one.sweeper._token, 5_000)
        one.sweeper._has_turn = True
        await one.get(it)
        await one.filled()
        before = await one.l2.marker(one.tail.epoch, 0)
        await write(database, it, 2)
        await one.tail.poll()
        await one.sweeper._purge()
        at_once = await stored(one, it), await one.l2.marker(one.tail.epoch, 0)
        known = one.tail.floors.known
        await swept(one)
        after = await one.l2.marker(one.tail.epoch, 0)

    assert at_once == (None, before)
    assert before is not None and after is not None
    assert after.purged == known != before.purged
    assert after.since == before.since


async def test_a_value_older_than_the_floors_is_believed_if_the_marker_has_passed_them(
    database: Database, redis_server: RedisServer, it: UUID
) -> None:
    other = thing()
    async with node(database, redis_server.unix_url) as one:
        await one.get(it)
        await one.filled()
        await write(database, other, 1)
        # The window goes by: the floors of both changes are forgotten, the base is after them.
        await swept(one)
        await swept(one)
        one.tail.floors.advance(one.tail.floors.known, one.clock.now_s() + 1e6)
        assert one.l1 is not None
        one.l1.clear()
        believed = await one.get(it)
        loads = len(one.loads.calls)

        one.l1.clear()
        assert one.l2 is not None
        await one.l2._redis.delete(one.l2._marker(one.tail.epoch, 0))
        await one.get(it)

    assert (believed, loads) == (1, 1)
    assert len(one.loads.calls) == 2


async def test_nobody_sweeps_while_another_one_does(pair: tuple[Node, Node]) -> None:
    one, other = pair
    assert one.l2 is not None and other.l2 is not None
    epoch = one.tail.epoch

    assert await one.l2.take_turn(epoch, "one", 5_000)
    assert not await other.l2.take_turn(epoch, "other", 5_000)
    assert await one.l2.take_turn(epoch, "one", 5_000)


async def test_a_key_is_loaded_once_in_the_cluster(database: Database, redis_server: RedisServer, it: UUID) -> None:
    url = redis_server.unix_url
    async with (
        node(database, url, running=True) as one,
        node(database, url, running=True) as two,
        node(database, url, running=True) as three,
    ):
        nodes = (one, two, three)
        for each in nodes:
            each.loads.open.clear()
        asked = [asyncio.create_task(nodes[n % 3].get(it)) for n in range(150)]
        await asyncio.wait(
            [asyncio.create_task(each.loads.read.wait()) for each in nodes], return_when="FIRST_COMPLETED"
        )
        for each in nodes:
            each.loads.open.set()
        numbers = await asyncio.gather(*asked)

    assert set(numbers) == {1}
    assert sum(len(each.loads.calls) for each in nodes) == 1


async def test_a_node_that_dies_while_it_loads_costs_the_time_of_its_claim(
    database: Database, redis_server: RedisServer, it: UUID
) -> None:
    async with node(database, redis_server.unix_url) as one:
        assert one.l2 is not None
        assert await claimed(one, it, "gone", 200)

        assert await one.get(it) == 1
        assert len(one.loads.calls) == 1


async def test_of_those_who_wait_for_one_that_has_died_one_loads(
    database: Database, redis_server: RedisServer, it: UUID
) -> None:
    url = redis_server.unix_url
    async with (
        node(database, url, running=True) as one,
        node(database, url, running=True) as two,
    ):
        assert await claimed(one, it, "gone", 200)

        assert set(await asyncio.gather(one.get(it), two.get(it))) == {1}
        assert len(one.loads.calls) + len(two.loads.calls) == 1


async def test_who_gets_a_claim_finds_what_was_filled_before_it_was_free(pair: tuple[Node, Node], it: UUID) -> None:
    one, other = pair
    await one.get(it)
    await one.filled()
    assert other.l2 is not None

    ours, found = await other.l2.claim(other.tail.epoch, [key_of(it)], "other", 5_000, other.cache._decoded)

    assert ours == {name_of(it)}
    assert found[name_of(it)].value.payload == 1


async def test_redis_is_not_taken_for_slow_by_a_node_that_is_busy_itself(
    database: Database, redis_server: RedisServer, it: UUID
) -> None:
    async with node(database, redis_server.unix_url, soft_s=0.05) as one:
        await one.get(it)
        await one.filled()
        assert one.l1 is not None and one.l2 is not None
        one.l1.clear()

        asked = asyncio.create_task(one.get(it))
        while not asked.done():
            time.sleep(0.06)  # noqa: ASYNC251, that is the point
            await asyncio.sleep(0)

        assert await asked == 1
        assert (len(one.loads.calls), one.l2.failures) == (1, 0)


async def test_many_who_come_at_once_to_a_node_without_connections_find_all_in_redis(
    database: Database, redis_server: RedisServer
) -> None:
    things = [thing() for _ in range(200)]
    for each in things:
        await write(database, each, 1)
    async with node(database, redis_server.url) as one, node(database, redis_server.url, soft_s=0.02) as other:
        await one.get_many(things)
        await one.filled()
        assert other.l2 is not None

        asked = [asyncio.create_task(other.get(each)) for each in things]
        while not all(task.done() for task in asked):
            time.sleep(0.03)  # noqa: ASYNC251, all else that the node does
            await asyncio.sleep(0)

        assert [await task for task in asked] == [1] * len(things)
        assert (other.loads.calls, other.l2.failures) == ([], 0)


async def test_what_another_release_has_stored_is_not_there(pair: tuple[Node, Node], it: UUID) -> None:
    one, _ = pair
    name, whole = await lying(one, it)
    for broken in (whole[:30], whole[:-1], whole[:36] + b"z" + whole[37:], b"0" * 37 + b"m\x90"):
        await lay(one, name, broken)
        assert await stored(one, it) is None


async def test_what_nests_too_deep_to_be_decoded_is_not_there(pair: tuple[Node, Node], it: UUID) -> None:
    one, other = pair
    name, whole = await lying(one, it)
    await lay(one, name, whole[:37] + b"\x96\x01\x90\x01\x01\x01" + b"\x91" * 100_000)

    assert await other.get(it) == 1


@pytest.mark.parametrize("size", [l2_module.INFLATED_BYTES_MAX + 1, 10_000], ids=["too large", "cut off"])
async def test_what_cannot_be_inflated_whole_is_not_there(pair: tuple[Node, Node], it: UUID, size: int) -> None:
    one, other = pair
    name, whole = await lying(one, it)
    deflated = zlib.compress(bytes(size))
    await lay(one, name, whole[:36] + b"z" + (deflated if size > 10_000 else deflated[:-5]))

    assert await other.get(it) == 1


async def test_long_values_are_deflated(database: Database, redis_server: RedisServer, it: UUID) -> None:
    async with node(database, redis_server.unix_url, deflate_bytes_min=1) as one:
        await one.get(it)
        await one.filled()
        assert one.l2 is not None
        found = await one.l2._redis.get(one.l2._name(one.tail.epoch, 0, name_of(it)))

        assert found[36:37] == b"z"
        assert await stored(one, it) == 1


async def test_redis_that_is_gone_costs_nothing_but_loads_and_comes_back(
    database: Database, tmp_path: Path, it: UUID
) -> None:
    with RedisServer(tmp_path) as server:
        async with node(database, server.url, l1=False) as one:
            await one.get(it)
            await one.filled()
            server.kill()
            while_gone = [await one.get(it) for _ in range(10)]
            assert one.l2 is not None
            asked = one.l2.round_trips
            await one.get(it)
            left_alone = one.l2.round_trips == asked
            server.start()
            one.clock.ahead_s = 2.0
            await one.sweeper.turn()
            await one.get(it)
            await one.filled()
            loads = len(one.loads.calls)
            after = await one.get(it)

            assert while_gone == [1] * 10
            assert left_alone
            assert (after, len(one.loads.calls)) == (1, loads)


async def test_redis_that_does_not_answer_is_waited_for_a_moment_only(
    database: Database, tmp_path: Path, it: UUID
) -> None:
    with RedisServer(tmp_path) as server:
        async with node(database, server.url, soft_s=0.05, hard_s=0.2) as one:
            assert one.l2 is not None
            server.pause()
            with pytest.raises(L2Unavailable, match="in time"):
                await one.l2.read(one.tail.epoch, [key_of(it)], one.cache._decoded)
            number = await one.get(it)
            server.resume()

            assert number == 1


async def test_with_postgresql_down_what_redis_has_is_served_and_marked(
    database: Database, redis_server: RedisServer, it: UUID
) -> None:
    async with node(database, redis_server.unix_url, lease_s=2.0) as one:
        await one.get(it)
        await one.filled()
        assert one.l1 is not None
        one.l1.clear()
        one.clock.ahead_s = 60.0
        one.loads.failure = Problem(Code.UNAVAILABLE, "down")
        reading = one.cache.reading()

        assert await one.get_many([it], reading) == [1]
        assert reading.stale_age_s is not None


async def test_what_is_refreshed_before_time_is_loaded_and_not_the_old_value_again(
    database: Database, redis_server: RedisServer
) -> None:
    things = [thing() for _ in range(20)]
    for one_thing in things:
        await write(database, one_thing, 1)
    passed_s = 0.0
    lasting = Family("numbers", int, ttl_s=600.0, l1_ttl_s=600.0)
    async with node(
        database, redis_server.unix_url, families=[lasting], lease_s=3_600.0, wall_s=lambda: time.time() + passed_s
    ) as one:
        await one.get_many(things)
        await one.filled()
        before = len(one.loads.calls)
        one.clock.ahead_s = passed_s = 560.0
        one.cache._chance = lambda: 1 - 1e-9

        await one.get_many(things)
        await asyncio.gather(*one.cache._flights._tasks)

    assert len(one.loads.calls) - before == len(things)


async def test_epochs_do_not_see_each_other(pair: tuple[Node, Node], it: UUID) -> None:
    one, _ = pair
    await one.get(it)
    await one.filled()
    assert one.l2 is not None

    assert await one.l2.read("another", [key_of(it)], one.cache._decoded) == {}
    assert await one.l2.marker("another", 0) is None


async def test_without_a_table_in_process_redis_serves_alone(
    database: Database, redis_server: RedisServer, it: UUID
) -> None:
    async with node(database, redis_server.unix_url, l1=False, families=[NUMBERS]) as one:
        await one.get(it)
        await one.filled()
        await one.get(it)

        assert len(one.loads.calls) == 1
        assert one.cache.counts()["numbers"].hits_l2 == 1


async def test_an_outage_of_redis_is_told_of_when_it_begins_and_when_it_is_over(
    database: Database, tmp_path: Path, it: UUID
) -> None:
    with RedisServer(tmp_path) as server, logged_by(l2_module) as logged:
        async with node(database, server.url, l1=False) as one:
            await one.get(it)
            server.kill()
            for _ in range(20):
                await one.get(it)
            server.start()
            one.clock.ahead_s = BREAKER_OPEN_S
            await one.get(it)
            too_early = len(logged)
            one.clock.ahead_s += CALM_S
            await one.get(it)
            await one.get(it)

    assert too_early == 2
    assert [(entry["event"], entry.get("error")) for entry in logged] == [
        ("redis_connected", None),
        ("redis_lost", "ConnectionRefusedError"),
        ("redis_connected", None),
    ]


@pytest.mark.parametrize(
    ("address", "error"),
    [
        ("redis://:wrong@127.0.0.1:{port}", "AuthenticationError"),
        ("redis://127.0.0.1:{port}", "AuthenticationError"),
        ("redis://:s3cret@127.0.0.1:1", "ConnectionRefusedError"),
        ("redis://:s3cret@no-such-host.invalid:{port}", "gaierror"),
        ("redis://:s3cret@127.0.0.1:{port}/99", "ResponseError"),
        ("redis+cluster://127.0.0.1:1", "ConnectionRefusedError"),
        ("redis+sentinel://127.0.0.1:1/main", "MasterNotFoundError"),
    ],
)
async def test_a_redis_that_was_never_there_is_told_of_at_once_and_reads_go_on(
    database: Database, tmp_path: Path, it: UUID, address: str, error: str
) -> None:
    with RedisServer(tmp_path, "--requirepass", "s3cret") as server, logged_by(l2_module) as logged:
        one = Node(database, address.format(port=server.port))
        await one.tail.poll()
        numbers = [await one.get(it) for _ in range(10)]
        await one.cache.close()
        assert one.l2 is not None
        await one.l2.close()

    assert numbers == [1] * 10
    assert [(entry["event"], entry["error"]) for entry in logged] == [("redis_lost", error)]
    assert all(part not in str(logged) for part in ("wrong", "s3cret", "127.0.0.1", "no-such-host"))


async def test_what_redis_refuses_beside_what_it_answers_is_told_of_once(
    database: Database, tmp_path: Path, it: UUID
) -> None:
    with RedisServer(tmp_path) as server, logged_by(l2_module) as logged:
        async with node(database, server.url, l1=False) as one:
            server.command("CONFIG", "SET", "maxmemory-policy", "noeviction")
            server.command("CONFIG", "SET", "maxmemory", "1")
            numbers = [await one.get(it) for _ in range(10)]

    assert numbers == [1] * 10
    assert [(entry["event"], entry.get("error")) for entry in logged] == [
        ("redis_connected", None),
        ("redis_refused", "OutOfMemoryError"),
    ]
