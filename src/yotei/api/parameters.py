"""What query parameters mean: times, zones, lists of fields. Each refusal names its parameter."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from litestar.params import Parameter

from yotei.api.paging import CURSOR_CHARACTERS_MAX
from yotei.errors import Code, invalid
from yotei.events.window import Window, window
from yotei.ical.timezones import UnknownZone, resolve
from yotei.settings import LimitSettings

TIME_DESCRIPTION: Final = (
    "RFC 3339 date-time; without an offset it is a time in `tz`. A date alone is its midnight in `tz`."
)

Start = Annotated[
    str | None, Parameter(description=f"Start of the window, included. {TIME_DESCRIPTION}", required=False)
]
End = Annotated[
    str | None, Parameter(description=f"End of the window, not included. {TIME_DESCRIPTION}", required=False)
]
Zone = Annotated[
    str | None,
    Parameter(
        description="IANA zone of the answer, such as `Asia/Tokyo`; by default the caller's own.",
        required=False,
        max_length=64,
    ),
]
Fields = Annotated[
    str | None,
    Parameter(
        description="Fields of each item, separated by commas; all without it.", required=False, max_length=2_000
    ),
]
Cursor = Annotated[
    str | None,
    Parameter(description="`next_cursor` of the page before.", required=False, max_length=CURSOR_CHARACTERS_MAX),
]


# RFC 3339, section 5.6, in which seconds and the offset may be left out.
_TIME: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[Tt ]([0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?)([Zz]|[+ -][0-9]{2}:[0-9]{2})?)?"
)


def parse_zone(name: str | None, default: str) -> ZoneInfo:
    """The zone of the answer; Problem `unknown_time_zone`."""
    try:
        return resolve(name or default)
    except UnknownZone:
        raise invalid(
            "query.tz", "expected an IANA time zone such as Asia/Tokyo", code=Code.UNKNOWN_TIME_ZONE
        ) from None


def parse_time(text: str | None, field: str) -> datetime | None:
    """A date-time, naive where it has no offset, or the midnight of a date."""
    if text is None:
        return None
    try:
        found = _TIME.fullmatch(text)
        if found is None:
            raise ValueError(text)
        day, clock, offset = found.groups()
        # A `+` that was not escaped arrives as a space. Without a clock it is midnight.
        return datetime.fromisoformat(f"{day}T{clock or '00:00'}{(offset or '').upper().replace(' ', '+')}")
    except ValueError:
        raise invalid(field, "expected an RFC 3339 date-time or a date", code=Code.INVALID_WINDOW) from None


def parse_window(start: str | None, end: str | None, zone: ZoneInfo, limits: LimitSettings) -> Window:
    """The window of a list; the current month when neither end is given."""
    return window(
        parse_time(start, "query.start"),
        parse_time(end, "query.end"),
        zone,
        now=datetime.now(UTC),
        days_max=limits.window_days_max,
    )


def parse_ids(text: str | None, field: str, most: int) -> tuple[UUID, ...] | None:
    """Ids separated by commas, each once, in their order."""
    if text is None:
        return None
    try:
        ids = tuple(dict.fromkeys(UUID(one.strip()) for one in text.split(",")))
    except ValueError:
        raise invalid(field, "expected ids separated by commas") from None
    if len(ids) > most:
        raise invalid(field, f"expected at most {most} ids")
    return ids


def page_size(limit: int | None, limits: LimitSettings) -> int:
    if limit is None:
        return limits.page_size_default
    if not 1 <= limit <= limits.page_size_max:
        raise invalid("query.limit", f"expected a number from 1 to {limits.page_size_max}")
    return limit


def parse_fields(text: str | None, kind: type[msgspec.Struct]) -> tuple[str, ...] | None:
    """The names of fields of `kind` that were asked for, in the order of the struct."""
    if text is None:
        return None
    wanted = {one.strip() for one in text.split(",") if one.strip()}
    known = kind.__struct_fields__
    unknown = sorted(wanted.difference(known))
    if unknown:
        raise invalid("query.fields", f"there is no field {unknown[0]!r}; expected some of {', '.join(known)}")
    if not wanted:
        raise invalid("query.fields", f"expected some of {', '.join(known)}")
    return tuple(one for one in known if one in wanted)


def only(items: Sequence[msgspec.Struct], fields: tuple[str, ...]) -> list[dict[str, Any]]:
    """The items cut down to the fields."""
    return [{field: getattr(item, field) for field in fields} for item in items]
