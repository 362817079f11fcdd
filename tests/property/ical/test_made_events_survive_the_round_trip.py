"""Events as the store may hold them, written and read again (RFC 5545, sections 3.1, 3.3.11 and 3.6.1)."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from yotei.ical import Attendee, ParsedEvent, canonical_rrule, parse_calendar, resolve, to_utc, write_calendar

NOW = datetime(2026, 1, 1, tzinfo=UTC)
WALL_MIN, WALL_MAX = datetime(1990, 1, 1), datetime(2030, 12, 31)  # noqa: DTZ001  wall clocks

# TEXT may hold anything printable and line feeds; "\\N" is read as a line feed by the escaping of the library.
texts = st.text(st.characters(exclude_categories=("Cs", "Cc")) | st.just("\n"), max_size=120).filter(
    lambda text: "\\N" not in text and "\u2028" not in text
)
names = st.text(st.characters(categories=("L", "N", "Zs")), min_size=1, max_size=30).map(str.strip).filter(bool)
emails = st.integers(0, 9).map(lambda number: f"person{number}@example.com")
walls = st.datetimes(WALL_MIN, WALL_MAX).map(lambda at: at.replace(microsecond=0, fold=0))
kept = st.sampled_from(
    (
        ('X-COLOUR;X-WAY="a;b":red\\, as it came',),
        ("CATEGORIES:Work,Personal\\,Urgent",),
        ("BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER:-PT15M", "END:VALARM"),
    )
)


@st.composite
def events(draw: st.DrawFn) -> ParsedEvent:
    form = draw(st.sampled_from(("all_day", "floating", "utc", "Europe/Berlin", "America/New_York", "Asia/Tokyo")))
    wall = draw(walls)
    all_day, floating = form == "all_day", form == "floating"
    tzid = form if "/" in form else None
    if all_day:
        wall = wall.replace(hour=0, minute=0, second=0)
    start = to_utc(wall, resolve(tzid or "UTC"))
    length = timedelta(days=draw(st.integers(1, 5))) if all_day else timedelta(minutes=draw(st.integers(0, 5_000)))
    rrule = draw(
        st.sampled_from((None, "FREQ=DAILY;COUNT=5", "FREQ=WEEKLY;BYDAY=MO,FR", "FREQ=MONTHLY;UNTIL=20401231T000000Z"))
    )
    if rrule is not None:
        rrule = canonical_rrule(rrule, all_day=all_day, floating=floating, tzid=tzid)
    days = draw(st.lists(st.integers(1, 30), max_size=3, unique=True))
    return ParsedEvent(
        uid=draw(st.uuids().map(str)),
        start_time=start,
        end_time=start + length,
        all_day=all_day,
        floating=floating,
        tzid=tzid,
        sequence=draw(st.integers(0, 99)),
        title=draw(texts),
        description=draw(texts),
        location=draw(texts),
        rrule=rrule,
        exdates=tuple(sorted(start + timedelta(days=day) for day in days)),
        status=draw(st.sampled_from(("CONFIRMED", "TENTATIVE", "CANCELLED"))),
        transp=draw(st.sampled_from(("OPAQUE", "TRANSPARENT"))),
        classification=draw(st.sampled_from(("PUBLIC", "PRIVATE", "CONFIDENTIAL"))),
        organizer_email="ann@example.com",
        organizer_name=draw(st.none() | names),
        attendees=tuple(
            Attendee(email, draw(st.none() | names), draw(st.sampled_from(("NEEDS-ACTION", "ACCEPTED", "DECLINED"))))
            for email in draw(st.lists(emails, max_size=3, unique=True))
        ),
        last_modified=NOW,
        properties=draw(kept),
    )


@settings(deadline=None, max_examples=200)
@given(st.lists(events(), min_size=1, max_size=3, unique_by=lambda event: event.uid))
def test_what_is_written_is_read_back_equal(made: list[ParsedEvent]) -> None:
    written = write_calendar(made, now=NOW)

    read = parse_calendar(written)

    assert read.components == tuple(made)
    assert read.skipped == ()
    assert read.repaired == ()


@settings(deadline=None, max_examples=150)
@given(st.binary(max_size=300), st.integers(0, 2_000))
def test_no_damage_to_a_file_raises_anything_but_not_icalendar(noise: bytes, place: int) -> None:
    whole = write_calendar(
        [ParsedEvent(uid="a", start_time=NOW, end_time=NOW, tzid="Europe/Berlin", rrule="FREQ=DAILY")], now=NOW
    )
    damaged = whole[:40] + whole[40:][:place] + noise + whole[40:][place:]

    read = parse_calendar(damaged)

    assert len(read.components) <= 1
