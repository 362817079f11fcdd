"""What a client is told that it has seen after a write: enough for any other node to wait for it."""

from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from tests.conftest import PostgresFactory
from tests.integration.rest.served import CACHED, Caller, admitted, serve, settings
from tests.integration.rows import a_calendar, a_user
from yotei.cache.token import Token
from yotei.storage.change_log import Snapshot
from yotei.storage.pool import Database


class Owner:
    """Somebody at a server with a cache, and a calendar of theirs."""

    def __init__(self, caller: Caller, calendar_id: UUID) -> None:
        self.caller = caller
        self.path = f"/api/calendars/{calendar_id}"

    async def rename(self, name: str, key: str) -> Token:
        """What the answer says that they have seen."""
        answer = await self.caller.send("PATCH", self.path, {"name": name}, {"Idempotency-Key": key})
        assert answer.status_code == 200, answer.text
        return Token.parse(answer.headers["yotei-token"])


@pytest.fixture
async def owner(postgres: PostgresFactory) -> AsyncIterator[Owner]:
    url = await postgres.migrated()
    async with (
        await Database.connect(url, size_min=1, size_max=1) as rows,
        serve(settings(url, cache=CACHED)) as client,
    ):
        me = await a_user(rows)
        caller = await admitted(client, rows, me)
        yield Owner(caller, await a_calendar(rows, {me: "OWNER"}))
    await postgres.drop(url)


def is_waited_for(token: Token, xid: int) -> bool:
    """By a node that knows of everything before that transaction."""
    return not token.is_met(token.epoch, Snapshot(xid, xid))


async def test_an_answer_that_is_given_again_tells_of_the_write_as_the_first_one_did(owner: Owner) -> None:
    first = await owner.rename("Crew", "once")

    again = await owner.rename("Crew", "once")

    assert first.xid > 0
    assert is_waited_for(first, first.xid)
    assert is_waited_for(again, first.xid)


async def test_a_write_that_changes_nothing_tells_of_what_it_has_shown(owner: Owner) -> None:
    first = await owner.rename("Crew", "one")

    second = await owner.rename("Crew", "another")

    assert is_waited_for(second, first.xid)
