"""How fields and enum values are written down here: always with a description, with a type that is checked, and with
where their values come from.

A field is an attribute of its source, unless it is `resolved` or `loaded`.
"""

from collections.abc import Callable
from typing import Any, Final, TypeVar, cast

import strawberry

from yotei.breadth import Loaded

LOADED: Final = "loaded"
"""Where the metadata of a field says how it is loaded."""
ROWS: Final = "rows"
"""Where it says how many items a list is expected to have."""

F = TypeVar("F")


def resolved(description: str) -> Callable[[F], F]:
    """A field that is computed from its source and its arguments, without I/O."""
    return cast("Callable[[F], F]", strawberry.field(description=description))


def loaded(description: str, load: Loaded) -> Callable[[F], F]:
    """A field that is loaded. What it stands on is the signature alone: arguments and type. `load` knows arguments by
    the names that they have there."""
    return cast("Callable[[F], F]", strawberry.field(description=description, metadata={LOADED: load}))


def listed(description: str, rows: int) -> Any:
    """A list that is an attribute, with how many items it is expected to have."""
    return strawberry.field(description=description, metadata={ROWS: rows})


def value(of: str, description: str) -> str:
    """A value of an enum: `of` is the domain's word for it."""
    return cast("str", strawberry.enum_value(of, description=description))
