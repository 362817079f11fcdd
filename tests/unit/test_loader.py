"""The batching loader: the four traps of asyncio first, then its contract."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar

import pytest

from yotei.loader import QUIET_TURNS, TURNS_MAX, Loader

BATCH_MAX = 100


def doubling(*, batch_max: int = BATCH_MAX) -> tuple[Loader[int, int], list[list[int]]]:
    """A loader that doubles its keys, and the batches it was asked for."""
    load_calls: list[list[int]] = []

    async def double(keys: Sequence[int]) -> list[int | Exception | None]:
        load_calls.append(list(keys))
        return [key * 2 for key in keys]

    return Loader(double, batch_max=batch_max), load_calls


def gated(*, batch_max: int = BATCH_MAX) -> tuple[Loader[int, int], list[list[int]], asyncio.Event, list[str]]:
    """A doubling loader whose batches wait for the event, and how each of them ended."""
    load_calls: list[list[int]] = []
    ends: list[str] = []
    gate = asyncio.Event()

    async def double(keys: Sequence[int]) -> list[int]:
        load_calls.append(list(keys))
        try:
            await gate.wait()
        except asyncio.CancelledError:
            ends.append("cancelled")
            raise
        ends.append("answered")
        return [key * 2 for key in keys]

    return Loader(double, batch_max=batch_max), load_calls, gate, ends


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def until(condition: Callable[[], object]) -> None:
    for _ in range(10 * TURNS_MAX):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came true")


# The four traps.


def test_it_may_be_built_before_there_is_an_event_loop_and_used_in_one_after_another() -> None:
    loader, load_calls = doubling()

    async def ask(*keys: int) -> list[int | None]:
        return await loader.load_many(keys)

    assert asyncio.run(ask(1)) == [2]
    assert asyncio.run(ask(1, 2)) == [2, 4]
    assert load_calls == [[1], [2]]


def test_keys_that_a_closed_loop_left_behind_are_forgotten() -> None:
    loader, load_calls = doubling()

    async def ask_and_leave() -> None:
        loader.load(1)

    async def ask() -> int | None:
        return await loader.load(1)

    asyncio.run(ask_and_leave())

    assert asyncio.run(ask()) == 2
    assert load_calls == [[1]]


async def test_two_living_loops_are_refused_while_keys_are_under_way() -> None:
    loader, _, gate, _ = gated()
    waiter = loader.load(1)

    async def ask() -> int | None:
        return await loader.load(2)

    with pytest.raises(RuntimeError, match="one event loop"):
        await asyncio.to_thread(asyncio.run, ask())
    gate.set()
    assert await waiter == 2


async def test_a_cancelled_caller_takes_nothing_from_the_others() -> None:
    loader, load_calls, gate, ends = gated()
    gone, same_key, other_key = loader.load(1), loader.load(1), loader.load(2)
    await until(lambda: load_calls)

    gone.cancel()
    gate.set()

    assert await same_key == 2
    assert await other_key == 4
    assert gone.cancelled()
    assert ends == ["answered"]


async def test_a_caller_that_times_out_takes_nothing_from_the_others() -> None:
    loader, load_calls, gate, _ = gated()

    async def impatient() -> int | None:
        async with asyncio.timeout(0):
            return await loader.load(1)

    patient = loader.load(1)
    with pytest.raises(TimeoutError):
        await impatient()
    gate.set()

    assert await patient == 2
    assert load_calls == [[1]]


async def test_a_batch_is_not_sent_when_all_callers_are_gone() -> None:
    loader, load_calls = doubling()
    waiters = [loader.load(key) for key in range(3)]

    for waiter in waiters:
        waiter.cancel()
    await turns(2 * TURNS_MAX)

    assert load_calls == []


async def test_a_key_that_nobody_waits_for_any_more_is_left_out() -> None:
    loader, load_calls = doubling()
    gone, kept = loader.load(1), loader.load(2)

    gone.cancel()

    assert await kept == 4
    assert load_calls == [[2]]


async def test_a_running_batch_is_cancelled_when_all_callers_are_gone() -> None:
    loader, load_calls, _, ends = gated()
    waiters = [loader.load(1), loader.load(1), loader.load(2)]
    await until(lambda: load_calls)

    for waiter in waiters:
        waiter.cancel()
    await until(lambda: ends)

    assert ends == ["cancelled"]


async def test_a_key_of_an_abandoned_batch_can_be_asked_for_again() -> None:
    loader, load_calls, gate, ends = gated()
    gone = loader.load(1)
    await until(lambda: load_calls)
    gone.cancel()
    await turns(1)

    again = loader.load(1)
    gate.set()

    assert await again == 2
    assert load_calls == [[1], [1]]
    assert ends == ["cancelled", "answered"]


async def one_sleep() -> None:
    await asyncio.sleep(0)


async def a_task() -> None:
    await asyncio.create_task(asyncio.sleep(0, "unrelated"))


async def a_gather() -> None:
    async def nothing() -> None: ...

    await asyncio.gather(nothing(), nothing())


async def a_lock() -> None:
    async with asyncio.Lock():
        await asyncio.sleep(0)


@pytest.mark.parametrize("unrelated", [one_sleep, a_task, a_gather, a_lock])
@pytest.mark.parametrize("late_first", [True, False])
async def test_one_unrelated_await_between_loads_does_not_split_a_batch(
    unrelated: Callable[[], Awaitable[None]], late_first: bool
) -> None:
    loader, load_calls = doubling()

    async def late(key: int) -> int | None:
        await unrelated()
        return await loader.load(key)

    asked = [late(2), loader.load(1)] if late_first else [loader.load(1), late(2)]

    assert sorted(value or 0 for value in await asyncio.gather(*asked)) == [2, 4]
    assert load_calls == [[1, 2]]


async def test_every_new_key_restarts_the_quiet_turns() -> None:
    loader, load_calls = doubling()

    async def after(count: int) -> int | None:
        await turns(count)
        return await loader.load(count)

    await asyncio.gather(*[after(count) for count in range(0, 10 * QUIET_TURNS, QUIET_TURNS)])

    assert load_calls == [list(range(0, 10 * QUIET_TURNS, QUIET_TURNS))]


async def test_an_await_longer_than_the_quiet_turns_begins_a_second_batch_every_time() -> None:
    for _ in range(20):
        loader, load_calls = doubling()
        first = loader.load(1)
        await turns(QUIET_TURNS + 2)
        second = loader.load(2)

        assert [await first, await second] == [2, 4]
        assert load_calls == [[1], [2]]


async def test_keys_that_never_stop_coming_hold_a_batch_for_a_bounded_number_of_turns() -> None:
    loader, load_calls = doubling(batch_max=1_000_000)
    waiters = []

    for key in range(3 * TURNS_MAX):
        waiters.append(loader.load(key))
        await turns(1)
    await asyncio.gather(*waiters)

    assert len(load_calls) > 1
    assert all(len(keys) <= TURNS_MAX for keys in load_calls)


# The contract.


async def test_a_key_is_asked_for_at_the_call_and_not_at_the_await() -> None:
    loader, load_calls = doubling()

    first, second = loader.load(1), loader.load(2)

    assert await first == 2
    assert await second == 4
    assert load_calls == [[1, 2]]


async def test_duplicates_are_loaded_once_and_the_order_of_asking_is_kept() -> None:
    loader, load_calls = doubling()

    assert await loader.load_many([3, 1, 3, 2, 1]) == [6, 2, 6, 4, 2]
    assert load_calls == [[3, 1, 2]]


async def test_nothing_is_loaded_for_no_keys() -> None:
    loader, load_calls = doubling()

    assert await loader.load_many([]) == []
    assert load_calls == []


async def test_values_are_remembered_for_the_rest_of_the_request() -> None:
    loader, load_calls = doubling()

    await loader.load_many([1, 2])

    assert await loader.load_many([2, 3]) == [4, 6]
    assert load_calls == [[1, 2], [3]]


async def test_a_key_under_way_is_not_asked_for_again() -> None:
    loader, load_calls, gate, _ = gated()
    first = loader.load(1)
    await until(lambda: load_calls)

    second = loader.load(1)
    gate.set()

    assert [await first, await second] == [2, 2]
    assert load_calls == [[1]]


async def test_a_missing_key_is_none_and_remembered() -> None:
    load_calls = []

    async def nothing(keys: Sequence[str]) -> list[str | None]:
        load_calls.append(list(keys))
        return [None for _ in keys]

    loader: Loader[str, str] = Loader(nothing, batch_max=BATCH_MAX)

    assert await loader.load("a") is None
    assert await loader.load("a") is None
    assert load_calls == [["a"]]


@pytest.mark.parametrize(("keys", "batches"), [(6, [3, 3]), (7, [3, 3, 1]), (2, [2])])
async def test_a_batch_never_holds_more_than_batch_max_keys(keys: int, batches: list[int]) -> None:
    loader, load_calls = doubling(batch_max=3)

    assert await loader.load_many(range(keys)) == [key * 2 for key in range(keys)]
    assert [len(one) for one in load_calls] == batches


async def test_batch_max_is_at_least_one() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        doubling(batch_max=0)


async def test_an_exception_returned_for_one_key_fails_that_key_only_and_is_remembered() -> None:
    load_calls = []

    async def odd_only(keys: Sequence[int]) -> list[int | Exception]:
        load_calls.append(list(keys))
        return [key if key % 2 else LookupError(f"{key} is even") for key in keys]

    loader: Loader[int, int] = Loader(odd_only, batch_max=BATCH_MAX)
    one, two, three = loader.load(1), loader.load(2), loader.load(3)

    assert [await one, await three] == [1, 3]
    with pytest.raises(LookupError, match="2 is even"):
        await two
    with pytest.raises(LookupError, match="2 is even"):
        await loader.load(2)
    assert load_calls == [[1, 2, 3]]


async def test_a_batch_that_raises_fails_its_keys_only_and_is_not_remembered() -> None:
    load_calls: list[list[int]] = []

    async def fails_first(keys: Sequence[int]) -> list[int]:
        load_calls.append(list(keys))
        if len(load_calls) == 1:
            raise ConnectionError("gone")
        return list(keys)

    loader: Loader[int, int] = Loader(fails_first, batch_max=2)

    results = await asyncio.gather(*map(loader.load, [1, 2, 3]), return_exceptions=True)

    assert [type(one) for one in results] == [ConnectionError, ConnectionError, int]
    assert await loader.load_many([1, 2, 3]) == [1, 2, 3]
    assert load_calls == [[1, 2], [3], [1, 2]]


async def test_a_load_that_answers_too_little_fails_its_batch_and_says_so() -> None:
    async def short(keys: Sequence[int]) -> list[int]:
        return list(keys)[1:]

    loader: Loader[int, int] = Loader(short, batch_max=BATCH_MAX)

    with pytest.raises(ValueError, match="3 keys with 2 values"):
        await loader.load_many([1, 2, 3])


async def test_an_answer_that_a_future_refuses_does_not_leave_the_others_waiting() -> None:
    async def stops(keys: Sequence[int]) -> list[int | Exception]:
        return [StopIteration() if key == 1 else key for key in keys]

    loader: Loader[int, int] = Loader(stops, batch_max=BATCH_MAX)
    one, two = loader.load(1), loader.load(2)

    assert await two == 2
    with pytest.raises(RuntimeError, match="StopIteration"):
        await one


async def test_callers_are_cancelled_when_their_batch_is() -> None:
    async def cancelled(keys: Sequence[int]) -> list[int]:
        raise asyncio.CancelledError

    loader: Loader[int, int] = Loader(cancelled, batch_max=BATCH_MAX)

    with pytest.raises(asyncio.CancelledError):
        await loader.load(1)


async def test_a_primed_value_is_not_loaded_and_the_first_one_stays() -> None:
    loader, load_calls = doubling()

    loader.prime(1, 10)
    loader.prime(1, 11)

    assert await loader.load_many([1, 2]) == [10, 4]
    assert load_calls == [[2]]


async def test_priming_a_key_under_way_changes_nothing() -> None:
    loader, _ = doubling()
    waiter = loader.load(1)

    loader.prime(1, 10)

    assert await waiter == 2
    assert await loader.load(1) == 2


async def test_a_cleared_key_is_loaded_again_and_the_others_are_not() -> None:
    loader, load_calls = doubling()
    await loader.load_many([1, 2])

    loader.clear([1])

    assert await loader.load_many([1, 2]) == [2, 4]
    assert load_calls == [[1, 2], [1]]


async def test_clear_without_keys_forgets_all() -> None:
    loader, load_calls = doubling()
    await loader.load_many([1, 2])

    loader.clear()

    await loader.load_many([1, 2])
    assert load_calls == [[1, 2], [1, 2]]


async def test_a_key_cleared_while_under_way_is_read_anew_by_whoever_asks_after() -> None:
    loader, load_calls, gate, _ = gated()
    before = loader.load(1)
    await until(lambda: load_calls)

    loader.clear([1])
    after = loader.load(1)
    gate.set()

    assert [await before, await after] == [2, 2]
    assert load_calls == [[1], [1]]


async def test_a_batch_runs_in_the_context_of_the_caller_that_opened_it() -> None:
    request: ContextVar[str] = ContextVar("request", default="none")
    seen = []

    async def look(keys: Sequence[int]) -> list[int]:
        seen.append(request.get())
        return list(keys)

    loader: Loader[int, int] = Loader(look, batch_max=BATCH_MAX)
    token = request.set("ours")
    waiter = loader.load(1)
    request.reset(token)

    await waiter

    assert seen == ["ours"]
