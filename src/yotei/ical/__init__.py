"""RFC 5545 without I/O: recurrence, time zones, and iCalendar text.

Owns what a series means and how it is written. It opens no file, socket or database (zone data is
the interpreter's), knows no other room, and takes the clock as a value. Text is parsed and folded by
the icalendar library, the days of a year or month are chosen by python-dateutil; ours are the way to
the window without walking there, overrides, the bounds, and patience with broken files.
"""

from yotei.ical.export import write_calendar
from yotei.ical.lines import Finding, NotICalendar
from yotei.ical.recurrence import (
    INSTANCES_MAX,
    Instance,
    Override,
    Series,
    TooManyInstances,
    canonical_rrule,
    count_until,
    expand,
    instances,
    rule_never_fires,
    span,
)
from yotei.ical.rule import RecurrenceError, Rule, parse_rule
from yotei.ical.text import Attendee, ParsedCalendar, ParsedEvent, parse_calendar
from yotei.ical.timezones import UnknownZone, resolve, to_utc, to_wall, zone_of

__all__ = [
    "INSTANCES_MAX",
    "Attendee",
    "Finding",
    "Instance",
    "NotICalendar",
    "Override",
    "ParsedCalendar",
    "ParsedEvent",
    "RecurrenceError",
    "Rule",
    "Series",
    "TooManyInstances",
    "UnknownZone",
    "canonical_rrule",
    "count_until",
    "expand",
    "instances",
    "parse_calendar",
    "parse_rule",
    "resolve",
    "rule_never_fires",
    "span",
    "to_utc",
    "to_wall",
    "write_calendar",
    "zone_of",
]
