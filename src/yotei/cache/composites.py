"""What is made of several units, kept in process: an answer as it was sent, served while each of its units could be.

A composite is taken in only when its units are all of one moment, the one that the node knows of (`floors.known`): it
is then what a statement under that snapshot would have read. It is served while the floors of all of its units let it,
in the epoch that it was made in, under the lease: a change of any unit ends it, and of nothing else. It never outlives
the stay of one of its units in process. Knows neither what a composite is nor how it is made.
"""

import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from yotei.cache import lease
from yotei.cache.coherence import covers
from yotei.cache.counts import Counts
from yotei.cache.floors import Floors
from yotei.cache.key import Key
from yotei.cache.l1 import ENTRY_BYTES, L1, READS_MAX, Entry
from yotei.cache.levels import Reading
from yotei.cache.tail import Tail
from yotei.cache.token import Token
from yotei.storage.change_log import Snapshot

UNITS_MAX: Final = 2_000
"""Units of one composite: each is looked at again whenever the floors have changed."""
UNIT_BYTES: Final = 64
"""What remembering a unit takes: its name is there anyhow, with the unit."""
FAMILY: Final = "rendered"


class Composite(Entry):
    """`units` are the names of what it is made of, and of their groups; `turn` is that of the tail."""

    __slots__ = ("turn", "units")

    def __init__(
        self,
        name: str,
        payload: Any,
        units: frozenset[str],
        known: Snapshot,
        turn: int,
        *,
        loaded_s: float,
        fresh_until_s: float,
        stale_until_s: float,
        size_bytes: int,
    ) -> None:
        super().__init__(
            Key(name, FAMILY),
            payload,
            known,
            loaded_s=loaded_s,
            expires_s=fresh_until_s,
            fresh_until_s=fresh_until_s,
            stale_until_s=stale_until_s,
            delta_s=0.0,
            size_bytes=size_bytes + len(name) + UNIT_BYTES * len(units),
        )
        self.units = units
        self.turn = turn

    def replace(self, fresh: Entry) -> None:
        assert isinstance(fresh, Composite)
        super().replace(fresh)
        self.units = fresh.units
        self.turn = fresh.turn

    def is_usable(self, floors: Floors) -> bool:
        """Whether each of its units contains every change that the node knows of."""
        if self.version == floors.version:
            return True
        if not floors.usable_by_all(self.proven, self.units):
            return False
        self.version = floors.version
        self.proven = floors.vouched(self.proven)
        return True


class Composites:
    """At most `bytes_max` bytes of them, each for `ttl_s` and, while PostgreSQL is away, for `stale_max_s` more.

    `l1` holds the units. Times are of `now_s`.
    """

    def __init__(
        self,
        tail: Tail,
        l1: L1,
        *,
        bytes_max: int,
        ttl_s: float,
        stale_max_s: float,
        now_s: Callable[[], float] = lease.now_s,
    ) -> None:
        self._tail = tail
        self._units = l1
        self._kept = L1(entries_max=max(1, bytes_max // ENTRY_BYTES), bytes_max=bytes_max)
        self._ttl_s = ttl_s
        self._stale_max_s = stale_max_s
        self._now_s = now_s
        self.counts = Counts()

    def __len__(self) -> int:
        return len(self._kept.entries)

    def get(self, name: str) -> Any:
        """What may be served now; None where there is nothing."""
        counts, tail = self.counts, self._tail
        counts.gets += 1
        found = self._kept.entries.get(name)
        if found is None:
            counts.misses_l1 += 1
            return None
        now_s, lease = self._now_s(), tail.lease
        if now_s >= found.fresh_until_s:
            counts.expiries += 1
        elif not self._is_current(found):
            counts.purges += 1
        elif now_s - lease.since_s < lease.lease_s:
            if found.reads < READS_MAX:
                found.reads += 1
            counts.hits_l1 += 1
            return found.payload
        counts.misses_l1 += 1
        return None

    def stale(self, name: str) -> tuple[Any, float] | None:
        """What is still there and of which no change is known, though its lease or its time to live is over, and its
        age in seconds: for when PostgreSQL is away, to be marked as such. Not what time has made another one of: a
        token that has ended shows nothing, whoever is away."""
        found, now_s = self._kept.entries.get(name), self._now_s()
        if found is None or now_s >= found.stale_until_s:
            return None
        if not self._is_current(found):
            return None
        self.counts.stale_served += 1
        return found.payload, max(0.0, now_s - found.loaded_s)

    def keep(self, name: str, payload: Any, size_bytes: int, reading: Reading) -> None:
        """What was made of all that was read by `reading`, and of nothing else; not at all where that cannot be
        vouched for as a whole."""
        tail, now_s = self._tail, self._now_s()
        floors, used = tail.floors, reading.used
        if not 0 < len(used) <= UNITS_MAX or reading.stale_age_s is not None or reading.turn != tail.turn:
            return
        fresh_until_s, held_until_s = now_s + self._ttl_s, math.inf
        if reading.held_until is not None:
            held_until_s = now_s + (reading.held_until - datetime.now(UTC)).total_seconds()
            fresh_until_s = min(fresh_until_s, held_until_s)
        loaded_s, units = now_s, set()
        for one in used:
            unit, key = self._units.entries.get(one.key.name), one.key
            if unit is None or not covers(floors.known, one.snapshot):
                return
            if not floors.usable(one.proven, key.name, key.group):
                return
            fresh_until_s, loaded_s = min(fresh_until_s, unit.fresh_until_s), min(loaded_s, unit.loaded_s)
            units.add(key.name)
            if key.group:
                units.add(key.group)
        if fresh_until_s <= now_s:
            return
        composite = Composite(
            name,
            payload,
            frozenset(units),
            floors.known,
            reading.turn,
            loaded_s=loaded_s,
            fresh_until_s=fresh_until_s,
            stale_until_s=min(fresh_until_s + self._stale_max_s, held_until_s),
            size_bytes=size_bytes,
        )
        composite.version = floors.version
        self._kept.put(composite, now_s)
        self.counts.fills += 1

    def token(self, reading: Reading) -> Token:
        """What a client has seen who is shown what was read by `reading`."""
        assert reading.seen is not None
        return Token(self._tail.epoch, reading.seen)

    def has_seen(self, token: Token) -> bool:
        """Whether what is given out here is as new as what the client has seen."""
        return token.is_met(self._tail.epoch, self._tail.floors.known)

    def _is_current(self, found: Entry) -> bool:
        assert type(found) is Composite
        floors = self._tail.floors
        return found.turn == self._tail.turn and (found.version == floors.version or found.is_usable(floors))
