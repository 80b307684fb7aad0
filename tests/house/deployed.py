"""What in deploy/ is written from something else in this tree, so that it is said in one place.

Called by ``tests.house.generate``. The alerts, the dashboard, the rights and the definitions are needed twice: by
kustomize and by the Helm chart, neither of which reads files outside of its own folder.
"""

import json
from collections.abc import Callable, Iterator
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import LiteralScalarString

from rollout.settings.rows import SETTINGS, Setting, Shape
from rollout.settings.table import ONLY_ENVOY

ROOT = Path(__file__).parents[2]
CHART = "deploy/helm/rollout"
RULES = "deploy/prometheus/rules.yaml"
DASHBOARD = "deploy/grafana/rollout.json"
RIGHTS = ("service-account", "controller", "cluster", "leases", "switch", "workloads", "people", "applying/applying")
BY_CHART = ("runtime", "listen", "tls_certificate", "tls_key", "tls_client_ca")
"""Settings that the chart gives itself; with authorities for clients the kubelet could not ask whether a pod lives."""

BY_SECRET = ("sinks", "hooks", "gate_secret_file", "probe_certificates", "prometheus_token_file", "prometheus_ca_file")
"""Settings that name a file, or one of ``FOLDERS``, which the chart mounts from a Secret when it is named."""

FOLDERS = ("probe_certificates",)


def note(source: str) -> str:
    """Return the line that says what a file is written from."""
    return f"# Written by `make docs` from {source}; do not edit.\n"


def copied(source: str) -> str:
    """Return a YAML file as it stands elsewhere."""
    return note(source) + (ROOT / source).read_text(encoding="utf-8")


def same(source: str) -> str:
    """Return a file that has no place for a note."""
    return (ROOT / source).read_text(encoding="utf-8")


def rule_object() -> str:
    """Return the alerts as the Prometheus operator takes them."""
    yaml = YAML()
    yaml.width = 1000
    rules = yaml.load((ROOT / RULES).read_text(encoding="utf-8"))
    for group in rules["groups"]:
        for rule in group["rules"]:
            if "\n" in rule["expr"]:
                rule["expr"] = LiteralScalarString(rule["expr"])
    whole = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "rollout-controller", "labels": {"app.kubernetes.io/name": "rollout"}},
        "spec": {"groups": rules["groups"]},
    }
    stream = StringIO()
    yaml.dump(whole, stream)
    return note(RULES) + stream.getvalue()


def chart_settings() -> Iterator[Setting]:
    """Yield the settings that may be chosen for a service in a pod."""
    given = {*BY_CHART, *ONLY_ENVOY, "kubeconfig", "kube_context", "watch_namespace", "lease_namespace", "identity"}
    yield from (row for row in SETTINGS if row.field not in given)


