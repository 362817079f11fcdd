"""A server with read replicas: they are read, and when they go away nobody notices."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

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


def loads(server: EmbeddedServer) -> int:
    """Statements that loaded a token, as the server itself counted them."""
    return int(
        server._psql(
            "yotei",
            "select coalesce(sum(calls), 0) from pg_stat_statements where query like '%is_standby%from tokens%'",
        )
    )


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
