"""Writing many events at once: the inputs of the other mutations, done by `events.batch` in one transaction."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final, cast
from uuid import UUID

import msgspec
import strawberry
from strawberry import UNSET, Parent

from yotei.api.graphql import types
from yotei.api.graphql.context import Asking
from yotei.api.graphql.fields import resolved
from yotei.api.graphql.inputs import Keyed, operation, optional, required
from yotei.api.graphql.mutations import events
from yotei.api.graphql.naming import input_field
from yotei.api.graphql.payloads import KEY_STATEMENTS, Payload, mutation
from yotei.api.graphql.user_errors import UserError, user_errors
from yotei.api.parameters import parse_zone
from yotei.errors import Code, Fault, Problem, invalid
from yotei.events import batch as batches
from yotei.events import draft
from yotei.events.booking import Conflict
from yotei.events.event import Event
from yotei.events.write import OPERATIONS_MAX
from yotei.storage.pool import Transaction

OPERATIONS: Final[Mapping[str, type[draft.AnyOperation]]] = {
    "create_event": draft.Create,
    "update_event": draft.Patch,
    "replace_event": draft.Replace,
    "delete_event": draft.Delete,
    "restore_event": draft.Restore,
    "move_event": draft.Move,
    "duplicate_event": draft.Duplicate,
    "invite_attendees": draft.Invite,
    "remove_attendee": draft.Uninvite,
    "respond_to_invitation": draft.Respond,
}
"""The operation that a field of `OperationInput` gives."""

_OF_ALL: Final = ("tz", "idempotency_key")
"""Fields that the batch has for all of its operations."""
_PLACE: Final = re.compile(r"body\.operations\[(\d+)\](?:\.event(?![a-z_]))?")


@strawberry.input(
    one_of=True,
    description=(
        "One operation: the input of the mutation of this name. `tz` and `idempotencyKey` are those of the batch, and "
        "not given here."
    ),
)
class OperationInput:
    create_event: events.CreateEventInput | None = optional("Make an event.")
    update_event: events.UpdateEventInput | None = optional("Set the fields that are given.")
    replace_event: events.ReplaceEventInput | None = optional("Set all fields.")
    delete_event: events.DeleteEventInput | None = optional("Delete, so that it can be restored.")
    restore_event: events.RestoreEventInput | None = optional("Undo a deletion.")
    move_event: events.MoveEventInput | None = optional("Put it into another calendar.")
    duplicate_event: events.DuplicateEventInput | None = optional("Make another like it.")
    invite_attendees: events.InviteAttendeesInput | None = optional("Invite people as well.")
    remove_attendee: events.RemoveAttendeeInput | None = optional("Take an invitation back.")
    respond_to_invitation: events.RespondToInvitationInput | None = optional("Set the caller's own answer.")


@strawberry.input(description="What is to be done, one after the other.")
class BatchInput(Keyed):
    operations: list[OperationInput] = required(f"1 to {OPERATIONS_MAX:,} operations.")
    atomic: bool | None = optional("All of it, or nothing; false if not given.")
    tz: str | None = optional("IANA zone in which the answer tells times; the caller's own if not given.")


class Refusal(msgspec.Struct, frozen=True):
    """A Problem of one operation, as it is kept under a key; `code` by its name."""

    code: str
    detail: str
    faults: tuple[Fault, ...]
    conflicts: tuple[Conflict, ...]


class Item(msgspec.Struct, frozen=True):
    """What became of one operation, as it is kept under a key."""

    event_id: UUID | None
    event: Event | None
    refusal: Refusal | None


@strawberry.type(description="What became of one operation.")
class BatchItem:
    event_id: UUID | None = strawberry.field(description="The event that was written; null when nothing was.")
    event: types.Event | None = strawberry.field(
        description="As it is after the last operation; null where it is gone by then, or not the caller's to see."
    )

    @resolved("Why this operation was not done; empty when it was.")
    @staticmethod
    def errors(parent: Parent[Item]) -> list[UserError]:
        refusal = parent.refusal
        if refusal is None:
            return []
        more = {"conflicts": refusal.conflicts}
        return user_errors(Problem(Code[refusal.code], refusal.detail, faults=refusal.faults, more=more))


@strawberry.type(description="What `batch` answers.")
class BatchPayload(Payload):
    items: list[BatchItem] | None = strawberry.field(
        default=None, description="One for each operation, in their order; null when the batch was refused as a whole."
    )


@mutation(
    "Many operations on events in one transaction: each is done whole or not at all, and sees those before it. With "
    "`atomic` a refusal of one is that of all, and nothing is done.",
    BatchPayload,
    statements=batches.STATEMENTS_MAX + KEY_STATEMENTS,
)
async def batch(info: Asking, input: BatchInput) -> BatchPayload | None:
    reading, writing = info.context.reading, info.context.writing
    zone = parse_zone(input.tz, reading.viewer.tzid)
    names, operations = _operations(input.operations)

    async def work(tx: Transaction) -> tuple[Item, ...]:
        results = await batches.apply(
            tx,
            reading.viewer,
            operations,
            zone,
            now=reading.now,
            horizon_days=writing.horizon_days,
            atomic=input.atomic is True,
        )
        return tuple(_item(one, names) for one in results)

    try:
        items, replayed = await writing.once(info.field_name, input, tuple[Item, ...], work)
    except Problem as problem:
        raise _placed(problem, names) from None
    return BatchPayload(items=cast("list[BatchItem]", items), replayed=replayed)


def _operations(given: Sequence[OperationInput]) -> tuple[list[str], list[draft.AnyOperation]]:
    """The fields that were chosen, and what they ask for; Problem `invalid_request` where one has not the shape."""
    if not 1 <= len(given) <= OPERATIONS_MAX:
        raise invalid("body.operations", f"expected 1 to {OPERATIONS_MAX:,} operations")
    names: list[str] = []
    operations: list[draft.AnyOperation] = []
    for n, one in enumerate(given):
        name, input = next((name, found) for name in OPERATIONS if (found := getattr(one, name)) is not UNSET)
        where = f"body.operations[{n}].{name}"
        for field in _OF_ALL:
            if getattr(input, field, UNSET) is not UNSET:
                raise invalid(f"{where}.{field}", "expected none: the batch has one for all")
        try:
            operations.append(operation(input, OPERATIONS[name]))
        except Problem as problem:
            raise _renamed(problem, partial(_below, where)) from None
        names.append(name)
    return names, operations


def _below(where: str, path: str) -> str:
    return where + path.removeprefix("body")


def _item(result: batches.Result, names: Sequence[str]) -> Item:
    if result.done is not None:
        return Item(result.done.event_id, result.event, None)
    assert result.problem is not None
    problem = _placed(result.problem, names)
    return Item(
        None, None, Refusal(problem.code.name, problem.detail, problem.faults, problem.more.get("conflicts", ()))
    )


def _placed(problem: Problem, names: Sequence[str]) -> Problem:
    """`body.operations[3].event.start_time` is `body.operations[3].create_event.start_time` here."""
    return _renamed(
        problem,
        lambda path: _PLACE.sub(lambda found: f"body.operations[{found[1]}].{names[int(found[1])]}", path, count=1),
    )


def _renamed(problem: Problem, rename: Callable[[str], str]) -> Problem:
    """The same with other paths. Its sentence begins with one, or holds one where it tells of several operations."""
    detail = problem.detail
    for one in problem.faults:
        if detail.startswith(f"{one.field}: "):
            detail = rename(one.field) + detail.removeprefix(one.field)
        else:
            detail = detail.replace(f"{one.field}: ", f"{input_field(rename(one.field))}: ", 1)
    faults = tuple(Fault(rename(one.field), one.detail) for one in problem.faults)
    return Problem(problem.code, detail, faults=faults, retry_after_s=problem.retry_after_s, more=problem.more)


FIELDS: Final = (batch,)
