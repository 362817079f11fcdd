"""Single flight and its traps."""

import asyncio
from collections.abc import Callable

import pytest

from yotei.cache.flight import Flights

Land = Callable[[str, int], None]


async def waited(flights: Flights[int], name: str) -> int:
    """What lands for one key; raises what its flight failed of."""
    (slot,) = await flights.wait([name])
    return slot.result()


async def test_who_joins_gets_what_the_first_one_fetched() -> None:
    flights: Flights[int] = Flights()
    fetched = []

    async def work(land: Land) -> None:
        fetched.append("key")
        await asyncio.sleep(0)
        land("key", 1)

    flights.begin(["key"], work)
    answers = await asyncio.gather(*(waited(flights, "key") for _ in range(100)))

    assert answers == [1] * 100
    assert fetched == ["key"]


async def test_each_key_lands_as_soon_as_it_is_there() -> None:
    flights: Flights[int] = Flights()
    slow = asyncio.Event()

    async def work(land: Land) -> None:
        land("quick", 1)
        await slow.wait()
        land("slow", 2)

    flights.begin(["quick", "slow"], work)
    waiting = asyncio.ensure_future(waited(flights, "slow"))

    assert await waited(flights, "quick") == 1
    assert not waiting.done()
    slow.set()
    assert await waiting == 2


async def test_a_caller_who_is_cancelled_takes_nobody_with_him() -> None:
    flights: Flights[int] = Flights()
    opened = asyncio.Event()

    async def work(land: Land) -> None:
        await opened.wait()
        land("key", 1)

    flights.begin(["key"], work)
    leader = asyncio.ensure_future(waited(flights, "key"))
    follower = asyncio.ensure_future(waited(flights, "key"))
    leader.cancel()
    await asyncio.sleep(0)
    opened.set()

    assert await follower == 1
    assert leader.cancelled()


async def test_it_goes_on_when_everybody_has_gone() -> None:
    flights: Flights[int] = Flights()
    landed = asyncio.Event()

    async def work(land: Land) -> None:
        await asyncio.sleep(0)
        land("key", 1)
        landed.set()

    flights.begin(["key"], work)
    asyncio.ensure_future(waited(flights, "key")).cancel()
    await landed.wait()

    assert "key" not in flights


async def test_a_failure_is_told_to_all_and_leaves_no_slot() -> None:
    flights: Flights[int] = Flights()

    async def work(_land: Land) -> None:
        await asyncio.sleep(0)
        raise ZeroDivisionError

    flights.begin(["key"], work)
    answers = await asyncio.gather(waited(flights, "key"), waited(flights, "key"), return_exceptions=True)

    assert [type(answer) for answer in answers] == [ZeroDivisionError] * 2
    assert "key" not in flights


async def test_a_failure_that_nobody_waits_for_is_quiet() -> None:
    flights: Flights[int] = Flights()

    async def work(_land: Land) -> None:
        raise ZeroDivisionError

    flights.begin(["key"], work)
    await asyncio.gather(*flights._tasks)

    assert "key" not in flights


async def test_a_key_that_was_forgotten_is_a_failure_and_not_a_wait_without_end() -> None:
    flights: Flights[int] = Flights()

    async def work(land: Land) -> None:
        await asyncio.sleep(0)
        land("other", 1)

    flights.begin(["key"], work)

    with pytest.raises(AssertionError, match="without landing"):
        await waited(flights, "key")


async def test_closing_cancels_what_is_in_flight_and_who_waits_for_it() -> None:
    flights: Flights[int] = Flights()

    async def work(_land: Land) -> None:
        await asyncio.Event().wait()

    flights.begin(["key"], work)
    waiting = asyncio.ensure_future(waited(flights, "key"))
    await asyncio.sleep(0)
    await flights.close()

    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert "key" not in flights


def test_it_knows_no_event_loop_before_it_flies() -> None:
    flights: Flights[int] = Flights()

    async def once() -> int:
        async def work(land: Land) -> None:
            land("key", 1)

        flights.begin(["key"], work)
        return await waited(flights, "key")

    assert [asyncio.run(once()), asyncio.run(once())] == [1, 1]
