"""The server and the tables that benchmarks read: an embedded PostgreSQL of their own, filled, gone at the end."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Final
from uuid import UUID

import asyncpg

from tests.filled import BUSY_CALENDAR_EVENTS, Kind, Size, fill, id_of, listed_calendar
from yotei.storage import migrate
from yotei.storage.embedded import EmbeddedServer

# All of it fits in memory, and nothing of it has to survive: what is compared is work, not disks.
OPTIONS: Final = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "shared_buffers": "1GB",
    "max_wal_size": "8GB",
    "autovacuum": "off",
    "max_parallel_workers_per_gather": "0",
}
LISTED: Final = BUSY_CALENDAR_EVENTS


class Served:
    """A filled database: its address, its size, the month that is now."""

    def __init__(self, url: str, size: Size, now: datetime, fill_s: float) -> None:
        self.url = url
        self.size = size
        self.fill_s = fill_s
        self.month_start = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        self.month_end = (self.month_start + timedelta(days=32)).replace(day=1)

    @property
    def calendar_id(self) -> UUID:
        """The calendar with 50 events in this month, each with five attendees and a room."""
        return id_of(Kind.CALENDAR, listed_calendar(self.size))

    @property
    def owner_id(self) -> UUID:
        return id_of(Kind.USER, listed_calendar(self.size))


@asynccontextmanager
async def served(size: Size) -> AsyncIterator[Served]:
    now = datetime.now(UTC)
    with TemporaryDirectory(prefix="yotei-bench-") as folder:
        server = EmbeddedServer(Path(folder) / "d", options=OPTIONS)
        await asyncio.to_thread(server.start)
        try:
            await migrate.apply(server.url)
            started = perf_counter()
            connection = await asyncpg.connect(server.url)
            await fill(connection, size, now)
            await connection.close()
            yield Served(server.url, size, now, perf_counter() - started)
        finally:
            await asyncio.to_thread(server.stop)


def median(values: Sequence[float]) -> float:
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
