"""The tail: every committed change exactly once, in no gap, not held up by an open writer. On each PostgreSQL."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.integration.rows import many_changes
from yotei.storage.change_log import (
    FIRST,
    Change,
    Position,
    PositionForgotten,
    Snapshot,
    Span,
    position_ago,
    position_now,
    read_scope_since,
    read_since,
)
from yotei.storage.maintenance import maintain
from yotei.storage.pool import Database, Transaction
from yotei.storage.statements import Statement, load

DAY_S = 86_400.0
DAY = timedelta(days=1)
NOW = timedelta(0)


def sql(text: str, name: str = "test.statement") -> Statement:
    return Statement(name=name, sql=text, purpose="test")


LOG = sql(
    "insert into change_log (scope_kind, scope_id, entity, entity_id, op) values ('system', $1, 'bulk', $2, 'load')"
)


async def log(transaction: Transaction, scope: UUID | None = None) -> UUID:
    entity = uuid4()
    await transaction.execute(LOG, scope or entity, entity)
    return entity


async def read_all(database: Database, position: Position, limit: int = 10_000) -> tuple[list[Change], Position]:
    changes: list[Change] = []
    while True:
        page = await read_since(database, position, transaction_max_s=DAY_S, limit=limit)
        changes += page.changes
        position = Position.parse(str(page.position))
        if not page.has_more:
            return changes, position


async def test_every_change_exactly_once_among_writers_rollbacks_savepoints_and_open_transactions(
    every_database: Database,
) -> None:
    chance = random.Random(7)
    truth: set[UUID] = set()
    position = await position_now(every_database)
    seen: list[Change] = []
    writing = True

    async def writer() -> None:
        for _ in range(40):
            written: list[UUID] = []
            commits = chance.random() < 0.8
            try:
                async with every_database.transaction() as transaction:
                    written.append(await log(transaction))
                    await asyncio.sleep(chance.choice([0, 0, 0.001, 0.02]))
                    if chance.random() < 0.5:
                        await transaction.execute(sql("savepoint inner_one"))
                        inner = await log(transaction)
                        if chance.random() < 0.5:
                            await transaction.execute(sql("rollback to savepoint inner_one"))
                        else:
                            written.append(inner)
                    if not commits:
                        raise ZeroDivisionError
                truth.update(written)
            except ZeroDivisionError:
                pass

    async def long_writer() -> None:
        async with every_database.transaction() as transaction:
            truth.add(await log(transaction))
            await asyncio.sleep(0.3)
            truth.add(await log(transaction))

    async def tail() -> None:
        nonlocal position
        while writing:
            changes, position = await read_all(every_database, position, limit=chance.choice([1, 3, 10_000]))
            seen.extend(changes)
            await asyncio.sleep(chance.choice([0, 0.005, 0.02]))

    tailing = asyncio.create_task(tail())
    await asyncio.gather(*(writer() for _ in range(6)), long_writer())
    writing = False
    await tailing
    changes, position = await read_all(every_database, position)
    seen.extend(changes)

    times = Counter(change.entity_id for change in seen)
    assert set(times) == truth
    assert set(times.values()) == {1}
    assert (await read_all(every_database, position))[0] == []


async def test_an_open_writer_holds_up_nobody_and_comes_when_it_commits(every_database: Database) -> None:
    position = await position_now(every_database)
    async with every_database.transaction() as slow:
        late = await log(slow)
        async with every_database.transaction() as quick:
            early = await log(quick)
        before_commit, position = await read_all(every_database, position)
    after_commit, _ = await read_all(every_database, position)

    assert [change.entity_id for change in before_commit] == [early]
    assert [change.entity_id for change in after_commit] == [late]


async def test_transactions_are_compared_as_numbers_not_as_text(every_database: Database) -> None:
    position = await position_now(every_database)
    written = []
    async with every_database.transaction() as transaction:
        written.append(await log(transaction))
        # 9 comes after 10 in text: rows with made-up, old transaction ids on both sides of a power of ten.
        for xid in ("9", "10", "99", "100"):
            await transaction.execute(
                sql(
                    "insert into change_log (xid, scope_kind, scope_id, entity, entity_id, op) "
                    "values ($1::text::xid8, 'system', $2, 'bulk', $2, 'load')"
                ),
                xid,
                uuid4(),
            )

    changes, _ = await read_all(every_database, Position(Snapshot(9, 9), position.taken_at_ms), limit=2)

    xids = [change.xid for change in changes]
    assert xids[:4] == [9, 10, 99, 100]
    assert xids == sorted(xids)


async def test_a_page_of_pages_is_one_fixed_set_whatever_is_committed_meanwhile(every_database: Database) -> None:
    start = await position_now(every_database)
    async with every_database.transaction() as transaction:
        first = [await log(transaction) for _ in range(5)]
    page = await read_since(every_database, start, transaction_max_s=DAY_S, limit=2)
    async with every_database.transaction() as transaction:
        later = await log(transaction)

    rest, position = await read_all(every_database, page.position, limit=2)
    after, _ = await read_all(every_database, position)

    assert [change.entity_id for change in (*page.changes, *rest)] == first
    assert [change.entity_id for change in after] == [later]


async def test_the_readers_own_uncommitted_rows_wait_for_their_commit(every_database: Database) -> None:
    start = await position_now(every_database)
    async with every_database.transaction() as transaction:
        mine = await log(transaction)
        page = await read_since(transaction, start, transaction_max_s=DAY_S)
    after, _ = await read_all(every_database, page.position)

    assert page.changes == ()
    assert [change.entity_id for change in after] == [mine]


async def test_a_scope_is_read_alone(every_database: Database) -> None:
    start = await position_now(every_database)
    scope = uuid4()
    async with every_database.transaction() as transaction:
        mine = await log(transaction, scope)
        await log(transaction)

    page = await read_scope_since(every_database, start, scope, limit=10)

    assert [change.entity_id for change in page.changes] == [mine]


async def test_a_position_by_time_misses_nothing_since_then(every_database: Database) -> None:
    async with every_database.transaction() as transaction:
        written = [await log(transaction) for _ in range(3)]

    position = await position_ago(every_database, 60.0)
    changes, _ = await read_all(every_database, position)

    assert {change.entity_id for change in changes} >= set(written)


async def explained(
    database: Database,
    since: str,
    *,
    running: Sequence[str] = (),
    limit: int = 1_000,
    changes_max: int | None = None,
    age: timedelta = DAY,
    form: str = "text",
) -> list[str]:
    """The lines of how PostgreSQL has read the changes since a snapshot that was taken so long ago."""
    statement, now = load("yotei.storage")["read_since"], datetime.now(UTC)
    rows = await database.fetch(
        sql(f"explain (analyze, buffers, format {form}) {statement.sql}"),
        *(since, None, "0", 0, list(running), limit, now - DAY, now - age, changes_max),
    )
    return [row[0] for row in rows]


async def test_reading_is_led_by_the_index_on_the_transaction(every_database: Database) -> None:
    async with every_database.transaction() as transaction:
        await transaction.execute(
            sql(
                "insert into change_log (xid, scope_kind, scope_id, entity, entity_id, op) select n::text::xid8, "
                "'system', gen_random_uuid(), 'bulk', gen_random_uuid(), 'load' from generate_series(3, 20000) n"
            )
        )
    await every_database.execute(sql("analyze change_log"))

    plan = "\n".join(await explained(every_database, "30000:30002:30001", running=["30001"]))

    assert f"Seq Scan on change_log_{datetime.now(UTC):%Y%m%d}" not in plan, plan


@pytest.mark.parametrize("was_open", [False, True])
async def test_of_one_large_transaction_no_more_is_looked_at_than_a_reader_wants_to_know(
    every_database: Database, was_open: bool
) -> None:
    if was_open:
        async with every_database.transaction() as transaction:
            await many_changes(transaction, 20_000)
            await many_changes(every_database, 1)
            since = (await position_now(every_database)).since
    else:
        since = (await position_now(every_database)).since
        await many_changes(every_database, 20_000)
    await every_database.execute(sql("analyze change_log"))
    running = [str(xid) for xid in since.running]

    (plan,) = await explained(
        every_database, str(since), running=running, limit=500, changes_max=1_000, age=NOW, form="json"
    )

    assert len(running) == was_open
    read = [node["Actual Rows"] for node in _nodes(json.loads(plan)[0]["Plan"]) if "Scan" in node["Node Type"]]
    assert max(read) <= 1_000, plan
    assert max(read) > 1, plan


@pytest.mark.parametrize("others_commit", [False, True])
async def test_what_a_transaction_has_logged_is_not_looked_at_while_it_is_open(
    every_database: Database, others_commit: bool
) -> None:
    async with every_database.transaction() as transaction:
        await many_changes(transaction, 20_000)
        if others_commit:
            await many_changes(every_database, 1)
        since = (await position_now(every_database)).since
        if others_commit:
            await many_changes(every_database, 1)
        running = [str(xid) for xid in since.running]
        (plan,) = await explained(every_database, str(since), running=running, age=NOW, form="json")

    assert len(running) == others_commit
    assert json.loads(plan)[0]["Plan"]["Shared Hit Blocks"] < 200, plan


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from _nodes(inner)


async def test_who_has_read_enough_of_an_answer_goes_on_behind_it(every_database: Database) -> None:
    start = await position_now(every_database)
    async with every_database.transaction() as transaction:
        for _ in range(5):
            await log(transaction)
    page = await read_since(every_database, start, transaction_max_s=DAY_S, limit=2, changes_max=2)
    async with every_database.transaction() as transaction:
        later = await log(transaction)

    after, _ = await read_all(every_database, page.position.behind())

    assert page.has_more
    assert [change.entity_id for change in after] == [later]


async def test_old_partitions_are_dropped_and_positions_before_them_are_told_so(every_database: Database) -> None:
    old, kept = uuid4(), uuid4()
    start = await position_now(every_database)
    await maintain(every_database, days_ahead=7, keep_days=30)
    await every_database.fetch(sql("select change_log_make_partitions((now() at time zone 'UTC')::date - 40, 3)"))
    async with every_database.transaction() as transaction:
        await log(transaction, kept)
        await transaction.execute(
            sql(
                "insert into change_log (ts, scope_kind, scope_id, entity, entity_id, op) "
                "values (now() - interval '40 days', 'system', $1, 'bulk', $1, 'load')"
            ),
            old,
        )

    done = await maintain(every_database, days_ahead=10, keep_days=30)
    again = await maintain(every_database, days_ahead=10, keep_days=30)

    assert (done.made, done.dropped, done.complete) == (3, 3, True)
    assert (again.made, again.dropped) == (0, 0)
    with pytest.raises(PositionForgotten):
        await read_scope_since(every_database, start, old, limit=10)
    with pytest.raises(PositionForgotten):
        long_ago = Position(start.since, start.taken_at_ms - 40 * 86_400_000)
        await read_since(every_database, long_ago, transaction_max_s=DAY_S)
    assert len((await read_scope_since(every_database, start, kept, limit=10)).changes) == 1
    assert (await read_since(every_database, await position_now(every_database), transaction_max_s=DAY_S)).changes == ()


async def test_what_was_ever_forgotten_is_read_for_old_positions_only(every_database: Database) -> None:
    (young,), (old,) = [
        [line for line in await explained(every_database, "30000:30000:", age=age) if "on change_log_forgotten" in line]
        for age in (NOW, DAY)
    ]
    assert "never executed" in young, young
    assert "never executed" not in old, old


async def test_a_day_that_was_not_made_in_time_is_made_later_with_its_rows(every_database: Database) -> None:
    day = datetime.now(UTC) + timedelta(days=9)
    entity = uuid4()
    await every_database.execute(
        sql(
            "insert into change_log (ts, scope_kind, scope_id, entity, entity_id, op) "
            "values ($1, 'system', $2, 'bulk', $2, 'load')"
        ),
        day,
        entity,
    )
    where = sql("select tableoid::regclass::text as name from change_log where entity_id = $1")
    before = await every_database.fetchrow(where, entity)

    await maintain(every_database, days_ahead=10, keep_days=30)

    after = await every_database.fetchrow(where, entity)
    assert before is not None and after is not None
    assert before["name"] == "change_log_default"
    assert after["name"] == f"change_log_{day:%Y%m%d}"


async def test_rows_of_the_default_partition_are_forgotten_by_age_too(every_database: Database) -> None:
    scope = uuid4()
    start = await position_now(every_database)
    await every_database.execute(
        sql(
            "insert into change_log (ts, scope_kind, scope_id, entity, entity_id, op) "
            "values (now() - interval '90 days', 'system', $1, 'bulk', $1, 'load')"
        ),
        scope,
    )

    await maintain(every_database, days_ahead=1, keep_days=30)

    assert await every_database.fetch(sql("select 1 from change_log where scope_id = $1"), scope) == []
    with pytest.raises(PositionForgotten):
        await read_scope_since(every_database, start, scope, limit=10)


async def test_a_log_that_cannot_be_locked_is_maintained_another_time(every_database: Database) -> None:
    await every_database.fetch(sql("select change_log_make_partitions((now() at time zone 'UTC')::date - 40, 1)"))

    async with every_database.transaction() as reader:
        await reader.fetch(sql("select 1 from change_log limit 1"))
        done = await maintain(every_database, days_ahead=12, keep_days=30)

    assert (done.dropped, done.complete) == (0, False)
    assert done.made == 5 or done.made == 0
    assert (await maintain(every_database, days_ahead=12, keep_days=30)).dropped == 1


async def test_what_was_open_when_a_position_was_taken_is_forgotten_with_its_day(every_database: Database) -> None:
    # The position saw the second of two transactions, and the first one only was open: the last that is forgotten
    # of this scope is one that it saw.
    scope = uuid4()
    old = sql(
        "insert into change_log (ts, scope_kind, scope_id, entity, entity_id, op) "
        "values (now() - interval '40 days', 'system', $1, 'bulk', $1, 'load')"
    )
    async with every_database.transaction() as slow:
        await slow.execute(old, scope)
        async with every_database.transaction() as quick:
            await quick.execute(old, scope)
        position = await position_now(every_database)

    await maintain(every_database, days_ahead=1, keep_days=30)

    with pytest.raises(PositionForgotten):
        await read_scope_since(every_database, position, scope, limit=10)


async def test_a_bulk_load_forgets_what_was_there_before_it_and_nothing_else(every_database: Database) -> None:
    before, after = uuid4(), uuid4()
    made = sql(
        "insert into change_log (scope_kind, scope_id, entity, entity_id, op) values "
        "('calendar', $1, 'calendar', $1, 'insert')"
    )
    start = await position_now(every_database)
    await every_database.execute(made, before)
    async with every_database.transaction() as transaction:
        await log(transaction, UUID(int=0))
    loaded = await position_now(every_database)
    await every_database.execute(made, after)

    with pytest.raises(PositionForgotten):
        await read_scope_since(every_database, start, before, limit=10)
    with pytest.raises(PositionForgotten):
        await read_scope_since(every_database, FIRST, before, limit=10)
    assert (await read_scope_since(every_database, loaded, before, limit=10)).changes == ()
    assert len((await read_scope_since(every_database, FIRST, after, limit=10)).changes) == 1


async def test_the_epoch_names_server_timeline_database_and_the_last_crash(every_database: Database) -> None:
    first = (await position_now(every_database)).epoch

    assert first == (await position_now(every_database)).epoch
    assert [part.isdecimal() for part in first.split(".")] == [True, True, True, True]


@pytest.mark.parametrize("other", ["1{server}.{crash}", "{server}.1", "{server}"])
async def test_a_position_of_another_epoch_is_forgotten(every_database: Database, other: str) -> None:
    here = await position_now(every_database)
    server, _, crash = here.epoch.rpartition(".")
    elsewhere = Position.parse(
        str(Position(here.since, here.taken_at_ms, epoch=other.format(server=server, crash=crash)))
    )

    with pytest.raises(PositionForgotten):
        await read_scope_since(every_database, elsewhere, uuid4(), limit=10)
    with pytest.raises(PositionForgotten):
        await read_since(every_database, elsewhere, transaction_max_s=DAY_S)


async def test_a_time_that_is_no_year_of_ours_is_read_as_no_end(every_database: Database) -> None:
    position = await position_now(every_database)
    spans = ("[2027-03-01, 20000-01-01]", "[0044-03-15 BC, 2027-03-01]", "[2027-03-01, infinity]")
    for span in spans:
        await every_database.execute(
            sql(
                "insert into change_log (scope_kind, scope_id, entity, entity_id, op, new_span) "
                "values ('calendar', $1, 'event', $1, 'insert', $2::text::tstzrange)"
            ),
            uuid4(),
            span,
        )

    changes, _ = await read_all(every_database, position)

    march = datetime(2027, 3, 1, tzinfo=UTC)
    found = [change.new_span for change in changes]
    assert found == [Span(march, None), Span(None, march), Span(march, None)]
