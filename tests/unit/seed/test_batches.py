"""What is made up: the same for the same plan, true to RFC 5545, and without two bookings of one room."""

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from uuid import UUID

import pytest

from yotei.ical import Series, canonical_rrule, expand, span
from yotei.seed import SeedError, SeedPlan
from yotei.seed.batch import ATTENDEE_COLUMNS, EVENT_COLUMNS, RESERVATION_COLUMNS, make_batch
from yotei.seed.directory import ADMIN, DEMO, DOMAIN, directory

PLAN = SeedPlan(events=4_000, seed=3, around=date(2026, 11, 24), people=120, calendars=40, rooms=24)


def rows(text: bytes, columns: tuple[str, ...]) -> list[dict[str, str | None]]:
    """COPY's text format back to values."""
    lines = text.decode().splitlines()
    return [
        dict(zip(columns, (None if one == "\\N" else one for one in line.split("\t")), strict=True)) for line in lines
    ]


def moment(text: str | None) -> datetime:
    assert text is not None
    return datetime.fromisoformat(text)


@pytest.fixture(scope="module")
def events() -> list[dict[str, str | None]]:
    return rows(make_batch(PLAN, 0).events, EVENT_COLUMNS)


def test_equal_plans_make_equal_bytes_and_another_seed_other_ones() -> None:
    directory.cache_clear()
    first = make_batch(PLAN, 0)
    directory.cache_clear()

    assert make_batch(PLAN, 0) == first
    assert make_batch(SeedPlan(events=4_000, seed=4, around=PLAN.around), 0).digests != first.digests


def test_a_batch_holds_as_many_rows_as_it_says(events: list[dict[str, str | None]]) -> None:
    batch = make_batch(PLAN, 0)

    found = [len(text.splitlines()) for text in (batch.events, batch.attendees, batch.reservations)]

    assert found == list(batch.totals)
    assert len(events) == 4_000


def test_batches_are_made_apart_from_each_other() -> None:
    plan = SeedPlan(events=50_000, seed=5, around=PLAN.around)

    last = make_batch(plan, 2)

    assert plan.batch_count == 3
    assert last.totals[0] == 10_000


def test_ids_are_uuids_of_version_7_that_were_made_before_the_day(events: list[dict[str, str | None]]) -> None:
    ids = [UUID(one["id"]) for one in events]

    assert len(set(ids)) == len(ids)
    assert {(one.version, one.variant) for one in ids} == {(7, "specified in RFC 4122")}
    latest = datetime.fromtimestamp(max(one.int >> 80 for one in ids) / 1000, UTC)
    assert latest.date() <= PLAN.around


def test_rules_are_canonical_and_spans_are_those_of_rfc_5545(events: list[dict[str, str | None]]) -> None:
    series = [one for one in events if one["rrule"] is not None]

    for one in series:
        all_day, floating, tzid, rrule = one["all_day"] == "t", one["floating"] == "t", one["tzid"], one["rrule"]
        assert rrule is not None
        assert rrule == canonical_rrule(rrule, all_day=all_day, floating=floating, tzid=tzid)
        value = Series(moment(one["start_time"]), moment(one["end_time"]), all_day, floating, tzid, rrule)
        ends = span(value)[1]
        assert one["span_end"] == ("infinity" if ends is None else f"{ends:%Y-%m-%d %H:%M:%S}+00"), one

    assert 0.4 < len(series) / len(events) < 0.55


def test_exceptions_and_overrides_name_instances_of_their_series(events: list[dict[str, str | None]]) -> None:
    by_id = {one["id"]: one for one in events}
    overrides = [one for one in events if one["series_id"] is not None]

    for one in overrides:
        master = by_id[one["series_id"]]
        start = moment(master["start_time"])
        value = Series(
            start, moment(master["end_time"]), False, master["floating"] == "t", master["tzid"], master["rrule"]
        )
        instances = expand(value, [], start, start + timedelta(days=120))
        assert moment(one["recurrence_id"]) in {instance.start_time for instance in instances}

    assert overrides
    assert any(one["this_and_future"] == "t" for one in overrides)
    assert any(one["status"] == "CANCELLED" for one in overrides)
    assert any(one["exdates"] != "{}" for one in events)


