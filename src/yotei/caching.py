"""Puts the cache of one worker together: tail, levels, sweeper, bus; and what a write tells them."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

import structlog

from yotei.bus.bus import Bus
from yotei.bus.hint import Hint
from yotei.bus.transport import transport
from yotei.cache import lease, redis_client
from yotei.cache.composites import Composites
from yotei.cache.key import Family, shapes
from yotei.cache.l1 import L1
from yotei.cache.l2 import L2
from yotei.cache.levels import Cache
from yotei.cache.reads import Reads, current_reading
from yotei.cache.replicas import Replica, Replicas
from yotei.cache.sweeper import Sweeper
from yotei.cache.tail import ALL, Tail
from yotei.cache.token import Token
from yotei.calendars import keys as calendars
from yotei.events import keys as events
from yotei.resources import keys as resources
from yotei.settings import L1_ENTRIES, TTL_PROFILES, CacheSettings, Settings, SettingsError
from yotei.storage.change_log import Change, own_changes
from yotei.storage.pool import Database, Greeting, Transaction
from yotei.users import keys as users

OWN_CHANGES_MAX: Final = 2_000
"""Rows of its own that a transaction tells of; who changed more makes everybody read the log instead."""
SWEEPS_PER_WINDOW: Final = 60
RESTART_PAUSE_S: Final = 1.0
TELL_EVERY_S: Final = 60.0
"""A task that fails again and again is told of so often."""

_DOMAINS: Final = (users, calendars, resources, events)
_log = structlog.get_logger()


def purged(change: Change) -> Iterator[str]:
    """The keys and groups whose values a change may have made other ones."""
    if change.entity == "bulk":
        yield ALL
        return
    for domain in _DOMAINS:
        yield from domain.purged(change)


def refuse_unusable(config: Settings) -> None:
    """Raise `SettingsError` for an address of Redis or of the bus that no worker could use, before there are any."""
    path, bus = "redis.url", config.bus
    try:
        if config.redis.url is not None:
            redis_client.connect(config.redis.url)
        path = "bus.url"
        if bus.url is not None and bus.transport == "redis":
            redis_client.refuse_unusable(bus.url)
        elif bus.url is not None and bus.transport == "kafka":
            transport(bus.transport, bus.url, topic=bus.topic, timeout_s=bus.timeout_s)
    except (ValueError, OSError) as error:
        raise SettingsError(f"{path}: {error}") from None
    except ModuleNotFoundError:
        raise SettingsError("bus.transport: kafka needs the extra `kafka` of the package") from None


def families(config: CacheSettings) -> list[Family]:
    """Every family of every domain, with its times to live."""
    l1_ttl_s = TTL_PROFILES[config.ttl_profile]["l1"] if config.l1_ttl_s is None else config.l1_ttl_s
    return [
        Family(
            name,
            type_,
            ttl_s=config.ttl_s(name),
            l1_ttl_s=min(l1_ttl_s, config.ttl_s(name)),
            negative_ttl_s=config.negative_ttl_s,
        )
        for domain in _DOMAINS
        for name, type_ in domain.TYPES.items()
    ]


class Caching:
    """The cache of one worker, from `start` to `close`. The change log is read by `log_reader`, which nobody else takes
    connections of; by default by `database`."""

    def __init__(self, config: Settings, database: Database, log_reader: Database | None = None) -> None:
        self._database = database
        settings = config.cache
        self.tail = Tail(
            log_reader or database,
            purged,
            poll_s=settings.poll_ms / 1_000,
            lease_s=settings.lease_ms / 1_000,
            window_s=settings.floor_window_s,
            floors_max=settings.floors_max,
            transaction_max_s=config.change_log.transaction_max_s,
        )
        entries_max = L1_ENTRIES[settings.ttl_profile] if settings.l1_entries_max is None else settings.l1_entries_max
        redis = config.redis
        kinds = families(settings)
        self._redis = None
        self.l2: L2 | None = None
        if redis.url is not None:
            self._redis = redis_client.connect(
                redis.url, connections_max=redis.connections_max, hard_s=redis.hard_ms / 1_000
            )
            self.l2 = L2(
                self._redis,
                now_s=lease.now_s,
                prefix=f"{redis.prefix}.{shapes(kinds)}",
                buckets=redis_client.buckets(redis.url),
                soft_s=redis.soft_ms / 1_000,
                connections_max=redis.connections_max,
            )
        l1 = L1(entries_max=entries_max, bytes_max=settings.l1_bytes_max) if entries_max else None
        self.rendered: Composites | None = None
        """Answers as they were sent."""
        if l1 is not None and settings.rendered_bytes_max:
            self.rendered = Composites(
                self.tail,
                l1,
                bytes_max=settings.rendered_bytes_max,
                ttl_s=settings.rendered_ttl_s,
                stale_max_s=settings.stale_max_s,
            )
        self.cache = Cache(
            self.tail,
            kinds,
            l1=l1,
            l2=self.l2,
            loads_max=settings.loads_max or max(1, database.pool_stats().size_max - 1),
            load_wait_s=settings.load_wait_s,
            load_s=settings.load_s,
            claim_s=settings.claim_s,
            stale_max_s=settings.stale_max_s,
            deflate_bytes_min=redis.deflate_bytes_min,
        )
        self.replicas = Replicas(
            [
                _replica(config, number, database.pool_stats().size_max, self.tail)
                for number in range(len(config.replica.urls))
            ]
        )
        self.bus = _bus(config)
        self._tasks: list[asyncio.Task[None]] = []
        if log_reader is not None:
            # It asks ten times a second, so it is the first to find out.
            log_reader.on_silence = database.replace_connections

    def start(self) -> None:
        """Begin to hear of changes; what is written from now on is told to the others."""
        self._supervise("tail", self.tail.run)
        for replica in self.replicas.replicas:
            self._supervise("replica", replica.run)
        if self.l2 is not None:
            window_s = self.tail.floors.window_s
            sweeper = Sweeper(
                self.l2,
                self.tail,
                after_s=window_s / 2,
                every_s=window_s / SWEEPS_PER_WINDOW,
                now_s=lease.now_s,
            )
            self.tail.on_purges = sweeper.note
            self._supervise("fills", self.cache.run)
            self._supervise("sweeper", sweeper.run)
        if self.bus is not None:
            self.bus.receive(self._hear)
            self.bus.start()
        self._database.before_commit = self._before_commit

    async def close(self) -> None:
        self._database.before_commit = None
        if self.bus is not None:
            await self.bus.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.cache.close()
        await asyncio.gather(*(replica.close() for replica in self.replicas.replicas))
        if self._redis is not None:
            await redis_client.close(self._redis)

    def reads(self, token: Token | None = None) -> Reads:
        """For one request, of a client that has seen what its token says."""
        return Reads(self._database, self.cache, self.cache.reading(token), self.replicas)

    async def _before_commit(self, transaction: Transaction) -> Callable[[], None] | None:
        xid, changes = await own_changes(transaction, limit=OWN_CHANGES_MAX)
        if xid is None:
            return None
        is_all = len(changes) == OWN_CHANGES_MAX
        names = [ALL] if is_all else list(dict.fromkeys(name for change in changes for name in purged(change)))
        return lambda: self._committed(xid, names)

    def _committed(self, xid: int, names: Sequence[str]) -> None:
        """This node applies its own change before it answers, and tells the others. A transaction that has changed
        nothing may have shown what others did, or what it did when it was sent first: the client has seen that."""
        reading = current_reading()
        if reading is not None:
            reading.xid = xid
        if not names:
            return
        self.cache.apply(xid, names)
        if self.bus is not None:
            keys = () if ALL in names else tuple(names)
            self.bus.send(Hint(self.tail.epoch, xid, keys, datetime.now(UTC)))

    def _hear(self, hint: Hint) -> None:
        if hint.xid is None or not hint.keys:
            self.tail.wake()
        else:
            self.tail.hint(hint.epoch, hint.xid, hint.keys)

    def _supervise(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        async def forever() -> None:
            told_s = float("-inf")
            while True:
                try:
                    await run()
                except Exception as error:
                    if lease.now_s() - told_s >= TELL_EVERY_S:
                        told_s = lease.now_s()
                        _log.error("cache_task_failed", task=name, error=type(error).__name__, exc_info=error)
                await asyncio.sleep(RESTART_PAUSE_S)

        self._tasks.append(asyncio.create_task(forever(), name=f"cache-{name}"))


def _replica(config: Settings, index: int, size_max: int, tail: Tail) -> Replica:
    """`size_max` is what the worker has of connections to the primary."""
    settings, pool, soft_s = config.replica, config.pool, config.replica.soft_ms / 1_000

    async def connect(greeting: Greeting) -> Database:
        return await Database.connect(
            settings.urls[index],
            size_min=0,
            size_max=settings.size_max or size_max,
            life_time_s=pool.life_time_s,
            idle_time_s=pool.idle_time_s,
            acquire_timeout_s=pool.acquire_timeout_s,
            statement_cache_size=pool.statement_cache_size,
            application_name="yotei",
            greeting=greeting,
        )

    return Replica(index + 1, connect, tail, soft_s=soft_s)


def _bus(config: Settings) -> Bus | None:
    """None where the settings want none."""
    bus = config.bus
    if bus.transport == "none":
        return None
    url = bus.url or config.database.url
    assert url is not None
    way = transport(bus.transport, url, topic=bus.topic, timeout_s=bus.timeout_s)
    return Bus(way, queue_max=bus.queue_max, beat_s=bus.beat_s, timeout_s=bus.timeout_s)
