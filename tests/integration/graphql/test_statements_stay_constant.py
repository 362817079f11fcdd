"""How many SQL statements a document takes: known, small, the same whatever is found. The token's is one of them."""

import pytest

from tests.conftest import Budget
from tests.integration.graphql.conftest import Admit
from tests.integration.graphql.rows import NOVEMBER, Rows

RFC_003 = """query ($id: UUID!) {
  calendar(id: $id) {
    events(start: "2026-11-01", end: "2026-12-01", first: 500) {
      id title attendees { user { id name avatar } }
    }
  }
}"""

SIZES = pytest.mark.parametrize("count", [1, 10, 500])


@SIZES
async def test_the_query_of_rfc_003_takes_two_statements(count: int, rows: Rows, admit: Admit, budget: Budget) -> None:
    owner, guest = await rows.person("Aiko"), await rows.person("Ben", avatar_url="https://example.test/ben.png")
    calendar = await rows.calendar(members={owner: "OWNER"})
    await rows.events(calendar, owner, count, [owner, guest])
    caller = await admit(owner)

    with budget(statements=2):  # token, events with their people, and the calendar
        data = await caller.data(RFC_003, id=calendar)

    events = data["calendar"]["events"]
    assert len(events) == count
    assert all(len(event["attendees"]) == 2 for event in events)
    assert {"id": str(guest), "name": "Ben", "avatar": "https://example.test/ben.png"} in [
        one["user"] for one in events[0]["attendees"]
    ]


@SIZES
async def test_a_deep_document_takes_one_statement_for_each_list(
    count: int, rows: Rows, admit: Admit, budget: Budget
) -> None:
    owner, guest = await rows.person("Aiko"), await rows.person("Ben")
    for name in ("Team", "Home", "Club"):
        calendar = await rows.calendar(name, members={owner: "OWNER", guest: "READER"})
        await rows.events(calendar, owner, count, [owner, guest])
    caller = await admit(owner)

    with budget(statements=4):  # token, calendars, events and members with all that they name
        data = await caller.data(
            f"""{{ calendars {{ nodes {{
                name
                members {{ role user {{ id tzid workingHours {{ day start end }} }} }}
                events({NOVEMBER}, first: 500) {{
                  title
                  calendar {{ name color }}
                  organizer {{ name tzid }}
                  attendees {{ responseStatus user {{ name tzid }} }}
                  resources {{ name resource {{ seats features }} }}
                }}
            }} }} }}"""
        )

    found = data["calendars"]["nodes"]
    assert [one["name"] for one in found] == ["Club", "Home", "Team"]
    assert all(len(one["events"]) == count and len(one["members"]) == 2 for one in found)
    assert found[0]["events"][0]["calendar"]["name"] == "Club"
    assert found[0]["events"][0]["resources"][0]["resource"] == {"seats": None, "features": []}
    assert found[0]["events"][0]["attendees"][0]["user"]["tzid"] == "UTC"


async def test_aliases_of_one_kind_are_read_together(rows: Rows, admit: Admit, budget: Budget) -> None:
    owner = await rows.person()
    ids = [await rows.calendar(f"Calendar {n}", members={owner: "OWNER"}) for n in range(9)]
    asked = " ".join(f'c{n}: calendar(id: "{id_}") {{ name events {{ id }} }}' for n, id_ in enumerate(ids))
    caller = await admit(owner)

    with budget(statements=2):
        data = await caller.data(f"{{ {asked} }}")

    assert [data[f"c{n}"]["name"] for n in range(9)] == [f"Calendar {n}" for n in range(9)]


async def test_a_list_and_its_connection_are_one_read(rows: Rows, admit: Admit, budget: Budget) -> None:
    owner = await rows.person()
    calendar = await rows.calendar(members={owner: "OWNER"})
    await rows.events(calendar, owner, 3)
    caller = await admit(owner)

    with budget(statements=2):
        data = await caller.data(
            f"""query ($id: UUID!) {{ calendar(id: $id) {{
              events({NOVEMBER}) {{ id }}
              eventsConnection({NOVEMBER}) {{ nodes {{ id }} }}
            }} }}""",
            id=calendar,
        )

    assert data["calendar"]["events"] == data["calendar"]["eventsConnection"]["nodes"]


async def test_a_document_over_its_budget_is_refused_before_it_runs_with_its_plan(
    rows: Rows, admit: Admit, budget: Budget
) -> None:
    caller = await admit(await rows.person())
    asked = " ".join(f'a{n}: agenda(start: "2026-01-{n + 1:02}", end: "2026-02-28") {{ id }}' for n in range(4))

    with budget(statements=1):  # token
        answer = await caller.ask(f"{{ {asked} }}")

    (error,) = answer.pop("errors")
    assert answer == {}
    assert error["message"] == "The document needs 4 statements; at most 3 are given."
    assert error["extensions"]["code"] == "graphql_limit_exceeded"
    assert error["extensions"]["plan"]["repeated"] == [
        {"load": "agenda", "level": 1, "fields": ["a0", "a1", "a2", "a3"]}
    ]


async def test_a_document_that_may_bring_too_many_rows_is_refused_before_it_runs(
    rows: Rows, admit: Admit, budget: Budget
) -> None:
    caller = await admit(await rows.person())

    with budget(statements=1):
        answer = await caller.ask("{ calendars(first: 500) { nodes { events(first: 500) { id } } } }")

    (error,) = answer["errors"]
    assert error["message"] == "The document may bring 250,500 rows; at most 100,000 are given."
    assert error["extensions"]["code"] == "graphql_limit_exceeded"


async def test_a_document_cannot_ask_for_more_events_than_one_answer_holds(rows: Rows, admit: Admit) -> None:
    owner = await rows.person()
    for n in range(41):
        await rows.calendar(f"Calendar {n}", members={owner: "OWNER"})
    caller = await admit(owner)

    answer = await caller.ask("{ calendars { nodes { events(first: 500) { id } } } }")

    assert answer["data"]["calendars"]["nodes"][0]["events"] is None
    assert answer["errors"][0]["extensions"]["code"] == "invalid_request"
    assert "20500 events" in answer["errors"][0]["message"]
