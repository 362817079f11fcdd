"""Columns: all values that one field has at one place of the document, completed together (GraphQL October 2021,
6.4.3). What the library checks for each value is checked here for each *type* of value in the column; only where a type
is found that needs a closer look, each value is completed alone. `Fail` stands where that failed, within lists too.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from itertools import chain
from math import isfinite
from types import GeneratorType
from typing import Any, Final

from graphql import (
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLFloat,
    GraphQLID,
    GraphQLInt,
    GraphQLLeafType,
    GraphQLNamedOutputType,
    GraphQLString,
    Undefined,
)
from graphql.pyutils import inspect

NoneType: Final = type(None)
UndefinedType: Final = type(Undefined)
KINDS_MAX: Final = 4_096
"""Types of values of which it is remembered whether they need a closer look."""
ENUM_VALUES_MAX: Final = 1_024
"""Values of an enum of which the name is remembered."""

_INT_MIN: Final = -(2**31)
_INT_MAX: Final = 2**31 - 1


class Fail:
    """A value that could not be had, and why."""

    __slots__ = ("error",)

    def __init__(self, error: Exception) -> None:
        self.error: Final = error


class Kinds:
    """Which types of values are just values: no error, nothing to await, not nothing."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[type, bool] = {}

    def plain(self, kinds: Iterable[type]) -> bool:
        known = self._known
        for kind in kinds:
            plain = known.get(kind)
            if plain is None:
                plain = self._learn(kind)
            if not plain:
                return False
        return True

    def _learn(self, kind: type) -> bool:
        if len(self._known) >= KINDS_MAX:
            self._known.clear()
        plain = not (
            kind in (NoneType, UndefinedType, Fail)
            or issubclass(kind, Exception | GeneratorType)
            or hasattr(kind, "__await__")
            or hasattr(kind, "__aiter__")
            # What answers to any name may answer to `__await__` too.
            or hasattr(kind, "__getattr__")
        )
        self._known[kind] = plain
        return plain


def _in_int_range(column: Sequence[Any]) -> bool:
    present = [value for value in column if value is not None]
    return not present or (min(present) >= _INT_MIN and max(present) <= _INT_MAX)


def _finite(column: Sequence[Any]) -> bool:
    return all(isfinite(value) for value in column if value is not None)


_EXACT: Final[dict[GraphQLNamedOutputType, tuple[frozenset[type], Callable[[Sequence[Any]], bool] | None]]] = {
    GraphQLString: (frozenset({str}), None),
    GraphQLID: (frozenset({str}), None),
    GraphQLBoolean: (frozenset({bool}), None),
    GraphQLInt: (frozenset({int}), _in_int_range),
    GraphQLFloat: (frozenset({float}), _finite),
}
"""The types of values that these scalars leave as they are, and what else has to hold."""


class Leaves:
    """How columns of one scalar or enum are coerced (GraphQL October 2021, 3.5 and 3.9)."""

    __slots__ = ("_check", "_coerce", "_exact", "_kinds", "_names", "type")

    def __init__(self, type_: GraphQLLeafType, kinds: Kinds, *, as_they_are: bool) -> None:
        self.type: Final = type_
        self._kinds = kinds
        self._coerce = type_.coerce_output_value
        self._names: dict[Any, Any] | None = {None: None} if isinstance(type_, GraphQLEnumType) else None
        # None: every type of value is left to the encoder.
        exact, check = _EXACT.get(type_, (frozenset(), None))
        self._exact: frozenset[type] | None = None if as_they_are else exact
        self._check: Callable[[Sequence[Any]], bool] | None = check

    def column(self, column: list[Any], kinds: set[type]) -> list[Any] | None:
        """The coerced column, nulls left in; None when each value has to be looked at. `kinds` has no NoneType."""
        if self._names is not None:
            try:
                return [self._names[value] for value in column]
            except (KeyError, TypeError):
                return None
        if self._exact is None:
            return column if self._kinds.plain(kinds) else None
        if kinds <= self._exact and (self._check is None or self._check(column)):
            return column
        return None

    def value(self, value: Any) -> Any:
        """The coerced value; raises what the library raises."""
        if self._exact is None:
            return value
        coerced = self._coerce(value)
        if coerced is Undefined or coerced is None:
            raise TypeError(
                f"Expected `{inspect(self.type)}.coerce_output_value({inspect(value)})` to return non-nullable value, "
                f"returned: {inspect(coerced)}"
            )
        if self._names is not None and len(self._names) < ENUM_VALUES_MAX:
            with suppress(TypeError):  # it cannot be remembered
                self._names[value] = coerced
        return coerced


def flat(column: Iterable[Iterable[Any]]) -> list[Any]:
    return list(chain.from_iterable(column))
