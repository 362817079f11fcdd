"""People: who sees them, who adds, shuts out and erases them."""

import asyncio
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID

import pytest

from tests.conftest import Budget
from tests.integration.rows import a_calendar, a_user, an_event, insert, viewing
from yotei.calendars import read as calendars
from yotei.calendars.write import add_user, install_user
from yotei.errors import Code, Problem
from yotei.storage.ids import uuid7
from yotei.storage.pool import Database
from yotei.storage.statements import Statement
from yotei.users import read, write
from yotei.users.user import ERASED_NAME, NewUser, Viewer

NOW = datetime(2026, 12, 1, tzinfo=UTC)


def admin_viewing(user_id: UUID) -> Viewer:
    return Viewer(user_id, "UTC", True, frozenset({"read", "write", "admin"}), None)


async def test_people_come_in_the_order_asked_for_in_one_statement(database: Database, budget: Budget) -> None:
    aiko, ben = await a_user(database, "Aiko"), await a_user(database, "Ben")

    with budget(statements=1):
        found = await read.get_many(database, viewing(aiko), [ben, uuid7(), aiko, ben])

    assert [one and one.name for one in found] == ["Ben", None, "Aiko", "Ben"]


async def test_nobody_is_not_found(database: Database) -> None:
    aiko = await a_user(database)

    with pytest.raises(Problem) as refused:
        await read.get(database, viewing(aiko), uuid7())

    assert refused.value.code is Code.NOT_FOUND


async def test_the_pages_of_all_people_hold_each_once(database: Database, budget: Budget) -> None:
    ids = [await a_user(database, is_admin=True) for _ in range(5)]
    pages: list[list[UUID]] = []
    after: read.After | None = None

    with budget(statements=3):
        for _ in range(3):
            page, after = await read.list_all(database, admin_viewing(ids[0]), after=after, limit=2)
            pages.append([one.id for one in page])

    assert pages == [ids[:2], ids[2:4], ids[4:]]
    assert after is None


async def test_only_administrators_list_add_shut_out_and_erase(database: Database) -> None:
    aiko, ben = await a_user(database), await a_user(database)
    tries = [
        read.list_all(database, viewing(aiko), after=None, limit=1),
        database.run(partial(add_user, viewer=viewing(aiko), new=NewUser(email="c@example.org", name="C"))),
        database.run(partial(write.deactivate, viewer=viewing(aiko), user_id=ben)),
        database.run(partial(write.reactivate, viewer=viewing(aiko), user_id=ben)),
        database.run(partial(write.erase, viewer=viewing(aiko), user_id=ben)),
    ]

    failures = await asyncio.gather(*tries, return_exceptions=True)

    assert [isinstance(one, Problem) and one.code for one in failures] == [Code.FORBIDDEN] * 5


async def test_a_new_person_owns_a_personal_calendar(database: Database) -> None:
    admin = await a_user(database, is_admin=True)

    aiko = await database.run(
        partial(
            add_user,
            viewer=admin_viewing(admin),
            new=NewUser(email=" Aiko@Example.org", name="Aiko", tzid="Asia/Tokyo"),
        )
    )

    profile = await read.get(database, viewing(aiko), aiko)
    [calendar], _ = await calendars.list_for(database, viewing(aiko), after=None, limit=10)
    assert (profile.email, profile.is_active) == ("aiko@example.org", True)
    assert (calendar.name, calendar.tzid, calendar.is_personal, calendar.role.value) == (
        "Aiko",
        "Asia/Tokyo",
        True,
        "OWNER",
    )


async def test_of_two_who_add_the_same_address_at_once_one_is_told_so(database: Database) -> None:
    admin = admin_viewing(await a_user(database, is_admin=True))

    made = await asyncio.gather(
        database.run(partial(add_user, viewer=admin, new=NewUser(email="aiko@example.org", name="One"))),
        database.run(partial(add_user, viewer=admin, new=NewUser(email="AIKO@example.org", name="Two"))),
        return_exceptions=True,
    )

    [problem] = [one for one in made if isinstance(one, Problem)]
    assert problem.code is Code.ALREADY_EXISTS
    assert [fault.field for fault in problem.faults] == ["body.email"]


async def test_of_two_set_ups_at_once_one_makes_the_first_administrator(database: Database) -> None:
    made = await asyncio.gather(
        install_user(database, NewUser(email="a@example.org", name="A"), first_admin=True),
        install_user(database, NewUser(email="b@example.org", name="B"), first_admin=True),
        return_exceptions=True,
    )

    [problem] = [one for one in made if isinstance(one, Problem)]
    assert problem.code is Code.CONFLICT


async def test_the_last_administrator_stays_and_nobody_shuts_out_themself(database: Database) -> None:
    admin = await a_user(database, is_admin=True)

    with pytest.raises(Problem) as erased:
        await database.run(partial(write.erase, viewer=admin_viewing(admin), user_id=admin))
    with pytest.raises(Problem) as deactivated:
        await database.run(partial(write.deactivate, viewer=admin_viewing(admin), user_id=admin))

    assert (erased.value.code, deactivated.value.code) == (Code.CONFLICT, Code.CONFLICT)


