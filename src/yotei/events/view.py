"""From an occurrence to what one viewer is told of it, in the zone of the answer."""

from collections.abc import Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from yotei.events.event import Access, Attendee, Booking, Event, EventResource, Invitation, MissedBooking, Stored
from yotei.events.instances import Occurrence
from yotei.users.user import Person


def seen(one: Occurrence[Stored], access: Access, zone: ZoneInfo) -> Event:
    """The event as `access` allows; times are told in `zone`, those of all-day events are midnights there."""
    event = one.event
    start, end = (on_wall(one.start, zone), on_wall(one.end, zone)) if event.on_wall_clock else (one.start, one.end)
    full = access is Access.FULL
    bookings = _own(one)
    resources = _resources(bookings)
    return Event(
        id=event.id,
        calendar_id=event.calendar_id,
        access=access,
        start_time=start.astimezone(zone),
        end_time=end.astimezone(zone),
        all_day=event.all_day,
        start_date=one.start.date() if event.all_day else None,
        end_date=one.end.date() if event.all_day else None,
        floating=event.floating,
        tzid=event.tzid if full else None,
        status=event.status,
        transparency=event.transparency,
        series_id=one.series_id,
        recurrence_id=one.recurrence_id,
        is_override=event.recurrence_id is not None,
        rrule=event.rrule if full else None,
        rdates=event.rdates if full else (),
        exdates=event.exdates if full else (),
        uid=event.uid if full else None,
        sequence=event.sequence if full else None,
        title=event.title if full else None,
        description=event.description if full else None,
        location=event.location if full else None,
        url=event.url if full else None,
        visibility=event.visibility if full else None,
        organizer_id=event.organizer_id if full else None,
        organizer_name=event.organizer_name if full else None,
        organizer=Person(event.organizer_id, event.organizer_name, event.organizer_email, event.organizer_avatar_url)
        if full
        else None,
        attendees=tuple(map(_attendee, event.attendees)) if full else None,
        attendee_count=len(event.attendees) if full else None,
        resources=resources if full else None,
        room_name=next((one.name for one in resources if one.kind == "ROOM"), None) if full else None,
        room_names=tuple(one.name for one in resources if one.kind == "ROOM") if full else None,
        booked_until=event.booked_until.astimezone(zone) if full and event.booked_until is not None else None,
        missed=_missed(bookings, zone) if full else None,
        version=event.version if full else None,
        created_at=event.created_at if full else None,
        updated_at=event.updated_at if full else None,
    )


def on_wall(wall: datetime, zone: ZoneInfo) -> datetime:
    """The instant at which a clock in `zone` shows this time, the first where there are two (RFC 5545 3.3.5)."""
    return wall.replace(tzinfo=zone).astimezone(UTC)


def _attendee(one: Invitation) -> Attendee:
    user = None if one.user_id is None else Person(one.user_id, one.user_name or "", one.user_email, one.avatar_url)
    return Attendee(one.email, one.name or one.user_name, one.response_status, one.is_optional, one.comment, user)


def _resources(bookings: Sequence[Booking]) -> tuple[EventResource, ...]:
    """What is held; a master that stands for its whole series names each resource once."""
    held = {one.id: EventResource(one.id, one.name, one.kind) for one in bookings if not one.is_missed}
    return tuple(held.values())


def _missed(bookings: Sequence[Booking], zone: ZoneInfo) -> tuple[MissedBooking, ...]:
    return tuple(
        [
            MissedBooking(
                one.id, one.name, one.recurrence_id, one.start_time.astimezone(zone), one.end_time.astimezone(zone)
            )
            for one in bookings
            if one.is_missed
        ]
    )


def _own(one: Occurrence[Stored]) -> Sequence[Booking]:
    """Those of this instance, and of the whole series."""
    bookings = one.event.bookings
    if one.recurrence_id is None:
        return bookings
    return [booking for booking in bookings if booking.recurrence_id in (None, one.recurrence_id)]
