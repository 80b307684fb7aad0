"""How many requests the controller makes, by the API server's own audit log."""

import pytest

from tests.kubernetes.stage import Stage, ref
from tests.kubernetes.stories.test_steps import DAY, steps

NAMES = ("checkout", "checkout-b", "checkout-c")


def asked(stage: Stage) -> list[str]:
    """Return what the controller asked for in this namespace besides watches and Leases, as VERB RESOURCE."""
    found = []
    for event in stage.cluster.audited("controller"):
        what = event.get("objectRef") or {}
        resource = "/".join(filter(None, (what.get("resource"), what.get("subresource"))))
        if what.get("namespace") == stage.namespace and event["verb"] != "watch" and resource != "leases":
            found.append(f"{event['verb']} {resource}")
    return found


@pytest.mark.parametrize("routes", [1, 3])
async def test_a_step_is_a_status_and_the_weights_of_each_route(stage: Stage, routes: int) -> None:
    """Two writes with one route, one more for each other route, and no read; an event tells of it."""
    await stage.pair()
    for name in NAMES[:routes]:
        await stage.route(name, rules=[{"backendRefs": [ref("checkout-v1", 100), ref("checkout-v2", 0)]}])
    named = [{"kind": "HTTPRoute", "name": name} for name in NAMES[:routes]]
    await stage.rollout(routes=named, steps=steps(10, 20, 30, hold=DAY))
    async with stage.controller() as runtime:
        await stage.phase("Idle")
        await stage.edit(revision="2")
        await stage.holds(runtime, 1)
        before = len(asked(stage))
        await stage.command("promote")
        await stage.holds(runtime, 2)
        after = asked(stage)[before:]

    assert sorted(what for what in after if what != "create events") == [
        *["patch httproutes"] * routes,
        "patch rollouts/status",
    ]


async def test_at_rest_nothing_is_asked(stage: Stage) -> None:
    """Resyncs and foreign events cost nothing."""
    await stage.pair()
    await stage.route()
    await stage.rollout()
    async with stage.controller() as runtime:
        await stage.phase("Idle")
        before = asked(stage)
        for _ in range(20):
            runtime.controller.wake(next(iter(runtime.store.keys())))
        await stage.service("other")
        await stage.annotate_route("checkout")
        await stage.endpoints("checkout-v2", ready=1, total=2)
        after = asked(stage)

    assert after == before
