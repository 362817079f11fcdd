"""Lists, agendas and single events: what is in the window, who sees how much of it, in how many statements."""

from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from tests.conftest import Budget
from tests.integration.rows import a_booking, a_calendar, a_room, a_user, an_event, viewing
from yotei.errors import Code, Problem
from yotei.events import read
from yotei.events.event import Access
from yotei.events.window import Window
from yotei.storage.pool import Database
from yotei.users.user import Viewer

UTC_ZONE = ZoneInfo("UTC")
TOKYO = ZoneInfo("Asia/Tokyo")
DECEMBER = Window(datetime(2026, 12, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC), UTC_ZONE)


def query(window: Window = DECEMBER, **fields: object) -> read.Query:
    return read.Query(**{"window": window, "limit": 100, "instances_max": 10_000, **fields})  # type: ignore[arg-type]


def at(day: int, hour: int = 9, minute: int = 0) -> datetime:
    return datetime(2026, 12, day, hour, minute, tzinfo=UTC)


async def titles(database: Database, viewer: Viewer, calendar_id: UUID, asked: read.Query) -> list[str | None]:
    page = await read.list_calendar(database, viewer, calendar_id, asked)
    return [event.title for event in page.events]


@pytest.mark.parametrize("count", [1, 10, 500])
async def test_a_list_is_one_statement_whatever_its_length(database: Database, budget: Budget, count: int) -> None:
    owner, guest = await a_user(database), await a_user(database)
    calendar_id = await a_calendar(database, {owner: "OWNER"})
    room_id = await a_room(database)
    for n in range(count):
        start = at(1) + timedelta(hours=n)
        event_id = await an_event(database, calendar_id, owner, start, attendees=(guest,))
        await a_booking(database, room_id, event_id, start)

    with budget(statements=1):
        page = await read.list_calendar(database, viewing(owner), calendar_id, query(limit=500))

    assert len(page.events) == count
    assert {event.attendee_count for event in page.events} == {1}
    assert {event.room_name for event in page.events} == {"Fuji"}
    assert {event.organizer_name for event in page.events} == {"Aiko"}


async def test_an_event_that_began_before_the_window_and_reaches_into_it_is_there(database: Database) -> None:
    owner = await a_user(database)
    calendar_id = await a_calendar(database, {owner: "OWNER"})
    await an_event(database, calendar_id, owner, datetime(2026, 11, 30, 23, tzinfo=UTC), hours=2, title="over midnight")
    await an_event(
        database, calendar_id, owner, datetime(2026, 11, 30, 22, tzinfo=UTC), hours=2, title="ends with November"
    )
    await an_event(database, calendar_id, owner, datetime(2027, 1, 1, tzinfo=UTC), title="January")
    await an_event(database, calendar_id, owner, at(1, 0), hours=0, title="no time at all")

    assert await titles(database, viewing(owner), calendar_id, query()) == ["over midnight", "no time at all"]


async def test_all_day_events_belong_to_the_days_of_the_zone_of_the_answer(database: Database) -> None:
    owner = await a_user(database)
    calendar_id = await a_calendar(database, {owner: "OWNER"})
    for day in (1, 31):
        await an_event(database, calendar_id, owner, at(day, 0), hours=24, all_day=True, title=f"day {day}")
    await an_event(database, calendar_id, owner, datetime(2026, 11, 30, tzinfo=UTC), hours=24, all_day=True, title="30")
    await an_event(
        database, calendar_id, owner, datetime(2027, 1, 1, tzinfo=UTC), hours=24, all_day=True, title="new year"
    )
    in_tokyo = Window(datetime(2026, 12, 1, tzinfo=TOKYO), datetime(2027, 1, 1, tzinfo=TOKYO), TOKYO)

    page = await read.list_calendar(database, viewing(owner), calendar_id, query(in_tokyo))

    assert [event.title for event in page.events] == ["day 1", "day 31"]
    assert page.events[0].start_time == datetime(2026, 12, 1, tzinfo=TOKYO)
    assert str(page.events[0].start_date) == "2026-12-01"
    assert str(page.events[0].end_date) == "2026-12-02"


