"""What is cached: keys, their families, and values. Frozen; the same objects are handed to every reader."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any, Final, Self
from uuid import UUID

import msgspec

from yotei.cache.coherence import taken
from yotei.storage.change_log import Snapshot
from yotei.storage.pool import Source

NAME_LENGTH_MAX: Final = 200
SHAPES_BYTES: Final = 4


class Key(msgspec.Struct, frozen=True):
    """A name that describes the loaded data and nothing else: `calendar:{id}:events:2026-11`, family `calendar_events`.

    A key may belong to one group, purged as a whole: `calendar:{id}:events:*`. Its first two parts choose the
    bucket in Redis, so a group shares them with its keys.
    """

    name: str
    family: str
    group: str = ""

    @property
    def id(self) -> UUID:
        """What it is about, where the name says `kind:id:…`."""
        return UUID(self.name.split(":", 2)[1])


class Family(msgspec.Struct, frozen=True):
    """Keys of one kind: the type of their payload, and how long a value lives in each level."""

    name: str
    type: Any
    ttl_s: float
    """From load to reload, at most: the payload may change in ways that no change log tells (time passing)."""
    l1_ttl_s: float
    """In process; past it the value is asked from Redis again."""
    negative_ttl_s: float = 0.0
    """How long "there is no such thing" is kept, in process only; 0: not at all."""


def shapes(families: Iterable[Family]) -> str:
    """What the payloads of these families are made of, as a short digest, the same in every process of one release.

    Payloads are stored without the names of their fields, so a release that has others, or in another order, must not
    read them.
    """
    types = {family.name: family.type for family in families}
    described = sorted(zip(types, msgspec.inspect.multi_type_info(types.values()), strict=True))
    return blake2b(repr(described).encode(), digest_size=SHAPES_BYTES).hexdigest()


class Value(msgspec.Struct, frozen=True):
    """One loaded payload; `None` says that there is no such thing.

    `expires_at_s` is of the wall clock, because nodes share it; nothing but the TTL depends on it. `recompute_s`
    is how long such a load takes.
    """

    payload: Any
    snapshot: Snapshot
    loaded_at_s: float
    expires_at_s: float
    recompute_s: float


class Loaded(msgspec.Struct, frozen=True):
    """What a load function brings: payloads by name of key, all read by one statement under one snapshot.

    A key that was asked and is not in `payloads` does not exist; others may be in it, and are kept too. `snapshot`
    comes from `coherence.taken`; `from_primary` is False where a replica answered. `is_exact` is False where more may
    be seen than the snapshot says, which nobody could be told afterwards: then it is loaded from the primary.
    """

    payloads: Mapping[Key, Any]
    snapshot: Snapshot
    from_primary: bool = True
    is_exact: bool = True

    @classmethod
    def of(cls, payloads: Mapping[Key, Any], snapshot_text: str, is_standby: bool) -> Self:
        """By what the statement says of itself: `pg_current_snapshot()::text`, `pg_is_in_recovery()`.

        A standby does not say which transactions are open, so while there are any it may show some of what lies
        behind the oldest of them, and not the rest.
        """
        said = Snapshot.parse(snapshot_text)
        return cls(
            payloads,
            taken(said, on_standby=is_standby),
            from_primary=not is_standby,
            is_exact=not is_standby or said.xmin == said.xmax,
        )


UnitLoad = Callable[[Source, Sequence[Key]], Awaitable[Loaded]]
"""Loads these keys from that source by one statement, and what it brings along."""
