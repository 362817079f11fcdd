"""Whether what clients were told, what is in the database and what the feed says are one and the same.

Each request has an Idempotency-Key, and the key's row commits with what the request wrote: so each transaction of the
change log is known by the request that it belongs to. A thing that nobody touched after the last request that was
acknowledged for it has to look as that answer said; a request may write what it was about and nothing else; what no
request wrote must not be there. All of it is arithmetic over values, so that the checks can be given wrong ones.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from tests.stress.expected import starts
from tests.stress.feed import Copy, shown
from tests.stress.records import Sent
from tests.stress.rows import Event, Logged, Reservation, Rows

COLUMNS: Final = ("calendar_id", "title", "start_time", "end_time", "status", "rrule", "exdates")
"""Columns of `events` that are compared with what answers showed."""
TOLD_MAX: Final = 20
"""Faults that are told in words; all are counted."""
REFUSALS: Final = frozenset(
    {
        (400, "invalid_request"),
        (400, "invalid_recurrence"),
        (404, "not_found"),
        (409, "already_exists"),
        (409, "conflict"),
        (409, "room_closed"),
        (409, "room_taken"),
        (412, "precondition_failed"),
        (422, "invalid_request"),
        (422, "invalid_recurrence"),
    }
)
"""What a client may hear that acts on what it saw a moment ago."""


class Kind(Enum):
    """What is wrong: a room twice; a write that was acknowledged and is not there, or not in the feed; a part of a
    write; a reservation that nothing needs; an answer that should not have been given."""

    OVERLAP = "overlap"
    LOST = "lost"
    HALF = "half"
    ORPHAN = "orphan"
    ERROR = "error"


class Fault(msgspec.Struct, frozen=True):
    """Something that must not be."""

    kind: Kind
    text: str


class Evidence(msgspec.Struct, frozen=True):
    """What a run left: what clients were told, what is in the database, what readers of the feed hold."""

    sent: Sequence[Sent]
    rows: Rows
    copies: Sequence[Copy]


def faults(evidence: Evidence) -> list[Fault]:
    """All that is wrong."""
    sent, rows, copies = evidence.sent, evidence.rows, evidence.copies
    return [
        *(Fault(Kind.OVERLAP, text) for text in rows.overlaps),
        *_answers(sent),
        *_acknowledged(sent, rows),
        *_transactions(sent, rows),
        *_last_writes(sent, rows),
        *(fault for event in rows.events.values() for fault in _bookings(event, rows)),
        *_log_is_complete(rows),
        *_copies(copies, rows),
    ]


def summary(evidence: Evidence, found: Sequence[Fault]) -> str:
    """What was done how often, and the first things that are wrong, for people."""
    sent = evidence.sent
    counts = {
        "done": Counter(one.order.what for one in sent if one.is_acknowledged),
        "refused": Counter(f"{one.status} {one.code}" for one in sent if not one.is_acknowledged),
        "otherwise": {
            "sent again": sum(one.sent > 1 for one in sent),
            "deadlocks in PostgreSQL": evidence.rows.deadlocks,
            "events": len(evidence.rows.events),
            "rows of the log": len(evidence.rows.log),
            "copies by the feed": len(evidence.copies),
        },
    }
    lines = [
        f"{title}: {', '.join(f'{name} {count}' for name, count in sorted(counted.items()))}"
        for title, counted in counts.items()
    ]
    return "\n".join((*lines, *(f"{one.kind.value}: {one.text}" for one in found[:TOLD_MAX])))


def _answers(sent: Iterable[Sent]) -> Iterator[Fault]:
    for one in sent:
        if not one.is_acknowledged and (one.status, one.code) not in REFUSALS:
            yield Fault(Kind.ERROR, f"{_name(one)}: {one.status} {one.code}")


def _acknowledged(sent: Iterable[Sent], rows: Rows) -> Iterator[Fault]:
    """Done and told so, or neither; and the answer that is kept is the one that was given."""
    kept = {(one.user_id, one.key): one for one in rows.kept}
    for one in sent:
        found = kept.get((one.user_id, one.key))
        if one.is_acknowledged and found is None:
            yield Fault(Kind.LOST, f"{_name(one)}: acknowledged, and nothing of it is there")
        elif (
            one.is_acknowledged
            and found is not None
            and (found.status, found.body_hash)
            != (
                one.status,
                one.body_hash,
            )
        ):
            yield Fault(Kind.LOST, f"{_name(one)}: acknowledged with another answer than the one that is kept")
        elif not one.is_acknowledged and found is not None:
            yield Fault(Kind.HALF, f"{_name(one)}: refused, and done all the same")


def _transactions(sent: Iterable[Sent], rows: Rows) -> Iterator[Fault]:
    """Each transaction is one request's, who wrote what it was about and no more."""
    by_xid = _by_xid(sent, rows)
    families = _families(by_xid, rows)
    for row in rows.log:
        if row.actor_id is None:
            continue
        one = by_xid.get(row.xid)
        if one is None or one.user_id != row.actor_id:
            yield Fault(
                Kind.HALF, f"transaction {row.xid}: no request asked for {row.op} of {row.entity} {row.entity_id}"
            )
            continue
        order = one.order
        if order.target is None:
            if row.op not in ("insert", "restore"):
                yield Fault(Kind.HALF, f"{_name(one)}: {row.op} of {row.entity} {row.entity_id}")
        elif families.of(row.entity_id) != families.of(order.target):
            yield Fault(Kind.HALF, f"{_name(one)}: wrote {row.entity} {row.entity_id}")
        elif row.fields is not None and row.entity == "event" and row.entity_id == order.target:
            beyond = row.fields - order.may_write
            if beyond:
                yield Fault(Kind.LOST, f"{_name(one)}: wrote over {', '.join(sorted(beyond))} of {row.entity_id}")
        elif row.fields is not None and row.entity == "attendee" and row.entity_id == order.target:
            answers = row.fields & {"response_status", "comment"}
            own = order.response is not None and order.email == rows.emails.get(row.user_id)
            if answers and not (order.asks_again or own):
                yield Fault(Kind.LOST, f"{_name(one)}: wrote over the answer of {row.user_id} to {row.entity_id}")


