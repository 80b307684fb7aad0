"""A route to a Service of another namespace, which only a ReferenceGrant there allows."""

from contextlib import AsyncExitStack

from rollout.engine.observation import Acceptance, RouteKey
from rollout.kube.api import KubeApi
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.routes.world import PARENT, accept, change, get, make, open_table, path_of
from tests.waiting import until


def refuse(cluster: Cluster, key: RouteKey) -> None:
    """Let the gateway say that a ref is not permitted, as gateways do."""
    generation = get(cluster, key)["metadata"]["generation"]
    common = {"observedGeneration": generation, "lastTransitionTime": "2026-11-21T10:00:00Z"}
    why = "backend ref to Service bank/v2 not permitted by any ReferenceGrant"
    conditions = [
        {"type": "Accepted", "status": "True", "reason": "Accepted", "message": "", **common},
        {"type": "ResolvedRefs", "status": "False", "reason": "RefNotPermitted", "message": why, **common},
    ]
    told = {"parentRef": PARENT, "controllerName": "example.com/gateway", "conditions": conditions}
    path, content = path_of(key, subresource="status"), "application/merge-patch+json"
    status, answer = cluster.ask("PATCH", path, {"status": {"parents": [told]}}, content=content)
    assert status == 200, answer


async def test_the_grant_that_is_missing_is_named(
    cluster: Cluster, namespace: str, api: KubeApi, stack: AsyncExitStack
) -> None:
    """Whoever owns the other namespace can write it from the sentence; once it is there the route is served."""
    key = RouteKey("GRPCRoute", namespace, "web")
    foreign = {"namespace": "bank", "name": "v2", "port": 8080, "weight": 0}
    make(cluster, key, [{"backendRefs": [{"name": "v1", "port": 8080, "weight": 100}, foreign]}])
    table = await open_table(stack, api, key, namespace=namespace)

    refuse(cluster, key)

    await until(lambda: (view := table.read(key)) and view.acceptance is Acceptance.REFUSED)
    refused = table.read(key)
    assert refused is not None
    assert refused.message == (
        "example.com/gateway says ResolvedRefs False (RefNotPermitted: backend ref to Service bank/v2 not permitted by"
        f" any ReferenceGrant); it needs a ReferenceGrant in namespace bank from GRPCRoute of namespace {namespace}"
        " to Service v2"
    )
    change(cluster, key, {"metadata": {"labels": {"granted": "yes"}}})
    accept(cluster, key)
    await until(lambda: (view := table.read(key)) and view.acceptance is Acceptance.ACCEPTED)
