"""Logs: structured, to standard error, for people (console) or programs (json)."""

from __future__ import annotations

import logging
import sys
from enum import StrEnum

import structlog


class LogFormat(StrEnum):
    """How a log line is written."""

    CONSOLE = "console"
    JSON = "json"


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
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(
        stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
