"""What a run happens in: a PostgreSQL, perhaps a Redis with a replica, servers as a user starts them, and between
them and each of the others a network of ours."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Final

import asyncpg

from tests.acceptance.processes import Place, Server, free_port, new_place, until
from tests.coherence import kinds
from tests.coherence.gates import Gates
from tests.coherence.kinds import Person, Thing
from tests.conformance.bus.rigs import socket_of
from tests.kafka_server import KafkaServer
from tests.proxy import Proxy, proxy_to, way_to
from tests.redis_server import RedisServer
from tests.standby import FOLLOWED, Standby
from tests.stress.servers import UNHURRIED
from yotei.storage import migrate
from yotei.storage.embedded import EmbeddedServer
from yotei.storage.pool import Database

ROOT: Final = Path(__file__).parents[2]
TRANSPORTS: Final = ("none", "postgres", "redis", "kafka")
START_S_MAX: Final = 60.0
STOPPED_S_MAX: Final = 20.0


class Node:
    """One `yotei run` of one worker, and its ways to PostgreSQL and Redis. `start` makes a new process each time."""

    def __init__(self, number: int, place: Place, postgres: Proxy, redis: Proxy | None) -> None:
        self.number = number
        self.place = place
        self.port = place.port
        self.postgres = postgres
        self.redis = redis
        folder = place.folder / "gates"
        folder.mkdir()
        self.gates = Gates(folder)
        place.program = (sys.executable, "-m", "tests.coherence.launcher")
        place.environment |= {"COHERENCE_GATES": str(folder), "PYTHONPATH": str(ROOT)}
        self._server: Server | None = None

    async def start(self) -> None:
        self._server = self.place.start()
        await asyncio.to_thread(self._server.ready)

    async def kill(self) -> None:
        """All of it, at once."""
        assert self._server is not None
        for pid in (self._server.pid, *self._server.workers()):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        await asyncio.to_thread(self._server.process.wait)
        # A worker that outlives its parent for a moment still has the port.
        await asyncio.to_thread(until, lambda: not self.place.processes(), "a killed server is gone", STOPPED_S_MAX)

    async def stop(self) -> None:
        """As Ctrl-C does. Whatever it went through, it has told of no failure that it did not foresee."""
        if self._server is None or self._server.process.poll() is not None:
            return
        self.postgres.heal()
        self.gates.open_all()
        await asyncio.to_thread(self._server.stop)

    def pause(self) -> None:
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    @property
    def log(self) -> str:
        return "" if self._server is None else self._server.err

    def _signal(self, number: signal.Signals) -> None:
        assert self._server is not None
        for pid in self._server.workers():
            with suppress(ProcessLookupError):
                os.kill(pid, number)


class Ground:
    """What servers stand on: `database` leads past every fault."""

    def __init__(self, server: EmbeddedServer, database: Database, people: Sequence[Person]) -> None:
        self.server = server
        self.database = database
        self.people = tuple(people)
        self.copying = asyncio.Lock()
        self._numbers = count()

    async def things(self, **counts: int) -> list[Thing]:
        """So many of each kind, no two of one name."""
        return [
            await kinds.KINDS[kind](self.database, self.people, next(self._numbers))
            for kind, number in counts.items()
            for _ in range(number)
        ]


class Redises:
    """A Redis, a replica of it behind a network that can be held, and which of the two is led to."""

    def __init__(self, first: RedisServer, replica: RedisServer, between: Proxy) -> None:
        self.first = first
        self.replica = replica
        self.between = between
        self.now = first
        self.ways: list[Proxy] = []

    def fail_over(self) -> None:
        """To the replica, as far as it has come."""
        self.replica.command("REPLICAOF", "NO", "ONE")
        self._lead(self.replica)

    def fail_back(self) -> None:
        """To the first one, empty, which the other follows again."""
        self.first.empty()
        self._lead(self.first)
        self.replica.command("REPLICAOF", "127.0.0.1", str(self.between.port))

    def _lead(self, server: RedisServer) -> None:
        self.now = server
        for way in self.ways:
            way.connect = way_to(("127.0.0.1", server.port))
            way.drop()


@contextmanager
def passable_folder() -> Iterator[Path]:
    """One that the user of PostgreSQL may go through."""
    with TemporaryDirectory(prefix="yotei-") as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


@asynccontextmanager
async def ground() -> AsyncIterator[Ground]:
    """An empty migrated database with people in it."""
    # That it is away at times is meant.
    logging.getLogger("asyncpg.pool").setLevel(logging.ERROR)
    with passable_folder() as folder:
        server = EmbeddedServer(folder / "d", options=FOLLOWED)
        await asyncio.to_thread(server.start)
        try:
            await migrate.apply(server.url)
            async with await Database.connect(server.url, size_min=1, size_max=4) as database:
                yield Ground(server, database, await kinds.people(database, datetime.now(UTC)))
        finally:
            await asyncio.to_thread(server.stop)


@asynccontextmanager
async def standby_of(on: Ground) -> AsyncIterator[Standby]:
    """A read replica."""
    with passable_folder() as folder:
        standby = Standby(on.server, folder / "d")
        async with on.copying:
            await asyncio.to_thread(standby.start)
        try:
            yield standby
        finally:
            await asyncio.to_thread(standby.stop)


@asynccontextmanager
async def redises() -> AsyncIterator[Redises]:
    with TemporaryDirectory(prefix="yotei-") as folder:
        first, replica = (RedisServer(Path(folder), port=free_port()) for _ in range(2))
        try:
            await asyncio.to_thread(first.start)
            async with proxy_to(("127.0.0.1", first.port)) as between:
                await asyncio.to_thread(replica.start)
                replica.command("REPLICAOF", "127.0.0.1", str(between.port))
                yield Redises(first, replica, between)
        finally:
            first.kill()
            replica.kill()


@asynccontextmanager
async def bus(transport: str) -> AsyncIterator[tuple[Mapping[str, str], Proxy | None]]:
    """Settings for it, and the way to it where it has one of its own."""
    if transport != "kafka":
        yield {"YOTEI_BUS_TRANSPORT": transport}, None
        return
    with TemporaryDirectory(prefix="yotei-") as folder:
        kafka = KafkaServer(Path(folder))
        try:
            await asyncio.to_thread(kafka.__enter__)
            async with proxy_to(("127.0.0.1", kafka.behind_proxy_port), port=kafka.proxied_port) as proxy:
                url = f"kafka://127.0.0.1:{proxy.port}"
                yield {"YOTEI_BUS_TRANSPORT": "kafka", "YOTEI_BUS_URL": url}, proxy
        finally:
            kafka.kill()


@asynccontextmanager
async def nodes(
    number: int,
    on: Ground,
    settings: Mapping[str, str],
    *,
    redis: Redises | None = None,
    standby: Standby | None = None,
    last: Mapping[str, str] = MappingProxyType({}),
) -> AsyncIterator[list[Node]]:
    """So many servers, ready; the last one with these settings besides."""
    async with AsyncExitStack() as stack:
        found = []
        for n in range(number):
            place = stack.enter_context(new_place(**{**UNHURRIED, **settings, **(last if n == number - 1 else {})}))
            postgres = await stack.enter_async_context(proxy_to(socket_of(on.server)))
            place.environment["YOTEI_DATABASE_URL"] = (
                f"postgresql://yotei@127.0.0.1:{postgres.port}/yotei?sslmode=disable"
            )
            if standby is not None:
                place.environment["YOTEI_REPLICA_URLS"] = standby.url
            way = None
            if redis is not None:
                way = await stack.enter_async_context(proxy_to(("127.0.0.1", redis.now.port)))
                redis.ways.append(way)
                stack.callback(redis.ways.remove, way)
                place.environment["YOTEI_REDIS_URL"] = f"redis://127.0.0.1:{way.port}/0"
                if settings.get("YOTEI_BUS_TRANSPORT") == "redis":
                    place.environment["YOTEI_BUS_URL"] = place.environment["YOTEI_REDIS_URL"]
            found.append(Node(n, place, postgres, way))
        try:
            async with asyncio.TaskGroup() as tasks:
                for node in found:
                    tasks.create_task(node.start())
            yield found
        finally:
            await asyncio.gather(*(node.stop() for node in found))


async def replica_taken(standby: Standby, number: int) -> None:
    """Wait until so many servers are connected to it."""
    question = (
        "select count(distinct client_port || ':' || pid) >= {} from pg_stat_activity where application_name = 'yotei'"
    )
    await asyncio.to_thread(standby.until, question.format(number))


async def connected(server: EmbeddedServer) -> "asyncpg.Connection[asyncpg.Record]":
    """For a transaction that stays open."""
    return await asyncpg.connect(server.url)
