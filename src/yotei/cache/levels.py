"""The cache: process, then Redis, then PostgreSQL, for many keys at once.

    reading = cache.reading(token)              # of one request
    await cache.begin(reading)                  # see at least what the client has seen
    months = await cache.get_many(reading, keys, load)
    cache.token(reading)                        # what to hand back to the client

A key's name describes the loaded data and nothing else, so whoever asks for it may be answered with the load of
another one. Payloads are shared: nobody changes them. What a viewer may see is none of the cache's business.
"""

import asyncio
import random
import secrets
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from contextvars import Context
from datetime import datetime
from typing import Any, Final

import msgspec
import structlog

from yotei.cache import early, lease
from yotei.cache.breaker import Breaker
from yotei.cache.coherence import acceptable, covers, joined
from yotei.cache.counts import Counts
from yotei.cache.flight import Flights
from yotei.cache.key import Family, Key, Loaded, Value
from yotei.cache.l1 import L1, READS_MAX, Entry
from yotei.cache.l2 import L2, Fill, L2Unavailable, Stored, packed
from yotei.cache.marker import may_fill, proven
from yotei.cache.tail import Tail
from yotei.cache.token import Token
from yotei.errors import Code, Problem
from yotei.observe.budget import BudgetExceeded
from yotei.storage.change_log import Snapshot

FLIGHTS_PER_GET_MAX: Final = 5
"""One may be joined, one may be outrun by a change, one may have been given up; the next is one's own."""
FILLS_QUEUED_MAX: Final = 1_000
FILL_KEYS_MAX: Final = 100
FILL_ATTEMPTS_MAX: Final = 3
CLAIM_PAUSE_S_MIN: Final = 0.005
CLAIM_PAUSE_S_MAX: Final = 0.05
REFRESH_GAIN_S_MIN: Final = 1.0
"""What expires in Redis by less than that later than in process is the same value: clocks and milliseconds differ."""
LOAD_FAILURES_MAX: Final = 5
LOAD_OPEN_S: Final = 0.5
RETRY_AFTER_S: Final = 1
BYTES_PER_ENCODED_BYTE: Final = 3
"""What a payload of Structs takes in memory for each byte of its msgpack (`bench/micro/cache.py`)."""

Load = Callable[[Sequence[Key], bool], Awaitable[Loaded]]
"""Loads all of these keys by one statement; a replica will do unless the second argument says that it must be the
primary. No volatile functions, no locks, never within a transaction that writes."""

_log = structlog.get_logger()


class Used(msgspec.Struct, frozen=True, gc=False):
    """A value that a request was given: read under `snapshot`, known to be complete up to `proven`."""

    key: Key
    snapshot: Snapshot
    proven: Snapshot


class Reading:
    """The reads of one request: what it has to see, what it has seen, and how it was answered."""

    __slots__ = (
        "began_s",
        "brought",
        "epoch",
        "held_until",
        "hits_l1",
        "hits_l2",
        "loads",
        "seen",
        "stale_age_s",
        "token",
        "turn",
        "used",
        "xid",
    )

    def __init__(self, token: Token | None, epoch: str, turn: int, began_s: float) -> None:
        self.token = token
        self.epoch = epoch
        """Of what it has seen; empty while the node does not know its own."""
        self.turn = turn
        self.began_s = began_s
        self.used: list[Used] = []
        self.brought: dict[str, _Arrival] = {}
        """What the loads of this request brought along, for what it asks next."""
        self.xid = 0
        """The transaction that it has committed last."""
        self.seen: Snapshot | None = None
        self.hits_l1 = 0
        self.hits_l2 = 0
        self.loads = 0
        self.held_until: datetime | None = None
        """When time alone makes another answer of it; None: never."""
        self.stale_age_s: float | None = None
        """Age of the oldest value that was served although nobody vouches for it; None: there was none."""

    def use(self, key: Key, snapshot: Snapshot, proven_: Snapshot) -> None:
        self.used.append(Used(key, snapshot, proven_))
        self.see(snapshot)

    def see(self, snapshot: Snapshot) -> None:
        """The client is told of what this snapshot sees, and from then on of nothing older."""
        seen = self.seen
        if seen is None:
            self.seen = snapshot
        elif seen is not snapshot and snapshot.xmax > seen.xmin:
            self.seen = joined(seen, snapshot)


