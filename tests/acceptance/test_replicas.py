"""A server with read replicas: they are read, and when they go away nobody notices."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest

from tests.acceptance.processes import Place, bearer, new_place, status, until
from tests.standby import FOLLOWED, Standby
from yotei.storage.embedded import EmbeddedServer

# Without values in process and without Redis each read is a load.
LOADING = {"YOTEI_CACHE_L1_ENTRIES_MAX": "0", "YOTEI_LIMITS_RATE_BURST": "100000"}
READS = 20


@pytest.fixture
def folder() -> Iterator[Path]:
    with TemporaryDirectory(prefix="yotei-") as name:
        Path(name).chmod(0o711)
        yield Path(name)


@pytest.fixture
def primary(folder: Path) -> Iterator[EmbeddedServer]:
    with EmbeddedServer(folder / "primary", options=FOLLOWED) as server:
        yield server


@pytest.fixture
def place() -> Iterator[Place]:
    with new_place() as place:
        yield place


def loads(server: EmbeddedServer, table: str = "tokens") -> int:
    """Statements that loaded units of a table, as the server itself counted them."""
    counted = "select coalesce(sum(calls), 0) from pg_stat_statements where query like"
    return int(server._psql("yotei", f"{counted} '%is_standby%from {table} %'"))


def test_answers_go_on_while_a_replica_is_killed_and_it_is_used_again_when_it_is_back(
    folder: Path, primary: EmbeddedServer, place: Place
) -> None:
    with Standby(primary, folder / "standby") as standby:
        nobody = "postgresql://yotei@127.0.0.1:1/yotei"
        server = place.start(
            YOTEI_DATABASE_URL=primary.url,
            YOTEI_REPLICA_URLS=f"{standby.url},{nobody}",
            YOTEI_LOG_FORMAT="json",
            **LOADING,
        ).ready()
        place.environment["YOTEI_DATABASE_URL"] = primary.url
        me, headers = f"{place.base}/api/users/me", bearer(place.admin_token())

        def asked() -> set[int]:
            return {status(me, headers) for _ in range(READS)}

        until(lambda: '"replica_taken"' in server.err, "the replica is used")
        until(lambda: asked() == {200} and loads(standby) >= READS, "it is read from")
        on_primary = loads(primary)
        assert asked() == {200}
        assert loads(primary) == on_primary

        standby.kill()
        assert asked() == {200}
        assert loads(primary) == on_primary + READS
        assert server.err.count('"replica_refused"') >= 1

        assert standby.revive()
        before = loads(standby)
        until(lambda: asked() == {200} and loads(standby) > before, "it is read from again")
        assert server.stop() == 0
    assert "Traceback" not in server.err


def test_with_a_replica_that_stands_still_everybody_reads_what_was_written(
    folder: Path, primary: EmbeddedServer
) -> None:
    """The second server learns of a change by its own poll, once a second, or by the token that a client brings."""
    with Standby(primary, folder / "standby") as standby, ExitStack() as stack:
        settings = {
            "YOTEI_DATABASE_URL": primary.url,
            "YOTEI_REPLICA_URLS": standby.url,
            "YOTEI_BUS_TRANSPORT": "none",
            "YOTEI_CACHE_POLL_MS": "1000",
            **LOADING,
        }
        places = [stack.enter_context(new_place(**settings)) for _ in range(2)]
        servers = [place.start().ready() for place in places]
        headers = bearer(places[0].admin_token())
        one, other = (stack.enter_context(httpx.Client(base_url=place.base, headers=headers)) for place in places)
        path = f"/api/calendars/{one.post('/api/calendars', json={'name': '0'}).json()['id']}"
        for server in servers:
            until(lambda log=server: "replica_taken" in log.err, "the replica is used")  # type: ignore[misc]
        standby.caught_up()
        standby.pause()

        for name in ("1", "2", "3"):
            written = one.patch(path, json={"name": name})
            seen = {"Yotei-Token": written.headers["Yotei-Token"]}
            read = [one.get(path), one.get(path, headers=seen), other.get(path, headers=seen), other.get(path)]
            assert [answer.json()["name"] for answer in read] == [name] * 4
            assert {answer.status_code for answer in read} == {200}

        # The token, which was not changed, is read from the replica meanwhile, the calendar after it goes on.
        assert loads(standby) > 0
        before = loads(standby, "calendars")
        standby.resume()
        until(lambda: one.get(path).json()["name"] == "3" and loads(standby, "calendars") > before, "it is read again")
        for server in servers:
            assert server.stop() == 0, server.err
