"""`/api/batch`: many reads, or many writes, in one request; each item has a result of its own, in its place."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final, TypeVar
from uuid import UUID

import msgspec
from litestar import Request, Response, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import JSONBody
from msgspec import UNSET, Meta, UnsetType

from yotei.api.conditional import HEADERS
from yotei.api.edge import source_of
from yotei.api.parameters import Fields, Zone, only, parse_fields, parse_zone
from yotei.api.problems import refusals
from yotei.api.rest.resources import in_zone
from yotei.api.writing import Writing, Written
from yotei.errors import Fault, Problem, invalid, not_found
from yotei.events import batch, draft, read, write
from yotei.events.booking import Conflict
from yotei.events.event import Event
from yotei.events.window import window
from yotei.observe import budget
from yotei.resources import read as resources
from yotei.resources.resource import Availability
from yotei.storage.pool import Transaction
from yotei.users import read as users
from yotei.users.user import Profile, Viewer

T = TypeVar("T")

_FRAME_STATEMENTS: Final = 3
"""The token; claiming an `Idempotency-Key`, and keeping its answer."""
_encoder: Final = msgspec.json.Encoder()


class EventIds(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which events; an id that comes twice is answered twice."""

    ids: Annotated[tuple[UUID, ...], Meta(min_length=1, max_length=read.EVENTS_MAX)]


