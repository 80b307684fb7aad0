"""What a controller may have known of a backend, worked out from the world alone: the machine's own opinion.

Generous on purpose: it says what is *possible* and what is *certain*, so that a breach of it is a fault and never a
matter of milliseconds. Knows nothing of readings, votes and tallies.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

HEARD = 30.0
FRESH = 10.0
RISE, FALL, INTERVAL = 3, 2, 1.0
KEPT_SECONDS = 90.0
BEFORE, AFTER = 1.6, 0.6
"""A pass saw what was there at some time from this much before to this much after its time."""


@dataclass(frozen=True, slots=True)
class Look:
    """What there was at ``at``: ready endpoints, when they were heard (None: never), what a probe meets (or None)."""

    at: float
    ready: int
    heard_at: float | None
    probe: str | None


@dataclass(slots=True)
class _Answers:
    """How many probe answers of a kind there can have been in a row, at most and at least."""

    good_most: float = 0.0
    bad_least: float = 0.0
    bad_most: float = 0.0
    good_least: float = 0.0
    healthy: bool = False
    ill: bool = False
    last_at: float = -FRESH


@dataclass(slots=True)
class Opinion:
    """What can be known of one backend by endpoints and, if ``probed``, by probes."""

    probed: bool
    looks: deque[tuple[Look, bool, bool]] = field(default_factory=deque)
    _answers: _Answers = field(default_factory=_Answers)

    def add(self, look: Look) -> None:
        """Take a look, later than all before."""
        self._count(look)
        heard = look.heard_at is not None and look.at - look.heard_at < HEARD
        probes = self._answers
        fresh = self.probed and look.at - probes.last_at < FRESH + INTERVAL
        good = (heard and look.ready > 0) or (fresh and probes.healthy)
        still_heard = heard and look.heard_at is not None and look.at - look.heard_at < HEARD - AFTER
        still_fresh = self.probed and look.at - probes.last_at < FRESH - 2 * INTERVAL
        bad = (still_heard and look.ready == 0) or (still_fresh and probes.ill)
        self.looks.append((look, good, bad))
        while self.looks[0][0].at < look.at - KEPT_SECONDS:
            self.looks.popleft()

    def _count(self, look: Look) -> None:
        """Count the answers since the last look by what the probe met then."""
        if not self.looks:
            return
        before, probes = self.looks[-1][0], self._answers
        if before.probe in {None, "unreachable"}:
            return
        seconds = look.at - before.at
        if before.at - probes.last_at >= FRESH:
            self._answers = probes = _Answers()
        if before.probe == "ok":
            probes.bad_least = probes.bad_most = 0.0
            probes.good_most += seconds / INTERVAL
            probes.good_least += max(0.0, seconds / INTERVAL)
            probes.healthy |= probes.good_most + 1 >= RISE
            probes.ill &= probes.good_least < RISE - 1
        else:
            probes.good_most = probes.good_least = 0.0
            probes.bad_most += seconds / INTERVAL
            probes.healthy &= probes.bad_most < FALL + 2
            probes.ill |= probes.bad_most >= FALL + 2
        probes.last_at = look.at

    def _around(self, at: float) -> Iterable[tuple[Look, bool, bool]]:
        return [each for each in self.looks if at - BEFORE <= each[0].at <= at + AFTER]

    def may_be_known_healthy(self, at: float) -> bool:
        """Return whether somebody can have had fresh evidence of health at ``at``."""
        around = self._around(at)
        return not around or any(good for _, good, _ in around)

    def must_be_known_healthy(self, at: float) -> bool:
        """Return whether everybody must have had fresh evidence of health at ``at``, and none of illness."""
        around = self._around(at)
        return bool(around) and all(
            look.probe in {"ok", None} and look.ready > 0 and good and not bad for look, good, bad in around
        )

    def is_known_ill(self, at: float) -> bool:
        """Return whether everybody must have had fresh evidence of illness at ``at``."""
        around = self._around(at)
        return bool(around) and all(bad for _, _, bad in around)
