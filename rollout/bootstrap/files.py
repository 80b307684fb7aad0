"""How many files this process may have open: each connection of a probe, of a client and to a server is one.

Systems often allow few of them at first, and many to those that ask. Called once, when ``rollout serve`` begins.
"""

from __future__ import annotations

import resource

import structlog

log = structlog.get_logger(__name__)

MOST_FILES = 65_536
"""More than this is not asked for: thousands of probed targets do with less."""


def ask_for_files(most: int = MOST_FILES) -> int:
    """Ask the system for as many open files as it allows, at most ``most``, and log what it was; return what it is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = most if hard == resource.RLIM_INFINITY else min(most, hard)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        log.info("open files", allowed=soft)
        return soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError) as error:
        log.warning("the system does not allow more open files", allowed=soft, wanted=wanted, why=str(error))
        return soft
    log.info("open files", allowed=wanted, before=soft)
    return wanted