def test_there_is_something_of_every_kind(events: list[dict[str, str | None]]) -> None:
    assert {one["visibility"] for one in events} == {"PUBLIC", "PRIVATE", "CONFIDENTIAL"}
    assert {one["status"] for one in events} == {"CONFIRMED", "TENTATIVE", "CANCELLED"}
    assert {one["all_day"] for one in events} == {one["floating"] for one in events} == {"t", "f"}
    assert len({one["tzid"] for one in events}) > 3
    days = [moment(one["start_time"]).date() for one in events]
    assert min(days) < PLAN.around - timedelta(days=200)
    assert max(days) > PLAN.around + timedelta(days=60)


def test_no_room_is_booked_twice_set_up_and_tear_down_included() -> None:
    plan = SeedPlan(events=50_000, seed=9, around=PLAN.around, people=50, calendars=40, rooms=8)
    blocked: defaultdict[tuple[str | None, str | None], list[tuple[datetime, datetime]]] = defaultdict(list)

    for number in range(plan.batch_count):
        for one in rows(make_batch(plan, number).reservations, RESERVATION_COLUMNS):
            start, end = (one["blocked"] or "").strip("[)").replace('"', "").split(",")
            assert moment(start) <= moment(one["start_time"]) < moment(one["end_time"]) <= moment(end)
            blocked[one["resource_id"], one["unit"]].append((moment(start), moment(end)))

    assert sum(map(len, blocked.values())) > 3_000
    for periods in blocked.values():
        assert all(before[1] <= after[0] for before, after in pairwise(sorted(periods)))


def test_guests_are_five_on_average_sixty_at_most_and_nobody_twice() -> None:
    batch = make_batch(SeedPlan(events=20_000, seed=3, around=PLAN.around), 0)
    guests: defaultdict[str | None, list[str | None]] = defaultdict(list)

    for one in rows(batch.attendees, ATTENDEE_COLUMNS):
        guests[one["event_id"]].append(one["email"])

    assert 4.5 < batch.totals[1] / batch.totals[0] < 5.5
    assert max(map(len, guests.values())) <= 61
    assert all(len(set(one)) == len(one) for one in guests.values())


def test_addresses_are_under_reserved_domains_and_belong_to_one_person_each() -> None:
    found = directory(SeedPlan(events=0, seed=1, around=PLAN.around, people=5_000))

    assert len({one.email for one in found.people}) == 5_000
    assert all(one.email.isascii() and one.email == one.email.lower() for one in found.people)
    assert all(one.email.endswith(f"@{DOMAIN}") for one in found.people)
    assert any(not one.name.isascii() for one in found.people)


def test_the_demo_person_owns_a_shared_calendar_and_sees_another_only_as_busy() -> None:
    found = directory(SeedPlan(around=PLAN.around))

    assert found.calendars[0].writers[0] == DEMO
    assert len(found.calendars[0].writers) > 1
    assert found.calendars[2].writers[0] == ADMIN
    assert DEMO in found.calendars[2].free_busy


def test_members_have_one_role_in_a_calendar() -> None:
    for one in directory(SeedPlan(events=0, around=PLAN.around, people=4, calendars=50)).calendars:
        members = [*one.writers, *one.readers, *one.free_busy]

        assert len(set(members)) == len(members)


@pytest.mark.parametrize("fields", [{"events": -1}, {"people": 1}, {"calendars": 0}, {"rooms": -1}])
def test_a_plan_that_cannot_be_made_is_refused(fields: dict[str, int]) -> None:
    with pytest.raises(SeedError, match=next(iter(fields))):
        SeedPlan(around=PLAN.around, **fields).check()


def test_scale_meets_the_demo_and_the_reference_workload() -> None:
    demo, reference = SeedPlan(around=PLAN.around), SeedPlan(events=1_000_000, around=PLAN.around)

    assert (demo.people_count, demo.calendar_count, demo.room_count) == (200, 60, 40)
    assert (reference.people_count, reference.calendar_count, reference.room_count) == (100_000, 100_000, 2_000)
