"""The values of this room: a person as others see them, their profile, the viewer that every function takes."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from yotei.errors import Code, Problem, invalid
from yotei.ical.timezones import UnknownZone, resolve

Hours = Mapping[str, tuple[tuple[str, str], ...]]
"""Weekday (`mon` to `sun`) -> periods of the day by the clock of a zone; a day that is not named has none."""

WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
PERIODS_A_DAY_MAX: Final = 10
ERASED_NAME: Final = "Erased user"

Name = Annotated[str, Meta(min_length=1, max_length=200)]
TimeZone = Annotated[str, Meta(min_length=1, max_length=64)]
Address = Annotated[str, Meta(max_length=2_000)]

_CLOCK: Final = re.compile(r"([01]\d|2[0-3]):[0-5]\d|24:00")


class Person(msgspec.Struct, frozen=True, gc=False):
    """A user as others see them; an erased one has no address."""

    id: UUID
    name: str
    email: str | None
    avatar_url: str | None


class Profile(msgspec.Struct, frozen=True):
    """All that is known of a user. `working_hours` are by the clock of `tzid`."""

    id: UUID
    email: str | None
    name: str
    avatar_url: str | None
    tzid: str
    working_hours: Hours
    is_admin: bool
    is_active: bool
    version: int
    created_at: datetime
    updated_at: datetime


def as_person(profile: Profile) -> Person:
    """What others see of them beside their profile."""
    return Person(profile.id, profile.name, profile.email, profile.avatar_url)


class NewUser(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A person to be added; they get a personal calendar."""

    email: Annotated[str, Meta(min_length=3, max_length=320)]
    name: Name
    tzid: TimeZone = "UTC"
    avatar_url: Address | None = None
    is_admin: bool = False


class ProfileFields(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be changed of a person; what is not given stays. `is_admin` is for administrators."""

    name: Name | UnsetType = UNSET
    avatar_url: Address | UnsetType | None = UNSET
    tzid: TimeZone | UnsetType = UNSET
    working_hours: Hours | UnsetType = UNSET
    is_admin: bool | UnsetType = UNSET


class Viewer(msgspec.Struct, frozen=True):
    """Who is asking, and what their token is good for. Every function that reads or writes takes one.

    `is_admin` holds only where the person is an administrator and the token has the scope `admin`.
    `service` says that the token acts for this person and is not their own.
    """

    user_id: UUID
    tzid: str
    is_admin: bool
    scopes: frozenset[str]
    token_id: UUID | None
    service: bool = False

    def need(self, scope: str) -> None:
        """Problem `forbidden` unless the token has the scope."""
        if scope not in self.scopes:
            raise Problem(Code.FORBIDDEN, f"This needs a token with the scope `{scope}`.")

    def need_admin(self) -> None:
        """Problem `forbidden` unless an administrator asks with a token of the scope `admin`."""
        if not self.is_admin:
            raise Problem(Code.FORBIDDEN, "This needs an administrator and a token with the scope `admin`.")


def checked_email(text: str, field: str) -> str:
    """The address in the one spelling that is stored; Problem `invalid_request`."""
    email = text.strip().lower()
    local, at, host = email.rpartition("@")
    shaped = at and local and host and not local.startswith("@")
    if not shaped or len(email) > 320 or not email.isprintable() or " " in email:
        raise invalid(field, "expected an e-mail address")
    return email


def checked_name(text: str, field: str) -> str:
    """The name without spaces around it; Problem `invalid_request`."""
    name = text.strip()
    if not 1 <= len(name) <= 200:
        raise invalid(field, "expected 1 to 200 characters")
    return name


def checked_zone(tzid: str, field: str) -> str:
    """The IANA name of a zone; Problem `unknown_time_zone`."""
    try:
        return resolve(tzid).key
    except UnknownZone:
        raise invalid(field, "expected an IANA time zone", code=Code.UNKNOWN_TIME_ZONE) from None


def checked_hours(hours: Hours, field: str) -> Hours:
    """Problem `invalid_request` unless the periods of each day are in order and apart."""
    for day, periods in hours.items():
        if day not in WEEKDAYS:
            raise invalid(f"{field}.{day}", f"expected one of {', '.join(WEEKDAYS)}")
        if len(periods) > PERIODS_A_DAY_MAX:
            raise invalid(f"{field}.{day}", f"expected at most {PERIODS_A_DAY_MAX} periods")
        reached = ""
        for start, end in periods:
            if not (_CLOCK.fullmatch(start) and _CLOCK.fullmatch(end)) or not reached <= start < end:
                raise invalid(f"{field}.{day}", 'expected periods such as ["09:00", "17:00"], in order and apart')
            reached = end
    return hours
