"""The short form of `make race`."""

from tests.stress import checks
from tests.stress.conftest import Raced
from tests.stress.race import closing_line


async def test_nothing_is_booked_twice_and_nothing_is_lost_while_many_write_at_once(raced: Raced) -> None:
    faults = checks.faults(raced.evidence)

    assert faults == []
    assert closing_line(raced.evidence, faults).endswith(", overlaps 0, lost 0, errors 0")
    done = {one.order.what for one in raced.evidence.sent if one.is_acknowledged}
    assert {"create", "create series", "shift", "move", "cancel", "edit all", "edit following", "restore"} <= done
