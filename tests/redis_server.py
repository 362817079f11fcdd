"""A real Redis for tests: the distribution's program, started on a free loopback port and a unix socket.

A server is a context manager: `with RedisServer(folder) as server:`. It can be stopped in every way that one may
stop on its own (`kill`, `pause`), emptied, and started again on the same port. Nothing is written to disk unless
asked for (`--save`, `--appendonly`).
"""

import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import pytest

UNPACKED: Final = Path(__file__).parents[1] / ".tools"
START_S_MAX: Final = 10.0
PAUSE_S: Final = 0.01


def program() -> tuple[str, dict[str, str]]:
    """The server and the environment that it needs; skips the test where there is none."""
    if found := shutil.which("redis-server"):
        return found, {}
    if (UNPACKED / "usr/bin/redis-server").exists():
        libraries = ":".join(str(folder) for folder in (UNPACKED / "usr/lib").glob("*-linux-gnu"))
        return str(UNPACKED / "usr/bin/redis-server"), {"LD_LIBRARY_PATH": libraries}
    pytest.skip("no redis-server: run ops/test-tools.sh")


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class RedisServer:
    """One process of `redis-server`; `options` are its command line: `("--maxmemory", "10mb")`."""

    def __init__(self, folder: Path, *options: str, port: int | None = None, sentinel: str | None = None) -> None:
        self.folder = folder
        self.port = free_port() if port is None else port
        self.socket = folder / f"redis-{self.port}.sock"
        self._options = options
        self._sentinel = sentinel
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def unix_url(self) -> str:
        return f"unix://{self.socket}?db=0"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        self.kill()

    def start(self) -> None:
        """Start it and wait until it answers."""
        assert self._process is None, "it runs"
        binary, environment = program()
        command = [binary]
        if self._sentinel is not None:
            file = self.folder / f"sentinel-{self.port}.conf"
            file.write_text(self._sentinel)
            command += [str(file), "--sentinel"]
        else:
            command += ["--save", "", "--appendonly", "no", "--unixsocket", str(self.socket)]
        command += ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder), *self._options]
        self._process = subprocess.Popen(
            command, env={**os.environ, **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline_s = time.monotonic() + START_S_MAX
        while not self._answers():
            assert self._process.poll() is None and time.monotonic() < deadline_s, "redis-server does not start"
            time.sleep(PAUSE_S)

    def kill(self) -> None:
        """As a crash does; what was in memory is gone. Nothing happens when it does not run."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """It takes connections and answers nothing, as a machine that swaps."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def command(self, *words: str) -> bytes:
        """One command by the text protocol, and the beginning of its answer: `server.command("FLUSHALL")`."""
        with closing(socket.create_connection(("127.0.0.1", self.port), timeout=START_S_MAX)) as connection:
            return self._ask(connection, *words)

    def empty(self) -> None:
        assert self.command("FLUSHALL") == b"+OK\r\n"

    def _answers(self) -> bool:
        try:
            with closing(socket.create_connection(("127.0.0.1", self.port), timeout=1.0)) as connection:
                # An error (-NOAUTH) is an answer too; -LOADING is not yet one.
                return not self._ask(connection, "PING").startswith(b"-LOADING")
        except OSError:
            return False

    @staticmethod
    def _ask(connection: socket.socket, *words: str) -> bytes:
        parts = [f"*{len(words)}\r\n", *(f"${len(word.encode())}\r\n{word}\r\n" for word in words)]
        connection.sendall("".join(parts).encode())
        return connection.recv(65_536)
