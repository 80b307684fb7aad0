"""Logs: structured, to standard error, for people (console) or programs (json)."""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from enum import StrEnum

import structlog


class LogFormat(StrEnum):
    """How a log line is written."""

    CONSOLE = "console"
    JSON = "json"


class SteadyLogger(structlog.PrintLogger):
    """Prints lines, and goes on without when nobody can take them: a closed pipe must not stop a rollback."""

    def msg(self, message: str) -> None:
        """Print one line if that is possible; there is nowhere left to say that it was not."""
        with suppress(OSError, ValueError):
            super().msg(message)

    log = debug = info = warn = warning = fatal = failure = err = error = critical = exception = msg


def configure_logs(form: LogFormat, *, verbose: bool = False) -> None:
    """Let all logs go to standard error in this form, from level info on (``verbose``: debug)."""
    colors = sys.stderr.isatty()
    renderer = (
        structlog.processors.JSONRenderer() if form is LogFormat.JSON else structlog.dev.ConsoleRenderer(colors=colors)
    )
    trace = [structlog.processors.format_exc_info] if form is LogFormat.JSON else []
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *trace,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG if verbose else logging.INFO),
        logger_factory=lambda *_: SteadyLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(
        stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
