"""GraphQL execution in memory: the breadth-first executor beside stock Strawberry and graphql-core, both with
DataLoader.

Run it with the development environment: `.venv/bin/python bench/micro/execution.py`.

The query is that of RFC-003 with all that a calendar view wants: a calendar's events, each with five attendees and who
they are, rooms, and organiser. Every executor is given the same frozen values, a parsed and validated document, and
loads that answer from a dict, so that execution alone is measured, to the JSON bytes. Executors take turns within each
round; the figure is the median of the rounds, in CPU time of this process.
"""

import asyncio
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import graphql
import msgspec
import strawberry
from aiodataloader import DataLoader as CoreLoader
from graphql import GraphQLSchema, execute, parse, validate
from strawberry.dataloader import DataLoader
from strawberry.schema.config import StrawberryConfig
from strawberry.types.info import Info

sys.path.insert(0, str(Path(__file__).parents[2]))

from yotei.breadth import Attribute, Budget, Field, Load, Loaded, Planner, Pure, plugged

EVENTS: Final = (50, 500)
ATTENDEES: Final = 5
PEOPLE: Final = 400
ROUNDS: Final = {50: 40, 500: 8}
WARM_UP: Final = 3
CALENDAR: Final = UUID(int=1)

QUERY: Final = """
query Calendar($id: UUID!) {
  calendar(id: $id) {
    name
    events {
      id
      title
      startTime
      endTime
      status
      organizer { id name }
      rooms { id name }
      attendees { email responseStatus isOptional user { id name avatar } }
    }
  }
}
"""
TYPENAME: Final = "{ __typename }"


class Person(msgspec.Struct, frozen=True, gc=False):
    id: UUID
    name: str
    avatar_url: str | None


class Attendee(msgspec.Struct, frozen=True, gc=False):
    email: str
    response_status: str
    is_optional: bool
    user_id: UUID
    user: Person


class Room(msgspec.Struct, frozen=True, gc=False):
    id: UUID
    name: str


class Event(msgspec.Struct, frozen=True):
    id: UUID
    title: str
    start_time: datetime
    end_time: datetime
    status: str
    organizer_id: UUID
    organizer: Person
    rooms: tuple[Room, ...]
    attendees: tuple[Attendee, ...]


class Calendar(msgspec.Struct, frozen=True):
    id: UUID
    name: str


class World(msgspec.Struct, frozen=True):
    people: Mapping[UUID, Person]
    calendar: Calendar
    events: tuple[Event, ...]
    by_id: Mapping[UUID, Event]


def made(events: int) -> World:
    people = [Person(UUID(int=1_000 + n), f"Person {n}", None if n % 3 else f"/avatars/{n}.png") for n in range(PEOPLE)]
    rooms = [Room(UUID(int=5_000 + n), f"Room {n}") for n in range(20)]
    start = datetime(2026, 11, 2, 9, tzinfo=UTC)
    made_events = []
    for n in range(events):
        chosen = [people[(n * 7 + k * 13) % PEOPLE] for k in range(ATTENDEES)]
        attendees = tuple(
            Attendee(f"person{k}@example.com", "ACCEPTED" if k % 2 else "NEEDS_ACTION", k == 4, one.id, one)
            for k, one in enumerate(chosen)
        )
        begins = start + timedelta(hours=n)
        organizer = people[n % PEOPLE]
        made_events.append(
            Event(
                UUID(int=10_000 + n),
                f"Meeting {n}",
                begins,
                begins + timedelta(minutes=30),
                "CONFIRMED",
                organizer.id,
                organizer,
                (rooms[n % 20],),
                attendees,
            )
        )
    return World(
        {one.id: one for one in people},
        Calendar(CALENDAR, "Team"),
        tuple(made_events),
        {one.id: one for one in made_events},
    )


# Strawberry, as one writes it: objects with resolvers, a DataLoader for each kind.


class EventStatus(Enum):
    CONFIRMED = "CONFIRMED"
    TENTATIVE = "TENTATIVE"


class ResponseStatus(Enum):
    NEEDS_ACTION = "NEEDS_ACTION"
    ACCEPTED = "ACCEPTED"


strawberry.enum(EventStatus)
strawberry.enum(ResponseStatus)


@strawberry.type(name="User")
class UserType:
    id: UUID
    name: str
    avatar_url: strawberry.Private[str | None]

    @strawberry.field
    def avatar(self) -> str | None:
        return self.avatar_url


@strawberry.type(name="Room")
class RoomType:
    id: UUID
    name: str


