"""Facts about routes of another namespace: their weights are their owner's to lend."""

from __future__ import annotations

import asyncio

import pytest

from rollout.controller.observe import is_open
from rollout.engine.observation import BackendKey, RouteKey, RouteView
from rollout.engine.table import Phase
from tests.controller.builders import KEY, UP, V1, V2, Scene, manifest, prepared, virtually

THEIRS = RouteKey("HTTPRoute", "prod", "checkout")
ROUTES = [{"kind": "HTTPRoute", "name": "checkout", "namespace": "prod"}]
BACKENDS = {"stable": {"name": V1, "namespace": "prod"}, "canary": {"name": V2, "namespace": "prod"}}
REFUSED = "spec.routes[0].namespace: HTTPRoute checkout is of another namespace"


@pytest.mark.parametrize(
    ("open_to", "is_so"),
    [(None, True), (("prod",), False), (("prod", "shop"), True), (("prod", "*"), True), (("prod", "shop-2"), False)],
)
def test_a_route_is_open_to_those_whom_its_owner_lets_in(open_to: tuple[str, ...] | None, is_so: bool) -> None:  # noqa: FBT001 - a column
    """By name, or to everybody; where there are no owners nobody asks."""
    assert is_open(RouteView(THEIRS, (), "1", open_to=open_to), "shop") is is_so


async def _scene(*allowed: str) -> Scene:
    """Return a scene whose Rollout names a route and backends of another namespace; the route is open to these."""
    scene = await prepared()
    scene.routes.put(THEIRS, {V1: 100, V2: 0})
    scene.routes.open_to(THEIRS, *allowed)
    for name in (V1, V2):
        scene.health.put(BackendKey("prod", name), UP)
    await scene.store.apply(manifest(routes=ROUTES, backends=BACKENDS))
    await scene.start()
    return scene


@virtually
async def test_a_route_that_is_not_lent_is_never_written() -> None:
    """Whoever may make Rollouts in one namespace has no hand in the traffic of another, and is told so."""
    scene = await _scene()
    await scene.tell("start", revision="2")
    await asyncio.sleep(60)
    look = scene.controller.look(KEY)

    assert scene.state.phase is Phase.INVALID
    assert REFUSED in scene.state.message
    assert look is not None
    assert (look.problems, look.rollout) == ((scene.state.message,), None)
    assert (scene.state.observed, scene.routes.writes) == ((), [])
    await scene.stop()


@virtually
async def test_a_route_that_is_lent_later_is_used_then() -> None:
    """The annotation is all that was missing, and nothing has to be applied anew."""
    scene = await _scene("books")
    scene.routes.open_to(THEIRS, "books", "shop")
    await scene.until_phase(Phase.IDLE)
    await scene.tell("start", revision="2")
    await scene.until(lambda: scene.weights(THEIRS) == (90, 10))

    await scene.stop()


@virtually
async def test_a_route_that_is_taken_back_is_left_as_it_is() -> None:
    """In the middle of an attempt, too; not even an abort writes what is not ours any more."""
    scene = await _scene("shop")
    await scene.tell("start", revision="2")
    await scene.until(lambda: scene.weights(THEIRS) == (90, 10))
    scene.routes.open_to(THEIRS)
    await scene.until_phase(Phase.INVALID)
    await scene.tell("abort")
    await asyncio.sleep(60)
    left = scene.weights(THEIRS)
    scene.routes.open_to(THEIRS, "shop")
    await scene.until(lambda: scene.weights(THEIRS) == (100, 0))

    assert left == (90, 10)
    await scene.stop()


@virtually
async def test_a_route_that_is_taken_back_under_our_hands_is_not_written() -> None:
    """The write of an abort, which goes over foreign weights, meets the change and is decided anew."""
    scene = await _scene("shop")
    await scene.tell("start", revision="2")
    await scene.until(lambda: scene.weights(THEIRS) == (90, 10))
    scene.routes.contest.append(lambda: scene.routes.open_to(THEIRS))
    await scene.tell("abort")
    await asyncio.sleep(60)

    assert scene.weights(THEIRS) == (90, 10)
    await scene.stop()
