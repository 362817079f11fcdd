"""The level in process: a bounded table of values, and which of them to give up when it is full.

S3-FIFO: Yang, Zhang, Qiu, Yue, Vinayak, "FIFO Queues Are All You Need for Cache Eviction", SOSP 2023. What comes in
stands in a small queue; only what was read again when its turn comes moves to the main queue, the rest goes, and its
name is remembered for a while: should it come back, it is let in at once. A read touches a counter, no queue.

An entry that expired or was purged stays where it is until its turn: it is replaced in place when it is loaded
again, and may be wanted when PostgreSQL is down. Whether it may be served is for `floors` and `lease` to say.
"""

from collections import Counter, OrderedDict, deque
from typing import Any, Final

from yotei.cache import early
from yotei.cache.floors import Floors
from yotei.cache.key import Key
from yotei.storage.change_log import Snapshot

SMALL_SHARE: Final = 0.1
READS_MAX: Final = 3
VALUE_SHARE_MAX: Final = 0.05
ENTRY_BYTES: Final = 700
"""What an entry costs beside its payload: itself, its name, its place in table and queue."""
_ABSENT: Final = object()


class Entry:
    """One value in process. `proven` is the latest snapshot up to which it is known to be complete.

    Times are of the node's clock: it is served until `fresh_until_s` and may be refreshed before time from
    `throw_from_s` on; after `stale_until_s` it is of no use at all.
    """

    __slots__ = (
        "delta_s",
        "expires_s",
        "family",
        "fresh_until_s",
        "group",
        "is_main",
        "loaded_s",
        "name",
        "payload",
        "proven",
        "reads",
        "size_bytes",
        "snapshot",
        "stale_until_s",
        "throw_from_s",
        "version",
    )

    def __init__(
        self,
        key: Key,
        payload: Any,
        snapshot: Snapshot,
        *,
        loaded_s: float,
        expires_s: float,
        fresh_until_s: float,
        stale_until_s: float,
        delta_s: float,
        size_bytes: int,
    ) -> None:
        self.name = key.name
        self.group = key.group
        self.family = key.family
        self.payload = payload
        self.snapshot = snapshot
        self.proven = snapshot
        self.version = 0
        self.loaded_s = loaded_s
        self.expires_s = expires_s
        self.fresh_until_s = fresh_until_s
        self.stale_until_s = stale_until_s
        self.delta_s = delta_s
        self.throw_from_s = min(fresh_until_s, early.first_throw_s(expires_s, delta_s))
        self.size_bytes = size_bytes
        self.reads = 0
        self.is_main = False

    def replace(self, fresh: "Entry") -> None:
        """Another value of the same key, in the same place."""
        self.payload = fresh.payload
        self.snapshot = fresh.snapshot
        self.proven = fresh.proven
        self.version = fresh.version
        self.loaded_s = fresh.loaded_s
        self.expires_s = fresh.expires_s
        self.fresh_until_s = fresh.fresh_until_s
        self.stale_until_s = fresh.stale_until_s
        self.delta_s = fresh.delta_s
        self.throw_from_s = fresh.throw_from_s
        self.size_bytes = fresh.size_bytes

    def is_usable(self, floors: Floors) -> bool:
        """Whether it contains every change that the node knows of; remembers the answer until there are new ones."""
        if self.version == floors.version:
            return True
        if not floors.usable(self.proven, self.name, self.group):
            return False
        self.version = floors.version
        self.proven = floors.vouched(self.proven)
        return True


class L1:
    """At most `entries_max` values of `bytes_max` bytes. A value larger than a twentieth of that is not taken in.

    Who reads an entry of `entries` counts up its `reads`, to `READS_MAX`.
    """

    __slots__ = (
        "_ghosts",
        "_main",
        "_small",
        "_small_bytes",
        "bytes",
        "bytes_max",
        "entries",
        "entries_max",
        "evictions",
    )

    def __init__(self, *, entries_max: int, bytes_max: int) -> None:
        self.entries_max = entries_max
        self.bytes_max = bytes_max
        self.entries: dict[str, Entry] = {}
        self.bytes = 0
        self.evictions: Counter[str] = Counter()
        self._small: deque[Entry] = deque()
        self._main: deque[Entry] = deque()
        self._small_bytes = 0
        self._ghosts: OrderedDict[str, object] = OrderedDict()

    def put(self, fresh: Entry, now_s: float) -> None:
        """Takes it in, in the place of an entry of that name if there is one, and makes room."""
        size_bytes = fresh.size_bytes + ENTRY_BYTES
        if size_bytes > self.bytes_max * VALUE_SHARE_MAX:
            return
        entry = self.entries.get(fresh.name)
        if entry is None:
            entry = self.entries[fresh.name] = fresh
            entry.is_main = self._ghosts.pop(fresh.name, _ABSENT) is not _ABSENT
            (self._main if entry.is_main else self._small).append(entry)
        else:
            size_bytes -= entry.size_bytes + ENTRY_BYTES
            entry.replace(fresh)
        self.bytes += size_bytes
        if not entry.is_main:
            self._small_bytes += size_bytes
        self._drop_dead(now_s)
        while len(self.entries) > self.entries_max or self.bytes > self.bytes_max:
            self._evict()

    def clear(self) -> None:
        self.entries.clear()
        self._small.clear()
        self._main.clear()
        self._ghosts.clear()
        self.bytes = self._small_bytes = 0

    def _evict(self) -> None:
        """One step towards room: an entry goes, or stands in line once more."""
        is_small_full = (
            len(self._small) > SMALL_SHARE * self.entries_max or self._small_bytes > SMALL_SHARE * self.bytes_max
        )
        if self._small and (is_small_full or not self._main):
            entry = self._small.popleft()
            self._small_bytes -= entry.size_bytes + ENTRY_BYTES
            if entry.reads:
                entry.reads = 0
                entry.is_main = True
                self._main.append(entry)
                return
            self._ghosts[entry.name] = None
            if len(self._ghosts) > self.entries_max:
                self._ghosts.popitem(last=False)
        else:
            entry = self._main.popleft()
            if entry.reads:
                entry.reads -= 1
                self._main.append(entry)
                return
        self._remove(entry)
        self.evictions[entry.family] += 1

    def _drop_dead(self, now_s: float) -> None:
        """Those in front of the queues that are of no use any more."""
        while self._small and self._small[0].stale_until_s <= now_s:
            entry = self._small.popleft()
            self._small_bytes -= entry.size_bytes + ENTRY_BYTES
            self._remove(entry)
        while self._main and self._main[0].stale_until_s <= now_s:
            self._remove(self._main.popleft())

    def _remove(self, entry: Entry) -> None:
        del self.entries[entry.name]
        self.bytes -= entry.size_bytes + ENTRY_BYTES
