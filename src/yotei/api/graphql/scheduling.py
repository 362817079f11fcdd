"""Free/busy and finding a time: what is asked, and what is answered."""

from datetime import datetime
from typing import cast
from uuid import UUID

import strawberry

from yotei.api.graphql import choices, loads
from yotei.api.graphql.fields import loaded
from yotei.api.graphql.inputs import optional, required
from yotei.api.graphql.types import Resource, User, Window, told
from yotei.breadth import Loaded
from yotei.events.window import Window as DomainWindow
from yotei.scheduling import freebusy, meeting, read


@strawberry.input(
    description=f"Whom, or what, and when: at most {read.SUBJECTS_MAX} people and resources in all, each once."
)
class FreeBusyInput:
    start: datetime = required("Start of the window, included.")
    end: datetime = required("End of the window, not included.")
    tz: str | None = optional("IANA zone of the answer; the caller's own if not given.")
    user_ids: list[UUID] | None = optional("People, by id.")
    emails: list[str] | None = optional("People, by address.")
    resource_ids: list[UUID] | None = optional("Rooms and pieces of equipment.")
    merge: bool | None = optional("Whether `merged` is told as well; false if not given.")


@strawberry.input(description="Somebody who is to come, by `userId` or by `email`.")
class MeetingAttendeeInput:
    user_id: UUID | None = optional("Their id.")
    email: str | None = optional("Their e-mail address.")
    is_optional: bool | None = optional("Whether it can do without them; false if not given.")


@strawberry.input(description="So many resources at once, of those that fit and that the caller may book.")
class MeetingRoomsInput:
    count: int | None = optional(f"How many, from 1 to {read.ROOMS_COUNT_MAX}; 1 if not given.")
    kind: choices.ResourceKind | None = optional("Of which kind: ROOM if not given, null for any.")
    seats_min: int | None = optional("With at least so many seats.")
    features: list[str] | None = optional("With all of these features.")


@strawberry.input(
    description=(
        f"A meeting for which a time is looked for: at most {read.SUBJECTS_MAX} people and named resources in all, "
        "each once."
    )
)
class MeetingTimesInput:
    start: datetime = required("Start of the window, included.")
    end: datetime = required("End of the window, not included.")
    duration_minutes: int = required(f"How long it is to be, in minutes, from 1 to {read.DURATION_MINUTES_MAX}.")
    tz: str | None = optional("IANA zone of the answer, and of the clock that starts go by; the caller's own else.")
    attendees: list[MeetingAttendeeInput] | None = optional("Who is to come.")
    resource_ids: list[UUID] | None = optional("Resources that all have to be free, and that the caller may book.")
    rooms: MeetingRoomsInput | None = optional("Resources beside them, of those that fit.")
    step_minutes: int | None = optional("Starts are multiples of it past the hour: 5, 10, 15 (the default), 30 or 60.")
    limit: int | None = optional(f"Proposals, from 1 to {read.PROPOSALS_MAX}; 10 if not given.")
    working_hours: choices.HoursPolicy | None = optional("PREFER if not given.")


@strawberry.type(description="From `start` up to, not including, `end`.")
class BusyPeriod:
    start: datetime = strawberry.field(description="Its start.")
    end: datetime = strawberry.field(description="Its end, not included.")
    kind: choices.BusyKind = strawberry.field(description="How they are taken; the strongest where several hold.")


@strawberry.type(description="When one person is taken; never with what.")
class PersonBusy:
    user_id: UUID | None = strawberry.field(description="Their id; null for an address that is nobody's here.")
    email: str | None = strawberry.field(description="The address that was asked for; null when it was an id.")
    error: str | None = strawberry.field(description="`not_found` where there is no such active person.")
    busy: list[BusyPeriod] = strawberry.field(description="Periods in order, apart or of different kinds.")

    @loaded("The person.", Loaded(loads.PEOPLE, "user_id"))
    @staticmethod
    def user() -> User | None: ...


