"""What fails while clients go on: each fault begins, lasts, and is over when its function returns."""

import asyncio
import random
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Final

import msgspec

from tests.coherence.gates import COMMITTED, FILL, LOADED
from tests.coherence.history import History, now_s
from tests.coherence.sessions import Board, note_write
from tests.coherence.world import Ground, Node, Redises, connected
from tests.proxy import Proxy
from tests.standby import Standby

SHORT_S: Final = (1.5, 3.5)
STOPPED_S: Final = 5.0
FLUSHES: Final = 5
DROPS: Final = 10
LATE_S: Final = 0.1
TAKE_ATTEMPTS_MAX: Final = 1_000


class Reach(msgspec.Struct, frozen=True):
    """What faults may touch."""

    on: Ground
    nodes: Sequence[Node]
    redises: Redises
    standby: Standby
    board: Board
    history: History
    chance: random.Random
    to_bus: Proxy | None = None

    def node(self) -> Node:
        return self.chance.choice(self.nodes)

    def way(self) -> Proxy:
        """Of some server to PostgreSQL or Redis."""
        node = self.node()
        assert node.redis is not None
        return self.chance.choice((node.postgres, node.redis))

    async def last(self) -> None:
        await asyncio.sleep(self.chance.uniform(*SHORT_S))


async def redis_killed(reach: Reach) -> None:
    """It comes back empty."""
    first = reach.redises.first
    await asyncio.to_thread(first.kill)
    await reach.last()
    await asyncio.to_thread(first.start)


async def redis_stopped(reach: Reach) -> None:
    reach.redises.first.pause()
    await reach.last()
    reach.redises.first.resume()


async def redis_emptied(reach: Reach) -> None:
    for _ in range(FLUSHES):
        await asyncio.to_thread(reach.redises.first.empty)
        await asyncio.sleep(reach.chance.random())


async def redis_fails_over(reach: Reach) -> None:
    """To a replica that has not heard of the last seconds."""
    between = reach.redises.between
    between.hold()
    await reach.last()
    await asyncio.to_thread(reach.redises.fail_over)
    between.heal()
    await reach.last()
    await asyncio.to_thread(reach.redises.fail_back)


async def network_late(reach: Reach) -> None:
    way = reach.way()
    way.delay_s, way.jitter_s = LATE_S * reach.chance.random(), LATE_S
    await reach.last()
    way.delay_s = way.jitter_s = 0.0


async def connections_dropped(reach: Reach) -> None:
    way = reach.way()
    for _ in range(DROPS):
        way.drop()
        await asyncio.sleep(reach.chance.random() / 2)


async def one_way_partition(reach: Reach) -> None:
    way = reach.way()
    to_server = reach.chance.random() < 0.5
    way.hold(to_server=to_server, to_client=not to_server)
    await reach.last()
    way.heal()


async def partition(reach: Reach) -> None:
    way = reach.node().postgres
    way.hold()
    await reach.last()
    await reach.last()
    way.heal()


async def half_open(reach: Reach) -> None:
    reach.way().half_open()
    await reach.last()


async def bus_cut(reach: Reach) -> None:
    """Hints do not get through; where they have no way of their own, one server is cut off from PostgreSQL."""
    way = reach.to_bus or reach.node().postgres
    way.hold()
    await reach.last()
    way.heal()


async def writer_killed_before_its_hint(reach: Reach) -> None:
    node = reach.node()
    node.gates.hold(COMMITTED)
    try:
        await node.gates.reached(COMMITTED)
    except TimeoutError:
        node.gates.open(COMMITTED)  # nobody wrote there
        return
    await node.kill()
    await node.start()


async def node_killed(reach: Reach) -> None:
    node = reach.node()
    await node.kill()
    await node.start()


async def node_stopped(reach: Reach) -> None:
    node = reach.node()
    node.pause()
    await asyncio.sleep(STOPPED_S)
    node.resume()


async def reader_paused_before_its_fill(reach: Reach) -> None:
    gates, gate = reach.node().gates, reach.chance.choice((LOADED, FILL))
    gates.hold(gate)
    await reach.last()
    gates.open(gate)


async def replica_lags(reach: Reach) -> None:
    """It goes on answering, and learns of nothing more."""
    await asyncio.to_thread(reach.standby.pause)
    await reach.last()
    await reach.last()
    await asyncio.to_thread(reach.standby.resume)


async def long_open_writer(reach: Reach) -> None:
    """A transaction that has written and does not commit, while others do."""
    thing = None
    for _ in range(TAKE_ATTEMPTS_MAX):
        thing = reach.board.take(reach.chance)
        if thing is not None and thing.change is None:
            break
        if thing is not None:
            reach.board.give_back(thing)
            thing = None
    if thing is None:
        return
    number = len(reach.history.writes[thing.key])
    value = thing.value("open", number)
    connection = await connected(reach.on.server)
    try:
        transaction = connection.transaction()
        await transaction.start()
        sent_s = now_s()
        await connection.execute(thing.sql, list(thing.ids), value)
        await reach.last()
        await reach.last()
        await transaction.commit()
        note_write(reach.history, thing, "open", number, sent_s, now_s())
    finally:
        await connection.close()
    reach.board.give_back(thing)


FAULTS: Final[Mapping[str, Callable[[Reach], Coroutine[Any, Any, None]]]] = {
    "Redis killed": redis_killed,
    "Redis stopped": redis_stopped,
    "Redis emptied": redis_emptied,
    "Redis fails over to a lagging replica": redis_fails_over,
    "network late": network_late,
    "connections dropped": connections_dropped,
    "one-way partition": one_way_partition,
    "server cut off from PostgreSQL": partition,
    "half-open connections": half_open,
    "hints cut off": bus_cut,
    "writer killed between commit and hint": writer_killed_before_its_hint,
    "server killed": node_killed,
    "server stopped for 5 s": node_stopped,
    "reader paused between load and fill": reader_paused_before_its_fill,
    "long open writer": long_open_writer,
    "lagging read replica": replica_lags,
}
EXCLUSIVE: Final = (
    {"Redis killed", "Redis stopped", "Redis emptied", "Redis fails over to a lagging replica"},
    {"writer killed between commit and hint", "server killed", "server stopped for 5 s"},
)
"""Of each of these one at a time."""
