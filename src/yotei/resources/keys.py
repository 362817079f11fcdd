"""The units of resources in the cache: their keys, their payloads, and which change purges which."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec

from yotei.cache.key import Key
from yotei.resources.resource import Resource
from yotei.storage.change_log import Change, Span

PURGE_DAYS_MAX: Final = 62
"""A longer span purges all days of a resource."""


class Known(msgspec.Struct, frozen=True):
    """A resource, deleted ones too: events of the past go on to name them."""

    resource: Resource
    is_deleted: bool


class Hold(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """The blocked period of a reservation; `id` tells two of the same period apart."""

    id: UUID
    start: datetime
    end: datetime


class Directory(msgspec.Struct, frozen=True):
    """Which resources there are, deleted ones not; `all` is None where they are too many to be kept."""

    all: tuple[UUID, ...] | None


TYPES: Final[dict[str, Any]] = {
    "resource_directory": Directory,
    "resource_profile": Known,
    "resource_availability": tuple[Hold, ...],
}
"""What the values of each family are."""


def profile(resource_id: UUID) -> Key:
    return Key(f"resource:{resource_id}:profile", "resource_profile")


def directory() -> Key:
    return Key("resource:directory", "resource_directory")


def availability(resource_id: UUID, day: date) -> Key:
    """When its units are blocked on a day of UTC."""
    group = _days(resource_id)
    return Key(f"{group}{day.isoformat()}", "resource_availability", f"{group}*")


def day_of(key: Key) -> date:
    return date.fromisoformat(key.name.rsplit(":", 1)[1])


def days(start: datetime, end: datetime) -> Iterator[date]:
    """The days of UTC that a period touches."""
    day, last = start.astimezone(UTC).date(), (end - timedelta(microseconds=1)).astimezone(UTC).date()
    while day <= last:
        yield day
        day += timedelta(days=1)


def purged(change: Change) -> Iterator[str]:
    """The keys and groups whose values a change may have made other ones."""
    if change.entity == "resource":
        yield profile(change.entity_id).name
        if change.op != "update":
            yield directory().name
    elif change.entity == "reservation" and change.scope_kind == "resource":
        for span in (change.old_span, change.new_span):
            if span is not None:
                yield from _of_span(change.scope_id, span)


def _of_span(resource_id: UUID, span: Span) -> Iterator[str]:
    if span.start is None or span.end is None or span.end - span.start > timedelta(days=PURGE_DAYS_MAX):
        yield f"{_days(resource_id)}*"
        return
    for day in days(span.start, span.end):
        yield availability(resource_id, day).name


def _days(resource_id: UUID) -> str:
    return f"resource:{resource_id}:availability:"
