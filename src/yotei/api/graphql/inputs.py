"""From the input of a mutation to the domain's own struct. The rules (lengths, patterns, what may be null) are those of
the struct, as at the REST door; a contract test holds the fields of both against each other.

A field that is not given is UNSET here, and not handed on; null is None.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import fields
from enum import Enum
from typing import Any, Final, TypeVar

import msgspec
import strawberry
from strawberry import UNSET

from yotei.api.graphql import choices
from yotei.errors import invalid

S = TypeVar("S", bound=msgspec.Struct)

HOURS: Final = frozenset({"working_hours", "opening_hours"})
"""Fields that the domain has by day and an input as a list."""

_AT: Final = re.compile(r"(.*?)(?: - at `\$(.*)`)?", re.DOTALL)


def required(description: str) -> Any:
    """A field of an input that has to be given."""
    return strawberry.field(description=description)


def optional(description: str) -> Any:
    """A field of an input that need not be given, which is not the same as null."""
    return strawberry.field(default=UNSET, description=description)


@strawberry.input(description="What every write may be given beside what it writes.")
class Keyed:
    idempotency_key: str | None = optional(
        "1 to 255 visible characters of your choice: the same mutation with the same key within 24 hours is answered "
        "as before, not done again."
    )


@strawberry.input(description="What a write of something that is there may be given as well.")
class Versioned(Keyed):
    version: int | None = optional("Done only while the thing is at this version; else `precondition_failed`.")


@strawberry.input(description="A part of each week, by the clock of the zone that it belongs to.")
class WeeklyPeriodInput:
    day: choices.Weekday = required("The day on which it starts.")
    start: str = required("Its start, `09:00`.")
    end: str = required("Its end, `17:00`, on the same day; `24:00` at most.")


def given(value: object) -> Any:
    """What was given, as values of the domain: objects as dicts without what is UNSET."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, list):
        return [given(one) for one in value]
    if hasattr(value, "__strawberry_definition__"):
        named = ((one.name, getattr(value, one.name)) for one in fields(value))  # type: ignore[arg-type]
        told = {name: one for name, one in named if one is not UNSET}
        return {
            name: _by_day(one) if name in HOURS and isinstance(one, list) else given(one) for name, one in told.items()
        }
    return value


def _by_day(periods: Iterable[WeeklyPeriodInput]) -> dict[str, list[tuple[str, str]]]:
    hours: dict[str, list[tuple[str, str]]] = {}
    for one in periods:
        hours.setdefault(one.day.value, []).append((one.start, one.end))
    return hours


def shaped(values: Mapping[str, Any], kind: type[S]) -> S:
    """The struct of these values, others left out; Problem `invalid_request` where they do not fit."""
    try:
        return msgspec.convert({name: one for name, one in values.items() if name in kind.__struct_fields__}, kind)
    except msgspec.ValidationError as error:
        raise _misfit(error) from None


def operation(input: object, kind: type[S]) -> S:
    """An operation on events. Inputs are flat: what the operation does not have itself is of its `event`."""
    values = given(input)
    if "event" in kind.__struct_fields__:
        event = {name: one for name, one in values.items() if name not in kind.__struct_fields__ and name not in _OURS}
        values = {**{name: one for name, one in values.items() if name not in event}, "event": event}
    return shaped(values, kind)


_OURS: Final = frozenset({"tz", "idempotency_key"})
"""Fields of an input that are about the answer."""


def _misfit(error: msgspec.ValidationError) -> Exception:
    found = _AT.fullmatch(str(error))
    detail, path = (found[1], found[2] or "") if found else (str(error), "")
    path = path.removeprefix(".event")
    return invalid(f"body{path}", detail[:1].lower() + detail[1:])
