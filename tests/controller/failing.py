"""A controller over fakes whose Rollouts have failover: a primary, a canary, a backup, and short ways to break them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from rollout.engine.observation import RouteKey
from rollout.engine.state import State
from rollout.failover.health import Health
from rollout.failover.table import Stage
from rollout.ports import Key
from rollout.signals import Target
from tests.controller.builders import DOWN, KEY, ROUTE, UP, V1, V2, Scene, backend, manifest

DR = "checkout-dr"
ALL = (V1, V2, DR)
ENDPOINTS: Mapping[str, object] = {"endpoints": {}}
PROBE: Mapping[str, object] = {"probe": {"http": {}, "interval": "1s", "fall": 3, "rise": 3}}
METRICS: Mapping[str, object] = {"metrics": {"window": "60s", "minSamples": 50}}


class HandSwitch:
    """`Switch` that a test turns."""

    def __init__(self) -> None:
        self._stopped = ""
        self._listeners: list[Callable[[], None]] = []

    @property
    def stopped(self) -> str:
        """Return what the test said."""
        return self._stopped

    def turn(self, stopped: str) -> None:
        """Stop everything with this sentence, or let it go on without one."""
        self._stopped = stopped
        for listener in self._listeners:
            listener()

    def subscribe(self, listener: Callable[[], None]) -> None:
        """Call `listener` on every turn."""
        self._listeners.append(listener)


def failing_over(
    signals: Mapping[str, object] = ENDPOINTS, *, spec: Mapping[str, object] | None = None, **failover: object
) -> dict[str, object]:
    """Return a manifest with failover by these signals."""
    backends = {"stable": {"name": V1}, "canary": {"name": V2}, "backups": [{"name": DR}]}
    wanted = {"signals": dict(signals), "confirmFor": "1s", **failover}
    return manifest(backends=backends, failover=wanted, **(spec or {}))


def many(
    number: int, *, shared: bool = False, signals: Mapping[str, object] = ENDPOINTS, **failover: object
) -> list[tuple[dict[str, object], RouteKey]]:
    """Return so many manifests and their routes; the backends are `shared`, or each has its own."""
    made = []
    for place in range(number):
        document, name = failing_over(signals, **failover), f"shop-{place}"  # type: ignore[arg-type]
        spec, metadata = document["spec"], document["metadata"]
        assert isinstance(spec, dict)
        assert isinstance(metadata, dict)
        own = ALL if shared else tuple(f"{backend_name}-{place}" for backend_name in ALL)
        stable, canary, backup = ({"name": one} for one in own)
        spec["backends"] = {"stable": stable, "canary": canary, "backups": [backup]}
        spec["routes"] = [{"kind": "HTTPRoute", "name": name}]
        metadata["name"] = name
        made.append((document, RouteKey("HTTPRoute", KEY.namespace, name)))
    return made


async def world(*manifests: tuple[dict[str, object], RouteKey], scene: Scene | None = None) -> Scene:
    """Return a scene with these Rollouts and all their backends up, whose controller does not run yet."""
    scene = scene or Scene()
    for document, route in manifests:
        spec = document["spec"]
        assert isinstance(spec, dict)
        backends = spec["backends"]
        names = [
            backends["stable"]["name"],
            backends["canary"]["name"],
            *(each["name"] for each in backends["backups"]),
        ]
        scene.routes.put(route, {name: 0 if place else 100 for place, name in enumerate(names)})
        for name in names:
            scene.health.put(backend(name), UP)
        await scene.store.apply(document)
    return scene


async def watching(
    signals: Mapping[str, object] = ENDPOINTS, *, scene: Scene | None = None, **failover: object
) -> Scene:
    """Return a scene with one Rollout that watches its primary, found to be up."""
    scene = await world((failing_over(signals, **failover), ROUTE), scene=scene)  # type: ignore[arg-type]
    await scene.start()
    await scene.until(lambda: bool(scene.state.stable))
    return scene


def state_of(scene: Scene, key: Key = KEY) -> State:
    """Return where a Rollout stands."""
    state = scene.controller.state(key)
    assert state is not None
    return state


def stage(scene: Scene, key: Key = KEY) -> Stage:
    """Return where its failover stands."""
    return state_of(scene, key).failover.stage


def lose(scene: Scene, name: str = V1) -> None:
    """Take all endpoints of a backend away."""
    scene.health.put(backend(name), DOWN)


async def answering(scene: Scene, ill: set[str]) -> None:
    """Let the targets of all backends answer probes each second, for ever; those in `ill` with 500."""
    while True:
        for name in ALL:
            for target in scene.health.targets(backend(name)):
                scene.probes.say(
                    target, Health.UNHEALTHY if name in ill else Health.HEALTHY, "500" if name in ill else ""
                )
        await asyncio.sleep(1)


def targets_of(name: str) -> tuple[Target, ...]:
    """Return two targets of the backend that no other has."""
    return tuple(Target(f"{name}-{place}.local", 80) for place in range(2))
