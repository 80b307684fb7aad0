"""Answers of the API, built with whatever a test wants to be otherwise."""

from typing import Any

from rollout.api.models import Document, Live, Summary, TransitionEvent, TransitionItem

BORN = 1_790_000_000.0


def live(**fields: Any) -> Live:  # noqa: ANN401 - any field
    """Return a Rollout in step 2 of 4, with what is said of it."""
    usual: dict[str, Any] = {
        "namespace": "default",
        "name": "checkout",
        "at": BORN + 600,
        "phase": "Progressing",
        "reason": "Holding",
        "message": "The hold time of step 2 is not over.",
        "attempt": 3,
        "step": 2,
        "steps": [5, 25, 50, 100],
        "revision": "v1.4.2",
        "stable": "checkout-v1",
        "canary": "checkout-v2",
        "weights": {
            "intended": {"checkout-v1": 75, "checkout-v2": 25},
            "observed": {"checkout-v1": 75, "checkout-v2": 25},
            "effective": "True",
        },
        "hold": {"seconds": 130, "ofSeconds": 300, "leftSeconds": 170, "running": True},
        "verdict": "Continue",
        "verdictReason": "NotEnoughEvidence",
        "verdictMessage": "Nothing speaks against the canary so far.",
        "requests": {"canary": 812, "needed": 1000, "canaryInStep": 412, "neededInStep": 500, "perSecond": 12.34},
        "checks": [
            {
                "name": "errors",
                "kind": "errors",
                "verdict": "Continue",
                "reason": "NotEnoughEvidence",
                "sentence": "2 of 812 canary requests failed, 1 of 2400 of stable",
                "evidence": 0.9,
                "limit": 3.0,
                "share": 0.3,
                "canary": {"bad": 2, "total": 812},
                "stable": {"bad": 1, "total": 2400},
                "dryRun": False,
            }
        ],
        "health": {
            "checkout-v1": {"ready": 8, "total": 8, "known": True},
            "checkout-v2": {"ready": 7, "total": 8, "known": True},
        },
        "missing": [{"reason": "Holding", "message": "The hold time is not over.", "seconds": 170}],
        "nextStepInSeconds": 170,
        "waiting": None,
        "problems": [],
    }
    return Live.model_validate({**usual, **fields})


def idle(**fields: Any) -> Live:  # noqa: ANN401 - any field
    """Return a Rollout whose attempt was promoted."""
    done = {"phase": "Idle", "reason": "Promoted", "message": "Promoted: checkout-v2 has the stable role.", "step": 0}
    rest: dict[str, Any] = {
        "hold": None,
        "requests": None,
        "checks": [],
        "missing": [],
        "verdict": None,
        "next_step_in_seconds": None,
    }
    weights = {"intended": {"checkout-v1": 0, "checkout-v2": 100}, "observed": {}, "effective": "Unknown"}
    return live(**{**done, **rest, "weights": weights, "stable": "checkout-v2", "canary": "checkout-v1", **fields})


def document(name: str = "checkout", namespace: str = "default", **status: Any) -> Document:  # noqa: ANN401 - any field
    """Return a resource."""
    metadata = {"name": name, "namespace": namespace, "generation": 2, "resourceVersion": "7"}
    return {
        "apiVersion": "rollout.dev/v1alpha1",
        "kind": "Rollout",
        "metadata": {**metadata, "creationTimestamp": "2026-09-21T14:13:20Z", "labels": {"team": "shop"}},
        "spec": {"steps": [{"weight": 5}]},
        "status": {"phase": "Progressing", "observedGeneration": 2, **status},
    }


def summary(name: str = "checkout", **fields: Any) -> Summary:  # noqa: ANN401 - any field
    """Return one Rollout of a list."""
    usual: dict[str, Any] = {
        "namespace": "default",
        "name": name,
        "labels": {"team": "shop"},
        "phase": "Progressing",
        "reason": "Holding",
        "message": "The hold time of step 2 is not over.",
        "attempt": 3,
        "step": 2,
        "steps": 4,
        "weight": 25.0,
        "stable": "checkout-v1",
        "canary": "checkout-v2",
        "revision": "v1.4.2",
        "failover": "Normal",
        "created_at": BORN,
        "generation": 2,
        "resource_version": "7",
        "deleting": False,
    }
    return Summary.model_validate({**usual, **fields})


def transition(number: int = 7, **fields: Any) -> TransitionItem:  # noqa: ANN401 - any field
    """Return a transition into step 2."""
    usual: dict[str, Any] = {
        "number": number,
        "at": BORN + number,
        "phase": "Progressing",
        "step": 2,
        "weights": {"checkout-v1": 75, "checkout-v2": 25},
        "reason": "StepStarted",
        "message": "Step 2 of 4: 25 % to the canary.",
    }
    return TransitionItem.model_validate({**usual, **fields})


def promoted(number: int = 9) -> TransitionItem:
    """Return the transition that ends an attempt well."""
    message = "Promoted: checkout-v2 has the stable role."
    return transition(number, phase="Idle", step=0, reason="Promoted", message=message)


def rolled_back(number: int = 9) -> TransitionItem:
    """Return the transition that ends an attempt badly."""
    return transition(number, phase="Aborted", step=0, reason="ErrorsWorse", message="Rolled back: too many errors.")


def event(item: TransitionItem, name: str = "checkout", namespace: str = "default") -> TransitionEvent:
    """Return a transition as an event."""
    return TransitionEvent(namespace=namespace, name=name, transition=item)
