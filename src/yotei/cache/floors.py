"""Which transactions changed a key, as far back as a node remembers. No I/O; the clock is passed in.

A floor has the name of a key or of a group of keys (`calendar:{id}:events:*`: a change without an end touches every
month at once). What holds after each `advance`: every change that `known` sees is either seen by `base` or in a floor.
So a value that covers `base` and sees its floors contains everything that `known` sees of its key.

Floors are forgotten by age and by number, always from the oldest on and always together with a rise of `base`.
They are kept by *ages*, each of some seconds, which end with the snapshot of a complete poll; a sweeper purges age
after age by the same book.
"""

from collections import deque
from collections.abc import Collection, Iterable, Iterator
from typing import Final

import msgspec

from yotei.cache.coherence import covers, usable
from yotei.storage.change_log import Snapshot

AGES_PER_WINDOW: Final = 100
AGE_NAMES_MAX: Final = 1_000
"""An age with so many floors ends with the next poll, so that purging one is a bounded piece of work."""

Purge = tuple[str, int]
"""The name of a key or group, and the transaction that changed it."""


class Age(msgspec.Struct):
    """Floors set within some seconds. `until` is the snapshot of the poll that ended it, at `ended_s`."""

    number: int
    began_s: float
    purges: list[Purge]
    until: Snapshot | None = None
    ended_s: float = 0.0


class Floors:
    """The floors of one node in one epoch, from a position of the change log on.

    `names_max` bounds the floors that are remembered, `window_s` their age. `version` rises with every change here.
    """

    __slots__ = (
        "_age",
        "_ages",
        "_by_name",
        "_count",
        "_is_blind",
        "_unseen",
        "base",
        "known",
        "names_max",
        "version",
        "window_s",
    )

    def __init__(self, start: Snapshot, *, now_s: float, names_max: int, window_s: float) -> None:
        self.base = start
        self.known = start
        self.version = 1
        self.names_max = names_max
        self.window_s = window_s
        self._by_name: dict[str, dict[int, int]] = {}
        self._ages: deque[Age] = deque()
        self._age = Age(0, now_s, [])
        self._count = 0
        self._is_blind = False
        self._unseen: set[int] = set()
        """Transactions that changed everything, and that no poll has seen."""

    def __len__(self) -> int:
        """How many are remembered."""
        return self._count

    def of(self, name: str) -> Collection[int]:
        """The transactions that changed it."""
        return self._by_name.get(name, ())

    def raise_to(self, xid: int, names: Iterable[str]) -> None:
        """A transaction changed these, says the change log, a hint, or the writer itself; said twice is said once."""
        for name in names:
            if self._count >= 2 * self.names_max:
                self.raise_all(xid)
                break
            floors = self._by_name.setdefault(name, {})
            if floors.get(xid) == self._age.number:
                continue
            self._count += 1
            floors[xid] = self._age.number
            self._age.purges.append((name, xid))
        self.version += 1

    def raise_all(self, xid: int | None = None) -> None:
        """Something changed everything (a bulk load, a restore): nothing is usable until the next poll, or one that
        sees this transaction, and from then on nothing that is older."""
        self._is_blind = True
        if xid is not None:
            self._unseen.add(xid)
        self.version += 1

    def advance(self, known: Snapshot, now_s: float) -> None:
        """A poll has read all changes up to `known`, and they were all raised."""
        self.known = known
        is_over = now_s - self._age.began_s >= self.window_s / AGES_PER_WINDOW
        is_full = self._is_blind or self._count > self.names_max
        if is_over or is_full or len(self._age.purges) >= AGE_NAMES_MAX:
            self._end_age(now_s)
        while self._ages and (
            self._is_blind or self._count > self.names_max or now_s - self._ages[0].ended_s >= self.window_s
        ):
            self._forget(self._ages.popleft())
        if self._is_blind:
            self._unseen = {xid for xid in self._unseen if not known.sees(xid)}
            self._is_blind = bool(self._unseen)
            self.version += 1

    def usable(self, snapshot: Snapshot, name: str, group: str = "") -> bool:
        """Whether a value of that key contains every change that `known` sees."""
        if self._is_blind:
            return False
        floors = self._by_name.get(name, ())
        if group and group in self._by_name:
            floors = (*floors, *self._by_name[group])
        return usable(snapshot, floors, self.base)

    def usable_by_all(self, snapshot: Snapshot, names: frozenset[str]) -> bool:
        """The same of many names of keys and groups, whose values were all read under that snapshot."""
        if self._is_blind or not covers(snapshot, self.base):
            return False
        if self._by_name.keys().isdisjoint(names):
            return True
        return all(usable(snapshot, self._by_name.get(name, ()), self.base) for name in names)

    def vouched(self, snapshot: Snapshot) -> Snapshot:
        """How far a value that was found usable is known to be complete: at least as far as `known`."""
        return self.known if covers(self.known, snapshot) else snapshot

    def ended_before(self, ended_s: float) -> Snapshot | None:
        """The end of the last age that ended at that time or before it."""
        ends = [age.until for age in self._ages if age.ended_s <= ended_s]
        return ends[-1] if ends else None

    def ages_after(self, position: Snapshot) -> Iterator[Age]:
        """The ended ages that hold changes which `position` does not see, the oldest first.

        What it yields is complete only when `position` covers `base`.
        """
        for age in self._ages:
            assert age.until is not None
            if not covers(position, age.until):
                yield age

    def _end_age(self, now_s: float) -> None:
        self._age.until, self._age.ended_s = self.known, now_s
        self._ages.append(self._age)
        self._age = Age(self._age.number + 1, now_s, [])

    def _forget(self, age: Age) -> None:
        assert age.until is not None
        self.base = age.until
        self._count -= len(age.purges)
        self.version += 1
        for name, xid in age.purges:
            floors = self._by_name.get(name)
            # One that was said again later belongs to the later age.
            if floors is not None and floors.get(xid) == age.number:
                del floors[xid]
                if not floors:
                    del self._by_name[name]