async def test_two_administrators_cannot_shut_each_other_out(database: Database) -> None:
    one, two = await a_user(database, is_admin=True), await a_user(database, is_admin=True)

    done = await asyncio.gather(
        database.run(partial(write.deactivate, viewer=admin_viewing(one), user_id=two)),
        database.run(partial(write.deactivate, viewer=admin_viewing(two), user_id=one)),
        return_exceptions=True,
    )

    assert sum(isinstance(each, Problem) for each in done) == 1
    active = [each and each.is_active for each in await read.get_many(database, admin_viewing(one), [one, two])]
    assert sorted(map(bool, active)) == [False, True]


async def test_erasing_leaves_nothing_that_says_who_it_was(every_database: Database) -> None:
    database = every_database
    admin = await a_user(database, "Ben", is_admin=True)
    aiko = await database.run(
        partial(add_user, viewer=admin_viewing(admin), new=NewUser(email="aiko@example.org", name="Aiko Tanaka"))
    )
    calendar = await a_calendar(database, {admin: "OWNER"})
    event = await an_event(database, calendar, admin, NOW)
    for address, user_id in (("aiko@example.org", None), ("tanaka@example.com", aiko)):
        await insert(
            database,
            "attendees",
            {"event_id": event, "email": address, "user_id": user_id, "name": "Aiko Tanaka", "comment": "Aiko here"},
        )
    await insert(database, "event_user_state", {"user_id": aiko, "event_id": event})

    await database.run(partial(write.erase, viewer=admin_viewing(admin), user_id=aiko))

    everything = Statement(
        name="tests.everything",
        purpose="all text of all rows",
        sql="""select coalesce(string_agg(t, ' '), '') as t from (
            select users::text as t from users union all select attendees::text from attendees
            union all select calendars::text from calendars
            union all select event_user_state::text from event_user_state
            union all select tokens::text from tokens) rows""",
    )
    row = await database.fetchrow(everything)
    assert row is not None
    assert [word for word in ("aiko", "tanaka") if word in row["t"].lower()] == []
    profile = await read.get(database, viewing(admin), aiko)
    assert (profile.name, profile.email, profile.is_active) == (ERASED_NAME, None, False)
    assert await calendars.list_for(database, viewing(aiko), after=None, limit=10) == ([], None)


async def test_erasing_twice_is_as_once_and_cannot_be_undone(database: Database) -> None:
    admin, ben = await a_user(database, is_admin=True), await a_user(database)
    await database.run(partial(write.erase, viewer=admin_viewing(admin), user_id=ben))
    before = await read.get(database, viewing(admin), ben)

    await database.run(partial(write.erase, viewer=admin_viewing(admin), user_id=ben))
    with pytest.raises(Problem) as refused:
        await database.run(partial(write.reactivate, viewer=admin_viewing(admin), user_id=ben))

    assert await read.get(database, viewing(admin), ben) == before
    assert refused.value.code is Code.NOT_FOUND


async def test_of_two_administrators_who_are_erased_at_once_one_stays(database: Database) -> None:
    one, two = await a_user(database, is_admin=True), await a_user(database, is_admin=True)

    done = await asyncio.gather(
        database.run(partial(write.erase, viewer=admin_viewing(one), user_id=one)),
        database.run(partial(write.erase, viewer=admin_viewing(two), user_id=two)),
        return_exceptions=True,
    )

    assert [each.code for each in done if isinstance(each, Problem)] == [Code.CONFLICT]
    active = [each and each.is_admin for each in await read.get_many(database, viewing(one), [one, two])]
    assert sorted(map(bool, active)) == [False, True]


async def test_a_deactivated_administrator_is_not_one_who_stays(database: Database) -> None:
    admin = await a_user(database, is_admin=True)
    await a_user(database, is_admin=True, deactivated_at=NOW)

    with pytest.raises(Problem) as refused:
        await database.run(partial(write.erase, viewer=admin_viewing(admin), user_id=admin))

    assert refused.value.code is Code.CONFLICT


async def test_no_text_of_any_table_says_who_was_erased(database: Database) -> None:
    admin = await a_user(database, "Ben", is_admin=True)
    new = NewUser("aiko@example.org", "Aiko Tanaka", avatar_url="https://example.org/aiko.png")
    aiko = await database.run(partial(add_user, viewer=admin_viewing(admin), new=new))
    calendar = await a_calendar(database, {admin: "OWNER", aiko: "WRITER"})
    event = await an_event(database, calendar, aiko, NOW)
    await insert(database, "attendees", {"event_id": event, "email": "aiko@example.org", "name": "Aiko Tanaka"})
    before = await tables_that_say(database, "aiko")

    await database.run(partial(write.erase, viewer=admin_viewing(admin), user_id=aiko))

    assert before == ["attendees", "calendars", "users"]
    assert await tables_that_say(database, "aiko") == []
    assert await tables_that_say(database, "tanaka") == []


