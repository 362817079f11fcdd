"""`/healthz`: the process answers. `/readyz`: it can do its work, or says why not.

Anybody may ask without a token, so the database is asked once a second at most, however many ask.
"""

import asyncio
import time
from typing import Any, Final

import msgspec
from litestar import Request, Response, get

from yotei.errors import Problem
from yotei.storage import migrate
from yotei.storage.pool import Source

NOT_READY: Final = 503
REMEMBERED_S: Final = 1.0


class Health(msgspec.Struct, frozen=True):
    """`status` is `ok` or `unavailable`; `reasons` says why."""

    status: str
    reasons: list[str]


@get("/healthz", summary="Is the process alive")
async def healthz() -> Health:
    """Alive as long as it answers; does not look at the database."""
    return Health("ok", [])


@get("/readyz", summary="Can it serve")
async def readyz(request: Request[Any, Any, Any]) -> Response[Health]:
    """Ready when the database answers, takes writes, and has exactly the schema that this release was written for."""
    state = request.app.state
    if state.get("readiness") is None:
        state.readiness = _Readiness(state.database)
    reasons = await state.readiness.reasons()
    return Response(Health("unavailable" if reasons else "ok", reasons), status_code=NOT_READY if reasons else 200)


class _Readiness:
    """Why this process cannot serve, as of `REMEMBERED_S` ago at most."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._steps = len(migrate.load())
        self._reasons: list[str] = []
        self._good_until_s = 0.0
        self._turn = asyncio.Lock()

    async def reasons(self) -> list[str]:
        async with self._turn:
            if time.monotonic() >= self._good_until_s:
                self._reasons = await self._ask()
                self._good_until_s = time.monotonic() + REMEMBERED_S
            return self._reasons

    async def _ask(self) -> list[str]:
        try:
            serving = await migrate.serving(self._source)
        except Problem as problem:
            return [problem.detail]
        reasons = []
        if serving.is_standby:
            reasons.append("database.url leads to a hot standby, which takes no writes; it has to lead to the primary")
        missing = self._steps - serving.version
        if missing > 0:
            reasons.append(f"{missing} migrations are not applied; run `yotei migrate`")
        return reasons
