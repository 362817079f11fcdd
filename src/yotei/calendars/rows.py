"""One typed function for each statement of `queries.sql`."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from yotei.cache.key import Key, Loaded
from yotei.calendars import keys
from yotei.calendars.calendar import Calendar, Member, Role
from yotei.storage import statements
from yotei.storage.pool import Source
from yotei.users import keys as users
from yotei.users.user import Person, Profile

MEMBERSHIPS_MAX: Final = 1_000
"""Calendars of one person that are kept as a unit; who has more is asked from the database."""
SHARES_MAX: Final = 1_000
"""Members of one calendar, likewise."""

_SQL: Final = statements.load("yotei.calendars")


async def list_calendars(source: Source, user_id: UUID, after: tuple[str, UUID] | None, limit: int) -> list[Calendar]:
    name, id_ = after or (None, None)
    return [_calendar(row) for row in await source.fetch(_SQL["list_calendars"], user_id, name, id_, limit)]


async def get_calendars(source: Source, user_id: UUID, ids: Sequence[UUID]) -> list[Calendar]:
    return [_calendar(row) for row in await source.fetch(_SQL["get_calendars"], user_id, list(ids))]


class _Member(msgspec.Struct, frozen=True):
    user_id: UUID
    calendar_id: UUID
    role: Role
    created_at: datetime | None = None


_members: Final = msgspec.json.Decoder(tuple[_Member, ...])
_summaries: Final = msgspec.json.Decoder(tuple[keys.Summary, ...])
_people: Final = msgspec.json.Decoder(tuple[Profile, ...])


async def load_memberships(source: Source, wanted: Sequence[Key]) -> Loaded:
    """Memberships of people with what is said of their calendars, and what is said of calendars: both kinds of keys."""
    people = [key.id for key in wanted if key.family == "user_calendars"]
    calendars = [key.id for key in wanted if key.family == "calendar_summary"]
    row = await source.fetchrow(_SQL["load_memberships"], people, MEMBERSHIPS_MAX, calendars)
    assert row is not None
    payloads = membership_units(people, row["members"], row["calendars"])
    return Loaded.of(payloads, row["snapshot"], row["is_standby"])


def membership_units(people: Sequence[UUID], members: str, calendars: str) -> dict[Key, object]:
    """Of JSON texts: the memberships of these people, `MEMBERSHIPS_MAX` and one more of each at most, and what is said
    of calendars that are not deleted."""
    of_people: dict[UUID, list[keys.Membership]] = {one: [] for one in people}
    payloads: dict[Key, object] = {}
    for one in _members.decode(members):
        of_people[one.user_id].append(keys.Membership(one.calendar_id, one.role))
        payloads[keys.summary(one.calendar_id)] = None  # so that of a deleted one comes along that there is none
    payloads |= {keys.summary(one.id): one for one in _summaries.decode(calendars)}
    for user_id, all_ in of_people.items():
        payloads[keys.of_user(user_id)] = keys.Memberships(tuple(all_) if len(all_) <= MEMBERSHIPS_MAX else None)
    return payloads


async def load_members(source: Source, wanted: Sequence[Key]) -> Loaded:
    """Who shares calendars, and along with it who they are."""
    row = await source.fetchrow(_SQL["load_members"], [key.id for key in wanted], SHARES_MAX)
    assert row is not None
    found: dict[UUID, list[keys.Share]] = {}
    for one in _members.decode(row["members"]):
        assert one.created_at is not None
        found.setdefault(one.calendar_id, []).append(keys.Share(one.user_id, one.role, one.created_at))
    payloads: dict[Key, object] = {users.profile(one.id): one for one in _people.decode(row["people"])}
    for calendar_id, shares in found.items():
        payloads[keys.members(calendar_id)] = keys.Shares(tuple(shares) if len(shares) <= SHARES_MAX else None)
    return Loaded.of(payloads, row["snapshot"], row["is_standby"])


async def list_members(
    source: Source,
    user_id: UUID,
    calendar_ids: Sequence[UUID],
    limit_each: int,
    people: dict[UUID, Profile] | None = None,
) -> list[tuple[UUID, Member]]:
    """`people` is filled with who they are in full."""
    found = await source.fetch(_SQL["list_members"], user_id, list(calendar_ids), limit_each)
    if people is not None:
        people.update((row["user_id"], _profile(*row)) for row in found)
    return [_member(*row) for row in found]


class KnownMember(msgspec.Struct, frozen=True):
    """Somebody who shares a calendar, with all that is known of them."""

    user: Profile
    role: Role
    created_at: datetime


async def get_calendar_with_members(
    source: Source, user_id: UUID, calendar_id: UUID, user_ids: Sequence[UUID]
) -> tuple[Calendar, tuple[KnownMember, ...]] | None:
    row = await source.fetchrow(_SQL["get_calendar_with_members"], user_id, calendar_id, list(user_ids))
    if row is None:
        return None
    *calendar, members = row
    return _calendar(calendar), _known_members.decode(members)


_hours: Final = msgspec.json.Decoder(dict[str, tuple[tuple[str, str], ...]])
_known_members: Final = msgspec.json.Decoder(tuple[KnownMember, ...])


async def insert_calendar(
    source: Source,
    calendar_id: UUID,
    name: str,
    description: str | None,
    color: str,
    tzid: str,
    personal_for: UUID | None,
    owner_id: UUID,
) -> None:
    await source.execute(_SQL["insert_calendar"], calendar_id, name, description, color, tzid, personal_for, owner_id)


class Locked(msgspec.Struct, frozen=True):
    """A calendar whose row is locked, deleted ones too."""

    name: str
    description: str | None
    color: str
    tzid: str
    personal_for: UUID | None
    version: int
    is_deleted: bool


async def lock_calendar(source: Source, calendar_id: UUID) -> Locked | None:
    row = await source.fetchrow(_SQL["lock_calendar"], calendar_id)
    return None if row is None else Locked(*row)


class Standing(msgspec.Struct, frozen=True):
    """What the viewer and one other person are in a calendar."""

    own_role: Role | None
    other_role: Role | None
    is_active: bool
    has_other_owner: bool


async def get_standing(source: Source, calendar_id: UUID, viewer_id: UUID, user_id: UUID) -> Standing:
    row = await source.fetchrow(_SQL["get_standing"], calendar_id, viewer_id, user_id)
    assert row is not None
    own, other, is_active, has_other_owner = row
    return Standing(own and Role(own), other and Role(other), is_active, has_other_owner)


async def update_calendar(
    source: Source, calendar_id: UUID, name: str, description: str | None, color: str, tzid: str
) -> None:
    await source.execute(_SQL["update_calendar"], calendar_id, name, description, color, tzid)


async def set_calendar_deleted(source: Source, calendar_id: UUID, deleted: bool) -> None:
    await source.execute(_SQL["set_calendar_deleted"], calendar_id, deleted)


async def put_member(source: Source, calendar_id: UUID, user_id: UUID, role: Role) -> None:
    await source.execute(_SQL["put_member"], calendar_id, user_id, role.value)


async def delete_member(source: Source, calendar_id: UUID, user_id: UUID) -> None:
    await source.execute(_SQL["delete_member"], calendar_id, user_id)


def _calendar(row: Iterable[Any]) -> Calendar:
    id_, name, description, color, tzid, is_personal, role, version, created_at, updated_at = row
    return Calendar(id_, name, description, color, tzid, is_personal, Role(role), version, created_at, updated_at)


def _member(
    calendar_id: UUID,
    user_id: UUID,
    name: str,
    email: str | None,
    avatar_url: str | None,
    role: str,
    created_at: datetime,
    *_: Any,
) -> tuple[UUID, Member]:
    return calendar_id, Member(Person(user_id, name, email, avatar_url), Role(role), created_at)


def _profile(
    calendar_id: UUID,
    user_id: UUID,
    name: str,
    email: str | None,
    avatar_url: str | None,
    role: str,
    member_since: datetime,
    tzid: str,
    working_hours: str,
    is_admin: bool,
    is_active: bool,
    version: int,
    created_at: datetime,
    updated_at: datetime,
) -> Profile:
    hours = _hours.decode(working_hours)
    return Profile(user_id, email, name, avatar_url, tzid, hours, is_admin, is_active, version, created_at, updated_at)
