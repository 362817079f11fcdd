"""One typed function for each statement of `queries.sql`."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import msgspec

from yotei.cache.key import Key
from yotei.cache.key import Loaded as LoadedUnits
from yotei.calendars import keys as calendars
from yotei.calendars.calendar import Calendar
from yotei.calendars.rows import MEMBERSHIPS_MAX, membership_units
from yotei.events import keys
from yotei.events.booking import Held, Taken
from yotei.events.event import Content, EventResource, ResponseStatus, Stored
from yotei.events.state import CalendarState, Loaded, LoadedEvent, Namesake, PersonState, ResourceState, Row
from yotei.resources import keys as resource_keys
from yotei.resources.resource import Resource
from yotei.storage import statements
from yotei.storage.pool import Source
from yotei.users import keys as users
from yotei.users.user import Person, Profile

_SQL: Final = statements.load("yotei.events")
MONTH_ROWS_MAX: Final = 2_000
"""Rows of one month that are kept as a unit; what has more is read from the database."""
CONCERNS_MAX: Final = 2_000
"""Events of one month that somebody organises or is invited to, likewise."""
_EXTEND_LOCK_KEY: Final = 0x79_6F_74_65_69_02  # "yotei", and another number than maintenance's


class MemberCalendar(msgspec.Struct, frozen=True, gc=False):
    """A calendar that the viewer reads by right of membership."""

    id: UUID
    role: str


class Selected(msgspec.Struct, frozen=True):
    """What `select_events` found; no events where `rows` are too many."""

    rows: int
    calendars: tuple[MemberCalendar, ...]
    events: tuple[Stored, ...]
    people: tuple[Profile, ...]
    known_calendars: tuple[Calendar, ...]
    resources: tuple[Resource, ...]


class CalendarName(msgspec.Struct, frozen=True):
    """A calendar as the command line knows it."""

    id: UUID
    name: str
    tzid: str


class KnownPerson(msgspec.Struct, frozen=True, gc=False):
    """The user behind an address."""

    id: UUID
    name: str


class ExportedAttendee(msgspec.Struct, frozen=True, gc=False):
    """`own_name` is the one that the invitation gives, `name` falls back to the person's."""

    email: str
    name: str | None
    own_name: str | None
    response_status: ResponseStatus
    is_optional: bool


class Exported(Content, frozen=True):
    """One row of `events` as far as iCalendar has words for it."""

    properties: tuple[str, ...]
    created_at: datetime
    updated_at: datetime
    organizer_id: UUID
    organizer_email: str
    organizer_name: str
    attendees: tuple[ExportedAttendee, ...]


class ImportedRow(Content, frozen=True):
    """A row of `events` as a file gives it."""

    organizer_id: UUID
    properties: tuple[str, ...]
    created_at: datetime | None
    updated_at: datetime | None


class InvitedRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `attendees` as a file gives it."""

    event_id: UUID
    email: str
    user_id: UUID | None
    name: str | None
    response_status: str
    is_optional: bool


class Place(msgspec.Struct, frozen=True, gc=False):
    """Where a found event stands in the order; no `span_end` is without an end."""

    in_title: bool
    span_end: datetime | None
    id: UUID


class Found(msgspec.Struct, frozen=True):
    """What `search_events` found: how many calendars it searched, the places of the page in order, and its events."""

    calendars: int
    places: tuple[Place, ...]
    events: tuple[Stored, ...]


class Standing(msgspec.Struct, frozen=True, gc=False):
    """What decides about the rights of the viewer on an event that may be deleted."""

    id: UUID
    visibility: str
    organizer_id: UUID
    is_deleted: bool
    role: str | None
    is_invited: bool


class HistoryLine(msgspec.Struct, frozen=True):
    """Rows of the change log that say the same; `person` with an attendee, `resource` with a reservation."""

    entity: str
    op: str
    fields: tuple[str, ...] | None
    person: Person | None
    resource: EventResource | None


class HistoryEntry(msgspec.Struct, frozen=True):
    """What one transaction did to one event."""

    transaction: str
    changed_at: datetime
    actor: Person | None
    lines: tuple[HistoryLine, ...]


_contents: Final = msgspec.json.Decoder(tuple[Exported, ...])
_calendars: Final = msgspec.json.Decoder(tuple[MemberCalendar, ...])
_events: Final = msgspec.json.Decoder(tuple[Stored, ...])
_profiles: Final = msgspec.json.Decoder(tuple[Profile, ...])
_known_calendars: Final = msgspec.json.Decoder(tuple[Calendar, ...])
_resources: Final = msgspec.json.Decoder(tuple[Resource, ...])
_places: Final = msgspec.json.Decoder(tuple[Place, ...])
_standing: Final = msgspec.json.Decoder(Standing)
_history: Final = msgspec.json.Decoder(tuple[HistoryEntry, ...])


async def select_events(
    source: Source,
    *,
    viewer_id: UUID,
    calendar_ids: Sequence[UUID] = (),
    with_agenda: bool = False,
    event_ids: Sequence[UUID] = (),
    start: datetime,
    end: datetime,
    wall_start: datetime,
    wall_end: datetime,
    rows_max: int,
    people: Sequence[UUID] | None = None,
    known_calendars: Sequence[UUID] | None = None,
    resources: Sequence[UUID] | None = None,
    with_exceptions: bool = False,
) -> Selected:
    """`people`, `known_calendars`, `resources`: None for none, else those that the events name, and these."""
    row = await source.fetchrow(
        _SQL["select_events"],
        viewer_id,
        list(calendar_ids),
        with_agenda,
        list(event_ids),
        start,
        end,
        wall_start,
        wall_end,
        rows_max,
        people if people is None else list(people),
        known_calendars if known_calendars is None else list(known_calendars),
        resources if resources is None else list(resources),
        with_exceptions,
    )
    assert row is not None
    return Selected(
        row["rows"],
        _calendars.decode(row["calendars"]),
        _events.decode(row["events"]),
        () if people is None else _profiles.decode(row["people"]),
        () if known_calendars is None else _known_calendars.decode(row["known_calendars"]),
        () if resources is None else _resources.decode(row["resources"]),
    )


class _Month(msgspec.Struct, frozen=True):
    calendar_id: UUID
    month: str
    is_kept: bool
    rows: tuple[keys.Kept, ...]


class _Guests(msgspec.Struct, frozen=True):
    id: UUID
    guests: tuple[keys.Invited, ...]


class _Concern(msgspec.Struct, frozen=True):
    user_id: UUID
    month: str
    event_id: UUID
    calendar_id: UUID


class Spared(msgspec.Struct, frozen=True):
    """What a load need not bring along, because the process has it: guests, by event, and people and resources; and
    single events of a month, because they came along with it before, unless they are other ones by now."""

    events: Mapping[UUID, keys.Kept] = {}
    guests: Mapping[UUID, tuple[keys.Invited, ...]] = {}
    people: Sequence[UUID] = ()
    resources: Sequence[UUID] = ()


_NOTHING: Final = Spared()
_months: Final = msgspec.json.Decoder(tuple[_Month, ...])
_kept: Final = msgspec.json.Decoder(tuple[keys.Kept, ...])
_guests: Final = msgspec.json.Decoder(tuple[_Guests, ...])
_concerns: Final = msgspec.json.Decoder(tuple[_Concern, ...])
_known_resources: Final = msgspec.json.Decoder(tuple[resource_keys.Known, ...])


async def load_units(
    source: Source, wanted: Sequence[Key], agenda_months: Sequence[str] = (), spared: Spared = _NOTHING
) -> LoadedUnits:
    """Units of events, and those that their answers are made of besides, but for what is spared: people, calendars of
    people, calendars, resources. With the calendars of people come these months of their agenda, and with what concerns
    people those of calendars that are not theirs."""
    asked: defaultdict[str, list[Key]] = defaultdict(list)
    for key in wanted:
        asked[key.family].append(key)
    ids = {family: [key.id for key in found] for family, found in asked.items()}
    months, people = asked["calendar_events"], ids.get("user_calendars", [])
    own = (keys.invitations(one, month) for one in people for month in agenda_months)
    concerned = list(dict.fromkeys((*asked["user_invitations"], *own)))
    row = await source.fetchrow(
        _SQL["load_units"],
        ids.get("calendar_events", []),
        [_first_of(keys.month_of(key)) for key in months],
        MONTH_ROWS_MAX,
        ids.get("event_full", []),
        ids.get("event_attendees", []),
        [key.id for key in concerned],
        [_first_of(keys.month_of(key)) for key in concerned],
        CONCERNS_MAX,
        people,
        MEMBERSHIPS_MAX,
        [_first_of(month) for month in agenda_months],
        ids.get("calendar_summary", []),
        ids.get("user_profile", []),
        ids.get("resource_profile", []),
        list(spared.guests),
        spared.people,
        spared.resources,
    )
    assert row is not None
    guests = {one.id: one.guests for one in _guests.decode(row["guests"])}
    known = {**spared.guests, **guests}
    payloads: dict[Key, object] = dict.fromkeys(asked["event_attendees"], ())
    for month in _months.decode(row["months"]):
        named = tuple(_named(one, known) for one in month.rows)
        value = keys.Month(month.rows, named) if month.is_kept else keys.Month(None)
        payloads[keys.month(month.calendar_id, month.month)] = value
        payloads.update((keys.attendees(one.id), ()) for one in month.rows if one.id not in spared.guests)
        payloads.update(
            (keys.full(one.id), keys.Full(one, people))
            for one, people in zip(month.rows, named, strict=True)
            if not one.recurs and spared.events.get(one.id) != one
        )
        payloads[calendars.summary(month.calendar_id)] = None  # of a deleted one comes along that there is none
    for one in _kept.decode(row["events"]):
        payloads[keys.full(one.id)] = keys.Full(one, _named(one, known))
        if one.id not in spared.guests:
            payloads[keys.attendees(one.id)] = ()
        payloads[calendars.summary(one.calendar_id)] = None
    payloads |= {keys.attendees(event_id): found for event_id, found in guests.items()}
    payloads |= _concerns_by_key(concerned, _concerns.decode(row["concerns"]))
    payloads |= membership_units(people, row["members"], row["calendars"])
    payloads |= {users.profile(one.id): one for one in _profiles.decode(row["people"])}
    payloads |= {resource_keys.profile(one.resource.id): one for one in _known_resources.decode(row["resources"])}
    return LoadedUnits.of(payloads, row["snapshot"], row["is_standby"])


def _named(row: keys.Kept, guests: Mapping[UUID, tuple[keys.Invited, ...]]) -> tuple[UUID, ...]:
    """Who an event names."""
    invited = (one.user_id for one in guests.get(row.id, ()) if one.user_id is not None)
    return tuple(dict.fromkeys((row.organizer_id, *invited)))


def _concerns_by_key(wanted: Sequence[Key], found: Sequence[_Concern]) -> dict[Key, object]:
    by_key: dict[Key, list[keys.Concern]] = {key: [] for key in wanted}
    for one in found:
        by_key[keys.invitations(one.user_id, one.month)].append(keys.Concern(one.event_id, one.calendar_id))
    return {key: keys.Concerns(tuple(all_) if len(all_) <= CONCERNS_MAX else None) for key, all_ in by_key.items()}


def _first_of(month: str) -> datetime:
    return datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC)


async def search_events(
    source: Source,
    *,
    viewer_id: UUID,
    calendar_id: UUID | None,
    words: Sequence[str],
    start: datetime | None,
    end: datetime | None,
    wall_start: datetime | None,
    wall_end: datetime | None,
    full: Sequence[tuple[str, str]],
    after: tuple[bool, datetime | None, UUID] | None,
    limit: int,
    booked_from: datetime,
    booked_to: datetime,
) -> Found:
    """`full`: the roles and visibilities that show an event in full."""
    row = await source.fetchrow(
        _SQL["search_events"],
        viewer_id,
        calendar_id,
        list(words),
        start,
        end,
        wall_start,
        wall_end,
        [role for role, _ in full],
        [visibility for _, visibility in full],
        *(after or (None, None, None)),
        limit,
        booked_from,
        booked_to,
    )
    assert row is not None
    return Found(row["calendars"], _places.decode(row["places"]), _events.decode(row["events"]))


async def select_history(
    source: Source, viewer_id: UUID, event_id: UUID, after: tuple[datetime, int] | None, limit: int
) -> tuple[Standing | None, datetime | None, tuple[HistoryEntry, ...]]:
    """What decides about the viewer's rights, since when there is a log, and the entries, the newest first."""
    changed_at, transaction = (None, None) if after is None else (after[0], str(after[1]))
    row = await source.fetchrow(_SQL["select_history"], viewer_id, event_id, changed_at, transaction, limit)
    assert row is not None
    standing = None if row["standing"] is None else _standing.decode(row["standing"])
    return standing, row["reaches_back_to"], _history.decode(row["entries"])


