"""Writing calendars and who shares them."""

from typing import Final, cast
from uuid import UUID

import strawberry

from yotei.api.graphql import choices, types
from yotei.api.graphql.context import Asking
from yotei.api.graphql.inputs import Keyed, Versioned, given, optional, required, shaped
from yotei.api.graphql.payloads import Payload, mutation
from yotei.api.graphql.writing import expected
from yotei.calendars import read, write
from yotei.calendars.calendar import Calendar, CalendarFields, Member, NewCalendar, Role
from yotei.events.write import delete_calendar as delete_with_bookings
from yotei.events.write import restore_calendar as restore_with_bookings
from yotei.storage.pool import Transaction


@strawberry.input(description="A calendar to be made.")
class CreateCalendarInput(Keyed):
    name: str = required("Its name.")
    description: str | None = optional("More about it.")
    color: str | None = optional("Its colour, `#3b6fb6`.")
    tzid: str | None = optional("Its IANA time zone; the caller's own if not given.")


@strawberry.input(description="What is to be changed of a calendar: a field that is not given stays.")
class UpdateCalendarInput(Versioned):
    calendar_id: UUID = required("The calendar.")
    name: str | None = optional("Its name.")
    description: str | None = optional("More about it; null removes it.")
    color: str | None = optional("Its colour, `#3b6fb6`.")
    tzid: str | None = optional("Its IANA time zone; events keep the one that they have.")


@strawberry.input(description="Which calendar.")
class DeleteCalendarInput(Versioned):
    calendar_id: UUID = required("The calendar.")


@strawberry.input(description="Which calendar.")
class RestoreCalendarInput(Versioned):
    calendar_id: UUID = required("The calendar.")


@strawberry.input(description="What somebody is to be in a calendar.")
class SetCalendarMemberInput(Keyed):
    calendar_id: UUID = required("The calendar.")
    user_id: UUID = required("The person.")
    role: choices.Role = required("What they may do with it.")


@strawberry.input(description="Who leaves a calendar.")
class RemoveCalendarMemberInput(Keyed):
    calendar_id: UUID = required("The calendar.")
    user_id: UUID = required("The person; by their own id everybody leaves.")


@strawberry.input(description="Who is to own a calendar.")
class TransferCalendarInput(Keyed):
    calendar_id: UUID = required("The calendar.")
    user_id: UUID = required("The person.")


@strawberry.type(description="The calendar, read in the transaction that wrote it.")
class _CalendarPayload(Payload):
    calendar: types.Calendar | None = strawberry.field(
        default=None, description="The calendar; null when nothing was written."
    )


@strawberry.type(description="What `createCalendar` answers.")
class CreateCalendarPayload(_CalendarPayload):
    pass


@strawberry.type(description="What `updateCalendar` answers.")
class UpdateCalendarPayload(_CalendarPayload):
    pass


@strawberry.type(description="What `deleteCalendar` answers.")
class DeleteCalendarPayload(Payload):
    calendar_id: UUID | None = strawberry.field(
        default=None, description="The calendar that was deleted; null when nothing was."
    )


@strawberry.type(description="What `restoreCalendar` answers.")
class RestoreCalendarPayload(_CalendarPayload):
    pass


@strawberry.type(description="What `setCalendarMember` answers.")
class SetCalendarMemberPayload(Payload):
    member: types.Member | None = strawberry.field(
        default=None, description="The member; null when nothing was written."
    )


@strawberry.type(description="What `removeCalendarMember` answers.")
class RemoveCalendarMemberPayload(Payload):
    user_id: UUID | None = strawberry.field(default=None, description="Who left; null when nobody did.")


@strawberry.type(description="What `transferCalendar` answers.")
class TransferCalendarPayload(_CalendarPayload):
    pass


@mutation("Make a calendar that the caller owns.", CreateCalendarPayload)
async def create_calendar(info: Asking, input: CreateCalendarInput) -> CreateCalendarPayload | None:
    new = shaped(given(input), NewCalendar)
    viewer = info.context.reading.viewer

    async def work(tx: Transaction) -> Calendar:
        return await read.get(tx, viewer, await write.create(tx, viewer, new))

    calendar, replayed = await info.context.writing.once(info.field_name, input, Calendar, work)
    return CreateCalendarPayload(calendar=cast("types.Calendar", calendar), replayed=replayed)


