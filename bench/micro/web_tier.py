"""The web tier side by side: bare ASGI, Litestar and Starlette, on granian and on uvicorn.

Run it with the development environment: `.venv/bin/python bench/micro/web_tier.py`.

Every variant is its own server process (one worker, asyncio loop) on a free loopback port; the
variants take turns within each round, so that a slow second of the machine hits all of them. The
client is one process with raw keep-alive sockets: with a fast server it is the client that is
measured, so read ratios below the fastest row as upper bounds of the difference. Requests, rounds
and time are bounded. Starlette is not among the development requirements: measured only if present.

It repeats the comparison of ADR 0001 and 0002 without an outside load tool, and knows nothing of Yotei.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import os
import selectors
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Litestar, get
from litestar.exceptions import NotFoundException
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.params import Parameter

EVENT_ID = UUID("01934d3e-0000-7000-8000-000000000001")
PATHS = {"one": f"/api/events/{EVENT_ID}", "list": "/api/events?limit=50&start=2026-11-01T00:00:00Z"}
START_TIMEOUT_S = 15.0
SOCKET_TIMEOUT_S = 10.0
HAS_STARLETTE = importlib.util.find_spec("starlette") is not None


class Attendee(msgspec.Struct, frozen=True, gc=False):
    email: str
    name: str
    response_status: str
    is_optional: bool


class Event(msgspec.Struct, frozen=True, gc=False):
    id: UUID
    title: str
    start_time: datetime
    end_time: datetime
    attendees: list[Attendee]


class Item(msgspec.Struct, frozen=True, gc=False):
    id: UUID
    title: str
    start_time: datetime
    end_time: datetime
    description: str
    organizer_name: str
    attendee_count: int
    room_names: list[str]


class Page(msgspec.Struct, frozen=True):
    items: list[Item]


NINE = datetime(2026, 11, 24, 9, tzinfo=UTC)
TEN = NINE + timedelta(hours=1)
EVENT = Event(
    EVENT_ID,
    "Weekly planning",
    NINE,
    TEN,
    [Attendee(f"person{n:03d}@example.org", f"Person Number {n:03d}", "NEEDS-ACTION", False) for n in range(17)],
)
PAGE = Page(
    [
        Item(
            UUID(int=EVENT_ID.int + n), f"Planning {n}", NINE, TEN, "d" * 300, "Person Number 001", 17, ["Big", "Small"]
        )
        for n in range(50)
    ]
)


# The applications, by name, as the servers load them: `web_tier:bare` and so on.


async def bare(scope: Any, receive: Any, send: Any) -> None:
    """An answer that is already rendered: the floor of what a server costs."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    body = RENDERED_PAGE if scope["path"] == "/api/events" else RENDERED_EVENT
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


RENDERED_EVENT = msgspec.json.encode(EVENT)
RENDERED_PAGE = msgspec.json.encode(PAGE)


@get("/api/events/{event_id:uuid}")
async def one_event(event_id: UUID) -> Event:
    if event_id != EVENT_ID:
        raise NotFoundException("no such event")
    return EVENT


@get("/api/events")
async def list_events(start: datetime | None = None, limit: Annotated[int, Parameter(ge=1, le=200)] = 50) -> Page:
    return PAGE


def litestar_app() -> Litestar:
    description = OpenAPIConfig(
        title="bench", version="1", path="/api", render_plugins=[JsonRenderPlugin(path="/openapi.json")]
    )
    return Litestar([one_event, list_events], openapi_config=description)


class EventPath(msgspec.Struct):
    event_id: UUID


class EventQuery(msgspec.Struct):
    start: datetime | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=200)] = 50


def starlette_app() -> Any:
    """The same two answers with the same checks, written by hand around msgspec."""
    applications, exceptions, responses, routing = (
        importlib.import_module(f"starlette.{name}") for name in ("applications", "exceptions", "responses", "routing")
    )
    encoder = msgspec.json.Encoder()

    async def one(request: Any) -> Any:
        path = msgspec.convert(request.path_params, EventPath, strict=False)
        if path.event_id != EVENT_ID:
            raise exceptions.HTTPException(404)
        return responses.Response(encoder.encode(EVENT), media_type="application/json")

    async def many(request: Any) -> Any:
        msgspec.convert(dict(request.query_params), EventQuery, strict=False)
        return responses.Response(encoder.encode(PAGE), media_type="application/json")

    return applications.Starlette(
        routes=[routing.Route("/api/events/{event_id}", one), routing.Route("/api/events", many)]
    )


