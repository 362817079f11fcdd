"""One private event, and somebody who may only see when people are busy: no door tells them what it is called."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.acceptance.processes import Server, bearer, new_server
from tests.integration import rows
from yotei.storage.embedded import running_url
from yotei.storage.pool import Database

SECRETS = ("Merger with Kumo", "kumo-notes", "Bring the contract", "Vault 9")
START = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
HOW = ("instances", "masters")
EVENT = "id title description location url organizerName organizer { name } attendees { email comment } roomName"


class Premise:
    """Ids of what is there, and how the outsider asks."""

    def __init__(self, server: Server) -> None:
        self.ids: dict[str, Any] = {}
        asyncio.run(self._make(server))
        token = server.place.run("token", "create", "outsider@example.org").stdout.strip()
        owner = server.place.run("token", "create", "owner@example.org").stdout.strip()
        self.outsider = httpx.Client(base_url=server.place.base, headers=bearer(token))
        self.owner = httpx.Client(base_url=server.place.base, headers=bearer(owner))

    async def _make(self, server: Server) -> None:
        url = running_url(server.place.data_dir)
        assert url is not None
        async with await Database.connect(url) as database:
            owner = await rows.a_user(database, "Owner", email="owner@example.org")
            outsider = await rows.a_user(database, "Outsider", email="outsider@example.org")
            shared = await rows.a_calendar(database, {owner: "OWNER", outsider: "FREE_BUSY"})
            readable = await rows.a_calendar(database, {owner: "OWNER", outsider: "READER"})
            closed = await rows.a_calendar(database, {owner: "OWNER"})
            room = await rows.a_room(database)
            events = {}
            for name, calendar, visibility in (
                ("of free/busy", shared, "PUBLIC"),
                ("private", readable, "PRIVATE"),
                ("series", readable, "PRIVATE"),
                ("elsewhere", closed, "PUBLIC"),
            ):
                series: dict[str, Any] = {"rrule": "FREQ=DAILY;COUNT=3", "span_end": START + timedelta(days=3)}
                events[name] = await rows.an_event(
                    database,
                    calendar,
                    owner,
                    START,
                    title=SECRETS[0],
                    url=f"https://example.org/{SECRETS[1]}",
                    description=SECRETS[2],
                    location=SECRETS[3],
                    visibility=visibility,
                    **(series if name == "series" else {}),
                )
            await rows.a_booking(database, room, events["private"], START)
        self.ids = {"calendars": [shared, readable, closed], "events": list(events.values()), "room": room}
        self.ids |= {"owner": owner, "outsider": outsider}


@pytest.fixture(scope="module")
def premise() -> Iterator[Premise]:
    with new_server() as server:
        premise = Premise(server)
        yield premise
        premise.outsider.close()
        premise.owner.close()


def paths(described: dict[str, Any], ids: dict[str, Any]) -> Iterator[str]:
    """Every GET of the description, with every id that fits."""
    window = f"start={START - timedelta(days=1):%Y-%m-%d}&end={START + timedelta(days=5):%Y-%m-%d}"
    for path, methods in described["paths"].items():
        if "get" not in methods:
            continue
        if "{calendar_id}" in path:
            made = [path.replace("{calendar_id}", str(one)) for one in ids["calendars"]]
        elif "{event_id}" in path:
            made = [path.replace("{event_id}", str(one)) for one in ids["events"]]
        elif path == "/api/events":
            made = [f"{path}?calendar_id={one}&expand={how}" for one in ids["calendars"] for how in HOW]
        elif path == "/api/events/search":
            made = [f"{path}?q={word.replace(' ', '%20')}" for word in SECRETS]
        else:
            made = [path.replace("{resource_id}", str(ids["room"])).replace("{user_id}", str(ids["owner"]))]
        takes_window = any(one["name"] == "start" for one in methods["get"].get("parameters", ()))
        for one in made:
            assert "{" not in one, f"no id for {one}"
            yield one + (("&" if "?" in one else "?") + window if takes_window else "")


def test_the_owner_is_told_so_the_premise_holds(premise: Premise) -> None:
    answer = premise.owner.get(f"/api/events/{premise.ids['events'][0]}").text

    assert all(secret in answer for secret in SECRETS)


def test_no_get_tells(premise: Premise) -> None:
    described = premise.outsider.get("/openapi.json").json()

    asked = {path: premise.outsider.get(path) for path in paths(described, premise.ids)}

    listed = [path for path, answer in asked.items() if answer.status_code == 200 and '"busy"' in answer.text]
    assert len(listed) >= 5, "events are seen as busy times"
    for path, answer in asked.items():
        assert answer.status_code in (200, 403, 404), (path, answer.text)
        for secret in SECRETS:
            assert secret not in answer.text, path


def test_no_graphql_document_tells(premise: Premise) -> None:
    ids = premise.ids
    first, last = (f"{START + timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}" for days in (-1, 5))
    window = f'start: "{first}", end: "{last}"'
    documents = [f"{{ agenda({window}, expand: {how.upper()}) {{ {EVENT} }} }}" for how in HOW]
    documents += [f"{{ agendaConnection({window}) {{ nodes {{ {EVENT} }} }} }}"]
    documents += [f'{{ event(id: "{one}") {{ {EVENT} }} }}' for one in ids["events"]]
    documents += [f'{{ calendar(id: "{one}") {{ name events({window}) {{ {EVENT} }} }} }}' for one in ids["calendars"]]
    documents += [f'{{ searchEvents(words: "{word}") {{ nodes {{ {EVENT} }} }} }}' for word in SECRETS]
    documents += [f"{{ calendars {{ nodes {{ events({window}) {{ {EVENT} }} }} }} }}"]
    documents += [f"{{ availability({window}) {{ resources {{ busy {{ start end }} }} }} }}"]

    answers = [premise.outsider.post("/graphql", json={"query": document}) for document in documents]

    busy = 0
    for document, answer in zip(documents, answers, strict=True):
        told = answer.json()
        refused = {error["extensions"]["code"] for error in told.get("errors", ())}
        assert refused <= {"not_found", "forbidden"}, (document, answer.text)
        busy += answer.text.count('"title":null')
        for secret in SECRETS:
            assert secret not in answer.text, document
    assert busy >= 5, "events are seen as busy times"
