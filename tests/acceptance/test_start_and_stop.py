"""`yotei run` from the start to the stop, by whatever way it comes: nothing is left, and the next start works."""

import asyncio
import os
import signal
import threading
import time
from collections.abc import Iterator

import asyncpg
import httpx
import pytest

from tests.acceptance.processes import (
    POLL_S,
    Place,
    bearer,
    children,
    command_line,
    new_place,
    status,
    until,
    waited_s,
)
from yotei.storage import migrate
from yotei.storage.embedded import running_url

SECOND_START_S_MAX = 3.0
"""What the product promises for the 20,000 events of the demo."""


@pytest.fixture
def place() -> Iterator[Place]:
    with new_place() as place:
        yield place


def test_a_fresh_folder_becomes_a_migrated_database_that_is_served(place: Place) -> None:
    server = place.start().ready()

    assert "Migrated 0001_" in server.out
    shown = place.run("migrate", "--plan")
    assert shown.stdout == "Nothing to apply.\n", shown.stderr
    assert server.stop() == 0
    assert server.out.endswith("Stopped.\n")
    assert place.processes() == {}


@pytest.mark.parametrize(
    ("number", "group", "times"),
    [
        (signal.SIGTERM, False, 1),
        (signal.SIGTERM, False, 2),
        (signal.SIGINT, False, 1),
        (signal.SIGINT, True, 1),
        (signal.SIGINT, True, 2),
    ],
    ids=["SIGTERM", "SIGTERM twice", "SIGINT", "Ctrl-C", "Ctrl-C twice"],
)
def test_a_signal_ends_everything_with_exit_code_0(
    place: Place, number: signal.Signals, group: bool, times: int
) -> None:
    server = place.start(YOTEI_SERVER_WORKERS="2").ready()

    for _ in range(times):
        server.send(number, group=group)

    assert server.ended() == 0, server.err
    assert place.processes() == {}
    assert "Traceback" not in server.err


MOMENTS = {
    "initdb": "postgres.new",
    "the first PostgreSQL": "postgres/postmaster.pid",
    "the making of the database": "postgres/postmaster.opts",
    "the migrations": "postgres.made",
}


@pytest.mark.parametrize(
    ("number", "group", "times"),
    [(signal.SIGTERM, False, 2), (signal.SIGINT, True, 1)],
    ids=["SIGTERM twice", "Ctrl-C"],
)
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_signal_during_the_first_start_leaves_nothing_half_made(
    place: Place, moment: str, number: signal.Signals, group: bool, times: int
) -> None:
    server = place.start()
    until((place.data_dir / MOMENTS[moment]).exists, moment)

    for _ in range(times):
        server.send(number, group=group)

    assert server.ended() == 0, server.err
    assert server.err == ""
    assert place.processes() == {}
    assert place.start().ready().stop() == 0


def test_a_signal_while_demo_data_is_loaded_leaves_none_of_it_and_the_next_start_loads_all(place: Place) -> None:
    server = place.start("--demo")
    last = migrate.load()[-1].file_name
    until(lambda: last in server.out, "migrated")

    server.send(signal.SIGINT, group=True)

    assert server.ended() == 0, server.err
    assert "Traceback" not in server.err
    assert "Made " not in server.out
    assert place.processes() == {}
    again = place.start("--demo").ready()
    assert "20000 events" in again.out
    assert again.stop() == 0


def test_a_request_in_flight_is_answered_before_the_server_ends(place: Place) -> None:
    server = place.start().ready()
    token = place.admin_token()
    answers: list[httpx.Response] = []

    def ask() -> None:
        answers.append(httpx.get(f"{place.base}/api/users/me", headers=bearer(token), timeout=20))

    async def while_people_are_locked() -> None:
        holder, watcher = (
            await asyncpg.connect(running_url(place.data_dir)),
            await asyncpg.connect(running_url(place.data_dir)),
        )
        async with holder.transaction():
            await holder.execute("lock table users in access exclusive mode")
            asking.start()
            while not await watcher.fetchval("select count(*) from pg_locks where not granted"):  # noqa: ASYNC110
                await asyncio.sleep(POLL_S)
            server.send(signal.SIGTERM)
            await asyncio.to_thread(until, lambda: status(f"{place.base}/healthz") == 0, "closed to new requests")
        await holder.close()
        await watcher.close()

    asking = threading.Thread(target=ask)
    asyncio.run(asyncio.wait_for(while_people_are_locked(), 20))
    asking.join()

    assert [answer.status_code for answer in answers] == [200]
    assert server.ended() == 0, server.err


