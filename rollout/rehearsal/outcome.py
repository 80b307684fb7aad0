"""What a rehearsal came to, as values and as the JSON that is printed; times in seconds from the start.

Made by ``rollout.rehearsal.rehearse``, shown as text by ``rollout.rehearsal.report``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rollout.rehearsal.store import Said
from rollout.rehearsal.world import EPOCH, World
from rollout.spec.quantities import format_duration

_DIGITS = 3
_BEFORE_SECONDS = 1e6
_TIMES_FROM = EPOCH - _BEFORE_SECONDS


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything that is told of a rehearsal, as JSON values.

    In no JSON: ``said``, what the records said between the transitions, for the timeline; and
    ``doubled``, transitions whose number was taken (none, as long as the controller is sound).
    """

    transitions: Sequence[Mapping[str, Any]]
    writes: Sequence[Mapping[str, Any]]
    requests: Mapping[str, Mapping[str, Any]]
    final: Mapping[str, Any]
    refused: Sequence[Mapping[str, Any]]
    said: Sequence[Said] = ()
    doubled: Sequence[Mapping[str, Any]] = ()

    def to_json(self) -> str:
        """Return the outcome as JSON text: the same for the same outcome, to the byte."""
        told = {
            "transitions": self.transitions,
            "writes": self.writes,
            "requests": self.requests,
            "final": self.final,
            "refused": self.refused,
        }
        return json.dumps(told, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def outcome_of(world: World, bounds: Sequence[float]) -> Outcome:
    """Return what ``world`` has seen."""
    store = world.store
    return Outcome(
        transitions=[_transition(entry) for entry in store.history],
        writes=[{"at": _rounded(w.at), "route": w.route, "weights": dict(w.weights)} for w in world.routes.writes],
        requests={name: _requests(world, name, bounds) for name in world.services},
        final=relative(store.last_status),
        refused=[
            {"at": relative(r.at), "command": r.command, "reason": r.reason, "message": r.message}
            for r in store.refused
        ],
        doubled=store.doubled,
        said=[replace(said, at=relative(said.at)) for said in store.said],
    )


def _transition(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    fields = ("at", "number", "phase", "step", "weights", "reason", "message", "failover")
    return {name: relative(entry[name]) for name in fields}


def _requests(world: World, name: str, bounds: Sequence[float]) -> Mapping[str, Any]:
    counts = world.services[name].totals()
    slow = {format_duration(bound): count for bound, count in zip(bounds, counts.slow, strict=True)}
    return {"total": counts.total, "bad": counts.bad, "slow": slow}


def relative(value: Any) -> Any:  # noqa: ANN401 - JSON in, JSON out
    """Return a JSON value with every Unix time in it turned into seconds from the start."""
    match value:
        case bool():
            return value
        case int() | float() if value > _TIMES_FROM:
            return _rounded(max(0.0, value - EPOCH))
        case dict():
            return {key: relative(inner) for key, inner in value.items()}
        case list():
            return [relative(inner) for inner in value]
        case _:
            return value


def _rounded(seconds: float) -> float:
    return round(seconds, _DIGITS)
