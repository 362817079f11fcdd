"""How long a node may serve from its cache without hearing from PostgreSQL.

A lease runs from the *start* of the last poll of the change log that succeeded: what was committed before that is
known, what came later may not be. It is measured by the node's own clock, one that goes on while the machine is
suspended; no clocks are compared.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Final

import msgspec

_CLOCK: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Linux's CLOCK_MONOTONIC stands still while the machine sleeps; elsewhere it does not and there is no other."""

NEVER_S: Final = float("-inf")
now_s: Final[Callable[[], float]] = partial(time.clock_gettime, _CLOCK)
"""Seconds of the clock that leases are measured by. It is read with every get, so no function of ours is around it."""


class Lease(msgspec.Struct, frozen=True):
    """`lease_s` is how long it runs, `since_s` when the last successful poll began."""

    lease_s: float
    since_s: float = NEVER_S

    def renewed(self, poll_started_s: float) -> "Lease":
        """After a poll has succeeded and its changes are applied. Polls may end in any order."""
        return Lease(self.lease_s, max(self.since_s, poll_started_s))

    def holds(self, now_s: float) -> bool:
        return now_s - self.since_s < self.lease_s
