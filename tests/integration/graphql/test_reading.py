"""What the fields answer: the names of RFC-003, times in the zone that was asked for, pages, rooms."""

from collections.abc import MutableMapping
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.integration.graphql.conftest import Admit
from tests.integration.graphql.rows import NINE, NOVEMBER, Caller, Rows


async def test_events_keep_the_names_of_rfc_003(rows: Rows, admit: Admit) -> None:
    owner = await rows.person("Aiko")
    calendar = await rows.calendar(members={owner: "OWNER"})
    event = await rows.event(calendar, owner, title="Planning", invited=[owner])
    await rows.booking(await rows.room("Fuji"), event)
    caller = await admit(owner)

    data = await caller.data(
        f"""query ($id: UUID!) {{ calendar(id: $id) {{ events({NOVEMBER}) {{
          id title startTime endTime organizerName attendeeCount roomName roomNames
          attendees {{ responseStatus isOptional }}
        }} }} }}""",
        id=calendar,
    )

    assert data["calendar"]["events"] == [
        {
            "id": str(event),
            "title": "Planning",
            "startTime": "2026-11-24T09:00:00Z",
            "endTime": "2026-11-24T10:00:00Z",
            "organizerName": "Aiko",
            "attendeeCount": 1,
            "roomName": "Fuji",
            "roomNames": ["Fuji"],
            "attendees": [{"responseStatus": "NEEDS_ACTION", "isOptional": False}],
        }
    ]


async def test_times_carry_the_offset_of_the_zone_that_was_asked_for(rows: Rows, admit: Admit) -> None:
    owner = await rows.person(tzid="Europe/Paris")
    calendar = await rows.calendar(members={owner: "OWNER"})
    await rows.event(calendar, owner)
    caller = await admit(owner)

    data = await caller.data(
        f"""query ($id: UUID!) {{ calendar(id: $id) {{
          own: events({NOVEMBER}) {{ startTime }}
          tokyo: eventsConnection({NOVEMBER}, tz: "Asia/Tokyo") {{ nodes {{ startTime }} window {{ start end tz }} }}
        }} }}""",
        id=calendar,
    )

    assert data["calendar"]["own"] == [{"startTime": "2026-11-24T10:00:00+01:00"}]
    assert data["calendar"]["tokyo"] == {
        "nodes": [{"startTime": "2026-11-24T18:00:00+09:00"}],
        "window": {"start": "2026-11-01T00:00:00+09:00", "end": "2026-12-01T00:00:00+09:00", "tz": "Asia/Tokyo"},
    }


async def test_without_a_window_the_answer_is_the_current_month(rows: Rows, admit: Admit) -> None:
    caller = await admit(await rows.person())

    data = await caller.data("{ agendaConnection { window { start } } }")

    assert data["agendaConnection"]["window"]["start"] == datetime.now(UTC).strftime("%Y-%m-01T00:00:00Z")


async def test_a_series_is_told_as_instances_or_once(
    rows: Rows, admit: Admit, repeats: list[MutableMapping[str, Any]]
) -> None:
    owner = await rows.person()
    calendar = await rows.calendar(members={owner: "OWNER"})
    event = await rows.event(calendar, owner, rrule="FREQ=DAILY;COUNT=3")
    caller = await admit(owner)

    data = await caller.data(
        f"""query ($id: UUID!) {{ calendar(id: $id) {{
          instances: events({NOVEMBER}) {{ seriesId recurrenceId }}
          last: events({NOVEMBER}, order: DESC, first: 1) {{ recurrenceId }}
          masters: events({NOVEMBER}, expand: MASTERS) {{ rrule }}
        }} }}""",
        id=calendar,
    )

    found = data["calendar"]
    assert [one["recurrenceId"] for one in found["instances"]] == [f"2026-11-{day}T09:00:00Z" for day in (24, 25, 26)]
    assert {one["seriesId"] for one in found["instances"]} == {str(event)}
    assert found["last"] == [{"recurrenceId": "2026-11-26T09:00:00Z"}]
    assert found["masters"] == [{"rrule": "FREQ=DAILY;COUNT=3"}]
    assert [one["fields"] for one in repeats] == [("calendar.last", "calendar.masters")]


async def walk(caller: Caller, calendar: object, order: str, cursor_of_edge: int) -> list[tuple[str, str]]:
    """All events, three to a page, each next page behind the edge at that index."""
    found: list[tuple[str, str]] = []
    after: str | None = None
    for _ in range(40):
        asked = f'after: "{after}"' if after else ""
        data: dict[str, Any] = await caller.data(
            f"""query ($id: UUID!) {{ calendar(id: $id) {{
              eventsConnection({NOVEMBER}, tz: "America/New_York", first: 3, order: {order} {asked}) {{
                edges {{ cursor node {{ id startTime }} }}
                pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }}
              }} }} }}""",
            id=calendar,
        )
        page = data["calendar"]["eventsConnection"]
        assert page["pageInfo"]["hasPreviousPage"] is (after is not None)
        shown = page["edges"] if not page["pageInfo"]["hasNextPage"] else page["edges"][: cursor_of_edge + 1]
        found += [(edge["node"]["id"], edge["node"]["startTime"]) for edge in shown]
        if not page["pageInfo"]["hasNextPage"]:
            return found
        assert page["pageInfo"]["endCursor"] == page["edges"][-1]["cursor"]
        after = shown[-1]["cursor"]
    raise AssertionError("the pages do not end")


