"""Tables of which nothing is cut: an id or an address that ends in `…` is of no use, in a pipe least of all."""

from typing import Final

from rich.console import Console
from rich.table import Table

WIDTH_MAX: Final = 10_000
"""More than any table has; a terminal folds longer lines itself."""


def print_table(table: Table, *, has_prose: bool = False) -> None:
    """On standard output; with prose in it, it is laid out for the terminal, where there is one."""
    for column in table.columns:
        column.overflow = "fold"
    is_laid_out = has_prose and Console().is_terminal
    Console(width=None if is_laid_out else WIDTH_MAX).print(table)
