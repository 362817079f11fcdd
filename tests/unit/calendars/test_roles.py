"""What each role may do: the table of `calendars.access`, cell by cell."""

import pytest

from yotei.calendars import access
from yotei.calendars.calendar import Role

MAY = (access.may_see_details, access.may_see_members, access.may_write, access.may_manage)


@pytest.mark.parametrize(
    ("role", "expected"),
    [
        (Role.OWNER, (True, True, True, True)),
        (Role.WRITER, (True, True, True, False)),
        (Role.READER, (True, True, False, False)),
        (Role.FREE_BUSY, (False, False, False, False)),
    ],
)
def test_a_role_allows_what_the_table_says(role: Role, expected: tuple[bool, ...]) -> None:
    allowed = tuple(may(role) for may in MAY)

    assert allowed == expected