def test_after_a_kill_the_workers_end_by_themselves(place: Place) -> None:
    server = place.start(YOTEI_SERVER_WORKERS="2").ready()
    workers = server.workers()
    assert len(workers) == 2

    server.kill()

    until(lambda: not any(map(command_line, workers)), "workers are gone")
    assert place.start().ready().stop() == 0


@pytest.mark.parametrize("postgres_too", [False, True], ids=["Yotei", "Yotei and PostgreSQL"])
def test_after_a_kill_the_next_start_need_not_wait_and_has_the_data(place: Place, postgres_too: bool) -> None:
    server = place.start(YOTEI_SERVER_WORKERS="2").ready()
    token = place.admin_token()

    postmaster = place.postmaster()
    server.kill()
    if postgres_too:
        kill(postmaster)
    again = place.start().ready()

    assert status(f"{place.base}/api/users/me", bearer(token)) == 200
    assert again.stop() == 0


def test_a_killed_worker_comes_back(place: Place) -> None:
    server = place.start().ready()
    [worker] = server.workers()

    kill(worker)

    until(lambda: server.workers() not in ([], [worker]) and status(f"{place.base}/readyz") == 200, "a new worker")
    assert server.stop() == 0


def test_without_postgres_requests_get_a_503_problem_until_it_was_started_again(place: Place) -> None:
    server = place.start().ready()
    token = place.admin_token()
    me, url = f"{place.base}/api/users/me", f"{place.base}/api/users"
    assert status(me, bearer(token)) == status(url, bearer(token)) == 200

    server.send(signal.SIGSTOP)  # so that it cannot be faster than our request
    kill(place.postmaster())
    refused = httpx.get(url, headers=bearer(token), timeout=10)
    kept = httpx.get(me, headers=bearer(token), timeout=10)
    until(lambda: status(f"{place.base}/readyz") == 503, "not ready, once the answer of before is a second old")
    server.send(signal.SIGCONT)

    assert refused.status_code == 503
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.headers["retry-after"] == "1"
    assert refused.json()["code"] == "unavailable"
    assert kept.status_code == 200, "what is in the cache is told on"
    until(lambda: status(url, bearer(token)) == 200, "PostgreSQL is back")
    assert "PostgreSQL had ended unexpectedly and was started again" in server.err
    assert "Traceback" not in server.err
    assert server.stop() == 0


def test_a_postgres_taken_over_from_a_killed_server_is_looked_after_too(place: Place) -> None:
    place.start().ready().kill()
    server = place.start().ready()
    taken_over = place.postmaster()
    assert taken_over not in children(server.pid)

    kill(taken_over)

    until(lambda: place.postmaster() in children(server.pid) and status(f"{place.base}/readyz") == 200, "a new one")
    assert server.stop() == 0


def test_a_postgres_that_cannot_be_started_again_ends_the_server_with_the_reason(place: Place) -> None:
    server = place.start().ready()
    with (place.cluster / "postgresql.conf").open("a") as conf:
        conf.write("\nno_such_setting = 1\n")

    kill(place.postmaster())

    assert server.ended() == 1
    said = server.err.splitlines()[-1]
    assert said.startswith(f"yotei: {place.cluster}: PostgreSQL does not start: ")
    assert str(place.data_dir / "postgres.log") in said
    assert place.processes() == {}


def test_the_second_start_with_the_demo_data_is_ready_in_less_than_3_s(place: Place) -> None:
    """What a busy machine gave to others meanwhile is not the product's time."""
    assert place.start("--demo").ready().stop() == 0

    started_s = time.monotonic()
    server = place.start("--demo").ready()
    elapsed_s = time.monotonic() - started_s
    of_others_s = sum(map(waited_s, place.processes()))

    assert server.stop() == 0
    assert elapsed_s - of_others_s < SECOND_START_S_MAX
    assert "Made " not in server.out


def kill(pid: int) -> None:
    """SIGKILL, and wait until it has taken hold."""
    os.kill(pid, signal.SIGKILL)
    until(lambda: command_line(pid) == "", "killed")
