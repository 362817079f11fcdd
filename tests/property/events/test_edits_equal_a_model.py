"""Events that are edited, read back, equal a calendar that is kept on paper: planning alone, without a database."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from hypothesis import example, given, settings

from tests.integration.rows import viewing
from tests.property.events.model import FIRST_DAY, GUEST_EMAIL, Edit, Paper, Plan, Scope, Shown, histories, story
from yotei.events import booking, instances, plan
from yotei.events.draft import AnyOperation
from yotei.events.event import Stored
from yotei.events.state import CalendarState, Loaded, LoadedEvent, PersonState, ResourceState, Row, State
from yotei.events.window import Window
from yotei.resources.resource import Resource

NOW: Final = datetime(2027, 3, 1, tzinfo=UTC)
HORIZON: Final = NOW + timedelta(days=400)
OWNER: Final = viewing(uuid4())
GUEST: Final = viewing(uuid4())
CALENDAR: Final = uuid4()
ROOM: Final = uuid4()
WINDOW: Final = Window(datetime(2026, 1, 1, tzinfo=UTC), datetime(2029, 1, 1, tzinfo=UTC), ZoneInfo("UTC"))


class Memory:
    """Rows between two operations, as the database would hold them."""

    def __init__(self) -> None:
        self.events: tuple[LoadedEvent, ...] = ()

    def load(self, viewer: Any) -> State:
        role = "OWNER" if viewer is OWNER else None
        room = Resource(ROOM, "Fuji", "ROOM", None, None, "UTC", None, (), 1, 0, 0, None, "EVERYONE", 1)
        loaded = Loaded(
            events=self.events,
            calendars=(CalendarState(CALENDAR, "UTC", role, is_deleted=False),),
            people=(PersonState(GUEST.user_id, GUEST_EMAIL, "Guest"),),
            resources=(ResourceState(room, None, is_deleted=False),),
            namesakes=(),
        )
        return State(viewer, NOW, loaded)

    def do(self, operation: AnyOperation, viewer: Any = OWNER) -> UUID:
        state = self.load(viewer)
        with state.operation(0):
            done = plan.do(state, operation, None)
        self.events = tuple(LoadedEvent(row, state.guests[id_], state.wishes[id_]) for id_, row in state.rows.items())
        return done.event_id

    @property
    def live(self) -> list[LoadedEvent]:
        return [one for one in self.events if one.event.deleted_at is None]

    def shown(self) -> list[Shown]:
        guests = {one.event.id: one.attendees for one in self.live}
        found = instances.expand([_stored(one.event) for one in self.live], WINDOW, 1_000)
        return sorted(
            Shown(one.start, one.end, one.event.title, one.event.status, guests[one.event.id][0].response_status)
            for one in found
        )

    def booked(self) -> list[tuple[datetime, datetime]]:
        state = self.load(OWNER)
        wanted, _, refused = booking.wants(state, [one.event.id for one in self.events], HORIZON)
        assert refused == {}
        return sorted((one.start_time, one.end_time) for one in wanted)


def _stored(row: Row) -> Stored:
    common = {name: getattr(row, name) for name in Stored.__struct_fields__ if hasattr(row, name)}
    more = dict.fromkeys(Stored.__struct_fields__)
    return Stored(**{**more, **common})


DAILY: Final = Plan("UTC", FIRST_DAY, 5, 1, "FREQ=DAILY;COUNT=5")


def edit(what: Any, scope: Scope, instance: int, hour: int = 5) -> Edit:
    return Edit(what, scope, instance, 0, hour, 1, "TENTATIVE", "ACCEPTED")


@settings(deadline=None, max_examples=300)
@example((DAILY, [edit("title", "this", 0), edit("title", "following", 0)]))
@example((DAILY, [edit("title", "this", 2), edit("title", "following", 2)]))
@example((DAILY, [edit("status", "this", 1), edit("title", "this", 1), edit("title", "all", 1)]))
@example((DAILY, [edit("time", "this", 2, hour=9), edit("time", "following", 2, hour=11)]))
@example((DAILY, [edit("time", "this", 2, hour=9), edit("time", "all", 2, hour=11)]))
@given(histories)
def test_what_is_read_is_what_a_person_would_have_on_paper(history: tuple[Plan, list[Edit]]) -> None:
    first, edits = history
    memory, paper = Memory(), Paper(first)

    told = story(paper, first, edits, CALENDAR, ROOM)
    event_id = None
    with suppress(StopIteration):
        while True:
            operation, is_guest = told.send(event_id)  # type: ignore[arg-type]
            event_id = memory.do(operation, GUEST if is_guest else OWNER)

    assert memory.shown() == paper.shown
    assert memory.booked() == sorted(paper.booked)
