"""Finding events by their words: those whose title, location or description (its first 1,000 characters) hold them all.

A word is found anywhere, also inside another one, in any language; upper and lower case, full and half width are not
told apart. One finds what one may see in full and nothing else: of who sees busy times only no text answers.

Those with all words in the title come first, then the rest, of both those that end last before the others: a series
that goes on is before what is over. A series is found as one, by its own words or else by those of an exception.
"""

import unicodedata
from datetime import datetime, timedelta
from typing import Annotated, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta

from yotei.errors import Code, invalid, not_found
from yotei.events import rows
from yotei.events.access import FULL, access_to
from yotei.events.event import Access, Event
from yotei.events.instances import master
from yotei.events.read import EVENTS_MAX, GET_WINDOW_DAYS
from yotei.events.view import seen
from yotei.events.window import instant, wall
from yotei.storage.pool import Source
from yotei.users.user import Viewer

CHARACTERS_MAX: Final = 200
"""Of all words together."""
WORDS_MAX: Final = 10
_ONE_IS_A_WORD: Final = "\u2e80"
"""From here on scripts write words with single characters; `search_items` of the schema knows the same bound."""


class After(msgspec.Struct, frozen=True):
    """Where the page before ended: a place in the order. No `span_end` is a series without an end."""

    in_title: bool
    span_end: Annotated[datetime, Meta(tz=True)] | None
    id: UUID


class Query(msgspec.Struct, frozen=True):
    """What is searched for: in one calendar or everywhere, in the part of time from `start` to `end` where given."""

    words: tuple[str, ...]
    zone: ZoneInfo
    limit: int
    calendar_id: UUID | None = None
    start: datetime | None = None
    end: datetime | None = None
    after: After | None = None


class Page(msgspec.Struct, frozen=True):
    """What was found, in order, with the place of each, and where the next page goes on, None when there is none."""

    events: tuple[Event, ...]
    places: tuple[After, ...]
    after: After | None


async def search(source: Source, viewer: Viewer, query: Query, *, now: datetime) -> Page:
    """A page of what the viewer may find. Problem `not_found` when they are no member of the calendar. One statement.

    A series counts from its first instance to its last.
    """
    viewer.need("read")
    assert 1 <= query.limit <= EVENTS_MAX
    after = query.after
    start, end = (None if one is None else instant(one, query.zone, f"query.{name}") for name, one in _ends(query))
    found = await rows.search_events(
        source,
        viewer_id=viewer.user_id,
        calendar_id=query.calendar_id,
        words=query.words,
        start=start,
        end=end,
        wall_start=None if start is None else wall(start, query.zone),
        wall_end=None if end is None else wall(end, query.zone),
        full=sorted(FULL),
        after=None if after is None else (after.in_title, after.span_end, after.id),
        limit=query.limit + 1,
        booked_from=now,
        booked_to=now + timedelta(days=GET_WINDOW_DAYS),
    )
    if query.calendar_id is not None and not found.calendars:
        raise not_found("calendar")
    places = [After(one.in_title, one.span_end, one.id) for one in found.places[: query.limit]]
    stored = {one.id: one for one in found.events}
    # The statement asks only for these; what it shows is decided here, as everywhere.
    shown = tuple(one for one in places if access_to(stored[one.id], viewer.user_id) is Access.FULL)
    events = tuple(seen(master(stored[one.id]), Access.FULL, query.zone) for one in shown)
    return Page(events, shown, places[-1] if len(found.places) > query.limit else None)


def parse_words(text: str, field: str) -> tuple[str, ...]:
    """The words of a search, each once. Problem `invalid_request` when there is nothing in them to be found by."""
    if len(text) > CHARACTERS_MAX:
        raise invalid(field, f"expected at most {CHARACTERS_MAX} characters")
    words = tuple(dict.fromkeys(unicodedata.normalize("NFKC", text).split()))
    if len(words) > WORDS_MAX:
        raise invalid(field, f"expected at most {WORDS_MAX} words")
    if "\0" in text or not any(len(one) > 1 or one >= _ONE_IS_A_WORD for one in words):
        raise invalid(field, "expected a word of two characters, or one of Chinese, Japanese or Korean")
    return words


def _ends(query: Query) -> tuple[tuple[str, datetime | None], ...]:
    if query.start is not None and query.end is not None:
        start, end = instant(query.start, query.zone, "query.start"), instant(query.end, query.zone, "query.end")
        if start >= end:
            raise invalid("query.end", "expected a time after start", code=Code.INVALID_WINDOW)
    return ("start", query.start), ("end", query.end)
