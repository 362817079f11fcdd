"""Many operations in one transaction, and what became of each: done, with the event as it is afterwards, or refused.

`write.apply` does the work; here the events that it touched are read back in one statement, and each refusal is told
by the path of its field in the list of operations.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from yotei.errors import Fault, Problem
from yotei.events import read, write
from yotei.events.draft import AnyOperation
from yotei.events.event import Event
from yotei.events.plan import Done
from yotei.storage.pool import Source
from yotei.users.user import Viewer

STATEMENTS_MAX: Final = 2 * write.ROUNDS_MAX + 7
"""What `apply` sends at most, however many operations there are: lock, load, for each round two about rooms, then park,
write, release and insert, and the reading back."""

_FIRST_NAME: Final = re.compile(r"\w+")


class Result(NamedTuple):
    """What became of one operation; either `done` or `problem` is there. `event` is as after the last operation, None
    where it is gone by then, or not the viewer's to see."""

    done: Done | None
    event: Event | None
    problem: Problem | None


async def apply(
    tx: Source,
    viewer: Viewer,
    operations: Sequence[AnyOperation],
    zone: ZoneInfo,
    *,
    now: datetime,
    horizon_days: int = write.HORIZON_DAYS_DEFAULT,
    atomic: bool = False,
) -> list[Result]:
    """A result for each operation, in their order; see `write.apply`.

    `atomic`: a refusal of one is raised as the Problem of all of them, for the caller to roll back. At most
    `STATEMENTS_MAX` statements, the same for one operation and a thousand.
    """
    outcomes = await write.apply(tx, viewer, operations, now=now, horizon_days=horizon_days)
    refused = {
        n: placed(outcome, n, operations[n]) for n, outcome in enumerate(outcomes) if isinstance(outcome, Problem)
    }
    if atomic and refused:
        raise _of_all(refused, len(operations))
    ids = list(dict.fromkeys(one.event_id for one in outcomes if isinstance(one, Done) and not one.is_gone))
    found = dict(zip(ids, await read.get_many(tx, viewer, ids, zone, now=now), strict=True)) if ids else {}
    return [
        Result(None, None, refused[n])
        if isinstance(outcome, Problem)
        else Result(outcome, None if outcome.is_gone else found[outcome.event_id], None)
        for n, outcome in enumerate(outcomes)
    ]


def placed(problem: Problem, n: int, operation: AnyOperation) -> Problem:
    """The problem of one operation with the paths that its fields have in the list."""
    faults = tuple(Fault(_path(one.field, n, operation), one.detail) for one in problem.faults)
    detail = problem.detail
    for old, new in zip(problem.faults, faults, strict=True):
        if detail.startswith(f"{old.field}: "):
            detail = new.field + detail.removeprefix(old.field)
    return Problem(problem.code, detail, faults=faults, retry_after_s=problem.retry_after_s, more=problem.more)


def _path(field: str, n: int, operation: AnyOperation) -> str:
    """`body.start_time` of a request about one event is `body.operations[3].event.start_time` in a batch."""
    where = f"body.operations[{n}]"
    inner = field.removeprefix("body.").removeprefix("query.").removeprefix("path.")
    first = _FIRST_NAME.match(inner)
    names = operation.__struct_fields__
    if first is not None and first[0] in names:
        return f"{where}.{inner}"
    return f"{where}.event.{inner}" if "event" in names else where


def _of_all(refused: dict[int, Problem], count: int) -> Problem:
    """The first refusal, which names the faults of all."""
    faults = tuple(
        fault
        for n, problem in refused.items()
        for fault in problem.faults or (Fault(f"body.operations[{n}]", problem.detail),)
    )
    first = next(iter(refused.values()))
    detail = f"{len(refused)} of {count} operations cannot be done, so none was. The first: {first.detail}"
    return Problem(first.code, detail, faults=faults, more=first.more)
