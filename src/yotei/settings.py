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
        int, Meta(ge=100, le=600_000, description="PostgreSQL ends a statement after this time.")
    ] = 5_000
    idle_in_transaction_timeout_ms: Annotated[
        int, Meta(ge=1_000, le=600_000, description="PostgreSQL ends a transaction that waits for us this long.")
    ] = 10_000


class PoolSettings(Section, frozen=True):
    size_max: Annotated[
        Annotated[int, Meta(ge=1, le=500)] | None,
        Meta(description="Connections at most, of all workers together; by default 2 x database_cores + 1."),
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
            ge=60,
            le=604_800,
            description="No transaction is open longer than this; older partitions are not read by the tail.",
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
    limits: LimitSettings = LimitSettings()
    graphql: GraphqlSettings = GraphqlSettings()
    subscriptions: SubscriptionSettings = SubscriptionSettings()
    booking: BookingSettings = BookingSettings()
    change_log: ChangeLogSettings = ChangeLogSettings()
    log: LogSettings = LogSettings()

    def __post_init__(self) -> None:
        url = self.database.url
        if url is not None and urlsplit(url).scheme not in ("postgresql", "postgres"):
            raise ValueError("database.url: expected an address that starts with postgresql://")
        if self.limits.page_size_default > self.limits.page_size_max:
            raise ValueError("limits.page_size_default: expected at most limits.page_size_max")
        if self.graphql.trusted_only and self.graphql.trusted_documents is None:
            raise ValueError("graphql.trusted_only: expected graphql.trusted_documents too")
        if self.change_log.keep_days * 86_400 <= self.change_log.transaction_max_s:
            raise ValueError("change_log.keep_days: expected more days than change_log.transaction_max_s")
        for network in self.server.trusted_proxies:
            try:
                ipaddress.ip_network(network)
            except ValueError as error:
                raise ValueError(f"server.trusted_proxies: expected addresses or networks, got {network!r}") from error


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
    url = tree["database"]["url"]
    if url is not None:
        tree["database"]["url"] = mask_url(url)
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
    return f"{path}: {message[0].lower()}{message[1:]}"