class _Arrival(msgspec.Struct, frozen=True):
    """What a flight brings for one key. `value` is None when it gave up, `failure` is set when it is stale."""

    value: Value | None
    proven: Snapshot | None = None
    turn: int = 0
    loaded_s: float | None = None
    from_primary: bool = False
    failure: Problem | None = None
    along: "Mapping[str, _Arrival] | None" = None
    """All that came by the same load and is not in process already, by name of key."""


_Land = Callable[[str, _Arrival], None]
_GAVE_UP: Final = _Arrival(None)
_MISSED: Final = object()


class _Filling(msgspec.Struct, frozen=True):
    """What a load leaves for Redis: values to store, keys whose claim is over."""

    epoch: str
    values: list[tuple[Key, Value, bytes]]
    claimed: list[str]


class Cache:
    """All levels of one process. `l1` and `l2` may each be absent. Times are of `now_s`, TTLs of `wall_s`.

    `loads_max` loads run at once, `load_wait_s` is how long one waits for its turn, `load_s` how long it may take, and
    `claim_s` how long others leave a key to a node that is loading it. `stale_max_s` is how long after its TTL a value
    may be wanted when PostgreSQL is down.
    """

    def __init__(
        self,
        tail: Tail,
        families: Iterable[Family],
        *,
        l1: L1 | None,
        l2: L2 | None,
        loads_max: int = 16,
        load_wait_s: float = 2.0,
        load_s: float = 10.0,
        claim_s: float = 2.0,
        stale_max_s: float = 3_600.0,
        deflate_bytes_min: int | None = None,
        now_s: Callable[[], float] = lease.now_s,
        wall_s: Callable[[], float] = time.time,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._tail = tail
        self.families = {family.name: family for family in families}
        self._l1 = l1
        self._l2 = l2
        self._loads = asyncio.Semaphore(loads_max)
        self._load_wait_s = load_wait_s
        self._load_s = load_s
        self._claim_s = claim_s
        self._stale_max_s = stale_max_s
        self._deflate_bytes_min = deflate_bytes_min
        self._now_s = now_s
        self._wall_s = wall_s
        self._chance = chance
        self._counts = {name: Counts() for name in self.families}
        self._recompute_s: dict[str, float] = {}
        self._decoders = {name: msgspec.msgpack.Decoder(family.type) for name, family in self.families.items()}
        self._encoder = msgspec.msgpack.Encoder()
        self._flights: Flights[_Arrival] = Flights()
        self._breaker = Breaker(failures_max=LOAD_FAILURES_MAX, open_s=LOAD_OPEN_S)
        self._fillings: asyncio.Queue[_Filling] = asyncio.Queue(FILLS_QUEUED_MAX)
        self._token = secrets.token_hex(8)
        self._group_ms = round((max((f.ttl_s for f in self.families.values()), default=0.0) + stale_max_s) * 1000)
        tail.on_epoch = self._drop_all

    # What a request asks.

    def reading(self, token: Token | None = None) -> Reading:
        return Reading(token, self._tail.epoch, self._tail.turn, self._now_s())

    async def begin(self, reading: Reading) -> None:
        """See at least what the client has seen. Problem `unavailable`; ValueError for a token nobody was given."""
        if reading.token is not None:
            await self._tail.reach(reading.token)
            reading.epoch, reading.turn = self._tail.epoch, self._tail.turn

    def token(self, reading: Reading) -> Token | None:
        """What to hand back to the client: it has now seen this too, and written `xid`. None: there is nothing."""
        tail, seen, xid = self._tail, reading.seen, reading.xid
        if not tail.epoch or (seen is None and not xid):
            return reading.token
        if reading.epoch not in ("", tail.epoch):
            # What was seen, and what was written, means nothing in this epoch.
            return Token(tail.epoch, tail.floors.known)
        if seen is None:
            seen = tail.floors.base
        if reading.token is not None:
            return reading.token.after(tail.epoch, seen, xid)
        return Token(tail.epoch, seen, xid)

    async def get_many(self, reading: Reading, keys: Sequence[Key], load: Load) -> list[Any]:
        """The payloads in order; None is "no such thing". Raises what `load` raises, and Problem `unavailable`."""
        found: dict[str, Any]
        answers: list[Any] = []
        if not reading.brought:
            missing = self._from_l1(reading, keys, answers, load)
            if not missing:
                return answers
            left, found = keys, {}
        else:
            left, found = self._from_brought(reading, keys)
            missing = self._from_l1(reading, left, answers, load)
        found.update((key.name, there) for key, there in zip(left, answers, strict=False) if there is not _MISSED)
        if missing:
            await self._fetch(reading, missing, found, load)
        return [found[key.name] for key in keys]

    async def is_of_one_moment(self, reading: Reading, since: int) -> bool:
        """Whether what was used from the place `since` on was all there at one moment; waits for a poll where it takes
        that to know. Problem `unavailable` when that fails.

        Values of one snapshot are. So are values that are complete up to what the node knows, none of which shows more:
        each of them is then what a statement under that snapshot would have read. So it is with stale ones, which Redis
        may have newer than this node knows of.
        """
        used = reading.used[since:]
        if self._are_of_one_moment(reading, used):
            return True
        await self._tail.caught_up()
        return self._are_of_one_moment(reading, used)

    def _are_of_one_moment(self, reading: Reading, used: Sequence[Used]) -> bool:
        if all(one.snapshot == used[0].snapshot for one in used):
            return True
        floors = self._tail.floors
        return reading.turn == self._tail.turn and all(
            covers(floors.known, one.snapshot) and floors.usable(one.proven, one.key.name, one.key.group)
            for one in used
        )

    def holds(self, key: Key) -> bool:
        """Whether it is in process and would be served, and not soon be refreshed: a load need not bring it along."""
        entry, now_s = self._entry(key), self._now_s()
        if entry is None or now_s >= entry.throw_from_s:
            return False
        return self._tail.holds(now_s) and entry.is_usable(self._tail.floors)

    def last(self, key: Key) -> Any:
        """The payload that is in process, perhaps of another time: nobody vouches for it. None: there is none."""
        entry = self._entry(key)
        return None if entry is None else entry.payload

    def apply(self, xid: int, names: Iterable[str]) -> None:
        """This node's own change, after its commit and before its answer."""
        self._tail.raise_to(xid, names)

    def counts(self) -> dict[str, Counts]:
        """By family, since the process began."""
        for name, counts in self._counts.items():
            counts.gets = counts.hits_l1 + counts.misses_l1
            if self._l1 is not None:
                counts.evictions = self._l1.evictions[name]
        return self._counts

    async def run(self) -> None:
        """Fill Redis until cancelled; needed where there is one."""
        while True:
            filling = await self._fillings.get()
            try:
                await self._fill(filling)
            except L2Unavailable:
                self._refused(filling)

    async def close(self) -> None:
        await self._flights.close()

    def _from_brought(self, reading: Reading, keys: Sequence[Key]) -> tuple[list[Key], dict[str, Any]]:
        """What is left, and what this request's own loads brought along."""
        left: list[Key] = []
        found: dict[str, Any] = {}
        for key in keys:
            arrival = reading.brought.get(key.name)
            if arrival is None or not self._accepts(reading, key, arrival, reading.began_s):
                left.append(key)
                continue
            assert arrival.value is not None
            self._counts[key.family].misses_l1 += 1
            found[key.name] = arrival.value.payload
            reading.use(key, arrival.value.snapshot, arrival.proven or arrival.value.snapshot)
        return left, found

    # The level in process.

    def _from_l1(self, reading: Reading, keys: Sequence[Key], answers: list[Any], load: Load) -> list[Key]:
        """Appends what may be served, in order, and `_MISSED` for the rest, which comes back. Without a lease: nothing.

        This is the way that has to be short.
        """
        tail, l1, now_s = self._tail, self._l1, self._now_s()
        lease, floors = tail.lease, tail.floors
        if l1 is None or now_s - lease.since_s >= lease.lease_s:
            return list(dict.fromkeys(keys))
        entry_of, version, used, seen = l1.entries.get, floors.version, reading.used, reading.seen
        missing: list[Key] = []
        hits, family = 0, ""
        for key in keys:
            entry = entry_of(key.name)
            if entry is None:
                missing.append(key)
                answers.append(_MISSED)
                continue
            if entry.version != version and not entry.is_usable(floors):
                self._counts[key.family].purges += 1
                missing.append(key)
                answers.append(_MISSED)
                continue
            if now_s >= entry.throw_from_s:
                if now_s >= entry.fresh_until_s:
                    self._counts[key.family].expiries += 1
                    missing.append(key)
                    answers.append(_MISSED)
                    continue
                self._throw(key, entry, now_s, load)
            if entry.reads < READS_MAX:
                entry.reads += 1
            if entry.family != family:
                # Counted by runs of one family: there are few, and a count costs as much as the look-up.
                if hits:
                    self._counts[family].hits_l1 += hits
                    reading.hits_l1 += hits
                hits, family = 0, entry.family
            hits += 1
            answers.append(entry.payload)
            snapshot = entry.snapshot
            if snapshot is seen:
                used.append(Used(key, snapshot, entry.proven))
            else:
                reading.use(key, snapshot, entry.proven)
                seen = reading.seen
        if hits:
            self._counts[family].hits_l1 += hits
            reading.hits_l1 += hits
        return list(dict.fromkeys(missing)) if missing else missing

    def _keep(self, key: Key, value: Value, arrived: Snapshot, encoded_bytes: int) -> None:
        """Into the process, as long as its family says; the floors were asked."""
        if self._l1 is None:
            return
        family, now_s = self.families[key.family], self._now_s()
        left_s = value.expires_at_s - self._wall_s()
        fresh_s = min(left_s, family.l1_ttl_s)
        if value.payload is None:
            fresh_s = min(fresh_s, family.negative_ttl_s, self._tail.lease.lease_s)
        if fresh_s <= 0 and value.payload is None:
            return
        entry = Entry(
            key,
            value.payload,
            value.snapshot,
            loaded_s=now_s - max(0.0, self._wall_s() - value.loaded_at_s),
            expires_s=now_s + left_s,
            fresh_until_s=now_s + fresh_s,
            stale_until_s=now_s + (fresh_s if value.payload is None else left_s + self._stale_max_s),
            delta_s=early.delta_s(value.recompute_s, family.ttl_s),
            size_bytes=encoded_bytes * BYTES_PER_ENCODED_BYTE,
        )
        entry.proven = arrived
        self._l1.put(entry, now_s)

    def _entry(self, key: Key) -> Entry | None:
        return None if self._l1 is None else self._l1.entries.get(key.name)

    def _drop_all(self) -> None:
        if self._l1 is not None:
            self._l1.clear()

    # Before time.

    def _throw(self, key: Key, entry: Entry, now_s: float, load: Load) -> None:
        """The dice of the early refresh, for one who is being served."""
        entry.throw_from_s = min(entry.fresh_until_s, early.next_throw_s(now_s, entry.delta_s))
        if early.is_due(now_s, entry.expires_s, entry.delta_s, self._chance()):
            self._refresh(key, load, entry.expires_s)

    def _refresh(self, key: Key, load: Load, expires_s: float) -> None:
        """In the background, and on nobody's budget. Another node may have done it already, or be at it."""
        if key.name in self._flights:
            return

        async def work(land: _Land) -> None:
            try:
                newer_than = self._wall_s() + expires_s - self._now_s() + REFRESH_GAIN_S_MIN
                left = await self._from_l2([key], land, newer_than_s=newer_than)
                if left and (claimed := await self._claim(left, land, newer_than_s=newer_than)):
                    self._counts[key.family].refreshes += 1
                    await self._load(claimed, load, land, from_primary=False)
            except Exception as error:
                # Whoever needs the value finds out himself.
                _log.warning("cache_refresh_failed", family=key.family, error=type(error).__name__)
            land(key.name, _GAVE_UP)

        self._flights.begin([key.name], work, Context())

    # Flights.

    async def _fetch(self, reading: Reading, missing: list[Key], found: dict[str, Any], load: Load) -> None:
        for key in missing:
            self._counts[key.family].misses_l1 += 1
        asked_s, attempt = self._now_s(), 0
        while attempt < FLIGHTS_PER_GET_MAX:
            begun = [key for key in missing if key.name not in self._flights]
            if len(begun) < len(missing):
                for key in missing:
                    self._counts[key.family].loads_deduped += key.name in self._flights
            if begun:
                self._begin(begun, load, from_primary=attempt > 0)
            landed = await self._flights.wait([key.name for key in missing])
            left, is_refused = [], False
            for key, slot in zip(missing, landed, strict=True):
                try:
                    arrival = slot.result()
                except BudgetExceeded:
                    # A load counts for the request that began it, and fails that one alone: each does so once at most.
                    if key in begun:
                        raise
                    arrival, is_refused = _GAVE_UP, True
                if self._accepts(reading, key, arrival, asked_s):
                    assert arrival.value is not None
                    found[key.name] = arrival.value.payload
                    reading.use(key, arrival.value.snapshot, arrival.proven or arrival.value.snapshot)
                    if arrival.along is not None:
                        reading.brought.update(arrival.along)
                else:
                    left.append(key)
            if not left:
                return
            missing = left
            attempt += not is_refused
        raise Problem(Code.UNAVAILABLE, "This changes faster than it can be read.", retry_after_s=RETRY_AFTER_S)

    def _accepts(self, reading: Reading, key: Key, arrival: _Arrival, asked_s: float) -> bool:
        """Whether this reader, who asked at that time, may be given what came; raises what it failed of."""
        if arrival.value is None or arrival.proven is None:
            return False
        if arrival.failure is not None:
            if reading.token is not None:
                raise arrival.failure
            self._counts[key.family].stale_served += 1
            age_s = max(0.0, self._wall_s() - arrival.value.loaded_at_s)
            reading.stale_age_s = max(age_s, reading.stale_age_s or 0.0)
            return True
        is_accepted = acceptable(
            is_usable=self._is_usable(key, arrival.proven, arrival.turn),
            holds_lease=self._tail.holds(self._now_s()),
            asked_s=asked_s,
            loaded_s=arrival.loaded_s,
            from_primary=arrival.from_primary,
        )
        if is_accepted and arrival.loaded_s is None:
            reading.hits_l2 += 1
        elif is_accepted:
            reading.loads += 1
        return is_accepted

    def _is_usable(self, key: Key, snapshot: Snapshot, turn: int) -> bool:
        return turn == self._tail.turn and self._tail.floors.usable(snapshot, key.name, key.group)

    def _begin(self, keys: list[Key], load: Load, *, from_primary: bool) -> None:
        by_name = {key.name: key for key in keys}

        async def work(land: _Land) -> None:
            left = dict(by_name)

            def landed(name: str, arrival: _Arrival) -> None:
                left.pop(name, None)
                land(name, arrival)

            if self._tail.is_away and not self._tail.holds(self._now_s()):
                # Nobody vouches for it, and to try would only make everybody wait.
                await self._land_stale(list(left.values()), landed, _away())
            try:
                await self._from_l2(list(left.values()), landed)
                await self._share(list(left.values()), load, landed, from_primary=from_primary)
            except Problem as problem:
                if problem.code is not Code.UNAVAILABLE:
                    raise
                await self._land_stale(list(left.values()), landed, problem)
                if left:
                    raise

        self._flights.begin(by_name, work)

    async def _share(self, keys: list[Key], load: Load, land: _Land, *, from_primary: bool) -> None:
        """Load what nobody else in the cluster is loading, and wait for the rest.

        A claim ends with its load, or by itself where its node has died; then one of those who wait has it. So they
        wait for as long as a load may take, not for one claim: all would be at their end together, and load together.
        """
        left = {key.name: key for key in keys}

        def landed(name: str, arrival: _Arrival) -> None:
            left.pop(name, None)
            land(name, arrival)

        deadline_s, pause_s = self._now_s() + self._load_s, CLAIM_PAUSE_S_MIN
        while left and self._now_s() < deadline_s:
            claimed = await self._claim(list(left.values()), landed)
            if claimed:
                await self._load(claimed, load, landed, from_primary=from_primary)
            if left:
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, CLAIM_PAUSE_S_MAX)
        if left:
            await self._load(list(left.values()), load, landed, from_primary=from_primary, is_claimed=False)

    # The level in Redis.

    def _asks_l2(self) -> bool:
        return self._l2 is not None and self._tail.holds(self._now_s()) and self._l2.lets()

    async def _from_l2(self, keys: list[Key], land: _Land, *, newer_than_s: float = 0.0) -> list[Key]:
        """Lands what Redis has and the floors vouch for; the rest comes back."""
        if not keys or not self._asks_l2():
            return keys
        assert self._l2 is not None
        turn = self._tail.turn
        try:
            stored = await self._l2.read(self._tail.epoch, keys, self._decoded)
        except L2Unavailable:
            return keys
        for key in keys:
            if key.name in stored:
                self._note_useless(key, stored[key.name], turn)
        return self._land_stored(keys, stored, turn, land, newer_than_s)

    def _note_useless(self, key: Key, there: Stored, turn: int) -> None:
        counts = self._counts[key.family]
        if self._arrived(key, there, turn) is None:
            counts.purges += 1
        elif there.value.expires_at_s <= self._wall_s():
            counts.expiries += 1

    def _arrived(self, key: Key, there: Stored, turn: int) -> Snapshot | None:
        """Up to where a value of Redis, found in that epoch, is complete; None when that is not enough."""
        arrived = proven(there.value.snapshot, there.marker, self._tail.floors.base)
        return arrived if arrived is not None and self._is_usable(key, arrived, turn) else None

    def _land_stored(
        self, keys: list[Key], stored: Mapping[str, Stored], turn: int, land: _Land, newer_than_s: float
    ) -> list[Key]:
        """Of what was found in Redis, in that epoch; the rest comes back."""
        wall_s, left = self._wall_s(), []
        for key in keys:
            there = stored.get(key.name)
            arrived = None if there is None else self._arrived(key, there, turn)
            if there is None or arrived is None:
                left.append(key)
                continue
            self._keep(key, there.value, arrived, there.encoded_bytes)
            if there.value.expires_at_s <= max(wall_s, newer_than_s):
                left.append(key)
                continue
            self._counts[key.family].hits_l2 += 1
            land(key.name, _Arrival(there.value, arrived, turn))
        return left

    async def _claim(self, keys: list[Key], land: _Land, *, newer_than_s: float = 0.0) -> list[Key]:
        """Those of the keys that this node is to load: all, where nobody can be asked. Lands what is there by now."""
        if not keys or not self._asks_l2():
            return keys
        assert self._l2 is not None
        epoch, turn = self._tail.epoch, self._tail.turn
        try:
            ours, stored = await self._l2.claim(epoch, keys, self._token, round(self._claim_s * 1000), self._decoded)
        except L2Unavailable:
            return keys
        left = self._land_stored(keys, stored, turn, land, newer_than_s)
        claimed = [key for key in left if key.name in ours]
        self._enqueue(_Filling(epoch, [], sorted(ours.difference(key.name for key in claimed))))
        return claimed

    async def _fill(self, filling: _Filling) -> None:
        """Store what was loaded, then end the claims: who waits finds the value before he finds the key free."""
        assert self._l2 is not None
        by_bucket: dict[int, list[tuple[Key, Value, bytes]]] = {}
        for one in filling.values:
            by_bucket.setdefault(self._l2.bucket(one[0].name), []).append(one)
        for bucket, values in by_bucket.items():
            for start in range(0, len(values), FILL_KEYS_MAX):
                await self._fill_bucket(filling.epoch, bucket, values[start : start + FILL_KEYS_MAX])
        if filling.claimed:
            await self._l2.release(filling.epoch, filling.claimed)

    async def _fill_bucket(self, epoch: str, bucket: int, values: list[tuple[Key, Value, bytes]]) -> None:
        """Judged by the marker that lies there: one that moves meanwhile judges anew."""
        assert self._l2 is not None
        marker = await self._l2.marker(epoch, bucket)
        for _ in range(FILL_ATTEMPTS_MAX):
            fills, wall_s = [], self._wall_s()
            for key, value, encoded in values:
                lives_ms = round((value.expires_at_s + self._stale_max_s - wall_s) * 1000)
                if may_fill(value.snapshot, marker) and lives_ms > 0:
                    body = packed(value, encoded, deflate_bytes_min=self._deflate_bytes_min)
                    fills.append(Fill(key, value.snapshot.xmin, body, lives_ms))
            if marker is None or not fills:
                break
            answer = await self._l2.fill(epoch, marker, bucket, fills, self._group_ms)
            if isinstance(answer, int):
                # Which ones a group has refused is not said; it is rare.
                for fill in fills[:answer]:
                    self._counts[fill.key.family].fills += 1
                values = values[answer:]
                break
            marker = answer
        for key, _, _ in values:
            self._counts[key.family].fills_refused += 1

    def _enqueue(self, filling: _Filling) -> None:
        if self._l2 is None or not (filling.values or filling.claimed):
            return
        try:
            self._fillings.put_nowait(filling)
        except asyncio.QueueFull:
            self._refused(filling)

    def _refused(self, filling: _Filling) -> None:
        for key, _, _ in filling.values:
            self._counts[key.family].fills_refused += 1

    def _decoded(self, key: Key, payload: Any) -> Any:
        return self._decoders[key.family].decode(payload)

    # PostgreSQL.

    async def _load(
        self, keys: list[Key], load: Load, land: _Land, *, from_primary: bool, is_claimed: bool = True
    ) -> None:
        """One load for all of them; lands them, keeps them, and leaves the rest to `run`."""
        tail = self._tail
        claimed = [key.name for key in keys] if is_claimed and self._asks_l2() else []
        values: list[tuple[Key, Value, bytes]] = []
        epoch, turn = tail.epoch, tail.turn
        try:
            if tail.is_away or not self._breaker.lets(self._now_s()):
                raise _away()
            async with self._load_turn():
                loaded_s, loaded_at_s = self._now_s(), self._wall_s()
                loaded = await self._loaded(keys, load, from_primary or not tail.holds(loaded_s))
            for family in {key.family for key in keys}:
                self._recompute_s[family] = early.smoothed_s(self._recompute_s.get(family), self._now_s() - loaded_s)
            along: dict[str, _Arrival] = {}
            asked = frozenset(key.name for key in keys)
            for key, payload in {**dict.fromkeys(keys), **loaded.payloads}.items():
                if key.name not in asked and self.holds(key):
                    continue  # the process answers it itself
                value = self._valued(key, payload, loaded.snapshot, loaded_at_s)
                if epoch and self._is_usable(key, value.snapshot, turn):
                    encoded = self._encoder.encode(payload)
                    self._keep(key, value, value.snapshot, len(encoded))
                    if payload is not None:
                        values.append((key, value, encoded))
                self._counts[key.family].loads += 1
                along[key.name] = _Arrival(value, value.snapshot, turn, loaded_s, loaded.from_primary)
            for key in keys:
                land(key.name, msgspec.structs.replace(along[key.name], along=along))
        finally:
            self._enqueue(_Filling(epoch, values, claimed))

    async def _loaded(self, keys: list[Key], load: Load, from_primary: bool) -> Loaded:
        try:
            async with asyncio.timeout(self._load_s):
                loaded = await load(keys, from_primary)
                if not loaded.is_exact:
                    loaded = await load(keys, True)
        except TimeoutError as error:
            self._breaker.failed(self._now_s())
            raise Problem(
                Code.UNAVAILABLE, "The database took too long to answer.", retry_after_s=RETRY_AFTER_S
            ) from error
        except Problem as problem:
            if problem.code is Code.UNAVAILABLE:
                self._breaker.failed(self._now_s())
            raise
        self._breaker.succeeded()
        return loaded

    @asynccontextmanager
    async def _load_turn(self) -> AsyncGenerator[None]:
        """One of `loads_max`; Problem `unavailable` when none is free in time."""
        try:
            async with asyncio.timeout(self._load_wait_s):
                await self._loads.acquire()
        except TimeoutError as error:
            raise Problem(
                Code.UNAVAILABLE, "The database has more to read than it can.", retry_after_s=RETRY_AFTER_S
            ) from error
        try:
            yield
        finally:
            self._loads.release()

    def _valued(self, key: Key, payload: Any, snapshot: Snapshot, loaded_at_s: float) -> Value:
        ttl_s = early.jittered_s(self.families[key.family].ttl_s, self._chance())
        return Value(payload, snapshot, loaded_at_s, loaded_at_s + ttl_s, self._recompute_s.get(key.family, 0.0))

    # When PostgreSQL is down.

    async def _land_stale(self, keys: list[Key], land: _Land, failure: Problem) -> None:
        """What is still there, and of which no change is known, though its lease or its TTL is over."""
        tail, now_s = self._tail, self._now_s()
        left = []
        for key in keys:
            entry = self._entry(key)
            if entry is not None and now_s < entry.stale_until_s and entry.is_usable(tail.floors):
                loaded_at_s = self._wall_s() - (now_s - entry.loaded_s)
                value = Value(entry.payload, entry.snapshot, loaded_at_s, 0.0, 0.0)
                land(key.name, _Arrival(value, entry.proven, tail.turn, failure=failure))
            else:
                left.append(key)
        if not left or self._l2 is None:
            return
        with suppress(L2Unavailable):
            for name, there in (await self._l2.read(tail.epoch, left, self._decoded)).items():
                arrived = proven(there.value.snapshot, there.marker, tail.floors.base)
                key = next(key for key in left if key.name == name)
                if arrived is not None and self._is_usable(key, arrived, tail.turn):
                    land(name, _Arrival(there.value, arrived, tail.turn, failure=failure))


def _away() -> Problem:
    return Problem(Code.UNAVAILABLE, "The database does not answer; try again.", retry_after_s=RETRY_AFTER_S)
