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
from collections.abc import Container, Iterable, Mapping, Sequence
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
HALVINGS_MAX: Final = 10
"""How often the way to the horizon is halved, to find how far a series of more instances can be booked."""
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
    state: State, event_ids: Iterable[UUID], horizon: datetime, *, refuse: bool = True
) -> tuple[list[Want], dict[UUID, datetime | None], dict[int, Problem]]:
    """The periods that events need, up to where each of these events is booked (None: to its end), and the operations
    that ask for what cannot be booked. A series that is there already and came to have too many instances is booked as
    far as the bound allows."""
    found: list[Want] = []
    until: dict[UUID, datetime | None] = {}
    refused: dict[int, Problem] = {}
    for id_ in event_ids:
        row = state.rows[id_]
        until[id_] = None
        wished = state.wishes[id_]
        if not wished or not _takes_place(state, row):
            continue
        if row.end_time <= row.start_time:
            problem = invalid("body.end_time", "expected a time after start_time, to hold a room")
            refused[state.touched_by.get(id_, 0)] = problem
            continue
        reach = horizon
        periods = _periods(state, row, reach)
        if periods is None and refuse and _asks_anew(state, row):
            detail = f"expected at most {INSTANCES_MAX} instances until {horizon:%Y-%m-%d}, to hold a room"
            refused[state.touched_by[id_]] = invalid("body.rrule", detail, code=Code.INVALID_RECURRENCE)
            continue
        if periods is None:
            periods, reach = _as_many_as_allowed(state, row, horizon)
        if periods is None:
            # More than that take place at once: what is held stays.
            del until[id_]
            continue
        if row.recurs and (row.span_end is None or row.span_end > reach):
            until[id_] = reach
        for wish in wished:
            resource = state.resources[wish.resource_id].resource
            for recurrence_id, start, end in periods:
                if row.on_wall_clock:
                    start, end = _by_the_clock_of(resource, start), _by_the_clock_of(resource, end)
                found.append(Want(id_, wish.resource_id, recurrence_id, start, end, row.all_day))
    return found, until, refused


def _asks_anew(state: State, row: Row) -> bool:
    """Whether an operation says when a series takes place, or what it wants. Instances taken out of it do not count."""
    before = state.before.get(row.id)
    if row.id not in state.touched_by or before is None:
        return row.id in state.touched_by
    wanted = {one.resource_id for one in state.wishes[row.id]}
    if wanted != {one.resource_id for one in before.wishes}:
        return True
    return any(getattr(row, name) != getattr(before.event, name) for name in _BOOKED_BY if name != "exdates")


def _takes_place(state: State, row: Row) -> bool:
    calendar = state.calendars.get(row.calendar_id)
    return row.deleted_at is None and row.status != "CANCELLED" and calendar is not None and not calendar.is_deleted


_Period = tuple[datetime | None, datetime, datetime]


def _periods(state: State, row: Row, horizon: datetime) -> list[_Period] | None:
    """When an event needs its resources; of a series the instances from now to the horizon, without those that have an
    override: they hold rooms by themselves. None where these are too many."""
    if not row.recurs:
        return [(None, row.start_time, row.end_time)]
    overrides = state.overrides(row.id)
    replaced = {one.recurrence_id for one in overrides}
    try:
        found = ical.expand(
            row.series(), [one.override() for one in overrides], state.now, horizon, limit=INSTANCES_MAX
        )
    except TooManyInstances:
        return None
    return [
        (one.recurrence_id, one.start_time, one.end_time)
        for one in found
        if one.recurrence_id not in replaced and not one.cancelled
    ]


