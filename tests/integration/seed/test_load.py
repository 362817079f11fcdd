"""Bulk load into a real PostgreSQL: the same twice, all checks back in force, all or nothing."""

from collections.abc import AsyncIterator
from datetime import date

import asyncpg
import pytest

from tests.conftest import PostgresFactory
from yotei import seed
from yotei.seed import SeedError, SeedPlan
from yotei.seed.load import TABLES

PLAN = SeedPlan(events=3_000, seed=2, around=date(2026, 11, 24), people=90, calendars=30, rooms=20)

CATALOGUE = """
select 'constraint' as kind, conrelid::regclass::text as table_name, conname::text as name,
       concat_ws(' ', pg_get_constraintdef(oid), convalidated, condeferrable) as told
from pg_constraint where connamespace = 'public'::regnamespace
union all
select 'index', indrelid::regclass::text, indexrelid::regclass::text,
       concat_ws(' ', pg_get_indexdef(indexrelid), indisvalid, indisready, indislive, indisprimary, indisexclusion)
from pg_index join pg_class c on c.oid = indrelid where c.relnamespace = 'public'::regnamespace
union all
select 'trigger', tgrelid::regclass::text, tgname::text, concat_ws(' ', pg_get_triggerdef(oid), tgenabled)
from pg_trigger where not tgisinternal
union all
select 'column', attrelid::regclass::text, attname::text,
       concat_ws(' ', attnum, format_type(atttypid, atttypmod), attnotnull)
from pg_attribute join pg_class c on c.oid = attrelid
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and attnum > 0
order by 1, 2, 3
"""


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    opened = await asyncpg.connect(database_url)
    yield opened
    await opened.close()


async def catalogue(connection: "asyncpg.Connection[asyncpg.Record]") -> list[tuple[str, ...]]:
    return [tuple(row) for row in await connection.fetch(CATALOGUE)]


async def contents(connection: "asyncpg.Connection[asyncpg.Record]") -> dict[str, tuple[int, str]]:
    """Rows of each table, and a hash over them."""
    found = {}
    for table in TABLES:
        row = await connection.fetchrow(
            f"select count(*), md5(string_agg(t::text, '|' order by t::text)) from {table} t"  # noqa: S608
        )
        assert row is not None
        found[table] = (row[0], row[1])
    return found


async def test_the_catalogue_is_the_same_after_a_load_and_nothing_is_left_unvalidated(
    every_postgres: PostgresFactory,
) -> None:
    url = await every_postgres.migrated()
    opened = await asyncpg.connect(url)
    before = await catalogue(opened)

    await seed.load(url, PLAN)

    assert await catalogue(opened) == before
    assert await opened.fetchval("select count(*) from pg_constraint where not convalidated") == 0
    await opened.close()
    await every_postgres.drop(url)


async def test_two_loads_of_a_plan_fill_two_databases_alike(postgres: PostgresFactory) -> None:
    summaries, found = [], []
    for _ in range(2):
        url = await postgres.migrated()
        summaries.append(await seed.load(url, PLAN))
        opened = await asyncpg.connect(url)
        found.append(await contents(opened))
        await opened.close()
        await postgres.drop(url)

    assert summaries[0].content_hash == summaries[1].content_hash
    assert found[0] == found[1]
    made = {table: count for table, (count, _) in found[0].items()}
    told = summaries[0]
    assert made == {
        "users": told.people,
        "calendars": told.calendars,
        "calendar_members": told.members,
        "resources": told.rooms,
        "events": told.events,
        "attendees": told.attendees,
        "reservations": told.reservations,
    }


async def test_batches_of_another_process_arrive_in_order_and_book_no_room_twice(
    connection: "asyncpg.Connection[asyncpg.Record]",
) -> None:
    plan = SeedPlan(events=45_000, seed=1, around=PLAN.around, people=200, calendars=60, rooms=40)
    seen: list[tuple[str, int, int]] = []

    summary = await seed.load(connection, plan, lambda *told: seen.append(told))

    doubled = await connection.fetchval(
        """select count(*) from reservations a join reservations b
           on a.resource_id = b.resource_id and a.unit = b.unit and a.blocked && b.blocked and a.id < b.id"""
    )
    assert doubled == 0
    assert summary.events == 45_000
    assert summary.reservations > 2_000
    assert [told for told in seen if told[0] == "events"] == [
        ("events", 20_000, 45_000),
        ("events", 40_000, 45_000),
        ("events", 45_000, 45_000),
    ]
    assert seen[-1] == ("statistics", len(TABLES), len(TABLES))


async def test_the_change_log_has_one_row_for_a_load_and_the_usual_ones_after_it(
    connection: "asyncpg.Connection[asyncpg.Record]",
) -> None:
    await seed.load(connection, PLAN)

    logged = await connection.fetch("select scope_kind, entity, op from change_log")
    assert [tuple(row) for row in logged] == [("system", "bulk", "load")]
    await connection.execute("update events set title = 'Moved' where id = (select id from events limit 1)")
    assert await connection.fetchval("select count(*) from change_log where entity = 'event'") == 1


async def test_a_database_with_events_is_refused_and_left_as_it_is(
    connection: "asyncpg.Connection[asyncpg.Record]",
) -> None:
    await seed.load(connection, PLAN)
    before = await contents(connection), await catalogue(connection)

    with pytest.raises(SeedError, match="holds events already"):
        await seed.load(connection, PLAN)

    assert (await contents(connection), await catalogue(connection)) == before


async def test_an_address_that_is_taken_is_named_and_nothing_is_loaded(
    connection: "asyncpg.Connection[asyncpg.Record]",
) -> None:
    await connection.execute(
        "insert into users (id, email, name) values (gen_random_uuid(), $1, 'Somebody')", seed.ADMIN_EMAIL
    )

    with pytest.raises(SeedError, match=seed.ADMIN_EMAIL):
        await seed.load(connection, PLAN)

    assert (await contents(connection))["users"][0] == 1


@pytest.mark.parametrize("at", ["events", "keys, indexes and checks", "statistics"])
async def test_a_failure_at_any_step_leaves_nothing_half_done(
    connection: "asyncpg.Connection[asyncpg.Record]", at: str
) -> None:
    before = await contents(connection), await catalogue(connection)

    def fail(what: str, done: int, _total: int) -> None:
        if what == at and done > 0:
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        await seed.load(connection, PLAN, fail)

    assert (await contents(connection), await catalogue(connection)) == before
    assert await connection.fetchval("select count(*) from change_log") == 0


async def test_a_database_without_tables_is_told_to_migrate(empty_database_url: str) -> None:
    with pytest.raises(SeedError, match="yotei migrate"):
        await seed.load(empty_database_url, PLAN)


async def test_triggers_that_an_operator_has_switched_off_stay_off(
    connection: "asyncpg.Connection[asyncpg.Record]",
) -> None:
    await connection.execute("alter table events disable trigger events_touch")
    await connection.execute("alter table events enable always trigger events_log_insert")
    before = await catalogue(connection)

    await seed.load(connection, PLAN)

    assert await catalogue(connection) == before
