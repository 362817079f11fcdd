"""`make cache-model`: the rules of `yotei.cache` in every world of a small scope.

A world is PostgreSQL with transactions that begin and commit, nodes with floors, a lease and a value in process, a
Redis with a marker, a Redis replica that lags, and a client with a token. The rules are the functions and classes that
the product uses, taken from a `Rules`; modelled is only what surrounds them. One key, time in ticks. Whatever can
happen next is tried. In every world reached, whatever a node would serve now must

- hold every change that was committed a lease ago or earlier,
- hold all that the client was shown or wrote before, when it comes with its token,
- hold nothing that a fail-over of PostgreSQL took back longer than a lease ago.

What is in flight is not part of a world, but more than that: a load, from the primary or from a replica, may bring what
was there at *any* moment since the beginning, so any number of loads is in flight, however late, and the replica lags
as it likes. So may a fill, and a poll whose answer comes late; a poll that fails, a lost hint, a node that pauses are
those that do not happen. Only who began a load from the primary is not looked at here: he gets what was read after
he had asked.

Times are relative, so the scopes are not bounded in time. Nodes meet only in Redis and in the client, so there are
several scopes instead of one product.
"""

import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from yotei.cache import coherence, marker
from yotei.cache.floors import Age, Floors
from yotei.cache.lease import Lease
from yotei.cache.marker import Marker, Step
from yotei.cache.token import Token
from yotei.storage.change_log import Snapshot

KEY: Final = "key"
FIRST_XID: Final = 10
LEASE: Final = 2
WINDOW: Final = 2
FLOORS_MAX: Final = 2
STATES_MAX: Final = 20_000_000
KNOWN_MAX: Final = 200_000

Content = frozenset[int]
"""The changes that a value holds, each by its own number (transaction ids are given out twice after a fail-over)."""


class Rules(NamedTuple):
    """What the product does; a mutant replaces one."""

    floors: type[Floors] = Floors
    taken: Callable[..., Snapshot] = coherence.taken
    acceptable: Callable[..., bool] = coherence.acceptable
    continues: Callable[[str, str], bool] = coherence.continues
    may_fill: Callable[[Snapshot, Marker | None], bool] = marker.may_fill
    proven: Callable[[Snapshot, Marker | None, Snapshot], Snapshot | None] = marker.proven
    steps: Callable[..., Iterator[Step]] = marker.steps
    is_met: Callable[[Token, str, Snapshot], bool] = Token.is_met
    holds: Callable[[Lease, float], bool] = Lease.holds
    lease_from: Callable[[int, int], int] = lambda started, ended: started
    unread: Callable[[Snapshot, Snapshot, int], bool] = lambda since, now, xid: not since.sees(xid) and now.sees(xid)
    purges_with_the_move: bool = True


class Scope(NamedTuple):
    """How much there is of everything."""

    name: str
    nodes: int = 1
    changes: int = 3
    open_writers: int = 1
    hints: bool = False
    replica: bool = False
    client: bool = False
    redis: bool = False
    redis_replica: bool = False
    fail_over: bool = False


class Moment(NamedTuple):
    """What PostgreSQL held from `at` until the next moment."""

    epoch: int
    content: Content
    snapshot: Snapshot
    xid: int
    """The transaction that made it, 0 for the first moment of an epoch."""
    at: int


class Cached(NamedTuple):
    """A value: what it holds, the snapshot it was read under, and up to which it is known to be complete."""

    content: Content
    snapshot: Snapshot
    proven: Snapshot


class Node(NamedTuple):
    epoch: int
    floors: Floors
    lease: Lease
    l1: Cached | None = None
    step: Step | None = None
    """Half done; only of a mutant, a step is in one piece."""


class Redis(NamedTuple):
    cached: Cached | None = None
    marker: Marker | None = None


class World(NamedTuple):
    now: int
    next_xid: int
    commits: int
    open: tuple[int, ...]
    moments: tuple[Moment, ...]
    lost: tuple[tuple[int, int], ...]
    nodes: tuple[Node, ...]
    redis: tuple[Redis, ...]
    redis_replica: tuple[Redis, ...]
    token: Token | None
    must: Content


class Violation(Exception):
    """A world in which a rule is broken, with the way that led there."""


