"""The database that the settings name, for the verbs that talk to it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import urlsplit

from yotei import settings
from yotei.settings import Settings
from yotei.storage import embedded, migrate
from yotei.storage.migrate import MigrationError
from yotei.storage.pool import Database

PORT_MAX: Final = 65_535

T = TypeVar("T")


@contextmanager
def database_url(config: Settings) -> Iterator[str]:
    """The address: the external one, that of an embedded server that runs, or of one that runs for this block."""
    if config.database.url is not None:
        refuse_unreadable(config.database.url, "database.url")
        yield config.database.url
        return
    data_dir = Path(config.database.data_dir)
    running = embedded.running_url(data_dir)
    if running is not None:
        yield running
        return
    server = embedded.EmbeddedServer(data_dir)
    try:
        server.start()
        yield server.url
    finally:
        server.stop()


def refuse_unreadable(url: str, path: str) -> None:
    """Raise `SettingsError` for a port that is none, in any of the hosts that a PostgreSQL address may name."""
    for host in urlsplit(url).netloc.rpartition("@")[2].split(","):
        port = host.rpartition("]")[2].partition(":")[2]
        if port and not (port.isascii() and port.isdigit() and 0 < int(port) <= PORT_MAX):
            raise settings.SettingsError(f"{path}: expected a port from 1 to {PORT_MAX}, got {port!r}")


@asynccontextmanager
async def connected(config: Settings, url: str) -> AsyncIterator[Database]:
    """A small pool for one command."""
    database = await Database.connect(
        url,
        size_min=1,
        size_max=4,
        life_time_s=config.pool.life_time_s,
        idle_time_s=config.pool.idle_time_s,
        acquire_timeout_s=config.pool.acquire_timeout_s,
        statement_cache_size=config.pool.statement_cache_size,
        application_name="yotei cli",
    )
    try:
        yield database
    finally:
        await database.close()


def with_database(config_file: Path | None, work: Callable[[Database], Awaitable[T]]) -> T:
    """Run `work` on the configured database, which must have the schema of this release."""
    config = settings.load(file=config_file)

    async def run(url: str) -> T:
        pending = await migrate.plan(url)
        if pending:
            raise MigrationError(f"the database lacks {len(pending)} migrations: run `yotei migrate` first")
        async with connected(config, url) as database:
            return await work(database)

    with database_url(config) as url:
        return asyncio.run(run(url))
