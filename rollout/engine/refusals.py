"""Refusals: how a command is not carried out, and the words about who asked. Used by all commands."""

from __future__ import annotations

from rollout.engine.observation import Command

UNSEEN_SECONDS = 10.0
"""So long a command waits for the first look at what it needs to know, as after a restart."""


class TooSoon(Exception):
    """What the command needs to know has not been seen yet."""


class Refused(Exception):
    """The command changes nothing, for this reason."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def by(command: Command) -> str:
    """Return who asked and why, as the end of a sentence (at most 256 characters)."""
    who = f" by {command.by}" if command.by else ""
    return f"{who}{f' ({command.reason})' if command.reason else ''}"[:256]
