"""What clients do: operations drawn at random, on events that all of them have seen, so that they get in each other's
way.

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
INVITATION_TRIES: Final = 20

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

_TIMES: Final = frozenset({"start_time", "end_time", "tzid", "all_day", "rrule", "rdates", "exdates"})


class Board:
    """Events as somebody saw them last, shared by all clients of a program."""

    def __init__(self) -> None:
        self.seen: dict[UUID, Seen] = {}
        self.etags: dict[UUID, str] = {}
        self._singles: deque[UUID] = deque(maxlen=REMEMBERED_MAX)
        self._series: deque[UUID] = deque(maxlen=REMEMBERED_MAX)
        self._deleted: deque[UUID] = deque(maxlen=REMEMBERED_MAX)

    def note(self, seen: Seen, etag: str) -> None:
        before = self.seen.get(seen.id)
        if before is None and seen.series_id is None:
            (self._series if seen.rrule is not None else self._singles).append(seen.id)
        if before is None or before.version <= seen.version:
            self.seen[seen.id] = seen
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

    def invited(self, chance: random.Random, email: str) -> Seen | None:
        tries = (self.either(chance) for _ in range(INVITATION_TRIES))
        return next((one for one in tries if one is not None and email in one.emails), None)

    def _one_of(self, ids: Sequence[UUID], chance: random.Random) -> Seen | None:
        """Half of the time one of the last few, which others are likely to be at as well."""
        if not ids:
            return None
        first = max(0, len(ids) - RECENT) if chance.random() < 0.5 else 0
        return self.seen.get(ids[chance.randrange(first, len(ids))])


class Chooser:
    """One client's choice of what to do next."""

    def __init__(self, world: World, board: Board, person: Person, chance: random.Random) -> None:
        self._world = world
        self._board = board
        self._person = person
        self._chance = chance
        self._made = 0
        self._names = list(WEIGHTS)
        self._weights = list(WEIGHTS.values())

    def next(self) -> Order:
        """Something that can be asked now; at first there is nothing but making events."""
        while True:
            [name] = self._chance.choices(self._names, self._weights)
            choose: Callable[[], Order | None] = getattr(self, f"_{name}")
            order = choose()
            if order is not None:
                return order

    # Making

    def _create(self) -> Order:
        return Order(what="create", method="POST", path="/api/events", body={**self._new(), **self._period()})

    def _create_days(self) -> Order:
        first = (self._world.first_day + timedelta(days=self._chance.randrange(DAYS))).date()
        days = {"start_date": f"{first}", "end_date": f"{first + timedelta(days=1)}", "all_day": True}
        return Order(what="create days", method="POST", path="/api/events", body={**self._new(), **days})

    def _create_series(self) -> Order:
        rule = self._chance.choice(("FREQ=DAILY", "FREQ=WEEKLY", "FREQ=DAILY;INTERVAL=2"))
        if self._chance.random() < 0.9:
            rule += f";COUNT={self._chance.randint(2, 8)}"
        policy = self._chance.choice(("ALL", "PARTIAL"))
        body = {**self._new(), **self._period(), "rrule": rule, "booking_policy": policy}
        return Order(what="create series", method="POST", path="/api/events", body=body)

    def _duplicate(self) -> Order | None:
        body = {"title": self._title(), "start_time": _text(self._start()), "calendar_id": self._calendar()}
        return self._on(self._board.single(self._chance), "duplicate", "POST", "/duplicate", body)

    # Single events

    def _retitle(self) -> Order | None:
        return self._patch(self._board.either(self._chance), "retitle", {"title": self._title()}, {"title"})

    def _shift(self) -> Order | None:
        seen = self._board.single(self._chance)
        if seen is None or seen.all_day:
            return None
        return self._patch(seen, "shift", self._period(), _TIMES, asks_again=True)

    def _change_rooms(self) -> Order | None:
        body: dict[str, Any] = {"resource_ids": self._rooms()}
        if self._chance.random() < 0.3:
            body["booking_policy"] = self._chance.choice(("ALL", "PARTIAL"))
        return self._patch(self._board.single(self._chance), "change rooms", body)

    def _cancel(self) -> Order | None:
        return self._patch(self._board.single(self._chance), "cancel", {"status": "CANCELLED"}, {"status"})

    def _confirm(self) -> Order | None:
        seen = self._board.single(self._chance)
        if seen is None or seen.status != "CANCELLED":
            return None
        return self._patch(seen, "confirm", {"status": "CONFIRMED"}, {"status"})

    def _move(self) -> Order | None:
        body = {"calendar_id": self._calendar()}
        return self._on(self._board.either(self._chance), "move", "POST", "/move", body, {"calendar_id"})

    def _delete(self) -> Order | None:
        return self._on(self._board.single(self._chance), "delete", "DELETE", "")

    def _restore(self) -> Order | None:
        body = {} if self._chance.random() < 0.6 else {"booking_policy": "PARTIAL"}
        return self._on(self._board.deleted(self._chance), "restore", "POST", "/restore", body)

    # Series

    def _edit_instance(self) -> Order | None:
        seen, at = self._instance()
        if at is None:
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
        return self._on(seen, "edit this", "PATCH", f"?scope=this&recurrence_id={_text(at)}", body)

    def _edit_following(self) -> Order | None:
        seen, at = self._instance()
        if at is None:
            return None
        body: dict[str, Any] = {"title": self._title()}
        if self._chance.random() < 0.5:
            body |= {"start_time": _text(at + SLOT), "end_time": _text(at + 3 * SLOT)}
        query = f"?scope=following&recurrence_id={_text(at)}"
        # From the first instance on it is all of the series.
        return self._on(seen, "edit following", "PATCH", query, body, _TIMES | {"title"}, asks_again=True)

    def _edit_all(self) -> Order | None:
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
        may_write = _TIMES if "start_time" in body else frozenset(body)
        series = self._board.series(self._chance)
        return self._patch(series, "edit all", body, may_write, asks_again=bool(may_write & _TIMES))

    def _delete_instance(self) -> Order | None:
        seen, at = self._instance()
        scope = "following" if self._chance.random() < 0.2 else "this"
        if at is None:
            return None
        query = f"?scope={scope}&recurrence_id={_text(at)}"
        return self._on(seen, f"delete {scope}", "DELETE", query, may_write={"rrule", "exdates"})

    def _delete_series(self) -> Order | None:
        return self._on(self._board.series(self._chance), "delete", "DELETE", "")

    def _restore_instance(self) -> Order | None:
        seen = self._board.series(self._chance)
        if seen is None or not seen.exdates:
            return None
        query = f"/restore?recurrence_id={_text(seen.exdates[0])}"
        return self._on(seen, "restore instance", "POST", query, {}, {"exdates"})

    # Attendees

    def _answer(self) -> Order | None:
        seen = self._board.invited(self._chance, self._person.email)
        return self._respond(seen, "rsvp", "/rsvp")

    def _answer_instance(self) -> Order | None:
        seen, at = self._instance()
        if seen is None or at is None or self._person.email not in seen.emails:
            return None
        return self._respond(seen, "rsvp instance", f"/rsvp?recurrence_id={_text(at)}")

    def _respond(self, seen: Seen | None, what: str, path: str) -> Order | None:
        response = self._chance.choice(("ACCEPTED", "DECLINED", "TENTATIVE"))
        body = {"response_status": response, "comment": self._title()}
        return self._on(seen, what, "POST", path, body, response=response, email=self._person.email)

    def _invite(self) -> Order | None:
        body = {"attendees": self._invitees()}
        if not body["attendees"]:
            return None
        return self._on(self._board.either(self._chance), "invite", "POST", "/attendees", body)

    def _uninvite(self) -> Order | None:
        seen = self._board.single(self._chance)
        if seen is None or not seen.attendees:
            return None
        email = self._chance.choice(seen.attendees).email
        return self._on(seen, "uninvite", "DELETE", f"/attendees/{email}")

    def _name_attendees(self) -> Order | None:
        """The list of those invited as it was seen, with other ones optional: who stays keeps their answer."""
        seen = self._board.single(self._chance)
        if seen is None or not seen.attendees:
            return None
        named = [{"email": one.email, "is_optional": self._chance.random() < 0.5} for one in seen.attendees]
        return self._patch(seen, "name attendees", {"attendees": named})

    # What they are made of

    def _patch(
        self,
        seen: Seen | None,
        what: str,
        body: object,
        may_write: set[str] | frozenset[str] = frozenset(),
        *,
        asks_again: bool = False,
    ) -> Order | None:
        """Now and then only while nobody else has changed the event."""
        conditional = seen is not None and self._chance.random() < 0.2
        if_match = self._board.etags[seen.id] if seen is not None and conditional else None
        return self._on(seen, what, "PATCH", "", body, may_write, if_match=if_match, asks_again=asks_again)

    def _on(
        self,
        seen: Seen | None,
        what: str,
        method: str,
        path: str,
        body: object = None,
        may_write: set[str] | frozenset[str] = frozenset(),
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
            may_write=frozenset(may_write),
            **more,
        )

    def _new(self) -> dict[str, Any]:
        return {
            "calendar_id": self._calendar(),
            "title": self._title(),
            "attendees": self._invitees(),
            "resource_ids": self._rooms(),
        }

    def _title(self) -> str:
        """One that nobody else ever gives."""
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

    def _instance(self) -> tuple[Seen | None, datetime | None]:
        """A series, and the start of one of its first instances."""
        seen = self._board.series(self._chance)
        if seen is None or seen.rrule is None:
            return None, None
        horizon = self._world.first_day + timedelta(days=60)
        found = starts(seen.start_time, seen.tzid, seen.rrule, seen.exdates, horizon)[:INSTANCES_CHOSEN]
        return (seen, self._chance.choice(found)) if found else (None, None)


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
