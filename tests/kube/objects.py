"""Rollouts as an API server gives them, as small as the tests of the store's parts need them."""

from collections.abc import Mapping
from typing import Any

from rollout.kube.orders import COMMAND

WRITTEN_AT = 1_795_255_200.0
WRITTEN = "2026-11-21T10:00:00Z"


def transition(number: int, **others: object) -> dict[str, Any]:
    """Return a transition as the status has it."""
    return {"number": number, "phase": "Progressing", **others}


def rollout_object(
    name: str = "checkout",
    *,
    version: int = 7,
    uid: str = "u1",
    status: Mapping[str, object] | None = None,
    spec: object = None,
    **metadata: object,
) -> dict[str, Any]:
    """Return a Rollout with this status and more metadata."""
    given = {"name": name, "namespace": "shop", "uid": uid, "resourceVersion": str(version), "generation": 1}
    made: dict[str, Any] = {"metadata": {**given, **metadata}, "spec": {"revision": "1"} if spec is None else spec}
    return made if status is None else {**made, "status": status}


def with_transitions(version: int, *numbers: int, name: str = "checkout", uid: str = "u1") -> dict[str, Any]:
    """Return a Rollout whose status has transitions of these numbers."""
    return rollout_object(name, version=version, uid=uid, status={"transitions": [transition(one) for one in numbers]})


def annotated(text: str, *, by: str = "kubectl-annotate", at: str | None = WRITTEN) -> dict[str, Any]:
    """Return a Rollout that carries a command, as this field manager wrote it."""
    field: dict[str, Any] = {"f:metadata": {"f:annotations": {f"f:{COMMAND}": {}}}}
    return rollout_object(annotations={COMMAND: text}, managedFields=[{"manager": by, "time": at, "fieldsV1": field}])
