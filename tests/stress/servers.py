"""Real servers: `yotei run`, several times, on one PostgreSQL."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

from tests.acceptance.processes import Server, new_place
from yotei.storage.embedded import EmbeddedServer

# Nothing of it has to survive a crash, all the rest is as it is in life.
UNSAFE: Final[Mapping[str, str]] = {"fsync": "off", "full_page_writes": "off", "log_min_messages": "fatal"}
UNHURRIED: Final[Mapping[str, str]] = {
    "YOTEI_LIMITS_RATE_PER_S": "1000000",
    "YOTEI_LIMITS_RATE_BURST": "1000000",
    "YOTEI_LOG_LEVEL": "warning",
    "YOTEI_LOG_FORMAT": "json",
}


class Served(NamedTuple):
    """Servers by their ports, and the address of their database. Who kills one takes it out of `running` first."""

    ports: tuple[int, ...]
    url: str
    running: dict[int, Server]


@contextmanager
def database(options: Mapping[str, str] = UNSAFE) -> Iterator[str]:
    """The address of an empty PostgreSQL of one's own."""
    with TemporaryDirectory(prefix="yotei-") as folder, EmbeddedServer(Path(folder) / "d", options=options) as server:
        yield server.url


@contextmanager
def servers(url: str, count: int = 2, **settings: str) -> Iterator[Served]:
    """So many server processes on one database, ready; what they wrote to their logs must tell of no traceback."""
    with ExitStack() as stack:
        of_all = {**UNHURRIED, **settings, "YOTEI_DATABASE_URL": url}
        places = [stack.enter_context(new_place(**of_all)) for _ in range(count)]
        # One after the other: the first one migrates.
        running = {place.port: place.start().ready() for place in places}
        yield Served(tuple(running), url, running)
        for one in running.values():
            assert one.stop() == 0, one.err
            assert "Traceback" not in one.err, one.err
