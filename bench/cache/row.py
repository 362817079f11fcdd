"""What every part of `make bench-cache` brings: lines of one table."""

import statistics
from collections.abc import Sequence
from typing import Any

import msgspec


class Row(msgspec.Struct, frozen=True):
    """One line. `is_met` says whether `bar` holds; None where nothing is demanded. `values` is for the results file."""

    case: str
    measured: str
    compared: str = ""
    bar: str = ""
    is_met: bool | None = None
    values: dict[str, Any] = {}


class Spread(msgspec.Struct, frozen=True):
    """The median of ratios of neighbours, with the quarters below and above it."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, ratios: Sequence[float]) -> "Spread":
        if len(ratios) < 2:
            return cls(ratios[0], ratios[0], ratios[0])
        low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive")
        return cls(middle, low, high)

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f} to {self.high:.2f})"

    def rounded(self) -> list[float]:
        return [round(one, 3) for one in (self.median, self.low, self.high)]