def explore(scope: Scope, rules: Rules | None = None, *, states_max: int = STATES_MAX) -> int:
    """Every reachable world of the scope; how many there are. Raises `Violation`."""
    model = Model(scope, rules or Rules())
    start = model.start()
    origin: dict[int, tuple[int, str]] = {}
    seen = {model.identity(start): 0}
    waiting = deque([(0, start)])
    while waiting:
        here, world = waiting.popleft()
        for label, after in model.after(world):
            identity = model.identity(after)
            if identity in seen:
                continue
            there = seen[identity] = len(seen)
            assert there < states_max, f"{scope.name} has more than {states_max} states"
            origin[there] = (here, label)
            problem = model.problem(after)
            if problem:
                raise Violation(f"{scope.name}: {problem}\n" + "\n".join(_way(origin, there)))
            waiting.append((there, after))
    return len(seen)


def _way(origin: dict[int, tuple[int, str]], there: int) -> list[str]:
    labels = []
    while there in origin:
        there, label = origin[there]
        labels.append(f"  {label}")
    return labels[::-1]


class Model:
    """What can happen next, and what must not have happened."""

    def __init__(self, scope: Scope, rules: Rules) -> None:
        self.scope = scope
        self.rules = rules
        self._numbers: dict[Any, int] = {}
        self._known: dict[int, tuple[Node, int, int]] = {}

    def start(self) -> World:
        empty = Snapshot(FIRST_XID, FIRST_XID)
        return World(
            now=0,
            next_xid=FIRST_XID,
            commits=0,
            open=(),
            moments=(Moment(0, frozenset(), empty, 0, 0),),
            lost=(),
            nodes=tuple(Node(0, self._floors(empty, 0), Lease(LEASE, 0)) for _ in range(self.scope.nodes)),
            redis=(Redis(),),
            redis_replica=(Redis(),),
            token=Token("0", empty) if self.scope.client else None,
            must=frozenset(),
        )

    def _floors(self, known: Snapshot, now: int) -> Floors:
        return self.rules.floors(known, now_s=now, names_max=FLOORS_MAX, window_s=WINDOW)

    # What is served, and what must be in it.

    def problem(self, world: World) -> str | None:
        due = _due(world)
        undone = frozenset(change for change, at in world.lost if world.now - at >= LEASE)
        for number, node in enumerate(world.nodes):
            must = world.must if self._is_met(world, node) else frozenset()
            for said, cached in self._served(world, node):
                if not due <= cached.content:
                    return f"node {number} serves {said} without change {set(due - cached.content)} of a lease ago"
                if undone & cached.content:
                    return f"node {number} serves {said} with change {set(undone & cached.content)}, taken back"
                if not must <= cached.content:
                    return f"node {number} serves {said} without {set(must - cached.content)}, seen by the client"
        return None

    def _served(self, world: World, node: Node) -> Iterator[tuple[str, Cached]]:
        """To somebody who asks now, or joins a flight before its answer is given out."""
        holds = self.rules.holds(node.lease, world.now)
        if node.l1 is not None and holds and node.floors.usable(node.l1.proven, KEY):
            yield "its value", node.l1
        for said, cached, from_primary in self._brought(world, node):
            if self.rules.acceptable(
                is_usable=node.floors.usable(cached.proven, KEY),
                holds_lease=holds,
                asked_s=1,
                loaded_s=0,
                from_primary=from_primary,
            ):
                yield said, cached

    def _brought(self, world: World, node: Node) -> Iterator[tuple[str, Cached, bool]]:
        """What a flight of this node may bring now, by itself or out of Redis."""
        for moment in world.moments:
            if moment.epoch < node.epoch:
                continue  # begun before the node saw a new epoch: thrown away
            snapshot = self.rules.taken(moment.snapshot, on_standby=False)
            yield "a load", Cached(moment.content, snapshot, snapshot), True
            if self.scope.replica:
                # A hot standby leaves the list of running transactions empty.
                said = Snapshot(moment.snapshot.xmin, moment.snapshot.xmax)
                snapshot = self.rules.taken(said, on_standby=True)
                yield "a load from a replica", Cached(moment.content, snapshot, snapshot), False
        part = self._part(node.epoch)
        if self.scope.redis and part < len(world.redis):
            cached, marker = world.redis[part]
            if cached is not None:
                proven = self.rules.proven(cached.snapshot, marker, node.floors.base)
                if proven is not None:
                    yield "what Redis has", cached._replace(proven=proven), False

    def _is_met(self, world: World, node: Node) -> bool:
        """Whether the client is answered here now; where it is not, the node polls first."""
        if world.token is None:
            return False
        if self.rules.continues(world.token.epoch, str(node.epoch)):
            return self.rules.is_met(world.token, str(node.epoch), node.floors.known)
        # A token of a history that is over: whoever has just looked what the epoch is has read what there is.
        return node.epoch == world.moments[-1].epoch and node.lease.since_s == world.now

    def _part(self, epoch: int) -> int:
        """Which part of Redis a node sees: its epoch is in the names of keys."""
        return 0 if self.rules.continues(str(epoch), "0") else 1

    # What can happen.

    def after(self, world: World) -> Iterator[tuple[str, World]]:
        yield "a tick", world._replace(now=world.now + 1)
        yield from self._postgres(world)
        if self.scope.redis:
            yield from self._redis(world)
        for number, node in enumerate(world.nodes):
            before, behind = world.nodes[:number], world.nodes[number + 1 :]
            for label, after, changed in self._node(world, node):
                yield f"node {number} {label}", changed._replace(nodes=(*before, after, *behind))

    def _postgres(self, world: World) -> Iterator[tuple[str, World]]:
        if world.commits + len(world.open) < self.scope.changes:
            begun = world._replace(next_xid=world.next_xid + 1)
            if len(world.open) < self.scope.open_writers:
                yield f"{world.next_xid} begins", begun._replace(open=(*world.open, world.next_xid))
            yield f"{world.next_xid} commits at once", self._commit(begun, world.next_xid)
        for xid in world.open:
            done = world._replace(open=tuple(other for other in world.open if other != xid))
            yield f"{xid} commits", self._commit(done, xid)
        if self.scope.fail_over and not world.lost and len(world.moments) > 1:
            yield "PostgreSQL fails over and loses the last change", self._fail_over(world)

    def _commit(self, world: World, xid: int) -> World:
        change, last = world.commits, world.moments[-1]
        # PostgreSQL's snapshot ends after the last transaction that is over.
        xmax = max(last.snapshot.xmax, xid + 1)
        running = tuple(other for other in world.open if other < xmax)
        snapshot = Snapshot(running[0] if running else xmax, xmax, running)
        moment = Moment(last.epoch, last.content | {change}, snapshot, xid, world.now)
        world = world._replace(commits=change + 1, moments=(*world.moments, moment))
        if world.token is None or change > 0:
            return world
        # The first change is the client's own; its answer shows nothing else.
        own = world.token.after(str(last.epoch), world.token.seen, xid)
        return world._replace(token=own, must=world.must | {change})

    def _fail_over(self, world: World) -> World:
        kept, gone = world.moments[-2:]
        (lost,) = gone.content - kept.content
        # Nobody is left who was running.
        snapshot = Snapshot(kept.snapshot.xmax, kept.snapshot.xmax)
        return world._replace(
            next_xid=kept.snapshot.xmax,
            open=(),
            moments=(*world.moments, Moment(1, kept.content, snapshot, 0, world.now)),
            lost=((lost, world.now),),
            must=world.must - {lost},
            redis=(*world.redis, Redis()),
            redis_replica=(*world.redis_replica, Redis()),
        )

    def _redis(self, world: World) -> Iterator[tuple[str, World]]:
        part = len(world.redis) - 1
        cached, marker = world.redis[part]
        if cached is not None:
            yield "Redis evicts the value", _put(world, part, Redis(None, marker))
        if marker is not None:
            yield "Redis evicts the marker", _put(world, part, Redis(cached, None))
            yield "Redis restarts empty", _put(world, part, Redis())
        for part, (_, marker) in enumerate(world.redis):
            for moment in world.moments:
                # By a node of that epoch, which may have loaded it long ago; compared and set in one step.
                if self._part(moment.epoch) >= part and self.rules.may_fill(moment.snapshot, marker):
                    filled = Cached(moment.content, moment.snapshot, moment.snapshot)
                    yield f"a fill of {set(moment.content)} comes in", _put(world, part, Redis(filled, marker))
        if self.scope.redis_replica and world.redis != world.redis_replica:
            yield "Redis replicates", world._replace(redis_replica=world.redis)
            yield "Redis fails over to its replica", world._replace(redis=world.redis_replica)

    def _node(self, world: World, node: Node) -> Iterator[tuple[str, Node, World]]:
        yield from self._polling(world, node)
        yield from self._serving(world, node)
        if self.scope.redis and self._part(node.epoch) < len(world.redis):
            yield from self._sweeping(world, node)
        if self.scope.hints:
            for moment in world.moments:
                if moment.epoch == node.epoch and moment.xid and moment.xid not in node.floors.of(KEY):
                    floors = copied(node.floors)
                    floors.raise_to(moment.xid, [KEY])
                    yield f"gets a hint of {moment.xid}", node._replace(floors=floors), world

    def _polling(self, world: World, node: Node) -> Iterator[tuple[str, Node, World]]:
        """The answer of a poll comes in: of one that began so many ticks ago, and saw what there was since."""
        for number, moment in enumerate(world.moments):
            after = self._polled(world, node, number)
            if after is None:
                continue
            next_at = world.moments[number + 1].at if number + 1 < len(world.moments) else world.now
            for ago in range(LEASE + 1):
                if ago == LEASE or next_at >= world.now - ago:
                    lease = after.lease.renewed(self.rules.lease_from(world.now - ago, world.now))
                    yield f"has polled, {ago} ticks ago, up to {moment.snapshot}", after._replace(lease=lease), world

    def _polled(self, world: World, node: Node, number: int) -> Node | None:
        """The node that knows of that moment; None where it cannot come in any more."""
        moment, known = world.moments[number], node.floors.known
        if moment.epoch < node.epoch:
            return None
        if not self.rules.continues(str(node.epoch), str(moment.epoch)):
            return Node(moment.epoch, self._floors(moment.snapshot, world.now), Lease(LEASE))
        # Polls of a node come one after the other.
        if moment.epoch == node.epoch and not coherence.covers(moment.snapshot, known):
            return None
        floors = copied(node.floors)
        for other in world.moments[: number + 1]:
            is_there = other.epoch == moment.epoch or other.content <= moment.content
            if other.xid and is_there and self.rules.unread(known, moment.snapshot, other.xid):
                floors.raise_to(other.xid, [KEY])
        floors.advance(moment.snapshot, world.now)
        return node._replace(floors=floors)

    def _serving(self, world: World, node: Node) -> Iterator[tuple[str, Node, World]]:
        """What is looked at and found usable is known to be complete as far as the floors go."""
        is_met = self._is_met(world, node)
        kept = [("its value", node.l1)] if node.l1 is not None else []
        for said, cached in (*kept, *((said, cached) for said, cached, _ in self._brought(world, node))):
            if node.floors.usable(cached.proven, KEY):
                vouched = cached._replace(proven=node.floors.vouched(cached.proven))
                if vouched != node.l1:
                    yield f"keeps {said}, {set(cached.content)}", node._replace(l1=vouched), world
        if is_met and world.token is not None:
            for said, cached in self._served(world, node):
                shown = world._replace(
                    token=world.token.after(str(node.epoch), cached.snapshot),
                    must=world.must | (cached.content & world.moments[-1].content),
                )
                yield f"shows the client {said}", node, shown

    def _sweeping(self, world: World, node: Node) -> Iterator[tuple[str, Node, World]]:
        """At any age of the floors, so no step that was planned before and comes late does anything else."""
        part = self._part(node.epoch)
        cached, marker = world.redis[part]
        nonce = "b" if marker is not None and marker.nonce == "a" else "a"
        if marker is None:
            yield "lays a marker", node, _put(world, part, Redis(cached, Marker.laid(node.floors.known, nonce)))
            return
        step = node.step
        if step is not None:
            yield "loses its step", node._replace(step=None), world
            if step.expected == marker:
                yield "moves the marker", node._replace(step=None), _put(world, part, Redis(cached, step.moved))
            return
        for ago in range(WINDOW + 1):
            step = next(self.rules.steps(marker, node.floors, ended_before_s=world.now - ago, nonce=nonce), None)
            if step is None:
                continue
            left = cached
            if cached is not None and any(xid >= cached.snapshot.xmin for _, xid in step.purges):
                left = None
            if self.rules.purges_with_the_move:
                yield f"sweeps up to {step.moved.purged}", node, _put(world, part, Redis(left, step.moved))
            else:
                yield "purges", node._replace(step=step), _put(world, part, Redis(left, marker))

    # Worlds that differ in nothing that matters are one.

    def identity(self, world: World) -> tuple[int, ...]:
        now = world.now
        outside = (
            world.next_xid,
            world.commits,
            world.open,
            tuple((*moment[:4], min(now - moment.at, LEASE)) for moment in world.moments),
            tuple((change, min(now - at, LEASE)) for change, at in world.lost),
            world.token,
            world.must,
        )
        nodes = sorted(self._number_of(node, now) for node in world.nodes)
        return (self._number(outside), self._number((world.redis, world.redis_replica)), *nodes)

    def _number_of(self, node: Node, now: int) -> int:
        known = self._known.get(id(node))
        if known is not None and known[0] is node and known[1] == now:
            return known[2]
        l1 = node.l1
        number = self._number(
            (
                node.epoch,
                identity_of_floors(node.floors, now),
                min(now - node.lease.since_s, LEASE),
                l1 if self.scope.client or l1 is None else (l1.content, l1.proven),
                node.step,
            )
        )
        if len(self._known) > KNOWN_MAX:
            self._known.clear()
        self._known[id(node)] = (node, now, number)
        return number

    def _number(self, part: Any) -> int:
        return self._numbers.setdefault(part, len(self._numbers))


