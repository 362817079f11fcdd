"""The least that answers: an ASGI callable with the bytes in its hand, on the server program that `yotei run` uses.

    python -m bench.cache.bare PORT FILE HEADS

`/list` is answered with the bytes of the file, `/304` with 304; `/list/fields` and `/304/fields` are the same with all
fields that `HEADS` gives for it, as JSON. The settings of the server are those of `yotei run`.
"""

import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import msgspec
from granian import Granian
from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings
from granian.log import LogLevels

from yotei.cli.run import HEADER_TIMEOUT_MS

BODY_FILE: Final = "BENCH_BODY_FILE"
HEADS: Final = "BENCH_HEADS"
ETAG: Final = b'"0123456789abcdef"'


def application() -> Callable[..., Awaitable[None]]:
    """What the worker loads."""
    body = Path(os.environ[BODY_FILE]).read_bytes()
    heads = msgspec.json.decode(os.environ[HEADS], type=dict[str, list[tuple[str, str]]])
    plain = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), (b"etag", ETAG)]
    starts: Final = {
        "/list": _start(200, plain),
        "/304": _start(304, [(b"etag", ETAG)]),
        "/list/fields": _start(200, [(name.encode(), value.encode()) for name, value in heads["list"]]),
        "/304/fields": _start(304, [(name.encode(), value.encode()) for name, value in heads["304"]]),
    }
    bodies: Final = {200: body, 304: b""}

    async def bare(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            for _ in range(2):
                message = await receive()
                await send({"type": f"{message['type']}.complete"})
            return
        start = starts[scope["path"]]
        await send(start)
        await send({"type": "http.response.body", "body": bodies[start["status"]], "more_body": False})

    return bare


def _start(status: int, headers: list[tuple[bytes, bytes]]) -> dict[str, Any]:
    return {"type": "http.response.start", "status": status, "headers": headers}


def serve(port: int) -> None:
    Granian(
        "bench.cache.bare:application",
        factory=True,
        port=port,
        interface=Interfaces.ASGI,
        loop=Loops.asyncio,
        http=HTTPModes.http1,
        workers=1,
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_TIMEOUT_MS),
        log_level=LogLevels.warning,
        log_access=False,
    ).serve()


if __name__ == "__main__":
    os.environ[BODY_FILE], os.environ[HEADS] = sys.argv[2:4]
    serve(int(sys.argv[1]))
