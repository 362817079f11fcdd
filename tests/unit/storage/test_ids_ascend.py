"""UUIDv7, RFC 9562 sections 5.7 and 6.2."""

import time
from collections.abc import Iterator
from threading import Thread
from uuid import RFC_4122, UUID

import pytest

from yotei.storage import ids


@pytest.fixture
def frozen_clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    now_ns = [time.time_ns() + 10**12]
    monkeypatch.setattr(time, "time_ns", lambda: now_ns[0])
    monkeypatch.setattr(ids, "_last", 0)
    yield now_ns


def test_version_and_variant_are_those_of_section_5_7() -> None:
    made = ids.uuid7()

    assert made.version == 7
    assert made.variant == RFC_4122


def test_the_first_48_bits_are_the_time_in_milliseconds() -> None:
    before_ms = time.time_ns() // 1_000_000

    assert before_ms <= ids.made_at_ms(ids.uuid7()) <= time.time_ns() // 1_000_000 + 1


def test_ids_ascend_when_the_clock_stands_still_for_more_than_the_counter_holds(frozen_clock: list[int]) -> None:
    made = [ids.uuid7() for _ in range(10_000)]

    assert made == sorted(made)
    assert len(set(made)) == len(made)


def test_ids_ascend_when_the_clock_steps_back(frozen_clock: list[int]) -> None:
    before = ids.uuid7()
    frozen_clock[0] -= 3_600 * 10**9

    assert ids.uuid7() > before


def test_threads_never_make_the_same_id() -> None:
    made: list[list[UUID]] = [[] for _ in range(8)]
    threads = [Thread(target=lambda mine=mine: mine.extend(ids.uuid7() for _ in range(2_000))) for mine in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len({one for mine in made for one in mine}) == 16_000
    assert all(mine == sorted(mine) for mine in made)