def values_schema() -> str:
    """Return the schema of the chart's values."""
    settings = {row.name: _setting(row) for row in chart_settings()}
    monitor = _closed({"enabled": _BOOLEAN, "interval": _DURATION, "labels": _WORDS})
    switch = _closed({"enabled": _BOOLEAN})
    issuer = {
        **_closed({"group": _WORD, "kind": _WORD, "name": _WORD}),
        "dependencies": {"kind": ["name"], "group": ["name"]},
    }
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Values of the chart rollout; written by `make docs`",
        **_closed(
            {
                "replicaCount": {"type": "integer", "minimum": 1, "maximum": 16},
                "image": _closed(
                    {
                        "repository": {"type": "string", "minLength": 1},
                        "tag": {"type": "string"},
                        "digest": {"type": "string", "pattern": "^(sha256:[0-9a-f]{64})?$"},
                        "pullPolicy": {"enum": ["Always", "IfNotPresent", "Never"]},
                    }
                ),
                "imagePullSecrets": _each({"name": _WORD}),
                "namespaced": _BOOLEAN,
                "settings": _closed(settings),
                "secretFiles": _closed({name: _closed(_of_secret(name)) for name in BY_SECRET}),
                "tls": _closed(
                    {
                        "secretName": {"type": "string", "minLength": 1},
                        "certManager": _closed({"enabled": _BOOLEAN, "issuerRef": issuer}),
                    }
                ),
                "rbac": _closed({"workloads": _BOOLEAN, "people": _BOOLEAN, "applying": _BOOLEAN}),
                "networkPolicy": _closed({"enabled": _BOOLEAN, "extraIngress": _LIST, "extraEgress": _LIST}),
                "podDisruptionBudget": switch,
                "serviceMonitor": monitor,
                "podMonitor": monitor,
                "alerts": _closed({"enabled": _BOOLEAN, "labels": _WORDS, "runbookUrl": {"type": "string"}}),
                "dashboard": _closed({"enabled": _BOOLEAN, "labels": _WORDS}),
                "resources": _closed({"requests": _AMOUNTS, "limits": _AMOUNTS, "claims": _LIST}),
                "podAnnotations": _WORDS,
                "podLabels": _WORDS,
                "nodeSelector": _WORDS,
                "tolerations": _each(
                    {**dict.fromkeys(("key", "operator", "value", "effect"), _WORD), "tolerationSeconds": _NUMBER}
                ),
                "affinity": _closed(dict.fromkeys(("nodeAffinity", "podAffinity", "podAntiAffinity"), _OBJECT)),
                "priorityClassName": {"type": "string"},
                "extraVolumes": _LIST,
                "extraVolumeMounts": _each(
                    {
                        **dict.fromkeys(("name", "mountPath", "subPath", "subPathExpr", "mountPropagation"), _WORD),
                        "readOnly": _BOOLEAN,
                        "recursiveReadOnly": _WORD,
                    }
                ),
                "global": _OBJECT,
            }
        ),
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


_BOOLEAN: dict[str, Any] = {"type": "boolean"}
_NUMBER: dict[str, Any] = {"type": "integer"}
_WORD: dict[str, Any] = {"type": "string"}
_OBJECT: dict[str, Any] = {"type": "object"}
_LIST: dict[str, Any] = {"type": "array", "items": _OBJECT}
_AMOUNTS: dict[str, Any] = {"type": "object", "additionalProperties": {"type": ["string", "number"]}}
_WORDS: dict[str, Any] = {"type": "object", "additionalProperties": {"type": "string"}}
_DURATION: dict[str, Any] = {"type": "string", "pattern": "^[0-9]+(ms|s|m|h)$"}


def _of_secret(name: str) -> dict[str, Any]:
    """Return what is said of the Secret that a setting's file comes from; a folder has no key."""
    return {"secretName": _WORD} | ({} if name in FOLDERS else {"key": {**_WORD, "minLength": 1}})


def _each(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": _closed(properties)}


def _closed(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _setting(row: Setting) -> dict[str, Any]:
    kind: dict[str, Any] = {"type": ["integer", "string"]} if row.shape is Shape.WHOLE else {"type": "string"}
    if row.many:
        kind = {"type": "array", "items": kind}
    return {**kind, "description": f"{row.meaning.replace('``', '`')} Allowed: {row.allowed}."}


def _named(source: str) -> tuple[str, Callable[[], str]]:
    return f"{CHART}/files/rbac/{Path(source).name}", partial(copied, source)


def deployed(crds: tuple[str, ...]) -> tuple[tuple[str, Callable[[], str]], ...]:
    """Return the rows: path from the root of the tree, and what writes it; ``crds`` are names of files."""
    return (
        ("deploy/prometheus/prometheus-rule.yaml", rule_object),
        (f"{CHART}/values.schema.json", values_schema),
        (f"{CHART}/files/rules.yaml", partial(copied, RULES)),
        (f"{CHART}/files/rollout.json", partial(same, DASHBOARD)),
        *(_named(f"deploy/rbac/{name}.yaml") for name in RIGHTS),
        *((f"{CHART}/crds/{name}", partial(same, f"deploy/crds/{name}")) for name in crds),
    )