async def test_a_weekly_series_keeps_its_wall_clock_and_its_override_takes_the_place_of_an_instance(
    database: Database,
) -> None:
    owner = await a_user(database)
    calendar_id = await a_calendar(database, {owner: "OWNER"})
    start = datetime(2026, 10, 20, 9, tzinfo=ZoneInfo("Europe/Berlin"))
    infinity = datetime(9999, 1, 1, tzinfo=UTC)
    series_id = await an_event(
        database,
        calendar_id,
        owner,
        start,
        title="weekly",
        tzid="Europe/Berlin",
        rrule="FREQ=WEEKLY",
        span_end=infinity,
    )
    replaced = datetime(2026, 10, 27, 9, tzinfo=ZoneInfo("Europe/Berlin"))
    moved = datetime(2026, 12, 3, 15, tzinfo=UTC)
    override_id = await an_event(
        database, calendar_id, owner, moved, title="moved", series_id=series_id, recurrence_id=replaced
    )
    autumn = Window(datetime(2026, 10, 19, tzinfo=UTC), datetime(2026, 11, 4, tzinfo=UTC), ZoneInfo("Europe/Berlin"))
    winter = Window(datetime(2026, 12, 2, tzinfo=UTC), datetime(2026, 12, 9, tzinfo=UTC), UTC_ZONE)

    before = await read.list_calendar(database, viewing(owner), calendar_id, query(autumn))
    after = await read.list_calendar(database, viewing(owner), calendar_id, query(winter))

    assert [(event.start_time.hour, event.start_time.day) for event in before.events] == [(9, 20), (9, 3)]
    assert [(event.title, event.id) for event in after.events] == [("moved", override_id), ("weekly", series_id)]
    assert after.events[0].series_id == series_id
    assert after.events[0].recurrence_id == replaced


@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_pages_hold_every_event_once_while_others_write(database: Database, order: str) -> None:
    owner = await a_user(database)
    calendar_id = await a_calendar(database, {owner: "OWNER"})
    viewer = viewing(owner)
    same_time = [await an_event(database, calendar_id, owner, at(5), title=f"same {n}") for n in range(7)]
    spread = [await an_event(database, calendar_id, owner, at(day), title=f"day {day}") for day in range(1, 30, 3)]
    await an_event(
        database, calendar_id, owner, at(2, 8), title="daily", rrule="FREQ=DAILY;COUNT=9", span_end=at(10, 9)
    )
    whole = await read.list_calendar(database, viewer, calendar_id, query(order=order))

    seen = []
    after = None
    while True:
        page = await read.list_calendar(database, viewer, calendar_id, query(order=order, limit=4, after=after))
        seen += [(event.id, event.recurrence_id) for event in page.events]
        # One on each side of where the reader is: the one behind must not shift the pages.
        await an_event(database, calendar_id, owner, at(1, 0), hours=0, title="behind" if order == "asc" else "ahead")
        if page.after is None:
            break
        after = page.after

    expected = [(event.id, event.recurrence_id) for event in whole.events]
    assert len(expected) == len(same_time) + len(spread) + 9
    assert [one for one in seen if one in set(expected)] == expected


async def test_a_calendar_that_is_not_shared_does_not_exist(database: Database) -> None:
    owner, stranger = await a_user(database), await a_user(database)
    calendar_id = await a_calendar(database, {owner: "OWNER"})

    with pytest.raises(Problem) as not_shared:
        await read.list_calendar(database, viewing(stranger), calendar_id, query())
    with pytest.raises(Problem) as not_there:
        await read.list_calendar(database, viewing(stranger), UUID(int=1), query())

    assert not_shared.value.code is Code.NOT_FOUND
    assert not_shared.value.detail == not_there.value.detail


