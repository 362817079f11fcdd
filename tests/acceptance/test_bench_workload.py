"""The workload of the hit rates asks the cache for what the product asks for, and loads what the product loads."""

from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg
import httpx
import pytest

from bench.cache.rates import Clock, Cluster, first_reads
from bench.workload import (
    EVENTS_PER_MONTH,
    MEMBERS,
    REFERENCE,
    Answer,
    Availability,
    Edit,
    FreeBusy,
    Month,
    One,
    Place,
    Request,
    World,
    attendees,
    day,
    members,
    organizer,
    requests,
    room,
)
from tests.filled import Kind, id_of
from tests.integration.rest import served
from tests.integration.rest.served import admitted, serve, settings, statements
from tests.integration.rows import insert
from yotei.cache.counts import Counts
from yotei.settings import CacheSettings
from yotei.storage.pool import Database

WORLD: Final = World(calendars=12, people=12, rooms=30)
CALENDAR: Final = 3
EVENT: Final = Place(CALENDAR, 1, 5)
"""Holds a room; the next one of its calendar holds another."""
VIEWERS: Final = members(CALENDAR, WORLD)
LIST: Final = Month(VIEWERS[1], CALENDAR, 1)
GRAPHQL: Final = Month(VIEWERS[1], CALENDAR, 1, is_graphql=True)
SINGLE: Final = One(VIEWERS[2], EVENT)
FREE: Final = Availability(VIEWERS[3], (0, room(EVENT, WORLD) or 0, 11), day(EVENT))
BUSY: Final = FreeBusy(VIEWERS[4], (0, 4, 7), 1)
# One event is two in the same month, five people are whom the list has named, and people look whose token is not known.
MIXED: Final = (SINGLE, LIST, LIST, GRAPHQL, One(VIEWERS[5], Place(CALENDAR, 1, 13)), FREE, BUSY, SINGLE)

QUERY: Final = """query Meetings($id: UUID!, $start: DateTime!, $end: DateTime!) {
  calendar(id: $id) { events(start: $start, end: $end) { id title attendees { user { id name avatar } } } }
}"""
FIRST: Final = (
    datetime.now(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0) + timedelta(days=40)
).replace(day=1)
"""Of the month 1."""
NEXT: Final = (FIRST + timedelta(days=40)).replace(day=1)


def starts(event: Place) -> datetime:
    """Each at another hour, none over midnight, and a day later still in the month."""
    return FIRST + timedelta(hours=8) + event.number * timedelta(hours=13)


LASTS: Final = timedelta(minutes=30)


def person(number: int) -> UUID:
    return id_of(Kind.USER, number)


def calendar(number: int) -> UUID:
    return id_of(Kind.CALENDAR, number)


def resource(number: int) -> UUID:
    return id_of(Kind.RESOURCE, number)


def event_id(event: Place) -> UUID:
    return id_of(Kind.EVENT, event.number)


@pytest.fixture
async def world(database: Database) -> Database:
    """People, calendars and rooms of the workload, and the events of one month."""
    for number in range(WORLD.people):
        name = f"Person {number}"
        await insert(database, "users", {"id": person(number), "email": f"{number}@example.org", "name": name})
    for number in range(WORLD.calendars):
        await insert(database, "calendars", {"id": calendar(number), "name": f"Calendar {number}"})
        for place, one in enumerate(members(number, WORLD)):
            role = "WRITER" if place else "OWNER"
            shared = {"calendar_id": calendar(number), "user_id": person(one), "role": role}
            await insert(database, "calendar_members", shared)
    for number in range(WORLD.rooms):
        await insert(database, "resources", {"id": resource(number), "name": f"Room {number}"})
    for number in range(EVENTS_PER_MONTH):
        await _insert_event(database, Place(CALENDAR, 1, number))
    return database


async def _insert_event(database: Database, event: Place) -> None:
    id_, start = event_id(event), starts(event)
    times = {"start_time": start, "end_time": start + LASTS}
    names = {"calendar_id": calendar(event.calendar), "organizer_id": person(organizer(event, WORLD))}
    told = {"uid": str(id_), "title": "Planning", "span_end": start + LASTS}
    await insert(database, "events", {"id": id_, **names, **told, **times})
    for one in attendees(event, WORLD):
        invited = {"event_id": id_, "user_id": person(one), "email": f"{one}@example.org"}
        await insert(database, "attendees", invited)
    held = room(event, WORLD)
    if held is not None:
        booked = {"resource_id": resource(held), "event_id": id_}
        await insert(database, "event_resources", {**booked, "policy": "ALL"})
        blocked = {"id": id_of(Kind.RESERVATION, event.number), "blocked": asyncpg.Range(start, start + LASTS)}
        await insert(database, "reservations", {**blocked, **booked, **times})


