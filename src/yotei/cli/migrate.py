"""`yotei migrate`: bring the database to this release, or say what that would do."""

import asyncio
from pathlib import Path

import click
from rich.table import Table

from yotei import settings
from yotei.cli.database import database_url
from yotei.cli.table import print_table
from yotei.settings import Settings
from yotei.storage import migrate


@click.command("migrate")
@click.option("--status", "show_status", is_flag=True, help="List the migrations and when each was applied.")
@click.option("--plan", "show_plan", is_flag=True, help="List what would be applied; change nothing.")
@click.pass_obj
def migrate_command(config_file: Path | None, show_status: bool, show_plan: bool) -> None:
    """Apply the migrations that the database does not have yet."""
    config = settings.load(file=config_file)
    with database_url(config) as url:
        if show_status:
            _print_status(asyncio.run(migrate.status(url)))
        elif show_plan:
            _print_plan(asyncio.run(migrate.plan(url)))
        else:
            if not asyncio.run(apply(config, url)):
                click.echo("Nothing to apply.")


async def apply(config: Settings, url: str) -> tuple[migrate.Migration, ...]:
    """Apply what is pending and say so; what `yotei run` does before it serves."""

    def progress(step: migrate.Migration, elapsed_ms: float | None) -> None:
        if elapsed_ms is not None:
            click.echo(f"Migrated {step.file_name} in {elapsed_ms:.0f} ms.")

    return await migrate.apply(
        url,
        progress,
        statement_timeout_ms=config.database.statement_timeout_ms,
        idle_in_transaction_timeout_ms=config.database.idle_in_transaction_timeout_ms,
    )


def _print_status(status: migrate.Status) -> None:
    table = Table("version", "name", "applied at", "ms")
    for step in status.applied:
        table.add_row(f"{step.version:04}", step.name, f"{step.applied_at:%Y-%m-%d %H:%M:%S}Z", str(step.elapsed_ms))
    for pending in status.pending:
        table.add_row(f"{pending.version:04}", pending.name, "not yet", "")
    print_table(table)


def _print_plan(pending: tuple[migrate.Migration, ...]) -> None:
    for step in pending:
        click.echo(f"{step.file_name}{'' if step.in_transaction else ' (not in a transaction)'}")
    if not pending:
        click.echo("Nothing to apply.")
