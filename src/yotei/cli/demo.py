"""What `make run` shows a newcomer: demo data in an empty database, and a token to look at it with."""

from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

import click
import msgspec

from yotei import seed
from yotei.cli.seed import ProgressBars
from yotei.storage import statements
from yotei.storage.pool import Database
from yotei.users import tokens

DEMO_EVENTS: Final = 20_000
DEMO_SEED: Final = 1
LABEL: Final = "quick start"
TOKEN_HOURS: Final = 24

_SQL: Final = statements.load("yotei.cli")


class Demo(msgspec.Struct, frozen=True):
    """What the first requests need: whose token, which calendar, and tomorrow's date."""

    person: str
    token: str
    calendar_id: UUID
    day: str


async def prepare_demo(database: Database, url: str) -> Demo | None:
    """Fill the database where it is empty. None where it holds other data: nobody real gets a token made for them."""
    row = await database.fetchrow(_SQL["is_empty"])
    assert row is not None
    if row["empty"]:
        plan = seed.SeedPlan(around=datetime.now(UTC).date(), events=DEMO_EVENTS, seed=DEMO_SEED)
        with ProgressBars() as bars:
            made = await seed.load(url, plan, bars.show)
        click.echo(
            f"Made {made.people} people, {made.calendars} calendars, {made.rooms} rooms and {made.events} events "
            f"in {made.elapsed_s:.1f} s."
        )
    found = await database.fetchrow(_SQL["find_demo"], seed.DEMO_EMAIL)
    if found is None:
        click.echo("The database holds no demo data, so there is no token to show (see `yotei token create`).")
        return None
    now = datetime.now(UTC)
    _, secret = await tokens.issue(
        database,
        found["id"],
        name=LABEL,
        scopes=frozenset({"read", "write"}),
        expires_at=now + timedelta(hours=TOKEN_HOURS),
        now=now,
        replace=True,
    )
    return Demo(
        person=f"{found['name']} <{found['email']}>",
        token=secret,
        calendar_id=found["calendar_id"],
        day=f"{now + timedelta(days=1):%Y-%m-%d}",
    )
