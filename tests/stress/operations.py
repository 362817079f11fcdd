"""What clients do: operations drawn at random, from events that all of them have seen, so that they get in each
other's way.

Times are those of a few hours of a few days, rooms mostly those of a few that are hot.
"""

import random
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from tests.stress.expected import starts
from tests.stress.records import Order, Seen
from tests.stress.world import Person, World

DAYS: Final = 7
SLOT: Final = timedelta(minutes=30)
FIRST_HOUR: Final = 6
SLOTS_A_DAY: Final = 26
RECENT: Final = 40
REMEMBERED_MAX: Final = 2_000
INSTANCES_CHOSEN: Final = 8
_HALF: Final = 0.5
_TIMES: Final = frozenset({"start_time", "end_time", "rrule", "exdates"})


class Board:
    """Events as somebody saw them last, shared by all clients of a program."""

    def __init__(self) -> None:
        self.seen: dict[UUID, Seen] = {}
        self.etags: dict[UUID, str] = {}
        self._singles: deque[UUID] = deque(maxlen=REMEMBERED_MAX)
        self._series: deque[UUID] = deque(maxlen=REMEMBERED_MAX)
        self._deleted: deque[UUID] = deque(maxlen=REMEMBERED_MAX)

    def note(self, seen: Seen, etag: str | None) -> None:
        before = self.seen.get(seen.id)
        if before is None and seen.series_id is None:
            (self._series if seen.rrule is not None else self._singles).append(seen.id)
        if before is None or before.version <= seen.version:
            self.seen[seen.id] = seen
            if etag is not None:
                self.etags[seen.id] = etag

    def note_deleted(self, id_: UUID) -> None:
        self._deleted.append(id_)

    def single(self, chance: random.Random) -> Seen | None:
        return self._one_of(self._singles, chance)

    def series(self, chance: random.Random) -> Seen | None:
        return self._one_of(self._series, chance)

    def either(self, chance: random.Random) -> Seen | None:
        return self.series(chance) if chance.random() < 0.25 else self.single(chance)

    def deleted(self, chance: random.Random) -> Seen | None:
        return self._one_of(self._deleted, chance)

    def invited(self, chance: random.Random, email: str, tries: int = 20) -> Seen | None:
        for _ in range(tries):
            found = self.either(chance)
            if found is not None and email in found.emails:
                return found
        return None

    def _one_of(self, ids: Sequence[UUID], chance: random.Random) -> Seen | None:
        if not ids:
            return None
        first = max(0, len(ids) - RECENT) if chance.random() < _HALF else 0
        return self.seen.get(ids[chance.randrange(first, len(ids))])


