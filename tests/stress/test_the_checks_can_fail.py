"""What the programs of this folder look for, put there by hand: each time they have to find it."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from msgspec.structs import replace

from tests.stress import checks, crash, race, rows
from tests.stress.checks import Evidence, Kind
from tests.stress.conftest import Raced
from tests.stress.feed import Copy
from tests.stress.records import Sent
from tests.stress.rows import Event, Logged, Reservation

Corruption = Callable[[Evidence], Evidence]


def with_rows(evidence: Evidence, **changes: Any) -> Evidence:
    return replace(evidence, rows=replace(evidence.rows, **changes))


def with_event(evidence: Evidence, event: Event) -> Evidence:
    return with_rows(evidence, events={**evidence.rows.events, event.id: event})


def an_event(evidence: Evidence, **has: bool) -> Event:
    """One that takes place, with what is asked for (`guests`, `rooms`)."""
    return next(
        one
        for one in evidence.rows.events.values()
        if one.takes_place
        and not one.recurs
        and bool(one.attendees) >= has.get("guests", False)
        and bool(one.held) >= has.get("rooms", False)
    )


def an_acknowledged(evidence: Evidence) -> Sent:
    return next(one for one in evidence.sent if one.is_acknowledged)


def with_sent(evidence: Evidence, old: Sent, new: Sent) -> Evidence:
    return replace(evidence, sent=[new if one is old else one for one in evidence.sent])


def the_last(evidence: Evidence, what: str) -> tuple[Sent, Logged]:
    """An acknowledged operation of this kind, and the row of the log about its target."""
    xids = {(one.user_id, one.key): one.xid for one in evidence.rows.kept}
    for one in reversed(evidence.sent):
        if one.order.what == what and one.is_acknowledged:
            for row in evidence.rows.log:
                if row.xid == xids[one.user_id, one.key] and row.entity_id == one.order.target and row.fields:
                    return one, row
    raise AssertionError(f"no {what} was done")


# A write that was acknowledged and is not there


def without_what_was_kept(evidence: Evidence) -> Evidence:
    gone = an_acknowledged(evidence)
    kept = tuple(one for one in evidence.rows.kept if (one.user_id, one.key) != (gone.user_id, gone.key))
    return with_rows(evidence, kept=kept)


def with_another_answer_kept(evidence: Evidence) -> Evidence:
    first, *others = evidence.rows.kept
    return with_rows(evidence, kept=(replace(first, body_hash=b"another"), *others))


def without_an_event(evidence: Evidence) -> Evidence:
    gone = an_event(evidence)
    return with_rows(evidence, events={id_: one for id_, one in evidence.rows.events.items() if id_ != gone.id})


def with_an_older_title(evidence: Evidence) -> Evidence:
    one, _ = the_last(evidence, "retitle")
    assert one.order.target is not None
    return with_event(evidence, replace(evidence.rows.events[one.order.target], title="An older title"))


def with_the_room_of_before(evidence: Evidence) -> Evidence:
    event = an_event(evidence, rooms=True)
    return with_event(evidence, replace(event, wishes=(), reservations=()))


def with_an_answer_of_before(evidence: Evidence) -> Evidence:
    one, _ = the_last(evidence, "rsvp")
    assert one.order.target is not None
    event = evidence.rows.events[one.order.target]
    forgotten = tuple(replace(guest, response_status="OTHER") for guest in event.attendees)
    return with_event(evidence, replace(event, attendees=forgotten))


def with_a_deletion_undone(evidence: Evidence) -> Evidence:
    event = next(one for one in evidence.rows.events.values() if one.is_deleted)
    return with_event(evidence, replace(event, is_deleted=False))


def with_a_change_that_wrote_over_another(evidence: Evidence) -> Evidence:
    """A shift that put an old title back, as the log would tell."""
    _, row = the_last(evidence, "shift")
    log = [one if one is not row else replace(one, fields=frozenset({"title"})) for one in evidence.rows.log]
    return with_rows(evidence, log=tuple(log))


def with_an_answer_written_over(evidence: Evidence) -> Evidence:
    """Somebody changed a title, and with it somebody's answer."""
    _, row = the_last(evidence, "retitle")
    wrong = replace(row, entity="attendee", op="update", fields=frozenset({"response_status"}))
    return with_rows(evidence, log=(*evidence.rows.log, wrong))


