"""The door shows what the domains show: nothing more by another way in."""

from typing import Any

import pytest

from tests.integration.graphql.conftest import Admit
from tests.integration.graphql.rows import NOVEMBER, Rows

EVERYTHING = """
  id access startTime endTime title description location url uid sequence visibility organizerId organizerName
  organizer { id name } attendees { email user { id } } attendeeCount resources { id name } roomName roomNames createdAt
"""
SAID_OF_BUSY_TIME = {"id", "access", "startTime", "endTime"}


def is_only_busy(event: dict[str, Any]) -> bool:
    return event["access"] == "BUSY" and all(
        value is None for field, value in event.items() if field not in SAID_OF_BUSY_TIME
    )


@pytest.mark.parametrize(
    ("role", "visibility"), [("READER", "PRIVATE"), ("FREE_BUSY", "PUBLIC"), ("WRITER", "CONFIDENTIAL")]
)
async def test_a_member_who_may_see_busy_times_only_is_told_nothing_else_by_any_way_in(
    role: str, visibility: str, rows: Rows, admit: Admit
) -> None:
    owner, viewer = await rows.person("Aiko"), await rows.person("Ben")
    calendar = await rows.calendar(members={owner: "OWNER", viewer: role})
    event = await rows.event(calendar, owner, title="Surgery", visibility=visibility)
    await rows.booking(await rows.room("Secret room"), event)
    caller = await admit(viewer)

    response = await caller.post(
        f"""query ($calendar: UUID!, $event: UUID!) {{
          calendar(id: $calendar) {{
            events({NOVEMBER}) {{ {EVERYTHING} }}
            eventsConnection({NOVEMBER}) {{ edges {{ node {{ {EVERYTHING} }} }} }}
          }}
          event(id: $event) {{ {EVERYTHING} }}
          agenda({NOVEMBER}) {{ {EVERYTHING} }}
          agendaConnection({NOVEMBER}) {{ nodes {{ {EVERYTHING} }} }}
        }}""",
        {"calendar": calendar, "event": event},
    )

    data = response.json()["data"]
    assert "Surgery" not in response.text
    assert "Secret room" not in response.text
    assert str(owner) not in response.text
    seen = [
        *data["calendar"]["events"],
        *[edge["node"] for edge in data["calendar"]["eventsConnection"]["edges"]],
        data["event"],
        *data["agenda"],
        *data["agendaConnection"]["nodes"],
    ]
    assert len(seen) == 5
    assert all(is_only_busy(one) for one in seen)


async def test_a_filter_finds_no_organizer_that_is_hidden(rows: Rows, admit: Admit) -> None:
    owner, viewer = await rows.person(), await rows.person()
    calendar = await rows.calendar(members={owner: "OWNER", viewer: "FREE_BUSY"})
    await rows.event(calendar, owner)
    caller = await admit(viewer)

    data = await caller.data(
        f"""query ($id: UUID!, $owner: UUID!) {{
          calendar(id: $id) {{ events({NOVEMBER}, filters: {{organizerId: $owner}}) {{ id }} }}
        }}""",
        id=calendar,
        owner=owner,
    )

    assert data["calendar"]["events"] == []


async def test_a_calendar_that_is_not_shared_is_null_and_not_found(rows: Rows, admit: Admit) -> None:
    owner, stranger = await rows.person(), await rows.person()
    calendar = await rows.calendar(members={owner: "OWNER"})
    caller = await admit(stranger)

    answer = await caller.ask("query ($id: UUID!) { calendar(id: $id) { name } me { id } }", id=calendar)

    assert answer["data"] == {"calendar": None, "me": {"id": str(stranger)}}
    (error,) = answer["errors"]
    assert error["path"] == ["calendar"]
    assert error["extensions"] == {"code": "not_found"}


async def test_an_event_that_is_not_shared_is_not_found(rows: Rows, admit: Admit) -> None:
    owner, stranger = await rows.person(), await rows.person()
    event = await rows.event(await rows.calendar(members={owner: "OWNER"}), owner)
    caller = await admit(stranger)

    assert await caller.code("query ($id: UUID!) { event(id: $id) { id } }", id=event) == "not_found"


async def test_who_is_invited_sees_the_event_but_not_its_calendar(rows: Rows, admit: Admit) -> None:
    owner, guest = await rows.person("Aiko"), await rows.person("Ben")
    event = await rows.event(await rows.calendar(members={owner: "OWNER"}), owner, title="Party", invited=[guest])
    caller = await admit(guest)

    data = await caller.data(
        "query ($id: UUID!) { event(id: $id) { access title organizer { name } calendar { name } } }", id=event
    )

    assert data["event"] == {"access": "FULL", "title": "Party", "organizer": {"name": "Aiko"}, "calendar": None}