async def answer_invitation(
    source: Source, event_id: UUID, user_id: UUID, response_status: str, comment: str | None
) -> bool | None:
    """Whether the event is a series; None when there was no invitation to answer."""
    row = await source.fetchrow(_SQL["answer_invitation"], event_id, user_id, response_status, comment)
    return None if row is None else row["recurs"]


async def answer_exceptions(
    source: Source, series_id: UUID, user_id: UUID, response_status: str, comment: str | None
) -> None:
    await source.fetch(_SQL["answer_exceptions"], series_id, user_id, response_status, comment)


async def lock_import(source: Source, calendar_id: UUID) -> bool:
    """Whether there is such a calendar."""
    return await source.fetchrow(_SQL["lock_import"], calendar_id) is not None


async def find_calendar(
    source: Source, calendar_id: UUID | None, name: str | None, owner_id: UUID | None
) -> CalendarName | None:
    row = await source.fetchrow(_SQL["find_calendar"], calendar_id, name, owner_id)
    return None if row is None else CalendarName(*row)


async def select_people_by_email(source: Source, emails: Sequence[str]) -> dict[str, KnownPerson]:
    found = await source.fetch(_SQL["select_people_by_email"], list(emails))
    return {row["email"]: KnownPerson(row["id"], row["name"]) for row in found}


