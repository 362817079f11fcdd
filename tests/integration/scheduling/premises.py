"""What the tests of scheduling begin with, beside `tests.integration.rows`."""

from collections.abc import Iterable
from datetime import UTC, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from tests.integration.rows import insert
from yotei.events.window import Window
from yotei.scheduling.freebusy import BusyPeriod
from yotei.storage.pool import Database


def at(hour: int, minute: int = 0, day: int = 1) -> datetime:
    """In December 2026, whose first day is a Tuesday."""
    return datetime(2026, 12, day, hour, minute, tzinfo=UTC)


def window(start: datetime, end: datetime, zone: str = "UTC") -> Window:
    return Window(start.astimezone(UTC), end.astimezone(UTC), ZoneInfo(zone))


DAY = window(at(0), at(0, day=2))
WEEK = window(at(0), at(0, day=8))


async def an_invitation(database: Database, event_id: UUID, user_id: UUID, answer: str, email: str = "") -> None:
    await insert(
        database,
        "attendees",
        {
            "event_id": event_id,
            "user_id": user_id,
            "email": email or f"{user_id}@example.org",
            "response_status": answer,
        },
    )


def hours(busy: Iterable[BusyPeriod], zone: str = "UTC") -> list[str]:
    """`09:00-10:00`, of another kind than BUSY with its first letter, with the day where that is not the first."""
    return [_told(one, ZoneInfo(zone)) for one in busy]


def _told(one: BusyPeriod, zone: ZoneInfo) -> str:
    start, end = one.start.astimezone(zone), one.end.astimezone(zone)
    day = "" if (start.year, start.month, start.day) == (2026, 12, 1) else f"{start:%d} "
    letter = "" if one.kind == "BUSY" else f" {one.kind[0]}"
    return f"{day}{start:%H:%M}-{end:%H:%M}{letter}"
