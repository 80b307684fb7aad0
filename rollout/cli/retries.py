"""When a question is asked again, and how long that waits. Pure, but for the jitter.

Called by ``rollout.cli.client`` and ``rollout.cli.events_stream``.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from rollout.cli.failures import ApiProblem, ServerAway

BUSY = frozenset({429, 503})
"""Answers that say that nothing was done and that a moment later it may be."""

LONGEST_RETRY_AFTER_SECONDS = 10.0
"""A server that asks for a longer wait is not waited for."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Time limits and how often is tried; all in seconds but ``tries``. ``chance`` gives numbers from 0 to 1."""

    connect_seconds: float = 5.0
    seconds: float = 15.0
    """For a whole answer."""
    silence_seconds: float = 45.0
    """For the next sign of life in an event stream, which has one every 15 s."""
    tries: int = 4
    first_wait_seconds: float = 0.2
    longest_wait_seconds: float = 5.0
    chance: Callable[[], float] = random.random


USUAL = Limits()


def is_safe_again(error: BaseException, *, again: bool) -> bool:
    """Return whether to ask again after ``error``; ``again``: asking twice does no more than asking once."""
    if isinstance(error, ServerAway):
        return again or not error.sent
    if isinstance(error, ApiProblem) and error.status in BUSY:
        return (retry_after(error) or 0.0) <= LONGEST_RETRY_AFTER_SECONDS
    return False


def wait_before_again(error: BaseException | None, tries: int, limits: Limits) -> float:
    """Return the seconds to wait after the ``tries``-th failure (from 1): what the server asks for, else a backoff."""
    asked = retry_after(error) if isinstance(error, ApiProblem) else None
    return backoff(tries, limits) if asked is None else asked + limits.chance() * limits.first_wait_seconds


def backoff(tries: int, limits: Limits) -> float:
    """Return a wait that doubles with each failure up to the longest, less up to a half by chance."""
    longest = min(limits.longest_wait_seconds, limits.first_wait_seconds * 2.0 ** min(tries - 1, 16))
    return longest * (0.5 + limits.chance() / 2)


def retry_after(problem: ApiProblem) -> float | None:
    """Return the seconds that the server asks to wait, None when it says nothing that can be read."""
    text = problem.retry_after.strip()
    return float(text) if text.isascii() and text.isdigit() and len(text) < 7 else None  # noqa: PLR2004 - days are enough
