"""The first look at Yotei: demo data in an empty database, and a token of the person made up for it."""

import pytest

from tests.integration.rows import a_calendar, a_user
from yotei import seed
from yotei.cli import demo
from yotei.storage.pool import Database
from yotei.storage.statements import Statement

TOKENS = Statement(
    name="tests.tokens", purpose="how many work", sql="select count(*) as n from tokens where revoked_at is null"
)


async def tokens(database: Database) -> int:
    row = await database.fetchrow(TOKENS)
    assert row is not None
    found: int = row["n"]
    return found


async def test_a_database_of_real_people_gets_no_token_and_is_told_in_one_line(
    database: Database, database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    aiko = await a_user(database)
    await a_calendar(database, {aiko: "OWNER"})

    shown = await demo.prepare_demo(database, database_url)

    assert shown is None
    assert await tokens(database) == 0
    assert capsys.readouterr().out.splitlines() == [
        "The database holds no demo data, so there is no token to show (see `yotei token create`)."
    ]


async def test_the_token_is_of_the_person_of_the_demo_data_whoever_else_is_there(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "DEMO_EVENTS", 500)
    await demo.prepare_demo(database, database_url)
    await a_calendar(database, {await a_user(database, "Real"): "OWNER"})

    shown = await demo.prepare_demo(database, database_url)

    assert shown is not None
    assert seed.DEMO_EMAIL in shown.person
    assert await tokens(database) == 1
