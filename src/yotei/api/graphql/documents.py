"""A document, ready to be executed: parsed, within its bounds, validated. Done once for each text and remembered, the
refusals too: parsing and validation take longer than the execution of a small document.
"""

from functools import lru_cache
from typing import Final

import msgspec
from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    NoSchemaIntrospectionCustomRule,
    parse,
    specified_rules,
)
from strawberry.schema.schema import validate_document

from yotei.api.graphql import bounds, failures

DOCUMENTS_MAX: Final = 256
"""Texts remembered."""
REMEMBERED_CHARACTERS_MAX: Final = 16_384
"""Longer texts are prepared each time: what is remembered stays bounded in bytes."""


class Prepared(msgspec.Struct, frozen=True):
    """A document, or why it is refused."""

    document: DocumentNode | None
    refusals: tuple[GraphQLError, ...] = ()


class Documents:
    """The documents of one schema, by their text."""

    def __init__(
        self, schema: GraphQLSchema, *, tokens_max: int, limits: bounds.Bounds, introspection: bool = True
    ) -> None:
        self._schema = schema
        self._tokens_max = tokens_max
        self._limits = limits
        # The same tuple each time, so that nothing is built for each request.
        self._rules = (*specified_rules, *(() if introspection else (NoSchemaIntrospectionCustomRule,)))
        self._remembered = lru_cache(maxsize=DOCUMENTS_MAX)(self._prepare)

    def prepare(self, text: str) -> Prepared:
        return self._remembered(text) if len(text) <= REMEMBERED_CHARACTERS_MAX else self._prepare(text)

    def _prepare(self, text: str) -> Prepared:
        try:
            return self._checked(text)
        except GraphQLSyntaxError as error:
            return Prepared(None, (failures.refused(error, failures.PARSE_FAILED),))
        except RecursionError:
            return Prepared(None, (failures.too_large("The document is nested too deeply to be read."),))

    def _checked(self, text: str) -> Prepared:
        document = parse(text, max_tokens=self._tokens_max)
        excess = bounds.excess(document, self._limits)
        if excess is not None:
            return Prepared(None, (failures.too_large(excess),))
        errors = validate_document(self._schema, document, self._rules)
        refusals = tuple(failures.refused(error, failures.VALIDATION_FAILED) for error in errors)
        return Prepared(None if refusals else document, refusals)
