"""Up to where Redis has been cleaned of outdated values: when a value older than a node's floors may be believed.

Redis loses things, keeps things too long and takes fills late. So beside the values lies a marker, under the same
hash tag: they live, are lost and fail over together. Its rules, without I/O:

- A fill is taken only while the marker that it was judged by is still the one that lies there, and only when its
  snapshot covers `purged` (`may_fill`). No marker, no fill.
- The marker moves to a later position in one step with the purge of every change between the two (`Step`); what
  fills in before is purged, what comes after is refused.
- A value older than a reader's base is believed only if the marker has passed that base, and only if it covers
  `since`, where whoever laid the marker began to look (`proven`).
"""

from collections.abc import Iterator
from typing import Final, Self

import msgspec

from yotei.cache.coherence import covers, joined
from yotei.cache.floors import Floors, Purge
from yotei.storage.change_log import Snapshot

STEP_PURGES_MAX: Final = 5_000
"""So many names are purged in one step, during which Redis does nothing else; with more it is begun anew."""


class Marker(msgspec.Struct, frozen=True, array_like=True):
    """`nonce` makes every marker that is laid another one, even at the same position."""

    purged: Snapshot
    since: Snapshot
    nonce: str

    @classmethod
    def laid(cls, known: Snapshot, nonce: str) -> Self:
        """Where none lies: nothing is known of values older than this."""
        return cls(known, known, nonce)

    def encoded(self) -> bytes:
        return f"{self.purged} {self.since} {self.nonce}".encode()

    @classmethod
    def decoded(cls, text: bytes) -> Self:
        """Raises ValueError for what is not a marker."""
        purged, since, nonce = text.decode().split(" ")
        return cls(Snapshot.parse(purged), Snapshot.parse(since), nonce)


class Step(msgspec.Struct, frozen=True):
    """In one piece, and only while `expected` lies there: purge these, then lay `moved`."""

    expected: Marker
    purges: tuple[Purge, ...]
    moved: Marker


def may_fill(snapshot: Snapshot, marker: Marker | None) -> bool:
    """Whether a value is at least as new as what was purged last."""
    return marker is not None and covers(snapshot, marker.purged)


def proven(snapshot: Snapshot, marker: Marker | None, base: Snapshot) -> Snapshot | None:
    """Up to which snapshot a value out of Redis contains every change of its key; None where `base` sees more.

    What a value of this snapshot may lack of what `base` sees was purged before the marker passed the base, so a
    value that is still there lacks nothing of it.
    """
    if covers(snapshot, base):
        return snapshot
    if marker is not None and covers(marker.purged, base) and covers(snapshot, marker.since):
        return joined(snapshot, base)
    return None


def steps(marker: Marker, floors: Floors, *, ended_before_s: float, nonce: str) -> Iterator[Step]:
    """How a node moves a marker up to the last age that ended before that time; each step may be the last.

    A marker that lies before what the node remembers, or an age too large to purge, is begun anew.
    """
    goal = floors.ended_before(ended_before_s)
    if goal is None or covers(marker.purged, goal):
        return
    if not covers(marker.purged, floors.base):
        yield Step(marker, (), Marker.laid(goal, nonce))
        return
    for age in list(floors.ages_after(marker.purged)):
        assert age.until is not None
        if age.ended_s > ended_before_s:
            return
        purges = tuple((name, xid) for name, xid in dict.fromkeys(age.purges) if not marker.purged.sees(xid))
        if len(purges) > STEP_PURGES_MAX:
            moved = Marker.laid(age.until, nonce)
            purges = ()
        else:
            moved = Marker(age.until, marker.since, marker.nonce)
        yield Step(marker, purges, moved)
        marker = moved
