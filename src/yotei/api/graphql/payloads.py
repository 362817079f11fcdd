"""What all mutations answer alike: what was written, or why nothing was. What a caller can mend is data here; what is
no fault of the input (a token that ended, a database that is away, a fault of ours) stays in `errors` of the answer.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeVar, cast

import strawberry

from yotei.api.graphql.context import Asking, Context
from yotei.api.graphql.fields import LOADED
from yotei.api.graphql.loads import PEOPLE
from yotei.api.graphql.naming import camel
from yotei.api.graphql.user_errors import NOT_THE_INPUT, UserError, user_errors
from yotei.breadth import Brought, Load, Loaded
from yotei.errors import Problem

F = TypeVar("F", bound=Callable[..., Awaitable[Any]])

STATEMENTS_MAX: Final = 12
"""SQL statements of one mutation at most, its key included; of what is selected of its payload beside."""
KEY_STATEMENTS: Final = 2
"""How many of them an `idempotencyKey` takes."""


@strawberry.interface(description="What every mutation answers beside what it wrote.")
class Payload:
    errors: list[UserError] = strawberry.field(
        default_factory=list, description="Why nothing was written; empty when it was."
    )
    replayed: bool = strawberry.field(
        default=False, description="Whether this is the answer that was kept under the `idempotencyKey`."
    )


class _Written:
    """One time that a field is to write: equal to no other, whatever its input."""

    def __init__(self, input: Any) -> None:
        self.input: Final = input


def mutation(description: str, payload: Callable[..., Any], *, statements: int = STATEMENTS_MAX) -> Callable[[F], F]:
    """A root field that writes, with one argument, `input`, by `write(asking, input)`. What it raises as a Problem that
    the caller can mend becomes `errors` of the payload."""

    def field(write: F) -> F:
        name = camel(write.__name__)

        async def load(context: Context, keys: Sequence[_Written], _: Any) -> list[Any]:
            (key,) = keys
            try:
                return [await write(Asking(context, name), key.input)]
            except Problem as problem:
                if problem.code in NOT_THE_INPUT:
                    raise
                return [payload(errors=user_errors(problem))]

        async def with_people(context: Context, keys: Sequence[_Written], _: Any, wanted: frozenset[Load]) -> Brought:
            (answer,) = await load(context, keys, _)
            known = {answer.user.id: answer.user} if answer.user is not None else {}
            return Brought([answer], dict.fromkeys(wanted, known))

        brings = _brings(payload)
        loads = Load(
            name, with_people if brings else load, statements=statements, keys_max=1, brings=brings, writes=True
        )
        declared = Loaded(loads, lambda _, given, __: _Written(given["input"]))
        made = strawberry.field(resolver=_signature(write), description=description, metadata={LOADED: declared})
        (input,) = made.base_resolver.arguments
        input.description = "What is to be written."
        return cast("F", made)

    return field


def _signature(write: Callable[..., Any]) -> Callable[..., Any]:
    """What the schema is told of a write: its input and its answer, not that it is asked by somebody."""

    def declared(input: Any) -> Any:
        raise AssertionError("it is loaded, not resolved")

    declared.__name__, declared.__module__ = write.__name__, write.__module__
    declared.__annotations__ = {name: write.__annotations__[name] for name in ("input", "return")}
    return declared


def _brings(payload: Any) -> frozenset[Load]:
    """A payload with a person has all of them."""
    fields = payload.__strawberry_definition__.fields
    return frozenset({PEOPLE}) if any(one.python_name == "user" for one in fields) else frozenset()
