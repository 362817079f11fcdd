"""Who may do what: every role and every operation, private events, and people, tokens and calendars that are gone."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import msgspec
import pytest

from tests.integration.events.booker import DAY, HOUR, NINE, WEEK, Booker, a_booker, refusal
from tests.integration.rows import a_calendar, a_user, insert, viewing
from yotei.errors import Code, Problem
from yotei.events.draft import (
    AnyOperation,
    Create,
    Delete,
    Duplicate,
    EventFields,
    Invite,
    Invitee,
    Move,
    NewEvent,
    Patch,
    Replace,
    Respond,
    Restore,
    Uninvite,
    WholeEvent,
)
from yotei.storage.pool import Database
from yotei.storage.statements import Statement
from yotei.users import write as users

ANN = "ann@example.org"
WHOLE = WholeEvent(title="New", start_time=NINE, end_time=NINE + HOUR)


class Place(msgspec.Struct, frozen=True):
    """A calendar of Aiko's with an event and a deleted one, and somebody of some role, with a calendar of their own."""

    owner: Booker
    guest: Booker
    own_calendar_id: UUID
    event_id: UUID
    gone_id: UUID


OPERATIONS: dict[str, Callable[[Place], AnyOperation]] = {
    "create": lambda at: Create(
        event=NewEvent(calendar_id=at.owner.calendar_id, title="x", start_time=NINE, end_time=NINE)
    ),
    "patch": lambda at: Patch(event_id=at.event_id, event=EventFields(title="New")),
    "replace": lambda at: Replace(event_id=at.event_id, event=WHOLE),
    "delete": lambda at: Delete(event_id=at.event_id),
    "restore": lambda at: Restore(event_id=at.gone_id),
    "move": lambda at: Move(event_id=at.event_id, calendar_id=at.own_calendar_id),
    "duplicate": lambda at: Duplicate(event_id=at.event_id, calendar_id=at.own_calendar_id),
    "invite": lambda at: Invite(event_id=at.event_id, attendees=(Invitee(email="cem@example.org"),)),
    "uninvite": lambda at: Uninvite(event_id=at.event_id, email=ANN),
    "rsvp": lambda at: Respond(event_id=at.event_id, response_status="ACCEPTED"),
}
CHANGES = ("patch", "replace", "delete", "restore", "move", "invite", "uninvite")
ROLES = ("OWNER", "WRITER", "READER", "FREE_BUSY", None)


async def a_place(database: Database, role: str | None, visibility: str = "PUBLIC", *, invited: bool = False) -> Place:
    owner = await a_booker(database, "Aiko")
    user_id = await a_user(database, "Ben")
    if role is not None:
        member = {"calendar_id": owner.calendar_id, "user_id": user_id, "role": role}
        await insert(database, "calendar_members", member)
    people = (Invitee(email=ANN), *((Invitee(user_id=user_id),) if invited else ()))
    event_id = await owner.make(visibility=visibility, attendees=people)
    gone_id = await owner.make(visibility=visibility, attendees=people)
    await owner.do(Delete(event_id=gone_id))
    own = await a_calendar(database, {user_id: "OWNER"})
    return Place(owner, Booker(database, viewing(user_id), owner.calendar_id), own, event_id, gone_id)


async def outcome(place: Place, operation: str) -> str:
    try:
        await place.guest.do(OPERATIONS[operation](place))
    except Problem as problem:
        return problem.code.code
    return "done"


def expected(role: str | None, visibility: str, operation: str, *, invited: bool) -> str:
    writes = role in ("OWNER", "WRITER")
    sees = invited or (role, visibility) in {
        *(("OWNER", one) for one in ("PUBLIC", "PRIVATE", "CONFIDENTIAL")),
        *(("WRITER", one) for one in ("PUBLIC", "PRIVATE")),
        ("READER", "PUBLIC"),
    }
    if operation == "rsvp":
        return "done" if invited else "not_found"
    if operation == "create":
        return "done" if writes else "not_found" if role is None else "forbidden"
    if role is None and not sees:
        return "not_found"
    if operation == "duplicate":
        return "done" if sees else "forbidden"
    return "done" if writes and sees else "forbidden"


@pytest.mark.parametrize("invited", [False, True], ids=["not invited", "invited"])
@pytest.mark.parametrize("visibility", ["PUBLIC", "PRIVATE", "CONFIDENTIAL"])
async def test_every_role_and_every_operation(database: Database, visibility: str, invited: bool) -> None:
    found: dict[tuple[str | None, str], str] = {}
    wanted: dict[tuple[str | None, str], str] = {}

    for role in ROLES:
        for operation in OPERATIONS:
            place = await a_place(database, role, visibility, invited=invited)
            before = await place.owner.event(place.event_id)
            found[role, operation] = await outcome(place, operation)
            wanted[role, operation] = expected(role, visibility, operation, invited=invited)
            if found[role, operation] != "done":
                assert await place.owner.event(place.event_id) == before, (role, operation)

    assert found == wanted