class Chooser:
    """One client's choice of what to do next."""

    def __init__(
        self,
        world: World,
        board: Board,
        person: Person,
        chance: random.Random,
        weights: Mapping[str, int] | None = None,
    ) -> None:
        self._world = world
        self._board = board
        self._person = person
        self._chance = chance
        self._weights = dict(WEIGHTS if weights is None else weights)
        self._made = 0

    def next(self) -> Order:
        """Something that can be asked now; at first there is nothing but making events."""
        while True:
            [name] = self._chance.choices(list(self._weights), list(self._weights.values()))
            choose: Callable[[], Order | None] = getattr(self, f"_{name}")
            order = choose()
            if order is not None:
                return order

    # Making

    def _create(self) -> Order:
        mark = self._mark()
        body = {**self._new(mark), **self._period()}
        return Order(what="create", method="POST", path="/api/events", body=body, mark=mark)

    def _create_days(self) -> Order:
        mark = self._mark()
        first = (self._world.first_day + timedelta(days=self._chance.randrange(DAYS))).date()
        days = {"start_date": f"{first}", "end_date": f"{first + timedelta(days=1)}", "all_day": True}
        return Order(what="create", method="POST", path="/api/events", body={**self._new(mark), **days}, mark=mark)

    def _create_series(self) -> Order:
        mark = self._mark()
        rule = self._chance.choice(("FREQ=DAILY", "FREQ=WEEKLY", "FREQ=DAILY;INTERVAL=2"))
        if self._chance.random() < 0.9:
            rule += f";COUNT={self._chance.randint(2, 8)}"
        policy = self._chance.choice(("ALL", "PARTIAL"))
        body = {**self._new(mark), **self._period(), "rrule": rule, "booking_policy": policy}
        return Order(what="create series", method="POST", path="/api/events", body=body, mark=mark)

    def _duplicate(self) -> Order | None:
        seen = self._board.single(self._chance)
        if seen is None:
            return None
        body = {"title": self._title(), "start_time": _text(self._start()), "calendar_id": self._calendar()}
        return self._on(seen, "duplicate", "POST", "/duplicate", body)

    # Single events

    def _retitle(self) -> Order | None:
        return self._patch(self._board.either(self._chance), {"title": self._title()}, {"title"})

    def _shift(self) -> Order | None:
        seen = self._board.single(self._chance)
        if seen is None or seen.all_day:
            return None
        return self._patch(seen, self._period(), _TIMES | {"rooms"}, moves=True)

    def _change_rooms(self) -> Order | None:
        body: dict[str, Any] = {"resource_ids": self._rooms()}
        if self._chance.random() < 0.3:
            body["booking_policy"] = self._chance.choice(("ALL", "PARTIAL"))
        return self._patch(self._board.single(self._chance), body, {"rooms"})

    def _cancel(self) -> Order | None:
        return self._patch(self._board.single(self._chance), {"status": "CANCELLED"}, {"status", "rooms"})

    def _confirm(self) -> Order | None:
        seen = self._board.single(self._chance)
        if seen is None or seen.status != "CANCELLED":
            return None
        return self._patch(seen, {"status": "CONFIRMED"}, {"status", "rooms"})

    def _move(self) -> Order | None:
        return self._on(
            self._board.either(self._chance),
            "move",
            "POST",
            "/move",
            {"calendar_id": self._calendar()},
            changes={"calendar_id"},
            elsewhere=True,
        )

    def _delete(self) -> Order | None:
        seen = self._board.single(self._chance)
        return self._on(seen, "delete", "DELETE", "", elsewhere=True)

    def _restore(self) -> Order | None:
        body = {} if self._chance.random() < 0.6 else {"booking_policy": "PARTIAL"}
        seen = self._board.deleted(self._chance)
        return self._on(seen, "restore", "POST", "/restore", body, changes={"rooms"}, elsewhere=True)

    # Series

    def _edit_instance(self) -> Order | None:
        seen = self._board.series(self._chance)
        at = self._instance(seen)
        if seen is None or at is None:
            return None
        body = self._chance.choice(
            (
                {"title": self._title()},
                self._period(),
                {"status": "CANCELLED"},
                {"start_time": _text(at + SLOT), "end_time": _text(at + 2 * SLOT)},
                {"resource_ids": self._rooms()},
            )
        )
        return self._on(
            seen, "edit this", "PATCH", f"?scope=this&recurrence_id={_text(at)}", body, moves=True, elsewhere=True
        )

    def _edit_following(self) -> Order | None:
        seen = self._board.series(self._chance)
        at = self._instance(seen)
        if seen is None or at is None:
            return None
        mark = self._mark()
        body: dict[str, Any] = {"title": self._title(), "description": mark}
        if self._chance.random() < _HALF:
            body |= {"start_time": _text(at + SLOT), "end_time": _text(at + 3 * SLOT)}
        # From the first instance on it is all of the series, and no new one: then nothing has this mark.
        query = f"?scope=following&recurrence_id={_text(at)}"
        changes = _TIMES | {"title"}
        return self._on(seen, "edit following", "PATCH", query, body, changes=changes, moves=True, elsewhere=True)

    def _edit_all(self) -> Order | None:
        seen = self._board.series(self._chance)
        if seen is None:
            return None
        start = self._start()
        body: dict[str, Any] = self._chance.choice(
            (
                {"start_time": _text(start), "end_time": _text(start + SLOT)},
                {"resource_ids": self._rooms()},
                {"booking_policy": "PARTIAL"},
                {"status": "CANCELLED"},
                {"status": "CONFIRMED"},
                {"rrule": f"FREQ=DAILY;COUNT={self._chance.randint(1, 9)}"},
            )
        )
        changes = _TIMES | {"status"}
        return self._on(seen, "edit all", "PATCH", "", body, changes=changes, moves=True, elsewhere=True)

    def _delete_instance(self) -> Order | None:
        seen = self._board.series(self._chance)
        at = self._instance(seen)
        scope = "following" if self._chance.random() < 0.2 else "this"
        if at is None:
            return None
        query = f"?scope={scope}&recurrence_id={_text(at)}"
        return self._on(seen, f"delete {scope}", "DELETE", query, elsewhere=True, recurrence_id=at)

    def _delete_series(self) -> Order | None:
        return self._on(self._board.series(self._chance), "delete", "DELETE", "", elsewhere=True)

    def _restore_instance(self) -> Order | None:
        seen = self._board.series(self._chance)
        if seen is None or not seen.exdates:
            return None
        query = f"/restore?recurrence_id={_text(seen.exdates[0])}"
        return self._on(seen, "restore instance", "POST", query, {}, changes={"exdates"}, elsewhere=True)

    # Attendees

    def _answer(self) -> Order | None:
        seen = self._board.invited(self._chance, self._person.email)
        response = self._chance.choice(("ACCEPTED", "DECLINED", "TENTATIVE"))
        body = {"response_status": response, "comment": f"n {self._made}"}
        return self._on(seen, "rsvp", "POST", "/rsvp", body, response=response, email=self._person.email)

    def _answer_instance(self) -> Order | None:
        seen = self._board.invited(self._chance, self._person.email)
        at = self._instance(seen)
        if seen is None or at is None:
            return None
        response = self._chance.choice(("ACCEPTED", "DECLINED", "TENTATIVE"))
        return self._on(
            seen,
            "rsvp instance",
            "POST",
            f"/rsvp?recurrence_id={_text(at)}",
            {"response_status": response},
            elsewhere=True,
            recurrence_id=at,
            response=response,
            email=self._person.email,
        )

    def _invite(self) -> Order | None:
        body = {"attendees": self._invitees()}
        if not body["attendees"]:
            return None
        return self._on(self._board.either(self._chance), "invite", "POST", "/attendees", body, changes={"emails"})

    def _uninvite(self) -> Order | None:
        seen = self._board.single(self._chance)
        if seen is None or not seen.attendees:
            return None
        email = self._chance.choice(seen.attendees).email
        return self._on(seen, "uninvite", "DELETE", f"/attendees/{email}", changes={"emails"}, uninvites=email)

    def _name_attendees(self) -> Order | None:
        """The list of those invited as it was seen, with other ones optional: who stays keeps their answer."""
        seen = self._board.single(self._chance)
        if seen is None or not seen.attendees:
            return None
        named = [{"email": one.email, "is_optional": self._chance.random() < _HALF} for one in seen.attendees]
        return self._patch(seen, {"attendees": named}, {"emails"}, named=seen.emails)

    # What they are made of

    def _patch(self, seen: Seen | None, body: object, changes: set[str] | frozenset[str], **more: Any) -> Order | None:
        return self._on(seen, "patch", "PATCH", "", body, changes=changes, elsewhere=_recurs(seen), **more)

    def _on(
        self,
        seen: Seen | None,
        what: str,
        method: str,
        path: str,
        body: object = None,
        changes: set[str] | frozenset[str] = frozenset(),
        **more: Any,
    ) -> Order | None:
        if seen is None:
            return None
        return Order(
            what=what,
            method=method,
            path=f"/api/events/{seen.id}{path}",
            body=body,
            target=seen.id,
            changes=frozenset(changes),
            **more,
        )

    def _new(self, mark: str) -> dict[str, Any]:
        return {
            "calendar_id": self._calendar(),
            "title": self._title(),
            "description": mark,
            "attendees": self._invitees(),
            "resource_ids": self._rooms(),
        }

    def _mark(self) -> str:
        self._made += 1
        return f"{self._person.id} {self._made}"

    def _title(self) -> str:
        self._made += 1
        return f"Title {self._made} of {self._person.id}"

    def _calendar(self) -> str:
        return str(self._chance.choice(self._world.calendars))

    def _start(self) -> datetime:
        day = self._world.first_day + timedelta(days=self._chance.randrange(DAYS), hours=FIRST_HOUR)
        return day + SLOT * self._chance.randrange(SLOTS_A_DAY)

    def _period(self) -> dict[str, Any]:
        start = self._start()
        return {"start_time": _text(start), "end_time": _text(start + SLOT * self._chance.randint(1, 3))}

    def _rooms(self) -> list[str]:
        """None to three, mostly of those that all want."""
        count = self._chance.choice((0, 1, 1, 1, 2, 3))
        among = self._world.hot_rooms if self._chance.random() < 0.6 else self._world.rooms
        return [str(one.id) for one in self._chance.sample(among, count)]

    def _invitees(self) -> list[dict[str, Any]]:
        people = self._chance.sample(self._world.people, self._chance.randint(0, min(5, len(self._world.people))))
        return [{"email": one.email} for one in people]

    def _instance(self, seen: Seen | None) -> datetime | None:
        if seen is None or seen.rrule is None:
            return None
        horizon = self._world.first_day + timedelta(days=60)
        found = starts(seen.start_time, seen.tzid, seen.rrule, seen.exdates, horizon)[:INSTANCES_CHOSEN]
        return self._chance.choice(found) if found else None


def _recurs(seen: Seen | None) -> bool:
    return seen is not None and seen.rrule is not None


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


WEIGHTS: Final[Mapping[str, int]] = {
    "create": 22,
    "create_days": 1,
    "create_series": 6,
    "duplicate": 2,
    "retitle": 7,
    "shift": 14,
    "change_rooms": 8,
    "cancel": 4,
    "confirm": 3,
    "move": 6,
    "delete": 6,
    "restore": 5,
    "edit_instance": 5,
    "edit_following": 2,
    "edit_all": 4,
    "delete_instance": 2,
    "delete_series": 1,
    "restore_instance": 2,
    "answer": 8,
    "answer_instance": 3,
    "invite": 3,
    "uninvite": 2,
    "name_attendees": 4,
}
"""How often each operation is drawn."""
