"""A position of the change log as text, and PostgreSQL's rule of visibility."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yotei.errors import Code, Problem
from yotei.storage.change_log import Position, Snapshot


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    xmin = draw(st.integers(1, 2**63))
    length = draw(st.integers(0, 50))
    running = sorted(draw(st.sets(st.integers(xmin, xmin + length), max_size=5))) if length else []
    return Snapshot(xmin, xmin + length + 1, tuple(running))


@given(
    snapshots(),
    st.integers(0, 10**14),
    st.none() | snapshots(),
    st.integers(1, 2**64 - 1),
    st.integers(0, 2**62),
    st.sampled_from(["", "7445566778899001122.1.16384", "7445566778899001122.1.16384.1795654429489"]),
)
def test_a_position_survives_being_written_and_read(
    since: Snapshot, at_ms: int, until: Snapshot | None, xid: int, seq: int, epoch: str
) -> None:
    position = Position(since, at_ms, epoch=epoch) if until is None else Position(since, at_ms, until, xid, seq, epoch)

    assert Position.parse(str(position)) == position


@pytest.mark.parametrize(
    "token",
    [
        "",
        "1:2:",
        "2:1:@0",
        "0:0:@0",
        "1:5:9@0",
        "1:5:3,2@0",
        "1:5:,@0",
        "99999999999999999999:99999999999999999999:@0",
        "1:2:@0;1:2:;1",
        "1:2:@0 ",
        ".1:2:@0",
        "1.2.1:2:@0",
        "1.2.3.4.5.1:2:@0",
        "1:2:@999999999999999",
        "1:2:@253402300800000",
        "1:2:@0;1:2:;1,9223372036854775808",
        "'; drop table events; --",
    ],
)
def test_any_other_text_is_an_invalid_cursor(token: str) -> None:
    with pytest.raises(Problem) as refused:
        Position.parse(token)

    assert refused.value.code is Code.INVALID_CURSOR


def test_a_snapshot_sees_what_was_over_and_not_what_was_running() -> None:
    snapshot = Snapshot.parse("10:20:12,15")

    assert [xid for xid in range(8, 22) if not snapshot.sees(xid)] == [12, 15, 20, 21]
