"""Facts about the Helm chart: it says what kustomize says, and refuses values that it does not know."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from rollout.settings.rows import Shape
from tests.deploy.rendering import CHART, OVERLAYS, composed, helm, kustomized, named, only, templated, variables
from tests.house.deployed import BY_SECRET, chart_settings

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


FILES = {
    "sinks": "sinks",
    "hooks": "hooks",
    "gate_secret_file": "gate-secret",
    "probe_certificates": "probe-certificates",
    "prometheus_token_file": "prometheus-token",
    "prometheus_ca_file": "prometheus-ca",
}
"""The settings that name a file, and the component that mounts it."""


@pytest.mark.parametrize(("setting", "component"), FILES.items())
def test_files_of_secrets_are_those_of_the_components(tmp_path: Path, setting: str, component: str) -> None:
    """The Secret is a folder of its own, and the setting names the file in it."""
    by_kustomize = named(composed(tmp_path, "one-replica", f"kustomize/components/{component}"))
    by_helm = named(templated({f"secretFiles.{setting}.secretName": f"rollout-{component}"}))
    name = "Deployment rollout-system/rollout-controller"

    assert by_helm[name] == by_kustomize[name]
    assert by_helm[name] != named(templated())[name]


def test_each_setting_that_names_a_file_can_have_it_from_a_secret() -> None:
    """None is left of which nobody has said how its file gets into a pod."""
    paths = {row.name for row in chart_settings() if row.shape is Shape.FILE}

    assert paths == set(FILES) == set(BY_SECRET)


def test_a_file_of_a_secret_has_the_name_that_its_key_has() -> None:
    """Whoever calls it otherwise says so."""
    found = variables(only(templated({"secretFiles.hooks": {"secretName": "ci", "key": "ci.yaml"}}), "Deployment"))

    assert found["ROLLOUT_HOOKS"] == "/etc/rollout/hooks/ci.yaml"


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
        ("secretFiles.sinks.existingSecret=sinks", "existingSecret"),
        ("secretFiles.sink.secretName=sinks", "sink"),
        ("secretFiles.sinks.secretName=sinks,settings.sinks=/elsewhere", "leave one of them out"),
        ("secretFiles.sinks.secretName=sinks,secretFiles.sinks.key=null", "give secretFiles.sinks.key"),
        ("secretFiles.sinks.secretName=sinks,extraVolumes[0].name=sinks", "another name"),
        ("secretFiles.gate_secret_file.secretName=g,extraVolumes[0].name=gate-secret-file", "another name"),
        ("extraVolumes[0].name=tls", "another name"),
        ("serviceMonitor.enabled=true,podMonitor.enabled=true", "enable one"),
        ("tls.certManager.issuerRef.kind=ClusterIssuer", "issuerRef"),
        ("resources.limit.memory=1Gi", "limit"),
        ("tolerations[0].keys=control", "keys"),
        ("affinity.podAntiAfinity.a=b", "podAntiAfinity"),
        ("networkPolicy.egress[0]=x", "egress"),
    ],
)
def test_wrong_values_are_refused(value: str, told: str) -> None:
    """Before anything is sent, with the name of the value."""
    command = [helm(), "template", "rollout", str(CHART), "--set", value]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode != 0
    assert told in done.stderr


def test_every_value_may_be_only_what_it_is() -> None:
    """Nothing that is not known is taken, but below what Kubernetes itself defines."""
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    open_ = {
        path
        for path, found in objects(schema)
        if found.get("additionalProperties") is not False and "additionalProperties" not in found
    }

    assert open_ == {
        *("global", "affinity.nodeAffinity", "affinity.podAffinity", "affinity.podAntiAffinity"),
        *("extraVolumes[]", "resources.claims[]", "networkPolicy.extraIngress[]", "networkPolicy.extraEgress[]"),
    }


def objects(schema: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield each place of the schema that takes a mapping, by its path."""
    if schema.get("type") == "object":
        yield path, schema
    for name, inner in schema.get("properties", {}).items():
        yield from objects(inner, f"{path}.{name}".lstrip("."))
    if "items" in schema:
        yield from objects(schema["items"], f"{path}[]")


def test_what_a_chart_adds_to_the_network_is_added() -> None:
    """Beside what every service needs."""
    rule = {"to": [{"ipBlock": {"cidr": "192.0.2.0/24"}}], "ports": [{"port": 8443}]}
    before = only(templated(), "NetworkPolicy")["spec"]["egress"]
    found = only(templated({"networkPolicy.extraEgress": [rule]}), "NetworkPolicy")["spec"]["egress"]

    assert found == [*before, rule]


def test_affinity_of_ones_own_takes_the_place_of_ours() -> None:
    """Such as one that insists on other nodes."""
    own: Mapping[str, object] = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}}

    assert only(templated({"affinity": own}), "Deployment")["spec"]["template"]["spec"]["affinity"] == own


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
