"""`make race`: many clients, two servers, one PostgreSQL, and whether anything was booked twice or lost.

    python -m tests.stress.race --seconds 60 --seed 1

Clients do what comes to their mind on the same events and rooms, while readers follow the sync feed from wherever they
are. Ends with one line, and with exit code 1 unless all of it is 0.
"""

import argparse
import asyncio
import sys
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from tests.stress import checks, clients, rows, servers, world
from tests.stress.checks import Evidence, Fault, Kind
from tests.stress.clients import Client
from tests.stress.feed import Reader
from tests.stress.operations import Board
from tests.stress.servers import Served

CLIENTS: Final = 32
ROOMS: Final = 200
CALENDARS: Final = 12
LOOK_EVERY_S: Final = 0.05
HANG_UPS: Final = 0.01
"""The part of requests in the middle of which the client hangs up, to send them again."""


async def race(
    served: Served,
    seed: int,
    *,
    seconds: float = 0.0,
    operations: int = 0,
    people: int = CLIENTS,
    rooms: int = ROOMS,
    calendars: int = CALENDARS,
) -> Evidence:
    """A race on an empty migrated database that is served, for so long, and for so many operations at least."""
    place = await world.make(
        served.url, people=people, calendars=calendars, rooms=rooms, seed=seed, now=datetime.now(UTC)
    )
    board = Board()
    ports = served.ports
    racers = [
        Client(place, board, person, ports[n % len(ports)], f"{seed} client {n}", hang_ups=HANG_UPS)
        for n, person in enumerate(place.people)
    ]
    readers = [Reader(place, port, f"{seed} reader {port}") for port in ports]
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        for work in (*(one.run for one in racers), *(one.run for one in readers)):
            tasks.create_task(work(stop))
        ends_s = time.monotonic() + seconds
        while time.monotonic() < ends_s or sum(len(one.records) for one in racers) < operations:  # noqa: ASYNC110
            await asyncio.sleep(LOOK_EVERY_S)
        stop.set()
    copies = [copy for found in await asyncio.gather(*(one.finish() for one in readers)) for copy in found]
    return Evidence(clients.records(racers), await rows.read(served.url), copies)


def closing_line(evidence: Evidence, faults: Sequence[Fault]) -> str:
    count = Counter(one.kind for one in faults)
    errors, overlaps = count.pop(Kind.ERROR, 0), count.pop(Kind.OVERLAP, 0)
    return f"operations {len(evidence.sent)}, overlaps {overlaps}, lost {count.total()}, errors {errors}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with servers.database() as url, servers.servers(url) as served:
        evidence = asyncio.run(race(served, asked.seed, seconds=asked.seconds))
    faults = checks.faults(evidence)
    print(checks.summary(evidence, faults))
    print(closing_line(evidence, faults))
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
