"""The table in process: bounded, scan-resistant, and nothing else."""

import random

from yotei.cache.key import Key
from yotei.cache.l1 import ENTRY_BYTES, L1, READS_MAX, Entry
from yotei.storage.change_log import Snapshot

S = Snapshot(10, 10)


def entry(name: str, *, size_bytes: int = 100, stale_until_s: float = 1e9, payload: object = None) -> Entry:
    return Entry(
        Key(name, "family"),
        payload,
        S,
        loaded_s=0.0,
        expires_s=1e9,
        fresh_until_s=1e9,
        stale_until_s=stale_until_s,
        delta_s=1.0,
        size_bytes=size_bytes,
    )


def table(entries_max: int = 10, bytes_max: int = 1_000_000) -> L1:
    return L1(entries_max=entries_max, bytes_max=bytes_max)


def get(l1: L1, name: str) -> Entry | None:
    """As the levels read it."""
    found = l1.entries.get(name)
    if found is not None:
        found.reads = min(found.reads + 1, READS_MAX)
    return found


def test_it_is_never_larger_than_its_bounds_and_knows_its_size() -> None:
    l1 = table(entries_max=50, bytes_max=60_000)
    chance = random.Random(3)
    for _ in range(5_000):
        name = str(int(chance.paretovariate(0.7)) % 300)
        if get(l1, name) is None or chance.random() < 0.1:
            l1.put(entry(name, size_bytes=chance.randrange(0, 2_200)), now_s=0.0)
        assert len(l1.entries) <= 50
        assert l1.bytes == sum(one.size_bytes + ENTRY_BYTES for one in l1.entries.values()) <= 60_000
        assert len(l1._small) + len(l1._main) == len(l1.entries)
        assert l1._small_bytes == sum(one.size_bytes + ENTRY_BYTES for one in l1._small)
        assert len(l1._ghosts) <= 50


def test_what_is_read_twice_outlives_a_scan() -> None:
    l1 = table()
    l1.put(entry("read"), 0.0)
    get(l1, "read")
    for n in range(1_000):
        l1.put(entry(f"scanned {n}"), 0.0)

    assert "read" in l1.entries


def test_what_comes_back_soon_after_it_went_is_let_in_at_once() -> None:
    l1 = table()
    l1.put(entry("back"), 0.0)
    for n in range(10):
        l1.put(entry(str(n)), 0.0)
    assert "back" not in l1.entries
    l1.put(entry("back"), 0.0)

    assert l1.entries["back"].is_main


def test_another_value_of_a_key_takes_its_place() -> None:
    l1 = table()
    l1.put(entry("key", payload=1, size_bytes=100), 0.0)
    place = l1.entries["key"]
    l1.put(entry("key", payload=2, size_bytes=300), 0.0)

    assert l1.entries["key"] is place
    assert (place.payload, l1.bytes) == (2, 300 + ENTRY_BYTES)


def test_a_value_that_would_push_out_many_is_not_taken_in() -> None:
    l1 = table(bytes_max=100_000)

    l1.put(entry("huge", size_bytes=6_000), 0.0)

    assert l1.entries == {}


def test_what_is_of_no_use_any_more_goes_before_its_turn() -> None:
    l1 = table()
    l1.put(entry("old", stale_until_s=5.0), now_s=0.0)
    l1.put(entry("new"), now_s=6.0)

    assert list(l1.entries) == ["new"]


def test_evictions_are_counted_by_family() -> None:
    l1 = table(entries_max=1)
    l1.put(entry("a"), 0.0)
    l1.put(entry("b"), 0.0)

    assert l1.evictions == {"family": 1}


def test_it_keeps_what_is_read_often_as_its_paper_says() -> None:
    # Zipf 1.0 over 10,000 keys, room for 1,000: S3-FIFO hits about 0.68 of the reads, FIFO about 0.58.
    chance = random.Random(1)
    weights = [1 / (n + 1) for n in range(10_000)]
    l1 = table(entries_max=1_000, bytes_max=10**9)
    names = [str(n) for n in chance.choices(range(10_000), weights, k=60_000)]
    hits = 0
    for number, name in enumerate(names):
        if get(l1, name) is not None:
            hits += number >= 10_000
        else:
            l1.put(entry(name), 0.0)

    assert hits / 50_000 > 0.65
