"""What a spectator is shown: one frozen picture of the demo, made a few times a second.

Made by ``rollout.demo.show``, drawn by ``rollout.demo.live`` or told by ``rollout.demo.lines``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from rollout.demo.acts import Act, ActResult
from rollout.demo.attempts import canary_of
from rollout.demo.world import BACKUP
from rollout.engine.state import State, Transition
from rollout.failover.table import Stage as Standing


@dataclass(frozen=True, slots=True)
class Stage:
    """One service: its Rollout's state, the weights in force and the revision of each backend, and its traffic.

    ``rate`` is requests a second over the last 2 s, ``failed`` counts those of this act.
    """

    service: str
    protocol: str
    state: State | None
    weights: Mapping[str, int]
    revisions: Mapping[str, str]
    rate: float
    failed: int
    p50_seconds: float
    p99_seconds: float

    @property
    def stable(self) -> str:
        """Return the backend with the stable role."""
        return (self.state.stable if self.state is not None else "") or f"{self.service}-blue"

    @property
    def news(self) -> tuple[Transition, ...]:
        """Return the transitions that say something new.

        One that says again what the one before it said (the weights of an abort are back) is left out.
        """
        made = self.state.transitions if self.state is not None else ()
        before = ("", *(transition.message for transition in made))
        return tuple(transition for transition, said in zip(made, before, strict=False) if transition.message != said)

    @property
    def canary(self) -> str:
        """Return the other backend."""
        return canary_of(self.service, self.stable)

    @property
    def backup(self) -> str:
        """Return the backend that stands by, empty while the Rollout asks for none."""
        return backup_of(self.service) if self.state is not None and self.state.tiers is not None else ""


@dataclass(frozen=True, slots=True)
class Scene:
    """The whole demo at one moment. ``act`` is None before the first; ``at`` is Unix seconds."""

    act: Act | None
    number: int
    acts: int
    at: float
    elapsed_seconds: float
    stages: tuple[Stage, ...]
    address: str
    source: str

    @property
    def decisions(self) -> tuple[tuple[str, Transition], ...]:
        """Return (service, transition) of all that is still told, in order of time."""
        told = [(stage.service, made) for stage in self.stages for made in stage.news]
        return tuple(sorted(told, key=lambda one: one[1].at))


def backup_of(service: str) -> str:
    """Return the backend that stands by for ``service``."""
    return f"{service}-{BACKUP}"


def standing(made: Transition) -> str:
    """Return where a transition led: where failover stood while traffic was away, else the phase of the attempt."""
    away = made.failover is not None and made.failover.phase is not Standing.NORMAL
    return made.failover.phase if made.failover is not None and away else made.phase


def sentence(reason: str, message: str) -> str:
    """Return the reason and the sentence, without saying the same word twice."""
    return message if message.startswith(f"{reason}:") else f"{reason}: {message}"


class Spectator(Protocol):
    """Who is shown the demo."""

    def look(self, scene: Scene) -> None:
        """Take in a picture; called about four times a second."""
        ...

    def ended(self, result: ActResult) -> None:
        """Take in the end of an act."""
        ...
