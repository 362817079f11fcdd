"""`make bench`: the micro-benchmarks, one table of ratios, and one line more in `bench/results/micro.jsonl`.

A ratio compares two ways within one run on one machine; times of different runs tell nothing. About a minute.
"""

import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[2]))

from bench.micro import cache, encoding, execution, expansion, list_statement

ROOT: Final = Path(__file__).parents[2]
RESULTS: Final = ROOT / "bench" / "results" / "micro.jsonl"
GIT_TIMEOUT_S: Final = 10
Row = tuple[str, str, float, str]
"""Which benchmark, what is compared, the ratio, the measured values."""


def rows(measured: Mapping[str, Sequence[Mapping[str, object]]]) -> list[Row]:
    ages = [_number(one["old_over_new"]) for one in measured["expansion"]]
    each = [_number(one["us_per_instance"]) for one in measured["expansion"]]
    found: list[Row] = [
        (
            "expansion",
            f"series of 1990 / of last month, {len(ages)} rules, median (worst {max(ages):.2f})",
            statistics.median(ages),
            f"{statistics.median(each):.1f} us an instance",
        )
    ]
    found += [
        (
            "list",
            f"{one['case']} / batch, {one['statements']} statements",
            _number(one["ratio"]),
            f"{one['ms']} ms, {one['cpu_ms']} of CPU here",
        )
        for one in measured["list_statement"]
    ]
    found += [
        ("encoding", f"{one['case']} / msgspec", _number(one["ratio"]), f"{one['us']} us")
        for one in measured["encoding"]
    ]
    found += [
        (
            "graphql",
            f"{one['case']}, ours / Strawberry with DataLoader",
            _number(one["ratio"]),
            f"{one['cpu_ms']} ms of CPU; {one['times_strawberry']}x",
        )
        for one in measured["execution"]
    ]
    found += [("cache", str(one["case"]), _number(one["ratio"]), str(one["measured"])) for one in measured["cache"]]
    return found


def _number(value: object) -> float:
    assert isinstance(value, int | float)
    return float(value)


def machine() -> dict[str, object]:
    """What a reader needs to place the figures; nothing that says whose machine it is."""
    return {
        "cores": os.cpu_count(),
        "architecture": platform.machine(),
        "system": platform.system(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "python": platform.python_version(),
        "load_1_min": round(os.getloadavg()[0], 1),
    }


def commit() -> str:
    """The commit that was measured, with a + when files differ from it; empty outside of a repository."""
    try:
        git = ["git", "-C", str(ROOT)]
        head = subprocess.check_output([*git, "rev-parse", "--short=12", "HEAD"], text=True, timeout=GIT_TIMEOUT_S)
        changed = subprocess.check_output([*git, "status", "--porcelain", "src"], text=True, timeout=GIT_TIMEOUT_S)
    except (OSError, subprocess.SubprocessError):
        return ""
    return head.strip() + ("+" if changed.strip() else "")


def main() -> None:
    started = time.perf_counter()
    measured: dict[str, list[dict[str, object]]] = {}
    for name, room in {
        "expansion": expansion,
        "list_statement": list_statement,
        "encoding": encoding,
        "execution": execution,
        "cache": cache,
    }.items():
        measured[name] = room.run()
    for row in measured["expansion"]:
        print(expansion.line(row))
    table = Table("benchmark", "compared", "ratio", "measured", title="Micro-benchmarks: a ratio below 1 is faster")
    table.columns[2].justify = "right"
    for benchmark, compared, ratio, values in rows(measured):
        table.add_row(benchmark, compared, f"{ratio:.2f}", values)
    Console(width=None if sys.stdout.isatty() else 120).print(table)
    line = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "machine": machine(),
        "elapsed_s": round(time.perf_counter() - started, 1),
        "measured": measured,
    }
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("ab") as results:
        results.write(msgspec.json.encode(line) + b"\n")


if __name__ == "__main__":
    main()
