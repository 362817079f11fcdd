"""The model of `tests/model/cache.py` in its short form, and that it sees each rule that is taken away."""

from collections.abc import Iterable, Iterator

import pytest

from tests.model.cache import SHORT, Rules, Scope, Violation, explore
from yotei.cache import coherence, marker
from yotei.cache.floors import Age, Floors
from yotei.cache.lease import Lease
from yotei.cache.marker import Marker, Step
from yotei.storage.change_log import Snapshot


class NoFloors(Floors):
    def raise_to(self, xid: int, names: Iterable[str]) -> None:
        pass


class BaseStays(Floors):
    def _forget(self, age: Age) -> None:
        base = self.base
        super()._forget(age)
        self.base = base


class NotBlind(Floors):
    """Drops what is too much, and says nothing."""

    def advance(self, known: Snapshot, now_s: float) -> None:
        self._is_blind = False
        super().advance(known, now_s)


class BaseRises(Floors):
    """Without asking a value to cover it."""

    def usable(self, snapshot: Snapshot, name: str, group: str = "") -> bool:
        return all(snapshot.sees(xid) for xid in self.of(name))


def step_without_purges(*args: object, **kwargs: object) -> Iterator[Step]:
    for step in marker.steps(*args, **kwargs):  # type: ignore[arg-type]
        yield Step(step.expected, (), step.moved)


def proven_without_since(snapshot: Snapshot, there: Marker | None, base: Snapshot) -> Snapshot | None:
    if there is None:
        return marker.proven(snapshot, there, base)
    return marker.proven(snapshot, Marker(there.purged, Snapshot(1, 1), there.nonce), base)


def proven_without_marker(snapshot: Snapshot, there: Marker | None, base: Snapshot) -> Snapshot | None:
    return coherence.joined(snapshot, base)


VISIBILITY = Scope("visibility", changes=2)
REPLICA = Scope("replica", changes=2, replica=True)
REDIS = Scope("redis", changes=1, redis=True, open_writers=0)
CLIENT = Scope("client", changes=1, nodes=2, client=True, open_writers=0)
HISTORY = Scope("history", changes=2, fail_over=True, open_writers=0)

MUTANTS = {
    "no floors": (VISIBILITY, Rules(floors=NoFloors)),
    "no lease": (VISIBILITY, Rules(holds=lambda lease, now_s: True)),
    "lease from the end of the poll": (VISIBILITY, Rules(lease_from=lambda started, ended: ended)),
    "sequence instead of snapshot difference": (
        VISIBILITY,
        Rules(unread=lambda since, now, xid: since.xmax <= xid and now.sees(xid)),
    ),
    "load result not checked": (VISIBILITY, Rules(acceptable=lambda **_: True)),
    "base not raised on eviction": (Scope("many floors", open_writers=0), Rules(floors=BaseStays)),
    "too many floors dropped without a word": (
        Scope("hints", hints=True, open_writers=0),
        Rules(floors=NotBlind),
    ),
    "value not asked to cover the base": (VISIBILITY, Rules(floors=BaseRises)),
    "marker moved before the second purge": (REDIS, Rules(steps=step_without_purges)),
    "marker and purge not in one step": (REDIS, Rules(purges_with_the_move=False)),
    "fill without the marker check": (REDIS, Rules(may_fill=lambda snapshot, there: True)),
    "older than the base, without a marker": (REDIS, Rules(proven=proven_without_marker)),
    "older than where a new marker began": (REDIS, Rules(proven=proven_without_since)),
    "standby snapshot taken at its word": (REPLICA, Rules(taken=lambda snapshot, on_standby: snapshot)),
    "token not waited for": (CLIENT, Rules(is_met=lambda token, epoch, known: True)),
    "epoch ignored": (HISTORY, Rules(continues=lambda epoch, other: True)),
}


@pytest.mark.parametrize("scope", SHORT, ids=lambda scope: scope.name)
def test_no_world_of_the_short_scopes_breaks_a_rule(scope: Scope) -> None:
    assert explore(scope) > 100


@pytest.mark.parametrize("name", MUTANTS)
def test_the_model_catches(name: str) -> None:
    scope, rules = MUTANTS[name]

    with pytest.raises(Violation):
        explore(scope, rules)


def test_a_lease_holds_from_its_start_until_its_end() -> None:
    lease = Lease(2.0).renewed(10.0).renewed(9.0)

    assert [lease.holds(now_s) for now_s in (10.0, 11.9, 12.0)] == [True, True, False]
    assert not Lease(2.0).holds(0.0)
