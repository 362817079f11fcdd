"""How one subscription goes on: it waits for news, makes sure that its caller still may, reads when it is its turn."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import AbstractContextManager, asynccontextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID

import msgspec

from yotei.api.graphql.reading import Reading
from yotei.api.graphql.streams import Streams
from yotei.errors import Code, Problem
from yotei.observe import budget
from yotei.storage.pool import Source
from yotei.storage.tail import Watch
from yotei.users import tokens
from yotei.users.tokens import Identity

V = TypeVar("V")


class Credentials(msgspec.Struct, frozen=True):
    """What a caller has shown, kept for as long as it asks: who that is has to be asked again."""

    token: str
    on_behalf_of: str | None

    async def identify(self, source: Source) -> Identity:
        """Problem `unauthorized`, `forbidden`. One statement."""
        return await tokens.identify(source, self.token, self.on_behalf_of, datetime.now(UTC))

    def __repr__(self) -> str:
        return "Credentials(…)"


class Following:
    """One subscription. `spend` opens a ledger for what it reads at one time; `ended` is why it is over."""

    def __init__(
        self,
        streams: Streams,
        reading: Reading,
        credentials: Credentials,
        identity: Identity,
        spend: Callable[[], AbstractContextManager[Any]],
    ) -> None:
        self._streams = streams
        self._reading = reading
        self._credentials = credentials
        self._identity = identity
        self._spend = spend
        self._has_turn = False
        self.ended: Problem | None = None

    @asynccontextmanager
    async def watch(self, ids: Collection[UUID]) -> AsyncIterator[Watch]:
        """Wait for changes of these things, and of what the caller's right to ask depends on."""
        try:
            async with self._streams.tail.watch([*ids, *self._identity.depends_on]) as watch:
                # The watch tells what happens from here on; before it the token may have been revoked.
                await self._identify()
                yield watch
        except Problem as problem:
            self.ended = problem
            raise

    async def news(self, watch: Watch) -> None:
        """Wait until there may be something to read: what is followed was touched, or the caller's rights are others
        than before. Problem `unauthorized` when the caller may no longer ask."""
        has_news = False
        while not has_news:
            touched = await self._touched(watch)
            before = self._identity
            if touched & before.depends_on:
                await self._identify()
            has_news = bool(touched - before.depends_on) or self._identity != before

    async def _touched(self, watch: Watch) -> frozenset[UUID]:
        try:
            async with asyncio.timeout(_seconds_to(self._identity.expires_at)):
                return await watch.touched()
        except TimeoutError:
            raise Problem(Code.UNAUTHORIZED, "The token has expired.") from None

    async def read(self, work: Callable[[Reading], Awaitable[V]]) -> V:
        """Read in turn with the others. The turn is held until `rest`: what is selected of the answer is read in it."""
        if not self._has_turn:
            await self._streams.turns.acquire()
            self._has_turn = True
        self._reading.begin(self._identity.viewer)
        with self._spend():
            return await work(self._reading)

    async def _identify(self) -> None:
        with self._spend():
            self._identity = await self._credentials.identify(self._reading.source)

    def rest(self) -> None:
        """Let others have their turn."""
        if self._has_turn:
            self._has_turn = False
            self._streams.turns.release()


def spending(statements_max: int, *, strict: bool) -> Callable[[], AbstractContextManager[budget.Ledger]]:
    """What opens a ledger with the bound of one reading request."""
    return lambda: budget.open_ledger(statements_max=statements_max if strict else None, expected_max=statements_max)


def _seconds_to(moment: datetime | None) -> float | None:
    return None if moment is None else max(0.0, (moment - datetime.now(UTC)).total_seconds())
