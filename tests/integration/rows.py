"""Rows that tests begin with, by plain SQL: no rule of the product stands between a test and its premise."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from yotei.storage.ids import uuid7
from yotei.storage.pool import Database, Source
from yotei.storage.statements import Statement
from yotei.users.user import Viewer


async def insert(database: Database, table: str, values: Mapping[str, Any]) -> None:
    names = ", ".join(values)
    places = ", ".join(f"${n}" for n in range(1, len(values) + 1))
    sql = f"insert into {table} ({names}) values ({places})"  # noqa: S608
    await database.execute(Statement(name="tests.insert", purpose="a premise", sql=sql), *values.values())


async def many_changes(source: Source, count: int) -> None:
    """Rows of the change log that one transaction writes, each of another person."""
    made = Statement(
        name="tests.many_changes",
        purpose="a mass change",
        sql="""insert into change_log (scope_kind, scope_id, entity, entity_id, op)
               select 'user', gen_random_uuid(), 'user', gen_random_uuid(), 'update'
               from generate_series(1, $1::integer)""",
    )
    await source.execute(made, count)


async def a_user(database: Database, name: str = "Aiko", **fields: Any) -> UUID:
    user_id = uuid7()
    await insert(database, "users", {"id": user_id, "email": f"{user_id}@example.org", "name": name, **fields})
    return user_id


def viewing(user_id: UUID, *, tzid: str = "UTC", scopes: frozenset[str] = frozenset({"read", "write"})) -> Viewer:
    return Viewer(user_id=user_id, tzid=tzid, is_admin=False, scopes=scopes, token_id=None)


async def a_calendar(database: Database, members: Mapping[UUID, str], **fields: Any) -> UUID:
    calendar_id = uuid7()
    await insert(database, "calendars", {"id": calendar_id, "name": "Team", **fields})
    for user_id, role in members.items():
        await insert(database, "calendar_members", {"calendar_id": calendar_id, "user_id": user_id, "role": role})
    return calendar_id


async def an_event(
    database: Database,
    calendar_id: UUID,
    organizer_id: UUID,
    start: datetime,
    *,
    hours: float = 1,
    attendees: tuple[UUID, ...] = (),
    **fields: Any,
) -> UUID:
    event_id = uuid7()
    end = start + timedelta(hours=hours)
    await insert(
        database,
        "events",
        {
            "id": event_id,
            "calendar_id": calendar_id,
            "organizer_id": organizer_id,
            "uid": str(event_id),
            "title": "Planning",
            "start_time": start,
            "end_time": end,
            "span_end": end,
            **fields,
        },
    )
    for user_id in attendees:
        await insert(
            database, "attendees", {"event_id": event_id, "user_id": user_id, "email": f"{user_id}@example.org"}
        )
    return event_id


async def a_room(database: Database, name: str = "Fuji", **fields: Any) -> UUID:
    room_id = uuid7()
    await insert(database, "resources", {"id": room_id, "name": name, **fields})
    return room_id


async def a_booking(
    database: Database, room_id: UUID, event_id: UUID, start: datetime, hours: float = 1, **fields: Any
) -> None:
    end = start + timedelta(hours=hours)
    values = {"id": uuid7(), "resource_id": room_id, "event_id": event_id, "start_time": start, "end_time": end}
    names = ", ".join([*values, *fields, "blocked"])
    places = ", ".join(f"${n}" for n in range(1, len(values) + len(fields) + 1))
    sql = f"insert into reservations ({names}) values ({places}, tstzrange($4, $5))"  # noqa: S608
    await database.execute(
        Statement(name="tests.book", purpose="a premise", sql=sql), *values.values(), *fields.values()
    )
