"""The reads of one request: through the cache, and what no cache holds straight from the database.

    profiles = await cached(source, [keys.profile(one) for one in ids], load_profiles)

`cached` is for whoever reads units: with a `Reads` they come from the cache; a transaction, or a bare database, is
asked itself. A load is one statement, whichever source it is given.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Any, Final, TypeVar

from asyncpg import Record

from yotei.cache.key import Key, Loaded, UnitLoad
from yotei.cache.levels import Cache, Reading
from yotei.cache.replicas import Replicas
from yotei.cache.token import Token
from yotei.errors import Problem
from yotei.storage.change_log import snapshot_now
from yotei.storage.pool import Database, Source
from yotei.storage.statements import Statement

TELL_S_MAX: Final = 0.5
"""How long an answer that did not come through the cache waits for what its client has seen by it."""
MOMENT_ATTEMPTS_MAX: Final = 2
"""So often what was read is read again, because it was not of one moment; then a single statement has to do."""

Answer = TypeVar("Answer")

_current: ContextVar[Reading | None] = ContextVar("reading", default=None)


def current_reading() -> Reading | None:
    """Of the request that is being answered."""
    return _current.get()


def hold_until(moment: datetime) -> None:
    """What is being answered is another answer from that moment on, whatever is written: a default that is "now", a
    token that ends."""
    reading = _current.get()
    if reading is not None and (reading.held_until is None or moment < reading.held_until):
        reading.held_until = moment


@contextmanager
def reading_of_request(reading: Reading) -> Iterator[None]:
    """The block answers a request that reads by this."""
    token = _current.set(reading)
    try:
        yield
    finally:
        _current.reset(token)


class Reads:
    """Of one request. It is a `Source`, too: what is sent to it goes to the primary, past the cache.

    Units are loaded from the replicas where one will do, and there are any.
    """

    def __init__(self, database: Database, cache: Cache, reading: Reading, replicas: Replicas | None = None) -> None:
        self.database = database
        self._replicas = replicas
        self._cache = cache
        self.reading = reading
        self.is_whole = True
        """Whether all that was read came through the cache, so that the answer is known by its units."""

    async def begin(self) -> None:
        """See at least what the client has seen. Problem `unavailable`; ValueError for a token nobody was given."""
        await self._cache.begin(self.reading)

    async def token(self) -> Token | None:
        """What the client is told that it has seen by now; None where nobody can say so.

        A statement that went past the cache has shown what was there then, so all of that is there now.
        """
        if not self.is_whole:
            try:
                async with asyncio.timeout(TELL_S_MAX):
                    self.reading.see(await snapshot_now(self.database))
            except (Problem, TimeoutError):
                return None
        return self._cache.token(self.reading)

    async def get_many(self, keys: Sequence[Key], load: UnitLoad) -> list[Any]:
        """The payloads in order, None where there is no such thing. Raises what `load` does; Problem `unavailable`."""

        async def load_missing(missing: Sequence[Key], from_primary: bool) -> Loaded:
            loaded = None
            if self._replicas is not None and not from_primary:
                loaded = await self._replicas.load(missing, load)
            return await load(self.database, missing) if loaded is None else loaded

        return await self._cache.get_many(self.reading, keys, load_missing)

    def holds(self, key: Key) -> bool:
        """Whether it would be answered in process: a load need not bring it along."""
        return self._cache.holds(key)

    def last(self, key: Key) -> Any:
        """What it was when this process read it last, perhaps not any more; None where it is not known."""
        return self._cache.last(key)

    async def consistently(self, work: Callable[[], Awaitable[Answer]]) -> Answer | None:
        """What `work` makes of the units that it reads, all of them as of one moment; None when they change too fast.

        `work` may run more than once. What others use for this request at the same time is looked at, too.
        """
        for _ in range(MOMENT_ATTEMPTS_MAX):
            since = len(self.reading.used)
            answer = await work()
            if await self._cache.is_of_one_moment(self.reading, since):
                return answer
            self.reading.brought.clear()
        return None

    async def fetch(self, statement: Statement, *args: object) -> list[Record]:
        self.is_whole = False
        return await self.database.fetch(statement, *args)

    async def fetchrow(self, statement: Statement, *args: object) -> Record | None:
        self.is_whole = False
        return await self.database.fetchrow(statement, *args)

    async def execute(self, statement: Statement, *args: object) -> str:
        self.is_whole = False
        return await self.database.execute(statement, *args)


def past_cache(source: Source) -> Source:
    """The database itself, for what must not be older than something that was read from it just now."""
    if not isinstance(source, Reads):
        return source
    source.is_whole = False
    return source.database


async def cached(source: Source, keys: Sequence[Key], load: UnitLoad) -> list[Any]:
    """The payloads of these keys in order, None where there is no such thing."""
    if isinstance(source, Reads):
        return await source.get_many(keys, load)
    if not keys:
        return []
    loaded = await load(source, list(dict.fromkeys(keys)))
    return [loaded.payloads.get(key) for key in keys]
