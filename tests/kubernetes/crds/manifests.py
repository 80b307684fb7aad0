"""Sound manifests for a cluster, and where the API server keeps each kind."""

from typing import Any

from tests.kubernetes.cluster import Cluster

GROUP = "rollout.dev"
PLURALS = {
    "Rollout": "rollouts",
    "RolloutPolicy": "rolloutpolicies",
    "ClusterRolloutPolicy": "clusterrolloutpolicies",
}
SPEC = {
    "routes": [{"kind": "HTTPRoute", "name": "web"}],
    "backends": {"stable": {"name": "web-v1", "port": 8080}, "canary": {"name": "web-v2", "port": 8080}},
    "steps": [{"weight": 5, "hold": "2m"}],
}


def manifest(kind: str = "Rollout", name: str = "web", **spec: object) -> dict[str, Any]:
    """Return a sound manifest with `spec` laid over its spec; None takes a field away."""
    whole = {**(SPEC if kind == "Rollout" else {}), **spec}
    kept = {field: value for field, value in whole.items() if value is not None}
    return {"apiVersion": f"{GROUP}/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": kept}


def collection(kind: str, namespace: str, group: str = GROUP) -> str:
    """Return the path of the objects of a kind."""
    place = "" if kind.startswith("Cluster") else f"/namespaces/{namespace}"
    return f"/apis/{group}/v1alpha1{place}/{PLURALS[kind]}"


def tried(cluster: Cluster, namespace: str, document: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """Send a manifest as `kubectl apply --dry-run=server` does: unknown fields are errors, and nothing is stored."""
    path = collection(document["kind"], namespace)
    return cluster.ask("POST", f"{path}?dryRun=All&fieldValidation=Strict", document)