@strawberry.type(name="Attendee")
class AttendeeType:
    email: str
    response_status: ResponseStatus
    is_optional: bool
    user_id: strawberry.Private[UUID]

    @strawberry.field
    async def user(self, info: Info[Any, None]) -> UserType | None:
        return await info.context["users"].load(self.user_id)  # type: ignore[no-any-return]


@strawberry.type(name="Event")
class EventType:
    id: UUID
    title: str
    start_time: datetime
    end_time: datetime
    status: EventStatus
    organizer_id: strawberry.Private[UUID]

    @strawberry.field
    async def organizer(self, info: Info[Any, None]) -> UserType | None:
        return await info.context["users"].load(self.organizer_id)  # type: ignore[no-any-return]

    @strawberry.field
    async def rooms(self, info: Info[Any, None]) -> list[RoomType]:
        return await info.context["rooms"].load(self.id)  # type: ignore[no-any-return]

    @strawberry.field
    async def attendees(self, info: Info[Any, None]) -> list[AttendeeType]:
        return await info.context["attendees"].load(self.id)  # type: ignore[no-any-return]


@strawberry.type(name="Calendar")
class CalendarType:
    id: UUID
    name: str

    @strawberry.field
    async def events(self, info: Info[Any, None]) -> list[EventType]:
        return await info.context["events"].load(self.id)  # type: ignore[no-any-return]


@strawberry.type
class Query:
    @strawberry.field
    async def calendar(self, info: Info[Any, None], id: UUID) -> CalendarType | None:
        return await info.context["calendars"].load(id)  # type: ignore[no-any-return]


SCHEMA: Final = strawberry.Schema(Query, config=StrawberryConfig(auto_camel_case=True))
CORE: Final[GraphQLSchema] = SCHEMA._schema


def loads(world: World) -> dict[str, Callable[[list[UUID]], Coroutine[Any, Any, list[Any]]]]:
    async def calendars(keys: list[UUID]) -> list[Any]:
        return [world.calendar for _ in keys]

    async def events(keys: list[UUID]) -> list[Any]:
        return [list(world.events) for _ in keys]

    async def users(keys: list[UUID]) -> list[Any]:
        return [world.people[key] for key in keys]

    async def attendees(keys: list[UUID]) -> list[Any]:
        return [list(world.by_id[key].attendees) for key in keys]

    async def rooms(keys: list[UUID]) -> list[Any]:
        return [list(world.by_id[key].rooms) for key in keys]

    return {"calendars": calendars, "events": events, "users": users, "attendees": attendees, "rooms": rooms}


# graphql-core, as one writes it on the same schema: default resolvers, aiodataloader.

SDL: Final = graphql.print_schema(CORE)
STOCK_CORE: Final = graphql.build_schema(SDL)


def _loading(loader: str, key: Callable[[Any], UUID]) -> Callable[..., Awaitable[Any]]:
    async def resolve(source: Any, info: Any, **arguments: Any) -> Any:
        return await info.context[loader].load(key(source) if source is not None else UUID(arguments["id"]))

    return resolve


def _camel(source: Any, info: Any) -> Any:
    return getattr(source, _SNAKE.get(info.field_name, info.field_name))


_SNAKE: Final = {
    "startTime": "start_time",
    "endTime": "end_time",
    "responseStatus": "response_status",
    "isOptional": "is_optional",
    "avatar": "avatar_url",
}
_types: Mapping[str, Any] = STOCK_CORE.type_map
for _type, _field, _loader, _key in (
    ("Query", "calendar", "calendars", lambda _: CALENDAR),
    ("Calendar", "events", "events", lambda one: one.id),
    ("Event", "organizer", "users", lambda one: one.organizer_id),
    ("Event", "rooms", "rooms", lambda one: one.id),
    ("Event", "attendees", "attendees", lambda one: one.id),
    ("Attendee", "user", "users", lambda one: one.user_id),
):
    _types[_type].fields[_field].resolve = _loading(_loader, _key)


# Ours: the calendar is one load, its events with everything in them another.


