"""The reads of one request: through the cache, and what no cache holds straight from the database.

    profiles = await cached(source, [keys.profile(one) for one in ids], load_profiles)

`cached` is for whoever reads units: with a `Reads` they come from the cache; a transaction, or a bare database, is
asked itself. A load is one statement, whichever source it is given.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Any, Final, TypeVar

from asyncpg import Record

from yotei.cache.key import Key, Loaded
from yotei.cache.levels import Cache, Reading
from yotei.storage.pool import Source
from yotei.storage.statements import Statement

MOMENT_ATTEMPTS_MAX: Final = 2
"""So often what was read is read again, because it was not of one moment; then a single statement has to do."""

UnitLoad = Callable[[Source, Sequence[Key]], Awaitable[Loaded]]
"""Loads these keys from that source by one statement, and what it brings along."""
Answer = TypeVar("Answer")

_current: ContextVar[Reading | None] = ContextVar("reading", default=None)


def current_reading() -> Reading | None:
    """Of the request that is being answered."""
    return _current.get()


@contextmanager
def reading_of_request(reading: Reading) -> Iterator[None]:
    """The block answers a request that reads by this."""
    token = _current.set(reading)
    try:
        yield
    finally:
        _current.reset(token)


class Reads:
    """Of one request. It is a `Source`, too: what is sent to it goes to the primary, past the cache."""

    def __init__(self, database: Source, cache: Cache, reading: Reading, *, replica: Source | None = None) -> None:
        self._database = database
        self._cache = cache
        self._replica = replica
        self.reading = reading
        self.is_whole = True
        """Whether all that was read came through the cache, so that the answer is known by its units."""
        self.holds_until: datetime | None = None
        """When the answer becomes another one by itself, because time passes; None: never."""

    async def get_many(self, keys: Sequence[Key], load: UnitLoad) -> list[Any]:
        """The payloads in order, None where there is no such thing. Raises what `load` does; Problem `unavailable`."""

        async def load_from(missing: Sequence[Key], from_primary: bool) -> Loaded:
            source = self._database if from_primary or self._replica is None else self._replica
            return await load(source, missing)

        return await self._cache.get_many(self.reading, keys, load_from)

    async def consistently(self, work: Callable[[], Awaitable[Answer]]) -> Answer | None:
        """What `work` makes of the units that it reads, all of them as of one moment; None when they change too fast.

        `work` may run more than once.
        """
        since = len(self.reading.used)
        for _ in range(MOMENT_ATTEMPTS_MAX):
            answer = await work()
            if await self._cache.is_of_one_moment(self.reading, since):
                return answer
            del self.reading.used[since:]
            self.reading.brought.clear()
        return None

    def hold_until(self, moment: datetime) -> None:
        """The answer depends on the time of asking, and is the same until then."""
        self.holds_until = moment if self.holds_until is None else min(self.holds_until, moment)

    async def fetch(self, statement: Statement, *args: object) -> list[Record]:
        self.is_whole = False
        return await self._database.fetch(statement, *args)

    async def fetchrow(self, statement: Statement, *args: object) -> Record | None:
        self.is_whole = False
        return await self._database.fetchrow(statement, *args)

    async def execute(self, statement: Statement, *args: object) -> str:
        self.is_whole = False
        return await self._database.execute(statement, *args)


async def cached(source: Source, keys: Sequence[Key], load: UnitLoad) -> list[Any]:
    """The payloads of these keys in order, None where there is no such thing."""
    if isinstance(source, Reads):
        return await source.get_many(keys, load)
    if not keys:
        return []
    loaded = await load(source, list(dict.fromkeys(keys)))
    return [loaded.payloads.get(key) for key in keys]
