"""Clients that do one operation after the other until they are told to stop, and keep a record of each.

Every request has an Idempotency-Key, and is sent again with it for as long as nobody has answered, so that every
operation ends as done or as refused.
"""

import asyncio
import random
import time
from collections.abc import Sequence
from hashlib import sha256
from typing import Final

import msgspec

from tests.stress.operations import Board, Chooser
from tests.stress.records import Order, Seen, Sent
from tests.stress.wire import Answer, NoAnswer, Wire
from tests.stress.world import Person, World

PATIENCE_S: Final = 120.0
"""For one operation, the time that a server takes to come up again included."""
PAUSE_S: Final = 0.2
HANG_UP_S_MAX: Final = 0.03

_seen: Final = msgspec.json.Decoder(Seen)


class Coded(msgspec.Struct, frozen=True):
    """What is read of a problem."""

    code: str


_coded: Final = msgspec.json.Decoder(Coded)


class Client:
    """One person at one of the servers. `hang_ups`: the part of requests in the middle of which the line is cut;
    `tries_again_on`: the statuses after which the request is sent once more."""

    def __init__(
        self,
        world: World,
        board: Board,
        person: Person,
        port: int,
        seed: str,
        *,
        hang_ups: float = 0.0,
        tries_again_on: frozenset[int] = frozenset(),
    ) -> None:
        self.records: list[Sent] = []
        self._board = board
        self._person = person
        self._chance = random.Random(seed)
        self._chooser = Chooser(world, board, person, self._chance)
        self._wire = Wire(port, person.token)
        self._hang_ups = hang_ups
        self._tries_again_on = tries_again_on

    async def run(self, stop: asyncio.Event) -> None:
        """Until it is told to stop, and then what has been begun."""
        while not stop.is_set():
            self.records.append(await self._do(self._chooser.next()))
        self._wire.close()

    async def _do(self, order: Order) -> Sent:
        key = f"{self._person.id}-{len(self.records)}"
        started_s = time.monotonic()
        sent = 0
        while True:
            sent += 1
            answer = await self._ask(order, key, sent)
            if answer is not None and answer.status not in self._tries_again_on:
                return self._record(order, key, sent, started_s, answer)
            if time.monotonic() > started_s + PATIENCE_S:
                raise AssertionError(f"no answer within {PATIENCE_S:.0f} s, sent {sent} times: {order} {answer}")
            await asyncio.sleep(PAUSE_S * self._chance.random())

    async def _ask(self, order: Order, key: str, sent: int) -> Answer | None:
        hang_up_after_s = None
        if sent == 1 and self._chance.random() < self._hang_ups:
            hang_up_after_s = self._chance.uniform(0, HANG_UP_S_MAX)
        headers = {"Idempotency-Key": key, **({} if order.if_match is None else {"If-Match": order.if_match})}
        try:
            return await self._wire.ask(order.method, order.path, order.body, headers, hang_up_after_s=hang_up_after_s)
        except (NoAnswer, TimeoutError):
            return None

    def _record(self, order: Order, key: str, sent: int, started_s: float, answer: Answer) -> Sent:
        is_done = 200 <= answer.status < 300
        seen = _seen.decode(answer.body) if is_done and answer.body else None
        if seen is not None:
            self._board.note(seen, answer.headers["etag"])
        elif is_done and order.what == "delete" and order.target is not None:
            self._board.note_deleted(order.target)
        return Sent(
            order=order,
            user_id=self._person.id,
            key=key,
            sent=sent,
            started_s=started_s,
            ended_s=time.monotonic(),
            status=answer.status,
            code=None if is_done else _coded.decode(answer.body).code,
            body_hash=sha256(answer.body).digest(),
            seen=seen,
        )


def records(clients: Sequence[Client]) -> list[Sent]:
    return [record for one in clients for record in one.records]
