"""What docs/explanation/failover.md recommends on Envoy Gateway, as long as it is true there."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from ruamel.yaml import YAML

from tests.gateway.answers import Answer, Answers
from tests.gateway.controller import Controller
from tests.gateway.enclosure import TREE
from tests.gateway.failovers import MOVE_SECONDS, PROBE, primary
from tests.gateway.keys import settled, share
from tests.gateway.means import HASH, PASSIVE, RETRIES, Settings, clusters, complaints, own, standing, treat
from tests.gateway.objects import SEPARATE
from tests.gateway.scene import Scene, refs
from tests.waiting import patient, until

THIRD = 2
SOON = 0.15
"""Seconds after the third bad answer: Envoy has told its threads that the primary is out."""

A_WHILE = 160
"""Answers of two seconds: within one Envoy would merge what it notices with the last change of weights."""


def recommended() -> Settings:
    """Return the settings of the policy in the how-to."""
    text = (TREE / "docs" / "how-to" / "failover-grpcroute.md").read_text(encoding="utf-8")
    blocks = [
        YAML(typ="safe").load_all(block) for block in re.findall(r"^```yaml\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    ]
    (policy,) = [one for block in blocks for one in block if one["kind"] == "BackendTrafficPolicy"]
    return {key: value for key, value in policy["spec"].items() if key not in {"targetRefs", "mergeType"}}


def late(answers: Answers, kind: str) -> list[Answer]:
    """Return the requests that failed though they were sent when Envoy had seen three bad answers."""
    failed = sorted(answers.failed(kind=kind), key=lambda one: one.at)
    return [one for one in failed[THIRD:] if one.sent > failed[THIRD].at + patient(SOON)]


@pytest.mark.parametrize("fault", ["killed", "wrong"])
async def test_what_is_recommended_loses_next_to_nothing(
    shared_scene: Scene, controller: Controller, fault: str
) -> None:
    """A standby weight, retries and passive checks bridge the time until the controller has moved the weights."""
    treat(shared_scene, recommended(), merge="StrategicMerge")
    soon = {"mode": "Manual", "stableFor": "1s"}
    async with primary(shared_scene, standbyWeight=1, signals=PROBE, failback=soon) as answers:
        await until(lambda: shared_scene.shares() == [(99, 1), (99, 1)], seconds=MOVE_SECONDS)
        answers.forget()
        await until(lambda: len(answers.all()) >= A_WHILE, seconds=MOVE_SECONDS)
        if fault == "killed":
            shared_scene.kill("v1")
        else:
            shared_scene.behave("v1", http_errors=1, grpc_errors=1, is_healthy=False)
        await answers.answered_by(shared_scene.whole("dr"), seconds=MOVE_SECONDS)

    assert not late(answers, "http"), answers.summary()
    assert not late(answers, "grpc"), answers.summary()


@pytest.mark.parametrize(
    ("settings", "merge", "named"),
    [(RETRIES, "StrategicMerge", "service"), (RETRIES, "", "route"), (PASSIVE, "StrategicMerge", "route")],
    ids=["retries", "retries without mergeType", "passive checks"],
)
async def test_what_takes_a_route_out_of_merge_backends(
    opened: Callable[[str], Scene], settings: Settings, merge: str, named: str
) -> None:
    """A policy of a route keeps each backend's cluster only with mergeType, and without settings of clusters."""
    scene = opened(SEPARATE)
    scene.backend("v1", "dr")
    treat(scene, settings, merge=merge)
    scene.routes(refs(("v1", 99), ("dr", 1)))
    with scene.clients(rate=20) as answers:
        await scene.flows(answers)
        found = clusters(scene)

    assert not complaints(scene)
    assert {"service" if name.startswith("service/") else "route" for name in found} == {named}


async def test_consistent_hash_knows_no_weights(shared_scene: Scene) -> None:
    """With a consistent hash Envoy Gateway spreads users evenly over the pods of all backends that have any weight."""
    treat(shared_scene, HASH)
    shared_scene.backend("v1", "dr")
    shared_scene.routes(refs(("v1", 99), ("dr", 1)))
    with shared_scene.clients(rate=20) as answers:
        await shared_scene.flows(answers)
        places = await settled(shared_scene)

    assert 0.4 < share(shared_scene, places) < 0.6


async def test_fallback_beside_a_service_needs_all_the_weight(shared_scene: Scene) -> None:
    """A `fallback` gets nothing at any weight; once the primary's Service is empty, it gets what its weight says."""
    shared_scene.backend("v1", "dr")
    standing(shared_scene, "dr", fallback=True)
    shared_scene.routes({"backendRefs": [*refs(("v1", 1))["backendRefs"], own("dr", 1_000_000)]})
    with shared_scene.clients(rate=40) as answers:
        await shared_scene.flows(answers)
        await until(lambda: len(answers.all()) >= A_WHILE, seconds=MOVE_SECONDS)
        before = answers.shares()
        shared_scene.scale_to_nothing("v1")
        await answers.answered_by(shared_scene.whole("dr"), seconds=MOVE_SECONDS)

    assert before == {shared_scene.whole("v1"): 1}
