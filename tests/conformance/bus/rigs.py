"""A real server of each transport, behind a proxy, to be stopped and started by a test."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from urllib.parse import parse_qs, urlsplit

from tests.conftest import FAST
from tests.kafka_mock import mock_cluster
from tests.kafka_server import KafkaServer
from tests.proxy import Proxy, proxy_to
from tests.redis_server import RedisServer
from yotei.bus.bus import Bus
from yotei.bus.transport import Transport, TransportName, transport
from yotei.storage.embedded import SOCKET_NAME, EmbeddedServer

TOPIC: Final = "cache.invalidate"
# Links are given up after two of them: the mock cluster answers a fetch after half a second, and machines are busy.
BEAT_S: Final = 1.0
TIMEOUT_S: Final = 2.0
PATIENCE_S: Final = 60.0
POLL_S: Final = 0.01


@dataclass(frozen=True)
class Rig:
    """`stop` and `start` block; what the nodes know is the proxy's address."""

    transport_name: TransportName
    url: str
    proxy: Proxy
    stop: Callable[[], None]
    start: Callable[[], None]

    def transport(self, topic: str = TOPIC) -> Transport:
        return transport(self.transport_name, self.url, topic=topic, timeout_s=TIMEOUT_S)

    def bus(self, *, queue_max: int = 1_000) -> Bus:
        return Bus(self.transport(), queue_max=queue_max, beat_s=BEAT_S, timeout_s=TIMEOUT_S)


async def until(holds: Callable[[], bool], what: str) -> None:
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not holds():  # noqa: ASYNC110
                await asyncio.sleep(POLL_S)
    except TimeoutError:
        raise AssertionError(f"not within {PATIENCE_S:.0f} s: {what}") from None


def socket_of(server: EmbeddedServer) -> Path:
    (folder,) = parse_qs(urlsplit(server.url).query)["host"]
    return Path(folder) / SOCKET_NAME


@asynccontextmanager
async def postgres_rig() -> AsyncIterator[Rig]:
    with _folder() as folder:
        server = EmbeddedServer(folder / "d", options=FAST)
        await asyncio.to_thread(server.start)
        try:
            async with proxy_to(socket_of(server)) as proxy:
                url = f"postgresql://yotei@127.0.0.1:{proxy.port}/yotei?sslmode=disable"
                yield Rig("postgres", url, proxy, server.stop, server.start)
        finally:
            await asyncio.to_thread(server.stop)


@asynccontextmanager
async def redis_rig() -> AsyncIterator[Rig]:
    with _folder() as folder, RedisServer(folder) as server:
        async with proxy_to(("127.0.0.1", server.port)) as proxy:
            yield Rig("redis", f"redis://127.0.0.1:{proxy.port}/0", proxy, server.kill, server.start)


@asynccontextmanager
async def kafka_rig() -> AsyncIterator[Rig]:
    with _folder() as folder, KafkaServer(folder) as server:
        async with proxy_to(("127.0.0.1", server.behind_proxy_port), port=server.proxied_port) as proxy:
            yield Rig("kafka", f"kafka://127.0.0.1:{proxy.port}", proxy, server.kill, server.start)


@asynccontextmanager
async def kafka_mock_rig() -> AsyncIterator[Rig]:
    """One broker of librdkafka's: Kafka wherever there is no Java."""
    with mock_cluster(brokers=1) as cluster:
        cluster.make_topic(TOPIC, partitions=1, replicas=1)
        (address,) = cluster.bootstraps
        async with proxy_to(address) as proxy:
            cluster.advertise(1, "127.0.0.1", proxy.port)
            url = f"kafka://127.0.0.1:{proxy.port}"
            yield Rig("kafka", url, proxy, lambda: cluster.set_down(1), lambda: cluster.set_up(1))


RIGS: Final = {"postgres": postgres_rig, "redis": redis_rig, "kafka": kafka_rig, "kafka-mock": kafka_mock_rig}


@asynccontextmanager
async def ready(*buses: Bus) -> AsyncIterator[None]:
    """Started, and closed at the end."""
    async with AsyncExitStack() as closing:
        for bus in buses:
            bus.start()
            closing.push_async_callback(bus.close)
        for bus in buses:
            async with asyncio.timeout(PATIENCE_S):
                await bus.until_ready()
        yield


@contextmanager
def _folder() -> Iterator[Path]:
    """That PostgreSQL's user may pass."""
    with TemporaryDirectory(prefix="yotei-") as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)
