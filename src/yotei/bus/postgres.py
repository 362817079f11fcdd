"""Hints over PostgreSQL: one connection that listens to a channel and notifies it, a batch in one statement.

Beside the pool, since LISTEN belongs to a session: the address must lead to the primary itself. Behind PgBouncer in
transaction mode LISTEN succeeds, and what is heard is what happens to come by: so a server that is not the one to which
we connected is refused.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import asyncpg

from yotei.bus.transport import CLOSE_TIMEOUT_S, Deliver, Link, LinkLost
from yotei.storage import statements

# "In the default configuration it must be shorter than 8000 bytes" (NOTIFY).
PAYLOAD_BYTES_MAX: Final = 7_999

_SQL: Final = statements.load("yotei.bus")


class PostgresTransport:
    """`topic` is the channel, a name of at most 63 bytes."""

    payload_bytes_max = PAYLOAD_BYTES_MAX

    def __init__(self, url: str, topic: str, *, timeout_s: float) -> None:
        self._url = url
        self._topic = topic
        self._timeout_s = timeout_s

    async def connect(self, deliver: Deliver) -> Link:
        connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(
            self._url, timeout=self._timeout_s, server_settings={"application_name": "yotei-bus"}
        )
        link = _PostgresLink(connection, self._topic)
        try:
            connection.add_termination_listener(link.on_end)
            # A pooler gives its clients process ids of its own.
            if await connection.fetchval(_SQL["begin_session"].sql) != connection.get_server_pid():
                raise LinkLost("a pooler is in between: the address of the bus has to lead to PostgreSQL itself")
            await connection.add_listener(self._topic, lambda *notified: deliver(str(notified[3]).encode()))
        except BaseException:
            await link.close()
            raise
        return link


class _PostgresLink:
    def __init__(self, connection: "asyncpg.Connection[asyncpg.Record]", topic: str) -> None:
        self._connection = connection
        self._topic = topic
        self._ended = asyncio.Event()

    def on_end(self, _connection: Any) -> None:
        self._ended.set()

    async def publish(self, payloads: Sequence[bytes]) -> None:
        await self._connection.execute(_SQL["notify"].sql, self._topic, [payload.decode() for payload in payloads])

    async def listen(self) -> None:
        await self._ended.wait()
        raise LinkLost("PostgreSQL ended the connection")

    async def close(self) -> None:
        try:
            await self._connection.close(timeout=CLOSE_TIMEOUT_S)
        except (TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            pass
        finally:
            self._connection.terminate()
