"""Sound manifests: the API server takes everything that the project shows, and what `rollout lint` takes."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.kubernetes.cluster import Cluster
from tests.kubernetes.crds.manifests import GROUP, PLURALS, collection, manifest, tried

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FILES = [
    path
    for folder in ("deploy", "docs", "policies")
    for path in sorted((ROOT / folder).rglob("*.yaml"))
    if "templates" not in path.parts  # what Helm makes of those is looked at where Helm is
]
FENCED = re.compile(r"^```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)
WHOLE: dict[str, Any] = {
    "policy": {"kind": "RolloutPolicy", "name": "house"},
    "routes": [
        {"kind": "GRPCRoute", "name": "checkout", "rule": "main"},
        {"kind": "GRPCRoute", "name": "checkout", "rule": 1},
        {"kind": "HTTPRoute", "name": "checkout", "namespace": "edge"},
    ],
    "backends": {
        "stable": {"name": "v1", "port": 80},
        "canary": {"name": "v2", "port": 80},
        "backups": [{"name": "v1", "port": 80, "namespace": "far"}, {"name": "v1", "port": 81}],
    },
    "start": "Manual",
    "revision": "2026.11.21-3",
    "steps": [
        {"weight": 0.5, "hold": "1h30m", "minRequests": 500, "approval": True},
        {"weight": 50, "gates": [{"name": "ci", "url": "http://[::1]:8080/ok?a=b", "timeout": "0.5s"}]},
    ],
    "analysis": {
        "judge": "Threshold",
        "objective": "99.9%",
        "confidence": "50 %",
        "minRequests": 0,
        "warmUp": "0",
        "onNoData": {"hold": "15m", "then": "Abort"},
        "checks": [
            {"name": "errors", "kind": "Errors", "judge": "Evidence", "tolerance": {"ratio": 1.2, "points": 0.02}},
            {"name": "slow", "kind": "SlowerThan", "bounds": ["250ms", "1s"], "failAbove": 1.5, "failures": 3},
            {
                "name": "depth",
                "kind": "Query",
                "query": 'max(x{s="{{backend.name}}"})',
                "failBelow": -1,
                "dryRun": True,
            },
        ],
    },
    "promotion": {"mode": "CopyTemplate"},
    "gateway": {"separateClusters": True, "minWriteInterval": "1.5s", "verifyRouteStatus": False},
    "precision": 1_000_000,
    "drift": "Pause",
    "onDelete": "Leave",
    "progressDeadline": "2d",
    "workloads": {"canary": {"kind": "Deployment", "name": "v2", "scaleUp": True}},
    "hooks": {"beforeStart": [{"name": "ci", "url": "https://ci.example"}]},
    "notify": [{"sink": "team", "on": ["Promoted"]}, {"sink": "team"}],
    "suspend": True,
}
METRICS = {
    "backendLabels": {"service": "{{ namespace }}/{{ backend.name }}"},
    "errors": {"total": 'requests_total{zone="a{b\\"}"}', "bad": ['{__name__=~"x{{ route.name }}_(2|4)"}']},
    "latency": {"buckets": "{{ backend.name }}_bucket", "unitsPerSecond": 1000},
    "podLabel": "pod",
}
POLICY: dict[str, Any] = {"ramp": {"from": 5, "to": 95, "by": 10, "every": "1m"}, "metrics": METRICS}


def shown() -> Iterator[tuple[str, dict[str, Any]]]:
    """Give every manifest of ours in the tree that is meant for a cluster, with where it stands."""
    for path in FILES:
        yield from of_ours(path, path.read_text(encoding="utf-8"))
    for path in PAGES:
        for number, text in enumerate(FENCED.findall(path.read_text(encoding="utf-8"))):
            yield from of_ours(Path(f"{path}.{number}"), text)


def of_ours(path: Path, text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give the documents of a text, and the Rollouts of rehearsals, whose kind is ours and not for plain Envoy."""
    if f"{GROUP}/" not in text:
        return
    for document in YAML(typ="safe").load_all(text):
        found = document.get("rollout", document) if isinstance(document, dict) else {}
        kinds = {route["kind"] for route in found.get("spec", {}).get("routes", ()) if found.get("kind") == "Rollout"}
        if found.get("kind") in PLURALS and found["apiVersion"].startswith(GROUP) and "EnvoyRoute" not in kinds:
            yield f"{path.relative_to(ROOT)}:{found['kind']}-{found['metadata']['name']}", found


