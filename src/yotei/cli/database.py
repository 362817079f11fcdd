"""The database that the settings name, for the verbs that talk to it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TypeVar

from yotei import settings
from yotei.settings import Settings
from yotei.storage import embedded
from yotei.storage.pool import Database

T = TypeVar("T")


@contextmanager
def database_url(config: Settings) -> Iterator[str]:
    """The address: the external one, that of an embedded server that runs, or of one that runs for this block."""
    if config.database.url is not None:
        yield config.database.url
        return
    data_dir = Path(config.database.data_dir)
    running = embedded.running_url(data_dir)
    if running is not None:
        yield running
        return
    with embedded.EmbeddedServer(data_dir) as server:
        yield server.url


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
    """Run `work` on the configured database."""
    config = settings.load(file=config_file)

    async def run(url: str) -> T:
        async with connected(config, url) as database:
            return await work(database)

    with database_url(config) as url:
        return asyncio.run(run(url))
