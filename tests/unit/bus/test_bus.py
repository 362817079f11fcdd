"""The bus itself, over a transport in memory that can be made to fail in every way that the port allows."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import pytest

from tests.logged import logged_by
from yotei.bus import bus as bus_module
from yotei.bus.bus import BATCH_MAX, BEATS_MISSED_MAX, Bus
from yotei.bus.hint import Hint, encode
from yotei.bus.transport import Deliver, Link, LinkLost, transport

BEAT_S = 0.02
PATIENCE_S = 20.0


class Medium:
    """Brings everybody everything. As a transport it is one that has no server."""

    payload_bytes_max = 1_000

    def __init__(self) -> None:
        self.links: list[MediumLink] = []
        self.batches: list[list[bytes]] = []
        self.refuses = False
        self.is_deaf = False
        self.is_stuck = False
        self.closed = 0

    async def connect(self, deliver: Deliver) -> Link:
        if self.refuses:
            raise ConnectionRefusedError
        link = MediumLink(self, deliver)
        self.links.append(link)
        return link


class MediumLink:
    def __init__(self, medium: Medium, deliver: Deliver) -> None:
        self.medium = medium
        self.deliver = deliver
        self.ends = asyncio.Event()

    async def publish(self, payloads: Sequence[bytes]) -> None:
        if self.medium.is_stuck:
            await asyncio.Event().wait()
        self.medium.batches.append(list(payloads))
        if not self.medium.is_deaf:
            for link in self.medium.links:
                for payload in payloads:
                    link.deliver(payload)

    async def listen(self) -> None:
        await self.ends.wait()
        raise LinkLost("the medium ended it")

    async def close(self) -> None:
        self.medium.links.remove(self)
        self.medium.closed += 1


def made(medium: Medium, *, queue_max: int = 1_000, timeout_s: float = 0.1) -> Bus:
    return Bus(medium, queue_max=queue_max, beat_s=BEAT_S, timeout_s=timeout_s)


@asynccontextmanager
async def started(*buses: Bus) -> AsyncIterator[None]:
    for bus in buses:
        bus.start()
    try:
        yield
    finally:
        for bus in buses:
            await bus.close()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


async def test_it_is_ready_when_it_has_heard_itself() -> None:
    medium = Medium()
    medium.is_deaf = True
    bus = made(medium)

    async with started(bus):
        await until(lambda: bool(medium.batches))
        deaf = bus.ready, bus.stats.rebuilds
        medium.is_deaf = False
        await until(lambda: bus.ready)

    assert deaf == (False, 0)


async def test_a_link_that_brings_nothing_back_is_given_up_after_a_few_beats_whatever_it_says() -> None:
    medium = Medium()
    bus = made(medium)

    async with started(bus):
        await until(lambda: bus.ready)
        medium.is_deaf = True
        medium.batches.clear()
        await until(lambda: bus.stats.rebuilds == 1)

        assert not bus.ready
        assert len(medium.batches) == BEATS_MISSED_MAX
        medium.is_deaf = False
        await until(lambda: bus.ready)


async def test_a_hand_over_that_hangs_ends_the_link_and_what_waited_is_dropped() -> None:
    medium = Medium()
    bus = made(medium, queue_max=10)

    async with started(bus):
        await until(lambda: bus.ready)
        medium.is_stuck = True
        for xid in range(1, 31):
            bus.send(Hint("e", xid))
        full = bus.stats
        await until(lambda: bus.stats.waiting == 0)  # they are being handed over
        bus.send(Hint("e", 31))
        await until(lambda: bus.stats.rebuilds == 1)
        medium.is_stuck = False
        await until(lambda: bus.ready)

    assert (full.waiting, full.dropped) == (10, 20)
    assert (bus.stats.sent, bus.stats.dropped) == (0, 31)


async def test_without_a_link_hints_are_dropped_and_attempts_go_on() -> None:
    medium = Medium()
    medium.refuses = True
    bus = made(medium)

    async with started(bus):
        await until(lambda: bus.stats.rebuilds >= 3)
        bus.send(Hint("e", 1))
        dropped = bus.stats.dropped
        medium.refuses = False
        await until(lambda: bus.ready)

    assert dropped == 1
    assert medium.links == []


async def test_a_bus_that_was_not_started_drops() -> None:
    bus = made(Medium())

    bus.send(Hint("e", 1))
    await bus.close()

    assert (bus.stats.dropped, bus.stats.lag_ms) == (1, None)


async def test_hints_that_gather_go_in_one_batch_of_bounded_size_and_in_order() -> None:
    medium = Medium()
    sender, receiver = made(medium), made(medium)
    heard: list[int | None] = []
    receiver.receive(lambda hint: heard.append(hint.xid))

    async with started(sender, receiver):
        await until(lambda: sender.ready and receiver.ready)
        for xid in range(1, 501):
            sender.send(Hint("e", xid))
        await until(lambda: len(heard) == 500)

    assert heard == list(range(1, 501))
    # A beat may come on top.
    assert max(map(len, medium.batches)) in (BATCH_MAX, BATCH_MAX + 1)


async def test_echoes_and_hints_of_its_own_are_not_handed_on_nor_beats_of_others() -> None:
    medium = Medium()
    one, other = made(medium), made(medium)
    heard: list[Hint] = []
    one.receive(heard.append)

    async with started(one, other):
        await until(lambda: one.ready and other.ready)
        one.send(Hint("e", 1))
        await until(lambda: other.stats.received == 1)

    assert heard == []
    assert one.stats.received == 0


async def test_nothing_is_handed_on_after_close() -> None:
    medium = Medium()
    bus = made(medium)
    heard: list[Hint] = []
    bus.receive(heard.append)

    async with started(bus):
        await until(lambda: bus.ready)
    (message,) = encode("other", Hint("e", 1), bytes_max=1_000)
    for link in medium.links:
        link.deliver(message)

    assert (heard, medium.links, medium.closed) == ([], [], 1)


async def test_the_lag_is_the_last_round_trip_or_how_long_one_is_waited_for() -> None:
    medium = Medium()
    bus = made(medium)

    async with started(bus):
        await until(lambda: bus.ready)
        heard = bus.stats.lag_ms
        medium.is_deaf = True
        await until(lambda: (bus.stats.lag_ms or 0) > BEAT_S * 1000 / 2)
        waiting = bus.stats.lag_ms

    assert heard is not None and waiting is not None
    assert heard < waiting < PATIENCE_S * 1000


async def test_an_outage_is_logged_once_and_by_kind_and_its_end_too() -> None:
    medium = Medium()
    bus = made(medium)

    with logged_by(bus_module, "logger") as logged:
        async with started(bus):
            await until(lambda: bus.ready)
            medium.refuses = True
            medium.links[0].ends.set()
            await until(lambda: bus.stats.rebuilds > 3)
            medium.refuses = False
            await until(lambda: bus.ready)

    said = [one["event"] for one in logged]
    assert said.count("bus_lost") == 1
    assert "the medium ended it" in str(logged)
    assert said.count("bus_connected") == 2


@pytest.mark.parametrize(
    "url",
    [
        "redis://somewhere",
        "kafka://",
        "kafka://user:s3cret@",
        "kafka://user:s3cret@host?sasl_mechanism=NONE",
        "kafka://user:s3cret@host?timeout=5",
    ],
)
def test_an_address_that_kafka_cannot_use_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(ValueError, match=r"[Kk]afka|sasl") as refused:
        transport("kafka", url, topic="t", timeout_s=1)

    assert "s3cret" not in str(refused.value)
