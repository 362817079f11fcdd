"""When instances of a series start, by dateutil: not by the code that is being tried."""

from collections.abc import Collection
from datetime import UTC, datetime
from itertools import islice
from typing import Final
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr

INSTANCES_MAX: Final = 2_000


def starts(
    start_time: datetime, tzid: str | None, rrule: str, exdates: Collection[datetime], until: datetime | None = None
) -> list[datetime]:
    """Instants, in order; of an endless rule those before `until`."""
    zone = ZoneInfo(tzid or "UTC")
    rule = rrulestr(rrule, dtstart=start_time.astimezone(zone))
    found = []
    for local in islice(rule, INSTANCES_MAX):
        start = local.astimezone(UTC)
        if until is not None and start >= until:
            break
        if start not in exdates:
            found.append(start)
    return found
