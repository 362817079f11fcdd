"""Calendars: who knows of them, who shares them, who is shown as a member."""

import asyncio
from datetime import UTC, datetime
from functools import partial

import pytest

from tests.conftest import Budget
from tests.integration.rows import a_calendar, a_user, viewing
from yotei.calendars import read
from yotei.calendars.calendar import NewCalendar, Role
from yotei.calendars.write import create, put_member
from yotei.errors import Code, Problem
from yotei.storage.ids import uuid7
from yotei.storage.pool import Database
from yotei.storage.statements import Statement
from yotei.users.user import Viewer

ERASED = datetime(2026, 12, 1, tzinfo=UTC)
DELETE = Statement(
    name="tests.delete", purpose="a premise", sql="update calendars set deleted_at = now() where id = $1"
)


async def test_calendars_come_in_the_order_asked_for_in_one_statement(database: Database, budget: Budget) -> None:
    aiko = await a_user(database)
    one = await a_calendar(database, {aiko: "OWNER"}, name="One")
    two = await a_calendar(database, {aiko: "READER"}, name="Two")

    with budget(statements=1):
        found = await read.get_many(database, viewing(aiko), [two, uuid7(), one])

    assert [calendar and (calendar.name, calendar.role) for calendar in found] == [
        ("Two", Role.READER),
        None,
        ("One", Role.OWNER),
    ]


async def test_pages_are_by_name_and_id_and_hold_each_calendar_once(database: Database, budget: Budget) -> None:
    aiko = await a_user(database)
    ids = [await a_calendar(database, {aiko: "OWNER"}, name=name) for name in ("A", "B", "B", "B", "C")]
    pages = []
    after: read.After | None = None

    with budget(statements=3):
        for _ in range(3):
            page, after = await read.list_for(database, viewing(aiko), after=after, limit=2)
            pages.append([calendar.id for calendar in page])

    assert pages == [ids[:2], ids[2:4], ids[4:]]
    assert after is None


@pytest.mark.parametrize("is_admin", [False, True])
async def test_a_calendar_of_others_does_not_exist_for_administrators_either(
    database: Database, is_admin: bool
) -> None:
    aiko, ben = await a_user(database), await a_user(database, is_admin=is_admin)
    hidden = await a_calendar(database, {aiko: "OWNER"})
    viewer = Viewer(ben, "UTC", is_admin, frozenset({"read", "write", "admin"}), None)

    with pytest.raises(Problem) as refused:
        await read.get(database, viewer, hidden)
    with pytest.raises(Problem) as not_there:
        await read.get(database, viewer, uuid7())
    with pytest.raises(Problem) as not_shared:
        await database.run(partial(put_member, viewer=viewer, calendar_id=hidden, user_id=ben, role=Role.OWNER))

    assert refused.value.code is not_there.value.code is not_shared.value.code is Code.NOT_FOUND
    assert refused.value.detail == not_there.value.detail == not_shared.value.detail
    assert await read.members(database, viewer, [hidden]) == [None]


async def test_a_deleted_calendar_is_not_found(database: Database) -> None:
    aiko = await a_user(database)
    gone = await a_calendar(database, {aiko: "OWNER"})
    await database.execute(DELETE, gone)

    with pytest.raises(Problem) as refused:
        await database.run(partial(put_member, viewer=viewing(aiko), calendar_id=gone, user_id=aiko, role=Role.OWNER))

    assert refused.value.code is Code.NOT_FOUND
    assert await read.get_many(database, viewing(aiko), [gone]) == [None]
    assert await read.members(database, viewing(aiko), [gone]) == [None]
    assert await read.list_for(database, viewing(aiko), after=None, limit=10) == ([], None)


@pytest.mark.parametrize(
    ("role", "shown"),
    [
        ("WRITER", ["Chie", "Aiko", "Ben"]),
        ("READER", ["Chie", "Aiko", "Ben"]),
        ("FREE_BUSY", ["Chie"]),
    ],
)
async def test_owners_come_first_and_alone_for_those_who_see_busy_times_only(
    database: Database, role: str, shown: list[str]
) -> None:
    aiko, ben, chie = [await a_user(database, name) for name in ("Aiko", "Ben", "Chie")]
    calendar = await a_calendar(database, {aiko: role, ben: "FREE_BUSY", chie: "OWNER"})

    [members] = await read.members(database, viewing(aiko), [calendar])

    assert members is not None
    assert [member.user.name for member in members] == shown


async def test_members_of_many_calendars_are_one_statement_each_bounded(database: Database, budget: Budget) -> None:
    people = [await a_user(database, f"Person {n}") for n in range(4)]
    viewer = viewing(people[0])
    roles = {people[0]: "OWNER"} | dict.fromkeys(people[1:], "READER")
    calendars = [await a_calendar(database, roles) for _ in range(5)]

    with budget(statements=1):
        found = await read.members(database, viewer, calendars, 3)

    assert [members and len(members) for members in found] == [3] * 5


