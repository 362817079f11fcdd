"""The gateway: what is counted, what a caller is told, what a connection costs."""

import asyncio
from uuid import UUID, uuid4

import asyncpg
import pytest

from tests.conftest import Budget, PostgresFactory
from tests.proxy import proxy_to_database
from yotei.errors import Code, Problem
from yotei.observe.budget import BudgetExceeded, open_ledger
from yotei.storage.pool import (
    TRANSACTION_ATTEMPTS_MAX,
    Database,
    DatabaseNotPrepared,
    Outrun,
    Transaction,
    pool_size_default,
)
from yotei.storage.statements import Statement


def sql(text: str, name: str = "test.statement") -> Statement:
    return Statement(name=name, sql=text, purpose="test")


ONE = sql("select 1 as one", "test.one")
PID = sql("select pg_backend_pid() as pid", "test.pid")
SLEEP = sql("select pg_sleep(60)", "test.sleep")
USER = sql("insert into users (id, email, name) values ($1, $2, $3)", "test.insert_user")
RENAME = sql("update users set name = $2 where id = $1", "test.rename")


async def pid_of(database: Database) -> int:
    """Of the server process behind the connection that is taken next."""
    row = await database.fetchrow(PID)
    assert row is not None
    return int(row["pid"])


async def test_a_fetch_is_one_statement_on_the_server_and_nothing_else(database: Database, database_url: str) -> None:
    gauge = await asyncpg.connect(database_url)
    await gauge.execute("create extension if not exists pg_stat_statements")
    calls = """select coalesce(sum(calls), 0)::int from pg_stat_statements
               where dbid = (select oid from pg_database where datname = current_database())"""
    await database.fetch(ONE)
    before = await gauge.fetchval(calls)

    for _ in range(10):
        await database.fetch(ONE)

    # The gauge's own question is the eleventh.
    assert await gauge.fetchval(calls) - before == 11
    await gauge.close()


async def test_begin_and_actor_are_one_round_trip_and_the_change_log_knows_the_actor(database: Database) -> None:
    actor = uuid4()
    person = uuid4()

    async with database.transaction(actor) as transaction:
        await transaction.execute(USER, person, "a@example.org", "A")

    row = await database.fetchrow(sql("select actor_id from change_log where entity_id = $1"), person)
    assert row is not None
    assert row["actor_id"] == actor
    assert database.statement_stats()["transaction.begin"].count == 1


async def test_the_actor_does_not_outlive_the_transaction(database_url: str) -> None:
    async with await Database.connect(database_url, size_max=1) as database:
        async with database.transaction(uuid4()):
            pass

        row = await database.fetchrow(sql("select nullif(current_setting('yotei.actor_id', true), '') as actor"))

    assert row is not None
    assert row["actor"] is None


async def test_statements_are_counted_for_the_request_and_timed_by_name(database: Database) -> None:
    with open_ledger() as ledger:
        await database.fetch(ONE)
        async with database.transaction() as transaction:
            await transaction.fetchrow(ONE)
            await transaction.execute(ONE)

    assert [one.name for one in ledger.spent] == ["test.one"] * 3
    stats = database.statement_stats()["test.one"]
    assert stats.count == sum(stats.buckets) == 3
    assert 0 < stats.max_ms <= stats.total_ms


async def test_a_statement_over_the_budget_is_not_sent(database: Database, budget: Budget) -> None:
    with pytest.raises(BudgetExceeded), budget(at_most=1):
        await database.fetch(ONE)
        await database.execute(USER, uuid4(), "b@example.org", "B")

    row = await database.fetchrow(sql("select count(*) as n from users"))
    assert row is not None
    assert row["n"] == 0
    assert database.pool_stats().in_use == 0


