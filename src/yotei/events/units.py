"""Reads of events put together from units of the cache: what `select_events` finds, without asking it.

None stands for what has to be asked from the database: too many months, rows that no unit keeps, or units that change
faster than they are read together.
"""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import chain, islice
from operator import attrgetter
from typing import Final, cast
from uuid import UUID

import msgspec

from yotei.cache.key import Key, UnitLoad
from yotei.cache.key import Loaded as LoadedUnits
from yotei.cache.reads import Reads, hold_until
from yotei.calendars import keys as calendars
from yotei.calendars.calendar import Role
from yotei.calendars.keys import Memberships, Summary
from yotei.calendars.read import seen as seen_calendar
from yotei.events import keys, rows
from yotei.events.event import Booking, Invitation, Stored
from yotei.events.keys import Concerns, Full, Hold, Invited, Kept, Month
from yotei.events.rows import MemberCalendar, Selected, Spared
from yotei.resources import keys as resources
from yotei.resources.keys import Known
from yotei.storage.pool import Source
from yotei.users import keys as users
from yotei.users.user import Profile

MONTHS_MAX: Final = 400
"""Months, times calendars, that one answer is put together from."""
ROWS_MAX: Final = 2_000
"""Rows that one answer is put together from."""

_NO_TIME: Final = timedelta(0)

Span = tuple[datetime, datetime, datetime, datetime]
"""Start and end of what can be in a window, as instants and as wall clock."""


class Besides(msgspec.Struct, frozen=True):
    """What is asked for beside events, by ids; None is nothing, also of what the events name."""

    people: Sequence[UUID] | None = None
    calendars: Sequence[UUID] | None = None
    resources: Sequence[UUID] | None = None

    @property
    def keys(self) -> list[Key]:
        return [
            *map(users.profile, self.people or ()),
            *map(calendars.summary, self.calendars or ()),
            *map(resources.profile, self.resources or ()),
        ]


class _Part(msgspec.Struct, frozen=True, gc=False):
    """A row with what it holds in all of the months that were read; `people` are those whom it may name."""

    row: Kept
    holds: tuple[Hold, ...]
    people: tuple[UUID, ...]


async def of_calendars(
    reads: Reads, viewer_id: UUID, calendar_ids: Sequence[UUID], span: Span, besides: Besides
) -> Selected | None:
    """What lies in these calendars, those of which the viewer is a member."""
    wanted, months = list(dict.fromkeys(calendar_ids)), list(keys.months(*_reach(span)))
    if len(wanted) * len(months) > MONTHS_MAX:
        return None

    async def work() -> Selected | None:
        mine: Memberships
        mine, *found = await reads.get_many(
            [calendars.of_user(viewer_id), *_of_calendars(wanted, months)], partial(_load, reads)
        )
        if mine.all is None:
            return None
        roles = {one.calendar_id: one.role for one in mine.all}
        there = {one: units for one, units in _there(wanted, months, found).items() if one in roles}
        parts = _parts(there)
        if parts is None:
            return None
        return await _selected(reads, viewer_id, roles, there, _chosen(parts, span), span, besides)

    return await reads.consistently(work)


async def of_agenda(reads: Reads, viewer_id: UUID, span: Span, besides: Besides) -> Selected | None:
    """What lies in the viewer's calendars, and what they organise or are invited to elsewhere."""
    months = list(keys.months(*_reach(span)))
    load: UnitLoad = partial(_load, reads, agenda_months=months)

    async def work() -> Selected | None:
        mine: Memberships = (await reads.get_many([calendars.of_user(viewer_id)], load))[0]
        if mine.all is None or len(mine.all) * len(months) > MONTHS_MAX:
            return None
        roles = {one.calendar_id: one.role for one in mine.all}
        asked = [keys.invitations(viewer_id, month) for month in months]
        found = await reads.get_many([*asked, *_of_calendars(roles, months)], load)
        own = _own(found[: len(months)])
        if own is None:
            return None
        others = list(dict.fromkeys(one for one in own.values() if one not in roles))
        if (len(roles) + len(others)) * len(months) > MONTHS_MAX:
            return None
        there = _there(roles, months, found[len(months) :])
        members = frozenset(there)
        there |= _there(others, months, await reads.get_many(_of_calendars(others, months), load))
        parts = _parts(there)
        if parts is None:
            return None
        chosen = _chosen(parts, span, members=members, own=own)
        return await _selected(reads, viewer_id, roles, members, chosen, span, besides)

    return await reads.consistently(work)


