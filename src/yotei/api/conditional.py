"""Entity tags and what they save (RFC 9110, sections 8.8.3, 13.1.1 and 13.1.2).

A tag holds a hash of the bytes of the answer, so it covers all that is rendered in it, for this viewer and this view.
That of a single thing begins with the version of its row, `"7-…"`: `If-Match` compares this part alone, under the row's
lock, so an edit is refused when the thing was edited meanwhile and not when somebody answered an invitation.
"""

import re
from hashlib import blake2b
from typing import Any, Final

import msgspec
from litestar import Response

HEADERS: Final = {
    "Cache-Control": "private, no-cache",
    "Vary": "Authorization, Yotei-On-Behalf-Of, Accept-Encoding",
}

_VERSIONED: Final = re.compile(r'"(\d{1,10})-[0-9a-f]{32}"')
_encoder: Final = msgspec.json.Encoder()


def answer(value: object, *, version: int | None = None) -> Response[Any]:
    """The value as JSON with a strong ETag. Whether it has to be sent is for the edge to see, which may know it."""
    body = _encoder.encode(value)
    return Response(body, headers={"ETag": tag(body, version), **HEADERS}, media_type="application/json")


def tag(body: bytes, version: int | None = None) -> str:
    of = "" if version is None else f"{version}-"
    return f'"{of}{blake2b(body, digest_size=16).hexdigest()}"'


def seen_versions(header: str | None) -> frozenset[int] | None:
    """The versions that an `If-Match` names: None for any, where there is no such header or it is `*`.

    A weak tag or one that is not ours matches nothing (RFC 9110 13.1.1).
    """
    if header is None or header.strip() == "*":
        return None
    found = (_VERSIONED.fullmatch(one.strip()) for one in header.split(","))
    return frozenset(int(one[1]) for one in found if one)


def matches(header: str | None, etag: str) -> bool:
    """Whether an If-None-Match header names the tag, by weak comparison."""
    if header is None:
        return False
    return header.strip() == "*" or any(one.strip().removeprefix("W/") == etag for one in header.split(","))