@mutation("Set the fields that are given, as an owner.", UpdateCalendarPayload)
async def update_calendar(info: Asking, input: UpdateCalendarInput) -> UpdateCalendarPayload | None:
    fields = shaped(given(input), CalendarFields)
    viewer = info.context.reading.viewer

    async def work(tx: Transaction) -> Calendar:
        await write.update(tx, viewer, input.calendar_id, fields, expected(input.version))
        return await read.get(tx, viewer, input.calendar_id)

    calendar, replayed = await info.context.writing.once(info.field_name, input, Calendar, work)
    return UpdateCalendarPayload(calendar=cast("types.Calendar", calendar), replayed=replayed)


@mutation(
    "Delete a calendar, as an owner. The rooms of its events are free again; it can be restored. A personal one stays.",
    DeleteCalendarPayload,
)
async def delete_calendar(info: Asking, input: DeleteCalendarInput) -> DeleteCalendarPayload | None:
    viewer = info.context.reading.viewer

    async def work(tx: Transaction) -> UUID:
        await delete_with_bookings(tx, viewer, input.calendar_id, expected(input.version))
        return input.calendar_id

    calendar_id, replayed = await info.context.writing.once(info.field_name, input, UUID, work)
    return DeleteCalendarPayload(calendar_id=calendar_id, replayed=replayed)


@mutation(
    "Undo a deletion, as an owner. The rooms of its events are booked again; those that are taken by now show as "
    "`missed`.",
    RestoreCalendarPayload,
)
async def restore_calendar(info: Asking, input: RestoreCalendarInput) -> RestoreCalendarPayload | None:
    reading, writing = info.context.reading, info.context.writing

    async def work(tx: Transaction) -> Calendar:
        await restore_with_bookings(
            tx,
            reading.viewer,
            input.calendar_id,
            expected(input.version),
            now=reading.now,
            horizon_days=writing.horizon_days,
        )
        return await read.get(tx, reading.viewer, input.calendar_id)

    calendar, replayed = await writing.once(info.field_name, input, Calendar, work)
    return RestoreCalendarPayload(calendar=cast("types.Calendar", calendar), replayed=replayed)


@mutation(
    "Share a calendar with somebody, or give them another role, as an owner. At least one owner stays.",
    SetCalendarMemberPayload,
)
async def set_calendar_member(info: Asking, input: SetCalendarMemberInput) -> SetCalendarMemberPayload | None:
    viewer = info.context.reading.viewer

    async def work(tx: Transaction) -> Member:
        await write.put_member(tx, viewer, input.calendar_id, input.user_id, Role(input.role.value))
        member = (await read.get_members(tx, viewer, input.calendar_id, [input.user_id]))[0]
        assert member is not None, "an owner sees every member"
        return member

    member, replayed = await info.context.writing.once(info.field_name, input, Member, work)
    return SetCalendarMemberPayload(member=cast("types.Member", member), replayed=replayed)


@mutation(
    "Take somebody out of a calendar, as an owner, or leave it oneself. The last owner cannot leave. What somebody "
    "organised stays.",
    RemoveCalendarMemberPayload,
)
async def remove_calendar_member(info: Asking, input: RemoveCalendarMemberInput) -> RemoveCalendarMemberPayload | None:
    viewer = info.context.reading.viewer

    async def work(tx: Transaction) -> UUID:
        await write.remove_member(tx, viewer, input.calendar_id, input.user_id)
        return input.user_id

    user_id, replayed = await info.context.writing.once(info.field_name, input, UUID, work)
    return RemoveCalendarMemberPayload(user_id=user_id, replayed=replayed)


@mutation(
    "Give a calendar to somebody else; the caller stays a writer. A personal calendar stays that of its person.",
    TransferCalendarPayload,
)
async def transfer_calendar(info: Asking, input: TransferCalendarInput) -> TransferCalendarPayload | None:
    viewer = info.context.reading.viewer

    async def work(tx: Transaction) -> Calendar:
        await write.transfer(tx, viewer, input.calendar_id, input.user_id)
        return await read.get(tx, viewer, input.calendar_id)

    calendar, replayed = await info.context.writing.once(info.field_name, input, Calendar, work)
    return TransferCalendarPayload(calendar=cast("types.Calendar", calendar), replayed=replayed)


FIELDS: Final = (
    create_calendar,
    update_calendar,
    delete_calendar,
    restore_calendar,
    set_calendar_member,
    remove_calendar_member,
    transfer_calendar,
)
