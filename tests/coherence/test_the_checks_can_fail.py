"""Each check finds what it is there for, in histories made by hand, and nothing in those that are right."""

import pytest

from tests.coherence.checks import Bounds, Kind, judged, trace, violations, worst_s
from tests.coherence.history import History, Read, Span, Write


def history(*events: Write | Read, spans: tuple[Span, ...] = ()) -> History:
    made = History()
    made.begin("k", "v0")
    for event in events:
        if isinstance(event, Write):
            made.write(event)
        else:
            made.reads.append(event)
    made.spans += spans
    return made


def write(number: int, sent_s: float, done_s: float | None, *, value: str | None = None, writer: str = "w") -> Write:
    return Write("k", number, f"v{number}" if value is None else value, writer, sent_s, done_s)


def read(
    value: str, began_s: float, *, session: str = "", ended_s: float | None = None, stale: bool = False, times: int = 1
) -> Read:
    return Read("k", value, session, 0, began_s, began_s if ended_s is None else ended_s, stale, times)


def kinds(made: History, bounds: Bounds | None = None) -> list[Kind]:
    return [one.kind for one in violations(made, bounds or Bounds())]


def test_what_is_right_is_not_complained_about() -> None:
    made = history(
        read("v0", 0.0, session="s"),
        write(1, 1.0, 1.5, writer="s"),
        read("v1", 1.6, session="s"),
        read("v0", 1.7),
        read("v0", 1.4),
        read("v2", 2.5, ended_s=3.0),
        write(2, 2.8, None),
        read("v1", 9.0),
    )

    assert kinds(made) == []


def test_an_answer_that_is_older_than_the_bound() -> None:
    made = history(write(1, 0.9, 1.0), write(2, 1.9, 2.0), read("v0", 4.5), spans=(Span(("a fault",), 0.0, 9.0),))

    assert worst_s(judged(made)) == 3.5, "counted from the first newer write"
    assert kinds(made) == [Kind.BOUND]
    assert trace(made, violations(made, Bounds())[0]).count("\n") == 5


@pytest.mark.parametrize(
    ("spans", "found"),
    [((), [Kind.PEACE]), ((Span(("a fault",), 1.0, 9.0),), []), ((Span(("a fault",), 2.0, 9.0),), [Kind.PEACE])],
)
def test_the_bound_without_faults_is_a_shorter_one(spans: tuple[Span, ...], found: list[Kind]) -> None:
    assert kinds(history(write(1, 0.9, 1.0), read("v0", 1.3), spans=spans)) == found


def test_one_in_a_thousand_may_be_older_without_faults() -> None:
    reads = [read("v1", 2.0) for _ in range(1_000)]

    assert kinds(history(write(1, 0.9, 1.0), read("v0", 1.3), *reads)) == []
    assert kinds(history(write(1, 0.9, 1.0), *[read("v0", 1.3)] * 2, *reads)) == [Kind.PEACE]


def test_what_was_marked_stale_and_what_was_read_under_two_faults_has_no_bound() -> None:
    two = (Span(("one", "another"), 0.0, 9.0),)

    assert kinds(history(write(1, 0.9, 1.0), read("v0", 8.0, stale=True))) == []
    assert kinds(history(write(1, 0.9, 1.0), read("v0", 8.0), spans=two)) == []


def test_a_session_that_is_shown_less_than_before() -> None:
    seen = (write(1, 0.9, 1.0), read("v1", 1.1, session="s"))

    assert kinds(history(*seen, read("v0", 1.2, session="s"))) == [Kind.MONOTONIC]
    assert kinds(history(*seen, read("v0", 1.2, session="another"))) == []
    assert kinds(history(*seen, read("v0", 1.2))) == []


def test_a_session_that_is_not_shown_its_own_write() -> None:
    own = write(1, 0.9, 1.0, writer="s")

    assert kinds(history(own, read("v0", 1.1, session="s"))) == [Kind.OWN_WRITE]
    assert kinds(history(write(1, 0.9, None, writer="s"), read("v0", 1.1, session="s"))) == []


def test_a_value_that_nobody_wrote_or_had_written_yet() -> None:
    assert kinds(history(read("v7", 1.0))) == [Kind.NOBODY]
    assert kinds(history(read("v1", 1.0, ended_s=1.1), write(1, 1.2, 1.3))) == [Kind.NOBODY]


def test_a_value_that_was_written_twice_is_taken_for_the_later_one() -> None:
    again = (write(1, 0.9, 1.0), write(2, 1.9, 2.0, value="v0"))

    assert kinds(history(*again, read("v0", 2.1, session="s"))) == []
    assert kinds(history(*again, read("v1", 2.1, session="s"), read("v0", 2.2, session="s"))) == []
    assert kinds(history(*again, read("v0", 1.8))) == [Kind.PEACE]


@pytest.mark.parametrize("times", [0, 2])
def test_something_that_moved_and_is_there_twice_or_not_at_all(times: int) -> None:
    assert kinds(history(read("v0", 1.0, times=times))) == [Kind.TORN]


def test_a_session_with_a_token_is_not_answered_with_something_stale() -> None:
    assert kinds(history(read("v0", 1.0, session="s", stale=True))) == [Kind.MARKED]


def test_an_answer_that_nobody_may_give() -> None:
    made = history()
    made.unexpected.append("500")

    assert kinds(made) == [Kind.UNEXPECTED]