def _last_writes(sent: Iterable[Sent], rows: Rows) -> Iterator[Fault]:
    """What was touched last by a request that was acknowledged looks as its answer said."""
    by_xid = _by_xid(sent, rows)
    last: dict[UUID, dict[str, Logged]] = defaultdict(dict)
    for row in rows.log:
        for facet in _facets(row, rows):
            last[row.entity_id][facet] = row
    for id_, facets in last.items():
        event = rows.events.get(id_)
        if event is None:
            yield Fault(Kind.LOST, f"event {id_}: is in the log and nowhere else")
            continue
        for facet, row in facets.items():
            one = by_xid.get(row.xid)
            if one is None:
                continue
            if facet == "life" and event.is_deleted is not (row.op == "delete"):
                yield Fault(Kind.LOST, f"{_name(one)}: {id_} is {'' if event.is_deleted else 'not '}deleted")
            elif one.seen is not None and one.seen.id == id_:
                said, found = _said(one, facet), _found(event, facet)
                if said is not None and said != found:
                    yield Fault(Kind.LOST, f"{_name(one)}: {facet} of {id_} was acknowledged as {said}, is {found}")


def _facets(row: Logged, rows: Rows) -> Iterator[str]:
    """The parts of an event that a row of the log is about."""
    if row.entity == "event" and row.op != "remove":
        yield from COLUMNS if row.fields is None else row.fields.intersection(COLUMNS)
        if row.op in ("delete", "restore") or row.fields is None:
            yield "life"
    elif row.entity == "attendee":
        if row.op in ("insert", "remove"):
            yield "emails"
        if row.op in ("insert", "remove") or "response_status" in (row.fields or ()):
            yield f"response of {rows.emails.get(row.user_id)}"
    elif row.entity == "reservation":
        yield "rooms"
    elif row.entity == "booking":
        yield "wishes"


def _said(one: Sent, facet: str) -> Any:
    """None where the answer does not tell."""
    assert one.seen is not None
    if facet == "emails":
        return one.seen.emails
    if facet == "rooms":
        return shown(one.seen)["rooms"]
    if facet == "wishes":
        asked = (one.order.body or {}).get("resource_ids")
        return None if asked is None else frozenset(map(UUID, asked))
    if facet.startswith("response of "):
        return {f"response of {guest.email}": guest.response_status for guest in one.seen.attendees}.get(facet)
    return None if facet == "life" else getattr(one.seen, facet)


def _found(event: Event, facet: str) -> Any:
    if facet == "emails":
        return frozenset(guest.email for guest in event.attendees)
    if facet == "rooms":
        return event.held
    if facet == "wishes":
        return frozenset(wish.resource_id for wish in event.wishes)
    if facet.startswith("response of "):
        return {f"response of {guest.email}": guest.response_status for guest in event.attendees}.get(facet)
    return None if facet == "life" else getattr(event, facet)


def _log_is_complete(rows: Rows) -> Iterator[Fault]:
    """A version is a row of the log."""
    versions = Counter(row.entity_id for row in rows.log if row.entity == "event" and row.op != "remove")
    for event in rows.events.values():
        if versions[event.id] != event.version:
            yield Fault(Kind.HALF, f"event {event.id}: version {event.version}, {versions[event.id]} rows of the log")


