"""A crash gives ids of transactions out twice: what was cached before it may seem to see what was written after it."""

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.conftest import FAST
from tests.integration.cache.nodes import TABLE, Node, name_of, node, sql, thing, write
from yotei.errors import Problem
from yotei.storage import migrate
from yotei.storage.embedded import EmbeddedServer
from yotei.storage.pool import Database

BACK_S_MAX = 30.0
ABORTED = 20


async def polled(one: Node) -> None:
    """Once the server is back."""
    deadline_s = time.monotonic() + BACK_S_MAX
    while True:
        try:
            return await one.tail.poll()
        except Problem:
            assert time.monotonic() < deadline_s, "PostgreSQL does not come back"
            await asyncio.sleep(0.05)


async def abort(database: Database) -> None:
    """Takes the id of a transaction, whose WAL nobody waits for."""
    try:
        async with database.transaction() as transaction:
            await transaction.execute(sql("insert into numbers values (gen_random_uuid(), 0)"))
            raise ZeroDivisionError
    except ZeroDivisionError:
        pass


@pytest.fixture
def server() -> Iterator[EmbeddedServer]:
    """One of this test alone. The crash comes before the WAL of what was aborted is written."""
    with TemporaryDirectory(prefix="yotei-") as folder:
        Path(folder).chmod(0o711)
        with EmbeddedServer(Path(folder) / "d", options={**FAST, "wal_writer_delay": "10s"}) as started:
            yield started


async def test_a_change_under_an_id_that_was_used_before_the_crash_is_seen(server: EmbeddedServer) -> None:
    url = server.url_of("postgres")
    await migrate.apply(url)
    async with await Database.connect(url, size_min=1, size_max=4) as database:
        await database.execute(TABLE)
        it = thing()
        await write(database, it, 1)
        await database.execute(sql("checkpoint"))
        async with node(database) as one:
            for _ in range(ABORTED):
                await abort(database)
            await one.get(it)
            cached_under = one.l1.entries[name_of(it)].snapshot  # type: ignore[union-attr]
            row = await database.fetchrow(sql("select pg_backend_pid() as pid"))
            assert row is not None
            epoch = one.tail.epoch

            os.kill(row["pid"], signal.SIGKILL)
            await polled(one)
            xid = await write(database, it, 2)
            await one.tail.poll()

            assert cached_under.sees(xid), "the id was not given out twice: the test shows nothing"
            assert one.tail.epoch != epoch
            assert await one.get(it) == 2
