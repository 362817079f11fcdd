"""The rules of visibility, without I/O: what a snapshot vouches for.

Snapshots of one primary are ordered by what they see; those of hot standbys are subsets. Every rule holds for any
two snapshots of one epoch, ordered or not.
"""

from collections.abc import Collection

from yotei.storage.change_log import Snapshot


def taken(snapshot: Snapshot, *, on_standby: bool) -> Snapshot:
    """The snapshot that a value of a load carries.

    A hot standby leaves the list of running transactions empty although some run, so there only what lies before the
    oldest of them counts.
    """
    return Snapshot(snapshot.xmin, snapshot.xmin) if on_standby else snapshot


def covers(newer: Snapshot, older: Snapshot) -> bool:
    """Whether `newer` sees all that `older` sees."""
    if newer.xmin >= older.xmax:
        return True
    if any(older.sees(xid) for xid in newer.running):
        return False
    # What `newer` has not begun to see must not be seen by `older` either.
    unseen = older.xmax - newer.xmax
    return unseen <= 0 or sum(xid >= newer.xmax for xid in older.running) == unseen


def joined(one: Snapshot, other: Snapshot) -> Snapshot:
    """What either of them sees."""
    late, early = (one, other) if one.xmax >= other.xmax else (other, one)
    running = tuple(xid for xid in late.running if not early.sees(xid))
    return Snapshot(running[0] if running else late.xmax, late.xmax, running)


def usable(snapshot: Snapshot, floors: Collection[int], base: Snapshot) -> bool:
    """Whether a value contains every change of its key that its node knows of.

    `floors` are the transactions that are known to have changed the key. Those that `base` sees may have been
    forgotten, so a value has to cover it.
    """
    if not covers(snapshot, base):
        return False
    xmin = snapshot.xmin
    return all(xid < xmin or snapshot.sees(xid) for xid in floors)


def acceptable(
    *, is_usable: bool, holds_lease: bool, asked_s: float, loaded_s: float | None, from_primary: bool
) -> bool:
    """Whether what a flight brings may be given to somebody who asked at `asked_s`.

    Either the floors vouch for it, and they are fresh; or it was read from the primary by a load that began
    (`loaded_s`) after he asked, so that it holds all that was committed when he did. None: it was not loaded.
    """
    return (is_usable and holds_lease) or (from_primary and loaded_s is not None and loaded_s >= asked_s)


def continues(epoch: str, read_epoch: str) -> bool:
    """Whether what was just read belongs to the history that a node knows; else it has to drop all it holds."""
    return epoch == read_epoch
