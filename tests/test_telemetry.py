"""Logs go to standard error in the form that was asked for, and never stop the work."""

import io
import json
import logging
import secrets
import warnings
from collections.abc import Iterator
from contextlib import redirect_stderr

import pytest
import structlog

from rollout.telemetry import LogFormat, LogLevel, SteadyHandler, SteadyLogger, configure_logs


@pytest.fixture(autouse=True)
def libraries_as_before() -> Iterator[None]:
    """Give back the logs of libraries as they were."""
    root = logging.getLogger()
    level = root.level
    yield
    logging.captureWarnings(capture=False)
    root.setLevel(level)
    for handler in [handler for handler in root.handlers if isinstance(handler, SteadyHandler)]:
        root.removeHandler(handler)


def printed(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    """Return the lines on standard error, each of which is JSON."""
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def fail_with(token: str) -> None:
    """Fail with a secret in a variable."""
    raise ValueError(f"a token of {len(token)} characters")


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


def test_what_is_bound_is_in_every_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Ours and those of libraries have the request's id while it is bound."""
    configure_logs(LogFormat.JSON)
    with structlog.contextvars.bound_contextvars(request_id="r-1"):
        structlog.get_logger("t").info("ours")
        logging.getLogger("uvicorn.error").error("theirs: %d", 7)
    structlog.get_logger("t").info("later")

    lines = printed(capsys)
    assert [(line["event"], line.get("request_id")) for line in lines] == [
        ("ours", "r-1"),
        ("theirs: 7", "r-1"),
        ("later", None),
    ]
    assert (lines[1]["level"], lines[1]["logger"]) == ("error", "uvicorn.error")
    assert lines[0].keys() - {"request_id"} == {"event", "level", "timestamp"}


def test_errors_and_warnings_of_libraries_are_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    """A traceback is a text in one line, and a warning of Python is a line like others."""
    configure_logs(LogFormat.JSON)
    try:
        fail_with("secret")
    except ValueError:
        logging.getLogger("some.library").exception("it failed")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        warnings.warn("do not do that", UserWarning, stacklevel=1)

    lines = printed(capsys)
    assert "ValueError: a token of 6 characters" in str(lines[0]["exception"])
    assert "do not do that" in str(lines[1]["event"])


@pytest.mark.parametrize("form", list(LogFormat))
def test_no_traceback_has_values_of_variables(capsys: pytest.CaptureFixture[str], form: LogFormat) -> None:
    """One of them might be a token."""
    configure_logs(form)
    token = secrets.token_hex(8)
    try:
        fail_with(token)
    except ValueError:
        structlog.get_logger("t").exception("it failed")
        logging.getLogger("some.library").exception("it failed, too")

    said = capsys.readouterr().err
    assert said.count("ValueError: a token of 16 characters") == 2
    assert token not in said


@pytest.mark.parametrize(("level", "events"), [(LogLevel.DEBUG, ["warning"]), (LogLevel.ERROR, [])])
def test_libraries_are_heard_from_warning_on(
    capsys: pytest.CaptureFixture[str], level: LogLevel, events: list[str]
) -> None:
    """What they say below that is for those who write them; a higher level holds for them, too."""
    configure_logs(LogFormat.JSON, level)
    for name in ("debug", "info", "warning"):
        getattr(logging.getLogger("some.library"), name)(name)

    assert [line["event"] for line in printed(capsys)] == events


def test_the_last_form_holds(capsys: pytest.CaptureFixture[str]) -> None:
    """A line of a library is written once, in the form that was asked for last."""
    configure_logs(LogFormat.CONSOLE)
    configure_logs(LogFormat.JSON)
    logging.getLogger("some.library").warning("once")

    assert [line["event"] for line in printed(capsys)] == ["once"]


def test_a_stream_that_libraries_cannot_write_stops_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """Their line is lost, too."""
    closed = io.StringIO()
    with redirect_stderr(closed):
        configure_logs(LogFormat.JSON)
        closed.close()
        logging.getLogger("some.library").warning("lost")

    assert capsys.readouterr().err == ""
