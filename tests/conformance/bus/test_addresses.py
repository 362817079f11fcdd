"""What an address says reaches the server: TLS with a certificate that is checked, users and passwords."""

import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

import pytest

from tests.conformance.bus.rigs import BEAT_S, TIMEOUT_S, TOPIC, ready, socket_of, until
from tests.conftest import FAST
from tests.kafka_server import PASSWORD, USER, KafkaServer
from tests.proxy import certified, proxy_to
from tests.redis_server import RedisServer
from yotei.bus.bus import Bus
from yotei.bus.transport import TransportName, transport
from yotei.storage.embedded import EmbeddedServer, programs

WORD = quote(PASSWORD, safe="")


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with TemporaryDirectory(prefix="yotei-") as made:
        Path(made).chmod(0o711)
        yield Path(made)


@pytest.fixture(scope="module")
def kafka(folder: Path) -> Iterator[KafkaServer]:
    with KafkaServer(folder) as server:
        yield server


@pytest.fixture(scope="module")
def redis(folder: Path) -> Iterator[RedisServer]:
    with RedisServer(folder) as server:
        server.command("ACL", "SETUSER", USER, "on", f">{PASSWORD}", "allchannels", "+@all")
        server.command("ACL", "SETUSER", "default", "off")
        yield server


@pytest.fixture(scope="module")
def postgres_with_password(folder: Path) -> Iterator[Path]:
    """Its socket. The server's own role needs no password, `hinted` does."""
    with EmbeddedServer(folder / "d", options=FAST) as server:
        (server.cluster / "pg_hba.conf").write_text("local all hinted scram-sha-256\nlocal all all trust\n")
        asked = ("-c", f"create role hinted login password '{PASSWORD}'", "-c", "select pg_reload_conf()")
        subprocess.run([programs() / "psql", "-q", *asked, server.url], check=True, capture_output=True)
        yield socket_of(server)


@pytest.fixture(scope="module")
def tls(folder: Path) -> tuple[ssl.SSLContext, Path]:
    return certified(folder)


@pytest.fixture
async def secured(
    request: pytest.FixtureRequest, tls: tuple[ssl.SSLContext, Path]
) -> AsyncIterator[tuple[TransportName, str, str]]:
    """A transport, an address by TLS with the certificate to trust, and the same without it."""
    context, certificate = tls
    if request.param == "postgres":
        server: Path = request.getfixturevalue("postgres_with_password")
        async with proxy_to(server, tls=context, asks_first=True) as proxy:
            url = f"postgresql://yotei@127.0.0.1:{proxy.port}/yotei?sslmode=verify-full"
            yield "postgres", f"{url}&sslrootcert={certificate}", url
    elif request.param == "redis":
        async with proxy_to(("127.0.0.1", request.getfixturevalue("redis").port), tls=context) as proxy:
            url = f"rediss://{USER}:{WORD}@127.0.0.1:{proxy.port}/0"
            yield "redis", f"{url}?ssl_ca_certs={certificate}", url
    else:
        kafka: KafkaServer = request.getfixturevalue("kafka")
        async with proxy_to(("127.0.0.1", kafka.behind_tls_port), port=kafka.tls_port, tls=context) as proxy:
            url = f"kafkas://127.0.0.1:{proxy.port}"
            yield "kafka", f"{url}?ssl_ca_certs={certificate}", url


@pytest.fixture
async def guarded(request: pytest.FixtureRequest) -> AsyncIterator[tuple[TransportName, str]]:
    """A transport, and an address in which the password is still missing."""
    if request.param == "postgres":
        server: Path = request.getfixturevalue("postgres_with_password")
        async with proxy_to(server) as proxy:
            yield "postgres", f"postgresql://hinted:{{}}@127.0.0.1:{proxy.port}/yotei?sslmode=disable"
    elif request.param == "redis":
        yield "redis", f"redis://{USER}:{{}}@127.0.0.1:{request.getfixturevalue('redis').port}/0"
    else:
        kafka: KafkaServer = request.getfixturevalue("kafka")
        mechanism = request.param.partition("-")[2]
        yield "kafka", f"kafka://{USER}:{{}}@127.0.0.1:{kafka.sasl_port}?sasl_mechanism={mechanism}"


def made(name: TransportName, url: str) -> Bus:
    return Bus(transport(name, url, topic=TOPIC, timeout_s=TIMEOUT_S), queue_max=10, beat_s=BEAT_S, timeout_s=TIMEOUT_S)


async def refused(bus: Bus) -> None:
    """It goes on trying, and does not become ready."""
    bus.start()
    try:
        await until(lambda: bus.stats.rebuilds > 1, "it is refused")
        assert not bus.ready
    finally:
        await bus.close()


@pytest.mark.parametrize("secured", ["postgres", "redis", "kafka"], indirect=True)
async def test_tls_is_spoken_and_the_certificate_is_checked(secured: tuple[TransportName, str, str]) -> None:
    name, trusting, distrustful = secured

    async with ready(made(name, trusting)):
        pass
    await refused(made(name, distrustful))


@pytest.mark.parametrize("guarded", ["postgres", "redis", "kafka-PLAIN", "kafka-SCRAM-SHA-512"], indirect=True)
async def test_a_user_is_let_in_by_the_right_password_only(
    guarded: tuple[TransportName, str], capsys: pytest.CaptureFixture[str]
) -> None:
    name, url = guarded

    async with ready(made(name, url.format(WORD))):
        pass
    await refused(made(name, url.format("wrong-word")))

    said = "".join(capsys.readouterr())
    assert "wrong-word" not in said and PASSWORD not in said
