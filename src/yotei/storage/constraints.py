"""What a violated constraint means to a caller: one table for the whole schema, keyed by the constraint's name.

The database is the last guard, so most of these are checked earlier with a better message. A contract test
compares the table with the catalogue in both directions. `None` stands for a fault of ours, never of a caller.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from yotei.errors import Code, Fault, Problem


class Violation(NamedTuple):
    """The code and the sentence of a Problem; `field` is the name in the API when one field is to blame."""

    code: Code
    detail: str
    field: str | None = None


def _invalid(field: str, detail: str) -> Violation:
    return Violation(Code.INVALID_REQUEST, detail, field)


def _missing(field: str, kind: str) -> Violation:
    return Violation(Code.NOT_FOUND, f"There is no such {kind}, or it is not shared with you.", field)


def _exists(detail: str, field: str | None = None) -> Violation:
    return Violation(Code.ALREADY_EXISTS, detail, field)


VIOLATIONS: Final[Mapping[str, Violation | None]] = MappingProxyType(
    {
        # users
        "users_pkey": _exists("A person with this id exists."),
        "users_email_key": _exists("A person with this address exists.", "email"),
        "users_email_shape": _invalid("email", "expected an address in lower case, at most 320 characters"),
        "users_name_length": _invalid("name", "expected 1 to 200 characters"),
        "users_avatar_url_length": _invalid("avatar_url", "expected at most 2,000 characters"),
        "users_tzid_length": _invalid("tzid", "expected the name of a time zone"),
        "users_working_hours_object": _invalid("working_hours", "expected an object of days"),
        "users_erased_is_deactivated": None,
        # tokens
        "tokens_pkey": _exists("A token with this id exists."),
        "tokens_hash_key": _exists("This token exists."),
        "tokens_user_fkey": _missing("user_id", "person"),
        "tokens_kind": _invalid("kind", "expected USER or SERVICE"),
        "tokens_hash_length": None,
        "tokens_name_length": _invalid("name", "expected 1 to 200 characters"),
        "tokens_scopes": _invalid("scopes", "expected one or more of read, write, admin"),
        # calendars
        "calendars_pkey": _exists("A calendar with this id exists."),
        "calendars_name_length": _invalid("name", "expected 1 to 200 characters"),
        "calendars_description_length": _invalid("description", "expected at most 10,000 characters"),
        "calendars_color_shape": _invalid("color", "expected # and six hexadecimal digits in lower case"),
        "calendars_tzid_length": _invalid("tzid", "expected the name of a time zone"),
        "calendars_personal_for_fkey": _missing("personal_for", "person"),
        "calendars_personal_for_key": _exists("This person has a personal calendar.", "personal_for"),
        # calendar_members
        "calendar_members_pkey": _exists("This person is a member of the calendar.", "user_id"),
        "calendar_members_user_fkey": _missing("user_id", "person"),
        "calendar_members_calendar_fkey": _missing("calendar_id", "calendar"),
        "calendar_members_role": _invalid("role", "expected OWNER, WRITER, READER or FREE_BUSY"),
        # events
        "events_pkey": _exists("An event with this id exists."),
        "events_uid_key": _exists("The calendar holds an event with this uid and recurrence_id.", "uid"),
        "events_calendar_fkey": _missing("calendar_id", "calendar"),
        "events_organizer_fkey": _missing("organizer_id", "person"),
        "events_series_fkey": _missing("series_id", "event"),
        "events_uid_length": _invalid("uid", "expected 1 to 1,000 characters"),
        "events_sequence_range": _invalid("sequence", "expected 0 or more"),
        "events_title_length": _invalid("title", "expected at most 500 characters"),
        "events_description_length": _invalid("description", "expected at most 100,000 characters"),
        "events_location_length": _invalid("location", "expected at most 2,000 characters"),
        "events_url_length": _invalid("url", "expected at most 4,000 characters"),
        "events_tzid_length": _invalid("tzid", "expected the name of a time zone"),
        "events_rrule_length": _invalid("rrule", "expected 1 to 2,000 characters"),
        "events_rdates_bound": _invalid("rdates", "expected at most 10,000 dates"),
        "events_exdates_bound": _invalid("exdates", "expected at most 10,000 dates"),
        "events_status": _invalid("status", "expected CONFIRMED, TENTATIVE or CANCELLED"),
        "events_transparency": _invalid("transparency", "expected OPAQUE or TRANSPARENT"),
        "events_visibility": _invalid("visibility", "expected PUBLIC, PRIVATE or CONFIDENTIAL"),
        "events_properties_bound": _invalid("properties", "expected at most 2,000 content lines"),
        "events_finite": _invalid("start_time", "expected times that end"),
        "events_span": _invalid("end_time", "expected a time that is not before start_time"),
        "events_floating_has_no_zone": _invalid("tzid", "expected none for an all-day or floating event"),
        "events_override_names_instance": _invalid("recurrence_id", "expected the instance that is replaced"),
        "events_override_does_not_recur": _invalid("rrule", "expected none for one instance of a series"),
        # attendees
        "attendees_pkey": _exists("This address is invited.", "email"),
        "attendees_event_fkey": _missing("event_id", "event"),
        "attendees_user_fkey": _missing("user_id", "person"),
        "attendees_email_shape": _invalid("email", "expected an address in lower case, 3 to 320 characters"),
        "attendees_name_length": _invalid("name", "expected at most 200 characters"),
        "attendees_response_status": _invalid(
            "response_status", "expected NEEDS_ACTION, ACCEPTED, DECLINED or TENTATIVE"
        ),
        "attendees_comment_length": _invalid("comment", "expected at most 2,000 characters"),
        # event_user_state
        "event_user_state_pkey": _exists("This is kept already."),
        "event_user_state_user_fkey": _missing("user_id", "person"),
        "event_user_state_event_fkey": _missing("event_id", "event"),
        "event_user_state_color_shape": _invalid("color", "expected # and six hexadecimal digits in lower case"),
        "event_user_state_reminders_bound": _invalid("reminder_minutes", "expected at most 5 reminders"),
        # resources
        "resources_pkey": _exists("A resource with this id exists."),
        "resources_name_length": _invalid("name", "expected 1 to 200 characters"),
        "resources_kind": _invalid("kind", "expected ROOM or EQUIPMENT"),
        "resources_description_length": _invalid("description", "expected at most 10,000 characters"),
        "resources_location_length": _invalid("location", "expected at most 2,000 characters"),
        "resources_tzid_length": _invalid("tzid", "expected the name of a time zone"),
        "resources_seats_range": _invalid("seats", "expected 1 to 100,000"),
        "resources_features_bound": _invalid("features", "expected at most 50"),
        "resources_concurrent_bookings_range": _invalid("concurrent_bookings", "expected 1 to 1,000"),
        "resources_setup_minutes_range": _invalid("setup_minutes", "expected 0 to 1,440"),
        "resources_teardown_minutes_range": _invalid("teardown_minutes", "expected 0 to 1,440"),
        "resources_opening_hours_object": _invalid("opening_hours", "expected an object of days"),
        "resources_booking": _invalid("booking", "expected EVERYONE, MEMBERS or NOBODY"),
        # resource_members
        "resource_members_pkey": _exists("This person is a member of the resource.", "user_id"),
        "resource_members_resource_fkey": _missing("resource_id", "resource"),
        "resource_members_user_fkey": _missing("user_id", "person"),
        "resource_members_role": _invalid("role", "expected MANAGER or BOOKER"),
        # event_resources
        "event_resources_pkey": _exists("The event has this resource.", "resource_ids"),
        "event_resources_event_fkey": _missing("event_id", "event"),
        "event_resources_resource_fkey": _missing("resource_ids", "resource"),
        "event_resources_policy": _invalid("booking_policy", "expected ALL or PARTIAL"),
        # reservations
        "reservations_pkey": _exists("A reservation with this id exists."),
        "reservations_no_double_booking": Violation(Code.ROOM_TAKEN, "The room is taken at that time.", "resource_ids"),
        "reservations_resource_fkey": _missing("resource_ids", "resource"),
        "reservations_event_fkey": _missing("event_id", "event"),
        "reservations_unit_range": None,
        "reservations_status": None,
        "reservations_span": _invalid("end_time", "expected a time after start_time, to hold a room"),
        "reservations_blocked_covers": None,
        # what Yotei writes for itself
        "idempotency_keys_pkey": None,
        "idempotency_keys_user_fkey": None,
        "idempotency_keys_key_length": _invalid("header.Idempotency-Key", "expected 1 to 255 characters"),
        "idempotency_keys_hash_length": None,
        "idempotency_keys_status_range": None,
        "change_log_scope_kind": None,
        "change_log_entity": None,
        "change_log_op": None,
        "change_log_forgotten_pkey": None,
        "schema_migrations_pkey": None,
    }
)


def problem(constraint_name: str | None) -> Problem | None:
    """What to tell the caller whose statement violated a constraint; None when it is no fault of theirs."""
    violation = VIOLATIONS.get(constraint_name or "")
    if violation is None:
        return None
    field = violation.field
    if violation.code is Code.INVALID_REQUEST and field is not None:
        return Problem(violation.code, f"{field}: {violation.detail}", faults=(Fault(field, violation.detail),))
    return Problem(violation.code, violation.detail, faults=(Fault(field, violation.detail),) if field else ())
