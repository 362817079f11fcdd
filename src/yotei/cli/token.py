"""`yotei token`: make, list and end tokens from the machine that runs the database."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import click
from rich.table import Table

from yotei.cli.database import with_database
from yotei.cli.table import print_table
from yotei.cli.user import find
from yotei.errors import not_found
from yotei.storage.pool import Database, Source
from yotei.users import rows, tokens


@click.group("token")
def token_group() -> None:
    """Make, list and end tokens."""


@token_group.command("create")
@click.argument("email")
@click.option("--name", default="command line", show_default=True, help="What it is for.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(sorted(tokens.SCOPES)),
    default=("read", "write"),
    show_default=True,
    help="What it may be used for; repeat for several.",
)
@click.option("--service", is_flag=True, help="It may act on behalf of anybody: for a product that embeds Yotei.")
@click.option("--days", type=click.IntRange(1, tokens.LIFE_DAYS_MAX), help="It ends after so many days.")
@click.pass_obj
def create_command(
    config_file: Path | None, email: str, name: str, scopes: tuple[str, ...], service: bool, days: int | None
) -> None:
    """Make a token for the person with EMAIL and print it, once."""
    now = datetime.now(UTC)

    async def work(database: Database) -> str:
        _, secret = await tokens.issue(
            database,
            await find(database, email),
            name=name,
            scopes=frozenset(scopes),
            kind="SERVICE" if service else "USER",
            expires_at=now + timedelta(days=days) if days else None,
            now=now,
        )
        return secret

    click.echo(with_database(config_file, work))


@token_group.command("list")
@click.argument("email")
@click.pass_obj
def list_command(config_file: Path | None, email: str) -> None:
    """List the tokens of the person with EMAIL."""

    async def work(database: Database) -> list[tokens.Token]:
        return await rows.list_tokens(database, await find(database, email), tokens.LISTED_MAX)

    table = Table("id", "name", "kind", "scopes", "made", "ends", "revoked", box=None, pad_edge=False)
    for one in with_database(config_file, work):
        moments = (f"{at:%Y-%m-%d %H:%M}Z" if at else "" for at in (one.created_at, one.expires_at, one.revoked_at))
        table.add_row(str(one.id), one.name, one.kind, " ".join(one.scopes), *moments)
    print_table(table)


@token_group.command("revoke")
@click.argument("token_id", type=click.UUID)
@click.pass_obj
def revoke_command(config_file: Path | None, token_id: UUID) -> None:
    """End a token, by its id."""

    async def work(database: Database) -> None:
        async def revoke(tx: Source) -> bool:
            return await rows.revoke_token(tx, token_id, None)

        if not await database.run(revoke):
            raise not_found("token")

    with_database(config_file, work)
    click.echo("Revoked.")
