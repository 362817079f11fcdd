"""What is made of several values is served for as long as each of them could be, and not a change longer."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from tests.integration.cache.nodes import Node, key_of, name_of, node, sql, thing, write
from yotei.cache.composites import Composites
from yotei.cache.levels import Reading
from yotei.cache.reads import hold_until, reading_of_request
from yotei.cache.token import Token
from yotei.storage.change_log import Snapshot
from yotei.storage.pool import Database

SIZE_BYTES = 100


class Kept:
    """A node, and what is kept there of sums of its numbers."""

    def __init__(self, one: Node, **options: Any) -> None:
        assert one.l1 is not None
        self.node = one
        self.sums = Composites(
            one.tail,
            one.l1,
            now_s=one.clock.now_s,
            **{"bytes_max": 1_000_000, "ttl_s": 60.0, "stale_max_s": 100.0, **options},
        )

    async def read(self, things: Sequence[UUID]) -> tuple[int, Reading]:
        reading = self.node.cache.reading()
        return sum(one or 0 for one in await self.node.get_many(things, reading)), reading

    async def keep(self, name: str, *things: UUID, size_bytes: int = SIZE_BYTES) -> None:
        total, reading = await self.read(things)
        self.sums.keep(name, total, size_bytes, reading)


@asynccontextmanager
async def keeping(
    database: Database, *, node_options: dict[str, Any] | None = None, **options: Any
) -> AsyncIterator[Kept]:
    async with node(database, **(node_options or {})) as one:
        yield Kept(one, **options)


async def numbers(database: Database, count: int) -> list[UUID]:
    things = [thing() for _ in range(count)]
    for number, one in enumerate(things, start=1):
        await write(database, one, number)
    return things


async def test_it_is_there_until_one_of_its_values_changes(database: Database) -> None:
    a, b, c = await numbers(database, 3)
    async with keeping(database) as kept:
        await kept.keep("ab", a, b)
        await kept.keep("bc", b, c)
        before = kept.sums.get("ab"), kept.sums.get("bc")

        await write(database, a, 10)
        await kept.node.tail.poll()
        after = kept.sums.get("ab"), kept.sums.get("bc")
        await kept.keep("ab", a, b)
        again = kept.sums.get("ab")

    assert (before, after, again) == ((3, 5), (None, 5), 12)
    assert (kept.sums.counts.gets, kept.sums.counts.hits_l1, kept.sums.counts.purges) == (5, 4, 1)


async def test_a_hint_and_the_own_write_end_it_at_once_and_so_does_a_change_of_a_group(database: Database) -> None:
    things = await numbers(database, 3)
    async with keeping(database) as kept:
        for number, one in enumerate(things):
            await kept.keep(str(number), one)

        kept.node.tail.hint(kept.node.tail.epoch, await write(database, things[0], 9), [name_of(things[0])])
        kept.node.cache.apply(await write(database, things[1], 9), [name_of(things[1])])
        kept.node.cache.apply(await write(database, things[2], 9), [key_of(things[2]).group])

        assert [kept.sums.get(str(number)) for number in range(3)] == [None] * 3


async def test_what_shows_more_than_the_node_knows_is_not_kept_until_it_knows(database: Database) -> None:
    (it,) = await numbers(database, 1)
    async with keeping(database) as kept:
        await write(database, it, 2)

        await kept.keep("early", it)
        await kept.node.tail.poll()
        await kept.keep("known", it)

        assert (kept.sums.get("early"), kept.sums.get("known")) == (None, 2)


async def test_values_of_two_moments_are_not_kept_together(database: Database) -> None:
    a, b = await numbers(database, 2)
    async with keeping(database) as kept:
        reading = kept.node.cache.reading()
        await kept.node.get_many([a], reading)
        await write(database, a, 10)
        await kept.node.tail.poll()
        await kept.node.get_many([b], reading)

        kept.sums.keep("ab", 3, SIZE_BYTES, reading)

        assert kept.sums.get("ab") is None


async def test_what_is_read_while_it_changes_is_found_out(database: Database) -> None:
    (it,) = await numbers(database, 1)
    async with keeping(database) as kept:
        total, reading = await kept.read([it])
        await write(database, it, 2)

        kept.sums.keep("it", total, SIZE_BYTES, reading)
        before = kept.sums.get("it")
        await kept.node.tail.poll()

        assert (before, kept.sums.get("it")) == (1, None)


async def test_without_a_lease_and_in_another_history_there_is_nothing(database: Database) -> None:
    (it,) = await numbers(database, 1)
    async with keeping(database) as kept:
        await kept.keep("it", it)
        kept.node.clock.ahead_s = 31.0
        unleased = kept.sums.get("it")
        await kept.node.tail.poll()
        leased = kept.sums.get("it")

        # A crash throws the statistics away; so does this.
        await database.execute(sql("select pg_stat_reset_shared('archiver')"))
        await kept.node.tail.poll()

        assert (unleased, leased, kept.sums.get("it"), kept.sums.stale("it")) == (None, 1, None, None)


async def test_a_change_of_everything_leaves_nothing(database: Database) -> None:
    it, other = await numbers(database, 2)
    async with keeping(database) as kept:
        await kept.keep("it", it)

        kept.node.tail.raise_to(await write(database, other, 3), ["*"])
        blind = kept.sums.get("it")
        await kept.node.tail.poll()

        assert (blind, kept.sums.get("it")) == (None, None)


async def test_it_outlives_what_is_forgotten_of_changes_of_others(database: Database) -> None:
    it, other = await numbers(database, 2)
    async with keeping(database, node_options={"window_s": 10.0}) as kept:
        await kept.keep("it", it)
        for _ in range(5):
            kept.node.clock.ahead_s += 6.0
            await write(database, other, 3)
            await kept.node.tail.poll()
            assert kept.sums.get("it") == 1
        base = kept.node.tail.floors.base

        await write(database, it, 2)
        await kept.node.tail.poll()

        assert base.xmin > 3
        assert kept.sums.get("it") is None


async def test_it_ends_with_its_time_that_of_a_value_and_the_moment_it_is_held_until(database: Database) -> None:
    a, b, c = await numbers(database, 3)
    async with keeping(database, node_options={"lease_s": 10_000.0}) as kept:
        await kept.keep("ttl", a)
        total, reading = await kept.read([b])
        with reading_of_request(reading):
            hold_until(datetime.now(UTC) + timedelta(seconds=50))
            hold_until(datetime.now(UTC) + timedelta(seconds=20))
            hold_until(datetime.now(UTC) + timedelta(seconds=70))
        kept.sums.keep("held", total, SIZE_BYTES, reading)
        await kept.node.get(c)
        found = []
        for ahead_s in (10.0, 30.0, 70.0):
            kept.node.clock.ahead_s = ahead_s
            found.append((kept.sums.get("ttl"), kept.sums.get("held")))
        kept.node.clock.ahead_s = 280.0  # of the 300 s that a value stays in process
        await kept.keep("of an old value", c)
        for ahead_s in (281.0, 301.0):
            kept.node.clock.ahead_s = ahead_s
            found.append((kept.sums.get("of an old value"), None))

    assert found == [(1, 2), (1, None), (None, None), (3, None), (None, None)]


async def test_what_is_over_when_it_is_made_is_not_kept(database: Database) -> None:
    (it,) = await numbers(database, 1)
    async with keeping(database) as kept:
        total, reading = await kept.read([it])
        with reading_of_request(reading):
            hold_until(datetime.now(UTC))

        kept.sums.keep("it", total, SIZE_BYTES, reading)

        assert len(kept.sums) == 0


async def test_what_was_made_of_stale_or_of_no_values_is_not_kept(database: Database) -> None:
    (it,) = await numbers(database, 1)
    async with keeping(database) as kept:
        total, reading = await kept.read([it])
        reading.stale_age_s = 1.0

        kept.sums.keep("stale", total, SIZE_BYTES, reading)
        kept.sums.keep("nothing", 0, SIZE_BYTES, kept.node.cache.reading())

        assert len(kept.sums) == 0


async def test_old_ones_are_there_for_when_postgresql_is_away_unless_they_are_known_to_be_wrong(
    database: Database,
) -> None:
    a, b = await numbers(database, 2)
    async with keeping(database) as kept:
        await kept.keep("a", a)
        await kept.keep("b", b)
        await write(database, b, 3)
        await kept.node.tail.poll()
        kept.node.clock.ahead_s = 90.0

        stale, outdated = kept.sums.stale("a"), kept.sums.stale("b")
        kept.node.clock.ahead_s = 161.0
        too_old = kept.sums.stale("a")

    assert stale is not None
    assert (stale[0], round(stale[1])) == (1, 90)
    assert (outdated, too_old) == (None, None)


async def test_what_time_has_made_another_answer_of_is_no_old_one_either(database: Database) -> None:
    (it,) = await numbers(database, 1)
    async with keeping(database) as kept:
        total, reading = await kept.read([it])
        with reading_of_request(reading):
            hold_until(datetime.now(UTC) + timedelta(seconds=20))
        kept.sums.keep("it", total, SIZE_BYTES, reading)

        kept.node.clock.ahead_s = 10.0
        held = kept.sums.stale("it")
        kept.node.clock.ahead_s = 30.0
        over = kept.sums.stale("it")

    assert held is not None
    assert over is None


async def test_they_take_no_more_room_than_they_may_and_a_large_one_none(database: Database) -> None:
    (it,) = await numbers(database, 1)
    async with keeping(database, bytes_max=100_000) as kept:
        for number in range(200):
            await kept.keep(str(number), it, size_bytes=2_000)
        await kept.keep("large", it, size_bytes=6_000)

        assert 0 < len(kept.sums) <= 100_000 / 2_000
        assert kept.sums.get("large") is None


async def test_who_has_seen_more_than_the_node_knows_is_told_apart(database: Database) -> None:
    (it,) = await numbers(database, 1)
    async with keeping(database) as kept:
        _, reading = await kept.read([it])
        token = kept.sums.token(reading)
        xid = await write(database, it, 2)
        wrote = Token(token.epoch, token.seen, xid)

        before = kept.sums.has_seen(token), kept.sums.has_seen(wrote)
        await kept.node.tail.poll()

        assert (before, kept.sums.has_seen(wrote)) == ((True, False), True)
        assert token == kept.node.cache.token(reading)
        assert not kept.sums.has_seen(Token(token.epoch, Snapshot(2**40, 2**40)))
        assert not kept.sums.has_seen(Token("another", token.seen))
