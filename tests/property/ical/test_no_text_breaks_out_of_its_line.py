"""Whatever a field holds, the file that is written has the events that were given (RFC 5545, section 3.1)."""

from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from yotei.ical import Attendee, ParsedEvent, parse_calendar, write_calendar

NOW = datetime(2026, 1, 1, tzinfo=UTC)
BREAKS = ("\n", "\r", "\r\n", "\n ", "\\n", "\0", "\x0b", "\x7f", "\x85", "\u2028", '"', "^n", ";", ":", ",")
INJECTED = "END:VEVENT\r\nBEGIN:VEVENT\r\nUID:two\r\nDTSTART:20260101T000000Z\r\nEND:VEVENT"

anything = st.lists(st.text(max_size=20) | st.sampled_from((*BREAKS, INJECTED)), max_size=8).map("".join)


@st.composite
def events(draw: st.DrawFn) -> ParsedEvent:
    return ParsedEvent(
        uid=draw(st.uuids().map(str)) + draw(anything),
        start_time=NOW,
        end_time=NOW,
        title=draw(anything),
        description=draw(anything),
        location=draw(anything),
        url=draw(anything),
        organizer_email=draw(anything),
        organizer_name=draw(anything),
        attendees=tuple(Attendee(draw(anything), draw(anything)) for _ in range(draw(st.integers(0, 2)))),
        properties=tuple(f"X-KEPT:{draw(anything)}" for _ in range(draw(st.integers(0, 2)))),
    )


@settings(deadline=None, max_examples=300)
@given(st.lists(events(), min_size=1, max_size=3), anything)
def test_any_text_in_any_field_leaves_as_many_components(made: list[ParsedEvent], name: str) -> None:
    written = write_calendar(made, now=NOW, name=name)

    read = parse_calendar(written)

    assert len(read.components) == len(made)
    assert [one.reason for one in read.skipped] == []
    assert not any(line.strip() == b"UID:two" for line in written.splitlines())
