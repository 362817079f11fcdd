"""Which periods events need of their resources, and who gets what: pure arithmetic over what is taken.

Wants are served in the order of the operations, what is held already and still wanted is kept. The database has the
last word: a period that somebody else took meanwhile is refused by `reservations_no_double_booking`, and the whole is
done anew.

A series is booked instance by instance up to a horizon; `extend` in `write` moves the horizon on. With the policy
PARTIAL an instance that cannot be had becomes a row of status MISSED, which says so; with ALL the operation is
refused.
"""

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from yotei.errors import Code, Fault, Problem, invalid
from yotei.events.state import Row, State, Wish
from yotei.ical import TooManyInstances
from yotei.ical import recurrence as ical
from yotei.resources.read import open_periods
from yotei.resources.resource import Period, Resource
from yotei.storage.ids import uuid7

INSTANCES_MAX: Final = 2_000
"""Instances of one series that are booked at a time."""
CONFLICTS_TOLD_MAX: Final = 100

_BOOKED_BY: Final = (
    *("start_time", "end_time", "all_day", "floating", "tzid", "rrule", "rdates", "exdates", "recurrence_id"),
    *("status", "deleted_at"),
)


class Held(msgspec.Struct, frozen=True):
    """A row of `reservations`."""

    id: UUID
    resource_id: UUID
    unit: int
    event_id: UUID
    recurrence_id: datetime | None
    start_time: datetime
    end_time: datetime
    blocked_from: datetime
    blocked_until: datetime
    status: str


class Taken(msgspec.Struct, frozen=True):
    """A period in which somebody else has a unit of a resource, set-up and tear-down included."""

    resource_id: UUID
    unit: int
    blocked_from: datetime
    blocked_until: datetime


class Want(NamedTuple):
    """A period that an event needs of a resource."""

    event_id: UUID
    resource_id: UUID
    recurrence_id: datetime | None
    start_time: datetime
    end_time: datetime
    takes_whole_days: bool


class Conflict(msgspec.Struct, frozen=True):
    """A period that could not be had, and the booking in its way; nothing tells whose that is. Closed: by its hours."""

    resource_id: UUID
    recurrence_id: datetime | None
    start: datetime
    end: datetime
    is_closed: bool
    taken: Period | None


class Bookings(NamedTuple):
    """What is to be written: reservations given up, reservations made, and how far each wish is served."""

    released: list[Held]
    made: list[Held]
    wishes: dict[UUID, tuple[Wish, ...]]


def concerned(state: State) -> list[UUID]:
    """Events whose bookings may have to change, in the order in which operations touched them."""
    found: dict[UUID, None] = {}
    for id_ in sorted(state.touched_by, key=lambda one: state.touched_by[one]):
        row, before = state.rows[id_], state.before.get(id_)
        wishes = state.wishes[id_]
        if (
            before is not None
            and wishes == before.wishes
            and all(getattr(row, name) == getattr(before.event, name) for name in _BOOKED_BY)
        ):
            continue
        if wishes or (before is not None and before.wishes):
            found[id_] = None
        # What an instance holds by itself its series does not.
        if row.series_id is not None and state.wishes.get(row.series_id):
            found[row.series_id] = None
    return list(found)


def wants(
    state: State, event_ids: Iterable[UUID], horizon: datetime
) -> tuple[list[Want], dict[UUID, datetime | None], dict[int, Problem]]:
    """The periods that events need, up to where each of these events is booked (None: to its end), and the operations
    that ask for what cannot be booked."""
    found: list[Want] = []
    until: dict[UUID, datetime | None] = {}
    refused: dict[int, Problem] = {}
    for id_ in event_ids:
        row = state.rows[id_]
        until[id_] = None
        wished = state.wishes[id_]
        if not wished or not _takes_place(state, row):
            continue
        try:
            periods = list(_periods(state, row, horizon))
        except Problem as problem:
            refused[state.touched_by.get(id_, 0)] = problem
            continue
        if row.recurs and (row.span_end is None or row.span_end > horizon):
            until[id_] = horizon
        for wish in wished:
            resource = state.resources[wish.resource_id].resource
            for recurrence_id, start, end in periods:
                if row.on_wall_clock:
                    start, end = _by_the_clock_of(resource, start), _by_the_clock_of(resource, end)
                found.append(Want(id_, wish.resource_id, recurrence_id, start, end, row.all_day))
    return found, until, refused


