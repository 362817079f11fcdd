"""Writing rooms and equipment, and who may book them."""

from typing import Final, cast
from uuid import UUID

import strawberry

from yotei.api.graphql import choices, types
from yotei.api.graphql.context import Asking
from yotei.api.graphql.inputs import Keyed, Versioned, WeeklyPeriodInput, given, optional, required, shaped
from yotei.api.graphql.payloads import Payload, mutation
from yotei.api.graphql.writing import expected
from yotei.resources import read, write
from yotei.resources.resource import NewResource, Resource, ResourceFields, ResourceRole
from yotei.storage.pool import Transaction


@strawberry.input(description="What is set of a resource.")
class _Fields:
    kind: choices.ResourceKind | None = optional("What it is; a room if not said.")
    description: str | None = optional("More about it; null removes it.")
    location: str | None = optional("Where it is; null removes it.")
    tzid: str | None = optional("The IANA zone of its opening hours; that of who adds it if not said.")
    seats: int | None = optional("How many people fit; null for what has no seats.")
    features: list[str] | None = optional("What it has, all of it.")
    concurrent_bookings: int | None = optional("How many bookings it takes at once; one if not said.")
    setup_minutes: int | None = optional("Minutes to block before each booking; none if not said.")
    teardown_minutes: int | None = optional("Minutes to block after each booking; none if not said.")
    opening_hours: list[WeeklyPeriodInput] | None = optional("When it is open, all of it; null for always.")
    booking: choices.WhoMayBook | None = optional("Who may book it; everybody if not said.")


@strawberry.input(description="A resource to be added.")
class CreateResourceInput(_Fields, Keyed):
    name: str = required("Its name.")


@strawberry.input(description="What is to be changed of a resource: a field that is not given stays.")
class UpdateResourceInput(_Fields, Versioned):
    resource_id: UUID = required("The resource.")
    name: str | None = optional("Its name.")


@strawberry.input(description="Which resource.")
class DeleteResourceInput(Versioned):
    resource_id: UUID = required("The resource.")


@strawberry.input(description="Which resource.")
class RestoreResourceInput(Versioned):
    resource_id: UUID = required("The resource.")


@strawberry.input(description="What somebody is to be in a resource.")
class SetResourceMemberInput(Keyed):
    resource_id: UUID = required("The resource.")
    user_id: UUID = required("The person.")
    role: choices.ResourceRole = required("What they may do with it.")


@strawberry.input(description="Whose role in a resource is taken away.")
class RemoveResourceMemberInput(Keyed):
    resource_id: UUID = required("The resource.")
    user_id: UUID = required("The person.")


@strawberry.type(description="The resource, read in the transaction that wrote it.")
class _ResourcePayload(Payload):
    resource: types.Resource | None = strawberry.field(
        default=None, description="The resource; null when nothing was written."
    )


@strawberry.type(description="What `createResource` answers.")
class CreateResourcePayload(_ResourcePayload):
    pass


@strawberry.type(description="What `updateResource` answers.")
class UpdateResourcePayload(_ResourcePayload):
    pass


@strawberry.type(description="What `deleteResource` answers.")
class DeleteResourcePayload(Payload):
    resource_id: UUID | None = strawberry.field(
        default=None, description="The resource that was deleted; null when nothing was."
    )


@strawberry.type(description="What `restoreResource` answers.")
class RestoreResourcePayload(_ResourcePayload):
    pass


@strawberry.type(description="What `setResourceMember` answers.")
class SetResourceMemberPayload(_ResourcePayload):
    pass


@strawberry.type(description="What `removeResourceMember` answers.")
class RemoveResourceMemberPayload(_ResourcePayload):
    pass


@mutation("Add a room or a piece of equipment (administrators).", CreateResourcePayload)
async def create_resource(info: Asking, input: CreateResourceInput) -> CreateResourcePayload | None:
    new = shaped(given(input), NewResource)
    viewer = info.context.reading.viewer

    async def work(tx: Transaction) -> Resource:
        return await read.get(tx, viewer, await write.create(tx, viewer, new))

    resource, replayed = await info.context.writing.once(info.field_name, input, Resource, work)
    return CreateResourcePayload(resource=cast("types.Resource", resource), replayed=replayed)


@mutation(
    "Set the fields that are given, as an administrator or a manager. What is booked already stays as it is.",
    UpdateResourcePayload,
)
async def update_resource(info: Asking, input: UpdateResourceInput) -> UpdateResourcePayload | None:
    fields = shaped(given(input), ResourceFields)
    reading = info.context.reading

    async def work(tx: Transaction) -> Resource:
        await write.update(tx, reading.viewer, input.resource_id, fields, expected(input.version), now=reading.now)
        return await read.get(tx, reading.viewer, input.resource_id)

    resource, replayed = await info.context.writing.once(info.field_name, input, Resource, work)
    return UpdateResourcePayload(resource=cast("types.Resource", resource), replayed=replayed)


@mutation(
    "Take a resource out of service (administrators). Refused while it is booked from now on; it can be restored.",
    DeleteResourcePayload,
)
async def delete_resource(info: Asking, input: DeleteResourceInput) -> DeleteResourcePayload | None:
    reading = info.context.reading

    async def work(tx: Transaction) -> UUID:
        await write.delete(tx, reading.viewer, input.resource_id, expected(input.version), now=reading.now)
        return input.resource_id

    resource_id, replayed = await info.context.writing.once(info.field_name, input, UUID, work)
    return DeleteResourcePayload(resource_id=resource_id, replayed=replayed)


@mutation("Undo a deletion (administrators).", RestoreResourcePayload)
async def restore_resource(info: Asking, input: RestoreResourceInput) -> RestoreResourcePayload | None:
    viewer = info.context.reading.viewer

    async def work(tx: Transaction) -> Resource:
        await write.restore(tx, viewer, input.resource_id, expected(input.version))
        return await read.get(tx, viewer, input.resource_id)

    resource, replayed = await info.context.writing.once(info.field_name, input, Resource, work)
    return RestoreResourcePayload(resource=cast("types.Resource", resource), replayed=replayed)


@mutation("Let somebody book a resource, or look after it, as an administrator or a manager.", SetResourceMemberPayload)
async def set_resource_member(info: Asking, input: SetResourceMemberInput) -> SetResourceMemberPayload | None:
    viewer = info.context.reading.viewer

    async def work(tx: Transaction) -> Resource:
        await write.put_member(tx, viewer, input.resource_id, input.user_id, cast("ResourceRole", input.role.value))
        return await read.get(tx, viewer, input.resource_id)

    resource, replayed = await info.context.writing.once(info.field_name, input, Resource, work)
    return SetResourceMemberPayload(resource=cast("types.Resource", resource), replayed=replayed)


@mutation("Take somebody's role in a resource away. What they have booked stays.", RemoveResourceMemberPayload)
async def remove_resource_member(info: Asking, input: RemoveResourceMemberInput) -> RemoveResourceMemberPayload | None:
    viewer = info.context.reading.viewer

    async def work(tx: Transaction) -> Resource:
        await write.remove_member(tx, viewer, input.resource_id, input.user_id)
        return await read.get(tx, viewer, input.resource_id)

    resource, replayed = await info.context.writing.once(info.field_name, input, Resource, work)
    return RemoveResourceMemberPayload(resource=cast("types.Resource", resource), replayed=replayed)


FIELDS: Final = (
    create_resource,
    update_resource,
    delete_resource,
    restore_resource,
    set_resource_member,
    remove_resource_member,
)
