"""What `yotei run` refuses, each in one line that a person can act on, with exit code 1 and nothing half made."""

import asyncio
import socket
from collections.abc import Iterator

import asyncpg
import pytest

from tests.acceptance.processes import Place, free_port, new_place
from yotei.storage.embedded import running_url


@pytest.fixture
def place() -> Iterator[Place]:
    with new_place() as place:
        yield place


@pytest.fixture(scope="module")
def used() -> Iterator[Place]:
    """A place whose server has run before."""
    with new_place() as place:
        assert place.start().ready().stop() == 0
        yield place


def refusal(place: Place, verb: str = "run", **settings: str) -> str:
    """The one line of it."""
    done = place.run(verb, **settings)
    assert done.returncode == 1, done.stdout
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    return lines[0]


def test_a_port_that_is_taken_and_postgres_was_not_even_started(place: Place) -> None:
    with socket.create_server(("127.0.0.1", place.port)):
        said = refusal(place)

    assert said.startswith(f"yotei: cannot listen on 127.0.0.1 port {place.port}: Address already in use; ")
    assert not place.data_dir.exists()


def test_a_host_that_is_none_of_this_machine(place: Place) -> None:
    said = refusal(place, YOTEI_SERVER_HOST="192.0.2.1")

    assert said.startswith("yotei: cannot listen on 192.0.2.1 port ")
    assert not place.data_dir.exists()


@pytest.mark.parametrize("below", ["", "/deeper"])
def test_a_data_folder_that_cannot_be_written(place: Place, below: str) -> None:
    place.data_dir.write_text("a file")

    said = refusal(place, YOTEI_DATABASE_DATA_DIR=f"{place.data_dir}{below}")

    assert said.startswith(f"yotei: {place.data_dir}{below}: the data folder cannot be written (")
    assert place.data_dir.read_text() == "a file"


def test_data_of_another_postgres_which_stays_as_it_is(used: Place) -> None:
    version = used.cluster / "PG_VERSION"
    ours = version.read_text()
    version.write_text("14\n")

    said = refusal(used)
    kept = version.read_text()
    version.write_text(ours)

    assert "was made by PostgreSQL 14, this is 18; `yotei backup` with the old version" in said
    assert kept == "14\n"


def test_a_second_server_on_the_same_folder_which_does_not_disturb_the_first(used: Place) -> None:
    first = used.start().ready()

    said = refusal(used, YOTEI_SERVER_PORT=str(free_port()))

    assert said == f"yotei: {used.data_dir}: another yotei (process {first.pid}) runs on this data folder"
    assert used.run("migrate", "--plan").stdout == "Nothing to apply.\n"
    assert first.stop() == 0


def test_a_database_that_is_newer_than_the_program(used: Place) -> None:
    server = used.start().ready()
    execute(used, "insert into schema_migrations (version, name, checksum) values (9999, 'of_the_future', '')")
    assert server.stop() == 0

    said = refusal(used)

    assert "the database is at version 9999" in said
    assert "it is older than the database" in said
    assert used.processes() == {}


UNREADABLE = {
    "nobody listens": ("postgresql://yotei:secret@127.0.0.1:1/yotei", "Connect call failed"),
    "no such host": ("postgresql://yotei:secret@no-such-host.invalid/yotei", "not known"),
    "no number": ("postgresql://yotei:secret@127.0.0.1:many/yotei", "expected a port from 1 to 65535, got 'many'"),
    "no port": ("postgresql://yotei:secret@127.0.0.1:99999/yotei", "expected a port from 1 to 65535, got '99999'"),
    "no such mode": ("postgresql://yotei:secret@127.0.0.1/yotei?sslmode=maybe", "`sslmode` parameter must be one of"),
    "another product": ("mysql://yotei:secret@127.0.0.1/yotei", "starts with postgresql://"),
}


@pytest.mark.parametrize("verb", ["run", "migrate", "seed"])
@pytest.mark.parametrize("case", UNREADABLE)
def test_a_database_that_cannot_be_reached(place: Place, case: str, verb: str) -> None:
    url, reason = UNREADABLE[case]

    said = refusal(place, verb, YOTEI_DATABASE_URL=url)

    assert reason in said
    assert "secret" not in said
    assert not place.data_dir.exists()


UNUSABLE = {
    "redis.url: expected a port from 1 to 65535": {"YOTEI_REDIS_URL": "redis://:secret@127.0.0.1:99999"},
    "redis.url: expected the number of a database after the port, got 'main'": {
        "YOTEI_REDIS_URL": "redis://:secret@127.0.0.1/main"
    },
    "redis.url: there is no option 'tls'": {"YOTEI_REDIS_URL": "redis://:secret@127.0.0.1/0?tls=1"},
    "redis.url: a Sentinel URL names the service: redis+sentinel://host:26379/name": {
        "YOTEI_REDIS_URL": "redis+sentinel://:secret@127.0.0.1"
    },
    "bus.url: expected a port from 1 to 65535": {
        "YOTEI_BUS_TRANSPORT": "redis",
        "YOTEI_BUS_URL": "redis://:secret@127.0.0.1:many",
    },
    "bus.url: the address of Kafka has a port that is no number": {
        "YOTEI_BUS_TRANSPORT": "kafka",
        "YOTEI_BUS_URL": "kafka://yotei:secret@127.0.0.1:many",
    },
    "bus.transport: expected one of none, postgres, redis, kafka, got 'pigeon'": {"YOTEI_BUS_TRANSPORT": "pigeon"},
    "pool.size_min: expected at most pool.size_max": {"YOTEI_POOL_SIZE_MIN": "5", "YOTEI_POOL_SIZE_MAX": "4"},
}


@pytest.mark.parametrize("said", UNUSABLE)
def test_a_cache_or_a_bus_that_no_worker_could_use(place: Place, said: str) -> None:
    assert refusal(place, **UNUSABLE[said]) == f"yotei: {said}"
    assert not place.data_dir.exists()


def test_a_setting_that_is_not_known(place: Place) -> None:
    said = refusal(place, YOTEI_POOL_SIZE="3")

    assert said == "yotei: YOTEI_POOL_SIZE: there is no such setting (see `yotei config --all`)"


def test_a_setting_of_another_type(place: Place) -> None:
    said = refusal(place, YOTEI_POOL_SIZE_MAX="many")

    assert said.startswith("yotei: pool.size_max: expected `int | null`, got ")


def test_a_file_that_is_no_toml(place: Place) -> None:
    (place.folder / "yotei.toml").write_text("server = [")

    said = refusal(place)

    assert said.startswith("yotei: yotei.toml: not TOML: ")


def execute(place: Place, sql: str) -> None:
    async def once() -> None:
        connection = await asyncpg.connect(running_url(place.data_dir))
        await connection.execute(sql)
        await connection.close()

    asyncio.run(once())
