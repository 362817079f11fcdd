"""Redis with AUTH and TLS, behind Sentinel, and as a Cluster: the same level on each."""

import asyncio
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.integration.cache.nodes import key_of, name_of, node, thing, write
from tests.redis_server import RedisServer, free_port
from yotei.storage.pool import Database

CLUSTER_S_MAX = 30.0


@pytest.fixture
def with_auth_and_tls(tmp_path: Path) -> Iterator[str]:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    made = "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1"
    subprocess.run([*made.split(), "-keyout", key, "-out", certificate], check=True, capture_output=True)
    port = free_port()
    tls = ("--tls-cert-file", str(certificate), "--tls-key-file", str(key), "--tls-auth-clients", "no")
    with RedisServer(tmp_path, "--requirepass", "s3cret", "--tls-port", str(port), *tls):
        yield f"rediss://:s3cret@127.0.0.1:{port}/0?ssl_ca_certs={certificate}"


@pytest.fixture
def behind_sentinel(tmp_path: Path) -> Iterator[str]:
    with RedisServer(tmp_path) as server:
        watched = f"sentinel monitor main 127.0.0.1 {server.port} 1\n"
        with RedisServer(tmp_path, sentinel=watched) as sentinel:
            yield f"redis+sentinel://127.0.0.1:{sentinel.port}/main"


@pytest.fixture
def as_a_cluster(tmp_path: Path) -> Iterator[str]:
    with ExitStack() as stack:
        servers: list[RedisServer] = []
        buses: list[str] = []
        for number in range(3):
            folder = tmp_path / str(number)
            folder.mkdir()
            bus = str(free_port())
            servers.append(stack.enter_context(RedisServer(folder, "--cluster-enabled", "yes", "--cluster-port", bus)))
            buses.append(bus)
        for number, server in enumerate(servers):
            slots = range(number * 5462, min(16384, (number + 1) * 5462))
            server.command("CLUSTER", "ADDSLOTS", *map(str, slots))
            server.command("CLUSTER", "MEET", "127.0.0.1", str(servers[0].port), buses[0])
        deadline_s = time.monotonic() + CLUSTER_S_MAX
        while not all(
            b"cluster_state:ok" in server.command("CLUSTER", "INFO")
            and b"cluster_known_nodes:3" in server.command("CLUSTER", "INFO")
            for server in servers
        ):
            assert time.monotonic() < deadline_s, "the cluster does not come together"
            time.sleep(0.05)
        yield f"redis+cluster://127.0.0.1:{servers[0].port},127.0.0.1:{servers[1].port}"


@pytest.fixture(params=["with_auth_and_tls", "behind_sentinel", "as_a_cluster"])
async def url(request: pytest.FixtureRequest) -> AsyncIterator[str]:
    """The address of each kind."""
    yield request.getfixturevalue(request.param)


async def test_what_one_node_has_loaded_another_one_finds_until_it_changes(database: Database, url: str) -> None:
    things = [thing() for _ in range(40)]
    for n, it in enumerate(things):
        await write(database, it, n)
    async with node(database, url, hard_s=5.0) as one, node(database, url, hard_s=5.0) as other:
        await one.get_many(things)
        await one.filled()
        numbers = await other.get_many(things)
        loads = len(other.loads.calls)

        await write(database, things[0], 100)
        for each in (one, other):
            await each.tail.poll()
        changed = await other.get_many(things)
        reloaded = other.loads.calls[loads:]

        one.clock.ahead_s = 7.0
        await one.tail.poll()
        one.clock.ahead_s = 500.0
        await one.tail.poll()
        await one.sweeper.turn()

    assert numbers == list(range(40))
    assert loads == 0
    assert changed == [100, *range(1, 40)]
    assert [len(keys) for keys in reloaded] == [1]
    assert one.sweeper.steps >= 1


async def test_no_command_finds_all_connections_taken(database: Database, url: str) -> None:
    it = thing()
    await write(database, it, 1)
    async with node(database, url, hard_s=30.0, soft_s=30.0, l1=False) as one:
        assert one.l2 is not None
        await one.get(it)
        await one.filled()
        found = await asyncio.gather(
            *(one.l2.read(one.tail.epoch, [key_of(it)], one.cache._decoded) for _ in range(80))
        )

    assert [each[name_of(it)].value.payload for each in found] == [1] * 80
    assert one.l2.failures == 0
