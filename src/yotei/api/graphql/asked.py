"""What a request of GraphQL over HTTP asks for: its parameters, from a body, an address or a message, and the media
type that it wants to be answered in (RFC 9110, section 12.5.1).
"""

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from yotei.errors import Code, Problem, invalid

JSON: Final = "application/json"
GRAPHQL_JSON: Final = "application/graphql-response+json"
EVENT_STREAM: Final = "text/event-stream"
HTML: Final = "text/html"

_HASH: Final = re.compile(r"(?:sha256:)?([0-9A-Fa-f]{64})")


class Asked(msgspec.Struct, frozen=True):
    """The parameters of a GraphQL request; others are ignored, as the specification has it."""

    query: str | None = None
    operation_name: str | None = msgspec.field(name="operationName", default=None)
    variables: dict[str, Any] | None = None
    extensions: dict[str, Any] | None = None
    document_id: str | None = msgspec.field(name="documentId", default=None)

    @property
    def document_hash(self) -> str | None:
        """The SHA-256 that names the document; Problem `invalid_request` for what is none."""
        if self.document_id is not None:
            return _hash(self.document_id, "documentId")
        persisted = (self.extensions or {}).get("persistedQuery")
        if persisted is None:
            return None
        named = persisted.get("sha256Hash") if isinstance(persisted, dict) else None
        return _hash(named, "extensions.persistedQuery.sha256Hash")


_asked: Final = msgspec.json.Decoder(Asked)
_map: Final = msgspec.json.Decoder(dict[str, Any] | None)


def from_body(body: bytes) -> Asked:
    """The parameters in JSON; Problem `invalid_request`, for a batch of them too."""
    if body.lstrip()[:1] == b"[":
        raise invalid("body", "expected one request; batches are not taken, use aliases")
    try:
        return _asked.decode(body)
    except msgspec.ValidationError as error:
        raise invalid("body", str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise invalid("body", "expected a JSON object with `query`") from None


def from_address(given: Mapping[str, str]) -> Asked:
    """The parameters of a query string; an empty one is as one that is not there. Problem `invalid_request`."""
    parts: dict[str, dict[str, Any] | None] = {}
    for name in ("variables", "extensions"):
        try:
            parts[name] = _map.decode(given[name]) if given.get(name) else None
        except (msgspec.DecodeError, RecursionError):
            raise invalid(f"query.{name}", "expected a JSON object") from None
    return Asked(
        given.get("query"),
        given.get("operationName") or None,
        parts["variables"],
        parts["extensions"],
        given.get("documentId") or None,
    )


def must_be_json(content_type: str | None) -> None:
    """Problem `unsupported_media_type` for what a form of another site can send too."""
    media_type, _, parameters = (content_type or "").partition(";")
    charset = parameters.strip().lower().removeprefix("charset=").strip('"')
    if media_type.strip().lower() != JSON or charset not in ("", "utf-8", "utf8"):
        raise Problem(Code.UNSUPPORTED_MEDIA_TYPE, f"Send the document as {JSON} in UTF-8.")


def negotiated(accept: str | None, offered: tuple[str, ...]) -> str:
    """The media type to answer with: the one that is liked most, then the first offered."""
    if accept is None or not accept.strip():
        return offered[0]
    liked: dict[str, float] = {}
    for part in accept.split(","):
        media_range, *parameters = (one.strip().lower() for one in part.split(";"))
        liked[media_range] = max(_quality(parameters), liked.get(media_range, 0.0))

    def quality(kind: str) -> tuple[float, int]:
        for precision, media_range in ((2, kind), (1, f"{kind.partition('/')[0]}/*"), (0, "*/*")):
            if media_range in liked:
                return liked[media_range], precision
        return 0.0, 0

    # A browser sends `text/html,*/*;q=0.8`: what is named beats what is only covered.
    best = max(offered, key=quality)
    if quality(best)[0] <= 0:
        raise Problem(Code.NOT_ACCEPTABLE, f"This is answered as {' or '.join(offered)}.")
    return best


def _quality(parameters: list[str]) -> float:
    for one in parameters:
        if one.startswith("q="):
            try:
                return min(max(float(one[2:]), 0.0), 1.0)
            except ValueError:
                return 0.0
    return 1.0


def _hash(named: object, field: str) -> str:
    found = _HASH.fullmatch(named) if isinstance(named, str) else None
    if found is None:
        raise invalid(field, "expected a SHA-256 in 64 hexadecimal digits")
    return found[1].lower()
