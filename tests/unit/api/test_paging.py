"""Cursors come back as they went out, and nothing else is taken for one."""

import base64
from datetime import UTC, datetime
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from yotei.api import paging
from yotei.calendars.read import After as CalendarPlace
from yotei.errors import Code, Problem
from yotei.events.read import After as EventPlace
from yotei.resources.read import After as ResourcePlace
from yotei.users.read import After as UserPlace

KINDS = (CalendarPlace, EventPlace, ResourcePlace, UserPlace)

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200)
instants = st.datetimes(datetime(1600, 1, 1), datetime(9000, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
places: st.SearchStrategy[msgspec.Struct] = st.one_of(
    st.builds(CalendarPlace, names, st.uuids()),
    st.builds(ResourcePlace, names, st.uuids()),
    st.builds(UserPlace, st.uuids()),
    st.builds(EventPlace, st.integers(-(2**57), 2**57), st.uuids(), st.none() | instants),
)


def refused(cursor: str, kind: type[msgspec.Struct]) -> bool:
    """Whether it is refused as a cursor; any other failure is raised."""
    try:
        paging.decode(cursor, kind)
    except Problem as problem:
        assert problem.code is Code.INVALID_CURSOR
        return True
    return False


@given(places)
def test_a_place_survives_the_way_to_the_caller_and_back(place: msgspec.Struct) -> None:
    cursor = paging.encode(place)

    assert cursor is not None
    assert len(cursor) <= paging.CURSOR_CHARACTERS_MAX
    assert cursor.isascii() and not set(cursor) & set("+/=&%# ")
    assert paging.decode(cursor, type(place)) == place


@given(places, st.sampled_from(KINDS))
def test_a_cursor_belongs_to_one_list(place: msgspec.Struct, kind: type[msgspec.Struct]) -> None:
    cursor = paging.encode(place)

    assert cursor is not None
    assert refused(cursor, kind) is not isinstance(place, kind)


def test_no_place_is_no_cursor() -> None:
    assert paging.encode(None) is None
    assert paging.decode(None, UserPlace) is None


@given(st.text(max_size=100), st.sampled_from(KINDS))
def test_any_text_is_refused_and_nothing_worse(text: str, kind: type[msgspec.Struct]) -> None:
    assert refused(text, kind)


@given(st.binary(max_size=100), st.sampled_from(KINDS))
def test_any_bytes_are_refused_and_nothing_worse(packed: bytes, kind: type[msgspec.Struct]) -> None:
    assert refused(base64.urlsafe_b64encode(packed).decode(), kind)


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(["calendars", "events", "resources", "users"]), st.lists(values, max_size=4))
def test_made_up_places_are_refused_or_places(of: str, made_up: list[object]) -> None:
    try:
        packed = msgspec.msgpack.encode([of, *made_up])
    except UnicodeEncodeError:
        return
    cursor = base64.urlsafe_b64encode(packed).rstrip(b"=").decode()

    for kind in KINDS:
        refused(cursor, kind)


@pytest.mark.parametrize(
    "packed",
    [
        b"\x91" * 1_500,
        b"\xc1",
        msgspec.msgpack.encode(["events", 2**64 - 1, UUID(int=1), None]),
        msgspec.msgpack.encode(["events", -(2**63), UUID(int=1), None]),
        msgspec.msgpack.encode(["events", 1.5, UUID(int=1), None]),
        msgspec.msgpack.encode(["events", 1, UUID(int=1), "2026-12-01T00:00:00"]),
        msgspec.msgpack.encode(["events", 1, UUID(int=1)]),
        msgspec.msgpack.encode({"events": 1}),
        msgspec.msgpack.encode([]),
    ],
)
def test_what_only_looks_like_a_place_is_refused(packed: bytes) -> None:
    assert refused(base64.urlsafe_b64encode(packed).decode(), EventPlace)