async def by_ids(
    reads: Reads, viewer_id: UUID, event_ids: Sequence[UUID], span: Span, besides: Besides
) -> Selected | None:
    """These events alone; of a series the bookings in that time."""
    wanted = list(dict.fromkeys(event_ids))

    async def work() -> Selected | None:
        mine: Memberships
        mine, *found = await reads.get_many(
            [
                calendars.of_user(viewer_id),
                *map(keys.full, wanted),
                *map(keys.attendees, wanted),
                *besides.keys,
            ],
            partial(_load, reads),
        )
        if mine.all is None:
            return None
        roles = {one.calendar_id: one.role for one in mine.all}
        events: list[Full] = [one for one in found[: len(wanted)] if one is not None]
        of = list(dict.fromkeys(one.row.calendar_id for one in events))
        summaries: list[Summary | None] = await reads.get_many(list(map(calendars.summary, of)), partial(_load, reads))
        there = {one.id for one in summaries if one is not None}
        parts = [_Part(one.row, one.row.holds, one.people) for one in events if one.row.calendar_id in there]
        _hold(parts, span)
        return await _selected(reads, viewer_id, roles, set(), parts, span, besides)

    return await reads.consistently(work)


async def _load(reads: Reads, source: Source, wanted: Sequence[Key], agenda_months: Sequence[str] = ()) -> LoadedUnits:
    """Around what was changed the process mostly has all: that does not come along."""
    return await rows.load_units(source, wanted, agenda_months, _spared(reads, wanted))


def _spared(reads: Reads, wanted: Iterable[Key]) -> Spared:
    """By what these keys were when they were read last, as far as one answer is put together from that."""
    listed: dict[UUID, Kept] = {}
    single: dict[UUID, Kept | None] = {}
    named: set[UUID | None] = set()
    invited: list[tuple[Invited, ...]] = []
    for key in wanted:
        if len(listed) + len(single) >= ROWS_MAX:
            break
        last = reads.last(key)
        match key.family:
            case "calendar_events" if last is not None:
                listed.update((row.id, row) for row in last.rows or ())
                named.update(chain.from_iterable(last.people))
            case "event_full":
                single[key.id] = None if last is None else last.row
                named.update(() if last is None else last.people)
            case "event_attendees" if last is not None:
                invited.append(last)
    events = {**listed, **single}
    guests = {one: reads.last(there) for one in events if reads.holds(there := keys.attendees(one))}
    named.update(one.user_id for one in chain(*invited, *guests.values()))
    rooms = {one.resource_id for row in events.values() if row is not None for one in row.holds}
    return Spared(
        listed,
        guests,
        [one for one in named if one is not None and reads.holds(users.profile(one))],
        [one for one in rooms if reads.holds(resources.profile(one))],
    )


def _of_calendars(ids: Iterable[UUID], months: Sequence[str]) -> list[Key]:
    """What is said of each calendar, and its months."""
    return [key for one in ids for key in (calendars.summary(one), *(keys.month(one, month) for month in months))]


def _there(
    ids: Iterable[UUID], months: Sequence[str], found: Sequence[Summary | Month | None]
) -> dict[UUID, Sequence[Month]]:
    """The months of the calendars that are there, of what `_of_calendars` asked for."""
    width = 1 + len(months)
    of = {one: found[n * width : (n + 1) * width] for n, one in enumerate(ids)}
    return {one: cast(Sequence[Month], units[1:]) for one, units in of.items() if units[0] is not None}


def _reach(span: Span) -> tuple[datetime, datetime]:
    start, end, wall_start, wall_end = span
    return min(start, wall_start), max(end, wall_end)


