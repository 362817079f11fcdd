"""A TCP port of ours before a server, with the faults that a network has.

`hold` lets connections stand and passes nothing on, towards the server, the client or both, as a partition does: what
was sent comes late, when it heals. `half_open` does so for ever to the connections of now, and new ones pass. With
`tls` the proxy is where TLS ends; PostgreSQL's clients ask for it in a word of their own first (`asks_first`).
"""

import asyncio
import random
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

from yotei.storage.embedded import SOCKET_NAME

CHUNK_BYTES: Final = 65_536
# PostgreSQL, "SSL Session Encryption": eight bytes, answered by S.
SSL_REQUEST_BYTES: Final = 8

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Connect = Callable[[], Awaitable[Connection]]


class Proxy:
    """`port` is where it listens, `connections` how many clients it has now, `accepted` how many it ever had.

    What is passed on is late by `delay_s`, and by up to `jitter_s` more. `connect` may be replaced: those who come from
    then on are led elsewhere.
    """

    def __init__(self, connect: Connect, *, tls: ssl.SSLContext | None, asks_first: bool) -> None:
        self.port = 0
        self.accepted = 0
        self.delay_s = 0.0
        self.jitter_s = 0.0
        self.connect = connect
        self._tls = tls
        self._asks_first = asks_first
        self._to_server = asyncio.Event()
        self._to_client = asyncio.Event()
        self._tasks: dict[asyncio.Task[None], asyncio.Event] = {}
        self.heal()

    @property
    def connections(self) -> int:
        return len(self._tasks)

    def hold(self, *, to_server: bool = True, to_client: bool = True) -> None:
        if to_server:
            self._to_server.clear()
        if to_client:
            self._to_client.clear()

    def drop(self) -> None:
        """End every connection once."""
        for task in self._tasks:
            task.cancel()

    def half_open(self) -> None:
        """To whoever is connected now, nothing is said any more, not even that it is over."""
        for stands in self._tasks.values():
            stands.clear()

    def heal(self) -> None:
        self._to_server.set()
        self._to_client.set()

    def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        stands = asyncio.Event()
        stands.set()
        task = asyncio.create_task(self._pass_on(reader, writer, stands), name="proxy")
        self._tasks[task] = stands
        task.add_done_callback(self._tasks.pop)

    async def end(self) -> None:
        self.drop()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, stands: asyncio.Event) -> None:
        server_writer: asyncio.StreamWriter | None = None
        try:
            if self._tls is not None:
                if self._asks_first:
                    await reader.readexactly(SSL_REQUEST_BYTES)
                    writer.write(b"S")
                await writer.start_tls(self._tls)
            await self._to_server.wait()
            server_reader, server_writer = await self.connect()
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pump(reader, server_writer, self._to_server, stands), name="proxy")
                both.create_task(self._pump(server_reader, writer, self._to_client, stands), name="proxy")
        except* (OSError, EOFError):
            pass
        finally:
            writer.transport.abort()
            if server_writer is not None:
                server_writer.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *gates: asyncio.Event) -> None:
        """Until one side ends, which ends the other: raises EOFError or OSError."""
        while True:
            passed = await reader.read(CHUNK_BYTES)
            if self.delay_s or self.jitter_s:
                await asyncio.sleep(self.delay_s + self.jitter_s * random.random())
            for gate in gates:
                await gate.wait()
            if not passed:
                raise EOFError
            writer.write(passed)
            await writer.drain()


def way_to(target: tuple[str, int] | Path) -> Connect:
    """How a TCP address or a unix socket is reached."""

    async def connect() -> Connection:
        if isinstance(target, Path):
            return await asyncio.open_unix_connection(target)
        return await asyncio.open_connection(*target)

    return connect


@asynccontextmanager
async def proxy_to(
    target: tuple[str, int] | Path, *, port: int = 0, tls: ssl.SSLContext | None = None, asks_first: bool = False
) -> AsyncIterator[Proxy]:
    """Before a TCP address or a unix socket; on a free port unless one is named."""

    proxy = Proxy(way_to(target), tls=tls, asks_first=asks_first)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", port)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.end()
        await server.wait_closed()


@asynccontextmanager
async def proxy_to_database(url: str) -> AsyncIterator[tuple[Proxy, str]]:
    """Before a database whose address leads to a unix socket, and its address through the proxy."""
    parts = urlsplit(url)
    async with proxy_to(Path(unquote(parse_qs(parts.query)["host"][0])) / SOCKET_NAME) as proxy:
        yield proxy, f"postgresql://{parts.username}@127.0.0.1:{proxy.port}{parts.path}?sslmode=disable"


def certified(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """What a server for `localhost` and 127.0.0.1 speaks TLS with, and the file that its clients trust it by."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
            *("-out", str(certificate), "-keyout", str(key)),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context, certificate
