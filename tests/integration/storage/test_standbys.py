"""What the cache believes of a hot standby, on every PostgreSQL that is here; and that the one of the tests is one."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg
import pytest

from tests.conftest import DEBIAN_15, HAS_15
from tests.standby import FOLLOWED, Standby
from yotei.storage import migrate
from yotei.storage.change_log import Snapshot
from yotei.storage.embedded import EmbeddedServer
from yotei.storage.migrate import MigrationError

SNAPSHOT = "select pg_current_snapshot()::text"


@pytest.fixture(params=[None, *[DEBIAN_15] * HAS_15], ids=["embedded", *["15"] * HAS_15])
def primary(request: pytest.FixtureRequest) -> Iterator[EmbeddedServer]:
    with TemporaryDirectory(prefix="yotei-") as folder:
        Path(folder).chmod(0o711)
        with EmbeddedServer(Path(folder) / "primary", options=FOLLOWED, programs_dir=request.param) as server:
            yield server


@pytest.fixture
def standby(primary: EmbeddedServer) -> Iterator[Standby]:
    with Standby(primary, primary.data_dir.with_name("standby")) as server:
        yield server


@pytest.fixture
async def writer(primary: EmbeddedServer) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await asyncpg.connect(primary.url_of("postgres"))
    await connection.execute("create table things (n integer)")
    yield connection
    await connection.close()


async def test_it_shows_what_it_has_replayed(standby: Standby, writer: "asyncpg.Connection[asyncpg.Record]") -> None:
    standby.caught_up()
    standby.pause()
    await writer.execute("insert into things values (1)")
    paused = standby.ask("select count(*) from things")
    standby.resume()
    standby.caught_up()

    assert (paused, standby.ask("select count(*) from things")) == ("0", "1")


async def test_with_nothing_open_its_snapshot_says_all_that_it_shows(
    standby: Standby, writer: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await writer.execute("insert into things values (1)")
    standby.caught_up()

    shown = Snapshot.parse(standby.ask(SNAPSHOT))

    assert shown.xmin == shown.xmax
    assert shown == Snapshot.parse(await writer.fetchval(SNAPSHOT))


async def test_while_one_is_open_it_shows_more_than_its_snapshot_says(
    primary: EmbeddedServer, standby: Standby, writer: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    other = await asyncpg.connect(primary.url_of("postgres"))
    transaction = writer.transaction()
    await transaction.start()
    await writer.execute("insert into things values (1)")
    await other.execute("insert into things values (2)")
    standby.caught_up()

    shown = Snapshot.parse(standby.ask(SNAPSHOT))
    on_primary = Snapshot.parse(await other.fetchval(SNAPSHOT))
    seen = standby.ask("select array_agg(n) from things")
    await transaction.rollback()
    await other.close()

    assert seen == "{2}"
    assert on_primary.running == (on_primary.xmin,)
    assert (shown.xmin, shown.xmax, shown.running) == (on_primary.xmin, on_primary.xmax, ())


async def test_promoted_it_says_that_it_is_no_standby_any_more(
    standby: Standby, writer: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    connected = await asyncpg.connect(standby.url_of("postgres"))
    before = await connected.fetchval("select pg_is_in_recovery()")
    standby.promote()
    after = await connected.fetchval("select pg_is_in_recovery()")
    await connected.close()

    assert (before, after) == (True, False)


async def test_killed_it_comes_back_and_follows_again(
    standby: Standby, writer: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    standby.kill()
    await writer.execute("insert into things values (1)")
    assert standby.revive()
    standby.caught_up()

    assert standby.ask("select count(*) from things") == "1"


async def test_migrating_a_standby_is_refused_in_words(standby: Standby) -> None:
    with pytest.raises(MigrationError, match="is a standby, which takes no writes: name its primary"):
        await migrate.apply(standby.url_of("postgres"))