# A feed that leaves something out


def with_copy(evidence: Evidence, change: Callable[[Copy], None]) -> Evidence:
    number = max(range(len(evidence.copies)), key=lambda n: len(evidence.copies[n].events))
    wrong = evidence.copies[number].fork()
    change(wrong)
    return replace(evidence, copies=[wrong if n == number else one for n, one in enumerate(evidence.copies)])


def with_an_event_that_the_feed_left_out(evidence: Evidence) -> Evidence:
    return with_copy(evidence, lambda copy: [copy.events.pop(next(iter(copy.events)))].clear())


def with_an_event_that_the_feed_did_not_remove(evidence: Evidence) -> Evidence:
    foreign = next(one for copy in evidence.copies for one in copy.events.values())

    def add(copy: Copy) -> None:
        id_ = next(one.id for one in evidence.rows.events.values() if one.is_deleted)
        copy.events[id_] = replace(foreign, id=id_)

    return with_copy(evidence, add)


def with_an_older_version_in_the_feed(evidence: Evidence) -> Evidence:
    def age(copy: Copy) -> None:
        first = next(iter(copy.events.values()))
        copy.events[first.id] = replace(first, version=first.version - 1, title="An older title")

    return with_copy(evidence, age)


def with_a_change_that_the_feed_never_told(evidence: Evidence) -> Evidence:
    return with_copy(evidence, lambda copy: copy.told.clear())


# Half a write


def with_a_transaction_that_nobody_asked_for(evidence: Evidence) -> Evidence:
    """As when a request were done twice."""
    twice = next(one for one in evidence.rows.log if one.actor_id is not None and one.entity == "attendee")
    return with_rows(evidence, log=(*evidence.rows.log, replace(twice, xid=1)))


def with_a_refusal_that_was_done(evidence: Evidence) -> Evidence:
    done = an_acknowledged(evidence)
    return with_sent(evidence, done, replace(done, status=409, code="room_taken", seen=None))


def with_a_write_to_another_event(evidence: Evidence) -> Evidence:
    _, row = the_last(evidence, "shift")
    other = next(one for one in evidence.rows.events.values() if one.id != row.entity_id and one.series_id is None)
    log = [one if one is not row else replace(one, entity_id=other.id) for one in evidence.rows.log]
    return with_rows(evidence, log=tuple(log))


def without_a_row_of_the_log(evidence: Evidence) -> Evidence:
    gone = next(one for one in evidence.rows.log if one.entity == "event" and one.op == "update")
    return with_rows(evidence, log=tuple(one for one in evidence.rows.log if one is not gone))


def without_a_reservation(evidence: Evidence) -> Evidence:
    event = an_event(evidence, rooms=True)
    return with_event(evidence, replace(event, reservations=event.reservations[1:]))


def without_the_instances_of_a_series(evidence: Evidence) -> Evidence:
    event = next(
        one for one in evidence.rows.events.values() if one.recurs and one.takes_place and len(one.reservations) > 1
    )
    return with_event(evidence, replace(event, reservations=event.reservations[1:]))


def without_set_up(evidence: Evidence) -> Evidence:
    event = an_event(evidence, rooms=True)
    first = event.reservations[0]
    shorter = replace(first, blocked_from=first.blocked_from + timedelta(minutes=1))
    return with_event(evidence, replace(event, reservations=(shorter, *event.reservations[1:])))


# Reservations that nothing needs


def with_a_reservation_of_a_deleted_event(evidence: Evidence) -> Evidence:
    event = an_event(evidence, rooms=True)
    return with_event(evidence, replace(event, is_deleted=True))


