"""Rows that the tests of the GraphQL door read, and a caller who asks over HTTP. Rows are written with plain SQL: what
is tested is reading."""

import hashlib
import secrets
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import httpx
import msgspec

from yotei.storage.pool import Database
from yotei.storage.statements import Statement

NINE: Final = datetime(2026, 11, 24, 9, tzinfo=UTC)
"""When an event starts that does not say; inside of `NOVEMBER`."""
NOVEMBER: Final = 'start: "2026-11-01", end: "2026-12-01"'


class Rows:
    """Writes one thing at a time and answers with its id."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def person(self, name: str = "Aiko", *, tzid: str = "UTC", avatar_url: str | None = None) -> UUID:
        id_ = uuid4()
        await self._write(
            "insert into users (id, email, name, tzid, avatar_url) values ($1, $2, $3, $4, $5)",
            id_,
            f"{id_}@example.test",
            name,
            tzid,
            avatar_url,
        )
        return id_

    async def token(self, user_id: UUID, scopes: Iterable[str] = ("read",)) -> str:
        raw = f"yotei_{secrets.token_urlsafe(32)}"
        await self._write(
            "insert into tokens (id, user_id, kind, token_hash, name, scopes) values ($1, $2, 'USER', $3, 'test', $4)",
            uuid4(),
            user_id,
            hashlib.sha256(raw.encode()).digest(),
            list(scopes),
        )
        return raw

    async def calendar(self, name: str = "Team", *, members: Mapping[UUID, str]) -> UUID:
        id_ = uuid4()
        await self._write("insert into calendars (id, name) values ($1, $2)", id_, name)
        for user_id, role in members.items():
            await self._write("insert into calendar_members values ($1, $2, $3)", user_id, id_, role)
        return id_

    async def event(
        self,
        calendar_id: UUID,
        organizer_id: UUID,
        *,
        title: str = "Planning",
        start: datetime = NINE,
        hours: float = 1,
        visibility: str = "PUBLIC",
        invited: Iterable[UUID] = (),
        all_day: bool = False,
        rrule: str | None = None,
    ) -> UUID:
        id_ = uuid4()
        end = start + timedelta(hours=hours)
        await self._write(
            "insert into events (id, calendar_id, organizer_id, uid, title, description, location, start_time, "
            "end_time, span_end, visibility, all_day, rrule) "
            "values ($1, $2, $3, $4, $5, $6, $7, $8, $9, "
            "case when $12::text is null then $9::timestamptz else 'infinity' end, $10, $11, $12)",
            id_,
            calendar_id,
            organizer_id,
            f"{id_}@test",
            title,
            f"About {title}",
            f"Where {title}",
            start,
            end,
            visibility,
            all_day,
            rrule,
        )
        for user_id in invited:
            await self._write(
                "insert into attendees (event_id, email, user_id) select $1, email, id from users where id = $2",
                id_,
                user_id,
            )
        return id_

    async def events(self, calendar_id: UUID, organizer_id: UUID, count: int, invited: Iterable[UUID] = ()) -> None:
        """Many events, an hour apart, all with the same guests, each in a room of its own."""
        await self._write(
            "insert into events (id, calendar_id, organizer_id, uid, title, start_time, end_time, span_end) "
            "select gen_random_uuid(), $1::uuid, $2::uuid, 'many-' || n || $1::uuid::text, 'Event ' || n, "
            "s, s + interval '1 hour', s + interval '1 hour' "
            "from generate_series(1, $3::integer) n, lateral (select $4::timestamptz + n * interval '1 hour' as s) t",
            calendar_id,
            organizer_id,
            count,
            datetime(2026, 11, 2, tzinfo=UTC),
        )
        await self._write(
            "insert into attendees (event_id, email, user_id) "
            "select e.id, u.email, u.id from events e, users u where e.calendar_id = $1 and u.id = any($2::uuid[])",
            calendar_id,
            list(invited),
        )
        room_id = await self.room(f"Room of {calendar_id}")
        await self._write(
            "insert into reservations (id, resource_id, event_id, start_time, end_time, blocked) "
            "select gen_random_uuid(), $2, e.id, e.start_time, e.end_time, tstzrange(e.start_time, e.end_time) "
            "from events e where e.calendar_id = $1",
            calendar_id,
            room_id,
        )

    async def room(self, name: str, *, seats: int | None = None) -> UUID:
        id_ = uuid4()
        await self._write("insert into resources (id, name, seats) values ($1, $2, $3)", id_, name, seats)
        return id_

    async def booking(self, room_id: UUID, event_id: UUID) -> None:
        await self._write(
            "insert into reservations (id, resource_id, event_id, start_time, end_time, blocked) "
            "select gen_random_uuid(), $1, id, start_time, end_time, tstzrange(start_time, end_time) "
            "from events where id = $2",
            room_id,
            event_id,
        )

    async def remove_room(self, room_id: UUID) -> None:
        await self._write("update resources set deleted_at = now() where id = $1", room_id)

    async def _write(self, sql: str, *args: object) -> None:
        await self._database.execute(Statement(name="test.write", sql=sql, purpose="rows of a test"), *args)


class Caller:
    """One person at the door."""

    def __init__(self, client: httpx.AsyncClient, token: str) -> None:
        self.client = client
        self.headers = {"Authorization": f"Bearer {token}"}

    async def ask(self, document: str, **variables: object) -> dict[str, Any]:
        """The whole answer, which has to be one of GraphQL."""
        response = await self.post(document, variables)
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer

    async def data(self, document: str, **variables: object) -> dict[str, Any]:
        """The data of an answer without errors."""
        answer = await self.ask(document, **variables)
        assert "errors" not in answer, answer["errors"]
        data: dict[str, Any] = answer["data"]
        return data

    async def code(self, document: str, **variables: object) -> str:
        """The code of the only error of an answer."""
        (error,) = (await self.ask(document, **variables))["errors"]
        code: str = error["extensions"]["code"]
        return code

    async def post(
        self, document: str, variables: Mapping[str, object] | None = None, *, accept: str = "application/json"
    ) -> httpx.Response:
        body = msgspec.json.encode({"query": document, "variables": variables or {}})
        headers = {**self.headers, "Accept": accept, "Content-Type": "application/json"}
        return await self.client.post("/graphql", content=body, headers=headers)
