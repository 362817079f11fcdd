"""A cache without a database behind it, and the months that are kept in it."""

import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec

from yotei.cache import lease
from yotei.cache.key import Family, Key, Loaded
from yotei.cache.l1 import L1
from yotei.cache.l2 import L2
from yotei.cache.levels import Cache
from yotei.cache.tail import Tail
from yotei.seed import words
from yotei.storage.change_log import Snapshot

EVENTS_PER_MONTH: Final = 50
FAMILY: Final = "calendar_events"
NOW: Final = Snapshot(100, 100)
TTL_S: Final = 3_600.0
LEASE_S: Final = 1e9
L1_BYTES_MAX: Final = 2**40
NOWHERE: Final[Any] = None
"""As what a tail reads from that never polls."""


class Event(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """About what a month holds of an event."""

    id: UUID
    title: str
    start: datetime
    end: datetime
    location: str
    organizer_id: UUID
    room_ids: tuple[UUID, ...]
    status: str


Month = tuple[Event, ...]
_MONTH_START: Final = datetime(2026, 11, 1, tzinfo=UTC)
_QUARTERS: Final = 28 * 96


def month(number: int) -> Month:
    """The same for the same number; ids and titles are as different as in life, or deflating would look too good."""
    made = random.Random(number)
    people = [UUID(int=made.getrandbits(128)) for _ in range(5)]
    return tuple(
        Event(
            UUID(int=made.getrandbits(128)),
            made.choice(words.MEETINGS),
            start,
            start + timedelta(minutes=30),
            made.choice(words.ROOM_NAMES),
            made.choice(people),
            (UUID(int=made.getrandbits(128)),) if n % 3 == 0 else (),
            "CONFIRMED",
        )
        for n in range(EVENTS_PER_MONTH)
        for start in (_MONTH_START + timedelta(minutes=15 * made.randrange(_QUARTERS)),)
    )


def key(number: int) -> Key:
    calendar = f"calendar:{UUID(int=number)}:events:"
    return Key(f"{calendar}2026-11", FAMILY, f"{calendar}*")


def number_of(key: Key) -> int:
    return UUID(key.name.split(":")[1]).int


async def load(keys: Sequence[Key], from_primary: bool) -> Loaded:
    return Loaded({one: month(number_of(one)) for one in keys}, NOW)


def opened(l1_entries_max: int, l2: L2 | None, *, deflate_bytes_min: int | None = None) -> tuple[Cache, L1 | None]:
    """A cache that holds a lease, and its table in process; 0 entries: none."""
    tail = Tail(NOWHERE, lambda change: (), lease_s=LEASE_S)
    vouch(tail, NOW, lease.now_s)
    l1 = L1(entries_max=l1_entries_max, bytes_max=L1_BYTES_MAX) if l1_entries_max else None
    family = Family(FAMILY, Month, ttl_s=TTL_S, l1_ttl_s=TTL_S)
    return Cache(tail, [family], l1=l1, l2=l2, deflate_bytes_min=deflate_bytes_min), l1


def vouch(tail: Tail, known: Snapshot, now_s: Callable[[], float]) -> None:
    """As if it had polled."""
    tail.epoch = "bench"
    tail.floors.advance(known, now_s())
    tail.lease = tail.lease.renewed(now_s())