async def test_a_member_who_was_taken_out_changes_nothing_more_not_even_what_they_organise(database: Database) -> None:
    place = await a_place(database, "WRITER")
    mine = await place.guest.make()
    gone = Statement(
        name="tests.gone",
        purpose="a premise",
        sql="delete from calendar_members where calendar_id = $1 and user_id = $2",
    )
    await database.execute(gone, place.owner.calendar_id, place.guest.viewer.user_id)

    others = [await outcome(place, operation) for operation in CHANGES]
    own = await refusal(place.guest.patch(mine, title="New"))

    assert set(others) == {"not_found"}
    assert own.code is Code.FORBIDDEN


@pytest.mark.parametrize("role", ["OWNER", None])
async def test_in_a_deleted_calendar_nothing_is_there(database: Database, role: str | None) -> None:
    place = await a_place(database, role, invited=True)
    gone = Statement(
        name="tests.gone", purpose="a premise", sql="update calendars set deleted_at = now() where id = $1"
    )
    await database.execute(gone, place.owner.calendar_id)

    found = {operation: await outcome(place, operation) for operation in OPERATIONS}

    assert set(found.values()) == {"not_found"}


async def test_into_a_calendar_one_may_not_write_nothing_is_put(database: Database) -> None:
    place = await a_place(database, "OWNER")
    theirs = await a_booker(database, "Cem")
    reading = await a_calendar(database, {theirs.viewer.user_id: "OWNER", place.guest.viewer.user_id: "READER"})

    codes = [
        (await refusal(place.guest.do(operation(event_id=place.event_id, calendar_id=calendar_id)))).code
        for calendar_id in (theirs.calendar_id, reading)
        for operation in (Move, Duplicate)
    ]

    assert codes == [Code.NOT_FOUND] * 2 + [Code.FORBIDDEN] * 2


@pytest.mark.parametrize("scopes", [frozenset({"read"}), frozenset[str]()])
async def test_a_token_that_only_reads_writes_nothing(database: Database, scopes: frozenset[str]) -> None:
    place = await a_place(database, "OWNER", invited=True)
    reading = msgspec.structs.replace(
        place, guest=msgspec.structs.replace(place.guest, viewer=viewing(place.guest.viewer.user_id, scopes=scopes))
    )

    found = {operation: await outcome(reading, operation) for operation in OPERATIONS}

    assert set(found.values()) == {"forbidden"}


async def test_an_exception_that_is_hidden_is_not_changed_by_way_of_its_series(database: Database) -> None:
    place = await a_place(database, "WRITER")
    series = await place.owner.make(rrule="FREQ=WEEKLY;COUNT=3")
    hidden = await place.owner.patch(series, recurrence_id=NINE + WEEK, visibility="CONFIDENTIAL", title="Secret")

    refused = [
        await refusal(place.guest.patch(series, recurrence_id=NINE + WEEK, title="New")),
        await refusal(place.guest.do(Delete(event_id=series, recurrence_id=NINE + WEEK))),
        await refusal(place.guest.do(Duplicate(event_id=series, recurrence_id=NINE + WEEK))),
    ]

    assert {one.code for one in refused} == {Code.FORBIDDEN}
    assert (await place.owner.event(hidden)).title == "Secret"


async def test_a_series_that_is_hidden_is_not_changed_by_way_of_an_exception(database: Database) -> None:
    place = await a_place(database, "WRITER")
    series = await place.owner.make(rrule="FREQ=WEEKLY;COUNT=3", visibility="CONFIDENTIAL")
    shown = await place.owner.patch(series, recurrence_id=NINE + WEEK, visibility="PUBLIC")

    refused = [
        await refusal(place.guest.patch(shown, scope="all", title="New")),
        await refusal(place.guest.patch(shown, scope="following", title="New")),
        await refusal(place.guest.do(Delete(event_id=shown, scope="all"))),
        await refusal(place.guest.do(Delete(event_id=shown, scope="following"))),
    ]
    await place.guest.patch(shown, title="New")

    assert {one.code for one in refused} == {Code.FORBIDDEN}
    assert (await place.owner.event(series)).title == "Planning"


async def test_an_erased_person_is_invited_no_more_and_their_events_go_on(database: Database) -> None:
    admin = msgspec.structs.replace(viewing(await a_user(database, "Root", is_admin=True)), is_admin=True)
    place = await a_place(database, "WRITER", invited=True)
    mine = await place.guest.make(attendees=(Invitee(user_id=place.guest.viewer.user_id),))

    async def erase(tx: Any) -> None:
        await users.erase(tx, admin, place.guest.viewer.user_id)

    await database.run(erase)
    by_id = await refusal(place.owner.make(attendees=(Invitee(user_id=place.guest.viewer.user_id),)))
    by_address = await place.owner.make(attendees=(Invitee(email=f"{place.guest.viewer.user_id}@example.org"),))
    await place.owner.patch(mine, start_time=NINE + DAY)
    await place.owner.patch(place.event_id, start_time=NINE + DAY)

    assert by_id.code is Code.NOT_FOUND
    assert [one.user for one in (await place.owner.event(by_address)).attendees or ()] == [None]
    assert (await place.owner.event(mine)).organizer_name == "Erased user"
