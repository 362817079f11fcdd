"""What 10,000 months in process take: as the table counts them, and as the process grows.

Measured in a process of its own, which does nothing else: pages that an earlier part has freed are not counted twice.
"""

import asyncio
import gc
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import msgspec

from bench.cache.row import Row
from bench.cache.units import EVENTS_PER_MONTH, key, load, opened

ROOT: Final = Path(__file__).parents[2]
KEYS_PER_LOAD: Final = 100


class Size(msgspec.Struct, frozen=True):
    months: int = 10_000
    warm_up: int = 200


TINY: Final = Size(months=200, warm_up=100)


async def run(size: Size) -> list[Row]:
    command = [sys.executable, "-m", "bench.cache.memory", str(size.months), str(size.warm_up)]
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=subprocess.PIPE)
    told, _ = await process.communicate()
    values: dict[str, Any] = msgspec.json.decode(told)
    ratio = values["counted_bytes"] / values["grown_bytes"]
    return [
        Row(
            f"{size.months:,} months of {EVENTS_PER_MONTH} events in process",
            f"{values['grown_bytes'] / 2**20:.0f} MB more of the process, "
            f"{values['grown_bytes'] / size.months / 1024:.1f} kB each",
            f"the table counts {values['counted_bytes'] / 2**20:.0f} MB, {ratio:.2f} x",
            values={**values, "months": size.months, "ratio": round(ratio, 3)},
        )
    ]


async def _fill(months: int, warm_up: int) -> None:
    cache, l1 = opened(months + warm_up, None)
    assert l1 is not None

    async def fill(start: int, end: int) -> None:
        for at in range(start, end, KEYS_PER_LOAD):
            await cache.get_many(cache.reading(), [key(n) for n in range(at, min(at + KEYS_PER_LOAD, end))], load)

    await fill(0, warm_up)
    gc.collect()
    before_bytes, counted_bytes = _resident_bytes(), l1.bytes
    await fill(warm_up, warm_up + months)
    gc.collect()
    assert len(l1.entries) == warm_up + months
    grown = {"grown_bytes": _resident_bytes() - before_bytes, "counted_bytes": l1.bytes - counted_bytes}
    print(msgspec.json.encode(grown).decode())


def _resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    asyncio.run(_fill(int(sys.argv[1]), int(sys.argv[2])))
