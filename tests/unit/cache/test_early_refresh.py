"""XFetch: when it is due, and what it costs and gains on a simulated clock."""

import pytest

from tests.model import refreshes
from yotei.cache import early

TTL_S = 60.0


@pytest.mark.parametrize("reads_per_s", refreshes.RATES_PER_S)
async def test_it_loads_a_tenth_more_often_than_without_at_most(reads_per_s: float) -> None:
    without = refreshes.of_ttl_only(reads_per_s, 300, seed=1)
    with_it = await refreshes.of_ours(reads_per_s, 300, seed=1)
    of_document = refreshes.of_the_document(reads_per_s, 10, seed=1)

    assert with_it.recomputes_per_ttl <= 1.10 * without.recomputes_per_ttl
    assert of_document.recomputes_per_ttl > 2.5 * without.recomputes_per_ttl
    assert with_it.waiting < without.waiting / 2


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
    assert early.jittered_s(100.0, 1.0) == pytest.approx(95.0)
