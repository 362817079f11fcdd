"""The port: what a bus needs of PostgreSQL, Redis or Kafka, and how one is chosen by the settings.

`tests/conformance/bus` runs against every one of them.
"""

from collections.abc import Callable, Sequence
from typing import Final, Literal, Protocol

Deliver = Callable[[bytes], None]
"""Takes one message; never raises, never waits."""

TransportName = Literal["postgres", "redis", "kafka"]
# Ending a connection politely may take this long; then it is cut.
CLOSE_TIMEOUT_S: Final = 1.0


class LinkLost(Exception):
    """The connection is of no more use; the bus makes another one."""


class Link(Protocol):
    """One connection, sending and receiving, that has begun to receive. After its first failure it is only closed."""

    async def publish(self, payloads: Sequence[bytes]) -> None:
        """Hand over all of them and wait until the server has them; raises anything when that is in doubt."""

    async def listen(self) -> None:
        """Receive until the connection is lost: never returns, raises `LinkLost` or what the driver raises."""

    async def close(self) -> None:
        """Leave nothing behind, within some `CLOSE_TIMEOUT_S`, whatever state it is in."""


class Transport(Protocol):
    """Knows where the server is. Every message goes to every link that is connected, the sender's own included."""

    payload_bytes_max: int

    async def connect(self, deliver: Deliver) -> Link:
        """A link that receives what is published from now on; raises anything, and then leaves nothing open."""


def transport(name: TransportName, url: str, *, topic: str, timeout_s: float) -> Transport:
    """The driver is imported here and not before: who does not use Kafka need not have aiokafka.

    Raises ValueError for an address that cannot be used, ModuleNotFoundError when the driver is not installed.
    """
    match name:
        case "postgres":
            from yotei.bus.postgres import PostgresTransport

            return PostgresTransport(url, topic, timeout_s=timeout_s)
        case "redis":
            from yotei.bus.redis import RedisTransport

            return RedisTransport(url, topic, timeout_s=timeout_s)
        case "kafka":
            from yotei.bus.kafka import KafkaTransport

            return KafkaTransport(url, topic, timeout_s=timeout_s)
