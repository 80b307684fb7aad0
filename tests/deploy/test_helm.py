"""Facts about the Helm chart: it says what kustomize says, and refuses values that it does not know."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping

import pytest

from tests.deploy.rendering import CHART, OVERLAYS, helm, kustomized, named, only, templated, variables

pytestmark = pytest.mark.real

COMPLETE: Mapping[str, object] = {
    "replicaCount": 3,
    "tls.certManager.enabled": True,
    "serviceMonitor.enabled": True,
    "alerts.enabled": True,
    "dashboard.enabled": True,
}


@pytest.mark.parametrize(
    ("overlay", "values", "namespace"),
    [
        ("one-replica", {}, "rollout-system"),
        ("three-replicas", {"replicaCount": 3}, "rollout-system"),
        ("namespaced", {"namespaced": True}, "shop"),
        ("complete", COMPLETE, "rollout-system"),
    ],
)
def test_helm_and_kustomize_say_the_same(overlay: str, values: Mapping[str, object], namespace: str) -> None:
    """But for the namespace itself, which Helm makes by a flag, and Helm's own labels."""
    by_kustomize = named(one for one in kustomized(OVERLAYS / overlay) if one["kind"] != "Namespace")
    by_helm = named(templated(values, namespace=namespace))

    assert by_helm.keys() == by_kustomize.keys()
    assert by_helm == by_kustomize


def test_rights_to_apply_are_those_of_the_component() -> None:
    """They are given only when asked for."""
    without, given = named(templated()), named(templated({"rbac.applying": True}))

    assert sorted(given.keys() - without.keys()) == [
        "ClusterRole -/rollout-controller-applying",
        "ClusterRoleBinding -/rollout-controller-applying",
    ]


def test_rights_can_be_left_out() -> None:
    """Those on workloads, and the roles of people."""
    found = named(templated({"rbac": {"workloads": False, "people": False}}))

    assert not [name for name in found if "workloads" in name or "viewer" in name]


def test_settings_become_variables() -> None:
    """A number as it is written, a list with commas."""
    found = variables(
        only(templated({"settings": {"tick": "5s", "shards": 4, "gate_hosts": ["a.b", "c:80"]}}), "Deployment")
    )

    assert (found["ROLLOUT_TICK"], found["ROLLOUT_SHARDS"], found["ROLLOUT_GATE_HOSTS"]) == ("5s", "4", "a.b,c:80")
    assert found["ROLLOUT_PROMETHEUS"].startswith("http://")


def test_a_digest_counts_more_than_a_tag() -> None:
    """So that what runs is what was looked at."""
    digest = f"sha256:{'0' * 64}"
    found = only(templated({"image": {"repository": "registry.example/rollout", "digest": digest}}), "Deployment")

    assert found["spec"]["template"]["spec"]["containers"][0]["image"] == f"registry.example/rollout@{digest}"


def test_alerts_link_to_the_runbook_where_it_is_known() -> None:
    """The link is the page below the address that was given."""
    given = {"enabled": True, "runbookUrl": "https://git.example/docs/runbook/"}
    rules = [
        rule
        for group in only(templated({"alerts": given}), "PrometheusRule")["spec"]["groups"]
        for rule in group["rules"]
    ]
    (found,) = [rule["annotations"]["runbook_url"] for rule in rules if rule["alert"] == "RolloutLatched"]

    assert found == "https://git.example/docs/runbook/Latched.md"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("replicas=3", "replicas"),
        ("settings.tik=5s", "tik"),
        ("settings.listen=off", "listen"),
        ("replicaCount=0", "replicaCount"),
        ("image.digest=latest", "digest"),
    ],
)
def test_wrong_values_are_refused(value: str, told: str) -> None:
    """Before anything is sent, with the name of the value."""
    command = [helm(), "template", "rollout", str(CHART), "--set", value]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode != 0
    assert told in done.stderr


def test_the_chart_is_sound() -> None:
    """Helm's own linter has nothing to say."""
    done = subprocess.run(
        [helm(), "lint", "--strict", str(CHART)], capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode == 0, done.stdout


def test_helm_test_asks_the_api_with_the_rights_of_its_account() -> None:
    """Its command is one that there is, for the namespaces that the account may see."""
    command = [helm(), "template", "rollout", str(CHART), "--namespace", "shop", "--show-only"]
    shown = subprocess.run(
        [*command, "templates/tests/reaches-the-api.yaml", "--set", "namespaced=true"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert "args: [get, --namespace, shop]" in shown.stdout
    assert "value: https://rollout-controller.shop.svc:8686" in shown.stdout
