"""The GraphQL door cannot drift away from the domains: inputs have the fields of the structs that REST takes, required
where these are, of the same type; objects have the fields of the values that the domains answer, null where these are.
"""

import re
from collections.abc import Iterable
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, Final, get_args

import msgspec
import pytest
from graphql import (
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    get_named_type,
)
from msgspec import inspect
from strawberry.utils.str_converters import to_camel_case

from yotei.api import rest
from yotei.api import scheduling as questions
from yotei.api.graphql import inputs, schema
from yotei.api.graphql.mutations import batch as batch_mutation
from yotei.api.graphql.mutations import events as event_mutations
from yotei.api.rest import batch as rest_batch
from yotei.calendars import calendar as calendars
from yotei.events import changes, draft, history
from yotei.events import event as events
from yotei.resources import resource as resources
from yotei.scheduling import freebusy, meeting
from yotei.storage.ids import uuid7
from yotei.users import tokens
from yotei.users import user as users

KEY: Final = {"idempotencyKey"}
VERSIONED: Final = {*KEY, "version"}

# Input of GraphQL -> the struct that REST takes, and what stands in the path or in a header there.
INPUTS: Final[list[tuple[str, type[msgspec.Struct], set[str]]]] = [
    ("CreateEventInput", draft.NewEvent, {*KEY, "tz"}),
    ("InviteeInput", draft.Invitee, set()),
    ("CreateCalendarInput", calendars.NewCalendar, KEY),
    ("UpdateCalendarInput", calendars.CalendarFields, {*VERSIONED, "calendarId"}),
    ("CreateUserInput", users.NewUser, KEY),
    ("UpdateUserInput", users.ProfileFields, {*VERSIONED, "userId"}),
    ("CreateResourceInput", resources.NewResource, KEY),
    ("UpdateResourceInput", resources.ResourceFields, {*VERSIONED, "resourceId"}),
    ("CreateTokenInput", tokens.NewToken, set()),
    ("FreeBusyInput", questions.FreeBusyQuestion, set()),
    ("MeetingTimesInput", questions.MeetingQuestion, set()),
    ("MeetingAttendeeInput", questions.MeetingAttendee, set()),
    ("MeetingRoomsInput", questions.MeetingRooms, set()),
]

# Input of GraphQL -> the operation on events; its `event` is laid flat.
OPERATIONS: Final[list[tuple[str, type[msgspec.Struct]]]] = [
    ("UpdateEventInput", draft.Patch),
    ("ReplaceEventInput", draft.Replace),
    ("DeleteEventInput", draft.Delete),
    ("RestoreEventInput", draft.Restore),
    ("MoveEventInput", draft.Move),
    ("DuplicateEventInput", draft.Duplicate),
    ("InviteAttendeesInput", draft.Invite),
    ("RemoveAttendeeInput", draft.Uninvite),
    ("RespondToInvitationInput", draft.Respond),
]

# Object of GraphQL -> the value of a domain that its fields are read from.
OBJECTS: Final[list[tuple[str, type[msgspec.Struct]]]] = [
    ("Event", events.Event),
    ("Attendee", events.Attendee),
    ("EventResource", events.EventResource),
    ("MissedBooking", events.MissedBooking),
    ("Calendar", calendars.Calendar),
    ("Member", calendars.Member),
    ("Resource", resources.Resource),
    ("ResourceMember", resources.ResourceMember),
    ("User", users.Profile),
    ("Token", tokens.Token),
    ("Change", changes.Change),
    ("HistoryEntry", history.Entry),
    ("HistoryChange", history.Change),
    ("FreeBusy", freebusy.FreeBusy),
    ("PersonBusy", freebusy.PersonBusy),
    ("ResourceBusy", freebusy.ResourceBusy),
    ("BusyPeriod", freebusy.BusyPeriod),
    ("MeetingTimes", meeting.MeetingTimes),
    ("MeetingProposal", meeting.Proposal),
    ("MeetingRoom", meeting.Room),
    ("MeetingObstacle", meeting.Obstacle),
    ("MeetingUnknown", meeting.Unknown),
]

