"""One scene for each mutant: what has to happen, step by step, for a product without that rule to show an old value.

Two servers, of which the second is the one that reads. The product as it is plays every scene without a fault; a mutant
is caught when the checks find one. Here leases are short, and nothing that is older than a lease may be shown at all.
"""

import asyncio
import os
import random
import shutil
import signal
import subprocess
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import msgspec

from tests.acceptance.processes import children, command_line, status, until
from tests.coherence.checks import Bounds, Violation, violations
from tests.coherence.gates import FILL, LOADED, POLL, POLLED
from tests.coherence.history import History, now_s
from tests.coherence.kinds import Thing
from tests.coherence.sessions import Client, begin, note_write
from tests.coherence.world import Ground, Node, Redises, connected, ground, nodes, replica_taken, standby_of
from tests.standby import Standby
from yotei.errors import Problem
from yotei.storage.embedded import EmbeddedServer
from yotei.storage.statements import Statement

LEASE_S: Final = 1.0
LONG_LEASE_S: Final = 2.0
"""Where something has to be done within one."""
PAST_S: Final = 1.3
"""After so long a change is known wherever the cache is believed."""
POLLS_S: Final = 0.3
WINDOW_S: Final = 6.0
PAST_WINDOW_S: Final = 7.5
FLOORS_MAX: Final = 100
CROWD: Final = 150
"""More changes than are remembered, and no more than are taken in."""
BURNT_XIDS: Final = 50
SETTINGS: Final[Mapping[str, str]] = {
    "YOTEI_CACHE_POLL_MS": "50",
    "YOTEI_BUS_TRANSPORT": "none",
}
BACK_S_MAX: Final = 30.0
CACHED_S_MAX: Final = 20.0
ATTEMPTS_MAX: Final = 10


class Stage(msgspec.Struct, frozen=True):
    """`writes` and `reads` are the two servers; readers carry no token."""

    on: Ground
    writes: Node
    reads: Node
    history: History
    writer: Client
    readers: tuple[Client, Client]
    image: Path
    standby: Standby | None = None

    async def thing(self, kind: str = "person") -> Thing:
        found = (await self.on.things(**{kind: 1}))[0]
        begin(self.history, found)
        return found

    async def write(self, thing: Thing) -> float:
        """When it was acknowledged."""
        is_done = await self.writer.write([self.writes], thing, random.Random(0))
        assert is_done, f"the write was not acknowledged: {self.history.unexpected}"
        return now_s()

    async def read(self, thing: Thing, reader: int = 0) -> None:
        for look in thing.looks:
            await self.readers[reader].read(self.reads, thing, look)

    async def cached(self, thing: Thing, how: str = "; hit; ") -> None:
        """Read it until it comes out of the cache: a server that has just begun may not have polled yet."""
        for look in thing.looks:
            deadline_s = now_s() + CACHED_S_MAX
            while True:
                read = await self.readers[0].read(self.reads, thing, look)
                if read is not None and how in read.cache_status:
                    break
                assert now_s() < deadline_s, f"{thing.key} is not kept: {read}"
                await asyncio.sleep(POLLS_S)


class Scene(msgspec.Struct, frozen=True):
    """`window_s` replaces that of the floors. Nothing older than `lease_s` may be shown. `is_alone`: it does to
    PostgreSQL what others would not survive."""

    play: Callable[[Stage], Awaitable[None]]
    settings: Mapping[str, str] = {}
    window_s: float | None = None
    lease_s: float = LEASE_S
    with_redis: bool = False
    with_standby: bool = False
    is_alone: bool = False


async def _a_change_elsewhere(stage: Stage) -> None:
    it = await stage.thing()
    await stage.cached(it)
    await stage.write(it)
    await asyncio.sleep(PAST_S)
    await stage.read(it)


async def _a_reader_cut_off(stage: Stage) -> None:
    it = await stage.thing()
    await stage.cached(it)
    stage.reads.postgres.hold()
    await stage.write(it)
    await asyncio.sleep(PAST_S)
    await stage.read(it)
    stage.reads.postgres.heal()


async def _a_poll_that_takes_most_of_a_lease(stage: Stage) -> None:
    """Its answer is older than the change, and nothing is heard after it."""
    it, gates = await stage.thing(), stage.reads.gates
    for _ in range(ATTEMPTS_MAX):
        await stage.cached(it)
        gates.hold(POLLED)
        await gates.reached(POLLED)
        polled_s = now_s()
        done_s = await stage.write(it)
        gates.hold(POLL)
        await asyncio.sleep(polled_s + 0.8 * LONG_LEASE_S - now_s())
        gates.open(POLLED)
        await asyncio.sleep(done_s + 1.1 * LONG_LEASE_S - now_s())
        await stage.read(it)
        gates.open(POLL)
        if done_s - polled_s < 0.4 * LONG_LEASE_S:
            return
    raise AssertionError("this machine is too slow for the scene")


