"""What all mutations answer alike: what was written, or why nothing was. What a caller can mend is data here; what is
no fault of the input (a token that ended, a database that is away, a fault of ours) stays in `errors` of the answer.
"""

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, TypeVar, cast

import strawberry

from yotei.api.graphql.user_errors import NOT_THE_INPUT, UserError, user_errors
from yotei.errors import Problem

F = TypeVar("F", bound=Callable[..., Awaitable[Any]])


@strawberry.interface(description="What every mutation answers beside what it wrote.")
class Payload:
    errors: list[UserError] = strawberry.field(
        default_factory=list, description="Why nothing was written; empty when it was."
    )
    replayed: bool = strawberry.field(
        default=False, description="Whether this is the answer that was kept under the `idempotencyKey`."
    )


def mutation(description: str, payload: Callable[..., Any]) -> Callable[[F], F]:
    """A root field that writes, with one argument, `input`. Its resolver raises Problems; those that the caller can
    mend become `errors` of the payload."""

    def field(resolver: F) -> F:
        @wraps(resolver)
        async def answered(*args: Any, **given: Any) -> Any:
            try:
                return await resolver(*args, **given)
            except Problem as problem:
                if problem.code in NOT_THE_INPUT:
                    raise
                return payload(errors=user_errors(problem))

        made = strawberry.field(resolver=answered, description=description)
        (input,) = made.base_resolver.arguments
        input.description = "What is to be written."
        return cast("F", made)

    return field
