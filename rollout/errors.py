"""The tree of errors: what went wrong decides what the caller does next.

    RolloutError
    ├── ConfigurationError      the user must change something; carries every problem found
    ├── TemporaryError          may work later: tried again on a later pass
    │   ├── SourceTimeout       a metrics source did not answer in time
    │   └── Unavailable         a store, route table or metrics source could not be reached
    ├── ConflictError           somebody else wrote first: read again, decide again
    │   └── LeaseLost           another replica may act by now: do nothing more
    ├── PermanentError          will not work by trying again (a refused write, a refused query)
    │   ├── NotAllowedError     the platform does not let us do this
    │   ├── UpdateRefused       the gateway refused what was written; it was taken back
    │   └── MeasurementError    numbers that cannot be true (more bad requests than requests)
    └── NotOursError            the thing is gone or belongs to somebody else

Adapters translate the errors of their libraries into these, `from` the cause; nothing above an
adapter knows a library's error.
"""

from __future__ import annotations

from dataclasses import dataclass


class RolloutError(Exception):
    """The root of all errors that this project raises on purpose."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with an input: where, what was given, what is allowed.

    ``field`` is the path of the field (``spec.steps[1].weight``), ``line`` the 1-based line in
    ``source`` (0 when it is not known).
    """

    field: str
    message: str
    given: str = ""
    allowed: str = ""
    source: str = ""
    line: int = 0
    warning: bool = False

    def __str__(self) -> str:
        """Return the problem as one sentence, with its place first."""
        place = (
            f"{self.source}:{self.line}: " if self.source and self.line else f"{self.source}: " if self.source else ""
        )
        given = f" (given: {self.given})" if self.given else ""
        allowed = f"; allowed: {self.allowed}" if self.allowed else ""
        return (
            f"{place}{self.field}: {self.message}{given}{allowed}"
            if self.field
            else f"{place}{self.message}{given}{allowed}"
        )


class ConfigurationError(RolloutError):
    """An input is wrong; every problem is listed at once."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        """Keep ``problems`` (at least one) and say them all in the message."""
        super().__init__("; ".join(str(problem) for problem in problems))
        self.problems = problems


class TemporaryError(RolloutError):
    """A thing that may work later."""


class SourceTimeout(TemporaryError):
    """A metrics source did not answer within its time limit."""


class Unavailable(TemporaryError):
    """A store, a route table or a metrics source could not be reached."""


class ConflictError(RolloutError):
    """Somebody else changed the thing since it was read."""


class LeaseLost(ConflictError):
    """This replica may not act for the Rollout any more; another one may do so by now."""


class PermanentError(RolloutError):
    """A thing that will not work by trying again."""


class NotAllowedError(PermanentError):
    """The platform does not know us, or does not let us do this: whoever runs us has to grant it."""


class UpdateRefused(PermanentError):
    """The gateway refused what was written; what was there before is back."""


class MeasurementError(PermanentError):
    """Numbers that cannot be true."""


class NotOursError(RolloutError):
    """The thing is gone, or belongs to somebody else."""
