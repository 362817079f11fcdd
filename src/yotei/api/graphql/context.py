"""What one operation is executed with."""

from typing import NamedTuple

from graphql import DocumentNode

from yotei.api.graphql.following import Following
from yotei.api.graphql.reading import Reading
from yotei.api.graphql.writing import Writing


class Context(NamedTuple):
    """How one request reads and writes, the document that it is about, and how a subscription goes on."""

    reading: Reading
    writing: Writing
    document: DocumentNode
    following: Following | None = None


class Asking(NamedTuple):
    """One field that writes: the operation that it belongs to, and what it is called."""

    context: Context
    field_name: str
