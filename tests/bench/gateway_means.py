"""The ways to bridge a lost primary behind Envoy Gateway, each as a scene that is ready to suffer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.bench.gateway_faults import Fault
from tests.bench.gateway_kills import DAMPING
from tests.bench.gateway_scenes import Bench
from tests.gateway.failovers import BACKENDS, GATEWAYS, PROBE
from tests.gateway.means import (
    BREAKER,
    PASSIVE,
    REPEATS,
    RETRIES,
    Settings,
    are_checked,
    complaints,
    own,
    standing,
    treat,
)
from tests.gateway.objects import SEPARATE, SHARED
from tests.gateway.scene import Scene, refs
from tests.waiting import until

ALL = frozenset(Fault)
NONE: frozenset[Fault] = frozenset()
_READY_SECONDS = 30.0
FAILOVER: Mapping[str, Any] = {
    "signals": {"endpoints": {}, "probe": {**PROBE["probe"], "interval": "500ms", "timeout": "250ms"}},
    "confirmFor": "0s",
    "failback": {
        "mode": "Auto",
        "stableFor": "1s",
        "steps": [10, 50, 100],
        "stepInterval": "1600ms",
        "holdGrowth": {"factor": 1},
    },
    "damping": DAMPING,
}


@dataclass(frozen=True, slots=True)
class Means:
    """A row: policies, the backup's share in per cent, who is of Envoy Gateway's own kind, and who moves weights.

    ``carries``: the faults in which the backup alone answers in the end.
    """

    title: str
    settings: tuple[Settings, ...] = ()
    standby: int = 1
    checks: bool = False
    own_kind: tuple[str, ...] = ()
    governed: bool = False
    edge: str = SHARED
    weights: tuple[int, int] = (1, 1)
    carries: frozenset[Fault] = NONE


OWN = ("v1", "dr")
TURNED: dict[str, Any] = {"own_kind": ("dr",), "checks": True, "weights": (1, 1_000_000)}
MERGED: dict[str, Any] = {"governed": True, "edge": SEPARATE, "carries": ALL}

MEANS = (
    Means("nothing, weight 0", standby=0),
    Means("weight 1"),
    Means("weight 1, retries", (RETRIES,)),
    Means("weight 1, active checks", checks=True),
    Means("weight 1, passive checks", (PASSIVE,)),
    Means("weight 1, passive checks, retries", (PASSIVE, RETRIES)),
    Means("weight 1, circuit breaker", (BREAKER,)),
    Means("fallback, primary a Service", own_kind=("dr",)),
    Means("fallback, active checks", checks=True, own_kind=OWN),
    Means("fallback, passive checks", (PASSIVE,), own_kind=OWN),
    Means("fallback, both checks, repeats", (PASSIVE, REPEATS), checks=True, own_kind=OWN),
    Means("fallback with all the weight, primary a Service, both checks, repeats", (PASSIVE, REPEATS), **TURNED),
    Means("controller, weight 0", standby=0, governed=True, carries=ALL),
    Means("controller, weight 1", governed=True, carries=ALL),
    Means("controller, weight 1, retries", (RETRIES,), governed=True, carries=ALL),
    Means("controller, weight 1, passive checks, retries", (PASSIVE, RETRIES), governed=True, carries=ALL),
    Means("controller, weight 1, passive checks, repeats", (PASSIVE, REPEATS), governed=True, carries=ALL),
    Means("mergeBackends, controller, weight 1", **MERGED),
    Means("mergeBackends, controller, weight 1, retries", (RETRIES,), **MERGED),
)


async def opened(playing: Bench, means: Means) -> Scene:
    """Open a scene with a primary and a backup, treated like this, before there is a client."""
    scene = playing.scene(means.edge)
    scene.backend("v1", "dr")
    for name in means.own_kind:
        standing(scene, name, fallback=name == "dr")
    treat(scene, *means.settings, merge="StrategicMerge" if means.edge == SEPARATE else "", checks=means.checks)
    given = 0 if means.governed else means.standby
    scene.routes(_rule(means, given))
    if means.governed:
        failover = {**FAILOVER, "standbyWeight": means.standby}
        await scene.manifest(backends=BACKENDS, failover=failover, gateway=GATEWAYS[means.edge])
        await until(lambda: _is_standing_by(scene, means.standby), seconds=_READY_SECONDS)
    if means.checks:
        await are_checked(scene)
    assert not complaints(scene), complaints(scene)
    return scene


def _rule(means: Means, standby: int) -> dict[str, Any]:
    weights = {"v1": 100 - standby, "dr": standby}
    if "dr" in means.own_kind:
        weights = dict(zip(OWN, means.weights, strict=True))
    plain = refs(*weights.items())["backendRefs"]
    return {"backendRefs": [own(one["name"], one["weight"]) if one["name"] in means.own_kind else one for one in plain]}


def _is_standing_by(scene: Scene, standby: int) -> bool:
    return all(abs(shares[1] - standby) < 0.01 for shares in scene.shares())


def closed(scene: Scene) -> None:
    """Take away what would go on working."""
    for path in ("rollout.dev/v1alpha1", "gateway.networking.k8s.io/v1"):
        plurals = ("rollouts",) if path.startswith("rollout") else ("httproutes", "grpcroutes")
        for plural in plurals:
            scene.cluster.ask("DELETE", f"/apis/{path}/namespaces/{scene.namespace}/{plural}/checkout")
    for name in ("v1", "dr"):
        scene.crew.kill(scene.whole(name))