def _takes_place(state: State, row: Row) -> bool:
    calendar = state.calendars.get(row.calendar_id)
    return row.deleted_at is None and row.status != "CANCELLED" and calendar is not None and not calendar.is_deleted


_Period = tuple[datetime | None, datetime, datetime]


def _periods(state: State, row: Row, horizon: datetime) -> Iterator[_Period]:
    """When an event needs its resources; of a series the instances from now to the horizon, without those that have an
    override: they hold rooms by themselves. Problem `invalid_request`."""
    if row.end_time <= row.start_time:
        raise invalid("body.end_time", "expected a time after start_time, to hold a room")
    if not row.recurs:
        yield None, row.start_time, row.end_time
        return
    overrides = state.overrides(row.id)
    replaced = {one.recurrence_id for one in overrides}
    try:
        found = ical.expand(
            row.series(), [one.override() for one in overrides], state.now, horizon, limit=INSTANCES_MAX
        )
    except TooManyInstances:
        detail = f"expected at most {INSTANCES_MAX} instances until {horizon:%Y-%m-%d}, to hold a room"
        raise invalid("body.rrule", detail, code=Code.INVALID_RECURRENCE) from None
    for one in found:
        if one.recurrence_id not in replaced and not one.cancelled:
            yield one.recurrence_id, one.start_time, one.end_time


def _by_the_clock_of(resource: Resource, wall: datetime) -> datetime:
    return wall.replace(tzinfo=ZoneInfo(resource.tzid)).astimezone(UTC)


def assign(
    state: State,
    wanted: Sequence[Want],
    held: Sequence[Held],
    taken: Sequence[Taken],
    until: Mapping[UUID, datetime | None],
    *,
    refuse: bool = True,
) -> tuple[Bookings, dict[int, Problem]]:
    """Who gets what; and the operations that are refused because of a wish with the policy ALL, unless `refuse` is
    off."""
    units = _Units()
    for one in taken:
        units.take(one.resource_id, one.unit, one.blocked_from, one.blocked_until)
    kept, past, released = _split(state, wanted, held)
    for kept_one in (*kept.values(), *past):
        units.take(kept_one.resource_id, kept_one.unit, kept_one.blocked_from, kept_one.blocked_until)
    before = {_key(one): one for one in released}
    made: list[Held] = []
    refused: defaultdict[int, list[Conflict]] = defaultdict(list)
    for want in wanted:
        if _place(want) in kept:
            continue
        wish = next(one for one in state.wishes[want.event_id] if one.resource_id == want.resource_id)
        found = state.resources[want.resource_id]
        resource = found.resource
        last = before.get((want.event_id, want.resource_id, want.recurrence_id))
        reservation = _reservation(want, resource)
        unit = None
        if not found.is_deleted and (want.takes_whole_days or _is_open(resource, want)):
            unit = units.find(reservation, resource.concurrent_bookings, last.unit if last is not None else 1)
        if unit is not None:
            made.append(msgspec.structs.replace(reservation, unit=unit))
            units.take(want.resource_id, unit, reservation.blocked_from, reservation.blocked_until)
        elif wish.policy == "ALL" and refuse:
            way = units.in_the_way(reservation)
            is_closed = way is None
            conflict = Conflict(want.resource_id, want.recurrence_id, want.start_time, want.end_time, is_closed, way)
            refused[state.touched_by[want.event_id]].append(conflict)
        else:
            made.append(msgspec.structs.replace(reservation, status="MISSED"))
    wishes = {
        id_: tuple(msgspec.structs.replace(one, booked_until=until[id_]) for one in state.wishes[id_]) for id_ in until
    }
    return Bookings(released, made, wishes), {n: _refusal(conflicts) for n, conflicts in refused.items()}


