"""One reader of the change log for all that wait in a process."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from tests.integration.rows import a_calendar, a_user, an_event, insert, many_changes
from yotei.observe.budget import open_ledger
from yotei.storage.pool import Database
from yotei.storage.statements import Statement
from yotei.storage.tail import CHANGES_MAX, Tail, Watch

PATIENCE_S = 20.0


@pytest.fixture
async def tail(database: Database) -> AsyncIterator[Tail]:
    tail = Tail(database, poll_s=0.02, transaction_max_s=86_400)
    yield tail
    await tail.close()


async def touched(watch: Watch) -> frozenset[UUID]:
    async with asyncio.timeout(PATIENCE_S):
        return await watch.touched()


async def test_what_is_committed_after_the_watch_has_begun_is_told_to_who_waits_for_it(
    tail: Tail, database: Database
) -> None:
    owner = await a_user(database)
    one, other = await a_calendar(database, {}), await a_calendar(database, {})

    async with tail.watch([one, owner]) as watch, tail.watch([other]) as elsewhere:
        await insert(database, "calendar_members", {"calendar_id": one, "user_id": owner, "role": "OWNER"})
        of_one = await touched(watch)
        await insert(database, "calendar_members", {"calendar_id": other, "user_id": owner, "role": "OWNER"})
        of_other = await touched(elsewhere)

    assert of_one == {one, owner}
    assert of_other == {other}


async def test_what_an_open_transaction_wrote_before_the_watch_is_told_when_it_commits(
    tail: Tail, database: Database
) -> None:
    owner = await a_user(database)
    calendar_id = await a_calendar(database, {})
    add = Statement(name="tests.add", purpose="a change", sql="insert into calendar_members values ($1, $2, 'OWNER')")

    async with database.transaction() as writing:
        await writing.execute(add, owner, calendar_id)
        entered = tail.watch([calendar_id])
        watch = await entered.__aenter__()
    found = await touched(watch)
    await entered.__aexit__(None, None, None)

    assert found == {calendar_id}


async def test_a_person_is_touched_by_their_account_and_not_by_events_to_which_they_are_invited(
    tail: Tail, database: Database
) -> None:
    owner, guest = await a_user(database), await a_user(database)
    calendar_id = await a_calendar(database, {owner: "OWNER"})
    event_id = await an_event(database, calendar_id, owner, datetime(2027, 3, 1, tzinfo=UTC), attendees=(guest,))
    later = "update events set end_time = end_time + interval '1 h', span_end = span_end + interval '1 h' where id = $1"
    rename = "update users set name = 'Ben' where id = $1"

    async with tail.watch([guest, event_id]) as watch:
        await database.execute(Statement("tests.later", later, "a change"), event_id)
        moved = await touched(watch)
        await database.execute(Statement("tests.rename", rename, "a change"), guest)
        renamed = await touched(watch)

    assert moved == {event_id}
    assert renamed == {guest}


async def test_a_bulk_load_touches_everything(tail: Tail, database: Database) -> None:
    somebody, something = uuid4(), uuid4()
    load = Statement(
        name="tests.load",
        purpose="what a bulk load leaves in the log",
        sql="""insert into change_log (scope_kind, scope_id, entity, entity_id, op)
               select 'system', n, 'bulk', n, 'load' from (select $1::uuid) t (n)""",
    )

    async with tail.watch([somebody]) as one, tail.watch([something]) as other:
        await database.execute(load, UUID(int=0))
        found = [await touched(one), await touched(other)]

    assert found == [{somebody}, {something}]


async def test_more_changes_than_it_reads_at_once_touch_everything(tail: Tail, database: Database) -> None:
    somebody = uuid4()

    async with tail.watch([somebody]) as watch:
        await many_changes(database, CHANGES_MAX)
        found = await touched(watch)
        stats = database.statement_stats()["storage.read_since"]
        looks = stats.count
        async with asyncio.timeout(PATIENCE_S):
            while stats.count < looks + 2:  # noqa: ASYNC110  # it tells nobody
                await asyncio.sleep(0.01)
        quiet = asyncio.create_task(watch.touched())
        await asyncio.sleep(0)

        assert found == {somebody}
        assert not quiet.done()
        quiet.cancel()


async def test_its_statements_are_nobodys_and_end_with_the_last_watch(tail: Tail, database: Database) -> None:
    with open_ledger(statements_max=0) as ledger:
        async with tail.watch([uuid4()]):
            stats = database.statement_stats()
            async with asyncio.timeout(PATIENCE_S):
                while "storage.read_since" not in stats:  # noqa: ASYNC110  # it tells nobody
                    await asyncio.sleep(0.01)
            while_watched = tail.is_reading

    assert (ledger.statements, while_watched, tail.is_reading) == (0, True, False)


async def test_a_second_watch_after_the_last_has_left_is_told_too(tail: Tail, database: Database) -> None:
    owner = await a_user(database)
    calendar_id = await a_calendar(database, {})

    async with tail.watch([calendar_id]):
        pass
    async with tail.watch([calendar_id]) as again:
        await insert(database, "calendar_members", {"calendar_id": calendar_id, "user_id": owner, "role": "OWNER"})
        found = await touched(again)

    assert found == {calendar_id}
