"""The short form of `make coherence`: one fault, and all of the mutants."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

import pytest

from tests.coherence.checks import Kind, trace
from tests.coherence.mutants import MUTANTS
from tests.coherence.run import run
from tests.coherence.scenes import SCENES, play
from tests.coherence.world import Ground, Redises, ground, redises

FAULT: Final = "reader paused between load and fill"
SECONDS: Final = 6


@pytest.fixture(scope="module")
async def on() -> AsyncIterator[Ground]:
    async with ground() as made:
        yield made


@pytest.fixture(scope="module")
async def redis() -> AsyncIterator[Redises]:
    async with redises() as made:
        yield made


async def test_nothing_older_than_the_bound_is_shown_while_a_reader_is_held_up() -> None:
    outcome = await run(seconds=SECONDS, seed=1, faults=[FAULT])

    # Of this machine's own pauses the bound without faults would tell more than of the servers.
    wrong = [one for one in outcome.wrong if one.kind is not Kind.PEACE]
    assert wrong == [], trace(outcome.history, wrong[0])
    assert {FAULT} <= {fault for one in outcome.reads for fault in one.faults}
    assert sum(one.read.session != "" for one in outcome.reads) > 100
    assert sum(len(writes) - 1 for writes in outcome.history.writes.values()) > 10


@pytest.mark.parametrize("mutant", SCENES)
async def test_a_product_without_the_rule_is_caught_in_a_scene_that_the_product_passes(
    mutant: str, on: Ground, redis: Redises
) -> None:
    scene = SCENES[mutant]

    by_product, by_mutant = await asyncio.gather(play(scene, None, on, redis), play(scene, mutant, on, redis))

    assert by_product == []
    assert by_mutant != []


def test_every_mutant_has_a_scene() -> None:
    assert MUTANTS.keys() == SCENES.keys()
