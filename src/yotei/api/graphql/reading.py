"""What one request reads by: the viewer, the bounds, one instant; and what it has asked for so far."""

from datetime import UTC, datetime
from typing import Final

from yotei.errors import Code, Problem
from yotei.settings import LimitSettings
from yotei.storage.pool import Source
from yotei.users.user import Viewer

EVENTS_MAX: Final = 20_000
"""Events that one document may ask for, its pages taken as full: a page of calendars times a page of events."""
MEMBERS_MAX: Final = 20_000
"""Members that one document may ask for, counted alike."""


class Reading:
    """One request. Every load goes from here to a domain, with the viewer."""

    def __init__(self, source: Source, viewer: Viewer, limits: LimitSettings) -> None:
        self.source: Final = source
        self.limits: Final = limits
        self.begin(viewer)

    def begin(self, viewer: Viewer) -> None:
        """A new answer: of the only one of a request, or of the next of a subscription."""
        self.viewer = viewer
        # One instant for the whole document: equal arguments have to mean equal windows.
        self.now = datetime.now(UTC)
        self._events = 0
        self._members = 0

    def expect_events(self, events_max: int) -> None:
        """Count events before they are read; Problem `invalid_request` for too many."""
        self._events += events_max
        _within("events", self._events, EVENTS_MAX)

    def expect_members(self, members_max: int) -> None:
        """The same of members."""
        self._members += members_max
        _within("members", self._members, MEMBERS_MAX)


def _within(what: str, asked: int, most: int) -> None:
    if asked > most:
        raise Problem(
            Code.INVALID_REQUEST,
            f"The document asks for up to {asked} {what}, at most {most} are given; make its pages smaller (`first`).",
        )
