"""Kafka's own kinds of failure, by librdkafka's cluster of three brokers and a topic of three partitions."""

import asyncio
import gc
from collections.abc import Callable, Iterator

import pytest

from tests import kafka_mock
from tests.conformance.bus.rigs import BEAT_S, PATIENCE_S, TIMEOUT_S, TOPIC, ready, until
from tests.kafka_mock import MockCluster, mock_cluster
from tests.proxy import proxy_to
from yotei.bus.bus import Bus
from yotei.bus.hint import Hint
from yotei.bus.transport import transport

PARTITIONS = range(3)


@pytest.fixture
def cluster() -> Iterator[MockCluster]:
    with mock_cluster(brokers=3) as made:
        made.make_topic(TOPIC, partitions=len(PARTITIONS), replicas=3)
        yield made


def address(cluster: MockCluster) -> str:
    return "kafka://" + ",".join(f"{host}:{port}" for host, port in cluster.bootstraps)


def made(url: str) -> Bus:
    return Bus(
        transport("kafka", url, topic=TOPIC, timeout_s=TIMEOUT_S), queue_max=1_000, beat_s=BEAT_S, timeout_s=TIMEOUT_S
    )


async def heard_again(sender: Bus, receiver: Bus, *, times: int = 20) -> None:
    """Hints are sent until as many in a row have come through, whichever partition each of them goes to."""
    heard: set[int] = set()
    receiver.receive(lambda hint: heard.add(hint.xid or 0))
    xid = 0

    def last() -> set[int]:
        return set(range(xid - times + 1, xid + 1))

    async with asyncio.timeout(PATIENCE_S):
        while not (xid > times and last() <= heard):
            if sender.ready and receiver.ready:
                xid += 1
                sender.send(Hint("e", xid))
            await asyncio.sleep(BEAT_S / 10)


def loss_of_a_broker(cluster: MockCluster) -> None:
    cluster.set_down(2)
    for partition in PARTITIONS:
        cluster.set_leader(TOPIC, partition, 1)


def leaders_that_move(cluster: MockCluster) -> None:
    for partition in PARTITIONS:
        cluster.set_leader(TOPIC, partition, 1 + (partition + 1) % 3)


def refused_writes(cluster: MockCluster) -> None:
    cluster.answer_with(kafka_mock.PRODUCE, *[kafka_mock.KAFKA_STORAGE_ERROR, kafka_mock.NOT_LEADER_OR_FOLLOWER] * 5)


def writes_that_may_not_be_tried_again(cluster: MockCluster) -> None:
    cluster.answer_with(kafka_mock.PRODUCE, kafka_mock.TOPIC_AUTHORIZATION_FAILED)


def refused_reads(cluster: MockCluster) -> None:
    cluster.answer_with(kafka_mock.FETCH, *[kafka_mock.NOT_LEADER_OR_FOLLOWER, kafka_mock.KAFKA_STORAGE_ERROR] * 5)


def positions_out_of_range(cluster: MockCluster) -> None:
    cluster.answer_with(kafka_mock.FETCH, *[kafka_mock.OFFSET_OUT_OF_RANGE] * 3)


def positions_refused_on_the_next_connection(cluster: MockCluster) -> None:
    cluster.answer_with(kafka_mock.LIST_OFFSETS, *[kafka_mock.NOT_LEADER_OR_FOLLOWER] * 3)
    for broker in cluster.brokers:
        cluster.set_down(broker)
        cluster.set_up(broker)


FAULTS: list[Callable[[MockCluster], None]] = [
    loss_of_a_broker,
    leaders_that_move,
    refused_writes,
    writes_that_may_not_be_tried_again,
    refused_reads,
    positions_out_of_range,
    positions_refused_on_the_next_connection,
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
async def test_hints_come_through_again_after(cluster: MockCluster, fault: Callable[[MockCluster], None]) -> None:
    sender, receiver = made(address(cluster)), made(address(cluster))

    async with ready(sender, receiver):
        fault(cluster)
        await heard_again(sender, receiver)


async def test_partitions_without_a_leader_lose_hints_until_they_have_one(cluster: MockCluster) -> None:
    sender, receiver = made(address(cluster)), made(address(cluster))

    async with ready(sender, receiver):
        for partition in PARTITIONS:
            cluster.set_leader(TOPIC, partition, None)
        await until(lambda: not (sender.ready or receiver.ready), "both notice")
        sender.send(Hint("e", 1))
        for partition in PARTITIONS:
            cluster.set_leader(TOPIC, partition, 1)
        await heard_again(sender, receiver)

    assert sender.stats.dropped > 0


async def test_one_broker_that_swallows_everything_is_noticed_though_the_others_answer(cluster: MockCluster) -> None:
    """A black hole: the connection stands, nothing comes back, and a partition that it leads cannot be written."""
    first, *_ = cluster.bootstraps
    async with proxy_to(first) as proxy:
        cluster.advertise(1, "127.0.0.1", proxy.port)
        for partition in PARTITIONS:
            cluster.set_leader(TOPIC, partition, 1)
        sender, receiver = made(address(cluster)), made(address(cluster))

        async with ready(sender, receiver):
            proxy.hold()
            await until(lambda: not (sender.ready or receiver.ready), "both notice")
            for partition in PARTITIONS:
                cluster.set_leader(TOPIC, partition, 2)
            await heard_again(sender, receiver)
            proxy.heal()


async def test_a_bus_that_is_closed_at_any_moment_of_connecting_leaves_nothing(cluster: MockCluster) -> None:
    """An answer every 0.1 s: connecting takes about a second, and is left in each of its steps."""
    for broker in cluster.brokers:
        cluster.set_round_trip(broker, 100)
    before = asyncio.all_tasks()

    for step in range(10):
        bus = made(address(cluster))
        bus.start()
        await asyncio.sleep(0.05 + 0.1 * step)
        await bus.close()
        gc.collect()  # a connection that is lost sight of says so when it goes, which is an error here

        assert asyncio.all_tasks() == before


async def test_a_topic_of_many_partitions_is_read_whole(cluster: MockCluster) -> None:
    sender, receivers = made(address(cluster)), [made(address(cluster)) for _ in range(2)]
    heard: list[set[int]] = [set(), set()]
    for receiver, mine in zip(receivers, heard, strict=True):
        receiver.receive(lambda hint, mine=mine: mine.add(hint.xid or 0))  # type: ignore[misc]

    async with ready(sender, *receivers):
        for xid in range(1, 301):
            sender.send(Hint("e", xid))
        await until(lambda: min(map(len, heard)) == 300, "both hear all")
