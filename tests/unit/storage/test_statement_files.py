"""The form of `queries.sql`."""

import pytest

from yotei.storage.statements import Statement, StatementsError, parse

TWO = """
-- name: list_window
-- The events of one calendar
-- that overlap a window.
select id
-- newest first
from events;

-- name: count_all
-- How many there are.
select count(*) from events
"""


def test_a_statement_has_the_name_of_its_room_and_its_comment_as_purpose() -> None:
    found = parse("events", TWO)

    assert list(found) == ["list_window", "count_all"]
    assert found["list_window"] == Statement(
        name="events.list_window",
        sql="select id\n-- newest first\nfrom events",
        purpose="The events of one calendar that overlap a window.",
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("-- name: a\n-- x\nselect 1\n-- name: a\n-- x\nselect 2", "events/queries.sql:4: a is there twice"),
        ("-- name:\n-- x\nselect 1", "events/queries.sql:1: a statement needs a name in snake_case"),
        ("-- name: List\n-- x\nselect 1", "events/queries.sql:1: a statement needs a name in snake_case"),
        ("-- name: a\nselect 1", "events/queries.sql:1: a lacks a comment that says what it is for"),
        ("-- name: a\n-- x\n", "events/queries.sql:1: a lacks its SQL"),
        ("select 1\n-- name: a\n-- x\nselect 1", "events/queries.sql:1: SQL before the first name"),
    ],
)
def test_a_file_in_another_form_is_refused_with_its_line(text: str, reason: str) -> None:
    with pytest.raises(StatementsError, match=reason):
        parse("events", text)
