"""What was promised for an outage, held against what clients were told before it, in it and after it.

All of it is arithmetic over values, so that the checks can be given wrong ones. Versions of a thing count from 0, and
grow; each thing is written by one client, one write after the other.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Literal

import msgspec

BOUND_S: Final = 3.0
"""How old an answer may be that is not marked, under one fault."""
TOLD_MAX: Final = 20
OK: Final = 200
UNAVAILABLE: Final = 503

Way = Literal["read", "read own", "write"]
"""Without a token of the past; with it, by who writes it; the write."""


class Asked(msgspec.Struct, frozen=True):
    """One request and its answer; `version` is what was shown, or written. `status` 0: nobody answered."""

    way: Way
    thing: str
    began_s: float
    ended_s: float
    status: int
    version: int | None = None
    age_s: int | None = None
    is_stale: bool = False
    has_retry_after: bool = False

    @property
    def is_answered(self) -> bool:
        return self.status == OK


class Outage(msgspec.Struct, frozen=True):
    """`name` began to go at `going_s` and was gone from `gone_s` on; it began to come back at `coming_s`, was back at
    `here_s`, and all nodes were as ever at `over_s`. `refuses`: writes are refused meanwhile, what is read is old."""

    name: str
    refuses: bool
    going_s: float
    gone_s: float
    coming_s: float
    here_s: float
    over_s: float

    def touches(self, one: Asked) -> bool:
        return one.ended_s >= self.going_s and one.began_s <= self.over_s

    def holds(self, one: Asked, *, since_s: float = 0.0) -> bool:
        """Whether all of the request lies in the time it was gone, and in the part of it that begins so much later."""
        return one.began_s >= self.gone_s + since_s and one.ended_s <= self.coming_s


class Evidence(msgspec.Struct, frozen=True):
    """`warm` are the things that nobody writes and every node has read before the outages."""

    asked: Sequence[Asked]
    outages: Sequence[Outage]
    warm: frozenset[str]
    lease_s: float


def faults(evidence: Evidence) -> list[str]:
    """What must not be, in words."""
    writes = _writes(evidence)
    found = list(_of_sessions(evidence))
    for one in evidence.asked:
        found += [f"{said}: {one}" for said in _of_one(one, evidence, writes)]
    return found


def staleness_s(evidence: Evidence) -> float:
    """Of answers without a mark the oldest: from the first acknowledgement of a newer version to the question."""
    writes = _writes(evidence)
    return max(
        (
            max(0.0, one.began_s - min(newer))
            for one in evidence.asked
            if one.way != "write" and one.is_answered and not one.is_stale
            if (newer := [write.ended_s for write in writes.get(one.thing, ()) if _is_newer(write, one)])
        ),
        default=0.0,
    )


def quantile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def _writes(evidence: Evidence) -> Mapping[str, list[Asked]]:
    writes = defaultdict(list)
    for one in evidence.asked:
        if one.way == "write":
            writes[one.thing].append(one)
    return writes


def _is_newer(write: Asked, read: Asked) -> bool:
    assert write.version is not None and read.version is not None
    return write.is_answered and write.version > read.version


def _of_one(one: Asked, evidence: Evidence, writes: Mapping[str, list[Asked]]) -> Iterator[str]:
    outage = next((each for each in evidence.outages if each.touches(one)), None)
    if one.status == UNAVAILABLE:
        if not one.has_retry_after:
            yield "refused without a Retry-After"
        if outage is None or not outage.refuses:
            yield "refused without need"
        elif one.way == "read" and one.thing in evidence.warm:
            yield "refused although every node knows it"
    elif not one.is_answered:
        yield "no answer of those that are expected"
    elif one.way == "write":
        if outage is not None and outage.refuses and outage.holds(one):
            yield "acknowledged although nobody can have kept it"
    else:
        yield from _of_a_read(one, outage, evidence, writes.get(one.thing, ()))


def _of_a_read(one: Asked, outage: Outage | None, evidence: Evidence, writes: Sequence[Asked]) -> Iterator[str]:
    if one.version and not any(write.version == one.version and write.began_s < one.ended_s for write in writes):
        yield "nobody wrote it"
    must_show_s = one.began_s
    if one.is_stale:
        if outage is None or not outage.refuses:
            yield "marked stale without need"
            return
        if one.way == "read own":
            yield "stale although the client says what it has seen"
        if one.age_s is None:
            yield "stale without an Age"
        must_show_s = outage.going_s
    elif outage is not None and outage.refuses and outage.holds(one, since_s=evidence.lease_s):
        yield "not marked although nobody vouches for it"
    if any(_is_newer(write, one) and write.ended_s < must_show_s - BOUND_S for write in writes):
        yield "older than the bound"


def _of_sessions(evidence: Evidence) -> Iterator[str]:
    """Who says what it has seen is shown what it wrote, and nothing older than what it was shown."""
    seen: dict[str, int] = {}
    for one in sorted(evidence.asked, key=lambda one: one.began_s):
        if one.way == "read" or not one.is_answered:
            continue
        assert one.version is not None
        if one.version < seen.get(one.thing, 0):
            yield f"older than what the client has seen ({seen[one.thing]}): {one}"
        seen[one.thing] = max(one.version, seen.get(one.thing, 0))
