"""`yotei` as a person starts it: a process with a folder, a port and an environment of its own, and what is left of it.

What belongs to a folder is found in /proc: Yotei's processes have the folder in their environment, those of
PostgreSQL work in it.
"""

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, TypeVar
from urllib.error import HTTPError
from urllib.request import Request, urlopen

PROGRAM: Final = Path(sys.executable).with_name("yotei")
POLL_S: Final = 0.01
PATIENCE_S: Final = 30.0
PORTS: Final = (10_000, 32_000)
PORT_ATTEMPTS_MAX: Final = 100

T = TypeVar("T")


def until(ask: Callable[[], T], what: str, timeout_s: float = PATIENCE_S) -> T:
    """The first answer that is true; asks again and again for a bounded time."""
    deadline_s = time.monotonic() + timeout_s
    while not (answer := ask()):
        assert time.monotonic() < deadline_s, f"not within {timeout_s:.0f} s: {what}"
        time.sleep(POLL_S)
    return answer


def free_port() -> int:
    """Below those that clients are given, of whom one might have it by the time that a server comes, or comes back."""
    for _ in range(PORT_ATTEMPTS_MAX):
        port = random.randrange(*PORTS)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise AssertionError("no port is free")


class Place:
    """A folder with a data folder in it, a port, and the settings that a test wants."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self.data_dir = folder / "data"
        self.cluster = self.data_dir / "postgres"
        self.port = free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self.environment = {
            **{name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "LANG") if name in os.environ},
            "YOTEI_DATABASE_DATA_DIR": str(self.data_dir),
            "YOTEI_SERVER_PORT": str(self.port),
            **settings,
        }
        self.started: list[subprocess.Popen[bytes]] = []
        self.program: tuple[str | Path, ...] = (PROGRAM,)
        """What `start` starts with the verb `run`."""

    def run(self, *arguments: str, input_: str | None = None, **settings: str) -> "subprocess.CompletedProcess[str]":
        """A verb that ends by itself."""
        return subprocess.run(
            [PROGRAM, *arguments],
            cwd=self.folder,
            env={**self.environment, **settings},
            input=input_,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def start(self, *arguments: str, **settings: str) -> "Server":
        """`yotei run`; does not wait."""
        server = Server(self, self.folder / f"run-{len(self.started)}", arguments, settings)
        self.started.append(server.process)
        return server

    def processes(self) -> dict[int, str]:
        """Command lines of all that runs for this folder; zombies are no processes."""
        found = {}
        mark = f"YOTEI_DATABASE_DATA_DIR={self.data_dir}\0".encode()
        for proc in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                command = (proc / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").strip()
                works_here = (proc / "cwd").readlink().is_relative_to(self.cluster)
                if command and (works_here or mark in (proc / "environ").read_bytes()):
                    found[int(proc.name)] = command
        return found

    def postmaster(self) -> int:
        """The process id of PostgreSQL; 0 when it says none."""
        with suppress(OSError, ValueError, IndexError):
            return int((self.cluster / "postmaster.pid").read_text().splitlines()[0])
        return 0

    def admin_token(self) -> str:
        """An administrator in the migrated database, and a token for all."""
        done = self.run("user", "add", "root@example.org", "Root", "--admin")
        assert done.returncode == 0, done.stderr
        return done.stdout.split()[-1]

    def clean(self) -> dict[int, str]:
        """End what is left, and say what it was."""
        left = self.processes()
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for process in self.started:
            process.wait()
        until(lambda: not self.processes(), "killed processes are gone")
        return left


class Server:
    """A `yotei run`, in a process group of its own as a shell gives it."""

    def __init__(self, place: Place, log: Path, arguments: tuple[str, ...], settings: Mapping[str, str]) -> None:
        self.place = place
        self._out, self._err = log.with_suffix(".out"), log.with_suffix(".err")
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                [*place.program, "run", *arguments],
                cwd=place.folder,
                env={**place.environment, **settings},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        self.pid = self.process.pid

    @property
    def out(self) -> str:
        return self._out.read_text()

    @property
    def err(self) -> str:
        return self._err.read_text()

    def ready(self) -> "Server":
        """Wait until it says so itself."""

        def asked() -> bool:
            assert self.process.poll() is None, f"exit code {self.process.returncode}: {self.out}{self.err}"
            return status(f"{self.place.base}/readyz") == 200

        until(asked, "ready")
        return self

    def workers(self) -> list[int]:
        return [pid for pid in children(self.pid) if "postgres" not in command_line(pid)]

    def send(self, number: signal.Signals, *, group: bool = False) -> None:
        if group:
            os.killpg(self.pid, number)
        else:
            os.kill(self.pid, number)

    def ended(self, timeout_s: float = PATIENCE_S) -> int:
        """Its exit code."""
        return self.process.wait(timeout_s)

    def stop(self) -> int:
        self.send(signal.SIGTERM)
        return self.ended()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def status(url: str, headers: Mapping[str, str] | None = None) -> int:
    """Of a GET; 0 when nobody answers. Asked often, so with little around it."""
    try:
        with urlopen(Request(url, headers=dict(headers or {})), timeout=10) as answer:  # noqa: S310
            code: int = answer.status
            return code
    except HTTPError as error:
        error.close()
        return error.code
    except OSError:
        return 0


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def children(pid: int) -> list[int]:
    with suppress(OSError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def command_line(pid: int) -> str:
    """Empty when there is no such process, or only its zombie."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").strip()
    return ""


def waited_s(pid: int) -> float:
    """How long a process was ready to run while others had the processors; 0 where the system does not say."""
    with suppress(OSError):
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
    return 0.0


@contextmanager
def new_place(**settings: str) -> Iterator[Place]:
    """A place, and the promise that nothing runs in it afterwards."""
    # Short enough for a socket, and passable for the user that PostgreSQL runs as.
    with TemporaryDirectory(prefix="yotei-") as folder:
        place = Place(Path(folder), **settings)
        try:
            yield place
        finally:
            left = place.clean()
    assert left == {}


@contextmanager
def new_server(*arguments: str, **settings: str) -> Iterator[Server]:
    """A server that is ready, on a fresh folder, stopped afterwards."""
    with new_place(**settings) as place:
        server = place.start(*arguments).ready()
        yield server
        assert server.stop() == 0, server.err
