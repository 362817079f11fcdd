"""The OpenAPI 3.1 description at `/openapi.json`: what is common to every route, and what the framework leaves out."""

from collections.abc import Iterator
from typing import Any, Final

import msgspec
from litestar import Request
from litestar.enums import MediaType
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme

from yotei import __version__

Tree = dict[str, Any]

_IN_THE_PATH: Final = {
    "calendar_id": "Id of the calendar.",
    "email": "Address of the attendee.",
    "event_id": "Id of the event; all instances of a series share that of the series.",
    "resource_id": "Id of the room or piece of equipment.",
    "token_id": "Id of the token, which is not the secret.",
    "user_id": "Id of the person.",
}
_OPEN: Final = ("/healthz", "/readyz")


class _Described(JsonRenderPlugin):
    def render(self, request: Request[Any, Any, Any], openapi_schema: Tree) -> bytes:
        # Plain values first: what the framework hands us still has objects of its own in it.
        tree = msgspec.json.decode(self.render_json(request, openapi_schema))
        return msgspec.json.encode(complete(tree, page_size_max=request.app.state.limits.page_size_max))


def complete(schema: Tree, *, page_size_max: int) -> Tree:
    """What is true of our doors and the framework does not say, or says in a way that OpenAPI 3.1 does not know."""
    schemas = schema["components"]["schemas"]
    for path, methods in schema["paths"].items():
        for operation in methods.values():
            if path in _OPEN:
                operation["security"] = []
            operation["responses"].get("204", {}).pop("content", None)
            for parameter in operation.get("parameters", ()):
                _describe(parameter, page_size_max)
            for content in operation.get("requestBody", {}).get("content", {}).values():
                # A mistyped field is refused.
                schemas[content["schema"]["$ref"].rpartition("/")[2]]["additionalProperties"] = False
                responses = operation["responses"]
                responses["415"] = {**responses["413"], "description": "The body is not JSON."}
    ready = schema["paths"]["/readyz"]["get"]["responses"]
    ready["503"] = {**ready["200"], "description": "It cannot serve now; `reasons` say why."}
    for found in _objects(schema):
        parts = found.get("prefixItems", [])
        if parts and all(part == parts[0] for part in parts):
            # A tuple of equals, in words that tools for older JSON Schema know as well; and its length.
            del found["prefixItems"]
            found |= {"items": parts[0], "minItems": len(parts), "maxItems": len(parts)}
    return schema


def _describe(parameter: Tree, page_size_max: int) -> None:
    if parameter["in"] == "path":
        parameter.setdefault("description", _IN_THE_PATH[parameter["name"]])
    if parameter["name"] == "limit":
        parameter["schema"] |= {"minimum": 1, "maximum": page_size_max}


def _objects(tree: Any) -> Iterator[Tree]:
    """Every object in it, the inner ones last."""
    if isinstance(tree, dict):
        yield tree
    for inner in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        yield from _objects(inner)


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
    # Not below "/": what the framework answers there for paths that it does not know is a page of its own.
    path="/openapi.json",
    render_plugins=[_Described(path=["/", "/openapi.json"], media_type=MediaType.JSON)],
)
