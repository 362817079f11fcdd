"""How often the cache has what is asked: hit rates of the reference workload, by family, for each TTL profile.

Three nodes with their own tables in process and one table between them in the place of Redis, unbounded; no PostgreSQL:
what is cached are bytes of the size that real units have, loaded at once. Keys, TTLs, floors, purges, early refreshes
and evictions are those of the real code. Its clock is made: a second of the workload takes as long as it takes. Hints
reach every node at once.

A hit is a key that was answered without PostgreSQL. Every miss has a cause: nobody had loaded it before (first), it was
changed since (purge), its time was over (expiry), or it had to make room (eviction). What the load of another key
brought along in the same request is a miss too, of the same cause.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar
from typing import Any, Final, Literal

import msgspec

from bench.cache.row import Row
from bench.cache.units import NOWHERE, vouch
from bench.workload import (
    EVENTS_PER_MONTH,
    MEMBERS,
    REFERENCE,
    ROOM_EVERY,
    Answer,
    Availability,
    Edit,
    FreeBusy,
    Month,
    One,
    Place,
    Request,
    World,
    attendees,
    day,
    members,
    organizer,
    requests,
    room,
)
from yotei.cache import early
from yotei.cache.floors import Purge
from yotei.cache.key import Family, Key, Loaded, Value
from yotei.cache.l1 import L1
from yotei.cache.l2 import HEAD_LENGTH, L2, PLAIN, XMIN_LENGTH, Fill, Stored, unpacked
from yotei.cache.levels import Cache
from yotei.cache.marker import Marker, Step
from yotei.cache.sweeper import Sweeper
from yotei.cache.tail import Tail
from yotei.settings import L1_ENTRIES, TTL_PROFILES, CacheSettings
from yotei.storage.change_log import Snapshot

Profile = Literal["long", "rfc-003"]
NODES: Final = 3
TICK_S: Final = 0.02
"""What arrives within it is asked at once."""
POLL_S: Final = 0.1
SWEEP_S: Final = 10.0
_HEAD: Final = b"0" * XMIN_LENGTH + b"-" * (HEAD_LENGTH - XMIN_LENGTH - len(PLAIN))
HIT_RATE_MIN: Final = {"long": 0.90, "rfc-003": 0.80}
CAUSES: Final = ("first", "purge", "expiry", "eviction")
_is_asked: ContextVar[bool] = ContextVar("is_asked", default=False)
"""False in a refresh before time, which answers nobody."""


class Size(msgspec.Struct, frozen=True):
    world: World = REFERENCE
    divided_by: int = 4
    """Of the world, of what is asked of it, and of the tables in process, only this part is played: what is asked how
    often, and what finds room, stays as it is but for the tail of Zipf's law, which is asked an eighth more often."""
    profiles: tuple[Profile, ...] = ("long", "rfc-003")
    warm_up_s: float = 300.0
    counted_s: float = 900.0
    starts_at_s: float = 1_200.0
    """After the full hour. Counted are so many seconds after the warm-up, with the half hour and its herd of writes."""
    seed: int = 1


TINY: Final = Size(world=World(50, 50, 10, 50.0), divided_by=1, profiles=("rfc-003",), warm_up_s=2.0, counted_s=4.0)

PAYLOAD_BYTES: Final = {
    "token": 150,
    "user_calendars": 500,
    "calendar_summary": 150,
    "calendar_events": 7_200,
    "event_full": 400,
    "event_attendees": 400,
    "user_profile": 150,
    "user_invitations": 200,
    "resource_profile": 200,
    "resource_availability": 200,
}


# What a request reads, in the steps in which it does.


