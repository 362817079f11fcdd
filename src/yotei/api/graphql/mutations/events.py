"""Writing events: an operation of `events.draft` for each mutation, done by `events.write` as at the REST door."""

from datetime import date, datetime
from typing import Final, cast
from uuid import UUID

import strawberry

from yotei.api.graphql import choices, types
from yotei.api.graphql.context import Asking
from yotei.api.graphql.inputs import Keyed, Versioned, operation, optional, required
from yotei.api.graphql.payloads import Payload, mutation
from yotei.api.graphql.scalars import EventTime
from yotei.api.parameters import parse_zone
from yotei.events import draft, read, write
from yotei.events.event import Event
from yotei.storage.pool import Transaction


@strawberry.input(
    description="Somebody to be invited: a person of this installation by `userId` or `email`, anybody else by `email`."
)
class InviteeInput:
    email: str | None = optional("Their e-mail address.")
    user_id: UUID | None = optional("Their id.")
    name: str | None = optional("What to call them, where they are not of this installation.")
    is_optional: bool | None = optional("Whether the event can do without them; false if not given.")


@strawberry.input(description="What is set of an event.")
class _Fields:
    description: str | None = optional("What it is about; null removes it.")
    location: str | None = optional("Where it is, as written; null removes it.")
    url: str | None = optional("A page about it; null removes it.")
    start_time: EventTime | None = optional("When a timed event starts.")
    end_time: EventTime | None = optional("When a timed event ends.")
    start_date: date | None = optional("The first day of an all-day event.")
    end_date: date | None = optional("The day after the last of an all-day event.")
    all_day: bool | None = optional("Whether it is made of whole days.")
    floating: bool | None = optional("Whether its times are those of the clock wherever one is.")
    tzid: str | None = optional("The IANA zone in which it is planned; that of the calendar if not given.")
    rrule: str | None = optional("The rule of a series (RFC 5545 3.8.5.3); null makes it a single event.")
    rdates: list[EventTime] | None = optional("Instances beside the rule.")
    exdates: list[EventTime] | None = optional("Instances to leave out.")
    status: choices.EventStatus | None = optional("Whether it takes place.")
    transparency: choices.Transparency | None = optional("Whether it takes up time.")
    visibility: choices.Visibility | None = optional("Who sees more than its time.")
    attendees: list[InviteeInput] | None = optional("Who is invited, all of them; who stays keeps their answer.")
    resource_ids: list[UUID] | None = optional("What it is to hold, all of it.")
    booking_policy: choices.BookingPolicy | None = optional("What to do where it cannot be had; ALL if not given.")


@strawberry.input(description="How the event is told in the answer.")
class _Told:
    tz: str | None = optional("IANA zone in which the answer tells times; the caller's own if not given.")


@strawberry.input(description="Which event.")
class _OfEvent(Versioned):
    event_id: UUID = required("The event, the series, or an instance that has an id of its own.")


@strawberry.input(description="Which instance of it.")
class _OfInstance(_OfEvent):
    recurrence_id: datetime | None = optional(
        "An instance of the series, by the `recurrenceId` that lists show; without an offset by its own clock."
    )


@strawberry.input(description="How far it goes.")
class _Scoped(_OfInstance):
    scope: choices.Scope | None = optional(
        "How far it goes from `recurrenceId`: if not given THIS where an instance is named, else ALL."
    )


@strawberry.input(description="An event to be made.")
class CreateEventInput(_Fields, _Told, Keyed):
    calendar_id: UUID = required("The calendar to put it into.")
    title: str = required("What it is called.")
    uid: str | None = optional("Its iCalendar UID (RFC 5545 3.8.4.7); made up if not given.")


@strawberry.input(description="What is to be changed of an event: a field that is not given stays.")
class UpdateEventInput(_Fields, _Told, _Scoped):
    title: str | None = optional("What it is called.")


