"""What `make run` shows a newcomer: demo data in an empty database, and a token to look at it with."""

from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

import click
import msgspec
from rich.progress import Progress, TaskID

from yotei import seed
from yotei.storage.pool import Database
from yotei.storage.statements import Statement
from yotei.users import tokens

DEMO_EVENTS: Final = 20_000
DEMO_SEED: Final = 1
TOKEN_NAME: Final = "quick start"
TOKEN_HOURS: Final = 24

_FIND: Final = Statement(
    name="cli.find_demo",
    purpose="A person with a busy calendar: the member of the calendar with the most events around now, by their role.",
    sql="""
select u.id, u.name, u.email, m.calendar_id
from calendar_members m
join users u on u.id = m.user_id and u.deactivated_at is null
join calendars c on c.id = m.calendar_id and c.deleted_at is null
cross join lateral (
  select count(*) as n from events e
  where e.calendar_id = c.id and e.deleted_at is null and e.span_end > now() - interval '15 days' and e.start_time < now() + interval '15 days'
) busy
where m.role in ('OWNER', 'WRITER') and not u.is_admin
order by busy.n desc, m.calendar_id, m.role, u.id
limit 1""",
)
_EMPTY: Final = Statement(
    name="cli.is_empty",
    purpose="Whether there is anybody or anything in the database yet.",
    sql="select not exists (select from users) and not exists (select from events) as empty",
)


class Demo(msgspec.Struct, frozen=True):
    """What the first requests need: whose token, which calendar, and tomorrow's date."""

    person: str
    token: str
    calendar_id: UUID
    day: str


async def prepare_demo(database: Database, url: str) -> Demo | None:
    """Fill the database where it is empty; None when it holds nothing to show."""
    row = await database.fetchrow(_EMPTY)
    assert row is not None
    if row["empty"]:
        with Progress(transient=True) as bars:
            tasks: dict[str, TaskID] = {}

            def show(what: str, done: int, total: int) -> None:
                if what not in tasks:
                    tasks[what] = bars.add_task(f"Demo data: {what}", total=total)
                bars.update(tasks[what], completed=done)

            made = await seed.load(
                url, seed.SeedPlan(around=datetime.now(UTC).date(), events=DEMO_EVENTS, seed=DEMO_SEED), show
            )
        click.echo(
            f"Made {made.people} people, {made.calendars} calendars, {made.rooms} rooms and {made.events} events "
            f"in {made.elapsed_s:.1f} s."
        )
    found = await database.fetchrow(_FIND)
    if found is None:
        return None
    now = datetime.now(UTC)
    _, secret = await tokens.issue(
        database,
        found["id"],
        name=TOKEN_NAME,
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
