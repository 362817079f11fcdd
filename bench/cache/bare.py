"""The least that answers: an ASGI callable with the bytes in its hand, on the server program that `yotei run` uses.

    python -m bench.cache.bare PORT FILE

`/list` is answered with the bytes of the file, `/304` with 304. The settings of the server are those of `yotei run`.
"""

import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from granian import Granian
from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings
from granian.log import LogLevels

from yotei.cli.run import HEADER_TIMEOUT_MS

BODY_FILE: Final = "BENCH_BODY_FILE"
ETAG: Final = b'"0123456789abcdef"'


def application() -> Callable[..., Awaitable[None]]:
    """What the worker loads."""
    body = Path(os.environ[BODY_FILE]).read_bytes()
    there: Final = {
        "type": "http.response.start",
        "status": 200,
        "headers": [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"etag", ETAG),
        ],
    }
    not_modified: Final = {"type": "http.response.start", "status": 304, "headers": [(b"etag", ETAG)]}

    async def bare(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            for _ in range(2):
                message = await receive()
                await send({"type": f"{message['type']}.complete"})
        elif scope["path"] == "/304":
            await send(not_modified)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        else:
            await send(there)
            await send({"type": "http.response.body", "body": body, "more_body": False})

    return bare


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
    os.environ[BODY_FILE] = sys.argv[2]
    serve(int(sys.argv[1]))
