"""Making and ending tokens. They take no `idempotencyKey`: what is kept under one would be the secret."""

from datetime import datetime
from typing import Final, cast
from uuid import UUID

import strawberry

from yotei.api.graphql import choices, types
from yotei.api.graphql.context import Asking
from yotei.api.graphql.inputs import given, optional, required, shaped
from yotei.api.graphql.payloads import Payload, mutation
from yotei.users import tokens
from yotei.users.tokens import NewToken


@strawberry.input(description="A token to be made, with at most the scopes of the one that is used here.")
class CreateTokenInput:
    name: str = required("What to call it.")
    scopes: list[choices.TokenScope] = required("What it is good for.")
    kind: choices.TokenKind | None = optional("Whom it speaks for; USER if not given. SERVICE is for administrators.")
    expires_at: datetime | None = optional("When it ends, with an offset; it does not end by itself if not given.")


@strawberry.input(description="Which token.")
class RevokeTokenInput:
    token_id: UUID = required("The token.")


@strawberry.type(description="What `createToken` answers.")
class CreateTokenPayload(Payload):
    token: types.Token | None = strawberry.field(default=None, description="The token; null when none was made.")
    secret: str | None = strawberry.field(
        default=None, description="What goes into the Authorization header: keep it, it is not shown again."
    )


@strawberry.type(description="What `revokeToken` answers.")
class RevokeTokenPayload(Payload):
    token_id: UUID | None = strawberry.field(default=None, description="The token that ended; null when none did.")


@mutation("Make a token for the caller.", CreateTokenPayload)
async def create_token(info: Asking, input: CreateTokenInput) -> CreateTokenPayload | None:
    new = shaped(given(input), NewToken)
    reading, writing = info.context.reading, info.context.writing
    token, secret = await tokens.create(
        writing.database,
        reading.viewer,
        name=new.name,
        scopes=frozenset(new.scopes),
        kind=new.kind,
        expires_at=new.expires_at,
        now=reading.now,
    )
    return CreateTokenPayload(token=cast("types.Token", token), secret=secret)


@mutation("End a token at once. Ending it again changes nothing.", RevokeTokenPayload)
async def revoke_token(info: Asking, input: RevokeTokenInput) -> RevokeTokenPayload | None:
    await tokens.revoke(info.context.writing.database, info.context.reading.viewer, input.token_id)
    return RevokeTokenPayload(token_id=input.token_id)


FIELDS: Final = (create_token, revoke_token)
