"""graphql-core's own execution test-suite, run against the breadth-first executor.

The suite comes from the source distribution of the locked version, which `ops/test-tools.sh` unpacks into `.tools/`.
Its pytest runs in a process of its own, with the plugin `on_breadth`. `lists.toml` says of every test that executes
something whether it passes here, is left to the library (incremental delivery, abort signals, hooks), or is excluded,
and why.

`python -m tests.conformance.graphql_core.test_suite` writes what passes and what is left anew; exclusions are written
by hand.
"""

import os
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import msgspec
import pytest

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[2]
LISTS: Final = HERE / "lists.toml"
SUITE: Final = ROOT / ".tools" / "graphql-core" / f"graphql_core-{version('graphql-core')}"
WHERE: Final = (
    "tests/execution",
    "tests/test_star_wars_query.py",
    "tests/test_star_wars_introspection.py",
    "tests/test_user_registry.py",
    "tests/type/test_enum.py",
    "tests/type/test_introspection.py",
    "tests/type/test_scalars.py",
)
NOT_OURS: Final = "tests/execution/incremental"
"""Incremental delivery is left to the library as a whole."""
SUITE_S_MAX: Final = 600


class Told(msgspec.Struct, frozen=True):
    """What became of one test: `executed` operations ran here, `left` ones in the library."""

    outcome: str
    executed: int
    left: int


class Lists(msgspec.Struct, frozen=True):
    passed: tuple[str, ...]
    left: tuple[str, ...]
    excluded: tuple[dict[str, Any], ...]

    def excluded_tests(self) -> list[str]:
        return [name for one in self.excluded for name in one["tests"]]


def lists() -> Lists:
    return msgspec.convert(tomllib.loads(LISTS.read_text()), Lists)


def run_suite(excluded: list[str]) -> dict[str, Told]:
    """Run all but the excluded tests; what became of each, by its name."""
    with TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        environment = {
            **os.environ,
            "PYTHONPATH": str(HERE),
            "ON_BREADTH_REPORT": str(report),
            "ON_BREADTH_EXCLUDED": "\n".join(excluded),
        }
        command = [sys.executable, "-m", "pytest", "-p", "on_breadth", "-p", "no:cacheprovider", "-q", "-c"]
        command += ["pyproject.toml", "--tb=short", f"--ignore={NOT_OURS}", *WHERE]
        done = subprocess.run(
            command, cwd=SUITE, env=environment, capture_output=True, text=True, timeout=SUITE_S_MAX, check=False
        )
        assert report.exists(), done.stdout[-4_000:] + done.stderr[-4_000:]
        return msgspec.json.decode(report.read_bytes(), type=dict[str, Told])


@pytest.fixture(scope="module")
def told() -> dict[str, Told]:
    if not SUITE.is_dir():
        pytest.skip("no source distribution of graphql-core; ops/test-tools.sh fetches it")
    return run_suite(lists().excluded_tests())


def test_every_test_that_executes_breadth_first_passes(told: dict[str, Told]) -> None:
    failed = [name for name, one in told.items() if one.outcome == "failed"]

    assert failed == []


def test_what_passes_and_what_is_left_to_the_library_is_what_the_list_says(told: dict[str, Told]) -> None:
    expected = lists()

    passed, left = sorted_out(told)

    assert passed == list(expected.passed)
    assert left == list(expected.left)


def test_every_exclusion_is_a_test_of_the_suite_and_says_why(told: dict[str, Told]) -> None:
    excluded = lists().excluded

    assert all(len(one["why"]) > 20 for one in excluded)
    for name in lists().excluded_tests():
        file, _, function = name.partition("::")
        assert f"def {function.rpartition('::')[2]}(" in (SUITE / file).read_text(), name
        assert name not in told


def sorted_out(told: dict[str, Told]) -> tuple[list[str], list[str]]:
    passed = [one for one, what in told.items() if what.outcome == "passed" and what.executed and not what.left]
    left = [one for one, what in told.items() if what.outcome == "passed" and what.left]
    return sorted(passed), sorted(left)


def main() -> None:
    text = LISTS.read_text()
    kept = text[text.index("[[excluded]]") :]
    passed, left = sorted_out(run_suite(lists().excluded_tests()))
    written = "".join(
        f"{name} = [\n" + "".join(f"    {msgspec.json.encode(one).decode()},\n" for one in some) + "]\n\n"
        for name, some in (("passed", passed), ("left", left))
    )
    LISTS.write_text(text[: text.index("passed = [")] + written + kept)


if __name__ == "__main__":
    main()
