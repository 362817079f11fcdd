"""Pages, windows and series where they are hardest: hidden rows, changing clocks, moved series, bounds."""

from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from tests.integration.rows import a_calendar, a_user, an_event, viewing
from yotei.errors import Code, Problem
from yotei.events import read
from yotei.events.event import Access, Event
from yotei.events.window import Window
from yotei.storage.pool import Database
from yotei.users.user import Viewer

UTC_ZONE = ZoneInfo("UTC")
DECEMBER = Window(datetime(2026, 12, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC), UTC_ZONE)


def at(day: int, hour: int = 9, minute: int = 0, month: int = 12) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


def query(window: Window = DECEMBER, **fields: object) -> read.Query:
    return read.Query(**{"window": window, "limit": 100, "instances_max": 10_000, **fields})  # type: ignore[arg-type]


def days(start: str, end: str, zone: str) -> Window:
    """From midnight to midnight by the clock of a zone."""
    first, last = (datetime.fromisoformat(one).replace(tzinfo=ZoneInfo(zone)) for one in (start, end))
    return Window(first.astimezone(UTC), last.astimezone(UTC), ZoneInfo(zone))


async def all_pages(database: Database, viewer: Viewer, calendar_id: UUID | None, asked: read.Query) -> list[Event]:
    """Every event of a list, or of the agenda, page by page."""
    events: list[Event] = []
    fields = {name: getattr(asked, name) for name in asked.__struct_fields__}
    for _ in range(100):
        if calendar_id is None:
            page = await read.agenda(database, viewer, asked)
        else:
            page = await read.list_calendar(database, viewer, calendar_id, asked)
        events += page.events
        if page.after is None:
            return events
        asked = read.Query(**{**fields, "after": page.after})
    raise AssertionError("the pages do not end")


async def test_rows_that_a_viewer_may_not_see_do_not_end_their_pages_early(database: Database) -> None:
    owner, member = await a_user(database), await a_user(database)
    calendar_id = await a_calendar(database, {owner: "OWNER", member: "FREE_BUSY"})
    busy = [await an_event(database, calendar_id, owner, at(day)) for day in range(1, 8)]
    for day in (1, 2, 3, 4):
        await an_event(database, calendar_id, owner, at(day, 8), transparency="TRANSPARENT")

    events = await all_pages(database, viewing(member), calendar_id, query(limit=3))

    assert [event.id for event in events] == busy


async def test_events_of_deleted_calendars_do_not_end_an_agenda_early(database: Database) -> None:
    me, other = await a_user(database), await a_user(database)
    mine = await a_calendar(database, {me: "OWNER"})
    gone = await a_calendar(database, {other: "OWNER"}, deleted_at=at(1))
    for day in (1, 2, 3):
        await an_event(database, gone, other, at(day, 8), attendees=(me,))
    expected = [await an_event(database, mine, me, at(day)) for day in range(1, 8)]

    events = await all_pages(database, viewing(me), None, query(limit=3))

    assert [event.id for event in events] == expected


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize(
    "zone", ["UTC", "America/Vancouver", "America/Edmonton", "Africa/Casablanca", "CET", "Pacific/Apia"]
)
async def test_pages_of_one_hold_the_same_as_one_page_with_all_day_events_among_the_others(
    database: Database, zone: str, order: str
) -> None:
    owner = await a_user(database)
    calendar_id = await a_calendar(database, {owner: "OWNER"})
    for minute in (0, 15, 30, 45):
        for hour in (6, 7, 8, 23):
            await an_event(database, calendar_id, owner, at(10, hour, minute), hours=0.1)
    for day in (9, 10, 11):
        await an_event(database, calendar_id, owner, at(day, 0), hours=24, all_day=True)
        await an_event(database, calendar_id, owner, at(day, 7, 15), floating=True)
    window = days("2026-12-08", "2026-12-13", zone)
    whole = await all_pages(database, viewing(owner), calendar_id, query(window, order=order))

    events = await all_pages(database, viewing(owner), calendar_id, query(window, order=order, limit=1))

    assert len(whole) == 22
    assert [event.id for event in events] == [event.id for event in whole]
    instants = [event.start_time.astimezone(UTC) for event in whole]
    assert instants == sorted(instants, reverse=order == "desc")


