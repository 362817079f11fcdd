"""Many want the same room at the same time, again and again."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

import asyncpg
import pytest

from tests.conftest import PostgresFactory
from tests.integration.rows import a_calendar, a_room, a_user, viewing
from tests.stress import rows
from yotei.errors import Code, Problem
from yotei.events import write
from yotei.events.draft import Create, NewEvent
from yotei.storage.pool import Database, Source

CLIENTS: Final = 8
SLOTS: Final = 100
NOW: Final = datetime(2027, 3, 1, 8, tzinfo=UTC)
HOUR: Final = timedelta(hours=1)


@pytest.mark.parametrize(("units", "slots"), [(1, SLOTS), (3, SLOTS // 10)])
async def test_each_slot_has_its_winners_and_nobody_deadlocks(
    postgres: PostgresFactory, units: int, slots: int
) -> None:
    url = await postgres.migrated()
    async with await Database.connect(url, size_min=CLIENTS, size_max=CLIENTS) as database:
        viewer = viewing(await a_user(database))
        calendars = [await a_calendar(database, {viewer.user_id: "OWNER"}) for _ in range(CLIENTS)]
        room = await a_room(database, concurrent_bookings=units)

        async def book(calendar_id: UUID, start: datetime) -> UUID:
            event = NewEvent(
                calendar_id=calendar_id,
                title="Planning",
                start_time=start,
                end_time=start + HOUR,
                resource_ids=(room,),
            )

            async def work(tx: Source) -> UUID:
                return (await write.apply_one(tx, viewer, Create(event=event), now=NOW)).event_id

            return await database.run(work)

        rounds = [
            await asyncio.gather(*(book(one, NOW + n * HOUR) for one in calendars), return_exceptions=True)
            for n in range(1, slots + 1)
        ]

    assert [sum(isinstance(one, UUID) for one in outcomes) for outcomes in rounds] == [units] * slots
    refused = [one for outcomes in rounds for one in outcomes if not isinstance(one, UUID)]
    assert all(isinstance(one, Problem) and one.code is Code.ROOM_TAKEN for one in refused)
    # The sessions are over, so they have told the statistics all that they saw.
    connection = await asyncpg.connect(url)
    assert await rows.deadlocks(connection) == 0
    await connection.close()
    assert (await rows.read(url)).overlaps == ()
    await postgres.drop(url)
