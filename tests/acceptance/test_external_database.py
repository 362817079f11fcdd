"""A PostgreSQL that somebody else runs: with a password, and behind PgBouncer with several workers."""

import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg
import pytest

from tests.acceptance.processes import Place, bearer, new_place, status, until
from tests.conftest import FAST
from tests.integration.storage.test_behind_pgbouncer import pooled_url  # noqa: F401, a fixture
from yotei.storage.embedded import EmbeddedServer

PASSWORD = "open%2Fsesame"


@pytest.fixture
def place() -> Iterator[Place]:
    with new_place() as place:
        yield place


@pytest.fixture(scope="module")
async def guarded() -> AsyncIterator[str]:
    """The address, without user and password, of a database whose owner `keeper` needs a password."""
    with TemporaryDirectory(prefix="yotei-") as folder, EmbeddedServer(Path(folder) / "d", options=FAST) as server:
        hba = server.cluster / "pg_hba.conf"
        hba.write_text(f"local all keeper scram-sha-256\n{hba.read_text()}")
        connection = await asyncpg.connect(server.url)
        await connection.execute("create role keeper login password 'open/sesame'")
        await connection.execute("create database kept owner keeper")
        await connection.execute("select pg_reload_conf()")
        await connection.close()
        yield f"/kept?host={server.cluster}"


def test_a_wrong_password_is_refused_in_one_line(place: Place, guarded: str) -> None:
    done = place.run("run", YOTEI_DATABASE_URL=f"postgresql://keeper:wrong@{guarded}")

    assert done.returncode == 1
    assert done.stderr == ('yotei: the database cannot be reached: password authentication failed for user "keeper"\n')
    assert done.stdout == ""


def test_no_token_and_no_password_is_written_anywhere(place: Place, guarded: str) -> None:
    url = f"postgresql://keeper:{PASSWORD}@{guarded}"
    place.environment["YOTEI_DATABASE_URL"] = url
    server = place.start(YOTEI_LOG_LEVEL="debug").ready()
    token = place.admin_token()
    headers = bearer(token)

    codes = [
        status(f"{place.base}/api/users/me", headers),
        status(f"{place.base}/api/users/me?token={token}", headers),
        status(f"{place.base}/api/{token}", headers),
        status(f"{place.base}/api/users/me", bearer(f"{token}x")),
        status(f"{place.base}/api/events?calendar_id={token}", headers),
    ]
    assert server.stop() == 0

    assert codes == [200, 400, 404, 401, 400]
    written = server.out + server.err
    assert "request_answered" in written
    assert "sesame" not in written
    assert token not in written


def test_two_workers_serve_behind_pgbouncer(place: Place, pooled_url: str) -> None:  # noqa: F811
    place.environment |= {
        "YOTEI_DATABASE_URL": pooled_url,
        "YOTEI_POOL_STATEMENT_CACHE_SIZE": "0",
        "YOTEI_SERVER_WORKERS": "2",
    }
    server = place.start().ready()
    token = place.admin_token()

    codes = {status(f"{place.base}/api/users/me", bearer(token)) for _ in range(40)}

    assert codes == {200}
    assert len(server.workers()) == 2
    assert server.stop() == 0
    assert not place.data_dir.exists()


def test_a_worker_that_starts_while_the_database_is_away_waits_for_it(place: Place) -> None:
    with TemporaryDirectory(prefix="yotei-") as folder, EmbeddedServer(Path(folder) / "d", options=FAST) as database:
        server = place.start(YOTEI_DATABASE_URL=database.url).ready()
        [worker] = server.workers()
        database.stop()

        os.kill(worker, signal.SIGKILL)
        until(lambda: server.err.count("database_awaited") >= 2, "a new worker waits")
        database.start()

        server.ready()
        assert server.workers() != [worker]
        assert server.stop() == 0
        assert "Traceback" not in server.err
