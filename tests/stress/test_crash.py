"""The short form of `make crash`."""

from typing import Final

from tests.acceptance.processes import new_place
from tests.stress import checks
from tests.stress.crash import closing_line, crash
from tests.stress.servers import UNHURRIED

EVERYTHING: Final = 4
"""A seed by which the first kill is of the server and PostgreSQL together."""


async def test_what_was_acknowledged_is_there_and_whole_after_the_server_was_killed() -> None:
    with new_place(**UNHURRIED) as place:
        evidence, kills = await crash(place, kills=1, seed=EVERYTHING, people=6)

    faults = checks.faults(evidence)
    assert faults == []
    assert closing_line(evidence, faults).endswith(", lost 0, half 0, orphans 0")
    assert kills == {"all": 1}
    assert any(one.sent > 1 for one in evidence.sent)
