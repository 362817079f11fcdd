"""Entity tags and what they save (RFC 9110, sections 8.8.3 and 13.1.2).

A tag is a hash of the bytes of the answer, so it covers all that is rendered in it, for this viewer and this view.
"""

from hashlib import blake2b
from typing import Any, Final

import msgspec
from litestar import Request, Response

NOT_MODIFIED: Final = 304

HEADERS: Final = {
    "Cache-Control": "private, no-cache",
    "Vary": "Authorization, Yotei-On-Behalf-Of, Accept-Encoding",
}

_encoder: Final = msgspec.json.Encoder()


def answer(request: Request[Any, Any, Any], value: object) -> Response[Any]:
    """The value as JSON with a strong ETag, or 304 where `If-None-Match` names it already."""
    body = _encoder.encode(value)
    etag = f'"{blake2b(body, digest_size=16).hexdigest()}"'
    headers = {"ETag": etag, **HEADERS}
    if matches(request.headers.get("if-none-match"), etag):
        return Response(None, status_code=NOT_MODIFIED, headers=headers)
    return Response(body, headers=headers, media_type="application/json")


def matches(header: str | None, etag: str) -> bool:
    """Whether an If-None-Match header names the tag, by weak comparison."""
    if header is None:
        return False
    return header.strip() == "*" or any(one.strip().removeprefix("W/") == etag for one in header.split(","))
