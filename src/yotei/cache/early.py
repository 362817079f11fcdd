"""When to load a value before it expires, so that nobody waits for it. No I/O; clock and chance are passed in.

XFetch: Vattani, Chierichetti, Lowenstein, "Optimal Probabilistic Cache Stampede Prevention", VLDB 2015: a read
refreshes early when `now - delta * beta * ln(rand) >= expiry`, where delta is the time that loading takes. Its gain
grows with delta; where loading is quick delta is at least a fiftieth of the TTL. Its price grows with the logarithm of
the reads, so for a value that is read very often the dice are thrown a bounded number of times per delta.
"""

import math
from typing import Final

BETA: Final = 1.0
DELTA_TTL_SHARE: Final = 0.02
THROWS_PER_DELTA: Final = 8
EWMA_WEIGHT: Final = 0.2
SURE_DELTAS: Final = 40.0
"""So many deltas before its expiry a value is never refreshed: the chance of it is e^-40."""
TTL_JITTER: Final = 0.05
"""Values that are loaded together expire at times that differ by this part of their TTL. It costs half as much in
loads, on top of what the refresh costs: together they are to stay below a tenth (`tests.model.refreshes`)."""


def delta_s(recompute_s: float, ttl_s: float) -> float:
    return max(recompute_s, DELTA_TTL_SHARE * ttl_s)


def is_due(now_s: float, expires_s: float, delta: float, chance: float) -> bool:
    """Whether this read refreshes; `chance` is uniform in [0, 1), as `random.random()`."""
    return now_s - delta * BETA * math.log(1.0 - chance) >= expires_s


def next_throw_s(now_s: float, delta: float) -> float:
    """Before that time no other read throws for the same value."""
    return now_s + delta / THROWS_PER_DELTA


def first_throw_s(expires_s: float, delta: float) -> float:
    """Before that time a throw cannot win."""
    return expires_s - SURE_DELTAS * delta * BETA


def smoothed_s(before_s: float | None, measured_s: float) -> float:
    """The exponentially weighted mean of load times."""
    return measured_s if before_s is None else before_s + EWMA_WEIGHT * (measured_s - before_s)


def jittered_s(ttl_s: float, chance: float) -> float:
    """The TTL of one value: at most `ttl_s`."""
    return ttl_s * (1.0 - TTL_JITTER * chance)