_Key = tuple[UUID, UUID, datetime | None]


def _key(one: Held) -> _Key:
    return one.event_id, one.resource_id, one.recurrence_id


def _place(want: Want) -> tuple[_Key, datetime, datetime]:
    return (want.event_id, want.resource_id, want.recurrence_id), want.start_time, want.end_time


def _split(
    state: State, wanted: Sequence[Want], held: Sequence[Held]
) -> tuple[dict[tuple[_Key, datetime, datetime], Held], list[Held], list[Held]]:
    """What is held and still wanted; the past of series that go on, which stays as it was; and what is given up."""
    needed = {_place(want) for want in wanted}
    kept: dict[tuple[_Key, datetime, datetime], Held] = {}
    past: list[Held] = []
    released: list[Held] = []
    for one in held:
        place = (_key(one), one.start_time, one.end_time)
        row = state.rows[one.event_id]
        is_past = row.recurs and one.end_time <= state.now and _takes_place(state, row)
        is_wished = any(wish.resource_id == one.resource_id for wish in state.wishes[row.id])
        if one.status == "CONFIRMED" and place in needed and place not in kept:
            kept[place] = one
        elif not (is_past and is_wished):
            released.append(one)
        elif one.status == "CONFIRMED":
            past.append(one)
    return kept, past, released


def _reservation(want: Want, resource: Resource) -> Held:
    return Held(
        id=uuid7(),
        resource_id=want.resource_id,
        unit=1,
        event_id=want.event_id,
        recurrence_id=want.recurrence_id,
        start_time=want.start_time,
        end_time=want.end_time,
        blocked_from=want.start_time - timedelta(minutes=resource.setup_minutes),
        blocked_until=want.end_time + timedelta(minutes=resource.teardown_minutes),
        status="CONFIRMED",
    )


def _is_open(resource: Resource, want: Want) -> bool:
    period = Period(want.start_time, want.end_time)
    return list(open_periods(resource, period)) == [period]


class _Units:
    """When each unit of each resource is taken. Periods of one unit never overlap, so they are in one order."""

    def __init__(self) -> None:
        self._periods: defaultdict[tuple[UUID, int], list[tuple[datetime, datetime]]] = defaultdict(list)

    def take(self, resource_id: UUID, unit: int, start: datetime, end: datetime) -> None:
        insort(self._periods[resource_id, unit], (start, end))

    def find(self, one: Held, units: int, first: int) -> int | None:
        """A unit that is free, `first` by preference."""
        candidates = (first, *(n for n in range(1, units + 1) if n != first)) if first <= units else range(1, units + 1)
        return next((n for n in candidates if self._overlapping(one, n) is None), None)

    def in_the_way(self, one: Held) -> Period | None:
        found = (self._overlapping(one, n) for resource_id, n in list(self._periods) if resource_id == one.resource_id)
        return min((period for period in found if period is not None), default=None)

    def _overlapping(self, one: Held, unit: int) -> Period | None:
        periods = self._periods[one.resource_id, unit]
        at = bisect_left(periods, (one.blocked_until,))
        # Only the last one that begins before this one ends can reach into it.
        if at and periods[at - 1][1] > one.blocked_from:
            return Period(*periods[at - 1])
        return None


def _refusal(conflicts: Sequence[Conflict]) -> Problem:
    resource_ids = {one.resource_id for one in conflicts}
    code = Code.ROOM_CLOSED if all(one.is_closed for one in conflicts) else Code.ROOM_TAKEN
    what = "taken" if code is Code.ROOM_TAKEN else "closed"
    periods = f"{len(conflicts)} period{'s' if len(conflicts) > 1 else ''}"
    rooms = f"{len(resource_ids)} resource{'s' if len(resource_ids) > 1 else ''}"
    detail = f"{rooms} {'are' if len(resource_ids) > 1 else 'is'} {what}: {periods} cannot be had."
    fault = Fault("body.resource_ids", f"{what} at that time")
    return Problem(code, detail, faults=(fault,), more={"conflicts": tuple(conflicts[:CONFLICTS_TOLD_MAX])})
