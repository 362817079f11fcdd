"""Single flight: who asks for a key that somebody is fetching waits for it. Knows keys by name only.

A flight is a task of its own, so a caller who goes away takes nobody with him, and it lands each key as soon as it
has it. However it ends, the slots of its keys are free again and everybody who waits is told.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextvars import Context
from typing import Generic, TypeVar

Arrival = TypeVar("Arrival")


class Flights(Generic[Arrival]):
    """What is being fetched, by name of key."""

    __slots__ = ("_slots", "_tasks")

    def __init__(self) -> None:
        self._slots: dict[str, asyncio.Future[Arrival]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def __contains__(self, name: str) -> bool:
        return name in self._slots

    def begin(
        self,
        names: Iterable[str],
        work: Callable[[Callable[[str, Arrival], None]], Awaitable[None]],
        context: Context | None = None,
    ) -> None:
        """Fetch these, none of which is in flight. `work` is given a function that lands one of them."""
        loop = asyncio.get_running_loop()
        futures = {name: loop.create_future() for name in names}
        self._slots.update(futures)
        task = loop.create_task(self._fly(futures, work), context=context)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def wait(self, names: Sequence[str]) -> "list[asyncio.Future[Arrival]]":
        """For all of these, which are in flight: their futures, done; `result` raises what a flight failed of.

        Who is cancelled meanwhile cancels none of them. Keys of one load land together, so this mostly waits once.
        """
        slots = [self._slots[name] for name in names]
        for slot in slots:
            if not slot.done():
                await asyncio.wait((slot,))
        return slots

    async def close(self) -> None:
        """Cancel what is in flight."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _fly(
        self,
        futures: dict[str, "asyncio.Future[Arrival]"],
        work: Callable[[Callable[[str, Arrival], None]], Awaitable[None]],
    ) -> None:
        def land(name: str, arrival: Arrival) -> None:
            # A key that nobody asked for may come with the others.
            if name in futures and not futures[name].done():
                del self._slots[name]
                futures[name].set_result(arrival)

        failure: BaseException = AssertionError("a flight ended without landing all of its keys")
        try:
            await work(land)
        except asyncio.CancelledError as error:
            failure = error
            raise
        except Exception as error:
            failure = error
        finally:
            for name, future in futures.items():
                if not future.done():
                    del self._slots[name]
                    _fail(future, failure)


def _fail(future: "asyncio.Future[Arrival]", failure: BaseException) -> None:
    if isinstance(failure, asyncio.CancelledError):
        future.cancel()
    else:
        future.set_exception(failure)
        future.exception()  # nobody has to be waiting
