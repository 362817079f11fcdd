"""`make outage`: PostgreSQL, Redis or Kafka goes away under three servers that are read and written, and comes back.

    python -m tests.stress.outage --part postgres --seconds 8

Each goes in two ways: it is stopped, so that it refuses, and it is held, so that it takes connections and answers
nothing. Readers come at their pace, however long answers take. What is wrong is said by `held`. Ends with a line for
each part: `unavailable` counts all that was refused, the percentile is of all that was asked while the part was gone.
Exit code 1 unless nothing was wrong.
"""

import argparse
import asyncio
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple
from urllib.parse import urlencode
from uuid import UUID

import asyncpg
import msgspec

from tests.acceptance.processes import children
from tests.integration.rows import an_event
from tests.kafka_server import KafkaServer
from tests.redis_server import RedisServer
from tests.stress import held, servers, world
from tests.stress.held import OK, Asked, Evidence, Outage, Way
from tests.stress.servers import UNSAFE, Served
from tests.stress.wire import Answer, NoAnswer, Wire
from tests.stress.world import Person, World
from yotei.storage import statements
from yotei.storage.embedded import EmbeddedServer
from yotei.storage.pool import Database

SERVERS: Final = 3
SECONDS: Final = 8.0
CALM_S: Final = 1.5
READERS: Final = 4
WRITERS: Final = 4
KNOWN: Final = 8
COLD: Final = 40
"""For each fault so many people whom nobody reads before it is counted how many of them are loaded at once."""
LOOKS: Final = 20
ATTEMPTS_MAX: Final = 2
"""The first may be sent on a connection that the server has closed because nothing came by it for long."""
READS_PER_S: Final = 100.0
READS_AT_ONCE_MAX: Final = 2_000
WRITE_PAUSE_S: Final = 0.1
LEASE_MS: Final = 2_000
LOADS_MAX: Final = 3
LOOK_EVERY_S: Final = 0.02
PATIENCE_S: Final = 60.0
DAY: Final = datetime(2027, 3, 10, tzinfo=UTC)
WEEK: Final = urlencode({"start": DAY.isoformat(), "end": (DAY + timedelta(days=7)).isoformat()})
LOAD: Final = statements.load("yotei.users")["load_users"]
LOCK: Final = "lock table users in access exclusive mode"
LOADING: Final = """
select count(*) from pg_stat_activity
where wait_event_type = 'Lock' and datname = current_database() and starts_with(query, left($1, 900))
"""

Blocking = Callable[[], None]


class Fault(NamedTuple):
    """One way to go, and the way back."""

    name: str
    begin: Blocking
    end: Blocking


class Part(NamedTuple):
    """Something that servers need, the settings that lead them to it, and the ways in which it goes away."""

    name: str
    faults: Sequence[Fault]
    settings: Mapping[str, str] = {}
    refuses: bool = False
    counts_loads: bool = False


class Report(msgspec.Struct, frozen=True):
    """What was asked with one part gone, and what was wrong; loads at once for each fault, where they were counted."""

    part: str
    evidence: Evidence
    wrong: list[str]
    loads_at_once: Sequence[int] = ()

    @property
    def unavailable(self) -> int:
        return sum(one.status == held.UNAVAILABLE for one in self.evidence.asked)

    def lines(self) -> Iterator[str]:
        for outage in self.evidence.outages:
            within = [one for one in self.evidence.asked if outage.gone_s <= one.began_s < outage.coming_s]
            yield f"{outage.name}: as ever {(outage.over_s - outage.here_s) * 1_000:.0f} ms after it was back"
            for way in ("read", "read own", "write"):
                some = [one for one in within if one.way == way]
                stale, refused = sum(one.is_stale for one in some), sum(one.status == held.UNAVAILABLE for one in some)
                took = [one.ended_s - one.began_s for one in some]
                figures = ", ".join(
                    f"{name} {held.quantile(took, share) * 1_000:.0f}" for name, share in _SHARES.items()
                )
                yield f"    {way:<9}{len(some):>6}, stale {stale:>5}, unavailable {refused:>4}; ms: {figures}"
        if self.loads_at_once:
            yield f"loads at once: {max(self.loads_at_once)}, {LOADS_MAX} of each server may be"
        yield f"oldest answer without a mark: {held.staleness_s(self.evidence) * 1_000:.0f} ms"

    def __str__(self) -> str:
        outages = self.evidence.outages
        took = [
            one.ended_s - one.began_s
            for one in self.evidence.asked
            if any(outage.gone_s <= one.began_s < outage.coming_s for outage in outages)
        ]
        p95_ms = held.quantile(took, 0.95) * 1_000
        return f"{self.part}: wrong {len(self.wrong)}, p95 {p95_ms:.0f} ms, unavailable {self.unavailable}"


