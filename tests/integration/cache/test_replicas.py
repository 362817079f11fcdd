"""Values loaded from a real hot standby, which lags, stands still, goes away, and is promoted."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
import msgspec
import pytest

from tests.conftest import DEBIAN_15, HAS_15, Budget
from tests.integration.cache.nodes import LOAD, LOG, PUT, TABLE, Node, key_of, node, sql, thing, write
from tests.integration.rest.served import settings
from tests.integration.rows import a_calendar, a_user, an_event, viewing
from tests.logged import logged_by
from tests.standby import FOLLOWED, Standby
from yotei.cache import replicas as replicas_module
from yotei.cache.key import Key, Loaded
from yotei.cache.reads import Reads
from yotei.cache.replicas import FAILURES_MAX, OPEN_S, Replica, Replicas
from yotei.cache.token import Token
from yotei.caching import Caching
from yotei.errors import Code, Problem
from yotei.events import read
from yotei.events.window import Window
from yotei.settings import CacheSettings, ReplicaSettings
from yotei.storage import migrate
from yotei.storage.embedded import EmbeddedServer
from yotei.storage.pool import Database, Greeting, Source, is_away
from yotei.storage.statements import Statement

NUMBERS = Statement(name="test.numbers", sql=LOAD.sql, purpose="counted apart from what else is sent")

MOVE = sql(
    "update events set start_time = start_time + interval '31 days', end_time = end_time + interval '31 days', "
    "span_end = span_end + interval '31 days' where id = $1"
)


class Client:
    """Reads through a node that has replicas; `held` stands between a statement and its answer."""

    def __init__(self, database: Database, one: Node, replicas: Sequence[Replica]) -> None:
        self.database = database
        self.node = one
        self.replicas = Replicas(replicas)
        self.held = asyncio.Event()
        self.held.set()
        self.read = asyncio.Event()

    async def get(self, it: UUID, token: Token | None = None) -> int | None:
        return (await self.get_and_token(it, token))[0]

    async def get_and_token(self, it: UUID, token: Token | None = None) -> tuple[int | None, Token | None]:
        """As a request: the number, and what the client is told that it has seen."""
        reads = Reads(self.database, self.node.cache, self.node.cache.reading(token), self.replicas)
        await reads.begin()
        (number,) = await reads.get_many([key_of(it)], self._load)
        return number, await reads.token()

    @property
    def loads(self) -> tuple[int, int]:
        """From the primary, from replicas."""
        stats = self.database.statement_stats().get(NUMBERS.name)
        return (0 if stats is None else stats.count, sum(one.loads for one in self.replicas.replicas))

    def forget(self) -> None:
        self.node.l1.clear()  # type: ignore[union-attr]

    async def _load(self, source: Source, keys: Sequence[Key]) -> Loaded:
        row = await source.fetchrow(NUMBERS, [UUID(key.name.split(":")[1]) for key in keys])
        assert row is not None
        self.read.set()
        await self.held.wait()
        numbers = {name: int(n) for name, _, n in (one.partition("=") for one in row["found"])}
        payloads = {key: numbers.get(key.name.split(":")[1]) for key in keys}
        return Loaded.of(payloads, row["snapshot"], row["on_standby"])


def configure(server: EmbeddedServer, setting: str) -> None:
    server._psql("postgres", f"alter system set {setting}")
    server._psql("postgres", "select pg_reload_conf()")


def a_folder() -> Iterator[Path]:
    """Passable for the user that PostgreSQL runs as."""
    with TemporaryDirectory(prefix="yotei-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        yield folder


folder = pytest.fixture(a_folder)
folder_of_module = pytest.fixture(a_folder, scope="module")


@pytest.fixture(scope="module", params=[None, *[DEBIAN_15] * HAS_15], ids=["embedded", *["15"] * HAS_15])
def primary(request: pytest.FixtureRequest, folder_of_module: Path) -> Iterator[EmbeddedServer]:
    with EmbeddedServer(
        folder_of_module / ("15" if request.param else "embedded"), options=FOLLOWED, programs_dir=request.param
    ) as server:
        asyncio.run(migrate.apply(server.url))
        yield server


@pytest.fixture
def standby(primary: EmbeddedServer, folder: Path) -> Iterator[Standby]:
    with Standby(primary, folder / "standby") as server:
        yield server


@pytest.fixture
async def database(primary: EmbeddedServer) -> AsyncIterator[Database]:
    async with await Database.connect(primary.url, size_min=1, size_max=5) as opened:
        await opened.execute(TABLE)
        yield opened


def replica_at(url: str, one: Node, *, soft_s: float = 30.0, number: int = 1) -> Replica:
    async def connect(greeting: Greeting) -> Database:
        return await Database.connect(url, size_min=0, size_max=3, greeting=greeting)

    return Replica(number, connect, one.tail, soft_s=soft_s, now_s=one.clock.now_s)


@pytest.fixture
async def one(database: Database) -> AsyncIterator[Node]:
    """A node that learns of changes when it is told to poll."""
    async with node(database) as opened:
        yield opened


@pytest.fixture
async def client(database: Database, standby: Standby, one: Node) -> AsyncIterator[Client]:
    replica = replica_at(standby.url, one)
    await replica.look()
    yield Client(database, one, [replica])
    await replica.close()


async def seen(standby: Standby) -> None:
    await asyncio.to_thread(standby.caught_up)


async def test_what_is_missing_is_loaded_from_the_replica_and_then_cached(
    database: Database, standby: Standby, one: Node, client: Client
) -> None:
    it = thing()
    await write(database, it, 1)
    await one.tail.poll()
    await seen(standby)
    await client.replicas.replicas[0].look()

    assert [await client.get(it), await client.get(it)] == [1, 1]
    assert client.loads == (0, 1)


async def test_of_what_a_paused_replica_lacks_the_primary_is_asked_and_of_the_rest_the_replica(
    database: Database, standby: Standby, one: Node, client: Client
) -> None:
    it, unchanged = thing(), thing()
    await write(database, it, 1)
    await write(database, unchanged, 1)
    await one.tail.poll()
    await seen(standby)
    await client.replicas.replicas[0].look()
    await client.get(it)
    standby.pause()
    await write(database, it, 2)
    await one.tail.poll()

    assert await client.get(it) == 2
    assert client.loads == (1, 1)
    assert await client.get(unchanged) == 1
    assert client.loads == (1, 2)

    standby.resume()
    await seen(standby)
    client.forget()
    assert await client.get(it) == 2
    assert client.loads == (2, 2)
    # Any load tells how far it has come.
    await client.get(thing())
    client.forget()
    assert await client.get(it) == 2
    assert client.loads == (2, 4)


async def test_a_load_from_one_that_lags_costs_one_more_at_most(
    database: Database, standby: Standby, one: Node, client: Client
) -> None:
    it = thing()
    await write(database, it, 1)
    await one.tail.poll()
    await seen(standby)
    await client.replicas.replicas[0].look()
    standby.pause()
    client.held.clear()
    asked = asyncio.create_task(client.get(it))
    await client.read.wait()
    await write(database, it, 2)
    await one.tail.poll()
    client.held.set()

    assert await asked == 2
    assert client.loads == (1, 1)
    client.forget()
    assert await client.get(it) == 2
    assert client.loads == (2, 1)
    standby.resume()


async def test_a_node_that_is_led_to_a_standby_for_the_primary_believes_nothing(standby: Standby) -> None:
    async with await Database.connect(standby.url, size_max=1) as led_astray:
        one = Node(led_astray, None)

        with pytest.raises(Problem, match="has to lead to the primary") as refused:
            await one.tail.poll()

    assert is_away(refused.value)
    assert not one.tail.holds(one.clock.now_s())


async def test_a_client_reads_what_it_wrote_and_never_less_than_it_was_shown(
    database: Database, standby: Standby, one: Node, client: Client
) -> None:
    it = thing()
    await write(database, it, 1)
    await one.tail.poll()
    await seen(standby)
    await client.replicas.replicas[0].look()
    polling = asyncio.create_task(one.tail.run())
    one.tail._poll_s = 3600.0
    await one.tail.caught_up()
    standby.pause()
    xid = await write(database, it, 2)
    without = await client.get(it)
    writing = one.cache.reading()
    writing.xid = xid
    written = one.cache.token(writing)
    own, _ = await client.get_and_token(it, written)

    # Another node reads the newer number from the replica before this one has polled.
    standby.resume()
    await write(database, it, 3)
    await seen(standby)
    async with node(database) as other:
        replica = replica_at(standby.url, other)
        await replica.look()
        elsewhere = Client(database, other, [replica])
        shown, token = await elsewhere.get_and_token(it)
        from_replica = replica.loads
        again = await client.get(it, token)
        await replica.close()
    polling.cancel()

    assert (without, own) == (1, 2)
    assert (shown, from_replica, again) == (3, 1, 3)


async def test_while_something_is_open_on_the_primary_it_is_asked_itself(
    database: Database, standby: Standby, one: Node, client: Client
) -> None:
    it, other = thing(), thing()
    await write(database, it, 1)
    await one.tail.poll()
    async with database.transaction() as slow:
        await slow.execute(PUT, other, 1)
        await slow.fetchrow(LOG, other, "user")
        await write(database, it, 2)
        await write(database, thing(), 1)
        await one.tail.poll()
        await seen(standby)
        await client.replicas.replicas[0].look()
        things = [thing() for _ in range(FAILURES_MAX + 2)]
        for absent in things:
            assert await client.get(absent) is None
        (replica,) = client.replicas.replicas

        # Each of the first costs a load that comes to nothing, and then it is left alone.
        assert client.loads == (len(things), 0)
        assert replica.loads_failed == FAILURES_MAX
        assert await client.get(it) == 2

    await one.tail.poll()
    await seen(standby)
    await replica.look()
    one.clock.ahead_s += OPEN_S
    assert await client.get(other) == 1
    assert replica.loads == 1


async def test_one_that_does_not_answer_costs_its_time_out_a_few_times_and_is_then_left_alone(
    database: Database, standby: Standby, one: Node
) -> None:
    replica = replica_at(standby.url, one, soft_s=0.05)
    await replica.look()
    client = Client(database, one, [replica])
    it = thing()
    await write(database, it, 1)
    standby.freeze()
    try:
        for _ in range(FAILURES_MAX + 2):
            assert await client.get(thing()) is None
        failed = replica.loads_failed
        with suppress(TimeoutError):
            async with asyncio.timeout(0.05):
                await replica.look()
    finally:
        standby.thaw()
    while replica._given_up:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    await seen(standby)
    await replica.look()
    one.clock.ahead_s += OPEN_S
    replica._soft_s = 30.0
    after = await client.get(it)
    await replica.close()

    assert failed == FAILURES_MAX
    assert after == 1
    assert client.loads == (FAILURES_MAX + 2, 1)


async def test_one_that_is_killed_is_missed_by_nobody_and_used_again_when_it_is_back(
    database: Database, standby: Standby, one: Node, client: Client
) -> None:
    it = thing()
    (replica,) = client.replicas.replicas
    await client.get(thing())
    standby.kill()
    await write(database, it, 1)
    await one.tail.poll()
    with logged_by(replicas_module) as logs:
        await replica.look()
        await replica.look()
        assert await client.get(it) == 1
        assert standby.revive()
        await seen(standby)
        await replica.look()

    assert [(entry["event"], entry["log_level"]) for entry in logs] == [
        ("replica_refused", "warning"),
        ("replica_taken", "info"),
    ]
    client.forget()
    assert await client.get(it) == 1
    assert client.loads == (1, 2)


async def test_one_that_is_away_when_the_server_starts_is_used_from_when_it_is_there(
    database: Database, standby: Standby, one: Node
) -> None:
    standby.stop()
    replica = replica_at(standby.url, one)
    client = Client(database, one, [replica])
    it = thing()
    await write(database, it, 1)
    await one.tail.poll()
    await replica.look()

    assert await client.get(it) == 1
    assert client.loads == (1, 0)

    standby.start()
    await replica.look()
    client.forget()
    assert await client.get(it) == 1
    assert client.loads == (1, 1)
    await replica.close()


async def test_one_that_is_promoted_is_not_used_any_more_though_its_connections_stand(
    database: Database, standby: Standby, one: Node, client: Client
) -> None:
    it = thing()
    await write(database, it, 1)
    await one.tail.poll()
    await seen(standby)
    (replica,) = client.replicas.replicas
    await replica.look()
    await client.get(it)
    standby.promote()
    astray = await asyncpg.connect(standby.url)
    await astray.execute("update numbers set n = 2 where id = $1", it)
    await astray.close()
    client.forget()
    with logged_by(replicas_module) as logs:
        numbers = [await client.get(it), await client.get(thing())]
        await replica.look()
        await client.get(thing())

    assert numbers == [1, None]
    assert client.loads == (3, 1)
    assert [(entry["event"], entry["reason"]) for entry in logs] == [("replica_refused", "it is no standby")]


async def test_a_standby_of_another_timeline_or_another_server_is_refused(
    database: Database, primary: EmbeddedServer, standby: Standby, one: Node, folder: Path
) -> None:
    standby.promote()
    standby.ask("checkpoint")
    with (
        Standby(standby, folder / "of-another-timeline") as other_timeline,
        EmbeddedServer(folder / "p", options=FOLLOWED, programs_dir=primary._programs) as other_primary,
        Standby(other_primary, folder / "of-another-server") as other_server,
    ):
        urls = [other_timeline.url, other_timeline.url_of("postgres"), other_server.url, primary.url]
        replicas = [replica_at(url, one, number=number) for number, url in enumerate(urls, 1)]
        with logged_by(replicas_module) as logs:
            for replica in replicas:
                await replica.look()
                await replica.look()
                await replica.close()
        client = Client(database, one, replicas)
        await client.get(thing())

    history = one.tail.epoch.rpartition(".")[0]
    server, timeline, oid = history.split(".")
    reasons = {entry["replica"]: entry["reason"] for entry in logs if entry["event"] == "replica_refused"}
    assert len(logs) == len(reasons) == 4
    assert reasons[1] == (
        f"its server, timeline and database are {server}.{int(timeline) + 1}.{oid}, the primary's {history}"
    )
    assert reasons[2].startswith(f"its server, timeline and database are {server}.{int(timeline) + 1}.")
    assert reasons[3].startswith("its server, timeline and database are ")
    assert not reasons[3].startswith(f"its server, timeline and database are {server}.")
    assert reasons[4] == "it is no standby"
    assert client.loads == (1, 0)


async def test_one_that_follows_a_promoted_standby_is_of_its_timeline_as_soon_as_that_can_be_known(
    primary: EmbeddedServer, standby: Standby, one: Node, folder: Path
) -> None:
    with Standby(primary, folder / "cascaded") as cascaded:
        cascaded.follow(standby)
        standby.promote()
        standby.ask("create role plain login")
        standby.ask("alter role plain set timezone = 'UTC'")
        cascaded.caught_up()
        by_plain = cascaded.url.replace("yotei@", "plain@")
        async with (
            await Database.connect(standby.url, size_min=1, size_max=5) as promoted,
            node(promoted) as new,
        ):
            of_new, of_new_by_plain, of_old = (
                replica_at(url, where, number=number)
                for number, (url, where) in enumerate([(cascaded.url, new), (by_plain, new), (cascaded.url, one)], 1)
            )
            with logged_by(replicas_module) as logs:
                for replica in (of_new, of_new_by_plain, of_old):
                    await replica.look()
                standby.ask("checkpoint")
                cascaded.caught_up()
                cascaded.ask("checkpoint")
                await of_new_by_plain.look()
                for replica in (of_new, of_new_by_plain, of_old):
                    await replica.close()

    assert [(entry["replica"], entry["event"]) for entry in logs] == [
        (1, "replica_taken"),
        (2, "replica_refused"),
        (3, "replica_refused"),
        (2, "replica_taken"),
    ]


async def test_in_another_history_it_is_looked_at_anew(
    database: Database, standby: Standby, one: Node, client: Client
) -> None:
    (replica,) = client.replicas.replicas
    await database.execute(sql("select pg_stat_reset_shared('archiver')"))
    await one.tail.poll()

    await client.get(thing())
    unseen = client.loads
    await replica.look()
    await client.get(thing())

    assert unseen == (1, 0)
    assert client.loads == (1, 1)


async def test_replicas_take_turns(database: Database, standby: Standby, one: Node) -> None:
    replicas = [replica_at(standby.url, one, number=number) for number in (1, 2)]
    for replica in replicas:
        await replica.look()
    client = Client(database, one, replicas)
    for _ in range(6):
        await client.get(thing())

    assert [replica.loads for replica in replicas] == [3, 3]
    assert client.loads == (0, 6)
    for replica in replicas:
        await replica.close()


async def test_what_a_standby_shows_before_the_primary_does_is_shown_by_no_node_less_of(
    database: Database, primary: EmbeddedServer, standby: Standby, one: Node, client: Client
) -> None:
    """The primary waits with a commit for a synchronous standby; this one has replayed it long since."""
    it = thing()
    await write(database, it, 1)
    await one.tail.poll()
    (replica,) = client.replicas.replicas
    configure(primary, "synchronous_standby_names = 'nobody'")
    writer = await asyncpg.connect(primary.url, server_settings={"synchronous_commit": "on"})
    try:
        writing = asyncio.create_task(writer.execute("update numbers set n = 20 where id = $1", it))
        await asyncio.to_thread(standby.until, "select max(n) = 20 from numbers", "yotei")
        await replica.look()
        shown, token = await client.get_and_token(it)
        async with node(database, running=True) as other:
            with pytest.raises(Problem) as refused:
                await other.get(it, token)
            is_waiting = not writing.done()
            configure(primary, "synchronous_standby_names = ''")
            await writing
            again = await other.get(it, token)
    finally:
        configure(primary, "synchronous_standby_names = ''")
        await writer.close()

    assert is_waiting
    assert (shown, again) == (20, 20)
    assert client.loads == (0, 1)
    assert refused.value.code is Code.UNAVAILABLE


async def test_lists_and_agendas_are_those_of_the_primary_while_the_replica_stands_still(
    database: Database, primary: EmbeddedServer, standby: Standby, budget: Budget
) -> None:
    march = datetime(2027, 3, 10, tzinfo=UTC)
    owner = await a_user(database, "Aiko")
    changing, quiet = [await a_calendar(database, {owner: "OWNER"}) for _ in range(2)]
    moved = await an_event(database, changing, owner, march)
    for calendar_id in (changing, quiet):
        await an_event(database, calendar_id, owner, march)
    query = read.Query(Window(march, march + timedelta(days=60), ZoneInfo("UTC")), limit=100, instances_max=100)
    viewer = viewing(owner)
    config = msgspec.structs.replace(
        settings(primary.url, cache=CacheSettings(l1_entries_max=0)),
        replica=ReplicaSettings(urls=(standby.url,), soft_ms=30_000),
    )
    caching = Caching(config, database)
    caching.start()
    (replica,) = caching.replicas.replicas

    async def told(work: Callable[[Source], Awaitable[read.Page]]) -> tuple[int, int]:
        """The statements of an answer, which is the primary's, and how many of them went to the replica."""
        before = replica.loads
        with budget() as spent:
            found = await work(caching.reads())
        assert found == await work(database)
        return spent.statements, replica.loads - before

    async def told_all() -> list[tuple[int, int]]:
        return [
            await told(lambda source: read.list_calendar(source, viewer, changing, query)),
            await told(lambda source: read.list_calendar(source, viewer, quiet, query)),
            await told(lambda source: read.agenda(source, viewer, query)),
        ]

    await seen(standby)
    await caching.tail.caught_up()
    await replica.look()
    standby.pause()
    unchanged = await told_all()
    await database.execute(MOVE, moved)
    await caching.tail.caught_up()
    changed = await told_all()
    standby.resume()
    await seen(standby)
    await replica.look()
    resumed = await told_all()
    await caching.close()

    assert unchanged == resumed == [(1, 1), (1, 1), (1, 1)]
    # Of the agenda the replica is asked for the calendars, and the months that come along with them lack the change.
    assert changed == [(1, 0), (1, 1), (2, 1)]
