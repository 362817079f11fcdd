"""The OpenAPI 3.1 description at `/openapi.json`: what is common to every route."""

from typing import Final

from litestar.enums import MediaType
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme

from yotei import __version__

OPENAPI: Final = OpenAPIConfig(
    title="Yotei",
    version=__version__,
    description=(
        "A calendar backend that stays fast.\n\n"
        "Times are RFC 3339 in the zone of the answer (`tz`, by default the caller's own). Lists show a window, the "
        "current month when none is given, and are paged by cursor. Every failure is one `application/problem+json` "
        "document with a code that never changes. `Server-Timing` on every answer says how many SQL statements it took."
    ),
    use_handler_docstrings=True,
    components=Components(
        security_schemes={
            "bearer": SecurityScheme(
                type="http", scheme="bearer", description="A token from `yotei token` or `/api/tokens`."
            )
        }
    ),
    security=[{"bearer": []}],
    path="/",
    render_plugins=[JsonRenderPlugin(path="/openapi.json", media_type=MediaType.JSON)],
)