_SHARES: Final = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}


class Told(msgspec.Struct, frozen=True):
    """What is read of a person, a calendar, a room; lists have no name."""

    name: str = ""


_told: Final = msgspec.json.Decoder(Told)


class _Traffic:
    """Readers at their pace, and writers who read what they wrote at another server. `paths` are of what is read."""

    def __init__(
        self, ports: Sequence[int], readers: Sequence[Person], writers: Sequence[Person], paths: Sequence[str]
    ):
        self.asked: list[Asked] = []
        self._ports = ports
        self._readers = readers
        self._writers = writers
        self._paths = [*paths, *(path_of(one) for one in writers)]
        self._chance = random.Random(1)
        self._idle: dict[tuple[int, str], list[Wire]] = {}
        self._reading: set[asyncio.Task[None]] = set()

    async def run(self, stop: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._read_on(stop))
            for n, writer in enumerate(self._writers):
                tasks.create_task(self._write_on(writer, n, stop))
        for wires in self._idle.values():
            for wire in wires:
                wire.close()

    async def _read_on(self, stop: asyncio.Event) -> None:
        next_s = time.monotonic()
        while not stop.is_set():
            next_s += 1 / READS_PER_S
            await asyncio.sleep(max(0.0, next_s - time.monotonic()))
            assert len(self._reading) < READS_AT_ONCE_MAX, "more questions than answers"
            chance = self._chance
            person, port = chance.choice(self._readers), chance.choice(self._ports)
            task = asyncio.create_task(self._read(port, person, chance.choice(self._paths)))
            self._reading.add(task)
            task.add_done_callback(self._reading.discard)
        await asyncio.gather(*self._reading)

    async def _read(self, port: int, person: Person, path: str) -> None:
        wires = self._idle.setdefault((port, person.token), [])
        wire = wires.pop() if wires else Wire(port, person.token)
        await self._ask(wire, "read", path)
        wires.append(wire)

    async def _write_on(self, writer: Person, turn: int, stop: asyncio.Event) -> None:
        wires = [Wire(port, writer.token) for port in self._ports]
        path, token = path_of(writer), None
        for version in count(1):
            if stop.is_set():
                break
            wire = wires[(turn + version) % len(wires)]
            token = await self._ask(wire, "write", path, token, version) or token
            wire = wires[(turn + version + 1) % len(wires)]
            token = await self._ask(wire, "read own", path, token) or token
            await asyncio.sleep(WRITE_PAUSE_S)
        for wire in wires:
            wire.close()

    async def _ask(
        self, wire: Wire, way: Way, path: str, token: str | None = None, version: int | None = None
    ) -> str | None:
        """The token that came with the answer."""
        began_s = time.monotonic()
        headers = {} if token is None else {"Yotei-Token": token}
        method, where, body = "GET", path, None
        if way == "write":
            method, where, body = "PATCH", "/api/users/me", {"name": f"Version {version}"}
        answer = Answer(0, {}, b"")
        for _ in range(ATTEMPTS_MAX):
            with suppress(NoAnswer, TimeoutError):
                answer = await wire.ask(method, where, body, headers)
                break
        ended_s = time.monotonic()
        if way != "write" and answer.status == OK:
            said, _, number = _told.decode(answer.body).name.partition(" ")
            version = int(number) if said == "Version" else 0
        age = answer.headers.get("age")
        self.asked.append(
            Asked(
                way,
                path,
                began_s,
                ended_s,
                answer.status,
                version,
                None if age is None else int(age),
                "; stale" in answer.headers.get("cache-status", ""),
                "retry-after" in answer.headers,
            )
        )
        return answer.headers.get("yotei-token")


