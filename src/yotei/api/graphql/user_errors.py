"""From a Problem to data in the answer of a mutation: a code that never changes, a sentence, the field of the input; of
rooms also the periods that are in the way, and what could be had instead.
"""

from datetime import datetime
from typing import Final
from uuid import UUID

import strawberry

from yotei.api.graphql import loads
from yotei.api.graphql.fields import loaded
from yotei.api.graphql.naming import input_field, sentence
from yotei.api.graphql.types import Period, Resource
from yotei.breadth import Loaded
from yotei.errors import Code, Problem

NOT_THE_INPUT: Final = frozenset({Code.UNAUTHORIZED, Code.RATE_LIMITED, Code.UNAVAILABLE, Code.INTERNAL})
"""Failures that another input would meet as well."""


@strawberry.type(description="A period of a resource that could not be had, and the booking in its way.")
class BookingConflict:
    resource_id: UUID = strawberry.field(description="The id of the resource.")
    recurrence_id: datetime | None = strawberry.field(description="Which instance of the series wanted it.")
    start: datetime = strawberry.field(description="Start of the period that was wanted.")
    end: datetime = strawberry.field(description="Its end, not included.")
    is_closed: bool = strawberry.field(description="Whether the resource is closed then, by its opening hours.")
    taken: Period | None = strawberry.field(description="When it is taken; never by whom, or for what.")

    @loaded("The resource.", Loaded(loads.RESOURCES, "resource_id"))
    @staticmethod
    def resource() -> Resource | None: ...


@strawberry.type(description="What could be had instead of the first period that could not.")
class BookingAlternatives:
    resources: list[Resource] = strawberry.field(
        description="Others of the same kind, with at least as many seats, that are free then; the smallest first."
    )
    times: list[Period] = strawberry.field(description="The next periods of the same resource that are free.")


@strawberry.type(description="Why nothing was written, in a way that the caller can mend.")
class UserError:
    code: str = strawberry.field(description="A code that never changes; `docs/errors.md` lists all.")
    message: str = strawberry.field(description="A sentence for people; it may change.")
    field: str | None = strawberry.field(
        description="The field of the input that is wrong, as `input.attendees[1].email`; null where it is not one."
    )
    conflicts: list[BookingConflict] = strawberry.field(description="With `room_taken` and `room_closed`: the periods.")
    alternatives: BookingAlternatives | None = strawberry.field(description="With these: what could be had instead.")


def user_errors(problem: Problem) -> list[UserError]:
    """One for each field that is wrong, or the only one."""
    told: list[tuple[str | None, str]] = [
        (
            input_field(one.field),
            problem.detail.removeprefix(f"{one.field}: ") if len(problem.faults) == 1 else one.detail,
        )
        for one in problem.faults
    ]
    return [
        UserError(
            code=problem.code.code,
            message=sentence(message),
            field=field,
            conflicts=list(problem.more.get("conflicts", ())),
            alternatives=problem.more.get("alternatives"),
        )
        for field, message in told or [(None, problem.detail)]
    ]
