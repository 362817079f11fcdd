"""`make coherence`: readers and writers at three servers while things fail; then the product with one rule less each.

    python -m tests.coherence --seconds 60 --seed 1 --transport postgres

Ends with one line, and with exit code 1 unless nothing was wrong and every mutant was caught.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from typing import Final

import pytest

from tests.coherence.checks import Violation, trace, worst_s
from tests.coherence.run import RATE_PER_S, Outcome, run, table, ways
from tests.coherence.scenes import SCENES, play
from tests.coherence.world import TRANSPORTS, ground, redises

TRACES_MAX: Final = 5


async def mutants(names: Sequence[str]) -> tuple[int, list[Violation]]:
    """How many were caught, and what the product itself did wrong in their scenes, which it plays beside them."""
    caught, wrong = 0, []
    async with ground() as on, redises() as redis:
        for name in names:
            scene = SCENES[name]
            by_product, by_mutant = await asyncio.gather(play(scene, None, on, redis), play(scene, name, on, redis))
            caught += bool(by_mutant)
            wrong += by_product
            said = f"caught: {by_mutant[0].kind}, {by_mutant[0].what}" if by_mutant else "NOT CAUGHT"
            tell(f"{name:45} {said}{'; THE PRODUCT FAILS, TOO' if by_product else ''}")
    return caught, wrong


def closing_line(outcome: Outcome, wrong: int, caught: int, of: int) -> str:
    stalled = (
        "" if outcome.is_judged_in_peace else f", this machine stalled for {outcome.history.stall_s * 1_000:.0f} ms"
    )
    return (
        f"reads {len(outcome.reads)}, wrong {wrong}, worst staleness {worst_s(outcome.reads) * 1_000:.0f} ms, "
        f"mutants caught {caught} of {of}{stalled}"
    )


def tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--reads", type=int, default=0, help="end earlier, when so many are done")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--transport", choices=TRANSPORTS, default="postgres")
    parser.add_argument("--rate", type=float, default=RATE_PER_S, help="requests a second, at most")
    parser.add_argument("--mutants", nargs="*", choices=SCENES, default=list(SCENES))
    asked = parser.parse_args()
    try:
        outcome = asyncio.run(
            run(
                seconds=asked.seconds,
                seed=asked.seed,
                transport=asked.transport,
                reads=asked.reads,
                rate_per_s=asked.rate,
            )
        )
    except pytest.skip.Exception as missing:
        sys.exit(f"coherence: {missing}")
    for line in table(outcome):
        tell(line)
    tell(f"answers: {ways(outcome)}")
    for violation in outcome.wrong[:TRACES_MAX]:
        tell(trace(outcome.history, violation))
    tell(f"load {os.getloadavg()[0]:.1f}, the client itself waited {outcome.history.stall_s * 1_000:.0f} ms at most")
    caught, wrong_in_scenes = asyncio.run(mutants(asked.mutants))
    wrong = len(outcome.wrong) + len(wrong_in_scenes)
    tell(closing_line(outcome, wrong, caught, len(asked.mutants)))
    sys.exit(bool(wrong) or caught < len(asked.mutants))


if __name__ == "__main__":
    main()
