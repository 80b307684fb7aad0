"""What a probe came to: an answer and a word for it, also where it ended with an error of the platform.

Refused, reset, garbage and an untrusted certificate are bad answers: something was reached, or should have been. What
never left this machine (no name, no socket, no route from here, no certificate to show) says nothing of the target.
"""

from __future__ import annotations

import errno
import os
import ssl
from dataclasses import dataclass
from typing import Protocol

import structlog

from rollout.failover.probing import Answer

log = structlog.get_logger(__name__)

STOOD_STILL = "this process stood still"
TIMED_OUT = "timed out"

_NEVER_SENT = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
"""Whenever these come, this machine had nothing left to send with."""

_WORDS = {
    errno.ECONNREFUSED: "refused",
    errno.ECONNRESET: "reset",
    errno.EPIPE: "reset",
    errno.ECONNABORTED: "reset",
    errno.ETIMEDOUT: TIMED_OUT,
}


@dataclass(frozen=True, slots=True)
class Said:
    """An answer, and the word for it that the evidence shows."""

    answer: Answer
    text: str


class Unsent(Exception):
    """A probe that never left this machine; its text says why."""


class BadAnswer(Exception):
    """An answer that is none; its text says why."""


class Asker(Protocol):
    """One way to ask one target, again and again; never twice at once."""

    async def ask(self) -> Said:
        """Ask once, without a time limit of its own: whoever has no more patience cancels it."""
        ...

    async def aclose(self) -> None:
        """Close what is open."""
        ...


def told(error: Exception) -> Said:
    """Return what an error says of the target; one that nobody thought of is logged, and says nothing."""
    match error:
        case Unsent():
            return Said(Answer.UNSENT, str(error))
        case BadAnswer():
            return Said(Answer.BAD, str(error))
        case ssl.SSLCertVerificationError():
            return Said(Answer.BAD, f"certificate: {error.verify_message}")
        case ssl.SSLError():
            return Said(Answer.BAD, f"TLS: {(error.reason or 'failed').lower().replace('_', ' ')}")
        case OSError():
            answer = Answer.UNSENT if error.errno in _NEVER_SENT else Answer.BAD
            return Said(answer, word_of(error))
        case _:
            log.error("probe failed", exc_info=error)
            return Said(Answer.UNSENT, f"failed: {type(error).__name__}")


def word_of(error: OSError) -> str:
    """Return a word for an error of the platform."""
    if error.errno is None:
        return str(error) or type(error).__name__
    return _WORDS.get(error.errno) or os.strerror(error.errno).lower()
