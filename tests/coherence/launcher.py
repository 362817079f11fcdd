"""`python -m tests.coherence.launcher run`: `yotei`, with gates in it, and perhaps one rule less.

The workers are forked, so what is replaced here is replaced in them.

    COHERENCE_GATES       the folder of the gates
    COHERENCE_MUTANT      which rule is taken away; none by default
    COHERENCE_WINDOW_S    instead of `cache.floor_window_s`, which cannot be as short as a test wants it
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.coherence.gates import COMMITTED, FILL, LOADED, POLL, POLLED, Gates
from tests.coherence.mutants import MUTANTS
from yotei.cache.key import Key, Loaded
from yotei.cache.l2 import L2, Fill
from yotei.cache.levels import Cache, Load
from yotei.cache.marker import Marker
from yotei.cache.tail import Tail
from yotei.caching import Caching
from yotei.cli.main import main
from yotei.storage.change_log import Page


def install(gates: Gates) -> None:
    loaded, fill, poll, page = Cache._loaded, L2.fill, Tail.poll, Tail._page
    committed = Caching._committed

    async def held_loaded(self: Cache, keys: list[Key], load: Load, from_primary: bool) -> Loaded:
        answer = await loaded(self, keys, load, from_primary)
        await gates.passing(LOADED, [key.name for key in keys])
        return answer

    async def held_fill(
        self: L2, epoch: str, marker: Marker, bucket: int, fills: Sequence[Fill], group_ms: int
    ) -> int | Marker | None:
        await gates.passing(FILL, [one.key.name for one in fills])
        return await fill(self, epoch, marker, bucket, fills, group_ms)

    async def held_poll(self: Tail) -> None:
        await gates.passing(POLL)
        await poll(self)

    async def held_page(self: Tail, *args: Any) -> Page:
        answer = await page(self, *args)
        await gates.passing(POLLED)
        return answer

    def ended_committed(self: Caching, xid: int, names: Sequence[str]) -> None:
        gates.end_here(COMMITTED)
        committed(self, xid, names)

    _replace(Cache, "_loaded", held_loaded)
    _replace(L2, "fill", held_fill)
    _replace(Tail, "poll", held_poll)
    _replace(Tail, "_page", held_page)
    _replace(Caching, "_committed", ended_committed)


def shorten(window_s: float) -> None:
    """Times between sweeps follow from it."""
    begin = Tail.__init__

    def begin_short(self: Tail, *args: Any, **options: Any) -> None:
        begin(self, *args, **{**options, "window_s": window_s})

    _replace(Tail, "__init__", begin_short)


def _replace(owner: type, name: str, function: Callable[..., Any]) -> None:
    setattr(owner, name, function)


if __name__ == "__main__":
    if "COHERENCE_MUTANT" in os.environ:
        MUTANTS[os.environ["COHERENCE_MUTANT"]]()
    if "COHERENCE_WINDOW_S" in os.environ:
        shorten(float(os.environ["COHERENCE_WINDOW_S"]))
    install(Gates(Path(os.environ["COHERENCE_GATES"])))
    main()
