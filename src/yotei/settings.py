"""Everything that can be set, in one frozen tree.

Sources, the later wins: the defaults below, one TOML file (`yotei.toml` in the working folder, or the file that
`YOTEI_CONFIG` names), then the environment: `YOTEI_POOL_SIZE_MAX` is `pool.size_max`. An unknown or ill-typed
setting stops the start and is named by its path; only what Kubernetes puts into every container for a Service that
is called `yotei` or `yotei-…` is left alone. Read once, in the composition root, and handed down as values.
"""

import ipaddress
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

ENVIRONMENT_PREFIX: Final = "YOTEI_"
CONFIG_VARIABLE: Final = "YOTEI_CONFIG"
DEFAULT_FILE: Final = Path("yotei.toml")
POSTGRES_SCHEMES: Final = ("postgresql", "postgres")
BUS_SCHEMES: Final = {
    "postgres": POSTGRES_SCHEMES,
    "redis": ("redis", "rediss", "unix"),
    "kafka": ("kafka", "kafkas"),
}
REDIS_SCHEMES: Final = (
    "redis",
    "rediss",
    "unix",
    "redis+sentinel",
    "rediss+sentinel",
    "redis+cluster",
    "rediss+cluster",
)
TTL_PROFILES: Final[dict[str, dict[str, int]]] = {
    # Nothing goes out of date here: an entry ends with the change that makes it wrong, its TTL only bounds how long
    # what nobody asks for takes room in Redis.
    "long": {
        "l1": 3_600,
        "calendar_summary": 86_400,
        "calendar_members": 86_400,
        "calendar_events": 21_600,
        "event_full": 21_600,
        "event_attendees": 21_600,
        "user_profile": 86_400,
        "user_calendars": 86_400,
        "user_invitations": 21_600,
        "resource_profile": 86_400,
        "resource_availability": 21_600,
        "resource_directory": 86_400,
        "token": 3_600,
    },
    # The table of RFC-003, and for what it does not name the time of its nearest neighbour.
    "rfc-003": {
        "l1": 30,
        "calendar_summary": 600,
        "calendar_members": 600,
        "calendar_events": 300,
        "event_full": 300,
        "event_attendees": 120,
        "user_profile": 1_800,
        "user_calendars": 600,
        "user_invitations": 300,
        "resource_profile": 1_800,
        "resource_availability": 60,
        "resource_directory": 600,
        "token": 60,
    },
}
"""Seconds from load to reload of each family, and of any value within one process (`l1`)."""
L1_ENTRIES: Final = {"long": 100_000, "rfc-003": 10_000}
MASK: Final = "********"
# https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
_KUBERNETES: Final = re.compile(
    r"YOTEI_(?:\w+_)?(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT_\d+_(?:TCP|UDP|SCTP)(?:_PROTO|_PORT|_ADDR)?)"
)
_KUBERNETES_PORT: Final = re.compile(r"YOTEI_(?:\w+_)?PORT")
_KUBERNETES_LINK: Final = re.compile(r"(?:tcp|udp|sctp)://\S+:\d+")