@pytest.mark.parametrize(
    ("day", "clocks"),
    [
        ("2026-03-08", ["01:15", "02:15", "02:30", "03:00", "03:10"]),
        ("2026-11-01", ["00:50", "01:15", "01:30", "02:00"]),
    ],
)
async def test_floating_events_are_paged_through_the_night_when_clocks_change(
    database: Database, day: str, clocks: list[str]
) -> None:
    owner = await a_user(database)
    calendar_id = await a_calendar(database, {owner: "OWNER"})
    for clock in clocks:
        shown = datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=UTC)
        await an_event(database, calendar_id, owner, shown, hours=0.1, floating=True)
    midnight = datetime.fromisoformat(f"{day}T00:00").replace(tzinfo=ZoneInfo("America/New_York")).astimezone(UTC)
    for minutes in range(0, 300, 20):
        await an_event(database, calendar_id, owner, midnight + timedelta(minutes=minutes), hours=0.1)
    window = Window(midnight, midnight + timedelta(hours=6), ZoneInfo("America/New_York"))
    whole = await all_pages(database, viewing(owner), calendar_id, query(window))

    events = await all_pages(database, viewing(owner), calendar_id, query(window, limit=1))

    assert len(whole) == len(clocks) + 15
    assert [event.id for event in events] == [event.id for event in whole]
    instants = [event.start_time.astimezone(UTC) for event in whole]
    assert instants == sorted(instants)


async def test_an_override_of_an_instance_that_moved_with_its_series_leaves_no_ghost(database: Database) -> None:
    """RFC 5545 3.8.4.4: with RANGE=THISANDFUTURE instances move far from where the rule put them."""
    owner = await a_user(database)
    calendar_id = await a_calendar(database, {owner: "OWNER"})
    series_id = await an_event(
        database, calendar_id, owner, at(7), rrule="FREQ=WEEKLY;COUNT=4", span_end=at(28, 10), title="Monday"
    )
    await an_event(
        database,
        calendar_id,
        owner,
        at(16),
        series_id=series_id,
        recurrence_id=at(14),
        this_and_future=True,
        span_end=at(30, 10),
        title="Wednesday",
    )
    await an_event(
        database, calendar_id, owner, at(26), series_id=series_id, recurrence_id=at(21), title="Saturday for once"
    )

    on_wednesday = await all_pages(
        database, viewing(owner), calendar_id, query(days("2026-12-23", "2026-12-24", "UTC"))
    )
    month = await all_pages(database, viewing(owner), calendar_id, query())

    assert on_wednesday == []
    assert [(event.title, event.start_time.day) for event in month] == [
        ("Monday", 7),
        ("Wednesday", 16),
        ("Saturday for once", 26),
        ("Wednesday", 30),
    ]


async def test_an_override_without_its_master_is_shown_only_where_it_is(database: Database) -> None:
    owner = await a_user(database)
    calendar_id = await a_calendar(database, {owner: "OWNER"})
    series_id = await an_event(
        database, calendar_id, owner, at(1), rrule="FREQ=DAILY;COUNT=5", span_end=at(5, 10), deleted_at=at(1)
    )
    for moved_to, replaced in ((at(3), at(2)), (at(3, month=4), at(3))):
        await an_event(database, calendar_id, owner, moved_to, series_id=series_id, recurrence_id=replaced)

    for expand in (True, False):
        events = await all_pages(database, viewing(owner), calendar_id, query(expand=expand))

        assert [event.start_time for event in events] == [at(3)]


async def test_an_override_in_another_calendar_than_its_master_does_no_harm(database: Database) -> None:
    owner = await a_user(database)
    here, there = await a_calendar(database, {owner: "OWNER"}), await a_calendar(database, {owner: "OWNER"})
    series_id = await an_event(database, there, owner, at(1), rrule="FREQ=DAILY;COUNT=5", span_end=at(5, 10))
    override_id = await an_event(database, here, owner, at(2, 15), series_id=series_id, recurrence_id=at(2))

    events = await all_pages(database, viewing(owner), here, query())

    assert [event.id for event in events] == [override_id]


