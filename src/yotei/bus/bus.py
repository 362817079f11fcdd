"""The bus of one process: a bounded queue towards a transport, handlers from it, and a watchdog over both.

    bus = Bus(transport, queue_max=1_000, beat_s=2.0, timeout_s=5.0)
    bus.receive(apply)          # apply(hint), for every hint of the other nodes
    bus.start()
    bus.send(Hint(epoch, xid, keys, now))
    await bus.close()

The watchdog is an echo. Every transport brings a node its own messages too, so each node sends a small one, a beat,
every `beat_s` and waits to hear it. The first echo makes a new link ready; when `BEATS_MISSED_MAX` beats have not come
back the link is given up, whatever it says of itself. That finds a server that swallows everything, a subscription
that was lost and a partition of a topic that nobody reads, with one rule for all transports, and it measures the delay
by one clock.

While there is no link hints are dropped and counted, not kept: before a new one is there the others have polled.
"""

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable
from typing import Final
from uuid import uuid4

import msgspec
import structlog
from msgspec import UNSET

from yotei.bus.hint import Hint, decode, encode, encode_beat, hint_of
from yotei.bus.transport import Link, LinkLost, Transport
from yotei.errors import first_of, kind_of

# Hints that go in one hand-over; what waits behind them goes in the next.
BATCH_MAX: Final = 200
BEATS_MISSED_MAX: Final = 2
# Between two attempts to connect; doubled from the first to the second, with jitter.
PAUSE_S_MIN: Final = 0.05
PAUSE_S_MAX: Final = 1.0

Handler = Callable[[Hint], None]

logger = structlog.get_logger()


class BusStats(msgspec.Struct, frozen=True):
    """Since the process began.

    `sent` and `received` are hints: handed over, and got from other nodes. `dropped` are hints that were not sent: no
    link, or a full queue. `errors` are failures of the link, of messages and of handlers. `rebuilds` are links that
    were given up or could not be made. `lag_ms` is how long the last beat took to come back, or how long one has been
    waited for if that is longer; None before the first.
    """

    sent: int
    received: int
    dropped: int
    errors: int
    rebuilds: int
    waiting: int
    lag_ms: float | None


