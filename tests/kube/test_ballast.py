"""What stays in memory of an object with much in it: the fields that are used, and nothing of its ballast."""

import pickle
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from rollout.kube.resources import Document
from rollout.kube.routeview import kept as keep_route
from rollout.kube.slices import keep_service, keep_slice
from rollout.kube.workloads import keep_workload

BALLAST = "x" * 100 * 1024
METADATA = {
    "name": "v1",
    "namespace": "shop",
    "uid": "1",
    "resourceVersion": "7",
    "generation": 3,
    "labels": {"kubernetes.io/service-name": "v1", "ballast": BALLAST},
    "annotations": {"kubectl.kubernetes.io/last-applied-configuration": BALLAST},
    "managedFields": [{"manager": "kubectl", "operation": "Update", "fieldsV1": {"f:spec": {BALLAST: {}}}}],
}
TEMPLATE = {"metadata": {"annotations": {"a": BALLAST}}, "spec": {"containers": [{"name": "app", "image": BALLAST}]}}
FOUR = {"addressType": "IPv4"}
ENDPOINT = {"addresses": ["10.0.0.1"], "hostname": BALLAST, "nodeName": "n1", "zone": BALLAST}
ROUTE = {
    "parentRefs": [{"name": "front"}],
    "hostnames": [BALLAST],
    "rules": [{"backendRefs": [{"name": "v1", "port": 80, "filters": [BALLAST]}], "matches": [BALLAST]}],
}


@pytest.mark.parametrize(
    ("keep", "fields", "most"),
    [
        pytest.param(keep_slice, {**FOUR, "endpoints": [ENDPOINT] * 100, "ports": [{"port": 1}]}, 1500, id="slice"),
        pytest.param(keep_service, {"spec": {"ports": [{"port": 80}], "selector": {"a": BALLAST}}}, 300, id="service"),
        pytest.param(keep_route, {"spec": ROUTE}, 600, id="route"),
        pytest.param(partial(keep_workload, "Deployment"), {"spec": {"template": TEMPLATE}}, 700, id="workload"),
    ],
)
def test_ballast_is_not_kept(keep: Callable[[Document], Document | None], fields: dict[str, Any], most: int) -> None:
    """An annotation of 100 KiB, what managers own, and fields that nobody reads: some hundred bytes are left."""
    kept = keep({"metadata": METADATA, **fields})

    assert kept is not None
    assert len(pickle.dumps(kept)) < most
