"""The daily partitions of the change log: made ahead, dropped by age. Any node may call; one at a time does it."""

from typing import Final

import asyncpg
import msgspec
import structlog

from yotei.storage import statements
from yotei.storage.pool import ANSWER_GRACE_S, Database, Transaction
from yotei.storage.statements import Statement

# Dropping a day locks the log against writers: better not now than a queue of them.
LOCK_TIMEOUT_MS: Final = 1_000
STATEMENT_TIMEOUT_MS: Final = 60_000
_LOCK_KEY: Final = 0x79_6F_74_65_69_01  # "yotei", and another number than the migrations'

_SQL: Final = statements.load("yotei.storage")
_log = structlog.get_logger(__name__)


class Maintained(msgspec.Struct, frozen=True):
    """Partitions made and dropped; not `complete` when another node was at it or a lock was not to be had."""

    made: int
    dropped: int
    complete: bool


async def maintain(database: Database, *, days_ahead: int, keep_days: int) -> Maintained:
    """Make the partitions of today and of `days_ahead` days, drop those older than `keep_days`.

    What cannot be locked in time is left to the next call.
    """
    made = await _take_turn(database, _SQL["make_partitions"], days_ahead + 1)
    # Apart, because a day that cannot be dropped now must not undo the days that were made.
    dropped = await _take_turn(database, _SQL["drop_partitions"], keep_days)
    if made or dropped:
        _log.info("change_log_maintained", partitions_made=made or 0, partitions_dropped=dropped or 0)
    return Maintained(made=made or 0, dropped=dropped or 0, complete=made is not None and dropped is not None)


async def _take_turn(database: Database, statement: Statement, days: int) -> int | None:
    """What the statement answers; None when another node is at it, or a lock was not to be had."""

    async def work(transaction: Transaction) -> int | None:
        await transaction.fetchrow(_SQL["set_timeouts"], str(LOCK_TIMEOUT_MS), str(STATEMENT_TIMEOUT_MS))
        transaction.answer_timeout_s = STATEMENT_TIMEOUT_MS / 1_000 + ANSWER_GRACE_S
        turn = await transaction.fetchrow(_SQL["try_maintenance_turn"], _LOCK_KEY)
        if turn is None or not turn["ours"]:
            return None
        row = await transaction.fetchrow(statement, days)
        return None if row is None else int(row[0])

    try:
        return await database.run(work)
    except asyncpg.LockNotAvailableError:
        _log.warning("change_log_maintenance_postponed", statement=statement.name, lock_timeout_ms=LOCK_TIMEOUT_MS)
        return None