async def test_a_failed_block_is_rolled_back(database: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        async with database.transaction() as transaction:
            await transaction.execute(USER, uuid4(), "c@example.org", "C")
            raise ZeroDivisionError

    assert await database.fetch(sql("select id from users")) == []


async def test_copy_loads_rows_in_bulk(database: Database) -> None:
    rows = [(uuid4(), f"p{n}@example.org", f"P{n}") for n in range(1_000)]

    async with database.transaction() as transaction:
        await transaction.copy("users", ["id", "email", "name"], rows)

    assert len(await database.fetch(sql("select id from users"))) == 1_000


async def test_a_violated_constraint_is_a_problem_that_names_the_field(database: Database) -> None:
    await database.execute(USER, uuid4(), "d@example.org", "D")

    with pytest.raises(Problem) as twice:
        await database.execute(USER, uuid4(), "d@example.org", "D")
    with pytest.raises(Problem) as empty:
        await database.execute(USER, uuid4(), "e@example.org", "")

    assert (twice.value.code, twice.value.faults[0].field) == (Code.ALREADY_EXISTS, "email")
    assert (empty.value.code, empty.value.faults[0].field) == (Code.INVALID_REQUEST, "name")


async def test_text_with_nul_is_the_callers_fault(database: Database) -> None:
    with pytest.raises(Problem) as refused:
        await database.execute(USER, uuid4(), "f@example.org", "F\0")

    assert refused.value.code is Code.INVALID_REQUEST


async def test_a_swallowed_failure_does_not_commit_in_silence(database: Database) -> None:
    with pytest.raises(AssertionError, match="swallowed"):
        async with database.transaction() as transaction:
            with pytest.raises(Problem):
                await transaction.execute(USER, uuid4(), "g@example.org", "")


async def test_deadlocked_transactions_are_run_again(database: Database) -> None:
    first, second = uuid4(), uuid4()
    for person in (first, second):
        await database.execute(USER, person, f"{person}@example.org", "X")
    both_hold_one = asyncio.Barrier(2)
    attempts = 0

    async def rename(mine: UUID, other: UUID) -> None:
        met = False

        async def work(transaction: Transaction) -> None:
            nonlocal attempts, met
            attempts += 1
            await transaction.execute(RENAME, mine, "Y")
            if not met:
                met = True
                await both_hold_one.wait()
            await transaction.execute(RENAME, other, "Y")

        await database.run(work)

    await asyncio.gather(rename(first, second), rename(second, first))

    assert attempts == 3
    assert database.statement_stats()["transaction.retry.40P01"].count == 1


@pytest.mark.parametrize("sqlstate", ["40001", "40P01"])
async def test_retries_are_bounded_counted_and_end_in_unavailable(database: Database, sqlstate: str) -> None:
    attempts = 0

    async def work(transaction: Transaction) -> None:
        nonlocal attempts
        attempts += 1
        await transaction.execute(sql(f"do $$ begin raise exception 'again' using errcode = '{sqlstate}'; end $$"))

    with pytest.raises(Problem) as refused:
        await database.run(work)

    assert attempts == TRANSACTION_ATTEMPTS_MAX
    assert refused.value.code is Code.UNAVAILABLE
    assert refused.value.retry_after_s is not None
    stats = database.statement_stats()
    assert stats[f"transaction.retry.{sqlstate}"].count == TRANSACTION_ATTEMPTS_MAX - 1
    assert stats[f"transaction.given_up.{sqlstate}"].count == 1


async def test_who_was_outrun_looks_again_in_a_new_transaction(database: Database) -> None:
    person = uuid4()
    snapshots = []

    async def work(transaction: Transaction) -> None:
        row = await transaction.fetchrow(sql("select pg_current_xact_id()::text as xid"))
        assert row is not None
        snapshots.append(row["xid"])
        await transaction.execute(USER, person, "a@example.org", "A")
        if len(snapshots) < 3:
            raise Outrun

    await database.run(work)

    assert len(set(snapshots)) == 3
    assert database.statement_stats()["transaction.retry.outrun"].count == 2
    assert len(await database.fetch(sql("select from users where id = $1"), person)) == 1


async def test_a_table_altered_under_a_cached_statement_is_no_error(database: Database) -> None:
    star = sql("select * from resources")
    await database.run(lambda transaction: transaction.fetch(star))
    await database.execute(sql("alter table resources add column extra integer"))

    assert await database.run(lambda transaction: transaction.fetch(star)) == []


async def sleeping(database: Database, count: int) -> None:
    """Wait until so many statements sleep in this database, for a fraction of their sleep at most."""
    active = sql(
        "select count(*) as n from pg_stat_activity where query like '%pg_sleep(60)%' and state = 'active' "
        "and pid <> pg_backend_pid() and datname = current_database()"
    )
    async with asyncio.timeout(20):
        while (await database.fetch(active))[0]["n"] != count:  # noqa: ASYNC110  # PostgreSQL tells nobody
            await asyncio.sleep(0.01)


async def test_cancelling_the_caller_ends_the_statement_in_postgresql(database: Database) -> None:
    caller = asyncio.create_task(database.fetch(SLEEP))
    await sleeping(database, 1)

    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller

    await sleeping(database, 0)
    assert database.pool_stats().in_use == 0
    assert (await database.fetch(ONE))[0]["one"] == 1


async def test_a_cancelled_transaction_is_rolled_back_and_its_connection_is_used_again(
    database: Database, database_url: str
) -> None:
    async with await Database.connect(database_url, size_max=1) as one:

        async def work() -> None:
            async with one.transaction() as transaction:
                await transaction.execute(USER, uuid4(), "h@example.org", "H")
                await transaction.fetch(SLEEP)

        caller = asyncio.create_task(work())
        await sleeping(database, 1)
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller

        assert await one.fetch(sql("select id from users")) == []


async def test_a_server_that_is_silent_is_given_up_and_its_connection_with_it(database_url: str) -> None:
    async with (
        proxy_to_database(database_url) as (proxy, url),
        await Database.connect(url, size_max=1, answer_timeout_s=1.0) as database,
    ):
        first = await pid_of(database)
        proxy.hold()
        with pytest.raises(Problem) as silent:
            await database.fetch(ONE)
        with pytest.raises(Problem):
            async with database.transaction():
                pass
        proxy.heal()
        second = await pid_of(database)

    assert (silent.value.code, silent.value.retry_after_s) == (Code.UNAVAILABLE, 1)
    assert first != second


async def test_who_gives_his_statements_more_time_is_waited_for(database_url: str) -> None:
    slow = sql("select pg_sleep(1.0), 1 as one")
    async with await Database.connect(database_url, size_max=1, answer_timeout_s=0.5) as database:
        with pytest.raises(Problem):
            await database.fetch(slow)
        async with database.transaction() as transaction:
            transaction.answer_timeout_s = 30.0

            rows = await transaction.fetch(slow)

    assert rows[0]["one"] == 1


async def test_who_is_cancelled_does_not_wait_for_a_server_that_is_silent(database_url: str) -> None:
    async with proxy_to_database(database_url) as (proxy, url):
        async with await Database.connect(url, size_max=1) as database:
            proxy.hold()
            caller = asyncio.create_task(database.fetch(ONE))
            await asyncio.sleep(0.05)

            caller.cancel()
            with pytest.raises(asyncio.CancelledError):
                await caller

            assert len(database._giving_back) == 1
            proxy.heal()
            assert (await database.fetch(ONE))[0]["one"] == 1
        assert not database._giving_back


async def test_a_connection_that_stays_silent_when_its_statement_is_cancelled_is_given_up(database_url: str) -> None:
    told: list[str] = []
    async with (
        proxy_to_database(database_url) as (proxy, url),
        await Database.connect(url, size_max=1, acquire_timeout_s=60.0, given_up_s=0.05) as database,
    ):
        database.on_silence = lambda: told.append("silent")
        first = await pid_of(database)
        proxy.half_open()
        caller = asyncio.create_task(database.fetch(ONE))
        await asyncio.sleep(0.05)
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        second = await pid_of(database)

    assert first != second
    assert told == ["silent"]


async def test_a_connection_whose_statement_is_cancelled_in_time_is_kept(database: Database, database_url: str) -> None:
    async with await Database.connect(database_url, size_max=1, given_up_s=60.0) as one:
        first = await pid_of(one)
        caller = asyncio.create_task(one.fetch(SLEEP))
        await sleeping(database, 1)
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        second = await pid_of(one)

    assert first == second


async def test_connections_that_are_replaced_are_so_before_they_are_used_again(database_url: str) -> None:
    async with (
        proxy_to_database(database_url) as (proxy, url),
        await Database.connect(url, size_max=1, answer_timeout_s=60.0) as database,
    ):
        first = await pid_of(database)
        proxy.half_open()
        database.replace_connections()
        second = await pid_of(database)

    assert first != second


async def test_who_waits_too_long_for_a_connection_is_told_when_to_come_back(database_url: str) -> None:
    async with await Database.connect(database_url, size_max=1, acquire_timeout_s=0.05) as database:
        async with database.transaction():
            with pytest.raises(Problem) as refused:
                await database.fetch(ONE)

        stats = database.pool_stats()

    assert (refused.value.code, refused.value.retry_after_s) == (Code.UNAVAILABLE, 1)
    assert (stats.wait_count, stats.in_use, stats.open, stats.size_max) == (1, 0, 1, 1)
    assert stats.wait_duration_ms >= 45


async def test_a_connection_is_replaced_after_its_life_time(database_url: str) -> None:
    async with await Database.connect(database_url, size_max=1, life_time_s=0.0) as database:
        first = await pid_of(database)
        second = await pid_of(database)

    assert first != second


async def test_a_connection_within_its_life_time_is_kept(database_url: str) -> None:
    async with await Database.connect(database_url, size_max=1) as database:
        pids = {row["pid"] for _ in range(5) for row in await database.fetch(PID)}

    assert len(pids) == 1


async def test_an_unused_connection_above_the_floor_is_closed(database_url: str) -> None:
    async with await Database.connect(database_url, size_min=1, size_max=3, idle_time_s=0.1) as database:
        all_have_one = asyncio.Barrier(3)

        async def work() -> int:
            async with database.transaction():
                await all_have_one.wait()
                return database.pool_stats().open

        assert await asyncio.gather(*(work() for _ in range(3))) == [3, 3, 3]

        async with asyncio.timeout(20):
            while database.pool_stats().open > 1:  # noqa: ASYNC110
                await asyncio.sleep(0.02)


async def test_a_connection_that_the_server_ended_is_a_problem_and_then_replaced(database: Database) -> None:
    with pytest.raises(Problem) as refused:
        async with database.transaction() as transaction:
            row = await transaction.fetchrow(PID)
            assert row is not None
            await database.execute(sql("select pg_terminate_backend($1)"), row["pid"])
            await transaction.fetch(ONE)

    assert refused.value.code is Code.UNAVAILABLE
    assert (await database.fetch(ONE))[0]["one"] == 1


async def test_a_server_that_is_not_there_is_a_problem() -> None:
    with pytest.raises(Problem) as refused:
        await Database.connect("postgresql://nobody@/nothing?host=/nonexistent")

    assert refused.value.code is Code.UNAVAILABLE


async def test_a_role_without_its_settings_is_refused_in_one_sentence(
    postgres: PostgresFactory, empty_database_url: str
) -> None:
    connection = await asyncpg.connect(empty_database_url)
    name = await connection.fetchval("select current_database()")
    await connection.execute(f"alter role current_user in database {name} set timezone = 'Asia/Tokyo'")
    await connection.close()

    with pytest.raises(DatabaseNotPrepared, match=r"time zone is Asia/Tokyo, not UTC: run `yotei migrate`"):
        await Database.connect(empty_database_url)


def test_the_pool_is_twice_the_cores_and_one_divided_among_processes() -> None:
    assert pool_size_default(2) == 5
    assert pool_size_default(4, processes=3) == 3
    assert pool_size_default(1, processes=8) == 1
