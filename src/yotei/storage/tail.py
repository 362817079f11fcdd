"""Who wants to know is told that something has changed: one reader of the change log for all that wait in a process.

It polls while somebody waits, and tells no more than which of the ids that somebody waits for were touched. What has
changed is read by them, from their own position: so nothing is queued here for a slow one.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from contextvars import Context
from typing import Final
from uuid import UUID

import structlog

from yotei.errors import Code, Problem
from yotei.storage.change_log import Change, Position, PositionForgotten, position_now, read_since
from yotei.storage.pool import Source

PLACED_S_MAX: Final = 5.0
"""How long one who begins to wait waits for the reader to have begun."""
FAILED_PAUSE_S: Final = 1.0
CHANGES_MAX: Final = 10_000
"""So many at once touch everything: who waits looks for himself sooner than they are read."""

log = structlog.get_logger()


class Watch:
    """What one waits for: that some of its ids are touched. It remembers which were until it is asked."""

    def __init__(self, ids: Iterable[UUID]) -> None:
        self.ids: Final = frozenset(ids)
        self._touched: set[UUID] = set()
        self._woken = asyncio.Event()

    def touch(self, ids: Iterable[UUID]) -> None:
        self._touched.update(self.ids.intersection(ids))
        if self._touched:
            self._woken.set()

    async def touched(self) -> frozenset[UUID]:
        """Which were touched since the last time; waits until some are."""
        await self._woken.wait()
        self._woken.clear()
        found, self._touched = frozenset(self._touched), set()
        return found


class Tail:
    """The reader of one process; `poll_s` is the pause between two looks, `transaction_max_s` as in `read_since`."""

    def __init__(self, source: Source, *, poll_s: float, transaction_max_s: float) -> None:
        self._source = source
        self._poll_s = poll_s
        self._transaction_max_s = transaction_max_s
        self._watches: dict[UUID, set[Watch]] = {}
        self._task: asyncio.Task[None] | None = None
        self._placed = asyncio.Event()

    @property
    def is_reading(self) -> bool:
        return self._task is not None

    @asynccontextmanager
    async def watch(self, ids: Collection[UUID]) -> AsyncIterator[Watch]:
        """Wait for changes of calendars, people, tokens by their ids: every change is told that becomes visible after
        the block has begun. Problem `unavailable` when the log cannot be read."""
        watch = Watch(ids)
        for one in watch.ids:
            self._watches.setdefault(one, set()).add(watch)
        if self._task is None:
            self._placed = asyncio.Event()
            # In a context of its own: its statements are nobody's.
            self._task = asyncio.get_running_loop().create_task(self._run(self._placed), context=Context())
        try:
            await self._wait_until_placed()
            yield watch
        finally:
            self._leave(watch)

    async def close(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _wait_until_placed(self) -> None:
        try:
            async with asyncio.timeout(PLACED_S_MAX):
                await self._placed.wait()
        except TimeoutError:
            raise Problem(Code.UNAVAILABLE, "The change log cannot be read; try again.", retry_after_s=1) from None

    def _leave(self, watch: Watch) -> None:
        for one in watch.ids:
            watches = self._watches[one]
            watches.discard(watch)
            if not watches:
                del self._watches[one]
        if not self._watches and self._task is not None:
            self._task.cancel()
            self._task = None

    async def _run(self, placed: asyncio.Event) -> None:
        position: Position | None = None
        fails = False
        while True:
            pause_s = self._poll_s
            try:
                position = await self._look(position, placed)
                fails = False
            except PositionForgotten:
                position = None
            except Exception as error:
                if not fails:
                    log.warning("change_log_not_read", error=type(error).__name__, exc_info=error)
                fails, pause_s = True, max(self._poll_s, FAILED_PAUSE_S)
            await asyncio.sleep(pause_s)

    async def _look(self, position: Position | None, placed: asyncio.Event) -> Position:
        if position is None:
            position = await position_now(self._source)
            if placed.is_set():  # what lies between is not known
                self._touch_all()
            placed.set()
            return position
        page = await read_since(
            self._source,
            position,
            transaction_max_s=self._transaction_max_s,
            limit=CHANGES_MAX,
            changes_max=CHANGES_MAX,
        )
        if page.has_more:
            self._touch_all()
            return page.position.behind()
        self._touch(page.changes)
        return page.position

    def _touch(self, changes: Sequence[Change]) -> None:
        # A person is touched by what becomes of their account, not of events that they are invited to.
        ids = {change.entity_id for change in changes}
        ids |= {change.scope_id for change in changes if change.scope_kind != "user"}
        if any(change.entity == "bulk" for change in changes):
            self._touch_all()
        for one in ids & self._watches.keys():
            for watch in self._watches[one]:
                watch.touch((one,))

    def _touch_all(self) -> None:
        for watches in self._watches.values():
            for watch in watches:
                watch.touch(watch.ids)
