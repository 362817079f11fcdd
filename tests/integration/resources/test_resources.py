"""Rooms and equipment, and when they are free: in one statement, and never by whom they are taken."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from tests.conftest import Budget
from tests.integration.rows import a_booking, a_calendar, a_room, a_user, an_event, viewing
from yotei.errors import Code, Problem
from yotei.resources import read
from yotei.resources.read import Wanted
from yotei.resources.resource import Availability, Period
from yotei.storage.ids import uuid7
from yotei.storage.pool import Database
from yotei.storage.statements import Statement
from yotei.users.user import Viewer

BLOCK = Statement(
    name="tests.block",
    purpose="a premise: set-up and tear-down around a booking",
    sql="update reservations set blocked = tstzrange($2, $3) where resource_id = $1",
)
ANYBODY = Viewer(uuid7(), "UTC", False, frozenset({"read"}), None)


def at(hour: int, minute: int = 0, day: int = 1) -> datetime:
    return datetime(2026, 12, day, hour, minute, tzinfo=UTC)


MORNING, EVENING = at(8), at(18)


async def an_event_of_somebody(database: Database) -> UUID:
    somebody = await a_user(database, "Secret Name")
    calendar_id = await a_calendar(database, {somebody: "OWNER"}, name="Secret calendar")
    return await an_event(database, calendar_id, somebody, at(9), title="Secret title")


async def available(
    database: Database, room_id: UUID, start: datetime = MORNING, end: datetime = EVENING, **how: Any
) -> Availability:
    [one], _ = await read.availability(database, ANYBODY, Wanted(ids=(room_id,)), start, end, **how)
    return one


def hours(*periods: Period) -> list[str]:
    return [f"{one.start:%H:%M}-{one.end:%H:%M}" for one in periods]


async def test_resources_come_in_the_order_asked_for_in_one_statement(database: Database, budget: Budget) -> None:
    aso, fuji = await a_room(database, "Aso"), await a_room(database, "Fuji", seats=8, tzid="Asia/Tokyo")
    gone = await a_room(database, "Gone", deleted_at=at(1))

    with budget(statements=1):
        found = await read.get_many(database, ANYBODY, [fuji, uuid7(), gone, aso])

    assert [one and one.name for one in found] == ["Fuji", None, None, "Aso"]
    assert found[0] is not None
    assert (found[0].seats, found[0].tzid, found[0].opening_hours) == (8, "Asia/Tokyo", None)


async def test_a_resource_that_is_not_there_is_not_found(database: Database) -> None:
    gone = await a_room(database, deleted_at=at(1))

    for resource_id in (gone, uuid7()):
        with pytest.raises(Problem) as refused:
            await read.get(database, ANYBODY, resource_id)

        assert refused.value.code is Code.NOT_FOUND


async def test_without_the_scope_to_read_nothing_is_read(database: Database, budget: Budget) -> None:
    writer = viewing(uuid7(), scopes=frozenset({"write"}))
    tries = [
        read.list_all(database, writer, Wanted(), after=None, limit=1),
        read.get_many(database, writer, []),
        read.availability(database, writer, Wanted(), at(8), at(9)),
    ]

    with budget(statements=0):
        for one in tries:
            with pytest.raises(Problem) as refused:
                await one
            assert refused.value.code is Code.FORBIDDEN


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        (Wanted(), ["Aso", "Bike", "Fuji", "Hakone"]),
        (Wanted(kind="ROOM"), ["Aso", "Fuji", "Hakone"]),
        (Wanted(kind="EQUIPMENT"), ["Bike"]),
        (Wanted(seats_min=8), ["Fuji", "Hakone"]),
        (Wanted(seats_min=9), ["Hakone"]),
        (Wanted(features=("screen",)), ["Aso", "Fuji"]),
        (Wanted(features=("screen", "phone")), ["Fuji"]),
        (Wanted(kind="EQUIPMENT", seats_min=1), []),
        (Wanted(features=("pool",)), []),
    ],
)
async def test_filters_must_all_fit_in_lists_and_in_availability(
    database: Database, wanted: Wanted, names: list[str]
) -> None:
    await a_room(database, "Hakone", seats=20)
    await a_room(database, "Fuji", seats=8, features=["phone", "screen"])
    await a_room(database, "Aso", seats=4, features=["screen"])
    await a_room(database, "Bike", kind="EQUIPMENT")
    await a_room(database, "Gone", seats=99, features=["phone", "screen"], deleted_at=at(1))

    listed, after = await read.list_all(database, ANYBODY, wanted, after=None, limit=100)
    available, _ = await read.availability(database, ANYBODY, wanted, at(8), at(9))

    assert [one.name for one in listed] == names
    assert [one.resource for one in available] == listed
    assert after is None


async def test_pages_are_by_name_and_id_and_hold_each_resource_once(database: Database, budget: Budget) -> None:
    ids = [await a_room(database, name) for name in ("A", "B", "B", "B", "C")]
    pages = []
    after: read.After | None = None

    with budget(statements=3):
        for _ in range(3):
            page, after = await read.list_all(database, ANYBODY, Wanted(), after=after, limit=2)
            pages.append([one.id for one in page])

    assert pages == [ids[:2], ids[2:4], ids[4:]]
    assert after is None


@pytest.mark.parametrize("count", [1, 10, 100])
async def test_availability_is_one_statement_for_any_number_of_rooms(
    database: Database, budget: Budget, count: int
) -> None:
    event_id = await an_event_of_somebody(database)
    rooms = [await a_room(database, f"Room {n:03}") for n in range(count)]
    for room_id in rooms:
        await a_booking(database, room_id, event_id, at(9))

    with budget(statements=1):
        found, _ = await read.availability(database, ANYBODY, Wanted(), at(8), at(18))

    assert [one.resource.id for one in found] == rooms
    assert {tuple(hours(*one.busy)) for one in found} == {("09:00-10:00",)}


async def test_it_never_says_who_takes_a_room_nor_for_what(database: Database) -> None:
    event_id = await an_event_of_somebody(database)
    room_id = await a_room(database)
    await a_booking(database, room_id, event_id, at(9))

    told = await available(database, room_id)

    assert "secret" not in repr(told).lower()
    assert str(event_id) not in repr(told)


async def test_a_room_is_free_where_it_is_not_taken(database: Database) -> None:
    event_id = await an_event_of_somebody(database)
    room_id = await a_room(database)
    for start in (9, 10, 14):
        await a_booking(database, room_id, event_id, at(start))
    await a_booking(database, room_id, event_id, at(12), status="CANCELLED")

    told = await available(database, room_id)

    assert hours(*told.busy) == ["09:00-11:00", "14:00-15:00"]
    assert hours(*told.free) == ["08:00-09:00", "11:00-14:00", "15:00-18:00"]
    assert not told.is_free


@pytest.mark.parametrize(
    ("start", "end", "is_free", "busy"),
    [
        (at(8), at(9), True, []),
        (at(10), at(11), True, []),
        (at(8), at(9, 1), False, ["09:00-09:01"]),
        (at(9, 59), at(12), False, ["09:59-10:00"]),
        (at(9, 15), at(9, 45), False, ["09:15-09:45"]),
    ],
)
async def test_bookings_are_clipped_to_the_window_and_those_that_touch_it_are_outside(
    database: Database, start: datetime, end: datetime, is_free: bool, busy: list[str]
) -> None:
    room_id = await a_room(database)
    await a_booking(database, room_id, await an_event_of_somebody(database), at(9))

    told = await available(database, room_id, start, end)

    assert (told.is_free, hours(*told.busy)) == (is_free, busy)


async def test_equipment_with_several_units_is_taken_when_all_of_them_are(database: Database) -> None:
    event_id = await an_event_of_somebody(database)
    bikes = await a_room(database, kind="EQUIPMENT", concurrent_bookings=3)
    for unit, start, length in ((1, 9, 3), (2, 10, 3), (3, 11, 4)):
        await a_booking(database, bikes, event_id, at(start), length, unit=unit)

    told = await available(database, bikes)

    assert hours(*told.busy) == ["11:00-12:00"]
    assert hours(*told.free) == ["08:00-11:00", "12:00-18:00"]


async def test_set_up_and_tear_down_take_the_room_too(database: Database) -> None:
    room_id = await a_room(database, setup_minutes=15, teardown_minutes=30)
    await a_booking(database, room_id, await an_event_of_somebody(database), at(9))
    await database.execute(BLOCK, room_id, at(8, 45), at(10, 30))

    told = await available(database, room_id)
    before = await available(database, room_id, at(8), at(9))

    assert hours(*told.busy) == ["08:45-10:30"]
    assert hours(*before.busy) == ["08:45-09:00"]


@pytest.mark.parametrize(
    ("slot_minutes", "free"),
    [
        (0, ["08:00-09:00", "10:00-10:15", "11:15-18:00"]),
        (15, ["08:00-09:00", "10:00-10:15", "11:15-18:00"]),
        (16, ["08:00-09:00", "11:15-18:00"]),
        (61, ["11:15-18:00"]),
        (600, []),
    ],
)
async def test_free_slots_that_are_too_short_are_left_out(
    database: Database, slot_minutes: int, free: list[str]
) -> None:
    event_id = await an_event_of_somebody(database)
    room_id = await a_room(database)
    await a_booking(database, room_id, event_id, at(9))
    await a_booking(database, room_id, event_id, at(10, 15))

    told = await available(database, room_id, slot_minutes=slot_minutes)

    assert hours(*told.free) == free


async def test_a_closed_room_is_neither_free_nor_taken(database: Database) -> None:
    room_id = await a_room(
        database, opening_hours='{"tue": [["09:00", "12:00"], ["12:00", "13:00"], ["15:00", "16:00"]]}'
    )

    tuesday = await available(database, room_id)
    wednesday = await available(database, room_id, at(8, day=2), at(18, day=2))
    morning = await available(database, room_id, at(9), at(13))

    assert (tuesday.busy, hours(*tuesday.free)) == ((), ["09:00-13:00", "15:00-16:00"])
    assert (wednesday.busy, wednesday.free, wednesday.is_free) == ((), (), False)
    assert (tuesday.is_free, morning.is_free) == (False, True)


async def test_opening_hours_are_by_the_clock_of_the_room_over_a_change_of_it(database: Database) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    every_day = '{"sat": [["09:00", "17:00"]], "sun": [["09:00", "17:00"]]}'
    room_id = await a_room(database, tzid="Europe/Berlin", opening_hours=every_day)
    saturday = datetime(2026, 3, 28, tzinfo=berlin)

    told = await available(database, room_id, saturday.astimezone(UTC), saturday.astimezone(UTC) + timedelta(days=2))

    assert [(one.start.hour, one.end.hour) for one in told.free] == [(8, 16), (7, 15)]
    assert {one.start.astimezone(berlin).hour for one in told.free} == {9}


async def test_the_order_is_that_of_the_ids_without_those_that_are_not_there(database: Database) -> None:
    aso, fuji, gone = (
        await a_room(database, "Aso"),
        await a_room(database, "Fuji"),
        await a_room(database, "Gone", deleted_at=at(1)),
    )

    found, _ = await read.availability(database, ANYBODY, Wanted(ids=(fuji, uuid7(), gone, aso)), at(8), at(9))

    assert [one.resource.id for one in found] == [fuji, aso]


async def test_no_ids_are_no_resources_and_not_all(database: Database) -> None:
    await a_room(database)

    assert await read.availability(database, ANYBODY, Wanted(ids=()), at(8), at(9)) == ([], None)
