"""A Problem as data of a mutation: fields and sentences in the words of the input."""

import pytest

from yotei.api.graphql.naming import input_field
from yotei.api.graphql.user_errors import user_errors
from yotei.errors import Code, Fault, Problem, invalid


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("body.start_time", "input.startTime"),
        ("body.attendees[1].user_id", "input.attendees[1].userId"),
        ("body.rdates[0]", "input.rdates[0]"),
        ("body.working_hours.mon", "input.workingHours"),
        ("query.recurrence_id", "input.recurrenceId"),
        ("header.Idempotency-Key", "input.idempotencyKey"),
        ("event_id", "input.eventId"),
        ("body", "input"),
    ],
)
def test_a_field_of_a_request_is_a_field_of_the_input(path: str, field: str) -> None:
    assert input_field(path) == field


def test_a_sentence_names_fields_as_they_are_called_here_and_leaves_the_rest() -> None:
    (error,) = user_errors(invalid("body.end_date", "expected a day after start_date, not Africa/Porto_Novo"))

    assert (error.field, error.message) == ("input.endDate", "expected a day after startDate, not Africa/Porto_Novo")


def test_each_field_that_is_wrong_has_an_entry() -> None:
    faults = (Fault("body.rrule", "expected none"), Fault("body.rdates", "expected none"))

    errors = user_errors(Problem(Code.INVALID_REQUEST, "both", faults=faults))

    assert [(one.field, one.message) for one in errors] == [
        ("input.rrule", "expected none"),
        ("input.rdates", "expected none"),
    ]


def test_what_is_about_no_field_has_one_entry() -> None:
    (error,) = user_errors(Problem(Code.CONFLICT, "A calendar keeps at least one owner."))

    assert (error.code, error.field, error.conflicts) == ("conflict", None, [])
