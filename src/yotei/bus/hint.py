"""What travels: one JSON object (RFC 8259) for each hint, bounded in size; docs/bus.md has its schema.

    {"node": "5f2c…", "epoch": "743….1.16384.179…", "xid": 731, "keys": ["event:…:full"], "ts": "2026-11-24T09:00:00Z"}

A hint without keys says "read the change log now". That is also what a hint becomes that is too large to be split.
RFC-003's own message, `{"Keys": […], "Timestamp": …}`, is understood: without a transaction id its keys cannot be
judged, so it too asks for a look at the log.
"""

from datetime import datetime
from typing import Annotated, Final

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

# An answer to one change touches a few keys; a larger hint of a stranger is refused.
KEYS_MAX: Final = 10_000
KEY_CHARACTERS_MAX: Final = 512
# A hint that would need more messages is sent without its keys.
PARTS_MAX: Final = 8
XID_MAX: Final = 2**64 - 1

Key = Annotated[str, Meta(max_length=KEY_CHARACTERS_MAX)]
Keys = Annotated[tuple[Key, ...], Meta(max_length=KEYS_MAX)]
Moment = Annotated[datetime, Meta(extra_json_schema={"format": "date-time"})]


class Hint(Struct, frozen=True):
    """Transaction `xid` of history `epoch` changed `keys`.

    `ts` is when, by the clock of the node that sent it: for people, no rule compares it. Without `xid` or without
    `keys` all it says is that something changed.
    """

    epoch: str = ""
    xid: int | None = None
    keys: tuple[str, ...] = ()
    ts: datetime | None = None


class Message(Struct, frozen=True, rename={"document_keys": "Keys", "document_timestamp": "Timestamp"}):
    """A hint as it travels, or a beat: what a node sends to hear itself. Fields that are not known are ignored."""

    node: Annotated[str, Meta(max_length=64)] = ""
    epoch: Annotated[str, Meta(max_length=64)] = ""
    # msgspec bounds an integer within 64 bits with a sign; the upper bound is checked in `hint_of`.
    xid: Annotated[int, Meta(gt=0)] | None = None
    keys: Keys = ()
    ts: Moment | None = None
    beat: int | UnsetType = UNSET
    document_keys: Keys | UnsetType = UNSET
    document_timestamp: Moment | UnsetType = UNSET


_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(Message)


def encode(node: str, hint: Hint, *, bytes_max: int) -> list[bytes]:
    """The messages that say it, none larger than `bytes_max`: one; a few with some of the keys each; one without."""
    whole = _encoder.encode(_message(node, hint, hint.keys))
    if len(whole) <= bytes_max and len(hint.keys) <= KEYS_MAX:
        return [whole]
    keyless = _encoder.encode(_message(node, hint, ()))
    parts = _split(hint.keys, bytes_max - len(keyless))
    if parts is None:
        return [keyless]
    return [_encoder.encode(_message(node, hint, part)) for part in parts]


def encode_beat(node: str, number: int) -> bytes:
    return _encoder.encode({"node": node, "beat": number})


def decode(payload: bytes, *, bytes_max: int) -> Message:
    """Raises `msgspec.DecodeError` for anything that is not a message within the bounds."""
    if len(payload) > bytes_max:
        raise msgspec.DecodeError(f"expected at most {bytes_max} bytes")
    try:
        message = _decoder.decode(payload)
    except (UnicodeDecodeError, RecursionError) as error:
        raise msgspec.DecodeError(str(error)) from error
    if message.xid is not None and message.xid > XID_MAX:
        raise msgspec.ValidationError(f"expected a transaction id up to {XID_MAX}")
    return message


def hint_of(message: Message) -> Hint:
    keys = message.keys if message.document_keys is UNSET else message.document_keys
    ts = message.ts if message.document_timestamp is UNSET else message.document_timestamp
    return Hint(message.epoch, message.xid, keys, ts)


def _message(node: str, hint: Hint, keys: tuple[str, ...]) -> Message:
    return Message(node=node, epoch=hint.epoch, xid=hint.xid, keys=keys, ts=hint.ts)


def _split(keys: tuple[str, ...], room_bytes: int) -> list[tuple[str, ...]] | None:
    """The keys in as few parts as fill `room_bytes` of JSON each; None when that is more than `PARTS_MAX`."""
    parts: list[list[str]] = []
    left_bytes = -1
    for key in keys:
        needed_bytes = len(_encoder.encode(key)) + 1  # a comma, which the first key of a part does not need
        if len(key) > KEY_CHARACTERS_MAX or needed_bytes > room_bytes:
            return None
        if needed_bytes > left_bytes or len(parts[-1]) == KEYS_MAX:
            if len(parts) == PARTS_MAX:
                return None
            parts.append([])
            left_bytes = room_bytes
        parts[-1].append(key)
        left_bytes -= needed_bytes
    return [tuple(part) for part in parts]