async def test_erasing_takes_the_lines_of_files_that_name_them_and_leaves_the_others(every_database: Database) -> None:
    database = every_database
    admin = await a_user(database, "Ben", is_admin=True)
    aiko = await database.run(
        partial(add_user, viewer=admin_viewing(admin), new=NewUser(email="aiko@example.org", name="Aiko Tanaka"))
    )
    calendar = await a_calendar(database, {admin: "OWNER"})
    lines = [
        "BEGIN:VALARM",
        "ATTENDEE:mailto:Aiko@Example.org",
        "ATTENDEE;CN=Ben:mailto:ben@example.org",
        "END:VALARM",
        'ORGANIZER;CN="Tanaka":MAILTO:AIKO@EXAMPLE.ORG',
        "X-CONTACT:tanaka@example.com\\, or by phone",
        "X-COLOUR:red",
    ]
    event = await an_event(database, calendar, admin, NOW, properties=lines, description="Bring cake")
    await insert(database, "attendees", {"event_id": event, "email": "tanaka@example.com", "user_id": aiko})

    await database.run(partial(write.erase, viewer=admin_viewing(admin), user_id=aiko))

    row = await database.fetchrow(_words, event)
    assert row is not None
    assert row["properties"] == [lines[0], lines[2], lines[3], lines[6]]
    assert (row["title"], row["description"]) == ("Planning", "Bring cake")


async def test_erasing_takes_the_words_of_the_personal_calendar_even_of_deleted_events(database: Database) -> None:
    admin = await a_user(database, "Ben", is_admin=True)
    aiko = await database.run(
        partial(add_user, viewer=admin_viewing(admin), new=NewUser(email="aiko@example.org", name="Aiko Tanaka"))
    )
    [personal], _ = await calendars.list_for(database, viewing(aiko), after=None, limit=10)
    said: dict[str, Any] = {
        "title": "Doctor",
        "description": "d",
        "location": "l",
        "url": "https://u",
        "properties": ["X-A:b"],
    }
    events = [
        await an_event(database, personal.id, aiko, NOW, **said),
        await an_event(database, personal.id, aiko, NOW, **said, deleted_at=NOW),
    ]

    await database.run(partial(write.erase, viewer=admin_viewing(admin), user_id=aiko))

    for event in events:
        row = await database.fetchrow(_words, event)
        assert row is not None
        assert tuple(row) == ("(erased)", None, None, None, [])


_words = Statement(
    name="tests.words",
    purpose="what an event says",
    sql="select title, description, location, url, properties from events where id = $1",
)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"email": "nobody"}, "body.email"),
        ({"name": "   "}, "body.name"),
        ({"name": "x" * 201}, "body.name"),
        ({"tzid": "Mars/Olympus"}, "body.tzid"),
        ({"avatar_url": "javascript:alert(1)"}, "body.avatar_url"),
    ],
)
async def test_a_person_that_cannot_be_is_refused_by_the_field_and_leaves_nothing(
    database: Database, fields: dict[str, str], field: str
) -> None:
    admin = await a_user(database, is_admin=True)

    with pytest.raises(Problem) as refused:
        new = NewUser(**{"email": "c@example.org", "name": "C", **fields})  # type: ignore[arg-type]
        await database.run(partial(add_user, viewer=admin_viewing(admin), new=new))

    everybody, _ = await read.list_all(database, admin_viewing(admin), after=None, limit=10)
    assert [fault.field for fault in refused.value.faults] == [field]
    assert [one.id for one in everybody] == [admin]


async def test_shutting_out_and_letting_in_twice_is_as_once_and_nobody_is_not_found(database: Database) -> None:
    admin, ben = await a_user(database, is_admin=True), await a_user(database)
    steps = [(write.deactivate, False), (write.deactivate, False), (write.reactivate, True), (write.reactivate, True)]

    for step, is_active in steps:
        await step(database, admin_viewing(admin), ben)

        assert (await read.get(database, viewing(admin), ben)).is_active is is_active
    for refusing in (write.deactivate, write.reactivate, write.erase):
        with pytest.raises(Problem) as refused:
            await refusing(database, admin_viewing(admin), uuid7())
        assert refused.value.code is Code.NOT_FOUND


async def tables_that_say(database: Database, word: str) -> list[str]:
    """The tables that have the word in any row, whatever the column, whatever the case."""
    all_tables = Statement(
        name="tests.tables", purpose="all of them", sql="select tablename from pg_tables where schemaname = 'public'"
    )
    found = []
    for table in sorted(row["tablename"] for row in await database.fetch(all_tables)):
        sql = f"select count(*) as n from {table} t where t::text ilike '%' || $1::text || '%'"  # noqa: S608
        row = await database.fetchrow(Statement(name="tests.say", purpose="who is told of", sql=sql), word)
        assert row is not None
        if row["n"]:
            found.append(table)
    return found
