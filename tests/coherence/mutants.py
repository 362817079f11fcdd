"""The product with one rule less: each name is a patch of its real code, applied in a server before it runs.

The same rules are taken out of the model in `tests/property/cache`; here out of what serves.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec

from yotei import caching
from yotei.cache import levels, sweeper, tail
from yotei.cache.composites import Composites
from yotei.cache.floors import Age, Floors
from yotei.cache.key import Key, Loaded
from yotei.cache.lease import Lease, now_s
from yotei.cache.levels import Reading
from yotei.cache.marker import Marker, Step, steps
from yotei.events import keys as events
from yotei.storage.change_log import Change, Page, Position, Snapshot, read_since
from yotei.storage.pool import Source

FOR_EVER_S: Final = 1e6
ROLES: Final = frozenset({"user_calendars", "calendar_members"})
"""Families of values that say what somebody is in a calendar."""


def no_floors() -> None:
    def raise_to(self: Floors, xid: int, names: Iterable[str]) -> None:
        self.version += 1

    _replace(Floors, "raise_to", raise_to)


def no_lease() -> None:
    """Whoever has polled once may serve from then on."""

    def renewed(self: Lease, poll_started_s: float) -> Lease:
        return Lease(self.lease_s, now_s() + FOR_EVER_S)

    _replace(Lease, "renewed", renewed)


def lease_from_the_end_of_the_poll() -> None:
    def renewed(self: Lease, poll_started_s: float) -> Lease:
        return Lease(self.lease_s, now_s())

    _replace(Lease, "renewed", renewed)


def sequence_instead_of_snapshot_difference() -> None:
    """Where a transaction with a later number was seen, the earlier ones are taken to be seen too."""

    async def read_by_number(*args: Any, **options: Any) -> Page:
        page = await read_since(*args, **options)
        since = page.position.since
        numbered = msgspec.structs.replace(page.position, since=Snapshot(since.xmax, since.xmax))
        return msgspec.structs.replace(page, position=numbered)

    _replace(tail, "read_since", read_by_number)


def load_result_not_checked() -> None:
    def acceptable(**_: object) -> bool:
        return True

    _replace(levels, "acceptable", acceptable)


def base_not_raised_on_eviction() -> None:
    forget = Floors._forget

    def forgotten(self: Floors, age: Age) -> None:
        base = self.base
        forget(self, age)
        self.base = base

    _replace(Floors, "_forget", forgotten)


def marker_moved_before_the_second_purge() -> None:
    def steps_without_purges(*args: Any, **options: Any) -> Iterator[Step]:
        for step in steps(*args, **options):
            yield Step(step.expected, (), step.moved)

    _replace(sweeper, "steps", steps_without_purges)


def fill_without_the_marker_check() -> None:
    def may_fill(snapshot: Snapshot, marker: Marker | None) -> bool:
        return marker is not None

    _replace(levels, "may_fill", may_fill)


def standby_snapshot_taken_at_its_word() -> None:
    """Although it leaves out what is running."""

    def at_its_word(cls: type[Loaded], payloads: Mapping[Key, Any], snapshot_text: str, is_standby: bool) -> Loaded:
        return cls(payloads, Snapshot.parse(snapshot_text), from_primary=not is_standby)

    _replace(Loaded, "of", classmethod(at_its_word))


def epoch_ignored() -> None:
    """By the node, and by what it reads the change log with."""

    async def read_on(source: Source, position: Position, **bounds: Any) -> Page:
        return await read_since(source, msgspec.structs.replace(position, epoch=""), **bounds)

    def continues(epoch: str, read_epoch: str) -> bool:
        return bool(epoch)

    _replace(tail, "read_since", read_on)
    _replace(tail, "continues", continues)


def role_not_keyed() -> None:
    """An answer that was sent before is sent again whatever its reader is by now."""
    keep = Composites.keep

    def keep_without_roles(self: Composites, name: str, payload: Any, size_bytes: int, reading: Reading) -> None:
        used = reading.used
        reading.used = [one for one in used if one.key.family not in ROLES]
        keep(self, name, payload, size_bytes, reading)
        reading.used = used

    _replace(Composites, "keep", keep_without_roles)


def month_not_purged_on_the_old_span() -> None:
    """Of an event that moves only the months are ended where it is now."""
    purged = caching.purged

    def purged_where_it_is(change: Change) -> Iterator[str]:
        span = change.new_span
        for name in purged(change):
            if ":events:" not in name:
                yield name
        if change.entity == "event" and span is not None and span.start is not None and span.end is not None:
            for month in events.months(span.start, span.end):
                yield events.month(change.scope_id, month).name

    _replace(caching, "purged", purged_where_it_is)


def _replace(owner: Any, name: str, function: Any) -> None:
    setattr(owner, name, function)


MUTANTS: Final[Mapping[str, Callable[[], None]]] = {
    "no floors": no_floors,
    "no lease": no_lease,
    "lease from the end of the poll": lease_from_the_end_of_the_poll,
    "sequence instead of snapshot difference": sequence_instead_of_snapshot_difference,
    "load result not checked": load_result_not_checked,
    "base not raised on eviction": base_not_raised_on_eviction,
    "marker moved before the second purge": marker_moved_before_the_second_purge,
    "fill without the marker check": fill_without_the_marker_check,
    "standby snapshot taken at its word": standby_snapshot_taken_at_its_word,
    "epoch ignored": epoch_ignored,
    "role not keyed": role_not_keyed,
    "month not purged on the old span": month_not_purged_on_the_old_span,
}
