"""Backup to one file and back, by `pg_dump` and `pg_restore` of the wheel.

A backup appears under its name when it is complete, never half. A restore goes into a database beside the one in use
and takes its name at the end, so that a broken file changes nothing. The change log is not restored: its transaction
ids belong to the server that wrote them; it begins with one row for all that was loaded. The new database has another
epoch (`change_log.Position.epoch`), so every position and every cached value of before is void, as it must be.
"""

import asyncio
import os
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final
from urllib.parse import unquote, unquote_plus, urlsplit

import asyncpg
from asyncpg import Record

from yotei.storage import migrate
from yotei.storage.embedded import programs

MAINTENANCE_DATABASE: Final = "postgres"
RESTORING: Final = "yotei_restoring"
REPLACED: Final = "yotei_replaced"

Progress = Callable[[str], None]
"""Called with each line that the program says about its work."""


class BackupError(Exception):
    """The backup or restore was not done, and nothing was changed; the message is one line."""


async def backup(url: str, file: Path, progress: Progress | None = None) -> int:
    """Write the database to `file`, replacing it when complete; returns its size in bytes."""
    partial = file.with_name(f".{file.name}.{os.getpid()}.partial")
    try:
        await asyncio.to_thread(_touch_private, partial)
        await _run("pg_dump", url, ["--format=custom", "--no-owner", "--no-privileges", f"--file={partial}"], progress)
        await asyncio.to_thread(_publish, partial, file)
    except OSError as error:
        raise BackupError(f"{file}: cannot be written: {error.strerror}") from None
    finally:
        await asyncio.to_thread(partial.unlink, missing_ok=True)
    return (await asyncio.to_thread(file.stat)).st_size


async def restore(url: str, file: Path, progress: Progress | None = None, *, replace: bool = False) -> None:
    """Put the database of `url` back as `file` has it; one that holds tables only when told to `replace` it.

    The role needs the right to create databases. Sessions of the database are ended when it is exchanged.
    """
    if not await asyncio.to_thread(file.is_file):
        raise BackupError(f"{file}: there is no such file")
    name = _database(url)
    async with _connection(url) as current:
        tables = await current.fetchval("select count(*) from pg_tables where schemaname = 'public'")
        settings = await current.fetch(_ROLE_SETTINGS)
    if tables and not replace:
        raise BackupError(f"the database {name} is not empty: `--replace` replaces what is there")
    async with _connection(_at(url, MAINTENANCE_DATABASE)) as admin:
        await _ddl(admin, "drop database if exists %I with (force)", RESTORING)
        await _ddl(admin, "create database %I template template0", RESTORING)
        try:
            fresh = _at(url, RESTORING)
            await _run(
                "pg_restore", fresh, ["--exit-on-error", "--single-transaction", "--no-owner", str(file)], progress
            )
            await _check(fresh, file)
            for row in settings:
                await _ddl(admin, "alter role current_user in database %I set %I = %L", RESTORING, *row)
            if await admin.fetchval("select 1 from pg_database where datname = $1", REPLACED):
                raise BackupError(
                    f"the database {REPLACED} of an interrupted restore is in the way: look, then drop it"
                )
            await _exchange(admin, name)
        finally:
            await _ddl(admin, "drop database if exists %I with (force)", RESTORING)
        await _ddl(admin, "drop database if exists %I with (force)", REPLACED)


_ROLE_SETTINGS: Final = """
select split_part(line, '=', 1), substr(line, position('=' in line) + 1)
from pg_db_role_setting s join pg_roles r on r.oid = s.setrole join pg_database d on d.oid = s.setdatabase,
     unnest(s.setconfig) line
where r.rolname = current_user and d.datname = current_database()"""


_LOG_LOAD: Final = """
insert into change_log (scope_kind, scope_id, entity, entity_id, op)
select 'system', id, 'bulk', id, 'load' from (select '00000000-0000-0000-0000-000000000000'::uuid as id) s"""


