"""What can go wrong between the command line and the server, as errors with an exit code.

Raised by ``rollout.cli.client``, turned into sentences by ``rollout.cli.running``.
"""

from __future__ import annotations

from rollout.api.models import CommandOutcome, ProblemItem, ProblemView
from rollout.cli.running import Code
from rollout.errors import PermanentError, Problem, SourceTimeout, Unavailable

MISUSED = frozenset({400, 409, 412, 413, 415, 422})
"""Answers that say that the question is refused as it is, rather than that it could not be looked at."""

NO_TOKEN = 401
REQUEST = "urn:rollout:request:"


class ApiProblem(PermanentError):
    """The server answers with a problem.

    ``status`` is HTTP's; ``reason`` the constant of a refused command, or empty; ``problems`` are those of a wrong
    input; ``retry_after`` is what the header says, or empty; ``request_id`` is the one in the server's log, or empty.
    """

    def __init__(self, view: ProblemView, *, retry_after: str = "") -> None:
        """Say the detail; where the server itself is at fault, with the id of the request."""
        self.status = view.status
        self.title = view.title
        self.detail = view.detail
        self.reason = view.reason or ""
        self.problems = tuple(_problem(item) for item in view.problems)
        self.command: CommandOutcome | None = view.command
        self.retry_after = retry_after
        self.request_id = view.instance.removeprefix(REQUEST) if view.instance.startswith(REQUEST) else ""
        super().__init__(self._sentence())

    @property
    def code(self) -> Code:
        """Return the exit code."""
        return Code.REFUSED if self.status in MISUSED else Code.COULD_NOT

    def _sentence(self) -> str:
        advice = "; see `rollout context set --help` for how to give a token" if self.status == NO_TOKEN else ""
        request = f" (request {self.request_id})" if self.request_id and self.status >= 500 else ""  # noqa: PLR2004 - as HTTP numbers it
        return f"{self.detail}{advice}{request}"


class ServerAway(Unavailable):
    """The server cannot be reached, or the connection broke; ``sent``: the question may have been read."""

    def __init__(self, message: str, *, sent: bool) -> None:
        """Say where and why."""
        super().__init__(message)
        self.sent = sent


class TimedOut(SourceTimeout):
    """The server did not answer in time."""


class NotUnderstood(PermanentError):
    """What answers is not rollout, or one that speaks otherwise."""


def _problem(item: ProblemItem) -> Problem:
    return Problem(item.field, item.message, given=item.given, allowed=item.allowed)
