"""A status gets lost, or an old one comes back, in every phase: weights are never moved by what nobody knows any more.

Nine Rollouts stand in nine phases (see ``phases``) while it happens to all of them; the watch of each route tells
afterwards which weights there were.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from rollout.kube.resources import HTTP_ROUTES, ROLLOUTS
from tests.kubernetes.stage import Stage
from tests.kubernetes.stories.phases import PLANS, STANDS, WEIGHTS, bring, order

MIXED = ("first", "last", "paused", "aborting")
Moves = Mapping[str, list[tuple[int, ...]]]
Stands = Mapping[str, tuple[str, str]]

ADOPTED: Stands = {
    **dict.fromkeys(MIXED, ("Paused", "RolesUnknown")),
    **dict.fromkeys(("idle", "aborted"), ("Idle", "Baseline")),
    **dict.fromkeys(("promoting", "swapped"), ("Idle", "Adopted")),
    "backup": ("Paused", "OnBackup"),
}
"""Name of the Rollout -> phase and reason once nothing but the weights tells where it stood."""

HOLDERS = {name: f"{name}-v2" if name in {"promoting", "swapped"} else f"{name}-v1" for name in PLANS}
"""Name of the Rollout -> which of its backends then has the stable role, by the weights or by what a person says."""

UNMOVED: Moves = {name: [weights] for name, weights in WEIGHTS.items()}


@asynccontextmanager
async def recorded(stage: Stage) -> AsyncIterator[Moves]:
    """Give every change of the weights of every route in order."""
    async with AsyncExitStack() as stack:
        yield {name: await stack.enter_async_context(stage.recorded(name)) for name in PLANS}


def wipe(stage: Stage) -> None:
    """Take the status away from every Rollout."""
    for name in PLANS:
        put_back(stage, name, None)


def put_back(stage: Stage, name: str, status: Mapping[str, Any] | None) -> None:
    """Write a status, or none, over the one that is there."""
    path = ROLLOUTS.path(stage.namespace, name, "status")
    operation = {"op": "remove", "path": "/status"} if status is None else {"op": "add", "path": "/status"}
    value = {} if status is None else {"value": status}
    answer = stage.cluster.ask("PATCH", path, [{**operation, **value}], content="application/json-patch+json")
    assert answer[0] == 200, answer


async def recreate(stage: Stage) -> None:
    """Delete every Rollout without waiting for anybody, and make it again as it was, without a status."""
    for name in PLANS:
        document = await stage.api.get(ROLLOUTS, stage.namespace, name)
        stage.change(ROLLOUTS, name, {"metadata": {"finalizers": None}})
        path = ROLLOUTS.path(stage.namespace, name)
        assert stage.cluster.ask("DELETE", path)[0] == 200
        again = {**document, "metadata": {"name": name, "namespace": stage.namespace}, "status": {}}
        assert stage.cluster.ask("POST", ROLLOUTS.path(stage.namespace), again)[0] == 201


async def stand(stage: Stage, wanted: Stands) -> dict[str, tuple[str, str]]:
    """Return where every Rollout stands, once all are there or do not come there."""
    return dict(await asyncio.gather(*(_stands(stage, name, wanted[name]) for name in PLANS)))


async def _stands(stage: Stage, name: str, wanted: tuple[str, str]) -> tuple[str, tuple[str, str]]:
    status: Mapping[str, Any] = {}
    try:
        status = await stage.phase(wanted[0], name, reason=wanted[1])
    except AssertionError:
        status = await stage.status(name)
    return name, (status.get("phase", ""), status.get("reason", ""))


async def adopt(stage: Stage) -> None:
    """Say of every Rollout whose roles are unknown that its first backend is stable, and wait until it has all."""
    for name in (*MIXED, "backup"):
        stage.change(HTTP_ROUTES, name, {"metadata": {"labels": {"locked": None}}})
        order(stage, name, {"id": "told", "action": "adopt", "args": {"stable": f"{name}-v1"}})
    for name in (*MIXED, "backup"):
        await stage.phase("Idle", name, reason="Adopted")
        await stage.weighs(*((100, 0, 0) if name == "backup" else (100, 0)), name=name)


def _adopted() -> Moves:
    told = {name: [WEIGHTS[name], (100, 0)] for name in MIXED}
    return {**UNMOVED, **told, "backup": [WEIGHTS["backup"], (100, 0, 0)]}


async def test_wiped_while_nobody_is_there_it_is_adopted_by_the_weights(stage: Stage) -> None:
    """All weight on one of the pair tells the roles; else nothing moves until a person tells them."""
    async with stage.controller():
        await bring(stage)
    wipe(stage)
    async with recorded(stage) as seen, stage.controller():
        found = await stand(stage, ADOPTED)
        unmoved = {name: list(moves) for name, moves in seen.items()}
        holders = {name: (await stage.status(name))["stable"] for name in PLANS}
        await adopt(stage)

    assert found == ADOPTED
    assert unmoved == UNMOVED
    assert holders == {**HOLDERS, **dict.fromkeys((*MIXED, "backup"), "")}
    assert seen == _adopted()


async def test_wiped_under_a_running_controller_it_is_written_again(stage: Stage) -> None:
    """It knows where each stood: nothing moves, and the next controller finds it there."""
    async with stage.controller():
        await bring(stage)
        async with recorded(stage) as seen:
            wipe(stage)
            again = await _steps(stage)
    async with recorded(stage) as later, stage.controller():
        taken_up = await _steps(stage)

    assert again == taken_up == STANDS
    assert seen == later == UNMOVED


async def _steps(stage: Stage) -> dict[str, tuple[str, int]]:
    found = {}
    for name, (phase, step) in STANDS.items():
        status = await stage.phase(phase, name, step=step)
        found[name] = (status["phase"], status["step"])
    return found


async def test_made_again_while_nobody_is_there_it_is_adopted_by_the_weights(stage: Stage) -> None:
    """As after a restore of the objects without their statuses."""
    async with stage.controller():
        await bring(stage)
    await recreate(stage)
    async with recorded(stage) as seen, stage.controller():
        found = await stand(stage, ADOPTED)
        await adopt(stage)

    assert found == ADOPTED
    assert seen == _adopted()


async def test_made_again_under_a_running_controller_it_is_adopted_by_the_weights(stage: Stage) -> None:
    """What was known of the one before is not said of the new one, however quickly it came."""
    async with stage.controller():
        await bring(stage)
        async with recorded(stage) as seen:
            await recreate(stage)
            found = await stand(stage, ADOPTED)
            await adopt(stage)

    assert found == ADOPTED
    assert seen == _adopted()


async def test_an_old_status_under_a_running_controller_changes_nothing(stage: Stage) -> None:
    """That of the baseline comes back, as by a restore; the controller knows better."""
    async with stage.controller():
        before = await bring(stage)
        async with recorded(stage) as seen:
            for name, status in before.items():
                put_back(stage, name, status)
            again = await _steps(stage)

    assert again == STANDS
    assert seen == UNMOVED


async def test_a_restored_backup_is_adopted_by_the_weights_that_it_does_not_know(stage: Stage) -> None:
    """Spec and status are those of the baseline, and the routes have what was written since: none of it is undone."""
    async with stage.controller():
        before = await bring(stage)
    for name, status in before.items():
        stage.change(ROLLOUTS, name, {"spec": {"revision": "1"}})
        put_back(stage, name, status)
    async with recorded(stage) as seen, stage.controller():
        found = await stand(stage, ADOPTED)
        await adopt(stage)

    assert found == ADOPTED
    assert seen == _adopted()
