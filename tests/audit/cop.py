"""What graphql-cop looks for, each of its checks asked in our own words.

The tool is not to be had from a package index: the package of that name there is an empty placeholder. Its checks are
these thirteen, one of which (the repeated field) it has switched off.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import httpx
import msgspec

NAME: Final = "graphql-cop"
"""The name of the operation; so is its tool's."""
MARKS: Final = ("graphiql.min.css", "GraphQL Playground", "GraphiQL", "graphql-playground")


class Door(msgspec.Struct, frozen=True):
    """Where to ask, and as whom."""

    client: httpx.Client
    path: str
    headers: Mapping[str, str]

    def post(self, document: str) -> Any:
        body = {"query": document, "operationName": "cop"}
        return _json(self.client.post(self.path, json=body, headers=dict(self.headers)))

    def get(self, **params: str) -> httpx.Response:
        return self.client.get(self.path, params=params, headers=dict(self.headers))


def aliases(door: Door) -> bool:
    """A hundred aliases and one are answered."""
    fields = " ".join(f"alias{n}: __typename" for n in range(101))
    return _at(door.post(f"query cop {{ {fields} }}"), "data", "alias100") is not None


def batch(door: Door) -> bool:
    """An array of ten requests is answered."""
    asked = [{"query": "query cop { __typename }"}] * 10
    answer = _json(door.client.post(door.path, json=asked, headers=dict(door.headers)))
    return isinstance(answer, list) and len(answer) >= 10


def circular_introspection(door: Door) -> bool:
    """A question about the schema that goes in circles is answered."""
    levels = 4
    document = "query cop { __schema { types { " + "fields { type { " * levels + "name" + " } }" * levels + " } } }"
    types = _at(door.post(document), "data", "__schema", "types")
    return isinstance(types, list) and len(types) > 25


def directives(door: Door) -> bool:
    """Ten unknown directives at one place are ten errors."""
    errors = _at(door.post("query cop { __typename " + "@aa" * 10 + " }"), "errors")
    return isinstance(errors, list) and len(errors) == 10


def repeated_field(door: Door) -> bool:
    """A field that is asked for five hundred times is answered."""
    return _at(door.post("query cop { " + "__typename " * 500 + "}"), "data", "__typename") is not None


def suggestions(door: Door) -> bool:
    """A mistyped name is answered with one of the schema."""
    errors = _at(door.post("query cop { __schema { directive } }"), "errors") or []
    return any("Did you mean" in str(error.get("message")) for error in errors)


def mutation_by_get(door: Door) -> bool:
    """A mutation in an address is executed."""
    return _at(_json(door.get(query="mutation cop { __typename }")), "data", "__typename") is not None


def query_by_get(door: Door) -> bool:
    """A query in an address is executed."""
    return _at(_json(door.get(query="query cop { __typename }")), "data", "__typename") is not None


def page(door: Door) -> bool:
    """A browser is shown an explorer."""
    response = door.client.get(door.path, headers={**door.headers, "Accept": "text/html"})
    return response.is_success and any(mark in response.text for mark in MARKS)


def introspection(door: Door) -> bool:
    """The schema is told."""
    return bool(_at(door.post("query cop { __schema { types { name fields { name } } } }"), "data", "__schema"))


def form(door: Door) -> bool:
    """A document in a form is executed."""
    response = door.client.post(door.path, data={"query": "query cop { __typename }"}, headers=dict(door.headers))
    return _at(_json(response), "data", "__typename") is not None


def tracing(door: Door) -> bool:
    """An answer tells how it was made."""
    return "tracing" in (_at(door.post("query cop { __typename }"), "extensions") or {})


def unhandled_errors(door: Door) -> bool:
    """An error tells of the program."""
    errors = _at(door.post("qwerty cop { abc }"), "errors") or []
    return any("exception" in error.get("extensions", {}) for error in errors)


CHECKS: Final[tuple[Callable[[Door], bool], ...]] = (
    aliases,
    batch,
    circular_introspection,
    directives,
    repeated_field,
    suggestions,
    mutation_by_get,
    query_by_get,
    page,
    introspection,
    form,
    tracing,
    unhandled_errors,
)
"""Each says whether it found what it looks for."""


def findings(door: Door) -> list[str]:
    return [check.__name__ for check in CHECKS if check(door)]


def _json(response: httpx.Response) -> Any:
    """The answer; that of a page or of nobody is none."""
    try:
        return response.json()
    except ValueError:
        return None


def _at(answer: Any, *path: str) -> Any:
    for key in path:
        answer = answer.get(key) if isinstance(answer, dict) else None
    return answer
