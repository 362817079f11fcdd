"""What the library hands to every resolver of one request."""

from typing import NamedTuple, TypeAlias

from graphql import DocumentNode
from strawberry import Info

from yotei.api.graphql.following import Following
from yotei.api.graphql.reading import Reading
from yotei.api.graphql.writing import Writing


class Context(NamedTuple):
    """How one request reads and writes, the document that it is about, and how a subscription goes on."""

    reading: Reading
    writing: Writing
    document: DocumentNode
    following: Following | None = None


Asking: TypeAlias = Info[Context, None]
