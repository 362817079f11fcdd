"""`/healthz`: the process answers. `/readyz`: it can do its work, or says why not."""

from typing import Final

import msgspec
from litestar import Response, get
from litestar.datastructures import State

from yotei.errors import Problem
from yotei.storage import migrate

NOT_READY: Final = 503


class Health(msgspec.Struct, frozen=True):
    """`status` is `ok` or `unavailable`; `reasons` says why."""

    status: str
    reasons: list[str]


@get("/healthz", summary="Is the process alive", opt={"public": True})
async def healthz() -> Health:
    """Alive as long as it answers; does not look at the database."""
    return Health("ok", [])


@get("/readyz", summary="Can it serve", opt={"public": True})
async def readyz(state: State) -> Response[Health]:
    """Ready when the database answers and has exactly the schema that this release was written for."""
    reasons = []
    try:
        missing = len(migrate.load()) - await migrate.applied_version(state.database)
        if missing > 0:
            reasons.append(f"{missing} migrations are not applied; run `yotei migrate`")
    except Problem as problem:
        reasons.append(problem.detail)
    return Response(Health("unavailable" if reasons else "ok", reasons), status_code=NOT_READY if reasons else 200)
