"""A list of 50 events to JSON bytes: msgspec as the REST door uses it, against `json.dumps` of the standard library.

Run it with the development environment: `.venv/bin/python bench/micro/encoding.py`.

The standard library is given what it can take in two ways: told how to write identifiers, times and structs when it
meets one, and handed a tree of plain values made beforehand (which is not timed). All answers are equal.
"""

import json
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any, Final
from uuid import UUID

import msgspec

sys.path.insert(0, str(Path(__file__).parents[2]))

from bench.served import median
from yotei.events.event import Access, Attendee, Event, EventResource
from yotei.storage.ids import uuid7
from yotei.users.user import Person

EVENTS: Final = 50
ATTENDEES: Final = 5
ROUNDS: Final = 300
WARM_UP: Final = 30


def events() -> list[Event]:
    start = datetime(2026, 12, 1, 9, tzinfo=UTC)
    people = [Person(uuid7(), f"Person {n}", f"person{n}@example.org", None) for n in range(ATTENDEES)]
    return [_event(start + timedelta(hours=13 * n), people) for n in range(EVENTS)]


def _event(start: datetime, people: Sequence[Person]) -> Event:
    id_ = uuid7()
    given: dict[str, Any] = {
        "id": id_,
        "calendar_id": uuid7(),
        "access": Access.FULL,
        "start_time": start,
        "end_time": start + timedelta(hours=1),
        "all_day": False,
        "start_date": None,
        "end_date": None,
        "floating": False,
        "tzid": "Asia/Tokyo",
        "status": "CONFIRMED",
        "transparency": "OPAQUE",
        "is_override": False,
        "uid": str(id_),
        "title": "Planning",
        "description": "What was left over, and what is to come.",
        "location": "Building 1",
        "visibility": "PUBLIC",
        "version": 1,
        "created_at": start,
        "updated_at": start,
        "organizer": people[0],
        "organizer_name": people[0].name,
        "attendees": tuple(Attendee(one.email or "", one.name, "ACCEPTED", False, None, one) for one in people),
        "attendee_count": len(people),
        "resources": (EventResource(uuid7(), "Fuji", "ROOM"),),
        "room_names": ("Fuji",),
        "room_name": "Fuji",
    }
    absent: dict[str, Any] = dict.fromkeys(Event.__struct_fields__)
    return Event(**{**absent, "rdates": (), "exdates": (), "sequence": 0, **given})


def _plain(value: object) -> object:
    match value:
        case msgspec.Struct():
            return {name: getattr(value, name) for name in value.__struct_fields__}
        case UUID():
            return str(value)
        case Access():
            return value.value
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
    raise TypeError(type(value))


def run() -> list[dict[str, object]]:
    """One line a way; `ratio` is to msgspec."""
    listed = events()
    tree = msgspec.to_builtins(listed)
    encoder = msgspec.json.Encoder()
    ways: dict[str, Callable[[], bytes]] = {
        "msgspec": lambda: encoder.encode(listed),
        "json of plain values": lambda: json.dumps(tree, separators=(",", ":")).encode(),
        "json of structs": lambda: json.dumps(listed, default=_plain, separators=(",", ":")).encode(),
    }
    answers = {name: msgspec.json.decode(way()) for name, way in ways.items()}
    assert all(answer == answers["msgspec"] for answer in answers.values())
    timings: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(WARM_UP + ROUNDS):
        for name, way in ways.items():
            started = perf_counter()
            way()
            if number >= WARM_UP:
                timings[name].append((perf_counter() - started) * 1e6)
    base = median(timings["msgspec"])
    return [
        {
            "name": "encoding",
            "case": name,
            "us": round(median(timings[name]), 1),
            "ratio": round(median(timings[name]) / base, 2),
            "bytes": len(way()),
        }
        for name, way in ways.items()
    ]


def main() -> None:
    for line in run():
        print(f"{line['case']}: {line['us']} us, {line['bytes']} bytes, ratio {line['ratio']}")


if __name__ == "__main__":
    main()
