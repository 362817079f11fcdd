"""Hints over Kafka: one topic, which every instance reads whole.

In a consumer group each message would reach one instance of many, so there is no group: all partitions are assigned,
from their end on, and nothing is committed. A link is made once the position in every partition is known.

The address is `kafka://[user:password@]host[:port][,host[:port]…]`, or `kafkas://` for TLS, with these after a `?`:
`sasl_mechanism` (PLAIN, which is the default, SCRAM-SHA-256 or SCRAM-SHA-512), `ssl_ca_certs`, `ssl_certfile` and
`ssl_keyfile` (paths of PEM files). A topic that is missing is made: one partition, which keeps messages for a minute.
"""

import asyncio
import logging
import ssl
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, UnknownTopicOrPartitionError, for_code

from yotei.bus.transport import CLOSE_TIMEOUT_S, Deliver, Link, LinkLost

PORT_DEFAULT: Final = 9092
# Far below the broker's own limit (`message.max.bytes`, 1 MiB by default).
PAYLOAD_BYTES_MAX: Final = 65_536
# Nobody reads what was sent before they came.
RETENTION_MS: Final = 60_000
SASL_MECHANISMS: Final = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
_PARAMETERS: Final = frozenset({"sasl_mechanism", "ssl_ca_certs", "ssl_certfile", "ssl_keyfile"})


class KafkaTransport:
    """Raises ValueError for an address that is not of the form above; its text never holds the address."""

    payload_bytes_max = PAYLOAD_BYTES_MAX

    def __init__(self, url: str, topic: str, *, timeout_s: float) -> None:
        self._client = client_options(url)
        self._topic = topic
        self._timeout_s = timeout_s
        # Connecting takes a few requests. No request outlives the link by more than this.
        self._client["request_timeout_ms"] = round(timeout_s * 1000 / 2)
        # While brokers are away it reports every attempt; the bus tells of the outage once.
        logging.getLogger("aiokafka").setLevel(logging.CRITICAL)

    async def connect(self, deliver: Deliver) -> Link:
        link = _KafkaLink(self._client, self._topic, deliver, timeout_s=self._timeout_s)
        opening = asyncio.create_task(link.open())
        try:
            # aiokafka loses sight of a connection when it is cancelled while it asks for metadata. Its own time-out
            # ends that too.
            await asyncio.shield(opening)
        except BaseException:
            await _settled(opening, self._timeout_s)
            await link.close()
            raise
        return link


class _KafkaLink:
    def __init__(self, client: dict[str, Any], topic: str, deliver: Deliver, *, timeout_s: float) -> None:
        self._client = client
        self._topic = topic
        self._deliver = deliver
        self._timeout_s = timeout_s
        self._consumer = AIOKafkaConsumer(
            **client, group_id=None, auto_offset_reset="latest", enable_auto_commit=False, retry_backoff_ms=50
        )
        self._producer = AIOKafkaProducer(**client, acks=1, retry_backoff_ms=50)

    async def open(self) -> None:
        await self._producer.start()
        try:
            partitions = await self._producer.partitions_for(self._topic)
        except UnknownTopicOrPartitionError:
            await self._make_topic()
            partitions = await self._producer.partitions_for(self._topic)
        await self._consumer.start()
        read = [TopicPartition(self._topic, number) for number in partitions]
        self._consumer.assign(read)
        if not await self._consumer.seek_to_end(*read):
            raise LinkLost("Kafka did not say where the topic ends")
        for partition in read:
            await self._consumer.position(partition)

    async def publish(self, payloads: Sequence[bytes]) -> None:
        acknowledged = [await self._producer.send(self._topic, payload) for payload in payloads]
        await asyncio.gather(*acknowledged)

    async def listen(self) -> None:
        async for record in self._consumer:
            self._deliver(record.value or b"")
        raise LinkLost("Kafka ended the consumer")

    async def close(self) -> None:
        stopping = [asyncio.create_task(one) for one in (self._stop_consumer(), self._producer.stop())]
        await asyncio.gather(*(_settled(task, self._timeout_s) for task in stopping))

    async def _stop_consumer(self) -> None:
        try:
            await self._consumer.stop()
        finally:
            # A fetch that failed just now ends `stop` before it has come to its connections (aiokafka 0.14).
            await self._consumer._client.close()

    async def _make_topic(self) -> None:
        admin = AIOKafkaAdminClient(**self._client)
        try:
            await admin.start()
            # -1 is the broker's own number of replicas; aiokafka lets it through beside an assignment, if an empty one.
            topic = NewTopic(self._topic, 1, -1, {}, {"retention.ms": str(RETENTION_MS)})
            for _, code, *_ in (await admin.create_topics([topic])).topic_errors:
                if (error := for_code(code)) not in (TopicAlreadyExistsError, for_code(0)):
                    raise error
        finally:
            await admin.close()


def client_options(url: str) -> dict[str, Any]:
    """What aiokafka's clients are made with, of an address."""
    parts = urlsplit(url)
    given = dict(parse_qsl(parts.query, keep_blank_values=True))
    if parts.scheme not in ("kafka", "kafkas"):
        raise ValueError("expected an address that starts with kafka:// or kafkas://")
    if unknown := given.keys() - _PARAMETERS:
        raise ValueError(f"the address of Kafka has no {min(unknown)}; it knows {', '.join(sorted(_PARAMETERS))}")
    credentials, _, hosts = parts.netloc.rpartition("@")
    options: dict[str, Any] = {
        "bootstrap_servers": [_with_port(host) for host in hosts.split(",") if host],
        "client_id": "yotei-bus",
    }
    if not options["bootstrap_servers"]:
        raise ValueError("the address of Kafka names no host")
    if any(not host.rpartition(":")[2].isdigit() for host in options["bootstrap_servers"]):
        raise ValueError("the address of Kafka has a port that is no number")
    is_tls = parts.scheme == "kafkas"
    if is_tls:
        options["ssl_context"] = context = ssl.create_default_context(cafile=given.get("ssl_ca_certs"))
        if "ssl_certfile" in given:
            context.load_cert_chain(given["ssl_certfile"], given.get("ssl_keyfile"))
    options["security_protocol"] = ("SASL_" if credentials else "") + ("SSL" if is_tls else "PLAINTEXT")
    if credentials:
        user, _, password = credentials.partition(":")
        mechanism = given.get("sasl_mechanism", SASL_MECHANISMS[0])
        if mechanism not in SASL_MECHANISMS:
            raise ValueError(f"sasl_mechanism: expected one of {', '.join(SASL_MECHANISMS)}")
        options |= {
            "sasl_mechanism": mechanism,
            "sasl_plain_username": unquote(user),
            "sasl_plain_password": unquote(password),
        }
    return options


def _with_port(host: str) -> str:
    return host if host.rpartition("]")[2].count(":") else f"{host}:{PORT_DEFAULT}"


async def _settled(task: "asyncio.Task[None]", timeout_s: float) -> None:
    """Wait for its end; cancel it when that takes too long. How it ended is not of interest."""
    await asyncio.wait([task], timeout=timeout_s)
    if not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=CLOSE_TIMEOUT_S)
    if task.done() and not task.cancelled():
        task.exception()
