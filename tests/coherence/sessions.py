"""Clients: each reads and writes one thing after the other at whatever node, and notes down what it was shown."""

import asyncio
import random
from collections.abc import Sequence
from contextlib import suppress
from sys import intern
from typing import Final
from uuid import uuid4

from tests.coherence.history import History, Read, Write, now_s
from tests.coherence.kinds import Look, Person, Shown, Thing, write_by_sql
from tests.coherence.world import Node
from tests.stress.wire import Answer, NoAnswer, Wire
from yotei.storage.pool import Database

IDLE_S_MAX: Final = 5.0
"""Servers close connections that are idle for longer; a request that meets with that says nothing."""
READ_S_MAX: Final = 5.0
WRITE_S_MAX: Final = 5.0
WRITE_PATIENCE_S: Final = 40.0
AGAIN_S: Final = (0.05, 0.3)
UNAVAILABLE: Final = 503
NOT_MODIFIED: Final = 304
OK: Final = frozenset({200, 204, NOT_MODIFIED})
WRITES: Final = 0.05
READS_OF_OWN_WRITE: Final = 4
"""After each write: a fifth of all reads."""
READS_OF_RECENT: Final = 0.3
"""The part of the other reads that asks for what anybody wrote last."""


class Client:
    """One person behind a keyboard, with the tokens of all; `carries_token`: the `Yotei-Token` of the last answer goes
    with the next request."""

    def __init__(
        self, name: str, history: History, people: Sequence[Person], database: Database, *, carries_token: bool
    ) -> None:
        self.name = name
        self._history = history
        self._people = people
        self._database = database
        self._carries_token = carries_token
        self._token: str | None = None
        self._known: dict[Look, tuple[str, Shown]] = {}
        """What was shown last, and its ETag."""
        self._wires: dict[tuple[int, int], Wire] = {}
        self._used_s: dict[Wire, float] = {}
        self._id = uuid4()
        self._sent = 0

    async def read(self, node: Node, thing: Thing, look: Look | None = None) -> Read | None:
        """None where there was no answer. Without a look, the first."""
        look = look or thing.looks[0]
        token = self._token
        began_s = now_s()
        known = self._known.get(look)
        headers = {} if known is None else {"If-None-Match": known[0]}
        answer = await self._ask(node, look.person, "GET", look.path, READ_S_MAX, headers=headers)
        if answer is None or answer.status == UNAVAILABLE:
            self._history.note_unavailable()
            return None
        shown = self._shown(node, look, answer)
        if shown is None:
            return None
        status = answer.headers.get("cache-status", "")
        read = Read(
            key=intern(thing.key + look.aspect),
            value=intern(shown.value),
            session=self.name if token is not None else "",
            node=node.number,
            began_s=began_s,
            ended_s=now_s(),
            is_stale="stale" in status,
            times=shown.times,
            cache_status=intern(status),
        )
        self._history.reads.append(read)
        return read

    async def write(self, nodes: Sequence[Node], thing: Thing, chance: random.Random) -> bool:
        """The next value of the thing, whose last write is known to be done. Sent again, by the same key and at any of
        these nodes, until somebody answers; False when nobody does, and it may have been done."""
        number = len(self._history.writes[thing.key])
        # Past the application nobody is given a token that tells of it.
        writer = self.name if thing.change is not None else "SQL"
        sent_s = now_s()
        done = await self._write(nodes, thing, thing.value(writer, number), number, chance)
        note_write(self._history, thing, writer, number, sent_s, now_s() if done else None)
        return done

    async def _write(self, nodes: Sequence[Node], thing: Thing, value: str, number: int, chance: random.Random) -> bool:
        if thing.change is None:
            await write_by_sql(self._database, thing, value)
            return True
        change = thing.change(value, number)
        self._sent += 1
        headers = {"Idempotency-Key": f"{self._id}-{self._sent}"}
        deadline_s = now_s() + WRITE_PATIENCE_S
        while now_s() < deadline_s:
            node = chance.choice(nodes)
            answer = await self._ask(
                node, change.person, change.method, change.path, WRITE_S_MAX, body=change.body, headers=headers
            )
            if answer is not None and answer.status in OK:
                return True
            if answer is not None and answer.status != UNAVAILABLE:
                self._note_unexpected(node, f"{change.method} {change.path}", answer)
                return False
            await asyncio.sleep(chance.uniform(*AGAIN_S))
        return False

    async def _ask(
        self,
        node: Node,
        person: int,
        method: str,
        path: str,
        timeout_s: float,
        body: object = None,
        headers: dict[str, str] | None = None,
    ) -> Answer | None:
        wire = self._wires.get((node.port, person))
        if wire is None:
            wire = self._wires[node.port, person] = Wire(node.port, self._people[person].token)
        if now_s() - self._used_s.get(wire, 0.0) > IDLE_S_MAX:
            wire.close()
        self._used_s[wire] = now_s()
        sent = dict(headers or {})
        if self._token is not None:
            sent["Yotei-Token"] = self._token
        with suppress(NoAnswer, TimeoutError):
            async with asyncio.timeout(timeout_s):
                answer = await wire.ask(method, path, body, sent)
            if self._carries_token and answer.status in OK:
                self._token = answer.headers.get("yotei-token", self._token)
            return answer
        return None

    def _shown(self, node: Node, look: Look, answer: Answer) -> Shown | None:
        """What the answer shows, or says is as it was; None where that is nothing, which is noted."""
        known = self._known.get(look)
        if answer.status == NOT_MODIFIED and known is not None:
            return known[1]
        try:
            if answer.status != 200:
                raise ValueError(answer.status)
            shown = look.shown(answer.body)
        except ValueError:
            self._note_unexpected(node, f"GET {look.path}", answer)
            return None
        if shown is None:
            self._history.note_unavailable()
        elif "etag" in answer.headers:
            self._known[look] = answer.headers["etag"], shown
        return shown

    def close(self) -> None:
        for wire in self._wires.values():
            wire.close()

    def _note_unexpected(self, node: Node, what: str, answer: Answer) -> None:
        self._history.unexpected.append(f"{answer.status} from node {node.number} to {what}: {answer.body[:300]!r}")


