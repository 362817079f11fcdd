"""The root of subscriptions: what a client can be told of as it happens."""

from collections.abc import AsyncGenerator, Callable
from typing import TypeVar, cast

import strawberry
from strawberry import Info

from yotei.api.graphql import loads, types
from yotei.api.graphql.arguments import Zone
from yotei.api.graphql.context import Context
from yotei.api.graphql.query import CalendarId, LogFirst, Since
from yotei.api.parameters import page_size, parse_zone
from yotei.events import changes

F = TypeVar("F")


def _followed(description: str) -> Callable[[F], F]:
    return cast("Callable[[F], F]", strawberry.subscription(description=description))


@strawberry.type(description="What can be told as it happens, over WebSocket or as server-sent events.")
class Subscription:
    @_followed(
        "The changes of a calendar since a position, then those that come, as they are committed. The first answer "
        "comes at once, also without changes. Every answer has the position from which to go on after it."
    )
    @staticmethod
    async def changes(
        info: Info[Context, None], calendar_id: CalendarId, since: Since = None, first: LogFirst = None, tz: Zone = None
    ) -> AsyncGenerator[types.ChangeFeed, None]:
        following = info.context.following
        assert following is not None, "a subscription is executed by `schema.subscribe`"
        is_awaited = True
        async with following.watch([calendar_id]) as watch:
            position = changes.parse_position(since, "since")
            zone = parse_zone(tz, info.context.reading.viewer.tzid)
            size = page_size(first, info.context.reading.limits)
            while True:
                # The loop reads with the position of its own round: it is called before the next one.
                feed = await following.read(
                    lambda reading: loads.feed_of(reading, loads.Feed(calendar_id, position, zone, size))  # noqa: B023
                )
                position = feed.position
                if feed.changes or is_awaited:
                    # Who was told that there is more waits for it, even when that was all.
                    is_awaited = feed.has_more
                    yield types.feed(feed)
                if not feed.has_more:
                    following.rest()
                    await following.news(watch)
