"""HTTP/1.1 over one connection, with nothing in between: cheap enough for many clients, and able to hang up."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Final, NamedTuple

import msgspec

ANSWER_TIMEOUT_S: Final = 30.0
HEAD_BYTES_MAX: Final = 1 << 16

_encoder: Final = msgspec.json.Encoder()


class Answer(NamedTuple):
    """Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class NoAnswer(Exception):
    """The connection ended before a whole answer came: nobody knows whether the request was done."""


class Wire:
    """A connection to a server, opened when it is needed and again after it was lost."""

    def __init__(self, port: int, token: str) -> None:
        self._port = port
        self._token = token
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        *,
        hang_up_after_s: float | None = None,
    ) -> Answer:
        """Send a request; raises NoAnswer, always when told to hang up."""
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                reader, writer = await self._opened()
                writer.write(self._request(method, path, body, headers or {}))
                await writer.drain()
                if hang_up_after_s is None:
                    return await self._answer(reader)
                await asyncio.sleep(hang_up_after_s)
        except (OSError, EOFError, asyncio.LimitOverrunError) as error:
            self.close()
            raise NoAnswer(repr(error)) from None
        except BaseException:
            self.close()
            raise
        self.close()
        raise NoAnswer("hung up")

    def close(self) -> None:
        """Hang up at once, without a word."""
        if self._writer is not None:
            with suppress(RuntimeError):
                self._writer.transport.abort()
        self._reader = self._writer = None

    async def _opened(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._reader is None or self._writer is None:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port, limit=HEAD_BYTES_MAX)
        return self._reader, self._writer

    def _request(self, method: str, path: str, body: object, headers: Mapping[str, str]) -> bytes:
        content = b"" if body is None else _encoder.encode(body)
        lines = {
            "Host": f"127.0.0.1:{self._port}",
            "Authorization": f"Bearer {self._token}",
            "Content-Length": str(len(content)),
            **({} if body is None else {"Content-Type": "application/json"}),
            **headers,
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + content

    async def _answer(self, reader: asyncio.StreamReader) -> Answer:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        status = int(head[0].split(" ", 2)[1])
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:-2])}
        body = b""
        if headers.get("transfer-encoding", "").lower() == "chunked":
            body = await _chunks(reader)
        elif length := int(headers.get("content-length", "0")):
            body = await reader.readexactly(length)
        if headers.get("connection", "").lower() == "close":
            self.close()
        return Answer(status, headers, body)


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    parts = []
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        parts.append(await reader.readexactly(size))
        await reader.readexactly(2)
    await reader.readuntil(b"\r\n")
    return b"".join(parts)
