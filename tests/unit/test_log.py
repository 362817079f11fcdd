"""What is written to the log, and what never is."""

import json

import pytest
import structlog

from yotei.observe import log

TOKEN = "yotei_" + "s3cret" * 7 + "x"


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
