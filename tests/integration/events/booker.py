"""Somebody with a calendar of their own, who writes through the domain; what they read and what is booked for them."""

from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import pytest

from tests.integration.rows import a_calendar, a_user, viewing
from yotei.errors import Problem
from yotei.events import read, write
from yotei.events.draft import AnyOperation, Create, EventFields, NewEvent, Patch, Policy
from yotei.events.event import Event
from yotei.events.window import Window
from yotei.storage.pool import Database, Source
from yotei.storage.statements import Statement
from yotei.users.user import Viewer

NOW: Final = datetime(2027, 3, 1, 8, tzinfo=UTC)
NINE: Final = datetime(2027, 3, 3, 9, tzinfo=UTC)
HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)
WEEK: Final = timedelta(days=7)
_UTC: Final = ZoneInfo("UTC")
BOOKED: Final = Statement(
    name="tests.booked",
    purpose="what is booked",
    sql="""select id, start_time, end_time, unit, recurrence_id, status,
                  lower(blocked) as blocked_from, upper(blocked) as blocked_until
           from reservations where event_id = $1 order by start_time, resource_id""",
)


class Booker(msgspec.Struct, frozen=True):
    """Somebody with a calendar of their own."""

    database: Database
    viewer: Viewer
    calendar_id: UUID

    async def do(self, operation: AnyOperation, *, now: datetime = NOW, horizon_days: int = 366, **how: Any) -> UUID:
        async def work(tx: Source) -> UUID:
            done = await write.apply_one(tx, self.viewer, operation, now=now, horizon_days=horizon_days, **how)
            return done.event_id

        return await self.database.run(work, actor_id=self.viewer.user_id)

    def making(self, start: datetime | None = NINE, hours: float = 1, **fields: Any) -> Create:
        """An event of an hour; of other times with a start of None and these times among the fields."""
        times = {} if start is None else {"start_time": start, "end_time": start + hours * HOUR}
        return Create(event=NewEvent(**{"calendar_id": self.calendar_id, "title": "Planning", **times, **fields}))

    def booking(
        self, *rooms: UUID, start: datetime = NINE, hours: float = 1, policy: Policy = "ALL", **fields: Any
    ) -> Create:
        return self.making(start, hours, resource_ids=rooms, booking_policy=policy, **fields)

    def patching(self, event_id: UUID, **fields: Any) -> Patch:
        where = {name: fields.pop(name) for name in ("scope", "recurrence_id", "version") if name in fields}
        return Patch(event_id=event_id, event=EventFields(**fields), **where)

    async def make(self, start: datetime | None = NINE, hours: float = 1, **fields: Any) -> UUID:
        return await self.do(self.making(start, hours, **fields))

    async def book(self, *rooms: UUID, **how: Any) -> UUID:
        return await self.do(self.booking(*rooms, **how))

    async def patch(self, event_id: UUID, *, now: datetime = NOW, **fields: Any) -> UUID:
        return await self.do(self.patching(event_id, **fields), now=now)

    async def booked(self, event_id: UUID) -> list[tuple[datetime, datetime]]:
        found = await self.database.fetch(BOOKED, event_id)
        return [(row["start_time"], row["end_time"]) for row in found if row["status"] == "CONFIRMED"]

    async def event(self, event_id: UUID) -> Event:
        return await read.get(self.database, self.viewer, event_id, _UTC, now=NOW)

    async def answers(self, event_id: UUID) -> dict[str, str]:
        """Who is invited, by the part of their address before the @, and what they answer."""
        attendees = (await self.event(event_id)).attendees or ()
        return {one.email.partition("@")[0]: one.response_status for one in attendees}

    async def listed(
        self, start: datetime = NOW, end: datetime = NOW + 366 * DAY, *, tzid: str = "UTC", limit: int = 500
    ) -> tuple[Event, ...]:
        """What takes place in the calendar."""
        query = read.Query(Window(start, end, ZoneInfo(tzid)), limit=limit, instances_max=10_000)
        return (await read.list_calendar(self.database, self.viewer, self.calendar_id, query)).events

    async def starts(self, *, tzid: str = "UTC", limit: int = 500) -> list[datetime]:
        """When the events of the calendar start."""
        return [one.start_time for one in await self.listed(tzid=tzid, limit=limit)]


async def a_booker(database: Database, name: str, **calendar: Any) -> Booker:
    user_id = await a_user(database, name)
    return Booker(database, viewing(user_id), await a_calendar(database, {user_id: "OWNER"}, **calendar))


async def refusal(work: Awaitable[object]) -> Problem:
    with pytest.raises(Problem) as caught:
        await work
    return caught.value


def clock(text: str) -> datetime:
    """What a clock shows, without saying where."""
    return datetime.fromisoformat(text)