class SettingsError(Exception):
    """A setting is unknown or wrong; the message names its path and what was expected."""


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of the tree; each field has a unit in its name or its description, and a default."""


class ServerSettings(Section, frozen=True):
    host: Annotated[str, Meta(description="Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65535, description="TCP port to listen on.")] = 8000
    workers: Annotated[int, Meta(ge=1, le=64, description="Server processes.")] = 1
    drain_s: Annotated[
        int, Meta(ge=1, le=300, description="Seconds that requests in flight get to finish when the server stops.")
    ] = 10
    trusted_proxies: Annotated[
        tuple[str, ...],
        Meta(description="Addresses or networks (CIDR) whose X-Forwarded-For and X-Forwarded-Proto are believed."),
    ] = ()
    cors_origins: Annotated[
        tuple[str, ...], Meta(description="Origins that browsers may call from; `*` for any, without credentials.")
    ] = ()


class DatabaseSettings(Section, frozen=True):
    url: Annotated[
        str | None,
        Meta(description="postgresql:// address; without one Yotei runs a PostgreSQL of its own in `data_dir`."),
    ] = None
    data_dir: Annotated[str, Meta(description="Folder of the embedded PostgreSQL; made when missing.")] = ".data"
    migrate_on_start: Annotated[bool, Meta(description="Apply migrations before serving.")] = True
    statement_timeout_ms: Annotated[
        int,
        Meta(
            ge=100,
            le=600_000,
            description="PostgreSQL ends a statement after this time; a second later it is held for silent.",
        ),
    ] = 5_000
    idle_in_transaction_timeout_ms: Annotated[
        int, Meta(ge=1_000, le=600_000, description="PostgreSQL ends a transaction that waits for us this long.")
    ] = 10_000


class PoolSettings(Section, frozen=True):
    size_max: Annotated[
        Annotated[int, Meta(ge=1, le=500)] | None,
        Meta(
            description="Connections at most, of all workers together, beside one of each worker that reads the change "
            "log; by default 2 x database_cores + 1."
        ),
    ] = None
    database_cores: Annotated[
        int, Meta(ge=1, le=256, description="Cores of the database server, for the default of `size_max`.")
    ] = 2
    size_min: Annotated[int, Meta(ge=0, le=500, description="Connections that each worker keeps open.")] = 1
    life_time_s: Annotated[int, Meta(ge=10, le=86_400, description="A connection is replaced after this age.")] = 1_800
    idle_time_s: Annotated[
        int, Meta(ge=1, le=86_400, description="An unused connection above `size_min` is closed after this time.")
    ] = 600
    acquire_timeout_s: Annotated[
        float, Meta(gt=0, le=60, description="How long a request waits for a connection before it gets 503.")
    ] = 2.0
    statement_cache_size: Annotated[
        int, Meta(ge=0, le=10_000, description="Prepared statements per connection; 0 behind PgBouncer before 1.21.")
    ] = 200


class ReplicaSettings(Section, frozen=True):
    urls: Annotated[
        tuple[str, ...],
        Meta(
            max_length=16,
            description="postgresql:// addresses of hot standbys of the database, from which the cache loads; a comma "
            "in one is written %2C.",
        ),
    ] = ()
    soft_ms: Annotated[
        int, Meta(ge=1, le=60_000, description="What a replica has not answered by then is loaded from the primary.")
    ] = 200
    size_max: Annotated[
        Annotated[int, Meta(ge=1, le=500)] | None,
        Meta(description="Connections of a worker to each replica; by default as many as to the primary."),
    ] = None


class LimitSettings(Section, frozen=True):
    body_bytes_max: Annotated[int, Meta(ge=1_024, le=104_857_600, description="Largest request body.")] = 1_048_576
    window_days_max: Annotated[
        int, Meta(ge=1, le=3_660, description="Longest window of one list or availability request.")
    ] = 366
    page_size_default: Annotated[
        int, Meta(ge=1, le=1_000, description="Items in a page when the request does not say.")
    ] = 100
    page_size_max: Annotated[int, Meta(ge=1, le=1_000, description="Items in a page at most.")] = 500
    instances_max: Annotated[
        int,
        Meta(ge=100, le=1_000_000, description="Instances that one window may expand to; more is refused, never cut."),
    ] = 20_000
    graphql_depth_max: Annotated[int, Meta(ge=3, le=50, description="Deepest nesting of a GraphQL document.")] = 12
    graphql_tokens_max: Annotated[
        int, Meta(ge=100, le=100_000, description="Lexical tokens of a GraphQL document.")
    ] = 4_000
    graphql_aliases_max: Annotated[int, Meta(ge=1, le=1_000, description="Aliases in a GraphQL document.")] = 30
    graphql_root_fields_max: Annotated[
        int, Meta(ge=1, le=1_000, description="Fields at the root of one operation of a GraphQL document.")
    ] = 30
    graphql_directives_max: Annotated[int, Meta(ge=0, le=1_000, description="Directives in a GraphQL document.")] = 50
    graphql_directives_each_max: Annotated[
        int, Meta(ge=0, le=100, description="Directives at one place of a GraphQL document.")
    ] = 4
    graphql_statements_max: Annotated[
        int,
        Meta(
            ge=2,
            le=100,
            description="SQL statements of a GraphQL operation, the token's included, those that write left out. A "
            "document that needs more is refused before it runs, with its plan.",
        ),
    ] = 4
    graphql_rows_max: Annotated[
        int,
        Meta(
            ge=100,
            le=1_000_000_000,
            description="Rows that a GraphQL operation may bring by the estimate of its plan, refused alike.",
        ),
    ] = 100_000
    graphql_timeout_ms: Annotated[
        int,
        Meta(ge=10, le=600_000, description="A GraphQL operation is ended after this time, and its statement with it."),
    ] = 10_000
    statements_max: Annotated[
        int, Meta(ge=1, le=1_000, description="SQL statements of one reading request, refused beyond in strict mode.")
    ] = 5
    write_statements_max: Annotated[
        int, Meta(ge=1, le=1_000, description="SQL statements of one writing request, refused beyond in strict mode.")
    ] = 12
    strict_statements: Annotated[
        bool, Meta(description="Refuse the statement that is over `statements_max` (else only log it).")
    ] = False
    rate_per_s: Annotated[
        float, Meta(gt=0, le=1_000_000, description="Requests per second and token, in the long run.")
    ] = 100.0
    rate_burst: Annotated[int, Meta(ge=1, le=1_000_000, description="Requests that a token may make at once.")] = 400
    refused_per_s: Annotated[
        float,
        Meta(gt=0, le=1_000_000, description="Requests without a valid token per second and address, in the long run."),
    ] = 1.0
    refused_burst: Annotated[
        int, Meta(ge=1, le=1_000_000, description="Requests without a valid token that an address may make at once.")
    ] = 200


class GraphqlSettings(Section, frozen=True):
    introspection: Annotated[
        bool,
        Meta(description="Answer questions about the schema; without it no name of the schema is suggested either."),
    ] = True
    page: Annotated[bool, Meta(description="Show browsers a page to write documents in.")] = True
    get: Annotated[bool, Meta(description="Take queries by GET, not by POST alone.")] = True
    trusted_documents: Annotated[
        str | None,
        Meta(description="JSON file of documents by the SHA-256 of their text; requests may name them by it."),
    ] = None
    trusted_only: Annotated[bool, Meta(description="Execute trusted documents and no others.")] = False


class SubscriptionSettings(Section, frozen=True):
    poll_ms: Annotated[
        int, Meta(ge=100, le=1_000, description="How often a worker with subscriptions looks into the change log.")
    ] = 250
    streams_max: Annotated[
        int, Meta(ge=0, le=100_000, description="Subscriptions that a worker serves at once, and sockets likewise.")
    ] = 500
    streams_per_person_max: Annotated[
        int, Meta(ge=0, le=100_000, description="Subscriptions of one person at a worker, and sockets likewise.")
    ] = 20
    init_wait_s: Annotated[
        float, Meta(gt=0, le=60, description="A socket has this long to say who is asking (`connection_init`).")
    ] = 10.0
    ping_every_s: Annotated[
        float, Meta(gt=0, le=3_600, description="How often a client that nothing is told is asked whether it is there.")
    ] = 30.0
    pong_wait_s: Annotated[
        float, Meta(gt=0, le=600, description="A client that has not answered by then is disconnected.")
    ] = 20.0


class ChangeLogSettings(Section, frozen=True):
    days_ahead: Annotated[int, Meta(ge=1, le=60, description="Daily partitions made ahead.")] = 7
    keep_days: Annotated[int, Meta(ge=1, le=3_660, description="Days after which a partition is dropped.")] = 30
    transaction_max_s: Annotated[
        int,
        Meta(
            ge=3_600,
            le=604_800,
            description="No transaction is open longer than this: what one wrote before is not found by the tail.",
        ),
    ] = 86_400
    maintain_every_s: Annotated[
        int, Meta(ge=60, le=86_400, description="How often partitions are made and dropped.")
    ] = 3_600


class BookingSettings(Section, frozen=True):
    horizon_days: Annotated[
        int, Meta(ge=31, le=1_830, description="Days ahead for which the rooms of a series are booked.")
    ] = 366
    extend_every_s: Annotated[
        int,
        Meta(ge=10, le=86_400, description="How often series are looked for whose rooms have to be booked further."),
    ] = 600


Ttl = Annotated[int, Meta(ge=60, le=86_400)]


class CacheSettings(Section, frozen=True):
    enabled: Annotated[
        bool,
        Meta(
            description="Read through the cache; without it every read asks PostgreSQL, and `redis.url`, "
            "`replica.urls` and `bus.url` are used by nothing, which the log says when a worker starts."
        ),
    ] = True
    ttl_profile: Annotated[
        Literal["long", "rfc-003"],
        Meta(
            description="Where times to live, and `l1_entries_max`, come from when they are not set: long ones, since "
            "what changes is purged at once, or those of RFC-003."
        ),
    ] = "long"
    l1_entries_max: Annotated[
        Annotated[int, Meta(ge=0, le=10_000_000)] | None,
        Meta(description="Values that a worker keeps in process; 0: none. By default 100000, or 10000 with rfc-003."),
    ] = None
    l1_bytes_max: Annotated[
        int, Meta(ge=1_048_576, le=68_719_476_736, description="Memory that they may take, by estimate.")
    ] = 134_217_728
    l1_ttl_s: Annotated[
        Annotated[int, Meta(ge=1, le=86_400)] | None,
        Meta(description="How long a value stays in process before Redis, or PostgreSQL, is asked again."),
    ] = None
    negative_ttl_s: Annotated[
        float, Meta(ge=0, le=10, description="How long it is remembered, in process, that there is no such thing.")
    ] = 1.0
    ttl_calendar_summary_s: Annotated[
        Ttl | None, Meta(description="Time to live of a calendar's name and look, 60 to 86400.")
    ] = None
    ttl_calendar_members_s: Annotated[
        Ttl | None, Meta(description="Time to live of who shares a calendar, 60 to 86400.")
    ] = None
    ttl_calendar_events_s: Annotated[
        Ttl | None, Meta(description="Time to live of the events of a calendar in a month, 60 to 86400.")
    ] = None
    ttl_event_full_s: Annotated[Ttl | None, Meta(description="Time to live of one event, 60 to 86400.")] = None
    ttl_event_attendees_s: Annotated[
        Ttl | None, Meta(description="Time to live of the attendees of an event, 60 to 86400.")
    ] = None
    ttl_user_profile_s: Annotated[Ttl | None, Meta(description="Time to live of a person, 60 to 86400.")] = None
    ttl_user_calendars_s: Annotated[
        Ttl | None, Meta(description="Time to live of the calendars of a person, 60 to 86400.")
    ] = None
    ttl_user_invitations_s: Annotated[
        Ttl | None, Meta(description="Time to live of where a person is invited in a month, 60 to 86400.")
    ] = None
    ttl_resource_profile_s: Annotated[Ttl | None, Meta(description="Time to live of a resource, 60 to 86400.")] = None
    ttl_resource_availability_s: Annotated[
        Ttl | None, Meta(description="Time to live of when a resource is taken on a day, 60 to 86400.")
    ] = None
    ttl_resource_directory_s: Annotated[
        Ttl | None, Meta(description="Time to live of which resources there are, 60 to 86400.")
    ] = None
    ttl_token_s: Annotated[Ttl | None, Meta(description="Time to live of a token, 60 to 86400.")] = None
    poll_ms: Annotated[
        int, Meta(ge=10, le=1_000, description="How often a worker looks into the change log when no hint comes.")
    ] = 100
    lease_ms: Annotated[
        int,
        Meta(
            ge=500,
            le=10_000,
            description="Who has not read the change log for so long asks PostgreSQL: bounds how old an answer "
            "can be in any fault.",
        ),
    ] = 2_000
    floor_window_s: Annotated[
        int, Meta(ge=10, le=86_400, description="How far back a worker remembers what was changed.")
    ] = 600
    floors_max: Annotated[
        int, Meta(ge=100, le=10_000_000, description="Changes that it remembers at most; with more, a shorter time.")
    ] = 200_000
    loads_max: Annotated[
        Annotated[int, Meta(ge=1, le=500)] | None,
        Meta(description="Loads from PostgreSQL of a worker at once; by default one less than it has connections."),
    ] = None
    load_wait_s: Annotated[
        float, Meta(gt=0, le=60, description="How long a load waits for its turn before the request gets 503.")
    ] = 2.0
    load_s: Annotated[float, Meta(gt=0, le=600, description="How long a load may take.")] = 10.0
    claim_s: Annotated[
        float, Meta(gt=0, le=60, description="How long workers leave a key to the one that is loading it.")
    ] = 2.0
    stale_max_s: Annotated[
        int,
        Meta(
            ge=0,
            le=86_400,
            description="How long after its time to live a value may be served, marked stale, if PostgreSQL is down.",
        ),
    ] = 3_600

    rendered_bytes_max: Annotated[
        int,
        Meta(
            ge=0,
            le=68_719_476_736,
            description="Memory of a worker for answers as they were sent; 0: none, as without values in process.",
        ),
    ] = 67_108_864
    rendered_ttl_s: Annotated[
        int,
        Meta(ge=1, le=3_600, description="An answer is made of its values anew after this time, changed or not."),
    ] = 60

    def ttl_s(self, family: str) -> int:
        """Of one family, by setting or by profile."""
        own: int | None = getattr(self, f"ttl_{family}_s")
        return TTL_PROFILES[self.ttl_profile][family] if own is None else own


class RedisSettings(Section, frozen=True):
    url: Annotated[
        str | None,
        Meta(
            description="redis://, rediss:// (TLS), unix://, redis+sentinel:// or redis+cluster:// address of the "
            "cache that workers share; without one each has its own."
        ),
    ] = None
    prefix: Annotated[
        str, Meta(pattern=r"^[A-Za-z0-9._-]{1,63}$", description="What the names of its keys begin with.")
    ] = "yotei"
    soft_ms: Annotated[
        int, Meta(ge=1, le=10_000, description="A request goes on without Redis when it has not answered by then.")
    ] = 50
    hard_ms: Annotated[
        int, Meta(ge=10, le=60_000, description="A connection that has not answered by then is given up.")
    ] = 500
    connections_max: Annotated[int, Meta(ge=1, le=1_000, description="Connections of a worker.")] = 50
    deflate_bytes_min: Annotated[
        Annotated[int, Meta(ge=64, le=104_857_600)] | None,
        Meta(description="Values of so many bytes and more are compressed."),
    ] = None


class BusSettings(Section, frozen=True):
    transport: Annotated[
        Literal["none", "postgres", "redis", "kafka"],
        Meta(description="What carries hints between nodes; with none they learn of changes by their next poll."),
    ] = "postgres"
    url: Annotated[
        str | None,
        Meta(
            description="postgresql://, redis:// (rediss://) or kafka:// (kafkas://) address; for postgres the default "
            "is `database.url`. It leads to the server itself: LISTEN does not go through PgBouncer."
        ),
    ] = None
    topic: Annotated[
        str, Meta(pattern=r"^[A-Za-z0-9._-]{1,63}$", description="Channel of PostgreSQL and Redis, topic of Kafka.")
    ] = "cache.invalidate"
    queue_max: Annotated[
        int, Meta(ge=1, le=1_000_000, description="Hints that may wait to be sent; more are dropped and counted.")
    ] = 1_000
    beat_s: Annotated[
        float,
        Meta(
            ge=0.1, le=60, description="How often a node sends itself a message; two that do not come back end a link."
        ),
    ] = 2.0
    timeout_s: Annotated[
        float, Meta(ge=0.1, le=60, description="How long connecting, or handing over hints, may take.")
    ] = 2.0


class LogSettings(Section, frozen=True):
    format: Annotated[
        Literal["auto", "console", "json"],
        Meta(description="Columns for people, JSON for machines; auto looks at the terminal."),
    ] = "auto"
    level: Annotated[Literal["debug", "info", "warning", "error"], Meta(description="The least that is written.")] = (
        "info"
    )


class Settings(Section, frozen=True):
    server: ServerSettings = ServerSettings()
    database: DatabaseSettings = DatabaseSettings()
    pool: PoolSettings = PoolSettings()
    replica: ReplicaSettings = ReplicaSettings()
    limits: LimitSettings = LimitSettings()
    graphql: GraphqlSettings = GraphqlSettings()
    subscriptions: SubscriptionSettings = SubscriptionSettings()
    booking: BookingSettings = BookingSettings()
    change_log: ChangeLogSettings = ChangeLogSettings()
    cache: CacheSettings = CacheSettings()
    redis: RedisSettings = RedisSettings()
    bus: BusSettings = BusSettings()
    log: LogSettings = LogSettings()

    def unused(self) -> tuple[str, ...]:
        """Paths of the addresses that nothing uses: what the cache is made of, where it is off. They are no fault, so
        that who has to do without a cache turns one switch."""
        found = {"redis.url": self.redis.url, "replica.urls": self.replica.urls, "bus.url": self.bus.url}
        return () if self.cache.enabled else tuple(path for path, address in found.items() if address)

    def __post_init__(self) -> None:
        url = self.database.url
        if url is not None and urlsplit(url).scheme not in POSTGRES_SCHEMES:
            raise ValueError("database.url: expected an address that starts with postgresql://")
        if any(urlsplit(replica).scheme not in POSTGRES_SCHEMES for replica in self.replica.urls):
            raise ValueError("replica.urls: expected addresses that start with postgresql://")
        if self.pool.size_max is not None and self.pool.size_min > self.pool.size_max:
            raise ValueError("pool.size_min: expected at most pool.size_max")
        if self.limits.page_size_default > self.limits.page_size_max:
            raise ValueError("limits.page_size_default: expected at most limits.page_size_max")
        if self.graphql.trusted_only and self.graphql.trusted_documents is None:
            raise ValueError("graphql.trusted_only: expected graphql.trusted_documents too")
        if self.change_log.keep_days * 86_400 < self.change_log.transaction_max_s + 3_600:
            raise ValueError("change_log.keep_days: expected more days than change_log.transaction_max_s and an hour")
        self._check_cache()
        self._check_bus()
        for network in self.server.trusted_proxies:
            try:
                ipaddress.ip_network(network)
            except ValueError as error:
                raise ValueError(f"server.trusted_proxies: expected addresses or networks, got {network!r}") from error

    def _check_cache(self) -> None:
        if self.cache.poll_ms * 2 > self.cache.lease_ms:
            raise ValueError("cache.poll_ms: expected at most half of cache.lease_ms")
        if self.cache.negative_ttl_s * 1_000 > self.cache.lease_ms:
            raise ValueError("cache.negative_ttl_s: expected at most cache.lease_ms")
        if self.redis.url is not None and urlsplit(self.redis.url).scheme not in REDIS_SCHEMES:
            expected = ", ".join(f"{scheme}://" for scheme in REDIS_SCHEMES)
            raise ValueError(f"redis.url: expected an address that starts with one of {expected}")
        if self.redis.soft_ms > self.redis.hard_ms:
            raise ValueError("redis.soft_ms: expected at most redis.hard_ms")

    def _check_bus(self) -> None:
        schemes = BUS_SCHEMES.get(self.bus.transport)
        if schemes is None:
            return
        if self.bus.url is None:
            if self.bus.transport != "postgres":
                raise ValueError(f"bus.url: expected an address, since bus.transport is {self.bus.transport}")
        elif urlsplit(self.bus.url).scheme not in schemes:
            raise ValueError(f"bus.url: expected an address that starts with {' or '.join(f'{s}://' for s in schemes)}")


class Leaf(msgspec.Struct, frozen=True):
    """One setting: where it is, what it is, and what it is for."""

    section: str
    key: str
    type: Any
    default: Any
    description: str

    @property
    def path(self) -> str:
        return f"{self.section}.{self.key}"

    @property
    def variable(self) -> str:
        return f"{ENVIRONMENT_PREFIX}{self.section}_{self.key}".upper()


def leaves() -> Iterator[Leaf]:
    """Every setting, in the order of the tree."""
    for section in msgspec.structs.fields(Settings):
        hints = get_type_hints(section.type, include_extras=True)
        for field in msgspec.structs.fields(section.type):
            annotated, meta = get_args(hints[field.name])
            yield Leaf(section.name, field.name, annotated, field.default, meta.description)


def load(environment: Mapping[str, str] | None = None, file: Path | None = None) -> Settings:
    """The settings in force; raises `SettingsError` with the path of the first that is wrong."""
    environment = os.environ if environment is None else environment
    named = file or (Path(environment[CONFIG_VARIABLE]) if CONFIG_VARIABLE in environment else None)
    tree = _read_file(named or DEFAULT_FILE) if named or DEFAULT_FILE.exists() else {}
    _overlay(tree, environment)
    try:
        return msgspec.convert(tree, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError(_readable(error)) from None


def masked(settings: Settings) -> dict[str, Any]:
    """The tree as plain values for people to read, without secrets."""
    tree: dict[str, Any] = msgspec.to_builtins(settings)
    for section in ("database", "redis", "bus"):
        url = tree[section]["url"]
        if url is not None:
            tree[section]["url"] = mask_url(url)
    tree["replica"]["urls"] = [mask_url(url) for url in settings.replica.urls]
    return tree


def mask_url(url: str) -> str:
    """The address without its password, wherever it stands in it."""
    without = re.sub(r"(//[^/:@]*:).*@", rf"\1{MASK}@", url)
    return re.sub(r"([?&](?:ssl)?password=)[^&]*", rf"\1{MASK}", without)


def _read_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not TOML: {error}") from None


def _overlay(tree: dict[str, Any], environment: Mapping[str, str]) -> None:
    known = {leaf.variable: leaf for leaf in leaves()}
    for variable, text in environment.items():
        if not variable.startswith(ENVIRONMENT_PREFIX) or variable == CONFIG_VARIABLE:
            continue
        if _is_of_kubernetes(variable, text):
            continue
        leaf = known.get(variable)
        if leaf is None:
            raise SettingsError(f"{variable}: there is no such setting (see `yotei config --all`)")
        section = tree.setdefault(leaf.section, {})
        if not isinstance(section, dict):
            raise SettingsError(f"{leaf.section}: expected a table of settings")
        is_list = get_origin(leaf.type) is tuple
        section[leaf.key] = [part.strip() for part in text.split(",") if part.strip()] if is_list else text


def _is_of_kubernetes(variable: str, text: str) -> bool:
    """`YOTEI_PORT` only with a link in it: a number there is somebody's mistake for `YOTEI_SERVER_PORT`."""
    if _KUBERNETES.fullmatch(variable):
        return True
    return bool(_KUBERNETES_PORT.fullmatch(variable) and _KUBERNETES_LINK.fullmatch(text))


def _readable(error: msgspec.ValidationError) -> str:
    message, _, rest = str(error).partition(" - at `$")
    path = rest.rstrip("`").lstrip(".")
    unknown = re.fullmatch(r"Object contains unknown field `(.*)`", message)
    if unknown is not None:
        return f"{path + '.' if path else ''}{unknown[1]}: there is no such setting (see `yotei config --all`)"
    if not path:
        return message
    choice = re.fullmatch(r"Invalid enum value ('.*')", message)
    if choice is not None:
        expected = next(get_args(leaf.type) for leaf in leaves() if leaf.path == path)
        return f"{path}: expected one of {', '.join(expected)}, got {choice[1]}"
    return f"{path}: {message[0].lower()}{message[1:]}"
