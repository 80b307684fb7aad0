"""A route that others edit all the time: nothing of theirs is lost, and everything of ours arrives."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any, Self

import pytest

from rollout.controller.act import write
from rollout.engine.drift import RouteWrite
from rollout.engine.observation import RouteKey, RouteView
from rollout.errors import ConflictError
from rollout.kube.api import KubeApi
from rollout.kube.routes import KubeRouteTable
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.routes.world import JSON_PATCH, KINDS, change, get, make, open_table, refs, to_write
from tests.waiting import until

WRITES = 100
EVERY_SECONDS = 0.05
VALUE = "/spec/rules/0/filters/0/requestHeaderModifier/set/0/value"


class Others:
    """Two clients that edit the route, each 20 times a second: its annotations and labels, and a header filter."""

    def __init__(self, cluster: Cluster, key: RouteKey) -> None:
        self._cluster = cluster
        self._key = key
        self._tasks: list[asyncio.Task[None]] = []
        self._ending = False
        self.notes = 0
        self.headers = 0

    async def __aenter__(self) -> Self:
        """Begin."""
        self._tasks = [asyncio.create_task(self._annotate()), asyncio.create_task(self._edit())]
        return self

    async def __aexit__(self, *_: object) -> None:
        """End after the edits that are on their way; fail if one of them failed."""
        self._ending = True
        await asyncio.gather(*self._tasks)

    async def _annotate(self) -> None:
        """Leave a note of each edit, by merge patch, as kubectl annotate does."""
        while not self._ending:
            number = self.notes + 1
            metadata = {"annotations": {f"note-{number}": "here"}, "labels": {"newest": str(number)}}
            await asyncio.to_thread(change, self._cluster, self._key, {"metadata": metadata})
            self.notes = number
            await asyncio.sleep(EVERY_SECONDS)

    async def _edit(self) -> None:
        """Count up the value of a header, by JSON Patch; that it still is as it was left is tested by the patch."""
        while not self._ending:
            number = self.headers + 1
            body: list[dict[str, Any]] = [
                {"op": "test", "path": VALUE, "value": str(self.headers)},
                {"op": "replace", "path": VALUE, "value": str(number)},
            ]
            await asyncio.to_thread(change, self._cluster, self._key, body, content=JSON_PATCH)
            self.headers = number
            await asyncio.sleep(EVERY_SECONDS)


async def write_as_a_pass_does(table: KubeRouteTable, key: RouteKey, share: int) -> RouteView:
    """Write the share; a write that met five changes is decided again on the next pass."""
    for _ in range(5):
        view = table.read(key)
        assert view is not None
        wanted = RouteWrite(key, view.version, tuple(to_write(view, v1=100 - share, v2=share)), ())
        try:
            return await write(table, wanted, urgent=False)
        except ConflictError:
            continue
    raise AssertionError(f"the share {share} could not be written in 5 passes")


@pytest.mark.parametrize("kind", KINDS)
async def test_three_hands_on_one_route_lose_nothing(
    cluster: Cluster, namespace: str, api: KubeApi, stack: AsyncExitStack, *, kind: str
) -> None:
    """Every edit is in the route at the end, and every change of the spec is one of ours or of the filter's editor."""
    key = RouteKey(kind, namespace, "busy")
    header = {"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [{"name": "x-edit", "value": "0"}]}}
    make(cluster, key, [{"filters": [header], "backendRefs": refs({"v1": 100, "v2": 0, "other": 3})}])
    table = await open_table(stack, api, key, namespace=namespace)
    arrived = []
    async with Others(cluster, key) as others:
        for number in range(WRITES):
            edits = others.notes + others.headers
            await until(lambda edits=edits: others.notes + others.headers > edits)  # type: ignore[misc] # a default binds it
            arrived.append(await write_as_a_pass_does(table, key, number % 99 + 1))

    after = get(cluster, key)
    assert set(after["metadata"]["annotations"]) == {f"note-{number + 1}" for number in range(others.notes)}
    assert after["metadata"]["labels"] == {"newest": str(others.notes)}
    assert after["spec"]["rules"][0]["filters"][0]["requestHeaderModifier"]["set"][0]["value"] == str(others.headers)
    assert after["metadata"]["generation"] == 1 + WRITES + others.headers
    assert [view.rules[0].refs[1].weight for view in arrived] == [number % 99 + 1 for number in range(WRITES)]
    assert [ref["weight"] for ref in after["spec"]["rules"][0]["backendRefs"]] == [99, 1, 3]
