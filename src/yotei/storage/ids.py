"""UUIDv7 (RFC 9562, section 5.7), made here rather than in the database, so that an id is known before its row is.

Ids of one process ascend, also within a millisecond and when the clock steps back: the 12 bits after the time are a
counter (section 6.2, method 1) that starts at random in its lower half and borrows from the time when it is full.
"""

import os
import threading
import time
from typing import Final
from uuid import UUID

_COUNTER_BITS: Final = 12
_COUNTER_MAX: Final = (1 << _COUNTER_BITS) - 1
_TAIL_BITS: Final = 62
_lock = threading.Lock()
_last = 0  # milliseconds and counter, as one number


def uuid7() -> UUID:
    global _last
    tail = int.from_bytes(os.urandom(10))
    start = (tail >> _TAIL_BITS) & (_COUNTER_MAX >> 1)
    with _lock:
        _last = max(_last + 1, (time.time_ns() // 1_000_000) << _COUNTER_BITS | start)
        stamp = _last
    return UUID(
        int=(stamp >> _COUNTER_BITS) << 80
        | 0x7 << 76
        | (stamp & _COUNTER_MAX) << 64
        | 0b10 << 62
        | tail & ((1 << _TAIL_BITS) - 1)
    )


def made_at_ms(value: UUID) -> int:
    """When a UUIDv7 was made, in milliseconds since 1970."""
    return value.int >> 80
