"""What is written to the log, and what never is."""

import json
from collections.abc import Iterator

import pytest
import structlog

from yotei.observe import log

TOKEN = "yotei_" + "s3cret" * 7 + "x"


@pytest.fixture(autouse=True)
def configured_as_before() -> Iterator[None]:
    """Streams that a test captures are closed with it; what others log has to go elsewhere."""
    yield
    log.configure(format="console", level="error")


def fail_with(token: str) -> None:
    """A failure with a secret in a local variable."""
    header = f"Bearer {token}"
    raise RuntimeError(f"no luck with a header of {len(header)} characters")


@pytest.mark.parametrize("format", ["json", "console"])
def test_a_traceback_tells_where_and_not_with_which_values(format: str, capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(format=format, level="info")  # type: ignore[arg-type]

    try:
        fail_with(TOKEN)
    except RuntimeError as error:
        structlog.get_logger().error("request_failed", exc_info=error)

    written = capsys.readouterr().err
    assert "fail_with" in written
    assert "no luck with a header" in written
    assert "s3cret" not in written


def test_a_token_in_a_path_is_masked(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(format="json", level="info")

    structlog.get_logger().info("request_answered", path=f"/api/{TOKEN}/events", token=TOKEN)

    assert json.loads(capsys.readouterr().err)["path"] == "/api/********/events"


def test_what_is_below_the_level_is_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(format="json", level="warning")

    structlog.get_logger().info("request_answered")

    assert capsys.readouterr().err == ""


async def test_lines_of_requests_wait_a_moment_but_never_behind_another_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    log.configure(format="json", level="info")

    for number in range(2):
        log.request_answered(f"id-{number}", "GET", f"/api/{TOKEN}/events", 200, 1, 1.234, 5.678)
    before = capsys.readouterr().err
    structlog.get_logger().info("worker_started")

    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert before == ""
    assert [one.get("request_id") for one in lines] == ["id-0", "id-1", None]
    assert (lines[0]["path"], lines[0]["db_ms"], lines[0]["elapsed_ms"]) == ("/api/********/events", 1.23, 5.68)
    assert lines[0]["timestamp"] <= lines[2]["timestamp"]


async def test_lines_of_requests_are_bounded_and_written_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(format="json", level="info")

    for number in range(log.HELD_MAX + 1):
        log.request_answered(str(number), "GET", "/", 200, 0, 0.0, 0.1)
    full = capsys.readouterr().err.splitlines()
    log.flush()

    assert len(full) == log.HELD_MAX
    assert json.loads(capsys.readouterr().err)["request_id"] == str(log.HELD_MAX)


def test_without_a_loop_a_line_is_written_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(format="json", level="info")

    log.request_answered("id", "GET", "/", 200, 0, 0.0, 0.1)

    assert json.loads(capsys.readouterr().err)["event"] == "request_answered"


@pytest.mark.parametrize(("format", "level"), [("console", "info"), ("json", "warning")])
def test_for_people_and_above_the_level_it_is_a_line_like_others(
    format: str, level: str, capsys: pytest.CaptureFixture[str]
) -> None:
    log.configure(format=format, level=level)  # type: ignore[arg-type]

    log.request_answered("id", "GET", "/", 200, 0, 0.0, 0.1)

    assert ("request_answered" in capsys.readouterr().err) == (level == "info")
