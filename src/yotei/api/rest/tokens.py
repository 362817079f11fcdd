"""`/api/tokens`: make, list and revoke tokens. The token itself is shown once and not stored."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
from litestar import Request, Response, delete, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, Parameter

from yotei.api.conditional import answer
from yotei.api.edge import source_of
from yotei.api.problems import refusals
from yotei.cache.reads import past_cache
from yotei.users import tokens
from yotei.users.tokens import NewToken, Token
from yotei.users.user import Viewer


class CreatedToken(msgspec.Struct, frozen=True):
    """`secret` is what goes into the Authorization header: keep it, it is not shown again."""

    token: Token
    secret: str


class TokenList(msgspec.Struct, frozen=True):
    """Tokens, the newest first."""

    tokens: list[Token]


@get("/api/tokens", summary="Tokens", responses=refusals(404))
async def list_tokens(
    request: Request[Any, Any, Any],
    viewer: NamedDependency[Viewer],
    user_id: Annotated[
        UUID | None, Parameter(description="Another person's; administrators only.", required=False)
    ] = None,
) -> Response[TokenList]:
    """The caller's own tokens, revoked and expired ones included."""
    found = await tokens.list_for(past_cache(source_of(request)), viewer, user_id or viewer.user_id)
    return answer(TokenList(found))


@post("/api/tokens", summary="Make a token", responses=refusals(409, 413))
async def create_token(state: State, viewer: NamedDependency[Viewer], data: JSONBody[NewToken]) -> CreatedToken:
    """A token for the caller, with at most the scopes of the one used here."""
    token, secret = await tokens.create(
        state.database,
        viewer,
        name=data.name,
        scopes=frozenset(data.scopes),
        kind=data.kind,
        expires_at=data.expires_at,
        now=datetime.now(UTC),
    )
    return CreatedToken(token, secret)


@delete("/api/tokens/{token_id:uuid}", summary="Revoke a token", responses=refusals(404))
async def revoke_token(state: State, viewer: NamedDependency[Viewer], token_id: FromPath[UUID]) -> None:
    """It stops working at once. Revoking it again changes nothing."""
    await tokens.revoke(state.database, viewer, token_id)


ROUTES: Final = (list_tokens, create_token, revoke_token)
