"""What is to be made: how much, from which seed, around which day. Equal plans make equal rows, byte for byte."""

import math
from datetime import UTC, date, datetime
from typing import Final

import msgspec

EVENTS_MAX: Final = 20_000_000
PEOPLE_MIN: Final = 4
BATCH_EVENTS: Final = 20_000
"""Rows of `events` in one batch: the unit of work of the generator, and of one COPY."""

# Scale follows two fixed points, the demo's and that of the reference workload, along a power law between them.
_DEMO: Final = 20_000
_REFERENCE: Final = 1_000_000


class SeedError(Exception):
    """Nothing was loaded; the message says why in one line."""


class SeedPlan(msgspec.Struct, frozen=True, kw_only=True):
    """`events` counts rows: masters, single events and overrides; counts that are left out follow from it."""

    around: date = msgspec.field(default_factory=lambda: datetime.now(UTC).date())
    events: int = _DEMO
    seed: int = 1
    people: int | None = None
    calendars: int | None = None
    rooms: int | None = None

    @property
    def people_count(self) -> int:
        return max(_scaled(self.events, 200, 100_000), PEOPLE_MIN) if self.people is None else self.people

    @property
    def calendar_count(self) -> int:
        return _scaled(self.events, 60, 100_000) if self.calendars is None else self.calendars

    @property
    def room_count(self) -> int:
        return _scaled(self.events, 40, 2_000) if self.rooms is None else self.rooms

    @property
    def batch_count(self) -> int:
        return math.ceil(self.events / BATCH_EVENTS)

    def check(self) -> None:
        """Raises `SeedError` when there is no such data to make."""
        for name, value, low, high in (
            ("events", self.events, 0, EVENTS_MAX),
            ("people", self.people_count, PEOPLE_MIN, 1_000_000),
            ("calendars", self.calendar_count, 1, 1_000_000),
            ("rooms", self.room_count, 0, 100_000),
        ):
            if not low <= value <= high:
                raise SeedError(f"{name}: expected {low:,} to {high:,}, not {value:,}")
        if not 1980 <= self.around.year <= 2200:
            raise SeedError("around: expected a day from 1980 to 2200")


def _scaled(events: int, at_demo: int, at_reference: int) -> int:
    power = math.log(at_reference / at_demo) / math.log(_REFERENCE / _DEMO)
    return min(max(round(at_demo * math.pow(max(events, 0) / _DEMO, power)), 1), at_reference)
