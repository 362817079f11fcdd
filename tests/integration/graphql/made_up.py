"""Documents made up from the schema itself: any field, with arguments for which there is something to be found."""

import re
from collections.abc import Iterator
from random import Random
from typing import Final

from graphql import (
    GraphQLField,
    GraphQLNamedType,
    GraphQLObjectType,
    get_named_type,
    is_abstract_type,
    is_leaf_type,
    parse,
    validate,
)

from yotei.api.graphql import schema

DEPTH_MAX: Final = 6
ROOTS_MAX: Final = 3
FIELDS_MAX: Final = 5

VARIABLES: Final = {
    "calendar": "UUID!",
    "event": "UUID!",
    "series": "UUID!",
    "me": "UUID!",
    "guest": "UUID!",
    "room": "UUID!",
    "node": "ID!",
    "nodes": "[ID!]!",
}
_VARIABLE: Final = re.compile(r"\$(\w+)")
WINDOW: Final = 'start: "2026-11-01", end: "2026-12-01"'
BUSY: Final = 'start: "2026-11-24T09:00:00Z", end: "2026-11-24T10:00:00Z"'
ARGUMENTS: Final[dict[str, tuple[str, ...]]] = {
    "Query.node": ("id: $node",),
    "Query.nodes": ("ids: $nodes",),
    "Query.changes": ('calendarId: $calendar, since: "first", first: 500',),
    "Query.user": ("id: $guest",),
    "Query.calendar": ("id: $calendar",),
    "Query.event": ("id: $event", 'id: $event, tz: "Asia/Tokyo"'),
    "Query.eventsByIds": ("ids: [$event, $series]",),
    "Query.usersByIds": ("ids: [$me, $guest]",),
    "Query.searchEvents": ('words: "Event"',),
    "Query.eventHistory": ("eventId: $event",),
    "Query.freeBusy": (f"input: {{{WINDOW}, userIds: [$me, $guest], resourceIds: [$room]}}",),
    "Query.meetingTimes": (
        f"input: {{{BUSY}, durationMinutes: 60, attendees: [{{userId: $guest}}], resourceIds: [$room]}}",
    ),
    "Query.resource": ("id: $room",),
    "Query.availability": (f"{WINDOW}, resourceIds: [$room]",),
    "Query.availabilityByIds": (f"{WINDOW}, ids: [$room]",),
    "Query.agenda": (WINDOW, f"{WINDOW}, first: 500"),
    "Query.agendaConnection": (WINDOW, f"{WINDOW}, expand: MASTERS"),
    "Calendar.events": (WINDOW, f"{WINDOW}, first: 500", f"{WINDOW}, order: DESC"),
    "Calendar.eventsConnection": (WINDOW,),
    "Calendar.members": ("", "first: 10"),
}


def documents(seed: int) -> Iterator[str]:
    """Without an end; the same for the same seed."""
    random = Random(seed)
    root = schema.CORE.query_type
    assert root is not None
    while True:
        names = random.sample(sorted(root.fields), random.randint(1, ROOTS_MAX))
        text = " ".join(_field(random, root, name, 1) for name in names)
        declared = ", ".join(f"${name}: {VARIABLES[name]}" for name in used(text))
        document = f"query ({declared}) {{ {text} }}" if declared else f"{{ {text} }}"
        # Fields of one name in two types may be told differently: such documents are not valid.
        if not validate(schema.CORE, parse(document)):
            yield document


def used(text: str) -> list[str]:
    """The variables of a document."""
    return sorted(set(_VARIABLE.findall(text)))


def _field(random: Random, type_: GraphQLObjectType, name: str, depth: int) -> str:
    field: GraphQLField = type_.fields[name]
    given = random.choice(ARGUMENTS.get(f"{type_.name}.{name}", ("",)))
    named = get_named_type(field.type)
    return f"{name}{f'({given})' if given else ''}{_selection(random, named, depth)}"


def _selection(random: Random, named: GraphQLNamedType, depth: int) -> str:
    if is_leaf_type(named):
        return ""
    if is_abstract_type(named):
        parts = [
            f"... on {one.name}{_selection(random, one, depth)}"
            for one in schema.CORE.get_possible_types(named)
            if random.random() < 0.7
        ]
        return f" {{ __typename {' '.join(parts)} }}"
    assert isinstance(named, GraphQLObjectType)
    fields = [
        name for name, field in named.fields.items() if depth < DEPTH_MAX or is_leaf_type(get_named_type(field.type))
    ]
    chosen = random.sample(fields, min(len(fields), random.randint(1, FIELDS_MAX)))
    told = " ".join(_field(random, named, name, depth + 1) for name in chosen) or "__typename"
    return f" {{ {told} }}"
