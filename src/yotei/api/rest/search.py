"""`/api/events/search`: events by their words."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
from litestar import Request, Response, get
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import Parameter

from yotei.api import paging
from yotei.api.conditional import answer
from yotei.api.edge import source_of
from yotei.api.parameters import (
    TIME_DESCRIPTION,
    Cursor,
    Fields,
    Zone,
    only,
    page_size,
    parse_fields,
    parse_time,
    parse_zone,
)
from yotei.api.problems import refusals
from yotei.cache.reads import past_cache
from yotei.events import search
from yotei.events.event import Event
from yotei.users.user import Viewer

Words = Annotated[
    str,
    Parameter(
        description=(
            "Words that must all be in the title, the location, or the first 1,000 characters of the description, "
            f"anywhere; at most {search.WORDS_MAX}. Case and width do not matter."
        ),
        min_length=1,
        max_length=search.CHARACTERS_MAX,
    ),
]
Calendar = Annotated[
    UUID | None,
    Parameter(description="Only in this calendar; without it wherever the caller sees all of it.", required=False),
]
From = Annotated[
    str | None,
    Parameter(description=f"Only what ends after it; a series by its last. {TIME_DESCRIPTION}", required=False),
]
To = Annotated[
    str | None,
    Parameter(description=f"Only what starts before it; a series by its first. {TIME_DESCRIPTION}", required=False),
]


class FoundEvents(msgspec.Struct, frozen=True):
    """Events with all words in the title first, of these and of the rest those that end last. `next_cursor` is null on
    the last page."""

    events: list[Event]
    next_cursor: str | None


@get("/api/events/search", summary="Events by their words", responses=refusals(404))
async def search_events(
    request: Request[Any, Any, Any],
    state: State,
    viewer: NamedDependency[Viewer],
    q: Words,
    calendar_id: Calendar = None,
    start: From = None,
    end: To = None,
    tz: Zone = None,
    limit: Annotated[int | None, Parameter(description="Events in the page.", required=False)] = None,
    cursor: Cursor = None,
    fields: Fields = None,
) -> Response[FoundEvents]:
    """What the caller sees in full: in their calendars, what they organise, and what they are invited to.

    Series are found as one, not as their instances; an exception is shown where its words are found and those of its
    series are not. Without a window all of time is searched.
    """
    chosen = parse_fields(fields, Event)
    query = search.Query(
        words=search.parse_words(q, "query.q"),
        zone=parse_zone(tz, viewer.tzid),
        limit=page_size(limit, state.limits),
        calendar_id=calendar_id,
        start=parse_time(start, "query.start"),
        end=parse_time(end, "query.end"),
        after=paging.decode(cursor, search.After),
    )
    page = await search.search(past_cache(source_of(request)), viewer, query, now=datetime.now(UTC))
    events: list[Any] = list(page.events) if chosen is None else only(page.events, chosen)
    return answer(FoundEvents(events, paging.encode(page.after)))


ROUTES: Final = (search_events,)
