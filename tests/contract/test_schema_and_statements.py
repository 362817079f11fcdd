"""Contracts between the code and the schema: statements, constraints, the written-down schema."""

import importlib
import pkgutil
from collections.abc import AsyncIterator, Iterator
from importlib import resources

import asyncpg
import pytest

import yotei
from tests.conftest import PostgresFactory
from yotei.storage import migrate, statements
from yotei.storage.constraints import VIOLATIONS
from yotei.storage.schema import SCHEMA_FILE, dump_schema
from yotei.storage.statements import Statement


def packages() -> Iterator[str]:
    yield "yotei"
    for module in pkgutil.walk_packages(yotei.__path__, "yotei."):
        if module.ispkg:
            yield module.name


def every_statement() -> list[Statement]:
    found: list[Statement] = []
    for package in packages():
        importlib.import_module(package)
        if resources.files(package).joinpath(statements.FILE_NAME).is_file():
            found += statements.load(package).values()
    return found


@pytest.fixture
async def migrated(every_postgres: PostgresFactory) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    url = await every_postgres.migrated()
    connection = await asyncpg.connect(url)
    yield connection
    await connection.close()
    await every_postgres.drop(url)


async def test_every_statement_prepares_on_the_migrated_schema(
    migrated: "asyncpg.Connection[asyncpg.Record]",
) -> None:
    broken = {}
    for statement in every_statement():
        try:
            await migrated.prepare(statement.sql)
        except asyncpg.PostgresError as error:
            broken[statement.name] = str(error)

    assert broken == {}


def test_names_of_statements_are_unique_in_the_whole_program() -> None:
    names = [statement.name for statement in every_statement()]

    assert len(names) == len(set(names)) > 0


async def test_every_constraint_is_in_the_table_of_violations_and_none_besides(
    migrated: "asyncpg.Connection[asyncpg.Record]",
) -> None:
    # Not null (contype n, named since 18) is a fault of the program; partitions repeat their parent's.
    rows = await migrated.fetch(
        """select conname as name from pg_constraint c join pg_namespace n on n.oid = c.connamespace
           where n.nspname = 'public' and c.contype <> 'n' and c.conrelid <> 0
             and not exists (select from pg_inherits i where i.inhrelid = c.conrelid)
           union
           select i.indexrelid::regclass::text from pg_index i join pg_class c on c.oid = i.indexrelid
           join pg_namespace n on n.oid = c.relnamespace
           where n.nspname = 'public' and i.indisunique"""
    )

    assert {row["name"] for row in rows} == set(VIOLATIONS)


async def test_no_constraint_of_a_check_or_key_was_named_by_postgresql(
    migrated: "asyncpg.Connection[asyncpg.Record]",
) -> None:
    unnamed = await migrated.fetch("select conname from pg_constraint where conname ~ '_(check|fkey|excl)[0-9]+$'")

    assert unnamed == []


async def test_the_written_down_schema_is_what_the_migrations_make(postgres: PostgresFactory) -> None:
    url = await postgres.migrated()

    made = dump_schema(url)

    await postgres.drop(url)
    assert made == SCHEMA_FILE.read_text("utf-8"), "run: python -m yotei.storage.schema <url>"


def test_the_steps_are_numbered_without_a_gap() -> None:
    assert [step.version for step in migrate.load()] == list(range(1, len(migrate.load()) + 1))