def path_of(person: Person) -> str:
    return f"/api/users/{person.id}"


class _Drill:
    """A part that goes away and comes back under traffic."""

    def __init__(
        self, served: Served, place: World, events: Sequence[UUID], part: Part, seconds: float, lease_s: float
    ) -> None:
        people = list(place.people)
        readers, writers = people[:READERS], people[READERS : READERS + WRITERS]
        self._probe, *self._known = people[READERS + WRITERS : READERS + WRITERS + KNOWN]
        self._cold = people[READERS + WRITERS + KNOWN :]
        self._served = served
        self._part = part
        self._seconds = seconds
        self._lease_s = lease_s
        self._readers = readers
        self._warm = [
            *(path_of(one) for one in self._known),
            *(f"/api/calendars/{one}" for one in place.calendars),
            *(f"/api/calendars/{one}/events?{WEEK}" for one in place.calendars),
            *(f"/api/events/{one}" for one in events),
            *(f"/api/resources/{one.id}" for one in place.rooms),
        ]
        self._traffic = _Traffic(served.ports, readers, writers, self._warm)
        self.loads_at_once: list[int] = []

    async def run(self) -> Evidence:
        await self._warm_up()
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._traffic.run(stop))
            await asyncio.sleep(CALM_S)
            outages = []
            for fault in self._part.faults:
                outages.append(await self._undergo(fault))
                await asyncio.sleep(CALM_S)
            stop.set()
        return Evidence(self._traffic.asked, outages, frozenset(self._warm), self._lease_s)

    async def _warm_up(self) -> None:
        for port in self._served.ports:
            for reader in self._readers:
                wire = Wire(port, reader.token)
                for path in self._warm:
                    assert (await wire.ask("GET", path)).status == OK, path
                wire.close()

    async def _undergo(self, fault: Fault) -> Outage:
        going_s = time.monotonic()
        try:
            await asyncio.to_thread(fault.begin)
            gone_s = time.monotonic()
            await asyncio.sleep(self._seconds / 2)
            if self._part.counts_loads:
                self.loads_at_once.append(await self._load_much())
            await asyncio.sleep(self._seconds / 2)
        finally:
            coming_s = time.monotonic()
            await asyncio.to_thread(fault.end)
            here_s = time.monotonic()
        async with asyncio.timeout(PATIENCE_S):
            for port in self._served.ports:
                while not await self._is_as_ever(port):  # noqa: ASYNC110, nobody tells
                    await asyncio.sleep(LOOK_EVERY_S)
        name = f"{self._part.name} {fault.name}"
        return Outage(name, self._part.refuses, going_s, gone_s, coming_s, here_s, time.monotonic())

    async def _is_as_ever(self, port: int) -> bool:
        """Whether a server writes, and reads without a mark."""
        wire = Wire(port, self._probe.token)
        try:
            written = await wire.ask("PATCH", "/api/users/me", {"tzid": "UTC"})
            read = await wire.ask("GET", self._warm[0])
        except (NoAnswer, TimeoutError):
            return False
        finally:
            wire.close()
        return written.status == read.status == OK and "; stale" not in read.headers["cache-status"]

    async def _load_much(self) -> int:
        """Ask for many at once of whom nothing is known, and hold up their loads: so many the database has to bear."""
        looking, holding = [await asyncpg.connect(self._served.url) for _ in range(2)]
        ports, reader = self._served.ports, self._readers[0]
        unknown, self._cold = self._cold[:COLD], self._cold[COLD:]
        wires = [Wire(ports[n % len(ports)], reader.token) for n in range(len(unknown))]
        try:
            await holding.execute(f"begin; {LOCK}")
            asking = [
                asyncio.create_task(wire.ask("GET", path_of(one))) for wire, one in zip(wires, unknown, strict=True)
            ]
            at_once = 0
            for _ in range(LOOKS):
                await asyncio.sleep(LOOK_EVERY_S)
                at_once = max(at_once, await looking.fetchval(LOADING, LOAD.sql))
            await holding.execute("commit")
            assert {(await one).status for one in asking} == {OK}
        finally:
            await holding.close()
            await looking.close()
            for wire in wires:
                wire.close()
        return at_once


