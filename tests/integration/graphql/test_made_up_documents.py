"""Whatever a document of the schema asks for: it takes as many statements as its plan says, the same at 1, 10 and 500
events, or it is refused by its plan before it runs."""

from collections.abc import MutableMapping
from itertools import islice
from typing import Any

import msgspec
import pytest
from graphql import parse

from tests.conftest import Budget
from tests.integration.graphql.conftest import Admit
from tests.integration.graphql.made_up import documents, used
from tests.integration.graphql.rows import NINE, Caller, Rows
from yotei.api.graphql import schema
from yotei.api.graphql.operations import TOKEN_STATEMENTS, budget_of
from yotei.breadth import Explained
from yotei.settings import LimitSettings
from yotei.storage.pool import Database
from yotei.storage.statements import Statement

SIZES = (1, 10, 500)
DOCUMENTS = 60
MANAGER = "insert into resource_members (resource_id, user_id, role) values ($1, $2, 'MANAGER')"
EDIT = "update events set location = 'Elsewhere' where id = $1"
BUDGET = budget_of(LimitSettings())


class World(msgspec.Struct, frozen=True):
    """A caller, and what the variables of the documents name for them."""

    caller: Caller
    variables: dict[str, Any]


async def world(rows: Rows, database: Database, admit: Admit, events: int) -> World:
    """So many events, all with the same people, something of everything, and an administrator who asks."""
    me, guest = await rows.person("Aiko"), await rows.person("Ben")
    await database.execute(
        Statement(name="tests.admin", purpose="a premise", sql="update users set is_admin = true where id = $1"), me
    )
    calendar = await rows.calendar(members={me: "OWNER", guest: "WRITER"})
    await rows.events(calendar, guest, events, [me, guest])
    series = await rows.event(calendar, guest, title="Event", rrule="FREQ=DAILY;COUNT=3", invited=[me, guest])
    event = await rows.event(calendar, guest, title="Event", invited=[me, guest])
    room = await rows.room("Fuji")
    await rows.booking(room, event)
    await database.execute(Statement(name="tests.manager", purpose="a premise", sql=MANAGER), room, guest)
    await database.run(
        lambda tx: tx.execute(Statement(name="tests.edit", purpose="a premise", sql=EDIT), event), actor_id=guest
    )
    caller = Caller((await admit(me)).client, await rows.token(me, ("read", "write", "admin")))
    instance = f"Event:{series}@{NINE:%Y%m%dT%H%M%SZ}"
    return World(
        caller,
        {
            "calendar": calendar,
            "event": event,
            "series": series,
            "me": me,
            "guest": guest,
            "room": room,
            "node": instance,
            "nodes": [f"Calendar:{calendar}", f"User:{guest}", f"Resource:{room}", instance],
        },
    )


def plan_of(text: str, variables: dict[str, Any]) -> Explained:
    return schema.PLANNER.explain(parse(text), None, {name: variables[name] for name in used(text)})


def is_exact(text: str, plan: Explained) -> bool:
    """Whether nothing can spare a statement that the plan has: every kind of load is there once, and there are values
    of every type that it is made for (`node` has one)."""
    names = [load.load for level in plan.levels for load in level]
    return len(names) == len(set(names)) and "node(" not in text


@pytest.mark.parametrize("seed", range(3))
async def test_made_up_documents_take_the_statements_of_their_plans(
    seed: int, rows: Rows, database: Database, admit: Admit, budget: Budget, repeats: list[MutableMapping[str, Any]]
) -> None:
    worlds = [await world(rows, database, admit, events) for events in SIZES]
    executed = exact = 0

    for text in islice(documents(seed), DOCUMENTS):
        plan = plan_of(text, msgspec.to_builtins(worlds[0].variables))
        spent = []
        for one in worlds:
            with budget() as ledger:
                answer = await one.caller.ask(text, **{name: one.variables[name] for name in used(text)})
            spent.append(ledger.statements)
        if not plan.fits(BUDGET):
            assert (spent, "data" in answer) == ([TOKEN_STATEMENTS] * len(SIZES), False), text
            continue
        executed += 1
        assert "errors" not in answer, (text, answer["errors"])
        assert len(set(spent)) == 1, (text, spent)
        assert spent[0] <= TOKEN_STATEMENTS + plan.statements, (text, plan.text())
        if is_exact(text, plan):
            exact += 1
            assert spent[0] == TOKEN_STATEMENTS + plan.statements, (text, plan.text(), spent)
    assert executed > DOCUMENTS / 3
    assert exact > executed / 2
