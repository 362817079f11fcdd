"""Read replicas: hot standbys that values are loaded from. What a node knows, it knows from the primary (`tail`).

A replica is asked for keys that the last snapshot seen of it vouches for, and for no others: of a key that has changed
since, the primary is asked at once, and not after the replica for nothing. What it answers is judged like any value.
It does not have to be there: who cannot be used, or answers too late, costs its time-out and is left alone for a while.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import asyncpg
import structlog
from asyncpg import Record

from yotei.cache import lease
from yotei.cache.breaker import Breaker
from yotei.cache.coherence import covers
from yotei.cache.key import Key, Loaded, UnitLoad
from yotei.cache.tail import Tail
from yotei.errors import Code, Problem, kind_of
from yotei.storage.change_log import Snapshot
from yotei.storage.pool import Database, DatabaseNotPrepared, Greeting
from yotei.storage.standby import LOOK, Standing, standing

LOOK_EVERY_S: Final = 1.0
LOOK_S_MAX: Final = 5.0
FAILURES_MAX: Final = 3
OPEN_S: Final = 1.0
CLOSE_S_MAX: Final = 1.0
TELL_EVERY_S: Final = 60.0
"""Under many writes it is left alone, and taken again, every other second."""

Connect = Callable[[Greeting], Awaitable[Database]]
"""Opens a pool, each connection of which is greeted so."""

_log = structlog.get_logger()


class NotOurs(Exception):
    """The server is no standby of the primary; the message says what it is."""


NO_STANDBY: Final = "it is no standby"
UNUSABLE: Final = (NotOurs, DatabaseNotPrepared, asyncpg.PostgresError, asyncpg.InterfaceError)
"""What a server may be besides away."""


class Replica:
    """One hot standby. `number` is its place in the settings, by which logs name it; a load may take `soft_s`."""

    def __init__(
        self,
        number: int,
        connect: Connect,
        tail: Tail,
        *,
        soft_s: float,
        now_s: Callable[[], float] = lease.now_s,
    ) -> None:
        self._number = number
        self._connect = connect
        self._tail = tail
        self._soft_s = soft_s
        self._now_s = now_s
        self._database: Database | None = None
        self._connected_turn = 0
        self._shown: Snapshot | None = None
        """What it showed when it was seen last; None while it cannot be used."""
        self._reason = ""
        """Why it cannot."""
        self._breaker = Breaker(failures_max=FAILURES_MAX, open_s=OPEN_S)
        self._told_s = float("-inf")
        """When the log was told last that it is left alone."""
        self._given_up: set[asyncio.Task[Loaded]] = set()
        self.loads = 0
        self.loads_failed = 0

    async def run(self) -> None:
        """Look at it again and again until cancelled."""
        while True:
            if self._tail.epoch:
                await self.look()
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        """See whether it is there, is one of ours, and how far it has come. The tail must have begun."""
        if self._connected_turn != self._tail.turn:
            await self.close()
        turn = self._tail.turn
        try:
            async with asyncio.timeout(LOOK_S_MAX):
                if self._database is None:
                    self._connected_turn = turn
                    self._database = await self._connect((LOOK, self._judged))
                row = await self._database.fetchrow(LOOK)
            assert row is not None
            found = self._judged(row)
        except NotOurs as error:
            self._refuse(str(error))
            await self.close()
        except Problem as problem:
            self._refuse(kind_of(problem))
        except (*UNUSABLE, TimeoutError) as error:
            self._refuse(str(error) or type(error).__name__)
        else:
            if self._shown is None:
                self._reason = ""
                _log.info("replica_taken", replica=self._number)
            self._shown = found.shown

    def vouches_for(self, keys: Sequence[Key]) -> bool:
        """Whether to ask it for these now. Who is told so has to load: while it fails, one caller a second is."""
        shown, floors = self._shown, self._tail.floors
        if shown is None or self._connected_turn != self._tail.turn:
            return False
        return all(floors.usable(shown, key.name, key.group) for key in keys) and self._breaker.lets(self._now_s())

    async def load(self, keys: Sequence[Key], load: UnitLoad) -> Loaded | None:
        """What it shows, perhaps more than it says (`is_exact`); None when the primary has to be asked instead."""
        try:
            loaded = await self._loaded(keys, load)
        except Problem as problem:
            if problem.code is not Code.UNAVAILABLE:
                raise
            self._failed(kind_of(problem))
            return None
        except (*UNUSABLE, TimeoutError) as error:
            self._failed(str(error))
            return None
        if loaded.from_primary:
            self._refuse(NO_STANDBY)
            self._failed(NO_STANDBY)
            return None
        if not loaded.is_exact:
            self._failed("transactions are open on the primary")
            return loaded
        self.loads += 1
        self._breaker.succeeded()
        if self._shown is not None and covers(loaded.snapshot, self._shown):
            self._shown = loaded.snapshot
        return loaded

    async def _loaded(self, keys: Sequence[Key], load: UnitLoad) -> Loaded:
        """Raises TimeoutError after `soft_s`."""
        assert self._database is not None
        asked = asyncio.ensure_future(load(self._database, keys))
        try:
            await asyncio.wait((asked,), timeout=self._soft_s)
            if not asked.done():
                raise TimeoutError("too slow")
        finally:
            if not asked.done():
                # Its connection may take a while to be got back, which nobody waits for.
                asked.cancel()
                self._given_up.add(asked)
                asked.add_done_callback(self._ended)
        return asked.result()

    def _ended(self, asked: asyncio.Task[Loaded]) -> None:
        self._given_up.discard(asked)
        if not asked.cancelled():
            asked.exception()  # nobody waits for it

    async def close(self) -> None:
        """Its connections; the next look opens others."""
        self._shown = None
        database, self._database = self._database, None
        if database is not None:
            await database.close(CLOSE_S_MAX)

    def _judged(self, row: Record) -> Standing:
        """Raises `NotOurs`."""
        found = standing(row)
        if not found.is_standby:
            raise NotOurs(NO_STANDBY)
        history = self._tail.epoch.rpartition(".")[0]
        if found.history != history:
            raise NotOurs(f"its server, timeline and database are {found.history}, the primary's {history}")
        return found

    def _failed(self, reason: str) -> None:
        self.loads_failed += 1
        now_s = self._now_s()
        self._breaker.failed(now_s)
        if self._breaker.is_open(now_s) and now_s - self._told_s >= TELL_EVERY_S:
            self._told_s = now_s
            _log.info("replica_left_alone", replica=self._number, reason=reason)

    def _refuse(self, reason: str) -> None:
        self._shown = None
        if reason != self._reason:
            self._reason = reason
            _log.warning("replica_refused", replica=self._number, reason=reason)


class Replicas:
    """All replicas of one node, asked in turn."""

    def __init__(self, replicas: Sequence[Replica]) -> None:
        self.replicas = replicas
        self._turn = 0

    async def load(self, keys: Sequence[Key], load: UnitLoad) -> Loaded | None:
        """What one of them shows; None when the primary has to be asked."""
        for _ in self.replicas:
            self._turn = (self._turn + 1) % len(self.replicas)
            replica = self.replicas[self._turn]
            if replica.vouches_for(keys):
                return await replica.load(keys, load)
        return None
