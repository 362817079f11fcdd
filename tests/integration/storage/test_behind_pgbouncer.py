"""Everything works behind PgBouncer in transaction mode, where a connection is another one after each transaction."""

import asyncio
import os
import pwd
import shutil
import subprocess
import time
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import pytest

from tests.conftest import PostgresFactory
from yotei.bus.bus import Bus
from yotei.bus.transport import transport
from yotei.storage import migrate
from yotei.storage.change_log import position_now, read_since
from yotei.storage.maintenance import maintain
from yotei.storage.migrate import MigrationError
from yotei.storage.pool import Database
from yotei.storage.statements import Statement

UNPACKED = Path(__file__).parents[3] / ".tools"


def sql(text: str) -> Statement:
    return Statement(name="test.statement", sql=text, purpose="test")


def program() -> tuple[str, dict[str, str]]:
    if found := shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin"):
        return found, {}
    if (UNPACKED / "usr/sbin/pgbouncer").exists():
        libraries = ":".join(str(folder) for folder in (UNPACKED / "usr/lib").glob("*-linux-gnu"))
        return str(UNPACKED / "usr/sbin/pgbouncer"), {"LD_LIBRARY_PATH": libraries}
    pytest.skip("no pgbouncer: run ops/test-tools.sh")


def started(
    command: list[str], environment: dict[str, str], folder: Path, postgres: PostgresFactory
) -> "subprocess.Popen[bytes]":
    """As the user of the server when we are root: PgBouncer does not run as root, and has to reach the socket."""
    user = group = None
    if os.geteuid() == 0:
        owner = pwd.getpwuid(postgres.server.cluster.stat().st_uid)
        user, group = owner.pw_uid, owner.pw_gid
        os.chown(folder, user, group)
    return subprocess.Popen(
        command,
        env={**os.environ, **environment},
        user=user,
        group=group,
        extra_groups=None if user is None else [],
        stderr=subprocess.DEVNULL,
    )


@pytest.fixture
async def pooled_url(postgres: PostgresFactory, empty_database_url: str) -> AsyncIterator[str]:
    """The address of a PgBouncer in transaction mode, with two connections, before an empty database."""
    binary, environment = program()
    name = empty_database_url.partition("?")[0].rpartition("/")[2]
    with TemporaryDirectory(prefix="yotei-") as folder:
        settings = Path(folder) / "pgbouncer.ini"
        settings.write_text(
            f"[databases]\n{name} = host={postgres.server.cluster} dbname={name} user=yotei\n"
            f"[pgbouncer]\nlisten_addr =\nunix_socket_dir = {folder}\nlisten_port = 6432\nauth_type = any\n"
            "pool_mode = transaction\ndefault_pool_size = 2\nignore_startup_parameters = extra_float_digits\n"
        )
        process = started([binary, "-q", str(settings)], environment, Path(folder), postgres)
        deadline_s = time.monotonic() + 10
        while not (Path(folder) / ".s.PGSQL.6432").exists():
            assert process.poll() is None and time.monotonic() < deadline_s, "pgbouncer does not start"
            await asyncio.sleep(0.01)
        yield f"postgresql://yotei@/{name}?host={folder}&port=6432"
        process.terminate()
        process.wait()


async def test_a_bus_is_not_ready_behind_it(pooled_url: str, empty_database_url: str) -> None:
    """LISTEN belongs to a session, which nobody has here: it succeeds, and then hears this and that."""

    def made(url: str) -> Bus:
        return Bus(transport("postgres", url, topic="t", timeout_s=2.0), queue_max=10, beat_s=0.1, timeout_s=2.0)

    through, beside = made(pooled_url), made(empty_database_url)
    for bus in (through, beside):
        bus.start()
    async with asyncio.timeout(30):
        await beside.until_ready()
        while through.stats.rebuilds < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.01)

    assert beside.ready and not through.ready
    for bus in (through, beside):
        await bus.close()


async def open_through(url: str) -> Database:
    return await Database.connect(url, size_max=4, statement_cache_size=0, application_name="yotei")


async def test_migrations_go_through_it_and_nodes_still_take_turns(pooled_url: str) -> None:
    # Each waiting node keeps a connection of the pool, so two at once are all that two connections can serve.
    taken = await migrate.apply(pooled_url)
    again = await migrate.apply(pooled_url)

    assert taken == migrate.load()
    assert again == ()


async def test_a_step_that_takes_longer_than_the_role_allows_asks_for_the_server_itself(
    pooled_url: str, empty_database_url: str, tmp_path: Path
) -> None:
    (tmp_path / "0001_slow.sql").write_text("-- yotei: no-transaction\nselect pg_sleep(60);")
    # The sessions of the pooler begin after this.
    await migrate.apply(empty_database_url, steps=(), statement_timeout_ms=500)

    with pytest.raises(MigrationError, match=r"0001_slow.sql: takes longer .* migrate with the address of the server"):
        await migrate.apply(pooled_url, steps=migrate.load(tmp_path), statement_timeout_ms=500)


async def test_statements_transactions_and_the_tail_work_behind_it(pooled_url: str, empty_database_url: str) -> None:
    await migrate.apply(empty_database_url)
    async with await open_through(pooled_url) as database:
        start = await position_now(database)
        actor, person = uuid4(), uuid4()

        async with database.transaction(actor) as transaction:
            await transaction.execute(
                sql("insert into users (id, email, name) values ($1, 'a@example.org', 'A')"), person
            )
        rows = await asyncio.gather(
            *(database.fetch(sql("select id from users where id = $1"), person) for _ in range(20))
        )
        page = await read_since(database, start, transaction_max_s=3600)

    assert all(len(row) == 1 for row in rows)
    assert [(change.entity_id, change.actor_id) for change in page.changes] == [(person, actor)]


async def test_the_settings_of_the_role_reach_every_session(pooled_url: str, empty_database_url: str) -> None:
    await migrate.apply(empty_database_url, statement_timeout_ms=4_321)

    async with await open_through(pooled_url) as database:
        shown = [
            await database.fetchrow(
                sql(
                    "select current_setting('statement_timeout') as wait, current_setting('timezone') as zone, "
                    "nullif(current_setting('yotei.actor_id', true), '') as actor"
                )
            )
            for _ in range(5)
        ]

    assert {(row["wait"], row["zone"], row["actor"]) for row in shown if row is not None} == {("4321ms", "UTC", None)}


async def test_maintenance_takes_its_turn_by_transaction(pooled_url: str, empty_database_url: str) -> None:
    await migrate.apply(empty_database_url)

    async with await open_through(pooled_url) as database:
        done = await maintain(database, days_ahead=10, keep_days=30)

    assert (done.made, done.complete) == (3, True)
