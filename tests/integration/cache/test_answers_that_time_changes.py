"""What time alone makes another answer of says until when it holds, so that nobody keeps it for longer."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tests.integration.rest.served import CACHED, settings
from tests.integration.rows import a_booking, a_calendar, a_room, a_user, an_event, viewing
from yotei.cache.reads import reading_of_request
from yotei.caching import Caching
from yotei.events import read
from yotei.events.window import window
from yotei.storage.pool import Database
from yotei.users import tokens

# What is kept of a series begins with PostgreSQL's yesterday.
NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
TOKYO = ZoneInfo("Asia/Tokyo")


@pytest.fixture
async def caching(database: Database, database_url: str) -> AsyncIterator[Caching]:
    one = Caching(settings(database_url, cache=CACHED), database)
    one.start()
    await one.tail.caught_up()
    yield one
    await one.close()


async def test_the_current_month_ends(caching: Caching) -> None:
    reading, now = caching.reads().reading, datetime(2026, 11, 26, 12, tzinfo=UTC)

    with reading_of_request(reading):
        asked = window(now, now + DAY, TOKYO, now=now, days_max=366)
        before = reading.held_until
        current = window(None, None, TOKYO, now=now, days_max=366)

    assert (asked.end, before) == (now + DAY, None)
    assert reading.held_until == current.end == datetime(2026, 12, 1, tzinfo=TOKYO)


async def test_a_token_ends(caching: Caching, database: Database) -> None:
    user_id, now = await a_user(database), datetime.now(UTC)
    until = now + HOUR
    lasting, passing = [
        (await tokens.issue(database, user_id, name="t", scopes=frozenset({"read"}), now=now, expires_at=one))[1]
        for one in (None, until)
    ]
    held = []

    for secret in (lasting, passing):
        reads = caching.reads()
        with reading_of_request(reads.reading):
            await tokens.identify(reads, secret, None, now)
        held.append(reads.reading.held_until)

    assert held == [None, until]


@pytest.mark.parametrize(
    ("now", "until"),
    [
        (NOON + HOUR / 2, NOON + HOUR),  # the booking of now goes out
        (NOON + 2 * HOUR, NOON + 1 * DAY + HOUR),
        (NOON + 2 * DAY, NOON + 400 * DAY - read.GET_WINDOW_DAYS * DAY),  # a later one comes in
        (NOON + 500 * DAY, None),
    ],
)
async def test_what_a_series_holds_comes_into_sight_and_goes(
    caching: Caching, database: Database, now: datetime, until: datetime | None
) -> None:
    user_id, room_id = await a_user(database), await a_room(database)
    calendar_id = await a_calendar(database, {user_id: "OWNER"})
    event_id = await an_event(
        database, calendar_id, user_id, NOON - DAY, rrule="FREQ=DAILY;COUNT=900", span_end=NOON + 899 * DAY
    )
    for days in (-1, 0, 1, 400):
        start = NOON + days * DAY
        await a_booking(database, room_id, event_id, start, recurrence_id=start)
    single_id = await an_event(database, calendar_id, user_id, NOON)
    await a_booking(database, room_id, single_id, NOON + 5 * HOUR)

    held = []
    for one in (event_id, single_id):
        reads = caching.reads()
        with reading_of_request(reads.reading):
            await read.get(reads, viewing(user_id), one, ZoneInfo("UTC"), now=now)
        assert reads.is_whole
        held.append(reads.reading.held_until)

    assert held == [until, None]
