"""Scalars: UUIDs and times are left to the encoder of the answer, which is ten times faster than making texts first."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final, NewType
from uuid import UUID

import msgspec
import strawberry
from graphql import GraphQLError
from strawberry.types.scalar import ScalarDefinition

from yotei.api.parameters import parse_time
from yotei.errors import Problem

EventTime = NewType("EventTime", datetime)
"""A time as somebody writes it down for an event: without an offset it is by the clock of the event."""


def _as_it_is(value: Any) -> Any:
    return value


def _uuid(value: object) -> UUID:
    try:
        return msgspec.convert(value, UUID)
    except msgspec.ValidationError:
        raise GraphQLError("expected a UUID") from None


def _date_time(value: object) -> datetime:
    """Naive where it has no offset: what it means is decided with `tz` in hand."""
    try:
        time = parse_time(value, "") if isinstance(value, str) else None
    except Problem:
        time = None
    if time is None:
        raise GraphQLError("expected an RFC 3339 date-time or a date")
    return time


def _event_time(value: object) -> datetime:
    """Read as the domain's own types are read, so that both doors take the same."""
    try:
        return msgspec.convert(value, datetime)
    except msgspec.ValidationError:
        raise GraphQLError("expected an RFC 3339 date-time, with or without an offset") from None


def _date(value: object) -> date:
    try:
        return msgspec.convert(value, date)
    except msgspec.ValidationError:
        raise GraphQLError("expected a date such as 2026-11-24") from None


SCALARS: Final[Mapping[object, ScalarDefinition]] = {
    UUID: strawberry.scalar(
        name="UUID",
        description="An id: a UUID (RFC 9562) as text, the same that REST gives.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc9562",
        serialize=_as_it_is,
        parse_value=_uuid,
    ),
    datetime: strawberry.scalar(
        name="DateTime",
        description=(
            "An RFC 3339 date-time. Answers carry the offset of their zone. In an argument a date-time without an "
            "offset is a time in `tz`, and a date alone is its midnight there."
        ),
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
        serialize=_as_it_is,
        parse_value=_date_time,
    ),
    date: strawberry.scalar(
        name="Date",
        description="A date, `2026-11-24`.",
        serialize=_as_it_is,
        parse_value=_date,
    ),
    EventTime: strawberry.scalar(
        name="EventTime",
        description=(
            "An RFC 3339 date-time as input of a write. With an offset it is an instant, without one a time by the "
            "clock of the event's `tzid`; of a floating event it has none."
        ),
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
        serialize=_as_it_is,
        parse_value=_event_time,
    ),
}