def steps(request: Request, world: World) -> list[list[Key]]:
    viewer = request.viewer
    found = [[_key("token", f"token:{viewer}")]]
    match request:
        case Month(calendar=calendar, month=number):
            events = [Place(calendar, number, n) for n in range(EVENTS_PER_MONTH)]
            found.append([_calendars_of(viewer), _summary(calendar)])
            found.append([_month(calendar, number)])
            rooms = {held for one in events[:ROOM_EVERY] if (held := room(one, world)) is not None}
            found.append(
                [
                    *(_attendees(one) for one in events),
                    *(_profile(one) for one in members(calendar, world)),
                    *(_resource(one) for one in rooms),
                ]
            )
        case One(event=event):
            held = room(event, world)
            found.append([_full(event)])
            found.append([_calendars_of(viewer), _summary(event.calendar), _attendees(event)])
            found.append([_profile(one) for one in {organizer(event, world), *attendees(event, world)}])
            if held is not None:
                found.append([_resource(held)])
        case Availability(rooms=rooms, day=number):
            found.append([*(_resource(one) for one in rooms), *(_availability(one, number) for one in rooms)])
        case FreeBusy(people=people, month=number):
            found.append([*(_calendars_of(one) for one in people), *(_invitations(one, number) for one in people)])
            shared = {calendar for one in people for calendar in _shared(one, world)}
            found.append([_month(calendar, number) for calendar in sorted(shared)])
        case Answer() | Edit():
            pass  # what a write reads, it reads in its transaction
    return found


def purges(request: Request, world: World) -> list[str]:
    """The keys that a write makes other ones, as its rows in the change log would say."""
    if isinstance(request, Answer):
        return [_attendees(request.event).name]
    assert isinstance(request, Edit)
    event = request.event
    names = [_full(event).name, _month(event.calendar, event.month).name]
    held = room(event, world)
    if request.moves and held is not None:
        names += [_availability(held, day(event) + moved).name for moved in (0, 1)]
    return names


def _key(family: str, name: str, group: str = "") -> Key:
    return Key(name, family, group)


def _month(calendar: int, number: int) -> Key:
    return Key(f"calendar:{calendar}:events:{number}", "calendar_events", f"calendar:{calendar}:events:*")


def _summary(calendar: int) -> Key:
    return Key(f"calendar:{calendar}:summary", "calendar_summary")


def _calendars_of(person: int) -> Key:
    return Key(f"user:{person}:calendars", "user_calendars")


def _profile(person: int) -> Key:
    return Key(f"user:{person}:profile", "user_profile")


def _invitations(person: int, number: int) -> Key:
    return Key(f"user:{person}:invitations:{number}", "user_invitations", f"user:{person}:invitations:*")


def _full(event: Place) -> Key:
    return Key(f"event:{_id(event)}:full", "event_full")


def _attendees(event: Place) -> Key:
    return Key(f"event:{_id(event)}:attendees", "event_attendees")


def _resource(number: int) -> Key:
    return Key(f"resource:{number}:profile", "resource_profile")


def _availability(number: int, day_: int) -> Key:
    return Key(f"resource:{number}:availability:{day_}", "resource_availability", f"resource:{number}:availability:*")


def _id(event: Place) -> str:
    return f"{event.calendar}/{event.month}/{event.number}"


def _shared(person: int, world: World) -> list[int]:
    """The calendars that somebody is a member of."""
    return [(person - n) % world.calendars for n in range(MEMBERS)]


# The cluster.

_payloads: Final = {family: bytes(size) for family, size in PAYLOAD_BYTES.items()}


