"""The two pages for people: the API description at `/docs` and a GraphQL explorer at `/graphql`.

Owns the HTML, and what of it may be fetched; knows no web framework and no data. Everything comes from this server:
a machine without a route to the Internet shows the same pages, and a strict Content-Security-Policy (CSP 3) holds.
Swagger UI's files come out of the wheel `swagger-ui-bundle`; all other files lie beside this one.

Assets are served under `/docs/assets/`, and only the names in `ASSETS`: a name is looked up, never joined to a path.
"""

import re
from functools import cache
from hashlib import blake2b
from importlib.resources import files
from typing import Final

from yotei.api.pages import docs

ASSETS_PATH: Final = "/docs/assets/"
PAGE_MEDIA_TYPE: Final = "text/html; charset=utf-8"

_JS: Final = "text/javascript; charset=utf-8"
_CSS: Final = "text/css; charset=utf-8"

ASSETS: Final = {
    "docs.css": _CSS,
    "docs.js": _JS,
    "graphiql.css": _CSS,
    "graphiql.format.js": _JS,
    "graphiql.js": _JS,
    "graphiql.schema.js": _JS,
    "icon.svg": "image/svg+xml",
    "swagger-ui-bundle.js": _JS,
    "swagger-ui.css": _CSS,
}

_OURS: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
GRAPHIQL_CSP: Final = _OURS
# Swagger UI draws its icons from data URLs.
DOCS_CSP: Final = _OURS.replace("img-src 'self'", "img-src 'self' data:")

PAGE_HEADERS: Final = {
    "Cache-Control": "no-cache",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
# A year: the pages name every asset with a hash of its content.
ASSET_HEADERS: Final = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "X-Content-Type-Options": "nosniff",
}


@cache
def docs_page() -> bytes:
    """The HTML of `/docs`: Swagger UI over `/openapi.json`. Send it with `DOCS_CSP`."""
    return _page("docs.html")


@cache
def graphiql_page() -> bytes:
    """The HTML of `/graphql` for browsers: an explorer that posts to the address it was loaded from.

    Send it with `GRAPHIQL_CSP`.
    """
    return _page("graphiql.html")


@cache
def _content(name: str) -> bytes:
    if name in docs.SWAGGER_UI_FILES:
        return docs.swagger_ui_file(name)
    return files(__name__).joinpath(name).read_bytes()


def asset(name: str) -> tuple[bytes, str] | None:
    """Content and media type of an asset, None for every name that is not in `ASSETS`."""
    media_type = ASSETS.get(name)
    return None if media_type is None else (_content(name), media_type)


def _page(name: str) -> bytes:
    """An HTML file of ours, its assets named with a hash of their content, so that an upgrade is seen at once."""

    def with_hash(address: re.Match[str]) -> str:
        return f"{address[0]}?v={blake2b(_content(address[1]), digest_size=6).hexdigest()}"

    html = files(__name__).joinpath(name).read_text("utf-8")
    return re.sub(rf'(?<="){ASSETS_PATH}([a-z.-]+)', with_hash, html).encode()