@pytest.mark.parametrize(
    ("role", "seen"),
    [
        ("OWNER", {"PUBLIC": "full", "PRIVATE": "full", "CONFIDENTIAL": "full"}),
        ("WRITER", {"PUBLIC": "full", "PRIVATE": "full", "CONFIDENTIAL": "busy"}),
        ("READER", {"PUBLIC": "full", "PRIVATE": "busy", "CONFIDENTIAL": "busy"}),
        ("FREE_BUSY", {"PUBLIC": "busy", "PRIVATE": "busy", "CONFIDENTIAL": "busy"}),
    ],
)
async def test_the_role_says_how_much_of_an_event_is_seen(database: Database, role: str, seen: dict[str, str]) -> None:
    owner, member = await a_user(database), await a_user(database)
    calendar_id = await a_calendar(database, {owner: "OWNER", member: role})
    ids = {
        visibility: await an_event(
            database,
            calendar_id,
            owner,
            at(3),
            visibility=visibility,
            title="secret",
            description="secret",
            location="secret",
        )
        for visibility in seen
    }

    page = await read.list_calendar(database, viewing(member), calendar_id, query())
    alone = await read.get_many(database, viewing(member), list(ids.values()), UTC_ZONE, now=at(1))

    by_id = {event.id: event for event in page.events}
    assert {visibility: by_id[id_].access.value for visibility, id_ in ids.items()} == seen
    assert [event.access.value for event in alone if event] == list(seen.values())
    for event in [*page.events, *filter(None, alone)]:
        if event.access is Access.BUSY:
            assert "secret" not in repr(event)
            assert (event.organizer, event.attendees, event.attendee_count, event.room_names) == (
                None,
                None,
                None,
                None,
            )


async def test_to_those_who_see_busy_times_what_takes_no_time_is_nothing(database: Database) -> None:
    owner, member = await a_user(database), await a_user(database)
    calendar_id = await a_calendar(database, {owner: "OWNER", member: "FREE_BUSY"})
    free = await an_event(database, calendar_id, owner, at(3), transparency="TRANSPARENT")
    await an_event(database, calendar_id, owner, at(4), status="CANCELLED")

    page = await read.list_calendar(database, viewing(member), calendar_id, query())
    alone = await read.get_many(database, viewing(member), [free], UTC_ZONE, now=at(1))

    assert page.events == ()
    assert alone == [None]


async def test_a_cancelled_instance_leaves_no_busy_time_behind(database: Database) -> None:
    owner, member = await a_user(database), await a_user(database)
    calendar_id = await a_calendar(database, {owner: "OWNER", member: "FREE_BUSY"})
    series_id = await an_event(database, calendar_id, owner, at(1), rrule="FREQ=DAILY;COUNT=3", span_end=at(3, 10))
    await an_event(database, calendar_id, owner, at(2), series_id=series_id, recurrence_id=at(2), status="CANCELLED")

    page = await read.list_calendar(database, viewing(member), calendar_id, query())

    assert [event.start_time.day for event in page.events] == [1, 3]


async def test_filters_see_what_the_viewer_sees(database: Database) -> None:
    owner, reader, guest = await a_user(database), await a_user(database), await a_user(database)
    calendar_id = await a_calendar(database, {owner: "OWNER", reader: "READER"})
    await an_event(database, calendar_id, owner, at(3), attendees=(guest,), visibility="PRIVATE")
    public = await an_event(database, calendar_id, owner, at(4), attendees=(guest,))

    page = await read.list_calendar(database, viewing(reader), calendar_id, query(attendee_id=guest))
    by_organizer = await read.list_calendar(database, viewing(reader), calendar_id, query(organizer_id=owner, limit=1))

    assert [event.id for event in page.events] == [public]
    assert [event.id for event in by_organizer.events] == [public]
    assert by_organizer.after is None


async def test_somebody_invited_reads_the_event_of_a_calendar_that_is_not_shared_with_them(
    database: Database, budget: Budget
) -> None:
    owner, guest = await a_user(database), await a_user(database)
    calendar_id = await a_calendar(database, {owner: "OWNER"})
    event_id = await an_event(database, calendar_id, owner, at(3), attendees=(guest,), visibility="CONFIDENTIAL")
    other_id = await an_event(database, calendar_id, owner, at(4))

    with budget(statements=1):
        event = await read.get(database, viewing(guest), event_id, UTC_ZONE, now=at(1))
    with pytest.raises(Problem, match="no such event"):
        await read.get(database, viewing(guest), other_id, UTC_ZONE, now=at(1))

    assert event.access is Access.FULL


