"""Readers of the sync feed, who keep a copy of a calendar as any client would, and nothing else."""

import asyncio
import random
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

import msgspec

from tests.stress.records import Seen
from tests.stress.wire import NoAnswer, Wire
from tests.stress.world import World

COPIES_MAX: Final = 5
"""Of one calendar, each at a place of its own."""
PAGE_MAX: Final = 200
PAUSE_S: Final = 0.02


class Told(msgspec.Struct, frozen=True):
    """A change, as the feed tells it."""

    kind: str
    id: UUID
    op: str
    changed_at: datetime
    event: Seen | None = None


class Page(msgspec.Struct, frozen=True):
    """An answer of the feed."""

    changes: tuple[Told, ...]
    position: str
    has_more: bool


_page: Final = msgspec.json.Decoder(Page)


class Copy:
    """The events of one calendar, as far as `position`; `told` are those that the feed named on the way there."""

    def __init__(self, calendar_id: UUID) -> None:
        self.calendar_id = calendar_id
        self.position = "first"
        self.events: dict[UUID, Seen] = {}
        self.told: set[UUID] = set()

    def fork(self) -> "Copy":
        """Somebody else who is at the same place."""
        other = Copy(self.calendar_id)
        other.position, other.events, other.told = self.position, dict(self.events), set(self.told)
        return other

    async def pull(self, wire: Wire, limit: int) -> bool:
        """Read one page; whether there is more of it."""
        query = urlencode({"since": self.position, "limit": limit})
        path = f"/api/calendars/{self.calendar_id}/changes?{query}"
        try:
            answer = await wire.ask("GET", path)
        except NoAnswer:
            # The server hangs up on who has been silent for a while.
            answer = await wire.ask("GET", path)
        if answer.status != 200:
            raise FeedRefused(f"{answer.status} {answer.body.decode()}")
        page = _page.decode(answer.body)
        self.apply(page)
        return page.has_more

    def apply(self, page: Page) -> None:
        for one in page.changes:
            if one.kind != "event":
                continue
            self.told.add(one.id)
            if one.event is not None:
                assert one.op == "upsert"
                self.events[one.id] = one.event
            else:
                assert one.op == "remove"
                self.events.pop(one.id, None)
        self.position = page.position


class FeedRefused(Exception):
    """The feed answered something else than a page."""


class Reader:
    """Reads on in some copy of some calendar, by pages of any size; now and then copies the copy, to go on from there
    later."""

    def __init__(self, world: World, port: int, seed: str) -> None:
        self.copies: dict[UUID, list[Copy]] = {one: [Copy(one)] for one in world.calendars}
        self._wire = Wire(port, world.people[0].token)
        self._chance = random.Random(seed)

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            copies = self.copies[self._chance.choice(list(self.copies))]
            one = self._chance.choice(copies)
            if len(copies) < COPIES_MAX and self._chance.random() < 0.1:
                copies.append(one.fork())
            await one.pull(self._wire, self._limit())
            await asyncio.sleep(PAUSE_S)

    async def finish(self) -> list[Copy]:
        """All copies read to the end, and for each calendar one more from the first on."""
        copies = [one for many in self.copies.values() for one in (*many, Copy(many[0].calendar_id))]
        for one in copies:
            # A copy in the middle of an answer first comes to the end of that one, which is not the end of all.
            for _ in range(2):
                while await one.pull(self._wire, self._limit()):
                    pass
        self._wire.close()
        return copies

    def _limit(self) -> int:
        return self._chance.choice((1, 7, 50, PAGE_MAX)) if self._chance.random() < 0.5 else PAGE_MAX


def shown(seen: Seen) -> dict[str, Any]:
    """What of an event a copy is compared by. Of a series the rooms are those of its instances: `rooms` is None."""
    return {
        "version": seen.version,
        "title": seen.title,
        "start_time": seen.start_time,
        "end_time": seen.end_time,
        "status": seen.status,
        "rrule": seen.rrule,
        "exdates": seen.exdates,
        "attendees": {one.email: one.response_status for one in seen.attendees},
        "rooms": None if seen.rrule is not None else frozenset(one.id for one in seen.resources),
    }
