"""The short form of `make stampede`."""

from typing import Final

from tests.conftest import PostgresFactory
from tests.redis_server import RedisServer
from tests.stress.servers import servers
from tests.stress.stampede import stampede

CLIENTS: Final = 60
SERVERS: Final = 3
HELD_S: Final = 0.2


async def test_who_want_the_same_wait_for_one_load_and_for_one_more_when_the_server_that_loads_is_killed(
    postgres: PostgresFactory, redis_server: RedisServer
) -> None:
    url = await postgres.migrated()
    with servers(url, SERVERS, YOTEI_REDIS_URL=redis_server.url) as served:
        all_well = await stampede(served, CLIENTS, kill=False, held_s=HELD_S)
        one_killed = await stampede(served, CLIENTS, kill=True, held_s=HELD_S)
    await postgres.drop(url)

    assert (all_well.faults, str(all_well)) == ([], f"clients {CLIENTS}, loads 1")
    assert (one_killed.faults, str(one_killed)) == ([], f"clients {CLIENTS}, killed 1, loads 2")


async def test_without_a_redis_each_server_loads_and_it_is_noticed(postgres: PostgresFactory) -> None:
    url = await postgres.migrated()
    with servers(url, 2) as served:
        scene = await stampede(served, CLIENTS, kill=False, held_s=HELD_S)
    await postgres.drop(url)

    assert scene.faults == ["loads: 2"]
