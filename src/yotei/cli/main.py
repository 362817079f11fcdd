"""`yotei`: the group of all verbs. A failure that a person can mend is one line on standard error and exit code 1."""

import signal
import sys
from pathlib import Path
from typing import Any, NoReturn

import asyncpg
import click

from yotei import __version__
from yotei.cli.backup import backup_command, restore_command
from yotei.cli.config import config_command
from yotei.cli.ics import export_command, import_command
from yotei.cli.migrate import migrate_command
from yotei.cli.plan import plan_command
from yotei.cli.run import run_command
from yotei.cli.seed import seed_command
from yotei.cli.token import token_group
from yotei.cli.user import user_group
from yotei.errors import Problem
from yotei.seed import SeedError
from yotei.settings import SettingsError
from yotei.storage.backup import BackupError
from yotei.storage.embedded import EmbeddedServerError
from yotei.storage.migrate import MigrationError
from yotei.storage.pool import DatabaseNotPrepared


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="yotei")
@click.option("--config", "config_file", type=click.Path(path_type=Path), help="TOML file with settings.")
@click.pass_context
def group(context: click.Context, config_file: Path | None) -> None:
    """Yotei: a calendar backend that stays fast."""
    context.obj = config_file


for command in (
    run_command,
    config_command,
    migrate_command,
    user_group,
    token_group,
    import_command,
    export_command,
    seed_command,
    plan_command,
    backup_command,
    restore_command,
):
    group.add_command(command)


def main(arguments: list[str] | None = None) -> Any:
    """Run a verb; what a person can mend is told in one line."""
    # As Ctrl-C does it: what was started for this verb is stopped on the way out.
    signal.signal(signal.SIGTERM, _leave)
    try:
        return group.main(arguments, prog_name="yotei", standalone_mode=True)
    except (SettingsError, EmbeddedServerError, MigrationError, BackupError, DatabaseNotPrepared, SeedError) as error:
        message = str(error)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        message = next(iter(str(error).splitlines()), type(error).__name__)
    except Problem as problem:
        message = problem.detail.removeprefix("body.")  # there is none: its fields are arguments here
    click.echo(f"yotei: {message}", err=True)
    sys.exit(1)


def _leave(number: int, _frame: object) -> NoReturn:
    sys.exit(128 + number)
