"""One level and the tail: what is served holds every change that the node knows of, and it knows soon."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from uuid import UUID

import pytest
from msgspec import structs

from tests.conftest import Budget
from tests.integration.cache.nodes import LOG, NUMBERS, key_of, name_of, node, purges, sql, thing, write
from tests.integration.rows import many_changes
from tests.logged import logged_by
from tests.proxy import proxy_to_database
from yotei.cache import tail as tail_module
from yotei.cache.key import Family
from yotei.cache.levels import FLIGHTS_PER_GET_MAX
from yotei.cache.tail import PAGE_CHANGES_MAX, POLL_GAP_S_MIN, POLL_PAGES_MAX, STRETCH_CHANGES_MAX, Tail
from yotei.cache.token import Token
from yotei.errors import Code, Problem
from yotei.observe.budget import BudgetExceeded
from yotei.storage.change_log import Change, Position, Snapshot
from yotei.storage.maintenance import maintain
from yotei.storage.pool import Database

DOWN = Problem(Code.UNAVAILABLE, "down")
LEASE_S = 2.0
PATIENCE_S = 20.0
DAY_MS = 86_400_000
POLL_CHANGES_MAX = POLL_PAGES_MAX * PAGE_CHANGES_MAX


async def test_what_is_in_process_is_served_without_a_statement(database: Database, budget: Budget) -> None:
    it = thing()
    await write(database, it, 1)
    async with node(database) as one:
        with budget(statements=1):
            first = await one.get(it)
        with budget(statements=0):
            second = await one.get(it)

    assert (first, second) == (1, 1)
    assert one.cache.counts()["numbers"].hits_l1 == 1


async def test_a_change_is_seen_with_the_next_poll(database: Database) -> None:
    it = thing()
    await write(database, it, 1)
    async with node(database) as one:
        await one.get(it)
        await write(database, it, 2)
        before = await one.get(it)
        await one.tail.poll()
        after = await one.get(it)

    assert (before, after) == (1, 2)
    assert one.cache.counts()["numbers"].purges == 1


async def test_a_hint_and_the_own_write_are_seen_at_once(database: Database) -> None:
    it, other = thing(), thing()
    await write(database, it, 1)
    await write(database, other, 1)
    async with node(database) as one:
        await one.get_many([it, other])
        one.tail.hint(one.tail.epoch, await write(database, it, 2), [name_of(it)])
        one.cache.apply(await write(database, other, 2), [name_of(other)])

        assert await one.get_many([it, other]) == [2, 2]


async def test_a_hint_asks_for_no_poll_unless_it_is_of_another_epoch(database: Database) -> None:
    it = thing()
    await write(database, it, 1)
    tail = Tail(database, purges, poll_s=600.0)
    running = asyncio.create_task(tail.run())
    try:
        await tail.caught_up()
        await asyncio.sleep(2 * POLL_GAP_S_MIN)
        polls = tail.polls

        tail.hint(tail.epoch, await write(database, it, 2), [name_of(it)])
        await asyncio.sleep(4 * POLL_GAP_S_MIN)
        believed = tail.polls
        tail.hint("1.1.1.1", 2**40, [name_of(it)])
        async with asyncio.timeout(20):
            while tail.polls == polls:  # noqa: ASYNC110  # nobody is told
                await asyncio.sleep(0.01)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    assert believed == polls


async def test_a_hint_of_another_epoch_is_not_believed(database: Database) -> None:
    it = thing()
    await write(database, it, 1)
    async with node(database) as one:
        await one.get(it)
        one.tail.hint("1.1.1.1", 2**40, [name_of(it)])
        await one.get(it)

        assert len(one.loads.calls) == 1


async def test_a_load_that_was_outrun_by_a_change_is_not_kept(database: Database) -> None:
    it = thing()
    await write(database, it, 1)
    async with node(database) as one:
        one.loads.open.clear()
        reading = asyncio.create_task(one.get(it))
        await one.loads.read.wait()
        await write(database, it, 2)
        await one.tail.poll()
        late = asyncio.create_task(one.get(it))
        await asyncio.sleep(0)
        one.loads.open.set()

        # Who asked before the change may be told the old number, who asked later may not; nobody keeps it.
        assert await reading == 1
        assert await late == 2
        assert await one.get(it) == 2
        assert len(one.loads.calls) == 2


async def test_without_a_lease_everything_is_loaded(database: Database) -> None:
    it = thing()
    await write(database, it, 1)
    async with node(database, lease_s=LEASE_S) as one:
        await one.get(it)
        one.clock.ahead_s = 60.0
        await write(database, it, 2)
        after_a_pause = await one.get(it)
        await one.get(it)
        loads = len(one.loads.calls)
        await one.tail.poll()
        await one.get(it)
        await one.get(it)

    assert after_a_pause == 2
    assert loads == 3
    # What the last of these loads brought was kept, and is served now that there is a lease.
    assert len(one.loads.calls) == 3


async def test_a_change_of_everything_leaves_nothing(database: Database) -> None:
    it = thing()
    await write(database, it, 1)
    async with node(database) as one:
        await one.get(it)
        await database.execute(
            sql(
                "insert into change_log (scope_kind, scope_id, entity, entity_id, op) "
                "values ('system', gen_random_uuid(), 'bulk', gen_random_uuid(), 'load')"
            )
        )
        await one.tail.poll()
        await one.get(it)
        await one.get(it)

        assert len(one.loads.calls) == 2


async def test_more_changes_than_a_poll_reads_are_a_change_of_everything(database: Database, budget: Budget) -> None:
    it, untouched = thing(), thing()
    await write(database, it, 1)
    await write(database, untouched, 1)
    async with node(database) as one:
        await one.get_many([it, untouched])
        await many_changes(database, POLL_CHANGES_MAX)
        xid = await write(database, it, 2)  # of which the poll does not read

        with budget(statements=POLL_PAGES_MAX):
            await one.tail.poll()
        await write(database, thing(), 1)

        assert one.tail.floors.known.sees(xid)
        assert len(one.tail.floors) == 0
        with budget(statements=1):
            assert await one.get_many([it, untouched]) == [2, 1]
        with budget(statements=0):
            assert await one.get_many([it, untouched]) == [2, 1]
        with budget(statements=1):
            await one.tail.poll()
        assert len(one.tail.floors) == 1


async def test_as_many_changes_as_a_poll_reads_end_only_what_they_name(database: Database, budget: Budget) -> None:
    it, untouched = thing(), thing()
    await write(database, it, 1)
    await write(database, untouched, 1)
    async with node(database) as one:
        await one.get_many([it, untouched])
        await write(database, it, 2)
        await many_changes(database, POLL_CHANGES_MAX - 2)

        with budget(statements=POLL_PAGES_MAX):
            await one.tail.poll()

        with budget(statements=1):
            assert await one.get_many([it, untouched]) == [2, 1]
        assert one.loads.calls[-1] == [name_of(it)]


async def test_who_goes_through_many_changes_lets_others_have_their_turn(database: Database) -> None:
    turns, met = 0, Counter[int]()

    async def turn() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    def counted(change: Change) -> Iterable[str]:
        met[turns] += 1
        return purges(change)

    tail = Tail(database, counted)
    await tail.poll()
    await many_changes(database, PAGE_CHANGES_MAX - 1)
    others = asyncio.create_task(turn())
    await tail.poll()
    others.cancel()

    assert met.total() == PAGE_CHANGES_MAX - 1
    assert max(met.values()) <= STRETCH_CHANGES_MAX


async def test_a_node_that_starts_reads_as_many_changes_as_it_remembers(database: Database, budget: Budget) -> None:
    it = thing()
    xid = await write(database, it, 1)
    await many_changes(database, POLL_CHANGES_MAX)
    remembering = Tail(database, purges)
    forgetful = Tail(database, purges, floors_max=POLL_CHANGES_MAX)

    await remembering.poll()
    with budget(statements=4 + POLL_PAGES_MAX):
        await forgetful.poll()

    assert xid in remembering.floors.of(name_of(it))
    assert len(forgetful.floors) == 0
    assert forgetful.floors.base == forgetful.floors.known
    assert forgetful.floors.known.sees(xid)


async def test_what_is_not_there_is_remembered_until_it_is(database: Database) -> None:
    it = thing()
    async with node(database) as one:
        absent = [await one.get(it), await one.get(it)]
        loads = len(one.loads.calls)
        await write(database, it, 1)
        await one.tail.poll()

        assert (absent, loads) == ([None, None], 1)
        assert await one.get(it) == 1


async def test_many_keys_are_one_load(database: Database, budget: Budget) -> None:
    things = [thing() for _ in range(20)]
    for n, it in enumerate(things):
        await write(database, it, n)
    async with node(database) as one:
        await one.get(things[3])
        with budget(statements=1):
            numbers = await one.get_many([*things, things[0]])

    assert numbers == [*range(20), 0]


async def test_answers_are_in_the_order_of_the_keys_whichever_are_there(database: Database) -> None:
    warm, cold, absent = thing(), thing(), thing()
    await write(database, warm, 1)
    await write(database, cold, 2)
    async with node(database) as one:
        await one.get(warm)

        first = await one.get_many([cold, warm, absent, cold, warm])
        again = await one.get_many([cold, warm, absent, cold, warm])

    assert first == again == [2, 1, None, 2, 1]
    counts = one.cache.counts()["numbers"]
    assert (counts.hits_l1, counts.misses_l1) == (2 + 5, 1 + 2)


async def test_a_client_reads_what_it_wrote_and_what_it_was_shown_on_any_node(database: Database) -> None:
    it = thing()
    await write(database, it, 1)
    async with node(database, running=True) as one, node(database) as other:
        await other.get(it)
        polling = asyncio.create_task(other.tail.run())
        other.tail._poll_s = 3600.0
        await other.tail.caught_up()
        xid = await write(database, it, 2)
        without = await other.get(it)
        writing = one.cache.reading()
        writing.xid = xid
        written = one.cache.token(writing)
        read_by_writer = await other.get(it, Token.parse(str(written)))

        await write(database, it, 3)
        await one.tail.caught_up()
        reading = one.cache.reading()
        shown = await one.get_many([it], reading)
        read_by_reader = await other.get(it, one.cache.token(reading))
        polling.cancel()

    assert without == 1
    assert read_by_writer == 2
    assert (shown, read_by_reader) == ([3], 3)


async def test_a_token_of_a_time_to_come_is_refused_and_one_of_another_epoch_asks_for_nothing(
    database: Database,
) -> None:
    it = thing()
    await write(database, it, 1)
    async with node(database, running=True) as one:
        with pytest.raises(ValueError, match="time to come"):
            await one.get(it, Token(one.tail.epoch, Snapshot(2**40, 2**40)))
        assert await one.get(it, Token("1.1.1.1", Snapshot(2**40, 2**40))) == 1


async def test_a_write_of_another_epoch_is_not_waited_for_in_this_one(database: Database) -> None:
    it = thing()
    await write(database, it, 1)
    async with node(database) as one:
        writing = one.cache.reading()
        await one.get_many([it], writing)
        writing.xid = 2**40  # of which the standby that is the primary now has never heard

        # A crash throws the statistics away; so does this.
        await database.execute(sql("select pg_stat_reset_shared('archiver')"))
        await one.tail.poll()
        told = one.cache.token(writing)

        assert told is not None
        assert told.is_met(one.tail.epoch, one.tail.floors.known)


async def test_who_begins_anew_in_the_same_epoch_tells_of_all_that_was_shown(database: Database) -> None:
    it = thing()
    async with node(database) as one:
        xid = await write(database, it, 1)
        reading = one.cache.reading()
        shown = await one.get_many([it], reading)

        one.tail._enter(one.tail.epoch, Position(Snapshot(1, 1), 0))  # it has not read the log yet
        told = one.cache.token(reading)

        assert shown == [1]
        assert told is not None
        assert told.seen.sees(xid)


async def test_with_postgresql_down_old_values_are_served_and_marked_but_never_with_a_token(
    database: Database,
) -> None:
    it, never_read = thing(), thing()
    await write(database, it, 1)
    async with node(database, lease_s=LEASE_S) as one:
        await one.get(it)
        token = Token(one.tail.epoch, one.tail.floors.base)
        one.clock.ahead_s = 60.0
        one.loads.failure = DOWN
        reading = one.cache.reading()

        assert await one.get_many([it], reading) == [1]
        assert reading.stale_age_s is not None
        assert one.cache.counts()["numbers"].stale_served == 1
        with pytest.raises(Problem) as refused:
            await one.get(it, token)
        assert refused.value.code is Code.UNAVAILABLE
        with pytest.raises(Problem):
            await one.get(never_read)

        one.loads.failure = None
        one.clock.ahead_s = 120.0
        reading = one.cache.reading()
        assert await one.get_many([it], reading) == [1]
        assert reading.stale_age_s is None


async def test_while_postgresql_is_silent_nobody_waits_for_it_but_the_poll(
    database: Database, database_url: str
) -> None:
    it, never_read = thing(), thing()
    await write(database, it, 1)
    async with (
        proxy_to_database(database_url) as (proxy, url),
        await Database.connect(url) as silent,
        node(silent, running=True, lease_s=LEASE_S) as one,
    ):
        await one.get(it)
        token = Token(one.tail.epoch, one.tail.floors.base)
        proxy.hold()
        async with asyncio.timeout(PATIENCE_S):
            while not one.tail.is_away:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        one.clock.ahead_s = LEASE_S
        loads = len(one.loads.calls)
        reading = one.cache.reading()

        assert await one.get_many([it], reading) == [1]
        assert reading.stale_age_s is not None
        for refused in (one.get(never_read), one.get(it, token), one.tail.caught_up()):
            with pytest.raises(Problem) as problem:
                await refused
            assert problem.value.code is Code.UNAVAILABLE
        assert len(one.loads.calls) == loads

        await write(database, it, 2)
        proxy.heal()
        async with asyncio.timeout(PATIENCE_S):
            while one.tail.is_away:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        reading = one.cache.reading()
        assert await one.get_many([it], reading) == [2]
        assert reading.stale_age_s is None


async def test_polls_that_fail_are_told_of_when_the_first_does_and_when_one_succeeds(
    database: Database, database_url: str
) -> None:
    with logged_by(tail_module) as logged:
        async with (
            proxy_to_database(database_url) as (proxy, url),
            await Database.connect(url) as silent,
            node(silent, running=True, lease_s=0.5) as one,
        ):
            proxy.hold()
            while one.tail.polls_failed < 3:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            proxy.heal()
            while one.tail.is_away:  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    assert [(entry["event"], entry.get("error")) for entry in logged] == [
        ("cache_epoch_entered", None),
        ("tail_poll_failed", "TimeoutError"),
        ("tail_resumed", None),
    ]


async def test_what_is_known_to_be_outdated_is_not_served_even_then(database: Database) -> None:
    it = thing()
    await write(database, it, 1)
    async with node(database) as one:
        await one.get(it)
        await write(database, it, 2)
        await one.tail.poll()
        one.loads.failure = DOWN

        with pytest.raises(Problem):
            await one.get(it)


async def test_what_has_expired_is_loaded_again(database: Database) -> None:
    it = thing()
    await write(database, it, 1)
    async with node(database, families=[Family("numbers", int, ttl_s=600.0, l1_ttl_s=30.0)], lease_s=1e6) as one:
        await one.get(it)
        one.clock.ahead_s = 31.0
        await one.get(it)

        assert len(one.loads.calls) == 2
        assert one.cache.counts()["numbers"].expiries == 1


async def test_a_value_is_loaded_before_it_expires_on_nobodys_budget(database: Database, budget: Budget) -> None:
    it = thing()
    await write(database, it, 1)
    async with node(database, lease_s=1e6, chance=lambda: 0.999) as one:
        await one.get(it)
        one.clock.ahead_s = NUMBERS.l1_ttl_s - 1
        one.l1.entries[name_of(it)].expires_s = one.clock.now_s() + 1  # type: ignore[union-attr]
        one.l1.entries[name_of(it)].throw_from_s = 0.0  # type: ignore[union-attr]
        with budget(statements=0):
            assert await one.get(it) == 1
        await one.cache._flights.wait([name_of(it)])

        assert len(one.loads.calls) == 2
        assert one.cache.counts()["numbers"].refreshes == 1
        assert one.cache.counts()["numbers"].misses_l1 == 1


async def test_another_history_drops_everything(database: Database) -> None:
    it = thing()
    await write(database, it, 1)
    async with node(database) as one:
        await one.get(it)
        epoch = one.tail.epoch
        # A crash throws the statistics away; so does this.
        await database.execute(sql("select pg_stat_reset_shared('archiver')"))
        await one.tail.poll()
        await one.get(it)

        assert one.tail.epoch != epoch
        assert len(one.loads.calls) == 2


async def test_a_node_that_starts_knows_the_changes_of_the_window_before(database: Database) -> None:
    it = thing()
    xid = await write(database, it, 1)
    async with node(database) as one:
        assert xid in one.tail.floors.of(name_of(it))
        assert one.tail.floors.known.sees(xid)


async def test_a_node_that_was_paused_for_longer_than_the_log_is_kept_begins_anew_by_the_clock_of_postgresql(
    database: Database,
) -> None:
    it = thing()
    await write(database, it, 1)
    async with node(database) as one:
        await one.get(it)
        position, turn = one.tail._position, one.tail.turn
        await write(database, it, 2)
        await database.fetch(sql("select change_log_make_partitions((now() at time zone 'UTC')::date - 40, 3)"))
        await database.execute(sql("update change_log set ts = ts - interval '40 days'"))
        await maintain(database, days_ahead=1, keep_days=30)
        assert position is not None
        # That the clock of the node stood still meanwhile goes without saying: it is not asked.
        one.tail._position = structs.replace(position, taken_at_ms=position.taken_at_ms - 40 * DAY_MS)

        await one.tail.poll()

        assert one.tail.turn == turn + 1
        assert await one.get(it) == 2


async def test_a_commit_that_comes_late_is_seen_when_it_comes(database: Database) -> None:
    it, other = thing(), thing()
    await write(database, it, 1)
    async with node(database) as one:
        async with database.transaction() as slow:
            await slow.execute(sql("update numbers set n = 2 where id = $1"), it)
            await slow.fetchrow(LOG, it, "user")
            await write(database, other, 1)
            await one.get(it)
            await one.tail.poll()
            before = await one.get(it)
        await one.tail.poll()

        assert (before, await one.get(it)) == (1, 2)


async def test_a_poll_that_fails_renews_nothing(database: Database) -> None:
    it = thing()
    await write(database, it, 1)
    async with node(database, lease_s=LEASE_S) as one:
        since_s = one.tail.lease.since_s
        one.tail._purges = _fails
        await write(database, it, 2)
        with pytest.raises(ZeroDivisionError):
            await one.tail.poll()

        assert one.tail.lease.since_s == since_s


def _fails(_change: object) -> list[str]:
    raise ZeroDivisionError


async def test_a_failed_load_fails_everybody_who_waits_and_leaves_no_slot(database: Database) -> None:
    it = thing()
    await write(database, it, 1)
    async with node(database) as one:
        one.loads.failure = ZeroDivisionError()
        answers = await asyncio.gather(*(one.get(it) for _ in range(5)), return_exceptions=True)
        one.loads.failure = None

        assert [type(answer) for answer in answers] == [ZeroDivisionError] * 5
        assert len(one.loads.calls) == 1
        assert await one.get(it) == 1


async def test_who_joins_a_load_does_not_fail_by_the_budget_of_who_began_it(database: Database, budget: Budget) -> None:
    it = thing()
    await write(database, it, 1)
    async with node(database) as one:

        async def asked(at_most: int) -> tuple[int | None, int]:
            with budget(at_most=at_most) as ledger:
                return await one.get(it), ledger.statements

        # More of them than one who waits has patience with loads that were outrun.
        spent = [asked(0) for _ in range(FLIGHTS_PER_GET_MAX + 1)]
        answers = await asyncio.gather(*spent, asked(1), asked(1), return_exceptions=True)

        assert [type(answer) for answer in answers[:-2]] == [BudgetExceeded] * len(spent)
        assert answers[-2:] == [(1, 1), (1, 0)]


async def test_loads_at_once_are_capped_and_who_waits_too_long_is_told(database: Database) -> None:
    things = [thing() for _ in range(3)]
    for it in things:
        await write(database, it, 1)
    async with node(database, loads_max=2, load_wait_s=0.05) as one:
        one.loads.open.clear()
        asked = [asyncio.create_task(one.get(it)) for it in things]
        done, waiting = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        refused = [task.exception() for task in done]
        one.loads.open.set()

        assert [type(error) for error in refused] == [Problem]
        assert [await task for task in waiting] == [1, 1]
        assert len(one.loads.calls) == 2


async def test_families_keep_their_keys_apart(database: Database) -> None:
    it: UUID = thing()
    await write(database, it, 1)
    async with node(database, families=[NUMBERS, Family("other", int, ttl_s=1.0, l1_ttl_s=1.0)]) as one:
        await one.get(it)

        assert one.cache.counts()["numbers"].loads == 1
        assert one.cache.counts()["other"].gets == 0
        assert key_of(it).name in one.l1.entries  # type: ignore[union-attr]
