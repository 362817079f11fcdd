"""Migrations: the numbered files of `storage/migrations`, applied once each and in order.

`0007_name.sql` is one transaction: it is applied as a whole or not at all. A file that begins with
`-- yotei: no-transaction` is sent statement by statement (CREATE INDEX CONCURRENTLY cannot be in a transaction), so it
must be written to be run again after a failure; an INVALID index that a cancelled build left is dropped first.
Further headers: `-- yotei: lock_timeout_ms=2000`, `-- yotei: statement_timeout_ms=600000`.

One node applies at a time. The lock is held by a transaction of its own, not by a session, so that it also holds
behind PgBouncer, and it goes away with the node. That transaction owns no snapshot, so concurrent index builds do
not wait for it. Each step also inserts its ledger row first: were the lock ever lost, the second node would fail there.
"""

import asyncio
import hashlib
import re
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any, Final

import asyncpg
import msgspec
from asyncpg import Record

from yotei.storage import statements
from yotei.storage.pool import CONNECT_TIMEOUT_S, SERVER_VERSION_MIN, Source, prepare_role

# A step gives up rather than make writers queue behind its lock.
LOCK_TIMEOUT_MS: Final = 5_000
STATEMENT_TIMEOUT_MS: Final = 600_000
# How long a node waits for another one that is migrating.
TURN_TIMEOUT_S: Final = 900
TURN_POLL_S: Final = 0.1
_TAKE_LOCK: Final = f"select where pg_try_advisory_xact_lock({0x79_6F_74_65_69})"  # "yotei"

_SQL: Final = statements.load("yotei.storage")
_FILE: Final = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")
_HEADER: Final = re.compile(r"--\s*yotei:\s*(\S+)\s*")
_CONCURRENT_INDEX: Final = re.compile(r"create\s+(?:unique\s+)?index\s+concurrently\s+if\s+not\s+exists\s+(\w+)", re.I)


class MigrationError(Exception):
    """The schema cannot be brought to this version of Yotei; the message names the file and the reason."""


class Migration(msgspec.Struct, frozen=True):
    version: int
    name: str
    sql: str
    checksum: str
    in_transaction: bool = True
    lock_timeout_ms: int = LOCK_TIMEOUT_MS
    statement_timeout_ms: int = STATEMENT_TIMEOUT_MS

    @property
    def file_name(self) -> str:
        return f"{self.version:04}_{self.name}.sql"


class Applied(msgspec.Struct, frozen=True):
    """A row of the ledger, `schema_migrations`."""

    version: int
    name: str
    checksum: str
    applied_at: datetime
    elapsed_ms: int


class Serving(msgspec.Struct, frozen=True):
    """What a database can serve: the last step that was applied, and whether it is a hot standby, which takes no
    writes. Where there is no ledger yet it is 0, and the other is not known."""

    version: int
    is_standby: bool


class Status(msgspec.Struct, frozen=True):
    applied: tuple[Applied, ...]
    pending: tuple[Migration, ...]


Progress = Callable[[Migration, float | None], None]
"""Called with (step, None) before a step and with (step, elapsed_ms) after it."""


def load(folder: Traversable | None = None) -> tuple[Migration, ...]:
    """The steps in order; versions are 1, 2, 3, … without a gap."""
    folder = folder or resources.files("yotei.storage").joinpath("migrations")
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)
    steps = tuple(_parse(file.name, file.read_text("utf-8")) for file in files)
    for expected, step in enumerate(steps, start=1):
        if step.version != expected:
            raise MigrationError(f"{step.file_name}: expected version {expected:04}")
    return steps


async def status(url: str, steps: Sequence[Migration] | None = None) -> Status:
    """What is applied and what is not yet; changes nothing.

    Raises `MigrationError` when an applied file was edited since, or when the database is newer than this program.
    """
    steps = load() if steps is None else steps
    async with _session(url) as connection:
        return _compare(await _ledger(connection), steps)


async def serving(source: Source) -> Serving:
    """For a server that asks again and again whether it can serve. One statement."""
    try:
        row = await source.fetchrow(_SQL["find_serving"])
    except asyncpg.UndefinedTableError:
        return Serving(0, is_standby=False)
    assert row is not None
    return Serving(row["version"], row["is_standby"])


async def plan(url: str, steps: Sequence[Migration] | None = None) -> tuple[Migration, ...]:
    """The steps that `apply` would take now."""
    return (await status(url, steps)).pending


