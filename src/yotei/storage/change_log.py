"""Reading the change log: every committed change exactly once, in no gap, whoever is still writing.

A `Position` is a snapshot of PostgreSQL. What a reader asks for next are the rows of transactions that were *not*
visible in it and are visible now; the snapshot of that read is the next position. Sequence numbers would not do (one
is taken before its row is visible, so a later number can be seen first), nor waiting for the oldest open transaction
(one forgotten writer would hold up everyone).

On a hot standby the list of running transactions is empty even when some run, so there only what lies before the
oldest of them counts: still exactly once, but delayed by a long writer on the primary.

An answer has a bound. A page that is full leaves a position in the middle: the snapshot that the page was read
under is kept until its last page, and the next page goes on after the last row, so the set that is paged is fixed.

Transaction ids mean something in one history only. A position carries the epoch of its own, and in another one (after
a fail-over, a restore or a crash) it is forgotten. Whether it is, is looked up by the statement that reads the changes:
asked before it, a day could be dropped in between.

An epoch is server, timeline and database, and when the server last recovered from a crash: ids of transactions whose
WAL was lost in one are given out again after it, on the same timeline, so that a position from before it may seem to
have seen what was written since. A clean restart goes on in the epoch; a hot standby has one of its own.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final, Self
from uuid import UUID

import msgspec
from asyncpg import Record

from yotei.errors import Code, Problem
from yotei.storage import statements
from yotei.storage.pool import Database, Source, Transaction

PAGE_SIZE_DEFAULT: Final = 10_000
TRANSACTION_S_MAX: Final = 604_800
"""The most that `change_log.transaction_max_s` can be: nothing that becomes visible now was written longer ago."""
# xip lists are as long as there are open transactions; a longer token is not one of ours.
RUNNING_MAX: Final = 10_000
XID_MAX: Final = 2**64 - 1
# The last millisecond that a datetime can hold.
TAKEN_AT_MS_MAX: Final = 253_402_300_799_999

_SQL: Final = statements.load("yotei.storage")
_TOKEN: Final = re.compile(
    # The epoch of a release that knew of no crash had three numbers: it is another one.
    r"(?:(\d{1,20}\.\d{1,10}\.\d{1,10}(?:\.\d{1,15})?)\.)?"
    r"(\d{1,20}):(\d{1,20}):([\d,]*)@(\d{1,15})(?:;(\d{1,20}):(\d{1,20}):([\d,]*);(\d{1,20}),(\d{1,19}))?"
)


class PositionForgotten(Exception):
    """Changes after this position were dropped by age, or it is of another history: the reader has to start over."""


class Snapshot(msgspec.Struct, frozen=True):
    """`pg_snapshot`: transactions below `xmin` are over, from `xmax` on not begun, `running` ones were open."""

    xmin: int
    xmax: int
    running: tuple[int, ...] = ()

    def __str__(self) -> str:
        return f"{self.xmin}:{self.xmax}:{','.join(map(str, self.running))}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Of PostgreSQL's text form; raises ValueError."""
        xmin, xmax, running = text.split(":")
        return cls._checked(int(xmin), int(xmax), running)

    @classmethod
    def _checked(cls, xmin: int, xmax: int, running_text: str) -> Self:
        running = tuple(int(xid) for xid in running_text.split(",")) if running_text else ()
        ordered = all(a < b for a, b in pairwise(running))
        within = not running or (xmin <= running[0] and running[-1] < xmax)
        if not (0 < xmin <= xmax <= XID_MAX and ordered and within and len(running) <= RUNNING_MAX):
            raise ValueError("not a snapshot")
        return cls(xmin, xmax, running)

    def sees(self, xid: int) -> bool:
        """Whether a committed transaction is visible in it: PostgreSQL's own rule."""
        return xid < self.xmin or (xid < self.xmax and xid not in self.running)


