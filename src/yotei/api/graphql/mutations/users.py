"""Writing people. Administrators add, deactivate and erase them."""

from typing import Final, cast
from uuid import UUID

import strawberry
from strawberry import UNSET

from yotei.api.graphql import types
from yotei.api.graphql.context import Asking
from yotei.api.graphql.inputs import Keyed, Versioned, WeeklyPeriodInput, given, optional, required, shaped
from yotei.api.graphql.payloads import Payload, mutation
from yotei.api.graphql.writing import expected
from yotei.calendars import write as calendars
from yotei.storage.pool import Transaction
from yotei.users import read, write
from yotei.users.user import NewUser, Profile, ProfileFields


@strawberry.input(description="A person to be added.")
class CreateUserInput(Keyed):
    email: str = required("Their e-mail address.")
    name: str = required("Their name.")
    tzid: str | None = optional("Their IANA time zone; UTC if not given.")
    avatar_url: str | None = optional("Address of their picture.")
    is_admin: bool | None = optional("Whether they are an administrator; false if not given.")


@strawberry.input(description="What is to be changed of a person: a field that is not given stays.")
class UpdateUserInput(Versioned):
    user_id: UUID | None = optional("The person; oneself if not given. Others only as an administrator.")
    name: str | None = optional("Their name.")
    avatar_url: str | None = optional("Address of their picture; null removes it.")
    tzid: str | None = optional("Their IANA time zone.")
    working_hours: list[WeeklyPeriodInput] | None = optional("When they work, in their own zone; all of it.")
    is_admin: bool | None = optional("Whether they are an administrator; for administrators to say.")


@strawberry.input(description="Whom to shut out.")
class DeactivateUserInput(Keyed):
    user_id: UUID = required("The person.")


@strawberry.input(description="Whom to let in again.")
class ReactivateUserInput(Keyed):
    user_id: UUID = required("The person.")


@strawberry.input(description="Whom to erase.")
class EraseUserInput(Keyed):
    user_id: UUID = required("The person.")


@strawberry.type(description="The person, read in the transaction that wrote it.")
class _UserPayload(Payload):
    user: types.User | None = strawberry.field(default=None, description="The person; null when nothing was written.")


@strawberry.type(description="What `createUser` answers.")
class CreateUserPayload(_UserPayload):
    pass


@strawberry.type(description="What `updateUser` answers.")
class UpdateUserPayload(_UserPayload):
    pass


@strawberry.type(description="What `deactivateUser` answers.")
class DeactivateUserPayload(_UserPayload):
    pass


@strawberry.type(description="What `reactivateUser` answers.")
class ReactivateUserPayload(_UserPayload):
    pass


@strawberry.type(description="What `eraseUser` answers.")
class EraseUserPayload(Payload):
    user_id: UUID | None = strawberry.field(default=None, description="Who was erased; null when nobody was.")


@mutation(
    "Add a person with a personal calendar (administrators). Invitations that their address has had before are theirs.",
    CreateUserPayload,
)
async def create_user(info: Asking, input: CreateUserInput) -> CreateUserPayload | None:
    new = shaped(given(input), NewUser)
    viewer = info.context.reading.viewer

    async def work(tx: Transaction) -> Profile:
        return await read.get(tx, viewer, await calendars.add_user(tx, viewer, new))

    user, replayed = await info.context.writing.once(info.field_name, input, Profile, work)
    return CreateUserPayload(user=cast("types.User", user), replayed=replayed)


@mutation(
    "Set the fields that are given, of oneself or as an administrator. The last administrator stays one.",
    UpdateUserPayload,
)
async def update_user(info: Asking, input: UpdateUserInput) -> UpdateUserPayload | None:
    fields = shaped(given(input), ProfileFields)
    viewer = info.context.reading.viewer
    user_id = viewer.user_id if input.user_id is None or input.user_id is UNSET else input.user_id

    async def work(tx: Transaction) -> Profile:
        await write.update(tx, viewer, user_id, fields, expected(input.version))
        return await read.get(tx, viewer, user_id)

    user, replayed = await info.context.writing.once(info.field_name, input, Profile, work)
    return UpdateUserPayload(user=cast("types.User", user), replayed=replayed)


@mutation(
    "Shut a person out (administrators): their tokens stop working, nothing is lost. The last administrator stays.",
    DeactivateUserPayload,
)
async def deactivate_user(info: Asking, input: DeactivateUserInput) -> DeactivateUserPayload | None:
    viewer = info.context.reading.viewer

    async def work(tx: Transaction) -> Profile:
        await write.deactivate(tx, viewer, input.user_id)
        return await read.get(tx, viewer, input.user_id)

    user, replayed = await info.context.writing.once(info.field_name, input, Profile, work)
    return DeactivateUserPayload(user=cast("types.User", user), replayed=replayed)


@mutation("Undo a deactivation (administrators), not an erasure.", ReactivateUserPayload)
async def reactivate_user(info: Asking, input: ReactivateUserInput) -> ReactivateUserPayload | None:
    viewer = info.context.reading.viewer

    async def work(tx: Transaction) -> Profile:
        await write.reactivate(tx, viewer, input.user_id)
        return await read.get(tx, viewer, input.user_id)

    user, replayed = await info.context.writing.once(info.field_name, input, Profile, work)
    return ReactivateUserPayload(user=cast("types.User", user), replayed=replayed)


@mutation(
    "Remove all that says who somebody is, for good (administrators). What they organised stays, by nobody.",
    EraseUserPayload,
)
async def erase_user(info: Asking, input: EraseUserInput) -> EraseUserPayload | None:
    viewer = info.context.reading.viewer

    async def work(tx: Transaction) -> UUID:
        await write.erase(tx, viewer, input.user_id)
        return input.user_id

    user_id, replayed = await info.context.writing.once(info.field_name, input, UUID, work)
    return EraseUserPayload(user_id=user_id, replayed=replayed)


FIELDS: Final = (create_user, update_user, deactivate_user, reactivate_user, erase_user)
