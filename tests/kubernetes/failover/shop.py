"""A shop with a backup: Services v1, v2 and dr, a route to them, and a Rollout that fails over and back within seconds.

Weights are always in the order of the route: stable, canary, backup.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from rollout.kube.resources import EVENTS
from tests.kubernetes.stage import Stage, ref

HOME, AWAY = (100, 0, 0), (0, 0, 100)
DAY = "24h"
MANUAL = {"mode": "Manual"}
WRITES = frozenset({"create", "update", "patch", "delete"})


def failover(**fields: object) -> dict[str, Any]:
    """Return ``spec.failover`` by endpoints alone, at once, and back after a second; ``failback`` has what differs."""
    given: dict[str, Any] = {"signals": {"endpoints": {}}, "confirmFor": "0s", "damping": {"cooldown": "0s"}, **fields}
    failback = {"stableFor": "1s", "steps": [100], "stepInterval": "0s", **given.get("failback", {})}
    return {**given, "failback": failback}


def backends(name: str = "checkout") -> dict[str, Any]:
    """Return ``spec.backends``."""
    stable, canary, backup = ({"name": f"{name}-{part}", "port": 8080} for part in ("v1", "v2", "dr"))
    return {"stable": stable, "canary": canary, "backups": [backup]}


def refs(name: str = "checkout") -> list[dict[str, Any]]:
    """Return the refs of a rule in which the stable backend has everything."""
    return [ref(f"{name}-v1", 100), ref(f"{name}-v2", 0), ref(f"{name}-dr", 0)]


async def services(stage: Stage, name: str = "checkout", *, backup_ready: int = 1) -> None:
    """Make the Services and their endpoints."""
    await stage.pair(name)
    await stage.service(f"{name}-dr", ready=backup_ready, total=1)


async def shop(stage: Stage, name: str = "checkout", *, backup_ready: int = 1, **spec: object) -> None:
    """Make everything; ``failover`` is that of ``failover()`` unless ``spec`` has another."""
    await services(stage, name, backup_ready=backup_ready)
    await stage.route(name, rules=[{"backendRefs": refs(name)}])
    await stage.rollout(name, **{"backends": backends(name), "failover": failover(), **spec})


async def at_home(stage: Stage, name: str = "checkout") -> Mapping[str, Any]:
    """Return the status as soon as failover watches and knows how all of them are."""
    return await stage.until(
        lambda status: (
            stands(status) == "Normal"
            and status["failover"].get("reason") == "Watching"
            and "Unknown" not in status["health"].values()
        ),
        name,
    )


async def is_in(stage: Stage, phase: str, name: str = "checkout", *, seconds: float = 15.0) -> Mapping[str, Any]:
    """Return the status as soon as failover stands there."""
    return await stage.until(lambda status: stands(status) == phase, name, seconds=seconds)


def stands(status: Mapping[str, Any]) -> str:
    """Return the phase of failover."""
    return str((status.get("failover") or {}).get("phase", ""))


def condition(status: Mapping[str, Any], kind: str) -> tuple[str, str]:
    """Return status and reason of a condition."""
    return next(((one["status"], one["reason"]) for one in status["conditions"] if one["type"] == kind), ("", ""))


def told(status: Mapping[str, Any], reason: str) -> list[str]:
    """Return the messages of the transitions with this reason, oldest first."""
    return [made["message"] for made in status["transitions"] if made["reason"] == reason]


def handled(status: Mapping[str, Any], number: str) -> tuple[bool, str]:
    """Return what became of a command: whether it was done, and why (not)."""
    return next((one["done"], one["reason"]) for one in status["handledCommands"] if one["id"] == number)


def written(stage: Stage) -> list[str]:
    """Return what the API server took from the controller in this namespace so far beside events and Leases."""
    found = []
    for event in stage.cluster.audited("controller"):
        what = event.get("objectRef") or {}
        resource = "/".join(filter(None, (what.get("resource"), what.get("subresource"))))
        taken = event["responseStatus"]["code"] < HTTPStatus.BAD_REQUEST and event["verb"] in WRITES
        if taken and what.get("namespace") == stage.namespace and resource not in {"events", "leases"}:
            found.append(f"{event['verb']} {resource}")
    return found


def in_order(stage: Stage) -> list[str]:
    """Return what the controller wrote in this namespace beside Leases, as VERB RESOURCE, in the order it came."""
    found = []
    for event in stage.cluster.audited("controller"):
        what = event.get("objectRef") or {}
        resource = "/".join(filter(None, (what.get("resource"), what.get("subresource"))))
        if event["verb"] in WRITES and what.get("namespace") == stage.namespace and resource != "leases":
            found.append((event["requestReceivedTimestamp"], f"{event['verb']} {resource}"))
    return [what for _, what in sorted(found)]


async def commanded(stage: Stage, action: str, name: str = "checkout", **args: Any) -> tuple[bool, str]:  # noqa: ANN401 - as JSON has it
    """Annotate a command and return what became of it."""
    number = await stage.command(action, name, **args)
    status = await stage.until(lambda status: any(one["id"] == number for one in status["handledCommands"]), name)
    return handled(status, number)


async def events(stage: Stage) -> list[tuple[str, str, str]]:
    """Return type, reason and action of every event of the namespace, oldest first."""
    listed = await stage.api.list_page(EVENTS, namespace=stage.namespace)
    found = sorted(listed["items"], key=lambda event: str(event["eventTime"]))
    return [(event["type"], event["reason"], event["action"]) for event in found]
