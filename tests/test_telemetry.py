"""Logs go to standard error in the form that was asked for, and never stop the work."""

import io
import json

import pytest
import structlog

from rollout.telemetry import LogFormat, LogLevel, SteadyLogger, configure_logs


def test_json_logs_are_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A line holds the sentence, the level, the time and the facts."""
    configure_logs(LogFormat.JSON)
    structlog.get_logger("t").info("Promoted.", rollout="shop/checkout")

    line = json.loads(capsys.readouterr().err)
    assert (line["event"], line["level"], line["rollout"]) == ("Promoted.", "info", "shop/checkout")


def test_console_logs_are_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    """A line reads as a sentence, with the facts behind it."""
    configure_logs(LogFormat.CONSOLE)
    structlog.get_logger("t").info("Promoted.", rollout="shop/checkout")

    assert "Promoted." in capsys.readouterr().err


@pytest.mark.parametrize(("level", "lines"), [(LogLevel.INFO, 0), (LogLevel.DEBUG, 1)])
def test_every_write_is_told_only_when_asked(capsys: pytest.CaptureFixture[str], level: LogLevel, lines: int) -> None:
    """Debug lines are left out unless that level is wanted."""
    configure_logs(LogFormat.JSON, level)
    structlog.get_logger("t").debug("weights written")

    assert len(capsys.readouterr().err.splitlines()) == lines


def test_a_closed_stream_stops_nothing() -> None:
    """A line that nobody can take is lost, and the work goes on."""
    stream = io.StringIO()
    logger = SteadyLogger(stream)
    stream.close()

    logger.info("Rolled back.")

    assert stream.closed
