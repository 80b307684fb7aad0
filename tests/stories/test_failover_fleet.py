"""Statement 17: many unrelated primaries seem to die within seconds, and it may be the observer that is ill.

Not a rehearsal, which has one Rollout, but the same controller in the same virtual time over fakes.
"""

import asyncio

import pytest

from rollout.engine.observation import Endpoints
from rollout.failover.health import Health
from rollout.failover.reasons import Reason
from rollout.failover.table import Stage
from rollout.ports import Key
from tests.controller.builders import DOWN, UP, V1, Scene, backend, virtually
from tests.controller.failing import ALL, DR, ENDPOINTS, PROBE, many, stage, state_of, targets_of, world

pytestmark = pytest.mark.long

FLEET = 20
SHARE = 6
"""30 % of them."""

LIMIT = {"maxPercent": 30, "within": "60s", "atLeast": 5}
KEYS = [Key("shop", f"shop-{place}") for place in range(FLEET)]


async def fleet() -> Scene:
    """Return a controller that watches a fleet of primaries, each by endpoints and a probe of its own."""
    scene = await world(*many(FLEET, signals={**ENDPOINTS, **PROBE}, fleetLimit=LIMIT))
    for place in range(FLEET):
        for name in ALL:
            put(scene, f"{name}-{place}", UP)
    return scene


def put(scene: Scene, name: str, endpoints: Endpoints) -> None:
    """Let the endpoints of a backend be these; where they are stays the same."""
    scene.health.put(backend(name), endpoints, *targets_of(name))


async def answering(scene: Scene, ill: set[str]) -> None:
    """Let all targets answer their probes each second, those of backends in ``ill`` badly."""
    while True:
        for place in range(FLEET):
            for name in (f"{V1}-{place}", f"{DR}-{place}"):
                for target in targets_of(name):
                    scene.probes.say(target, Health.UNHEALTHY if name in ill else Health.HEALTHY)
        await asyncio.sleep(1)


def gone(scene: Scene) -> list[Key]:
    """Return who has failed over."""
    return [key for key in KEYS if stage(scene, key) is Stage.FAILED_OVER]


@virtually
async def test_17_a_share_fails_over_on_one_signal_and_the_rest_wait_for_another() -> None:
    """Six of twenty go; the others say why they do not, once; one whose probe fails as well goes at once."""
    scene, ill = await fleet(), set[str]()
    await scene.start()
    answers = asyncio.create_task(answering(scene, ill))
    await asyncio.sleep(10)
    for place in range(FLEET):
        put(scene, f"{V1}-{place}", DOWN)
        await asyncio.sleep(0.1)
    await asyncio.sleep(20)
    first = gone(scene)
    waiting = [key for key in KEYS if key not in first]
    reasons = {state_of(scene, key).failover.reason for key in waiting}
    told = [told.key for told in scene.told if told.transition and told.transition.reason == Reason.SUSPECT_OBSERVER]
    ill.add(f"{V1}-{waiting[-1].name.removeprefix('shop-')}")
    await asyncio.sleep(1.5)
    then = gone(scene)
    answers.cancel()
    await scene.stop()

    assert len(first) == SHARE
    assert reasons == {Reason.SUSPECT_OBSERVER}
    assert sorted(told) == sorted(waiting)
    assert set(then) - set(first) == {waiting[-1]}
