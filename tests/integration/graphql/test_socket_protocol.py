"""The protocol `graphql-transport-ws`: its messages, its close codes, and what is under way to one client."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import websockets
from websockets.typing import Subprotocol

from tests.integration.graphql.rows import Rows
from tests.integration.graphql.streaming import (
    BODY_BYTES_MAX,
    CHANGES,
    Served,
    Servers,
    admitted,
    closed_with,
    connected,
    hear,
    say,
    subscribe,
)
from yotei.api.graphql.socket import UNREAD_BYTES_MAX
from yotei.settings import SubscriptionSettings
from yotei.storage.pool import Database
from yotei.storage.statements import Statement

PATIENT = SubscriptionSettings(poll_ms=100)
HASTY = SubscriptionSettings(poll_ms=100, init_wait_s=0.2)
CURIOUS = SubscriptionSettings(poll_ms=100, ping_every_s=0.1)
CURIOUS_AND_HASTY = SubscriptionSettings(poll_ms=100, ping_every_s=0.1, pong_wait_s=0.2)
ONE_EACH = SubscriptionSettings(poll_ms=100, streams_per_person_max=1)
ONE_IN_ALL = SubscriptionSettings(poll_ms=100, streams_max=1)
FILL = Statement(
    name="tests.fill",
    purpose="a megabyte of events",
    sql="""insert into events (id, calendar_id, organizer_id, uid, title, description, start_time, end_time, span_end)
           select gen_random_uuid(), $1, $2, 'long-' || n, 'Event ' || n, repeat('x', 5000),
                  '2026-11-02T09:00Z', '2026-11-02T10:00Z', '2026-11-02T10:00Z' from generate_series(1, 200) n""",
)
ONE = 'changes(calendarId: "019ab3c4-0000-7000-8000-000000000000") { position }'
LONG = """subscription ($calendar: UUID!) {
  changes(calendarId: $calendar, since: "first", first: 10) { hasMore changes { id event { description } } }
}"""


@pytest.fixture
def subscriptions() -> SubscriptionSettings:
    return PATIENT


@pytest.fixture
async def database(shared_url: str) -> AsyncIterator[Database]:
    async with await Database.connect(shared_url, size_min=1, size_max=2) as opened:
        yield opened


@pytest.fixture
async def served(servers: Servers, subscriptions: SubscriptionSettings) -> Served:
    return await servers(subscriptions)


@pytest.fixture
async def token(rows: Rows) -> str:
    return await rows.token(await rows.person())


async def test_a_ping_is_answered_with_what_it_brought_before_and_after_the_acknowledgement(
    served: Served, token: str
) -> None:
    async with connected(served.base) as connection:
        await say(connection, type="ping")
        bare = await hear(connection)
        await admitted(connection, token)
        await say(connection, type="ping", payload={"n": 1})
        echoed = await hear(connection)
        await say(connection, type="pong", payload={"unasked": True})
        await say(connection, type="ping")
        still_there = await hear(connection)

    assert (bare, echoed, still_there) == ({"type": "pong"}, {"type": "pong", "payload": {"n": 1}}, {"type": "pong"})


async def test_the_token_may_stand_in_the_header_of_the_handshake(served: Served, token: str) -> None:
    async with websockets.connect(
        served.base.replace("http", "ws", 1) + "/graphql",
        subprotocols=[Subprotocol("graphql-transport-ws")],
        additional_headers={"Authorization": f"Bearer {token}"},
    ) as connection:
        await say(connection, type="connection_init")
        answer = await hear(connection)

    assert answer == {"type": "connection_ack"}


@pytest.mark.parametrize("offered", [None, "graphql-ws"])
async def test_another_sub_protocol_is_4406(offered: str | None, served: Served) -> None:
    async with connected(served.base, subprotocol=Subprotocol(offered) if offered else None) as connection:
        code = await closed_with(connection)

    assert code == 4406


@pytest.mark.parametrize(
    "message",
    [
        "{",
        "[]",
        "null",
        "{}",
        '{"type": "start"}',
        '{"type": "connection_init", "payload": 7}',
        '{"type": "ping", "payload": []}',
        '{"type": "subscribe", "payload": {"query": "{ __typename }"}}',
        '{"type": "subscribe", "id": "", "payload": {"query": "{ __typename }"}}',
        '{"type": "subscribe", "id": "1"}',
        '{"type": "subscribe", "id": "1", "payload": {"query": 7}}',
        '{"type": "complete"}',
        "[" * 5_000,
        b"\x00",
    ],
)
async def test_what_is_no_message_of_the_protocol_is_4400(message: str | bytes, served: Served, token: str) -> None:
    async with connected(served.base) as connection:
        await admitted(connection, token)
        await connection.send(message)
        code = await closed_with(connection)

    assert code == 4400


async def test_a_message_that_is_too_large_is_1009(served: Served, token: str) -> None:
    async with connected(served.base) as connection:
        await admitted(connection, token)
        await say(connection, type="ping", payload={"x": "x" * BODY_BYTES_MAX})
        code = await closed_with(connection)

    assert code == 1009


async def test_to_subscribe_before_the_acknowledgement_is_4401(served: Served) -> None:
    async with connected(served.base) as connection:
        await subscribe(connection, "1", "subscription { __typename }")
        code = await closed_with(connection)

    assert code == 4401


@pytest.mark.parametrize(
    "payload",
    [
        None,
        {},
        {"Authorization": 7},
        {"Authorization": "Basic eA=="},
        {"Authorization": "Bearer yotei_nobody"},
        {"Authorization": "Bearer yotei_" + "x" * 43},
    ],
)
async def test_a_token_that_is_not_valid_is_4403(payload: dict[str, Any] | None, served: Served) -> None:
    async with connected(served.base) as connection:
        await say(connection, type="connection_init", payload=payload)
        code = await closed_with(connection)

    assert code == 4403


@pytest.mark.parametrize("subscriptions", [HASTY])
async def test_who_does_not_say_who_is_asking_is_4408(served: Served) -> None:
    async with connected(served.base) as connection:
        code = await closed_with(connection)

    assert code == 4408


async def test_two_subscriptions_of_one_id_are_4409_and_an_id_that_is_free_again_is_none(
    served: Served, rows: Rows
) -> None:
    owner = await rows.person()
    calendar = str(await rows.calendar(members={owner: "OWNER"}))
    async with connected(served.base) as connection:
        await admitted(connection, await rows.token(owner))
        await subscribe(connection, "a", CHANGES, calendar=calendar)
        first = await hear(connection)
        await say(connection, type="complete", id="a")
        await say(connection, type="complete", id="never was")
        await subscribe(connection, "a", CHANGES, calendar=calendar)
        again = await hear(connection)
        await subscribe(connection, "a", CHANGES, calendar=calendar)
        code = await closed_with(connection)

    assert (first["type"], again["type"], code) == ("next", "next", 4409)


async def test_to_say_twice_who_is_asking_is_4429(served: Served, token: str) -> None:
    async with connected(served.base) as connection:
        await admitted(connection, token)
        await say(connection, type="connection_init", payload={"Authorization": f"Bearer {token}"})
        code = await closed_with(connection)

    assert code == 4429


async def test_after_complete_nothing_more_is_told_and_others_go_on(served: Served, rows: Rows) -> None:
    owner = await rows.person()
    calendar_id = await rows.calendar(members={owner: "OWNER"})
    async with connected(served.base) as connection:
        await admitted(connection, await rows.token(owner))
        for id_ in ("left", "kept"):
            await subscribe(connection, id_, CHANGES, calendar=str(calendar_id))
            assert (await hear(connection))["id"] == id_
        await say(connection, type="complete", id="left")
        await say(connection, type="ping")
        await hear(connection)
        told = []
        for title in ("One", "Two"):
            await rows.event(calendar_id, owner, title=title)
            heard = await hear(connection)
            told.append((heard["id"], heard["payload"]["data"]["changes"]["changes"][0]["event"]["title"]))

    assert told == [("kept", "One"), ("kept", "Two")]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("subscription {", "graphql_parse_failed"),
        ("subscription { nothing }", "graphql_validation_failed"),
        ("subscription { a: __typename b: __typename }", "graphql_validation_failed"),
        ("subscription { changes { position } }", "graphql_validation_failed"),
        (f"subscription A {{ {ONE} }} subscription B {{ {ONE} }}", "invalid_request"),
        ("{ __typename }", "invalid_request"),
        ("mutation { __typename }", "invalid_request"),
    ],
)
async def test_what_is_no_subscription_that_can_be_executed_is_an_error_message(
    query: str, code: str, served: Served, token: str
) -> None:
    async with connected(served.base) as connection:
        await admitted(connection, token)
        await subscribe(connection, "1", query)
        answer = await hear(connection)
        await say(connection, type="ping")
        still_there = await hear(connection)

    assert (answer["type"], answer["id"]) == ("error", "1")
    assert {error["extensions"]["code"] for error in answer["payload"]} == {code}
    assert still_there == {"type": "pong"}


async def test_a_subscription_that_names_no_document_is_an_error_message(served: Served, token: str) -> None:
    async with connected(served.base) as connection:
        await admitted(connection, token)
        await say(connection, type="subscribe", id="1", payload={})
        answer = await hear(connection)

    assert (answer["type"], answer["payload"][0]["extensions"]["code"]) == ("error", "invalid_request")


@pytest.mark.parametrize("subscriptions", [ONE_EACH])
async def test_more_sockets_than_one_person_may_have_are_1013(served: Served, token: str) -> None:
    async with connected(served.base) as first, connected(served.base) as second:
        await admitted(first, token)
        await say(second, type="connection_init", payload={"Authorization": f"Bearer {token}"})
        code = await closed_with(second)

    assert code == 1013


@pytest.mark.parametrize("subscriptions", [ONE_IN_ALL])
async def test_more_sockets_than_a_process_may_have_are_1013(served: Served) -> None:
    async with connected(served.base), connected(served.base) as second:
        code = await closed_with(second)

    assert code == 1013


@pytest.mark.parametrize("subscriptions", [CURIOUS])
async def test_a_client_that_answers_a_ping_is_asked_again(served: Served, token: str) -> None:
    async with connected(served.base) as connection:
        await admitted(connection, token)
        asked = await hear(connection)
        await say(connection, type="pong", payload=asked["payload"])
        asked_again = await hear(connection)

    assert (asked["type"], asked_again["type"]) == ("ping", "ping")
    assert asked["payload"] != asked_again["payload"]


@pytest.mark.parametrize("subscriptions", [CURIOUS_AND_HASTY])
async def test_a_client_that_does_not_answer_a_ping_is_1013(served: Served, token: str) -> None:
    async with connected(served.base) as connection:
        await admitted(connection, token)
        asked = await hear(connection)
        code = await closed_with(connection)

    assert asked["type"] == "ping"
    assert code == 1013


@pytest.mark.parametrize("echoes", [True, False])
async def test_a_client_is_told_no_more_than_it_says_it_has_read(
    echoes: bool, served: Served, rows: Rows, database: Database
) -> None:
    owner = await rows.person()
    calendar_id = await rows.calendar(members={owner: "OWNER"})
    await database.execute(FILL, calendar_id, owner)
    async with connected(served.base) as connection:
        await admitted(connection, await rows.token(owner))
        await subscribe(connection, "1", LONG, calendar=str(calendar_id))
        under_way, asked, told, has_more = 0, 0, 0, True
        while has_more:
            heard = await hear(connection)
            if heard["type"] == "ping":
                asked += 1
                under_way = 0
                await say(connection, type="pong", **({"payload": heard["payload"]} if echoes else {}))
                continue
            under_way += len(json.dumps(heard, separators=(",", ":")))
            assert under_way <= UNREAD_BYTES_MAX
            feed = heard["payload"]["data"]["changes"]
            told += sum(one["event"] is not None for one in feed["changes"])
            has_more = feed["hasMore"]

    assert told == 200
    assert asked >= 3


@pytest.mark.parametrize("subscriptions", [SubscriptionSettings(poll_ms=100, pong_wait_s=0.3)])
async def test_a_client_that_falls_behind_is_disconnected_with_the_position_of_what_it_has_read(
    served: Served, rows: Rows, database: Database
) -> None:
    owner = await rows.person()
    calendar_id = await rows.calendar(members={owner: "OWNER"})
    await database.execute(FILL, calendar_id, owner)
    token = await rows.token(owner)
    paged = LONG.replace('since: "first"', "since: $since").replace(
        "$calendar: UUID!", "$calendar: UUID!, $since: String"
    )
    paged = paged.replace("{ hasMore", "{ position hasMore")
    told: set[str] = set()
    since, connections = "first", 0
    while True:
        connections += 1
        async with connected(served.base) as connection:
            await admitted(connection, token)
            await subscribe(connection, "1", paged, calendar=str(calendar_id), since=since)
            has_more = True
            while has_more and (heard := await hear(connection))["type"] == "next":
                feed = heard["payload"]["data"]["changes"]
                told |= {one["id"] for one in feed["changes"] if one["event"] is not None}
                since, has_more = feed["position"], feed["hasMore"]
            if not has_more:
                break
            code = await closed_with(connection)  # it was asked, and has not answered

        assert code == 1013

    assert len(told) == 200
    assert connections >= 3
