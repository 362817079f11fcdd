"""`yotei seed`: fill an empty database with made-up data, the same for the same options."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from yotei import seed, settings
from yotei.cli.database import database_url


@click.command("seed")
@click.option("--events", default=20_000, show_default=True, type=click.IntRange(0), help="Rows of events.")
@click.option("--seed", "seed_number", default=1, show_default=True, help="Another number makes other data.")
@click.option("--around", type=click.DateTime(["%Y-%m-%d"]), help="The day that counts as today; by default it is.")
@click.option("--people", type=click.IntRange(1), help="By default as many as suit the events.")
@click.option("--calendars", type=click.IntRange(1), help="By default as many as suit the events.")
@click.option("--rooms", type=click.IntRange(0), help="By default as many as suit the events.")
@click.pass_obj
def seed_command(
    config_file: Path | None,
    events: int,
    seed_number: int,
    around: datetime | None,
    people: int | None,
    calendars: int | None,
    rooms: int | None,
) -> None:
    """Load people, calendars, rooms and events into a database that has no events yet."""
    plan = seed.SeedPlan(
        events=events,
        seed=seed_number,
        around=(around or datetime.now(UTC)).date(),
        people=people,
        calendars=calendars,
        rooms=rooms,
    )
    with database_url(settings.load(file=config_file)) as url, ProgressBars() as bar:
        summary = asyncio.run(seed.load(url, plan, bar.show))
    _print(plan, summary)


class ProgressBars:
    """One line of progress on standard error for each step, from the first that there is."""

    def __init__(self) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=Console(stderr=True),
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> "ProgressBars":
        return self

    def __exit__(self, *_: object) -> None:
        if self._tasks:
            self._progress.stop()

    def show(self, what: str, done: int, total: int) -> None:
        if what not in self._tasks:
            self._progress.start()
            self._tasks[what] = self._progress.add_task(what, total=total)
        self._progress.update(self._tasks[what], completed=done)


def _print(plan: seed.SeedPlan, summary: seed.Summary) -> None:
    table = Table("what", "rows")
    table.columns[1].justify = "right"
    for what in ("people", "calendars", "members", "rooms", "events", "attendees", "reservations"):
        table.add_row(what, f"{getattr(summary, what):,}")
    Console().print(table)
    click.echo(f"seed {plan.seed} around {plan.around}, content hash {summary.content_hash}")
    click.echo(
        f"{summary.elapsed_s:.1f} s: making and loading {summary.copy_s:.1f}, "
        f"keys and checks {summary.checks_s:.1f}, statistics {summary.analyze_s:.1f}"
    )
    click.echo(f"administrator {seed.ADMIN_EMAIL}, somebody with a busy agenda {seed.DEMO_EMAIL}")
