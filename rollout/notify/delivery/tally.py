"""What is counted of one sink since this replica started, and its last problem."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Tally:
    """Counts of one sink; times are Unix seconds (0: never)."""

    delivered: int = 0
    failed: int = 0
    folded: int = 0
    passed_over: int = 0
    delivered_at: float = 0.0
    problem: str = ""
    problem_at: float = 0.0

    def took(self, at: float, *, folded: int = 0) -> None:
        """Count a message that was delivered, and the transitions of which it gave only the number."""
        self.delivered += 1
        self.delivered_at = at
        self.folded += folded
        self.problem = ""

    def refused(self, at: float, problem: str) -> None:
        """Count a try that failed."""
        self.failed += 1
        self.problem, self.problem_at = problem, at
