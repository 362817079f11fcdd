"""`make bench-cache`: what the cache costs, what it saves, and what it is beside. One table, a part of it by name.

    python -m bench.cache                   # all of it
    python -m bench.cache hit rates         # some of it

Two things are compared only by measuring them in turn within one run. A line of the table that has a bar says whether
it was met; an unmet one is the business of whoever reads it, the program ends well. Each run adds a line to
`bench/results/cache.jsonl`.
"""

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any, Final, NamedTuple

import msgspec
import structlog
from rich.console import Console
from rich.table import Table

from bench.cache import cold, hit, http, memory, mget, poll, rates, rivals
from bench.cache.row import Row
from bench.micro.run import commit, machine

RESULTS: Final = Path(__file__).parents[1] / "results" / "cache.jsonl"


class Part(NamedTuple):
    """`tiny` is the size that shows that it runs, and nothing else."""

    run: Callable[[Any], Awaitable[list[Row]]]
    size: Any
    tiny: Any


PARTS: Final = {
    room.__name__.rpartition(".")[2]: Part(room.run, room.Size(), room.TINY)
    for room in (hit, http, cold, mget, poll, memory, rates, rivals)
}


def table(found: dict[str, list[Row]]) -> Table:
    shown = Table("part", "case", "measured", "beside", "bar", title="The cache")
    for name, rows in found.items():
        for number, row in enumerate(rows):
            met = "" if row.is_met is None else ", met" if row.is_met else ", NOT met"
            shown.add_row(name if number == 0 else "", row.case, row.measured, row.compared, f"{row.bar}{met}")
        shown.add_section()
    return shown


async def measure(parts: list[str], *, is_tiny: bool) -> dict[str, list[Row]]:
    found = {}
    for name in parts:
        part, started = PARTS[name], perf_counter()
        found[name] = await part.run(part.tiny if is_tiny else part.size)
        print(f"{name}: {perf_counter() - started:.0f} s, load {os.getloadavg()[0]:.1f}", file=sys.stderr)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.cache", description="What the cache costs and saves.")
    parser.add_argument(
        "parts",
        nargs="*",
        metavar="part",
        help=f"of {', '.join(PARTS)}; all without one",
    )
    parser.add_argument("--tiny", action="store_true", help="only show that it runs; nothing is kept")
    given = parser.parse_args()
    unknown = set(given.parts) - PARTS.keys()
    if unknown:
        parser.error(f"there is no part {', '.join(sorted(unknown))}: there are {', '.join(PARTS)}")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    started = perf_counter()
    found = asyncio.run(measure(given.parts or list(PARTS), is_tiny=given.tiny))
    Console(width=None if sys.stdout.isatty() else 170).print(table(found))
    if given.tiny:
        return
    line = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "machine": machine(),
        "elapsed_s": round(perf_counter() - started, 1),
        "measured": {
            name: [{"case": row.case, "is_met": row.is_met, **row.values} for row in rows]
            for name, rows in found.items()
        },
    }
    with RESULTS.open("ab") as results:
        results.write(msgspec.json.encode(line) + b"\n")


if __name__ == "__main__":
    main()
