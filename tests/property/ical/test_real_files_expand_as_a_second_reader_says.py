"""Whole files, years 2005 to 2035: our reader and expansion against recurring-ical-events, and the round trip.

Real-world files are taken from the folder YOTEI_ICS_FOLDER, by default `../shared/data/ics` beside this
checkout, and skipped where there is none; the fixtures of this project are always read. Both sides
must give the same (UID, start, end) for every instance, or the file stands in EXPLAINED with its reason.
"""

import os
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path

import icalendar
import pytest
import recurring_ical_events

from yotei.ical import ParsedCalendar, expand, parse_calendar, write_calendar
from yotei.ical.recurrence import Override

CHECKOUT = Path(__file__).parents[3]
FIXTURES = CHECKOUT / "tests" / "fixtures" / "ics"
REAL_FILES = Path(os.environ.get("YOTEI_ICS_FOLDER", CHECKOUT.parent / "shared" / "data" / "ics"))

WINDOW_START = datetime(2005, 1, 1, tzinfo=UTC)
WINDOW_END = datetime(2036, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 1, 1, tzinfo=UTC)

# File -> why the second reader differs, by RFC 5545. None of these may become equal unnoticed.
EXPLAINED = {
    "JapanHolidays.ics": "section 3.2.19: TZID must not be applied to DATE; these dates float",
    "USHolidays.ics": "section 3.8.2.2: DTEND must be of DTSTART's type; a DATE start lasts whole days (section 3.6.1)",
    "missing_dtend.ics": "section 3.8.2.2: an end before the start is left out, where the second reader swaps the two",
    "broken_components.ics": "section 3.6.1: the second reader stops at the first component without DTSTART",
}

Instances = Counter[tuple[str, datetime, datetime]]


def files() -> list[Path]:
    return sorted([*FIXTURES.glob("*.ics"), *REAL_FILES.glob("*.ics")])


def expanded(calendar: ParsedCalendar) -> Instances:
    masters = {event.uid: event for event in calendar.components if event.recurrence_id is None}
    overrides: dict[str, list[Override]] = {}
    for event in calendar.components:
        if event.recurrence_id is not None:
            overrides.setdefault(event.uid, []).append(event.override())
    found: Instances = Counter()
    for uid, master in masters.items():
        for instance in expand(master.series(), overrides.pop(uid, []), WINDOW_START, WINDOW_END):
            found[uid, instance.start_time, instance.end_time] += 1
    for uid, orphans in overrides.items():
        for orphan in orphans:
            if orphan.start_time < WINDOW_END and orphan.end_time > WINDOW_START:
                found[uid, orphan.start_time, orphan.end_time] += 1
    return found


def second_reader(data: bytes) -> Instances:
    calendar = icalendar.Calendar.from_ical(data)
    calendar.pop("X-WR-TIMEZONE", None)  # no property of RFC 5545; the second reader would move UTC times by it
    found: Instances = Counter()
    for event in recurring_ical_events.of(calendar).between(WINDOW_START, WINDOW_END):
        found[str(event["UID"]), instant(event["DTSTART"].dt), instant(event["DTEND"].dt)] += 1
    return found


def instant(value: date | datetime) -> datetime:
    if not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def test_the_folder_of_real_files_is_there() -> None:
    if not REAL_FILES.is_dir():
        pytest.skip(f"no folder {REAL_FILES}: only the fixtures are compared; set YOTEI_ICS_FOLDER to compare more")
    assert any(REAL_FILES.glob("*.ics"))


@pytest.mark.parametrize("path", files(), ids=lambda path: path.name)
@pytest.mark.filterwarnings("ignore")  # the second reader's own
def test_every_instance_equals_the_second_readers_or_the_difference_is_explained(path: Path) -> None:
    data = path.read_bytes()

    ours = expanded(parse_calendar(data))

    if path.name not in EXPLAINED:
        assert ours == second_reader(data)
        return
    try:
        theirs = second_reader(data)
    except (KeyError, ValueError, TypeError, AttributeError):
        return
    assert ours != theirs, f"equal now: take {path.name} out of EXPLAINED"


@pytest.mark.parametrize("path", files(), ids=lambda path: path.name)
def test_what_was_read_is_read_again_from_what_was_written(path: Path) -> None:
    first = parse_calendar(path.read_bytes())

    written = write_calendar(first.components, now=NOW, name=first.name, tzid=first.tzid)

    second = parse_calendar(written)
    assert second.components == first.components
    assert second.skipped == ()
    assert (second.name, second.tzid) == (first.name, first.tzid)
    assert expanded(second) == expanded(first)
    assert all(len(line) <= 75 for line in written.split(b"\r\n"))
