"""How often the cache has what is asked: hit rates of the reference workload, by family, for each TTL profile.

Three nodes with their own tables in process and one table between them in the place of Redis, unbounded; no PostgreSQL:
what is cached are bytes of the size that real units have, loaded at once. Keys, TTLs, floors, purges, early refreshes
and evictions are those of the real code; what requests ask for, in which steps, and what a load brings along, is held
to the product by a test. Its clock is made: a second of the workload takes as long as it takes. Hints reach every node
at once, and requests are played one after the other. Answers that are sent again as they were sent are not played: each
request asks for all of its keys.

A hit is a key that was answered without PostgreSQL, a miss one that came by a statement of its request. Every miss has
a cause: nobody had loaded it before (first), it was changed since (purge), its time was over (expiry), it had not
been kept (lost), or Redis had it, the node had not, and it came along with what nobody had (along).

Counted is the first hour after five minutes of warm-up from an empty start, and beside it its first quarter: the
workload has a period of half an hour. By arithmetic 14.5 % of the lists in minutes 5 to 20 are of a month of a calendar
that nobody has asked for before, which no cache has, and 8.9 % of those in minutes 5 to 65.
"""

import asyncio
import math
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextvars import ContextVar
from functools import lru_cache, partial
from typing import Any, Final, Literal

import msgspec