async def _an_early_number_commits_late(stage: Stage) -> None:
    """Its row of the change log appears behind rows with later numbers that were read long ago."""
    it, other = await stage.thing(), await stage.thing()
    connection = await connected(stage.on.server)
    try:
        transaction = connection.transaction()
        await transaction.start()
        sent_s, value = now_s(), it.value("open", 1)
        await connection.execute(it.sql, list(it.ids), value)
        await stage.write(other)
        await asyncio.sleep(POLLS_S)
        await stage.cached(it)
        await transaction.commit()
        note_write(stage.history, it, "open", 1, sent_s, now_s())
    finally:
        await connection.close()
    await asyncio.sleep(PAST_S)
    await stage.read(it)


async def _a_standby_that_does_not_say_what_is_open(stage: Stage) -> None:
    """It has seen the end of a later transaction, and gives a value that an earlier one is about to change."""
    it, other, standby = await stage.thing("room"), await stage.thing("room"), stage.standby
    assert standby is not None
    await stage.cached(other)
    await replica_taken(standby, 2)
    connection = await connected(stage.on.server)
    try:
        transaction = connection.transaction()
        await transaction.start()
        sent_s, value = now_s(), it.value("open", 1)
        await connection.execute(it.sql, list(it.ids), value)
        await stage.write(other)
        await asyncio.to_thread(standby.caught_up)
        await stage.cached(it)
        await transaction.commit()
        note_write(stage.history, it, "open", 1, sent_s, now_s())
    finally:
        await connection.close()
    await asyncio.sleep(PAST_S)
    await stage.read(it)


async def _a_load_that_is_slower_than_a_change(stage: Stage) -> None:
    """Somebody asks after the change, and is let in on a load from before it."""
    it, gates = await stage.thing(), stage.reads.gates
    await stage.cached(await stage.thing())  # so that only one load is left to be held
    gates.hold(LOADED, str(it.ids[0]))
    async with asyncio.TaskGroup() as readers:
        readers.create_task(stage.read(it))
        await gates.reached(LOADED)
        await stage.write(it)
        await asyncio.sleep(PAST_S)
        readers.create_task(stage.read(it, reader=1))
        await asyncio.sleep(POLLS_S)
        gates.open(LOADED)


async def _a_role_that_changes(stage: Stage) -> None:
    it = await stage.thing("role")
    await stage.cached(it, 'detail="rendered"')
    await stage.write(it)
    await asyncio.sleep(PAST_S)
    await stage.read(it)


async def _an_event_that_changes_months(stage: Stage) -> None:
    it = await stage.thing("event")
    await stage.cached(it)
    await stage.write(it)
    await asyncio.sleep(PAST_S)
    await stage.read(it)


async def _more_changes_than_are_remembered(stage: Stage) -> None:
    it, crowd = await stage.thing(), await stage.on.things(person=CROWD)
    await stage.cached(it)
    await stage.write(it)
    for n in range(3):
        await asyncio.sleep(POLLS_S)
        ids = [one.ids[0] for one in crowd]
        rename = Statement(name="tests.crowd", purpose="many changes", sql=it.sql)
        await stage.on.database.execute(rename, ids, f"somebody {n}")
    await asyncio.sleep(PAST_S)
    await stage.read(it)


async def _a_fill_between_the_purges(stage: Stage) -> None:
    """It is older than the change, and comes to Redis when the first purge is over."""
    await _late_fill(stage, held_s=POLLS_S)


async def _a_fill_after_the_purges(stage: Stage) -> None:
    """It was held until the marker had passed the change."""
    await _late_fill(stage, held_s=WINDOW_S / 2 + PAST_S)


async def _late_fill(stage: Stage, held_s: float) -> None:
    """Who reads when the floors are forgotten has only the marker to go by."""
    it, gates = await stage.thing(), stage.reads.gates
    await stage.cached(await stage.thing())
    await asyncio.sleep(POLLS_S)  # a marker lies there, and no other fill is waiting
    gates.hold(FILL, str(it.ids[0]))
    await stage.read(it)
    await gates.reached(FILL)
    done_s = await stage.write(it)
    await asyncio.sleep(held_s)
    gates.open(FILL)
    await asyncio.sleep(done_s + PAST_WINDOW_S - now_s())
    await stage.read(it)


