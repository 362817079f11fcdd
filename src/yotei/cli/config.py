"""`yotei config`: what is in force, and where each setting comes from; secrets are masked."""

from pathlib import Path
from typing import Any

import click
from rich.table import Table

from yotei import settings
from yotei.cli.table import print_table


@click.command("config")
@click.option("--all", "show_all", is_flag=True, help="With the description of each setting and its variable.")
@click.pass_obj
def config_command(config_file: Path | None, show_all: bool) -> None:
    """Print the settings in force."""
    tree = settings.masked(settings.load(file=config_file))
    if not show_all:
        for section, values in tree.items():
            click.echo(f"[{section}]")
            for key, value in values.items():
                click.echo(f"# {key} is not set" if value is None else f"{key} = {_toml(value)}")
            click.echo()
        return
    table = Table("setting", "in force", "variable", "what it is", show_lines=False)
    for leaf in settings.leaves():
        table.add_row(leaf.path, _toml(tree[leaf.section][leaf.key]), leaf.variable, leaf.description)
    print_table(table, has_prose=True)


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return f'"{value}"' if isinstance(value, str) else "" if value is None else str(value)
