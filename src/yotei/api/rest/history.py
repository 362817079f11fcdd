"""`/api/events/{id}/history`: who changed what, and when."""

from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
from litestar import Request, Response, get
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, Parameter

from yotei.api import paging
from yotei.api.conditional import answer
from yotei.api.edge import source_of
from yotei.api.parameters import Cursor, Zone, page_size, parse_zone
from yotei.api.problems import refusals
from yotei.cache.reads import past_cache
from yotei.events import history
from yotei.users.user import Viewer


class EventHistory(msgspec.Struct, frozen=True):
    """What was changed, the newest first. Nothing is known of what was before `reaches_back_to`. `next_cursor` is null
    on the last page."""

    entries: tuple[history.Entry, ...]
    reaches_back_to: datetime | None
    next_cursor: str | None


@get("/api/events/{event_id:uuid}/history", summary="History of an event", responses=refusals(404))
async def get_history(
    request: Request[Any, Any, Any],
    state: State,
    viewer: NamedDependency[Viewer],
    event_id: FromPath[UUID],
    limit: Annotated[int | None, Parameter(description="Entries in the page.", required=False)] = None,
    cursor: Cursor = None,
    tz: Zone = None,
) -> Response[EventHistory]:
    """Who changed which fields, attendees, answers and rooms, and when; not what they were before.

    For those who see all of the event; of a deleted one for those who write its calendar. A series and each of its
    exceptions have a history of their own.
    """
    found = await history.of_event(
        past_cache(source_of(request)),
        viewer,
        event_id,
        parse_zone(tz, viewer.tzid),
        after=paging.decode(cursor, history.After),
        limit=page_size(limit, state.limits),
    )
    return answer(EventHistory(found.entries, found.reaches_back_to, paging.encode(found.after)))


ROUTES: Final = (get_history,)
