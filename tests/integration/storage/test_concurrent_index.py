"""The procedure of `docs/indexes.md`: a new index on a partitioned table while it is written to, never in its way."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeAlias

import asyncpg
import pytest
from asyncpg import Record

from tests.conftest import PostgresFactory

Connection: TypeAlias = "asyncpg.Connection[Record]"

WRITE = """insert into change_log (scope_kind, scope_id, entity, entity_id, op)
           values ('system', gen_random_uuid(), 'event', gen_random_uuid(), 'update')"""
WAIT_S = 10


@asynccontextmanager
async def session(url: str) -> AsyncIterator[Connection]:
    opened = await asyncpg.connect(url)
    try:
        yield opened
    finally:
        await opened.close()


async def partitions(connection: Connection) -> list[str]:
    rows = await connection.fetch(
        "select inhrelid::regclass::text as name from pg_inherits where inhparent = 'change_log'::regclass order by 1"
    )
    return [row["name"] for row in rows]


async def is_valid(connection: Connection, index: str) -> bool:
    found: bool = await connection.fetchval(
        "select indisvalid from pg_index where indexrelid = $1::text::regclass", index
    )
    return found


async def until_it_waits_for_a_lock(connection: Connection, pid: int) -> None:
    waits = "select exists (select from pg_locks where pid = $1 and not granted)"
    async with asyncio.timeout(WAIT_S):
        while not await connection.fetchval(waits, pid):
            pass


async def test_an_index_on_a_partitioned_table_is_whole_once_every_partition_is_attached(
    every_postgres: PostgresFactory,
) -> None:
    url = await every_postgres.migrated()
    async with session(url) as builder:
        await builder.execute(WRITE)
        await builder.execute("create index change_log_entity on only change_log (entity_id, xid)")
        found = await partitions(builder)
        valid = []
        for partition in found:
            valid.append(await is_valid(builder, "change_log_entity"))
            await builder.execute(f"create index concurrently {partition}_entity on {partition} (entity_id, xid)")
            await builder.execute(f"alter index change_log_entity attach partition {partition}_entity")

        assert valid == [False] * len(found)
        assert await is_valid(builder, "change_log_entity")


async def test_writers_pass_while_the_build_waits_for_an_older_one(every_postgres: PostgresFactory) -> None:
    url = await every_postgres.migrated()
    async with session(url) as builder, session(url) as slow_writer, session(url) as writer:
        await writer.execute("set lock_timeout = '1s'")
        await slow_writer.execute(f"begin; {WRITE}")
        today = await slow_writer.fetchval("select tableoid::regclass::text from change_log")

        build = asyncio.create_task(
            builder.execute(f"create index concurrently {today}_entity on {today} (entity_id, xid)")
        )
        await until_it_waits_for_a_lock(writer, builder.get_server_pid())
        await writer.execute(WRITE)
        still_waiting = not build.done()
        await slow_writer.execute("commit")
        await build

        assert still_waiting
        assert await is_valid(writer, f"{today}_entity")
        assert await writer.fetchval("select count(*) from change_log") == 2


async def test_a_partition_made_later_has_the_index_from_the_start(every_postgres: PostgresFactory) -> None:
    url = await every_postgres.migrated()
    async with session(url) as builder:
        await builder.execute("create index change_log_entity on only change_log (entity_id, xid)")
        for partition in await partitions(builder):
            await builder.execute(f"create index concurrently {partition}_entity on {partition} (entity_id, xid)")
            await builder.execute(f"alter index change_log_entity attach partition {partition}_entity")

        await builder.execute("select change_log_make_partitions((now() at time zone 'UTC')::date + 20, 1)")

        assert await builder.fetchval(
            "select count(*) from pg_inherits where inhparent = 'change_log_entity'::regclass"
        ) == len(await partitions(builder))
        assert await is_valid(builder, "change_log_entity")


async def test_concurrently_is_refused_on_the_parent(every_postgres: PostgresFactory) -> None:
    url = await every_postgres.migrated()
    async with session(url) as builder:
        with pytest.raises(asyncpg.FeatureNotSupportedError):
            await builder.execute("create index concurrently change_log_entity on change_log (entity_id)")
