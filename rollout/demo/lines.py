"""Tells the demo in plain lines, for a log or a terminal without a screen.

A spectator of ``rollout.demo.show``: one line for each decision, one for the traffic every five
seconds, one for the end of each act.
"""

from __future__ import annotations

from collections.abc import Callable

from rollout.demo.acts import Act, ActResult
from rollout.demo.report import figures_text, outcome_text, seconds_text
from rollout.demo.scene import Scene, Stage, sentence, standing
from rollout.engine.state import Transition

_TRAFFIC_SECONDS = 5.0


class Lines:
    """A spectator that hands each line to ``write``."""

    def __init__(self, write: Callable[[str], None]) -> None:
        """Begin before the first act."""
        self._write = write
        self._act: Act | None = None
        self._told: dict[str, int] = {}
        self._traffic_at = 0.0
        self._elapsed = 0.0

    def look(self, scene: Scene) -> None:
        """Write what is new."""
        self._elapsed = scene.elapsed_seconds
        if scene.act is not self._act:
            self._act = scene.act
            self._begin(scene)
        for service, made in scene.decisions:
            if made.number > self._told.get(service, 0):
                self._told[service] = made.number
                self._line(decision_text(service, made))
        if scene.elapsed_seconds >= self._traffic_at:
            self._traffic_at = scene.elapsed_seconds + _TRAFFIC_SECONDS
            self._line("traffic: " + "; ".join(traffic_text(stage) for stage in scene.stages))

    def ended(self, result: ActResult) -> None:
        """Write how the act went."""
        counts = f"{result.requests} requests, {result.failed} failed"
        how = f"{outcome_text(result.outcome)} in {seconds_text(result.seconds)}{figures_text(result)}"
        self._line(f"{result.act.name}: {how}; {counts}")

    def _begin(self, scene: Scene) -> None:
        if scene.act is not None:
            self._line(f"act {scene.number} of {scene.acts}, {scene.act.name}: {scene.act.title}")

    def _line(self, text: str) -> None:
        self._write(f"{self._elapsed:5.1f}s  {text}")


def decision_text(service: str, made: Transition) -> str:
    """Return a decision as one line: the service, its phase, the canary's weight, and the sentence why."""
    weights = ", ".join(f"{name} {weight}" for name, weight in made.weights)
    return f"{service}: {standing(made)} ({weights}) {sentence(made.reason, made.message)}"


def traffic_text(stage: Stage) -> str:
    """Return a service's traffic in a few words."""
    weights = ", ".join(f"{name} {weight}" for name, weight in stage.weights.items())
    return (
        f"{stage.service} {stage.rate:.0f}/s, {stage.failed} failed, p99 {stage.p99_seconds * 1000:.0f} ms ({weights})"
    )
