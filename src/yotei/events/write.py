"""Writing events: any number of operations in one transaction, each done whole or not at all.

    lock   ->  load  ->  plan  ->  book  ->  write
    one        one       no I/O    at most   one statement for events, one for reservations given up,
    statement  statement           two       one for those made

However many operations there are, these are all statements. An operation on its own is a set of one.

Locks, in this order and by id: calendars (key share), masters of series and single events, resources that take several
bookings (the others: key share), reservations by resource, unit and start, then the rest. PostgreSQL decides last:
where somebody was faster the transaction is begun anew (`Outrun`) and finds out what is there now.

An answer to an invitation alone is no such thing: it touches the attendee's row and nothing else. It shares the lock of
the event with other answers, and takes turns with edits: who is asked again, or copied to an exception, is known.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec

from yotei.calendars import write as calendars
from yotei.errors import Code, Problem, not_found
from yotei.events import booking, plan, rows
from yotei.events.booking import Bookings, Conflict
from yotei.events.draft import (
    AnyOperation,
    Create,
    Duplicate,
    EventFields,
    Invite,
    Invitee,
    Move,
    Patch,
    Replace,
    Respond,
    unwritable,
)
from yotei.events.event import ResponseStatus
from yotei.events.plan import Done
from yotei.events.state import Guest, Loaded, Row, State
from yotei.resources import read as resources
from yotei.resources.resource import Period, Resource
from yotei.storage.pool import Database, Outrun, Source
from yotei.users.user import Viewer

SCOPE: Final = "write"
OPERATIONS_MAX: Final = 1_000
"""Operations of one transaction."""
ROWS_MAX: Final = 20_000
"""Rows of events that one transaction may be about, series counted with all of their exceptions."""
ROUNDS_MAX: Final = 5
"""How often operations that cannot have their rooms are taken out and the others planned anew."""
HORIZON_DAYS_DEFAULT: Final = 366
EXTENDED_AT_ONCE_MAX: Final = 200
"""Events whose bookings one transaction extends."""
REBOOKED_ROWS_MAX: Final = 1_000_000
"""Rows that they may be about, their series with all exceptions: these were written within their own bounds."""
ALTERNATIVES_MAX: Final = 5
_ALTERNATIVE_DAYS: Final = 7


async def apply(
    tx: Source,
    viewer: Viewer,
    operations: Sequence[AnyOperation],
    *,
    now: datetime,
    horizon_days: int = HORIZON_DAYS_DEFAULT,
    expected: frozenset[int] | None = None,
) -> list[Done | Problem]:
    """What became of each operation, in their order. What is refused left nothing behind.

    `expected`: the versions at which a single operation may be done, None for any. Operations see those before them.
    Competing for one room, the earlier has it.
    """
    viewer.need(SCOPE)
    assert len(operations) <= OPERATIONS_MAX
    horizon = now + timedelta(days=horizon_days)
    refused = {n: problem for n, one in enumerate(operations) if (problem := unwritable(one)) is not None}
    loaded = await _load(tx, viewer.user_id, [one for n, one in enumerate(operations) if n not in refused])
    for _ in range(ROUNDS_MAX):
        state = State(viewer, now, loaded)
        outcomes = [_outcome(state, n, one, refused.get(n), expected) for n, one in enumerate(operations)]
        bookings, more = await _book(tx, state, booking.concerned(state), horizon)
        if not more:
            await _write(tx, state, bookings)
            return outcomes
        refused |= more
    raise Problem(Code.CONFLICT, "Too many of these operations depend on each other's rooms; send fewer at once.")


async def apply_one(
    tx: Source,
    viewer: Viewer,
    operation: AnyOperation,
    *,
    now: datetime,
    horizon_days: int = HORIZON_DAYS_DEFAULT,
    expected: frozenset[int] | None = None,
) -> Done:
    """One operation; raises its Problem. That of a room that cannot be had says what could be had instead.

    An answer to all of an invitation, at whatever version, touches the row of the attendee alone.
    """
    if (
        isinstance(operation, Respond)
        and operation.recurrence_id is None
        and operation.version is None
        and expected is None
    ):
        await answer_invitation(tx, viewer, operation.event_id, operation.response_status, operation.comment)
        return Done(operation.event_id)
    outcome = (await apply(tx, viewer, [operation], now=now, horizon_days=horizon_days, expected=expected))[0]
    if isinstance(outcome, Done):
        return outcome
    if outcome.code in (Code.ROOM_TAKEN, Code.ROOM_CLOSED):
        raise await _with_alternatives(tx, viewer, outcome)
    raise outcome


async def answer_invitation(
    tx: Source, viewer: Viewer, event_id: UUID, response_status: ResponseStatus, comment: str | None
) -> None:
    """The viewer's own answer to an event or a whole series, its exceptions included: rows of `attendees`, never the
    event. Problem `not_found` without an invitation. One statement, one more for a series."""
    viewer.need(SCOPE)
    problem = unwritable(Respond(event_id=event_id, response_status=response_status, comment=comment))
    if problem is not None:
        raise problem
    recurs = await rows.answer_invitation(tx, event_id, viewer.user_id, response_status, comment)
    if recurs is None:
        raise not_found("invitation")
    if recurs:
        await rows.answer_exceptions(tx, event_id, viewer.user_id, response_status, comment)


async def delete_calendar(
    tx: Source, viewer: Viewer, calendar_id: UUID, expected: frozenset[int] | None = None
) -> None:
    """Delete a calendar, so that it can be restored; the rooms of its events are free again."""
    await calendars.delete(tx, viewer, calendar_id, expected)
    await rows.release_calendar(tx, calendar_id)


async def restore_calendar(
    tx: Source,
    viewer: Viewer,
    calendar_id: UUID,
    expected: frozenset[int] | None = None,
    *,
    now: datetime,
    horizon_days: int = HORIZON_DAYS_DEFAULT,
) -> None:
    """Restore a calendar. The rooms of its events are booked again: what is taken by now shows as missed. Of a calendar
    of very many the rest is booked by `extend`."""
    await calendars.restore(tx, viewer, calendar_id, expected)
    unbooked = await rows.mark_unbooked(tx, calendar_id, now)
    await rebook(tx, unbooked[:EXTENDED_AT_ONCE_MAX], now=now, horizon_days=horizon_days)


async def extend(database: Database, *, now: datetime, horizon_days: int = HORIZON_DAYS_DEFAULT) -> int:
    """Book what series need up to the horizon, those that are furthest behind first; gives back how many are booked
    so far now.

    An instance that is taken becomes MISSED, whatever the policy: the series is there already, and its organizer sees
    it. One node at a time; a bounded number of events, so call again while there are any.
    """

    async def work(tx: Source) -> int:
        # A day of delay each time would be a transaction for every series on every day.
        due = await rows.select_due(tx, now + timedelta(days=horizon_days * 9 // 10), EXTENDED_AT_ONCE_MAX)
        return await rebook(tx, due, now=now, horizon_days=horizon_days)

    return await database.run(work)


async def rebook(
    tx: Source, event_ids: Sequence[UUID], *, now: datetime, horizon_days: int = HORIZON_DAYS_DEFAULT
) -> int:
    """Book what events that are there need by now; what is taken becomes MISSED, whatever the policy. Gives back how
    many of them are booked to their end or the horizon now: not those of more instances than are booked at a time."""
    if not event_ids:
        return 0
    locked = await rows.lock_for_writing(tx, (), event_ids)
    _, loaded = await rows.load_for_writing(tx, None, event_ids=event_ids, rows_max=REBOOKED_ROWS_MAX)
    _check_locked(loaded, event_ids, locked)
    state = State(_NOBODY, now, loaded)
    there = [id_ for id_ in event_ids if id_ in state.rows]
    horizon = now + timedelta(days=horizon_days)
    bookings, _ = await _book(tx, state, there, horizon, refuse=False)
    await _write(tx, state, bookings)
    return sum(all(one.booked_until in (None, horizon) for one in wishes) for wishes in bookings.wishes.values())


_NOBODY: Final = Viewer(UUID(int=0), "UTC", False, frozenset(), None)
"""Who extends bookings: no one person."""


async def _load(tx: Source, viewer_id: UUID, operations: Sequence[AnyOperation]) -> Loaded:
    event_ids = {one.event_id for one in operations if not isinstance(one, Create)}
    calendar_ids = set(_calendar_ids(operations))
    locked = await rows.lock_for_writing(tx, sorted(calendar_ids), sorted(event_ids))
    invitees = [one for operation in operations for one in _invitees(operation)]
    fields = [one.event for one in operations if isinstance(one, Create | Patch | Replace)]
    count, loaded = await rows.load_for_writing(
        tx,
        viewer_id,
        calendar_ids=sorted(calendar_ids),
        event_ids=sorted(event_ids),
        emails=sorted({one.email.strip().lower() for one in invitees if one.email is not None}),
        user_ids=sorted({one.user_id for one in invitees if one.user_id is not None}),
        resource_ids=sorted({id_ for one in fields for id_ in one.resource_ids or ()}),
        uids=sorted({one.event.uid for one in operations if isinstance(one, Create) and one.event.uid}),
        rows_max=ROWS_MAX,
    )
    if count > ROWS_MAX:
        raise Problem(Code.CONFLICT, f"These operations are about more than {ROWS_MAX} events; send fewer at once.")
    _check_locked(loaded, event_ids, locked)
    return loaded


def _check_locked(loaded: Loaded, event_ids: Collection[UUID], locked: tuple[frozenset[UUID], frozenset[UUID]]) -> None:
    """Raises Outrun when an event was put into another calendar, or another series, just before it was locked."""
    calendars_locked, events_locked = locked
    for one in loaded.events:
        event = one.event
        master_id = event.series_id or event.id
        if event.id in event_ids and (event.calendar_id not in calendars_locked or master_id not in events_locked):
            raise Outrun


def _calendar_ids(operations: Iterable[AnyOperation]) -> Iterable[UUID]:
    for one in operations:
        if isinstance(one, Create):
            yield one.event.calendar_id
        elif isinstance(one, Move | Duplicate) and one.calendar_id is not None:
            yield one.calendar_id


def _invitees(operation: AnyOperation) -> Sequence[Invitee]:
    if isinstance(operation, Invite):
        return operation.attendees
    if isinstance(operation, Create | Patch | Replace):
        event: EventFields = operation.event
        return event.attendees or ()
    return ()


def _outcome(
    state: State, n: int, operation: AnyOperation, refused: Problem | None, expected: frozenset[int] | None
) -> Done | Problem:
    if refused is not None:
        return refused
    try:
        with state.operation(n):
            return plan.do(state, operation, expected)
    except Problem as problem:
        return problem


async def _book(
    tx: Source, state: State, event_ids: Sequence[UUID], horizon: datetime, *, refuse: bool = True
) -> tuple[Bookings, dict[int, Problem]]:
    """Reservations for these events, and the operations that cannot be done for want of a room."""
    if not event_ids:
        return Bookings([], [], {}), {}
    wanted, until, refused = booking.wants(state, event_ids, horizon, refuse=refuse)
    if refused and refuse:
        return Bookings([], [], {}), refused
    shared = {one.resource_id for one in wanted} & {
        id_ for id_, one in state.resources.items() if one.resource.concurrent_bookings > 1
    }
    if shared:
        await rows.lock_shared_resources(tx, sorted(shared))
    periods = sorted({(one.resource_id, one.start_time, one.end_time) for one in wanted})
    held, taken, versions = await rows.select_taken(tx, event_ids, periods)
    if any(state.resources[id_].resource.version != version for id_, version in versions.items()):
        raise Outrun
    return booking.assign(state, wanted, held, taken, until, refuse=refuse)


async def _write(tx: Source, state: State, bookings: Bookings) -> None:
    for id_, wishes in bookings.wishes.items():
        state.wishes[id_] = wishes
    diff = _diff(state, bookings.wishes)
    parked = [
        id_
        for id_, before in state.before.items()
        if before.event.recurrence_id != state.rows[id_].recurrence_id and before.event.deleted_at is None
    ]
    try:
        if len(parked) > 1:
            await rows.park_overrides(tx, parked)
        if any(msgspec.structs.astuple(diff)):
            await rows.write_events(tx, diff)
    except Problem as problem:
        if problem.code is Code.ALREADY_EXISTS:
            raise Outrun from problem
        raise
    if bookings.released:
        await rows.release_reservations(tx, [one.id for one in bookings.released])
    if bookings.made and await rows.insert_reservations(tx, bookings.made) < len(bookings.made):
        raise Outrun


def _diff(state: State, booked: Mapping[UUID, object]) -> rows.Diff:
    added: list[Row] = []
    changed: list[Row] = []
    invited: list[rows.PutGuest] = []
    uninvited: list[dict[str, object]] = []
    wished: list[rows.PutWish] = []
    unwished: list[dict[str, object]] = []
    for id_ in dict.fromkeys((*state.touched_by, *booked)):
        row, guests, wishes = state.rows[id_], state.guests[id_], state.wishes[id_]
        before = state.before.get(id_)
        old_guests = () if before is None else before.attendees
        old_wishes = () if before is None else before.wishes
        if before is None:
            added.append(row)
        elif row != before.event or _named(guests) != _named(old_guests) or _wanted(wishes) != _wanted(old_wishes):
            # Who is invited and what is booked are part of the event: If-Match has to see that they changed.
            changed.append(row)
        known = {one.email: one for one in old_guests}
        for place, guest in enumerate(guests):
            there = known.pop(guest.email, None)
            if there != guest:
                answered = there is None or _answer(there) != _answer(guest)
                values = msgspec.structs.asdict(guest)
                put = rows.PutGuest(id_, place=place, is_there=there is not None, has_answer=answered, **values)
                invited.append(put)
        uninvited += ({"event_id": id_, "email": email} for email in known)
        wished_before = {one.resource_id: one for one in old_wishes}
        wished += (
            rows.PutWish(id_, wish.resource_id, wish.policy, wish.booked_until)
            for wish in wishes
            if wished_before.pop(wish.resource_id, None) != wish
        )
        unwished += ({"event_id": id_, "resource_id": resource_id} for resource_id in wished_before)
    return rows.Diff(added, changed, invited, uninvited, wished, unwished)


def _named(guests: Iterable[Guest]) -> set[tuple[str, str | None, bool]]:
    return {(one.email, one.name, one.is_optional) for one in guests}


def _answer(guest: Guest) -> tuple[str, str | None, datetime | None]:
    return guest.response_status, guest.comment, guest.responded_at


def _wanted(wishes: Iterable[object]) -> set[tuple[UUID, str]]:
    return {(one.resource_id, one.policy) for one in wishes}  # type: ignore[attr-defined]


class Alternatives(msgspec.Struct, frozen=True):
    """What could be had instead: other resources for the same period, other periods for the same resource."""

    resources: tuple[Resource, ...]
    times: tuple[Period, ...]


async def _with_alternatives(tx: Source, viewer: Viewer, problem: Problem) -> Problem:
    """The same refusal with what could be had instead of the first period that is not to be had. Two statements."""
    conflict: Conflict = problem.more["conflicts"][0]
    length = conflict.end - conflict.start
    asked = resources.Wanted((conflict.resource_id,))
    end = conflict.start + timedelta(days=_ALTERNATIVE_DAYS) + length
    same, _ = await resources.availability(tx, viewer, asked, conflict.start, end)
    if not same:
        return problem
    free = (period.start for period in same[0].free if period.end - period.start >= length)
    times = tuple(Period(start, start + length) for start in free)
    wanted = resources.Wanted(None, same[0].resource.kind, same[0].resource.seats)
    others, _ = await resources.availability(tx, viewer, wanted, conflict.start, conflict.end)
    fitting = sorted(
        (one.resource for one in others if one.is_free and one.resource.booking == "EVERYONE"),
        key=lambda one: (one.seats or 0, one.name, one.id),
    )
    alternatives = Alternatives(tuple(fitting[:ALTERNATIVES_MAX]), times[:ALTERNATIVES_MAX])
    more = {**problem.more, "alternatives": alternatives}
    return Problem(problem.code, problem.detail, faults=problem.faults, more=more)