async def _check(url: str, file: Path) -> None:
    """A Yotei of this version or an older one; and begin its change log anew."""
    try:
        status = await migrate.status(url)
    except migrate.MigrationError as error:
        raise BackupError(f"{file}: {error}") from None
    if not status.applied:
        raise BackupError(f"{file}: is a backup, but not of Yotei")
    async with _connection(url) as fresh:
        if await fresh.fetchval("select to_regclass('change_log')") is not None:
            await fresh.execute("truncate change_log, change_log_forgotten")
            await fresh.execute(_LOG_LOAD)


async def _exchange(admin: "asyncpg.Connection[Record]", name: str) -> None:
    """In one transaction, with the sessions ended first: a rename needs the database unused."""
    for attempt in range(_EXCHANGE_ATTEMPTS_MAX):
        await admin.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = any ($1)",
            [name, RESTORING],
        )
        try:
            async with admin.transaction():
                await _ddl(admin, "alter database %I rename to %I", name, REPLACED)
                await _ddl(admin, "alter database %I rename to %I", RESTORING, name)
            return
        except asyncpg.ObjectInUseError:
            if attempt + 1 == _EXCHANGE_ATTEMPTS_MAX:
                raise BackupError(f"the database {name} is in use: stop every yotei on it first") from None


# Each attempt waits five seconds in PostgreSQL for the others to leave.
_EXCHANGE_ATTEMPTS_MAX: Final = 3


async def _run(program: str, url: str, arguments: list[str], progress: Progress | None) -> None:
    clean, environment = _without_password(url)
    process = await asyncio.create_subprocess_exec(
        str(programs() / program),
        "--verbose",
        f"--dbname={clean}",
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **environment, "LC_ALL": "C"},
    )
    assert process.stderr is not None
    failure = ""
    try:
        async for raw in process.stderr:
            line = raw.decode("utf-8", "replace").strip().removeprefix(f"{program}: ")
            if line.startswith("error:"):
                failure = failure or line.removeprefix("error:").strip()
            elif progress is not None:
                progress(line)
        code = await process.wait()
    except BaseException:
        process.kill()
        await process.wait()
        raise
    if code != 0:
        raise BackupError(f"{program} failed: {failure or f'exit code {code}'}")


@asynccontextmanager
async def _connection(url: str) -> AsyncGenerator["asyncpg.Connection[Record]"]:
    try:
        connection = await asyncpg.connect(url)
    except (OSError, asyncpg.PostgresError) as error:
        raise BackupError(f"the database cannot be reached: {error}") from None
    try:
        yield connection
    finally:
        await connection.close()


async def _ddl(connection: "asyncpg.Connection[Record]", form: str, *names: str) -> None:
    await connection.execute(await connection.fetchval("select format($1, variadic $2::text[])", form, list(names)))


def _database(url: str) -> str:
    return unquote(urlsplit(url).path.lstrip("/"))


def _at(url: str, database: str) -> str:
    parts = urlsplit(url)
    # urlunsplit would drop the empty authority of a socket address.
    return f"{parts.scheme}://{parts.netloc}/{database}" + (f"?{parts.query}" if parts.query else "")


def _without_password(url: str) -> tuple[str, dict[str, str]]:
    """The command line can be read by others of the machine, the environment cannot.

    A password may stand before the host and in the query; read as asyncpg does, for which the first goes before.
    """
    parts = urlsplit(url)
    options = [one.partition("=") for one in parts.query.split("&") if one]
    passwords = [unquote_plus(value) for name, _, value in options if unquote_plus(name) == "password"]
    kept = "&".join("".join(one) for one in options if unquote_plus(one[0]) != "password")
    user, at, host = parts.netloc.rpartition("@")
    clean = f"{parts.scheme}://{user.partition(':')[0]}{at}{host}{parts.path}" + (f"?{kept}" if kept else "")
    found = [unquote(parts.password)] if parts.password else passwords
    return clean, {"PGPASSWORD": found[-1]} if found else {}


def _touch_private(partial: Path) -> None:
    """Before `pg_dump` opens it: a backup holds everybody's addresses."""
    os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


def _publish(partial: Path, file: Path) -> None:
    with partial.open("rb") as written:
        os.fsync(written.fileno())
    partial.replace(file)
