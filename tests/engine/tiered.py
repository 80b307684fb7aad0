"""A World with a backup: passes whose failover sees the endpoints of three backends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from rollout.engine.observation import Endpoints, FailoverSeen, Observation, RouteKey, RouteView
from rollout.engine.status import from_status, to_status
from rollout.failover.health import Reading, Signal
from rollout.failover.readings import EndpointsSeen, endpoints_reading
from rollout.failover.seen import BackendSeen
from rollout.failover.table import Stage
from rollout.spec.failover import EndpointsSignal
from rollout.spec.resource import Rollout
from tests.engine.builders import DOWN, DR, ROUTE, UP, V1, V2, World, rollout, route, rule

BACKENDS = {"stable": {"name": V1}, "canary": {"name": V2}, "backups": [{"name": DR}]}
FAILOVER: Mapping[str, object] = {
    "signals": {"endpoints": {}},
    "confirmFor": "0s",
    "failback": {"stableFor": "60s", "steps": [50, 100], "stepInterval": "10s"},
    "damping": {"cooldown": "0s"},
}


def backed(failover: Mapping[str, object] | None = None, **spec: object) -> Rollout:
    """Return a Rollout with one backup that fails over at once, `failover` laid over its settings."""
    wanted = {**FAILOVER, **(failover or {})}
    return rollout(**{"backends": BACKENDS, "failover": wanted, **spec})


def tiers(stable: int, canary: int, backup: int, *, version: str = "1") -> RouteView:
    """Return the route with these three weights."""
    return route(rule({V1: stable, V2: canary, DR: backup}), version=version)


def _three_up() -> dict[str, Endpoints]:
    return {V1: UP, V2: UP, DR: UP}


@dataclass(slots=True)
class Backed(World):
    """A World whose Rollout has a backup; `stopped` and others are as `FailoverSeen` has them."""

    wanted: Rollout | None = field(default_factory=backed)
    views: dict[RouteKey, RouteView | None] = field(default_factory=lambda: {ROUTE: tiers(100, 0, 0)})
    endpoints: dict[str, Endpoints] = field(default_factory=_three_up)
    readings: dict[str, Reading] = field(default_factory=dict)
    failover: dict[str, object] = field(default_factory=dict)

    def observation(self, **fields: object) -> Observation:
        """Return what there is to see now, failover's part with it."""
        seen = FailoverSeen({name: self._backend(name) for name in self.endpoints})
        told = {"failover": replace(seen, **self.failover), **fields}  # type: ignore[arg-type]
        return World.observation(self, **told)

    def _backend(self, name: str) -> BackendSeen:
        found = self.endpoints[name]
        seen = EndpointsSeen(found.ready, found.total, self.now if found.known else None)
        before = self.readings.get(name)
        self.readings[name] = endpoints_reading(EndpointsSignal(), seen, before, self.now)
        return BackendSeen(name, (self.readings[name],))

    def pass_time(self, seconds: float, *, every: float = 1.0) -> None:
        """Run passes for so long, and a last one for what they wrote."""
        end = self.now + seconds
        while self.now < end:
            self.look(after=min(every, end - self.now))

    def restart(self) -> None:
        """Lose everything that is in no status."""
        kept = from_status(to_status(self.state))
        assert kept is not None
        self.state = kept
        self.readings.clear()

    @property
    def stage(self) -> Stage:
        """Return where failover stands."""
        return self.state.failover.stage


def at_home(**fields: object) -> Backed:
    """Return a world at rest, all weight on stable."""
    world = Backed(**fields)  # type: ignore[arg-type]
    world.look()
    world.look(after=1)
    return world


def away(**fields: object) -> Backed:
    """Return a world whose stable is down and whose backup has the traffic."""
    world = at_home(**fields)
    world.endpoints[V1] = DOWN
    world.look(after=1)
    world.look(after=1)
    assert world.stage is Stage.FAILED_OVER
    return world


__all__ = ["DOWN", "DR", "UP", "V1", "V2", "Backed", "Signal", "at_home", "away", "backed", "tiers"]
