"""`make crash`: clients go on writing while processes are killed under them, and whether what they were told is there.

    python -m tests.stress.crash --kills 20 --seed 1

One `yotei run` with two workers and its own PostgreSQL, durable as it comes. SIGKILL at moments drawn at random, to a
worker, to the server with its workers, to a backend of PostgreSQL, to PostgreSQL as a whole, or to all of them; what
does not come back by itself is started again. Clients send again what was not answered, with the same Idempotency-Key.
Ends with one line, and with exit code 1 unless all of it is 0.
"""

import argparse
import asyncio
import os
import random
import signal
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

from tests.acceptance.processes import Place, Server, children, new_place, status, until
from tests.stress import checks, clients, rows, world
from tests.stress.checks import Evidence, Fault, Kind
from tests.stress.clients import Client
from tests.stress.feed import Reader
from tests.stress.operations import Board
from tests.stress.servers import UNHURRIED
from yotei.storage.embedded import running_url

CLIENTS: Final = 16
ROOMS: Final = 60
CALENDARS: Final = 6
WORKERS: Final = 2
VICTIMS: Final = ("the server", "the server", "the server", "all", "all", "a worker", "a backend", "PostgreSQL")
"""Each of them in turn, in an order drawn anew each time."""
PEACE_S: Final = (0.3, 1.5)
"""Between a server that is ready and the next kill."""
START_S_MAX: Final = 60.0
UNAVAILABLE: Final = 503


async def crash(place: Place, kills: int, seed: int, *, people: int = CLIENTS) -> tuple[Evidence, Counter[str]]:
    """Kills in a fresh place: what is left, and what was killed how often."""
    chance = random.Random(seed)
    killer = _Killer(place, chance)
    await asyncio.to_thread(killer.start)
    url = running_url(place.data_dir)
    assert url is not None
    there = await world.make(url, people=people, calendars=CALENDARS, rooms=ROOMS, seed=seed, now=datetime.now(UTC))
    board = Board()
    at_work = [
        Client(there, board, person, place.port, f"{seed} {n}", tries_again_on=frozenset({UNAVAILABLE}))
        for n, person in enumerate(there.people)
    ]
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        for one in at_work:
            tasks.create_task(one.run(stop))
        for _ in range(kills):
            await asyncio.sleep(chance.uniform(*PEACE_S))
            await asyncio.to_thread(killer.strike)
        stop.set()
    copies = await Reader(there, place.port, f"{seed}").finish()
    evidence = Evidence(clients.records(at_work), await rows.read(url), copies)
    await asyncio.to_thread(killer.stop)
    return evidence, killer.kills


def closing_line(evidence: Evidence, faults: Sequence[Fault]) -> str:
    count = Counter(one.kind for one in faults)
    told = {"lost": Kind.LOST, "half": Kind.HALF, "orphans": Kind.ORPHAN}
    # What is seldom told is told when there is any.
    told |= {name: kind for name, kind in {"overlaps": Kind.OVERLAP, "errors": Kind.ERROR}.items() if count[kind]}
    acknowledged = sum(one.is_acknowledged for one in evidence.sent)
    return f"acknowledged {acknowledged}, {', '.join(f'{name} {count[kind]}' for name, kind in told.items())}"


class _Killer:
    """Kills, and has everything up again before it returns."""

    def __init__(self, place: Place, chance: random.Random) -> None:
        self.kills: Counter[str] = Counter()
        self._place = place
        self._chance = chance
        self._next: list[str] = []
        self._server: Server | None = None

    def start(self) -> None:
        """A server that serves. One that ends is started again: a server whose worker is killed twice within seconds
        takes that for a fault of its own."""

        def is_up() -> bool:
            if self._server is None or self._server.process.poll() is not None:
                self._server = self._place.start(YOTEI_SERVER_WORKERS=f"{WORKERS}")
            return len(self._server.workers()) >= WORKERS and status(f"{self._place.base}/readyz") == 200

        try:
            until(is_up, "all is up again", START_S_MAX)
        except AssertionError as error:
            log = (self._place.data_dir / "postgres.log").read_text()[-2_000:]
            said = "" if self._server is None else f"{self._server.out}\n{self._server.err}"
            error.add_note(f"killed {self.kills}; {self._place.processes()}\n{said}\n{log}")
            raise

    def stop(self) -> None:
        assert self._server is not None
        code = self._server.stop()
        assert code == 0, f"exit code {code}: {self._server.err}"

    def strike(self) -> None:
        assert self._server is not None
        self._next = self._next or self._chance.sample(VICTIMS, len(VICTIMS))
        what = self._next.pop()
        postgres = self._place.postmaster()
        workers = self._server.workers()
        if what == "a worker":
            _kill(self._chance.sample(workers, min(1, len(workers))))
        elif what == "a backend":
            backends = children(postgres)
            _kill(self._chance.sample(backends, min(1, len(backends))))
        elif what == "PostgreSQL":
            _kill((postgres, *children(postgres)))
        else:
            _kill((self._server.pid, *workers, *((postgres, *children(postgres)) if what == "all" else ())))
            self._server.ended()
        self.kills[what] += 1
        self.start()


def _kill(pids: Iterable[int]) -> None:
    for pid in pids:
        # Some end by themselves, between being found and being killed.
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with new_place(**UNHURRIED) as place:
        evidence, kills = asyncio.run(crash(place, asked.kills, asked.seed))
    faults = checks.faults(evidence)
    print(checks.summary(evidence, faults))
    print("killed:", ", ".join(f"{what} {times}" for what, times in sorted(kills.items())))
    print(closing_line(evidence, faults))
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
