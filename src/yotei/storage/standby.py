"""What a server says of itself as a hot standby: whether it is one, of which history, and how far it has come."""

from typing import Final

import msgspec
from asyncpg import Record

from yotei.storage import statements
from yotei.storage.change_log import Snapshot
from yotei.storage.statements import Statement

LOOK: Final[Statement] = statements.load("yotei.storage")["look_at_standby"]


class Standing(msgspec.Struct, frozen=True):
    """`history` is server, timeline and database: a `Position`'s epoch but for the crash. It shows all that
    `shown` sees, perhaps more."""

    is_standby: bool
    history: str
    shown: Snapshot


def standing(row: Record) -> Standing:
    """The answer to `LOOK`."""
    xmin = int(row["xmin"])
    return Standing(row["is_standby"], row["history"], Snapshot(xmin, xmin))