SHOWN = dict(shown())


@pytest.mark.parametrize("place", SHOWN)
def test_what_the_project_shows_is_accepted(cluster: Cluster, namespace: str, place: str) -> None:
    """Examples, ready policies and manifests in the documentation work as they stand."""
    document = {**SHOWN[place], "metadata": {"name": SHOWN[place]["metadata"]["name"]}}
    status, answer = tried(cluster, namespace, document)

    assert status == 201, answer["message"]


def test_there_is_something_to_show() -> None:
    """Rollouts and policies for a cluster stand in the tree."""
    assert {document["kind"] for document in SHOWN.values()} >= {"Rollout", "ClusterRolloutPolicy"}


def test_every_field_is_taken(cluster: Cluster, namespace: str) -> None:
    """A Rollout with every field is stored as it was written; defaults are added to the items of lists only."""
    stored = cluster.apply(collection("Rollout", namespace), manifest("Rollout", **WHOLE))["spec"]

    assert stored["analysis"]["checks"][0] == {**WHOLE["analysis"]["checks"][0], "failures": 1, "dryRun": False}
    assert {field: stored[field] for field in ("routes", "backends", "gateway", "notify", "workloads")} == {
        field: WHOLE[field] for field in ("routes", "backends", "gateway", "notify", "workloads")
    }


def test_the_largest_rollout_is_taken(cluster: Cluster, namespace: str) -> None:
    """With as much of everything as is allowed, checking the rules stays within what the API server grants."""
    gates = [{"name": f"gate-{number}", "url": f"https://ci.example/{'x' * 1000}"} for number in range(8)]
    query = f'max(depth{{s="{{{{ backend.name }}}}",t="{"x" * 4000}"}})'
    checks = [{"name": f"check-{number}", "kind": "Query", "query": query, "failAbove": 1} for number in range(20)]
    document = manifest(
        routes=[{"kind": "HTTPRoute", "name": f"web-{number}", "rule": "main"} for number in range(64)],
        steps=[{"weight": 5, "hold": "1h" * 32, "gates": gates} for _ in range(100)],
        analysis={"checks": checks, "earlyPass": True},
        notify=[{"sink": "team", "on": [f"Reason{number}" for number in range(40)]} for _ in range(20)],
    )
    status, answer = tried(cluster, namespace, document)

    assert status == 201, answer["message"][:500]


@pytest.mark.parametrize("kind", ["RolloutPolicy", "ClusterRolloutPolicy"])
def test_every_template_is_taken(cluster: Cluster, namespace: str, kind: str) -> None:
    """A policy with metric templates is taken, with placeholders in every place where they may stand."""
    status, answer = tried(cluster, namespace, manifest(kind, **POLICY))

    assert status == 201, answer["message"]
    assert answer["spec"] == POLICY


def test_no_default_hides_the_policy(cluster: Cluster, namespace: str) -> None:
    """The API server adds nothing that a policy could give: what stands in a Rollout wins over its policy."""
    stored = cluster.apply(collection("Rollout", namespace), manifest(policy={"kind": "RolloutPolicy", "name": "x"}))

    assert set(stored["spec"]) == {
        *("policy", "routes", "backends", "steps"),
        *("start", "precision", "drift", "onDelete", "progressDeadline", "suspend"),
    }


def test_an_empty_field_counts_as_absent(cluster: Cluster, namespace: str) -> None:
    """Templates leave such fields behind; `rollout lint` lets them pass, too."""
    document = manifest()
    document["spec"] |= {"policy": None, "analysis": {"judge": None}, "drift": None}
    stored = cluster.apply(collection("Rollout", namespace), document)["spec"]

    assert (stored.get("policy"), stored["analysis"], stored["drift"]) == (None, {}, "Correct")