def _own(months: Iterable[Concerns]) -> dict[UUID, UUID] | None:
    """The calendars of what concerns somebody, by event; None where there is too much."""
    own: dict[UUID, UUID] = {}
    for month in months:
        if month.all is None:
            return None
        own.update((one.event_id, one.calendar_id) for one in month.all)
    return own


def _parts(of: Mapping[UUID, Sequence[Month]]) -> dict[UUID, _Part] | None:
    """The rows of these months, each once; None where one of them keeps none."""
    parts: dict[UUID, _Part] = {}
    for month in chain.from_iterable(of.values()):
        if month.rows is None:
            return None
        for row, people in zip(month.rows, month.people, strict=True):
            known = parts.get(row.id)
            if known is None:
                parts[row.id] = _Part(row, row.holds, people)
            elif row.recurs:
                holds = {one.id: one for one in (*known.holds, *row.holds)}
                parts[row.id] = _Part(row, tuple(holds.values()), people)
    return parts


def _chosen(
    parts: Mapping[UUID, _Part],
    span: Span,
    *,
    members: Container[UUID] | None = None,
    own: Container[UUID] = (),
) -> list[_Part]:
    """Those that `select_events` would choose: what is in the window, and the rows of its series that have to do with
    it. With `members` only what is in these calendars or is one of `own` counts as being in the window."""
    start, end, wall_start, wall_end = span
    first, last = _reach(span)
    hits: set[UUID] = set()
    series: set[UUID] = set()
    for part in parts.values():
        row = part.row
        since, until = (wall_start, wall_end) if row.all_day or row.floating else (start, end)
        if row.start_time >= until or (row.span_end is not None and row.span_end <= since and row.start_time < since):
            continue
        if members is None or row.calendar_id in members or row.id in own:
            hits.add(row.id)
            if row.recurs:
                series.add(row.id)
            elif row.series_id is not None:
                series.add(row.series_id)
    moved = {part.row.series_id for part in parts.values() if part.row.this_and_future}

    def is_chosen(row: Kept) -> bool:
        if row.id in hits or row.id in series:
            return True
        if row.series_id is None or row.series_id not in series:
            return False
        if row.series_id in moved or (row.start_time < last and (row.span_end is None or row.span_end >= first)):
            return True
        master = parts.get(row.series_id)
        if master is None or row.recurrence_id is None:
            return False
        return first - (master.row.end_time - master.row.start_time) <= row.recurrence_id < last

    return [part for part in parts.values() if is_chosen(part.row)]


async def _selected(
    reads: Reads,
    viewer_id: UUID,
    roles: Mapping[UUID, Role],
    members: Container[UUID],
    parts: Sequence[_Part],
    span: Span,
    besides: Besides,
) -> Selected | None:
    """The rows with people and rooms, and what is asked for beside them."""
    if len(parts) > ROWS_MAX:
        return None
    held = [_held(part, *_reach(span)) for part in parts]
    of = {part.row.calendar_id for part in parts}.union(besides.calendars or ())
    shared = [one for one in roles if one in members or one in of] if besides.calendars is not None else []
    named = list(dict.fromkeys((*(one for part in parts for one in part.people), *(besides.people or ()))))
    rooms = list(dict.fromkeys((*(one.resource_id for holds in held for one in holds), *(besides.resources or ()))))
    found = iter(
        await reads.get_many(
            [
                *(keys.attendees(part.row.id) for part in parts),
                *map(users.profile, named),
                *map(resources.profile, rooms),
                *map(calendars.summary, shared),
            ],
            partial(_load, reads),
        )
    )
    invited: list[tuple[Invited, ...]] = list(islice(found, len(parts)))
    people: dict[UUID, Profile | None] = dict(zip(named, found, strict=False))
    known: dict[UUID, Known | None] = dict(zip(rooms, found, strict=False))
    summaries: list[Summary | None] = list(found)
    # Who was invited after the month was read.
    ids = dict.fromkeys(one.user_id for guests in invited for one in guests)
    late = [one for one in ids if one is not None and one not in people]
    people |= zip(late, await reads.get_many(list(map(users.profile, late)), partial(_load, reads)), strict=True)
    events: list[Stored] = []
    for part, guests, holds in zip(parts, invited, held, strict=True):
        row, organizer = part.row, people[part.row.organizer_id]
        if organizer is None:
            return None  # erased between two reads: not of one moment
        role = roles.get(row.calendar_id)
        events.append(_stored(row, role and role.value, organizer, guests, people, _bookings(holds, known)))
    return Selected(
        rows=len(parts),
        calendars=tuple(MemberCalendar(id_, role.value) for id_, role in roles.items() if id_ in members),
        events=tuple(events),
        people=() if besides.people is None else _of(people, (*besides.people, *_named(events))),
        known_calendars=tuple(seen_calendar(one, roles[one.id], viewer_id) for one in summaries if one is not None),
        resources=tuple(one.resource for one in known.values() if one is not None and not one.is_deleted),
    )