class Product:
    """The application, asked over HTTP. No answer is kept as it was sent: then nothing would be asked of the cache."""

    def __init__(self, client: httpx.AsyncClient, database: Database) -> None:
        self._client = client
        self._database = database
        self._tokens: dict[int, str] = {}
        self._caching = served._Known.started[-1]

    async def play(self, request: Request) -> dict[str, Counter[str]]:
        if request.viewer not in self._tokens:
            caller = await admitted(self._client, self._database, person(request.viewer))
            self._tokens[request.viewer] = caller.token
        before = told([self._caching.cache.counts()])
        response = await self._send(request, {"Authorization": f"Bearer {self._tokens[request.viewer]}"})
        assert response.status_code == 200, response.text
        assert "errors" not in response.json()
        found = since(before, told([self._caching.cache.counts()]))
        if not isinstance(request, Answer | Edit):
            found["statements"] = Counter({"": statements(response)})
        return found

    async def _send(self, request: Request, headers: Mapping[str, str]) -> httpx.Response:
        month = {"start": FIRST.isoformat(), "end": NEXT.isoformat(), "tz": "UTC"}

        async def get(path: str, **params: Any) -> httpx.Response:
            return await self._client.get(path, params=params, headers=headers)

        async def send(method: str, path: str, **body: Any) -> httpx.Response:
            return await self._client.request(method, path, json=body, headers=headers)

        match request:
            case Month(is_graphql=True):
                variables = {"id": str(calendar(request.calendar)), **month}
                del variables["tz"]
                return await send("POST", "/graphql", query=QUERY, variables=variables)
            case Month():
                return await get(f"/api/calendars/{calendar(request.calendar)}/events", **month)
            case One(event=event):
                return await get(f"/api/events/{event_id(event)}")
            case Availability(rooms=rooms):
                start = starts(EVENT).replace(hour=0) + timedelta(days=request.day - day(EVENT))
                window = {"start": start.isoformat(), "end": (start + timedelta(days=1)).isoformat(), "tz": "UTC"}
                ids = ",".join(str(resource(one)) for one in rooms)
                return await get("/api/resources/availability", resource_ids=ids, **window)
            case FreeBusy(people=people):
                return await send("POST", "/api/freebusy", user_ids=[str(person(one)) for one in people], **month)
            case Answer(event=event):
                return await send("POST", f"/api/events/{event_id(event)}/rsvp", response_status="ACCEPTED")
            case Edit(event=event, moves=True):
                start = starts(event) + timedelta(days=1)
                times = {"start_time": start.isoformat(), "end_time": (start + LASTS).isoformat()}
                return await send("PATCH", f"/api/events/{event_id(event)}", **times)
            case Edit(event=event):
                return await send("PATCH", f"/api/events/{event_id(event)}", title="Another one")


class Bench:
    """The workload's player."""

    def __init__(self) -> None:
        self.cluster = Cluster(CacheSettings(l1_entries_max=10_000), WORLD, Clock(0.0), 1, nodes=1)

    async def play(self, request: Request) -> dict[str, Counter[str]]:
        self.cluster.poll()
        before, sent = self._told(), self.cluster.counted["", "statements"]
        await self.cluster.play(request)
        found = since(before, self._told())
        if not isinstance(request, Answer | Edit):
            found["statements"] = Counter({"": self.cluster.counted["", "statements"] - sent})
        return found

    def _told(self) -> dict[str, Counter[str]]:
        return told([node.cache.counts() for node in self.cluster.nodes])


def told(nodes: Sequence[Mapping[str, Counts]]) -> dict[str, Counter[str]]:
    """By family: keys that were asked for, those that came without a statement, and all that statements brought."""
    found: dict[str, Counter[str]] = {"asked": Counter(), "hits": Counter(), "brought": Counter()}
    for counts in nodes:
        found["asked"].update({family: one.gets for family, one in counts.items()})
        found["hits"].update({family: one.hits_l1 + one.hits_l2 for family, one in counts.items()})
        found["brought"].update({family: one.loads for family, one in counts.items()})
    return found


def since(before: Mapping[str, Counter[str]], now: Mapping[str, Counter[str]]) -> dict[str, Counter[str]]:
    return {what: now[what] - before[what] for what in now}


@pytest.fixture
async def product(world: Database, database_url: str) -> AsyncIterator[Product]:
    async with serve(settings(database_url, cache=CacheSettings(rendered_bytes_max=0))) as client:
        yield Product(client, world)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    await made.cluster.sweep()
    yield made
    await made.cluster.close()


@pytest.mark.parametrize(
    "played",
    [
        pytest.param((LIST, LIST), id="a list"),
        pytest.param((GRAPHQL, GRAPHQL), id="a list over GraphQL"),
        pytest.param((SINGLE, SINGLE), id="one event"),
        pytest.param((FREE, FREE), id="rooms"),
        pytest.param((BUSY, BUSY), id="free/busy"),
        pytest.param(MIXED, id="one after the other"),
        pytest.param((*MIXED, Answer(VIEWERS[5], EVENT), *MIXED), id="an answer"),
        pytest.param((*MIXED, Edit(VIEWERS[5], EVENT, moves=False), *MIXED), id="another title"),
        pytest.param((*MIXED, Edit(VIEWERS[5], EVENT, moves=True), *MIXED), id="another time"),
    ],
)
async def test_requests_ask_for_what_they_ask_for_in_the_product(
    product: Product, bench: Bench, played: Sequence[Request]
) -> None:
    for place, request in enumerate(played):
        assert await bench.play(request) == await product.play(request), (place, request)


def test_first_reads_are_as_many_as_the_arithmetic_says() -> None:
    world, from_s, until_s = World(300, 300, 10, 300.0), 60.0, 240.0
    after_herd_s = 120.0

    seen: set[tuple[int, int]] = set()
    lists = first = 0
    for at_s, request in requests(world, 1, from_s=after_herd_s, until_s=after_herd_s + until_s):
        if isinstance(request, Month):
            asked, is_counted = (request.calendar, request.month), at_s >= after_herd_s + from_s
            lists += is_counted
            first += is_counted and asked not in seen
            seen.add(asked)

    assert first / lists == pytest.approx(first_reads(world, from_s, until_s), rel=0.05)


def test_a_part_of_the_world_has_as_many_first_reads_as_the_whole() -> None:
    whole = first_reads(REFERENCE, 300.0, 3_900.0)

    assert first_reads(REFERENCE.part(20), 300.0, 3_900.0) == pytest.approx(whole, abs=0.0005)


def test_who_looks_at_a_calendar_is_a_member_of_it() -> None:
    assert len(VIEWERS) == MEMBERS
