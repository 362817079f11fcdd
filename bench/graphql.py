"""`make bench-graphql`: what GraphQL costs, in memory beside Strawberry with DataLoader, end to end beside bare SQL.

In memory: the query of RFC-003 with all that a calendar view wants, over the same values, to JSON bytes (`execution`),
in CPU time. End to end: the same query over HTTP, on one connection, in front of PostgreSQL, nothing cached. Beside it
in the same server process, behind the same HTTP:

| way | what it does |
|---|---|
| graphql | `/graphql` of the application with all of its layers |
| statement | asks who it is, sends the statement of the list alone, decodes its rows, encodes the answer's fields |
| by hand | the same with a statement written for this answer alone, without rights, series or overrides |

Neither of the two others decides what a viewer may see. All three send the token's statement and one more. They take
turns, request by request. Times are those of a client that only reads bytes. About two minutes.
"""

import asyncio
import os
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any, Final
from uuid import UUID

import asyncpg
import msgspec
from granian import Granian
from granian.constants import HTTPModes, Interfaces, Loops
from granian.log import LogLevels
from litestar.types import ASGIApp, Receive, Scope, Send
from rich.console import Console
from rich.table import Table

from bench.micro import execution
from bench.micro.run import commit, machine
from bench.served import Served, median, served
from tests.filled import SMALL, Kind, id_of
from yotei.app import application as whole
from yotei.events.event import Stored
from yotei.events.read import ROWS_MAX
from yotei.storage import statements
from yotei.storage.pool import Database
from yotei.storage.statements import Statement
from yotei.users import tokens

ROOT: Final = Path(__file__).parents[1]
RESULTS: Final = ROOT / "bench" / "results" / "graphql.jsonl"
ROUNDS: Final = 400
WARM_UP: Final = 40
MANY: Final = 500
TOKEN: Final = "yotei_" + "b" * 43
START_TIMEOUT_S: Final = 60.0
WAYS: Final = ("graphql", "statement", "by hand")

QUERY: Final = """query Month($id: UUID!, $start: DateTime!, $end: DateTime!) {
  calendar(id: $id) {
    name
    events(start: $start, end: $end, first: 500) {
      id title startTime endTime status
      organizer { id name }
      resources { id name }
      attendees { email responseStatus isOptional user { id name avatar } }
    }
  }
}"""

_by_hand: Final = Statement(
    "bench.month",
    """
    select (select c.name from calendars c where c.id = $1) as name, coalesce(json_agg(s), '[]')::text as events
    from (
      select e.id, e.title, e.start_time, e.end_time, e.status, e.organizer_id, o.name as organizer_name,
             (select coalesce(json_agg(a), '[]')
              from (select a.email, a.user_id, u.name as user_name, u.avatar_url, a.response_status, a.is_optional
                    from attendees a left join users u on u.id = a.user_id
                    where a.event_id = e.id order by a.created_at, a.email) a) as attendees,
             (select coalesce(json_agg(b), '[]')
              from (select r.id, r.name from reservations v join resources r on r.id = v.resource_id
                    where v.event_id = e.id and v.status = 'CONFIRMED') b) as bookings
      from events e
      join users o on o.id = e.organizer_id
      where e.calendar_id = $1 and e.deleted_at is null and e.span_end >= $2 and e.start_time < $3
      order by e.start_time, e.id) s
    """,
    "the events of a month, as one writes it for this answer",
)


class Guest(msgspec.Struct, frozen=True, gc=False):
    email: str
    user_id: UUID | None
    user_name: str | None
    avatar_url: str | None
    response_status: str
    is_optional: bool


class Room(msgspec.Struct, frozen=True, gc=False):
    id: UUID
    name: str


class Row(msgspec.Struct, frozen=True):
    id: UUID
    title: str
    start_time: datetime
    end_time: datetime
    status: str
    organizer_id: UUID
    organizer_name: str
    attendees: tuple[Guest, ...]
    bookings: tuple[Room, ...]


class Person(msgspec.Struct, frozen=True, gc=False):
    id: UUID | None
    name: str | None


class User(msgspec.Struct, frozen=True, gc=False):
    id: UUID
    name: str | None
    avatar: str | None