async def apply(
    url: str,
    progress: Progress | None = None,
    *,
    steps: Sequence[Migration] | None = None,
    statement_timeout_ms: int = 5_000,
    idle_in_transaction_timeout_ms: int = 10_000,
) -> tuple[Migration, ...]:
    """Bring the schema to this version and give the role its settings; returns the steps that were taken.

    Safe to call from several nodes at once: they take turns, and the later ones find nothing left to do.
    """
    steps = load() if steps is None else steps
    taken: list[Migration] = []
    async with _session(url) as guard, _turn(guard), _session(url) as connection:
        if await connection.fetchval("select pg_is_in_recovery()"):
            raise MigrationError("the database is a standby, which takes no writes: name its primary")
        await prepare_role(
            connection,
            statement_timeout_ms=statement_timeout_ms,
            idle_in_transaction_timeout_ms=idle_in_transaction_timeout_ms,
        )
        await connection.execute(_LEDGER)
        for step in _compare(await _ledger(connection), steps).pending:
            if guard.is_closed():
                raise MigrationError(f"{step.file_name}: the migration lock was lost; run it again")
            if progress is not None:
                progress(step, None)
            started_s = time.perf_counter()
            try:
                await (_apply_whole if step.in_transaction else _apply_apart)(connection, step)
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
                raise MigrationError(f"{step.file_name}: {type(error).__name__}: {error}") from error
            if progress is not None:
                progress(step, (time.perf_counter() - started_s) * 1000)
            taken.append(step)
    return tuple(taken)


_LEDGER: Final = """
create table if not exists schema_migrations (
  version    integer     constraint schema_migrations_pkey primary key,
  name       text        not null,
  checksum   text        not null,
  applied_at timestamptz not null default now(),
  elapsed_ms integer     not null default 0
)"""
_INSERT: Final = "insert into schema_migrations (version, name, checksum) values ($1, $2, $3)"
_FINISH: Final = "update schema_migrations set elapsed_ms = $2 where version = $1"


async def _apply_whole(connection: "asyncpg.Connection[Record]", step: Migration) -> None:
    started_s = time.perf_counter()
    async with connection.transaction():
        await connection.execute(
            "select set_config('lock_timeout', $1, true), set_config('statement_timeout', $2, true)",
            str(step.lock_timeout_ms),
            str(step.statement_timeout_ms),
        )
        await connection.execute(_INSERT, step.version, step.name, step.checksum)
        await connection.execute(step.sql)
        await connection.execute(_FINISH, step.version, _elapsed_ms(started_s))


async def _apply_apart(connection: "asyncpg.Connection[Record]", step: Migration) -> None:
    # Time-outs set behind a pooler would be those of whoever gets the connection next. What the role's own allow, as on
    # an empty database, can be done there all the same.
    is_pooled = await connection.fetchval("select pg_backend_pid()") != connection.get_server_pid()
    started_s = time.perf_counter()
    if not is_pooled:
        await connection.execute(f"set lock_timeout = {step.lock_timeout_ms}")
        await connection.execute(f"set statement_timeout = {step.statement_timeout_ms}")
    try:
        for statement in split(step.sql):
            await _drop_invalid(connection, statement)
            await connection.execute(statement)
        await connection.execute(_INSERT, step.version, step.name, step.checksum)
        await connection.execute(_FINISH, step.version, _elapsed_ms(started_s))
    except asyncpg.QueryCanceledError as error:
        if not is_pooled:
            raise
        raise MigrationError(
            f"{step.file_name}: takes longer than a pooler's sessions allow: migrate with the address of the server"
        ) from error
    finally:
        if not is_pooled and not connection.is_closed():
            await connection.execute("reset lock_timeout; reset statement_timeout")


async def _drop_invalid(connection: "asyncpg.Connection[Record]", statement: str) -> None:
    """IF NOT EXISTS would be content with the broken index of a cancelled build."""
    match = _CONCURRENT_INDEX.match(_without_comments(statement))
    if match is None:
        return
    drop = await connection.fetchval(
        """select format('drop index concurrently if exists %s', i.indexrelid::regclass)
           from pg_index i where i.indexrelid = to_regclass($1) and not i.indisvalid""",
        match[1],
    )
    if drop is not None:
        await connection.execute(drop)


