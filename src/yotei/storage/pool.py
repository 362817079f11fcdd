"""The gateway: every statement that Yotei sends goes through a `Database` or a `Transaction`, and is counted there.

Each statement spends from the budget of its request (`observe.budget`) and is timed under its name. BEGIN and
COMMIT are timed as `transaction.begin` and `transaction.commit`, but spend nothing: a budget counts what is asked. The
same goes for the look at its own changes that a transaction takes before it commits (`Database.before_commit`).

Settings of a session (time zone, time-outs) belong to the *role* (`prepare_role`), never to the connection: behind
PgBouncer in transaction mode a connection is another one after each transaction. For the same reason nothing here
resets a connection when it is given back; that would be a round trip for each call.
"""

import asyncio
import random
import time
from bisect import bisect_left
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterable, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, Protocol, Self, TypeVar
from uuid import UUID

import asyncpg
import msgspec
import structlog
from asyncpg import Record

from yotei.errors import Code, Problem
from yotei.observe import budget
from yotei.storage import constraints
from yotei.storage.statements import Statement

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Connection = PoolConnectionProxy[Record]
    _AsyncpgConnection = asyncpg.Connection[Record]
else:
    _AsyncpgConnection = asyncpg.Connection

log = structlog.get_logger(__name__)

SERVER_VERSION_MIN: Final = 15
# Connections of one pool die at ages that differ by this part of their life time, not all at once.
LIFE_TIME_JITTER: Final = 0.1
# How often `Database.run` starts a transaction before it gives up, and the longest of its pauses in between.
TRANSACTION_ATTEMPTS_MAX: Final = 5
RETRY_PAUSE_S_MAX: Final = 0.05
CONNECT_TIMEOUT_S: Final = 5.0
RELEASE_TIMEOUT_S: Final = 5.0
ANSWER_GRACE_S: Final = 1.0
"""So much longer than PostgreSQL gives a statement it is waited for PostgreSQL to say so."""
CANCELLED_S: Final = 0.1
"""How long who was cancelled waits until PostgreSQL has given up his statement; then that goes on behind him."""
CLOSE_TIMEOUT_S: Final = 10.0
RETRY_AFTER_S: Final = 1
# Upper bounds of the buckets in which durations are counted; one more bucket holds what is slower.
BUCKETS_MS: Final = (1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 2500.0)
# Names come from files, so there are few; this bounds the table should one be made up at run time.
STATEMENT_NAMES_MAX: Final = 1000
OTHER_STATEMENTS: Final = "other"


class Outrun(Exception):
    """Somebody else committed first what this transaction was about to do: it has to look again.

    Raised by the work of `Database.run`, which begins it anew as it does when PostgreSQL asks for that.
    """

    sqlstate: Final = "outrun"


RETRYABLE: Final = (
    Outrun,
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.InvalidCachedStatementError,
)
# What PostgreSQL, or the way to it, says when the fault is not in the statement.
UNREACHABLE: Final = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.ConnectionRejectionError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.ProtocolViolationError,
    asyncpg.InternalClientError,  # a session that the server ended, before asyncpg has seen its end
)

Answer = TypeVar("Answer")
Greeting = tuple[Statement, Callable[[Record], object]]
"""What each new connection is asked, and who judges the answer: raises to refuse the connection."""
BeforeCommit = Callable[["Transaction"], Awaitable[Callable[[], None] | None]]
"""Is called with each transaction when its work is done; what it returns is called when it is committed."""


class DatabaseNotPrepared(Exception):
    """The server is too old, or its role lacks the settings that `yotei migrate` gives it."""


class Source(Protocol):
    """Where statements can be sent: the pool, or one transaction of it."""

    async def fetch(self, statement: Statement, *args: object) -> list[Record]: ...

    async def fetchrow(self, statement: Statement, *args: object) -> Record | None: ...

    async def execute(self, statement: Statement, *args: object) -> str: ...


class PoolStats(msgspec.Struct, frozen=True):
    """`db.connections.*` of RFC-003; waits are calls that found every connection in use."""

    size_max: int
    open: int
    in_use: int
    idle: int
    wait_count: int
    wait_duration_ms: float


class StatementStats(msgspec.Struct):
    """How one statement did since the process began; `buckets` are counts by `BUCKETS_MS`, not cumulated."""

    count: int = 0
    failures: int = 0
    total_ms: float = 0.0
    max_ms: float = 0.0
    buckets: list[int] = msgspec.field(default_factory=lambda: [0] * (len(BUCKETS_MS) + 1))

    def add(self, elapsed_ms: float, *, failed: bool) -> None:
        self.count += 1
        self.failures += failed
        self.total_ms += elapsed_ms
        self.max_ms = max(self.max_ms, elapsed_ms)
        self.buckets[bisect_left(BUCKETS_MS, elapsed_ms)] += 1


