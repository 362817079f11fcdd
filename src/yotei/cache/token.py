"""What a client has seen, as a text that it sends back: read-your-writes and monotonic reads on any node.

A token names an epoch, a snapshot that covers everything that was shown, and, after a write, its transaction. Of the
transactions that were open, each is told by how much later it is than the one before: there may be a thousand, and a
header field is short. No character of it has to be written another way in a cookie.
"""

import re
from itertools import accumulate, pairwise
from typing import Final, Self

import msgspec

from yotei.cache.coherence import covers, joined
from yotei.storage.change_log import XID_MAX, Snapshot

TEXT_MAX: Final = 4_096
_TEXT: Final = re.compile(r"([\d.]{1,80})@(\d{1,20}):(\d{1,20}):((?:\d{1,20}(?:-\d{1,20})*)?)(?:\+(\d{1,20}))?")


class Token(msgspec.Struct, frozen=True):
    """`xid` is the writer's own transaction, 0 after a read."""

    epoch: str
    seen: Snapshot
    xid: int = 0

    def __str__(self) -> str:
        seen = self.seen
        later = "-".join(str(xid - before) for before, xid in pairwise((seen.xmin, *seen.running)))
        return f"{self.epoch}@{seen.xmin}:{seen.xmax}:{later}{f'+{self.xid}' if self.xid else ''}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError."""
        match = _TEXT.fullmatch(text) if len(text) <= TEXT_MAX else None
        if match is None:
            raise ValueError("not a token")
        later, xid = match[4].split("-") if match[4] else (), int(match[5] or 0)
        if xid > XID_MAX:
            raise ValueError("not a token")
        _, *running = accumulate(map(int, later), initial=int(match[2]))
        return cls(match[1], Snapshot.parse(f"{match[2]}:{match[3]}:{','.join(map(str, running))}"), xid)

    def is_met(self, epoch: str, known: Snapshot) -> bool:
        """Whether a node that knows of every change visible in `known` has seen as much as the client."""
        return epoch == self.epoch and covers(known, self.seen) and (self.xid == 0 or known.sees(self.xid))

    def after(self, epoch: str, seen: Snapshot, xid: int = 0) -> "Token":
        """The token of the next answer, which shows values of `seen`; it forgets nothing within an epoch."""
        if epoch != self.epoch:
            return Token(epoch, seen, xid)
        shown = joined(self.seen, seen)
        # Whoever sees the later of two writes of one client sees the earlier one too: it was committed before.
        return Token(epoch, shown, xid or (0 if shown.sees(self.xid) else self.xid))
