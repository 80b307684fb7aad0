"""Logs: structured, to standard error, for people (console) or programs (json); those of libraries, too.

Called by the command line. Who logs knows nothing of form or level, and every line has the ``request_id`` and what
else is bound around it.
"""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from enum import StrEnum
from typing import TextIO

import structlog
from structlog.typing import Processor


class LogFormat(StrEnum):
    """How a log line is written."""

    CONSOLE = "console"
    JSON = "json"


class LogLevel(StrEnum):
    """From which level on lines are logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"

    @property
    def number(self) -> int:
        """Return the level as ``logging`` counts it."""
        return logging.getLevelNamesMapping()[self.value.upper()]


class SteadyLogger(structlog.PrintLogger):
    """Prints lines, and goes on without when nobody can take them: a closed pipe must not stop a rollback."""

    def msg(self, message: str) -> None:
        """Print one line if that is possible; there is nowhere left to say that it was not."""
        with suppress(OSError, ValueError):
            super().msg(message)

    log = debug = info = warn = warning = fatal = failure = err = error = critical = exception = msg


class SteadyHandler(logging.StreamHandler[TextIO]):
    """Prints the lines of libraries, as steadily as ours."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name that logging gives
        """Go on without; there is nowhere left to say that a line was lost."""


def configure_logs(form: LogFormat, level: LogLevel = LogLevel.INFO) -> None:
    """Let all logs go to standard error in this form: ours from ``level`` on, libraries' from warning on at most.

    May be called again; the last call holds. Tracebacks have no values of variables in them: one might be a token.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    rendering = _rendering(form)
    structlog.configure(
        processors=[*shared, *rendering],
        wrapper_class=structlog.make_filtering_bound_logger(level.number),
        logger_factory=lambda *_: SteadyLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name, structlog.stdlib.ExtraAdder(allow=())],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
    )
    _handle_libraries(formatter, max(level.number, logging.WARNING))


def _rendering(form: LogFormat) -> list[Processor]:
    match form:
        case LogFormat.JSON:
            return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        case LogFormat.CONSOLE:
            plain = structlog.dev.plain_traceback
            return [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)]


def _handle_libraries(formatter: logging.Formatter, level: int) -> None:
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if isinstance(handler, SteadyHandler)]:
        root.removeHandler(handler)
    handler = SteadyHandler(sys.stderr)
    handler.setFormatter(formatter)
    root.addHandler(handler)
    root.setLevel(level)
    logging.captureWarnings(capture=True)