def vocabulary(world: World) -> dict[str, dict[str, Field]]:
    async def calendars(_: Any, keys: Sequence[UUID], __: Any) -> list[Any]:
        return [world.calendar for _ in keys]

    async def events(_: Any, keys: Sequence[UUID], __: Any) -> list[Any]:
        return [world.events for _ in keys]

    calendar = Load("calendar", calendars)
    events_of = Load("events", events, rows=50)
    return {
        "Query": {"calendar": Loaded(calendar, lambda _, arguments, __: arguments["id"])},
        "Calendar": {"id": Attribute("id"), "name": Attribute("name"), "events": Loaded(events_of, "id")},
        "Event": {
            **{
                name: Attribute(_SNAKE.get(name, name))
                for name in ("id", "title", "startTime", "endTime", "status", "organizer")
            },
            "rooms": Attribute("rooms", rows=1),
            "attendees": Attribute("attendees", rows=ATTENDEES),
        },
        "Attendee": {
            name: Attribute(_SNAKE.get(name, name)) for name in ("email", "responseStatus", "isOptional", "user")
        },
        "Room": {"id": Attribute("id"), "name": Attribute("name")},
        "User": {"id": Attribute("id"), "name": Attribute("name"), "avatar": Pure(lambda one: one.avatar_url)},
    }


Way = Callable[[], Awaitable[bytes]]


def ways(world: World, query: str, variables: dict[str, Any] | None) -> dict[str, Way]:
    encode = msgspec.json.Encoder().encode
    document = parse(query)
    assert not validate(CORE, document)
    strict = Planner(CORE, vocabulary(world), strict=True, scalars=frozenset({"UUID", "DateTime"}))
    executor = plugged(strict, budget=Budget(4))

    async def ours() -> bytes:
        built = executor.build(CORE, document, raw_variable_values=variables)
        answer = await built.answer()
        assert not answer.errors
        return encode({"data": answer.data})

    async def plug() -> bytes:
        built = executor.build(CORE, document, raw_variable_values=variables)
        result = built.execute_operation()
        if not isinstance(result, graphql.ExecutionResult):
            result = await result
        assert not result.errors
        return encode({"data": result.data})

    async def stock_strawberry() -> bytes:
        context: dict[str, Any] = {name: DataLoader(load_fn=load) for name, load in loads(world).items()}
        result = await SCHEMA.execute(query, variable_values=variables, context_value=context)
        assert not result.errors
        return encode({"data": result.data})

    async def stock_core() -> bytes:
        context: dict[str, Any] = {name: CoreLoader(load, max_batch_size=1_000) for name, load in loads(world).items()}
        result = execute(STOCK_CORE, document, context_value=context, variable_values=variables, field_resolver=_camel)
        if not isinstance(result, graphql.ExecutionResult):
            result = await result
        assert not result.errors
        return encode({"data": result.data})

    return {"ours": ours, "ours, dicts": plug, "strawberry": stock_strawberry, "graphql-core": stock_core}


async def _cpu_ms(way: Way) -> float:
    started = time.process_time_ns()
    await way()
    return (time.process_time_ns() - started) / 1e6


async def _measure(compared: dict[str, Way], rounds: int) -> dict[str, float]:
    # Strawberry writes UTC as an offset, the encoder as Z.
    answers = {name: msgspec.json.decode((await way()).replace(b"+00:00", b"Z")) for name, way in compared.items()}
    assert all(one == answers["ours"] for one in answers.values()), "the executors do not answer alike"
    spent: dict[str, list[float]] = {name: [] for name in compared}
    for number in range(WARM_UP + rounds):
        for name, way in compared.items():
            elapsed = await _cpu_ms(way)
            if number >= WARM_UP:
                spent[name].append(elapsed)
    return {name: statistics.median(times) for name, times in spent.items()}


def _row(case: str, spent: dict[str, float]) -> dict[str, object]:
    return {
        "case": case,
        "cpu_ms": {name: round(one, 4) for name, one in spent.items()},
        "ratio": round(spent["ours"] / spent["strawberry"], 4),
        "times_strawberry": round(spent["strawberry"] / spent["ours"], 1),
        "times_core": round(spent["graphql-core"] / spent["ours"], 1),
    }


def run() -> list[dict[str, object]]:
    """A line for each size, and one for the smallest document; `times_...` is how much faster ours is."""
    found = []
    for events in EVENTS:
        compared = ways(made(events), QUERY, {"id": str(CALENDAR)})
        found.append(_row(f"{events} events x {ATTENDEES} attendees", asyncio.run(_measure(compared, ROUNDS[events]))))
    found.append(_row(TYPENAME, asyncio.run(_measure(ways(made(1), TYPENAME, None), 200))))
    return found


def main() -> None:
    for line in run():
        print(
            f"{line['case']}: {line['cpu_ms']} ms; {line['times_strawberry']}x Strawberry, {line['times_core']}x core"
        )


if __name__ == "__main__":
    main()