def _as_many_as_allowed(state: State, row: Row, horizon: datetime) -> tuple[list[_Period] | None, datetime]:
    """The periods until about where the bound is reached, and where that is."""
    found, reach, too_far = None, state.now, horizon
    for _ in range(HALVINGS_MAX):
        middle = reach + (too_far - reach) / 2
        periods = _periods(state, row, middle)
        if periods is None:
            too_far = middle
        else:
            found, reach = periods, middle
    return found, reach


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
    there = _split(state, wanted, held, until)
    for kept_one in (*there.kept.values(), *there.past):
        units.take(kept_one.resource_id, kept_one.unit, kept_one.blocked_from, kept_one.blocked_until)
    released = list(there.released)
    before = {_key(one): one for one in released}
    missed_before = _missed_before(state, held)
    made: list[Held] = []
    refused: defaultdict[int, list[Conflict]] = defaultdict(list)
    for want in wanted:
        place = _place(want)
        if place in there.kept:
            continue
        wish = next(one for one in state.wishes[want.event_id] if one.resource_id == want.resource_id)
        found = state.resources[want.resource_id]
        resource = found.resource
        last = before.get(place[0])
        reservation = _reservation(want, resource)
        unit = None
        if not found.is_deleted and (want.takes_whole_days or _is_open(resource, want)):
            unit = units.find(reservation, resource.concurrent_bookings, last.unit if last is not None else 1)
        if unit is not None:
            made.append(msgspec.structs.replace(reservation, unit=unit))
            units.take(want.resource_id, unit, reservation.blocked_from, reservation.blocked_until)
            if place in there.missed:
                released.append(there.missed[place])
        elif refuse and _is_asked_for(state, want, wish, missed_before):
            way = units.in_the_way(reservation)
            is_closed = way is None
            conflict = Conflict(want.resource_id, want.recurrence_id, want.start_time, want.end_time, is_closed, way)
            refused[state.touched_by[want.event_id]].append(conflict)
        elif place not in there.missed:
            made.append(msgspec.structs.replace(reservation, status="MISSED"))
    wishes = {
        id_: tuple(msgspec.structs.replace(one, booked_until=until[id_]) for one in state.wishes[id_]) for id_ in until
    }
    return Bookings(released, made, wishes), {n: _refusal(conflicts) for n, conflicts in refused.items()}


_Key = tuple[UUID, UUID, datetime | None]
_Place = tuple[_Key, datetime, datetime]


def _key(one: Held) -> _Key:
    return one.event_id, one.resource_id, one.recurrence_id


def _place(want: Want) -> _Place:
    return (want.event_id, want.resource_id, want.recurrence_id), want.start_time, want.end_time


_Missed = tuple[UUID, str, datetime, datetime]


def _missed_before(state: State, held: Iterable[Held]) -> set[_Missed]:
    """What was missed already: of a resource, under a policy, when."""
    policies = {(one.event.id, wish.resource_id): wish.policy for one in state.before.values() for wish in one.wishes}
    return {
        (one.resource_id, policies.get((one.event_id, one.resource_id), ""), one.start_time, one.end_time)
        for one in held
        if one.status == "MISSED"
    }


def _is_asked_for(state: State, want: Want, wish: Wish, missed_before: Container[_Missed]) -> bool:
    """Whether an operation is refused when this cannot be had: it is when the operation wants it, under the policy ALL.
    What was missed already, and what nobody booked yet because it lay behind the horizon, is nothing to refuse for."""
    if wish.policy != "ALL" or want.event_id not in state.touched_by:
        return False
    if (want.resource_id, wish.policy, want.start_time, want.end_time) in missed_before:
        return False
    row = state.rows[want.event_id]
    is_of_series = row.recurs or row.start_time == row.recurrence_id
    return not (is_of_series and wish.booked_until is not None and want.start_time >= wish.booked_until)


class _There(NamedTuple):
    """What is held and still wanted, what was missed and is still wanted, what stays because it is past, what goes."""

    kept: dict[_Place, Held]
    missed: dict[_Place, Held]
    past: list[Held]
    released: list[Held]


def _split(state: State, wanted: Sequence[Want], held: Sequence[Held], until: Container[UUID]) -> _There:
    needed = {_place(want) for want in wanted}
    there = _There({}, {}, [], [])
    replaced = {id_: {one.recurrence_id for one in state.overrides(id_)} for id_ in {one.event_id for one in held}}
    for one in held:
        place = (_key(one), one.start_time, one.end_time)
        same = there.kept if one.status == "CONFIRMED" else there.missed
        row = state.rows[one.event_id]
        # The past of a series stays on record, but for what an exception holds by itself now.
        is_past = row.recurs and one.end_time <= state.now and one.recurrence_id not in replaced[row.id]
        is_wished = any(wish.resource_id == one.resource_id for wish in state.wishes[row.id])
        if place in needed and place not in same:
            same[place] = one
        elif row.id in until and not (is_past and is_wished and _takes_place(state, row)):
            there.released.append(one)
        elif one.status == "CONFIRMED":
            there.past.append(one)
    return there


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
