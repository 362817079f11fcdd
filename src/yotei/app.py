"""The composition root: settings -> database, doors -> one ASGI application. Nothing else knows every room."""

import asyncio
import ctypes
import gc
import logging
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from typing import Final

import structlog
from litestar import Litestar, Router
from litestar.config.cors import CORSConfig
from litestar.datastructures import State
from litestar.di import Provide
from litestar.types import ASGIApp

from yotei import settings
from yotei.api import auth, description
from yotei.api.edge import TOKEN, edge
from yotei.api.graphql import door as graphql
from yotei.api.graphql.operations import Operations
from yotei.api.graphql.streams import Streams
from yotei.api.head import with_head
from yotei.api.observed import observed
from yotei.api.ops import health
from yotei.api.pages import door as pages
from yotei.api.problems import answer_problem
from yotei.api.proxies import behind_proxies
from yotei.api.rate import Buckets, rate_limited
from yotei.api.rendered import rendered
from yotei.api.rest import batch, calendars, changes, events, history, resources, scheduling, search, tokens, users
from yotei.api.strict import strict
from yotei.api.writing import KEY, REPLAYED, provide_writing
from yotei.caching import Caching
from yotei.errors import Code, Problem
from yotei.events import write as events_write
from yotei.observe import log
from yotei.settings import Settings
from yotei.storage import idempotency, maintenance
from yotei.storage.pool import ANSWER_GRACE_S, CANCELLED_S, RELEASE_TIMEOUT_S, Database, pool_size_default
from yotei.storage.tail import Tail

MAINTENANCE_RETRY_S: Final = 60
# How long a worker that starts waits for a database that is away; recovery after a crash can take minutes.
DATABASE_AWAY_S_MAX: Final = 600.0
DATABASE_RETRY_S: Final = 0.25
# Between two batches of series that are booked further: there may be many, and requests come first.
EXTEND_PAUSE_S: Final = 1.0
STREAMS_END_S_MAX: Final = 2.0

logger = structlog.get_logger()


def application() -> ASGIApp:
    """What a worker process loads: the application with the settings in force."""
    _die_with_parent()
    app = build(settings.load(), alone=True)
    # What is there by now stays for as long as the process: the collector need not go through it again and again.
    gc.collect()
    gc.freeze()
    return app


def build(config: Settings, *, alone: bool = False) -> ASGIApp:
    """The whole stack; the outermost layer is the last. `alone`: the process is there for nothing else."""
    # While the database is away it reports each attempt with a traceback; the requests tell it in a line each.
    logging.getLogger("asyncpg.pool").setLevel(logging.ERROR)
    log.configure(format=config.log.format, level=config.log.level)
    routed = doors(config, alone=alone)
    limits = config.limits
    requests = Buckets(rate_per_s=limits.rate_per_s, burst=limits.rate_burst)
    refusals = Buckets(rate_per_s=limits.refused_per_s, burst=limits.refused_burst)
    app = rate_limited(with_head(edge(routed, routed.state)), requests=requests, refusals=refusals)
    app = observed(
        app,
        statements_max=limits.statements_max,
        write_statements_max=limits.write_statements_max,
        strict=limits.strict_statements,
    )
    app = rendered(app, routed.state, requests=requests, refusals=refusals)
    return behind_proxies(app, config.server.trusted_proxies)


def doors(config: Settings, *, alone: bool = False) -> Litestar:
    """REST, GraphQL, pages and health behind one router."""
    origins = list(config.server.cors_origins)
    return Litestar(
        route_handlers=[
            Router("/", route_handlers=[*events.ROUTES, *search.ROUTES, *history.ROUTES], tags=["Events"]),
            Router("/", route_handlers=batch.ROUTES, tags=["Batches"]),
            Router("/", route_handlers=calendars.ROUTES, tags=["Calendars"]),
            Router("/", route_handlers=changes.ROUTES, tags=["Sync"]),
            Router("/", route_handlers=resources.ROUTES, tags=["Rooms and equipment"]),
            Router("/", route_handlers=scheduling.ROUTES, tags=["Free/busy"]),
            Router("/", route_handlers=users.ROUTES, tags=["People"]),
            Router("/", route_handlers=tokens.ROUTES, tags=["Tokens"]),
            Router("/", route_handlers=[health.healthz, health.readyz], tags=["Operations"], security=[{}]),
            *graphql.routes(),
            *pages.ROUTES,
        ],
        dependencies={"viewer": Provide(auth.provide_viewer), "writing": Provide(provide_writing)},
        guards=[strict],
        exception_handlers={Exception: answer_problem},
        state=State(
            {
                "limits": config.limits,
                "horizon_days": config.booking.horizon_days,
                "operations": Operations(config.limits, config.graphql),
            }
        ),
        lifespan=[_storage(config, alone=alone)],
        request_max_body_size=config.limits.body_bytes_max,
        openapi_config=description.OPENAPI,
        cors_config=CORSConfig(
            allow_origins=origins,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"],
            allow_headers=[
                "Authorization",
                "Content-Type",
                "If-None-Match",
                "If-Match",
                KEY,
                TOKEN,
                auth.ON_BEHALF_OF,
            ],
            expose_headers=[
                "ETag",
                "Location",
                REPLAYED,
                "Server-Timing",
                "Retry-After",
                "X-Request-Id",
                TOKEN,
                "Cache-Status",
                "Age",
            ],
        )
        if origins
        else None,
    )


