"""A real Kafka for tests: one KRaft node in a process of its own, on loopback ports, with the jars of `ops/kafka.xml`.

It listens four times, since a client goes on to the address that a broker *advertises*: DIRECT; PROXIED and TLS, which
advertise ports of the test's proxies; SASL, which asks for a user and password (`USER`, `PASSWORD`, PLAIN or
SCRAM-SHA-512). A server is a context manager. It can be killed and started again with its data.
"""

import re
import shutil
import signal
import socket
import struct
import subprocess
import time
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import pytest

ROOT: Final = Path(__file__).parents[1]
JAVA_VERSION_MIN: Final = 17
HEAP: Final = (
    "-Xmx256m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
)
CLUSTER_ID: Final = "eW90ZWktb2YtdGVzdHMtMQ"
START_S_MAX: Final = 60.0
STOP_S_MAX: Final = 20.0
PAUSE_S: Final = 0.05
USER: Final = "yotei"
PASSWORD: Final = "word:/with@signs?"
MODULES: Final = "org.apache.kafka.common.security"


def classpath() -> str:
    """Of the jars; skips the test where they are not, or no Java runs them."""
    version = re.search(r"<kafka\.version>(.*)</kafka\.version>", (ROOT / "ops" / "kafka.xml").read_text("utf-8"))
    assert version is not None
    folder = ROOT / ".tools" / f"kafka-{version[1]}"
    java = shutil.which("java")
    if java is None:
        pytest.skip("no java to run Kafka with")
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "(\d+)', said)
    if found is None or int(found[1]) < JAVA_VERSION_MIN:
        pytest.skip(f"Kafka needs Java {JAVA_VERSION_MIN}: {said.partition(chr(10))[0]}")
    if not folder.exists():
        pytest.skip("no Kafka: run ops/test-tools.sh where Java and Maven are")
    return f"{folder}/*"


def free_ports(count: int) -> list[int]:
    """All open at once, so that they differ."""
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports: list[int] = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


class KafkaServer:
    """`proxied_port` and `tls_port` are for proxies of the test: that is where the node says that it is."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._classpath = classpath()
        self._process: subprocess.Popen[bytes] | None = None
        ports = free_ports(7)
        self.direct_port, self.behind_proxy_port, self.behind_tls_port, self.sasl_port, controller_port = ports[:5]
        self.proxied_port, self.tls_port = ports[5:]
        listeners = {
            "DIRECT": (self.direct_port, self.direct_port),
            "PROXIED": (self.behind_proxy_port, self.proxied_port),
            "TLS": (self.behind_tls_port, self.tls_port),
            "SASL": (self.sasl_port, self.sasl_port),
        }
        settings = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "DIRECT",
            "listeners": ",".join(
                f"{name}://127.0.0.1:{port}"
                for name, port in [
                    *((name, port) for name, (port, _) in listeners.items()),
                    ("CONTROLLER", controller_port),
                ]
            ),
            "advertised.listeners": ",".join(f"{name}://127.0.0.1:{port}" for name, (_, port) in listeners.items()),
            # TLS ends at the proxy.
            "listener.security.protocol.map": (
                "DIRECT:PLAINTEXT,PROXIED:PLAINTEXT,TLS:PLAINTEXT,SASL:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT"
            ),
            "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512",
            "listener.name.sasl.plain.sasl.jaas.config": (
                f'{MODULES}.plain.PlainLoginModule required user_{USER}="{PASSWORD}";'
            ),
            "listener.name.sasl.scram-sha-512.sasl.jaas.config": f"{MODULES}.scram.ScramLoginModule required;",
            "log.dirs": str(folder / "data"),
            "offsets.topic.replication.factor": "1",
            "transaction.state.log.replication.factor": "1",
            "auto.create.topics.enable": "false",
            # A node that was killed may come back only when it is held for dead.
            "broker.heartbeat.interval.ms": "300",
            "broker.session.timeout.ms": "1500",
        }
        self._properties = folder / "server.properties"
        self._properties.write_text("".join(f"{name}={value}\n" for name, value in settings.items()), "utf-8")

    @property
    def url(self) -> str:
        return f"kafka://127.0.0.1:{self.direct_port}"

    def __enter__(self) -> Self:
        self._java(
            "kafka.tools.StorageTool",
            *("format", "--cluster-id", CLUSTER_ID, "--config", str(self._properties)),
            *("--add-scram", f'SCRAM-SHA-512=[name={USER},password="{PASSWORD}"]'),
        )
        self.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        self.kill()

    def start(self) -> None:
        """Start it and wait until it answers; clients may still be told for a moment that a partition has no leader."""
        assert self._process is None, "it runs"
        log = self.folder / "kafka.log"
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                ["java", *HEAP, "-cp", self._classpath, "kafka.Kafka", str(self._properties)],
                cwd=self.folder,
                stdout=out,
                stderr=out,
            )
        deadline_s = time.monotonic() + START_S_MAX
        while not self._answers():
            alive = self._process.poll() is None and time.monotonic() < deadline_s
            assert alive, f"Kafka does not start:\n{log.read_text('utf-8', 'replace')[-2_000:]}"
            time.sleep(PAUSE_S)

    def stop(self) -> None:
        """In order; a second or two."""
        assert self._process is not None
        self._process.terminate()
        self._process.wait(STOP_S_MAX)
        self._process = None

    def kill(self) -> None:
        """As a crash does; what it had written is there after `start`. Nothing happens when it does not run."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """It takes connections and answers nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def _java(self, *arguments: str) -> None:
        done = subprocess.run(
            ["java", *HEAP, "-cp", self._classpath, *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=START_S_MAX,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-1_000:] + done.stderr[-1_000:]

    def _answers(self) -> bool:
        """ApiVersions, version 0: the one question that may be asked before anything else."""
        question = struct.pack(">hhih", 18, 0, 1, -1)
        try:
            with closing(socket.create_connection(("127.0.0.1", self.direct_port), timeout=1.0)) as connection:
                connection.sendall(struct.pack(">i", len(question)) + question)
                return len(connection.recv(8)) == 8
        except OSError:
            return False
