"""Writes of weights on a real API server: what is sent, what is refused, and what an answer that got lost does."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from rollout.engine.observation import Acceptance, RouteKey, RouteView
from rollout.errors import ConflictError, NotOursError, Unavailable, UpdateRefused
from rollout.kube.api import ApiOptions, KubeApi
from rollout.kube.routes import KubeRouteTable
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.proxy import Mode, Proxy
from tests.kubernetes.routes.world import (
    SOMEBODY,
    accept,
    change,
    get,
    is_accepted,
    make,
    open_table,
    path_of,
    refs,
    to_write,
    weights_of,
)
from tests.waiting import until

PATIENT = ApiOptions(timeout_seconds=5.0, first_wait_seconds=0.02)
HASTY = ApiOptions(timeout_seconds=1.0, attempts=2, first_wait_seconds=0.02)
POLICIES = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
BINDINGS = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings"


@pytest.fixture
def web(cluster: Cluster, namespace: str) -> RouteKey:
    """Make an HTTPRoute that its gateway serves."""
    key = RouteKey("HTTPRoute", namespace, "web")
    make(cluster, key, [{"name": "main", "backendRefs": refs({"v1": 90, "v2": 10})}])
    accept(cluster, key)
    return key


@pytest.fixture
async def table(api: KubeApi, web: RouteKey, stack: AsyncExitStack) -> KubeRouteTable:
    """Open a table on it."""
    return await open_table(stack, api, web, namespace=web.namespace)


@pytest.fixture
async def proxy(cluster: Cluster) -> AsyncIterator[Proxy]:
    """Open a proxy before the API server."""
    async with Proxy(cluster.port) as opened:
        yield opened


def seen(table: KubeRouteTable, key: RouteKey) -> RouteView:
    """Return the route, which must be there."""
    view = table.read(key)
    assert view is not None
    return view


async def test_weights_that_are_there_are_not_sent(cluster: Cluster, table: KubeRouteTable, web: RouteKey) -> None:
    """The API server hears nothing: neither version nor generation moves."""
    before = get(cluster, web)["metadata"]

    written = await table.write(web, to_write(seen(table, web), v1=90, v2=10), expected=seen(table, web).version)

    assert written == seen(table, web)
    assert get(cluster, web)["metadata"] == before


async def test_the_gateways_word_on_a_write_comes_later(cluster: Cluster, table: KubeRouteTable, web: RouteKey) -> None:
    """The view waits until the gateway has seen the generation of the write, and listeners hear of it."""
    told: list[RouteKey] = []
    table.subscribe(told.append)

    written = await table.write(web, to_write(seen(table, web), v1=50, v2=50), expected=seen(table, web).version)

    assert written.acceptance is Acceptance.PENDING
    assert written.message == "example.com/gateway has seen generation 1 only, and the route is at 2"
    told.clear()
    accept(cluster, web)
    await until(lambda: told == [web])
    assert is_accepted(table.read(web))


async def test_a_refusal_of_the_gateway_is_seen(cluster: Cluster, table: KubeRouteTable, web: RouteKey) -> None:
    """With what it said."""
    accept(cluster, web, "False")

    await until(lambda: seen(table, web).acceptance is Acceptance.REFUSED)
    assert seen(table, web).message.startswith("example.com/gateway says Accepted False (Told: as the test says)")


async def test_who_changed_the_weights_is_seen(cluster: Cluster, table: KubeRouteTable, web: RouteKey) -> None:
    """It is the other's field manager after their write, and nobody after ours."""
    change(cluster, web, {"spec": {"rules": [{"name": "main", "backendRefs": refs({"v1": 1, "v2": 2})}]}})
    await until(lambda: weights_of(table.read(web)) == {"v1": 1, "v2": 2})
    assert seen(table, web).changed_by == SOMEBODY

    written = await table.write(web, to_write(seen(table, web), v1=50, v2=50), expected=seen(table, web).version)

    assert written.changed_by == ""


async def test_a_change_of_anything_else_is_not_told(cluster: Cluster, table: KubeRouteTable, web: RouteKey) -> None:
    """An annotation is no reason for a pass, though it is another version."""
    told: list[RouteKey] = []
    table.subscribe(told.append)
    before = seen(table, web)

    change(cluster, web, {"metadata": {"annotations": {"note": "x"}}})

    await until(lambda: seen(table, web).version != before.version)
    assert told == []


