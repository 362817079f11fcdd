"""Pages in Relay's shape (GraphQL Cursor Connections): edges with node and cursor, and what lies around the page."""

from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

import msgspec
import strawberry

from yotei.api import paging

T = TypeVar("T")


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


def page_info(shown: list[Edge[T]], *, more: bool, after: str | None) -> PageInfo:
    return PageInfo(
        has_next_page=more,
        has_previous_page=after is not None,
        start_cursor=shown[0].cursor if shown else None,
        end_cursor=shown[-1].cursor if shown else None,
    )


def connect(nodes: list[T], place: Callable[[T], msgspec.Struct], *, more: bool, after: str | None) -> Connection[T]:
    shown = edges(nodes, map(place, nodes))
    return Connection(edges=shown, nodes=nodes, page_info=page_info(shown, more=more, after=after))
