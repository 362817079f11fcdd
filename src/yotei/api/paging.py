"""Cursors: where a page ended, as a text that means nothing to the caller and is checked when it comes back."""

import base64
import binascii
from typing import Final, TypeVar

import msgspec

from yotei.errors import Code, invalid

T = TypeVar("T", bound=msgspec.Struct)

CURSOR_CHARACTERS_MAX: Final = 2_048
"""A name of 200 characters, four bytes each, and an id have room in it."""


def encode(after: msgspec.Struct | None) -> str | None:
    if after is None:
        return None
    packed = msgspec.msgpack.encode((_list_of(type(after)), *msgspec.structs.astuple(after)))
    return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


def decode(cursor: str | None, kind: type[T]) -> T | None:
    """The place that `encode` wrote down; Problem `invalid_cursor` for anything else."""
    if cursor is None:
        return None
    try:
        packed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        of, *values = msgspec.msgpack.decode(packed)
        if of != _list_of(kind):
            raise ValueError("a cursor of another list")
        names = (field.name for field in msgspec.structs.fields(kind))
        return msgspec.convert(dict(zip(names, values, strict=True)), kind)
    except (binascii.Error, ValueError, TypeError, RecursionError, msgspec.DecodeError):
        raise invalid(
            "query.cursor", "expected a `next_cursor` of an earlier answer", code=Code.INVALID_CURSOR
        ) from None


def _list_of(kind: type[msgspec.Struct]) -> str:
    """The room of the list: places of two lists may look alike."""
    return kind.__module__.split(".")[1]
