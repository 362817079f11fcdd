"""Pages in Relay's shape (GraphQL Cursor Connections): edges with node and cursor, and what lies around the page."""

from collections.abc import Callable, Iterable, Sequence
from typing import Generic, TypeVar
from uuid import UUID

import msgspec
import strawberry

from yotei.api import paging
from yotei.api.graphql.arguments import place_of
from yotei.errors import Code, invalid

T = TypeVar("T")
P = TypeVar("P", bound=msgspec.Struct)


class AfterAttendee(msgspec.Struct, frozen=True):
    """Where a page of the attendees of one event ended."""

    email: str


class AfterMember(msgspec.Struct, frozen=True):
    """Where a page of the members of one calendar ended."""

    user_id: UUID


@strawberry.type(description="What lies around a page.")
class PageInfo:
    has_next_page: bool = strawberry.field(description="Whether there is more after this page.")
    has_previous_page: bool = strawberry.field(description="Whether the page was asked for with `after`.")
    start_cursor: str | None = strawberry.field(description="The cursor of the first edge; null when there is none.")
    end_cursor: str | None = strawberry.field(description="The cursor of the last edge: `after` of the next page.")


@strawberry.type(description="One item of a page, and where it stands.")
class Edge(Generic[T]):
    node: T = strawberry.field(description="The item.")
    cursor: str = strawberry.field(description="Its place in the order; `after` continues behind it.")


@strawberry.type(description="A page of a list.")
class Connection(Generic[T]):
    edges: list[Edge[T]] = strawberry.field(description="The items with their cursors.")
    nodes: list[T] = strawberry.field(description="The items alone.")
    page_info: PageInfo = strawberry.field(description="What lies around the page.")


def edges(nodes: Iterable[T], places: Iterable[msgspec.Struct]) -> list[Edge[T]]:
    """The nodes, each with the cursor of its place."""
    return [Edge(node=node, cursor=paging.encode(place) or "") for node, place in zip(nodes, places, strict=True)]


def page_info(shown: list[Edge[T]], *, more: bool, is_first: bool) -> PageInfo:
    return PageInfo(
        has_next_page=more,
        has_previous_page=not is_first,
        start_cursor=shown[0].cursor if shown else None,
        end_cursor=shown[-1].cursor if shown else None,
    )


def connect(nodes: list[T], place: Callable[[T], msgspec.Struct], *, more: bool, is_first: bool) -> Connection[T]:
    shown = edges(nodes, map(place, nodes))
    return Connection(edges=shown, nodes=nodes, page_info=page_info(shown, more=more, is_first=is_first))


def page_of(nodes: Sequence[T], place: Callable[[T], P], kind: type[P], first: int, after: str | None) -> Connection[T]:
    """A page of what is there as a whole. Problem `invalid_cursor` when what the cursor names has gone."""
    reached = place_of(after, kind)
    start = 0
    if reached is not None:
        found = next((n for n, one in enumerate(nodes) if place(one) == reached), None)
        if found is None:
            raise invalid("after", "expected the cursor of an edge that is still there", code=Code.INVALID_CURSOR)
        start = found + 1
    shown = list(nodes[start : start + first])
    return connect(shown, place, more=start + first < len(nodes), is_first=reached is None)
