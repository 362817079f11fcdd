"""Snapshots, floors, tokens, markers, breaker: one by one, beside the model that explores them together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yotei.cache.breaker import Breaker
from yotei.cache.coherence import covers, joined, taken
from yotei.cache.floors import Floors
from yotei.cache.marker import STEP_PURGES_MAX, Marker, steps
from yotei.cache.redis_client import buckets, connect
from yotei.cache.token import Token
from yotei.storage.change_log import Snapshot

XIDS = range(1, 16)


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    xmax = draw(st.integers(2, 14))
    running = tuple(sorted(draw(st.sets(st.integers(1, xmax - 1)))))
    return Snapshot(running[0] if running else xmax, xmax, running)


@given(snapshots(), snapshots())
def test_covering_is_seeing_all_that_the_other_sees(one: Snapshot, other: Snapshot) -> None:
    assert covers(one, other) == all(one.sees(xid) for xid in XIDS if other.sees(xid))


@given(snapshots(), snapshots())
def test_joining_is_seeing_what_either_sees(one: Snapshot, other: Snapshot) -> None:
    both = joined(one, other)

    assert [both.sees(xid) for xid in XIDS] == [one.sees(xid) or other.sees(xid) for xid in XIDS]
    assert Snapshot.parse(str(both)) == both


def test_of_a_standby_only_what_is_before_the_oldest_running_counts() -> None:
    assert taken(Snapshot(753, 755), on_standby=True) == Snapshot(753, 753)
    assert taken(Snapshot(753, 755, (753,)), on_standby=False) == Snapshot(753, 755, (753,))


def floors(**options: float) -> Floors:
    return Floors(Snapshot(10, 10), now_s=0.0, names_max=int(options.get("names_max", 100)), window_s=10.0)


def test_a_value_is_usable_if_it_sees_all_that_changed_its_key_or_group() -> None:
    one = floors()
    one.raise_to(12, ["key", "group"])
    one.raise_to(14, ["group"])

    assert not one.usable(Snapshot(12, 12), "key")
    assert one.usable(Snapshot(13, 13), "key")
    assert not one.usable(Snapshot(13, 13), "key", "group")
    assert one.usable(Snapshot(15, 15), "key", "group")
    assert one.usable(Snapshot(10, 10), "other")
    assert not one.usable(Snapshot(9, 9), "other")


def test_floors_are_forgotten_by_age_and_the_base_rises_with_them() -> None:
    one = floors()
    one.raise_to(12, ["key"])
    one.advance(Snapshot(13, 13), 1.0)
    one.advance(Snapshot(20, 20), 10.9)
    before = (len(one), one.usable(Snapshot(10, 10), "other"))
    one.advance(Snapshot(20, 20), 11.0)

    assert before == (1, True)
    assert (len(one), one.base) == (0, Snapshot(13, 13))
    assert not one.usable(Snapshot(10, 10), "other")
    assert one.usable(Snapshot(13, 13), "key")


def test_a_floor_that_was_said_again_is_kept_for_its_later_saying() -> None:
    one = floors()
    one.raise_to(12, ["key"])
    one.advance(Snapshot(11, 11), 1.0)
    one.raise_to(12, ["key"])
    one.advance(Snapshot(13, 13), 5.0)
    one.advance(Snapshot(13, 13), 11.5)

    assert one.base == Snapshot(11, 11)
    assert list(one.of("key")) == [12]


def test_too_many_floors_make_everything_older_useless_and_nothing_wrong() -> None:
    one = floors(names_max=5)
    one.raise_to(12, [str(n) for n in range(100)])
    blind = one.usable(Snapshot(50, 50), "key")
    one.advance(Snapshot(13, 13), 0.001)

    assert not blind
    assert (len(one), one.base) == (0, Snapshot(13, 13))
    assert one.usable(Snapshot(13, 13), "key")
    assert not one.usable(Snapshot(12, 12), "key")


def test_a_change_of_everything_is_over_with_the_poll_that_sees_it_and_not_before() -> None:
    floors = Floors(Snapshot(50, 50), now_s=0.0, names_max=10, window_s=600.0)

    floors.raise_all(60)
    floors.advance(Snapshot(55, 61, (60,)), 1.0)
    meanwhile = floors.usable(Snapshot(55, 61, (60,)), "key")
    floors.advance(Snapshot(61, 61), 2.0)

    assert not meanwhile
    assert not floors.usable(Snapshot(55, 61, (60,)), "key")
    assert floors.usable(Snapshot(61, 61), "key")


def test_what_was_too_much_to_be_remembered_leaves_nothing_behind() -> None:
    one = floors(names_max=5)
    for n in range(100):
        one.raise_to(12, [str(n)])
    most = len(one._by_name)
    one.advance(Snapshot(13, 13), 0.001)

    assert (most, len(one._by_name)) == (2 * 5, 0)


def test_a_value_that_is_found_usable_is_complete_as_far_as_the_floors_go() -> None:
    one = floors()
    one.advance(Snapshot(20, 20), 1.0)

    assert one.vouched(Snapshot(15, 15)) == Snapshot(20, 20)
    assert one.vouched(Snapshot(25, 25)) == Snapshot(25, 25)


def test_an_age_too_large_to_purge_begins_the_marker_anew() -> None:
    one = Floors(Snapshot(10, 10), now_s=0.0, names_max=10**6, window_s=10.0)
    one.raise_to(12, [str(n) for n in range(STEP_PURGES_MAX + 1)])
    one.advance(Snapshot(13, 13), 1.0)
    there = Marker(Snapshot(10, 10), Snapshot(5, 5), "a")

    (step,) = steps(there, one, ended_before_s=1.0, nonce="b")

    assert step.purges == ()
    assert step.moved == Marker(Snapshot(13, 13), Snapshot(13, 13), "b")


def test_a_marker_moves_age_by_age() -> None:
    one = floors()
    for xid in (12, 14):
        one.raise_to(xid, ["key"])
        one.advance(Snapshot(xid + 1, xid + 1), xid - 10.0)
    there = Marker(Snapshot(10, 10), Snapshot(5, 5), "a")

    found = list(steps(there, one, ended_before_s=4.0, nonce="b"))

    assert [(step.purges, step.moved.purged) for step in found] == [
        ((("key", 12),), Snapshot(13, 13)),
        ((("key", 14),), Snapshot(15, 15)),
    ]
    assert list(steps(found[-1].moved, one, ended_before_s=4.0, nonce="b")) == []
    assert list(steps(there, one, ended_before_s=1.0, nonce="b")) == []


def test_a_marker_is_read_as_it_was_written() -> None:
    marker = Marker(Snapshot(10, 12, (10, 11)), Snapshot(5, 5), "a")

    assert Marker.decoded(marker.encoded()) == marker
    for text in (b"", b"1:1: 1:1:", b"x y z", b"\xff 1:1: a"):
        with pytest.raises(ValueError):
            Marker.decoded(text)


def test_a_token_is_read_as_it_was_written_and_nothing_else_is_one() -> None:
    token = Token("7.1.5.9", Snapshot(10, 12, (10, 11)), 12)

    assert Token.parse(str(token)) == token
    assert Token.parse(str(Token("7.1.5.9", Snapshot(10, 10)))) == Token("7.1.5.9", Snapshot(10, 10))
    for text in ("", "x", "7@1", "7@2:1:", "7@1:1:+99999999999999999999", "7@1:1:+", "7" * 5000, "7@1:1:1\n"):
        with pytest.raises(ValueError):
            Token.parse(text)


def test_a_token_that_is_given_is_taken_back_however_many_transactions_are_open() -> None:
    first = 10**12
    token = Token(
        "7712541554657664487.1.17986.1795716018016", Snapshot(first, first + 2_500, (*range(first, first + 2_500, 2),))
    )

    assert Token.parse(str(token)) == token


def test_a_token_forgets_nothing_within_its_epoch() -> None:
    token = Token("7", Snapshot(20, 20)).after("7", Snapshot(15, 15), 25)

    assert token == Token("7", Snapshot(20, 20), 25)
    assert not token.is_met("7", Snapshot(25, 25))
    assert token.is_met("7", Snapshot(26, 26))
    assert token.after("7", Snapshot(30, 30)) == Token("7", Snapshot(30, 30))
    assert token.after("8", Snapshot(3, 3)) == Token("8", Snapshot(3, 3))
    assert not token.is_met("8", Snapshot(99, 99))


def test_a_breaker_opens_after_failures_in_a_row_and_lets_one_try() -> None:
    breaker = Breaker(failures_max=2, open_s=1.0)
    breaker.failed(0.0)
    breaker.succeeded()
    breaker.failed(0.0)
    assert breaker.lets(0.0)
    breaker.failed(0.0)

    assert [breaker.lets(0.5), breaker.lets(1.0), breaker.lets(1.0)] == [False, True, False]
    breaker.succeeded()
    assert breaker.lets(1.0)


def test_a_try_that_fails_late_opens_the_breaker_from_then_on() -> None:
    breaker = Breaker(failures_max=1, open_s=1.0)
    breaker.failed(0.0)
    assert breaker.lets(1.0)

    breaker.failed(10.0)

    assert [breaker.is_open(10.5), breaker.lets(10.5), breaker.lets(11.0)] == [True, False, True]


@pytest.mark.parametrize(
    "url", ["http://host", "redis+sentinel://host:26379", "redis+other://host", "", "rediss+x://h"]
)
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(ValueError):
        connect(url)


def test_keys_are_divided_where_they_are_spread_over_servers() -> None:
    assert (buckets("redis://host"), buckets("rediss+cluster://host")) == (1, 16)