async def test_every_cursor_continues_where_it_stands_whatever_kind_of_event_it_is(rows: Rows, admit: Admit) -> None:
    owner = await rows.person()
    calendar = await rows.calendar(members={owner: "OWNER"})
    midnight = datetime(2026, 11, 1, tzinfo=UTC)
    await rows.event(calendar, owner, rrule="FREQ=DAILY;COUNT=5", start=NINE - timedelta(days=23))
    # On the first of November New York's clocks show one o'clock twice.
    for hours in (4, 5, 6, 7, 8):
        await rows.event(calendar, owner, start=midnight + timedelta(hours=hours))
        await rows.event(calendar, owner, start=midnight, hours=24, all_day=True)
    caller = await admit(owner)

    for order in ("ASC", "DESC"):
        in_threes = await walk(caller, calendar, order, 2)
        one_by_one = await walk(caller, calendar, order, 0)

        assert len(in_threes) == len(set(in_threes)) == 15
        assert one_by_one == in_threes


async def test_calendars_and_resources_come_in_pages(rows: Rows, admit: Admit) -> None:
    owner = await rows.person()
    for name in ("Alpha", "Beta", "Gamma"):
        await rows.calendar(name, members={owner: "OWNER"})
        await rows.room(f"Room {name}", seats=len(name))
    caller = await admit(owner)
    fields = "edges { node { name } cursor } pageInfo { hasNextPage }"

    first = (await caller.data(f"{{ calendars(first: 2) {{ {fields} }} }}"))["calendars"]
    behind = first["edges"][-1]["cursor"]
    second = (await caller.data(f'{{ calendars(first: 2, after: "{behind}") {{ {fields} }} }}'))["calendars"]
    rooms = await caller.data("{ resources(first: 1, seatsMin: 5) { nodes { name kind } pageInfo { hasNextPage } } }")

    assert [edge["node"]["name"] for edge in first["edges"]] == ["Alpha", "Beta"]
    assert [edge["node"]["name"] for edge in second["edges"]] == ["Gamma"]
    assert (first["pageInfo"], second["pageInfo"]) == ({"hasNextPage": True}, {"hasNextPage": False})
    assert rooms["resources"] == {"nodes": [{"name": "Room Alpha", "kind": "ROOM"}], "pageInfo": {"hasNextPage": True}}


async def test_availability_says_when_rooms_are_taken_and_nothing_about_by_whom(rows: Rows, admit: Admit) -> None:
    owner, viewer = await rows.person(), await rows.person()
    event = await rows.event(await rows.calendar(members={owner: "OWNER"}), owner)
    room = await rows.room("Fuji")
    await rows.booking(room, event)
    caller = await admit(viewer)

    data = await caller.data(
        """query ($room: UUID!) {
          availability(start: "2026-11-24", end: "2026-11-25", tz: "Asia/Tokyo", resourceIds: [$room]) {
            window { tz } resources { isFree busy { start end } free { start } resource { name } }
          } }""",
        room=room,
    )

    assert data["availability"] == {
        "window": {"tz": "Asia/Tokyo"},
        "resources": [
            {
                "isFree": False,
                "busy": [{"start": "2026-11-24T18:00:00+09:00", "end": "2026-11-24T19:00:00+09:00"}],
                "free": [{"start": "2026-11-24T00:00:00+09:00"}, {"start": "2026-11-24T19:00:00+09:00"}],
                "resource": {"name": "Fuji"},
            }
        ],
    }


async def test_a_room_that_was_removed_stays_named_at_its_events(rows: Rows, admit: Admit) -> None:
    owner = await rows.person()
    event = await rows.event(await rows.calendar(members={owner: "OWNER"}), owner)
    room = await rows.room("Fuji")
    await rows.booking(room, event)
    await rows.remove_room(room)
    caller = await admit(owner)

    data = await caller.data(
        "query ($id: UUID!) { event(id: $id) { resources { name resource { seats } } } }", id=event
    )

    assert data["event"]["resources"] == [{"name": "Fuji", "resource": None}]


async def test_a_person_is_told_with_zone_and_working_hours(rows: Rows, admit: Admit) -> None:
    owner = await rows.person("Aiko", tzid="Asia/Tokyo")
    caller = await admit(owner)

    data = await caller.data(
        "query ($id: UUID!) { me { name tzid } user(id: $id) { workingHours { day start end } } }", id=owner
    )

    assert data["me"] == {"name": "Aiko", "tzid": "Asia/Tokyo"}
    assert data["user"]["workingHours"][0] == {"day": "MON", "start": "09:00", "end": "17:00"}
    assert len(data["user"]["workingHours"]) == 5
