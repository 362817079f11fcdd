"""`yotei backup` and `yotei restore`: the whole database in one file."""

import asyncio
from pathlib import Path
from typing import Final

import click

from yotei import settings
from yotei.cli.database import database_url
from yotei.storage import backup

_verbose: Final = click.option(
    "-v", "--verbose", is_flag=True, help="Print what PostgreSQL's program says of its work."
)


@click.command("backup")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@_verbose
@click.pass_obj
def backup_command(config_file: Path | None, file: Path, verbose: bool) -> None:
    """Write the database to FILE; the server may go on serving."""
    with database_url(settings.load(file=config_file)) as url:
        asyncio.run(backup.backup(url, file, progress=click.echo if verbose else None))
    click.echo(f"Wrote {file} ({file.stat().st_size / 1_048_576:.1f} MiB).")


@click.command("restore")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--replace", is_flag=True, help="Replace what is in the database now.")
@_verbose
@click.pass_obj
def restore_command(config_file: Path | None, file: Path, replace: bool, verbose: bool) -> None:
    """Bring the database back from FILE; a file that is broken changes nothing."""
    with database_url(settings.load(file=config_file)) as url:
        asyncio.run(backup.restore(url, file, replace=replace, progress=click.echo if verbose else None))
    click.echo("Restored.")
