"""What every test may ask for: a real PostgreSQL, a fresh migrated database of it, and a statement budget.

One embedded server serves the session. A database is a copy of a migrated template, so that it costs
milliseconds and no test sees what another one wrote. With CI=true nothing may be skipped.
"""

import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import asyncpg
import pytest

from tests.redis_server import RedisServer
from yotei.observe.budget import Ledger, open_ledger
from yotei.storage import migrate
from yotei.storage.embedded import EmbeddedServer
from yotei.storage.pool import Database

# Nothing of a test database has to survive a crash.
FAST: Final = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "shared_buffers": "64MB",
    "autovacuum": "off",
}
TEMPLATE: Final = "yotei_template"
DEBIAN_15: Final = Path("/usr/lib/postgresql/15/bin")


def _is_15_to_be_had() -> bool:
    """Where apt has the package its absence is a skip, and so a failure with CI=true; elsewhere 15 is left out."""
    if (DEBIAN_15 / "postgres").exists() or shutil.which("apt-cache") is None:
        return (DEBIAN_15 / "postgres").exists()
    asked = subprocess.run(["apt-cache", "show", "postgresql-15"], capture_output=True, check=False)
    return asked.returncode == 0


HAS_15: Final = _is_15_to_be_had()

Budget = Callable[..., AbstractContextManager[Ledger]]
_numbers = count(1)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With CI=true a test that would be skipped fails: there every tool has to be present."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail"):
        _refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for a whole module."""
    report = yield
    if report.skipped:
        _refuse_skip(report)
    return report


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    if os.environ.get("CI") == "true":
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        report.outcome = "failed"
        report.longrepr = f"skipped, which is not allowed with CI=true: {reason}"


class PostgresFactory:
    """A running server that hands out databases: `url` of an empty one, or of a migrated one."""

    def __init__(self, server: EmbeddedServer) -> None:
        self.server = server
        self.major = server.major
        self._migrated = False

    async def empty(self) -> str:
        return await self._create("template1")

    async def migrated(self) -> str:
        if not self._migrated:
            await self._admin(f"create database {TEMPLATE}")
            await migrate.apply(self.server.url_of(TEMPLATE))
            self._migrated = True
        return await self._create(TEMPLATE)

    async def drop(self, url: str) -> None:
        await self._admin(f"drop database if exists {_name(url)} with (force)")

    async def _create(self, template: str) -> str:
        name = f"test_{next(_numbers)}"
        await self._admin(f"create database {name} template {template} strategy file_copy")
        # Settings by role belong to a database and are not copied with it.
        for setting in ("timezone = 'UTC'", "jit = off", "plan_cache_mode = force_generic_plan"):
            await self._admin(f"alter role current_user in database {name} set {setting}")
        return self.server.url_of(name)

    async def _admin(self, sql: str) -> None:
        connection = await asyncpg.connect(self.server.url_of("postgres"))
        try:
            await connection.execute(sql)
        finally:
            await connection.close()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresFactory]:
    """The embedded PostgreSQL of this session."""
    with (
        TemporaryDirectory(prefix="yotei-") as folder,
        _passable(folder),
        EmbeddedServer(Path(folder) / "d", options=FAST) as server,
    ):
        yield PostgresFactory(server)


@contextmanager
def _passable(folder: str) -> Iterator[None]:
    """For PgBouncer, whose user reaches the socket this way, and for PostgreSQL 15, which has no other."""
    Path(folder).chmod(0o711)
    yield


@pytest.fixture(scope="session")
def postgres_15() -> Iterator[PostgresFactory]:
    """The oldest PostgreSQL that is promised, from the distribution."""
    if not (DEBIAN_15 / "postgres").exists():
        pytest.skip(f"no PostgreSQL 15 in {DEBIAN_15}")
    with (
        TemporaryDirectory(prefix="yotei-") as folder,
        _passable(folder),
        EmbeddedServer(Path(folder) / "d", options=FAST, programs_dir=DEBIAN_15) as server,
    ):
        yield PostgresFactory(server)


def pytest_report_header() -> str | None:
    return None if HAS_15 else f"no PostgreSQL 15 in {DEBIAN_15} and none to be had by apt: its tests are left out"


@pytest.fixture(params=["postgres", *["postgres_15"] * HAS_15], ids=["embedded", *["15"] * HAS_15])
def every_postgres(request: pytest.FixtureRequest) -> PostgresFactory:
    """Runs the test on the embedded PostgreSQL and on 15."""
    factory: PostgresFactory = request.getfixturevalue(request.param)
    return factory


@pytest.fixture
async def database_url(postgres: PostgresFactory) -> AsyncIterator[str]:
    """The address of a migrated database of this test alone."""
    url = await postgres.migrated()
    yield url
    await postgres.drop(url)


@pytest.fixture
async def empty_database_url(postgres: PostgresFactory) -> AsyncIterator[str]:
    """The address of a database without any table, of this test alone."""
    url = await postgres.empty()
    yield url
    await postgres.drop(url)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A gateway to a migrated database of this test alone."""
    async with await Database.connect(database_url, size_min=1, size_max=5) as opened:
        yield opened


@pytest.fixture(scope="module")
async def shared_database(postgres: PostgresFactory) -> AsyncIterator[Database]:
    """A gateway to a migrated database that the tests of one module fill and share."""
    url = await postgres.migrated()
    async with await Database.connect(url, size_min=1, size_max=5) as opened:
        yield opened
    await postgres.drop(url)


@pytest.fixture
async def every_database(every_postgres: PostgresFactory) -> AsyncIterator[Database]:
    """As `database`, on each supported PostgreSQL that is here."""
    url = await every_postgres.migrated()
    async with await Database.connect(url, size_min=1, size_max=10) as opened:
        yield opened
    await every_postgres.drop(url)


@pytest.fixture(scope="session")
def redis_of_session() -> Iterator[RedisServer]:
    """The Redis of this session, as a cache is run: bounded, and evicting what was not used for long."""
    with (
        TemporaryDirectory(prefix="yotei-") as folder,
        RedisServer(Path(folder), "--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru") as server,
    ):
        yield server


@pytest.fixture
def redis_server(redis_of_session: RedisServer) -> RedisServer:
    """An empty Redis, shared by the session: a test that stops one starts a `RedisServer` of its own."""
    redis_of_session.empty()
    return redis_of_session


@pytest.fixture
def budget() -> Budget:
    """`with budget(statements=2):` the block sends exactly two; `at_most=2` refuses the third."""

    @contextmanager
    def spend(*, statements: int | None = None, at_most: int | None = None) -> Iterator[Ledger]:
        with open_ledger(statements_max=at_most) as ledger:
            yield ledger
        if statements is not None:
            sent = [one.name for one in ledger.spent]
            assert ledger.statements == statements, f"expected {statements} statements, sent {sent}"

    return spend


def _name(url: str) -> str:
    return url.partition("?")[0].rpartition("/")[2]
