"""Mistakes of ours in the log: what kind and where, and none of their words, which may have an address in them."""

from __future__ import annotations

import traceback

import structlog

log = structlog.get_logger(__name__)


def log_mistake(event: str, error: Exception, **about: str) -> None:
    """Log that something failed as nobody expected."""
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    where = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in frames]
    log.error(event, error=type(error).__name__, where=where, **about)
