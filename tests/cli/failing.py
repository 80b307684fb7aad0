"""Failover as the API answers it, built with whatever a test wants to be otherwise."""

from typing import Any

from rollout.api.models import Live, TransitionItem
from tests.cli.answers import BORN, idle, transition

NOW = BORN + 600
"""When a Rollout of ``tests.cli.answers`` is looked at."""

WAITS = {"reason": "WaitingForStableHealth", "message": "Failback needs 120 s of health, 80 s have passed."}


def signal(name: str = "endpoints", health: str = "Healthy", evidence: str = "2 of 2 ready") -> dict[str, Any]:
    """Return what one signal says, seen two seconds ago."""
    return {"signal": name, "health": health, "since": NOW - 90, "ageSeconds": 2.0, "evidence": evidence}


def backends() -> dict[str, Any]:
    """Return a primary that is down by its probe, its canary without a word, and a backup that has all."""
    down = [signal(), signal("probe", "Unhealthy", "3 of 3: 503")]
    usual = {"since": NOW - 90, "resting": False}
    return {
        "checkout-v2": {**usual, "role": "stable", "health": "Unhealthy", "share": 0, "signals": down},
        "checkout-v1": {**usual, "role": "canary", "health": "Unknown", "share": None, "signals": [], "resting": True},
        "checkout-dr": {**usual, "role": "backup", "health": "Healthy", "share": 100, "signals": [signal()]},
    }


def failover(**fields: Any) -> dict[str, Any]:  # noqa: ANN401 - any field
    """Return a failover to a backup twelve minutes ago, which waits for the primary to stay healthy."""
    usual: dict[str, Any] = {
        "phase": "FailedOver",
        "active": "checkout-dr",
        "epoch": 3,
        "since": NOW - 720,
        **WAITS,
        "mode": "Auto",
        "strategy": "Switch",
        "proposed": False,
        "awaySince": NOW - 720,
        "cause": ["probe"],
        "ready": True,
        "readyReason": "Watching",
        "readyMessage": "Traffic moves to a backup when the primary is down.",
        "journey": None,
        "damping": {"counted": 1, "most": 3, "perSeconds": 600},
        "drilling": None,
        "lastDrill": {"id": "2026-09-15T10:00", "at": NOW - 172_800, "result": "SUCCEEDED", "why": ""},
        "nextDrillAt": NOW + 86_400,
        "backends": backends(),
        "missing": [{**WAITS, "seconds": 40}],
        "commands": ["failover", "failback", "hold"],
    }
    return {**usual, **fields}


def failing(*, state: dict[str, Any] | None = None, **fields: Any) -> Live:  # noqa: ANN401 - any field
    """Return a Rollout at rest whose traffic is on its backup; `fields` are laid over its failover."""
    told = failover(**fields)
    weights = {"checkout-v2": 0, "checkout-v1": 0, "checkout-dr": 100}
    usual: dict[str, Any] = {
        "reason": told["reason"],
        "message": told["message"],
        "weights": {"intended": weights, "observed": weights, "effective": "Unknown"},
        "missing": told["missing"],
    }
    return idle(**{**usual, **(state or {}), "failover": told})


def at_home(**fields: Any) -> Live:  # noqa: ANN401 - any field
    """Return a Rollout whose failover is Normal."""
    home: dict[str, Any] = {
        "phase": "Normal",
        "active": "",
        "reason": "Watching",
        "message": "checkout-v2 is up.",
        "awaySince": None,
        "cause": [],
        "missing": [],
    }
    return failing(state={"reason": "Promoted", "message": "Promoted."}, **{**home, **fields})


def failed_over(number: int, phase: str, *, active: str = "checkout-dr", epoch: int = 1, message: str = "") -> Any:  # noqa: ANN401 - an item
    """Return a transition of failover."""
    where = {"phase": phase, "active": active, "epoch": epoch}
    said = message or f"Failover {epoch}: checkout-v2 is down (probe: 503)."
    return transition(number, phase="Idle", step=0, reason=phase, message=said, failover=where)


def history() -> list[TransitionItem]:
    """Return two failovers, the second under way, newest first."""
    return [
        failed_over(500, "FailedOver", epoch=2),
        failed_over(200, "Normal", active="", message="Failback 1 is done."),
        failed_over(150, "FailingBack", message="Failback 1 began."),
        failed_over(100, "FailedOver"),
        failed_over(99, "Confirming", active="", epoch=0, message="checkout-v2 is down; a move needs it to last."),
        transition(7),
    ]
