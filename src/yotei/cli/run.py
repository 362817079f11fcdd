"""`yotei run`: the server, and around it all that it needs: an embedded PostgreSQL, migrations, demo data.

The parent process owns PostgreSQL and the listening address; worker processes serve. The order matters: signals are
caught before PostgreSQL starts, and PostgreSQL stops last, whatever happened. While the workers serve, a timer looks
after PostgreSQL and starts it again when it was killed: a signal, because the workers are forked and threads would not
be, and because the web server keeps the main thread.
"""

import asyncio
import errno
import os
import signal
import socket
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import click
from granian import Granian
from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings
from granian.log import LogLevels

from yotei import settings
from yotei.cli import migrate
from yotei.cli.database import connected, refuse_unreadable
from yotei.cli.demo import Demo, prepare_demo
from yotei.settings import Settings
from yotei.storage import statements
from yotei.storage.embedded import EmbeddedServer, EmbeddedServerError

HEADER_TIMEOUT_MS: Final = 10_000
# Workers of a killed server need a moment to leave the address.
PORT_TIMEOUT_S: Final = 2.0
PORT_POLL_S: Final = 0.02
LOOK_EVERY_S: Final = 0.5

T = TypeVar("T")


class Stopped(BaseException):
    """SIGTERM or SIGINT before the server was up."""


@click.command("run")
@click.option("--demo", is_flag=True, help="Fill an empty database with demo data, print a token and requests to try.")
@click.option("--host", help="Instead of server.host.")
@click.option("--port", type=click.IntRange(1, 65_535), help="Instead of server.port.")
@click.pass_obj
def run_command(config_file: Path | None, demo: bool, host: str | None, port: int | None) -> None:
    """Run the server until Ctrl-C or SIGTERM."""
    if config_file is not None:
        os.environ[settings.CONFIG_VARIABLE] = str(config_file)
    if host is not None:
        os.environ["YOTEI_SERVER_HOST"] = host
    if port is not None:
        os.environ["YOTEI_SERVER_PORT"] = str(port)
    config = settings.load()
    stop = _Stop()
    with stop.caught():
        _refuse_taken_port(config.server.host, config.server.port)
        with ExitStack() as stack:
            if config.redis.url is not None or config.bus.url is not None:
                from yotei import caching  # not for every verb, nor for a server without: it brings the drivers

                caching.refuse_unusable(config)
            for replica_url in config.replica.urls:
                refuse_unreadable(replica_url, "replica.urls")
            url = config.database.url
            if url is not None:
                refuse_unreadable(url, "database.url")
            else:
                click.echo(f"Starting PostgreSQL in {config.database.data_dir} ...")
                server = EmbeddedServer(Path(config.database.data_dir))
                stack.callback(server.stop)  # before the start, which a signal may end anywhere
                server.start()
                stack.enter_context(_looked_after(server))
                url = server.url
            # The workers read their settings anew; this is how they learn the address.
            os.environ["YOTEI_DATABASE_URL"] = url
            shown = stop.run(_prepare(config, url, demo=demo))
            _banner(config, shown)
            _serve(config)
    click.echo("Stopped.")


async def _prepare(config: Settings, url: str, *, demo: bool) -> Demo | None:
    if config.database.migrate_on_start:
        await migrate.apply(config, url)
    # A database that will not do is told here, once, and not by each worker.
    async with connected(config, url) as database:
        shown = await prepare_demo(database, url) if demo else None
        row = await database.fetchrow(statements.load("yotei.cli")["has_admin"])
        if row is not None and not row["has_admin"]:
            click.echo("There is no administrator yet: `yotei user add EMAIL NAME --admin` makes one, and a token.")
        return shown


def _serve(config: Settings) -> None:
    os.register_at_fork(after_in_child=_be_stoppable)
    Granian(
        "yotei.app:application",
        factory=True,
        address=config.server.host,
        port=config.server.port,
        interface=Interfaces.ASGI,
        loop=Loops.asyncio,
        http=HTTPModes.http1,
        workers=config.server.workers,
        respawn_failed_workers=True,
        workers_kill_timeout=config.server.drain_s,
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_TIMEOUT_MS),
        log_level=LogLevels.warning,
        log_access=False,
    ).serve()


