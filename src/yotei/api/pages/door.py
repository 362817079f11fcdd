"""The routes of the pages: `/docs`, to which `/` leads, what it loads, and `/docs/errors`, to which problems point."""

from html import escape
from typing import Final

from litestar import Response, get
from litestar.params import FromPath
from litestar.response import Redirect

from yotei.api import pages
from yotei.errors import Code, not_found

# The framework adds the charset.
HTML: Final = pages.PAGE_MEDIA_TYPE.partition(";")[0]


@get("/", include_in_schema=False)
async def home() -> Redirect:
    return Redirect("/docs")


@get("/docs", include_in_schema=False)
async def docs() -> Response[bytes]:
    return Response(
        pages.docs_page(),
        headers={**pages.PAGE_HEADERS, "Content-Security-Policy": pages.DOCS_CSP},
        media_type=HTML,
    )


@get("/docs/assets/{name:str}", include_in_schema=False)
async def asset(name: FromPath[str]) -> Response[bytes]:
    found = pages.asset(name)
    if found is None:
        raise not_found("file")
    content, media_type = found
    return Response(content, headers=pages.ASSET_HEADERS, media_type=media_type.partition(";")[0])


@get("/docs/errors", include_in_schema=False)
async def errors() -> Response[bytes]:
    """Each code with its status and title; `docs/errors.md` says more."""
    rows = "".join(
        f'<dt id="{code.code}"><code>{code.code}</code> ({code.status})</dt><dd>{escape(code.title)}.</dd>'
        for code in Code
    )
    html = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Errors of Yotei</title>'
        f'<link rel="icon" href="{pages.ASSETS_PATH}icon.svg"><h1>Errors</h1><dl>{rows}</dl></html>'
    )
    return Response(
        html.encode(),
        headers={**pages.PAGE_HEADERS, "Content-Security-Policy": pages.GRAPHIQL_CSP},
        media_type=HTML,
    )


ROUTES: Final = (home, docs, asset, errors)
