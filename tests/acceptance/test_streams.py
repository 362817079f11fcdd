"""Subscriptions of a real server: how they end with it, and how one goes on after a kill."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
import websockets
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.acceptance.processes import PATIENCE_S, Server, bearer, new_place, until

PROTOCOL = Subprotocol("graphql-transport-ws")
FOLLOW = """subscription ($calendar: UUID!, $since: String) {
  changes(calendarId: $calendar, since: $since) { position changes { kind event { title } } }
}"""


class Team:
    """A server with a calendar, and somebody who writes into it."""

    def __init__(self, server: Server, token: str) -> None:
        self.server = server
        self.token = token
        self.client = httpx.Client(base_url=server.place.base, headers=bearer(token), timeout=PATIENCE_S)
        self.calendar = self.client.post("/api/calendars", json={"name": "Team"}).json()["id"]

    def write(self, title: str) -> None:
        event = {
            "calendar_id": self.calendar,
            "title": title,
            "start_time": "2026-11-02T09:00:00Z",
            "end_time": "2026-11-02T10:00:00Z",
        }
        assert self.client.post("/api/events", json=event).status_code == 201

    @contextmanager
    def socket(self, since: str | None = None) -> Iterator[ClientConnection]:
        address = self.server.place.base.replace("http", "ws", 1) + "/graphql"
        with connect(address, subprotocols=[PROTOCOL], open_timeout=PATIENCE_S) as socket:
            say(socket, type="connection_init", payload={"Authorization": f"Bearer {self.token}"})
            assert hear(socket) == {"type": "connection_ack"}
            payload = {"query": FOLLOW, "variables": {"calendar": self.calendar, "since": since}}
            say(socket, type="subscribe", id="1", payload=payload)
            yield socket

    @contextmanager
    def events(self) -> Iterator[Iterator[str]]:
        body = {"query": FOLLOW, "variables": {"calendar": self.calendar}}
        with self.client.stream("POST", "/graphql", json=body, headers={"Accept": "text/event-stream"}) as response:
            yield response.iter_lines()


def say(socket: ClientConnection, **message: Any) -> None:
    socket.send(json.dumps(message))


def hear(socket: ClientConnection) -> dict[str, Any]:
    heard: dict[str, Any] = json.loads(socket.recv(timeout=PATIENCE_S))
    return heard


def feed(socket: ClientConnection) -> tuple[list[str], str]:
    """Titles of events in the next answer, and its position."""
    told = hear(socket)["payload"]["data"]["changes"]
    return [one["event"]["title"] for one in told["changes"] if one["event"]], told["position"]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    limits = {"YOTEI_LIMITS_RATE_PER_S": "5", "YOTEI_LIMITS_RATE_BURST": "60"}
    with new_place(YOTEI_SUBSCRIPTIONS_POLL_MS="100", **limits) as place:
        yield place.start().ready()


@pytest.fixture(scope="module")
def team(server: Server) -> Iterator[Team]:
    made = Team(server, server.place.admin_token())
    yield made
    made.client.close()


def test_a_killed_worker_loses_nothing_of_what_is_followed_from_a_position(team: Team) -> None:
    with team.socket() as socket:
        feed(socket)
        team.write("Heard")
        heard, position = feed(socket)
        (worker,) = team.server.workers()
        os.kill(worker, signal.SIGKILL)
        with pytest.raises(websockets.ConnectionClosed):
            hear(socket)
    until(lambda: team.server.workers() not in ([], [worker]), "another worker is there")
    team.server.ready()
    team.write("Away")

    with team.socket(position) as socket:
        missed, _ = feed(socket)
        team.write("Back")
        then, _ = feed(socket)

    assert (heard, missed, then) == (["Heard"], ["Away"], ["Back"])


def test_a_socket_that_sends_too_much_is_disconnected(team: Team) -> None:
    added = team.server.place.run("user", "add", "spam@example.org", "Spam")
    assert added.returncode == 0, added.stderr
    headers = bearer(added.stdout.split()[-1])
    address = team.server.place.base.replace("http", "ws", 1) + "/graphql"

    with (
        connect(address, subprotocols=[PROTOCOL], additional_headers=headers) as socket,
        pytest.raises(websockets.ConnectionClosed) as closed,
    ):
        for _ in range(1_000):
            say(socket, type="ping")
            assert hear(socket) == {"type": "pong"}

    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1013


def test_a_server_that_stops_says_so_to_everybody_and_at_once(team: Team) -> None:
    with team.socket() as socket, team.events() as lines:
        feed(socket)
        told = [next(lines) for _ in range(3)]
        team.server.send(signal.SIGTERM)
        after = list(lines)
        with pytest.raises(websockets.ConnectionClosed) as closed:
            hear(socket)

    assert told[0] == "event: next"
    assert after == []  # and no `complete`: the client is to come back
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1001
    assert team.server.ended() == 0, team.server.err
    assert "Killing worker" not in team.server.err
    assert "streams_cut_off" not in team.server.err
