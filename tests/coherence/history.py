"""What clients sent and what they were shown: all that the checks know. Times are of one clock, in seconds."""

import time
from bisect import bisect_right
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import msgspec

RECENT_MAX: Final = 20
now_s: Final = time.monotonic


class Write(msgspec.Struct, frozen=True):
    """The `number`-th value of a key. Each is sent when the one before is known to be done, so numbers are the order
    in which PostgreSQL had them. `done_s` is when it was acknowledged; None: it may have been done."""

    key: str
    number: int
    value: str
    writer: str
    sent_s: float
    done_s: float | None


class Read(msgspec.Struct, frozen=True):
    """A value that was shown. `session` is who carries a token, empty for who does not; `is_stale`: it was marked so.
    `times` is how often the thing was in the answer, which for something that is always there is once."""

    key: str
    value: str
    session: str
    node: int
    began_s: float
    ended_s: float
    is_stale: bool = False
    times: int = 1
    cache_status: str = ""


class Span(msgspec.Struct):
    """When these faults were in force, the time included that a cluster has to get over them."""

    faults: tuple[str, ...]
    began_s: float
    ended_s: float = float("inf")


class History:
    """Of one run. A key begins with a value that is there before everything."""

    def __init__(self) -> None:
        self.writes: dict[str, list[Write]] = {}
        self.reads: list[Read] = []
        self.spans: list[Span] = []
        self.unavailable: Counter[str] = Counter()
        """Reads that were not answered, or with 503, by the faults in force."""
        self.unexpected: list[str] = []
        """Answers that nobody may give, whatever fails."""
        self.stall_s = 0.0
        """The longest time for which this process itself did not get to run."""
        self.recent: deque[str] = deque(maxlen=RECENT_MAX)
        """Things that were written last, by their keys."""

    def begin(self, key: str, value: str) -> None:
        self.writes[key] = [Write(key, 0, value, "", float("-inf"), float("-inf"))]

    def write(self, write: Write) -> None:
        self.writes[write.key].append(write)

    def note_unavailable(self) -> None:
        self.unavailable[label(self.faults_at(now_s()))] += 1

    def faults_at(self, at_s: float) -> tuple[str, ...]:
        """Spans come one after the other."""
        last = bisect_right(self.spans, at_s, key=lambda span: span.began_s) - 1
        return self.spans[last].faults if last >= 0 and at_s < self.spans[last].ended_s else ()

    @contextmanager
    def under(self, *faults: str) -> Iterator[Span]:
        span = Span(faults, now_s())
        self.spans.append(span)
        try:
            yield span
        finally:
            span.ended_s = now_s()


def label(faults: tuple[str, ...]) -> str:
    return " + ".join(faults) or "no fault"
