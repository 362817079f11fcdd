"""Places in a server at which it can be held, or ended, from outside: files in a folder.

While the file `fill` is there, whoever is about to fill Redis waits; `fill.reached` says that somebody does. A file
that is not empty holds only those that are about a key with this text in its name.
"""

import asyncio
import os
import signal
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

LOADED: Final = "loaded"
"""Between a load's answer and what becomes of it."""
FILL: Final = "fill"
"""Between the look at the marker and the fill that was judged by it."""
POLL: Final = "poll"
"""Before a poll of the change log."""
POLLED: Final = "polled"
"""Between a poll's answer and what becomes of it."""
COMMITTED: Final = "committed"
"""Between a commit and its hint: who comes here ends, once."""

POLL_S: Final = 0.005
REACHED_S_MAX: Final = 10.0


class Gates:
    """Of one server. `hold`, `open` and `reached` are for who stands outside."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def hold(self, gate: str, about: str = "") -> None:
        self._reached(gate).unlink(missing_ok=True)
        (self.folder / gate).write_text(about)

    def open(self, gate: str) -> None:
        (self.folder / gate).unlink(missing_ok=True)

    def open_all(self) -> None:
        for gate in (LOADED, FILL, POLL, POLLED, COMMITTED):
            self.open(gate)

    async def reached(self, gate: str) -> None:
        async with asyncio.timeout(REACHED_S_MAX):
            while not self._reached(gate).exists():  # noqa: ASYNC110, another process
                await asyncio.sleep(POLL_S)

    async def passing(self, gate: str, names: Iterable[str] = ()) -> None:
        while self._is_held(gate, names):
            self._reached(gate).touch()
            await asyncio.sleep(POLL_S)

    def end_here(self, gate: str) -> None:
        if self._is_held(gate, ()):
            self.open(gate)
            self._reached(gate).touch()
            os.kill(os.getpid(), signal.SIGKILL)

    def _is_held(self, gate: str, names: Iterable[str]) -> bool:
        with suppress(FileNotFoundError):
            about = (self.folder / gate).read_text()
            return not about or any(about in name for name in names)
        return False

    def _reached(self, gate: str) -> Path:
        return self.folder / f"{gate}.reached"