def _bookings(event: Event, rows: Rows) -> Iterator[Fault]:
    """A reservation for each room that an event wants and each time that it takes place, and no other one."""
    wanted = {} if not event.takes_place else dict(_wanted(event, rows))
    found = Counter((one.resource_id, one.recurrence_id) for one in event.reservations)
    for one in event.reservations:
        place = one.resource_id, one.recurrence_id
        if place not in wanted or found[place] > 1:
            yield Fault(Kind.ORPHAN, f"event {event.id}: nothing needs {one}")
        elif (one.start_time, one.end_time) != wanted[place]:
            yield Fault(Kind.ORPHAN, f"event {event.id}: needs {wanted[place]}, not {one}")
        elif not _blocks(one, rows):
            yield Fault(Kind.HALF, f"event {event.id}: {one} blocks something else")
    for place in wanted.keys() - found.keys():
        yield Fault(Kind.HALF, f"event {event.id}: no reservation of {place[0]} for {place[1] or event.start_time}")


_Place = tuple[UUID, datetime | None]


def _wanted(event: Event, rows: Rows) -> Iterator[tuple[_Place, tuple[datetime, datetime]]]:
    for wish in event.wishes:
        if not event.recurs:
            zone = ZoneInfo(rows.rooms[wish.resource_id].tzid) if event.all_day else None
            yield (wish.resource_id, None), (_on(event.start_time, zone), _on(event.end_time, zone))
            continue
        assert event.rrule is not None
        replaced = rows.replaced.get(event.id, frozenset())
        for start in starts(event.start_time, event.tzid, event.rrule, event.exdates, wish.booked_until):
            if start not in replaced:
                yield (wish.resource_id, start), (start, start + (event.end_time - event.start_time))


def _on(moment: datetime, zone: ZoneInfo | None) -> datetime:
    return moment if zone is None else moment.replace(tzinfo=zone).astimezone(UTC)


def _blocks(one: Reservation, rows: Rows) -> bool:
    room = rows.rooms[one.resource_id]
    before, after = timedelta(minutes=room.setup_minutes), timedelta(minutes=room.teardown_minutes)
    return (one.blocked_from, one.blocked_until) == (one.start_time - before, one.end_time + after)


def _copies(copies: Iterable[Copy], rows: Rows) -> Iterator[Fault]:
    """Who followed the feed has what is there, and was told of all that the log tells of, and of nothing else."""
    named: dict[UUID, set[UUID]] = defaultdict(set)
    for row in rows.log:
        named[row.scope_id].add(row.entity_id)
    for copy in copies:
        there = {
            one.id: one for one in rows.events.values() if one.calendar_id == copy.calendar_id and not one.is_deleted
        }
        for id_ in there.keys() ^ copy.events.keys():
            what = "not in the copy" if id_ in there else "in the copy and not there"
            yield Fault(Kind.LOST, f"feed of {copy.calendar_id}: {id_} is {what}")
        for id_ in there.keys() & copy.events.keys():
            told, found = shown(copy.events[id_]), _shown(there[id_])
            wrong = {name: (told[name], found[name]) for name in told if told[name] != found[name]}
            if wrong:
                yield Fault(Kind.LOST, f"feed of {copy.calendar_id}: {id_} is told otherwise than it is: {wrong}")
        for id_ in named[copy.calendar_id] ^ copy.told:
            yield Fault(Kind.LOST, f"feed of {copy.calendar_id}: {id_} is in the log or told, not both")


def _shown(event: Event) -> dict[str, Any]:
    return {
        "version": event.version,
        "title": event.title,
        "start_time": event.start_time,
        "end_time": event.end_time,
        "status": event.status,
        "rrule": event.rrule,
        "exdates": event.exdates,
        "attendees": {one.email: one.response_status for one in event.attendees},
        "rooms": None if event.recurs else event.held,
    }


def _by_xid(sent: Iterable[Sent], rows: Rows) -> dict[int, Sent]:
    """The request that each transaction did."""
    xids = {(one.user_id, one.key): one.xid for one in rows.kept}
    return {xids[one.user_id, one.key]: one for one in sent if (one.user_id, one.key) in xids}


class _Families:
    """Events that one request may write together: a series with its exceptions, and with what was split off it."""

    def __init__(self) -> None:
        self._parents: dict[UUID, UUID] = {}

    def of(self, id_: UUID) -> UUID:
        while (parent := self._parents.get(id_, id_)) != id_:
            id_ = parent
        return id_

    def join(self, one: UUID, other: UUID) -> None:
        self._parents[self.of(one)] = self.of(other)


def _families(by_xid: dict[int, Sent], rows: Rows) -> _Families:
    families = _Families()
    for event in rows.events.values():
        if event.series_id is not None:
            families.join(event.id, event.series_id)
    for row in rows.log:
        one = by_xid.get(row.xid)
        is_new = row.entity == "event" and row.op == "insert" and row.fields is None
        if is_new and one is not None and one.order.target is not None:
            families.join(row.entity_id, one.order.target)
    return families


def _name(one: Sent) -> str:
    order = one.order
    times = f", sent {one.sent} times" if one.sent > 1 else ""
    return f"{order.what} {one.key}{times} ({order.method} {order.path})"