def _storage(config: Settings, *, alone: bool) -> "type[AbstractAsyncContextManager[None]]":
    @asynccontextmanager
    async def storage(app: Litestar) -> AsyncIterator[None]:
        database = await _connected(config, _pool_size(config))
        tail = Tail(
            database,
            poll_s=config.subscriptions.poll_ms / 1_000,
            transaction_max_s=config.change_log.transaction_max_s,
        )
        streams = Streams(config.subscriptions, tail)
        # The change log is read by a connection of its own: requests may hold up all the others. When it is
        # silent, the next poll has another one.
        log_reader = await _connected(config, 1, given_up_s=CANCELLED_S) if config.cache.enabled else None
        caching = None if log_reader is None else Caching(config, database, log_reader)
        app.state.database, app.state.streams, app.state.caching = database, streams, caching
        if unused := config.unused():
            logger.warning("cache_settings_unused", unused=list(unused), because="cache.enabled is false")
        if caching is not None:
            caching.start()
        if alone:
            _end_streams_first(streams, min(STREAMS_END_S_MAX, config.server.drain_s / 2))
        upkeep = [asyncio.create_task(task(database, config)) for task in (_maintain, _extend_bookings)]
        try:
            logger.info("worker_started", pid=os.getpid())
            yield
        finally:
            streams.stop()
            await streams.ended(STREAMS_END_S_MAX)
            await tail.close()
            for task in upkeep:
                task.cancel()
            await asyncio.gather(*upkeep, return_exceptions=True)
            if caching is not None:
                await caching.close()
            if log_reader is not None:
                await log_reader.close()
            await database.close()
            log.flush()

    return storage  # type: ignore[return-value]


def _pool_size(config: Settings) -> int:
    """Connections of this worker to the database."""
    pool, workers = config.pool, config.server.workers
    return max(1, pool.size_max // workers) if pool.size_max else pool_size_default(pool.database_cores, workers)


async def _connected(config: Settings, size_max: int, *, given_up_s: float = RELEASE_TIMEOUT_S) -> Database:
    """A pool of this worker. The parent has seen the database, so when it is away it is waited for: a worker that
    ended would be started again and again, until the whole server is given up.

    Raises Problem (unavailable) when it stays away, `DatabaseNotPrepared` at once.
    """
    url, pool = config.database.url, config.pool
    assert url is not None, "the parent process names the database"
    deadline_s = time.monotonic() + DATABASE_AWAY_S_MAX
    while True:
        try:
            return await Database.connect(
                url,
                size_min=pool.size_min,
                size_max=size_max,
                life_time_s=pool.life_time_s,
                idle_time_s=pool.idle_time_s,
                acquire_timeout_s=pool.acquire_timeout_s,
                answer_timeout_s=config.database.statement_timeout_ms / 1_000 + ANSWER_GRACE_S,
                given_up_s=given_up_s,
                statement_cache_size=pool.statement_cache_size,
                application_name="yotei",
            )
        except Problem as problem:
            if problem.code is not Code.UNAVAILABLE or time.monotonic() >= deadline_s:
                raise
            logger.warning("database_awaited", cause=type(problem.__cause__).__name__)
        await asyncio.sleep(DATABASE_RETRY_S)


async def _maintain(database: Database, config: Settings) -> None:
    """Keep the daily partitions of the change log made ahead and dropped by age, as long as the worker lives."""
    log_ = config.change_log
    while True:
        try:
            await maintenance.maintain(database, days_ahead=log_.days_ahead, keep_days=log_.keep_days)
            await idempotency.drop_old(database)
            pause_s = log_.maintain_every_s
        except Exception as error:
            logger.warning("maintenance_failed", error=type(error).__name__, exc_info=error)
            pause_s = MAINTENANCE_RETRY_S
        await asyncio.sleep(pause_s)


async def _extend_bookings(database: Database, config: Settings) -> None:
    """Book the rooms of series further as time goes on, as long as the worker lives."""
    booking = config.booking
    while True:
        try:
            seen_to = await events_write.extend(database, now=datetime.now(UTC), horizon_days=booking.horizon_days)
            if seen_to:
                logger.info("bookings_extended", events=seen_to)
            pause_s: float = EXTEND_PAUSE_S if seen_to else booking.extend_every_s
        except Exception as error:
            logger.warning("extending_bookings_failed", error=type(error).__name__, exc_info=error)
            pause_s = MAINTENANCE_RETRY_S
        await asyncio.sleep(pause_s)


def _end_streams_first(streams: Streams, timeout_s: float) -> None:
    """On SIGTERM end the subscriptions, each in the manner of its protocol, then the process by its server's own way.

    The server cuts sockets off when it stops, and waits for streams of events that do not know of it.
    """
    loop = asyncio.get_running_loop()
    ending: list[asyncio.Task[None]] = []

    async def end() -> None:
        streams.stop()
        if not await streams.ended(timeout_s):
            logger.warning("streams_cut_off", left=len(streams))
        signal.raise_signal(signal.SIGINT)

    loop.add_signal_handler(signal.SIGTERM, lambda: ending.append(loop.create_task(end())))


def _die_with_parent() -> None:
    """A worker whose parent was killed must not go on serving (Linux only: PR_SET_PDEATHSIG).

    SIGKILL, because nobody is left who would end a request that does not; and the next start waits for the address.
    """
    parent = multiprocessing.parent_process()
    if sys.platform != "linux" or parent is None:
        return
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
    # It may have died before; and in a container it may well be process 1.
    if os.getppid() != parent.pid:
        raise SystemExit(1)
