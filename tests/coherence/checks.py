"""Judges a history: pure functions, which know of servers and caches nothing but what clients were shown.

A read that began at t and shows a value is stale by the time from the first acknowledgement of a newer value until t.
It is judged by that moment, not by its end: what is written while a request is on its way need not be in its answer.
Where a value was written more than once, as roles are, a read gets the benefit of the doubt.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from enum import StrEnum
from math import ceil
from typing import Final

import msgspec

from tests.coherence.history import History, Read, Write, label

PEACE_QUANTILE: Final = 0.999
TRACE_S: Final = 5.0
TRACE_LINES_MAX: Final = 200


class Bounds(msgspec.Struct, frozen=True):
    """How stale an answer may be: `peace_s` that of 999 in 1,000 without faults, None where this machine cannot say;
    `fault_s` every one under one fault at most."""

    peace_s: float | None = 0.25
    fault_s: float = 3.0


class Kind(StrEnum):
    BOUND = "older than the bound"
    PEACE = "the thousandth part is older than the bound without faults"
    MONOTONIC = "older than what the session has seen"
    OWN_WRITE = "older than what the session wrote"
    NOBODY = "written by nobody"
    TORN = "torn range"
    MARKED = "stale for a session with a token"
    UNEXPECTED = "unexpected answer"


class Violation(msgspec.Struct, frozen=True):
    kind: Kind
    key: str
    read: Read | None
    what: str


class Judged(msgspec.Struct, frozen=True):
    """A read, and how stale it was. None: it showed what nobody wrote."""

    read: Read
    faults: tuple[str, ...]
    stale_s: float | None


def judged(history: History) -> list[Judged]:
    versions = {key: _Versions(writes) for key, writes in history.writes.items()}
    found = []
    for read in history.reads:
        numbers = versions[read.key].shown(read)
        stale_s = versions[read.key].stale_s(numbers[-1], read.began_s) if numbers else None
        found.append(Judged(read, history.faults_at(read.began_s), stale_s))
    return found


def violations(history: History, bounds: Bounds, reads: Sequence[Judged] | None = None) -> list[Violation]:
    reads = judged(history) if reads is None else reads
    return [*_values(reads), *_bound(reads, bounds), *_sessions(history), *_unexpected(history)]


def worst_s(reads: Sequence[Judged]) -> float:
    """Of all reads whose staleness is bounded."""
    return max((one.stale_s or 0.0 for one in reads if _is_bounded(one)), default=0.0)


def quantile_s(values: Sequence[float], part: float) -> float:
    ordered = sorted(values)
    return ordered[max(0, ceil(part * len(ordered)) - 1)] if ordered else 0.0


def trace(history: History, violation: Violation) -> str:
    """What was written to and read of the key around it, in order."""
    at_s = violation.read.began_s if violation.read is not None else 0.0
    lines: list[tuple[float, str]] = []
    for write in history.writes.get(violation.key, []):
        done = "maybe" if write.done_s is None else f"{write.done_s - at_s:+.3f}"
        lines.append((write.sent_s, f"write {write.number} by {write.writer or 'the beginning'}, done {done}"))
    for read in history.reads:
        if read.key == violation.key and abs(read.began_s - at_s) < TRACE_S:
            mark = " <- this one" if read is violation.read else ""
            lines.append(
                (
                    read.began_s,
                    f"read {read.value!r} x{read.times} at node {read.node} by {read.session or 'nobody'}, "
                    f"until {read.ended_s - at_s:+.3f}, {read.cache_status}{mark}",
                )
            )
    lines += [(span.began_s, f"{label(span.faults)} until {span.ended_s - at_s:+.3f}") for span in history.spans]
    lines = sorted(sorted(lines, key=lambda line: abs(line[0] - at_s))[:TRACE_LINES_MAX])
    told = [f"  {begun_s - at_s:+10.3f} {line}" for begun_s, line in lines]
    return "\n".join([f"{violation.kind}: {violation.key}: {violation.what}", *told])


class _Versions:
    """The values of one key."""

    def __init__(self, writes: Sequence[Write]) -> None:
        self._writes = {write.number: write for write in writes}
        self._numbers: defaultdict[str, list[int]] = defaultdict(list)
        for write in writes:
            self._numbers[write.value].append(write.number)
        done = [write for write in writes if write.done_s is not None]
        self._done_numbers = [write.number for write in done]
        self._done_s = [write.done_s or 0.0 for write in done]

    def shown(self, read: Read) -> list[int]:
        """The numbers that a read may have shown: of this value, and sent before it ended."""
        return [one for one in self._numbers.get(read.value, ()) if self._writes[one].sent_s <= read.ended_s]

    def stale_s(self, number: int, began_s: float) -> float:
        """From the first acknowledgement of a newer one."""
        at = bisect_left(self._done_numbers, number + 1)
        return max(0.0, began_s - self._done_s[at]) if at < len(self._done_s) else 0.0


def _is_bounded(one: Judged) -> bool:
    return one.stale_s is not None and not one.read.is_stale and len(one.faults) <= 1


def _values(reads: Sequence[Judged]) -> Iterator[Violation]:
    for one in reads:
        if one.read.times != 1:
            yield Violation(Kind.TORN, one.read.key, one.read, f"there {one.read.times} times")
        elif one.stale_s is None:
            yield Violation(Kind.NOBODY, one.read.key, one.read, repr(one.read.value))
        if one.read.is_stale and one.read.session:
            yield Violation(Kind.MARKED, one.read.key, one.read, "503 was due")


def _bound(reads: Sequence[Judged], bounds: Bounds) -> Iterator[Violation]:
    for one in reads:
        if _is_bounded(one) and (one.stale_s or 0.0) > bounds.fault_s:
            yield Violation(Kind.BOUND, one.read.key, one.read, f"by {one.stale_s:.3f} s under {label(one.faults)}")
    peace = [one for one in reads if _is_bounded(one) and not one.faults]
    at_s = quantile_s([one.stale_s or 0.0 for one in peace], PEACE_QUANTILE)
    if bounds.peace_s is not None and at_s > bounds.peace_s:
        worst = max(peace, key=lambda one: one.stale_s or 0.0)
        yield Violation(Kind.PEACE, worst.read.key, worst.read, f"{at_s:.3f} s")


def _sessions(history: History) -> Iterator[Violation]:
    """Who carries a token sees at least what they have seen and written, whatever fails."""
    versions = {key: _Versions(writes) for key, writes in history.writes.items()}
    events: defaultdict[tuple[str, str], list[tuple[float, Write | Read]]] = defaultdict(list)
    for writes in history.writes.values():
        for write in writes:
            if write.done_s is not None and write.writer:
                events[write.writer, write.key].append((write.done_s, write))
    for read in history.reads:
        if read.session and read.times == 1:
            events[read.session, read.key].append((read.began_s, read))
    for (_, key), found in events.items():
        least, kind = 0, Kind.MONOTONIC
        for _, one in sorted(found, key=lambda event: event[0]):
            if isinstance(one, Write):
                least, kind = one.number, Kind.OWN_WRITE
                continue
            numbers = versions[key].shown(one)
            reached = next((number for number in numbers if number >= least), None)
            if reached is not None:
                if reached > least:
                    least, kind = reached, Kind.MONOTONIC
            elif numbers:
                yield Violation(kind, key, one, f"number {numbers[-1]} after number {least}")


def _unexpected(history: History) -> Iterator[Violation]:
    for what in history.unexpected:
        yield Violation(Kind.UNEXPECTED, "", None, what)