async def drill(served: Served, part: Part, *, seconds: float) -> Report:
    """Every fault of the part, each for so long, on an empty migrated database."""
    people = READERS + WRITERS + KNOWN + COLD * len(part.faults)
    place = await world.make(served.url, people=people, calendars=4, rooms=4, seed=1, now=datetime.now(UTC))
    async with await Database.connect(served.url, size_min=1, size_max=1) as database:
        events = [await an_event(database, each, place.people[0].id, DAY) for each in place.calendars]
    one = _Drill(served, place, events, part, seconds, LEASE_MS / 1_000)
    evidence = await one.run()
    wrong = held.faults(evidence)
    loads_max = LOADS_MAX * len(served.ports)
    wrong += [f"loads at once: {loads}" for loads in one.loads_at_once if not 0 < loads <= loads_max]
    return Report(part.name, evidence, wrong, one.loads_at_once)


@contextmanager
def staged(name: str, *, count: int = SERVERS) -> Iterator[tuple[Served, Part]]:
    """Servers with all that they need, of which the part can be taken away."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="yotei-")))
        folder.chmod(0o711)  # for PostgreSQL's user
        postgres = stack.enter_context(EmbeddedServer(folder / "d", options=UNSAFE))
        redis = stack.enter_context(RedisServer(folder))
        part = _PARTS[name](stack, folder, postgres, redis)
        settings = {
            "YOTEI_REDIS_URL": redis.url,
            "YOTEI_CACHE_LEASE_MS": f"{LEASE_MS}",
            "YOTEI_CACHE_LOADS_MAX": f"{LOADS_MAX}",
            **part.settings,
        }
        yield stack.enter_context(servers.servers(postgres.url, count, **settings)), part


def _postgres(_: ExitStack, __: Path, postgres: EmbeddedServer, ___: RedisServer) -> Part:
    held_: list[int] = []

    def hold() -> None:
        assert postgres.pid is not None
        # The postmaster first: it makes no more of them.
        os.kill(postgres.pid, signal.SIGSTOP)
        held_[:] = [postgres.pid, *children(postgres.pid)]
        for pid in held_[1:]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)

    def let_go() -> None:
        for pid in reversed(held_):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    return Part(
        "postgres", [Fault("stopped", postgres.stop, postgres.start), Fault("held", hold, let_go)], refuses=True
    )


def _redis(_: ExitStack, __: Path, ___: EmbeddedServer, redis: RedisServer) -> Part:
    faults = [Fault("stopped", redis.kill, redis.start), Fault("held", redis.pause, redis.resume)]
    return Part("redis", faults, counts_loads=True)


def _kafka(stack: ExitStack, folder: Path, _: EmbeddedServer, __: RedisServer) -> Part:
    (folder / "kafka").mkdir()
    kafka = stack.enter_context(KafkaServer(folder / "kafka"))
    faults = [Fault("stopped", kafka.kill, kafka.start), Fault("held", kafka.pause, kafka.resume)]
    return Part("kafka", faults, {"YOTEI_BUS_TRANSPORT": "kafka", "YOTEI_BUS_URL": kafka.url})


_PARTS: Final = {"postgres": _postgres, "redis": _redis, "kafka": _kafka}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", choices=[*_PARTS, "all"], default="all")
    parser.add_argument("--seconds", type=float, default=SECONDS)
    asked = parser.parse_args()
    reports = []
    for name in _PARTS if asked.part == "all" else [asked.part]:
        with staged(name) as (served, part):
            reports.append(asyncio.run(drill(served, part, seconds=asked.seconds)))
        print("\n".join([*reports[-1].lines(), *reports[-1].wrong[: held.TOLD_MAX]]), flush=True)
    print("\n".join(str(one) for one in reports))
    sys.exit(any(one.wrong for one in reports))


if __name__ == "__main__":
    main()
