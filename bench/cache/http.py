"""A warm list over HTTP, and the 304 of it, beside the same bytes from a bare ASGI callable on the same server program.

The bare callable is asked in two ways: with the least of fields in its answer, which is what the bars are about, and
with all those that ours has, which a server writes to the wire whoever made them.

Three servers, each alone on its port with one worker, take turns, slice by slice, with the same client on a few kept
connections: `yotei run` as it is set by default, the same without rendered answers (a list is made of cached units),
and the bare callable. Requests a second are compared, and the CPU that the server took for each: the second does not
depend on what else runs on the machine.
"""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, sleep
from typing import Final
from uuid import UUID

import asyncpg
import msgspec

from bench.cache.client import Answer, Client, get
from bench.cache.processes import cpu_s
from bench.cache.row import Row, Spread
from bench.served import LISTED, Served, median, served
from tests.acceptance.processes import free_port, new_place
from tests.filled import SMALL
from tests.filled import Size as Filled

ROOT: Final = Path(__file__).parents[2]
TOKEN: Final = "yotei_" + "b" * 43
UNHURRIED: Final = {"YOTEI_LIMITS_RATE_PER_S": "1000000", "YOTEI_LIMITS_RATE_BURST": "1000000"}
BARE: Final = "bare"
BARE_WITH_FIELDS: Final = "bare, with the fields that ours has"
BY_THE_SERVER: Final = frozenset({"date", "server", "connection", "transfer-encoding"})
"""Fields that the server program adds to every answer."""
RENDERED: Final = "as it was sent before"
UNITS: Final = "made of cached units"
HOW: Final = {RENDERED: 'detail="rendered"', UNITS: "db=0"}
"""What `Cache-Status` says when a way is what it is called."""
WARM_UP_ASKS_MAX: Final = 100
WARM_UP_PAUSE_S: Final = 0.02
LIST_SHARE_MIN: Final = 0.5
NOT_MODIFIED_SHARE_MIN: Final = 0.8


class Size(msgspec.Struct, frozen=True):
    filled: Filled = SMALL
    connections: int = 8
    slice_s: float = 0.8
    rounds: int = 24
    warm_up: int = 2


TINY: Final = Size(filled=Filled(busy=3, calendars=400, users=401), connections=2, slice_s=0.05, rounds=2, warm_up=1)


class Way:
    """One server, what it is asked, and how it fared in each round."""

    def __init__(self, client: Client, pid: int, requests: dict[str, bytes]) -> None:
        self.client = client
        self.pid = pid
        self.requests = requests
        self.per_s: dict[str, list[float]] = {kind: [] for kind in requests}
        self.cpu_us: dict[str, list[float]] = {kind: [] for kind in requests}

    def slice(self, kind: str, seconds: float) -> tuple[float, float]:
        """Requests a second, and microseconds of CPU for each."""
        cpu, started = cpu_s(self.pid), perf_counter()
        per_s = self.client.ask_for(self.requests[kind], seconds, 304 if kind == "304" else 200)
        return per_s, (cpu_s(self.pid) - cpu) / (per_s * (perf_counter() - started)) * 1e6


async def run(size: Size) -> list[Row]:
    async with with_token(size.filled) as filled:
        return await asyncio.to_thread(_measure, filled, size)


@asynccontextmanager
async def with_token(size: Filled) -> AsyncIterator[Served]:
    """A filled database, and a token of the owner of the calendar with 50 events in the month."""
    async with served(size) as filled:
        connection = await asyncpg.connect(filled.url)
        await connection.execute(
            "insert into tokens (id, user_id, kind, token_hash, name, scopes) "
            "values (gen_random_uuid(), $1, 'USER', sha256($2::text::bytea), 'bench', array['read'])",
            filled.owner_id,
            TOKEN,
        )
        await connection.close()
        yield filled


@contextmanager
def running(filled: Served, **settings: str) -> Iterator[tuple[int, int]]:
    """The port and the process of a `yotei run` on that database."""
    with new_place(**UNHURRIED, **settings, YOTEI_DATABASE_URL=filled.url) as place:
        server = place.start().ready()
        try:
            yield place.port, server.pid
        finally:
            server.stop()


def list_path(filled: Served, calendar_id: UUID | None = None) -> str:
    """The events of this month, by default of the calendar with 50 of them."""
    start, end = (f"{one:%Y-%m-%dT%H:%M:%SZ}" for one in (filled.month_start, filled.month_end))
    return f"/api/calendars/{calendar_id or filled.calendar_id}/events?start={start}&end={end}&limit=100"