class Position(msgspec.Struct, frozen=True):
    """How far a reader has come. Its text is a token that can be given away: it names transactions, nothing else.

    `taken_at_ms` is PostgreSQL's clock when the snapshot was taken. `until`, `last_xid` and `last_seq` are set in
    the middle of an answer of several pages. `epoch` is empty where it is not known, and then not checked.
    """

    since: Snapshot
    taken_at_ms: int
    until: Snapshot | None = None
    last_xid: int = 0
    last_seq: int = 0
    epoch: str = ""

    def __str__(self) -> str:
        rest = "" if self.until is None else f";{self.until};{self.last_xid},{self.last_seq}"
        return f"{self.epoch}{'.' if self.epoch else ''}{self.since}@{self.taken_at_ms}{rest}"

    def behind(self) -> "Position":
        """From the middle of an answer of several pages: where its last page would end."""
        assert self.until is not None
        return Position(self.until, self.taken_at_ms, epoch=self.epoch)

    @classmethod
    def parse(cls, token: str) -> Self:
        """Raises Problem (invalid_cursor) for a text that is not a position."""
        match = _TOKEN.fullmatch(token)
        try:
            if match is None:
                raise ValueError(token)
            epoch, since, taken_at_ms = match[1] or "", Snapshot.parse(":".join(match.group(2, 3, 4))), int(match[5])
            if taken_at_ms > TAKEN_AT_MS_MAX:
                raise ValueError(token)
            if match[6] is None:
                return cls(since, taken_at_ms, epoch=epoch)
            until = Snapshot.parse(":".join(match.group(6, 7, 8)))
            last_xid, last_seq = int(match[9]), int(match[10])
            if last_xid > XID_MAX or last_seq >= 2**63:
                raise ValueError(token)
            return cls(since, taken_at_ms, until, last_xid, last_seq, epoch)
        except ValueError:
            raise Problem(Code.INVALID_CURSOR, "This is not a position of the change log.") from None


FIRST: Final = Position(Snapshot(1, 1), 0)
"""The beginning of the log."""


class Span(msgspec.Struct, frozen=True):
    """A period that a change touches; None is unbounded."""

    start: datetime | None
    end: datetime | None


class Change(msgspec.Struct, frozen=True):
    """One row of the change log; `new_span` where the thing is now, `old_span` where it was."""

    seq: int
    xid: int
    ts: datetime
    actor_id: UUID | None
    scope_kind: str
    scope_id: UUID
    entity: str
    entity_id: UUID
    user_id: UUID | None
    op: str
    old_span: Span | None
    new_span: Span | None


class Page(msgspec.Struct, frozen=True):
    """Changes by transaction, then in the order in which they were made; `has_more` asks to read on at once."""

    changes: tuple[Change, ...]
    position: Position
    has_more: bool
    is_standby: bool = False
    """Whether a hot standby answered, by `read_since`: what it lacks, it does not know."""


async def snapshot_now(database: Database) -> Snapshot:
    """All that anybody can have seen so far; spends no statement."""
    (row,) = await database.fetch_framed(_SQL["snapshot_now"])
    return Snapshot.parse(row["snapshot"])


async def position_now(source: Source) -> Position:
    """A reader that begins here sees what is committed from now on."""
    row = await source.fetchrow(_SQL["position_now"])
    assert row is not None
    return Position(Snapshot.parse(row["snapshot"]), row["taken_at_ms"], epoch=row["epoch"])


async def position_ago(source: Source, ago_s: float) -> Position:
    """A reader that begins here sees at least what was written in the last `ago_s` seconds of PostgreSQL's clock, and
    perhaps a little before it."""
    now = await position_now(source)
    begin = Position(now.since, now.taken_at_ms - round(ago_s * 1000))
    row = await source.fetchrow(_SQL["position_at"], _taken_at(begin))
    oldest = min(now.since.xmin, int(row["xid"])) if row is not None else now.since.xmin
    return Position(Snapshot(oldest, oldest), begin.taken_at_ms, epoch=now.epoch)


