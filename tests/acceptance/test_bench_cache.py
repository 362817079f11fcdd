"""`make bench-cache` runs, whatever it measures: every part in a size that says nothing."""

import pytest

from bench.cache.__main__ import PARTS, table
from bench.cache.rates import HIT_RATE_MIN
from yotei.settings import TTL_PROFILES


# What the libraries that we are compared with call, redis-py has deprecated.
@pytest.mark.filterwarnings("ignore:Call to deprecated:DeprecationWarning")
@pytest.mark.parametrize("name", PARTS)
async def test_every_part_brings_lines_for_the_table(name: str) -> None:
    part = PARTS[name]

    rows = await part.run(part.tiny)

    assert rows
    assert table({name: rows}).row_count == len(rows)


def test_both_profiles_have_a_bar() -> None:
    assert HIT_RATE_MIN.keys() == TTL_PROFILES.keys()
