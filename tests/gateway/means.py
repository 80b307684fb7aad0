"""Envoy Gateway's own means against a backend that fails, as people apply them to the routes of a scene.

Policies come before the routes that they aim at: what changes a cluster that there is takes 15 s to become active.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from tests.gateway.backends import HEALTH_PATH, PORT
from tests.gateway.crew import BOTH
from tests.gateway.scene import ROUTE, ROUTES, Scene
from tests.waiting import patient

ENVOY = "gateway.envoyproxy.io"
Settings = Mapping[str, Any]

CAREFUL = ["connect-failure", "refused-stream", "reset-before-request"]
"""What never came to a backend, so that it may be sent again whatever it is."""

BACK_OFF = {"baseInterval": "25ms", "maxInterval": "250ms"}
RETRIES: Settings = {
    "retry": {"numRetries": 2, "retryOn": {"triggers": CAREFUL}, "perRetry": {"backOff": BACK_OFF}},
}
REPEATS: Settings = {
    "retry": {
        "numRetries": 2,
        "retryOn": {"triggers": ["connect-failure", "refused-stream", "reset", "unavailable", "gateway-error"]},
        "perRetry": {"timeout": "500ms", "backOff": BACK_OFF},
    },
}
"""The same for calls that may come to a backend twice: also those that were cut off, not answered, or refused."""

PASSIVE: Settings = {
    "timeout": {"tcp": {"connectTimeout": "500ms"}, "http": {"requestTimeout": "1s"}},
    "healthCheck": {
        "panicThreshold": 0,
        "passive": {
            "consecutive5XxErrors": 3,
            "interval": "1s",
            "baseEjectionTime": "3s",
            "maxEjectionPercent": 100,
        },
    },
}
BREAKER: Settings = {
    "circuitBreaker": {"maxConnections": 32, "maxPendingRequests": 1, "maxParallelRequests": 32},
}
HASH: Settings = {
    "loadBalancer": {"type": "ConsistentHash", "consistentHash": {"type": "Header", "header": {"name": "x-user"}}}
}


def active(kind: str, interval: str = "1s") -> Settings:
    """Return the questions that Envoy asks of each backend of a kind of route."""
    asked: Settings = {
        "http": {"type": "HTTP", "http": {"path": HEALTH_PATH}},
        "grpc": {"type": "GRPC", "grpc": {}},
    }[kind]
    often = {"interval": interval, "timeout": "500ms", "unhealthyThreshold": 3}
    return {"healthCheck": {"panicThreshold": 0, "active": {**asked, **often}}}


def treat(scene: Scene, *settings: Settings, merge: str = "", checks: bool = False) -> None:
    """Let these settings be those of both routes; ``merge``: how, with what a Gateway's policy says."""
    for kind in BOTH:
        spec: dict[str, Any] = {
            "targetRefs": [{"group": "gateway.networking.k8s.io", "kind": ROUTES[kind], "name": ROUTE}]
        }
        if merge:
            spec["mergeType"] = merge
        for one in (*settings, *([active(kind)] if checks else ())):
            _put(spec, one)
        _post(scene, ("BackendTrafficPolicy", "backendtrafficpolicies"), f"{ROUTE}-{kind}", spec)


def _put(spec: dict[str, Any], more: Settings) -> None:
    for key, value in more.items():
        spec[key] = {**spec.get(key, {}), **value}


def standing(scene: Scene, name: str, *, fallback: bool) -> None:
    """Let a backend be one of Envoy Gateway's own kind, by its address."""
    address = scene.crew.places[scene.whole(name)].address
    spec = {"endpoints": [{"ip": {"address": address, "port": PORT}}], "fallback": fallback}
    _post(scene, ("Backend", "backends"), name, spec)


def own(name: str, weight: int = 1) -> dict[str, Any]:
    """Return a reference to a backend of Envoy Gateway's own kind."""
    return {"group": ENVOY, "kind": "Backend", "name": name, "weight": weight}


def _post(scene: Scene, what: tuple[str, str], name: str, spec: Settings) -> None:
    kind, plural = what
    path = f"/apis/{ENVOY}/v1alpha1/namespaces/{scene.namespace}/{plural}"
    document = {"apiVersion": f"{ENVOY}/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}
    status, answer = scene.cluster.ask("POST", path, document)
    assert status == HTTPStatus.CREATED, answer


def complaints(scene: Scene) -> list[str]:
    """Return what Envoy Gateway has against the policies of a scene."""
    _, told = scene.cluster.ask("GET", f"/apis/{ENVOY}/v1alpha1/namespaces/{scene.namespace}/backendtrafficpolicies")
    return [
        f"{condition['type']}: {condition['message']}"
        for policy in told["items"]
        for ancestor in policy.get("status", {}).get("ancestors", ())
        for condition in ancestor["conditions"]
        if (condition["type"], condition["status"]) != ("Accepted", "True")
    ]


async def are_checked(scene: Scene, *, seconds: float = 90.0) -> None:
    """Return when Envoy asks the backends as often as it was told: a new cluster is asked again after a minute only."""
    deadline = time.monotonic() + patient(seconds)
    with scene.clients(rate=10):
        before = _attempts(scene)
        while True:
            await asyncio.sleep(3)
            now = _attempts(scene)
            if now and all(count >= before.get(name, count) + len(BOTH) * 2 for name, count in now.items()):
                return
            assert time.monotonic() < deadline, f"Envoy asks too seldom: {before} and 3 s later {now}"
            before = now


def _attempts(scene: Scene) -> dict[str, int]:
    """Return how often the backends in each cluster were asked."""
    port = scene.lab.proxies[scene.edge].admin_port
    _, text = scene.lab.get(port, f"/stats?filter={scene.namespace}/.*health_check.attempt$")
    found = (line.split(": ") for line in text.splitlines())
    return {name: int(count) for name, count in found}


def clusters(scene: Scene) -> set[str]:
    """Return the names of the clusters that the gateway's Envoy has for this scene."""
    _, text = scene.lab.get(scene.lab.proxies[scene.edge].admin_port, "/clusters")
    names = {line.partition("::")[0] for line in text.splitlines()}
    return {name for name in names if f"/{scene.namespace}/" in name}
