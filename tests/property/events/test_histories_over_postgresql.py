"""The same histories as written to PostgreSQL: read back, exported and imported, and followed by the sync feed."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.rows import a_calendar, a_room, a_user, viewing
from tests.property.events.model import GUEST_EMAIL, Edit, Paper, Plan, Shown, histories, story
from yotei.events import changes, ics, read, write
from yotei.events.event import Event
from yotei.events.ics import Target
from yotei.events.window import Window
from yotei.ical import ParsedEvent, parse_calendar
from yotei.storage import change_log
from yotei.storage.pool import Database, Source
from yotei.storage.statements import Statement
from yotei.users import rows as users
from yotei.users.user import Viewer

NOW: Final = datetime(2027, 3, 1, tzinfo=UTC)
UTC_ZONE: Final = ZoneInfo("UTC")
WINDOW: Final = Window(datetime(2027, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC), UTC_ZONE)
PUT_FIRST: Final = Statement(
    name="tests.put_first", purpose="whose answers are read", sql="update users set email = $2 where id = $1"
)
SOME: Final = settings(
    deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)

History = tuple[Plan, list[Edit]]


class Team(msgspec.Struct, frozen=True):
    """Who writes, who is invited, and a calendar of theirs."""

    owner: Viewer
    guest: Viewer
    calendar_id: UUID


async def a_team(database: Database) -> Team:
    """New for each example; the guest's address is theirs while it lasts."""
    await database.execute(
        Statement(name="tests.free", purpose="the last guest", sql="update users set email = id || '@example.org'")
    )
    owner, guest = await a_user(database, "Owner"), await a_user(database, "Guest")
    await database.execute(PUT_FIRST, guest, GUEST_EMAIL)
    return Team(viewing(owner), viewing(guest), await a_calendar(database, {owner: "OWNER"}))


async def play(database: Database, team: Team, history: History, *rooms: UUID) -> Paper:
    """Write a history, one transaction for each operation; gives back what it comes to on paper."""
    first, edits = history
    paper = Paper(first)
    told = story(paper, first, edits, team.calendar_id, *rooms)
    with suppress(StopIteration):
        asked = next(told)
        while True:
            operation, is_guest = asked
            viewer = team.guest if is_guest else team.owner

            async def work(tx: Source, operation: object = operation, viewer: Viewer = viewer) -> UUID:
                return (await write.apply_one(tx, viewer, operation, now=NOW)).event_id  # type: ignore[arg-type]

            asked = told.send(await database.run(work, actor_id=viewer.user_id))
    return paper


async def listed(database: Database, team: Team) -> Sequence[Event]:
    query = read.Query(window=WINDOW, limit=1_000, instances_max=1_000)
    return (await read.list_calendar(database, team.owner, team.calendar_id, query)).events


def shown(event: Event) -> Shown:
    assert event.title is not None and event.attendees is not None
    answer = event.attendees[0].response_status
    return Shown(event.start_time, event.end_time, event.title, event.status, answer)


@SOME
@given(histories)
async def test_patch_then_read_equals_the_model(shared_database: Database, history: History) -> None:
    team = await a_team(shared_database)
    # Units enough: an instance may be put beside another one of the same series.
    room = await a_room(shared_database, concurrent_bookings=20)

    paper = await play(shared_database, team, history, room)

    found = await listed(shared_database, team)
    assert sorted(map(shown, found)) == paper.shown
    held = sorted((one.start_time, one.end_time) for one in found if one.resources)
    assert held == sorted(paper.booked)


@SOME
@given(st.lists(histories, min_size=1, max_size=2))
async def test_what_was_written_is_exported_imported_and_exported_again_the_same(
    shared_database: Database, written: list[History]
) -> None:
    team = await a_team(shared_database)
    for history in written:
        await play(shared_database, team, history)
    owner = await users.find_user(shared_database, f"{team.owner.user_id}@example.org")
    assert owner is not None

    first = await ics.export_calendar(shared_database, team.calendar_id, now=NOW)
    target = Target(owner=owner, name="Again")
    report = await ics.import_calendar(shared_database, target, first, file_name="a file", now=NOW)
    second = await ics.export_calendar(shared_database, report.calendar_id, now=NOW)

    assert (report.skipped, report.repaired) == ((), ())
    assert components(second) == components(first)
    again = Team(team.owner, team.guest, report.calendar_id)
    assert sorted(map(shown, await listed(shared_database, again))) == sorted(
        map(shown, await listed(shared_database, team))
    )


def components(file: bytes) -> list[ParsedEvent]:
    return sorted(parse_calendar(file).components, key=lambda one: (one.uid, one.recurrence_id or NOW))


@SOME
@given(st.lists(histories, min_size=1, max_size=3), st.data())
async def test_who_follows_the_feed_from_anywhere_has_what_is_there(
    shared_database: Database, written: list[History], data: st.DataObject
) -> None:
    team = await a_team(shared_database)
    copies = [Follower(shared_database, team)]
    for history in written:
        await play(shared_database, team, history)
        place = copies[data.draw(st.integers(0, len(copies) - 1))].fork()
        copies.append(place)
        for _ in range(data.draw(st.integers(0, 3))):
            await place.pull(data.draw(st.sampled_from((1, 2, 5, 500))))

    for one in copies:
        await one.catch_up(data.draw(st.sampled_from((1, 3, 500))))

    there = await masters(shared_database, team)
    assert [one.events for one in copies] == [there] * len(copies)


async def masters(database: Database, team: Team) -> dict[UUID, Event]:
    """All events of the calendar by id, read without the feed."""
    sql = "select id from events where calendar_id = $1 and deleted_at is null"
    ids = [row["id"] for row in await database.fetch(Statement("tests.ids", sql, "what is there"), team.calendar_id)]
    found = await read.get_many(database, team.owner, ids, UTC_ZONE, now=NOW)
    return {one.id: one for one in found if one is not None}


class Follower:
    """A copy of a calendar, kept by the feed alone."""

    def __init__(self, database: Database, team: Team) -> None:
        self._database = database
        self._team = team
        self._position = change_log.FIRST
        self.events: dict[UUID, Event] = {}

    def fork(self) -> "Follower":
        other = Follower(self._database, self._team)
        other._position, other.events = self._position, dict(self.events)
        return other

    async def pull(self, limit: int) -> bool:
        feed = await changes.since(
            self._database,
            self._team.owner,
            self._team.calendar_id,
            self._position,
            UTC_ZONE,
            limit=limit,
            now=NOW,
        )
        for one in feed.changes:
            if one.kind == "event" and one.event is not None:
                self.events[one.id] = one.event
            elif one.kind == "event":
                self.events.pop(one.id, None)
        self._position = feed.position
        return feed.has_more

    async def catch_up(self, limit: int) -> None:
        # In the middle of an answer first to the end of that one, which is not the end of all.
        for _ in range(2):
            while await self.pull(limit):
                pass