async def select_content(
    source: Source, calendar_id: UUID, uids: Sequence[str] | None, after: UUID | None, limit: int
) -> tuple[Exported, ...]:
    """By id, after one."""
    wanted = None if uids is None else list(uids)
    row = await source.fetchrow(_SQL["select_content"], calendar_id, wanted, after, limit)
    assert row is not None
    return _contents.decode(row["events"])


async def insert_imported(source: Source, calendar_id: UUID, events: Sequence[ImportedRow]) -> None:
    await source.execute(_SQL["insert_imported"], calendar_id, msgspec.json.encode(events).decode())


async def update_imported(source: Source, calendar_id: UUID, events: Sequence[ImportedRow]) -> None:
    await source.execute(_SQL["update_imported"], calendar_id, msgspec.json.encode(events).decode())


async def delete_uninvited(source: Source, event_ids: Sequence[UUID], keep: Sequence[tuple[UUID, str]]) -> None:
    await source.execute(
        _SQL["delete_uninvited"], list(event_ids), [event_id for event_id, _ in keep], [email for _, email in keep]
    )


async def put_invited(source: Source, invited: Sequence[InvitedRow]) -> None:
    await source.execute(_SQL["put_invited"], msgspec.json.encode(invited).decode())


async def join_overrides(source: Source, calendar_id: UUID, uids: Sequence[str]) -> None:
    await source.execute(_SQL["join_overrides"], calendar_id, list(uids))


_loaded_events: Final = msgspec.json.Decoder(tuple[LoadedEvent, ...])
_calendar_states: Final = msgspec.json.Decoder(tuple[CalendarState, ...])
_people: Final = msgspec.json.Decoder(tuple[PersonState, ...])
_resource_states: Final = msgspec.json.Decoder(tuple[ResourceState, ...])
_namesakes: Final = msgspec.json.Decoder(tuple[Namesake, ...])
_held: Final = msgspec.json.Decoder(tuple[Held, ...])
_taken: Final = msgspec.json.Decoder(tuple[Taken, ...])
_versions: Final = msgspec.json.Decoder(dict[UUID, int])


class PutGuest(msgspec.Struct, frozen=True, gc=False):
    """A row of `attendees` as it is to be; `place` keeps the order of those who are invited together. `is_there`: it
    was there before; `has_answer`: it answers something else now."""

    event_id: UUID
    email: str
    user_id: UUID | None
    name: str | None
    response_status: str
    is_optional: bool
    comment: str | None
    responded_at: datetime | None
    created_at: datetime | None
    place: int
    is_there: bool
    has_answer: bool


class PutWish(msgspec.Struct, frozen=True, gc=False):
    """A row of `event_resources` as it is to be."""

    event_id: UUID
    resource_id: UUID
    policy: str
    booked_until: datetime | None


