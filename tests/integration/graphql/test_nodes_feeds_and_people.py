"""The rest of the model: nodes by their id, the sync feed, attendees and members by pages, people, tokens."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.conftest import Budget
from tests.integration.graphql.conftest import Admit
from tests.integration.graphql.rows import NINE, NOVEMBER, Caller, Rows
from yotei.storage.pool import Database
from yotei.storage.statements import Statement

NODES = """query ($ids: [ID!]!) { nodes(ids: $ids) {
  __typename nodeId
  ... on Event { title startTime recurrenceId }
  ... on Calendar { name } ... on User { name } ... on Resource { name }
} }"""


async def admin(rows: Rows, database: Database, admit: Admit) -> Caller:
    user_id = await rows.person("Boss")
    await database.execute(
        Statement(name="tests.admin", purpose="a premise", sql="update users set is_admin = true where id = $1"),
        user_id,
    )
    return Caller((await admit(user_id)).client, await rows.token(user_id, ("read", "write", "admin")))


class TestNodes:
    async def test_things_of_all_kinds_come_back_by_their_node_ids(
        self, rows: Rows, admit: Admit, budget: Budget
    ) -> None:
        owner, room = await rows.person("Aiko"), await rows.room("Fuji")
        calendar = await rows.calendar(members={owner: "OWNER"})
        event = await rows.event(calendar, owner)
        caller = await admit(owner)
        ids = [f"Event:{event}", f"Calendar:{calendar}", f"User:{owner}", f"Resource:{room}", f"Event:{uuid4()}"]

        with budget(statements=2):
            found = (await caller.data(NODES, ids=ids))["nodes"]

        assert [one and (one["__typename"], one["nodeId"]) for one in found] == [
            *((one.partition(":")[0], one) for one in ids[:4]),
            None,
        ]
        assert found[0]["title"] == "Planning"

    async def test_instances_of_a_series_differ_by_node_id_and_each_comes_back(self, rows: Rows, admit: Admit) -> None:
        owner = await rows.person()
        calendar = await rows.calendar(members={owner: "OWNER"})
        series = await rows.event(calendar, owner, rrule="FREQ=DAILY;COUNT=3")
        caller = await admit(owner)
        shown = await caller.data(
            f"""query ($id: UUID!) {{ calendar(id: $id) {{
              events({NOVEMBER}) {{ id nodeId title startTime recurrenceId }}
            }} }}""",
            id=calendar,
        )
        events = shown["calendar"]["events"]

        found = await caller.data(NODES, ids=[one["nodeId"] for one in events])

        assert {one["id"] for one in events} == {str(series)}
        assert len({one["nodeId"] for one in events}) == 3
        assert found["nodes"] == [
            {"__typename": "Event", **{key: value for key, value in one.items() if key != "id"}} for one in events
        ]

    @pytest.mark.parametrize("kind", ["all_day", "floating"])
    async def test_an_instance_of_whole_days_or_without_a_zone_comes_back_too(
        self, kind: str, rows: Rows, admit: Admit, database: Database
    ) -> None:
        owner = await rows.person(tzid="Asia/Tokyo")
        calendar = await rows.calendar(members={owner: "OWNER"})
        midnight = NINE.replace(hour=0)
        event = await rows.event(
            calendar, owner, rrule="FREQ=DAILY;COUNT=3", start=midnight, hours=24, all_day=kind == "all_day"
        )
        if kind == "floating":
            sql = "update events set floating = true where id = $1"
            await database.execute(Statement(name="tests.floating", purpose="a premise", sql=sql), event)
        caller = await admit(owner)
        listed = f"query ($id: UUID!) {{ calendar(id: $id) {{ events({NOVEMBER}) {{ nodeId startTime }} }} }}"
        events = (await caller.data(listed, id=calendar))["calendar"]["events"]

        found = (await caller.data(NODES, ids=[one["nodeId"] for one in events]))["nodes"]

        assert len(found) == 3
        assert [(one["nodeId"], one["startTime"]) for one in found] == [
            (one["nodeId"], one["startTime"]) for one in events
        ]

    async def test_what_is_not_shared_is_not_found(self, rows: Rows, admit: Admit) -> None:
        owner, stranger = await rows.person(), await rows.person("Ben")
        calendar = await rows.calendar(members={owner: "OWNER"})
        event = await rows.event(calendar, owner, rrule="FREQ=DAILY;COUNT=3")
        caller = await admit(stranger)
        ids = [f"Calendar:{calendar}", f"Event:{event}", f"Event:{event}@20261125T090000Z"]

        many = await caller.data("query ($ids: [ID!]!) { nodes(ids: $ids) { nodeId } }", ids=ids)
        codes = {await caller.code("query ($id: ID!) { node(id: $id) { nodeId } }", id=one) for one in ids}

        assert many["nodes"] == [None, None, None]
        assert codes == {"not_found"}

    @pytest.mark.parametrize(
        "id_",
        [
            "",
            "Event",
            f"{uuid4()}",
            f"Token:{uuid4()}",
            "Event:1",
            f"User:{uuid4()}@20261125T090000Z",
            f"Event:{uuid4()}@now",
        ],
    )
    async def test_what_is_no_node_id_is_refused(self, id_: str, rows: Rows, admit: Admit) -> None:
        caller = await admit(await rows.person())

        assert await caller.code("query ($id: ID!) { node(id: $id) { nodeId } }", id=id_) == "invalid_request"


class TestFeed:
    FEED = """query ($id: UUID!, $since: String) { changes(calendarId: $id, since: $since) {
      position hasMore changes { kind op id event { title } calendar { name } member { role user { name } } }
    } }"""

    async def test_it_tells_what_changed_since_a_position(self, rows: Rows, admit: Admit, budget: Budget) -> None:
        owner = await rows.person("Aiko")
        calendar = await rows.calendar(members={owner: "OWNER"})
        caller = await admit(owner)
        start = (await caller.data(self.FEED, id=calendar))["changes"]
        event = await rows.event(calendar, owner, title="New")

        with budget(statements=4):  # token, calendar, log, events
            feed = (await caller.data(self.FEED, id=calendar, since=start["position"]))["changes"]

        assert start["changes"] == []
        assert feed["hasMore"] is False
        assert feed["changes"] == [
            {
                "kind": "EVENT",
                "op": "UPSERT",
                "id": str(event),
                "event": {"title": "New"},
                "calendar": None,
                "member": None,
            }
        ]

    async def test_from_the_first_on_it_tells_the_calendar_and_its_members(self, rows: Rows, admit: Admit) -> None:
        owner = await rows.person("Aiko")
        calendar = await rows.calendar("Ours", members={owner: "OWNER"})
        caller = await admit(owner)

        feed = (await caller.data(self.FEED, id=calendar, since="first"))["changes"]

        told = {one["kind"]: one for one in feed["changes"]}
        assert told["CALENDAR"]["calendar"] == {"name": "Ours"}
        assert told["MEMBER"]["member"] == {"role": "OWNER", "user": {"name": "Aiko"}}

    async def test_refusals_name_the_argument(self, rows: Rows, admit: Admit) -> None:
        owner = await rows.person()
        calendar = await rows.calendar(members={owner: "OWNER"})
        caller = await admit(owner)

        (error,) = (await caller.ask(self.FEED, id=calendar, since="x"))["errors"]

        assert error["extensions"]["code"] == "invalid_cursor"
        assert error["extensions"]["faults"][0]["field"] == "since"
        assert await caller.code(self.FEED, id=uuid4()) == "not_found"


class TestPages:
    async def test_attendees_come_by_pages_that_are_cut_from_the_event(
        self, rows: Rows, admit: Admit, budget: Budget
    ) -> None:
        owner = await rows.person()
        calendar = await rows.calendar(members={owner: "OWNER"})
        event = await rows.event(calendar, owner, invited=[await rows.person(f"P{n}") for n in range(5)])
        caller = await admit(owner)

        with budget(statements=6):  # token and event, three times
            pages = await followed(
                caller,
                """query ($id: UUID!, $after: String) { event(id: $id) {
                  attendeesConnection(first: 2, after: $after) { nodes { email } pageInfo { hasNextPage endCursor } }
                } }""",
                event,
                "event",
                "attendeesConnection",
            )

        whole = await caller.data("query ($id: UUID!) { event(id: $id) { attendees { email } } }", id=event)
        assert [len(one) for one in pages] == [2, 2, 1]
        assert [one for page in pages for one in page] == whole["event"]["attendees"]

    async def test_members_come_by_pages(self, rows: Rows, admit: Admit) -> None:
        owner, others = await rows.person(), [await rows.person(f"P{n}") for n in range(4)]
        calendar = await rows.calendar(members={owner: "OWNER", **dict.fromkeys(others, "READER")})
        caller = await admit(owner)

        pages = await followed(
            caller,
            """query ($id: UUID!, $after: String) { calendar(id: $id) {
              membersConnection(first: 2, after: $after) {
                nodes { role user { name } } pageInfo { hasNextPage endCursor }
              }
            } }""",
            calendar,
            "calendar",
            "membersConnection",
        )

        assert [[one["user"]["name"] for one in page] for page in pages] == [["Aiko", "P0"], ["P1", "P2"], ["P3"]]

    @pytest.mark.parametrize("arguments", ["first: 0", "first: 1001", 'after: "x"'])
    async def test_what_is_no_page_is_refused(self, arguments: str, rows: Rows, admit: Admit) -> None:
        owner = await rows.person()
        calendar = await rows.calendar(members={owner: "OWNER"})
        caller = await admit(owner)
        document = (
            f"query ($id: UUID!) {{ calendar(id: $id) {{ membersConnection({arguments}) {{ nodes {{ role }} }} }} }}"
        )

        assert await caller.code(document, id=calendar) in ("invalid_request", "invalid_cursor")

    async def test_a_busy_event_has_no_pages_and_no_version(self, rows: Rows, admit: Admit) -> None:
        owner, looking = await rows.person(), await rows.person("Ben")
        calendar = await rows.calendar(members={owner: "OWNER", looking: "FREE_BUSY"})
        await rows.event(calendar, owner, invited=[owner])
        caller = await admit(looking)

        data = await caller.data(
            f"query ($id: UUID!) {{ calendar(id: $id) {{ events({NOVEMBER}) {{ "
            "access version missed { start } bookedUntil attendeesConnection { nodes { email } } } } }",
            id=calendar,
        )

        assert data["calendar"]["events"] == [
            {"access": "BUSY", "version": None, "missed": None, "bookedUntil": None, "attendeesConnection": None}
        ]


class TestPeople:
    async def test_administrators_list_everybody(
        self, rows: Rows, database: Database, admit: Admit, budget: Budget
    ) -> None:
        boss = await admin(rows, database, admit)
        await rows.person("Aiko")
        document = (
            "{ users(first: 10) { nodes { name isAdmin isActive version createdAt tzid } pageInfo { hasNextPage } } }"
        )

        with budget(statements=2):
            data = await boss.data(document)

        assert {(one["name"], one["isAdmin"], one["isActive"]) for one in data["users"]["nodes"]} == {
            ("Boss", True, True),
            ("Aiko", False, True),
        }
        assert await (await admit(await rows.person("Ben"))).code(document) == "forbidden"

    async def test_members_of_resources_are_read_together_by_those_who_look_after_them(
        self, rows: Rows, database: Database, admit: Admit, budget: Budget
    ) -> None:
        boss, manager = await admin(rows, database, admit), await rows.person("Aiko")
        rooms = [await rows.room(name) for name in ("Fuji", "Haru")]
        document = "mutation ($input: SetResourceMemberInput!) { setResourceMember(input: $input) { errors { code } } }"
        await boss.data(document, input={"resourceId": rooms[0], "userId": manager, "role": "MANAGER"})
        asked = "{ resources { nodes { name booking members { role user { name } } } } }"

        with budget(statements=3):
            shown = await boss.data(asked)
        caller = await admit(manager)
        with budget(statements=3):
            answer = await caller.ask(asked)

        fuji = {"name": "Fuji", "booking": "EVERYONE", "members": [{"role": "MANAGER", "user": {"name": "Aiko"}}]}
        assert shown["resources"]["nodes"] == [fuji, {"name": "Haru", "booking": "EVERYONE", "members": []}]
        assert answer["data"]["resources"]["nodes"] == [fuji, {"name": "Haru", "booking": "EVERYONE", "members": None}]
        assert [one["extensions"]["code"] for one in answer["errors"]] == ["forbidden"]

    async def test_a_token_is_made_listed_and_ended(self, rows: Rows, admit: Admit) -> None:
        user_id = await rows.person()
        caller = Caller((await admit(user_id)).client, await rows.token(user_id, ("read", "write")))
        create = """mutation ($input: CreateTokenInput!) { createToken(input: $input) {
          secret token { id name kind scopes expiresAt revokedAt } errors { code field }
        } }"""

        made = (await caller.data(create, input={"name": "laptop", "scopes": ["READ"]}))["createToken"]
        refused = (await caller.data(create, input={"name": "x", "scopes": ["ADMIN"]}))["createToken"]
        naive = (
            await caller.data(create, input={"name": "x", "scopes": ["READ"], "expiresAt": "2099-01-01T00:00:00"})
        )["createToken"]

        assert made["errors"] == []
        assert made["token"] == {
            "id": made["token"]["id"],
            "name": "laptop",
            "kind": "USER",
            "scopes": ["READ"],
            "expiresAt": None,
            "revokedAt": None,
        }
        assert await Caller(caller.client, made["secret"]).data("{ me { id } }") == {"me": {"id": str(user_id)}}
        assert (refused["token"], refused["secret"], refused["errors"][0]["code"]) == (None, None, "forbidden")
        assert naive["errors"] == [{"code": "invalid_request", "field": "input.expiresAt"}]

        revoke = "mutation ($input: RevokeTokenInput!) { revokeToken(input: $input) { tokenId errors { code } } }"
        ended = (await caller.data(revoke, input={"tokenId": made["token"]["id"]}))["revokeToken"]
        listed = await caller.data("{ tokens { id revokedAt } }")

        assert ended == {"tokenId": made["token"]["id"], "errors": []}
        assert [one["revokedAt"] is not None for one in listed["tokens"] if one["id"] == made["token"]["id"]] == [True]


async def followed(caller: Caller, document: str, id_: UUID, thing: str, connection: str) -> list[list[dict[str, Any]]]:
    """The nodes of every page."""
    pages: list[list[dict[str, Any]]] = []
    after = None
    while True:
        page = (await caller.data(document, id=id_, after=after))[thing][connection]
        pages.append(page["nodes"])
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            return pages