def _measure(filled: Served, size: Size) -> list[Row]:
    request = get(list_path(filled), Authorization=f"Bearer {TOKEN}")
    with ExitStack() as stack:
        servers, body, heads = {}, b"", {}
        for name, settings in ((RENDERED, {}), (UNITS, {"YOTEI_CACHE_RENDERED_BYTES_MAX": "0"})):
            port, pid = stack.enter_context(running(filled, **settings))
            with Client(port, 1) as client:
                answer = _warm(client, request, HOW[name])
                again = get(list_path(filled), Authorization=f"Bearer {TOKEN}", If_None_Match=answer.header("ETag"))
                if name == RENDERED:
                    heads = {"list": _fields(answer), "304": _fields(client.ask(again))}
            body = answer.body
            servers[name] = port, pid, {"list": request, "304": again}
        port, pid = stack.enter_context(_bare(body, heads))
        # The same fields of the request, which the server reads before it calls anybody.
        asked = {"Authorization": f"Bearer {TOKEN}"}
        for name, suffix in ((BARE, ""), (BARE_WITH_FIELDS, "/fields")):
            known = get(f"/304{suffix}", **asked, If_None_Match=answer.header("ETag"))
            servers[name] = port, pid, {"list": get(f"/list{suffix}", **asked), "304": known}
        # Only now: the server ends connections on which nothing is asked for some seconds.
        ways = {
            name: Way(stack.enter_context(Client(port, size.connections)), pid, requests)
            for name, (port, pid, requests) in servers.items()
        }
        assert ways[BARE].client.ask(ways[BARE].requests["list"]).body == body
        for kind in ("list", "304"):
            for number in range(size.warm_up + size.rounds):
                for way in list(ways.values())[:: 1 if number % 2 else -1]:
                    per_s, cpu_us = way.slice(kind, size.slice_s)
                    if number >= size.warm_up:
                        way.per_s[kind].append(per_s)
                        way.cpu_us[kind].append(cpu_us)
    return [_row(kind, name, way, ways[BARE], len(body)) for kind in ("list", "304") for name, way in ways.items()]


def _warm(client: Client, request: bytes, how: str) -> Answer:
    """The first that is answered that way: it takes a poll until what was read is known to be of one moment."""
    for _ in range(WARM_UP_ASKS_MAX):
        answer = client.ask(request)
        assert answer.status == 200, answer.head
        if how in answer.header("Cache-Status"):
            assert len(msgspec.json.decode(answer.body)["events"]) == LISTED
            return answer
        sleep(WARM_UP_PAUSE_S)
    raise AssertionError(answer.head)


def _fields(answer: Answer) -> list[tuple[str, str]]:
    lines = (line.partition(": ") for line in answer.head.split("\r\n")[1:])
    return [(name, value) for name, _, value in lines if name.lower() not in BY_THE_SERVER]


@contextmanager
def _bare(body: bytes, heads: dict[str, list[tuple[str, str]]]) -> Iterator[tuple[int, int]]:
    """The port and the process of the bare server."""
    with TemporaryDirectory(prefix="yotei-bench-") as folder:
        file, port = Path(folder) / "body", free_port()
        file.write_bytes(body)
        command = [sys.executable, "-m", "bench.cache.bare", str(port), str(file), msgspec.json.encode(heads).decode()]
        process = subprocess.Popen(command, cwd=ROOT)
        try:
            yield port, process.pid
        finally:
            process.terminate()
            process.wait()


def _row(kind: str, name: str, way: Way, bare: Way, body_bytes: int) -> Row:
    share = Spread.of([a / b for a, b in zip(way.per_s[kind], bare.per_s[kind], strict=True)])
    cpu_us, per_s = median(way.cpu_us[kind]), median(way.per_s[kind])
    bare_cpu_us = median(bare.cpu_us[kind])
    bound = LIST_SHARE_MIN if kind == "list" else NOT_MODIFIED_SHARE_MIN
    is_bound = name == RENDERED
    what = f"warm list of 50 events, {body_bytes / 1_000:.1f} kB" if kind == "list" else "304 of that list"
    beside = "" if name == BARE else f"{share} of bare; {bare_cpu_us / cpu_us:.2f} by CPU"
    return Row(
        f"{what}, {name}",
        f"{per_s:,.0f} requests/s, {cpu_us:.0f} us of CPU each",
        beside,
        bar=f">= {bound:.0%} of bare" if is_bound else "",
        is_met=share.median >= bound if is_bound else None,
        values={
            "kind": kind,
            "way": name,
            "per_s": round(per_s),
            "cpu_us": round(cpu_us, 1),
            "share_of_bare": share.rounded(),
            "share_of_bare_by_cpu": round(bare_cpu_us / cpu_us, 3),
            "bytes": body_bytes,
        },
    )