def _due(world: World) -> Content:
    """What everybody has to hold: the last moment of a lease ago, and all before it."""
    due: Content = frozenset()
    for moment in world.moments:
        if world.now - moment.at >= LEASE:
            due = moment.content
    return due - {change for change, _ in world.lost}


def _put(world: World, part: int, one: Redis) -> World:
    return world._replace(redis=(*world.redis[:part], one, *world.redis[part + 1 :]))


def copied(floors: Floors) -> Floors:
    other = object.__new__(type(floors))
    for name in Floors.__slots__:
        setattr(other, name, getattr(floors, name))
    other._by_name = {name: dict(xids) for name, xids in floors._by_name.items()}
    other._ages = deque(floors._ages)  # an age that has ended is not changed any more
    other._age = Age(floors._age.number, floors._age.began_s, list(floors._age.purges))
    return other


def identity_of_floors(floors: Floors, now: int) -> Any:
    """What matters of them: ages by how long ago they were, numbered from the open one."""
    number = floors._age.number
    return (
        floors.base,
        floors.known,
        tuple(sorted((xid, age - number) for xid, age in floors._by_name.get(KEY, {}).items())),
        tuple((age.until, min(now - age.ended_s, WINDOW), tuple(age.purges)) for age in floors._ages),
        (now > floors._age.began_s, tuple(floors._age.purges)),
    )