def begin(history: History, thing: Thing) -> None:
    for key, value in thing.values("", 0).items():
        history.begin(key, value)


def note_write(history: History, thing: Thing, writer: str, number: int, sent_s: float, done_s: float | None) -> None:
    for key, value in thing.values(writer, number).items():
        history.write(Write(key, number, value, writer, sent_s, done_s))
    history.recent.append(thing.key)


class Board:
    """The things of a run, and which of them may be written now."""

    def __init__(self, things: Sequence[Thing]) -> None:
        self.things = {thing.key: thing for thing in things}
        self._keys = list(self.things)
        self._free = set(self._keys)

    def pick(self, chance: random.Random) -> Thing:
        return self.things[chance.choice(self._keys)]

    def take(self, chance: random.Random) -> Thing | None:
        """One that nobody is writing."""
        key = chance.choice(self._keys)
        if key not in self._free:
            return None
        self._free.discard(key)
        return self.things[key]

    def give_back(self, thing: Thing) -> None:
        self._free.add(thing.key)


class Session:
    """A client that does what comes to its mind until it is told to stop, about `per_s` times a second."""

    def __init__(
        self, client: Client, board: Board, nodes: Sequence[Node], history: History, per_s: float, seed: str
    ) -> None:
        self._client = client
        self._board = board
        self._nodes = nodes
        self._history = history
        self._pause_s = 1 / per_s
        self._chance = random.Random(seed)
        self._own: list[Thing] = []

    async def run(self, stop: asyncio.Event) -> None:
        next_s = now_s() + self._pause_s * self._chance.random()
        while not stop.is_set():
            await asyncio.sleep(next_s - now_s())
            next_s = max(next_s, now_s() - 1) + self._pause_s
            await self._do()
        self._client.close()

    async def _do(self) -> None:
        chance = self._chance
        if self._own:
            await self._read(self._own.pop())
        elif chance.random() < WRITES / (1 - WRITES * READS_OF_OWN_WRITE):
            thing = self._board.take(chance)
            if thing is None:
                return
            if await self._client.write(self._nodes, thing, chance):
                self._board.give_back(thing)
                self._own = [thing] * READS_OF_OWN_WRITE
        elif self._history.recent and chance.random() < READS_OF_RECENT:
            await self._read(self._board.things[chance.choice(self._history.recent)])
        else:
            await self._read(self._board.pick(chance))

    async def _read(self, thing: Thing) -> None:
        await self._client.read(self._chance.choice(self._nodes), thing, self._chance.choice(thing.looks))