# Route of REST -> what stands for it here, from the root on.
DOORS: Final = {
    "GET /api/users/me": "me",
    "GET /api/users/{user_id}": "user",
    "GET /api/users": "users",
    "POST /api/users": "createUser",
    "PATCH /api/users/me": "updateUser",
    "PATCH /api/users/{user_id}": "updateUser",
    "POST /api/users/{user_id}/deactivate": "deactivateUser",
    "POST /api/users/{user_id}/reactivate": "reactivateUser",
    "DELETE /api/users/{user_id}": "eraseUser",
    "GET /api/users/me/agenda": "agendaConnection",
    "GET /api/resources": "resources",
    "GET /api/resources/{resource_id}": "resource",
    "GET /api/resources/availability": "availability",
    "POST /api/resources": "createResource",
    "PATCH /api/resources/{resource_id}": "updateResource",
    "DELETE /api/resources/{resource_id}": "deleteResource",
    "POST /api/resources/{resource_id}/restore": "restoreResource",
    "GET /api/resources/{resource_id}/members": "resource.members",
    "PUT /api/resources/{resource_id}/members/{user_id}": "setResourceMember",
    "DELETE /api/resources/{resource_id}/members/{user_id}": "removeResourceMember",
    "GET /api/tokens": "tokens",
    "POST /api/tokens": "createToken",
    "DELETE /api/tokens/{token_id}": "revokeToken",
    "GET /api/calendars": "calendars",
    "GET /api/calendars/{calendar_id}": "calendar",
    "GET /api/calendars/{calendar_id}/events": "calendar.eventsConnection",
    "GET /api/calendars/{calendar_id}/members": "calendar.members",
    "GET /api/calendars/{calendar_id}/changes": "changes",
    "POST /api/calendars": "createCalendar",
    "PATCH /api/calendars/{calendar_id}": "updateCalendar",
    "DELETE /api/calendars/{calendar_id}": "deleteCalendar",
    "POST /api/calendars/{calendar_id}/restore": "restoreCalendar",
    "PUT /api/calendars/{calendar_id}/members/{user_id}": "setCalendarMember",
    "DELETE /api/calendars/{calendar_id}/members/{user_id}": "removeCalendarMember",
    "POST /api/calendars/{calendar_id}/transfer": "transferCalendar",
    "GET /api/events": "calendar.eventsConnection",
    "GET /api/events/{event_id}": "event",
    "GET /api/events/search": "searchEvents",
    "GET /api/events/{event_id}/history": "eventHistory",
    "POST /api/events": "createEvent",
    "PATCH /api/events/{event_id}": "updateEvent",
    "PUT /api/events/{event_id}": "replaceEvent",
    "DELETE /api/events/{event_id}": "deleteEvent",
    "POST /api/events/{event_id}/restore": "restoreEvent",
    "POST /api/events/{event_id}/move": "moveEvent",
    "POST /api/events/{event_id}/duplicate": "duplicateEvent",
    "POST /api/events/{event_id}/attendees": "inviteAttendees",
    "DELETE /api/events/{event_id}/attendees/{email}": "removeAttendee",
    "POST /api/events/{event_id}/rsvp": "respondToInvitation",
    "POST /api/freebusy": "freeBusy",
    "POST /api/meeting-times": "meetingTimes",
    "POST /api/batch": "batch",
    "POST /api/batch/events": "eventsByIds",
    "POST /api/batch/users": "usersByIds",
    "POST /api/batch/availability": "availabilityByIds",
}

SCALARS: Final = {
    inspect.UUIDType: {"UUID"},
    inspect.BoolType: {"Boolean"},
    inspect.IntType: {"Int"},
    inspect.DateType: {"Date"},
    inspect.DateTimeType: {"DateTime", "EventTime"},
}
OFTEN_NULL: Final = {
    # What a person is beside name and address is read by itself, and a field that is read is null when that fails.
    "User": {"tzid", "workingHours", "isAdmin", "isActive", "version", "createdAt", "updatedAt"},
}


