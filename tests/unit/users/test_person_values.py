"""Addresses, working hours and the rights of a viewer."""

from uuid import UUID

import pytest

from yotei.errors import Code, Problem
from yotei.users.user import Hours, Viewer, checked_email, checked_hours


def test_an_address_is_stored_trimmed_and_in_lower_case() -> None:
    assert checked_email("  Aiko@Example.ORG ", "body.email") == "aiko@example.org"


@pytest.mark.parametrize(
    "text", ["", "aiko", "@example.org", "aiko@", "ai ko@example.org", "a" * 320 + "@b", "@a@b", "a\0@b", "a\u2028@b"]
)
def test_what_is_no_address_is_refused_with_its_field(text: str) -> None:
    with pytest.raises(Problem) as refused:
        checked_email(text, "body.email")

    assert refused.value.code is Code.INVALID_REQUEST
    assert [fault.field for fault in refused.value.faults] == ["body.email"]


@pytest.mark.parametrize("periods", [(), (("09:00", "12:00"), ("12:00", "24:00")), (("00:00", "24:00"),)])
def test_periods_in_order_are_working_hours_to_the_end_of_the_day(periods: tuple[tuple[str, str], ...]) -> None:
    hours: Hours = {"mon": periods}

    assert checked_hours(hours, "body.working_hours") == hours


@pytest.mark.parametrize(
    "hours",
    [
        {"monday": (("09:00", "17:00"),)},
        {"mon": (("17:00", "09:00"),)},
        {"mon": (("09:00", "09:00"),)},
        {"mon": (("09:00", "12:00"), ("11:00", "13:00"))},
        {"mon": (("13:00", "14:00"), ("09:00", "10:00"))},
        {"mon": (("24:00", "24:30"),)},
        {"mon": (("9:00", "17:00"),)},
        {"mon": (("09:60", "17:00"),)},
    ],
)
def test_other_working_hours_are_refused(hours: Hours) -> None:
    with pytest.raises(Problem) as refused:
        checked_hours(hours, "body.working_hours")

    assert refused.value.code is Code.INVALID_REQUEST


def test_a_missing_scope_is_named() -> None:
    viewer = Viewer(UUID(int=1), "UTC", False, frozenset({"read"}), None)

    with pytest.raises(Problem, match="`write`") as refused:
        viewer.need("write")

    assert refused.value.code is Code.FORBIDDEN
