"""Cleans Redis of outdated values: at once, and again when the floors that tell of them grow old.

At once is for room: readers would know such a value by its floors. The second time is what lets the marker move, and
so what values older than a node's floors are believed by. Any node may sweep; that one does is efficiency only, since
each step is refused when another marker lies there than the one it was made for.
"""

import asyncio
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from yotei.cache.floors import Purge
from yotei.cache.l2 import L2, L2Unavailable
from yotei.cache.marker import Marker, steps
from yotei.cache.tail import Tail

TURN_MS: Final = 5_000
"""A sweeper that is gone is succeeded after this time."""
PENDING_MAX: Final = 20_000
"""Purges that wait for Redis; what is beyond waits for the second time."""


class Sweeper:
    """Of one node. `after_s` is the age at which a change is purged again: half of the window of the floors."""

    def __init__(self, l2: L2, tail: Tail, *, after_s: float, every_s: float, now_s: Callable[[], float]) -> None:
        self._l2 = l2
        self._tail = tail
        self._after_s = after_s
        self._every_s = every_s
        self._now_s = now_s
        self._token = secrets.token_hex(8)
        self._pending: list[Purge] = []
        self._woken = asyncio.Event()
        self._has_turn = False
        self.steps = 0
        self.purged = 0

    async def run(self) -> None:
        """Sweep until cancelled; the first turn is at once."""
        next_s = float("-inf")
        while True:
            self._woken.clear()
            with suppress(L2Unavailable):
                if self._now_s() >= next_s and self._tail.epoch:
                    next_s = self._now_s() + self._every_s
                    self._has_turn = await self._l2.take_turn(self._tail.epoch, self._token, TURN_MS)
                    if self._has_turn:
                        await self.turn()
                await self._purge()
            with suppress(TimeoutError):
                # Not `wait_for`: before Python 3.12 it forgets a cancellation that comes together with the wake-up.
                async with asyncio.timeout(max(0.0, min(self._every_s, next_s - self._now_s()))):
                    await self._woken.wait()

    def note(self, purges: Sequence[Purge]) -> None:
        """The tail has learned of these."""
        if self._has_turn:
            self._pending += purges[: PENDING_MAX - len(self._pending)]
            self._woken.set()

    async def turn(self) -> None:
        """Lay the markers that are missing, and move the others as far as they may go."""
        epoch, floors = self._tail.epoch, self._tail.floors
        for bucket in range(self._l2.buckets):
            marker = await self._l2.marker(epoch, bucket)
            if marker is None:
                await self._l2.lay(epoch, bucket, Marker.laid(floors.known, secrets.token_hex(8)))
                continue
            for step in steps(marker, floors, ended_before_s=self._now_s() - self._after_s, nonce=secrets.token_hex(8)):
                if not await self._l2.step(epoch, bucket, step):
                    break
                self.steps += 1

    async def _purge(self) -> None:
        pending, self._pending = self._pending, []
        if pending:
            self.purged += await self._l2.purge(self._tail.epoch, pending)