SHORT: Final = (
    Scope("visibility", changes=2),
    Scope("hints and a replica", changes=2, hints=True, replica=True, open_writers=0),
    Scope("redis", changes=1, redis=True),
    Scope("client", changes=2, client=True, open_writers=0),
    Scope("fail-over", changes=1, fail_over=True),
)
"""What is explored with every run of the tests."""
FULL: Final = (
    Scope("visibility", changes=3),
    Scope("hints and a replica", changes=3, hints=True, replica=True, open_writers=0),
    Scope("hints, a replica and an open writer", changes=2, hints=True, replica=True),
    Scope("redis", changes=2, redis=True),
    Scope("redis that fails over", changes=1, redis=True, redis_replica=True),
    Scope("redis and two nodes", nodes=2, changes=1, redis=True, open_writers=0),
    Scope("client on two nodes", nodes=2, changes=1, client=True, open_writers=0),
    Scope("client and an open writer", changes=2, client=True),
    Scope("fail-over", changes=3, fail_over=True, open_writers=0),
    Scope("fail-over with redis", changes=1, fail_over=True, redis=True),
    Scope("fail-over under a client", nodes=2, changes=1, client=True, fail_over=True, open_writers=0),
)
"""Some minutes of one core."""


def main() -> None:
    states = 0
    for scope in FULL:
        started_s = time.monotonic()
        found = explore(scope)
        sys.stdout.write(f"{scope.name}: {found} states, {time.monotonic() - started_s:.0f} s\n")
        sys.stdout.flush()
        states += found
    sys.stdout.write(f"states {states}, violations 0\n")


if __name__ == "__main__":
    main()
