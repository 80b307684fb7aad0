"""A clock that stands still until a test moves it."""

from dataclasses import dataclass


@dataclass(slots=True)
class FakeClock:
    """``Clock`` whose both times move together, by ``advance`` only."""

    unix: float = 1_800_000_000.0
    steady: float = 0.0

    def now(self) -> float:
        """Return Unix time in seconds."""
        return self.unix

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return self.steady

    def advance(self, seconds: float) -> None:
        """Move both times on."""
        self.unix += seconds
        self.steady += seconds
