"""A calendar as a person would keep it on paper: every instance written out, a rule read once, by dateutil.

It says what edits of series mean without any of the arithmetic that is being tried: no spans, exceptions or masters.
An instance that looks like its series, by a text or by its time, goes with it, and so does the one that was meant.
"""

from collections.abc import Generator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from dateutil.rrule import rrulestr
from hypothesis import strategies as st

from yotei.events.draft import AnyOperation, Create, Delete, EventFields, Invitee, NewEvent, Patch, Respond

Scope = Literal["this", "following", "all"]
Story = Generator[tuple[AnyOperation, bool], UUID, None]

ZONES: Final = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Tokyo")
RULES: Final = (
    None,
    "FREQ=DAILY;COUNT=5",
    "FREQ=DAILY;INTERVAL=3;COUNT=4",
    "FREQ=WEEKLY;COUNT=4",
    "FREQ=WEEKLY;BYDAY=MO,TH;COUNT=5",
    "FREQ=WEEKLY;INTERVAL=2;BYDAY=WE,SA;COUNT=6",
)
GUEST_EMAIL: Final = "guest@example.org"
FIRST_TITLE: Final = "Title 0"
FIRST_DAY: Final = date(2027, 3, 10)
"""From here on the clocks of New York and Berlin change within a few weeks."""


class Plan(msgspec.Struct, frozen=True):
    """What is made first: an event, or a series when there is a rule."""

    tzid: str
    day: date
    hour: int
    length_h: int
    rrule: str | None

    @property
    def start(self) -> datetime:
        """Of the first instance: a day on which the rule fires."""
        wall = datetime.combine(self.day, time(self.hour))
        return _instant(wall if self.rrule is None else rrulestr(self.rrule, dtstart=wall)[0], self.tzid)

    @property
    def end(self) -> datetime:
        return self.start + timedelta(hours=self.length_h)


class Edit(msgspec.Struct, frozen=True):
    """What is done to an instance, or from it on. `instance` counts through those that are there."""

    what: Literal["title", "status", "time", "answer", "delete"]
    scope: Scope
    instance: int
    days: int
    hour: int
    length_h: int
    status: Literal["CONFIRMED", "TENTATIVE", "CANCELLED"]
    answer: Literal["ACCEPTED", "DECLINED"]

    @property
    def extent(self) -> Scope:
        """An answer is one to an instance or to the whole series."""
        return "all" if self.what == "answer" and self.scope == "following" else self.scope


plans = st.builds(
    Plan,
    tzid=st.sampled_from(ZONES),
    day=st.integers(0, 25).map(lambda days: FIRST_DAY + timedelta(days=days)),
    hour=st.integers(5, 18),
    length_h=st.integers(1, 3),
    rrule=st.sampled_from(RULES),
)
edits = st.builds(
    Edit,
    what=st.sampled_from(("title", "status", "time", "time", "answer", "delete")),
    scope=st.sampled_from(("this", "following", "all")),
    instance=st.integers(0, 5),
    days=st.sampled_from((0, 0, 0, 1, -1, 7)),
    hour=st.integers(5, 18),
    length_h=st.integers(1, 3),
    status=st.sampled_from(("CONFIRMED", "TENTATIVE", "CANCELLED")),
    answer=st.sampled_from(("ACCEPTED", "DECLINED")),
)


class Shown(msgspec.Struct, frozen=True, order=True):
    """An instance, as everybody sees it, with the answer of the guest."""

    start: datetime
    end: datetime
    title: str
    status: str
    answer: str


class Instance(msgspec.Struct, frozen=True):
    """`place` is where the rule puts it."""

    place: datetime
    shown: Shown


class Group(msgspec.Struct):
    """What goes together: a series, or a single event. `event_id` is what the product calls it."""

    tzid: str
    title: str
    status: str
    length: timedelta
    instances: list[Instance]
    event_id: UUID | None = None

    def is_in_place(self, one: Instance) -> bool:
        return (one.shown.start, one.shown.end) == (one.place, one.place + self.length)


