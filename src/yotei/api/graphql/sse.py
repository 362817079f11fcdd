"""Answers as server-sent events: the distinct connections mode of the GraphQL over SSE protocol, in the format of the
HTML standard (9.2). One request, one operation: an event `next` for each answer, then `complete`.

What is wrong before execution is told in a `next` too. A process that stops ends the stream without `complete`: the
client comes back, and goes on from the position that it has.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Any, Final

import msgspec

from yotei.api.graphql.operations import Told

HEADERS: Final = {
    "Cache-Control": "private, no-store",
    "Vary": "Accept, Authorization, Yotei-On-Behalf-Of",
    "X-Accel-Buffering": "no",  # nginx would keep the events until they fill a buffer
}
_COMPLETE: Final = b"event: complete\ndata:\n\n"
_ALIVE: Final = b":\n\n"

_encoder: Final = msgspec.json.Encoder()


def event(body: dict[str, Any]) -> bytes:
    """An answer as an event; JSON in UTF-8 has no line breaks of its own."""
    return b"event: next\ndata: " + _encoder.encode(body) + b"\n\n"


def single(body: dict[str, Any]) -> bytes:
    """The events of what has one answer."""
    return event(body) + _COMPLETE


async def events(
    answers: AsyncGenerator[Told, None], stopping: asyncio.Event, *, alive_every_s: float
) -> AsyncGenerator[bytes, None]:
    """The events of a subscription. A comment is sent when there was nothing to tell for a while: without it nobody
    would find out that the client is gone."""
    stop: asyncio.Future[Any] = asyncio.ensure_future(stopping.wait())
    coming: asyncio.Future[Told | None] | None = None
    try:
        while True:
            coming = coming or asyncio.ensure_future(_next(answers))
            await asyncio.wait({coming, stop}, timeout=alive_every_s, return_when=asyncio.FIRST_COMPLETED)
            if stop.done():
                return
            if not coming.done():
                yield _ALIVE
                continue
            told, coming = coming.result(), None
            if told is None:
                yield _COMPLETE
                return
            yield event(told.body)
    finally:
        stop.cancel()
        if coming is not None:
            coming.cancel()
            with suppress(asyncio.CancelledError):
                await coming
        await answers.aclose()


async def _next(answers: AsyncGenerator[Told, None]) -> Told | None:
    return await anext(answers, None)
