"""What a hint looks like on its way, and what is done with one that is too large or not one at all."""

import json
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from yotei.bus import hint as hints
from yotei.bus.hint import KEY_CHARACTERS_MAX, KEYS_MAX, PARTS_MAX, XID_MAX, Hint, decode, encode, encode_beat, hint_of

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
BYTES_MAX = 7_999


def arrived(messages: list[bytes], bytes_max: int = BYTES_MAX) -> list[Hint]:
    return [hint_of(decode(message, bytes_max=bytes_max)) for message in messages]


def test_a_message_is_the_documented_json_object() -> None:
    (message,) = encode("5f2c", Hint("7431.1.16384", 731, ("event:1:full",), NOW), bytes_max=BYTES_MAX)

    assert json.loads(message) == {
        "node": "5f2c",
        "epoch": "7431.1.16384",
        "xid": 731,
        "keys": ["event:1:full"],
        "ts": "2026-11-24T09:00:00Z",
    }


def test_a_beat_is_small_and_is_no_hint() -> None:
    message = encode_beat("5f2c", 7)

    assert json.loads(message) == {"node": "5f2c", "beat": 7}
    assert decode(message, bytes_max=BYTES_MAX).beat == 7


def test_the_largest_transaction_id_arrives() -> None:
    assert arrived(encode("n", Hint("e", XID_MAX), bytes_max=BYTES_MAX)) == [Hint("e", XID_MAX)]


@given(
    st.lists(st.text(max_size=KEY_CHARACTERS_MAX), max_size=200).map(tuple),
    st.integers(min_value=200, max_value=BYTES_MAX),
)
def test_whatever_the_keys_no_message_is_too_large_and_none_of_them_is_lost_without_a_word(
    keys: tuple[str, ...], bytes_max: int
) -> None:
    messages = encode("node", Hint("7431.1.16384", 731, keys, NOW), bytes_max=bytes_max)

    assert all(len(message) <= bytes_max for message in messages)
    assert len(messages) <= PARTS_MAX
    came = arrived(messages, bytes_max)
    assert {(hint.epoch, hint.xid, hint.ts) for hint in came} == {("7431.1.16384", 731, NOW)}
    assert tuple(key for hint in came for key in hint.keys) == keys or [hint.keys for hint in came] == [()]


def test_parts_are_as_full_as_they_can_be() -> None:
    keys = tuple(f"event:{number:03}:full" for number in range(400))

    sizes = [len(message) for message in encode("node", Hint("e", 1, keys), bytes_max=2_000)]

    assert all(2_000 - len('"event:000:full",') < size <= 2_000 for size in sizes[:-1])


def test_a_hint_that_needs_more_messages_than_the_bound_is_one_without_keys() -> None:
    fill_one = tuple(f"{number:0150}" for number in range(6))  # 153 bytes each, with quotes and comma
    room = 1_000

    assert len(encode("n", Hint("e", 1, fill_one * PARTS_MAX), bytes_max=room)) == PARTS_MAX
    assert arrived(encode("n", Hint("e", 1, (*fill_one * PARTS_MAX, "k" * 150)), bytes_max=room)) == [Hint("e", 1)]


def test_a_key_that_fits_in_no_message_makes_the_hint_a_call_to_look_at_the_log() -> None:
    keys = ("a", "k" * KEY_CHARACTERS_MAX, "k" * (KEY_CHARACTERS_MAX + 1))

    assert arrived(encode("n", Hint("e", 1, keys), bytes_max=600)) == [Hint("e", 1)]


def test_no_message_has_more_keys_than_one_that_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = tuple("k" for _ in range(KEYS_MAX + 1))

    came = arrived(encode("n", Hint("e", 1, keys), bytes_max=65_536), 65_536)

    assert [len(hint.keys) for hint in came] == [KEYS_MAX, 1]


def test_the_message_of_rfc_003_says_that_something_changed() -> None:
    message = b'{"Keys": ["event:1:full", "calendar:7:events:*"], "Timestamp": "2026-11-24T09:00:00.123456789+09:00"}'

    (hint,) = arrived([message])

    assert (hint.xid, hint.keys) == (None, ("event:1:full", "calendar:7:events:*"))
    assert hint.ts == datetime(2026, 11, 24, 0, 0, 0, 123457, tzinfo=UTC)


def test_a_field_of_a_later_version_is_passed_over() -> None:
    assert arrived([b'{"node": "n", "xid": 5, "keys": ["a"], "colour": "red"}']) == [Hint("", 5, ("a",))]


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"not JSON",
        b"[]",
        b"null",
        b'{"xid": 0}',
        b'{"xid": -5}',
        b'{"xid": 18446744073709551616}',
        b'{"xid": "731"}',
        b'{"keys": "event:1:full"}',
        b'{"keys": [1]}',
        b'{"keys": ["' + b"k" * (KEY_CHARACTERS_MAX + 1) + b'"]}',
        b'{"ts": "yesterday"}',
        b'{"node": "' + b"n" * 65 + b'"}',
        b'{"keys": ["\xff"]}',
        b'{"colour": ' + b"[" * 7_000 + b"]" * 900,
        b'{"colour": "' + b"r" * BYTES_MAX + b'"}',
    ],
)
def test_what_is_no_message_is_refused(payload: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode(payload, bytes_max=BYTES_MAX)


def test_more_keys_than_the_bound_are_refused() -> None:
    with pytest.raises(msgspec.DecodeError):
        decode(json.dumps({"keys": ["k"] * (hints.KEYS_MAX + 1)}).encode(), bytes_max=10_000_000)
