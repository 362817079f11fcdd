"""What a window of a series costs, for a series begun in 1990 against one begun a month before the window.

Prints `expansion old/new N.NN` for each kind of rule: near 1 means that the age of a series is free.
Old and new are timed in turns in one run; each is the best of its rounds. Caches keyed by the rule are warm,
as in a server that has seen the series; the window itself is never cached.
"""

import gc
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from time import perf_counter
from typing import NamedTuple

from yotei.ical import Series, count_until, instances

WINDOW_START = datetime(2026, 10, 1, tzinfo=UTC)
WINDOW_END = datetime(2026, 11, 1, tzinfo=UTC)
OLD_YEAR = 1990
NEW_START = datetime(2026, 9, 1, 12, 30, tzinfo=UTC)
ROUNDS = 15
ROUND_SECONDS_MIN = 0.004


class Case(NamedTuple):
    """A rule, and where its old and new series begin if not on the first of January and of last month."""

    rrule: str
    old: datetime = datetime(OLD_YEAR, 1, 1, 12, 30, tzinfo=UTC)
    new: datetime = NEW_START
    window_start: datetime = WINDOW_START
    window_end: datetime = WINDOW_END


# A rule with COUNT must still be running in the window, whenever it began.
CASES = (
    Case("FREQ=YEARLY;BYMONTH=10;BYDAY=2MO"),
    Case("FREQ=MONTHLY;BYMONTHDAY=15"),
    Case("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1"),
    Case("FREQ=MONTHLY;BYMONTHDAY=31"),
    Case("FREQ=WEEKLY;BYDAY=MO,WE,FR"),
    Case("FREQ=WEEKLY;INTERVAL=2;BYDAY=TU;WKST=SU"),
    Case("FREQ=DAILY"),
    Case("FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR"),
    Case("FREQ=HOURLY;INTERVAL=6"),
    Case("FREQ=MINUTELY;INTERVAL=45"),
    Case("FREQ=SECONDLY;INTERVAL=1700"),
    Case("FREQ=YEARLY;COUNT=60;BYMONTH=10;BYMONTHDAY=9"),
    Case("FREQ=MONTHLY;COUNT=500"),
    Case("FREQ=WEEKLY;COUNT=6000;BYDAY=MO,WE,FR"),
    Case("FREQ=DAILY;COUNT=20000"),
    Case("FREQ=HOURLY;COUNT=60000;INTERVAL=6;BYMINUTE=30"),
    Case("FREQ=MINUTELY;COUNT=500000;INTERVAL=45"),
    Case("FREQ=SECONDLY;COUNT=800000;INTERVAL=1700"),
    Case("FREQ=YEARLY;BYMONTH=10;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=1,-1"),
    # 29 February is skipped, not moved, in common years; the window is February 2028.
    Case(
        "FREQ=YEARLY",
        datetime(1992, 2, 29, 12, 30, tzinfo=UTC),
        datetime(2024, 2, 29, 12, 30, tzinfo=UTC),
        datetime(2028, 2, 1, tzinfo=UTC),
        datetime(2028, 3, 1, tzinfo=UTC),
    ),
)


def run(cases: Sequence[Case] = CASES, *, tzid: str = "Europe/Berlin") -> list[dict[str, object]]:
    """One row a case: the rule, old over new per instance, microseconds of each, instances of each."""
    rows: list[dict[str, object]] = []
    for case in cases:
        old, new = _series(case.rrule, case.old, tzid), _series(case.rrule, case.new, tzid)
        repeats = _repeats(new, case)
        best_old = best_new = float("inf")
        gc.disable()
        for _ in range(ROUNDS):
            best_old = min(best_old, _timed(old, case, repeats))
            best_new = min(best_new, _timed(new, case, repeats))
        gc.enable()
        old_count = len(instances(old, case.window_start, case.window_end))
        new_count = len(instances(new, case.window_start, case.window_end))
        assert old_count > 0 and new_count > 0, case.rrule
        rows.append(
            {
                "name": "expansion",
                "case": case.rrule,
                "old_over_new": (best_old / old_count) / (best_new / new_count),
                "old_us": best_old * 1e6,
                "new_us": best_new * 1e6,
                "old_instances": old_count,
                "new_instances": new_count,
                "us_per_instance": best_old * 1e6 / old_count,
            }
        )
    return rows


def _series(rrule: str, start: datetime, tzid: str) -> Series:
    plain = Series(start, start + timedelta(minutes=30), tzid=tzid, rrule=rrule)
    return Series(plain.start_time, plain.end_time, tzid=tzid, rrule=rrule, count_until=count_until(plain))


def _repeats(series: Series, case: Case) -> int:
    once = _timed(series, case, 3)
    return max(1, int(ROUND_SECONDS_MIN / max(once, 1e-7)))


def _timed(series: Series, case: Case, repeats: int) -> float:
    begun = perf_counter()
    for _ in range(repeats):
        instances(series, case.window_start, case.window_end)
    return (perf_counter() - begun) / repeats


def line(row: dict[str, object]) -> str:
    """A row of `run` as it is printed."""
    return (
        f"expansion old/new {row['old_over_new']:.2f}  {row['case']}  "
        f"({row['old_us']:.0f} us against {row['new_us']:.0f} us, {row['old_instances']} instances, "
        f"{row['us_per_instance']:.2f} us each)"
    )


def main() -> None:
    for row in run():
        print(line(row))


if __name__ == "__main__":
    main()
