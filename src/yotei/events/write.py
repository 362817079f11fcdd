"""Writing events. So far: the answer of somebody invited; each function is one transaction."""

from typing import Final
from uuid import UUID

from yotei.errors import not_found
from yotei.events import rows
from yotei.events.event import ResponseStatus
from yotei.storage.pool import Database, Source
from yotei.users.user import Viewer

SCOPE: Final = "write"


async def answer_invitation(
    database: Database, viewer: Viewer, event_id: UUID, response_status: ResponseStatus, comment: str | None
) -> None:
    """The viewer's own answer: one row of `attendees`, never the event. Problem `not_found` without an invitation."""
    viewer.need(SCOPE)

    async def work(tx: Source) -> bool:
        return await rows.answer_invitation(tx, event_id, viewer.user_id, response_status, comment)

    if not await database.run(work, actor_id=viewer.user_id):
        raise not_found("invitation")
