"""`yotei plan`: what a GraphQL document costs, known without running it and without a database."""

import json
from pathlib import Path
from typing import Any, NoReturn, TextIO

import click
from graphql import GraphQLError

from yotei import settings
from yotei.api.graphql import schema
from yotei.api.graphql.documents import Documents
from yotei.api.graphql.operations import TOKEN_STATEMENTS, bounds_of, budget_of


@click.command("plan")
@click.argument("document", type=click.File(encoding="utf-8"))
@click.option("--variables", help="JSON object; without it, what depends on them counts as selected.")
@click.option("--operation", help="Its name, where the document holds several.")
@click.pass_obj
def plan_command(config_file: Path | None, document: TextIO, variables: str | None, operation: str | None) -> None:
    """Print how a GraphQL document is executed: its loads, level by level, and its statements."""
    limits = settings.load(file=config_file).limits
    documents = Documents(schema.CORE, tokens_max=limits.graphql_tokens_max, limits=bounds_of(limits))
    prepared = documents.prepare(document.read())
    if prepared.document is None:
        _refuse("; ".join(error.message for error in prepared.refusals))
    try:
        explained = schema.PLANNER.explain(prepared.document, operation, _given(variables))
    except GraphQLError as error:
        _refuse(error.message)
    click.echo(explained.text())
    click.echo(f"with the token {TOKEN_STATEMENTS + explained.statements} statements")
    budget = budget_of(limits)
    if not explained.fits(budget):
        _refuse(f"refused: at most {budget.statements_max} statements that read and {budget.rows_max:,} rows are given")


def _given(variables: str | None) -> dict[str, Any] | None:
    if variables is None:
        return None
    try:
        given = json.loads(variables)
    except ValueError:
        given = None
    if not isinstance(given, dict):
        _refuse("--variables: expected a JSON object")
    return given


def _refuse(detail: str) -> NoReturn:
    raise click.ClickException(detail)
