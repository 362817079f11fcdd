"""The migration runner: once each, in order, all or nothing, by one node at a time."""

import asyncio
from pathlib import Path

import asyncpg
import pytest

from yotei.storage import migrate
from yotei.storage.migrate import Migration, MigrationError
from yotei.storage.pool import Database

BUILDS = 40
PATIENCE_S = 60.0


def steps(folder: Path, *files: tuple[str, str]) -> tuple[Migration, ...]:
    folder.mkdir(exist_ok=True)
    for name, text in files:
        (folder / name).write_text(text)
    return migrate.load(folder)


async def value(url: str, sql: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


async def run(url: str, sql: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


async def test_an_empty_database_gets_every_step_and_the_next_call_none(empty_database_url: str) -> None:
    told: list[tuple[str, bool]] = []

    planned = await migrate.plan(empty_database_url)
    taken = await migrate.apply(empty_database_url, lambda step, ms: told.append((step.file_name, ms is None)))
    again = await migrate.apply(empty_database_url)

    assert planned == taken == migrate.load()
    assert again == ()
    assert told == [(step.file_name, begun) for step in taken for begun in (True, False)]
    status = await migrate.status(empty_database_url)
    assert [row.checksum for row in status.applied] == [step.checksum for step in taken]
    assert status.pending == ()


async def test_the_role_gets_its_settings_so_that_the_pool_opens(empty_database_url: str) -> None:
    await migrate.apply(empty_database_url, statement_timeout_ms=4_321, idle_in_transaction_timeout_ms=9_876)

    async with await Database.connect(empty_database_url):
        assert await value(empty_database_url, "show statement_timeout") == "4321ms"
        assert await value(empty_database_url, "show idle_in_transaction_session_timeout") == "9876ms"
        assert await value(empty_database_url, "show timezone") == "UTC"
        assert await value(empty_database_url, "show jit") == "off"
        assert await value(empty_database_url, "show plan_cache_mode") == "force_generic_plan"


async def test_many_nodes_at_once_apply_each_step_once(empty_database_url: str) -> None:
    taken = await asyncio.gather(*(migrate.apply(empty_database_url) for _ in range(6)))

    assert sorted(map(len, taken)) == [0] * 5 + [len(migrate.load())]


async def test_who_waits_for_his_turn_never_holds_up_a_concurrent_index_build(
    empty_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A build waits for every transaction that has a snapshot when it looks: here all look all the time.
    monkeypatch.setattr(migrate, "TURN_POLL_S", 0.0)
    builds = "\n".join(f"create index concurrently it_{n} on it (id);" for n in range(BUILDS))
    indexed = steps(
        tmp_path,
        ("0001_table.sql", "create table it (id int);"),
        ("0002_indexes.sql", f"-- yotei: no-transaction\n{builds}"),
    )

    async with asyncio.timeout(PATIENCE_S):
        taken = await asyncio.gather(*(migrate.apply(empty_database_url, steps=indexed) for _ in range(6)))

    assert sorted(map(len, taken)) == [0] * 5 + [len(indexed)]


async def test_a_failing_step_leaves_what_was_before_it_and_nothing_of_itself(
    empty_database_url: str, tmp_path: Path
) -> None:
    broken = steps(
        tmp_path,
        ("0001_first.sql", "create table first (id int);"),
        ("0002_second.sql", "create table second (id int); select 1/0;"),
    )

    with pytest.raises(MigrationError, match=r"0002_second.sql: DivisionByZeroError"):
        await migrate.apply(empty_database_url, steps=broken)

    assert await value(empty_database_url, "select to_regclass('first')::text") == "first"
    assert await value(empty_database_url, "select to_regclass('second')::text") is None
    assert [row.version for row in (await migrate.status(empty_database_url, broken)).applied] == [1]


async def test_an_edited_step_is_refused_by_name(empty_database_url: str, tmp_path: Path) -> None:
    await migrate.apply(empty_database_url, steps=steps(tmp_path, ("0001_first.sql", "create table first (id int);")))
    edited = steps(tmp_path, ("0001_first.sql", "create table first (id bigint);"))

    with pytest.raises(MigrationError, match=r"0001_first.sql: was edited after it was applied"):
        await migrate.apply(empty_database_url, steps=edited)


async def test_a_database_newer_than_the_program_is_refused(empty_database_url: str, tmp_path: Path) -> None:
    two = steps(tmp_path, ("0001_a.sql", "select 1;"), ("0002_b.sql", "select 1;"))
    await migrate.apply(empty_database_url, steps=two)

    with pytest.raises(MigrationError, match="database is at version 0002, this program knows 0001 at most"):
        await migrate.apply(empty_database_url, steps=two[:1])


async def test_a_step_outside_of_a_transaction_can_fail_and_be_run_again(
    empty_database_url: str, tmp_path: Path
) -> None:
    both = steps(
        tmp_path,
        ("0001_table.sql", "create table t (id int); insert into t values (1), (1);"),
        (
            "0002_index.sql",
            "-- yotei: no-transaction\n-- yotei: statement_timeout_ms=60000\n-- why; with a semicolon\n"
            "create unique index concurrently if not exists t_id on t (id);\ncomment on index t_id is 'it''s; fine';",
        ),
    )
    with pytest.raises(MigrationError, match=r"0002_index.sql: UniqueViolationError"):
        await migrate.apply(empty_database_url, steps=both)
    valid = "select indisvalid from pg_index where indexrelid = 't_id'::regclass"
    assert await value(empty_database_url, valid) is False

    await run(empty_database_url, "delete from t")
    taken = await migrate.apply(empty_database_url, steps=both)

    assert [step.version for step in taken] == [2]
    assert await value(empty_database_url, valid) is True


async def test_nodes_that_wait_do_not_block_a_concurrent_index_build(empty_database_url: str, tmp_path: Path) -> None:
    both = steps(
        tmp_path,
        ("0001_table.sql", "create table t (id int);"),
        ("0002_index.sql", "-- yotei: no-transaction\ncreate index concurrently if not exists t_id on t (id);"),
    )

    async with asyncio.timeout(20):
        taken = await asyncio.gather(*(migrate.apply(empty_database_url, steps=both) for _ in range(4)))

    assert sorted(map(len, taken)) == [0, 0, 0, 2]


async def test_a_step_gives_up_on_a_lock_rather_than_make_writers_queue(
    empty_database_url: str, tmp_path: Path
) -> None:
    first = steps(tmp_path, ("0001_table.sql", "create table t (id int);"))
    await migrate.apply(empty_database_url, steps=first)
    both = steps(tmp_path, ("0002_alter.sql", "-- yotei: lock_timeout_ms=50\nalter table t add column x int;"))
    reader = await asyncpg.connect(empty_database_url)

    async with reader.transaction():
        await reader.fetch("select * from t")
        with pytest.raises(MigrationError, match=r"0002_alter.sql: LockNotAvailableError"):
            await migrate.apply(empty_database_url, steps=both)
    await reader.close()

    assert [step.version for step in await migrate.apply(empty_database_url, steps=both)] == [2]


async def test_a_server_that_is_not_there_is_one_clear_error() -> None:
    with pytest.raises(MigrationError, match="the database cannot be reached"):
        await migrate.apply("postgresql://nobody@/nothing?host=/nonexistent")


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("1_x.sql", "", "expected a name as 0001_what_it_does.sql"),
        ("0002_x.sql", "", "expected version 0001"),
        ("0001_x.sql", "-- yotei: lock_timeout_ms=soon\n", "unknown header 'lock_timeout_ms=soon'"),
    ],
)
def test_a_file_in_another_form_is_refused(tmp_path: Path, name: str, text: str, reason: str) -> None:
    with pytest.raises(MigrationError, match=reason):
        steps(tmp_path, (name, text))


def test_statements_are_cut_outside_of_quotes_comments_and_bodies() -> None:
    sql = "select ';'; -- a; b\n/* ; */ do $x$ begin; end $x$;\nselect \"a;b\", $$;$$;\n-- the end;"

    assert migrate.split(sql) == [
        "select ';'",
        "-- a; b\n/* ; */ do $x$ begin; end $x$",
        'select "a;b", $$;$$',
    ]
