"""A canary in another namespace, which only a ReferenceGrant there allows; the gateway of the stage asks for it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from rollout.kube.resources import Document, Resource
from tests.kubernetes.stage import GATEWAY, Stage, accepted, conditions, ref
from tests.kubernetes.stories.test_steps import DAY, steps

GRANTS = Resource("gateway.networking.k8s.io", "v1", "referencegrants", "ReferenceGrant")


@pytest.fixture
def bank(stage: Stage) -> Stage:
    """Return a stage in another namespace, where the canary is."""
    other = Stage(stage.cluster, stage.api, f"{stage.namespace}-bank")
    stage.cluster.make_namespace(other.namespace)
    return other


def _asking_for_grants(bank: Stage, document: Document) -> list[dict[str, Any]]:
    """Say of a route what a gateway says: that a ref is not permitted, unless there is a grant."""
    status, granted = bank.cluster.ask("GET", GRANTS.path(bank.namespace))
    assert status == 200, granted
    if granted["items"]:
        return accepted(document)
    told = conditions(document["metadata"]["generation"], resolved="False")
    told[1] |= {"reason": "RefNotPermitted", "message": f"Service {bank.namespace}/checkout-v2 is not permitted"}
    return [{"parentRef": GATEWAY, "controllerName": "example.net/gateway", "conditions": told}]


@asynccontextmanager
async def under_way(stage: Stage, bank: Stage) -> AsyncIterator[Mapping[str, Any]]:
    """Run an attempt whose canary is in the other namespace; give its status once its step waits for the gateway."""
    stage.accepting = lambda document: _asking_for_grants(bank, document)
    await stage.service("checkout-v1")
    await bank.service("checkout-v2")
    canary = ref("checkout-v2", 0, namespace=bank.namespace)
    await stage.route(rules=[{"backendRefs": [ref("checkout-v1", 100), canary]}])
    backends = {
        "stable": {"name": "checkout-v1", "port": 8080},
        "canary": {"name": "checkout-v2", "port": 8080, "namespace": bank.namespace},
    }
    await stage.rollout(backends=backends, steps=[*steps(20), *steps(50, hold=DAY)])
    async with stage.controller(watch_namespace=None):
        await stage.phase("Idle")
        await stage.edit(revision="2")
        yield await stage.phase("Progressing", reason="WaitingForRoutes")


def _grant(stage: Stage, bank: Stage) -> None:
    """Let the owner of the other namespace permit it."""
    spec = {
        "from": [{"group": GRANTS.group, "kind": "HTTPRoute", "namespace": stage.namespace}],
        "to": [{"group": "", "kind": "Service", "name": "checkout-v2"}],
    }
    document = {"apiVersion": GRANTS.api_version, "kind": GRANTS.kind, "metadata": {"name": "shop"}, "spec": spec}
    bank.cluster.apply(GRANTS.path(bank.namespace), document)


def _routes_accepted(status: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = next(one for one in status["conditions"] if one["type"] == "RoutesAccepted")
    return found


async def test_the_grant_that_is_missing_is_named_and_waited_for(stage: Stage, bank: Stage) -> None:
    """Which grant, from where, to what: the condition says it, and no step is left until it is there."""
    async with under_way(stage, bank) as waiting:
        await stage.weighs(80, 20)
        _grant(stage, bank)
        await stage.annotate_route("checkout")
        later = await stage.phase("Progressing", step=2)
        await stage.weighs(50, 50)

    condition = _routes_accepted(waiting)
    assert (waiting["step"], condition["status"]) == (1, "False")
    assert (
        f"it needs a ReferenceGrant in namespace {bank.namespace} from HTTPRoute of namespace {stage.namespace}"
        " to Service checkout-v2"
    ) in condition["message"]
    assert _routes_accepted(later)["status"] == "True"


async def test_a_rollback_needs_no_grant(stage: Stage, bank: Stage) -> None:
    """All weight goes back at once, while the gateway still refuses the route."""
    async with under_way(stage, bank), stage.recorded() as seen:
        await stage.weighs(80, 20)
        await stage.command("abort")
        await stage.phase("Aborted")
        await stage.weighs(100, 0)

    assert seen[-1] == (100, 0)