class UserIds(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which people; an id that comes twice is answered twice."""

    ids: Annotated[tuple[UUID, ...], Meta(min_length=1, max_length=users.USERS_MAX)]


class ResourceIds(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which resources, and the window: without one the current month. Times without an offset are by the clock of
    `tz`; free slots shorter than `slot_minutes` are left out."""

    ids: Annotated[tuple[UUID, ...], Meta(min_length=1, max_length=resources.BATCH_MAX)]
    start: datetime | None = None
    end: datetime | None = None
    slot_minutes: Annotated[int, Meta(ge=0, le=10_080)] = 0


class Operations(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be done, one after the other. `atomic`: all of it, or nothing."""

    operations: Annotated[tuple[draft.AnyOperation, ...], Meta(min_length=1, max_length=write.OPERATIONS_MAX)]
    atomic: bool = False


class Refusal(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why one item has no value, by the codes of problem documents. `conflicts`: when a room is taken or closed."""

    code: str
    detail: str
    faults: tuple[Fault, ...] = ()
    conflicts: tuple[Conflict, ...] | UnsetType = UNSET


class EventItem(msgspec.Struct, frozen=True):
    """An event, or why there is none."""

    id: UUID
    event: Event | None
    error: Refusal | None


class UserItem(msgspec.Struct, frozen=True):
    """A person, or why there is none."""

    id: UUID
    user: Profile | None
    error: Refusal | None


class AvailabilityItem(msgspec.Struct, frozen=True):
    """When a resource is taken and free, or why that is not known."""

    id: UUID
    availability: Availability | None
    error: Refusal | None


class OperationItem(msgspec.Struct, frozen=True):
    """What became of one operation: `status` is what its own request would have been answered.

    `event` is as it is after the last operation, null where it is gone by then; `event_id` names it all the same.
    """

    status: int
    event_id: UUID | None
    event: Event | None
    error: Refusal | None


class EventItems(msgspec.Struct, frozen=True):
    """One item for each id, in their order."""

    items: list[EventItem]


class UserItems(msgspec.Struct, frozen=True):
    """One item for each id, in their order."""

    items: list[UserItem]


class AvailabilityItems(msgspec.Struct, frozen=True):
    """One item for each id, in their order, and the window that they cover."""

    items: list[AvailabilityItem]
    start: datetime
    end: datetime
    tz: str


class OperationItems(msgspec.Struct, frozen=True):
    """One item for each operation, in their order."""

    items: list[OperationItem]


@post("/api/batch/events", summary="Many events", status_code=200, responses=refusals(413))
async def get_events(
    request: Request[Any, Any, Any],
    viewer: NamedDependency[Viewer],
    data: JSONBody[EventIds],
    tz: Zone = None,
    fields: Fields = None,
) -> Response[EventItems]:
    """Events by id, each as `GET /api/events/{event_id}` shows it; `not_found` where there is none to be seen."""
    chosen = parse_fields(fields, Event)
    zone = parse_zone(tz, viewer.tzid)
    found = await read.get_many(source_of(request), viewer, data.ids, zone, now=datetime.now(UTC))
    shown = [_cut(one, chosen) for one in found]
    return _answer(EventItems([EventItem(*item) for item in _items(data.ids, shown, "event")]))


@post("/api/batch/users", summary="Many people", status_code=200, responses=refusals(413))
async def get_users(
    request: Request[Any, Any, Any], viewer: NamedDependency[Viewer], data: JSONBody[UserIds]
) -> Response[UserItems]:
    """People by id, each as `GET /api/users/{user_id}` shows them."""
    found = await users.get_many(source_of(request), viewer, data.ids)
    return _answer(UserItems([UserItem(*item) for item in _items(data.ids, found, "user")]))


@post("/api/batch/availability", summary="When many resources are free", status_code=200, responses=refusals(413))
async def get_availabilities(
    request: Request[Any, Any, Any],
    state: State,
    viewer: NamedDependency[Viewer],
    data: JSONBody[ResourceIds],
    tz: Zone = None,
) -> Response[AvailabilityItems]:
    """Taken and free periods by resource, each as `GET /api/resources/availability` shows them. Many resources for a
    short time, or few for a long one: days times resources are bounded."""
    zone = parse_zone(tz, viewer.tzid)
    asked = window(
        data.start,
        data.end,
        zone,
        now=datetime.now(UTC),
        days_max=state.limits.window_days_max,
        where="body",
    )
    found = await resources.availability_of(
        source_of(request), viewer, data.ids, asked.start, asked.end, slot_minutes=data.slot_minutes
    )
    shown = [None if one is None else in_zone(one, zone) for one in found]
    items = [AvailabilityItem(*item) for item in _items(data.ids, shown, "resource")]
    return _answer(AvailabilityItems(items, asked.start.astimezone(zone), asked.end.astimezone(zone), zone.key))


@post("/api/batch", summary="Many writes", status_code=200, responses=refusals(404, 409, 412, 413, 422))
async def write_events(
    state: State,
    viewer: NamedDependency[Viewer],
    writing: NamedDependency[Writing],
    data: JSONBody[Operations],
    tz: Zone = None,
    fields: Fields = None,
) -> Response[OperationItems]:
    """Up to 1,000 operations on events in one transaction: each is done whole or not at all, and sees those before it.

    The answer is 200 with a `status` for each. With `atomic` a refusal of one is the answer, and nothing is done. One
    `Idempotency-Key` stands for the whole request; in place of `If-Match` each operation has a `version`.
    """
    if writing.expected is not None:
        raise invalid("header.If-Match", "expected none: each operation has a `version` of its own")
    chosen = parse_fields(fields, Event)
    zone = parse_zone(tz, viewer.tzid)
    now = datetime.now(UTC)
    ledger = budget.current()
    if ledger is not None:
        ledger.widen(batch.STATEMENTS_MAX + _FRAME_STATEMENTS)

    async def work(tx: Transaction) -> Written:
        results = await batch.apply(
            tx, viewer, data.operations, zone, now=now, horizon_days=state.horizon_days, atomic=data.atomic
        )
        items = [_item(one, result, chosen) for one, result in zip(data.operations, results, strict=True)]
        return Written(OperationItems(items))

    return await writing.run(work)


def _item(operation: draft.AnyOperation, result: batch.Result, chosen: tuple[str, ...] | None) -> OperationItem:
    if result.done is None:
        assert result.problem is not None
        return OperationItem(result.problem.code.status, None, None, _refusal(result.problem))
    status = 204 if result.done.is_gone else 201 if isinstance(operation, draft.Create | draft.Duplicate) else 200
    return OperationItem(status, result.done.event_id, _cut(result.event, chosen), None)


def _items(ids: Sequence[UUID], found: Sequence[T | None], kind: str) -> list[tuple[UUID, T | None, Refusal | None]]:
    missing = _refusal(not_found(kind))
    return [(id_, one, missing if one is None else None) for id_, one in zip(ids, found, strict=True)]


def _refusal(problem: Problem) -> Refusal:
    return Refusal(problem.code.code, problem.detail, problem.faults, problem.more.get("conflicts", UNSET))


def _cut(event: Event | None, chosen: tuple[str, ...] | None) -> Any:
    return event if event is None or chosen is None else only([event], chosen)[0]


def _answer(items: msgspec.Struct) -> Response[Any]:
    return Response(_encoder.encode(items), headers=HEADERS, media_type="application/json")


ROUTES: Final = (get_events, get_users, get_availabilities, write_events)