@strawberry.input(description="An event in the place of what is there: a field that is not given gets its default.")
class ReplaceEventInput(_Fields, _Told, _Scoped):
    title: str = required("What it is called.")


@strawberry.input(description="What is to be deleted.")
class DeleteEventInput(_Scoped):
    pass


@strawberry.input(description="What is to be restored.")
class RestoreEventInput(_Told, _OfInstance):
    booking_policy: choices.BookingPolicy | None = optional("What to do about rooms that are taken by now.")


@strawberry.input(description="What goes where.")
class MoveEventInput(_Told, _OfEvent):
    calendar_id: UUID = required("The calendar to put it into.")


@strawberry.input(description="What is different of the copy.")
class DuplicateEventInput(_Told, _OfInstance):
    calendar_id: UUID | None = optional("The calendar to put it into; the same if not given.")
    start_time: EventTime | None = optional("When it starts; its end moves along.")
    title: str | None = optional("What it is called.")


@strawberry.input(description="Who is to be invited as well.")
class InviteAttendeesInput(_Told, _Scoped):
    attendees: list[InviteeInput] = required("Who; those who are invited already stay as they are.")


@strawberry.input(description="Whose invitation is taken back.")
class RemoveAttendeeInput(_Told, _Scoped):
    email: str = required("The address that was invited.")


@strawberry.input(description="An answer to an invitation.")
class RespondToInvitationInput(_Told, _OfInstance):
    response_status: choices.ResponseStatus = required("The answer.")
    comment: str | None = optional("What to say with it.")


@strawberry.type(description="The event, read in the transaction that wrote it.")
class _EventPayload(Payload):
    event: types.Event | None = strawberry.field(default=None, description="The event; null when nothing was written.")


@strawberry.type(description="What `createEvent` answers.")
class CreateEventPayload(_EventPayload):
    pass


@strawberry.type(description="What `updateEvent` answers.")
class UpdateEventPayload(_EventPayload):
    pass


@strawberry.type(description="What `replaceEvent` answers.")
class ReplaceEventPayload(_EventPayload):
    pass


@strawberry.type(description="What `deleteEvent` answers.")
class DeleteEventPayload(Payload):
    event_id: UUID | None = strawberry.field(
        default=None, description="The event, or the series of the instance, that was deleted; null when nothing was."
    )


@strawberry.type(description="What `restoreEvent` answers.")
class RestoreEventPayload(_EventPayload):
    pass


@strawberry.type(description="What `moveEvent` answers.")
class MoveEventPayload(_EventPayload):
    pass


@strawberry.type(description="What `duplicateEvent` answers.")
class DuplicateEventPayload(_EventPayload):
    pass


@strawberry.type(description="What `inviteAttendees` answers.")
class InviteAttendeesPayload(_EventPayload):
    pass


@strawberry.type(description="What `removeAttendee` answers.")
class RemoveAttendeePayload(_EventPayload):
    pass


@strawberry.type(description="What `respondToInvitation` answers.")
class RespondToInvitationPayload(_EventPayload):
    pass


@mutation(
    "Make an event, or a series, with its attendees and rooms, or not at all. Where a room is taken the error holds "
    "the periods, and what could be had instead.",
    CreateEventPayload,
)
async def create_event(info: Asking, input: CreateEventInput) -> CreateEventPayload | None:
    event, replayed = await _write(info, input, draft.Create)
    return CreateEventPayload(event=event, replayed=replayed)


@mutation(
    "Set the fields that are given. Rooms that are held follow the times. Times given with `recurrenceId` are those of "
    "that instance.",
    UpdateEventPayload,
)
async def update_event(info: Asking, input: UpdateEventInput) -> UpdateEventPayload | None:
    event, replayed = await _write(info, input, draft.Patch)
    return UpdateEventPayload(event=event, replayed=replayed)


@mutation("Set all fields. Attendees who stay keep their answers.", ReplaceEventPayload)
async def replace_event(info: Asking, input: ReplaceEventInput) -> ReplaceEventPayload | None:
    event, replayed = await _write(info, input, draft.Replace)
    return ReplaceEventPayload(event=event, replayed=replayed)


