"""Documents and statuses, as small as a store needs them."""

from collections.abc import Mapping

SPEC: Mapping[str, object] = {
    "routes": [{"kind": "HTTPRoute", "name": "checkout"}],
    "backends": {"stable": {"name": "v1", "port": 80}, "canary": {"name": "v2", "port": 80}},
    "steps": [{"weight": 5, "hold": "0s", "minRequests": 0, "approval": False}],
    "start": "OnRevision",
    "precision": 100,
    "drift": "Correct",
    "onDelete": "Restore",
    "progressDeadline": "10m",
    "suspend": False,
}
"""What an API server asks for, and what it would add by itself."""


def rollout_document(name: str = "checkout", *, namespace: str = "shop", **spec: object) -> dict[str, object]:
    """Return a Rollout's document with these fields in its spec."""
    metadata = {"name": name, "namespace": namespace}
    document = {"apiVersion": "rollout.dev/v1alpha1", "kind": "Rollout", "metadata": metadata}
    return {**document, "spec": {**SPEC, **spec}}


def policy_document(name: str = "envoy", *, kind: str = "ClusterRolloutPolicy", **spec: object) -> dict[str, object]:
    """Return a policy's document with these fields in its spec."""
    metadata = {"name": name} if kind == "ClusterRolloutPolicy" else {"name": name, "namespace": "shop"}
    return {"apiVersion": "rollout.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec}


def transition(number: int) -> dict[str, object]:
    """Return a transition as the status has it."""
    return {"number": number, "phase": "Progressing", "step": number, "weights": {"v1": 95, "v2": 5}}


def status(
    *numbers: int, handled: tuple[str, ...] = (), judge: Mapping[str, object] | None = None
) -> dict[str, object]:
    """Return a status of an attempt that runs, with these transitions, handled commands and judge's state."""
    ids = [{"id": one, "action": "pause", "done": True} for one in handled]
    return {
        "phase": "Progressing",
        "transitions": [transition(number) for number in numbers],
        "handledCommands": ids,
        "judge": judge,
    }
