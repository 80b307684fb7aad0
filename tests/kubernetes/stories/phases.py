"""Nine Rollouts in one namespace, each brought to another phase.

What a person does goes by another field manager than the controller's. The Rollout in phase Aborting stays there since
the API server refuses the controller's writes of a route with the label ``locked``.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from rollout.kube.resources import HTTP_ROUTES, ROLLOUTS, Document
from tests.kubernetes.cluster import CONTROLLER
from tests.kubernetes.stage import COMMAND, GATEWAY, Stage, accepted, conditions, ref
from tests.kubernetes.stories.test_steps import DAY, steps

PLANS: Mapping[str, tuple[Mapping[str, object], ...]] = {
    "idle": (),
    "first": ({"revision": "2"},),
    "last": ({"revision": "2"}, {"action": "promote"}),
    "paused": ({"revision": "2"}, {"action": "pause"}),
    "promoting": ({"revision": "2"}, {"action": "promote", "args": {"full": True}}),
    "aborting": ({"revision": "2"}, {"locked": "true"}, {"action": "abort"}),
    "aborted": ({"revision": "2"}, {"action": "abort"}),
    "swapped": ({"revision": "2"}, {"action": "promote", "args": {"full": True}}),
    "backup": (),
}
"""Name of the Rollout -> what is done to it, one after another: its revision, its route's lock, or a command."""

STANDS: Mapping[str, tuple[str, int]] = {
    "idle": ("Idle", 0),
    "first": ("Progressing", 1),
    "last": ("Progressing", 2),
    "paused": ("Paused", 1),
    "promoting": ("Promoting", 1),
    "aborting": ("Aborting", 1),
    "aborted": ("Aborted", 0),
    "swapped": ("Idle", 0),
    "backup": ("Paused", 0),
}
"""Name of the Rollout -> the phase and the step in which it then is."""

WEIGHTS: Mapping[str, tuple[int, ...]] = {
    "idle": (100, 0),
    "first": (80, 20),
    "last": (50, 50),
    "paused": (80, 20),
    "promoting": (0, 100),
    "aborting": (80, 20),
    "aborted": (100, 0),
    "swapped": (0, 100),
    "backup": (0, 0, 100),
}
"""Name of the Rollout -> the weights of its route by then."""


async def bring(stage: Stage) -> dict[str, Mapping[str, Any]]:
    """Bring every Rollout to its phase; return the statuses that they had at the baseline."""
    stage.accepting = _but_the_promoted_one
    _lock(stage)
    await asyncio.gather(*(_make(stage, name) for name in PLANS))
    before = {name: await _there(stage, name, ("Paused" if name == "backup" else "Idle", 0)) for name in PLANS}
    await asyncio.gather(*(_go_on(stage, name) for name in PLANS))
    return before


def _but_the_promoted_one(document: Document) -> list[dict[str, Any]]:
    """Accept every route but the one whose promotion is to wait, once its canary has all weight."""
    weight = document["spec"]["rules"][0]["backendRefs"][1]["weight"]
    if document["metadata"]["name"] != "promoting" or weight != 100:
        return accepted(document)
    told = conditions(document["metadata"]["generation"], accepted="False")
    return [{"parentRef": GATEWAY, "controllerName": "example.net/gateway", "conditions": told}]


async def _make(stage: Stage, name: str) -> None:
    await stage.pair(name)
    if name == "backup":
        await stage.service(f"{name}-dr")
        refs = [ref(f"{name}-v1", 0), ref(f"{name}-v2", 0), ref(f"{name}-dr", 100)]
        await stage.route(name, rules=[{"backendRefs": refs}])
    else:
        await stage.route(name)
    await stage.rollout(name, **spec_of(name))


def spec_of(name: str) -> dict[str, Any]:
    """Return the spec of one of them, at its baseline."""
    pair = {"stable": {"name": f"{name}-v1", "port": 8080}, "canary": {"name": f"{name}-v2", "port": 8080}}
    backups = {"backups": [{"name": f"{name}-dr", "port": 8080}]} if name == "backup" else {}
    return {"steps": steps(20, 50, hold=DAY), "backends": pair | backups}


async def _go_on(stage: Stage, name: str) -> None:
    for number, told in enumerate(PLANS[name]):
        if "revision" in told:
            stage.change(ROLLOUTS, name, {"spec": told})
            await _there(stage, name, ("Progressing", 1))
            await stage.weighs(80, 20, name=name)
        elif "locked" in told:
            stage.change(HTTP_ROUTES, name, {"metadata": {"labels": told}})
            await _locked(stage, name)
        else:
            order(stage, name, {"id": f"{name}-{number}", **told})
    await _there(stage, name, STANDS[name])
    await stage.weighs(*WEIGHTS[name], name=name)


def order(stage: Stage, name: str, told: Mapping[str, object]) -> None:
    """Let a person annotate the Rollout with a command."""
    stage.change(ROLLOUTS, name, {"metadata": {"annotations": {COMMAND: json.dumps(told)}}})


async def _there(stage: Stage, name: str, stands: tuple[str, int]) -> Mapping[str, Any]:
    return await stage.phase(stands[0], name, step=stands[1])


async def _locked(stage: Stage, name: str) -> None:
    """Return as soon as the API server refuses what the controller writes into the route."""
    path, status = f"{HTTP_ROUTES.path(stage.namespace, name)}?dryRun=All", 200
    async with asyncio.timeout(15):
        while status == 200:
            body = {"metadata": {"labels": {"tried": "yes"}}}
            content = "application/merge-patch+json"
            status, _ = stage.cluster.ask("PATCH", path, body, content=content, token=CONTROLLER)
            await asyncio.sleep(0.05)


def _lock(stage: Stage) -> None:
    """Let the API server refuse what the controller writes into a locked route of this namespace."""
    name, version = f"locked-{stage.namespace}", "admissionregistration.k8s.io/v1"
    rule = {"apiGroups": [HTTP_ROUTES.group], "apiVersions": ["v1"], "operations": ["UPDATE"]}
    here = {"matchLabels": {"kubernetes.io/metadata.name": stage.namespace}}
    locked = "has(oldObject.metadata.labels) && 'locked' in oldObject.metadata.labels"
    constraints = {"resourceRules": [{**rule, "resources": [HTTP_ROUTES.plural]}], "namespaceSelector": here}
    refusal = {"expression": f"request.userInfo.username != 'controller' || !({locked})", "message": "it is locked"}
    policy = {"matchConstraints": constraints, "validations": [refusal]}
    binding = {"policyName": name, "validationActions": ["Deny"]}
    for kind, spec in (("ValidatingAdmissionPolicy", policy), ("ValidatingAdmissionPolicyBinding", binding)):
        plural = "validatingadmissionpolicies" if spec is policy else "validatingadmissionpolicybindings"
        document = {"apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": spec}
        stage.cluster.apply(f"/apis/{version}/{plural}", document)