class Paper:
    """The model: `do` what was asked, then look at `shown`."""

    def __init__(self, plan: Plan) -> None:
        wall = _wall(plan.start, plan.tzid)
        walls = [wall] if plan.rrule is None else list(rrulestr(plan.rrule, dtstart=wall))
        length = plan.end - plan.start
        places = [_instant(one, plan.tzid) for one in walls]
        instances = [
            Instance(place, Shown(place, place + length, FIRST_TITLE, "CONFIRMED", "NEEDS_ACTION")) for place in places
        ]
        self.is_series = plan.rrule is not None
        self.groups = [Group(plan.tzid, FIRST_TITLE, "CONFIRMED", length, instances)]

    @property
    def booked(self) -> list[tuple[datetime, datetime]]:
        """When a room is needed that goes with all of it."""
        return [(one.start, one.end) for one in self.shown if one.status != "CANCELLED"]

    @property
    def shown(self) -> list[Shown]:
        return sorted(one.shown for group in self.groups for one in group.instances)

    def find(self, number: int) -> tuple[Group, Instance] | None:
        """The instance that an edit means; they are counted in the order of their places."""
        there = sorted(
            ((group, one) for group in self.groups for one in group.instances), key=lambda pair: pair[1].place
        )
        return there[number % len(there)] if there else None

    def new_time(self, edit: Edit, one: Instance, tzid: str) -> tuple[datetime, datetime]:
        day = _wall(one.place, tzid).date() + timedelta(days=edit.days)
        start = _instant(datetime.combine(day, time(edit.hour)), tzid)
        return start, start + timedelta(hours=edit.length_h)

    def do(self, edit: Edit, title: str) -> None:
        found = self.find(edit.instance)
        if found is None:
            return
        group, one = found
        if edit.extent == "this" and self.is_series:
            self._change_one(group, one, edit, title)
            return
        if edit.extent == "following":
            group = self._split(group, one)
        if edit.what == "delete":
            self.groups.remove(group)
        elif edit.what == "answer":
            for at, there in enumerate(group.instances):
                group.instances[at] = _told(there, answer=edit.answer)
        elif edit.what == "time":
            self._move(group, one, edit)
        else:
            self._retell(group, one, edit, title)

    def _change_one(self, group: Group, one: Instance, edit: Edit, title: str) -> None:
        at = group.instances.index(one)
        if edit.what == "delete":
            del group.instances[at]
            return
        changed = one.shown
        if edit.what == "title":
            changed = msgspec.structs.replace(changed, title=title)
        elif edit.what == "status":
            changed = msgspec.structs.replace(changed, status=edit.status)
        elif edit.what == "answer":
            changed = msgspec.structs.replace(changed, answer=edit.answer)
        else:
            changed = _at(changed, *self.new_time(edit, one, group.tzid))
        group.instances[at] = Instance(one.place, changed)

    def _split(self, group: Group, since: Instance) -> Group:
        """From an instance on they are a group of their own; from the first on nothing is left to split."""
        later = [one for one in group.instances if one.place >= since.place]
        if len(later) == len(group.instances):
            return group
        group.instances = [one for one in group.instances if one.place < since.place]
        self.groups.append(Group(group.tzid, group.title, group.status, group.length, later))
        return self.groups[-1]

    def _retell(self, group: Group, meant: Instance, edit: Edit, title: str) -> None:
        name, value = ("title", title) if edit.what == "title" else ("status", edit.status)
        before = getattr(group, name)
        for at, there in enumerate(group.instances):
            if there is meant or getattr(there.shown, name) == before:
                group.instances[at] = _told(there, **{name: value})
        setattr(group, name, value)

    def _move(self, group: Group, meant: Instance, edit: Edit) -> None:
        """By the clock: each goes as far on the wall clock as the one that was meant."""
        start, end = self.new_time(edit, meant, group.tzid)
        by = _wall(start, group.tzid) - _wall(meant.place, group.tzid)
        moved = []
        for one in group.instances:
            place = _instant(_wall(one.place, group.tzid) + by, group.tzid)
            follows = one is meant or group.is_in_place(one)
            shown = _at(one.shown, place, place + (end - start)) if follows else one.shown
            moved.append(Instance(place, shown))
        group.instances = moved
        group.length = end - start


def _told(one: Instance, **fields: str) -> Instance:
    return Instance(one.place, msgspec.structs.replace(one.shown, **fields))


def _at(shown: Shown, start: datetime, end: datetime) -> Shown:
    """At another time, to which nobody has answered yet."""
    if (start, end) == (shown.start, shown.end):
        return shown
    return msgspec.structs.replace(shown, start=start, end=end, answer="NEEDS_ACTION")


def _wall(moment: datetime, tzid: str) -> datetime:
    return moment.astimezone(ZoneInfo(tzid)).replace(tzinfo=None)


def _instant(wall: datetime, tzid: str) -> datetime:
    return wall.replace(tzinfo=ZoneInfo(tzid)).astimezone(UTC)


histories = st.tuples(plans, st.lists(edits, max_size=6))


def story(paper: Paper, plan: Plan, history: Sequence[Edit], calendar_id: UUID, *rooms: UUID) -> Story:
    """The operations of a history, and whether the guest does each; the paper follows. To be told the id of the event
    that each was done to."""
    paper.groups[0].event_id = yield _creation(plan, calendar_id, rooms), False
    for n, edit in enumerate(history, 1):
        asked = _operation(edit, paper, f"Title {n}")
        if asked is None:
            return
        event_id = yield asked
        paper.do(edit, f"Title {n}")
        for group in paper.groups:
            group.event_id = group.event_id or event_id


def _creation(plan: Plan, calendar_id: UUID, rooms: tuple[UUID, ...]) -> Create:
    event = NewEvent(
        calendar_id=calendar_id,
        title=FIRST_TITLE,
        start_time=plan.start,
        end_time=plan.end,
        tzid=plan.tzid,
        rrule=plan.rrule,
        attendees=(Invitee(email=GUEST_EMAIL),),
        resource_ids=rooms,
    )
    return Create(event=event)


def _operation(edit: Edit, paper: Paper, title: str) -> tuple[AnyOperation, bool] | None:
    """What an edit is to the product, and whether the guest does it; None where nothing is left to edit."""
    found = paper.find(edit.instance)
    if found is None:
        return None
    group, one = found
    assert group.event_id is not None
    at: dict[str, Any] = {"recurrence_id": one.place, "scope": edit.extent} if paper.is_series else {}
    if edit.what == "answer":
        if edit.extent == "all":
            at = {}
        at.pop("scope", None)
        return Respond(event_id=group.event_id, response_status=edit.answer, **at), True
    if edit.what == "delete":
        return Delete(event_id=group.event_id, **at), False
    if edit.what == "time":
        start, end = paper.new_time(edit, one, group.tzid)
        fields = EventFields(start_time=start, end_time=end)
    elif edit.what == "title":
        fields = EventFields(title=title)
    else:
        fields = EventFields(status=edit.status)
    return Patch(event_id=group.event_id, event=fields, **at), False
