"""A plan into an empty database, in one transaction: all of it, or nothing.

Triggers, foreign keys, keys and indexes are taken down and put back as the catalogue describes them, so they are
written once, in the migrations; putting them back checks every row, the exclusion constraint included. NOT NULL and
CHECK stay in force all the while. One row of the change log stands for what the triggers would have written.
While PostgreSQL takes in one batch, another process makes the next.
"""

import asyncio
import hashlib
import multiprocessing
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from typing import Final, TypeAlias
from uuid import UUID

import asyncpg
import msgspec
from asyncpg import Record

from yotei.seed.batch import ATTENDEE_COLUMNS, EVENT_COLUMNS, RESERVATION_COLUMNS, Batch, make_batch
from yotei.seed.directory import directory
from yotei.seed.plan import SeedError, SeedPlan
from yotei.storage import statements

TABLES: Final = ("users", "calendars", "calendar_members", "resources", "events", "attendees", "reservations")
EMPTIED: Final = ("events", "attendees", "reservations")
"""Known to be empty. Emptying them in this transaction lets COPY write rows that need no later VACUUM."""
SYSTEM: Final = UUID(int=0)
LOCK_TIMEOUT_MS: Final = 5_000
BATCHES_AHEAD: Final = 2
BATCHES_IN_PROCESS_MAX: Final = 2
"""Up to here a second process costs more than it saves."""
_CHUNK_BYTES: Final = 1 << 19

_SQL: Final = statements.load("yotei.seed")

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""

Connection: TypeAlias = "asyncpg.Connection[Record]"


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What was loaded. `content_hash` is the SHA-256 over all rows: equal for equal plans."""

    people: int
    calendars: int
    members: int
    rooms: int
    events: int
    attendees: int
    reservations: int
    content_hash: str
    copy_s: float
    checks_s: float
    analyze_s: float
    elapsed_s: float


def _silent(_what: str, _done: int, _total: int) -> None:
    pass


async def load(target: "str | Connection", plan: SeedPlan, progress: Progress = _silent) -> Summary:
    """Fill the database at this address, or of this connection, which must not be in a transaction.

    Raises `SeedError`, and leaves the database as it was, when it holds events, or people of these addresses.
    """
    plan.check()
    if not isinstance(target, str):
        return await _load(target, plan, progress)
    connection = await asyncpg.connect(target)
    try:
        return await _load(connection, plan, progress)
    finally:
        await connection.close()


async def _load(connection: Connection, plan: SeedPlan, progress: Progress) -> Summary:
    try:
        async with connection.transaction():
            return await _load_all(connection, plan, progress)
    except asyncpg.UndefinedTableError as error:
        raise SeedError("the database has no tables yet: run `yotei migrate` first") from error
    except asyncpg.LockNotAvailableError as error:
        raise SeedError("the database is in use: stop the server, then seed") from error


async def _load_all(connection: Connection, plan: SeedPlan, progress: Progress) -> Summary:
    started_s = time.perf_counter()
    await connection.execute(_SQL["begin_load"].sql, str(LOCK_TIMEOUT_MS))
    await connection.execute(_SQL["lock_tables"].sql)
    found = directory(plan)
    await _refuse_taken(connection, [one.email for one in found.people])
    takedown = await connection.fetch(_SQL["select_takedown"].sql, list(TABLES))
    for step in takedown:
        await connection.execute(step["take_away"])
    await connection.execute(f"truncate {', '.join(EMPTIED)}")

    digests = []
    counts = {}
    for table, columns, rows in found.tables():
        await _copy(connection, table, columns, rows)
        counts[table] = rows.count(b"\n")
        digests.append(hashlib.sha256(rows).digest())
    events, attendees, reservations = (hashlib.sha256() for _ in EMPTIED)
    totals = [0, 0, 0]
    async for batch in _batches(plan):
        await _copy(connection, "events", EVENT_COLUMNS, batch.events)
        await _copy(connection, "attendees", ATTENDEE_COLUMNS, batch.attendees)
        await _copy(connection, "reservations", RESERVATION_COLUMNS, batch.reservations)
        for running, digest in zip((events, attendees, reservations), batch.digests, strict=True):
            running.update(digest)
        totals = [total + more for total, more in zip(totals, batch.totals, strict=True)]
        progress("events", totals[0], plan.events)
    copied_s = time.perf_counter()

    for done, step in enumerate(_put_back_order(takedown), start=1):
        await connection.execute(step["put_back"])
        progress("keys, indexes and checks", done, len(takedown))
    await connection.execute(_SQL["log_load"].sql, SYSTEM)
    checked_s = time.perf_counter()
    for done, table in enumerate(TABLES, start=1):
        await connection.execute(f"analyze {table}")
        progress("statistics", done, len(TABLES))
    ended_s = time.perf_counter()
    content = hashlib.sha256(b"".join([*digests, events.digest(), attendees.digest(), reservations.digest()]))
    return Summary(
        people=counts["users"],
        calendars=counts["calendars"],
        members=counts["calendar_members"],
        rooms=counts["resources"],
        events=totals[0],
        attendees=totals[1],
        reservations=totals[2],
        content_hash=content.hexdigest(),
        copy_s=copied_s - started_s,
        checks_s=checked_s - copied_s,
        analyze_s=ended_s - checked_s,
        elapsed_s=ended_s - started_s,
    )


async def _refuse_taken(connection: Connection, emails: Sequence[str]) -> None:
    taken = await connection.fetchrow(_SQL["select_taken"].sql, list(emails))
    assert taken is not None
    if taken["has_events"]:
        raise SeedError("the database holds events already: seeding needs one without any; nothing was changed")
    if taken["emails"]:
        raise SeedError(f"there is somebody with the address {taken['emails'][0]} already; nothing was changed")


def _put_back_order(takedown: Sequence[Record]) -> Iterator[Record]:
    """Keys and indexes first, then the foreign keys that rely on them, then triggers."""
    return iter(sorted(takedown, key=lambda step: (step["place"] < 3, -step["place"], step["name"])))


async def _copy(connection: Connection, table: str, columns: Sequence[str], rows: bytes) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for at in range(0, len(rows), _CHUNK_BYTES):
            yield rows[at : at + _CHUNK_BYTES]

    await connection.copy_to_table(table, source=chunks(), columns=columns, format="text", freeze=table in EMPTIED)


async def _batches(plan: SeedPlan) -> AsyncIterator[Batch]:
    """The batches in order; a bounded number of them is made ahead."""
    executor = _executor(plan)
    pending: list[Future[Batch]] = []
    try:
        for number in range(plan.batch_count):
            while len(pending) + number < plan.batch_count and len(pending) < BATCHES_AHEAD + 1:
                pending.append(executor.submit(make_batch, plan, number + len(pending)))
            yield await asyncio.wrap_future(pending.pop(0))
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


def _executor(plan: SeedPlan) -> Executor:
    if plan.batch_count <= BATCHES_IN_PROCESS_MAX:
        return ThreadPoolExecutor(max_workers=1)
    return ProcessPoolExecutor(max_workers=1, mp_context=multiprocessing.get_context("spawn"))
