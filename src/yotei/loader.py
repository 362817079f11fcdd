"""Many loads of one request become few: the batching loader.

    loader = Loader(users_by_id, batch_max=500)
    one, two = await asyncio.gather(loader.load(1), loader.load(2))     # users_by_id((1, 2)), once

Owns the collecting of keys, the moment at which a batch leaves, and what this request has been told already. Knows
no domain and no SQL. One loader serves one request: nothing expires and nothing is evicted, and what it remembers
is what this viewer may see. The contract is that of graphql/dataloader: `load` answers in the order and number of
its keys, and equal keys mean equal values.

When a batch leaves. No timer decides it, since a timer makes the number of statements depend on the load of the
machine. The loader looks once in every turn of the event loop; the batch leaves when `QUIET_TURNS` turns brought no
new key, after `TURNS_MAX` turns in any case, and at once when it is full. So an unrelated `await` between two loads
does not split a batch as long as it is answered within the process: `sleep(0)` takes one turn, a task two, a `gather`
three, and whoever is itself started as a task comes one turn later. An idle turn costs some 2 microseconds. Behind an
`await` of the network a second batch begins: whoever has to know the number of statements beforehand plans by level
(`breadth`) instead.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence
from functools import partial
from typing import Final, Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

QUIET_TURNS: Final = 5
TURNS_MAX: Final = 64


class Loader(Generic[K, V]):
    """Collects keys and loads them in batches of at most `batch_max`.

    `load` gets distinct keys in the order in which they were first asked for, and answers with one value for each:
    None for a key that does not exist, an Exception for a key that failed by itself. What it raises fails all keys
    of that batch, and no others; such a failure is not remembered, a key's own error is.

    It may be built outside of an event loop, and belongs to no loop while nothing is under way. A batch runs in the
    context (`contextvars`) of the caller whose key opened it, so its statements are counted for that request.
    """

    __slots__ = ("_answers", "_batch_max", "_batch_of", "_collecting", "_load", "_loop")

    def __init__(
        self, load: Callable[[Sequence[K]], Awaitable[Sequence[V | Exception | None]]], *, batch_max: int
    ) -> None:
        if batch_max < 1:
            raise ValueError(f"batch_max is at least 1, not {batch_max}")
        self._load = load
        self._batch_max = batch_max
        self._answers: dict[K, V | Exception | None] = {}
        self._batch_of: dict[K, _Batch[K, V]] = {}
        self._collecting: _Batch[K, V] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def load(self, key: K) -> asyncio.Future[V | None]:
        """The value of the key, from memory or with the next batch; asked for at the call, not at the `await`.

        Every caller gets a future of its own: cancelling it takes nothing from the others. A key that all its
        callers gave up is not loaded, and a batch that all its callers gave up is cancelled.
        """
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._move_to(loop)
        waiter: asyncio.Future[V | None] = loop.create_future()
        batch = self._batch_of.get(key)
        if batch is not None:
            batch.waiters[key].append(waiter)
        elif key in self._answers:
            _settle([waiter], self._answers[key])
        else:
            self._queue(key, waiter, loop)
        return waiter

    def load_many(self, keys: Iterable[K]) -> asyncio.Future[list[V | None]]:
        """The values of the keys, in their order and number; the first key to fail fails the whole."""
        return asyncio.gather(*[self.load(key) for key in keys])

    def prime(self, key: K, value: V | Exception | None) -> None:
        """Remember a value that was learnt elsewhere. A key that is remembered or under way stays as it is."""
        if key not in self._batch_of:
            self._answers.setdefault(key, value)

    def clear(self, keys: Iterable[K] | None = None) -> None:
        """Forget these keys, or all: the next load of them reads anew, also when a batch under way has them.

        Callers that wait for that batch still get its values; nobody after them does.
        """
        for key in [*self._answers, *self._batch_of] if keys is None else keys:
            self._answers.pop(key, None)
            batch = self._batch_of.get(key)
            if batch is not None and batch is not self._collecting:
                del self._batch_of[key]

    def _move_to(self, loop: asyncio.AbstractEventLoop) -> None:
        """Serves another loop from now on: drops what a closed one left behind, and refuses to serve two living."""
        if self._batch_of and self._loop is not None and not self._loop.is_closed():
            raise RuntimeError("a loader with keys under way serves one event loop only")
        self._batch_of.clear()
        self._collecting = None
        self._loop = loop

    def _queue(self, key: K, waiter: "asyncio.Future[V | None]", loop: asyncio.AbstractEventLoop) -> None:
        """Puts a new key into the batch that is being collected, opens one if there is none, and sends a full one."""
        batch = self._collecting
        if batch is None:
            batch = self._collecting = _Batch()
            loop.call_soon(self._turn, batch, loop, 0, 0, 0)
        self._batch_of[key] = batch
        batch.waiters[key] = [waiter]
        if len(batch.waiters) >= self._batch_max:
            self._dispatch(batch, loop)

    def _turn(self, batch: "_Batch[K, V]", loop: asyncio.AbstractEventLoop, keys: int, turns: int, quiet: int) -> None:
        """Looks at the batch once in a turn of the loop, and sends it when no key has come for a while.

        `keys` is the size at the turn before; `turns` and `quiet` count all turns, and those without a new key.
        """
        if batch is not self._collecting:
            return
        quiet = quiet + 1 if len(batch.waiters) == keys else 0
        turns += 1
        if quiet >= QUIET_TURNS or turns >= TURNS_MAX:
            self._dispatch(batch, loop)
        else:
            loop.call_soon(self._turn, batch, loop, len(batch.waiters), turns, quiet)

    def _dispatch(self, batch: "_Batch[K, V]", loop: asyncio.AbstractEventLoop) -> None:
        """Closes the batch and starts it, without the keys that nobody waits for any more."""
        self._collecting = None
        gone = [
            key for key, callers in batch.waiters.items() if callers[0].done() and all(one.done() for one in callers)
        ]
        for key in gone:
            del batch.waiters[key], self._batch_of[key]
        if batch.waiters:
            batch.task = loop.create_task(self._run(batch))
            self._watch(batch)

    async def _run(self, batch: "_Batch[K, V]") -> None:
        """Loads the batch and answers everybody who waits for it, whatever happens."""
        keys = tuple(batch.waiters)
        try:
            answers = await self._load(keys)
            if len(answers) != len(keys):
                raise ValueError(f"load answered {len(keys)} keys with {len(answers)} values")
            self._answer(batch, answers)
        except Exception as error:
            self._release(batch)
            for waiters in batch.waiters.values():
                _settle(waiters, error)
        except BaseException:
            self._release(batch)
            for waiters in batch.waiters.values():
                for waiter in waiters:
                    waiter.cancel()
            raise

    def _answer(self, batch: "_Batch[K, V]", answers: Sequence[V | Exception | None]) -> None:
        """Remembers the answers, except of keys that were cleared on the way, and hands them out."""
        for (key, waiters), answer in zip(batch.waiters.items(), answers, strict=True):
            if self._batch_of.get(key) is batch:
                del self._batch_of[key]
                self._answers[key] = answer
            _settle(waiters, answer)

    def _watch(self, batch: "_Batch[K, V]", _left: object = None) -> None:
        """Cancels a running batch that all callers gave up; whoever asks for its keys then opens a new one.

        One caller at a time is watched, and another one when that one leaves: a callback for each costs more than
        the rest of the loader.
        """
        if batch.task is None or batch.task.done():
            return
        for callers in batch.waiters.values():
            for waiter in callers:
                if not waiter.done():
                    waiter.add_done_callback(partial(self._watch, batch))
                    return
        self._release(batch)
        batch.task.cancel()

    def _release(self, batch: "_Batch[K, V]") -> None:
        """Takes the keys of the batch off the list of those under way, unless a later batch has them by now."""
        for key in batch.waiters:
            if self._batch_of.get(key) is batch:
                del self._batch_of[key]


class _Batch(Generic[K, V]):
    """Keys that travel together, who waits for each, and the task that loads them once it runs."""

    __slots__ = ("task", "waiters")

    def __init__(self) -> None:
        self.waiters: dict[K, list[asyncio.Future[V | None]]] = {}
        self.task: asyncio.Task[None] | None = None


def _settle(waiters: "Sequence[asyncio.Future[V | None]]", answer: V | Exception | None) -> None:
    """Answers the callers, except those that were cancelled meanwhile."""
    if isinstance(answer, Exception):
        if isinstance(answer, StopIteration):  # a future refuses it, and the callers after it would wait for ever
            answer = RuntimeError(f"load answered a key with {answer!r}")
        for waiter in waiters:
            if not waiter.done():
                waiter.set_exception(answer)
    else:
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(answer)