class Shared(L2):
    """What the nodes share: values by name, as long as they live, until they are purged. No program, no network."""

    def __init__(self, clock: "Clock") -> None:
        super().__init__(NOWHERE, now_s=clock)
        self._clock = clock
        self._values: dict[str, tuple[Value, int, float]] = {}
        self._groups: dict[str, set[str]] = {}
        self._lies: Marker | None = None

    async def read(self, epoch: str, keys: Sequence[Key], decode: Callable[[Key, Any], Any]) -> dict[str, Stored]:
        found = {}
        for key in keys:
            there = self._values.get(key.name)
            if there is not None and there[2] > self._clock.at_s:
                found[key.name] = Stored(there[0], there[1], self._lies)
        return found

    async def fill(
        self, epoch: str, marker: Marker, bucket: int, fills: Sequence[Fill], group_ms: int
    ) -> int | Marker | None:
        if marker != self._lies:
            return self._lies
        for fill in fills:
            value, encoded_bytes = unpacked(_HEAD + fill.packed, lambda payload: None)
            value = msgspec.structs.replace(
                value, payload=_payloads[fill.key.family], snapshot=Snapshot(fill.xmin, fill.xmin)
            )
            self._values[fill.key.name] = (value, encoded_bytes, self._clock.at_s + fill.lives_ms / 1_000)
            if fill.key.group:
                self._groups.setdefault(fill.key.group, set()).add(fill.key.name)
        return len(fills)

    async def marker(self, epoch: str, bucket: int) -> Marker | None:
        return self._lies

    async def lay(self, epoch: str, bucket: int, marker: Marker) -> bool:
        self._lies = self._lies or marker
        return self._lies is marker

    async def step(self, epoch: str, bucket: int, step: Step) -> bool:
        if self._lies != step.expected:
            return False
        await self.purge(epoch, step.purges)
        self._lies = step.moved
        return True

    async def purge(self, epoch: str, purges: Iterable[Purge]) -> int:
        gone = 0
        for name, xid in purges:
            for one in self._groups.get(name, (name,)):
                there = self._values.get(one)
                if there is not None and not there[0].snapshot.sees(xid):
                    del self._values[one]
                    gone += 1
        return gone

    async def claim(
        self, epoch: str, keys: Sequence[Key], token: str, ms: int, decode: Callable[[Key, Any], Any]
    ) -> tuple[set[str], dict[str, Stored]]:
        return {key.name for key in keys}, {}

    async def release(self, epoch: str, names: Sequence[str]) -> None:
        pass

    async def close(self) -> None:
        pass


class Clock:
    """Of the workload."""

    def __init__(self, at_s: float) -> None:
        self.at_s = at_s

    def __call__(self) -> float:
        return self.at_s


class Node:
    def __init__(self, config: CacheSettings, clock: Clock, shared: Shared, chance: random.Random) -> None:
        l1_ttl_s = TTL_PROFILES[config.ttl_profile]["l1"] if config.l1_ttl_s is None else config.l1_ttl_s
        families = [
            Family(
                name,
                bytes,
                ttl_s=config.ttl_s(name),
                l1_ttl_s=min(l1_ttl_s, config.ttl_s(name)),
                negative_ttl_s=config.negative_ttl_s,
            )
            for name in PAYLOAD_BYTES
        ]
        self.tail = Tail(
            NOWHERE,
            lambda change: (),
            window_s=config.floor_window_s,
            floors_max=config.floors_max,
            now_s=clock,
        )
        assert config.l1_entries_max is not None
        self.l1 = L1(entries_max=config.l1_entries_max, bytes_max=config.l1_bytes_max)
        self.sweeper = Sweeper(shared, self.tail, after_s=config.floor_window_s / 2, every_s=SWEEP_S, now_s=clock)
        self.cache = Cache(
            self.tail,
            families,
            l1=self.l1,
            l2=shared,
            stale_max_s=config.stale_max_s,
            now_s=clock,
            wall_s=clock,
            chance=chance.random,
        )
        self.filling = asyncio.create_task(self.cache.run())

    async def close(self) -> None:
        self.filling.cancel()
        await asyncio.gather(self.filling, return_exceptions=True)
        await self.cache.close()