def with_a_reservation_too_many(evidence: Evidence) -> Evidence:
    event = an_event(evidence, rooms=True)
    twice: Sequence[Reservation] = (*event.reservations, event.reservations[0])
    return with_event(evidence, replace(event, reservations=tuple(twice)))


def with_a_reservation_at_the_old_time(evidence: Evidence) -> Evidence:
    event = an_event(evidence, rooms=True)
    day = timedelta(days=1)
    return with_event(evidence, replace(event, start_time=event.start_time + day, end_time=event.end_time + day))


# Answers that nobody should get


def with_an_internal_error(evidence: Evidence) -> Evidence:
    refused = next(one for one in evidence.sent if not one.is_acknowledged)
    return with_sent(evidence, refused, replace(refused, status=500, code="internal"))


def with_retries_that_ran_out(evidence: Evidence) -> Evidence:
    refused = next(one for one in evidence.sent if not one.is_acknowledged)
    return with_sent(evidence, refused, replace(refused, status=503, code="unavailable"))


@pytest.mark.parametrize(
    ("corruption", "kind"),
    [
        (without_what_was_kept, Kind.LOST),
        (with_another_answer_kept, Kind.LOST),
        (without_an_event, Kind.LOST),
        (with_an_older_title, Kind.LOST),
        (with_the_room_of_before, Kind.LOST),
        (with_an_answer_of_before, Kind.LOST),
        (with_a_deletion_undone, Kind.LOST),
        (with_a_change_that_wrote_over_another, Kind.LOST),
        (with_an_answer_written_over, Kind.LOST),
        (with_an_event_that_the_feed_left_out, Kind.LOST),
        (with_an_event_that_the_feed_did_not_remove, Kind.LOST),
        (with_an_older_version_in_the_feed, Kind.LOST),
        (with_a_change_that_the_feed_never_told, Kind.LOST),
        (with_a_transaction_that_nobody_asked_for, Kind.HALF),
        (with_a_refusal_that_was_done, Kind.HALF),
        (with_a_write_to_another_event, Kind.HALF),
        (without_a_row_of_the_log, Kind.HALF),
        (without_a_reservation, Kind.HALF),
        (without_the_instances_of_a_series, Kind.HALF),
        (without_set_up, Kind.HALF),
        (with_a_reservation_of_a_deleted_event, Kind.ORPHAN),
        (with_a_reservation_too_many, Kind.ORPHAN),
        (with_a_reservation_at_the_old_time, Kind.ORPHAN),
        (with_an_internal_error, Kind.ERROR),
        (with_retries_that_ran_out, Kind.ERROR),
    ],
    ids=lambda value: value.__name__ if callable(value) else value.value,
)
def test_it_is_found(raced: Raced, corruption: Corruption, kind: Kind) -> None:
    found = checks.faults(corruption(raced.evidence))

    assert kind in {one.kind for one in found}


async def test_a_room_that_is_booked_twice_is_found_past_the_exclusion_constraint(raced: Raced) -> None:
    connection = await asyncpg.connect(raced.url)
    await connection.execute("alter table reservations drop constraint reservations_no_double_booking")
    booked = """insert into reservations (id, resource_id, unit, event_id, start_time, end_time, blocked)
                select gen_random_uuid(), v.resource_id, v.unit, v.event_id, v.start_time, v.end_time, v.blocked
                from reservations v join resources r on r.id = v.resource_id
                where v.status = 'CONFIRMED' and r.concurrent_bookings = 1 limit 1"""
    assert await connection.execute(booked) == "INSERT 0 1"
    await connection.close()

    found = checks.faults(Evidence(raced.evidence.sent, await rows.read(raced.url), ()))

    assert Kind.OVERLAP in {one.kind for one in found}


@pytest.mark.parametrize("kind", Kind)
def test_the_closing_lines_count_what_was_found(raced: Raced, kind: Kind) -> None:
    found = [checks.Fault(kind, "wrong")]

    assert " 1" in race.closing_line(raced.evidence, found).partition("overlaps")[2]
    assert " 1" in crash.closing_line(raced.evidence, found).partition("lost")[2]
