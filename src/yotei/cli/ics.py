"""`yotei import` and `yotei export`: iCalendar files into a calendar, and a calendar as a file."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import asyncpg
import click
from rich.console import Console
from rich.progress import track
from rich.table import Table

from yotei.cli.database import with_database
from yotei.cli.table import print_table
from yotei.errors import Problem, not_found
from yotei.events import ics
from yotei.events.ics import ImportReport, NothingKept, Target
from yotei.ical import Finding, NotICalendar
from yotei.storage.pool import Database
from yotei.users import rows as users

FINDINGS_SHOWN_MAX = 20
"""Skipped components listed for each file; the table has their number."""


@click.command("import")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--calendar", help="Its id, or a name: the owner's calendar of that name, made when there is none.")
@click.option("--owner", required=True, help="E-mail address of the person whose events these are.")
@click.pass_obj
def import_command(config_file: Path | None, paths: tuple[Path, ...], calendar: str | None, owner: str) -> None:
    """Bring iCalendar files, or folders of them, into a calendar; without --calendar each file makes one of its own.

    Importing a file again changes nothing. A file that cannot be read, or in which everything is skipped, changes
    nothing, and makes the exit code 1.
    """
    files = _files(paths)

    async def work(database: Database) -> bool:
        person = await users.find_user(database, owner.strip().lower())
        if person is None:
            raise not_found("user")
        calendar_id = _uuid(calendar)
        target = Target(owner=person, calendar_id=calendar_id, name=None if calendar_id else calendar)
        return await _import_all(database, target, files)

    if not with_database(config_file, work):
        sys.exit(1)


@click.command("export")
@click.option("--calendar", "calendar_id", required=True, type=click.UUID, help="Its id.")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Instead of standard output.")
@click.pass_obj
def export_command(config_file: Path | None, calendar_id: UUID, output: Path | None) -> None:
    """Write a calendar as one iCalendar file."""

    async def work(database: Database) -> bytes:
        return await ics.export_calendar(database, calendar_id, now=datetime.now(UTC))

    text = with_database(config_file, work)
    if output is None:
        click.echo(text, nl=False)
    else:
        output.write_bytes(text)


async def _import_all(database: Database, target: Target, files: Sequence[Path]) -> bool:
    """Whether every file went in. Each is a transaction of its own, so one that fails leaves the others alone."""
    reports: list[tuple[Path, ImportReport]] = []
    failures: list[tuple[Path, str, tuple[Finding, ...]]] = []
    for file in track(files, "Importing", console=Console(stderr=True)):
        try:
            reports.append(
                (
                    file,
                    await ics.import_calendar(
                        database, target, file.read_bytes(), file_name=file.stem, now=datetime.now(UTC)
                    ),
                )
            )
        except NotICalendar as error:
            failures.append((file, str(error), ()))
        except NothingKept as error:
            failures.append((file, str(error), error.skipped))
        except OSError as error:
            failures.append((file, error.strerror or str(error), ()))
        except Problem as problem:
            failures.append((file, problem.detail, ()))
        except asyncpg.PostgresError as error:
            failures.append((file, str(error).partition("\n")[0], ()))
    if reports:
        _print(reports)
    for file, reason, skipped in failures:
        click.echo(f"{file}: not imported: {reason}", err=True)
        _print_skipped(file, skipped, err=True)
    return not failures


def _print(reports: Sequence[tuple[Path, ImportReport]]) -> None:
    numbers = ("events", "series", "overrides", "added", "updated", "unchanged")
    table = Table("file", *numbers, "skipped", "mended", box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for file, report in reports:
        counts = (*(getattr(report, one) for one in numbers), len(report.skipped), len(report.repaired))
        table.add_row(file.name, *map(str, counts))
    print_table(table)
    for file, report in reports:
        click.echo(f"{file.name} -> calendar {report.calendar_id}")
    for file, report in reports:
        _print_skipped(file, report.skipped)


def _print_skipped(file: Path, skipped: Sequence[Finding], *, err: bool = False) -> None:
    for finding in skipped[:FINDINGS_SHOWN_MAX]:
        uid = f" ({finding.uid})" if finding.uid else ""
        click.echo(f"{file.name}:{finding.line}: skipped: {finding.reason}{uid}", err=err)
    if len(skipped) > FINDINGS_SHOWN_MAX:
        click.echo(f"{file.name}: and {len(skipped) - FINDINGS_SHOWN_MAX} more", err=err)


def _files(paths: Sequence[Path]) -> list[Path]:
    """Folders stand for the `.ics` files in them, in the order of their names."""
    found: list[Path] = []
    for path in paths:
        found += sorted(path.glob("*.ics")) if path.is_dir() else [path]
    return list(dict.fromkeys(found))


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None
