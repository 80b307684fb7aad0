"""How a Rollout looks from outside: the resource with its live status, and its line in a list.

Called by the routes. Where the controller has not looked yet, the recorded status stands in for the live one. What only
the engine needs (``engine``, ``judge``) is not shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rollout.api.models import Document, Summary
from rollout.controller.controller import Controller
from rollout.engine.state import State
from rollout.engine.status import to_status
from rollout.failover.table import Stage
from rollout.ports import Key, StoredRollout
from rollout.spec.base import API_VERSION
from rollout.spec.plan import steps_of

HIDDEN = frozenset({"engine", "judge"})
"""Fields of the status that are the engine's own."""

SERVERS = frozenset({"creationTimestamp", "generation", "resourceVersion", "uid", "managedFields", "selfLink"})
"""Fields of the metadata that the server gives; in what is applied they mean nothing."""


def etag_of(stored: StoredRollout) -> str:
    """Return the version as HTTP has it."""
    return f'"{stored.version}"'


def resource_of(stored: StoredRollout, controller: Controller) -> Document:
    """Return the whole resource: the manifest, what the server knows of it, and the live status."""
    given = stored.document.get("metadata")
    metadata = {name: value for name, value in _mapping(given).items() if name not in SERVERS}
    known = {
        **({"creationTimestamp": timestamp(stored.created_at)} if stored.created_at else {}),
        "generation": stored.generation,
        "name": stored.key.name,
        "namespace": stored.key.namespace,
        "resourceVersion": stored.version,
    }
    rest = {name: value for name, value in stored.document.items() if name not in {"metadata", "status"}}
    state = controller.state(stored.key)
    status: Mapping[str, object] = to_status(state) if state is not None else stored.status
    shown = {name: value for name, value in status.items() if name not in HIDDEN}
    return {"apiVersion": API_VERSION, **rest, "metadata": {**metadata, **known}, "status": shown}


def timestamp(at: float) -> str:
    """Return Unix seconds as RFC 3339 has them, in UTC and whole seconds."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def labels_of(stored: StoredRollout) -> dict[str, str]:
    """Return the labels; what is no text in them is left out."""
    labels = _mapping(_mapping(stored.document.get("metadata")).get("labels"))
    return {str(name): value for name, value in labels.items() if isinstance(value, str)}


def summary_of(stored: StoredRollout, controller: Controller) -> Summary:
    """Return the Rollout's line in a list."""
    state = controller.state(stored.key)
    standing = _live(state) if state is not None else _recorded(stored.status)
    wanted = controller.effective(stored.key)
    return Summary(
        namespace=stored.key.namespace,
        name=stored.key.name,
        labels=labels_of(stored),
        phase=standing.phase,
        reason=standing.reason,
        message=standing.message,
        attempt=standing.attempt,
        step=standing.step,
        steps=len(steps_of(wanted.spec)) if wanted is not None else 0,
        weight=standing.weight,
        stable=standing.stable,
        canary=standing.canary,
        revision=standing.revision,
        failover=standing.failover,
        failover_reason=standing.failover_reason,
        active=standing.active,
        created_at=stored.created_at,
        generation=stored.generation,
        resource_version=stored.version,
        deleting=stored.deleting,
    )


@dataclass(frozen=True, slots=True)
class _Standing:
    """Where a Rollout stands, as a list tells it."""

    phase: str
    reason: str
    message: str
    attempt: int
    step: int
    weight: float
    stable: str
    canary: str
    revision: str
    failover: str
    failover_reason: str
    active: str


def _live(state: State) -> _Standing:
    return _Standing(
        phase=state.phase.value,
        reason=state.reason,
        message=state.message,
        attempt=state.attempt,
        step=state.step,
        weight=state.share,
        stable=state.stable,
        canary=state.canary,
        revision=state.revision,
        failover=state.failover.stage.value,
        failover_reason=state.failover.reason if state.tiers is not None else "",
        active=state.failover.active,
    )


def _recorded(status: Mapping[str, Any]) -> _Standing:
    failover = _mapping(status.get("failover"))
    return _Standing(
        phase=str(status.get("phase", "")),
        reason=str(status.get("reason", "")),
        message=str(status.get("message", "")),
        attempt=_whole(status, "attempt"),
        step=_whole(status, "step"),
        weight=_number(_mapping(status.get("engine")), "share"),
        stable=str(status.get("stable", "")),
        canary=str(status.get("canary", "")),
        revision=str(status.get("revision", "")),
        failover=str(failover.get("phase", Stage.NORMAL)),
        failover_reason=str(failover.get("reason", "")),
        active=str(failover.get("active", "")),
    )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _whole(status: Mapping[str, Any], name: str) -> int:
    value = status.get(name)
    return value if isinstance(value, int) else 0


def _number(status: Mapping[str, Any], name: str) -> float:
    value = status.get(name)
    return float(value) if isinstance(value, int | float) else 0.0


def key_text(key: Key) -> str:
    """Return how sentences name a Rollout."""
    return f"Rollout {key}"