async def test_a_backend_that_was_taken_out_meanwhile_is_not_ours(
    cluster: Cluster, table: KubeRouteTable, web: RouteKey
) -> None:
    """Whether the cache knows it already or the API server says so."""
    view = seen(table, web)
    change(cluster, web, {"spec": {"rules": [{"name": "main", "backendRefs": refs({"v1": 90})}]}})

    with pytest.raises((ConflictError, NotOursError)):
        await table.write(web, to_write(view, v1=50, v2=50), expected=view.version)

    with pytest.raises(NotOursError, match="does not name the backend"):
        await table.write(web, to_write(view, v1=50, v2=50), expected=seen(table, web).version)


async def test_a_route_that_nobody_refers_to_is_not_ours(table: KubeRouteTable, web: RouteKey) -> None:
    """A write needs what memory holds."""
    other = RouteKey("GRPCRoute", web.namespace, "web")

    with pytest.raises(NotOursError, match=r"GRPCRoute test-[0-9]*/web does not exist"):
        await table.write(other, to_write(seen(table, web), v1=1, v2=1), expected="1")


@pytest.mark.parametrize("reason", ["Forbidden", "Invalid"])
async def test_an_admission_policy_refuses_with_its_sentence(
    cluster: Cluster, table: KubeRouteTable, web: RouteKey, reason: str
) -> None:
    """The person reads what the policy says, whatever the code of its answer."""
    forbid(cluster, web, reason)
    await until_refused(cluster, web)
    before = seen(table, web)

    with pytest.raises(UpdateRefused, match="no changes on Fridays"):
        await table.write(web, to_write(before, v1=50, v2=50), expected=before.version)

    assert weights_of(table.read(web)) == {"v1": 90, "v2": 10}


async def test_an_answer_that_got_lost_is_no_conflict(
    cluster: Cluster, web: RouteKey, proxy: Proxy, stack: AsyncExitStack
) -> None:
    """The weights are there; the second try finds its own hand in the first."""
    far = KubeApi(cluster.configuration(url=proxy.url), random.random, PATIENT)
    stack.push_async_callback(far.aclose)
    table = await open_table(stack, far, web, namespace=web.namespace)
    view = seen(table, web)
    proxy.delay_seconds = 0.3
    writing = asyncio.create_task(table.write(web, to_write(view, v1=50, v2=50), expected=view.version))
    await until(lambda: get(cluster, web)["metadata"]["generation"] == 2)
    proxy.delay_seconds = 0.0
    proxy.cut()

    written = await writing

    assert weights_of(written) == {"v1": 50, "v2": 50}
    assert get(cluster, web)["metadata"]["generation"] == 2


async def test_an_api_server_that_is_away_leaves_memory_as_it_was(
    cluster: Cluster, web: RouteKey, proxy: Proxy, stack: AsyncExitStack
) -> None:
    """What was seen last can be read, and says that it may be old."""
    far = KubeApi(cluster.configuration(url=proxy.url), random.random, HASTY)
    stack.push_async_callback(far.aclose)
    table = await open_table(stack, far, web, namespace=web.namespace)
    view = seen(table, web)
    proxy.set(Mode.REFUSE)
    proxy.cut()

    with pytest.raises(Unavailable):
        await table.write(web, to_write(view, v1=50, v2=50), expected=view.version)

    assert seen(table, web) == view

    def is_explained() -> bool:
        proxy.cut()
        return table.explain(web) != ""

    await until(is_explained)


def forbid(cluster: Cluster, key: RouteKey, reason: str) -> None:
    """Install a policy that allows no change of the spec of routes in the test's namespace."""
    rule = {
        "apiGroups": ["gateway.networking.k8s.io"],
        "apiVersions": ["v1"],
        "operations": ["UPDATE"],
        "resources": ["httproutes"],
    }
    only_here: dict[str, Any] = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": key.namespace}}}
    validation = {"expression": "object.spec == oldObject.spec", "message": "no changes on Fridays", "reason": reason}
    name = f"{key.namespace}-{reason.lower()}"
    policy = {"matchConstraints": {"resourceRules": [rule], **only_here}, "validations": [validation]}
    binding = {"policyName": name, "validationActions": ["Deny"]}
    cluster.apply(POLICIES, {"metadata": {"name": name}, "spec": policy})
    cluster.apply(BINDINGS, {"metadata": {"name": name}, "spec": binding})


async def until_refused(cluster: Cluster, key: RouteKey) -> None:
    """Return when the policy is in force, which the API server takes a moment for; nothing is changed."""
    body = json.loads('[{"op": "replace", "path": "/spec/rules/0/backendRefs/0/weight", "value": 1}]')

    def is_refused() -> bool:
        patch = "application/json-patch+json"
        return cluster.ask("PATCH", f"{path_of(key)}?dryRun=All", body, content=patch)[0] != 200

    await until(is_refused, seconds=20)
