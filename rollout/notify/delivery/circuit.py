"""The circuit of a sink: after some failures in a row it is left alone for a while, then tried with one message."""

from __future__ import annotations

from dataclasses import dataclass, replace

FAILURES = 5
"""So many deliveries in a row may fail before the sink is left alone."""

SHORTEST_SECONDS, LONGEST_SECONDS = 10.0, 300.0


@dataclass(frozen=True, slots=True)
class Circuit:
    """How it stands with a sink; ``until`` is in monotonic seconds.

    ``failures`` came in a row, ``openings`` since the last delivery (0: the circuit is closed, messages may go).
    """

    failures: int = 0
    openings: int = 0
    until: float = 0.0

    def is_open(self, now: float) -> bool:
        """Return whether nothing is sent now."""
        return now < self.until

    def is_on_trial(self, now: float) -> bool:
        """Return whether one message may go, and no second one before it is known what became of that."""
        return self.openings > 0 and not self.is_open(now)

    def failed(self, now: float, chance: float) -> Circuit:
        """Return the circuit after a failed delivery; ``chance`` (0 to 1) spreads when sinks are tried again.

        What was under way when it opened, and fails later, does not open it for longer.
        """
        if self.is_open(now):
            return self
        failures = self.failures + 1
        if failures < FAILURES and not self.openings:
            return replace(self, failures=failures)
        seconds = min(LONGEST_SECONDS, SHORTEST_SECONDS * 2.0 ** min(self.openings, 16))
        return Circuit(failures, self.openings + 1, now + _spread(seconds, chance))

    def broken(self, now: float, chance: float) -> Circuit:
        """Return the circuit after the sink said that it takes nothing as it is set up."""
        return Circuit(self.failures + 1, self.openings + 1, max(self.until, now + _spread(LONGEST_SECONDS, chance)))


def _spread(seconds: float, chance: float) -> float:
    return seconds * (0.8 + 0.2 * chance)
