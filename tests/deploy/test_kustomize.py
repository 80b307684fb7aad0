"""Facts about the kustomize overlays: what a pod may do, which settings it is given, and who scrapes it."""

from __future__ import annotations

import pytest

from rollout.settings.reading import read_settings
from rollout.settings.table import RuntimeName
from tests.deploy.rendering import DEPLOY, OVERLAYS, kustomized, only, read, variables

pytestmark = pytest.mark.real

ALL = sorted(path.name for path in OVERLAYS.iterdir())


def test_the_overlays_are_those_that_are_told() -> None:
    """One replica, three, a service of a namespace's own, and all that a cluster may add."""
    assert ALL == ["complete", "namespaced", "one-replica", "three-replicas"]


@pytest.mark.parametrize("overlay", ALL)
def test_a_pod_may_do_as_little_as_it_needs(overlay: str) -> None:
    """No root, no privilege, no writable root, one token, and no variable of a Service's that looks like a setting."""
    pod = only(kustomized(OVERLAYS / overlay), "Deployment")["spec"]["template"]["spec"]
    (container,) = pod["containers"]

    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["enableServiceLinks"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
    }
    assert container["resources"]["limits"].keys() == {"memory", "ephemeral-storage"}
    assert container["resources"]["requests"].keys() == {"cpu", "memory", "ephemeral-storage"}


@pytest.mark.parametrize("overlay", ALL)
def test_its_variables_are_settings_that_hold_together(overlay: str) -> None:
    """Each is one that the service knows, and all rules between them are kept: TLS where others reach it."""
    given = variables(only(kustomized(OVERLAYS / overlay), "Deployment"))
    told = {name: value if isinstance(value, str) else "from-the-pod" for name, value in given.items()}
    effective = read_settings({}, told)

    assert effective.warnings == ()
    assert effective.settings.runtime is RuntimeName.KUBERNETES
    assert effective.settings.address is not None
    assert not effective.settings.address.is_loopback


@pytest.mark.parametrize("overlay", ALL)
def test_probes_ask_what_needs_no_token_by_tls(overlay: str) -> None:
    """The kubelet has neither a token nor the certificate's authority."""
    (container,) = only(kustomized(OVERLAYS / overlay), "Deployment")["spec"]["template"]["spec"]["containers"]
    probes = {kind: container[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness", "readiness")}

    assert {kind: probe["path"] for kind, probe in probes.items()} == {
        "startup": "/healthz",
        "liveness": "/healthz",
        "readiness": "/readyz",
    }
    assert {probe["scheme"] for probe in probes.values()} == {"HTTPS"}
    assert {probe["port"] for probe in probes.values()} == {container["ports"][0]["name"]}


@pytest.mark.parametrize("overlay", ALL)
def test_replicas_are_apart_where_they_can_be(overlay: str) -> None:
    """On other nodes and in other zones, of which a small cluster has none."""
    template = only(kustomized(OVERLAYS / overlay), "Deployment")["spec"]["template"]
    pod, labels = template["spec"], template["metadata"]["labels"]
    (preferred,) = pod["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    (spread,) = pod["topologySpreadConstraints"]

    assert preferred["podAffinityTerm"]["topologyKey"] == "kubernetes.io/hostname"
    assert spread["topologyKey"] == "topology.kubernetes.io/zone"
    assert spread["whenUnsatisfiable"] == "ScheduleAnyway"
    assert preferred["podAffinityTerm"]["labelSelector"] == spread["labelSelector"] == {"matchLabels": labels}


@pytest.mark.parametrize(("overlay", "replicas"), [("one-replica", 1), ("three-replicas", 3), ("namespaced", 1)])
def test_replicas_are_taken_down_one_at_a_time(overlay: str, replicas: int) -> None:
    """A node with the only one can be drained, too."""
    objects = kustomized(OVERLAYS / overlay)

    assert only(objects, "Deployment")["spec"]["replicas"] == replicas
    assert only(objects, "PodDisruptionBudget")["spec"]["maxUnavailable"] == 1
    assert only(objects, "Deployment")["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}


@pytest.mark.parametrize("overlay", ALL)
def test_what_selects_pods_selects_these(overlay: str) -> None:
    """Service, budget and policy mean the pods of the Deployment."""
    objects = kustomized(OVERLAYS / overlay)
    labels = only(objects, "Deployment")["spec"]["template"]["metadata"]["labels"]

    assert only(objects, "Service")["spec"]["selector"] == labels
    assert only(objects, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"] == labels
    assert only(objects, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"] == labels


def test_a_service_of_a_namespace_has_no_rights_elsewhere() -> None:
    """But those that are in no namespace: policies of the cluster, and whose a token is."""
    objects = kustomized(OVERLAYS / "namespaced")
    bound = [one["roleRef"]["name"] for one in objects if one["kind"] == "ClusterRoleBinding"]

    assert bound == ["rollout-controller-cluster-shop"]
    assert {one["metadata"].get("namespace", "shop") for one in objects} == {"shop"}


@pytest.mark.parametrize("kind", ["service-monitor", "pod-monitor"])
def test_a_scrape_leaves_the_labels_of_a_rollout(kind: str) -> None:
    """Alerts and dashboard take `namespace` for the Rollout's own; the token and the authority come from Secrets."""
    (monitor,) = read(DEPLOY / "kustomize" / "components" / kind / f"{kind}.yaml")
    (endpoint,) = monitor["spec"].get("endpoints") or monitor["spec"]["podMetricsEndpoints"]

    assert endpoint["honorLabels"] is True
    assert endpoint["authorization"]["credentials"]["name"] == "rollout-scraper-token"
    assert endpoint["tlsConfig"]["ca"]["secret"] == {"name": "rollout-api-tls", "key": "ca.crt"}
