"""What the cache counts, by family."""

import msgspec


class Counts(msgspec.Struct):
    """Since the process began. What is missed in process is a hit in Redis, a load, or waits for one of these."""

    gets: int = 0
    """Of keys, the same one twice in a request counted once where it is missed."""
    hits_l1: int = 0
    misses_l1: int = 0
    hits_l2: int = 0
    loads: int = 0
    """Keys that were asked from PostgreSQL."""
    loads_deduped: int = 0
    """Gets that waited for the flight of another one."""
    refreshes: int = 0
    """Loads before time."""
    fills: int = 0
    fills_refused: int = 0
    """By the marker in Redis, or because the queue of fills was full."""
    evictions: int = 0
    expiries: int = 0
    """Values found to be older than their TTL."""
    purges: int = 0
    """Values found to be outdated by a change."""
    stale_served: int = 0
