"""Backup and restore: never a half file, and a broken file changes nothing."""

from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from tests.conftest import PostgresFactory
from yotei.storage.backup import BackupError, _without_password, backup, restore
from yotei.storage.change_log import position_now
from yotei.storage.pool import Database


async def names(url: str) -> list[str]:
    connection = await asyncpg.connect(url)
    try:
        return [row["name"] for row in await connection.fetch("select name from users order by name")]
    finally:
        await connection.close()


async def add(url: str, name: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(
        "insert into users (id, email, name) values ($1, $2, $3)", uuid4(), f"{uuid4()}@example.org", name
    )
    await connection.close()


async def test_a_database_comes_back_as_it_was(database_url: str, tmp_path: Path) -> None:
    file = tmp_path / "yotei.backup"
    told: list[str] = []
    await add(database_url, "before")
    async with await Database.connect(database_url) as database:
        epoch_before = (await position_now(database)).epoch

    size_bytes = await backup(database_url, file, told.append)
    await add(database_url, "after")
    await restore(database_url, file, replace=True)

    assert size_bytes == file.stat().st_size > 0
    assert file.stat().st_mode & 0o077 == 0
    assert any("users" in line for line in told)
    assert await names(database_url) == ["before"]
    async with await Database.connect(database_url) as database:
        assert (await position_now(database)).epoch != epoch_before
    connection = await asyncpg.connect(database_url)
    assert [row["entity"] for row in await connection.fetch("select entity from change_log")] == ["bulk"]
    await connection.close()


async def test_it_goes_into_an_empty_database_without_being_told(
    database_url: str, empty_database_url: str, tmp_path: Path
) -> None:
    await add(database_url, "moved")
    await backup(database_url, tmp_path / "b")

    await restore(empty_database_url, tmp_path / "b")

    assert await names(empty_database_url) == ["moved"]


async def test_a_database_that_holds_something_is_not_replaced_by_accident(database_url: str, tmp_path: Path) -> None:
    await backup(database_url, tmp_path / "b")

    with pytest.raises(BackupError, match="is not empty: `--replace` replaces what is there"):
        await restore(database_url, tmp_path / "b")


@pytest.mark.parametrize("kept_share", [0.0, 0.3, 0.9])
async def test_a_file_that_was_cut_off_changes_nothing(database_url: str, tmp_path: Path, kept_share: float) -> None:
    await add(database_url, "here")
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    await backup(database_url, whole)
    cut.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * kept_share)])

    with pytest.raises(BackupError, match="pg_restore failed"):
        await restore(database_url, cut, replace=True)

    assert await names(database_url) == ["here"]


async def test_a_file_that_is_no_backup_or_not_of_yotei_is_refused(
    database_url: str, empty_database_url: str, tmp_path: Path
) -> None:
    text, strange = tmp_path / "text", tmp_path / "strange"
    text.write_text("hello")
    await backup(empty_database_url, strange)

    with pytest.raises(BackupError, match="pg_restore failed"):
        await restore(database_url, text, replace=True)
    with pytest.raises(BackupError, match="is a backup, but not of Yotei"):
        await restore(database_url, strange, replace=True)
    with pytest.raises(BackupError, match="there is no such file"):
        await restore(database_url, tmp_path / "none", replace=True)


async def test_a_backup_that_fails_leaves_the_old_file_and_no_half_one(database_url: str, tmp_path: Path) -> None:
    file = tmp_path / "b"
    file.write_text("the one of yesterday")

    with pytest.raises(BackupError, match="pg_dump failed"):
        await backup(f"{database_url}&port=1", file)

    assert file.read_text() == "the one of yesterday"
    assert [one.name for one in tmp_path.iterdir()] == ["b"]  # noqa: ASYNC240


async def test_a_folder_that_is_not_there_is_one_clear_error(postgres: PostgresFactory, tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="cannot be written: No such file or directory"):
        await backup(postgres.server.url, tmp_path / "none" / "b")


@pytest.mark.parametrize(
    ("url", "on_the_command_line", "password"),
    [
        ("postgresql://db/yotei", "postgresql://db/yotei", None),
        ("postgresql://y:s%3Dt@db/yotei?sslmode=require", "postgresql://y@db/yotei?sslmode=require", "s=t"),
        ("postgresql://y@db/yotei?password=s%3Dt", "postgresql://y@db/yotei", "s=t"),
        ("postgresql:///yotei?host=/run&password=secret&user=y", "postgresql:///yotei?host=/run&user=y", "secret"),
        ("postgresql:///yotei?p%61ssword=secret", "postgresql:///yotei", "secret"),
        ("postgresql://y:first@db/yotei?password=second", "postgresql://y@db/yotei", "first"),
    ],
)
def test_no_password_stands_on_the_command_line(url: str, on_the_command_line: str, password: str | None) -> None:
    clean, environment = _without_password(url)

    assert clean == on_the_command_line
    assert environment == ({} if password is None else {"PGPASSWORD": password})