@pytest.mark.parametrize(("name", "struct", "beside"), INPUTS, ids=[one[0] for one in INPUTS])
def test_an_input_is_the_struct_that_rest_takes(name: str, struct: type[msgspec.Struct], beside: set[str]) -> None:
    assert differences(name, fields_of(struct), beside) == []


@pytest.mark.parametrize(("name", "struct"), OPERATIONS, ids=[one[0] for one in OPERATIONS])
def test_an_input_of_an_event_is_the_operation_laid_flat(name: str, struct: type[msgspec.Struct]) -> None:
    fields = {one.name: one for one in fields_of(struct)}
    flat = [*fields.values()]
    if "event" in fields:
        event = fields["event"]
        assert isinstance(event.type, inspect.StructType)
        flat = [*(one for one in flat if one is not event), *event.type.fields]
    answered = set() if name == "DeleteEventInput" else {"tz"}

    assert differences(name, flat, {*KEY, *answered}) == []


def test_every_input_of_the_schema_is_held_against_something() -> None:
    known = {name for name, *_ in INPUTS} | {name for name, *_ in OPERATIONS}
    # What names a thing, or somebody and a role, is the path of a request over REST.
    of_the_path = {
        *("DeleteCalendarInput", "RestoreCalendarInput", "SetCalendarMemberInput", "RemoveCalendarMemberInput"),
        *("TransferCalendarInput", "DeactivateUserInput", "ReactivateUserInput", "EraseUserInput", "RevokeTokenInput"),
        *("DeleteResourceInput", "RestoreResourceInput", "SetResourceMemberInput", "RemoveResourceMemberInput"),
    }
    of_reading = {"EventFilters", "WeeklyPeriodInput"}
    of_many = {"BatchInput", "OperationInput"}

    inputs = {name for name, one in schema.CORE.type_map.items() if isinstance(one, GraphQLInputObjectType)}

    assert inputs == known | of_the_path | of_reading | of_many


def test_every_route_of_rest_has_a_field_here() -> None:
    modules = [import_module(one.name) for one in iter_modules(rest.__path__, f"{rest.__name__}.")]
    routes = {
        f"{method} {re.sub(r':[a-z]+', '', path)}"
        for module in modules
        for handler in getattr(module, "ROUTES", ())
        for method in handler.http_methods
        for path in handler.paths
    }

    assert routes == {*DOORS}
    assert [where for where in DOORS.values() if not is_there(where)] == []


def is_there(where: str) -> bool:
    """Whether a field of one of the roots, and what is named below it, is in the schema."""
    root, *below = where.split(".")
    roots = [one for one in (schema.CORE.query_type, schema.CORE.mutation_type) if one is not None]
    field = next((one.fields[root] for one in roots if root in one.fields), None)
    for name in below:
        parent = None if field is None else get_named_type(field.type)
        field = parent.fields.get(name) if isinstance(parent, GraphQLObjectType) else None
    return field is not None


def test_an_operation_of_a_batch_is_the_input_of_the_mutation_of_its_name() -> None:
    operation = schema.CORE.type_map["OperationInput"]
    mutation = schema.CORE.mutation_type
    assert isinstance(operation, GraphQLInputObjectType)
    assert mutation is not None

    given = {name: get_named_type(field.type) for name, field in operation.fields.items()}

    assert given == {name: get_named_type(mutation.fields[name].args["input"].type) for name in given}
    assert {one.name for one in given.values()} == {"CreateEventInput", *(name for name, _ in OPERATIONS)}
    assert {to_camel_case(name) for name in batch_mutation.OPERATIONS} == {*given}
    assert {*batch_mutation.OPERATIONS.values()} == {*get_args(draft.AnyOperation)}


