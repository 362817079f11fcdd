"""Files as they come (RFC 5545, sections 3.1, 3.6.1, 3.6.5 and 3.8): our fixtures, one defect or feature each."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from yotei.ical import NotICalendar, ParsedCalendar, ParsedEvent, expand, parse_calendar, write_calendar
from yotei.ical import lines as content_lines

FIXTURES = Path(__file__).parents[2] / "fixtures" / "ics"


def read(name: str) -> ParsedCalendar:
    return parse_calendar((FIXTURES / name).read_bytes())


def by_uid(calendar: ParsedCalendar) -> dict[str, ParsedEvent]:
    return {event.uid.partition("@")[0]: event for event in calendar.components}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def starts(name: str) -> list[str]:
    master, *rest = read(name).components
    found = expand(master.series(), [event.override() for event in rest], at("2026-01-01"), at("2027-01-01"))
    return [f"{instance.start_time:%m-%dT%H:%M}{' cancelled' * instance.cancelled}" for instance in found]


def test_all_day_holidays_are_dates_with_an_exclusive_end_and_unfolded_summaries() -> None:
    calendar = read("japanese_holidays.ics")

    event = by_uid(calendar)["keiro"]

    assert (calendar.name, calendar.tzid) == ("日本の祝日", "Asia/Tokyo")
    assert event.all_day
    assert (event.start_time, event.end_time) == (at("2007-09-17"), at("2007-09-18"))
    assert event.title.endswith("in the middle of a word")
    assert by_uid(calendar)["ganjitsu"].properties == ("CATEGORIES:祝日",)


def test_a_meeting_comes_with_its_people_exceptions_and_overrides() -> None:
    master = read("weekly_meeting_with_overrides.ics").components[0]

    found = starts("weekly_meeting_with_overrides.ics")

    assert found[:4] == ["03-02T08:00", "03-09T08:00", "03-24T10:00", "03-30T07:00 cancelled"]
    assert len(found) == 11
    assert (master.organizer_email, master.organizer_name) == ("ann@example.com", "Ann")
    assert [(a.name, a.partstat, a.is_optional) for a in master.attendees] == [
        ("Bob, the builder", "ACCEPTED", False),
        (None, "NEEDS-ACTION", True),
    ]


def test_range_this_and_future_is_read_and_applied() -> None:
    assert starts("this_and_future.ics")[1:5] == ["03-16T08:00", "03-23T09:30", "03-30T08:30", "04-06T08:30"]


def test_a_custom_vtimezone_is_matched_by_its_onsets_or_else_only_used_for_instants() -> None:
    calendar = read("custom_vtimezone.ics")

    events = by_uid(calendar)

    assert (events["office"].tzid, events["office"].start_time) == ("Europe/Berlin", at("2026-03-23T08:00"))
    assert (events["ship"].tzid, events["ship"].start_time) == (None, at("2026-03-23T07:23"))
    assert ["no IANA equivalent" in finding.reason for finding in calendar.repaired] == [True]


def test_windows_zone_names_are_understood() -> None:
    events = by_uid(read("windows_zone_names.ics"))

    assert [events[uid].tzid for uid in ("windows", "tokyo")] == ["Europe/Berlin", "Asia/Tokyo"]
    assert events["windows"].properties == ("X-MICROSOFT-CDO-BUSYSTATUS:BUSY",)


def test_a_missing_or_backward_end_takes_the_default_of_section_3_6_1() -> None:
    events = by_uid(read("missing_dtend.ics"))

    assert events["day"].end_time == at("2026-03-24")
    assert events["moment"].end_time == events["moment"].start_time
    assert events["backwards"].end_time == events["backwards"].start_time


def test_of_duplicate_uids_the_highest_sequence_stays_and_the_other_is_reported() -> None:
    calendar = read("duplicate_uids.ics")

    assert [event.title for event in calendar.components] == ["The later revision"]
    assert [(finding.line, finding.uid) for finding in calendar.skipped] == [(4, "twice@fixtures.invalid")]


def test_broken_components_are_reported_with_line_and_reason_and_the_rest_is_kept() -> None:
    calendar = read("broken_components.ics")

    events = by_uid(calendar)

    reasons = {finding.uid: (finding.line, finding.reason) for finding in calendar.skipped}
    assert reasons["startless@fixtures.invalid"] == (11, "VEVENT without DTSTART")
    assert reasons["wordy@fixtures.invalid"][1] == "DTSTART is neither a date nor a date with time"
    assert reasons["over@fixtures.invalid"][1] == "UNTIL is before DTSTART: there is no instance"
    assert reasons["todo@fixtures.invalid"][1] == "VTODO is not kept"
    assert reasons["open@fixtures.invalid"][1] == "VEVENT is never ended"
    assert events["rule"].rrule is None
    assert events["february"].rrule is None
    assert events["until"].rrule == "FREQ=DAILY;UNTIL=20260325T225959Z"
    assert (events["nowhere"].floating, events["nowhere"].start_time) == (True, at("2026-03-23T09:00"))
    assert any(event.uid.endswith("@uid.invalid") for event in calendar.components)
    assert by_uid(read("broken_components.ics")).keys() == events.keys()


def test_unknown_properties_and_alarms_are_kept_as_they_came() -> None:
    event = read("kept_properties.ics").components[0]

    written = write_calendar([event], now=at("2026-01-01")).decode()

    assert event.description == "Two lines\nand a comma, a semicolon; a backslash \\"
    assert event.classification == "PRIVATE"
    assert 'X-CUSTOM;X-PARAM="a;b":kept: as it came\\, escaped' in event.properties
    assert "BEGIN:VALARM\r\nACTION:DISPLAY\r\nDESCRIPTION:Soon\r\nTRIGGER;RELATED=START:-PT15M\r\nEND:VALARM" in written
    assert "ORGANIZER;CN=Nobody:urn:uuid:0" in written


def test_floating_time_is_its_wall_clock_and_a_date_takes_away_that_days_instance() -> None:
    event = read("floating_time.ics").components[0]

    assert (event.floating, event.rrule) == (True, "FREQ=DAILY;UNTIL=20260331T120000")
    assert event.exdates == (at("2026-03-25T12:00"),)
    assert len(starts("floating_time.ics")) == 8


def test_a_vtimezone_is_written_with_its_onsets_in_the_offset_before_them() -> None:
    event = ParsedEvent(
        uid="a", start_time=at("2026-06-01T08:00"), end_time=at("2026-06-01T09:00"), tzid="Europe/Berlin"
    )

    written = write_calendar([event], now=at("2026-01-01")).decode()

    assert "BEGIN:DAYLIGHT\r\nDTSTART:20260329T020000\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0200\r\n" in written
    assert "DTSTART;TZID=Europe/Berlin:20260601T100000" in written


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"", 1),
        (b"<html>\n", 1),
        (b"\n\nBEGIN:VCARD\n", 3),
        (b"BEGIN:VCALENDAR\n" + b"BEGIN:X\n" * 20, 9),
    ],
)
def test_what_is_no_calendar_raises_with_its_line(data: bytes, line: int) -> None:
    with pytest.raises(NotICalendar) as caught:
        parse_calendar(data)

    assert caught.value.line == line


def test_bytes_beyond_the_bound_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content_lines, "BYTES_MAX", 10)

    with pytest.raises(NotICalendar):
        parse_calendar(b"BEGIN:VCALENDAR\nEND:VCALENDAR\n")


def test_a_line_beyond_the_bound_is_left_out_and_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content_lines, "LINE_OCTETS_MAX", 60)

    calendar = read("japanese_holidays.ics")

    assert by_uid(calendar)["keiro"].title == ""
    assert any("longer than" in finding.reason for finding in calendar.repaired)


def test_a_uri_is_no_text_so_its_backslashes_are_its_own() -> None:
    lines = ("BEGIN:VCALENDAR", "BEGIN:VEVENT", "UID:a", "DTSTART:20260101T000000Z", "URL:http://a/\\nX\\,")

    [event] = parse_calendar("\r\n".join((*lines, "END:VEVENT", "END:VCALENDAR"))).components

    assert event.url == "http://a/\\nX\\,"
    assert b"\r\nURL:http://a/\\nX\\,\r\n" in write_calendar([event], now=event.start_time)


def test_a_lone_carriage_return_is_left_out_as_every_control_character_is() -> None:
    lines = ("BEGIN:VCALENDAR", "BEGIN:VEVENT", "UID:a\rb\x01c", "DTSTART:20260101T000000Z", "SUMMARY:x\ry\r")

    [event] = parse_calendar("\r\n".join((*lines, "END:VEVENT", "END:VCALENDAR"))).components

    assert (event.uid, event.title) == ("abc", "xy")
