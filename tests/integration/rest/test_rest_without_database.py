"""What callers are told while the database cannot be reached, and that nobody has to be restarted afterwards."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import parse_qs, unquote, urlsplit

import asyncpg
import pytest

from tests.integration.rest.served import admitted, problem, serve, settings, statements
from tests.integration.rows import a_user
from tests.standby import FOLLOWED, Standby
from yotei import app
from yotei.api.ops import health
from yotei.storage import migrate
from yotei.storage.embedded import EmbeddedServer
from yotei.storage.pool import Database

ME = "/api/users/me"


class Line:
    """A way to the database by TCP that can be cut and mended."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._open: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    async def mend(self) -> None:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._open:
            writer.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to_reader, to_writer = await asyncio.open_unix_connection(self._socket)
        self._open |= {writer, to_writer}
        await asyncio.gather(self._copy(reader, to_writer), self._copy(to_reader, writer))

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()
            self._open.discard(writer)


def socket_of(url: str) -> Path:
    folder = Path(unquote(parse_qs(urlsplit(url).query)["host"][0]))
    return next(folder.glob(".s.PGSQL.*[0-9]"))


@asynccontextmanager
async def a_line(url: str) -> AsyncIterator[tuple[Line, str]]:
    """The line, and the address of the database at its other end."""
    parts = urlsplit(url)
    line = Line(socket_of(url))
    await line.mend()
    try:
        yield line, f"postgresql://{parts.username}@127.0.0.1:{line.port}{parts.path}?sslmode=disable"
    finally:
        await line.cut()


async def test_without_the_database_callers_are_told_to_come_back_and_may(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "REMEMBERED_S", 0.0)
    user_id = await a_user(database)
    async with a_line(database_url) as (line, url), serve(settings(url)) as client:
        caller = await admitted(client, database, user_id)
        before = await caller.get(ME)

        await line.cut()
        cut = [await caller.get(ME) for _ in range(3)]
        written = await caller.post("/api/tokens", {"name": "x", "scopes": ["read"]})
        alive, ready = await client.get("/healthz"), await client.get("/readyz")
        malformed = await client.get(ME, headers={"Authorization": "Bearer x"})
        await line.mend()
        after = await caller.get(ME)
        ready_again = await client.get("/readyz")

    assert before.status_code == 200
    for response in (*cut, written):
        assert response.status_code == 503
        assert problem(response)["code"] == "unavailable"
        assert int(response.headers["retry-after"]) >= 1
        assert "127.0.0.1" not in response.text
    assert (alive.status_code, ready.status_code, malformed.status_code) == (200, 503, 401)
    assert ready.json()["status"] == "unavailable"
    assert (after.status_code, ready_again.status_code) == (200, 200)
    assert after.json() == before.json()


async def test_a_worker_does_not_start_without_its_database(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "DATABASE_AWAY_S_MAX", 0.0)
    async with a_line(database_url) as (line, url):
        await line.cut()

        with pytest.raises(AssertionError):
            async with serve(settings(url)):
                pass

        await line.mend()


async def test_a_database_without_tables_is_not_ready_and_says_what_to_do(empty_database_url: str) -> None:
    await migrate.apply(empty_database_url, steps=())
    async with serve(settings(empty_database_url)) as client:
        await run(empty_database_url, "drop table schema_migrations")

        ready = await client.get("/readyz")

    assert ready.status_code == 503
    assert ready.json()["reasons"] == [f"{len(migrate.load())} migrations are not applied; run `yotei migrate`"]


@pytest.fixture
def primary() -> Iterator[EmbeddedServer]:
    """One that can be followed."""
    with TemporaryDirectory(prefix="yotei-") as folder:
        Path(folder).chmod(0o711)
        with EmbeddedServer(Path(folder) / "primary", options=FOLLOWED) as server:
            yield server


async def test_a_hot_standby_where_the_primary_should_be_is_not_ready_until_it_is_promoted(
    primary: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "REMEMBERED_S", 0.0)
    await migrate.apply(primary.url)
    with Standby(primary, primary.data_dir.with_name("standby")) as standby:
        async with serve(settings(standby.url)) as client:
            astray = await client.get("/readyz")
            standby.promote()
            promoted = await client.get("/readyz")

    assert (astray.status_code, promoted.status_code) == (503, 200)
    assert astray.json() == {
        "status": "unavailable",
        "reasons": ["database.url leads to a hot standby, which takes no writes; it has to lead to the primary"],
    }
    assert statements(astray) == 1


async def test_the_database_is_asked_once_a_second_however_many_ask_whether_it_is_ready(database_url: str) -> None:
    async with serve(settings(database_url)) as client:
        answered = await asyncio.gather(*(client.get("/readyz") for _ in range(20)))

    assert {one.status_code for one in answered} == {200}
    assert sum(map(statements, answered)) == 1


async def run(url: str, sql: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()