class Cluster:
    """Nodes that learn of every change at once, and why they had to load what they loaded."""

    def __init__(self, config: CacheSettings, world: World, clock: Clock, seed: int) -> None:
        self._config = config
        self._world = world
        self._clock = clock
        self._chance = random.Random(seed)
        self._shared = Shared(clock)
        self.nodes = [Node(config, clock, self._shared, self._chance) for _ in range(NODES)]
        self._xid = 100
        self._loaded: dict[str, float] = {}
        self._purged: dict[str, float] = {}
        self.causes: Counter[tuple[str, str]] = Counter()
        self.answered = 0
        """Requests to read."""
        self.without_statement = 0

    @property
    def known(self) -> Snapshot:
        return Snapshot(self._xid + 1, self._xid + 1)

    async def tick(self, arrived: list[Request]) -> None:
        """All that arrived within one."""
        for request in arrived:
            if isinstance(request, Answer | Edit):
                await self._write(request)
        await asyncio.gather(*(self._read(one) for one in arrived))

    def poll(self) -> None:
        for node in self.nodes:
            vouch(node.tail, self.known, self._clock)

    async def sweep(self) -> None:
        await self.nodes[0].sweeper.turn()

    async def close(self) -> None:
        for node in self.nodes:
            await node.close()

    async def _read(self, request: Request) -> None:
        cache = self._chance.choice(self.nodes).cache
        reading = cache.reading()
        _is_asked.set(True)
        for keys in steps(request, self._world):
            await cache.get_many(reading, keys, self._load)
        if not isinstance(request, Answer | Edit):
            self.answered += 1
            self.without_statement += reading.loads == 0

    async def _write(self, request: Request) -> None:
        self._xid += 1
        names = purges(request, self._world)
        for name in names:
            self._purged[name] = self._clock.at_s
        for node in self.nodes:
            node.cache.apply(self._xid, names)
        await self._shared.purge(self.nodes[0].tail.epoch, [(name, self._xid) for name in names])

    async def _load(self, keys: Sequence[Key], from_primary: bool) -> Loaded:
        if _is_asked.get():
            self.causes.update((key.family, self._cause(key)) for key in keys)
        for key in keys:
            self._loaded[key.name] = self._clock.at_s
        return Loaded({key: _payloads[key.family] for key in keys}, self.known)

    def _cause(self, key: Key) -> str:
        loaded_s = self._loaded.get(key.name)
        if loaded_s is None:
            return "first"
        if self._purged.get(key.name, -1.0) >= loaded_s:
            return "purge"
        # A value lives for at least nine tenths of its TTL.
        lived_s = self._config.ttl_s(key.family) * (1 - early.TTL_JITTER)
        return "expiry" if self._clock.at_s - loaded_s >= lived_s else "eviction"


# The run.


class Tally(msgspec.Struct):
    """Of one family since the beginning, or within a while."""

    gets: int = 0
    hits_l1: int = 0
    hits_l2: int = 0

    def since(self, before: "Tally") -> "Tally":
        return Tally(self.gets - before.gets, self.hits_l1 - before.hits_l1, self.hits_l2 - before.hits_l2)

    @property
    def l1_rate(self) -> float:
        return self.hits_l1 / self.gets if self.gets else 0.0

    @property
    def rate(self) -> float:
        return (self.hits_l1 + self.hits_l2) / self.gets if self.gets else 0.0


async def run(size: Size) -> list[Row]:
    rows = []
    for profile in size.profiles:
        whole = CacheSettings(ttl_profile=profile)
        config = msgspec.structs.replace(
            whole,
            l1_entries_max=L1_ENTRIES[profile] // size.divided_by,
            l1_bytes_max=whole.l1_bytes_max // size.divided_by,
        )
        rows += await _play(config, _part(size.world, size.divided_by), size)
    return rows


def _part(world: World, divided_by: int) -> World:
    return World(
        world.calendars // divided_by,
        world.people // divided_by,
        world.rooms // divided_by,
        world.requests_per_s / divided_by,
    )


