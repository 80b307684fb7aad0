"""What a workload says, as a view: which pod template it has, and how far the pods are.

Pure: documents in, values out; ``rollout.kube.workloads`` keeps them and orders the changes that are built here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from rollout.engine.observation import WorkloadKey, WorkloadView
from rollout.kube.resources import Document

HASH_CHARACTERS = 12
LONGEST_MESSAGE = 400
GIVEN_UP = ("Progressing", "False", "ProgressDeadlineExceeded")
"""Type, status and reason of the condition by which a Deployment says that it does not get on."""

NO_REVISION = (
    "kubectl.kubernetes.io/restartedAt",  # `kubectl rollout restart`: the same pods once more
    "cattle.io/timestamp",  # the same by Rancher
    "kubectl.kubernetes.io/last-applied-configuration",  # how somebody applied it
    "deployment.kubernetes.io/",  # the Deployment controller's own count
    "deprecated.daemonset.template.generation",  # the same of a DaemonSet
    "meta.helm.sh/",  # which release of Helm it came by
    "argocd.argoproj.io/",  # which application of Argo CD it came by
    "kustomize.toolkit.fluxcd.io/",  # which Kustomization of Flux it came by
    "helm.toolkit.fluxcd.io/",  # which HelmRelease of Flux it came by
    "reconcile.fluxcd.io/",  # when somebody asked Flux to look
    "config.kubernetes.io/",  # where kustomize found the file
    "config.k8s.io/",  # the same, and of which inventory it is
    "internal.config.kubernetes.io/",  # the same
)
"""Annotations (or, ending in a slash, all of a domain) that tools leave on a pod template, and that change no pod.

Others count: a checksum of a ConfigMap is there so that pods are made anew when it changes.
"""


def template_of(template: Mapping[str, Any]) -> str:
    """Return what identifies a pod template: a hash of it without labels and what tools leave on it.

    Labels tell the pods of one workload from those of another, and their tools write versions of charts into them; they
    change nothing that runs. The order of fields does not count, nor do empty ones; defaults are in all templates that
    an API server hands out.
    """
    annotations = (template.get("metadata") or {}).get("annotations") or {}
    kept = {name: value for name, value in annotations.items() if not _comes_from_tools(name)}
    spelled = json.dumps(_without_nulls([kept, template.get("spec") or {}]), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(spelled.encode()).hexdigest()[:HASH_CHARACTERS]


def _comes_from_tools(annotation: str) -> bool:
    return any(annotation.startswith(each) if each.endswith("/") else annotation == each for each in NO_REVISION)


def _without_nulls(value: object) -> object:
    if isinstance(value, Mapping):
        return {name: _without_nulls(inner) for name, inner in value.items() if inner is not None}
    return [_without_nulls(inner) for inner in value] if isinstance(value, list) else value


def view_of(key: WorkloadKey, document: Document) -> WorkloadView:
    """Return the Deployment, StatefulSet or DaemonSet as a view.

    Its version is uid and generation: it changes with what is wanted, and not whenever a pod comes or goes.
    """
    metadata, spec, status = document["metadata"], document.get("spec") or {}, document.get("status") or {}
    if key.kind == "DaemonSet":
        wanted, there = _number(status, "desiredNumberScheduled"), _number(status, "currentNumberScheduled")
        updated, ready = _number(status, "updatedNumberScheduled"), _number(status, "numberReady")
    else:
        wanted, there = int(spec.get("replicas", 1)), _number(status, "replicas")
        updated, ready = _number(status, "updatedReplicas"), _number(status, "readyReplicas")
    settled = _number(status, "observedGeneration") >= _number(metadata, "generation")
    return WorkloadView(
        key,
        version=version(document),
        template=template_of(spec.get("template") or {}),
        replicas=wanted,
        updated=updated,
        ready=max(0, min(updated, ready - max(0, there - updated))),
        settled=settled,
        failed=_failed(status) if settled else "",
    )


def version(document: Document) -> str:
    """Return which object of this name it is, and how often what is wanted of it has changed."""
    metadata = document["metadata"]
    return f"{metadata.get('uid', '')}/{_number(metadata, 'generation')}"


def _number(within: Mapping[str, Any], name: str) -> int:
    return int(within.get(name) or 0)


def _failed(status: Mapping[str, Any]) -> str:
    for condition in status.get("conditions") or ():
        if (condition.get("type"), condition.get("status"), condition.get("reason")) == GIVEN_UP:
            return str(condition.get("message") or condition["reason"])[:LONGEST_MESSAGE]
    return ""


def copied(source: Document, target: Document) -> Document:
    """Return the pod template of ``source`` for ``target``.

    What the target's selector names keeps the target's labels, or its pods would not be found any more; what the
    source's selector names does not come along, or its Services would find them.
    """
    template = source["spec"]["template"]
    metadata = template.get("metadata") or {}
    named, not_ours = _selected(target), _selected(source)
    comes = {name: value for name, value in (metadata.get("labels") or {}).items() if name not in not_ours}
    theirs = (target["spec"]["template"].get("metadata") or {}).get("labels") or {}
    labels = {**comes, **{name: value for name, value in theirs.items() if name in named}}
    for name in named - theirs.keys():
        labels.pop(name, None)
    return {**template, "metadata": {**metadata, "labels": labels}}


def _selected(workload: Document) -> frozenset[str]:
    selector = workload["spec"].get("selector") or {}
    expressions = (expression["key"] for expression in selector.get("matchExpressions") or ())
    return frozenset((*(selector.get("matchLabels") or {}), *expressions))


def guarded(expected: str, path: str, value: object) -> list[Document]:
    """Return the JSON Patch that puts ``value`` at ``path`` of the object if it is the ``expected`` version."""
    uid, _, generation = expected.partition("/")
    return [
        {"op": "test", "path": "/metadata/uid", "value": uid},
        {"op": "test", "path": "/metadata/generation", "value": int(generation or 0)},
        {"op": "replace", "path": path, "value": value},
    ]
