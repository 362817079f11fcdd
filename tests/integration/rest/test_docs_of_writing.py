"""The examples of docs/writing.md and docs/series.md, sent as they stand there, are answered as they say."""

import json
import re
from pathlib import Path
from typing import Any

from tests.integration.rest.conftest import Admit
from tests.integration.rows import a_calendar, a_room, a_user
from yotei.storage.pool import Database

DOCS = Path(__file__).parents[3] / "docs"


def examples(name: str) -> list[str]:
    return re.findall(r"```(?:json|http)\n(.*?)```", (DOCS / name).read_text(), re.DOTALL)


def body_of(example: str, **names: str) -> Any:
    text = example.partition("\n\n")[2]
    for shortened, name in names.items():
        text = text.replace(f"{shortened}…", name)
    return json.loads(text)


def shape(document: Any) -> Any:
    """The fields that an example shows, all but what it leaves out with `…`."""
    if isinstance(document, dict):
        return {key: shape(one) for key, one in document.items() if key != "…"}
    if isinstance(document, list):
        return [shape(one) for one in document]
    return document


def held_against(shown: Any, answered: Any) -> Any:
    """Of the answer, what the example shows, ids as the example abbreviates them."""
    if isinstance(shown, dict):
        return {key: held_against(one, answered[key]) for key, one in shown.items()}
    if isinstance(shown, list):
        return [held_against(one, answered[n]) for n, one in enumerate(shown)]
    return shown if isinstance(shown, str) and shown.endswith("…") else answered


async def test_the_room_that_is_booked_twice(rows: Database, admit: Admit) -> None:
    ines, bob = [await a_user(rows, name, tzid="UTC") for name in ("Inês", "Bob")]
    fuji, _ = await a_room(rows, "Fuji", seats=8), await a_room(rows, "Haru", seats=8)
    request, refused, *_ = examples("writing.md")
    theirs, own = [str(await a_calendar(rows, {one: "OWNER"})) for one in (ines, bob)]
    body = body_of(request, **{"019ab3": theirs, "019ab4": str(fuji)})

    made = await (await admit(ines)).post("/api/events", body)
    second = {**body, "calendar_id": own, "start_time": "2027-03-03T09:30:00"}
    answer = await (await admit(bob)).post("/api/events", second)

    shown = shape(json.loads(refused))
    assert made.status_code == 201
    assert answer.status_code == 409
    assert held_against(shown, answer.json()) == shown
    assert shown.keys() == answer.json().keys()


async def test_the_stand_up_that_moves_by_an_hour(rows: Database, admit: Admit) -> None:
    ada = await a_user(rows, "Ada")
    caller = await admit(ada)
    series = {
        "calendar_id": str(await a_calendar(rows, {ada: "OWNER"}, tzid="Europe/Lisbon")),
        "title": "Stand-up",
        "start_time": "2027-03-15T09:00:00",
        "end_time": "2027-03-15T09:15:00",
        "rrule": "FREQ=WEEKLY;BYDAY=MO,WE;COUNT=10",
    }
    request, answered = examples("series.md")[:2]
    made = (await caller.post("/api/events", series)).json()
    path = request.split()[1].replace("019ab3…", made["id"])

    answer = await caller.send("PATCH", path, body_of(request))

    shown = shape(json.loads(answered))
    assert answer.status_code == 200
    assert held_against(shown, answer.json()) == shown