@contextmanager
def _looked_after(server: EmbeddedServer) -> Iterator[None]:
    """Start PostgreSQL again when it ends under us; when that fails, stop serving and raise `EmbeddedServerError`."""
    failures: list[EmbeddedServerError] = []
    looks = False

    def look(_signal: int, _frame: object) -> None:
        nonlocal looks
        if looks or failures:
            return  # reviving takes longer than the timer
        looks = True
        try:
            if server.revive():
                click.echo("yotei: PostgreSQL had ended unexpectedly and was started again", err=True)
        except EmbeddedServerError as error:
            failures.append(error)
            signal.raise_signal(signal.SIGTERM)
        finally:
            looks = False

    signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, LOOK_EVERY_S, LOOK_EVERY_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_IGN)
        if failures:
            raise failures[0]  # in place of what it caused


class _Stop:
    """SIGTERM and SIGINT before the server serves: the first raises `Stopped`, later ones do not disturb the clean-up.

    While an event loop runs, its work is cancelled instead: an exception out of nowhere can break the loop itself.
    """

    def __init__(self) -> None:
        self._asked = False
        self._loop_runs = False
        self._cancel: Callable[[], object] | None = None

    @contextmanager
    def caught(self) -> Iterator[None]:
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        try:
            yield
        except Stopped:
            pass
        finally:
            _ignore_signals()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """As `asyncio.run`."""
        self._loop_runs = True
        try:
            answer = asyncio.run(self._cancellable(work))
        except asyncio.CancelledError:
            raise Stopped from None
        finally:
            self._loop_runs = False
        if self._asked:
            raise Stopped
        return answer

    async def _cancellable(self, work: Coroutine[Any, Any, T]) -> T:
        loop, task = asyncio.get_running_loop(), asyncio.ensure_future(work)
        self._cancel = lambda: loop.call_soon_threadsafe(task.cancel)
        if self._asked:
            task.cancel()
        try:
            return await task
        finally:
            self._cancel = None

    def _stop(self, _signal: int, _frame: object) -> None:
        self._asked = True
        _ignore_signals()
        if not self._loop_runs:
            raise Stopped
        if self._cancel is not None:
            self._cancel()


def _ignore_signals() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _be_stoppable() -> None:
    """In a fresh worker: until it serves it may just end, and what the parent inherits to it would do nothing."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C: the parent will say


def _refuse_taken_port(host: str, port: int) -> None:
    # The server itself would share the port silently (SO_REUSEPORT).
    deadline_s = time.monotonic() + PORT_TIMEOUT_S
    while True:
        try:
            with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((host, port))
            return
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() >= deadline_s:
                raise settings.SettingsError(
                    f"cannot listen on {host} port {port}: {error.strerror}; "
                    "stop what is there or set YOTEI_SERVER_HOST, YOTEI_SERVER_PORT"
                ) from None
        time.sleep(PORT_POLL_S)


def _banner(config: Settings, demo: Demo | None) -> None:
    host = f"[{config.server.host}]" if ":" in config.server.host else config.server.host
    base = f"http://{host}:{config.server.port}"
    click.echo(f"\nYotei listens on {base}   API description: {base}/docs   GraphQL: {base}/graphql\n")
    if demo is None:
        return
    authorization = f"-H 'Authorization: Bearer {demo.token}'"
    query = (
        f'{{"query":"{{ calendar(id: \\"{demo.calendar_id}\\") '
        '{ name events { title startTime attendees { user { name } } } } }"}'
    )
    click.echo(f"Token of {demo.person}, valid for a day: {demo.token}\n")
    click.echo("# A month of events")
    click.echo(f"curl -s {authorization} {base}/api/calendars/{demo.calendar_id}/events\n")
    click.echo("# The same by GraphQL")
    click.echo(f"curl -s {authorization} -H 'Content-Type: application/json' -d '{query}' {base}/graphql\n")
    click.echo("# Which rooms are free tomorrow")
    tomorrow = f"start={demo.day}T09:00&end={demo.day}T18:00&kind=ROOM"
    click.echo(f"curl -s {authorization} '{base}/api/resources/availability?{tomorrow}'\n")
