"""`make stampede`: many clients want the same month, which is in no cache, from three servers at once.

    python -m tests.stress.stampede --clients 500

The load is held up in PostgreSQL, by a lock on its table, until everybody has asked. In the second scene the server
that is loading is killed meanwhile, and its clients go on to the others. Loads are counted by PostgreSQL
(`pg_stat_statements`). Before that the figures of the early refresh, on a simulated clock. Ends with exit code 1 unless
there was one load, one more for the server that was killed, and the early refresh keeps to its bound.
"""

import argparse
import asyncio
import re
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from urllib.parse import urlencode
from uuid import UUID

import asyncpg
import msgspec

from tests.integration.rows import an_event
from tests.model import refreshes
from tests.redis_server import RedisServer
from tests.stress import servers, world
from tests.stress.servers import Served
from tests.stress.wire import Answer, NoAnswer, Wire
from tests.stress.world import Person
from yotei.storage import statements
from yotei.storage.pool import Database

CLIENTS: Final = 500
SERVERS: Final = 3
HELD_S: Final = 0.5
"""How long a load is held up when everybody has asked; below `cache.claim_s`, after which another server loads, too."""
PATIENCE_S: Final = 30.0
LOOK_EVERY_S: Final = 0.01

WARM: Final = datetime(2027, 3, 10, tzinfo=UTC)
COLD: Final = datetime(2027, 5, 10, tzinfo=UTC)
"""Each in the middle of its month, so that a week from then on is one unit."""
EVENTS: Final = 20
LOAD: Final = statements.load("yotei.events")["load_units"]
LOCK: Final = "lock table events in access exclusive mode"
WAITING: Final = """
select pid from pg_stat_activity
where wait_event_type = 'Lock' and datname = current_database() and starts_with(query, left($1, 900))
"""


class Scene(msgspec.Struct, frozen=True):
    """How many clients were answered, what they were answered, how many servers were killed, and what was loaded."""

    clients: int
    statuses: dict[int, int]
    bodies: int
    killed: int
    loads: int

    @property
    def faults(self) -> list[str]:
        found = []
        if self.statuses != {200: self.clients} or self.bodies != 1:
            found.append(f"answers by status: {self.statuses}, different bodies: {self.bodies}")
        if self.loads != 1 + self.killed:
            found.append(f"loads: {self.loads}")
        return found

    def __str__(self) -> str:
        killed = f", killed {self.killed}" if self.killed else ""
        return f"clients {self.clients}{killed}, loads {self.loads}"


class _Witness:
    """What PostgreSQL says of one statement; holds it up from `hold` to `let_go`."""

    def __init__(self, looking: "asyncpg.Connection[asyncpg.Record]", holding: "asyncpg.Connection[asyncpg.Record]"):
        self._looking = looking
        self._holding = holding
        self._query_id = 0

    async def find(self) -> None:
        await self._looking.execute("create extension if not exists pg_stat_statements")
        nothing = [None] * len(set(re.findall(r"\$\d+", LOAD.sql)))
        plan = await self._looking.fetch(f"explain (verbose) {LOAD.sql}", *nothing)
        (found,) = (match for line in plan if (match := re.fullmatch(r"Query Identifier: (-?\d+)", line[0].strip())))
        self._query_id = int(found[1])

    async def hold(self) -> None:
        await self._holding.execute(f"begin; {LOCK}")

    async def let_go(self) -> None:
        await self._holding.execute("commit")

    async def waiting(self) -> list[int]:
        """The backends by which it is being loaded."""
        return [row["pid"] for row in await self._looking.fetch(WAITING, LOAD.sql)]

    async def loading(self, count: int) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while len(await self.waiting()) < count:  # noqa: ASYNC110, PostgreSQL tells nobody
                await asyncio.sleep(LOOK_EVERY_S)

    async def end(self, pid: int) -> None:
        """One whose server is gone, which it would find out by itself, and be counted or not."""
        await self._looking.fetchval("select pg_terminate_backend($1, 5000)", pid)

    async def loads(self) -> int:
        """Those that went to their end, since there is a database."""
        return int(
            await self._looking.fetchval(
                "select coalesce(sum(calls), 0) from pg_stat_statements "
                "where queryid = $1 and dbid = (select oid from pg_database where datname = current_database())",
                self._query_id,
            )
        )


