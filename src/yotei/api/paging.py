"""Cursors: where a page ended, as a text that means nothing to the caller and is checked when it comes back."""

import base64
import binascii
from typing import TypeVar

import msgspec

from yotei.errors import Code, invalid

T = TypeVar("T", bound=msgspec.Struct)

CURSOR_CHARACTERS_MAX = 1_024


def encode(after: msgspec.Struct | None) -> str | None:
    if after is None:
        return None
    packed = msgspec.msgpack.encode(msgspec.structs.astuple(after))
    return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


def decode(cursor: str | None, kind: type[T]) -> T | None:
    """The place that `encode` wrote down; Problem `invalid_cursor` for anything else."""
    if cursor is None:
        return None
    try:
        packed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        values = msgspec.msgpack.decode(packed)
        hints = (field.name for field in msgspec.structs.fields(kind))
        return msgspec.convert(dict(zip(hints, values, strict=True)), kind)
    except (binascii.Error, ValueError, TypeError, msgspec.DecodeError):
        raise invalid(
            "query.cursor", "expected a `next_cursor` of an earlier answer", code=Code.INVALID_CURSOR
        ) from None
