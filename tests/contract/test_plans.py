"""The plan of every hot statement on filled tables: its index, led by the right columns, and no big table read whole.

`docs/indexes.md` names the test of each index. A plan is asked for twice, as PostgreSQL makes it for any parameters,
which is what our role asks for, and as it makes it for these, which it may where the role has lost its settings (they
are not part of a dump); and on every supported version that is here.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg
import msgspec
import pytest

from tests.conftest import PostgresFactory
from tests.filled import SMALL, Connection, Kind, fill, id_of
from tests.integration.rows import a_calendar, a_user, an_event, viewing
from yotei.events.access import FULL
from yotei.events.write import answer_invitation
from yotei.storage import statements
from yotei.storage.pool import Database
from yotei.storage.statements import Statement

NOW: Final = datetime.now(UTC)
MONTH_START: Final = NOW.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
MONTH_END: Final = (MONTH_START + timedelta(days=32)).replace(day=1)
BIG_ROWS: Final = 1_000
"""Nothing asked for in a request may read a table of more rows from end to end; `resources` has a few pages."""
SPAN: Final = ("calendar_id", "span_end", "start_time")
INVITED: Final = ("user_id", "span_end", "start_time")
MODES: Final = ("force_custom_plan", "force_generic_plan")

EVENTS: Final = statements.load("yotei.events")
RESOURCES: Final = statements.load("yotei.resources")
SCHEDULING: Final = statements.load("yotei.scheduling")
CALENDARS: Final = statements.load("yotei.calendars")
USERS: Final = statements.load("yotei.users")
STORAGE: Final = statements.load("yotei.storage")


class Scan(msgspec.Struct, frozen=True):
    """A node of a plan that reads a table; `condition` is what leads the index, filters are not in it."""

    table: str | None
    index: str | None
    condition: str


class Plan(msgspec.Struct, frozen=True):
    mode: str
    scans: tuple[Scan, ...]
    big: frozenset[str]

    def reads_whole(self) -> set[str]:
        """Big tables that are read from end to end, or in the order of an index that nothing leads."""
        return {str(one.table) for one in self.scans if one.table in self.big and not one.condition}

    def led_by(self, index: str) -> list[str]:
        return [one.condition for one in self.scans if one.index and one.index.endswith(index)]


@pytest.fixture(scope="session")
def filled_urls() -> dict[int, str]:
    """The filled database of each server that was asked for one."""
    return {}


@pytest.fixture
async def connection(every_postgres: PostgresFactory, filled_urls: dict[int, str]) -> AsyncIterator[Connection]:
    """A session on the filled database of each supported PostgreSQL."""
    if every_postgres.major not in filled_urls:
        url = await every_postgres.migrated()
        async with _session(url) as filling:
            await fill(filling, SMALL, NOW)
        filled_urls[every_postgres.major] = url
    async with _session(filled_urls[every_postgres.major]) as opened:
        yield opened


@asynccontextmanager
async def _session(url: str) -> AsyncGenerator[Connection]:
    opened = await asyncpg.connect(url)
    try:
        yield opened
    finally:
        await opened.close()


def user(number: int) -> UUID:
    """The owner of the busy calendar of this number, who is also in nine others."""
    return id_of(Kind.USER, number * SMALL.spread)


def calendar(number: int) -> UUID:
    """A calendar with 50 events a month, and three years of them."""
    return id_of(Kind.CALENDAR, number * SMALL.spread)


def event(number: int) -> UUID:
    return id_of(Kind.EVENT, number)


def select_events(
    viewer: int,
    *,
    calendars: Sequence[int] = (),
    with_agenda: bool = False,
    events: Sequence[int] = (),
    start: datetime = MONTH_START,
    end: datetime = MONTH_END,
    along: Sequence[UUID] | None = None,
) -> tuple[object, ...]:
    """The parameters in the order of `yotei.events.rows.select_events`."""
    return (
        user(viewer),
        [calendar(one) for one in calendars],
        with_agenda,
        [event(one) for one in events],
        start,
        end,
        start,
        end,
        10_000,
        along,
        along,
        along,
        False,
    )


async def plans(connection: Connection, statement: Statement, *parameters: object) -> list[Plan]:
    """Its plan for these parameters, and its plan for any."""
    return [await plan(connection, mode, statement, *parameters) for mode in MODES]


async def plan(connection: Connection, mode: str, statement: Statement, *parameters: object) -> Plan:
    """`mode` is a value of `plan_cache_mode`."""
    async with prepared(connection, statement, parameters, mode=mode) as execute:
        text = await connection.fetchval(f"explain (format json) {execute}")
    big = await connection.fetch("select relname from pg_class where relkind = 'r' and reltuples > $1", BIG_ROWS)
    return Plan(mode, tuple(_scans(msgspec.json.decode(text)[0]["Plan"])), frozenset(row["relname"] for row in big))


@asynccontextmanager
async def prepared(
    connection: Connection, statement: Statement, parameters: Sequence[object], *, mode: str | None = None
) -> AsyncGenerator[str]:
    """The statement, prepared; gives the SQL that executes it. EXPLAIN takes no parameters of the protocol. `mode`
    None: as the role has it."""
    await connection.execute(f"set plan_cache_mode = {mode}" if mode else "reset plan_cache_mode")
    await connection.execute(f"prepare asked as {statement.sql}")
    try:
        yield f"execute asked ({', '.join(literal(one) for one in parameters)})"
    finally:
        await connection.execute("deallocate asked")


def _scans(node: Mapping[str, Any]) -> Iterator[Scan]:
    if "Scan" in node["Node Type"] and ("Relation Name" in node or "Index Name" in node):
        condition = node.get("Index Cond", node.get("Recheck Cond", ""))
        yield Scan(node.get("Relation Name"), node.get("Index Name"), condition)
    for below in node.get("Plans", ()):
        yield from _scans(below)


def literal(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool() | int():
            return str(value).lower()
        case bytes():
            return f"'\\x{value.hex()}'"
        case list():
            return f"'{{{','.join(str(one) for one in value)}}}'"
        case _:
            return f"'{value}'"


def check(found: Sequence[Plan], **indexes: Sequence[str]) -> None:
    """Every plan uses each index, every time led by these columns at least, and reads nothing big from end to end."""
    for one in found:
        assert one.reads_whole() == set(), one
        for index, columns in indexes.items():
            conditions = one.led_by(index)
            assert conditions, (index, one)
            assert all(column in led for led in conditions for column in columns), (index, conditions, one.mode)


async def test_a_list_is_led_by_calendar_end_and_start_at_once(connection: Connection) -> None:
    found = await plans(connection, EVENTS["select_events"], *select_events(3, calendars=[3]))

    check(found, events_calendar_span=SPAN)


async def test_no_other_index_leads_to_the_events_of_a_calendar_or_of_an_organizer(connection: Connection) -> None:
    # Not knowing the window, the planner thinks a ninth of a calendar is asked for, and any index on it nearly as good.
    rows = await connection.fetch(
        """select i.indexrelid::regclass::text as name from pg_index i
           join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
           where i.indrelid = 'events'::regclass and a.attname in ('calendar_id', 'organizer_id')"""
    )

    assert {row["name"] for row in rows} == {"events_calendar_span", "events_organizer_span"}


async def test_a_list_of_two_years_ago_is_led_by_calendar_end_and_start_at_once(connection: Connection) -> None:
    then = timedelta(days=730)

    found = await plans(
        connection,
        EVENTS["select_events"],
        *select_events(3, calendars=[3], start=MONTH_START - then, end=MONTH_END - then),
    )

    check(found, events_calendar_span=SPAN)


async def test_what_a_list_shows_of_its_events_is_read_by_event(connection: Connection) -> None:
    found = await plans(connection, EVENTS["select_events"], *select_events(3, calendars=[3]))

    check(
        found,
        attendees_pkey=["event_id"],
        reservations_event=["event_id"],
        events_series=["series_id"],
        users_pkey=["id"],
        calendar_members_pkey=["user_id"],
    )


async def test_what_events_bring_along_is_read_by_key(connection: Connection) -> None:
    found = await plans(connection, EVENTS["select_events"], *select_events(3, calendars=[3], along=[user(5)]))

    check(
        found,
        attendees_pkey=["event_id"],
        reservations_event=["event_id"],
        users_pkey=["id"],
        calendars_pkey=["id"],
    )


async def test_a_list_of_ten_calendars_is_led_by_calendar_end_and_start_at_once(connection: Connection) -> None:
    calendars = [70 - 7 * n for n in range(10)]

    found = await plans(connection, EVENTS["select_events"], *select_events(70, calendars=calendars))

    check(found, events_calendar_span=SPAN)


async def test_an_agenda_is_led_by_calendar_organizer_and_invitation(connection: Connection) -> None:
    found = await plans(connection, EVENTS["select_events"], *select_events(70, with_agenda=True))

    check(
        found,
        events_calendar_span=SPAN,
        events_organizer_span=("organizer_id", "span_end", "start_time"),
        attendees_user_span=INVITED,
    )


@pytest.mark.parametrize("count", [1, 100])
async def test_events_by_id_are_read_by_key(connection: Connection, count: int) -> None:
    events = [n * 1_000 for n in range(count)]

    found = await plans(connection, EVENTS["select_events"], *select_events(3, events=events))

    check(found, events_pkey=["id"], attendees_pkey=["event_id"], reservations_event=["event_id"])


async def test_an_answer_to_an_invitation_finds_its_row_by_event(connection: Connection) -> None:
    found = await plans(connection, EVENTS["answer_invitation"], event(100), user(9), "ACCEPTED", None)

    check(found, events_pkey=["id"])
    assert all(one.led_by("attendees_pkey") for one in found)


async def test_an_answer_to_the_exceptions_of_a_series_finds_them_by_series(connection: Connection) -> None:
    found = await plans(connection, EVENTS["answer_exceptions"], event(100), user(9), "ACCEPTED", None)

    check(found, events_series=["series_id"])
    assert all(one.led_by("attendees_pkey") for one in found)


async def test_availability_is_led_by_resource_and_blocked_period_in_the_index_that_forbids_double_booking(
    connection: Connection,
) -> None:
    day = (NOW.replace(hour=0), NOW.replace(hour=0) + timedelta(days=1))
    rooms = [id_of(Kind.RESOURCE, n) for n in range(SMALL.rooms)]

    of_some = await plans(connection, RESOURCES["select_availability"], rooms, None, None, [], *day, 201, None, None)
    of_any = await plans(connection, RESOURCES["select_availability"], None, "ROOM", 4, [], *day, 201, None, None)

    check([*of_some, *of_any], reservations_no_double_booking=["resource_id", "blocked"])


@pytest.mark.parametrize("count", [1, 200])
@pytest.mark.parametrize("days", [7, 366])
async def test_who_is_busy_is_led_by_person_end_and_start_and_by_invitation(
    connection: Connection, count: int, days: int
) -> None:
    people = [user(n) for n in range(min(count, SMALL.busy))] + [
        id_of(Kind.USER, n * 2 + 1) for n in range(count - SMALL.busy)
    ]

    found = await plans(
        connection, SCHEDULING["select_people_busy"], people, [], NOW, NOW + timedelta(days=days), 200_000
    )

    check(
        found,
        events_organizer_span=("organizer_id", "span_end", "start_time"),
        events_calendar_span=SPAN,
        calendars_personal_for_key=["personal_for"],
        calendars_pkey=["id"],
        attendees_user_span=INVITED,
        attendees_pkey=["event_id"],
        events_pkey=["id"],
        events_series=["series_id"],
        users_pkey=["id"],
    )


def load_units(people: Sequence[UUID], calendars: Sequence[UUID] = ()) -> tuple[object, ...]:
    """The parameters in the order of `yotei.events.rows.load_units`: this month of people and calendars."""
    months = [MONTH_START] * len(people)
    return (
        *(list(calendars), [MONTH_START] * len(calendars), 10_000, [], [], list(people), months, 5_000, [], 100),
        *([MONTH_START], [], [], [], [], [], []),
    )


async def test_what_concerns_people_is_led_by_person_end_and_start(connection: Connection) -> None:
    found = await plans(connection, EVENTS["load_units"], *load_units([user(70), user(3)], [calendar(3)]))

    check(
        found,
        events_organizer_span=("organizer_id", "span_end", "start_time"),
        events_calendar_span=SPAN,
        attendees_user_span=INVITED,
        attendees_pkey=["event_id"],
        events_pkey=["id"],
    )


@pytest.mark.parametrize("mode", MODES)
async def test_what_is_read_of_the_invitations_of_a_person_does_not_grow_with_the_past(
    connection: Connection, mode: str
) -> None:
    person, day = user(70), timedelta(days=1)
    asked = {
        "busy": (SCHEDULING["select_people_busy"], ([person], [], NOW, NOW + day, 200_000)),
        "concerns": (EVENTS["load_units"], load_units([person])),
        "agenda": (EVENTS["select_events"], select_events(70, with_agenda=True)),
    }
    transaction = connection.transaction()
    before = {name: await invitations_read(connection, mode, *question) for name, question in asked.items()}
    await transaction.start()
    try:
        await connection.execute(PAST, calendar(3), user(3), person, MONTH_START)

        after = {name: await invitations_read(connection, mode, *question) for name, question in asked.items()}
    finally:
        await transaction.rollback()

    for name, (rows, pages) in before.items():
        assert rows > 0, name
        assert after[name][0] == rows, name
        assert after[name][1] <= pages + PAGES_MORE, name


PAST_ROWS: Final = 3_000
PAST: Final = f"""
with made as (
  insert into events (id, calendar_id, organizer_id, uid, title, start_time, end_time, span_end, tzid)
  select gen_random_uuid(), $1, $2, 'past-' || n, 'Long ago', t, t + interval '1 h', t + interval '1 h', 'UTC'
  from generate_series(1, {PAST_ROWS}) n,
       lateral (select $4::timestamptz - interval '1 year' + interval '1 h' * n as t) t
  returning id
)
insert into attendees (event_id, email, user_id) select id, 'past@example.org', $3 from made
"""  # noqa: S608, a number of this module
PAGES_MORE: Final = 3
"""What is written may lengthen the way down the index; all of these invitations take thirty pages of it."""


async def invitations_read(
    connection: Connection, mode: str, statement: Statement, parameters: Sequence[object]
) -> tuple[int, int]:
    """How many rows of invitations a statement finds by whose they are, and how many pages it looks at for that."""
    async with prepared(connection, statement, parameters, mode=mode) as execute:
        text = await connection.fetchval(f"explain (analyze, buffers, format json) {execute}")
    found = [
        one for one in _nodes(msgspec.json.decode(text)[0]["Plan"]) if one.get("Index Name") == "attendees_user_span"
    ]
    rows = sum((one["Actual Rows"] + one.get("Rows Removed by Filter", 0)) * one["Actual Loops"] for one in found)
    return round(rows), sum(one["Shared Hit Blocks"] + one["Shared Read Blocks"] for one in found)


def _nodes(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield node
    for below in node.get("Plans", ()):
        yield from _nodes(below)


async def test_what_blocks_resources_is_led_by_resource_and_blocked_period(connection: Connection) -> None:
    year = (NOW, NOW + timedelta(days=366))
    rooms = [id_of(Kind.RESOURCE, n) for n in range(SMALL.rooms)]
    statement = SCHEDULING["select_resources_blocked"]

    of_some = await plans(connection, statement, user(3), rooms, False, None, None, [], *year, 200, 200_000)
    of_any = await plans(connection, statement, user(3), [], True, "ROOM", 4, [], *year, 200, 200_000)

    check([*of_some, *of_any], reservations_no_double_booking=["resource_id", "blocked"])


async def test_the_calendars_of_a_person_are_led_by_that_person(connection: Connection) -> None:
    found = await plans(connection, CALENDARS["list_calendars"], user(70), None, None, 50)

    check(found, calendar_members_pkey=["user_id"], calendars_pkey=["id"])


async def test_calendars_by_id_are_read_by_key(connection: Connection) -> None:
    found = await plans(connection, CALENDARS["get_calendars"], user(70), [calendar(70), calendar(63)])

    check(found, calendars_pkey=["id"])


async def test_the_members_of_calendars_are_led_by_calendar(connection: Connection) -> None:
    found = await plans(connection, CALENDARS["list_members"], user(70), [calendar(70), calendar(63)], 100)

    check(found, calendar_members_calendar=["calendar_id"], users_pkey=["id"])


async def test_a_token_is_found_by_its_hash_and_its_person_by_key(connection: Connection) -> None:
    found = await plans(connection, USERS["authenticate"], b"\0" * 32, None, None, NOW)
    loaded = await plans(connection, USERS["load_token"], b"\0" * 32)

    check(found, tokens_hash_key=["token_hash"], users_pkey=["id"])
    check(loaded, tokens_hash_key=["token_hash"], users_pkey=["id"])


async def test_the_units_of_calendars_are_loaded_by_key(connection: Connection) -> None:
    memberships = await plans(connection, CALENDARS["load_memberships"], [user(70)], 1_000, [calendar(70)])
    members = await plans(connection, CALENDARS["load_members"], [calendar(70), calendar(63)], 1_000)

    check(memberships, calendar_members_pkey=["user_id"], calendars_pkey=["id"])
    check(members, calendar_members_calendar=["calendar_id"], users_pkey=["id"])


async def test_whom_a_token_acts_for_is_found_by_key_and_by_address(connection: Connection) -> None:
    by_id = await plans(connection, USERS["authenticate"], b"\0" * 32, user(1), None, NOW)
    by_address = await plans(connection, USERS["authenticate"], b"\0" * 32, None, "person1@example.org", NOW)

    check(by_id, tokens_hash_key=["token_hash"], users_pkey=["id"])
    check(by_address, tokens_hash_key=["token_hash"], users_pkey=["id"], users_email_key=["email"])


def load_for_writing(viewer: int, events: Sequence[int]) -> tuple[object, ...]:
    """The parameters in the order of `yotei.events.rows.load_for_writing`: also a calendar, people, a room, a UID."""
    rooms = [id_of(Kind.RESOURCE, 1)]
    chosen = [event(one) for one in events]
    return (user(viewer), [calendar(3)], chosen, ["person1@example.org"], [user(2)], rooms, 20_000, ["x"])


@pytest.mark.parametrize("events", [(), (100,), tuple(range(100, 600))], ids=["none", "one", "many"])
async def test_a_write_locks_and_loads_by_key(connection: Connection, events: tuple[int, ...]) -> None:
    chosen = [event(one) for one in events]

    locked = await plans(connection, EVENTS["lock_for_writing"], [calendar(3)], chosen)
    loaded = await plans(connection, EVENTS["load_for_writing"], *load_for_writing(3, events))

    check(locked, calendars_pkey=["id"], events_pkey=["id"])
    check(
        loaded,
        calendars_pkey=["id"],
        events_pkey=["id"],
        events_series=["series_id"],
        attendees_pkey=["event_id"],
        users_pkey=["id"],
        users_email_key=["email"],
        events_uid_key=["uid"],
    )


async def test_what_is_taken_is_led_by_resource_and_blocked_period(connection: Connection) -> None:
    found = await plans(
        connection, EVENTS["select_taken"], [event(100)], [id_of(Kind.RESOURCE, 1)], [MONTH_START], [MONTH_END]
    )

    check(found, reservations_event=["event_id"], reservations_no_double_booking=["resource_id", "blocked"])


async def test_everybody_is_listed_by_key_from_a_place_on(connection: Connection) -> None:
    first = await plans(connection, USERS["list_users"], None, 100)
    later = await plans(connection, USERS["list_users"], user(2), 100)

    check([*first, *later], users_pkey=["id"])


async def test_what_a_file_may_be_about_is_led_by_uid_and_what_is_exported_by_calendar(connection: Connection) -> None:
    imported = await plans(connection, EVENTS["select_content"], calendar(3), ["a", "b"], None, 1_000)
    exported = await plans(connection, EVENTS["select_content"], calendar(3), None, event(100), 1_000)

    check(imported, events_uid_key=["uid"])
    check(exported, events_calendar_span=["calendar_id"])


async def test_events_to_be_booked_further_are_found_by_how_far_they_are(connection: Connection) -> None:
    check(await plans(connection, EVENTS["select_due"], NOW, 100, 1))


async def test_people_are_found_by_id_and_by_address(connection: Connection) -> None:
    by_id = await plans(connection, USERS["load_users"], [user(1), user(2)])
    by_address = await plans(connection, USERS["find_user"], "person1@example.org")

    check(by_id, users_pkey=["id"])
    check(by_address, users_email_key=["email"])


async def test_the_tail_of_the_change_log_is_led_by_transaction(connection: Connection) -> None:
    snapshot = await connection.fetchval("select pg_current_snapshot()::text")
    hour_ago = NOW - timedelta(hours=1)

    found = await plans(
        connection, STORAGE["read_since"], snapshot, None, "0", 0, [snapshot.split(":")[0]], 1_000, hour_ago, NOW, 5_000
    )

    check(found, xid_idx=["xid"])


@pytest.mark.parametrize("since", ["1:1:", None], ids=["from the first", "from now"])
async def test_the_changes_of_one_calendar_are_led_by_calendar_and_transaction(
    connection: Connection, since: str | None
) -> None:
    snapshot = since or await connection.fetchval("select pg_current_snapshot()::text")
    hour_ago = NOW - timedelta(hours=1)

    found = await plans(connection, STORAGE["read_scope_since"], snapshot, None, "0", 0, [], 500, calendar(3), hour_ago)

    check(found, scope_id_xid_idx=["scope_id", "xid"])


@pytest.mark.parametrize("words", [["plan"], ["会議"], ["会"], ["left", "over"]], ids=["word", "two", "one", "words"])
async def test_a_search_is_led_by_calendar_and_words_at_once_and_by_person_elsewhere(
    connection: Connection, words: list[str]
) -> None:
    everywhere = await plans(connection, EVENTS["search_events"], *search_events(70, words))
    in_one = await plans(connection, EVENTS["search_events"], *search_events(70, words, calendar_id=calendar(70)))

    check(
        [*everywhere, *in_one],
        events_search=["search_items"],
        events_organizer_span=["organizer_id"],
        events_pkey=["id"],
        calendar_members_pkey=["user_id"],
    )


def search_events(viewer: int, words: list[str], *, calendar_id: UUID | None = None) -> tuple[object, ...]:
    """The parameters in the order of `yotei.events.rows.search_events`."""
    roles, visibilities = (list(part) for part in zip(*sorted(FULL), strict=True))
    first_page = (None, None, None)
    return (
        *(user(viewer), calendar_id, words, None, None, None, None, roles, visibilities, *first_page, 101),
        *(NOW, NOW + timedelta(days=366)),
    )


async def test_the_history_of_an_event_is_led_by_event(connection: Connection) -> None:
    first = await plans(connection, EVENTS["select_history"], user(3), event(100), None, None, 101)
    second = await plans(connection, EVENTS["select_history"], user(3), event(100), NOW, "1000", 101)

    check([*first, *second], entity_id_xid_idx=["entity_id"], events_pkey=["id"])


async def test_an_answer_to_an_invitation_is_one_hot_update_and_one_line_of_the_log_and_no_event_is_touched(
    every_database: Database,
) -> None:
    owner, guest = await a_user(every_database), await a_user(every_database)
    calendar_id = await a_calendar(every_database, {owner: "OWNER"})
    event_id = await an_event(every_database, calendar_id, owner, NOW, attendees=(owner, guest))
    before = await written(every_database)

    await answer_invitation(every_database, viewing(guest), event_id, "ACCEPTED", "gladly")

    after = await written(every_database)
    assert {name: after[name] - before[name] for name in after} == {
        "attendees updated": 1,
        "attendees updated in place": 1,
        "events updated": 0,
        "changes logged": 1,
    }


async def written(database: Database) -> dict[str, int]:
    """What PostgreSQL has counted, once every session has reported."""
    await database.execute(_flush)
    (row,) = await database.fetch(_written)
    return dict(row)


_flush: Final = Statement("tests.flush", "select pg_stat_force_next_flush()", "counts are reported late")
_written: Final = Statement(
    "tests.written",
    """select a.n_tup_upd as "attendees updated", a.n_tup_hot_upd as "attendees updated in place",
              e.n_tup_upd as "events updated", (select count(*) from change_log) as "changes logged"
       from pg_stat_user_tables a, pg_stat_user_tables e
       where a.relname = 'attendees' and e.relname = 'events'""",
    "what an answer costs",
)


@pytest.mark.parametrize(
    ("statement", "parameters"),
    [
        pytest.param(USERS["authenticate"], (b"\0" * 32, None, None, NOW), id="who asks"),
        pytest.param(EVENTS["select_events"], select_events(70, calendars=[3]), id="a list"),
        pytest.param(EVENTS["select_events"], select_events(70, calendars=[70 - 7 * n for n in range(10)]), id="lists"),
        pytest.param(EVENTS["select_events"], select_events(70, with_agenda=True), id="an agenda"),
        pytest.param(EVENTS["select_events"], select_events(70, events=[3_000]), id="an event"),
        pytest.param(EVENTS["load_units"], load_units([user(70)]), id="units"),
        pytest.param(EVENTS["lock_for_writing"], ([calendar(3)], [event(100)]), id="the locks of a write"),
        pytest.param(EVENTS["load_for_writing"], load_for_writing(3, [100]), id="a write"),
        pytest.param(
            EVENTS["select_taken"],
            ([event(100)], [id_of(Kind.RESOURCE, 1)], [MONTH_START], [MONTH_END]),
            id="what is taken",
        ),
        pytest.param(EVENTS["search_events"], search_events(70, ["plan"]), id="a search"),
    ],
)
async def test_a_statement_is_planned_once_a_session(
    connection: Connection, statement: Statement, parameters: Sequence[object]
) -> None:
    async with prepared(connection, statement, parameters) as execute:
        for _ in range(8):
            await connection.execute(execute)
        counted = await connection.fetchrow(
            "select custom_plans, generic_plans from pg_prepared_statements where name = 'asked'"
        )

    assert counted is not None
    assert tuple(counted) == (0, 8)
