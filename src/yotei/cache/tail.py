"""How a node learns of changes: it reads the change log ten times a second, and at once for who has to know by now.

Owns what the node knows: epoch, floors, lease. A poll that succeeds raises the floors of all it brought, then moves
`known`, then renews the lease from its own start. It reads the primary, and believes no other server.

An epoch is that of its positions (`storage.change_log`): one history of transaction ids. In a new one everything is
dropped.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Final

import structlog

from yotei.cache import lease
from yotei.cache.coherence import continues
from yotei.cache.floors import Floors, Purge
from yotei.cache.lease import Lease
from yotei.cache.token import Token
from yotei.errors import Code, Problem, kind_of
from yotei.storage.change_log import (
    Change,
    Page,
    Position,
    PositionForgotten,
    Snapshot,
    position_ago,
    position_now,
    read_since,
)
from yotei.storage.pool import Source, is_away

ALL: Final = "*"
"""As a name of what a change purges: everything."""
START_ATTEMPTS_MAX: Final = 3
REACH_POLLS_MAX: Final = 3
"""A standby may show a commit a moment before the primary does, which waits for those that it is copied to."""
AHEAD_XIDS_MAX: Final = 100_000
"""So many transactions more than the primary shows, no standby can have shown."""
PAGE_CHANGES_MAX: Final = 5_000
STRETCH_CHANGES_MAX: Final = 250
"""Changes that are gone through at a stretch, a few milliseconds; then others have their turn."""
POLL_PAGES_MAX: Final = 2
"""A poll that has so many full pages to read takes the rest for a change of everything, rather than outlive the lease.
Of the window before its start a node reads as much as it may remember."""
POLL_GAP_S_MIN: Final = 0.005
"""Polls of one node are at least this far apart, however many hints come."""
ANSWER_SHARE: Final = 0.5
"""Of the lease: how long one question of a poll may take. PostgreSQL is known to be silent before the lease is over."""
NOWHERE: Final = Snapshot(1, 1)

Purges = Callable[[Change], Iterable[str]]
"""Which keys and groups a change touches, or `ALL`; too many is right, too few is wrong."""

_log = structlog.get_logger()


class NotThePrimary(Exception):
    """A standby answers where the primary was asked, as one does that was the primary: it would vouch for what it
    lacks."""


class Tail:
    """What one node knows of the changes. `purges` is the domains' word on which keys a change touches.

    `poll_s` is the pause between polls, `lease_s` how long a node may serve without one, `window_s` and `floors_max`
    how far back floors are remembered, `transaction_max_s` the longest that a transaction may be open.
    """

    def __init__(
        self,
        source: Source,
        purges: Purges,
        *,
        poll_s: float = 0.1,
        lease_s: float = 2.0,
        window_s: float = 600.0,
        floors_max: int = 200_000,
        transaction_max_s: float = 86_400.0,
        now_s: Callable[[], float] = lease.now_s,
    ) -> None:
        self._source = source
        self._purges = purges
        self._poll_s = poll_s
        self._floors_max = floors_max
        self._window_s = window_s
        self._transaction_max_s = transaction_max_s
        self._now_s = now_s
        self.epoch = ""
        self.turn = 0
        """Counts epochs as this node saw them: what was begun in another one is not kept."""
        self.lease = Lease(lease_s)
        self.is_away = False
        """Whether PostgreSQL did not answer the last poll: it is asked all the time, so nobody else has to find out."""
        self.floors = self._floors_from(NOWHERE)
        self.on_purges: Callable[[Sequence[Purge]], None] = lambda purges: None
        self.on_epoch: Callable[[], None] = lambda: None
        self._position: Position | None = None
        self._woken = asyncio.Event()
        self._waiting: list[asyncio.Future[None]] = []
        self._is_failing = False
        self.polls = 0
        self.polls_failed = 0

    async def run(self) -> None:
        """Poll until cancelled."""
        while True:
            self._woken.clear()
            waiting, self._waiting = self._waiting, []
            try:
                await self.poll()
            except Exception as error:
                self._note_failure(error)
                _settle(waiting, _unread())
            except asyncio.CancelledError:
                _settle(waiting, asyncio.CancelledError())
                raise
            else:
                if self._is_failing:
                    self._is_failing = False
                    _log.info("tail_resumed")
                self.is_away = False
                _settle(waiting, None)
            await asyncio.sleep(POLL_GAP_S_MIN)
            # Not `wait_for`: before Python 3.12 it forgets a cancellation that comes together with the wake-up.
            with suppress(TimeoutError):
                async with asyncio.timeout(self._poll_s):
                    await self._woken.wait()

    def wake(self) -> None:
        """Poll now rather than later."""
        self._woken.set()

    async def caught_up(self) -> None:
        """Wait for a poll that begins from now on. Problem `unavailable` when it fails, or is not to be waited for:
        PostgreSQL is silent, or has so much to tell that a lease would end meanwhile. Needs `run`."""
        if self.is_away:
            raise _unread()
        waiting = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        self.wake()
        try:
            async with asyncio.timeout(self.lease.lease_s):
                await waiting
        except TimeoutError as error:
            raise _unread() from error

    async def reach(self, token: Token) -> None:
        """Know at least as much as who was given this token has seen.

        Raises ValueError for one of this epoch that nobody can have been given, Problem `unavailable` when the primary
        does not show as much yet. One of another epoch asks for nothing once it is known that this epoch is the one of
        now: what it saw and is not here was lost with its own.
        """
        if token.is_met(self.epoch, self.floors.known):
            return
        for _ in range(REACH_POLLS_MAX):
            await self.caught_up()
            if token.epoch != self.epoch or token.is_met(self.epoch, self.floors.known):
                return
            if max(token.seen.xmax, token.xid) - self.floors.known.xmax > AHEAD_XIDS_MAX:
                raise ValueError("the token is of a time to come")
        raise Problem(Code.UNAVAILABLE, "What was shown is not committed everywhere yet; try again.", retry_after_s=1)

    def hint(self, epoch: str, xid: int, names: Iterable[str]) -> None:
        """Somebody says that a transaction changed these: believe it. There is nothing to look up then; who hears of
        another epoch, or of a transaction that nobody can have begun yet, looks whether it is so."""
        if not continues(self.epoch, epoch) or xid - self.floors.known.xmax > AHEAD_XIDS_MAX:
            self.wake()
        elif not self.floors.known.sees(xid):
            self.raise_to(xid, names)

    def raise_to(self, xid: int, names: Iterable[str]) -> None:
        """A transaction changed these; `ALL` among them says everything."""
        touched = list(names)
        if ALL in touched:
            self.floors.raise_all(xid)
        else:
            self.floors.raise_to(xid, touched)

    def holds(self, now_s: float) -> bool:
        """Whether the node may serve from its cache."""
        return self.lease.holds(now_s)

    async def poll(self) -> None:
        """Read all there is, once. Raises what the source raises; then nothing has moved but some floors."""
        started_s = self._now_s()
        if self._position is None:
            await self._begin()
            return
        try:
            await self._read(self._position, started_s)
        except PositionForgotten:
            self._position = None
            await self._begin()

    async def _begin(self) -> None:
        """Find out the epoch, and read what was changed within the window before now."""
        for _ in range(START_ATTEMPTS_MAX):
            started_s = self._now_s()
            with suppress(PositionForgotten):
                # The epoch is asked before the position: a crash in between shows as another one.
                async with self._in_time():
                    now = await position_now(self._source)
                epoch = (await self._page(now)).position.epoch
                async with self._in_time():
                    position = await position_ago(self._source, self._window_s)
                self._enter(epoch, position)
                await self._read(position, started_s, max(POLL_PAGES_MAX, self._floors_max // PAGE_CHANGES_MAX))
                return
        raise Problem(Code.UNAVAILABLE, "The database changes its history faster than it can be read.", retry_after_s=1)

    def _enter(self, epoch: str, position: Position) -> None:
        self.epoch = epoch
        self.turn += 1
        self.floors = self._floors_from(position.since)
        self.lease = Lease(self.lease.lease_s)
        self.on_epoch()
        _log.info("cache_epoch_entered", epoch=epoch)

    async def _read(self, position: Position, started_s: float, pages_max: int = POLL_PAGES_MAX) -> None:
        """From there to the end. Raises `PositionForgotten`, also when the epoch is another one by now."""
        purges: list[Purge] = []
        for _ in range(pages_max):
            page = await self._page(position, pages_max)
            if not continues(self.epoch, page.position.epoch):
                raise PositionForgotten(str(position))
            for number, change in enumerate(page.changes):
                if number % STRETCH_CHANGES_MAX == 0:
                    await asyncio.sleep(0)
                names = list(self._purges(change))
                self.raise_to(change.xid, names)
                purges += [(name, change.xid) for name in names if name != ALL]
            position = page.position
            if not page.has_more:
                break
        else:
            self.floors.raise_all()
            position = position.behind()
        self._position = position
        self.floors.advance(position.since, self._now_s())
        self.lease = self.lease.renewed(started_s)
        self.polls += 1
        if purges:
            self.on_purges(purges)

    async def _page(self, position: Position, pages_max: int = POLL_PAGES_MAX) -> Page:
        async with self._in_time():
            page = await read_since(
                self._source,
                position,
                transaction_max_s=self._transaction_max_s,
                limit=PAGE_CHANGES_MAX,
                changes_max=pages_max * PAGE_CHANGES_MAX,
            )
        if page.is_standby:
            detail = "This is a hot standby: the address of the database has to lead to the primary."
            raise Problem(Code.UNAVAILABLE, detail, retry_after_s=1) from NotThePrimary()
        return page

    def _in_time(self) -> asyncio.Timeout:
        return asyncio.timeout(self.lease.lease_s * ANSWER_SHARE)

    def _floors_from(self, start: Snapshot) -> Floors:
        return Floors(start, now_s=self._now_s(), names_max=self._floors_max, window_s=self._window_s)

    def _note_failure(self, error: Exception) -> None:
        self.polls_failed += 1
        self.is_away = isinstance(error, TimeoutError) or is_away(error)
        if not self._is_failing:
            self._is_failing = True
            _log.warning("tail_poll_failed", error=kind_of(error))


def _unread() -> Problem:
    return Problem(Code.UNAVAILABLE, "The change log cannot be read; try again.", retry_after_s=1)


def _settle(waiting: "list[asyncio.Future[None]]", failure: BaseException | None) -> None:
    for future in waiting:
        if future.done():
            continue
        if failure is None:
            future.set_result(None)
        elif isinstance(failure, asyncio.CancelledError):
            future.cancel()
        else:
            future.set_exception(failure)
            future.exception()  # nobody has to be waiting any more
