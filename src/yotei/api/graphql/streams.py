"""The subscriptions of one process: how many there are and whose, who reads when, and that all end when it does."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from uuid import UUID

from yotei.errors import Code, Problem
from yotei.settings import SubscriptionSettings
from yotei.storage.tail import Tail

TURNS_MAX: Final = 2
"""Subscriptions that read at once: one change may concern all of them, and requests want connections too."""
RETRY_AFTER_S: Final = 10


class Streams:
    """`settings` bounds what is served at once; `tail` says when there is something to be read."""

    def __init__(self, settings: SubscriptionSettings, tail: Tail) -> None:
        self.settings: Final = settings
        self.tail: Final = tail
        self.turns: Final = asyncio.Semaphore(TURNS_MAX)
        self.stopping: Final = asyncio.Event()
        self._none = asyncio.Event()
        self._none.set()
        self._count = 0
        self._sockets = 0
        self._of: Counter[UUID] = Counter()
        self._sockets_of: Counter[UUID] = Counter()

    def __len__(self) -> int:
        return self._count

    @contextmanager
    def subscription(self, user_id: UUID) -> Iterator[None]:
        """A place for one subscription; Problem `rate_limited` when there is none."""
        if self._count >= self.settings.streams_max:
            raise _full("This process serves as many subscriptions as it may; try again.")
        if self._of[user_id] >= self.settings.streams_per_person_max:
            raise _full(f"You have {self._of[user_id]} subscriptions here; end one first.")
        self._count += 1
        self._of[user_id] += 1
        self._none.clear()
        try:
            yield
        finally:
            self._count -= 1
            _take_off(self._of, user_id)
            self._look_whether_none()

    @contextmanager
    def socket(self) -> Iterator[bool]:
        """A place for one socket, whoever it is: whether there is one."""
        there_is = self._sockets < self.settings.streams_max and not self.stopping.is_set()
        self._sockets += there_is
        if there_is:
            self._none.clear()
        try:
            yield there_is
        finally:
            self._sockets -= there_is
            self._look_whether_none()

    @contextmanager
    def socket_of(self, user_id: UUID) -> Iterator[bool]:
        """A place for a socket of this person: whether there is one."""
        there_is = self._sockets_of[user_id] < self.settings.streams_per_person_max
        self._sockets_of[user_id] += there_is
        try:
            yield there_is
        finally:
            self._sockets_of[user_id] -= there_is
            if not self._sockets_of[user_id]:
                del self._sockets_of[user_id]

    def stop(self) -> None:
        """Begin to end all of them."""
        self.stopping.set()

    async def ended(self, timeout_s: float) -> bool:
        """Wait until none is left: whether that is so in time."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._none.wait()
        except TimeoutError:
            return False
        return True

    def _look_whether_none(self) -> None:
        if not self._count and not self._sockets:
            self._none.set()


def _full(detail: str) -> Problem:
    return Problem(Code.RATE_LIMITED, detail, retry_after_s=RETRY_AFTER_S)


def _take_off(of: Counter[UUID], user_id: UUID) -> None:
    of[user_id] -= 1
    if not of[user_id]:
        del of[user_id]