async def test_a_filter_searches_the_whole_window(database: Database) -> None:
    owner, guest = await a_user(database), await a_user(database)
    calendar_id = await a_calendar(database, {owner: "OWNER"})
    for n in range(130):
        await an_event(database, calendar_id, owner, at(1) + timedelta(minutes=n))
    wanted = await an_event(database, calendar_id, owner, at(20), attendees=(guest,))

    events = await all_pages(database, viewing(owner), calendar_id, query(attendee_id=guest, limit=10))

    assert [event.id for event in events] == [wanted]


async def test_more_rows_than_one_answer_may_touch_are_refused(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = await a_user(database)
    calendar_id = await a_calendar(database, {owner: "OWNER"})
    for day in range(1, 7):
        await an_event(database, calendar_id, owner, at(day))
    monkeypatch.setattr(read, "ROWS_MAX", 5)

    with pytest.raises(Problem) as refused:
        await read.list_calendar(database, viewing(owner), calendar_id, query())

    assert refused.value.code is Code.WINDOW_TOO_LARGE


async def test_the_bound_on_instances_is_that_of_the_answer_not_of_each_calendar(database: Database) -> None:
    owner = await a_user(database)
    calendar_ids = [await a_calendar(database, {owner: "OWNER"}) for _ in range(3)]
    for calendar_id in calendar_ids:
        await an_event(database, calendar_id, owner, at(1), rrule="FREQ=DAILY;COUNT=30", span_end=at(30, 10))

    with pytest.raises(Problem) as refused:
        await read.list_calendars(database, viewing(owner), calendar_ids, query(instances_max=70))

    assert refused.value.code is Code.WINDOW_TOO_LARGE


async def test_who_is_invited_to_one_instance_sees_that_one_and_pays_for_no_other(database: Database) -> None:
    owner, guest = await a_user(database), await a_user(database)
    calendar_id = await a_calendar(database, {owner: "OWNER"})
    series_id = await an_event(
        database,
        calendar_id,
        owner,
        at(1),
        hours=0.001,
        rrule="FREQ=MINUTELY",
        span_end=datetime(2030, 1, 1, tzinfo=UTC),
    )
    override_id = await an_event(
        database, calendar_id, owner, at(2, 15), series_id=series_id, recurrence_id=at(2, 10), attendees=(guest,)
    )

    events = await all_pages(database, viewing(guest), None, query(instances_max=1_000))

    assert [event.id for event in events] == [override_id]


async def test_a_cursor_of_the_other_direction_is_refused(database: Database) -> None:
    owner = await a_user(database)
    calendar_id = await a_calendar(database, {owner: "OWNER"})
    for day in (1, 2, 3):
        await an_event(database, calendar_id, owner, at(day))
    page = await read.list_calendar(database, viewing(owner), calendar_id, query(limit=1))

    with pytest.raises(Problem) as refused:
        await read.list_calendar(database, viewing(owner), calendar_id, query(limit=1, order="desc", after=page.after))

    assert refused.value.code is Code.INVALID_CURSOR


async def test_a_busy_time_tells_nothing_of_how_it_came_to_be(database: Database) -> None:
    owner, member = await a_user(database), await a_user(database)
    calendar_id = await a_calendar(database, {owner: "OWNER", member: "READER"})
    await an_event(
        database,
        calendar_id,
        owner,
        at(1),
        visibility="PRIVATE",
        tzid="Asia/Tokyo",
        rrule="FREQ=DAILY;COUNT=2",
        exdates=[at(2)],
        span_end=at(2, 10),
    )

    (event,) = await all_pages(database, viewing(member), calendar_id, query())

    assert event.access is Access.BUSY
    assert (event.version, event.tzid, event.rrule, event.rdates, event.exdates) == (None, None, None, (), ())