class Attendee(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    email: str
    response_status: str
    is_optional: bool
    user: User | None


class Event(msgspec.Struct, frozen=True, rename="camel"):
    id: UUID
    title: str
    start_time: datetime
    end_time: datetime
    status: str
    organizer: Person
    resources: list[Room]
    attendees: list[Attendee]


_rows: Final = msgspec.json.Decoder(tuple[Row, ...])
_stored: Final = msgspec.json.Decoder(tuple[Stored, ...])
_encode: Final = msgspec.json.Encoder().encode


def _told(rows: tuple[Row, ...] | tuple[Stored, ...]) -> list[Event]:
    return [
        Event(
            one.id,
            one.title,
            one.start_time,
            one.end_time,
            one.status,
            Person(one.organizer_id, one.organizer_name),
            [Room(held.id, held.name) for held in one.bookings],
            [
                Attendee(
                    guest.email,
                    guest.response_status,
                    guest.is_optional,
                    None if guest.user_id is None else User(guest.user_id, guest.user_name, guest.avatar_url),
                )
                for guest in one.attendees
            ],
        )
        for one in rows
    ]


# The server: the application, and the bare handlers in front of it.


def application() -> ASGIApp:
    """What the server process loads; its settings come from the environment."""
    app = whole()
    bare: dict[str, Database] = {}
    select_events = statements.load("yotei.events")["select_events"]

    async def statement(database: Database, viewer_id: UUID, asked: tuple[UUID, datetime, datetime]) -> bytes:
        calendar_id, start, end = asked
        given = [viewer_id, [calendar_id], False, [], start, end, start, end, ROWS_MAX, None, [], None, False]
        row = await database.fetchrow(select_events, *given)
        assert row is not None
        (calendar,) = msgspec.json.decode(row["known_calendars"])
        events = sorted(_stored.decode(row["events"]), key=lambda one: (one.start_time, one.id))
        return _encode({"data": {"calendar": {"name": calendar["name"], "events": _told(tuple(events))}}})

    async def by_hand(database: Database, _: UUID, asked: tuple[UUID, datetime, datetime]) -> bytes:
        row = await database.fetchrow(_by_hand, *asked)
        assert row is not None
        return _encode({"data": {"calendar": {"name": row["name"], "events": _told(_rows.decode(row["events"]))}}})

    ways = {"/bare/statement": statement, "/bare/by-hand": by_hand}

    async def served_by(scope: Scope, receive: Receive, send: Send) -> None:
        way = ways.get(scope.get("path", ""))
        if way is None:
            await app(scope, receive, send)
            return
        if not bare:
            bare["database"] = await Database.connect(os.environ["YOTEI_DATABASE_URL"], size_min=1, size_max=2)
        database = bare["database"]
        body = await _body(receive)
        headers = dict(scope["headers"])
        token = headers[b"authorization"].decode().removeprefix("Bearer ")
        viewer = (await tokens.identify(database, token, None, datetime.now(UTC))).viewer
        asked = msgspec.json.decode(body, type=dict[str, Any])["variables"]
        start, end = (datetime.fromisoformat(asked[name]) for name in ("start", "end"))
        answer = await way(database, viewer.user_id, (UUID(asked["id"]), start, end))
        sized = (b"content-length", str(len(answer)).encode())
        kind = (b"content-type", b"application/json; charset=utf-8")
        await send({"type": "http.response.start", "status": 200, "headers": [kind, sized]})
        await send({"type": "http.response.body", "body": answer, "more_body": False})

    return served_by


async def _body(receive: Receive) -> bytes:
    body = b""
    while True:
        message: Mapping[str, Any] = await receive()
        part: bytes = message.get("body", b"")
        body += part
        if not message.get("more_body"):
            return body


def serve(port: int) -> None:
    Granian(
        "bench.graphql:application",
        factory=True,
        port=port,
        interface=Interfaces.ASGI,
        loop=Loops.asyncio,
        http=HTTPModes.http1,
        workers=1,
        log_level=LogLevels.warning,
        log_access=False,
    ).serve()


# The client


class Client:
    """One connection that is kept, and no more work than bytes take."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, path: str, body: bytes) -> tuple[bytes, bytes]:
        """Head and body of the answer."""
        head = (
            f"POST {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {TOKEN}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self._socket.sendall(head.encode() + body)
        read = b""
        while b"\r\n\r\n" not in read:
            read += self._more()
        told, _, rest = read.partition(b"\r\n\r\n")
        size = next(int(line[15:]) for line in told.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        parts, have = [rest], len(rest)
        while have < size:
            parts.append(self._more())
            have += len(parts[-1])
        return told, b"".join(parts)

    def _more(self) -> bytes:
        part = self._socket.recv(1 << 20)
        assert part, "the server has gone"
        return part


def _statements(head: bytes) -> int:
    """How many the server says that it sent (`Server-Timing`)."""
    text = head.decode().lower()
    return int(text.partition('desc="')[2].partition(" ")[0])


def _compare(client: Client, calendar_id: UUID, start: datetime, end: datetime, events: int) -> dict[str, object]:
    variables = {"id": calendar_id, "start": start, "end": end}
    body = _encode({"query": QUERY, "variables": variables})
    paths = {"graphql": "/graphql", "statement": "/bare/statement", "by hand": "/bare/by-hand"}
    heads = {name: client.ask(path, body) for name, path in paths.items()}
    answers = {name: _alike(answer) for name, (_, answer) in heads.items()}
    assert len(answers["graphql"]["calendar"]["events"]) == events
    assert all(one == answers["graphql"] for one in answers.values()), "the ways do not answer alike"
    spent: dict[str, list[float]] = {name: [] for name in paths}
    for number in range(WARM_UP + ROUNDS):
        for name, path in paths.items():
            started = perf_counter()
            client.ask(path, body)
            if number >= WARM_UP:
                spent[name].append((perf_counter() - started) * 1e3)
    times = {name: median(values) for name, values in spent.items()}
    return {
        "case": f"{events} events x {execution.ATTENDEES} attendees",
        "statements": _statements(heads["graphql"][0]),
        "bytes": len(heads["graphql"][1]),
        "ms": {name: round(one, 3) for name, one in times.items()},
        "times_statement": round(times["graphql"] / times["statement"], 2),
        "times_by_hand": round(times["graphql"] / times["by hand"], 2),
    }


def _alike(answer: bytes) -> Any:
    """The data, in the one order that the ways share: resources of an event are a set, and a zone has two spellings."""
    return msgspec.json.decode(answer.replace(b"+00:00", b"Z"))["data"]


async def _fill_more(filled: Served) -> UUID:
    """A token for whoever asks, and a calendar of theirs with many events in the month."""
    calendar_id = id_of(Kind.CALENDAR, 900_000)
    connection = await asyncpg.connect(filled.url)
    await connection.execute("set statement_timeout = 0")
    await connection.execute(
        "insert into tokens (id, user_id, kind, token_hash, name, scopes) "
        "values (gen_random_uuid(), $1, 'USER', sha256($2::text::bytea), 'bench', array['read'])",
        filled.owner_id,
        TOKEN,
    )
    await connection.execute("insert into calendars (id, name) values ($1, 'Many')", calendar_id)
    await connection.execute("insert into calendar_members values ($1, $2, 'OWNER')", filled.owner_id, calendar_id)
    await connection.execute(
        "insert into events (id, calendar_id, organizer_id, uid, title, start_time, end_time, span_end) "
        "select gen_random_uuid(), $1::uuid, $2::uuid, 'many-' || n, 'Event ' || n, s, s + interval '1 hour', "
        "s + interval '1 hour' from generate_series(1, $3::integer) n, "
        "lateral (select $4::timestamptz + n * interval '80 minutes' as s) t",
        calendar_id,
        filled.owner_id,
        MANY,
        filled.month_start,
    )
    await connection.execute(
        "insert into attendees (event_id, email, user_id) select e.id, u.email, u.id from events e "
        "cross join (select * from users order by id limit $2) u where e.calendar_id = $1",
        calendar_id,
        execution.ATTENDEES,
    )
    await connection.execute("analyze")
    await connection.close()
    return calendar_id


async def end_to_end() -> list[dict[str, object]]:
    async with served(SMALL) as filled:
        many = await _fill_more(filled)
        with socket.create_server(("127.0.0.1", 0)) as listening:
            port: int = listening.getsockname()[1]
        environment = {
            **os.environ,
            "YOTEI_DATABASE_URL": filled.url,
            "YOTEI_LIMITS_RATE_PER_S": "1000000",
            "YOTEI_LIMITS_RATE_BURST": "1000000",
            "YOTEI_LOG_LEVEL": "error",
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bench.graphql", "serve", str(port), env=environment, cwd=ROOT
        )
        try:
            client = await asyncio.to_thread(_connected, port)
            window = (filled.month_start, filled.month_end)
            return [
                await asyncio.to_thread(_compare, client, filled.calendar_id, *window, 50),
                await asyncio.to_thread(_compare, client, many, *window, MANY),
            ]
        finally:
            process.terminate()
            await process.wait()


def _connected(port: int) -> Client:
    deadline = perf_counter() + START_TIMEOUT_S
    while True:
        try:
            return Client(port)
        except OSError:
            assert perf_counter() < deadline, "the server did not start"


def summary(in_memory: list[dict[str, Any]], over_http: list[dict[str, Any]]) -> str:
    first, whole_way = in_memory[0], over_http[0]
    return (
        f"in memory {first['times_strawberry']:.0f}x stock, {first['cpu_ms']['ours']:.2f} ms; "
        f"end to end {whole_way['times_statement']:.1f}x bare SQL, {whole_way['statements']} statements"
    )


def main() -> None:
    started = perf_counter()
    in_memory, over_http = execution.run(), asyncio.run(end_to_end())
    console = Console(width=None if sys.stdout.isatty() else 120)
    table = Table("in memory", "ours, CPU ms", "Strawberry", "graphql-core", "times Strawberry")
    for line in in_memory:
        spent: Any = line["cpu_ms"]
        table.add_row(
            str(line["case"]),
            *(f"{spent[name]:.3f}" for name in ("ours", "strawberry", "graphql-core")),
            str(line["times_strawberry"]),
        )
    console.print(table)
    table = Table("end to end", *(f"{name}, ms" for name in WAYS), "times statement", "times by hand", "statements")
    for line in over_http:
        times: Any = line["ms"]
        ratios = (str(line[name]) for name in ("times_statement", "times_by_hand", "statements"))
        table.add_row(str(line["case"]), *(f"{times[name]:.2f}" for name in WAYS), *ratios)
    console.print(table)
    line = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "machine": machine(),
        "elapsed_s": round(perf_counter() - started, 1),
        "in_memory": in_memory,
        "end_to_end": over_http,
    }
    with RESULTS.open("ab") as results:
        results.write(msgspec.json.encode(line) + b"\n")
    print(summary(in_memory, over_http))


Way = Callable[[Database, UUID, tuple[UUID, datetime, datetime]], Awaitable[bytes]]

if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(int(sys.argv[2]))
    else:
        main()