async def _play(config: CacheSettings, world: World, size: Size) -> list[Row]:
    clock = Clock(size.starts_at_s)
    cluster = Cluster(config, world, clock, size.seed)
    try:
        cluster.poll()
        await cluster.sweep()
        began_s = size.starts_at_s + size.warm_up_s
        await _until(cluster, clock, world, size.starts_at_s, began_s, size.seed)
        before, asked_before, without_before = _tallies(cluster), cluster.answered, cluster.without_statement
        cluster.causes.clear()
        await _until(cluster, clock, world, began_s, began_s + size.counted_s, size.seed + 1)
        asked = cluster.answered - asked_before
        tallies = {name: tally.since(before[name]) for name, tally in _tallies(cluster).items()}
        without = (cluster.without_statement - without_before) / asked
        return _rows(config.ttl_profile, cluster, tallies, asked, without)
    finally:
        await cluster.close()


async def _until(cluster: Cluster, clock: Clock, world: World, from_s: float, until_s: float, seed: int) -> None:
    arrived: list[Request] = []
    polled_s = swept_s = from_s
    for at_s, request in requests(world, seed, from_s=from_s, until_s=until_s):
        if at_s - clock.at_s >= TICK_S:
            await cluster.tick(arrived)
            arrived.clear()
            clock.at_s = at_s
            if at_s - polled_s >= POLL_S:
                polled_s = at_s
                cluster.poll()
            if at_s - swept_s >= SWEEP_S:
                swept_s = at_s
                await cluster.sweep()
        arrived.append(request)
    await cluster.tick(arrived)
    clock.at_s = until_s
    cluster.poll()


def _tallies(cluster: Cluster) -> dict[str, Tally]:
    tallies = {name: Tally() for name in PAYLOAD_BYTES}
    for node in cluster.nodes:
        for name, counts in node.cache.counts().items():
            tally = tallies[name]
            tally.gets += counts.gets
            tally.hits_l1 += counts.hits_l1
            tally.hits_l2 += counts.hits_l2
    return tallies


def _rows(profile: str, cluster: Cluster, tallies: dict[str, Tally], asked: int, without: float) -> list[Row]:
    whole = Tally(*(sum(getattr(one, field) for one in tallies.values()) for field in Tally.__struct_fields__))
    bound = HIT_RATE_MIN[profile]
    first = sum(cluster.causes[name, "first"] for name in tallies)
    repeated = (whole.hits_l1 + whole.hits_l2) / (whole.gets - first)
    rows = [
        Row(
            f"hit rate, {profile}: all keys",
            f"{whole.rate:.1%} ({whole.l1_rate:.1%} in process)",
            f"{repeated:.1%} of what was read before; {without:.1%} of {asked:,} requests without a statement",
            bar=f"> {bound:.0%}",
            is_met=whole.rate > bound,
            values={
                "profile": profile,
                "family": "",
                "rate": round(whole.rate, 4),
                "l1_rate": round(whole.l1_rate, 4),
                "rate_of_repeated": round(repeated, 4),
                "gets": whole.gets,
                "requests": asked,
                "requests_without_statement": round(without, 4),
                "l1_mb": [round(node.l1.bytes / 2**20) for node in cluster.nodes],
                "l1_entries": [len(node.l1.entries) for node in cluster.nodes],
            },
        )
    ]
    for name, tally in tallies.items():
        causes = {cause: cluster.causes[name, cause] / tally.gets if tally.gets else 0.0 for cause in CAUSES}
        told = ", ".join(f"{cause} {share:.1%}" for cause, share in causes.items() if share >= 0.0005)
        rows.append(
            Row(
                f"hit rate, {profile}: {name}",
                f"{tally.rate:.1%} ({tally.l1_rate:.1%} in process)",
                f"misses: {told}" if told else "",
                values={
                    "profile": profile,
                    "family": name,
                    "rate": round(tally.rate, 4),
                    "l1_rate": round(tally.l1_rate, 4),
                    "gets": tally.gets,
                    "misses": {cause: round(share, 4) for cause, share in causes.items()},
                },
            )
        )
    return rows
