"""What a server says that is told not to cache, and beside that what it would cache with."""

import pytest

from tests.integration.rest.served import CACHED, UNCACHED, serve, settings
from tests.logged import logged_by
from yotei import app
from yotei.settings import BusSettings, CacheSettings, RedisSettings, ReplicaSettings, Settings

REDIS = "redis://:s3cret@127.0.0.1:1/0"
REPLICA = "postgresql://me:s3cret@127.0.0.1:1/yotei"


def told(url: str, cache: CacheSettings, bus: BusSettings, *, with_others: bool) -> Settings:
    config = settings(url, cache=cache)
    redis = RedisSettings(url=REDIS) if with_others else RedisSettings()
    replica = ReplicaSettings(urls=(REPLICA,)) if with_others else ReplicaSettings()
    return Settings(
        database=config.database, cache=cache, redis=redis, replica=replica, bus=bus, log=config.log, pool=config.pool
    )


@pytest.mark.parametrize(
    ("cache", "bus", "with_others", "unused"),
    [
        (UNCACHED, BusSettings(transport="redis", url=REDIS), True, ["redis.url", "replica.urls", "bus.url"]),
        (UNCACHED, BusSettings(), True, ["redis.url", "replica.urls"]),
        (UNCACHED, BusSettings(), False, None),
        (CACHED, BusSettings(), True, None),
    ],
    ids=["all of them", "with the bus of its own", "nothing", "it is on"],
)
async def test_it_starts_and_warns_of_what_nothing_uses(
    database_url: str, cache: CacheSettings, bus: BusSettings, with_others: bool, unused: list[str] | None
) -> None:
    with logged_by(app, "logger") as logged:
        async with serve(told(database_url, cache, bus, with_others=with_others)) as client:
            ready = await client.get("/readyz")

    lines = [line for line in logged if line["event"] == "cache_settings_unused"]
    assert ready.status_code == 200
    assert [line["unused"] for line in lines] == ([] if unused is None else [unused])
    assert all(line["because"] == "cache.enabled is false" and line["log_level"] == "warning" for line in lines)
    assert "s3cret" not in str(logged)
