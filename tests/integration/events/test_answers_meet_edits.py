"""Answers to invitations beside edits of the same event: whichever comes second knows of the first."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import pytest
from asyncpg import Record

from tests.integration.rows import a_calendar, a_user, viewing
from yotei.events import read, write
from yotei.events.draft import AnyOperation, Create, EventFields, Invitee, NewEvent, Patch
from yotei.events.event import Event
from yotei.storage.pool import Database, Source
from yotei.storage.statements import Statement
from yotei.users.user import Viewer

NOW = datetime(2027, 3, 1, 8, tzinfo=UTC)
NINE = datetime(2027, 3, 3, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
WAITING = Statement(
    name="tests.waiting",
    purpose="who waits for a lock",
    sql="""select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'""",
)


class Meeting(msgspec.Struct, frozen=True):
    """An event of Aiko, to which Bob is invited."""

    database: Database
    aiko: Viewer
    bob: Viewer
    calendar_id: UUID
    event_id: UUID

    async def edit(self, tx: Source, **fields: Any) -> None:
        where = {name: fields.pop(name) for name in ("scope", "recurrence_id") if name in fields}
        await self.do(tx, Patch(event_id=self.event_id, event=EventFields(**fields), **where))

    async def do(self, tx: Source, operation: AnyOperation) -> UUID:
        return (await write.apply_one(tx, self.aiko, operation, now=NOW)).event_id

    async def accept(self, tx: Source) -> None:
        await write.answer_invitation(tx, self.bob, self.event_id, "ACCEPTED", None)

    async def bobs_answers(self) -> list[str]:
        """To the event, or to the series and its exceptions."""
        sql = """select a.response_status from attendees a join events e on e.id = a.event_id
                 where $1 in (e.id, e.series_id) and a.user_id = $2 order by e.recurrence_id nulls first"""
        statement = Statement(name="tests.answers", purpose="what somebody answered", sql=sql)
        found = await self.database.fetch(statement, self.event_id, self.bob.user_id)
        return [row["response_status"] for row in found]

    async def event(self) -> Event:
        return await read.get(self.database, self.aiko, self.event_id, ZoneInfo("UTC"), now=NOW)


Invited = Callable[..., Awaitable[Meeting]]


@pytest.fixture
async def invited(database: Database) -> Invited:
    aiko, bob = viewing(await a_user(database, "Aiko")), viewing(await a_user(database, "Bob"))
    calendar_id = await a_calendar(database, {aiko.user_id: "OWNER"})

    async def make(**fields: Any) -> Meeting:
        event = NewEvent(
            calendar_id=calendar_id,
            title="Planning",
            start_time=NINE,
            end_time=NINE + HOUR,
            attendees=(Invitee(user_id=bob.user_id),),
            **fields,
        )
        meeting = Meeting(database, aiko, bob, calendar_id, calendar_id)
        async with database.transaction() as tx:
            return msgspec.structs.replace(meeting, event_id=await meeting.do(tx, Create(event=event)))

    return make


async def done_or_waiting(database: Database, task: "asyncio.Task[None]") -> None:
    """Until the task has ended, or stands before a lock."""
    async with asyncio.timeout(30):
        while not task.done() and not await database.fetch(WAITING):
            pass


class Interrupted:
    """A transaction in which something else happens before one of its statements."""

    def __init__(self, tx: Source, before: str, happens: Callable[[], Awaitable[None]]) -> None:
        self._tx = tx
        self._before = before
        self._happens = happens

    async def fetch(self, statement: Statement, *args: object) -> list[Record]:
        return await self._tx.fetch(statement, *args)

    async def fetchrow(self, statement: Statement, *args: object) -> Record | None:
        return await self._tx.fetchrow(statement, *args)

    async def execute(self, statement: Statement, *args: object) -> str:
        if statement.name == self._before:
            await self._happens()
        return await self._tx.execute(statement, *args)


async def in_transaction(database: Database, work: Callable[[Source], Awaitable[None]]) -> None:
    async with database.transaction() as tx:
        await work(tx)


async def test_an_answer_given_while_the_attendees_are_edited_is_not_lost(database: Database, invited: Invited) -> None:
    meeting = await invited()
    answering: list[asyncio.Task[None]] = []

    async def answer() -> None:
        answering.append(asyncio.create_task(in_transaction(database, meeting.accept)))
        await done_or_waiting(database, answering[0])

    async with database.transaction() as tx:
        interrupted = Interrupted(tx, "events.write_events", answer)
        await meeting.edit(interrupted, attendees=(Invitee(user_id=meeting.bob.user_id, is_optional=True),))
    await answering[0]

    assert await meeting.bobs_answers() == ["ACCEPTED"]
    assert [one.is_optional for one in (await meeting.event()).attendees or ()] == [True]


async def test_who_answers_while_the_time_changes_is_asked_again(database: Database, invited: Invited) -> None:
    meeting = await invited()

    async with database.transaction() as tx:
        await meeting.accept(tx)
        moving = asyncio.create_task(
            in_transaction(database, lambda other: meeting.edit(other, start_time=NINE + 8 * HOUR))
        )
        await done_or_waiting(database, moving)
    await moving

    assert await meeting.bobs_answers() == ["NEEDS_ACTION"]


async def test_an_answer_to_a_series_is_one_to_the_exception_that_is_just_made(
    database: Database, invited: Invited
) -> None:
    meeting = await invited(rrule="FREQ=DAILY;COUNT=3")

    async with database.transaction() as tx:
        await meeting.edit(tx, scope="this", recurrence_id=NINE + 24 * HOUR, title="Another title")
        answering = asyncio.create_task(in_transaction(database, meeting.accept))
        await done_or_waiting(database, answering)
    await answering

    assert await meeting.bobs_answers() == ["ACCEPTED", "ACCEPTED"]
