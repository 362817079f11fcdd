"""What is not in process: a list whose units are in Redis only, or nowhere, beside the same list with the cache off.

Three servers, fresh in every round: one that finds every unit in Redis, one without Redis, and one without a cache.
Each is asked for every calendar once, so nothing of a list is in process but what belongs to the viewer. They take
turns, list by list, on one connection each.

Then one event of every list is edited, again and again, and two are asked each time, once they know of it: one that had
the lists in process, and the one without a cache.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, sleep
from typing import Final
from uuid import UUID

import asyncpg
import msgspec

from bench.cache.client import Client, get
from bench.cache.http import TOKEN, list_path, running, with_token
from bench.cache.row import Row, Spread
from bench.served import Served, median
from tests.filled import SMALL, Kind, id_of
from tests.filled import Size as Filled
from tests.redis_server import RedisServer

UNCACHED: Final = "cache off"
FROM_REDIS: Final = "out of Redis"
FROM_NOWHERE: Final = "from nowhere"
EDITED: Final = "after an edit"
HOW: Final = {FROM_REDIS: "db=0", FROM_NOWHERE: "fwd=miss", EDITED: "fwd=miss"}
TIMES_MAX: Final = 1.3
FILLED_S_MAX: Final = 10.0
FILLED_POLL_S: Final = 0.2
KNOWN_S: Final = 0.3
"""In which a server has read the change log a few times."""


class Size(msgspec.Struct, frozen=True):
    filled: Filled = SMALL
    rounds: int = 3
    calendars: int = 100
    warm_up: int = 5


TINY: Final = Size(filled=Filled(busy=4, calendars=500, users=501), rounds=1, calendars=3, warm_up=1)


async def run(size: Size) -> list[Row]:
    async with _filled(size) as (filled, calendars):
        return await asyncio.to_thread(_measure, filled, calendars, size)


@asynccontextmanager
async def _filled(size: Size) -> AsyncIterator[tuple[Served, list[UUID]]]:
    """Calendars that one person may read, most of them with about 50 events in the month."""
    async with with_token(size.filled) as filled:
        spread = size.filled.spread
        calendars = [id_of(Kind.CALENDAR, n * spread) for n in range(min(size.calendars, size.filled.busy))]
        connection = await asyncpg.connect(filled.url)
        await connection.execute(
            "insert into calendar_members (user_id, calendar_id, role) select $1, c, 'READER' "
            "from unnest($2::uuid[]) c on conflict do nothing",
            filled.owner_id,
            calendars,
        )
        await connection.execute("analyze calendar_members")
        await connection.close()
        yield filled, calendars


def _measure(filled: Served, calendars: list[UUID], size: Size) -> list[Row]:
    asked = [get(list_path(filled, one), Authorization=f"Bearer {TOKEN}") for one in calendars]
    spent: dict[str, list[tuple[float, float]]] = {FROM_REDIS: [], FROM_NOWHERE: [], EDITED: []}
    with TemporaryDirectory(prefix="yotei-bench-") as folder, RedisServer(Path(folder)) as redis:
        settings = {
            UNCACHED: {"YOTEI_CACHE_ENABLED": "false"},
            FROM_REDIS: {"YOTEI_REDIS_URL": redis.url},
            FROM_NOWHERE: {},
        }
        with running(filled, **settings[FROM_REDIS]) as (port, _), Client(port, 1) as client:
            for request in asked:
                assert client.ask(request).status == 200
            _wait_until_filled(redis)
        for number in range(size.rounds):
            with ExitStack() as stack:
                clients = _started(stack, filled, settings)
                for place, request in enumerate(asked):
                    took_ms = _ask(clients, request, number + place, HOW if place >= size.warm_up else {})
                    if place >= size.warm_up:
                        for name in (FROM_REDIS, FROM_NOWHERE):
                            spent[name].append((took_ms[name], took_ms[UNCACHED]))
    with ExitStack() as stack:
        clients = _started(stack, filled, {UNCACHED: settings[UNCACHED], EDITED: settings[FROM_NOWHERE]})
        for request in asked:
            _ask(clients, request, 0, {})
        for number in range(size.rounds):
            asyncio.run(_edit(filled, calendars))
            sleep(KNOWN_S)
            for place, request in enumerate(asked):
                took_ms = _ask(clients, request, number + place, HOW)
                spent[EDITED].append((took_ms[EDITED], took_ms[UNCACHED]))
    return [_row(name, pairs) for name, pairs in spent.items()]


def _started(stack: ExitStack, filled: Served, settings: Mapping[str, Mapping[str, str]]) -> dict[str, Client]:
    """A connection to a fresh server of each name."""
    ports = {name: stack.enter_context(running(filled, **one))[0] for name, one in settings.items()}
    return {name: stack.enter_context(Client(port, 1)) for name, port in ports.items()}


def _ask(clients: Mapping[str, Client], request: bytes, turn: int, how: Mapping[str, str]) -> dict[str, float]:
    """Each client, another one first each time: the milliseconds that it took."""
    took_ms, bodies = {}, set()
    for name in _turn(list(clients), turn):
        started = perf_counter()
        answer = clients[name].ask(request)
        took_ms[name] = (perf_counter() - started) * 1e3
        assert answer.status == 200, answer
        assert how.get(name, "") in answer.header("Cache-Status"), answer.head
        bodies.add(answer.body)
    assert len(bodies) == 1, "the ways do not answer alike"
    return took_ms


async def _edit(filled: Served, calendars: list[UUID]) -> None:
    """One event of this month in each."""
    connection = await asyncpg.connect(filled.url)
    await connection.execute(
        "update events e set title = e.title || '!' from unnest($1::uuid[]) c (id) where e.id = (select o.id "
        "from events o where o.calendar_id = c.id and o.start_time between $2 and $3 and o.deleted_at is null limit 1)",
        calendars,
        filled.month_start,
        filled.month_end,
    )
    await connection.close()


def _turn(names: list[str], number: int) -> list[str]:
    """Another one is the first each time."""
    first = number % len(names)
    return names[first:] + names[:first]


def _wait_until_filled(redis: RedisServer) -> None:
    """Values come there behind the answers."""
    deadline, before = perf_counter() + FILLED_S_MAX, b""
    while (now := redis.command("DBSIZE")) != before:
        assert perf_counter() < deadline, "Redis is still being filled"
        before = now
        sleep(FILLED_POLL_S)


def _row(name: str, spent: list[tuple[float, float]]) -> Row:
    times = Spread.of([a / b for a, b in spent])
    ms, uncached_ms = median([a for a, _ in spent]), median([b for _, b in spent])
    is_bound = name == FROM_REDIS
    return Row(
        f"cold list, {name} / {UNCACHED}",
        f"{ms:.1f} / {uncached_ms:.1f} ms",
        f"{times} x the time",
        bar=f"<= {TIMES_MAX} x" if is_bound else "",
        is_met=times.median <= TIMES_MAX if is_bound else None,
        values={"way": name, "ms": round(ms, 2), "uncached_ms": round(uncached_ms, 2), "times": times.rounded()},
    )
