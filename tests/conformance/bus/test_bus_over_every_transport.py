"""What a bus promises, over PostgreSQL, Redis, a real Kafka and librdkafka's Kafka: one suite for all of them."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from tests.conformance.bus.rigs import RIGS, Rig, ready, until
from yotei.bus.bus import Bus
from yotei.bus.hint import Hint, encode

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
SENT = Hint("7431.1.16384", 731, ("calendar:1:events:2026-11", "event:予定:full"), NOW)


@pytest.fixture(scope="module", params=RIGS)
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    async with RIGS[request.param]() as made:
        yield made


@pytest.fixture(autouse=True)
def healed(rig: Rig) -> None:
    rig.proxy.heal()


def listening(bus: Bus) -> list[Hint]:
    heard: list[Hint] = []
    bus.receive(heard.append)
    return heard


def xids(hints: list[Hint]) -> list[int | None]:
    return [hint.xid for hint in hints]


async def exchange(one: Bus, heard_by_one: list[Hint], other: Bus, heard_by_other: list[Hint], xid: int) -> None:
    """A hint each way; nothing that was sent before is still on its way then."""
    one.send(Hint("e", xid))
    await until(lambda: xid in xids(heard_by_other), "the other hears it")
    other.send(Hint("e", xid))
    await until(lambda: xid in xids(heard_by_one), "the one hears it")


async def test_every_other_node_gets_a_hint_as_it_was_sent_and_the_sender_does_not(rig: Rig) -> None:
    buses = [rig.bus() for _ in range(3)]
    heard = [listening(bus) for bus in buses]

    async with ready(*buses):
        buses[0].send(SENT)
        await until(lambda: SENT in heard[1] and SENT in heard[2], "both hear it")
        await exchange(buses[0], heard[0], buses[1], heard[1], 1_000)
        await until(lambda: buses[0].stats.sent == 2, "both are acknowledged")

    assert heard[1].count(SENT) == heard[2].count(SENT) == 1
    assert SENT not in heard[0]
    assert buses[1].stats.received == 2


async def test_a_burst_arrives_whole_and_in_batches(rig: Rig) -> None:
    sender, receiver = rig.bus(), rig.bus()
    heard = listening(receiver)

    async with ready(sender, receiver):
        for xid in range(1, 1_001):
            sender.send(Hint("e", xid, ("k",)))
        await until(lambda: len(heard) >= 1_000, "all are heard")

    assert sorted(hint.xid or 0 for hint in heard) == list(range(1, 1_001))
    assert sender.stats.dropped == 0


async def test_a_hint_that_is_too_large_comes_in_parts_and_one_that_is_far_too_large_without_its_keys(rig: Rig) -> None:
    sender, receiver = rig.bus(), rig.bus()
    heard = listening(receiver)
    bytes_max = rig.transport().payload_bytes_max
    some = tuple(f"event:{number:0100}:full" for number in range(bytes_max * 2 // 110))
    lots = tuple(f"event:{number:0100}:full" for number in range(bytes_max * 10 // 110))

    async with ready(sender, receiver):
        sender.send(Hint("e", 1, some))
        sender.send(Hint("e", 2, lots))
        await until(lambda: 2 in xids(heard), "the second is heard")

    parts = [hint.keys for hint in heard if hint.xid == 1]
    assert len(parts) > 1
    assert tuple(key for part in parts for key in part) == some
    assert [hint.keys for hint in heard if hint.xid == 2] == [()]


async def test_doubled_and_disordered_hints_are_handed_on_as_they_come(rig: Rig) -> None:
    receiver = rig.bus()
    newest: dict[str, int] = {}

    def set_floors(hint: Hint) -> None:
        for key in hint.keys:
            newest[key] = max(newest.get(key, 0), hint.xid or 0)

    receiver.receive(set_floors)
    messages = [
        encode("other", Hint("e", xid, (f"key:{xid % 3}",)), bytes_max=1_000)[0] for xid in (9, 7, 8, 7, 9, 6, 9)
    ]
    async with ready(receiver):
        link = await rig.transport().connect(lambda _: None)
        for message in messages:
            await link.publish([message])
        await until(lambda: receiver.stats.received >= len(messages), "all are heard")
        await link.close()

    assert newest == {"key:0": 9, "key:1": 7, "key:2": 8}
    assert receiver.stats.errors == 0


async def test_what_is_no_message_is_counted_and_a_message_of_the_document_is_understood(rig: Rig) -> None:
    receiver = rig.bus()
    heard = listening(receiver)

    async with ready(receiver):
        link = await rig.transport().connect(lambda _: None)
        await link.publish([b"not JSON", b"[]", b'{"keys": "a"}', b'{"xid": -1}'])
        await link.publish([b'{"Keys": ["event:1:full"], "Timestamp": "2026-11-24T09:00:00Z", "new": 1}'])
        await until(lambda: len(heard) == 1, "the message is heard")
        await link.close()

    assert heard == [Hint("", None, ("event:1:full",), NOW)]
    assert receiver.stats.errors == 4
    assert receiver.stats.rebuilds == 0


async def test_a_handler_that_fails_takes_nothing_from_the_others(rig: Rig) -> None:
    sender, receiver = rig.bus(), rig.bus()

    def fail(_: Hint) -> None:
        raise LookupError("a fault of the handler")

    receiver.receive(fail)
    heard = listening(receiver)
    async with ready(sender, receiver):
        sender.send(Hint("e", 1))
        sender.send(Hint("e", 2))
        await until(lambda: len(heard) == 2, "both are heard")

    assert receiver.stats.errors == 2
    assert receiver.stats.rebuilds == 0


async def test_nothing_is_left_after_close(rig: Rig) -> None:
    before = asyncio.all_tasks()
    bus = rig.bus()
    heard = listening(bus)

    async with ready(bus):
        assert rig.proxy.connections > 0
    await until(lambda: rig.proxy.connections == 0, "no connection is left")

    left = {task for task in asyncio.all_tasks() - before if task.get_name() != "proxy"}
    assert left == set()
    bus.send(SENT)
    assert (bus.stats.dropped, heard) == (1, [])


async def test_a_connection_that_ends_is_made_anew(rig: Rig) -> None:
    one, other = rig.bus(), rig.bus()
    heard_by_one, heard_by_other = listening(one), listening(other)

    async with ready(one, other):
        accepted = rig.proxy.accepted
        rig.proxy.drop()
        await until(lambda: rig.proxy.accepted > accepted, "somebody comes back")
        if rig.transport_name != "kafka":  # whose client mends its connections itself
            await until(lambda: one.stats.rebuilds > 0 and other.stats.rebuilds > 0, "the loss is counted")
        await until(lambda: one.ready and other.ready, "both are ready again")
        xid = 1
        while xid not in xids(heard_by_other):
            one.send(Hint("e", xid))
            await asyncio.sleep(0.05)
        await exchange(one, heard_by_one, other, heard_by_other, 1_000)


async def test_a_network_that_swallows_everything_costs_the_sender_nothing_and_is_given_up(rig: Rig) -> None:
    sender, receiver = rig.bus(queue_max=100), rig.bus()
    heard_by_sender, heard = listening(sender), listening(receiver)

    async with ready(sender, receiver):
        rig.proxy.hold()
        for xid in range(1, 1_001):  # without a pause in which anything could go out
            sender.send(Hint("e", xid))
        assert (sender.stats.waiting, sender.stats.dropped) == (100, 900)
        assert sender.stats.lag_ms is not None
        await until(lambda: not (sender.ready or receiver.ready), "both notice")
        lost = sender.stats
        sender.send(SENT)
        rig.proxy.heal()
        await until(lambda: sender.ready and receiver.ready, "both are ready again")
        await exchange(sender, heard_by_sender, receiver, heard, 2_000)

    assert lost.waiting == 0
    assert lost.rebuilds >= 1
    assert sender.stats.dropped > lost.dropped


@pytest.mark.parametrize("deaf", ["to_server", "to_client"])
async def test_a_network_that_swallows_one_direction_is_noticed(rig: Rig, deaf: str) -> None:
    bus = rig.bus()

    async with ready(bus):
        rig.proxy.hold(to_server=deaf == "to_server", to_client=deaf == "to_client")
        await until(lambda: not bus.ready, "it is noticed")
        rig.proxy.heal()
        await until(lambda: bus.ready, "it is ready again")


async def test_a_bus_that_cannot_connect_is_closed_all_the_same(rig: Rig) -> None:
    before = asyncio.all_tasks()
    rig.proxy.hold()
    bus = rig.bus()
    accepted = rig.proxy.accepted

    bus.start()
    await until(lambda: rig.proxy.accepted > accepted, "it tries")
    await bus.close()
    rig.proxy.heal()
    await until(lambda: rig.proxy.connections == 0, "no connection is left")

    left = {task for task in asyncio.all_tasks() - before if task.get_name() != "proxy"}
    assert left == set()


async def test_a_server_that_is_away_costs_nothing_and_its_return_is_found(rig: Rig) -> None:
    early, late = rig.bus(), rig.bus()
    heard_by_early, heard_by_late = listening(early), listening(late)

    async with ready(early):
        await asyncio.to_thread(rig.stop)
        late.start()
        try:
            await until(lambda: not early.ready, "the loss is noticed")
            await until(lambda: early.stats.rebuilds > 2 and late.stats.rebuilds > 2, "both try again")
            for xid in range(1, 101):
                early.send(Hint("e", xid))
                late.send(Hint("e", xid))
            during = early.stats, late.stats
            await asyncio.to_thread(rig.start)
            await until(lambda: early.ready and late.ready, "both are ready")
            await exchange(early, heard_by_early, late, heard_by_late, 1_000)
        finally:
            await late.close()

    assert during[0].dropped >= 100 and during[1].dropped == 100
    assert xids(heard_by_early) == xids(heard_by_late) == [1_000]
