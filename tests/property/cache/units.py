"""What the units of the cache hold, worked out anew from all rows of a small database: slowly, and by other means.

It follows what docs/caching.md says of each unit, and shares no statement and no function with what loads them.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Final
from uuid import UUID

import msgspec

from yotei.storage.pool import Source
from yotei.storage.statements import Statement

MONTHS: Final = tuple(datetime(2026 + n // 12, n % 12 + 1, 1, tzinfo=UTC) for n in range(11, 22))
"""The months that are looked at, December 2026 to October 2027; the last one only ends the one before it."""
FOR_EVER: Final = datetime.max.replace(tzinfo=UTC)
TABLES: Final = (
    "users",
    "tokens",
    "calendars",
    "calendar_members",
    "resources",
    "events",
    "attendees",
    "event_resources",
    "reservations",
    "resource_members",
    "event_user_state",
)
_SELECT: Final = {
    table: Statement("tests.select", f"select * from {table} order by 1, 2", "all rows")  # noqa: S608
    for table in TABLES
}

Row = Mapping[str, Any]


class Rows(msgspec.Struct, frozen=True):
    """Every row of every table, by table."""

    of: Mapping[str, Sequence[Row]]

    @classmethod
    async def read(cls, database: Source) -> "Rows":
        return cls({table: [_row(dict(row)) for row in await database.fetch(_SELECT[table])] for table in TABLES})

    def __getitem__(self, table: str) -> Sequence[Row]:
        return self.of[table]


def _row(record: dict[str, Any]) -> Row:
    """asyncpg's infinity has no zone."""
    if "span_end" in record and record["span_end"].year == FOR_EVER.year:
        return {**record, "span_end": FOR_EVER}
    return record


def values(rows: Rows) -> dict[str, object]:
    """The value of every unit that holds anything, by the name of its key."""
    return {name: value for name, value in _values(rows) if value}


def _values(rows: Rows) -> Iterator[tuple[str, object]]:
    events = {row["id"]: row for row in rows["events"]}
    spans = list(pairwise(MONTHS))
    for user in rows["users"]:
        yield f"user:{user['id']}:profile", user
        mine = [(row["calendar_id"], row["role"]) for row in rows["calendar_members"] if row["user_id"] == user["id"]]
        yield f"user:{user['id']}:calendars", mine
        invited = {row["event_id"] for row in rows["attendees"] if row["user_id"] == user["id"]}
        for start, end in spans:
            yield (
                f"user:{user['id']}:invitations:{start:%Y-%m}",
                [
                    (row["id"], row["calendar_id"])
                    for row in _touching(rows["events"], start, end)
                    if row["organizer_id"] == user["id"] or row["id"] in invited
                ],
            )
    for token in rows["tokens"]:
        yield f"token:{UUID(bytes=token['token_hash'][:16])}", token
    for calendar in rows["calendars"]:
        id_ = calendar["id"]
        if calendar["deleted_at"] is None:
            yield f"calendar:{id_}:summary", calendar
            yield f"calendar:{id_}:members", [row for row in rows["calendar_members"] if row["calendar_id"] == id_]
        for start, end in spans:
            yield f"calendar:{id_}:events:{start:%Y-%m}", _month(rows, events, id_, start, end)
    for resource in rows["resources"]:
        yield f"resource:{resource['id']}:profile", resource
        for n in range((MONTHS[-1] - MONTHS[0]).days):
            day = MONTHS[0] + timedelta(days=n)
            yield (
                f"resource:{resource['id']}:availability:{day:%Y-%m-%d}",
                [
                    (row["id"], row["blocked"].lower, row["blocked"].upper)
                    for row in rows["reservations"]
                    if row["resource_id"] == resource["id"]
                    and row["status"] == "CONFIRMED"
                    and row["blocked"].lower < day + timedelta(days=1)
                    and row["blocked"].upper > day
                ],
            )
    for event in rows["events"]:
        if event["deleted_at"] is None:
            yield f"event:{event['id']}:full", _shown(rows, event, None)
    for event_id in {row["event_id"] for row in rows["attendees"]}:
        there = [_invited(row) for row in rows["attendees"] if row["event_id"] == event_id]
        yield f"event:{event_id}:attendees", sorted(there, key=lambda row: (row["created_at"], row["email"]))


def _invited(row: Row) -> Row:
    """Without the span, which is the event's and is not shown."""
    return {name: value for name, value in row.items() if name not in ("start_time", "span_end")}


def _touching(events: Sequence[Row], start: datetime, end: datetime) -> list[Row]:
    return [row for row in events if row["deleted_at"] is None and row["span_end"] >= start and row["start_time"] < end]


def _month(rows: Rows, events: Mapping[UUID, Row], calendar_id: UUID, start: datetime, end: datetime) -> object:
    touching = _touching(rows["events"], start, end)
    hit = [row for row in touching if row["calendar_id"] == calendar_id]
    series = {row["id"] for row in hit if _recurs(row)} | {row["series_id"] for row in hit if row["series_id"]}
    chosen = {row["id"] for row in hit} | series
    for id_ in series:
        exceptions = [row for row in rows["events"] if row["series_id"] == id_ and row["deleted_at"] is None]
        is_moved = any(row["this_and_future"] for row in exceptions)
        lasts = events[id_]["end_time"] - events[id_]["start_time"]
        chosen |= {
            row["id"]
            for row in exceptions
            if is_moved or row in touching or (row["recurrence_id"] < end and row["recurrence_id"] + lasts >= start)
        }
    found = [events[id_] for id_ in sorted(chosen)]
    if any(row["calendar_id"] != calendar_id for row in found):
        return "part of it is elsewhere"
    return [_shown(rows, row, (start, end)) for row in found if row["deleted_at"] is None]


def _recurs(event: Row) -> bool:
    return event["rrule"] is not None or bool(event["rdates"])


def _shown(rows: Rows, event: Row, span: tuple[datetime, datetime] | None) -> object:
    """An event with what it holds, of instances those in `span`; how far a series is booked."""
    lasts = event["end_time"] - event["start_time"]
    held = [
        row
        for row in rows["reservations"]
        if row["event_id"] == event["id"]
        and row["status"] != "CANCELLED"
        and (
            span is None
            or row["recurrence_id"] is None
            or (row["recurrence_id"] < span[1] and row["recurrence_id"] + lasts >= span[0])
        )
    ]
    until = [
        row["booked_until"]
        for row in rows["event_resources"]
        if row["event_id"] == event["id"] and row["booked_until"] is not None
    ]
    return event, held, min(until, default=None) if _recurs(event) else None
