"""What each role may do."""

import pytest

from yotei.calendars import access
from yotei.calendars.calendar import Role


@pytest.mark.parametrize("role", list(Role))
def test_only_an_owner_manages_a_calendar(role: Role) -> None:
    assert access.may_manage(role) == (role is Role.OWNER)
