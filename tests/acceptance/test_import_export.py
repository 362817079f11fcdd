"""`yotei import`, `yotei export` and `yotei seed` as a person runs them: real processes, exit codes, output."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

from yotei.calendars.write import install_user
from yotei.storage.pool import Database
from yotei.storage.statements import Statement
from yotei.users.user import NewUser

GOOD = """BEGIN:VCALENDAR
VERSION:2.0
BEGIN:VEVENT
UID:stand-up
DTSTART;TZID=Asia/Tokyo:20261201T093000
DTEND;TZID=Asia/Tokyo:20261201T094500
RRULE:FREQ=WEEKLY;BYDAY=TU
SUMMARY:朝会
END:VEVENT
BEGIN:VEVENT
UID:no start
SUMMARY:Never
END:VEVENT
END:VCALENDAR
"""


async def yotei(database_url: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    def run() -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "yotei", *arguments],
            env={**os.environ, "YOTEI_DATABASE_URL": database_url},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return await asyncio.to_thread(run)


async def count(database: Database, table: str) -> int:
    row = await database.fetchrow(
        Statement(name="tests.count", purpose="how many", sql=f"select count(*) as n from {table}")  # noqa: S608
    )
    assert row is not None
    found: int = row["n"]
    return found


async def test_a_broken_file_is_named_and_makes_exit_code_1_while_the_others_go_in(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    await install_user(database, NewUser(email="owner@example.org", name="Owner"))
    good, broken = tmp_path / "good.ics", tmp_path / "broken.ics"
    good.write_text(GOOD)
    broken.write_text("<html>")

    done = await yotei(
        database_url, "import", str(broken), str(good), "--calendar", "Team", "--owner", "owner@example.org"
    )

    assert done.returncode == 1, done.stderr
    assert "broken.ics: not imported: line 1" in done.stderr
    assert "good.ics:10: skipped: VEVENT without DTSTART (no start)" in done.stdout
    assert await count(database, "events") == 1


async def test_a_file_in_which_everything_is_skipped_makes_no_calendar_and_exit_code_1(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    await install_user(database, NewUser(email="owner@example.org", name="Owner"))
    before = await count(database, "calendars")
    good, useless = tmp_path / "good.ics", tmp_path / "useless.ics"
    good.write_text(GOOD)
    useless.write_text("BEGIN:VCALENDAR\nVERSION:2.0\nBEGIN:VEVENT\nUID:no start\nEND:VEVENT\nEND:VCALENDAR\n")

    done = await yotei(database_url, "import", str(useless), str(good), "--owner", "owner@example.org")

    assert done.returncode == 1, done.stderr
    assert "useless.ics: not imported: everything in it was skipped" in done.stderr
    assert "useless.ics:3: skipped: VEVENT without DTSTART (no start)" in done.stderr
    assert "useless.ics" not in done.stdout
    assert "good.ics -> calendar " in done.stdout
    assert await count(database, "calendars") == before + 1


async def test_an_exported_calendar_is_imported_again_without_a_change(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    await install_user(database, NewUser(email="owner@example.org", name="Owner"))
    good, out = tmp_path / "good.ics", tmp_path / "out.ics"
    good.write_text(GOOD)

    first = await yotei(database_url, "import", str(good), "--calendar", "Team", "--owner", "owner@example.org")
    calendar_id = first.stdout.split("calendar ")[-1].split()[0]
    exported = await yotei(database_url, "export", "--calendar", calendar_id, "-o", str(out))
    again = await yotei(database_url, "import", str(out), "--calendar", calendar_id, "--owner", "owner@example.org")

    assert (first.returncode, exported.returncode, again.returncode) == (0, 0, 0), again.stderr
    assert "RRULE:FREQ=WEEKLY;BYDAY=TU" in out.read_text()
    row = next(line for line in again.stdout.splitlines() if "out.ics" in line)
    assert [int(cell) for cell in row.split()[1:]] == [0, 1, 0, 0, 0, 1, 0, 0]


async def test_somebody_who_is_not_there_cannot_own_an_import(database_url: str, tmp_path: Path) -> None:
    good = tmp_path / "good.ics"
    good.write_text(GOOD)

    done = await yotei(database_url, "import", str(good), "--owner", "nobody@example.org")

    assert done.returncode == 1
    assert done.stderr.startswith("yotei: There is no such user")


async def test_seed_prints_the_same_hash_for_the_same_plan_and_refuses_a_second_time(
    database: Database, database_url: str, empty_database_url: str
) -> None:
    options = ("--events", "500", "--seed", "4", "--around", "2026-11-24")

    first = await yotei(database_url, "seed", *options)
    second = await yotei(database_url, "seed", *options)
    migrated = await yotei(empty_database_url, "migrate")
    elsewhere = await yotei(empty_database_url, "seed", *options)

    assert (first.returncode, migrated.returncode, elsewhere.returncode) == (0, 0, 0), elsewhere.stderr
    hashes = [line for line in first.stdout.splitlines() if "content hash" in line]
    assert len(hashes) == 1
    assert hashes == [line for line in elsewhere.stdout.splitlines() if "content hash" in line]
    assert second.returncode == 1
    assert "holds events already" in second.stderr
    assert await count(database, "events") == 500
