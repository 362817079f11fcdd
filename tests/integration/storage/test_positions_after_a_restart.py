"""Which positions go on when PostgreSQL is there again: those of before a clean restart, none of before a crash or a
fail-over, after which ids of transactions are given out twice. On each PostgreSQL."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID, uuid4

import pytest

from tests.conftest import DEBIAN_15, HAS_15
from tests.standby import FOLLOWED, Standby
from yotei.errors import Problem
from yotei.storage import migrate
from yotei.storage.change_log import Page, Position, PositionForgotten, position_now, read_scope_since
from yotei.storage.embedded import EmbeddedServer
from yotei.storage.pool import Database
from yotei.storage.statements import Statement

BACK_S_MAX = 30.0
ABORTED = 20


def sql(text: str) -> Statement:
    return Statement(name="test.statement", sql=text, purpose="test")


LOG = sql(
    "insert into change_log (scope_kind, scope_id, entity, entity_id, op) "
    "values ('calendar', $1, 'event', $2, 'insert') returning xid::text as xid"
)


async def log(database: Database, scope: UUID) -> int:
    """The id of the transaction of one change."""
    row = await database.fetchrow(LOG, scope, uuid4())
    assert row is not None
    return int(row["xid"])


async def abort(database: Database, scope: UUID) -> None:
    """Takes the id of a transaction, whose WAL nobody waits for."""
    with suppress(ZeroDivisionError):
        async with database.transaction() as transaction:
            await transaction.execute(LOG, scope, uuid4())
            raise ZeroDivisionError


async def read(database: Database, position: Position, scope: UUID) -> Page:
    return await read_scope_since(database, Position.parse(str(position)), scope, limit=10)


async def back(database: Database) -> None:
    """Wait until the server answers again."""
    deadline_s = time.monotonic() + BACK_S_MAX
    while True:
        try:
            await position_now(database)
            return
        except Problem:
            assert time.monotonic() < deadline_s, "PostgreSQL does not come back"
            await asyncio.sleep(0.05)


@pytest.fixture(params=[None, *[DEBIAN_15] * HAS_15], ids=["embedded", *["15"] * HAS_15])
def server(request: pytest.FixtureRequest) -> Iterator[EmbeddedServer]:
    """One of this test alone. A crash comes before the WAL of what was aborted is written."""
    options = {**FOLLOWED, "wal_writer_delay": "10s"}
    with TemporaryDirectory(prefix="yotei-") as folder:
        Path(folder).chmod(0o711)
        with EmbeddedServer(Path(folder) / "d", options=options, programs_dir=request.param) as started:
            yield started


@pytest.fixture
async def database(server: EmbeddedServer) -> AsyncIterator[Database]:
    await migrate.apply(server.url)
    async with await Database.connect(server.url, size_min=1, size_max=2) as connected:
        yield connected


async def test_one_of_before_a_crash_is_forgotten_since_it_would_miss_what_was_written_after_it(
    server: EmbeddedServer, database: Database
) -> None:
    scope = uuid4()
    await log(database, scope)
    await database.execute(sql("checkpoint"))
    for _ in range(ABORTED):
        await abort(database, scope)
    before = await position_now(database)
    row = await database.fetchrow(sql("select pg_backend_pid() as pid"))
    assert row is not None

    os.kill(row["pid"], signal.SIGKILL)
    await back(database)
    xid = await log(database, scope)
    after = await position_now(database)
    await log(database, scope)

    assert before.since.sees(xid), "the id was not given out twice: the test shows nothing"
    with pytest.raises(PositionForgotten):
        await read(database, before, scope)
    assert len((await read(database, after, scope)).changes) == 1


async def test_one_in_the_middle_of_an_answer_is_forgotten_with_the_crash_too(
    server: EmbeddedServer, database: Database
) -> None:
    scope = uuid4()
    start = await position_now(database)
    for _ in range(3):
        await log(database, scope)
    middle = (await read_scope_since(database, start, scope, limit=2)).position
    row = await database.fetchrow(sql("select pg_backend_pid() as pid"))
    assert row is not None

    os.kill(row["pid"], signal.SIGKILL)
    await back(database)

    with pytest.raises(PositionForgotten):
        await read(database, middle, scope)


async def test_a_clean_restart_throws_nobody_back(server: EmbeddedServer, database: Database) -> None:
    scope = uuid4()
    before = await position_now(database)
    await log(database, scope)

    await asyncio.to_thread(server.stop)
    await asyncio.to_thread(server.start)
    await back(database)
    await log(database, scope)

    assert len((await read(database, before, scope)).changes) == 2


async def test_one_of_before_a_fail_over_is_forgotten(server: EmbeddedServer, database: Database) -> None:
    scope = uuid4()
    with Standby(server, server.data_dir.with_name("standby")) as standby:
        before = await position_now(database)
        standby.caught_up()
        standby.promote()
        async with await Database.connect(standby.url, size_min=1, size_max=2) as promoted:
            await log(promoted, scope)
            after = await position_now(promoted)
            await log(promoted, scope)

            with pytest.raises(PositionForgotten):
                await read(promoted, before, scope)
            assert len((await read(promoted, after, scope)).changes) == 1
