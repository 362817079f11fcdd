"""Who is asking: the bearer token (RFC 6750) of a request, and whom it speaks for.

`Authorization: Bearer yotei_…`. A service token may act for a person: `Yotei-On-Behalf-Of: <id or e-mail>`.
"""

from datetime import UTC, datetime
from typing import Any, Final

from litestar import Request

from yotei.api.edge import source_of
from yotei.errors import Code, Problem
from yotei.users import tokens
from yotei.users.user import Viewer

ON_BEHALF_OF: Final = "Yotei-On-Behalf-Of"


async def provide_viewer(request: Request[Any, Any, Any]) -> Viewer:
    """The person behind the request; Problem `unauthorized` without a valid token. One statement."""
    raw = bearer(request.headers.get("authorization"))
    return await tokens.authenticate(source_of(request), raw, request.headers.get(ON_BEHALF_OF), datetime.now(UTC))


def bearer(header: str | None) -> str:
    """The token in an Authorization header."""
    if header is None:
        raise Problem(Code.UNAUTHORIZED, "This needs a token: send `Authorization: Bearer yotei_…`.")
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Problem(Code.UNAUTHORIZED, "Expected `Authorization: Bearer yotei_…`.")
    return token.strip()