async def test_who_makes_a_calendar_owns_it(database: Database) -> None:
    aiko = await a_user(database)

    made = await database.run(partial(create, viewer=viewing(aiko, tzid="Asia/Tokyo"), new=NewCalendar(" Team ")))

    calendar = await read.get(database, viewing(aiko), made)
    assert (calendar.name, calendar.tzid, calendar.role, calendar.is_personal) == (
        "Team",
        "Asia/Tokyo",
        Role.OWNER,
        False,
    )


@pytest.mark.parametrize("role", ["WRITER", "READER", "FREE_BUSY"])
async def test_only_an_owner_shares(database: Database, role: str) -> None:
    aiko, ben = await a_user(database), await a_user(database)
    calendar = await a_calendar(database, {aiko: "OWNER", ben: role})

    with pytest.raises(Problem) as refused:
        await database.run(partial(put_member, viewer=viewing(ben), calendar_id=calendar, user_id=ben, role=Role.OWNER))

    assert refused.value.code is Code.FORBIDDEN


async def test_sharing_again_changes_the_role(database: Database) -> None:
    aiko, ben = await a_user(database), await a_user(database)
    calendar = await a_calendar(database, {aiko: "OWNER"})

    await database.run(partial(put_member, viewer=viewing(aiko), calendar_id=calendar, user_id=ben, role=Role.READER))
    await database.run(partial(put_member, viewer=viewing(aiko), calendar_id=calendar, user_id=ben, role=Role.WRITER))

    assert (await read.get(database, viewing(ben), calendar)).role is Role.WRITER


async def test_a_token_that_only_reads_neither_makes_nor_shares(database: Database) -> None:
    aiko = await a_user(database)
    calendar = await a_calendar(database, {aiko: "OWNER"})
    reader = viewing(aiko, scopes=frozenset({"read"}))

    failures = await asyncio.gather(
        database.run(partial(create, viewer=reader, new=NewCalendar("X"))),
        database.run(partial(put_member, viewer=reader, calendar_id=calendar, user_id=aiko, role=Role.OWNER)),
        return_exceptions=True,
    )

    assert [isinstance(one, Problem) and one.code for one in failures] == [Code.FORBIDDEN] * 2


async def test_the_last_owner_stays(database: Database) -> None:
    aiko = await a_user(database)
    calendar = await a_calendar(database, {aiko: "OWNER"})

    with pytest.raises(Problem) as refused:
        await database.run(
            partial(put_member, viewer=viewing(aiko), calendar_id=calendar, user_id=aiko, role=Role.READER)
        )

    assert refused.value.code is Code.CONFLICT


async def test_of_two_owners_who_step_each_other_down_one_is_too_late(database: Database) -> None:
    aiko, ben = await a_user(database), await a_user(database)
    calendar = await a_calendar(database, {aiko: "OWNER", ben: "OWNER"})

    done = await asyncio.gather(
        database.run(partial(put_member, viewer=viewing(aiko), calendar_id=calendar, user_id=ben, role=Role.READER)),
        database.run(partial(put_member, viewer=viewing(ben), calendar_id=calendar, user_id=aiko, role=Role.READER)),
        return_exceptions=True,
    )

    assert [one.code for one in done if isinstance(one, Problem)] == [Code.FORBIDDEN]


async def test_sharing_with_nobody_is_refused(database: Database) -> None:
    aiko = await a_user(database)
    calendar = await a_calendar(database, {aiko: "OWNER"})

    with pytest.raises(Problem) as refused:
        await database.run(
            partial(put_member, viewer=viewing(aiko), calendar_id=calendar, user_id=uuid7(), role=Role.READER)
        )

    assert refused.value.code is Code.NOT_FOUND


async def test_of_two_owners_who_step_down_at_once_one_stays(database: Database) -> None:
    aiko, ben = await a_user(database), await a_user(database)
    calendar = await a_calendar(database, {aiko: "OWNER", ben: "OWNER"})

    done = await asyncio.gather(
        database.run(partial(put_member, viewer=viewing(aiko), calendar_id=calendar, user_id=aiko, role=Role.READER)),
        database.run(partial(put_member, viewer=viewing(ben), calendar_id=calendar, user_id=ben, role=Role.READER)),
        return_exceptions=True,
    )

    [members] = await read.members(database, viewing(aiko), [calendar])
    assert members is not None
    assert [one.code for one in done if isinstance(one, Problem)] == [Code.CONFLICT]
    assert [member.role for member in members] == [Role.OWNER, Role.READER]


async def test_an_erased_member_has_no_address(database: Database) -> None:
    aiko = await a_user(database)
    gone = await a_user(database, "Erased user", deactivated_at=ERASED, erased_at=ERASED)
    calendar = await a_calendar(database, {aiko: "OWNER", gone: "READER"})

    [members] = await read.members(database, viewing(aiko), [calendar])

    assert members is not None
    assert [(member.user.id, member.user.email) for member in members[1:]] == [(gone, None)]


@pytest.mark.parametrize("name", ["", "   ", "x" * 201])
async def test_a_calendar_needs_a_name(database: Database, name: str) -> None:
    aiko = await a_user(database)

    with pytest.raises(Problem) as refused:
        await database.run(partial(create, viewer=viewing(aiko), new=NewCalendar(name)))

    assert [fault.field for fault in refused.value.faults] == ["body.name"]
