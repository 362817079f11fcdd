"""How fields and enum values are written down here: always with a description, and with a type that is checked."""

from collections.abc import Callable
from typing import TypeVar, cast

import strawberry

F = TypeVar("F")


def resolved(description: str) -> Callable[[F], F]:
    """A field with a resolver: Strawberry's own decorator, which would make the resolver untyped."""
    return cast("Callable[[F], F]", strawberry.field(description=description))


def value(of: str, description: str) -> str:
    """A value of an enum: `of` is the domain's word for it."""
    return cast("str", strawberry.enum_value(of, description=description))
