"""What a client has seen, as a text that it sends back: read-your-writes and monotonic reads on any node.

A token names an epoch, a snapshot that covers everything that was shown, and, after a write, its transaction.
"""

import re
from typing import Final, Self

import msgspec

from yotei.cache.coherence import covers, joined
from yotei.storage.change_log import XID_MAX, Snapshot

TEXT_MAX: Final = 4_096
_TEXT: Final = re.compile(r"([\d.]{1,80})@(\d{1,20}:\d{1,20}:[\d,]*)(?:\+(\d{1,20}))?")


class Token(msgspec.Struct, frozen=True):
    """`xid` is the writer's own transaction, 0 after a read."""

    epoch: str
    seen: Snapshot
    xid: int = 0

    def __str__(self) -> str:
        return f"{self.epoch}@{self.seen}{f'+{self.xid}' if self.xid else ''}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError."""
        match = _TEXT.fullmatch(text) if len(text) <= TEXT_MAX else None
        if match is None:
            raise ValueError("not a token")
        xid = int(match[3] or 0)
        if xid > XID_MAX:
            raise ValueError("not a token")
        return cls(match[1], Snapshot.parse(match[2]), xid)

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