class Diff(msgspec.Struct, frozen=True):
    """What `write_events` writes; what is gone is named by its key."""

    added: Sequence[Row] = ()
    changed: Sequence[Row] = ()
    invited: Sequence[PutGuest] = ()
    uninvited: Sequence[dict[str, object]] = ()
    wished: Sequence[PutWish] = ()
    unwished: Sequence[dict[str, object]] = ()


async def lock_for_writing(
    source: Source, calendar_ids: Sequence[UUID], event_ids: Sequence[UUID]
) -> tuple[frozenset[UUID], frozenset[UUID]]:
    """The calendars and the masters and single events that are locked now."""
    row = await source.fetchrow(_SQL["lock_for_writing"], list(calendar_ids), list(event_ids))
    assert row is not None
    return frozenset(row["calendars"]), frozenset(row["events"])


async def load_for_writing(
    source: Source,
    viewer_id: UUID | None,
    *,
    calendar_ids: Sequence[UUID] = (),
    event_ids: Sequence[UUID] = (),
    emails: Sequence[str] = (),
    user_ids: Sequence[UUID] = (),
    resource_ids: Sequence[UUID] = (),
    uids: Sequence[str] = (),
    rows_max: int,
) -> tuple[int, Loaded]:
    """How many rows of events these operations are about, and unless there are too many, all of it."""
    row = await source.fetchrow(
        _SQL["load_for_writing"],
        viewer_id,
        list(calendar_ids),
        list(event_ids),
        list(emails),
        list(user_ids),
        list(resource_ids),
        rows_max,
        list(uids),
    )
    assert row is not None
    return row["rows"], Loaded(
        _loaded_events.decode(row["events"]),
        _calendar_states.decode(row["calendars"]),
        _people.decode(row["people"]),
        _resource_states.decode(row["resources"]),
        _namesakes.decode(row["namesakes"]),
    )


async def lock_shared_resources(source: Source, resource_ids: Sequence[UUID]) -> None:
    await source.fetch(_SQL["lock_shared_resources"], list(resource_ids))


async def select_taken(
    source: Source, event_ids: Sequence[UUID], periods: Sequence[tuple[UUID, datetime, datetime]]
) -> tuple[tuple[Held, ...], tuple[Taken, ...], Mapping[UUID, int]]:
    """What the events hold, what others hold in the periods of resources, and which versions these have."""
    row = await source.fetchrow(
        _SQL["select_taken"],
        list(event_ids),
        [resource_id for resource_id, _, _ in periods],
        [start for _, start, _ in periods],
        [end for _, _, end in periods],
    )
    assert row is not None
    return _held.decode(row["held"]), _taken.decode(row["taken"]), _versions.decode(row["versions"])


async def park_overrides(source: Source, event_ids: Sequence[UUID]) -> None:
    await source.execute(_SQL["park_overrides"], list(event_ids))


async def write_events(source: Source, diff: Diff) -> None:
    parts = (diff.added, diff.changed, diff.invited, diff.uninvited, diff.wished, diff.unwished)
    await source.execute(_SQL["write_events"], *(msgspec.json.encode(part).decode() for part in parts))


async def release_reservations(source: Source, ids: Sequence[UUID]) -> None:
    await source.execute(_SQL["release_reservations"], list(ids))


async def insert_reservations(source: Source, made: Sequence[Held]) -> int:
    """How many of them could be had."""
    return len(await source.fetch(_SQL["insert_reservations"], msgspec.json.encode(made).decode()))


async def release_calendar(source: Source, calendar_id: UUID) -> None:
    await source.execute(_SQL["release_calendar"], calendar_id)


async def mark_unbooked(source: Source, calendar_id: UUID, since: datetime) -> list[UUID]:
    found = await source.fetch(_SQL["mark_unbooked"], calendar_id, since)
    return sorted({row["event_id"] for row in found})


async def select_due(source: Source, until: datetime, limit: int) -> list[UUID]:
    found = await source.fetch(_SQL["select_due"], until, limit, _EXTEND_LOCK_KEY)
    return sorted(row["event_id"] for row in found)


async def inherit_wishes(source: Source, event_ids: Sequence[UUID]) -> list[UUID]:
    """The events, and their series, that want resources."""
    return sorted(row["event_id"] for row in await source.fetch(_SQL["inherit_wishes"], list(event_ids)))
