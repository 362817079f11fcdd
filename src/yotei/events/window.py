"""The part of time that an answer covers, and the zone it is told in."""

from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from yotei.cache.reads import hold_until
from yotei.errors import Code, invalid

YEAR_FIRST: Final = 1600
YEAR_LAST: Final = 9000


class Window(msgspec.Struct, frozen=True):
    """From `start` up to, not including, `end`: aware instants; `zone` is the zone of the answer.

    All-day and floating events have no instant of their own: they are compared with the window's wall clock.
    """

    start: datetime
    end: datetime
    zone: ZoneInfo

    @property
    def wall_start(self) -> datetime:
        return wall(self.start, self.zone)

    @property
    def wall_end(self) -> datetime:
        return wall(self.end, self.zone)


def window(
    start: datetime | None,
    end: datetime | None,
    zone: ZoneInfo,
    *,
    now: datetime,
    days_max: int,
    where: str = "query",
) -> Window:
    """The window that was asked for; without either end, the current month in the zone of the answer.

    One end alone is a month from it, or up to it. Naive times are wall clock in `zone`. `where` they were given.
    Raises Problem `invalid_window` when it is empty, too long, or outside of the years that can be asked for.
    """
    if start is None and end is None:
        start = now.astimezone(zone).replace(day=1, hour=0, minute=0, second=0, microsecond=0, fold=0)
        end = _next_month(start)
        hold_until(end)
    start = instant(start, zone, f"{where}.start") if start else None
    end = instant(end, zone, f"{where}.end") if end else None
    if start is None:
        assert end is not None
        start = end - timedelta(days=31)
    if end is None:
        end = start + timedelta(days=31)
    # Two times of one zone are compared by their clocks, and clocks are set back.
    found = Window(start.astimezone(UTC), end.astimezone(UTC), zone)
    if found.start >= found.end:
        raise invalid(f"{where}.end", "expected a time after start", code=Code.INVALID_WINDOW)
    # Days are those of the zone: some have 25 hours.
    if found.wall_end - found.wall_start > timedelta(days=days_max):
        raise invalid(f"{where}.end", f"expected at most {days_max} days after start", code=Code.INVALID_WINDOW)
    return found


def wall(moment: datetime, zone: ZoneInfo) -> datetime:
    """What a clock in `zone` shows at an instant, as if it were UTC."""
    return moment.astimezone(zone).replace(tzinfo=UTC)


def instant(time: datetime, zone: ZoneInfo, field: str) -> datetime:
    """A time that was given, naive ones by the clock of `zone`. Problem `invalid_window` outside of the years that can
    be asked for."""
    if not YEAR_FIRST <= time.year <= YEAR_LAST:
        raise invalid(field, f"expected a year from {YEAR_FIRST} to {YEAR_LAST}", code=Code.INVALID_WINDOW)
    return time if time.tzinfo else time.replace(tzinfo=zone)


def _next_month(first: datetime) -> datetime:
    return first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
