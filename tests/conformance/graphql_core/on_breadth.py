"""A plugin for graphql-core's own test-suite: whatever it executes is executed breadth-first.

Loaded into the suite's own pytest (`-p on_breadth`). Writes what became of each test as JSON to ON_BREADTH_REPORT: its
outcome, how many operations were executed here, and how many were left to the library.
"""

import importlib
import os
import signal
from collections import Counter
from collections.abc import Generator
from pathlib import Path
from typing import Any, Final
from weakref import WeakKeyDictionary

import msgspec
import pytest
from graphql import GraphQLSchema
from graphql.execution.executor_throwing_on_incremental import ExecutorThrowingOnIncremental
from graphql.execution.incremental import IncrementalExecutor

from yotei.breadth import Planner
from yotei.breadth.executor import Breadth

TEST_S_MAX: Final = 60.0

_planners: Final[WeakKeyDictionary[GraphQLSchema, Planner]] = WeakKeyDictionary()
_outcomes: Final[dict[str, str]] = {}
_executed: Final[Counter[str]] = Counter()
_left: Final[Counter[str]] = Counter()
_running = [""]


class _Counted(Breadth):
    @property
    def planner(self) -> Planner:  # type: ignore[override]
        schema = self.schema  # type: ignore[attr-defined]
        if schema not in _planners:
            _planners[schema] = Planner(schema)
        return _planners[schema]

    def execute_operation(self, serially: bool | None = None) -> Any:
        left = self.planner.leaves_to_library(self)  # type: ignore[arg-type]
        (_left if left else _executed)[_running[0]] += 1
        return super().execute_operation(serially)


class _Incremental(_Counted, IncrementalExecutor):
    pass


class _Throwing(_Counted, ExecutorThrowingOnIncremental):
    pass


def pytest_configure() -> None:
    execute = importlib.import_module("graphql.execution.execute")
    execute.IncrementalExecutor = _Incremental  # type: ignore[attr-defined]
    execute.ExecutorThrowingOnIncremental = _Throwing  # type: ignore[attr-defined]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests that are excluded, by name; some would wait for ever."""
    excluded = set(os.environ.get("ON_BREADTH_EXCLUDED", "").split("\n"))
    left_out = [item for item in items if item.nodeid in excluded]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item.nodeid not in excluded]


def pytest_runtest_protocol(item: pytest.Item) -> None:
    _running[0] = item.nodeid


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, object, object]:
    """No test waits for ever: what stock execution gives up, this one may wait for."""
    signal.signal(signal.SIGALRM, _too_long)
    signal.setitimer(signal.ITIMER_REAL, TEST_S_MAX)
    try:
        return (yield)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _too_long(*_: object) -> None:
    raise TimeoutError(f"the test takes more than {TEST_S_MAX} s")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call" or report.outcome != "passed":
        _outcomes[report.nodeid] = report.outcome


def pytest_sessionfinish() -> None:
    told = {
        name: {"outcome": outcome, "executed": _executed[name], "left": _left[name]}
        for name, outcome in _outcomes.items()
    }
    Path(os.environ["ON_BREADTH_REPORT"]).write_bytes(msgspec.json.encode(told))