class _Client:
    """Somebody at one of the servers; when that is gone, at the next one."""

    def __init__(self, person: Person, ports: Sequence[int]) -> None:
        self._person = person
        self._ports = list(ports)
        self._wire = Wire(self._ports[0], person.token)

    async def ask(self, path: str) -> Answer:
        while True:
            try:
                return await self._wire.ask("GET", path)
            except NoAnswer:
                self._ports.append(self._ports.pop(0))
                self._wire = Wire(self._ports[0], self._person.token)

    def close(self) -> None:
        self._wire.close()


async def stampede(served: Served, clients: int, *, kill: bool, held_s: float = HELD_S) -> Scene:
    """All of them at once, on a month of a calendar that nobody has read; the servers have a Redis."""
    looking, holding = [await asyncpg.connect(served.url) for _ in range(2)]
    try:
        witness = _Witness(looking, holding)
        await witness.find()
        people, calendar_id = await _fill(served.url, clients)
        ports = list(served.running)
        at_work = [_Client(one, ports[n % len(ports) :] + ports[: n % len(ports)]) for n, one in enumerate(people)]
        # Who is asking, and whether they may, is no longer a question when it begins.
        for one in at_work:
            await one.ask(_week(calendar_id, WARM))
        loads_before = await witness.loads()
        await witness.hold()
        path = _week(calendar_id, COLD)
        first = asyncio.create_task(at_work[0].ask(path))
        await witness.loading(1)
        others = [asyncio.create_task(one.ask(path)) for one in at_work[1:]]
        await asyncio.sleep(held_s)
        loads_killed = await _kill_who_loads(served, witness, ports[0], held_s) if kill else 0
        await witness.let_go()
        answers = await asyncio.gather(first, *others)
        loads = loads_killed + await witness.loads() - loads_before
        for one in at_work:
            one.close()
    finally:
        await looking.close()
        await holding.close()
    return Scene(clients, Counter(one.status for one in answers), len({one.body for one in answers}), int(kill), loads)


async def _fill(url: str, clients: int) -> tuple[Sequence[Person], UUID]:
    """People who share a calendar with some events."""
    place = await world.make(url, people=clients, calendars=1, rooms=0, seed=1, now=datetime.now(UTC))
    (calendar_id,) = place.calendars
    async with await Database.connect(url, size_min=1, size_max=1) as database:
        for n in range(EVENTS):
            await an_event(database, calendar_id, place.people[0].id, COLD + timedelta(hours=n))
    return place.people, calendar_id


def _week(calendar_id: UUID, start: datetime) -> str:
    asked = urlencode({"start": start.isoformat(), "end": (start + timedelta(days=7)).isoformat()})
    return f"/api/calendars/{calendar_id}/events?{asked}"


async def _kill_who_loads(served: Served, witness: _Witness, port: int, held_s: float) -> int:
    """The server whose client asked first, and its load with it; until another one loads."""
    (pid,) = await witness.waiting()
    served.running.pop(port).kill()
    await witness.end(pid)
    await witness.loading(1)
    await asyncio.sleep(held_s)
    return 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=CLIENTS)
    asked = parser.parse_args()
    with (
        servers.database() as url,
        TemporaryDirectory(prefix="yotei-") as folder,
        RedisServer(Path(folder)) as redis,
        servers.servers(url, SERVERS, YOTEI_REDIS_URL=redis.url) as served,
    ):
        scenes = [asyncio.run(stampede(served, asked.clients, kill=kill)) for kill in (False, True)]
    figures, is_within = refreshes.table(seed=1)
    print("\n".join(figures))
    for scene in scenes:
        print("\n".join([*scene.faults, str(scene)]))
    sys.exit(not is_within or any(scene.faults for scene in scenes))


if __name__ == "__main__":
    main()
