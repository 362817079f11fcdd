"""Rules as text (RFC 5545, section 3.3.10)."""

import pytest

from yotei.ical import RecurrenceError, canonical_rrule, parse_rule


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("RRULE:freq=weekly;byday=fr,mo;interval=1;wkst=mo", "FREQ=WEEKLY;BYDAY=MO,FR"),
        ("BYDAY=-1SU;BYMONTH=10,3;FREQ=YEARLY", "FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3,10"),
        ("FREQ=DAILY;COUNT=3;WKST=SU", "FREQ=DAILY;COUNT=3;WKST=SU"),
    ],
)
def test_a_rule_has_one_canonical_spelling(written: str, canonical: str) -> None:
    assert canonical_rrule(written) == canonical
    assert canonical_rrule(canonical) == canonical


@pytest.mark.parametrize(
    ("written", "field"),
    [
        ("FREQ=SOMETIMES", "FREQ"),
        ("COUNT=3", "FREQ"),
        ("FREQ=DAILY;COUNT=0", "COUNT"),
        ("FREQ=DAILY;INTERVAL=0", "INTERVAL"),
        ("FREQ=DAILY;COUNT=3;UNTIL=20260101", "COUNT"),
        ("FREQ=DAILY;UNTIL=20260230", "UNTIL"),
        ("FREQ=DAILY;UNTIL=soon", "UNTIL"),
        ("FREQ=DAILY;BYDAY=1MO", "BYDAY"),
        ("FREQ=MONTHLY;BYDAY=XX", "BYDAY"),
        ("FREQ=MONTHLY;BYMONTHDAY=32", "BYMONTHDAY"),
        ("FREQ=MONTHLY;BYWEEKNO=3", "BYWEEKNO"),
        ("FREQ=WEEKLY;BYMONTHDAY=3", "BYMONTHDAY"),
        ("FREQ=DAILY;BYYEARDAY=3", "BYYEARDAY"),
        ("FREQ=MONTHLY;BYSETPOS=1", "BYSETPOS"),
        ("FREQ=DAILY;FREQ=DAILY", "FREQ"),
        ("FREQ=DAILY;BYEASTER=0", "BYEASTER"),
        ("FREQ=DAILY;RSCALE=HEBREW", "RSCALE"),
        ("FREQ=DAILY;COUNT=99999999", "COUNT"),
        ("FREQ=DAILY;" * 1_000, "RRULE"),
        (
            "FREQ=YEARLY;BYMINUTE=" + ",".join(map(str, range(60))) + ";BYSECOND=" + ",".join(map(str, range(60))),
            "BYSECOND",
        ),
    ],
)
def test_a_forbidden_rule_is_refused_naming_the_part(written: str, field: str) -> None:
    with pytest.raises(RecurrenceError) as caught:
        parse_rule(written)

    assert caught.value.field == field


@pytest.mark.parametrize(
    ("written", "mended"),
    [
        ("FREQ=DAILY;COUNT=-1;", "FREQ=DAILY"),
        ("FREQ=DAILY;UNTIL=99991231T235959Z", "FREQ=DAILY"),
        ("FREQ=DAILY;INTERVAL=0;X-THING=1", "FREQ=DAILY"),
        ("FREQ=DAILY;COUNT=3;UNTIL=20260101T000000Z", "FREQ=DAILY;UNTIL=20260101T000000Z"),
        ("FREQ=WEEKLY;BYDAY=1MO;BYSETPOS=", "FREQ=WEEKLY;BYDAY=MO"),
    ],
)
def test_defects_of_real_files_with_one_plausible_reading_are_mended_when_lenient(written: str, mended: str) -> None:
    assert canonical_rrule(written, lenient=True) == mended


def test_until_takes_the_type_that_dtstart_demands() -> None:
    whole_day, instant, local = "UNTIL=20260325", "UNTIL=20260325T090000Z", "UNTIL=20260325T090000"

    assert canonical_rrule(f"FREQ=DAILY;{instant}", all_day=True).endswith("UNTIL=20260325")
    assert canonical_rrule(f"FREQ=DAILY;{instant}", floating=True).endswith("UNTIL=20260325T090000")
    assert canonical_rrule(f"FREQ=DAILY;{local}", tzid="Europe/Berlin").endswith("UNTIL=20260325T080000Z")
    assert canonical_rrule(f"FREQ=DAILY;{whole_day}", tzid="Europe/Berlin").endswith("UNTIL=20260325T225959Z")
