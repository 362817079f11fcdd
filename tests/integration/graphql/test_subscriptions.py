"""A calendar's changes as they are committed, by either protocol, over real sockets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any
from uuid import UUID

import pytest

from tests.integration.graphql.rows import Rows
from tests.integration.graphql.streaming import (
    CHANGES,
    ByEvents,
    BySocket,
    Client,
    Served,
    Servers,
    end_of,
    feed,
    serving,
    titles,
)
from yotei.settings import SubscriptionSettings
from yotei.storage.pool import Database
from yotei.storage.statements import Statement

OFTEN = SubscriptionSettings(poll_ms=100)
ONE_EACH = SubscriptionSettings(poll_ms=100, streams_per_person_max=1)
TWO_IN_ALL = SubscriptionSettings(poll_ms=100, streams_max=2)

OF_THE_PROCESS = {
    "events.select_due",
    "storage.drop_kept_answers",
    "storage.drop_partitions",
    "storage.make_partitions",
    "storage.position_at",
    "storage.position_now",
    "storage.read_since",
    "storage.select_own_changes",
    "storage.set_timeouts",
    "storage.try_maintenance_turn",
    "transaction.begin",
    "transaction.commit",
}
"""What its readers of the log and its upkeep send."""

both = pytest.mark.parametrize("client", [BySocket, ByEvents])


@pytest.fixture
def subscriptions() -> SubscriptionSettings:
    return OFTEN


@pytest.fixture
async def database(shared_url: str) -> AsyncIterator[Database]:
    async with await Database.connect(shared_url, size_min=1, size_max=2) as opened:
        yield opened


@pytest.fixture
async def served(servers: Servers, subscriptions: SubscriptionSettings) -> Served:
    return await servers(subscriptions)


async def write(database: Database, sql: str, *args: object) -> None:
    await database.execute(Statement(name="tests.write", purpose="what happens", sql=sql), *args)


async def nobody_follows(served: Served) -> None:
    """Wait until the last subscription has left, and with it the reader of the log."""
    async with asyncio.timeout(20):
        while served.tail.is_reading:  # noqa: ASYNC110  # nobody is told
            await asyncio.sleep(0.01)


async def changed_elsewhere(served: Served, rows: Rows, person: UUID, *, times: int) -> None:
    """Change a calendar that nobody subscribes to, and wait until the reader of the log has seen it."""
    calendar_id = await rows.calendar(members={})
    async with served.tail.watch([calendar_id]) as watch, asyncio.timeout(20):
        for _ in range(times):
            await rows.event(calendar_id, person)
            await watch.touched()


def news(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    """Statements that were sent in between, without those that the process sends with nobody there."""
    return {
        name: count - before.get(name, 0)
        for name, count in after.items()
        if count != before.get(name, 0) and name not in OF_THE_PROCESS
    }


@both
async def test_the_first_answer_is_a_position_and_then_come_changes_as_they_are_committed(
    client: Client, served: Served, rows: Rows
) -> None:
    owner = await rows.person()
    calendar_id = await rows.calendar(members={owner: "OWNER"})

    async with client.follow(served.base, await rows.token(owner), calendar=str(calendar_id)) as stream:
        at_once = await feed(stream)
        first_id = await rows.event(calendar_id, owner, title="Planning")
        then = await feed(stream)
        await rows.event(calendar_id, owner, title="Review")
        at_last = await titles(stream)

    assert (at_once["changes"], at_once["hasMore"]) == ([], False)
    assert then["changes"] == [
        {"kind": "EVENT", "op": "UPSERT", "id": str(first_id), "event": {"title": "Planning"}},
    ]
    assert at_last == ["Review"]


@both
async def test_who_comes_back_with_a_position_misses_nothing_and_hears_nothing_twice(
    client: Client, served: Served, rows: Rows
) -> None:
    owner = await rows.person()
    token = await rows.token(owner)
    calendar = str(await rows.calendar(members={owner: "OWNER"}))

    async with client.follow(served.base, token, calendar=calendar) as stream:
        await feed(stream)
        await rows.event(UUID(calendar), owner, title="Heard")
        position = (await feed(stream))["position"]
    await rows.event(UUID(calendar), owner, title="Away")
    async with client.follow(served.base, token, calendar=calendar, since=position) as stream:
        missed = await titles(stream)
        await rows.event(UUID(calendar), owner, title="Back")
        then = await titles(stream)

    assert (missed, then) == (["Away"], ["Back"])


@both
async def test_much_at_once_comes_in_pages(client: Client, served: Served, rows: Rows) -> None:
    owner = await rows.person()
    calendar_id = await rows.calendar(members={owner: "OWNER"})
    token = await rows.token(owner)

    async with client.follow(served.base, token, calendar=str(calendar_id), first=2) as stream:
        await feed(stream)
        await rows.events(calendar_id, owner, 5)
        pages = [await feed(stream)]
        while pages[-1]["hasMore"]:
            pages.append(await feed(stream))

    assert all(len(page["changes"]) <= 2 for page in pages)
    told = {one["id"] for page in pages for one in page["changes"] if one["kind"] == "EVENT"}
    assert len(told) == 5


@both
async def test_what_is_selected_is_read_anew_for_each_answer(client: Client, served: Served, rows: Rows) -> None:
    owner = await rows.person("Inês")
    calendar_id = await rows.calendar(members={owner: "OWNER"})
    document = """subscription ($calendar: UUID!) { changes(calendarId: $calendar) { changes {
      event { title organizer { name } calendar { name } attendees { user { name } } } } } }"""

    async with client.follow(served.base, await rows.token(owner), document, calendar=str(calendar_id)) as stream:
        await feed(stream)
        names = []
        for name in ("Team", "Board"):
            await write(rows._database, "update calendars set name = $2 where id = $1", calendar_id, name)
            await rows.event(calendar_id, owner, title=name, invited=[owner])
            told = None
            while told is None:
                changes = (await feed(stream))["changes"]
                told = next((one["event"] for one in changes if one["event"] and one["event"]["title"] == name), None)
            names.append((told["calendar"]["name"], told["organizer"]["name"], told["attendees"][-1]["user"]["name"]))

    assert names == [("Team", "Inês", "Inês"), ("Board", "Inês", "Inês")]


@both
async def test_what_others_may_not_see_is_not_told_to_them(client: Client, served: Served, rows: Rows) -> None:
    owner, guest = await rows.person(), await rows.person()
    calendar_id = await rows.calendar(members={owner: "OWNER", guest: "FREE_BUSY"})

    async with client.follow(served.base, await rows.token(guest), calendar=str(calendar_id)) as stream:
        await feed(stream)
        await rows.event(calendar_id, owner, title="Secret")
        told = await titles(stream)

    assert told == [None]


@both
async def test_the_stream_of_a_removed_member_ends_and_those_of_others_go_on(
    client: Client, served: Served, rows: Rows, database: Database
) -> None:
    owner, guest = await rows.person(), await rows.person()
    calendar_id = await rows.calendar(members={owner: "OWNER", guest: "READER"})
    calendar = str(calendar_id)

    async with (
        client.follow(served.base, await rows.token(owner), calendar=calendar) as staying,
        client.follow(served.base, await rows.token(guest), calendar=calendar) as leaving,
    ):
        await feed(staying)
        await feed(leaving)
        await write(database, "delete from calendar_members where user_id = $1", guest)
        ended = await end_of(leaving)
        removed = await feed(staying)
        await rows.event(calendar_id, owner, title="Among us")
        then = await titles(staying)

    assert ended.codes == ["not_found"]
    assert [(one["kind"], one["op"], one["id"]) for one in removed["changes"]] == [("MEMBER", "REMOVE", str(guest))]
    assert then == ["Among us"]


ENDINGS = {
    "revoked": "update tokens set revoked_at = now() where user_id = $1",
    "deactivated": "update users set deactivated_at = now() where id = $1",
}


@both
@pytest.mark.parametrize("what", ENDINGS)
async def test_a_token_that_is_no_longer_valid_ends_what_was_begun_with_it(
    what: str, client: Client, served: Served, rows: Rows, database: Database
) -> None:
    owner = await rows.person()
    calendar_id = await rows.calendar(members={owner: "OWNER"})

    async with client.follow(served.base, await rows.token(owner), calendar=str(calendar_id)) as stream:
        await feed(stream)
        await write(database, ENDINGS[what], owner)
        ended = await end_of(stream)

    assert (ended.codes, ended.close_code) == (([], 4403) if client is BySocket else (["unauthorized"], None))


@both
async def test_a_token_that_expires_ends_what_was_begun_with_it(
    client: Client, served: Served, rows: Rows, database: Database
) -> None:
    owner = await rows.person()
    calendar_id = await rows.calendar(members={owner: "OWNER"})

    async with client.follow(served.base, await rows.token(owner), calendar=str(calendar_id)) as stream:
        await feed(stream)
        await write(database, "update tokens set expires_at = now() + interval '0.5 s' where user_id = $1", owner)
        ended = await end_of(stream)

    assert (ended.codes, ended.close_code) == (([], 4403) if client is BySocket else (["unauthorized"], None))


@both
async def test_a_service_token_ends_with_the_person_whose_it_is(
    client: Client, served: Served, rows: Rows, database: Database
) -> None:
    admin = await rows.person()
    calendar_id = await rows.calendar(members={admin: "OWNER"})
    token = await rows.token(admin)
    await write(database, "update tokens set kind = 'SERVICE' where user_id = $1", admin)

    async with client.follow(served.base, token, calendar=str(calendar_id)) as stream:
        await feed(stream)
        await write(database, ENDINGS["deactivated"], admin)
        ended = await end_of(stream)

    assert ended.codes == ["unauthorized"] or ended.close_code == 4403


@both
@pytest.mark.parametrize(
    ("variables", "code"),
    [
        ({"since": "x"}, "invalid_cursor"),
        ({"first": 0}, "invalid_request"),
        ({"first": "x"}, "invalid_request"),
        ({"calendar": "019ab3c4-0000-7000-8000-000000000000"}, "not_found"),
    ],
)
async def test_what_cannot_be_followed_ends_at_once(
    variables: dict[str, object], code: str, client: Client, served: Served, rows: Rows
) -> None:
    owner = await rows.person()
    asked: dict[str, Any] = {"calendar": str(await rows.calendar(members={owner: "OWNER"})), **variables}

    async with client.follow(served.base, await rows.token(owner), **asked) as stream:
        ended = await end_of(stream)

    assert ended.codes == [code]


@both
async def test_a_position_that_was_forgotten_ends_at_once(client: Client, database_url: str) -> None:
    """In a database of its own: the days that are dropped are those of everybody."""
    async with (
        serving(database_url, OFTEN) as served,
        await Database.connect(database_url, size_min=1, size_max=1) as database,
    ):
        rows = Rows(database)
        owner = await rows.person()
        calendar = str(await rows.calendar(members={owner: "OWNER"}))
        token = await rows.token(owner)
        async with client.follow(served.base, token, calendar=calendar) as stream:
            position = (await feed(stream))["position"]
        await rows.event(UUID(calendar), owner)
        await write(database, "select change_log_drop_partitions((now() at time zone 'UTC')::date + 1)")

        async with client.follow(served.base, token, calendar=calendar, since=position) as stream:
            ended = await end_of(stream)

    assert ended.codes == ["position_forgotten"]


async def test_an_idle_subscription_costs_nothing_and_a_change_costs_what_the_feed_costs(
    served: Served, rows: Rows
) -> None:
    people = [await rows.person() for _ in range(4)]
    calendar_id = await rows.calendar(members=dict.fromkeys(people, "WRITER"))
    tokens = [await rows.token(one) for one in people]
    await nobody_follows(served)  # all that was written lies before what the reader of the log will see
    async with AsyncExitStack() as stack:
        streams: list[BySocket | ByEvents] = []
        for n, token in enumerate(tokens):
            client: Client = (BySocket, ByEvents)[n % 2]
            streams.append(
                await stack.enter_async_context(client.follow(served.base, token, calendar=str(calendar_id)))
            )
            await feed(streams[-1])

        before = served.sent()
        await changed_elsewhere(served, rows, people[0], times=5)
        idle = news(before, served.sent())
        await rows.event(calendar_id, people[0])
        heard = [await titles(one) for one in streams]
        await changed_elsewhere(served, rows, people[0], times=2)

    assert idle == {}
    assert heard == [["Planning"]] * 4
    assert news(before, served.sent()) == {
        "calendars.get_calendar_with_members": 4,
        "storage.read_scope_since": 4,
        "events.select_events": 4,
    }


async def test_what_changes_of_a_person_costs_the_question_who_it_is_and_no_reading_of_the_feed(
    served: Served, rows: Rows, database: Database
) -> None:
    owner = await rows.person()
    calendar_id = await rows.calendar(members={owner: "OWNER"})
    token = await rows.token(owner)
    await nobody_follows(served)
    async with BySocket.follow(served.base, token, calendar=str(calendar_id)) as stream:
        await feed(stream)

        before = served.sent()
        await write(database, "update users set name = 'Inês' where id = $1", owner)
        async with asyncio.timeout(20):
            while not news(before, served.sent()):  # noqa: ASYNC110  # it tells nobody
                await asyncio.sleep(0.01)
        await changed_elsewhere(served, rows, owner, times=2)
        of_the_name = news(before, served.sent())
        await rows.event(calendar_id, owner)
        heard = await titles(stream)

    assert of_the_name == {"users.authenticate": 1}
    assert heard == ["Planning"]


async def test_the_log_is_read_only_while_somebody_follows(served: Served, rows: Rows) -> None:
    owner = await rows.person()
    calendar = str(await rows.calendar(members={owner: "OWNER"}))
    token = await rows.token(owner)
    await nobody_follows(served)

    async with (
        BySocket.follow(served.base, token, calendar=calendar) as one,
        ByEvents.follow(served.base, token, calendar=calendar) as other,
    ):
        await feed(one)
        await feed(other)
        while_followed = served.tail.is_reading
    await nobody_follows(served)

    assert while_followed


@both
@pytest.mark.parametrize("subscriptions", [ONE_EACH])
async def test_one_person_has_a_bounded_number_of_subscriptions(client: Client, served: Served, rows: Rows) -> None:
    owner, other = await rows.person(), await rows.person()
    calendar = str(await rows.calendar(members={owner: "OWNER", other: "READER"}))
    token = await rows.token(owner)

    async with client.follow(served.base, token, calendar=calendar) as first:
        await feed(first)
        async with ByEvents.follow(served.base, token, calendar=calendar) as second:
            refused = await end_of(second)
        async with client.follow(served.base, await rows.token(other), calendar=calendar) as third:
            await feed(third)
    async with asyncio.timeout(20):
        while len(served.litestar.state.streams):  # noqa: ASYNC110  # nobody is told
            await asyncio.sleep(0.01)
    async with client.follow(served.base, token, calendar=calendar) as again:
        await feed(again)

    assert refused.codes == ["rate_limited"]


@pytest.mark.parametrize("subscriptions", [TWO_IN_ALL])
async def test_a_process_has_a_bounded_number_of_subscriptions(served: Served, rows: Rows) -> None:
    owner = await rows.person()
    calendar = str(await rows.calendar(members={owner: "OWNER"}))
    token = await rows.token(owner)

    async with (
        ByEvents.follow(served.base, token, calendar=calendar) as first,
        ByEvents.follow(served.base, token, calendar=calendar) as second,
        ByEvents.follow(served.base, token, calendar=calendar) as third,
    ):
        await feed(first)
        await feed(second)
        refused = await end_of(third)

    assert refused.codes == ["rate_limited"]


async def test_the_reader_of_the_log_outlives_its_connections(served: Served, rows: Rows, database: Database) -> None:
    owner = await rows.person()
    calendar_id = await rows.calendar(members={owner: "OWNER"})

    async with BySocket.follow(served.base, await rows.token(owner), CHANGES, calendar=str(calendar_id)) as stream:
        await feed(stream)
        await write(
            database,
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where datname = current_database() and pid <> pg_backend_pid() and application_name = 'yotei'",
        )
        await rows.event(calendar_id, owner, title="After all")
        told = await titles(stream)

    assert told == ["After all"]