@dataclass
class Variant:
    """One server with one application, and the requests/s of each round by path name."""

    server: str
    app: str
    port: int
    rates: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in PATHS})

    @property
    def name(self) -> str:
        return f"{self.app.removesuffix('_app')} on {self.server}"

    def command(self) -> list[str]:
        target, factory = f"web_tier:{self.app}", ["--factory"] if self.app.endswith("_app") else []
        address = ["--host", "127.0.0.1", "--port", str(self.port), "--log-level", "warning", "--no-access-log"]
        if self.server == "granian":
            run = ["granian", "--interface", "asgi", "--loop", "asyncio", "--http", "1"]
        else:
            http = "httptools" if importlib.util.find_spec("httptools") else "h11"
            run = ["uvicorn", "--loop", "asyncio", "--http", http]
        return [sys.executable, "-m", *run, *address, *factory, target]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running(variant: Variant) -> Iterator[None]:
    """The server process, from its first accepted connection until it is stopped."""
    here = str(Path(__file__).resolve().parent)
    environment = {**os.environ, "PYTHONPATH": here}
    process = subprocess.Popen(variant.command(), env=environment, cwd=here)
    try:
        deadline_s = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                load(variant.port, PATHS["one"], requests=1, connections=1)
                break
            except OSError as error:
                if process.poll() is not None or time.monotonic() > deadline_s:
                    raise RuntimeError(f"{variant.name} did not start") from error
                time.sleep(0.05)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def load(port: int, path: str, requests: int, connections: int) -> float:
    """Requests/s over keep-alive connections, each with one request under way at a time.

    The answer's length is learned from the first response and is the same for all others (headers
    included: the applications send nothing that varies in length).
    """
    message = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
    length = answer_length(port, message)
    sockets: list[socket.socket] = []
    with contextlib.ExitStack() as stack, selectors.DefaultSelector() as selector:
        for _ in range(connections):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=SOCKET_TIMEOUT_S))
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(client, selectors.EVENT_READ)
            sockets.append(client)
        missing = dict.fromkeys(sockets, length)
        sent = done = 0
        began = time.perf_counter()
        for client in sockets[:requests]:
            client.sendall(message)
            sent += 1
        while done < requests:
            ready = selector.select(timeout=SOCKET_TIMEOUT_S)
            if not ready:
                raise TimeoutError(f"no answer within {SOCKET_TIMEOUT_S} s")
            for key, _ in ready:
                client = key.fileobj  # type: ignore[assignment]
                received = len(client.recv(262_144))
                if received == 0:
                    raise ConnectionError("the server closed a keep-alive connection")
                missing[client] -= received
                if missing[client] > 0:
                    continue
                if missing[client] < 0:
                    raise ValueError("an answer was longer than the first one")
                missing[client] = length
                done += 1
                if sent < requests:
                    client.sendall(message)
                    sent += 1
        return requests / (time.perf_counter() - began)


def answer_length(port: int, message: bytes) -> int:
    """Bytes of one whole answer, which must be a 200 with a Content-Length."""
    with socket.create_connection(("127.0.0.1", port), timeout=SOCKET_TIMEOUT_S) as client:
        client.sendall(message)
        answer = b""
        while b"\r\n\r\n" not in answer:
            chunk = client.recv(65_536)
            if not chunk:
                raise ConnectionError("closed before the headers ended")
            answer += chunk
    head = answer.partition(b"\r\n\r\n")[0].lower()
    if b" 200 " not in head.split(b"\r\n")[0]:
        raise ValueError(f"unexpected answer: {head[:80]!r}")
    [size] = [line.partition(b":")[2] for line in head.split(b"\r\n") if line.startswith(b"content-length:")]
    return len(head) + 4 + int(size)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--requests", type=int, default=2_000, help="per variant, path and round")
    options.add_argument("--connections", type=int, default=16)
    given = options.parse_args()

    apps = ["bare", "litestar_app", *(["starlette_app"] if HAS_STARLETTE else [])]
    variants = [Variant(server, app, free_port()) for app in apps for server in ("granian", "uvicorn")]
    if not HAS_STARLETTE:
        print("Starlette is not installed here: its rows are left out.")
    if importlib.util.find_spec("httptools") is None:
        print("httptools is not installed here: uvicorn parses with h11, its slow path.")

    with contextlib.ExitStack() as stack:
        for variant in variants:
            stack.enter_context(running(variant))
            for path in PATHS.values():
                load(variant.port, path, given.requests // 4, given.connections)
        for _ in range(given.rounds):
            for name, path in PATHS.items():
                for variant in variants:
                    variant.rates[name].append(load(variant.port, path, given.requests, given.connections))

    reference = variants[0]
    print(f"{'':24}" + "".join(f"{name + ' req/s':>14}{'ratio':>8}" for name in PATHS))
    for variant in variants:
        columns = ""
        for name in PATHS:
            rounds = zip(variant.rates[name], reference.rates[name], strict=True)
            ratio = statistics.median(mine / theirs for mine, theirs in rounds)
            columns += f"{statistics.median(variant.rates[name]):>14,.0f}{ratio:>8.2f}"
        print(f"{variant.name:24}{columns}")
    sizes = {"one": len(RENDERED_EVENT), "list": len(RENDERED_PAGE)}
    print(f"Medians of {given.rounds} rounds, ratio within the round to {reference.name}. Bodies: {sizes} bytes.")


if __name__ == "__main__":
    main()