def test_a_batch_is_that_of_rest() -> None:
    given = schema.CORE.type_map["BatchInput"]
    assert isinstance(given, GraphQLInputObjectType)

    assert {*given.fields} == {to_camel_case(one) for one in rest_batch.Operations.__struct_fields__} | KEY | {"tz"}


@pytest.mark.parametrize(("name", "struct"), OBJECTS, ids=[one[0] for one in OBJECTS])
def test_an_object_has_every_field_of_its_value_and_is_null_where_that_may_be(
    name: str, struct: type[msgspec.Struct]
) -> None:
    shown = schema.CORE.type_map[name]
    assert isinstance(shown, GraphQLObjectType)
    wrong = []

    for field in fields_of(struct):
        told = shown.fields.get(to_camel_case(field.name))
        may_be_null = is_nullable(field.type) or to_camel_case(field.name) in OFTEN_NULL.get(name, ())
        if told is None or may_be_null is isinstance(told.type, GraphQLNonNull):
            wrong.append(field.name)

    assert wrong == []


def test_what_is_given_reaches_the_operation_and_nothing_else_does() -> None:
    id_ = uuid7()
    asked = event_mutations.UpdateEventInput(
        event_id=id_, title="Plan", location=None, tz="UTC", idempotency_key="k", version=3
    )

    made = inputs.operation(asked, draft.Patch)

    assert made == draft.Patch(event_id=id_, version=3, event=draft.EventFields(title="Plan", location=None))
    assert made.event.description is msgspec.UNSET


def fields_of(struct: type[msgspec.Struct]) -> tuple[inspect.Field, ...]:
    told = inspect.type_info(struct)
    assert isinstance(told, inspect.StructType)
    return told.fields


def differences(name: str, fields: Iterable[inspect.Field], beside: set[str]) -> list[str]:
    """What the input has otherwise than these fields and those `beside` them."""
    shown = schema.CORE.type_map[name]
    assert isinstance(shown, GraphQLInputObjectType)
    wanted = {to_camel_case(one.name): one for one in fields}
    found = [f"{one}: in one of both only" for one in {*shown.fields} ^ {*wanted, *beside}]
    for key, field in wanted.items():
        if key not in shown.fields:
            continue
        told = shown.fields[key].type
        if isinstance(told, GraphQLNonNull) is not field.required:
            found.append(f"{key}: required in one of both only")
        if not fits(told, field.type):
            found.append(f"{key}: {told} is not {field.type}")
    return found


def fits(told: GraphQLInputType, wanted: Any) -> bool:
    told = told.of_type if isinstance(told, GraphQLNonNull) else told
    wanted = without_null(wanted)
    name = get_named_type(told).name
    if isinstance(wanted, inspect.DictType):  # hours by day
        return str(told) == "[WeeklyPeriodInput!]"
    if isinstance(wanted, inspect.VarTupleType | inspect.ListType):
        return isinstance(told, GraphQLList) and fits(told.of_type, wanted.item_type)
    if isinstance(told, GraphQLList):
        return False
    if isinstance(wanted, inspect.LiteralType):
        if all(isinstance(one, int) for one in wanted.values):
            return name == "Int"
        values = {one.value for one in schema.CORE.type_map[name].values.values()}  # type: ignore[attr-defined]
        return values == set(wanted.values)
    if isinstance(wanted, inspect.StructType):
        return name == f"{wanted.cls.__name__}Input"
    if isinstance(wanted, inspect.StrType):
        return name == "String"
    return name in SCALARS[type(wanted)]


def without_null(wanted: Any) -> Any:
    while isinstance(wanted, inspect.Metadata):
        wanted = wanted.type
    if isinstance(wanted, inspect.UnionType):
        (wanted,) = (one for one in wanted.types if not isinstance(one, inspect.NoneType))
        return without_null(wanted)
    return wanted


def is_nullable(wanted: Any) -> bool:
    while isinstance(wanted, inspect.Metadata):
        wanted = wanted.type
    return isinstance(wanted, inspect.UnionType) and any(isinstance(one, inspect.NoneType) for one in wanted.types)
