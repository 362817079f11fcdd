"""When an event is stands beside each of its invitations, whoever writes and whatever is written at the same time."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import MAXYEAR, datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
import pytest

from tests.conftest import PostgresFactory
from tests.integration.events.booker import DAY, HOUR, NINE, WEEK, Booker
from tests.integration.rows import a_calendar, a_user, an_event
from yotei.errors import Problem
from yotei.events.draft import AnyOperation, Delete, Duplicate, EventFields, Invite, Invitee, Move, Patch, Restore
from yotei.storage import migrate
from yotei.storage.pool import Database, Source
from yotei.storage.statements import Statement

BEFORE: Final = 8
"""The last version in which an invitation does not know its time."""


def sql(text: str) -> Statement:
    return Statement(name="tests.spans", purpose="spans", sql=text)


ASTRAY: Final = sql(
    """select e.title, a.start_time, a.span_end, e.start_time, e.span_end
       from attendees a join events e on e.id = a.event_id
       where (a.start_time, a.span_end) is distinct from (e.start_time, e.span_end)"""
)
SPAN: Final = sql("select start_time, span_end from attendees where event_id = $1 and email like $2 || '%'")
INVITE: Final = sql("insert into attendees (event_id, email, user_id) values ($1, $2::uuid || '@example.org', $2)")
MOVE: Final = sql(
    "update events set start_time = start_time + $2::interval, end_time = end_time + $2, span_end = span_end + $2 "
    "where id = $1"
)
WAITING: Final = sql("select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'")


async def astray(database: Database) -> list[tuple[Any, ...]]:
    """Invitations that say another time than their event does."""
    return [tuple(row) for row in await database.fetch(ASTRAY)]


async def span(database: Database, event_id: UUID, whose: UUID) -> tuple[datetime, datetime]:
    row = await database.fetchrow(SPAN, event_id, str(whose))
    assert row is not None
    return tuple(row)


def wednesday(weeks: int) -> datetime:
    return NINE + weeks * WEEK


# Each on a weekly series, of which the third instance is an exception already, with what of it an operation is for.
EDITS: Final[dict[str, Callable[[Booker, UUID, UUID, UUID], AnyOperation]]] = {
    "move a single event": lambda aiko, single, _series, _other: aiko.patching(single, start_time=NINE + DAY),
    "lengthen a single event": lambda aiko, single, _series, _other: aiko.patching(single, end_time=NINE + 5 * DAY),
    "make it recur": lambda aiko, single, _series, _other: aiko.patching(single, rrule="FREQ=DAILY"),
    "move a whole series": lambda aiko, _single, series, _other: aiko.patching(
        series, scope="all", recurrence_id=wednesday(0), start_time=NINE + 3 * HOUR
    ),
    "let a series end": lambda aiko, _single, series, _other: aiko.patching(
        series, scope="all", rrule="FREQ=WEEKLY;COUNT=4"
    ),
    "end its recurring": lambda aiko, _single, series, _other: aiko.patching(series, scope="all", rrule=None),
    "make an exception": lambda aiko, _single, series, _other: aiko.patching(
        series, scope="this", recurrence_id=wednesday(4), start_time=wednesday(4) + DAY
    ),
    "move an exception": lambda aiko, _single, series, _other: aiko.patching(
        series, scope="this", recurrence_id=wednesday(2), start_time=wednesday(2) + 2 * DAY
    ),
    "move this and what follows": lambda aiko, _single, series, _other: aiko.patching(
        series, scope="following", recurrence_id=wednesday(2), start_time=wednesday(2) + 2 * HOUR
    ),
    "delete what follows": lambda _aiko, _single, series, _other: Delete(
        event_id=series, scope="following", recurrence_id=wednesday(3)
    ),
    "delete an instance": lambda _aiko, _single, series, _other: Delete(
        event_id=series, scope="this", recurrence_id=wednesday(2)
    ),
    "delete a series": lambda _aiko, _single, series, _other: Delete(event_id=series, scope="all"),
    "delete a single event": lambda _aiko, single, _series, _other: Delete(event_id=single),
    "move a series to another calendar": lambda _aiko, _single, series, other: Move(event_id=series, calendar_id=other),
    "move a single event to another calendar": lambda _aiko, single, _series, other: Move(
        event_id=single, calendar_id=other
    ),
    "invite to a series": lambda _aiko, _single, series, _other: Invite(
        event_id=series, scope="all", attendees=(Invitee(email="cem@example.org"),)
    ),
    "invite and move at once": lambda _aiko, single, _series, _other: Patch(
        event_id=single,
        event=EventFields(start_time=NINE + 2 * DAY, attendees=(Invitee(email="cem@example.org"),)),
    ),
    "duplicate": lambda _aiko, single, _series, _other: Duplicate(event_id=single, start_time=NINE + 9 * DAY),
}


@pytest.mark.parametrize("what", EDITS)
async def test_after_every_edit_invitations_have_the_span_of_their_event(aiko: Booker, bob: Booker, what: str) -> None:
    database, other = aiko.database, await a_calendar(aiko.database, {aiko.viewer.user_id: "OWNER"})
    guests = (Invitee(user_id=bob.viewer.user_id), Invitee(email="guest@example.com"))
    single = await aiko.make(attendees=guests)
    series = await aiko.make(rrule="FREQ=WEEKLY", attendees=guests)
    await aiko.patch(series, scope="this", recurrence_id=wednesday(2), start_time=wednesday(2) + HOUR)
    before = await database.fetch(sql("select event_id, email, start_time, span_end from attendees order by 1, 2"))

    await aiko.do(EDITS[what](aiko, single, series, other))

    assert len(before) == 6
    assert await astray(database) == []


async def test_an_event_that_was_moved_while_it_was_deleted_comes_back_with_invitations_of_its_time(
    aiko: Booker, bob: Booker
) -> None:
    event_id = await aiko.make(attendees=(Invitee(user_id=bob.viewer.user_id),))
    await aiko.do(Delete(event_id=event_id))
    await aiko.database.execute(MOVE, event_id, 3 * DAY)

    await aiko.do(Restore(event_id=event_id))

    assert await span(aiko.database, event_id, bob.viewer.user_id) == (NINE + 3 * DAY, NINE + 3 * DAY + HOUR)


async def test_an_invitation_to_a_series_without_an_end_has_none(aiko: Booker, bob: Booker) -> None:
    event_id = await aiko.make(rrule="FREQ=WEEKLY", attendees=(Invitee(user_id=bob.viewer.user_id),))

    starts, ends = await span(aiko.database, event_id, bob.viewer.user_id)

    assert starts == NINE
    assert ends.year == MAXYEAR


async def test_nobody_can_give_an_invitation_another_span_than_its_event_has(aiko: Booker, bob: Booker) -> None:
    event_id = await aiko.make(attendees=(Invitee(user_id=bob.viewer.user_id),))
    another = await aiko.make(start=NINE + WEEK)

    await aiko.database.execute(sql("update attendees set start_time = '2020-01-01Z', span_end = 'infinity'"))
    await aiko.database.execute(
        sql(
            "insert into attendees (event_id, email, start_time, span_end) "
            "values ($1, 'x@example.org', now(), 'infinity')"
        ),
        event_id,
    )
    assert await astray(aiko.database) == []
    await aiko.database.execute(sql("update attendees set event_id = $1"), another)

    assert await astray(aiko.database) == []


async def test_an_invitation_to_no_event_is_refused_as_before(database: Database) -> None:
    missing, person = await a_user(database), await a_user(database)

    with pytest.raises(Problem) as caught:
        await database.execute(INVITE, missing, person)

    assert [fault.field for fault in caught.value.faults] == ["event_id"]


async def test_an_event_that_moves_takes_its_invitations_along_without_a_word_of_them_in_the_log(
    aiko: Booker, bob: Booker
) -> None:
    event_id = await aiko.make(attendees=(Invitee(user_id=bob.viewer.user_id),))
    told = sql("select entity, op, fields from change_log where entity = 'attendee' order by xid, seq")
    before = await aiko.database.fetch(told)

    await aiko.database.execute(MOVE, event_id, DAY)

    assert await aiko.database.fetch(told) == before
    await aiko.database.execute(sql("update attendees set comment = 'Yes'"))
    await aiko.database.execute(sql("update attendees set comment = comment"))
    assert [tuple(row) for row in await aiko.database.fetch(told)][len(before) :] == [
        ("attendee", "update", ["comment"]),
        ("attendee", "update", []),
    ]


class Meeting:
    """An event, and somebody who may come; two ways to change them, in transactions that end when they are told."""

    def __init__(self, database: Database, event_id: UUID, guest: UUID) -> None:
        self.database = database
        self.event_id = event_id
        self.guest = guest

    async def move(self, tx: Source) -> None:
        await tx.execute(MOVE, self.event_id, DAY)

    async def invite(self, tx: Source) -> None:
        await tx.execute(INVITE, self.event_id, self.guest)

    async def adopt(self, tx: Source) -> None:
        await tx.execute(sql("update attendees set user_id = $1 where email = 'guest@example.com'"), self.guest)

    async def bring_here(self, tx: Source) -> None:
        await tx.execute(sql("update attendees set event_id = $1 where email = 'elsewhere@example.com'"), self.event_id)


@pytest.fixture
async def meeting(every_database: Database) -> Meeting:
    owner, guest = await a_user(every_database), await a_user(every_database)
    calendar_id = await a_calendar(every_database, {owner: "OWNER"})
    event_id = await an_event(every_database, calendar_id, owner, NINE)
    another = await an_event(every_database, calendar_id, owner, NINE + WEEK)
    for id_, email in ((event_id, "guest@example.com"), (another, "elsewhere@example.com")):
        await every_database.execute(sql("insert into attendees (event_id, email) values ($1, $2)"), id_, email)
    return Meeting(every_database, event_id, guest)


@pytest.mark.parametrize(
    "order",
    [
        ("move", "invite"),
        ("invite", "move"),
        ("move", "bring_here"),
        ("bring_here", "move"),
        ("move", "adopt"),
        ("adopt", "move"),
    ],
    ids=" then ".join,
)
async def test_who_comes_second_waits_and_sees_what_the_first_did(meeting: Meeting, order: Sequence[str]) -> None:
    database, (first, second) = meeting.database, order

    async def after() -> None:
        async with database.transaction() as tx:
            await getattr(meeting, second)(tx)

    async with database.transaction() as tx:
        await getattr(meeting, first)(tx)
        waiting = asyncio.create_task(after())
        async with asyncio.timeout(30):
            while not await database.fetch(WAITING):
                assert not waiting.done()
    await waiting

    assert await astray(database) == []
    moved = await database.fetch(sql("select distinct start_time from attendees where event_id = $1"), meeting.event_id)
    assert [row["start_time"] for row in moved] == [NINE + DAY]


@pytest.fixture
async def url_of_before(every_postgres: PostgresFactory) -> AsyncIterator[str]:
    """A database of the version before, with an invitation to each of 2,500 events."""
    url = await every_postgres.empty()
    await migrate.apply(url, steps=migrate.load()[:BEFORE])
    async with session(url) as connection:
        await connection.execute(
            """insert into users (id, email, name) values (gen_random_uuid(), 'aiko@example.org', 'Aiko');
               insert into calendars (id, name) values (gen_random_uuid(), 'Team');
               insert into events (id, calendar_id, organizer_id, uid, title, start_time, end_time, span_end, tzid)
               select gen_random_uuid(), c.id, u.id, n || '@x', '', t, t + interval '1 h',
                      case when n % 9 = 0 then 'infinity' else t + interval '1 h' end, 'UTC'
               from generate_series(1, 2500) n, lateral (select now() + interval '1 h' * n as t) t, calendars c,
                    users u;
               insert into attendees (event_id, email) select id, 'guest@example.com' from events"""
        )
    yield url
    await every_postgres.drop(url)


@asynccontextmanager
async def session(url: str) -> AsyncGenerator["asyncpg.Connection[asyncpg.Record]"]:
    opened = await asyncpg.connect(url)
    try:
        yield opened
    finally:
        await opened.close()


async def test_invitations_of_before_get_their_span_untold_and_the_step_can_be_taken_again(url_of_before: str) -> None:
    async with session(url_of_before) as connection:
        logged = await connection.fetchval("select count(*) from change_log")

        await migrate.apply(url_of_before)
        await connection.execute("delete from schema_migrations where name = 'spans_of_invitations'")
        again = await migrate.apply(url_of_before)

        assert [step.version for step in again] == [BEFORE + 1]
        assert await connection.fetchval("select count(*) from attendees") == 2_500
        assert await connection.fetch(ASTRAY.sql) == []
        assert await connection.fetchval("select count(*) from change_log") == logged


async def test_invitations_that_are_made_and_events_that_move_while_they_get_their_span_have_it_too(
    url_of_before: str,
) -> None:
    done = asyncio.Event()

    async def write(number: int) -> int:
        """One event after the other, each in a transaction: moved, and somebody more invited to it; how many were."""
        count = 0
        async with session(url_of_before) as connection:
            events = await connection.fetch("select id from events order by id")
            while not done.is_set():
                event_id = events[(number + 7 * count) % len(events)]["id"]
                async with connection.transaction():
                    await connection.execute(MOVE.sql, event_id, DAY)
                    await connection.execute(
                        "insert into attendees (event_id, email) values ($1, $2)", event_id, f"{number}-{count}@x"
                    )
                count += 1
        return count

    writing = [asyncio.create_task(write(number)) for number in range(2)]
    try:
        await migrate.apply(url_of_before)
    finally:
        done.set()
    written = await asyncio.gather(*writing)

    async with session(url_of_before) as connection:
        assert all(written)
        assert await connection.fetchval("select count(*) from attendees") == 2_500 + sum(written)
        assert await connection.fetch(ASTRAY.sql) == []