def pool_size_default(database_cores: int, processes: int = 1) -> int:
    """RFC-003's 2 x cores + 1, which is a number for the database, divided among the processes that share it."""
    return max(1, (2 * database_cores + 1) // processes)


class _Connection(_AsyncpgConnection):
    """A connection that knows when it is to be replaced."""

    __slots__ = ("expires_at_s", "opened_s")

    expires_at_s: float
    opened_s: float


class _Meter:
    """Counts and times statements, for the request and for the process."""

    __slots__ = ("statements",)

    def __init__(self) -> None:
        self.statements: dict[str, StatementStats] = {}

    @contextmanager
    def statement(self, name: str) -> Generator[None]:
        """One statement that a request asked for; its failures come out as Problems where a caller can mend them."""
        ledger = budget.current()
        if ledger is not None:
            ledger.reserve(name)
        started_s = time.perf_counter()
        failed = True
        try:
            with problems():
                yield
            failed = False
        finally:
            elapsed_ms = (time.perf_counter() - started_s) * 1000
            if ledger is not None:
                ledger.record(name, elapsed_ms)
            self._add(name, elapsed_ms, failed)

    @contextmanager
    def frame(self, name: str) -> Generator[None]:
        """BEGIN or COMMIT: timed, but not asked for by the request."""
        started_s = time.perf_counter()
        failed = True
        try:
            with problems():
                yield
            failed = False
        finally:
            self._add(name, (time.perf_counter() - started_s) * 1000, failed)

    def note_retry(self, sqlstate: str | None, *, is_last: bool) -> None:
        """One attempt that came to nothing: it is begun anew, or given up when it was the last."""
        self._add(f"transaction.{'given_up' if is_last else 'retry'}.{sqlstate}", 0.0, True)

    def _add(self, name: str, elapsed_ms: float, failed: bool) -> None:
        stats = self.statements.get(name)
        if stats is None:
            if len(self.statements) >= STATEMENT_NAMES_MAX:
                name = OTHER_STATEMENTS
            stats = self.statements.setdefault(name, StatementStats())
        stats.add(elapsed_ms, failed=failed)


class Transaction:
    """One transaction on one connection. After a Problem of a statement PostgreSQL refuses the rest of it.

    `answer_timeout_s` is for who has given his statements another time than they have by their role.
    """

    __slots__ = ("_connection", "_meter", "answer_timeout_s")

    def __init__(self, connection: "Connection", meter: _Meter) -> None:
        self._connection = connection
        self._meter = meter
        self.answer_timeout_s: float | None = None

    async def fetch(self, statement: Statement, *args: object) -> list[Record]:
        with self._meter.statement(statement.name):
            return await self._connection.fetch(statement.sql, *args, timeout=self.answer_timeout_s)

    async def fetchrow(self, statement: Statement, *args: object) -> Record | None:
        with self._meter.statement(statement.name):
            return await self._connection.fetchrow(statement.sql, *args, timeout=self.answer_timeout_s)

    async def fetch_framed(self, statement: Statement, *args: object) -> list[Record]:
        """What belongs to the transaction itself and not to what was asked: timed, and spends nothing."""
        with self._meter.frame(statement.name):
            return await self._connection.fetch(statement.sql, *args, timeout=self.answer_timeout_s)

    async def execute(self, statement: Statement, *args: object) -> str:
        """The command tag, as `UPDATE 1`."""
        with self._meter.statement(statement.name):
            return await self._connection.execute(statement.sql, *args, timeout=self.answer_timeout_s)

    async def executemany(self, statement: Statement, args: Iterable[Sequence[object]]) -> None:
        """The same statement for each of `args`, in one round trip; counted as one."""
        with self._meter.statement(statement.name):
            await self._connection.executemany(statement.sql, args, timeout=self.answer_timeout_s)

    async def copy(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
        """Bulk load by binary COPY; counted as one statement, `copy.<table>`."""
        with self._meter.statement(f"copy.{table}"):
            return await self._connection.copy_records_to_table(
                table, columns=columns, records=rows, timeout=self.answer_timeout_s
            )


class Database:
    """The pool of one process. Open it with `connect`; a call takes a connection for one statement or transaction."""

    def __init__(
        self, pool: "asyncpg.Pool[Record]", meter: _Meter, *, acquire_timeout_s: float, given_up_s: float
    ) -> None:
        self._pool = pool
        self._acquire_timeout_s = acquire_timeout_s
        self._meter = meter
        self._in_use = 0
        self._giving_back: set[asyncio.Task[None]] = set()
        self._wait_count = 0
        self._wait_duration_ms = 0.0
        self.before_commit: BeforeCommit | None = None
        self._given_up_s = given_up_s
        self._replaced_s = 0.0
        self.on_silence: Callable[[], None] = self.replace_connections
        """When PostgreSQL did not even hear that a statement was cancelled."""

    @classmethod
    async def connect(
        cls,
        url: str,
        *,
        size_min: int = 1,
        size_max: int = 5,
        life_time_s: float = 1800,
        idle_time_s: float = 600,
        acquire_timeout_s: float = 2.0,
        answer_timeout_s: float | None = None,
        given_up_s: float = RELEASE_TIMEOUT_S,
        statement_cache_size: int = 200,
        application_name: str | None = None,
        greeting: Greeting | None = None,
    ) -> Self:
        """Open the pool and look at the first connection.

        `answer_timeout_s` is for a server that is silent, and longer than it gives a statement itself. A connection
        whose statement was cancelled is dropped when that is not confirmed within `given_up_s`.

        Raises `DatabaseNotPrepared` when the server or its role will not do, `Problem` (unavailable) when it cannot
        be reached, and what the greeting does. `application_name` is sent when the connection starts, which PgBouncer
        knows to pass on.
        """
        meter = _Meter()

        async def admit(connection: Any) -> None:
            _check(connection)
            if greeting is not None:
                statement, judge = greeting
                with meter.frame(statement.name):
                    answer = await connection.fetchrow(statement.sql)
                judge(answer)
            share = 1 - LIFE_TIME_JITTER * random.random()  # noqa: S311
            connection.opened_s = time.monotonic()
            connection.expires_at_s = connection.opened_s + life_time_s * share

        pool = asyncpg.create_pool(
            url,
            min_size=min(size_min, size_max),
            max_size=size_max,
            max_inactive_connection_lifetime=idle_time_s,
            max_queries=2**62,  # replaced by age, not by use
            statement_cache_size=statement_cache_size,
            timeout=CONNECT_TIMEOUT_S,
            command_timeout=answer_timeout_s,
            connection_class=_Connection,
            init=admit,
            reset=_keep,
            server_settings={"application_name": application_name} if application_name else None,
        )
        with problems():
            await pool
        database = cls(pool, meter, acquire_timeout_s=acquire_timeout_s, given_up_s=given_up_s)
        try:
            async with database._connection():
                pass
        except BaseException:
            pool.terminate()
            raise
        return database

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self, timeout_s: float = CLOSE_TIMEOUT_S) -> None:
        """Wait a bounded time for calls in flight, then close every connection."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._pool.close()
        except TimeoutError:
            self._pool.terminate()

    def replace_connections(self) -> None:
        """None of those that are open now is used again: where they lead to may be gone."""
        self._replaced_s = time.monotonic()

    async def fetch(self, statement: Statement, *args: object) -> list[Record]:
        async with self._connection() as connection:
            with self._meter.statement(statement.name):
                return await connection.fetch(statement.sql, *args)

    async def fetchrow(self, statement: Statement, *args: object) -> Record | None:
        async with self._connection() as connection:
            with self._meter.statement(statement.name):
                return await connection.fetchrow(statement.sql, *args)

    async def execute(self, statement: Statement, *args: object) -> str:
        """The command tag, as `UPDATE 1`."""
        async with self._connection() as connection:
            with self._meter.statement(statement.name):
                return await connection.execute(statement.sql, *args)

    async def fetch_framed(self, statement: Statement, *args: object) -> list[Record]:
        """As `Transaction.fetch_framed`: of what was asked, and not asked for."""
        async with self._connection() as connection:
            with self._meter.frame(statement.name):
                return await connection.fetch(statement.sql, *args)

    @asynccontextmanager
    async def transaction(self, actor_id: UUID | None = None) -> AsyncGenerator[Transaction]:
        """READ COMMITTED, committed when the block ends; `actor_id` is who the change log says did it.

        Raises asyncpg's serialisation and deadlock errors as they are: use `run` to have them retried.
        """
        # One simple query, so one round trip; a UUID has no character that SQL could mistake.
        begin = (
            "begin"
            if actor_id is None
            else f"begin; select set_config('yotei.actor_id', '{UUID(str(actor_id))}', true)"
        )
        async with self._connection() as connection:
            try:
                with self._meter.frame("transaction.begin"):
                    await connection.execute(begin)
                transaction = Transaction(connection, self._meter)
                yield transaction
                committed = await self._about_to_commit(transaction)
                with self._meter.frame("transaction.commit"):
                    if await connection.execute("commit", timeout=transaction.answer_timeout_s) != "COMMIT":
                        raise AssertionError("a statement of this transaction failed and the failure was swallowed")
            except BaseException as error:
                if not is_away(error):
                    await asyncio.shield(_roll_back(connection))
                raise
        if committed is not None:
            committed()

    async def _about_to_commit(self, transaction: "Transaction") -> Callable[[], None] | None:
        if self.before_commit is None:
            return None
        with suppress(asyncpg.InFailedSQLTransactionError):  # COMMIT says so, too
            return await self.before_commit(transaction)
        return None

    async def run(self, work: Callable[[Transaction], Awaitable[Answer]], actor_id: UUID | None = None) -> Answer:
        """`work` in a transaction, begun anew a bounded number of times when PostgreSQL asks for that.

        So `work` may run more than once: it must do nothing outside of the database. Attempts are counted in
        `statement_stats` as `transaction.retry.<sqlstate>`, those after which it gave up as
        `transaction.given_up.<sqlstate>`.
        """
        ledger = budget.current()
        sent = ledger.statements if ledger is not None else 0
        for attempt in range(1, TRANSACTION_ATTEMPTS_MAX + 1):
            try:
                async with self.transaction(actor_id) as transaction:
                    return await work(transaction)
            except RETRYABLE as error:
                is_last = attempt == TRANSACTION_ATTEMPTS_MAX
                self._meter.note_retry(error.sqlstate, is_last=is_last)
                if ledger is not None:
                    ledger.begin_anew(sent)
                if is_last:
                    log.warning("transaction_given_up", sqlstate=error.sqlstate, attempts=attempt)
                    raise Problem(
                        Code.UNAVAILABLE,
                        "Too many changes to the same things at once; try again.",
                        retry_after_s=RETRY_AFTER_S,
                    ) from error
                await asyncio.sleep(random.random() * RETRY_PAUSE_S_MAX)  # noqa: S311
        raise AssertionError("unreachable")

    def pool_stats(self) -> PoolStats:
        return PoolStats(
            size_max=self._pool.get_max_size(),
            open=self._pool.get_size(),
            in_use=self._in_use,
            idle=self._pool.get_idle_size(),
            wait_count=self._wait_count,
            wait_duration_ms=self._wait_duration_ms,
        )

    def statement_stats(self) -> dict[str, StatementStats]:
        """By name; the live objects, to be read and not changed."""
        return self._meter.statements

    @asynccontextmanager
    async def _connection(self) -> AsyncGenerator["Connection"]:
        connection = await self._acquire()
        is_cancelled = False
        try:
            yield connection
        except Problem as problem:
            if is_away(problem):
                _drop(connection)  # half dead, or led to a server that may not write
            raise
        except asyncio.CancelledError:
            is_cancelled = True
            raise
        finally:
            self._in_use -= 1
            if is_cancelled:
                await self._release_behind(connection)
            else:
                await self._release(connection)

    async def _acquire(self) -> "Connection":
        waits = self._in_use >= self._pool.get_max_size()
        started_s = time.perf_counter()
        try:
            with problems():
                connection = await self._pool.acquire(timeout=self._acquire_timeout_s)
                while self._is_replaced(connection):
                    _drop(connection)
                    connection = await self._pool.acquire(timeout=self._acquire_timeout_s)
        finally:
            if waits:
                self._wait_count += 1
                self._wait_duration_ms += (time.perf_counter() - started_s) * 1000
        self._in_use += 1
        return connection

    def _is_replaced(self, connection: Any) -> bool:
        return bool(connection.opened_s < self._replaced_s)

    async def _release(self, connection: Any, timeout_s: float = RELEASE_TIMEOUT_S) -> None:
        try:
            if not connection.is_closed() and time.monotonic() >= connection.expires_at_s:
                await connection.close(timeout=timeout_s)
            await self._pool.release(connection, timeout=timeout_s)
        except (TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            # The answer that it brought is good all the same.
            _drop(connection)
            if isinstance(error, TimeoutError):
                self.on_silence()

    async def _release_behind(self, connection: Any) -> None:
        """A server that is silent does not hear that a statement is cancelled either."""
        task = asyncio.create_task(self._release(connection, self._given_up_s))
        self._giving_back.add(task)
        task.add_done_callback(self._giving_back.discard)
        await asyncio.wait((task,), timeout=CANCELLED_S)


async def prepare_role(
    connection: "asyncpg.Connection[Record]", *, statement_timeout_ms: int, idle_in_transaction_timeout_ms: int
) -> bool:
    """Give the current role, in this database, the settings of a Yotei session; true when something had to change.

    They take hold for sessions that begin later. The caller holds the migration lock: two at once would fail.
    """
    wanted = {
        "timezone": "UTC",
        "jit": "off",
        # Our statements are made to be planned for any values. Planned anew for those of each call, as PostgreSQL may
        # prefer for good while tables are small, a list takes nearly twice the time.
        "plan_cache_mode": "force_generic_plan",
        "statement_timeout": f"{statement_timeout_ms}ms",
        "idle_in_transaction_session_timeout": f"{idle_in_transaction_timeout_ms}ms",
    }
    in_force = await connection.fetchval(
        """select s.setconfig from pg_db_role_setting s
           join pg_roles r on r.oid = s.setrole join pg_database d on d.oid = s.setdatabase
           where r.rolname = current_user and d.datname = current_database()"""
    )
    there = {name.lower(): value for name, _, value in (line.partition("=") for line in in_force or ())}
    changes = {name: value for name, value in wanted.items() if there.get(name) != value}
    for name, value in changes.items():
        await connection.execute(
            await connection.fetchval(
                "select format('alter role current_user in database %I set %I = %L', current_database(), $1::text, "
                "$2::text)",
                name,
                value,
            )
        )
    return bool(changes)


def is_away(error: BaseException) -> bool:
    """Whether it is of a PostgreSQL that does not answer, as far as one connection can tell, and not of a statement."""
    return (
        isinstance(error, Problem)
        and error.code is Code.UNAVAILABLE
        and error.__cause__ is not None
        and not isinstance(error.__cause__, (asyncpg.QueryCanceledError, *RETRYABLE))
    )


@contextmanager
def problems() -> Generator[None]:
    """Errors of asyncpg that a caller can be told about come out of the block as Problems, others as they are."""
    try:
        yield
    except asyncpg.IntegrityConstraintViolationError as error:
        problem = constraints.problem(getattr(error, "constraint_name", None))
        if problem is None:
            raise
        raise problem from error
    except (asyncpg.CharacterNotInRepertoireError, asyncpg.UntranslatableCharacterError) as error:
        raise Problem(Code.INVALID_REQUEST, "Text may not hold the character NUL.") from error
    except asyncpg.QueryCanceledError as error:
        raise _unavailable("The database took too long to answer.") from error
    except TimeoutError as error:
        raise _unavailable("The database does not answer, or has no connection to spare.") from error
    except UNREACHABLE as error:
        raise _unavailable("The database cannot be reached; try again.") from error
    except asyncpg.InterfaceError as error:
        # asyncpg says "connection is closed" this way, and programmer errors too.
        if not any(said in str(error) for said in ("closed", "closing", "released back")):
            raise
        raise _unavailable("The connection to the database was lost; try again.") from error


def _unavailable(detail: str) -> Problem:
    return Problem(Code.UNAVAILABLE, detail, retry_after_s=RETRY_AFTER_S)


async def _keep(connection: "asyncpg.Connection[Record] | Connection") -> None:
    """asyncpg's reset of a returned connection, without its round trip; it still rolls back what is left open."""


async def _roll_back(connection: "Connection") -> None:
    """Leave the transaction, or the connection when that is not possible."""
    try:
        if not connection.is_closed() and connection.is_in_transaction():
            await connection.execute("rollback", timeout=RELEASE_TIMEOUT_S)
    except Exception:
        _drop(connection)


def _drop(connection: Any) -> None:
    """Close without a word to the server; the pool opens another one when it needs one."""
    with suppress(asyncpg.InterfaceError):  # asyncpg has taken it back already
        connection.terminate()


def _check(connection: "asyncpg.Connection[Record] | Connection") -> None:
    version = connection.get_server_version()
    if version.major < SERVER_VERSION_MIN:
        raise DatabaseNotPrepared(f"PostgreSQL {SERVER_VERSION_MIN} or later is needed, this is {version.major}")
    # PostgreSQL reports its time zone when a session begins: looking costs no round trip.
    settings: Any = connection.get_settings()
    if settings.TimeZone not in ("UTC", "Etc/UTC"):
        raise DatabaseNotPrepared(
            f"the session's time zone is {settings.TimeZone}, not UTC: run `yotei migrate` as this role, and when "
            "PgBouncer is in between let it open new connections (RECONNECT)"
        )
