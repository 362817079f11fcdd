"""The short form of `make outage`, and what it looks for, put there by hand: each time it has to find it."""

from typing import Final

import pytest
from msgspec.structs import replace

from tests.stress import held
from tests.stress.held import Asked, Evidence, Outage
from tests.stress.outage import drill, staged

SECONDS: Final = 3.0
SERVERS: Final = 2
ASKED_MIN: Final = 50

AWAY: Final = Outage("it", refuses=True, going_s=10.0, gone_s=11.0, coming_s=30.0, here_s=31.0, over_s=32.0)
HARMLESS: Final = replace(AWAY, refuses=False)


@pytest.mark.parametrize("name", ["postgres", "redis", "kafka"])
async def test_what_is_promised_for_an_outage_is_held(name: str) -> None:
    with staged(name, count=SERVERS) as (served, part):
        if name == "kafka":
            part = part._replace(faults=part.faults[1:])  # it takes its time to start again
        report = await drill(served, part, seconds=SECONDS)

    assert report.wrong == []
    refused = set()
    for each in report.evidence.outages:
        within = [one for one in report.evidence.asked if each.holds(one)]
        assert len(within) > ASKED_MIN
        assert any(one.is_stale for one in within) == part.refuses
        refused |= {one.way for one in within if one.status == held.UNAVAILABLE}
    assert ({"write", "read own"} <= refused) if part.refuses else report.unavailable == 0


def asked(way: held.Way, began_s: float, version: int, **fields: object) -> Asked:
    one = Asked(way, "hers", began_s, began_s + 0.1, held.OK, version)
    return replace(one, **fields)


def refused(way: held.Way, began_s: float, **fields: object) -> Asked:
    one = Asked(way, "hers", began_s, began_s + 0.1, held.UNAVAILABLE, has_retry_after=True)
    return replace(one, **fields)


GOOD: Final = (
    asked("write", 1.0, 1),
    asked("read own", 1.2, 1),
    asked("write", 2.0, 2),
    asked("read", 4.0, 1),  # within the bound
    asked("read", 11.5, 2),  # the lease is not over
    asked("read", 14.0, 2, is_stale=True, age_s=3),
    refused("write", 15.0, version=3),
    refused("read own", 16.0),
    asked("read", 33.0, 3),  # what was refused may have been done
    asked("write", 34.0, 4),
    asked("read own", 35.0, 4),
)


def evidence(*more: Asked, outage: Outage = AWAY) -> Evidence:
    return Evidence((*GOOD, *more), (outage,), frozenset({"known"}), lease_s=2.0)


def test_what_is_as_promised_is_no_fault() -> None:
    assert held.faults(evidence()) == []
    assert held.staleness_s(evidence()) == pytest.approx(1.9)


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ("no answer of those", asked("read", 14.0, 2, status=0)),
        ("no answer of those", asked("write", 14.0, 2, status=500)),
        ("refused without a Retry-After", refused("write", 15.0, version=3, has_retry_after=False)),
        ("refused without need", refused("read", 5.0)),
        ("refused without need", refused("write", 40.0, version=5)),
        ("refused although every node knows it", refused("read", 15.0, thing="known")),
        ("acknowledged although nobody", asked("write", 15.0, 3)),
        ("nobody wrote it", asked("read", 5.0, 7)),
        ("nobody wrote it", asked("read", 20.0, 7, is_stale=True, age_s=1)),
        ("marked stale without need", asked("read", 5.0, 2, is_stale=True, age_s=1)),
        ("stale although the client says", asked("read own", 15.0, 2, is_stale=True, age_s=1)),
        ("stale without an Age", asked("read", 15.0, 2, is_stale=True)),
        ("not marked although nobody vouches", asked("read", 15.0, 2)),
        ("older than the bound", asked("read", 5.2, 1)),
        ("older than the bound", asked("read", 15.0, 1, is_stale=True, age_s=5)),
        ("older than what the client has seen", asked("read own", 2.5, 1)),
    ],
)
def test_it_is_found(said: str, wrong: Asked) -> None:
    (fault,) = held.faults(evidence(wrong))

    assert fault.startswith(said)


@pytest.mark.parametrize(
    "wrong", [refused("write", 15.0, version=3), asked("read", 15.0, 2, is_stale=True, age_s=1)], ids=str
)
def test_without_harm_to_postgresql_nothing_is_refused_or_stale(wrong: Asked) -> None:
    good = replace(evidence(outage=HARMLESS), asked=[asked("write", 1.0, 1), asked("write", 2.0, 2)])
    assert held.faults(good) == []

    assert len(held.faults(replace(good, asked=[*good.asked, wrong]))) == 1
