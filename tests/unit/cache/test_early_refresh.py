"""XFetch with a simulated clock: how often a value is loaded, and how often somebody waits."""

import math
import random
from collections.abc import Callable

import pytest

from yotei.cache import early

TTL_S = 60.0
RECOMPUTE_S = 0.05
Decide = Callable[[float, float, float, random.Random], bool]
"""Whether a read refreshes: now, when the value was loaded, when it expires, chance."""


def never(now_s: float, loaded_s: float, expires_s: float, chance: random.Random) -> bool:
    return False


def ours() -> Decide:
    delta = early.delta_s(RECOMPUTE_S, TTL_S)
    throw_from_s = {"": 0.0}

    def decide(now_s: float, loaded_s: float, expires_s: float, chance: random.Random) -> bool:
        if now_s < max(throw_from_s[""], early.first_throw_s(expires_s, delta)):
            return False
        throw_from_s[""] = early.next_throw_s(now_s, delta)
        return early.is_due(now_s, expires_s, delta, chance.random())

    return decide


def of_the_document(now_s: float, loaded_s: float, expires_s: float, chance: random.Random) -> bool:
    """RFC-003's formula, whose delta is the age of the value."""
    return now_s - (now_s - loaded_s) * math.log(1 - chance.random()) >= expires_s


def recomputes_per_ttl(decide: Decide, reads_per_s: float, loads_max: int) -> tuple[float, float]:
    """Over so many loads; and the part of the reads that waited for one."""
    chance = random.Random(11)
    now_s, loaded_s, expires_s, arrives_s = 0.0, 0.0, TTL_S, math.inf
    loads = waits = reads = 0
    while loads < loads_max:
        now_s += chance.expovariate(reads_per_s)
        reads += 1
        if now_s >= arrives_s:
            loads += 1
            loaded_s, expires_s, arrives_s = arrives_s, arrives_s + TTL_S, math.inf
        is_expired = now_s >= expires_s
        waits += is_expired
        if arrives_s == math.inf and (is_expired or decide(now_s, loaded_s, expires_s, chance)):
            arrives_s = now_s + RECOMPUTE_S
    return loads * TTL_S / loaded_s, waits / reads


@pytest.mark.parametrize(("reads_per_s", "loads"), [(1.0, 600), (10.0, 200), (100.0, 40), (1_000.0, 10)])
def test_it_loads_a_tenth_more_often_than_without_at_most(reads_per_s: float, loads: int) -> None:
    without, waited = recomputes_per_ttl(never, reads_per_s, loads)
    with_it, waits = recomputes_per_ttl(ours(), reads_per_s, loads)
    of_document, _ = recomputes_per_ttl(of_the_document, reads_per_s, loads)

    assert with_it <= 1.10 * without
    assert of_document > 2.5 * without
    assert waits < waited / 2


def test_it_is_never_due_long_before_the_end_and_always_after_it() -> None:
    delta = early.delta_s(0.0, TTL_S)

    assert delta == pytest.approx(1.2)
    assert not early.is_due(early.first_throw_s(TTL_S, delta) - 1, TTL_S, delta, 1 - 1e-16)
    assert early.is_due(TTL_S, TTL_S, delta, 0.0)


def test_a_slow_load_begins_earlier() -> None:
    assert early.delta_s(5.0, TTL_S) == 5.0
    assert early.is_due(50.0, TTL_S, 5.0, 0.9)
    assert not early.is_due(50.0, TTL_S, 1.2, 0.9)


def test_load_times_are_smoothed() -> None:
    assert early.smoothed_s(None, 2.0) == 2.0
    assert early.smoothed_s(1.0, 2.0) == pytest.approx(1.2)


def test_jitter_shortens_only() -> None:
    assert early.jittered_s(100.0, 0.0) == 100.0
    assert early.jittered_s(100.0, 1.0) == pytest.approx(90.0)
