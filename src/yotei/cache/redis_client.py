"""A Redis client by URL: one server, Sentinel or Cluster, with TLS and AUTH.

redis://[user:password@]host:port/db      rediss://...     unix:///path?db=0
redis+sentinel://[user:password@]host:port,host:port/name[/db]     rediss+sentinel://...
redis+cluster://[user:password@]host:port,host:port                rediss+cluster://...
"""

from typing import Any, Final
from urllib.parse import unquote, urlsplit

from redis.asyncio import BlockingConnectionPool, ConnectionPool, Redis
from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as ConnectionFailed
from redis.exceptions import RedisError

PORT_DEFAULT: Final = 6379
SENTINEL_PORT_DEFAULT: Final = 26379
PROTOCOL: Final = 3
CLUSTER_BUCKETS: Final = 16
RETRIES_MAX: Final = 1
"""A connection that the server closed while it was idle is found out by the command that uses it."""


def connect(url: str, *, connections_max: int = 50, hard_s: float = 0.5) -> Any:
    """A client that has not connected yet. `hard_s` bounds connecting, an answer, and the wait for a connection.

    Raises ValueError for a URL of another kind, and for one that names what there is not; its text holds no password.
    """
    parts = urlsplit(url)
    kind, _, way = parts.scheme.partition("+")
    # Kept as dictionaries: the three clients take the same words, but not the same types of them.
    waits: dict[str, Any] = {"socket_timeout": hard_s, "socket_connect_timeout": hard_s, "protocol": PROTOCOL}
    if kind in ("redis", "rediss", "unix") and not way:
        refuse_unusable(url)
        retry = Retry(NoBackoff(), RETRIES_MAX, supported_errors=(ConnectionFailed,))
        pool = BlockingConnectionPool.from_url(
            url, max_connections=connections_max, timeout=hard_s, retry=retry, **waits
        )
        return Redis.from_pool(pool)
    options: dict[str, Any] = {"max_connections": connections_max, **waits}
    if parts.username:
        options["username"] = unquote(parts.username)
    if parts.password:
        options["password"] = unquote(parts.password)
    if kind == "rediss":
        options["ssl"] = True
    if kind in ("redis", "rediss") and way == "sentinel":
        name, _, db = parts.path.strip("/").partition("/")
        if not name:
            raise ValueError("a Sentinel URL names the service: redis+sentinel://host:26379/name")
        hosts = _hosts(parts.netloc, SENTINEL_PORT_DEFAULT)
        sentinel: Any = Sentinel  # it has no types
        return sentinel(hosts, **options).master_for(name, db=int(db or 0))
    if kind in ("redis", "rediss") and way == "cluster":
        nodes = [ClusterNode(host, port) for host, port in _hosts(parts.netloc, PORT_DEFAULT)]
        return RedisCluster(startup_nodes=nodes, **options)
    raise ValueError("not a Redis URL: redis://, rediss://, unix://, redis+sentinel:// or redis+cluster://")


def refuse_unusable(url: str) -> None:
    """Raise ValueError for an address of one server that the client would find fault with at its first command only, or
    would read as another one."""
    parts = urlsplit(url)
    try:
        _ = parts.port
    except ValueError:
        raise ValueError("expected a port from 1 to 65535") from None
    database = parts.path.strip("/")
    if parts.scheme != "unix" and database and not database.isdigit():
        raise ValueError(f"expected the number of a database after the port, got {database!r}")
    try:
        pool = ConnectionPool.from_url(url)
        pool.connection_class(**pool.connection_kwargs)
    except TypeError as error:
        raise ValueError(f"there is no option {str(error).rpartition(' ')[2]}") from None
    except RedisError as error:
        raise ValueError(str(error)) from None


async def close(client: Any) -> None:
    """With all that it has open: a client of Sentinel leaves those open by which it asked for the master."""
    await client.aclose()
    sentinel = getattr(getattr(client, "connection_pool", None), "sentinel_manager", None)
    if sentinel is not None:
        await sentinel.aclose()


def buckets(url: str) -> int:
    """Into how many parts the keys are divided: several where they are spread over servers."""
    return CLUSTER_BUCKETS if "+cluster" in urlsplit(url).scheme else 1


def _hosts(netloc: str, port_default: int) -> list[tuple[str, int]]:
    hosts = []
    for one in netloc.rpartition("@")[2].split(","):
        host, _, port = one.rpartition(":") if one.rpartition(":")[2].isdigit() else (one, "", "")
        hosts.append((host.strip("[]"), int(port or port_default)))
    return hosts