async def read_since(
    source: Source,
    position: Position,
    *,
    transaction_max_s: float,
    limit: int = PAGE_SIZE_DEFAULT,
    changes_max: int | None = None,
) -> Page:
    """What was committed since `position`, each change once.

    `changes_max`, a multiple of `limit`, is for a reader who gives up after so many and goes on behind them. PostgreSQL
    then looks at no more of them for a page, where else it sorts all that one transaction has written; when there are
    more, pages are full up to there, but what they hold may be any of them.
    `transaction_max_s` is the longest that a transaction stays open: it bounds how far back a row can lie that has
    become visible since, so that older partitions are left alone. Raises `PositionForgotten`; how old the position is
    PostgreSQL finds by its own clock, for that of a machine that was paused may be any.
    """
    taken_at = _taken_at(position)
    rows = await source.fetch(
        _SQL["read_since"],
        *_reached(position),
        limit,
        taken_at - timedelta(seconds=transaction_max_s),
        taken_at,
        changes_max,
    )
    return msgspec.structs.replace(_page(position, rows, limit), is_standby=rows[0]["is_standby"])


async def read_scope_since(source: Source, position: Position, scope_id: UUID, *, limit: int) -> Page:
    """The same of one calendar, person or resource.

    Raises `PositionForgotten` only when the log does not reach back for this scope: when changes of its own were
    dropped, or when it was there before a bulk load or a restore that comes after `position`.
    """
    oldest = _taken_at(position) - timedelta(seconds=TRANSACTION_S_MAX)
    rows = await source.fetch(_SQL["read_scope_since"], *_reached(position), limit, scope_id, oldest)
    return _page(position, rows, limit)


async def own_changes(transaction: Transaction, *, limit: int) -> tuple[int | None, tuple[Change, ...]]:
    """The id of a transaction, None where it has only read, and what it has changed so far, in the order in which it
    did; `limit` rows at most."""
    rows = await transaction.fetch_framed(_SQL["select_own_changes"], limit)
    xid: str | None = rows[0]["xid"]
    return None if xid is None else int(xid), _changes(rows)


def _taken_at(position: Position) -> datetime:
    return datetime.fromtimestamp(position.taken_at_ms / 1000, UTC)


def _reached(position: Position) -> tuple[str, str | None, str, int, list[str]]:
    """The first parameters of both statements."""
    return (
        str(position.since),
        None if position.until is None else str(position.until),
        str(position.last_xid),
        position.last_seq,
        [str(xid) for xid in position.since.running],
    )


def _page(position: Position, rows: Sequence[Record], limit: int) -> Page:
    epoch = rows[0]["epoch"]
    if rows[0]["is_forgotten"] or position.epoch not in ("", epoch):
        raise PositionForgotten(str(position))
    until = Snapshot.parse(rows[0]["snapshot"])
    changes = _changes(rows)
    if len(changes) < limit:
        # The next position is as old as its snapshot: for later pages that is when the first one was read.
        taken_at_ms = rows[0]["taken_at_ms"] if position.until is None else position.taken_at_ms
        return Page(changes, Position(until, taken_at_ms, epoch=epoch), has_more=False)
    last = changes[-1]
    middle = Position(position.since, position.taken_at_ms, until, last.xid, last.seq, epoch)
    return Page(changes, middle, has_more=True)


def _changes(rows: Sequence[Record]) -> tuple[Change, ...]:
    return tuple(
        Change(
            seq=row["seq"],
            xid=int(row["xid"]),
            ts=row["ts"],
            actor_id=row["actor_id"],
            scope_kind=row["scope_kind"],
            scope_id=row["scope_id"],
            entity=row["entity"],
            entity_id=row["entity_id"],
            user_id=row["user_id"],
            op=row["op"],
            old_span=Span(row["old_start"], row["old_end"]) if row["has_old_span"] else None,
            new_span=Span(row["new_start"], row["new_end"]) if row["has_new_span"] else None,
        )
        for row in rows
        if row["seq"] is not None
    )
