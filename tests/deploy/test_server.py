"""Facts about manifests and the real API server: it takes every one of them, unknown fields and all rules included."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.deploy.rendering import CHART, DEPLOY, OVERLAYS, Object, composed, documents, helm, kustomized, templated
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.fixtures import KUBERNETES

pytestmark = [*KUBERNETES, pytest.mark.timeout(180)]

EVERYTHING = {
    "replicaCount": 3,
    "tls.certManager.enabled": True,
    "podMonitor.enabled": True,
    "alerts.enabled": True,
    "dashboard.enabled": True,
    "rbac.applying": True,
    "settings": {"tick": "5s"},
    "podAnnotations": {"example.com/team": "web"},
    "tolerations": [{"key": "control", "operator": "Exists"}],
    "priorityClassName": "system-cluster-critical",
    "secretFiles.sinks.secretName": "rollout-sinks",
    "secretFiles.hooks.secretName": "rollout-hooks",
    "networkPolicy.extraEgress": [{"to": [{"ipBlock": {"cidr": "192.0.2.0/24"}}]}],
    "networkPolicy.extraIngress": [{"from": [{"ipBlock": {"cidr": "192.0.2.0/24"}}]}],
    "extraVolumes": [{"name": "more", "secret": {"secretName": "more"}}],
    "extraVolumeMounts": [{"name": "more", "mountPath": "/etc/rollout/more", "readOnly": True}],
}


async def taken(cluster: Cluster, folder: Path, objects: list[Object]) -> list[str]:
    """Return what the API server says of the objects when they are only tried; unknown fields are refused."""
    file = folder / "objects.json"
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}), encoding="utf-8")
    told = await cluster.kubectl(
        *("apply", "--server-side", "--dry-run=server", "--validate=strict", "--force-conflicts", "-f", str(file))
    )
    return told.splitlines()


@pytest.mark.parametrize("overlay", ["one-replica", "three-replicas", "namespaced", "complete"])
async def test_an_overlay_is_taken(knowing: Cluster, tmp_path: Path, overlay: str) -> None:
    """Every object of it."""
    objects = kustomized(OVERLAYS / overlay)
    told = await taken(knowing, tmp_path, objects)

    assert len(told) == len(objects)
    assert all(line.endswith("(server dry run)") for line in told)


async def test_components_are_taken(knowing: Cluster, tmp_path: Path) -> None:
    """Those that no overlay has by itself."""
    files = ("sinks", "hooks", "gate-secret", "probe-certificates", "prometheus-token", "prometheus-ca")
    named = [f"kustomize/components/{name}" for name in ("scraper", "pod-monitor", *files)]
    more = (*named, "rbac/applying")
    objects = composed(tmp_path, "three-replicas", *more)
    told = await taken(knowing, tmp_path, objects)

    assert [one["kind"] for one in objects if one["kind"] == "PodMonitor"] == ["PodMonitor"]
    assert len(told) == len(objects)


async def test_the_chart_is_taken_with_all_its_values(knowing: Cluster, tmp_path: Path) -> None:
    """Every value makes something that the API server knows."""
    objects = templated(EVERYTHING)
    told = await taken(knowing, tmp_path, objects)

    assert len(told) == len(objects)


async def test_pods_keep_the_strictest_standard(knowing: Cluster, tmp_path: Path) -> None:
    """In a namespace that enforces it a pod of the Deployment is let in."""
    knowing.make_namespace("strict")
    labels = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
    knowing.ask("PATCH", "/api/v1/namespaces/strict", labels, content="application/merge-patch+json")
    (deployment,) = [one for one in kustomized(OVERLAYS / "one-replica") if one["kind"] == "Deployment"]
    template = deployment["spec"]["template"]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "one", "namespace": "strict", "labels": template["metadata"]["labels"]},
        "spec": template["spec"],
    }
    weaker = {**pod, "spec": {**pod["spec"], "securityContext": {}}}
    status, answer = knowing.ask("POST", "/api/v1/namespaces/strict/pods?dryRun=All", weaker)

    assert len(await taken(knowing, tmp_path, [pod])) == 1
    assert (status, "violates PodSecurity" in answer["message"]) == (403, True)


async def test_definitions_are_taken(knowing: Cluster, tmp_path: Path) -> None:
    """Those of the folder, which are those of the chart, and those that Helm shows before an upgrade."""
    told = await knowing.kubectl(
        "apply", "--server-side", "--dry-run=server", "--force-conflicts", "-f", str(DEPLOY / "crds")
    )

    shown = subprocess.run([helm(), "show", "crds", str(CHART)], capture_output=True, text=True, timeout=60, check=True)

    assert len(told.splitlines()) == 3
    assert len(await taken(knowing, tmp_path, documents(shown.stdout))) == 3
    assert {path.name for path in (CHART / "crds").iterdir()} == {path.name for path in (DEPLOY / "crds").iterdir()}
