"""Trusted documents: texts that are known before anybody asks, by the SHA-256 of their bytes in UTF-8.

A file maps hashes to texts, as the build of a client writes it. A request names one by `documentId` (the hash, with or
without `sha256:` before it) or by `extensions.persistedQuery.sha256Hash`. Nothing is added at run time: what anybody
may register is not trusted, and fills a memory that has to be bounded.
"""

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec
from graphql import GraphQLError

from yotei.api.graphql import failures
from yotei.api.graphql.asked import Asked
from yotei.errors import invalid
from yotei.settings import SettingsError

DOCUMENTS_MAX: Final = 10_000
FILE_BYTES_MAX: Final = 33_554_432

_texts: Final = msgspec.json.Decoder(dict[str, str])


class Trusted:
    """The documents by hash, in 64 hexadecimal digits; with `only`, no others are executed."""

    def __init__(self, texts: Mapping[str, str], *, only: bool) -> None:
        self._texts = texts
        self._only = only

    def text(self, asked: Asked) -> str | GraphQLError:
        """What the request wants to have executed, or the refusal of it.

        Problem `invalid_request` when it names nothing, or a hash that is not that of its text.
        """
        named = asked.document_hash
        if asked.query is None:
            if named is None:
                raise invalid("query", "expected a GraphQL document, or `documentId`")
            return self._texts.get(named) or failures.document_unknown()
        if named is not None and named != _hash(asked.query):
            raise invalid("query", "expected the text of which the hash was given")
        if self._only and _hash(asked.query) not in self._texts:
            return failures.not_trusted()
        return asked.query


NONE: Final = Trusted({}, only=False)


def load(path: Path | None, *, only: bool) -> Trusted:
    """The documents of a JSON file; raises `SettingsError` when one of them is not what its hash says."""
    if path is None:
        return NONE
    try:
        with path.open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise SettingsError(f"graphql.trusted_documents: {path}: {error.strerror}") from None
    if len(content) > FILE_BYTES_MAX:
        raise SettingsError(f"graphql.trusted_documents: {path}: expected at most {FILE_BYTES_MAX} bytes")
    try:
        given = _texts.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"graphql.trusted_documents: {path}: expected a map of hashes to texts: {error}") from None
    if len(given) > DOCUMENTS_MAX:
        raise SettingsError(f"graphql.trusted_documents: {path}: expected at most {DOCUMENTS_MAX} documents")
    texts = {key.removeprefix("sha256:").lower(): text for key, text in given.items()}
    for named, text in texts.items():
        if named != _hash(text):
            raise SettingsError(f"graphql.trusted_documents: {path}: {named} is not the SHA-256 of its text")
    return Trusted(texts, only=only)


def _hash(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
