"""One typed function for each statement of `queries.sql`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from yotei.events.event import Stored
from yotei.storage import statements
from yotei.storage.pool import Source

_SQL: Final = statements.load("yotei.events")


class MemberCalendar(msgspec.Struct, frozen=True, gc=False):
    """A calendar that the viewer reads by right of membership."""

    id: UUID
    role: str


class Selected(msgspec.Struct, frozen=True):
    """What `select_events` found, and the snapshot that it was read under."""

    snapshot: str
    calendars: tuple[MemberCalendar, ...]
    events: tuple[Stored, ...]


_calendars: Final = msgspec.json.Decoder(tuple[MemberCalendar, ...])
_events: Final = msgspec.json.Decoder(tuple[Stored, ...])


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
    zone: str,
    after: tuple[int, UUID] | None = None,
    direction: int = 1,
    singles_max: int,
    per_calendar: bool = False,
    series_max: int,
) -> Selected:
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
        zone,
        after[0] if after else None,
        after[1] if after else None,
        direction,
        singles_max,
        per_calendar,
        series_max,
    )
    assert row is not None
    return Selected(row["snapshot"], _calendars.decode(row["calendars"]), _events.decode(row["events"]))


async def answer_invitation(
    source: Source, event_id: UUID, user_id: UUID, response_status: str, comment: str | None
) -> bool:
    """Whether there was an invitation to answer."""
    return bool(await source.fetch(_SQL["answer_invitation"], event_id, user_id, response_status, comment))
