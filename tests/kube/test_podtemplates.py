"""What a workload runs and how far it is, row by row."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import pytest

from rollout.engine.observation import WorkloadKey
from rollout.kube.podtemplates import LONGEST_MESSAGE, copied, guarded, template_of, version, view_of
from rollout.kube.resources import Document

KEY = WorkloadKey("Deployment", "shop", "v1")
NODES = WorkloadKey("DaemonSet", "shop", "v1")
POD: Mapping[str, Any] = {"containers": [{"name": "app", "image": "checkout:1"}], "restartPolicy": "Always"}


def template(
    *, labels: Mapping[str, str] | None = None, annotations: Mapping[str, str] | None = None, spec: object = POD
) -> dict[str, Any]:
    """Return a pod template."""
    return {"metadata": {"labels": labels or {}, "annotations": annotations or {}}, "spec": spec}


def workload(status: Mapping[str, Any] | None = None, **fields: object) -> Document:
    """Return a Deployment of generation 4 with three pods."""
    metadata = {"name": "v1", "namespace": "shop", "uid": "u1", "generation": 4, "resourceVersion": "9"}
    return {"metadata": metadata, "spec": {"replicas": 3, "template": template(), **fields}, "status": status or {}}


@pytest.mark.parametrize(
    "annotation",
    [
        "kubectl.kubernetes.io/restartedAt",
        "kubectl.kubernetes.io/last-applied-configuration",
        "deployment.kubernetes.io/revision",
        "deprecated.daemonset.template.generation",
        "meta.helm.sh/release-name",
        "argocd.argoproj.io/tracking-id",
        "kustomize.toolkit.fluxcd.io/name",
        "helm.toolkit.fluxcd.io/name",
        "reconcile.fluxcd.io/requestedAt",
        "cattle.io/timestamp",
        "config.kubernetes.io/origin",
    ],
)
def test_what_tools_leave_is_no_other_template(annotation: str) -> None:
    """Least of all a restart: it is the same pods once more, and no new revision to be judged."""
    marked = template(annotations={annotation: "2026-11-21T10:00:00Z"})

    assert template_of(marked) == template_of(template())


@pytest.mark.parametrize(
    "other",
    [
        template(annotations={"checksum/config": "1234"}),
        template(annotations={"kubectl.kubernetes.io/default-container": "app"}),
        template(annotations={"linkerd.io/inject": "enabled"}),
        template(spec={**POD, "containers": [{"name": "app", "image": "checkout:2"}]}),
        template(spec={**POD, "containers": [*POD["containers"], {"name": "b", "image": "c"}]}),
        template(spec={**POD, "hostNetwork": False}),
    ],
    ids=["a checksum", "a choice", "a switch", "an image", "a container", "a field"],
)
def test_what_changes_pods_is_another_template(other: Mapping[str, Any]) -> None:
    """Annotations that are there so that pods are made anew count, too."""
    assert template_of(other) != template_of(template())


def test_labels_order_and_empty_fields_are_no_other_template() -> None:
    """Labels tell the workloads apart, and JSON has no order."""
    turned = {name: POD[name] for name in sorted(POD, reverse=True)}
    written = {"spec": {**turned, "volumes": None}, "metadata": {"creationTimestamp": None, "labels": {"a": "b"}}}

    assert template_of(written) == template_of(template()) == template_of({"spec": POD})


def test_the_order_of_containers_counts() -> None:
    """They start in that order."""
    two = [{"name": "a"}, {"name": "b"}]

    assert template_of(template(spec={"containers": two})) != template_of(template(spec={"containers": two[::-1]}))


STATUSES: list[tuple[str, WorkloadKey, Mapping[str, int], tuple[int, int, int, bool]]] = [
    (
        "all ready",
        KEY,
        {"observedGeneration": 4, "replicas": 3, "updatedReplicas": 3, "readyReplicas": 3},
        (3, 3, 3, True),
    ),
    (
        "the status is of the generation before",
        KEY,
        {"observedGeneration": 3, "replicas": 3, "updatedReplicas": 3, "readyReplicas": 3},
        (3, 3, 3, False),
    ),
    ("no status yet", KEY, {}, (3, 0, 0, False)),
    (
        "a surge of old ones",
        KEY,
        {"observedGeneration": 4, "replicas": 5, "updatedReplicas": 2, "readyReplicas": 4},
        (3, 2, 1, True),
    ),
    (
        "old ones are ready and new ones are not for certain",
        KEY,
        {"observedGeneration": 4, "replicas": 4, "updatedReplicas": 1, "readyReplicas": 3},
        (3, 1, 0, True),
    ),
    (
        "nodes",
        NODES,
        {
            "observedGeneration": 4,
            "desiredNumberScheduled": 7,
            "currentNumberScheduled": 6,
            "updatedNumberScheduled": 5,
            "numberReady": 6,
        },
        (7, 5, 5, True),
    ),
]


@pytest.mark.parametrize(("key", "status", "expected"), [row[1:] for row in STATUSES], ids=[row[0] for row in STATUSES])
def test_pods_are_counted(key: WorkloadKey, status: Mapping[str, int], expected: tuple[int, int, int, bool]) -> None:
    """Wanted, of this template, ready for certain among those, and whether the status is of what is wanted now."""
    view = view_of(key, workload(status))

    assert (view.replicas, view.updated, view.ready, view.settled) == expected


GIVEN_UP = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "too slow"}


@pytest.mark.parametrize(
    ("seen", "condition", "failed"),
    [
        (4, GIVEN_UP, "too slow"),
        (4, {**GIVEN_UP, "message": ""}, "ProgressDeadlineExceeded"),
        (4, {**GIVEN_UP, "message": "x" * 1000}, "x" * LONGEST_MESSAGE),
        (3, GIVEN_UP, ""),
        (4, {**GIVEN_UP, "status": "Unknown", "reason": "DeploymentPaused"}, ""),
        (4, {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "quota"}, ""),
    ],
)
def test_only_a_rollout_that_was_given_up_has_failed(seen: int, condition: Mapping[str, str], failed: str) -> None:
    """And only of the template that is wanted now: what was said of the one before is old."""
    view = view_of(KEY, workload({"observedGeneration": seen, "conditions": [condition]}))

    assert view.failed == failed


def test_a_version_changes_with_what_is_wanted_only() -> None:
    """A status makes no new one; an object made anew under the same name is another."""
    first = workload()
    later = {**first, "metadata": {**first["metadata"], "resourceVersion": "10"}, "status": {"replicas": 3}}
    again = {**first, "metadata": {**first["metadata"], "uid": "u2"}}

    assert version(first) == version(later) == "u1/4"
    assert version(again) == "u2/4"


def test_a_copy_keeps_both_selectors_apart() -> None:
    """Labels that the selectors name stay on their side, by whichever way they name them; the others come along."""
    source = workload(
        template=template(labels={"app": "checkout", "version": "v2", "tier": "x", "team": "payments"}),
        selector={"matchLabels": {"version": "v2"}, "matchExpressions": [{"key": "tier", "operator": "Exists"}]},
    )
    target = workload(
        template=template(labels={"app": "shop", "version": "v1", "own": "old"}),
        selector={"matchLabels": {"version": "v1"}, "matchExpressions": [{"key": "app", "operator": "Exists"}]},
    )
    before = deepcopy((source, target))

    taken = copied(source, target)

    assert taken["metadata"]["labels"] == {"app": "shop", "version": "v1", "team": "payments"}
    assert (template_of(taken), taken["spec"]) == (template_of(source["spec"]["template"]), POD)
    assert (source, target) == before


def test_a_label_that_must_not_be_there_is_not_copied() -> None:
    """The target's selector may ask for its absence."""
    source = workload(template=template(labels={"canary": "yes"}), selector={"matchLabels": {"a": "b"}})
    target = workload(selector={"matchExpressions": [{"key": "canary", "operator": "DoesNotExist"}]})

    assert copied(source, target)["metadata"]["labels"] == {}


def test_a_write_names_the_object_and_the_generation_that_it_was_decided_on() -> None:
    """Pods that come and go meanwhile do not hinder it; a change of what is wanted does."""
    assert guarded("u1/4", "/spec/replicas", 2) == [
        {"op": "test", "path": "/metadata/uid", "value": "u1"},
        {"op": "test", "path": "/metadata/generation", "value": 4},
        {"op": "replace", "path": "/spec/replicas", "value": 2},
    ]
