"""Reading resources and their availability. Every signed-in person may see which rooms there are and when they are
free; who booked them, and for what, is not here."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from operator import attrgetter
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from yotei.cache.key import UnitLoad
from yotei.cache.reads import Reads, cached
from yotei.errors import Code, Problem, invalid, not_found
from yotei.resources import access, keys, rows
from yotei.resources.keys import Directory, Hold, Known
from yotei.resources.resource import Availability, Kind, Period, Resource, ResourceMember
from yotei.storage.pool import Source
from yotei.users.user import WEEKDAYS, Hours, Viewer

RESOURCES_MAX: Final = 200
"""Resources in one answer about availability."""
BATCH_MAX: Final = 1_000
"""Resources that one batched read may ask for."""
RESOURCE_DAYS_MAX: Final = RESOURCES_MAX * 366
"""Days times resources of one batched read of availability."""
MEMBERS_MAX: Final = 1_000
"""Members of one resource in one answer."""


_PLACE: Final = attrgetter("name", "id")


class Wanted(msgspec.Struct, frozen=True):
    """Which resources: by id, or all that fit. `features` must all be there."""

    ids: tuple[UUID, ...] | None = None
    kind: Kind | None = None
    seats_min: int | None = None
    features: tuple[str, ...] = ()

    @property
    def filters(self) -> bool:
        return self.kind is not None or self.seats_min is not None or bool(self.features)


class After(msgspec.Struct, frozen=True):
    """Where the page before ended in the order by name and id."""

    name: str
    id: UUID


async def list_all(
    source: Source, viewer: Viewer, wanted: Wanted, *, after: After | None, limit: int
) -> tuple[list[Resource], After | None]:
    """Resources by name, and where to go on. One statement."""
    viewer.need("read")
    if isinstance(source, Reads):
        listed = await source.consistently(lambda: _listed(source, wanted))
        if listed is not None:
            return _paged(listed, after, limit)
    found = await rows.list_resources(
        source,
        kind=wanted.kind,
        seats_min=wanted.seats_min,
        features=wanted.features,
        after=(after.name, after.id) if after else None,
        limit=limit + 1,
    )
    last = found[limit - 1] if len(found) > limit else None
    return found[:limit], After(last.name, last.id) if last else None


async def _listed(reads: Reads, wanted: Wanted, days: Sequence[date] = ()) -> list[Resource] | None:
    """From the units: all that fit, by name and id; None where they are too many. With them come these days."""
    load: UnitLoad = partial(rows.load_resources, directory_days=days)
    directory: Directory = (await reads.get_many([keys.directory()], load))[0]
    if directory.all is None:
        return None
    known: list[Known | None] = await reads.get_many(list(map(keys.profile, directory.all)), load)
    found = (one.resource for one in known if one is not None and not one.is_deleted)
    return sorted((one for one in found if _fits(one, wanted)), key=_PLACE)


def _fits(one: Resource, wanted: Wanted) -> bool:
    return (
        (wanted.kind is None or one.kind == wanted.kind)
        and (wanted.seats_min is None or (one.seats is not None and one.seats >= wanted.seats_min))
        and set(wanted.features) <= set(one.features)
    )


def _paged(listed: list[Resource], after: After | None, limit: int) -> tuple[list[Resource], After | None]:
    left = [one for one in listed if after is None or _PLACE(one) > (after.name, after.id)]
    shown = left[:limit]
    return shown, After(shown[-1].name, shown[-1].id) if len(left) > limit else None


async def get(source: Source, viewer: Viewer, resource_id: UUID) -> Resource:
    """One resource; Problem `not_found`. One statement."""
    found = (await get_many(source, viewer, [resource_id]))[0]
    if found is None:
        raise not_found("resource")
    return found


async def get_many(source: Source, viewer: Viewer, ids: Sequence[UUID]) -> list[Resource | None]:
    """Resources in the order asked for, None where there is none. One statement."""
    viewer.need("read")
    assert len(ids) <= BATCH_MAX
    found: list[Known | None] = await cached(source, list(map(keys.profile, ids)), rows.load_resources)
    return [None if one is None or one.is_deleted else one.resource for one in found]


async def members(source: Source, viewer: Viewer, resource_id: UUID) -> tuple[ResourceMember, ...]:
    """Who may book a resource of members, managers first, for those who look after it. One statement."""
    found = (await members_of_many(source, viewer, [resource_id]))[0]
    if found is None:
        raise not_found("resource")
    if isinstance(found, Problem):
        raise found
    return found


async def members_of_many(
    source: Source, viewer: Viewer, ids: Sequence[UUID], limit_each: int = MEMBERS_MAX
) -> list[tuple[ResourceMember, ...] | Problem | None]:
    """The same of several resources, in their order: None where there is no resource, Problem `forbidden` for one that
    the viewer does not look after. One statement."""
    viewer.need("read")
    assert len(ids) <= BATCH_MAX
    found = await rows.list_resource_members(source, viewer.user_id, ids, limit_each)
    return [None if (one := found.get(id_)) is None else _shown_members(viewer, *one) for id_ in ids]


def _shown_members(
    viewer: Viewer, role: str | None, found: Sequence[ResourceMember]
) -> tuple[ResourceMember, ...] | Problem:
    if not access.may_manage(role, viewer):
        return Problem(Code.FORBIDDEN, "Only administrators and managers of a resource see its members.")
    return tuple(found)


async def availability(
    source: Source,
    viewer: Viewer,
    wanted: Wanted,
    start: datetime,
    end: datetime,
    *,
    slot_minutes: int = 0,
    after: After | None = None,
) -> tuple[list[Availability], After | None]:
    """When each resource is taken and free from `start` to `end`, by name, and where to go on. One statement.

    Free slots shorter than `slot_minutes` are left out. By id, the order is that of the ids, without those not there.
    """
    viewer.need("read")
    assert wanted.ids is None or len(wanted.ids) <= RESOURCES_MAX
    window, slot = Period(start, end), timedelta(minutes=slot_minutes)
    if isinstance(source, Reads) and wanted.ids is None:
        page = await source.consistently(lambda: _blocked_page(source, wanted, start, end, after))
        if page is not None:
            blocked, more = page
            return [_availability(one, window, slot) for one in blocked.values()], more
    elif wanted.ids is not None and after is None and not wanted.filters:
        known = await _blocked(source, wanted.ids, start, end)
        if known is not None:
            return [_availability(known[one], window, slot) for one in dict.fromkeys(wanted.ids) if one in known], None
    found = await rows.select_availability(
        source,
        ids=wanted.ids,
        kind=wanted.kind,
        seats_min=wanted.seats_min,
        features=wanted.features,
        start=start,
        end=end,
        after=(after.name, after.id) if after else None,
        limit=RESOURCES_MAX + 1,
    )
    if wanted.ids is not None:
        place = {id_: n for n, id_ in enumerate(wanted.ids)}
        found = tuple(sorted(found, key=lambda one: place[one.resource.id]))
    shown = found[:RESOURCES_MAX]
    more = After(shown[-1].resource.name, shown[-1].resource.id) if len(found) > RESOURCES_MAX else None
    return [_availability(one, window, slot) for one in shown], more


async def availability_of(
    source: Source,
    viewer: Viewer,
    ids: Sequence[UUID],
    start: datetime,
    end: datetime,
    *,
    slot_minutes: int = 0,
    where: str = "body",
) -> list[Availability | None]:
    """When each of these is taken and free, in the order asked for, None where there is none. One statement.

    Problem `invalid_window` when there are too many for so long a time; `where` that was given.
    """
    viewer.need("read")
    assert len(ids) <= BATCH_MAX
    days_max = RESOURCE_DAYS_MAX // len(ids)
    if end - start > timedelta(days=days_max, hours=26):
        raise invalid(
            f"{where}.end", f"expected at most {days_max} days after start for {len(ids)} ids", code=Code.INVALID_WINDOW
        )
    blocked = await _blocked(source, ids, start, end)
    if blocked is None:
        found = await rows.select_availability(
            source,
            ids=tuple(dict.fromkeys(ids)),
            kind=None,
            seats_min=None,
            features=(),
            start=start,
            end=end,
            after=None,
            limit=len(ids),
        )
        blocked = {one.resource.id: one for one in found}
    window, slot = Period(start, end), timedelta(minutes=slot_minutes)
    by_id = {id_: _availability(one, window, slot) for id_, one in blocked.items()}
    return [by_id.get(one) for one in ids]


async def _blocked(
    source: Source, ids: Sequence[UUID], start: datetime, end: datetime
) -> dict[UUID, rows.Blocked] | None:
    """What `select_availability` finds of these, from the units; None where there is no cache, where they are too many,
    or where they change too fast."""
    if not isinstance(source, Reads) or not ids:
        return None
    return await source.consistently(lambda: _blocked_by_units(source, list(dict.fromkeys(ids)), start, end))


async def _blocked_page(
    reads: Reads, wanted: Wanted, start: datetime, end: datetime, after: After | None
) -> tuple[dict[UUID, rows.Blocked], After | None] | None:
    """The same of those that fit, by name and id, and where to go on."""
    listed = await _listed(reads, wanted, list(keys.days(start, end)))
    if listed is None:
        return None
    page, more = _paged(listed, after, RESOURCES_MAX)
    blocked = await _blocked_by_units(reads, [one.id for one in page], start, end)
    return None if blocked is None else (blocked, more)


async def _blocked_by_units(
    reads: Reads, ids: Sequence[UUID], start: datetime, end: datetime
) -> dict[UUID, rows.Blocked] | None:
    days = list(keys.days(start, end))
    if len(ids) * len(days) > rows.UNITS_MAX:
        return None
    units = [keys.availability(one, day) for one in ids for day in days]
    holds: list[tuple[Hold, ...] | None] = await reads.get_many(units, rows.load_resources)
    known: list[Known | None] = await reads.get_many(list(map(keys.profile, ids)), rows.load_resources)
    return {
        one.resource.id: rows.Blocked(one.resource, _touching(holds[n * len(days) : (n + 1) * len(days)], start, end))
        for n, one in enumerate(known)
        if one is not None and not one.is_deleted
    }


def _touching(days: Sequence[tuple[Hold, ...] | None], start: datetime, end: datetime) -> tuple[Period, ...]:
    """The periods of these days within the window; one that goes over midnight is in both and counts once."""
    held = {hold.id: hold for day in days for hold in day or () if hold.start < end and hold.end > start}
    return tuple(Period(one.start, one.end) for one in sorted(held.values(), key=attrgetter("start", "end")))


def _availability(one: rows.Blocked, window: Period, slot: timedelta) -> Availability:
    busy = tuple(fully_taken(one.blocked, one.resource.concurrent_bookings, window))
    free = tuple(
        period
        for period in subtract(open_periods(one.resource, window), busy)
        if period.end - period.start >= max(slot, timedelta(seconds=1))
    )
    return Availability(one.resource, not busy and free == (window,), busy, free)


def fully_taken(blocked: Iterable[Period], units: int, window: Period) -> Iterator[Period]:
    """The parts of the window in which at least `units` of the blocked periods hold at once, joined."""
    steps: dict[datetime, int] = {window.start: 0, window.end: 0}
    for period in blocked:
        start, end = max(period.start, window.start), min(period.end, window.end)
        steps[start] = steps.get(start, 0) + 1
        steps[end] = steps.get(end, 0) - 1
    taken = 0
    since: datetime | None = None
    for at in sorted(steps):
        taken += steps[at]
        if taken >= units and since is None:
            since = at
        elif taken < units and since is not None:
            yield Period(since, at)
            since = None


def subtract(periods: Iterable[Period], taken: Sequence[Period]) -> Iterator[Period]:
    """What is left of the periods; both by start, neither overlapping itself."""
    first = 0
    for period in periods:
        start = period.start
        while first < len(taken) and taken[first].end <= start:
            first += 1
        at = first
        while at < len(taken) and taken[at].start < period.end:
            if taken[at].start > start:
                yield Period(start, taken[at].start)
            start = taken[at].end
            at += 1
        if start < period.end:
            yield Period(start, period.end)


def open_periods(resource: Resource, window: Period) -> Iterator[Period]:
    """When the resource is open within the window, by its own clock; touching periods are joined."""
    if resource.opening_hours is None:
        yield window
    else:
        yield from periods_of(resource.opening_hours, ZoneInfo(resource.tzid), window)


def periods_of(hours: Hours, zone: ZoneInfo, window: Period) -> Iterator[Period]:
    """The periods of hours by the clock of a zone within the window; touching periods are joined."""
    first, last = window.start.astimezone(zone).date(), window.end.astimezone(zone).date()
    held: Period | None = None
    for day in range((last - first).days + 1):
        the_day = first + timedelta(days=day)
        for opens, closes in hours.get(WEEKDAYS[the_day.weekday()], ()):
            start, end = max(_at(the_day, opens, zone), window.start), min(_at(the_day, closes, zone), window.end)
            if start >= end:
                continue
            if held is not None and held.end >= start:
                held = Period(held.start, max(held.end, end))
                continue
            if held is not None:
                yield held
            held = Period(start, end)
    if held is not None:
        yield held


def _at(day: date, clock: str, zone: ZoneInfo) -> datetime:
    hours, minutes = map(int, clock.split(":"))
    midnight = datetime.combine(day + timedelta(days=hours // 24), time(hours % 24, minutes))
    return midnight.replace(tzinfo=zone).astimezone(UTC)
