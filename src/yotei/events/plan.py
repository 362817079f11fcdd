"""What each operation does to the calendars: rules without I/O, over the `State` that was loaded for them.

Each function raises a Problem or leaves the state as it is to be. Which rooms are to be had is decided afterwards, for
all operations together (`booking`).

Editing a series. `this`: the instance becomes an override. `following`: the series ends before the instance and a new
one begins with it. `all`: the series changes, and its exceptions with it: one whose time was not its own moves along,
one whose title was not its own gets the new title, one that no longer names an instance of the series is deleted.

SEQUENCE grows when times, recurrence or status change, and answers start anew when the time does (RFC 5546 2.1.4,
3.2.2.1).
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec
from msgspec import UNSET

from yotei.errors import Code, Fault, Problem, expect_version, invalid, not_found
from yotei.events import when as times
from yotei.events.access import may_write, sees_all
from yotei.events.draft import (
    ATTENDEES_MAX,
    AnyOperation,
    Create,
    Delete,
    Duplicate,
    EventFields,
    Invite,
    Invitee,
    Move,
    Patch,
    Replace,
    Respond,
    Restore,
    Scope,
    Uninvite,
    WholeEvent,
)
from yotei.events.event import ResponseStatus
from yotei.events.state import Guest, LoadedEvent, Row, State, Wish
from yotei.events.when import Shift, When
from yotei.resources.access import may_book
from yotei.storage.ids import uuid7
from yotei.users.user import checked_email

_TEXTS: Final = ("title", "description", "location", "url", "status", "transparency", "visibility")
_TIMES: Final = ("start_time", "end_time", "start_date", "end_date", "all_day", "floating", "tzid")
_SIGNIFICANT: Final = ("start_time", "end_time", "all_day", "floating", "rrule", "rdates", "exdates", "status")
_WHEN: Final = ("start_time", "end_time", "all_day", "floating", "rrule", "rdates")


class Done(NamedTuple):
    """The event that an operation was about, as it is now; an operation that removed it leaves nothing to show."""

    event_id: UUID
    is_gone: bool = False
    is_new: bool = False


def do(state: State, operation: AnyOperation, expected: frozenset[int] | None) -> Done:
    """One operation. `expected`: the versions at which it may be done, None for any."""
    if isinstance(operation, Create):
        return _create(state, operation)
    if operation.version is not None:
        expected = frozenset({operation.version})
    if isinstance(operation, Respond):
        return _respond(state, operation, expected)
    if isinstance(operation, Restore):
        return _restore(state, operation, expected)
    if isinstance(operation, Move):
        return _move(state, operation, expected)
    if isinstance(operation, Duplicate):
        return _duplicate(state, operation, expected)
    target = _target(state, operation.event_id, operation.recurrence_id, operation.scope, expected)
    if isinstance(operation, Delete):
        return _delete(state, target)
    if isinstance(operation, Invite):
        invited = tuple(_guests(state, operation.attendees, target.row.organizer_id))
        return _edit_guests(state, target, add=invited, gone=frozenset())
    if isinstance(operation, Uninvite):
        email = checked_email(operation.email, "path.email")
        if not any(one.email == email for one in state.guests[target.row.id]):
            raise not_found("attendee")
        return _edit_guests(state, target, add=(), gone=frozenset({email}))
    fields = operation.event
    if isinstance(operation, Replace):
        fields = _with_defaults(operation.event)
        fields = _with_all_times(fields, times.when(fields, None, _zone_of(state, target.row)))
    assert isinstance(operation, Patch | Replace)
    return _edit(state, target, fields)


class _Target(NamedTuple):
    """What an operation on events is about: a row, and for one instance of a series its start."""

    row: Row
    scope: Scope
    recurrence_id: datetime | None


# Finding what is meant


def _target(
    state: State, event_id: UUID, recurrence_id: datetime | None, scope: Scope | None, expected: frozenset[int] | None
) -> _Target:
    row = _writable(state, event_id)
    expect_version(row.version, expected)
    target = _meant(state, row, recurrence_id, scope)
    if target.row.id != event_id:
        # The series of an exception, or the exception at an instance: one may be seen and not the other.
        _writable(state, target.row.id)
    return target


def _meant(state: State, row: Row, recurrence_id: datetime | None, scope: Scope | None) -> _Target:
    master = state.rows.get(row.series_id) if row.series_id is not None else None
    if row.recurrence_id is not None:
        if recurrence_id is not None and recurrence_id != row.recurrence_id:
            raise invalid("query.recurrence_id", "expected none, or that of this instance: its id names it already")
        if scope in (None, "this") or master is None:
            return _Target(row, "this", row.recurrence_id)
        return _scoped(state, master, row.recurrence_id, scope)
    if not row.recurs:
        if recurrence_id is not None:
            raise invalid("query.recurrence_id", "expected none: the event does not recur")
        return _Target(row, "all", None)
    if recurrence_id is not None:
        recurrence_id = times.moment(recurrence_id, "query.recurrence_id", When.of(row))
    return _scoped(state, row, recurrence_id, scope)


def _scoped(state: State, master: Row, recurrence_id: datetime | None, scope: Scope | None) -> _Target:
    if recurrence_id is None:
        if scope in ("this", "following"):
            raise invalid("query.recurrence_id", f"this has to be given with scope={scope}")
        return _Target(master, "all", None)
    scope = scope or "this"
    override = _override_at(state, master, recurrence_id)
    if override is None and not times.has_instance(master, recurrence_id):
        raise invalid("query.recurrence_id", "expected the start of an instance of the series", code=_NO_INSTANCE)
    if scope != "all" and any(
        one.this_and_future and one.recurrence_id is not None and one.recurrence_id < recurrence_id
        for one in state.overrides(master.id)
    ):
        detail = "This instance follows from an exception with RANGE=THISANDFUTURE; edit all of the series, or that."
        raise Problem(Code.CONFLICT, detail)
    if scope == "this" and override is not None:
        return _Target(override, "this", recurrence_id)
    if scope == "following":
        if times.is_first_instance(master, recurrence_id):
            return _Target(master, "all", recurrence_id)
        if recurrence_id in master.rdates:
            raise invalid("query.recurrence_id", "expected an instance of the rule: this one was added beside it")
    return _Target(master, scope, recurrence_id)


_NO_INSTANCE: Final = Code.INVALID_RECURRENCE


def _override_at(state: State, master: Row, recurrence_id: datetime) -> Row | None:
    return next((one for one in state.overrides(master.id) if one.recurrence_id == recurrence_id), None)


def _writable(state: State, event_id: UUID, *, deleted: bool = False) -> Row:
    """An event that the viewer may change. Problem `not_found` when they may not know of it, `forbidden` otherwise."""
    row = state.rows.get(event_id)
    if row is None or (row.deleted_at is not None and not deleted):
        raise not_found("event")
    calendar = state.calendars.get(row.calendar_id)
    if calendar is None or calendar.is_deleted:
        raise not_found("event")
    full = sees_all(calendar.role, row, state.guests[event_id], state.viewer.user_id)
    if not full and calendar.role is None:
        raise not_found("event")
    if not full or not may_write(calendar.role):
        raise Problem(Code.FORBIDDEN, "Only owners and writers of its calendar change an event.")
    return row


def _into(state: State, calendar_id: UUID) -> str:
    """The zone of a calendar that the viewer writes into; Problem `not_found` or `forbidden`."""
    try:
        calendar = state.calendar(calendar_id)
    except Problem as problem:
        raise Problem(problem.code, problem.detail, faults=(Fault("body.calendar_id", problem.detail),)) from None
    if not may_write(calendar.role):
        raise Problem(Code.FORBIDDEN, "Only owners and writers of a calendar put events into it.")
    return calendar.tzid


# The operations


def _create(state: State, operation: Create) -> Done:
    event = operation.event
    tzid = _into(state, event.calendar_id)
    id_ = uuid7()
    fields = _with_defaults(event)
    at = times.when(fields, None, tzid)
    row = Row(
        id=id_,
        calendar_id=event.calendar_id,
        organizer_id=state.viewer.user_id,
        uid=str(id_) if event.uid is UNSET else event.uid,
        sequence=0,
        title="",
        description=None,
        location=None,
        url=None,
        start_time=at.start_time,
        end_time=at.end_time,
        span_end=at.end_time,
        tzid=at.tzid,
        all_day=at.all_day,
        floating=at.floating,
        rrule=None,
        rdates=(),
        exdates=(),
        series_id=None,
        recurrence_id=None,
        this_and_future=False,
        status="CONFIRMED",
        transparency="OPAQUE",
        visibility="PUBLIC",
        properties=(),
        version=1,
        deleted_at=None,
    )
    row = times.recurrence(_with_texts(row, fields), fields)
    assert fields.attendees is not UNSET
    state.put(row, tuple(_guests(state, fields.attendees, row.organizer_id)), _wishes(state, (), fields))
    return Done(id_, is_new=True)


def _edit(state: State, target: _Target, fields: EventFields) -> Done:
    if target.scope == "all":
        return _edit_all(state, target, fields)
    if target.scope == "following":
        return _edit_following(state, target, fields)
    times.no_recurrence(fields)
    row = _as_override(state, target)
    revised = _with_times(state, _with_texts(row, fields), fields)
    _put_revised(state, row, revised, fields)
    return Done(row.id)


def _edit_all(state: State, target: _Target, fields: EventFields) -> Done:
    """A single event, or a series from its first instance on."""
    old, meant = target.row, None
    was = LoadedEvent(old, state.guests[old.id], state.wishes[old.id])
    if target.recurrence_id is not None:
        meant = _override_at(state, old, target.recurrence_id)
        fields = _told_of_instance(state, old, target.recurrence_id, fields)
    revised = _with_times(state, _with_texts(old, fields), fields)
    moved = When.of(old) != When.of(revised)
    if revised.recurs and moved:
        revised = times.moved(old, revised, fields)
    if moved or not {fields.rrule, fields.rdates, fields.exdates} <= {UNSET}:
        revised = times.recurrence(revised, fields)
    _put_revised(state, old, revised, fields)
    _carry_over(state, was, revised, fields, meant=meant)
    return Done(old.id)


def _edit_following(state: State, target: _Target, fields: EventFields) -> Done:
    old, since = target.row, target.recurrence_id
    assert since is not None
    guests, wishes = state.guests[old.id], state.wishes[old.id]
    id_ = uuid7()
    rest = msgspec.structs.replace(
        times.rest_from(old, since), id=id_, uid=str(id_), sequence=0, version=1, organizer_id=old.organizer_id
    )
    revised = _with_times(state, _with_texts(rest, fields), fields)
    if revised.recurs and When.of(rest) != When.of(revised):
        revised = times.moved(rest, revised, fields)
    revised = times.recurrence(revised, fields)
    state.put(_revised(old, times.cut_before(old, since)))
    state.put(rest, guests, wishes)
    _put_revised(state, rest, revised, fields)
    # Nobody was told of it before.
    state.put(msgspec.structs.replace(state.rows[id_], sequence=0))
    was = LoadedEvent(msgspec.structs.replace(rest, id=old.id), guests, wishes)
    _carry_over(state, was, revised, fields, since=since, meant=_override_at(state, old, since))
    return Done(id_, is_new=True)


def _delete(state: State, target: _Target) -> Done:
    row = target.row
    if target.scope == "all":
        for one in (*state.overrides(row.id), row):
            state.put(msgspec.structs.replace(one, deleted_at=state.now))
    elif target.scope == "following":
        assert target.recurrence_id is not None
        state.put(_revised(row, times.cut_before(row, target.recurrence_id)))
        for one in state.overrides(row.id):
            if _replaced(one) >= target.recurrence_id:
                state.put(msgspec.structs.replace(one, deleted_at=state.now))
    else:
        assert target.recurrence_id is not None
        master = row
        if row.this_and_future:
            raise Problem(
                Code.CONFLICT, "This exception moves those after it (RANGE=THISANDFUTURE); delete them with it."
            )
        if row.recurrence_id is not None:
            state.put(msgspec.structs.replace(row, deleted_at=state.now))
            found = state.rows.get(row.series_id) if row.series_id is not None else None
            if found is None:
                return Done(row.id, is_gone=True)
            master = found
        exdates = tuple(sorted({*master.exdates, target.recurrence_id}))
        state.put(_revised(master, msgspec.structs.replace(master, exdates=exdates)))
    return Done(row.id, is_gone=True)


def _restore(state: State, operation: Restore, expected: frozenset[int] | None) -> Done:
    row = _writable(state, operation.event_id, deleted=True)
    expect_version(row.version, expected)
    back = [row]
    if operation.recurrence_id is not None:
        instance = times.moment(operation.recurrence_id, "query.recurrence_id", When.of(row))
        if row.deleted_at is not None or instance not in row.exdates:
            raise invalid(
                "query.recurrence_id", "expected the start of an instance that was deleted", code=_NO_INSTANCE
            )
        exdates = tuple(one for one in row.exdates if one != instance)
        state.put(_revised(row, msgspec.structs.replace(row, exdates=exdates)))
        gone = [one for one in state.deleted_overrides(row.id) if one.recurrence_id == instance]
        # Where it is no exception, its room is what the series wants.
        back = sorted(gone, key=_when_deleted)[-1:] or [state.rows[row.id]]
    elif row.deleted_at is not None and row.series_id is not None:
        master = state.rows.get(row.series_id)
        if master is None or master.deleted_at is not None:
            raise Problem(Code.CONFLICT, "Its series is deleted; restore that.")
        instance = _replaced(row)
        if instance in master.exdates:
            exdates = tuple(one for one in master.exdates if one != instance)
            state.put(_revised(master, msgspec.structs.replace(master, exdates=exdates)))
        elif not times.has_instance(master, instance) or _override_at(state, master, instance) is not None:
            raise Problem(Code.CONFLICT, "Its series has no such instance any more, or another exception there.")
    elif row.deleted_at is not None:
        back += [one for one in state.deleted_overrides(row.id) if one.deleted_at == row.deleted_at]
    for one in back:
        wishes = state.wishes[one.id]
        if operation.booking_policy is not None:
            wishes = tuple(msgspec.structs.replace(wish, policy=operation.booking_policy) for wish in wishes)
        state.put(msgspec.structs.replace(one, deleted_at=None), wishes=wishes)
    return Done(row.id)


def _when_deleted(row: Row) -> datetime:
    assert row.deleted_at is not None
    return row.deleted_at


def _move(state: State, operation: Move, expected: frozenset[int] | None) -> Done:
    row = _writable(state, operation.event_id)
    expect_version(row.version, expected)
    if row.series_id is not None:
        raise invalid("path.event_id", "expected the series: its instances are in the same calendar")
    _into(state, operation.calendar_id)
    if row.calendar_id != operation.calendar_id:
        for one in (row, *state.overrides(row.id), *state.deleted_overrides(row.id)):
            state.put(msgspec.structs.replace(one, calendar_id=operation.calendar_id))
    return Done(row.id)


def _duplicate(state: State, operation: Duplicate, expected: frozenset[int] | None) -> Done:
    row = _readable(state, operation.event_id)
    expect_version(row.version, expected)
    calendar_id = operation.calendar_id or row.calendar_id
    _into(state, calendar_id)
    guests, wishes = state.guests[row.id], state.wishes[row.id]
    if operation.recurrence_id is not None:
        target = _meant(state, row, operation.recurrence_id, "this")
        _readable(state, target.row.id)
        guests, wishes = state.guests[target.row.id], state.wishes[target.row.id]
        row = target.row if target.row.recurrence_id is not None else _instance(row, target.recurrence_id)
    id_ = uuid7()
    copy = msgspec.structs.replace(
        row,
        id=id_,
        uid=str(id_),
        calendar_id=calendar_id,
        organizer_id=state.viewer.user_id,
        sequence=0,
        series_id=None,
        recurrence_id=None,
        this_and_future=False,
        properties=(),
        version=1,
    )
    fields = EventFields(
        title=UNSET if operation.title is None else operation.title,
        start_time=UNSET if operation.start_time is None or row.all_day else operation.start_time,
        start_date=UNSET if operation.start_time is None or not row.all_day else operation.start_time.date(),
    )
    revised = _with_times(state, _with_texts(copy, fields), fields)
    if revised.recurs and When.of(copy) != When.of(revised):
        revised = times.moved(copy, revised, fields)
    revised = times.recurrence(revised, fields) if revised.recurs else _ending(revised)
    anew = tuple(_asked_first(one, state.viewer.user_id) for one in guests)
    wishes = tuple(_unbooked(one) for one in wishes if not state.resources[one.resource_id].is_deleted)
    for wish in wishes:
        _bookable(state, wish.resource_id, "path.event_id")
    state.put(revised, anew, wishes)
    return Done(id_, is_new=True)


def _respond(state: State, operation: Respond, expected: frozenset[int] | None) -> Done:
    row = state.rows.get(operation.event_id)
    if row is None or row.deleted_at is not None or not _is_invited(state, row):
        raise not_found("invitation")
    expect_version(row.version, expected)
    rows = [row, *state.overrides(row.id)]
    if operation.recurrence_id is not None:
        rows = [_as_override(state, _meant(state, row, operation.recurrence_id, "this"))]
        if not _is_invited(state, rows[0]):
            raise not_found("invitation")
    for one in rows:
        guests = tuple(
            msgspec.structs.replace(
                guest,
                response_status=operation.response_status,
                comment=operation.comment,
                responded_at=state.now,
            )
            if guest.user_id == state.viewer.user_id
            else guest
            for guest in state.guests[one.id]
        )
        state.put(one, guests)
    return Done(rows[0].id)


def _edit_guests(state: State, target: _Target, *, add: Sequence[Guest], gone: frozenset[str]) -> Done:
    """Attendees that come and go, in one instance, what follows, or all of a series."""
    if target.scope == "following":
        done = _edit_following(state, target, EventFields())
        target = _Target(state.rows[done.event_id], "all", None)
    row = _as_override(state, target) if target.scope == "this" else target.row
    for one in (row, *(state.overrides(row.id) if target.scope == "all" else ())):
        state.put(one, _changed_guests(state.guests[one.id], add, gone))
    return Done(row.id, is_new=target.row.id != row.id and target.scope == "all")


# Rows and what hangs on them


def _as_override(state: State, target: _Target) -> Row:
    """The override of the instance that is meant; made now where there is none yet."""
    row = target.row
    if row.recurrence_id is not None:
        return row
    override = msgspec.structs.replace(
        _instance(row, target.recurrence_id),
        id=uuid7(),
        series_id=row.id,
        recurrence_id=target.recurrence_id,
        version=1,
    )
    state.put(override, state.guests[row.id], state.wishes[row.id])
    return override


def _instance(master: Row, recurrence_id: datetime | None) -> Row:
    """One instance of a series, as an event of its own."""
    assert recurrence_id is not None
    end = recurrence_id + (master.end_time - master.start_time)
    return msgspec.structs.replace(
        master, start_time=recurrence_id, end_time=end, span_end=end, rrule=None, rdates=(), exdates=()
    )


def _readable(state: State, event_id: UUID) -> Row:
    row = state.rows.get(event_id)
    calendar = None if row is None else state.calendars.get(row.calendar_id)
    if row is None or row.deleted_at is not None or calendar is None or calendar.is_deleted:
        raise not_found("event")
    if not sees_all(calendar.role, row, state.guests[event_id], state.viewer.user_id):
        if calendar.role is None:
            raise not_found("event")
        raise Problem(Code.FORBIDDEN, "Only those who see all of an event copy it.")
    return row


def _is_invited(state: State, row: Row) -> bool:
    calendar = state.calendars.get(row.calendar_id)
    there = calendar is not None and not calendar.is_deleted
    return there and any(one.user_id == state.viewer.user_id for one in state.guests[row.id])


def _with_defaults(event: WholeEvent) -> EventFields:
    """All fields set. A part of the times that is not given stays so: what is missing there is an error, not a
    default."""
    defaults: dict[str, Any] = {
        "description": None,
        "location": None,
        "url": None,
        "rrule": None,
        "rdates": (),
        "exdates": (),
        "status": "CONFIRMED",
        "transparency": "OPAQUE",
        "visibility": "PUBLIC",
        "attendees": (),
        "resource_ids": (),
        "booking_policy": "ALL",
    }
    given = {name: getattr(event, name) for name in EventFields.__struct_fields__}
    return EventFields(**{name: defaults.get(name, UNSET) if one is UNSET else one for name, one in given.items()})


def _with_all_times(fields: EventFields, at: When) -> EventFields:
    """The fields with these times in full, whatever they said of them before."""
    given: dict[str, Any] = {**dict.fromkeys(_TIMES, UNSET), "all_day": at.all_day, "floating": at.floating}
    if at.all_day:
        given |= {"start_date": at.start_time.date(), "end_date": at.end_time.date()}
    else:
        given |= {"start_time": at.start_time, "end_time": at.end_time}
    if at.tzid is not None:
        given["tzid"] = at.tzid
    return msgspec.structs.replace(fields, **given)


def _zone_of(state: State, row: Row) -> str:
    calendar = state.calendars.get(row.calendar_id)
    return calendar.tzid if calendar is not None else "UTC"


def _with_texts(row: Row, fields: EventFields) -> Row:
    given = {name: getattr(fields, name) for name in _TEXTS}
    return msgspec.structs.replace(row, **{name: value for name, value in given.items() if value is not UNSET})


def _with_times(state: State, row: Row, fields: EventFields) -> Row:
    if all(getattr(fields, name) is UNSET for name in _TIMES):
        return row
    at = times.when(fields, When.of(row), _zone_of(state, row))
    return _ending(msgspec.structs.replace(row, **at._asdict()))


def _ending(row: Row) -> Row:
    """A row whose span is not that of a series: it ends with the event. A series gets its own from `times.checked`."""
    return row if row.recurs else msgspec.structs.replace(row, span_end=row.end_time)


def _told_of_instance(state: State, master: Row, recurrence_id: datetime, fields: EventFields) -> EventFields:
    """Times that were told of one instance, said of the first one instead."""
    if all(getattr(fields, name) is UNSET for name in _TIMES):
        return fields
    instance = _instance(master, recurrence_id)
    moved = _with_times(state, instance, fields)
    shift = Shift(When.of(instance), When.of(moved))
    start = shift.to(master.start_time)
    end = start + (moved.end_time - moved.start_time)
    return _with_all_times(fields, When.of(moved)._replace(start_time=start, end_time=end))


def _put_revised(state: State, old: Row, revised: Row, fields: EventFields) -> None:
    """The row as it is to be, with the attendees and wishes that the fields give."""
    revised = _revised(old, revised)
    guests = state.guests[old.id]
    if fields.attendees is not UNSET:
        named = tuple(_guests(state, fields.attendees, old.organizer_id))
        guests = _replaced_guests(guests, named)
    if any(getattr(revised, name) != getattr(old, name) for name in _WHEN):
        guests = tuple(_asked_again(one, old.organizer_id) for one in guests)
    state.put(revised, guests, _wishes(state, state.wishes[old.id], fields))


def _revised(old: Row, new: Row) -> Row:
    """With the next SEQUENCE when what changed matters to those invited."""
    if any(getattr(new, name) != getattr(old, name) for name in _SIGNIFICANT):
        return msgspec.structs.replace(new, sequence=old.sequence + 1)
    return new


def _carry_over(
    state: State,
    was: LoadedEvent,
    new: Row,
    fields: EventFields,
    *,
    since: datetime | None = None,
    meant: Row | None = None,
) -> None:
    """Exceptions of a series, those from `since` on, after it changed from what it `was` to `new`. To the one that was
    `meant` the fields were told, as to the series."""
    old = was.event
    for one in state.deleted_overrides(old.id):
        # They go along, so that they are found when their instance is restored.
        if since is None or _replaced(one) >= since:
            replaced = times.moved_instance(old, new, _replaced(one))
            moved = msgspec.structs.replace(one, series_id=new.id, uid=new.uid, recurrence_id=replaced)
            if moved != one:
                state.put(moved)
    for one in state.overrides(old.id):
        if since is not None and _replaced(one) < since:
            continue
        replaced = times.moved_instance(old, new, _replaced(one))
        if not new.recurs or replaced in new.exdates or not times.has_instance(new, replaced):
            state.put(msgspec.structs.replace(one, deleted_at=state.now))
            continue
        told = fields if one is meant else EventFields()
        kept = _carried(one, old, new, replaced, told)
        guests = _carried_guests(state, one, was, fields, told)
        if any(getattr(kept, name) != getattr(one, name) for name in _WHEN):
            guests = tuple(_asked_again(guest, one.organizer_id) for guest in guests)
        wishes = _carried_wishes(state, one, was, fields, told)
        if kept != one or guests != state.guests[one.id] or wishes != state.wishes[one.id]:
            state.put(_revised(one, kept), guests, wishes)


def _carried(one: Row, old: Row, new: Row, replaced: datetime, told: EventFields) -> Row:
    """An exception whose instance is at `replaced` now. What it has of its own stays, unless it was told otherwise."""
    texts = {
        name: getattr(new, name)
        for name in _TEXTS
        if getattr(one, name) == getattr(old, name) or getattr(told, name) is not UNSET
    }
    kept = msgspec.structs.replace(one, series_id=new.id, uid=new.uid, recurrence_id=replaced, **texts)
    length = old.end_time - old.start_time
    is_at_its_place = (one.start_time, one.end_time) == (_replaced(one), _replaced(one) + length)
    if is_at_its_place or any(getattr(told, name) is not UNSET for name in _TIMES):
        at = When.of(new)._replace(start_time=replaced, end_time=replaced + (new.end_time - new.start_time))
        kept = msgspec.structs.replace(kept, **at._asdict())
    if not kept.this_and_future:
        return _ending(kept)
    return kept if kept == one else msgspec.structs.replace(kept, span_end=_reach(kept, new))


def _reach(override: Row, master: Row) -> datetime | None:
    """As far as an exception with RANGE=THISANDFUTURE moves instances: the end of the series, moved as it moves
    them."""
    if master.span_end is None:
        return None
    later = max(override.end_time - _replaced(override), timedelta(0))
    return max(override.end_time, master.span_end + later + times.CLOCK_SLACK)


def _carried_guests(
    state: State, override: Row, was: LoadedEvent, fields: EventFields, told: EventFields
) -> tuple[Guest, ...]:
    """Those of an exception: who came to its series or went from it comes and goes here too, its own guests stay."""
    guests = state.guests[override.id]
    if fields.attendees is UNSET:
        return guests
    named = tuple(_guests(state, fields.attendees, override.organizer_id))
    if told.attendees is UNSET:
        of_series = {one.email for one in was.attendees}
        own = {one.email for one in guests}
        emails = {one.email for one in named}
        came = (one for one in named if one.email in own or one.email not in of_series)
        named = (*came, *(one for one in guests if one.email not in of_series | emails))
    return _changed_guests(_replaced_guests(guests, named), (), frozenset())


def _carried_wishes(
    state: State, override: Row, was: LoadedEvent, fields: EventFields, told: EventFields
) -> tuple[Wish, ...]:
    """What an exception wants: what its series wants, as long as it wanted the same before."""
    wishes = state.wishes[override.id]
    is_as_its_series = {one.resource_id for one in wishes} == {one.resource_id for one in was.wishes}
    if told.resource_ids is UNSET and not is_as_its_series:
        fields = msgspec.structs.replace(fields, resource_ids=UNSET)
    return _wishes(state, wishes, fields)


def _replaced(override: Row) -> datetime:
    assert override.recurrence_id is not None
    return override.recurrence_id


# Attendees and wishes


def _guests(state: State, invitees: Sequence[Invitee], organizer_id: UUID) -> Iterable[Guest]:
    """Who is invited by these words. Problem with the field of the one that is wrong."""
    seen: set[str] = set()
    for n, one in enumerate(invitees):
        field = f"body.attendees[{n}]"
        if one.user_id is not None:
            person = state.people.get(one.user_id)
            if person is None:
                detail = "there is no such person"
                raise Problem(Code.NOT_FOUND, f"{field}.user_id: {detail}", faults=(Fault(f"{field}.user_id", detail),))
            if one.email is not None and checked_email(one.email, f"{field}.email") != person.email:
                raise invalid(f"{field}.email", "expected none, or that of the person")
            email = person.email
        elif one.email is not None:
            email = checked_email(one.email, f"{field}.email")
            person = state.people_by_email.get(email)
        else:
            raise invalid(field, "expected an email or a user_id")
        if email in seen:
            raise invalid(field, "expected everybody once")
        seen.add(email)
        own_name = None if person is not None and person.name == one.name else one.name
        user_id = None if person is None else person.id
        answer: ResponseStatus = "ACCEPTED" if user_id == organizer_id else "NEEDS_ACTION"
        yield Guest(email, user_id, own_name, answer, one.is_optional, None, None, None)


def _replaced_guests(there: Sequence[Guest], named: Sequence[Guest]) -> tuple[Guest, ...]:
    """Those who are named: who was invited already keeps their answer."""
    known = {one.email: one for one in there}
    kept = []
    for one in named:
        before = known.get(one.email)
        if before is not None:
            name = before.name if one.name is None else one.name
            one = msgspec.structs.replace(before, name=name, is_optional=one.is_optional)
        kept.append(one)
    return tuple(kept)


def _changed_guests(there: Sequence[Guest], add: Sequence[Guest], gone: frozenset[str]) -> tuple[Guest, ...]:
    known = {one.email for one in there}
    guests = (*(one for one in there if one.email not in gone), *(one for one in add if one.email not in known))
    if len(guests) > ATTENDEES_MAX:
        raise invalid("body.attendees", f"expected at most {ATTENDEES_MAX} attendees of one event")
    return guests


def _asked_again(guest: Guest, organizer_id: UUID) -> Guest:
    """Whose answer was to another time; the organizer chose the new one and need not ask themself."""
    if guest.user_id == organizer_id:
        return guest
    return msgspec.structs.replace(guest, response_status="NEEDS_ACTION", comment=None, responded_at=None)


def _asked_first(guest: Guest, organizer_id: UUID) -> Guest:
    """Invited to an event that is new."""
    answer: ResponseStatus = "ACCEPTED" if guest.user_id == organizer_id else "NEEDS_ACTION"
    return msgspec.structs.replace(guest, response_status=answer, comment=None, responded_at=None, created_at=None)


def _wishes(state: State, there: Sequence[Wish], fields: EventFields) -> tuple[Wish, ...]:
    """What the event wants after `fields`. Problem when there is no such resource, or not for this viewer."""
    wishes = tuple(there)
    if fields.resource_ids is not UNSET:
        policy = there[0].policy if there else "ALL"
        known = {one.resource_id: one for one in there}
        wanted: dict[UUID, Wish] = {}
        for n, resource_id in enumerate(fields.resource_ids):
            field = f"body.resource_ids[{n}]"
            if resource_id in wanted:
                raise invalid(field, "expected each resource once")
            if resource_id not in known:
                _bookable(state, resource_id, field)
            wanted[resource_id] = known.get(resource_id) or Wish(resource_id, policy)
        wishes = tuple(wanted.values())
    if fields.booking_policy is not UNSET:
        wishes = tuple(msgspec.structs.replace(one, policy=fields.booking_policy) for one in wishes)
    return wishes


def _bookable(state: State, resource_id: UUID, field: str) -> None:
    found = state.resources.get(resource_id)
    if found is None or found.is_deleted:
        detail = "there is no such resource"
        raise Problem(Code.NOT_FOUND, f"{field}: {detail}", faults=(Fault(field, detail),))
    if not may_book(found.resource.booking, found.role, state.viewer):
        detail = "you may not book this resource"
        raise Problem(Code.FORBIDDEN, f"{field}: {detail}", faults=(Fault(field, detail),))


def _unbooked(wish: Wish) -> Wish:
    return msgspec.structs.replace(wish, booked_until=None)
