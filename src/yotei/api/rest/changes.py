"""`/api/calendars/{id}/changes`: for clients that keep a copy."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
from litestar import Request, Response, get
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, Parameter

from yotei.api.conditional import answer
from yotei.api.edge import source_of
from yotei.api.parameters import Zone, page_size, parse_zone
from yotei.api.problems import refusals
from yotei.events import changes
from yotei.users.user import Viewer

Since = Annotated[
    str | None,
    Parameter(
        description=(
            "`position` of an earlier answer, or `first` for the beginning of the log. Without it the answer is the "
            "position of now, and no changes: take it before you list the calendar."
        ),
        required=False,
        max_length=changes.POSITION_CHARACTERS_MAX,
    ),
]


class ChangeList(msgspec.Struct, frozen=True):
    """Changes in the order in which they were committed. Go on from `position`, at once when `has_more`."""

    changes: tuple[changes.Change, ...]
    position: str
    has_more: bool


@get(
    "/api/calendars/{calendar_id:uuid}/changes",
    summary="What has changed in a calendar",
    responses=refusals(404, 410),
)
async def list_changes(
    request: Request[Any, Any, Any],
    state: State,
    viewer: NamedDependency[Viewer],
    calendar_id: FromPath[UUID],
    since: Since = None,
    limit: Annotated[
        int | None, Parameter(description="Rows of the log that the page is made of, at most.", required=False)
    ] = None,
    tz: Zone = None,
) -> Response[ChangeList]:
    """Every event, member and property of the calendar that changed since a position, as the caller sees it now.

    Complete and in order. What was deleted, was moved to another calendar, or is not the caller's to know any more,
    comes with `op` `remove`. 410 `position_forgotten` when the log does not reach back to the position.
    """
    feed = await changes.since(
        source_of(request),
        viewer,
        calendar_id,
        changes.parse_position(since, "query.since"),
        parse_zone(tz, viewer.tzid),
        limit=page_size(limit, state.limits),
        now=datetime.now(UTC),
    )
    return answer(ChangeList(feed.changes, str(feed.position), feed.has_more))


ROUTES: Final = (list_changes,)
