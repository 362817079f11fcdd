"""`yotei user`: the people of this installation; how the first administrator comes to be."""

from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import click
from rich.table import Table

from yotei.calendars import write as calendars
from yotei.cli.database import with_database
from yotei.cli.table import print_table
from yotei.errors import not_found
from yotei.storage.pool import Database
from yotei.users import read, rows, tokens
from yotei.users.user import NewUser

LISTED_MAX = 10_000


@click.group("user")
def user_group() -> None:
    """Add and list people."""


@user_group.command("add")
@click.argument("email")
@click.argument("name")
@click.option("--tz", "tzid", default="UTC", show_default=True, help="Time zone of the person.")
@click.option("--admin", is_flag=True, help="Make them an administrator, and print a token for them.")
@click.pass_obj
def add_command(config_file: Path | None, email: str, name: str, tzid: str, admin: bool) -> None:
    """Add a person, who gets a personal calendar."""

    async def work(database: Database) -> tuple[UUID, str | None]:
        user_id = await calendars.install_user(database, NewUser(email, name, tzid, is_admin=admin))
        if not admin:
            return user_id, None
        _, secret = await tokens.issue(
            database, user_id, name="made with the account", scopes=tokens.SCOPES, now=datetime.now(UTC)
        )
        return user_id, secret

    user_id, secret = with_database(config_file, work)
    click.echo(f"Added {email} ({user_id}).")
    if secret is not None:
        click.echo(f"Token, shown once: {secret}")


@user_group.command("list")
@click.pass_obj
def list_command(config_file: Path | None) -> None:
    """List everybody."""
    people = with_database(config_file, lambda database: rows.list_users(database, None, LISTED_MAX))
    table = Table("id", "e-mail", "name", "zone", "administrator", "active", box=None, pad_edge=False)
    for one in people:
        table.add_row(
            str(one.id),
            one.email or "",
            one.name,
            one.tzid,
            "yes" if one.is_admin else "",
            "yes" if one.is_active else "no",
        )
    print_table(table)


async def find(database: Database, email: str) -> UUID:
    """The person of an address; Problem `not_found`."""
    person = await read.find_by_email(database, email)
    if person is None:
        raise not_found("user")
    return person.id