def split(sql: str) -> list[str]:
    """The statements of a file: cut at semicolons outside of quotes, comments and dollar quotes."""
    token = re.compile(r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|\"[^\"]*\"|(\$\w*\$).*?\1|;", re.S)
    parts: list[str] = []
    start = 0
    for match in token.finditer(sql):
        if match[0] == ";":
            parts.append(sql[start : match.start()])
            start = match.end()
    parts.append(sql[start:])
    return [part.strip() for part in parts if _without_comments(part)]


def _without_comments(sql: str) -> str:
    return re.sub(r"--[^\n]*|/\*.*?\*/", "", sql, flags=re.S).strip()


def _parse(file_name: str, text: str) -> Migration:
    match = _FILE.fullmatch(file_name)
    if match is None:
        raise MigrationError(f"{file_name}: expected a name as 0001_what_it_does.sql")
    options: dict[str, Any] = {}
    for line in text.splitlines():
        header = _HEADER.fullmatch(line)
        if header is None:
            break
        name, _, value = header[1].partition("=")
        if name == "no-transaction" and not value:
            options["in_transaction"] = False
        elif name in ("lock_timeout_ms", "statement_timeout_ms") and value.isdecimal():
            options[name] = int(value)
        else:
            raise MigrationError(f"{file_name}: unknown header {header[1]!r}")
    checksum = hashlib.sha256(text.encode()).hexdigest()
    return Migration(version=int(match[1]), name=match[2], sql=text, checksum=checksum, **options)


def _compare(applied: Sequence[Applied], steps: Sequence[Migration]) -> Status:
    by_version = {step.version: step for step in steps}
    for row in applied:
        step = by_version.get(row.version)
        if step is None:
            raise MigrationError(
                f"the database is at version {applied[-1].version:04}, this program knows {len(steps):04} at most: "
                "it is older than the database"
            )
        if step.checksum != row.checksum:
            raise MigrationError(
                f"{step.file_name}: was edited after it was applied ({row.applied_at:%Y-%m-%d}); "
                "put it back and write a new step"
            )
    done = {row.version for row in applied}
    return Status(applied=tuple(applied), pending=tuple(step for step in steps if step.version not in done))


async def _ledger(connection: "asyncpg.Connection[Record]") -> tuple[Applied, ...]:
    if await connection.fetchval("select to_regclass('schema_migrations')") is None:
        return ()
    rows = await connection.fetch(
        "select version, name, checksum, applied_at, elapsed_ms from schema_migrations order by version"
    )
    return tuple(Applied(*row) for row in rows)


@asynccontextmanager
async def _session(url: str) -> AsyncGenerator["asyncpg.Connection[Record]"]:
    try:
        # Without a statement cache, so that PgBouncer of any version may be in between.
        connection = await asyncpg.connect(url, statement_cache_size=0, timeout=CONNECT_TIMEOUT_S)
    except (OSError, asyncpg.PostgresError) as error:
        raise MigrationError(f"the database cannot be reached: {error}") from error
    try:
        if connection.get_server_version().major < SERVER_VERSION_MIN:
            raise MigrationError(f"PostgreSQL {SERVER_VERSION_MIN} or later is needed")
        yield connection
    finally:
        await connection.close(timeout=CONNECT_TIMEOUT_S)


@asynccontextmanager
async def _turn(guard: "asyncpg.Connection[Record]") -> AsyncGenerator[None]:
    """Hold the migration lock in an open transaction of `guard`."""
    # Asked again and again rather than waited for: a waiting statement holds a snapshot, for which a concurrent index
    # build of the other node would wait in turn, for ever. And in a transaction of its own each time: a build that
    # looks while one asks waits until that transaction is over, and not only its snapshot.
    deadline_s = time.monotonic() + TURN_TIMEOUT_S
    while not await _has_taken(guard):
        if time.monotonic() >= deadline_s:
            raise MigrationError(f"another node has been migrating for {TURN_TIMEOUT_S} s; nothing was done")
        await asyncio.sleep(TURN_POLL_S)
    try:
        yield
    finally:
        if not guard.is_closed():
            await guard.execute("rollback")


async def _has_taken(guard: "asyncpg.Connection[Record]") -> bool:
    """Begins a transaction that holds the lock, or none. By simple queries, whose command tag is the answer: the portal
    of a prepared one would keep its snapshot until the transaction ends."""
    await guard.execute("begin; set local idle_in_transaction_session_timeout = 0")
    if await guard.execute(_TAKE_LOCK) == "SELECT 1":
        return True
    await guard.execute("rollback")
    return False


def _elapsed_ms(started_s: float) -> int:
    return round((time.perf_counter() - started_s) * 1000)
