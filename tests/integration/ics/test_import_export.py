"""iCalendar files into a real PostgreSQL and out again: by UID and SEQUENCE, whole or not at all."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from tests.conftest import Budget
from tests.integration.rows import a_booking, a_room, insert
from yotei import seed
from yotei.calendars.write import install_user
from yotei.cli.ics import _import_all
from yotei.errors import Code, Problem
from yotei.events import ics
from yotei.events.ics import ImportReport, NothingKept, Target
from yotei.ical import Instance, NotICalendar, ParsedEvent, expand, parse_calendar
from yotei.storage.pool import Database
from yotei.storage.statements import Statement
from yotei.users import rows as users
from yotei.users.user import NewUser

NOW = datetime(2026, 11, 24, tzinfo=UTC)
FIRST, LAST = datetime(2005, 1, 1, tzinfo=UTC), datetime(2036, 1, 1, tzinfo=UTC)
ROOT = Path(__file__).parents[3]
FOLDER = ROOT.parent / "shared" / "data" / "ics"
FILES = sorted(FOLDER.glob("*.ics"))


def a_file(*components: str) -> bytes:
    body = "\n".join(("BEGIN:VCALENDAR", "VERSION:2.0", *components, "END:VCALENDAR", ""))
    return body.replace("\n", "\r\n").encode()


def an_event(uid: str = "one", *lines: str, start: str = "DTSTART:20261201T100000Z", summary: str = "Tea") -> str:
    return "\n".join(("BEGIN:VEVENT", f"UID:{uid}", start, f"SUMMARY:{summary}", *lines, "END:VEVENT"))


async def a_target(database: Database, name: str | None = "Imported") -> Target:
    await install_user(database, NewUser(email="owner@example.org", name="Owner", tzid="Europe/Berlin"))
    owner = await users.find_user(database, "owner@example.org")
    assert owner is not None
    return Target(owner=owner, name=name)


async def put(database: Database, target: Target, *components: str) -> ImportReport:
    return await ics.import_calendar(database, target, a_file(*components), file_name="a file", now=NOW)


async def rows(database: Database, sql: str) -> list[tuple[object, ...]]:
    return [tuple(row) for row in await database.fetch(Statement(name="tests.look", purpose="what is there", sql=sql))]


def told(report: ImportReport) -> tuple[int, int, int]:
    return report.added, report.updated, report.unchanged


def read(file: Path) -> bytes:
    return file.read_bytes()


def instances(events: Iterable[ParsedEvent]) -> dict[str, list[tuple[Instance, str]]]:
    """All instances by UID, each with the title that it shows."""
    masters: dict[str, ParsedEvent] = {}
    overrides: defaultdict[str, list[ParsedEvent]] = defaultdict(list)
    for event in events:
        if event.recurrence_id is None:
            masters[event.uid] = event
        else:
            overrides[event.uid].append(event)
    found = {}
    for uid, master in masters.items():
        changed = sorted(overrides.pop(uid, []), key=lambda one: one.recurrence_id or FIRST)
        shown = expand(master.series(), [one.override() for one in changed], FIRST, LAST)
        found[uid] = [(one, master.title if one.override is None else changed[one.override].title) for one in shown]
    for uid, alone in overrides.items():
        found[uid] = sorted((Instance(one.start_time, one.end_time, one.recurrence_id), one.title) for one in alone)
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
async def test_a_real_file_comes_out_with_the_same_instances_and_goes_in_again_unchanged(
    database: Database, file: Path
) -> None:
    target = await a_target(database)
    data = read(file)

    first = await ics.import_calendar(database, target, data, file_name=file.stem, now=NOW)
    exported = await ics.export_calendar(database, first.calendar_id, now=NOW)
    again = await ics.import_calendar(database, target, data, file_name=file.stem, now=NOW)
    back = await ics.import_calendar(database, target, exported, file_name=file.stem, now=NOW)

    assert first.added == first.events + first.series + first.overrides > 0
    before = parse_calendar(data, default_tzid=target.owner.tzid)
    assert first.added == len(before.components)
    assert instances(parse_calendar(exported).components) == instances(before.components)
    assert told(again) == (0, 0, first.added)
    assert told(back) == (0, 0, first.added)
    assert back.skipped == ()


def test_there_are_real_files_to_try() -> None:
    if not FILES:
        pytest.skip(f"no .ics files in {FOLDER.name} beside the repository")

    assert len(FILES) > 10


async def test_a_higher_sequence_replaces_a_lower_one_never(database: Database) -> None:
    target = await a_target(database)
    await put(database, target, an_event("one", "SEQUENCE:2", summary="Second"))

    lower = await put(database, target, an_event("one", "SEQUENCE:1", summary="First"))
    higher = await put(database, target, an_event("one", "SEQUENCE:3", summary="Third"))

    assert told(lower) == (0, 0, 1)
    assert told(higher) == (0, 1, 0)
    assert await rows(database, "select title, sequence from events") == [("Third", 3)]


async def test_the_same_sequence_with_other_content_is_an_update(database: Database) -> None:
    target = await a_target(database)
    await put(database, target, an_event(summary="Tea"))

    report = await put(database, target, an_event(summary="Coffee"))

    assert told(report) == (0, 1, 0)
    assert await rows(database, "select title, version from events") == [("Coffee", 2)]


async def test_an_import_again_writes_nothing_to_the_change_log(database: Database) -> None:
    target = await a_target(database)
    component = an_event("one", "RRULE:FREQ=DAILY", "ATTENDEE;CN=Ann;PARTSTAT=ACCEPTED:mailto:Ann@example.org")
    await put(database, target, component)
    before = await rows(database, "select count(*) from change_log")

    await put(database, target, component)

    assert await rows(database, "select count(*) from change_log") == before


async def test_of_a_uid_twice_in_a_file_the_last_by_sequence_wins_and_the_other_is_reported(database: Database) -> None:
    report = await put(
        database,
        await a_target(database),
        an_event("one", "SEQUENCE:5", summary="Later"),
        an_event("one", "SEQUENCE:4", summary="Earlier"),
    )

    assert [(one.uid, one.line) for one in report.skipped] == [("one", 9)]
    assert await rows(database, "select title from events") == [("Later",)]


async def test_a_component_that_cannot_be_kept_is_skipped_with_line_and_reason_and_the_others_go_in(
    database: Database,
) -> None:
    report = await put(
        database,
        await a_target(database),
        an_event("good"),
        an_event("long", summary="x" * 501),
        "BEGIN:VEVENT\nUID:no start\nEND:VEVENT",
        an_event("also good"),
    )

    assert report.added == 2
    assert [(one.line, one.uid) for one in report.skipped] == [(8, "long"), (13, "no start")]
    assert "500" in report.skipped[0].reason
    assert await rows(database, "select uid from events order by uid") == [("also good",), ("good",)]


async def test_a_file_that_is_no_calendar_changes_nothing_not_even_the_calendar(database: Database) -> None:
    target = await a_target(database)
    before = await rows(database, "select count(*) from calendars")

    with pytest.raises(NotICalendar):
        await ics.import_calendar(database, target, b"<html></html>", file_name="a file", now=NOW)

    assert await rows(database, "select count(*) from calendars") == before


@pytest.mark.parametrize("name", ["New", "There"])
async def test_a_file_in_which_everything_is_skipped_changes_nothing_and_says_what_was_and_why(
    database: Database, name: str
) -> None:
    target = await a_target(database, name="There")
    await put(database, target, an_event("kept"))
    before = await rows(database, "select (select count(*) from calendars), (select count(*) from change_log)")

    with pytest.raises(NothingKept) as refused:
        await put(
            database,
            Target(owner=target.owner, name=name),
            an_event("long", summary="x" * 501),
            "BEGIN:VTODO\nUID:a task\nEND:VTODO",
        )

    assert [(one.line, one.uid) for one in refused.value.skipped] == [(3, "long"), (8, "a task")]
    assert "500" in refused.value.skipped[0].reason
    assert await rows(database, "select (select count(*) from calendars), (select count(*) from change_log)") == before


async def test_a_file_without_components_makes_the_calendar_that_it_is_of(database: Database) -> None:
    report = await put(database, await a_target(database, name=None), "X-WR-CALNAME:Quiet")

    assert (told(report), report.skipped) == ((0, 0, 0), ())
    assert await rows(database, "select name from calendars where personal_for is null") == [("Quiet",)]


async def test_a_new_calendar_takes_name_and_zone_of_the_file_when_no_name_is_given(database: Database) -> None:
    target = await a_target(database, name=None)

    report = await put(database, target, "X-WR-CALNAME:Holidays", "X-WR-TIMEZONE:Asia/Tokyo", an_event())
    again = await put(database, target, "X-WR-CALNAME:Holidays", an_event())

    assert again.calendar_id == report.calendar_id
    assert await rows(database, "select name, tzid from calendars where personal_for is null") == [
        ("Holidays", "Asia/Tokyo")
    ]
    assert await rows(database, "select role from calendar_members m join calendars c on c.id = m.calendar_id "
                                "where c.personal_for is null") == [("OWNER",)]  # fmt: skip


async def test_an_unknown_calendar_id_is_not_found(database: Database) -> None:
    owner = (await a_target(database)).owner

    with pytest.raises(Problem) as caught:
        await put(database, Target(owner=owner, calendar_id=UUID(int=1)), an_event())

    assert caught.value.code is Code.NOT_FOUND


async def test_people_who_are_known_by_address_are_invited_as_themselves(database: Database) -> None:
    target = await a_target(database)
    ann = await install_user(database, NewUser(email="ann@example.org", name="Ann"))

    await put(
        database,
        target,
        an_event(
            "one",
            "ORGANIZER:mailto:ANN@example.org",
            "ATTENDEE;ROLE=OPT-PARTICIPANT;PARTSTAT=DECLINED:mailto:Ann@Example.org",
            "ATTENDEE;CN=Guest:mailto:guest@example.com",
            "ATTENDEE;CN=Nobody:urn:uuid:1",
        ),
    )

    assert await rows(database, "select organizer_id from events") == [(ann,)]
    assert await rows(
        database, "select email, user_id, name, response_status, is_optional from attendees order by email"
    ) == [
        ("ann@example.org", ann, None, "DECLINED", True),
        ("guest@example.com", None, "Guest", "NEEDS_ACTION", False),
    ]
    assert await rows(database, "select properties from events") == [(["ATTENDEE;CN=Nobody:urn:uuid:1"],)]


async def test_an_organizer_whom_nobody_knows_comes_out_again(database: Database) -> None:
    target = await a_target(database)

    report = await put(database, target, an_event("one", 'ORGANIZER;CN="Doe, Jane":mailto:jane@example.com'))

    exported = parse_calendar(await ics.export_calendar(database, report.calendar_id, now=NOW)).components[0]
    assert (exported.organizer_email, exported.organizer_name) == ("jane@example.com", "Doe, Jane")
    assert await rows(database, "select organizer_id from events") == [(target.owner.id,)]


async def test_an_answer_given_here_outlives_the_same_file_and_not_a_higher_sequence(database: Database) -> None:
    target = await a_target(database)
    invitation = "ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:guest@example.com"
    await put(database, target, an_event("one", invitation))
    await rows(database, "update attendees set response_status = 'ACCEPTED' returning 1")

    same = await put(database, target, an_event("one", invitation))
    other = await put(database, target, an_event("one", invitation, summary="Supper"))
    kept = await rows(database, "select response_status from attendees")
    await put(database, target, an_event("one", invitation, "SEQUENCE:1", summary="Supper"))

    assert told(same) == (0, 0, 1)
    assert told(other) == (0, 1, 0)
    assert kept == [("ACCEPTED",)]
    assert await rows(database, "select response_status from attendees") == [("NEEDS_ACTION",)]


async def test_somebody_whom_the_file_no_longer_names_is_no_longer_invited(database: Database) -> None:
    target = await a_target(database)
    await put(database, target, an_event("one", "ATTENDEE:mailto:a@example.com", "ATTENDEE:mailto:b@example.com"))

    await put(database, target, an_event("one", "ATTENDEE:mailto:b@example.com", "SEQUENCE:1"))

    assert await rows(database, "select email from attendees") == [("b@example.com",)]


async def test_an_override_stands_alone_until_its_master_comes(database: Database) -> None:
    target = await a_target(database)
    await put(database, target, an_event("one", "RECURRENCE-ID:20261202T100000Z", start="DTSTART:20261202T120000Z"))
    alone = await rows(database, "select series_id, recurrence_id from events")

    await put(database, target, an_event("one", "RRULE:FREQ=DAILY"))

    assert alone == [(None, datetime(2026, 12, 2, 10, tzinfo=UTC))]
    assert await rows(
        database,
        "select o.series_id = m.id from events o, events m where o.recurrence_id is not null and m.rrule <> ''",
    ) == [(True,)]


async def test_the_span_of_an_override_that_moves_what_follows_covers_the_last_instance(database: Database) -> None:
    target = await a_target(database)

    await put(
        database,
        target,
        an_event("one", "DTEND:20261201T110000Z", "RRULE:FREQ=DAILY;COUNT=10"),
        an_event(
            "one",
            "RECURRENCE-ID;RANGE=THISANDFUTURE:20261203T100000Z",
            "DTEND:20261203T220000Z",
            start="DTSTART:20261203T200000Z",
        ),
    )
    await put(
        database,
        target,
        an_event("endless", "RRULE:FREQ=DAILY"),
        an_event("endless", "RECURRENCE-ID;RANGE=THISANDFUTURE:20261203T100000Z", start="DTSTART:20261203T200000Z"),
    )

    # The tenth instance, moved to 20:00, ends at 22:00 on 10 December.
    assert await rows(
        database,
        """select uid, span_end between '2026-12-10 22:00+00' and '2026-12-13', span_end = 'infinity'
           from events where recurrence_id is not null order by uid desc""",
    ) == [("one", True, False), ("endless", False, True)]


async def test_statements_do_not_grow_with_the_events_of_a_file(database: Database, budget: Budget) -> None:
    target = await a_target(database)
    few = [an_event(f"few {n}", "ATTENDEE:mailto:a@example.com") for n in range(3)]
    many = [an_event(f"many {n}", "ATTENDEE:mailto:a@example.com") for n in range(2_000)]

    with budget() as small:
        await put(database, target, *few)
    with budget() as large:
        await put(database, target, *many)

    assert large.statements <= small.statements <= 9


async def test_text_with_quotes_line_breaks_and_other_scripts_comes_out_as_it_went_in(database: Database) -> None:
    target = await a_target(database)
    lines = (
        'DESCRIPTION:a "b" \\\\ c\\nd\\, e\\; 予定 \U0001f375',
        "LOCATION:Straße 1\\, Köln",
        "X-OWN;P=1:kept",
        "URL:https://example.org/?a=1",
    )

    report = await put(database, target, an_event("ü", *lines, summary="予定"))

    before = parse_calendar(a_file(an_event("ü", *lines, summary="予定"))).components[0]
    after = parse_calendar(await ics.export_calendar(database, report.calendar_id, now=NOW)).components[0]
    for field in ("uid", "title", "description", "location", "url", "properties"):
        assert getattr(after, field) == getattr(before, field)


async def test_a_seeded_calendar_imported_into_itself_changes_nothing(database: Database, database_url: str) -> None:
    await seed.load(database_url, seed.SeedPlan(events=800, around=NOW.date(), people=30, calendars=2, rooms=10))
    owner = await users.find_user(database, seed.DEMO_EMAIL)
    found = await rows(database, "select id from calendars order by id limit 1")
    assert owner is not None
    calendar_id = found[0][0]
    assert isinstance(calendar_id, UUID)

    exported = await ics.export_calendar(database, calendar_id, now=NOW)
    report = await ics.import_calendar(
        database, Target(owner=owner, calendar_id=calendar_id), exported, file_name="a file", now=NOW
    )

    assert report.unchanged > 200
    assert (report.added, report.updated, report.skipped, report.repaired) == (0, 0, (), ())


async def test_a_uid_too_long_for_its_index_is_skipped_with_its_reason(database: Database) -> None:
    target = await a_target(database)

    report = await put(database, target, an_event("予" * 1_000), an_event("予" * 600), an_event("u" * 1_000))

    assert [one.reason for one in report.skipped] == ["uid is longer than 2,000 bytes"]
    assert report.added == 2


async def test_an_address_that_grows_in_lower_case_is_measured_as_it_is_stored(database: Database) -> None:
    target = await a_target(database)
    grows = "İ" * 305 + "@example.org"

    report = await put(database, target, an_event("one", f"ATTENDEE:mailto:{grows}"), an_event("two"))

    assert [one.uid for one in report.skipped] == ["one"]
    assert report.added == 1


async def test_a_link_with_a_backslash_goes_in_and_out(database: Database) -> None:
    target = await a_target(database)
    report = await put(database, target, an_event("one", "URL:http://a/\\nX"))

    exported = await ics.export_calendar(database, report.calendar_id, now=NOW)

    assert b"\r\nURL:http://a/\\nX\r\n" in exported


async def test_a_file_that_the_database_refuses_does_not_keep_out_the_others(
    database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = await a_target(database)
    for rule in (
        "alter table events drop constraint events_title_length",
        "alter table events add constraint events_title_length check (title <> 'known')",
        "alter table events add constraint of_the_test check (title <> 'unknown')",
    ):
        await database.execute(Statement(name="tests.rule", purpose="a refusal", sql=rule))
    files = [tmp_path / f"{name}.ics" for name in ("known", "unknown", "fine")]
    for file in files:
        file.write_bytes(a_file(an_event(file.stem, summary=file.stem)))

    all_went_in = await _import_all(database, target, files)

    shown = capsys.readouterr()
    assert not all_went_in
    assert await rows(database, "select title from events") == [("fine",)]
    assert "fine.ics -> calendar" in shown.out
    told = [line for line in shown.err.splitlines() if "not imported" in line]
    assert told[0].endswith("known.ics: not imported: title: expected at most 500 characters")
    assert 'unknown.ics: not imported: new row for relation "events" violates' in told[1]


async def test_a_room_follows_a_time_that_a_file_changes(database: Database) -> None:
    target = await a_target(database)
    await put(database, target, an_event("one", "SEQUENCE:0", "DTEND:20261201T110000Z"))
    ((event_id,),) = await rows(database, "select id from events")
    assert isinstance(event_id, UUID)
    room = await a_room(database)
    await insert(database, "event_resources", {"event_id": event_id, "resource_id": room, "policy": "ALL"})
    await a_booking(database, room, event_id, datetime(2026, 12, 1, 10, tzinfo=UTC))

    later = ("SEQUENCE:1", "DTEND:20261201T160000Z")
    await put(database, target, an_event("one", *later, start="DTSTART:20261201T150000Z"))

    assert await rows(database, "select start_time from reservations") == [(datetime(2026, 12, 1, 15, tzinfo=UTC),)]


async def test_an_exception_from_a_file_holds_the_room_of_its_series(database: Database) -> None:
    target = await a_target(database)
    hour = "DTEND:20261201T110000Z"
    await put(database, target, an_event("one", hour, "RRULE:FREQ=DAILY;COUNT=3"))
    ((event_id,),) = await rows(database, "select id from events")
    assert isinstance(event_id, UUID)
    room = await a_room(database)
    await insert(database, "event_resources", {"event_id": event_id, "resource_id": room, "policy": "ALL"})

    moved = an_event(
        "one", "RECURRENCE-ID:20261202T100000Z", "DTEND:20261202T160000Z", start="DTSTART:20261202T150000Z"
    )
    await put(database, target, an_event("one", hour, "SEQUENCE:1", "RRULE:FREQ=DAILY;COUNT=3"), moved)

    held = await rows(database, "select start_time, recurrence_id is null from reservations order by start_time")
    assert held == [
        (datetime(2026, 12, 1, 10, tzinfo=UTC), False),
        (datetime(2026, 12, 2, 15, tzinfo=UTC), True),
        (datetime(2026, 12, 3, 10, tzinfo=UTC), False),
    ]