@mutation(
    "Delete an event, an instance, what follows it, or a whole series. Its rooms are free again; it can be restored.",
    DeleteEventPayload,
)
async def delete_event(info: Asking, input: DeleteEventInput) -> DeleteEventPayload | None:
    asked = operation(input, draft.Delete)
    reading, writing = info.context.reading, info.context.writing

    async def work(tx: Transaction) -> UUID:
        done = await write.apply_one(tx, reading.viewer, asked, now=reading.now, horizon_days=writing.horizon_days)
        return done.event_id

    event_id, replayed = await writing.once(info.field_name, input, UUID, work)
    return DeleteEventPayload(event_id=event_id, replayed=replayed)


@mutation("Undo a deletion, of an instance with `recurrenceId`. Its rooms are booked again.", RestoreEventPayload)
async def restore_event(info: Asking, input: RestoreEventInput) -> RestoreEventPayload | None:
    event, replayed = await _write(info, input, draft.Restore)
    return RestoreEventPayload(event=event, replayed=replayed)


@mutation(
    "Put an event into another calendar. The caller must be able to write both; a series moves as a whole.",
    MoveEventPayload,
)
async def move_event(info: Asking, input: MoveEventInput) -> MoveEventPayload | None:
    event, replayed = await _write(info, input, draft.Move)
    return MoveEventPayload(event=event, replayed=replayed)


@mutation(
    "Make another event like this one, organised by the caller; answers start anew. Of a series its rule is copied and "
    "not its exceptions; with `recurrenceId` that instance becomes a single event.",
    DuplicateEventPayload,
)
async def duplicate_event(info: Asking, input: DuplicateEventInput) -> DuplicateEventPayload | None:
    event, replayed = await _write(info, input, draft.Duplicate)
    return DuplicateEventPayload(event=event, replayed=replayed)


@mutation("Invite people as well. No mail is sent.", InviteAttendeesPayload)
async def invite_attendees(info: Asking, input: InviteAttendeesInput) -> InviteAttendeesPayload | None:
    event, replayed = await _write(info, input, draft.Invite)
    return InviteAttendeesPayload(event=event, replayed=replayed)


@mutation("Take an invitation back.", RemoveAttendeePayload)
async def remove_attendee(info: Asking, input: RemoveAttendeeInput) -> RemoveAttendeePayload | None:
    event, replayed = await _write(info, input, draft.Uninvite)
    return RemoveAttendeePayload(event=event, replayed=replayed)


@mutation(
    "Set the caller's own answer, to the event or the whole series; with `recurrenceId` to that instance. One need not "
    "be a member of the calendar, only invited.",
    RespondToInvitationPayload,
)
async def respond_to_invitation(info: Asking, input: RespondToInvitationInput) -> RespondToInvitationPayload | None:
    event, replayed = await _write(info, input, draft.Respond)
    return RespondToInvitationPayload(event=event, replayed=replayed)


async def _write(info: Asking, input: _Told, kind: type[draft.AnyOperation]) -> tuple[types.Event, bool]:
    """One operation and the event as it is then, in one transaction."""
    asked = operation(input, kind)
    reading, writing = info.context.reading, info.context.writing
    zone = parse_zone(input.tz, reading.viewer.tzid)

    async def work(tx: Transaction) -> Event:
        done = await write.apply_one(tx, reading.viewer, asked, now=reading.now, horizon_days=writing.horizon_days)
        return await read.get(tx, reading.viewer, done.event_id, zone, now=reading.now)

    event, replayed = await writing.once(info.field_name, input, Event, work)
    return cast("types.Event", event), replayed


FIELDS: Final = (
    create_event,
    update_event,
    replace_event,
    delete_event,
    restore_event,
    move_event,
    duplicate_event,
    invite_attendees,
    remove_attendee,
    respond_to_invitation,
)