async def test_an_agenda_is_ones_calendars_what_one_organises_and_what_one_is_invited_to(
    database: Database, budget: Budget
) -> None:
    me, other = await a_user(database), await a_user(database)
    mine = await a_calendar(database, {me: "OWNER"})
    foreign = await a_calendar(database, {other: "OWNER"})
    await an_event(database, mine, other, at(1), title="my calendar")
    await an_event(database, foreign, me, at(2), title="I organise")
    await an_event(database, foreign, other, at(3), attendees=(me,), title="invited")
    await an_event(database, mine, me, at(4), attendees=(me,), title="all three")
    await an_event(database, foreign, other, at(5), title="none of mine")
    gone = await a_calendar(database, {me: "OWNER"}, deleted_at=at(1))
    await an_event(database, gone, me, at(6), attendees=(me,), title="in a deleted calendar")

    with budget(statements=1):
        page = await read.agenda(database, viewing(me), query())

    assert [event.title for event in page.events] == ["my calendar", "I organise", "invited", "all three"]


async def test_several_calendars_are_listed_by_one_statement_each_with_its_own_page(
    database: Database, budget: Budget
) -> None:
    me, other = await a_user(database), await a_user(database)
    mine = [await a_calendar(database, {me: "OWNER"}) for _ in range(3)]
    foreign = await a_calendar(database, {other: "OWNER"})
    for calendar_id in mine:
        for day in range(1, 6):
            await an_event(database, calendar_id, me, at(day))

    with budget(statements=1):
        pages = await read.list_calendars(database, viewing(me), [*mine, foreign], query(limit=2))

    assert [len(page.events) if page else None for page in pages] == [2, 2, 2, None]
    assert all(page.after is not None for page in pages if page)


async def test_many_events_come_in_the_order_asked_for(database: Database, budget: Budget) -> None:
    owner = await a_user(database)
    calendar_id = await a_calendar(database, {owner: "OWNER"})
    ids = [await an_event(database, calendar_id, owner, at(day)) for day in (3, 1, 2)]

    with budget(statements=1):
        events = await read.get_many(database, viewing(owner), [ids[2], UUID(int=7), ids[0]], UTC_ZONE, now=at(1))

    assert [event.id if event else None for event in events] == [ids[2], None, ids[0]]


async def test_a_window_with_more_instances_than_allowed_is_refused_not_cut(database: Database) -> None:
    owner = await a_user(database)
    calendar_id = await a_calendar(database, {owner: "OWNER"})
    await an_event(
        database,
        calendar_id,
        owner,
        at(1),
        rrule="FREQ=MINUTELY",
        span_end=datetime(2030, 1, 1, tzinfo=UTC),
        hours=0.01,
    )

    with pytest.raises(Problem) as refused:
        await read.list_calendar(database, viewing(owner), calendar_id, query(instances_max=1_000))

    assert refused.value.code is Code.WINDOW_TOO_LARGE


async def test_an_unbounded_series_is_found_in_any_year(database: Database) -> None:
    owner = await a_user(database)
    calendar_id = await a_calendar(database, {owner: "OWNER"})
    event_id = await an_event(database, calendar_id, owner, at(1), rrule="FREQ=YEARLY")
    await set_unbounded(database, event_id)
    far = Window(datetime(2199, 12, 1, tzinfo=UTC), datetime(2199, 12, 3, tzinfo=UTC), UTC_ZONE)

    page = await read.list_calendar(database, viewing(owner), calendar_id, query(far))

    assert [event.start_time.year for event in page.events] == [2199]


async def set_unbounded(database: Database, event_id: UUID) -> None:
    from yotei.storage.statements import Statement

    sql = "update events set span_end = 'infinity' where id = $1"
    await database.execute(Statement(name="tests.unbounded", purpose="a premise", sql=sql), event_id)
