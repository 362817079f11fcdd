"""`yotei run`: the server, and around it all that it needs: an embedded PostgreSQL, migrations, demo data.

The parent process owns PostgreSQL and the listening address; worker processes serve. The order matters: signals are
caught before PostgreSQL starts, and PostgreSQL stops last, whatever happened.
"""

import asyncio
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NoReturn

import click
from granian import Granian
from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings
from granian.log import LogLevels

from yotei import settings
from yotei.cli import migrate
from yotei.cli.database import connected
from yotei.cli.demo import Demo, prepare_demo
from yotei.settings import Settings
from yotei.storage.embedded import EmbeddedServer

HEADER_TIMEOUT_MS = 10_000


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
    with _stoppable():
        _refuse_taken_port(config.server.host, config.server.port)
        with ExitStack() as stack:
            url = config.database.url
            if url is None:
                click.echo(f"Starting PostgreSQL in {config.database.data_dir} ...")
                url = stack.enter_context(EmbeddedServer(Path(config.database.data_dir))).url
            # The workers read their settings anew; this is how they learn the address.
            os.environ["YOTEI_DATABASE_URL"] = url
            shown = asyncio.run(_prepare(config, url, demo=demo))
            _banner(config, shown)
            _serve(config)
    click.echo("Stopped.")


async def _prepare(config: Settings, url: str, *, demo: bool) -> Demo | None:
    if config.database.migrate_on_start:
        await migrate.apply(config, url)
    if not demo:
        return None
    async with connected(config, url) as database:
        return await prepare_demo(database, url)


def _serve(config: Settings) -> None:
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
def _stoppable() -> Iterator[None]:
    def stop(_signal: int, _frame: object) -> NoReturn:
        raise Stopped

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    try:
        yield
    except Stopped:
        pass
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _refuse_taken_port(host: str, port: int) -> None:
    # The server itself would share the port silently (SO_REUSEPORT).
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        raise settings.SettingsError(
            f"cannot listen on {host} port {port}: {error.strerror}; stop what is there or set YOTEI_SERVER_PORT"
        ) from None


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