from bench.cache.row import Row
from bench.cache.units import NOWHERE, vouch
from bench.workload import (
    EVENTS_PER_MONTH,
    GRAPHQL_SHARE,
    LIST_SHARE,
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
    Zipf,
    attendees,
    chances_of_months,
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
POLL_S: Final = 0.1
SWEEP_S: Final = 10.0
TURNS: Final = 3
"""Of the event loop, in which what a request has begun, a fill or a refresh before time, comes to its end."""
MONTHS_KEPT: Final = 10_000
"""Months of which the names of the keys are made once."""
_HEAD: Final = b"0" * XMIN_LENGTH + b"-" * (HEAD_LENGTH - XMIN_LENGTH - len(PLAIN))
HIT_RATE_MIN: Final = {"long": 0.90, "rfc-003": 0.80}
CAUSES: Final = ("first", "purge", "expiry", "lost", "along")
_is_asked: ContextVar[bool] = ContextVar("is_asked", default=False)
"""False in a refresh before time, which answers nobody."""


class Size(msgspec.Struct, frozen=True):
    world: World = REFERENCE
    divided_by: int = 20
    """Of the world, of what is asked of it, and of the tables in process, only this part is played (`World.part`).
    First reads of lists are as many as in the whole world to a tenth of a percent (`first_reads`, printed beside those
    counted). Of the keys in minutes 1 to 3 a fifth of the world has 69.6 %, a twentieth 69.2 %, a fortieth 69.1 %."""
    profiles: tuple[Profile, ...] = ("long", "rfc-003")
    warm_up_s: float = 300.0
    counted_s: tuple[float, ...] = (900.0, 3_600.0)
    """After the warm-up, each from there on; the bar applies to the last."""
    starts_at_s: float = 1_200.0
    """After the full hour."""
    seed: int = 1


TINY: Final = Size(world=World(50, 50, 10, 50.0), divided_by=1, profiles=("rfc-003",), warm_up_s=2.0, counted_s=(4.0,))

PAYLOAD_BYTES: Final = {
    "token": 150,
    "user_calendars": 500,
    "calendar_summary": 150,
    "calendar_events": 7_200,
    "event_full": 400,
    "event_attendees": 400,
    "user_profile": 150,
    "resource_profile": 200,
    "resource_availability": 200,
}


# What a request reads, in the steps in which it does.


def steps(request: Request, world: World) -> list[list[Key]]:
    """For a write only those of the token: what it reads besides, it reads in its transaction. Free/busy is one
    statement. Months and days are those of UTC."""
    viewer = request.viewer
    found = [[_token(viewer)], [_profile(viewer)]]
    match request:
        case Month(calendar=calendar, month=number):
            found.append([_calendars_of(viewer), _summary(calendar), _month(calendar, number)])
            found.append([*_shown_of_month(calendar, number, world)])
            if request.is_graphql:
                found[-1].append(_summary(calendar))
        case One(event=event):
            found.append([_calendars_of(viewer), _full(event), _attendees(event)])
            found.append([_summary(event.calendar)])
            found.append([*_shown_of_event(event, world)])
        case Availability(rooms=rooms, day=number):
            found.append([_availability(one, number) for one in rooms])
            found.append([_resource(one) for one in rooms])
        case FreeBusy() | Answer() | Edit():
            pass
    return found


def along(keys: Iterable[Key], world: World, cache: Cache, is_changed: Callable[[Key, Key], bool]) -> Iterator[Key]:
    """What the statement that loads them brings besides: of what is shown with them not what the node has, of the
    events of a month that it has had those that were changed since."""
    spared = {one for key in keys for one in _expected(key, world, cache) if cache.holds(one)}
    for key in keys:
        yield from _named(key, world)
        yield from (one for one in _shown(key, world) if one not in spared)
        if key.family == "calendar_events":
            has_had = cache.last(key) is not None
            yield from (one for one in _events(key) if not has_had or is_changed(one, key))


def _expected(key: Key, world: World, cache: Cache) -> Iterable[Key]:
    """What will be shown with a key as far as it can be told before it is read: from what it was before, or from who is
    invited to an event."""
    if cache.last(key) is not None:
        return _shown(key, world)
    if key.family == "event_full" and cache.holds(invited := _attendees(_place(key.name.split(":")[1]))):
        return (invited, *_shown(invited, world))
    return ()


def _named(key: Key, world: World) -> Iterator[Key]:
    """What is small and comes along in any case."""
    _, of, *_ = key.name.split(":")
    match key.family:
        case "token":
            yield _profile(int(of))
        case "user_calendars":
            yield from map(_summary, _shared(int(of), world))
        case "calendar_events":
            yield _summary(int(of))
        case "event_full":
            yield _summary(_place(of).calendar)
        case "resource_availability":
            yield _resource(int(of))


def _shown(key: Key, world: World) -> Iterable[Key]:
    """What is shown with an event or a month."""
    _, of, *rest = key.name.split(":")
    match key.family:
        case "calendar_events":
            return _shown_of_month(int(of), int(rest[-1]), world)
        case "event_full":
            return _shown_of_event(_place(of), world)
        case "event_attendees":
            return map(_profile, attendees(_place(of), world))
    return ()


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


def _events(month: Key) -> Iterator[Key]:
    _, calendar, _, number = month.name.split(":")
    return map(_full, _places(int(calendar), int(number)))


def _places(calendar: int, number: int) -> list[Place]:
    return [Place(calendar, number, n) for n in range(EVENTS_PER_MONTH)]


@lru_cache(MONTHS_KEPT)
def _shown_of_month(calendar: int, number: int, world: World) -> tuple[Key, ...]:
    """Who is invited, people, and rooms, of all of its events."""
    events = _places(calendar, number)
    rooms = dict.fromkeys(held for one in events[:ROOM_EVERY] for held in _rooms(one, world))
    return (*map(_attendees, events), *map(_profile, members(calendar, world)), *map(_resource, rooms))


def _shown_of_event(event: Place, world: World) -> tuple[Key, ...]:
    people = dict.fromkeys((organizer(event, world), *attendees(event, world)))
    return (_attendees(event), *map(_profile, people), *map(_resource, _rooms(event, world)))


def _rooms(event: Place, world: World) -> list[int]:
    held = room(event, world)
    return [] if held is None else [held]


def _token(person: int) -> Key:
    return Key(f"token:{person}", "token")


def _month(calendar: int, number: int) -> Key:
    return Key(f"calendar:{calendar}:events:{number}", "calendar_events", f"calendar:{calendar}:events:*")


def _summary(calendar: int) -> Key:
    return Key(f"calendar:{calendar}:summary", "calendar_summary")


def _calendars_of(person: int) -> Key:
    return Key(f"user:{person}:calendars", "user_calendars")


def _profile(person: int) -> Key:
    return Key(f"user:{person}:profile", "user_profile")


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


def _place(id_: str) -> Place:
    return Place(*map(int, id_.split("/")))


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
    """Nodes that learn of every change at once, and why they had to load what they loaded.

    `counted` is by family and what: `asked`, `in process`, or the cause of a miss; of no family are `requests` that
    read, those of them `without a statement`, and `statements` that any of them, and the tokens of writes, have sent.
    """

    def __init__(self, config: CacheSettings, world: World, clock: Clock, seed: int, nodes: int = NODES) -> None:
        self._config = config
        self._world = world
        self._clock = clock
        self._chance = random.Random(seed)
        self._shared = Shared(clock)
        self.nodes = [Node(config, clock, self._shared, self._chance) for _ in range(nodes)]
        self._xid = 100
        self._loaded: dict[str, float] = {}
        self._purged: dict[str, float] = {}
        self._causes: dict[str, str] = {}
        """Of what the statements of a request have asked for in this step, by name."""
        self._brought: dict[str, str] = {}
        """And of all that they brought."""
        self._counted: Counter[tuple[str, str]] = Counter()

    @property
    def counted(self) -> Counter[tuple[str, str]]:
        found = self._counted.copy()
        for node in self.nodes:
            found.update({(name, "in process"): counts.hits_l1 for name, counts in node.cache.counts().items()})
        return found

    @property
    def known(self) -> Snapshot:
        return Snapshot(self._xid + 1, self._xid + 1)

    async def play(self, request: Request) -> None:
        if isinstance(request, Answer | Edit):
            await self._write(request)
        await self._read(request)
        for _ in range(TURNS):
            await asyncio.sleep(0)

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
        self._brought = {}
        for keys in steps(request, self._world):
            before, self._causes = self._brought.copy(), {}
            await cache.get_many(reading, keys, partial(self._load, cache))
            for key in keys:
                self._counted[key.family, "asked"] += 1
                cause = before.get(key.name) or self._causes.get(key.name)
                if cause is not None:
                    self._counted[key.family, cause] += 1
        self._counted["", "statements"] += isinstance(request, FreeBusy)
        if not isinstance(request, Answer | Edit):
            self._counted["", "requests"] += 1
            self._counted["", "without a statement"] += reading.loads == 0 and not isinstance(request, FreeBusy)

    async def _write(self, request: Request) -> None:
        self._xid += 1
        names = purges(request, self._world)
        for name in names:
            self._purged[name] = self._clock.at_s
        for node in self.nodes:
            node.cache.apply(self._xid, names)
        await self._shared.purge(self.nodes[0].tail.epoch, [(name, self._xid) for name in names])

    async def _load(self, cache: Cache, keys: Sequence[Key], from_primary: bool) -> Loaded:
        brought = dict.fromkeys((*keys, *along(keys, self._world, cache, self._is_changed)))
        if _is_asked.get():
            self._counted["", "statements"] += 1
            causes = {key.name: self._cause(key) for key in brought}
            self._causes.update((key.name, causes[key.name] or "lost") for key in keys)
            self._brought.update((key.name, causes[key.name] or "along") for key in brought if not cache.holds(key))
        for key in brought:
            self._loaded[key.name] = self._clock.at_s
        return Loaded({key: _payloads[key.family] for key in brought}, self.known)

    def _is_changed(self, key: Key, month: Key) -> bool:
        """Since its month was loaded the last time."""
        return self._purged.get(key.name, -1.0) >= self._loaded.get(month.name, -1.0)

    def _cause(self, key: Key) -> str | None:
        """Why it is not there; None where it should be."""
        loaded_s = self._loaded.get(key.name)
        if loaded_s is None:
            return "first"
        if self._purged.get(key.name, -1.0) >= loaded_s:
            return "purge"
        # A value lives for at least nine tenths of its TTL.
        lived_s = self._config.ttl_s(key.family) * (1 - early.TTL_JITTER)
        return "expiry" if self._clock.at_s - loaded_s >= lived_s else None


# The run.


async def run(size: Size) -> list[Row]:
    rows = []
    for profile in size.profiles:
        whole = CacheSettings(ttl_profile=profile)
        config = msgspec.structs.replace(
            whole,
            l1_entries_max=L1_ENTRIES[profile] // size.divided_by,
            l1_bytes_max=whole.l1_bytes_max // size.divided_by,
        )
        rows += await _play(config, size)
    return rows


async def _play(config: CacheSettings, size: Size) -> list[Row]:
    clock, world = Clock(size.starts_at_s), size.world.part(size.divided_by)
    cluster = Cluster(config, world, clock, size.seed)
    began_s = size.starts_at_s + size.warm_up_s
    marks = [began_s, *(began_s + counted_s for counted_s in size.counted_s)]
    counted: list[Counter[tuple[str, str]]] = []
    polled_s = swept_s = -math.inf
    try:
        for at_s, request in requests(world, size.seed, from_s=size.starts_at_s, until_s=marks[-1]):
            while at_s >= marks[len(counted)]:
                counted.append(cluster.counted)
            clock.at_s = at_s
            if at_s - polled_s >= POLL_S:
                polled_s = at_s
                cluster.poll()
            if at_s - swept_s >= SWEEP_S:
                swept_s = at_s
                await cluster.sweep()
            await cluster.play(request)
        counted.append(cluster.counted)
    finally:
        await cluster.close()
    rows = []
    for counted_s, upto in zip(size.counted_s, counted[1:], strict=True):
        rows += _rows(config.ttl_profile, Tally(upto - counted[0]), counted_s, size)
    return rows


class Tally:
    """What `Cluster.counted` has come to in a while."""

    def __init__(self, counted: Counter[tuple[str, str]]) -> None:
        self._counted = counted
        self.requests = counted["", "requests"]
        self.without_statement = counted["", "without a statement"] / self.requests
        self.families = {family: _Family(counted, (family,)) for family in PAYLOAD_BYTES}
        self.whole = _Family(counted, tuple(PAYLOAD_BYTES))


class _Family:
    """Parts of what was asked for of some families."""

    def __init__(self, counted: Counter[tuple[str, str]], families: tuple[str, ...]) -> None:
        found = {what: sum(counted[one, what] for one in families) for what in ("asked", "in process", *CAUSES)}
        self.asked = found["asked"]
        self.in_process = found["in process"] / self.asked if self.asked else 0.0
        self.misses = {cause: found[cause] / self.asked if self.asked else 0.0 for cause in CAUSES}
        self.rate = 1 - sum(self.misses.values()) if self.asked else 0.0

    @property
    def rate_of_repeated(self) -> float:
        """Of what was asked for before."""
        return self.rate / (1 - self.misses["first"])

    def __str__(self) -> str:
        return f"{self.rate:.1%} ({self.in_process:.1%} in process)"

    @property
    def told_misses(self) -> str:
        return ", ".join(f"{cause} {share:.1%}" for cause, share in self.misses.items() if share >= 0.0005)

    @property
    def values(self) -> dict[str, object]:
        return {
            "rate": round(self.rate, 4),
            "l1_rate": round(self.in_process, 4),
            "gets": self.asked,
            "misses": {cause: round(share, 4) for cause, share in self.misses.items()},
        }


def first_reads(world: World, from_s: float, until_s: float) -> float:
    """Of the lists that are asked for between two times after an empty start, the part that is of a month of a calendar
    that nobody has asked for before: the sum of exp(-rate * from) - exp(-rate * until) over these months, by the number
    of lists."""
    lists_per_s = world.requests_per_s * (LIST_SHARE + GRAPHQL_SHARE)
    months = Counter(chances_of_months().values())
    found = 0.0
    for chance in Zipf(world.calendars, world.stands_for).chances:
        for month_chance, count in months.items():
            rate_per_s = lists_per_s * chance * month_chance
            found += count * (math.exp(-rate_per_s * from_s) - math.exp(-rate_per_s * until_s))
    return found / (lists_per_s * (until_s - from_s))


def _rows(profile: str, tally: Tally, counted_s: float, size: Size) -> list[Row]:
    """All keys together and, where the bar applies, each family."""
    since_s, until_s = size.warm_up_s, size.warm_up_s + counted_s
    is_whole, bound, whole = counted_s == size.counted_s[-1], HIT_RATE_MIN[profile], tally.whole
    there = whole.rate + whole.misses["along"]
    counted = tally.families["calendar_events"].misses["first"]
    expected = first_reads(size.world, since_s, until_s)
    of_part = first_reads(size.world.part(size.divided_by), since_s, until_s)
    span = f"minutes {since_s / 60:.0f} to {until_s / 60:.0f}"
    values = {"profile": profile, "from_s": since_s, "until_s": until_s}
    rows = [
        Row(
            f"hit rate, {profile}, {span}: all keys",
            str(whole),
            f"misses: {whole.told_misses}; {whole.rate_of_repeated:.1%} of what was read before; {there:.1%} with what "
            f"came along; {tally.without_statement:.1%} of {tally.requests:,} requests without a statement",
            bar=f"> {bound:.0%}" if is_whole else "",
            is_met=whole.rate > bound if is_whole else None,
            values={
                **values,
                **whole.values,
                "family": "",
                "rate_of_repeated": round(whole.rate_of_repeated, 4),
                "rate_with_along": round(there, 4),
                "requests": tally.requests,
                "requests_without_statement": round(tally.without_statement, 4),
            },
        ),
        Row(
            f"first reads of lists, {profile}, {span}",
            f"{counted:.1%}",
            f"by arithmetic {of_part:.1%}, of the undivided world {expected:.1%}",
            values={
                **values,
                "counted": round(counted, 4),
                "expected": round(of_part, 4),
                "expected_undivided": round(expected, 4),
            },
        ),
    ]
    for family, found in tally.families.items() if is_whole else ():
        rows.append(
            Row(
                f"hit rate, {profile}, {span}: {family}",
                str(found),
                f"misses: {found.told_misses}" if found.told_misses else "",
                values={**values, **found.values, "family": family},
            )
        )
    return rows
