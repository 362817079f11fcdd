"""`yotei migrate`: bring the database to this release, or say what that would do."""

import asyncio
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from yotei import settings
from yotei.cli.database import database_url
from yotei.storage import migrate


@click.command("migrate")
@click.option("--status", "show_status", is_flag=True, help="List the migrations and when each was applied.")
@click.option("--plan", "show_plan", is_flag=True, help="List what would be applied; change nothing.")
@click.pass_obj
def migrate_command(config_file: Path | None, show_status: bool, show_plan: bool) -> None:
    """Apply the migrations that the database does not have yet."""
    config = settings.load(file=config_file)
    with database_url(config) as url:
        if show_status or show_plan:
            status = asyncio.run(migrate.status_at(url))
            if show_status:
                table = Table("version", "name", "applied at", "ms")
                for step in status.applied:
                    table.add_row(f"{step.version:04}", step.name, f"{step.applied_at:%Y-%m-%d %H:%M:%S}Z", f"{step.elapsed_ms:.0f}")
                for pending in status.pending:
                    table.add_row(f"{pending.version:04}", pending.name, "not yet", "")
                Console().print(table)
                return
            for pending in status.pending:
                click.echo(f"{pending.version:04} {pending.name}{'' if pending.transactional else ' (not in a transaction)'}")
            if not status.pending:
                click.echo("Nothing to apply.")
            return
        asyncio.run(migrate.apply(url, config.database, progress=click.echo))