@strawberry.type(description="When a room or a piece of equipment is taken or closed; never by whom.")
class ResourceBusy:
    resource_id: UUID = strawberry.field(description="Its id.")
    error: str | None = strawberry.field(description="`not_found` where there is none of this id.")
    busy: list[BusyPeriod] = strawberry.field(description="Periods in order, apart or of different kinds.")

    @loaded("The resource.", Loaded(loads.RESOURCES, "resource_id"))
    @staticmethod
    def resource() -> Resource | None: ...


@strawberry.type(description="When people and resources are taken within a window.")
class FreeBusy:
    people: list[PersonBusy] = strawberry.field(description="In the order asked for: ids, then addresses.")
    resources: list[ResourceBusy] = strawberry.field(description="In the order asked for.")
    merged: list[BusyPeriod] | None = strawberry.field(description="With `merge`: when any of them is taken.")
    window: Window = strawberry.field(description="The window.")


@strawberry.type(description="A resource that could be had.")
class MeetingRoom:
    id: UUID = strawberry.field(description="Its id.")
    name: str = strawberry.field(description="Its name.")
    kind: choices.ResourceKind = strawberry.field(description="What it is.")
    seats: int | None = strawberry.field(description="How many people fit.")


@strawberry.type(description="A time at which all that is required can be had. It is no booking.")
class MeetingProposal:
    start: datetime = strawberry.field(description="When it would start.")
    end: datetime = strawberry.field(description="When it would end.")
    coming: list[UUID] = strawberry.field(description="Optional people who can come.")
    missing: list[UUID] = strawberry.field(description="Optional people who cannot.")
    outside_working_hours: list[UUID] = strawberry.field(description="Who would come outside of their working hours.")
    rooms: list[MeetingRoom] = strawberry.field(
        description=f"Of the `rooms` wanted those that are free, at most {read.ROOMS_COUNT_MAX}, the smallest first."
    )


@strawberry.type(description="Somebody required, or a named resource, who cannot be had at some of the starts.")
class MeetingObstacle:
    user_id: UUID | None = strawberry.field(description="The id of the person.")
    resource_id: UUID | None = strawberry.field(description="The id of the resource.")
    starts: int = strawberry.field(description="At how many starts.")

    @loaded("The person.", Loaded(loads.PEOPLE, "user_id"))
    @staticmethod
    def user() -> User | None: ...

    @loaded("The resource.", Loaded(loads.RESOURCES, "resource_id"))
    @staticmethod
    def resource() -> Resource | None: ...


@strawberry.type(description="Who, or what, is not there, and so plays no part in the answer.")
class MeetingUnknown:
    user_id: UUID | None = strawberry.field(description="The id that was asked for.")
    email: str | None = strawberry.field(description="The address that was asked for.")
    resource_id: UUID | None = strawberry.field(description="The id of the resource that was asked for.")


@strawberry.type(description="Times at which they can meet; without any, what is in the way.")
class MeetingTimes:
    proposals: list[MeetingProposal] = strawberry.field(
        description="The best first: more optional people, more of all within their working hours, earlier."
    )
    starts: int = strawberry.field(description="How many starts were looked at.")
    obstacles: list[MeetingObstacle] = strawberry.field(
        description="Without a proposal: what is required, that which rules out most starts first."
    )
    starts_without_rooms: int = strawberry.field(
        description="Without a proposal: at how many of the starts everything but rooms was there."
    )
    unknown: list[MeetingUnknown] = strawberry.field(description="Who or what is not there.")
    window: Window = strawberry.field(description="The window.")


def free_busy(found: freebusy.FreeBusy, window: DomainWindow) -> FreeBusy:
    return FreeBusy(
        people=cast("list[PersonBusy]", found.people),
        resources=cast("list[ResourceBusy]", found.resources),
        merged=cast("list[BusyPeriod] | None", found.merged),
        window=told(window),
    )


def meeting_times(found: meeting.MeetingTimes, window: DomainWindow) -> MeetingTimes:
    return MeetingTimes(
        proposals=cast("list[MeetingProposal]", found.proposals),
        starts=found.starts,
        obstacles=cast("list[MeetingObstacle]", found.obstacles),
        starts_without_rooms=found.starts_without_rooms,
        unknown=cast("list[MeetingUnknown]", found.unknown),
        window=told(window),
    )