def _named(events: Iterable[Stored]) -> Iterator[UUID | None]:
    for event in events:
        yield event.organizer_id
        yield from (one.user_id for one in event.attendees)


def _of(people: Mapping[UUID, Profile | None], ids: Iterable[UUID | None]) -> tuple[Profile, ...]:
    found = (people[one] for one in dict.fromkeys(ids) if one is not None)
    return tuple(one for one in found if one is not None)


def _held(part: _Part, first: datetime, last: datetime) -> Sequence[Hold]:
    """What an event holds in that time; of a single event all."""
    if not part.row.recurs:
        return part.holds
    since = first - (part.row.end_time - part.row.start_time)
    return [one for one in part.holds if one.recurrence_id is None or since <= one.recurrence_id < last]


def _hold(parts: Iterable[_Part], span: Span) -> None:
    """What is shown of a series while the time for which it is shown goes on: until a booking comes in or goes out."""
    first, last = _reach(span)
    for part in parts:
        if not part.row.recurs:
            continue
        takes = part.row.end_time - part.row.start_time
        for one in part.holds:
            if one.recurrence_id is not None:
                for left in (one.recurrence_id + takes - first, one.recurrence_id - last):
                    if left >= _NO_TIME:
                        hold_until(span[0] + left)


def _bookings(holds: Iterable[Hold], known: Mapping[UUID, Known | None]) -> tuple[Booking, ...]:
    bookings: list[Booking] = []
    for one in holds:
        found = known[one.resource_id]
        if found is not None:
            room = found.resource
            times = (one.recurrence_id, one.start_time, one.end_time)
            bookings.append(Booking(room.id, room.name, room.kind, *times, one.is_missed))
    return tuple(sorted(bookings, key=attrgetter("start_time", "id")))


def _stored(
    row: Kept,
    role: str | None,
    organizer: Profile,
    guests: Sequence[Invited],
    people: Mapping[UUID, Profile | None],
    bookings: tuple[Booking, ...],
) -> Stored:
    return Stored(
        row.id,
        row.start_time,
        row.end_time,
        row.span_end,
        row.tzid,
        row.all_day,
        row.floating,
        row.rrule,
        row.rdates,
        row.exdates,
        row.series_id,
        row.recurrence_id,
        row.this_and_future,
        row.status,
        row.uid,
        row.sequence,
        row.title,
        row.description,
        row.location,
        row.url,
        row.transparency,
        row.visibility,
        row.calendar_id,
        row.version,
        row.created_at,
        row.updated_at,
        role,
        organizer.id,
        organizer.name,
        organizer.email,
        organizer.avatar_url,
        tuple([_invitation(one, people) for one in guests]),
        bookings,
        row.booked_until,
    )


def _invitation(one: Invited, people: Mapping[UUID, Profile | None]) -> Invitation:
    user = None if one.user_id is None else people[one.user_id]
    name, email, avatar_url = (None, None, None) if user is None else (user.name, user.email, user.avatar_url)
    return Invitation(
        one.email,
        one.name,
        one.user_id,
        name,
        email,
        avatar_url,
        one.response_status,
        one.is_optional,
        one.comment,
    )