class Bus:
    """Belongs to one event loop; `send` is called from it. A bus that is not started drops what it is given."""

    def __init__(self, transport: Transport, *, queue_max: int, beat_s: float, timeout_s: float) -> None:
        """`timeout_s` bounds connecting, and each hand-over to the transport."""
        self._transport = transport
        self._queue_max = queue_max
        self._beat_s = beat_s
        self._timeout_s = timeout_s
        self._node = uuid4().hex[:12]
        self._handlers: list[Handler] = []
        self._task: asyncio.Task[None] | None = None
        self._is_linked = False
        self._ready = asyncio.Event()
        self._queue: deque[Hint] = deque()
        self._filled = asyncio.Event()
        self._beats = 0
        self._beats_out: dict[int, float] = {}
        self._echo_ms: float | None = None
        self._is_lost = False
        self._is_reported = False
        self._sent = self._received = self._dropped = self._errors = self._rebuilds = 0

    @property
    def node(self) -> str:
        """By which a node knows its own messages; another one for every `Bus`."""
        return self._node

    @property
    def ready(self) -> bool:
        """Whether there is a link that has been heard through."""
        return self._ready.is_set()

    async def until_ready(self) -> None:
        """Waits without a bound: nothing that serves requests has a reason to wait for a bus."""
        await self._ready.wait()

    @property
    def stats(self) -> BusStats:
        return BusStats(
            sent=self._sent,
            received=self._received,
            dropped=self._dropped,
            errors=self._errors,
            rebuilds=self._rebuilds,
            waiting=len(self._queue),
            lag_ms=self._lag_ms(),
        )

    def receive(self, handler: Handler) -> None:
        """Call it with every hint of another node; this node's own are not brought back to it.

        It may get a hint twice, late, or before an earlier one. It must not wait; what it raises is counted and logged.
        """
        self._handlers.append(handler)

    def send(self, hint: Hint) -> None:
        """Never waits and never raises: the hint is queued, or dropped and counted."""
        if not self._is_linked or len(self._queue) >= self._queue_max:
            self._dropped += 1
            return
        self._queue.append(hint)
        self._filled.set()

    def start(self) -> None:
        """Connect in the background, and again whenever that is needed, until `close`."""
        assert self._task is None, "a bus is started once"
        self._task = asyncio.create_task(self._run(), name="bus")

    async def close(self) -> None:
        """Drop what is queued and leave nothing open; no hint is handled or sent any more."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        pause_s = PAUSE_S_MIN
        while True:
            try:
                await self._link()
            except Exception as error:
                self._errors += 1
                self._rebuilds += 1
                if self._ready.is_set():
                    pause_s = PAUSE_S_MIN
                if not self._is_lost:  # once for an outage, not for every attempt
                    self._is_lost = True
                    logger.warning("bus_lost", error=_name(error))
            finally:
                self._ready.clear()
            await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311
            pause_s = min(pause_s * 2, PAUSE_S_MAX)

    async def _link(self) -> None:
        """One link from its beginning to its end; raises when it is lost."""
        async with asyncio.timeout(self._timeout_s):
            link = await self._transport.connect(self._deliver)
        try:
            self._is_linked = True
            self._is_reported = False
            async with asyncio.TaskGroup() as both:
                both.create_task(link.listen(), name="bus-listen")
                both.create_task(self._send_queued(link), name="bus-send")
            raise LinkLost("it ended without a word")
        finally:
            self._is_linked = False
            self._dropped += len(self._queue)
            self._queue.clear()
            self._beats_out.clear()
            await link.close()

    async def _send_queued(self, link: Link) -> None:
        """Hints as soon as there are any, all that have gathered at a time; a beat whenever one is due."""
        beat_due_s = time.monotonic()
        while True:
            wait_s = beat_due_s - time.monotonic()
            if not self._queue and wait_s > 0:
                self._filled.clear()
                try:
                    async with asyncio.timeout(wait_s):
                        await self._filled.wait()
                except TimeoutError:
                    pass
            payloads: list[bytes] = []
            if time.monotonic() >= beat_due_s:
                payloads.append(self._next_beat())
                beat_due_s = time.monotonic() + self._beat_s
            hints = [self._queue.popleft() for _ in range(min(len(self._queue), BATCH_MAX))]
            for hint in hints:
                payloads += encode(self._node, hint, bytes_max=self._transport.payload_bytes_max)
            try:
                async with asyncio.timeout(self._timeout_s):
                    await link.publish(payloads)
            except BaseException:
                self._dropped += len(hints)
                raise
            self._sent += len(hints)

    def _next_beat(self) -> bytes:
        if len(self._beats_out) >= BEATS_MISSED_MAX:
            raise LinkLost("it does not bring back what is sent")
        self._beats += 1
        self._beats_out[self._beats] = time.monotonic()
        return encode_beat(self._node, self._beats)

    def _deliver(self, payload: bytes) -> None:
        try:
            message = decode(payload, bytes_max=self._transport.payload_bytes_max)
        except msgspec.DecodeError as error:
            self._report("hint_refused", error)
            return
        if message.beat is not UNSET:
            if message.node == self._node:
                self._hear(message.beat)
        elif message.node != self._node:
            self._handle(hint_of(message))

    def _hear(self, beat: int) -> None:
        sent_s = self._beats_out.pop(beat, None)
        if sent_s is None:  # heard before, or of an earlier link
            return
        self._echo_ms = (time.monotonic() - sent_s) * 1000
        if not self._ready.is_set():
            self._ready.set()
            self._is_lost = False
            logger.info("bus_connected", lag_ms=round(self._echo_ms, 1))

    def _handle(self, hint: Hint) -> None:
        self._received += 1
        for handler in self._handlers:
            try:
                handler(hint)
            except Exception as error:
                self._report("hint_handler_failed", error)

    def _report(self, event: str, error: Exception) -> None:
        """Counted always, logged once for a link: what comes in may be of any number."""
        self._errors += 1
        if not self._is_reported:
            self._is_reported = True
            logger.warning(event, error=type(error).__name__, exc_info=error)

    def _lag_ms(self) -> float | None:
        if not self._beats_out:
            return self._echo_ms
        waited_ms = (time.monotonic() - min(self._beats_out.values())) * 1000
        return waited_ms if self._echo_ms is None else max(waited_ms, self._echo_ms)


def _name(error: BaseException) -> str:
    error = first_of(error)
    return str(error) if isinstance(error, LinkLost) else kind_of(error)