async def _a_fail_over_to_a_prefix(stage: Stage) -> None:
    """PostgreSQL comes back without a change that was read, and gives its number to another one."""
    it = await stage.thing()
    server = stage.on.server
    await stage.on.database.execute(Statement(name="tests.checkpoint", purpose="all is kept", sql="checkpoint"))
    await asyncio.to_thread(_crash, server, stage.image, keep=True)
    await _is_back(stage)
    for _ in range(BURNT_XIDS):
        burn = Statement(name="tests.burn", purpose="a number", sql="select pg_current_xact_id()")
        await stage.on.database.fetchrow(burn)
    await stage.write(it)
    await stage.cached(it)
    await asyncio.to_thread(_crash, server, stage.image, keep=False)
    await _is_back(stage)
    await stage.write(it)
    await asyncio.sleep(PAST_S)
    await stage.read(it)


def _crash(server: EmbeddedServer, image: Path, *, keep: bool) -> None:
    """Kill PostgreSQL; it comes back as it is now, which is kept in `image`, or as it was there."""
    pid = server.pid
    assert pid is not None
    for one in (pid, *children(pid)):
        os.kill(one, signal.SIGKILL)
    until(lambda: not command_line(pid), "PostgreSQL is gone")
    source, target = (server.cluster, image) if keep else (image, server.cluster)
    if target.exists():
        shutil.rmtree(target)
    subprocess.run(["cp", "-a", str(source), str(target)], check=True)
    assert server.revive()


async def _is_back(stage: Stage) -> None:
    """Connections of before the crash are found out, too."""
    for node in (stage.writes, stage.reads):
        await asyncio.to_thread(
            until, lambda node=node: status(f"{node.place.base}/readyz") == 200, "PostgreSQL is back"
        )
    deadline_s = now_s() + BACK_S_MAX
    while True:
        try:
            await stage.on.database.fetchrow(Statement(name="tests.is_back", purpose="a look", sql="select 1"))
            return
        except Problem:
            assert now_s() < deadline_s, "PostgreSQL does not come back"
            await asyncio.sleep(POLLS_S)


async def play(scene: Scene, mutant: str | None, on: Ground, redis: Redises | None) -> list[Violation]:
    """What the checks find after the scene was played by servers of this mutant, or by the product as it is."""
    history = History()
    settings = {**SETTINGS, **scene.settings, "YOTEI_REDIS_PREFIX": f"scene-{id(history)}"}
    settings["YOTEI_CACHE_LEASE_MS"] = f"{scene.lease_s * 1_000:.0f}"
    if mutant is not None:
        settings["COHERENCE_MUTANT"] = mutant
    if scene.window_s is not None:
        settings["COHERENCE_WINDOW_S"] = f"{scene.window_s}"
    async with AsyncExitStack() as stack:
        if scene.is_alone:
            on = await stack.enter_async_context(ground())
        image = Path(stack.enter_context(TemporaryDirectory(prefix="yotei-"))) / "image"
        standby = await stack.enter_async_context(standby_of(on)) if scene.with_standby else None
        cluster = nodes(2, on, settings, redis=redis if scene.with_redis else None, standby=standby)
        writes, reads = await stack.enter_async_context(cluster)
        clients = [Client(name, history, on.people, on.database, carries_token=False) for name in ("w", "r1", "r2")]
        await scene.play(Stage(on, writes, reads, history, clients[0], (clients[1], clients[2]), image, standby))
        for client in clients:
            client.close()
    return violations(history, Bounds(peace_s=None, fault_s=scene.lease_s))


SCENES: Final[Mapping[str, Scene]] = {
    "no floors": Scene(_a_change_elsewhere),
    "no lease": Scene(_a_reader_cut_off),
    "lease from the end of the poll": Scene(_a_poll_that_takes_most_of_a_lease, lease_s=LONG_LEASE_S),
    "sequence instead of snapshot difference": Scene(_an_early_number_commits_late),
    "load result not checked": Scene(_a_load_that_is_slower_than_a_change),
    "base not raised on eviction": Scene(
        _more_changes_than_are_remembered, {"YOTEI_CACHE_FLOORS_MAX": f"{FLOORS_MAX}"}
    ),
    "marker moved before the second purge": Scene(_a_fill_between_the_purges, window_s=WINDOW_S, with_redis=True),
    "fill without the marker check": Scene(_a_fill_after_the_purges, window_s=WINDOW_S, with_redis=True),
    "standby snapshot taken at its word": Scene(_a_standby_that_does_not_say_what_is_open, with_standby=True),
    "role not keyed": Scene(_a_role_that_changes),
    "month not purged on the old span": Scene(_an_event_that_changes_months),
    "epoch ignored": Scene(_a_fail_over_to_a_prefix, is_alone=True),
}
